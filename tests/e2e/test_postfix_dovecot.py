# SPDX-License-Identifier: ISC
"""The main job with the real Dovecot and the real Postfix: a login is seen, a
mail is relayed; and whatever happens to relaypassd, inbound mail flows and
nobody else relays."""

import contextlib
import itertools
import time

import pytest

import lab
import servers

pytestmark = [pytest.mark.namespaces, pytest.mark.needs("dovecot"),
              pytest.mark.needs("postfix"), pytest.mark.needs("rsyslog"),
              pytest.mark.needs("tcpserver")]

TTL_MS = 30 * 60 * 1000
FLAVOURS = {"private": servers.Private, "debian": servers.Debian}
numbers = itertools.count(1)


@pytest.fixture(scope="module", params=FLAVOURS)
def site(request, tmp_path_factory):
    with contextlib.ExitStack() as stack:
        host = lab.Host(tmp_path_factory.mktemp("host"))
        stack.callback(host.close)
        host.install()
        host.install_users()
        made = FLAVOURS[request.param](host)
        made.customer = lab.Client(host, "203.0.113.7", "2001:db8::7")
        stack.callback(made.customer.close)
        made.stranger = lab.Client(host, "203.0.113.8", "2001:db8::8")
        stack.callback(made.stranger.close)
        made.sink = servers.Sink(host, tmp_path_factory.mktemp("sink"))
        stack.callback(made.sink.close)
        made.start()
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
    return relaypassd(host, site.relaypass_conf())


def log_in(site, client, protocol, family, password=servers.PASSWORD, **more):
    verb = getattr(client, protocol)
    return verb(**client.ends(family), user="alice", password=password,
                port=site.ports[protocol], tls=site.tls, **more)


def send(client, family, recipient=servers.FOREIGN, subject="hello"):
    return client.smtp(**client.ends(family), sender=servers.LOCAL,
                       recipient=recipient,
                       message=f"Subject: {subject}\n\nhi\n")


def address(client, family):
    return client.v6 if family == "ipv6" else client.v4


def inbound_arrives(site, family):
    """A stranger's mail to a local user."""
    subject = f"inbound-{next(numbers)}"
    assert send(site.stranger, family, servers.LOCAL, subject)["code"] == 250
    mailbox = site.host.path(site.mail)
    lab.wait_for(lambda: mailbox.exists() and subject in mailbox.read_text(
        encoding="utf-8", errors="replace"), f"{subject} in the mailbox")


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
@pytest.mark.parametrize("protocol", ["pop3", "imap"])
def test_postfix_relays_after_a_login_and_until_the_lease_is_over(
        site, daemon, protocol, family):
    subject = f"relay-{next(numbers)}"
    refused = send(site.customer, family)
    assert refused["code"] == 554
    assert "Relay access denied" in refused["text"]

    assert log_in(site, site.customer, protocol, family)["ok"]
    daemon.wait_leased(address(site.customer, family))
    assert send(site.customer, family, subject=subject)["code"] == 250
    mail = site.sink.wait_for(subject)
    assert f"T{servers.FOREIGN}\n" in mail

    assert send(site.stranger, family)["code"] == 554
    other = "ipv4" if family == "ipv6" else "ipv6"
    assert send(site.customer, other)["code"] == 554

    daemon.clock.advance(TTL_MS + 1000)
    assert send(site.customer, family)["code"] == 554
    inbound_arrives(site, family)


def test_a_failed_login_makes_no_lease(site, daemon):
    assert not log_in(site, site.customer, "imap", "ipv4", "wrong")["ok"]
    assert not log_in(site, site.customer, "pop3", "ipv4", "wrong")["ok"]
    # What comes later in the log has been read: so was the failure.
    assert log_in(site, site.stranger, "imap", "ipv4")["ok"]
    daemon.wait_leased(site.stranger.v4)
    assert daemon.check(site.customer.v4) == "none"
    assert send(site.customer, "ipv4")["code"] == 554


def test_a_lease_counts_within_a_running_smtp_session(site, daemon):
    """Refused, logged in, accepted, over: all in one connection."""
    client = site.customer
    client.smtp_open(**client.ends("ipv4"), name="long")
    try:
        client.smtp_mail(name="long", sender=servers.LOCAL)

        def rcpt():
            return client.smtp_rcpt(name="long",
                                    recipient=servers.FOREIGN)["code"]
        assert rcpt() == 554
        assert log_in(site, client, "pop3", "ipv4")["ok"]
        daemon.wait_leased(client.v4)
        assert rcpt() == 250
        daemon.clock.advance(TTL_MS + 1000)
        assert rcpt() == 554
    finally:
        client.hang_up(name="long")


def test_an_open_imap_session_holds_its_lease(site, daemon):
    """Sign of life: the mail process that the login line names."""
    client = site.customer
    assert log_in(site, client, "imap", "ipv4", keep="open")["ok"]
    try:
        daemon.wait_leased(client.v4)
        first = daemon.check(client.v4)
        # Two thirds of the time to live, twice: without the session the lease
        # would be over.
        for _ in range(2):
            daemon.clock.advance(TTL_MS * 2 // 3)
            lab.wait_for(lambda: ttl_of(daemon.check(client.v4))
                         > TTL_MS // 1000 * 2 // 3, "the lease is held", 90)
        assert send(client, "ipv4")["code"] == 250, first
    finally:
        client.hang_up(name="open")


def ttl_of(answer):
    words = [word for word in answer.split() if word.startswith("ttl=")]
    return int(words[0].partition("=")[2]) if words else 0


def test_mail_flows_and_nobody_relays_without_relaypassd(site, daemon):
    assert log_in(site, site.customer, "imap", "ipv4")["ok"]
    daemon.wait_leased(site.customer.v4)
    daemon.stop()
    for family in ("ipv4", "ipv6"):
        assert send(site.customer, family)["code"] == 554
        inbound_arrives(site, family)


def test_a_lease_outlives_a_restart_of_relaypassd(site, daemon):
    """Without a second login, and without a refusal by an smtpd that was
    connected to the old one."""
    assert log_in(site, site.customer, "imap", "ipv4")["ok"]
    daemon.wait_leased(site.customer.v4)
    assert send(site.customer, "ipv4")["code"] == 250
    daemon.stop()
    daemon.start()
    assert send(site.customer, "ipv4")["code"] == 250
    assert daemon.process.output().count("lease.grant") == 1


def test_mail_flows_and_nobody_relays_while_relaypassd_hangs(site, daemon):
    assert log_in(site, site.customer, "imap", "ipv4")["ok"]
    daemon.wait_leased(site.customer.v4)
    daemon.freeze()
    try:
        start = time.monotonic()
        assert send(site.customer, "ipv4")["code"] == 554
        inbound_arrives(site, "ipv4")
        assert time.monotonic() - start < 15
    finally:
        daemon.thaw()
    # smtpd may still hold a connection with a late answer in it, and with
    # try_limit=1 that is one more refusal.
    lab.wait_for(lambda: send(site.customer, "ipv4")["code"] == 250,
                 "relaying goes on")


def test_postfix_check_is_silent(site, daemon):
    """With the daemon's socket in the queue directory too."""
    servers.check_postfix(site.host, site.config_dir)
