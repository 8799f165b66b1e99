# SPDX-License-Identifier: ISC
"""Leases that live as long as their mail sessions, by log lines alone: the real
Dovecot, whose login line names the session and its mail process, and the real
Courier, whose lines name the client's port."""

import contextlib

import pytest

import dovecot_conf
import lab
import servers
import servers_real as real
import sessions
import test_real_courier as courier

pytestmark = [pytest.mark.namespaces]

TTL_S = 1800
# How a session goes; each takes the keeper's 10 seconds and more.
ENDS = [("imap", "logout"), ("pop3", "close")]
LOG = "/var/log/mail.traditional.log"
CONF = """
lease {{ ttl = "30m" {lease} }}
source maillog {{ kind = "file" path = "{log}" }}
listener ask {{ kind = "ask" listen = "unix:/run/relaypass/ask" }}
"""


def ttl_of(answer):
    words = [word for word in answer.split() if word.startswith("ttl=")]
    return int(words[0].partition("=")[2]) if words else 0


class Site:
    """A host with one mail server; `log` is what it writes, or rsyslogd."""

    def __init__(self, host, client, log, user):
        self.host, self.client, self.log, self.user = host, client, log, user

    def log_in(self, protocol):
        return sessions.PROTOCOLS[protocol](self.client, self.user)

    def daemon(self, relaypassd, lease=""):
        """A relaypassd that has not seen the earlier tests' logins."""
        with open(self.host.path(self.log), "w", encoding="ascii"):
            pass  # the server appends
        return relaypassd(self.host, CONF.format(log=self.log, lease=lease))


@pytest.fixture(name="dovecot", scope="module")
def make_dovecot(host, customer):
    host.install_users()
    host.add_user("alice")
    dovecot_conf.write(host, servers.DOVECOT)
    host.write("/var/log/dovecot.log", "", 0o600)
    host.daemon("dovecot")
    lab.wait_for(lambda: host.listens(143) and host.listens(110),
                 "Dovecot listens")
    return Site(host, customer, "/var/log/dovecot.log", "alice")


@pytest.fixture(name="courier_site", scope="module")
def make_courier(tmp_path_factory):
    with real.site(tmp_path_factory, "courier") as site:
        site.start_rsyslog()
        courier.set_up(site.host)
        site.host.install_users()
        site.wait_for_ports(110, 143)
        yield Site(site.host, site.customer, LOG, courier.ALICE)


def is_held(daemon, address):
    """Two thirds of the time to live pass, twice: without its session the
    lease would be over. The keeper looks at sessions every 10 seconds."""
    for _ in range(2):
        daemon.clock.advance(TTL_S * 2 // 3 * 1000)
        lab.wait_for(lambda: ttl_of(daemon.check(address)) > TTL_S * 2 // 3,
                     "the lease is held", 40)


def ends_a_ttl_later(daemon, address):
    """The session is over; nothing but time ends the lease then."""
    assert ttl_of(daemon.check(address)) > TTL_S * 2 // 3
    daemon.clock.advance((TTL_S * 2 // 3) * 1000)
    assert 0 < ttl_of(daemon.check(address)) <= TTL_S // 3 + 1
    daemon.clock.advance((TTL_S // 3 + 1) * 1000)
    assert daemon.check(address) == "none"


def told(daemon, event):
    lab.wait_for(lambda: event in daemon.process.output(), event)


@pytest.mark.needs("dovecot")
@pytest.mark.parametrize(("protocol", "end"), ENDS)
def test_dovecot_s_open_session_holds_its_lease(
        dovecot, relaypassd, protocol, end):
    daemon = dovecot.daemon(relaypassd)
    address = dovecot.client.v4
    with dovecot.log_in(protocol) as session:
        session.idle()
        daemon.wait_leased(address)
        is_held(daemon, address)
        session.done()
        getattr(session, end)()
    # The line of the mail process, which names the session and no address.
    told(daemon, "logout ip=203.0.113.7 user=alice")
    ends_a_ttl_later(daemon, address)


@pytest.mark.needs("dovecot")
def test_dovecot_s_dead_mail_process_holds_nothing(dovecot, relaypassd):
    """No line tells that it is gone."""
    daemon = dovecot.daemon(relaypassd)
    address = dovecot.client.v4
    with dovecot.log_in("imap") as session:
        session.idle()
        daemon.wait_leased(address)
        dovecot.host.run("pkill", "-KILL", "-x", "imap")
    # Nothing moves the end any more.
    daemon.clock.advance((TTL_S + 1) * 1000)
    lab.wait_for(lambda: "lease.expire ip=203.0.113.7"
                 in daemon.process.output(), "the lease ends", 40)
    assert daemon.check(address) == "none"


@pytest.mark.needs("dovecot")
def test_hold_max_ends_the_longest_session(dovecot, relaypassd):
    daemon = dovecot.daemon(relaypassd, 'hold-max = "50m"')
    address = dovecot.client.v4
    with dovecot.log_in("imap") as session:
        session.idle()
        daemon.wait_leased(address)
        is_held(daemon, address)  # 40 minutes have passed then
        daemon.clock.advance((TTL_S + 1) * 1000)
        told(daemon, "lease.expire ip=203.0.113.7")
        assert daemon.check(address) == "none"


@pytest.mark.needs("rsyslog")
@pytest.mark.parametrize(("protocol", "end"), ENDS)
def test_courier_s_open_session_holds_its_lease_when_it_may(
        courier_site, relaypassd, protocol, end):
    """Courier's lines name no process: hold-unseen says how long to believe
    in a session; address and port join the lines of its begin and its end."""
    daemon = courier_site.daemon(relaypassd, 'hold-unseen = "2h"')
    address = courier_site.client.v4
    with courier_site.log_in(protocol) as session:
        session.idle()
        daemon.wait_leased(address)
        is_held(daemon, address)
        session.done()
        getattr(session, end)()
    told(daemon, f"logout ip={address} user={courier.ALICE}")
    ends_a_ttl_later(daemon, address)


@pytest.mark.needs("rsyslog")
def test_courier_s_session_is_believed_no_longer_than_that(
        courier_site, relaypassd):
    daemon = courier_site.daemon(relaypassd, 'hold-unseen = "50m"')
    address = courier_site.client.v4
    with courier_site.log_in("imap") as session:
        session.idle()
        daemon.wait_leased(address)
        is_held(daemon, address)
        daemon.clock.advance((TTL_S + 1) * 1000)
        told(daemon, f"lease.expire ip={address}")
        assert daemon.check(address) == "none"


@pytest.mark.needs("rsyslog")
def test_courier_s_session_holds_nothing_by_default(courier_site, relaypassd):
    daemon = courier_site.daemon(relaypassd)
    address = courier_site.client.v4
    with contextlib.closing(courier_site.log_in("imap")) as session:
        session.idle()
        daemon.wait_leased(address)
        daemon.clock.advance((TTL_S + 1) * 1000)
        told(daemon, f"lease.expire ip={address}")
        assert daemon.check(address) == "none"
