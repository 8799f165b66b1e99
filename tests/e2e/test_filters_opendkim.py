# SPDX-License-Identifier: ISC
"""docs/filters.md with the real OpenDKIM behind the real Postfix: the mail of a
leased client is signed, that of others is not."""

import contextlib
import itertools
import signal

import pytest

import exports
import filters
import lab
import servers
import servers_real

pytestmark = [pytest.mark.namespaces, pytest.mark.needs("postfix"),
              pytest.mark.needs("tcpserver")]

OPENDKIM = """
Domain test.example
Selector mail
KeyFile /etc/dkimkeys/mail.private
Mode s
Socket inet:8891@127.0.0.1
Syslog yes
{snippet}
"""
MILTER = f"""
smtpd_milters = inet:127.0.0.1:8891
milter_default_action = accept
default_transport = smtp:[{servers.SINK}]
"""
# For mail of a stranger that has to go the same way: a relay domain.
TAKEN = "someone@taken.example"
numbers = itertools.count(1)


@pytest.fixture(scope="module", name="site")
def make_site(tmp_path_factory):
    with contextlib.ExitStack() as stack:
        host = lab.Host(tmp_path_factory.mktemp("host"))
        stack.callback(host.close)
        servers_real.install(host, "opendkim")
        filters.prepare(host)
        filters.prepare_postfix(host)
        filters.add_main(host, MILTER + "relay_domains = taken.example\n"
                         "relay_transport = $default_transport\n" +
                         exports.example("postfix-main.cf.snippet"))
        filters.add_master(host, exports.example(
            "postfix-submission.cf.snippet").replace(" y ", " n "))
        host.sink = servers.Sink(host, tmp_path_factory.mktemp("sink"))
        stack.callback(host.sink.close)
        host.customer = lab.Client(host, "203.0.113.7", "2001:db8::7")
        stack.callback(host.customer.close)
        host.stranger = lab.Client(host, "203.0.113.8", "2001:db8::8")
        stack.callback(host.stranger.close)
        host.run("mkdir", "-p", "/etc/dkimkeys")
        host.run("openssl", "genrsa", "-out", "/etc/dkimkeys/mail.private",
                 "2048")
        filters.start_postfix(host, 25, 587)
        yield host


def start_opendkim(host, leave_out=""):
    snippet = "\n".join(
        line for line in exports.example("opendkim.conf.snippet").splitlines()
        if not leave_out or not line.startswith(leave_out))
    host.write("/etc/opendkim.conf", OPENDKIM.format(snippet=snippet))
    server = host.start(["opendkim", "-f", "-x", "/etc/opendkim.conf"],
                        host.directory / "opendkim.log")
    lab.wait_for(lambda: host.listens(8891) or not server.running(),
                 "OpenDKIM listens")
    assert server.running(), server.output()
    return server


def is_signed(host, client, family, port=25, recipient=TAKEN):
    subject = f"dkim-{next(numbers)}"
    answer = client.smtp(
        **client.ends(family), sender="alice@test.example",
        recipient=recipient, port=port,
        message=f"From: alice@test.example\nSubject: {subject}\n\nhi\n")
    assert answer["code"] == 250, answer
    mail = host.sink.wait_for(subject)
    if "DKIM-Signature:" not in mail:
        return False
    assert "d=test.example" in mail and "s=mail" in mail
    return True


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_mail_of_a_leased_client_is_signed(site, relaypassd, family):
    daemon = filters.start(site, relaypassd)
    table = site.path(f"{exports.OUT}/opendkim")
    lab.wait_for(lambda: table.exists() and
                 table.read_text() == "127.0.0.1\n::1\n", "the list")
    server = start_opendkim(site, leave_out="MTA")
    try:
        assert not is_signed(site, site.customer, family)
        address = site.customer.ends(family)["source"]
        exports.lease(site, daemon, address)
        lab.wait_for(lambda: address in table.read_text(), "the row")
        server.signal(signal.SIGUSR1)
        lab.wait_for(lambda: is_signed(
            site, site.customer, family, recipient=servers.FOREIGN),
            "the lease there")
        assert not is_signed(site, site.stranger, family)
        daemon.clock.advance(exports.TTL_MS + 1000)
        lab.wait_for(lambda: address not in table.read_text(), "the end")
        server.signal(signal.SIGUSR1)
        lab.wait_for(lambda: not is_signed(site, site.customer, family),
                     "the end there")
    finally:
        server.kill_all()


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_mail_by_port_587_is_signed_without_a_list(site, relaypassd, family):
    daemon = filters.start(site, relaypassd)
    server = start_opendkim(site, leave_out="InternalHosts")
    try:
        exports.lease(site, daemon, site.customer.ends(family)["source"])
        assert is_signed(site, site.customer, family, port=587)
        assert not is_signed(site, site.customer, family, port=25)
        assert not is_signed(site, site.stranger, family)
    finally:
        server.kill_all()
