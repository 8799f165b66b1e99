# SPDX-License-Identifier: ISC
"""The export "cdb" and the real Postfix as it stands in examples/: inbound mail
flows without relaypassd, and leases are as they were. The way there and back is
in test_matrix.py."""

import contextlib

import pytest

import exports
import lab
import servers
from test_postfix_dovecot import inbound_arrives, log_in, send

pytestmark = [pytest.mark.namespaces, pytest.mark.needs("dovecot"),
              pytest.mark.needs("postfix"), pytest.mark.needs("rsyslog"),
              pytest.mark.needs("tcpserver")]


@pytest.fixture(scope="module", name="site")
def make_site(tmp_path_factory):
    if "cdb" not in lab.Here().run("postconf", "-m").stdout.split():
        pytest.skip("needs postfix-cdb: tools/install-deps test")
    with contextlib.ExitStack() as stack:
        host = lab.Host(tmp_path_factory.mktemp("host"))
        stack.callback(host.close)
        exports.prepare(host)
        made = servers.Private(host)
        made.customer = lab.Client(host, "203.0.113.7", "2001:db8::7")
        stack.callback(made.customer.close)
        made.stranger = lab.Client(host, "203.0.113.8", "2001:db8::8")
        stack.callback(made.stranger.close)
        made.sink = servers.Sink(host, tmp_path_factory.mktemp("sink"))
        stack.callback(made.sink.close)
        made.start()
        where = made.config_dir
        host.run("postconf", "-c", where, "-X", "smtpd_relay_restrictions")
        with open(host.path(f"{where}/main.cf"), "a",
                  encoding="utf-8") as file:
            file.write(exports.example("postfix-cdb.cf.snippet"))
        servers.check_postfix(host, where)
        host.run("postfix", "-c", where, "reload")
        lab.wait_for(lambda: all(map(host.listens,
                                     [25, *made.ports.values()])),
                     "the servers listen")
        yield made


@pytest.fixture(name="daemon")
def make_daemon(site, relaypassd):
    site.forget_logins()
    return relaypassd(site.host, exports.example(
        "relaypass-exports.conf").replace(exports.MAIL_LOG, site.mail_log))


def found(site, key):
    return site.host.run("postmap", "-c", site.config_dir, "-q", key,
                         f"cdb:{exports.OUT}/leases", check=False).stdout


def test_inbound_mail_flows_without_relaypassd(site, daemon):
    key = site.customer.v4
    assert log_in(site, site.customer, "imap", "ipv4")["ok"]
    lab.wait_for(lambda: found(site, key) == "OK\n", "the lease", 5)
    daemon.stop()
    inbound_arrives(site, "ipv4")
    assert send(site.customer, "ipv4")["code"] == 250
    assert send(site.stranger, "ipv4")["code"] == 554
