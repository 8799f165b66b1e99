# SPDX-License-Identifier: ISC
"""Postfix' lookup tables and files with the real Postfix and the real Dovecot: refused
before the login, relayed after it, refused when the lease is over, within one
SMTP session too; and inbound mail flows whatever happens to relaypassd."""

import contextlib
import itertools

import pytest

import lab
import servers
from test_postfix_dovecot import (TTL_MS, address, inbound_arrives, log_in,
                                  send)

pytestmark = [pytest.mark.namespaces, pytest.mark.needs("dovecot"),
              pytest.mark.needs("postfix"), pytest.mark.needs("rsyslog"),
              pytest.mark.needs("tcpserver")]

CONF = lab.EXAMPLES / "relaypass-postfix-tables.conf"
# name: flavour of the site, snippet, what is another table in it
TABLES = {
    "socketmap-unix": (servers.Private, "socketmap", None),
    "socketmap-unix-chroot": (servers.Debian, "socketmap", None),
    "socketmap-inet": (servers.Private, "socketmap",
                       "socketmap:inet:127.0.0.1:10042:relaypass"),
    "tcp-table": (servers.Private, "tcp-table", None),
    "lmdb": (servers.Private, "lmdb", None),
    "lmdb-chroot": (servers.Debian, "lmdb", None),
    "hash": (servers.Private, "lmdb", "hash:$config_directory/relaypass"),
}
WRITTEN = {"socketmap": "socketmap:unix:relaypass/socketmap:relaypass",
           "tcp-table": "tcp:127.0.0.1:10041",
           "lmdb": "lmdb:$config_directory/relaypass"}
numbers = itertools.count(1)


def conf_of(site):
    """The example, with the paths of the site."""
    return CONF.read_text(encoding="utf-8").replace(
        "/var/log/mail.log", site.mail_log).replace(
            "/var/spool/postfix", site.queue).replace(
                "/etc/postfix/", site.config_dir + "/")


def apply_snippet(site, name, table):
    """As the snippet itself says it."""
    text = (lab.EXAMPLES / f"postfix-{name}.cf.snippet").read_text(
        encoding="utf-8")
    assert WRITTEN[name] in text
    text = text.replace(WRITTEN[name], table)
    host, where = site.host, site.config_dir
    host.run("postconf", "-c", where, "-X", "smtpd_relay_restrictions")
    with open(host.path(f"{where}/main.cf"), "a", encoding="utf-8") as file:
        file.write(text)
    servers.check_postfix(host, where)
    host.run("postfix", "-c", where, "reload")


@pytest.fixture(scope="module", params=TABLES)
def site(request, tmp_path_factory):
    flavour, snippet, table = TABLES[request.param]
    table = table or WRITTEN[snippet]
    if table.partition(":")[0] not in lab.Here().run(
            "postconf", "-m").stdout.split():
        pytest.skip("needs postfix-lmdb: tools/install-deps test")
    with contextlib.ExitStack() as stack:
        host = lab.Host(tmp_path_factory.mktemp("host"))
        stack.callback(host.close)
        host.install_users()
        made = flavour(host)
        made.table = table
        made.asks = "$config_directory" not in table
        made.customer = lab.Client(host, "203.0.113.7", "2001:db8::7")
        stack.callback(made.customer.close)
        made.stranger = lab.Client(host, "203.0.113.8", "2001:db8::8")
        stack.callback(made.stranger.close)
        made.sink = servers.Sink(host, tmp_path_factory.mktemp("sink"))
        stack.callback(made.sink.close)
        made.start()
        apply_snippet(made, snippet, table)
        lab.wait_for(lambda: all(map(host.listens,
                                     [25, *made.ports.values()])),
                     "the servers listen")
        yield made


@pytest.fixture
def host(site):
    return site.host


@pytest.fixture
def daemon(site, host, relaypassd):
    site.forget_logins()
    daemon = relaypassd(host, conf_of(site))
    if not site.asks:
        # An smtpd that finds no file would say 451 for as long as it lives.
        daemon.wait(lambda: found(site, "192.0.2.254") == "", "the file")
    return daemon


def found(site, key):
    """What Postfix' own tool finds in the file, or says of it."""
    done = site.host.run(
        "postmap", "-c", site.config_dir, "-q", key,
        site.table.replace("$config_directory", site.config_dir), check=False)
    return done.stdout.strip()


def wait_leased(site, daemon, key):
    daemon.wait_leased(key)
    if not site.asks:
        lab.wait_for(lambda: found(site, key) == "OK", f"{key} in the file", 1)


def wait_over(site, key):
    if not site.asks:
        lab.wait_for(lambda: found(site, key) == "", f"{key} is gone", 1.2)


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_postfix_relays_after_a_login_and_until_the_lease_is_over(
        site, daemon, family):
    subject = f"table-{next(numbers)}"
    refused = send(site.customer, family)
    assert refused["code"] == 554
    assert "Relay access denied" in refused["text"]

    assert log_in(site, site.customer, "imap", family)["ok"]
    wait_leased(site, daemon, address(site.customer, family))
    assert send(site.customer, family, subject=subject)["code"] == 250
    assert f"T{servers.FOREIGN}\n" in site.sink.wait_for(subject)

    assert send(site.stranger, family)["code"] == 554
    other = "ipv4" if family == "ipv6" else "ipv6"
    assert send(site.customer, other)["code"] == 554

    daemon.clock.advance(TTL_MS + 1000)
    wait_over(site, address(site.customer, family))
    assert send(site.customer, family)["code"] == 554
    inbound_arrives(site, family)


def test_a_lease_counts_within_a_running_smtp_session(site, daemon):
    """Refused, logged in, accepted, over: all in one connection."""
    if site.table.startswith("hash:"):
        pytest.skip("smtpd keeps what it has read: docs/exports.md")
    client = site.customer
    client.smtp_open(**client.ends("ipv4"), name="long")
    try:
        client.smtp_mail(name="long", sender=servers.LOCAL)

        def rcpt():
            return client.smtp_rcpt(name="long",
                                    recipient=servers.FOREIGN)["code"]
        assert rcpt() == 554
        assert log_in(site, client, "pop3", "ipv4")["ok"]
        wait_leased(site, daemon, client.v4)
        assert rcpt() == 250
        daemon.clock.advance(TTL_MS + 1000)
        wait_over(site, client.v4)
        assert rcpt() == 554
    finally:
        client.hang_up(name="long")


def test_mail_flows_and_nobody_relays_without_relaypassd(site, daemon):
    assert log_in(site, site.customer, "imap", "ipv4")["ok"]
    wait_leased(site, daemon, site.customer.v4)
    assert send(site.customer, "ipv4")["code"] == 250
    daemon.stop()
    inbound_arrives(site, "ipv4")
    inbound_arrives(site, "ipv6")
    # A file is as it was; whoever asks is told nothing.
    code = 451 if site.asks else 250
    assert send(site.customer, "ipv4")["code"] == code
    daemon.start()
    assert send(site.customer, "ipv4")["code"] == 250


def test_mail_flows_while_relaypassd_hangs(site, daemon):
    daemon.freeze()
    try:
        inbound_arrives(site, "ipv4")
    finally:
        daemon.thaw()
    assert send(site.stranger, "ipv4")["code"] == 554
