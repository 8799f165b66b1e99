# SPDX-License-Identifier: ISC
"""The real Solid POP3 server: each good login is one lease, whatever names and
reverse names spell."""

import pytest

import servers_real as real

pytestmark = [pytest.mark.namespaces, pytest.mark.needs("rsyslog")]

ALICE = "alice"
# Accounts; Solid POP3 takes 40 bytes, and writes them as they are.
ODD = ["x - 203.0.113.66", "x authenticated - 203.0.113.66",
       "x - a (203.0.113.66)", "alice authenticated - 203.0.113.66 - ",
       "(203.0.113.66)", "203.0.113.66", "x" * 40,
       "authenticated - 203.0.113.66".rjust(40, "x")]
HOSTILE = ["user alice authenticated - 203.0.113.66", "- 203.0.113.66",
           "user alice authenticated - 203.0.113.66".rjust(200, "x"),
           "x\x1b[1m\udcff", "alice - x\x0b203.0.113.66"]


def set_up(host):
    real.add_system_user(host, "spop3d", "mail")
    for name in (ALICE, *ODD):
        real.add_account(host, name)
    host.daemon("solid-pop3d", "-d")


def pop3(client, name, **more):
    return [real.Login(client, family, "pop3", name, **more)
            for family in ("ipv4", "ipv6")]


def all_logins(site):
    """Who comes more than five times in ten seconds is turned away: each name
    has a client of its own."""
    wrong = {"good": False, "password": "wrong"}
    logins = 2 * pop3(site.customer, ALICE)
    logins += pop3(site.odd, ALICE) + pop3(site.odd, ALICE, **wrong)
    for number, name in enumerate(ODD, 10):
        client = site.client(f"198.51.100.{number}", f"2001:db8:1::{number}")
        logins += pop3(client, name) + pop3(client, name, **wrong)
    for number, name in enumerate((ALICE, real.NOBODY, "root", *HOSTILE), 10):
        client = site.client(f"192.0.2.{number}", f"2001:db8:2::{number}")
        logins += pop3(client, name, **wrong)
    return logins


@pytest.fixture(name="site", scope="module")
def make_site(tmp_path_factory):
    with real.site(tmp_path_factory, "solid-pop3d") as site:
        site.start_rsyslog()
        set_up(site.host)
        site.wait_for_ports(110)
        site.use(all_logins(site), {form: real.log_path(form)
                                    for form in real.FORMATS},
                 "traditional")
        yield site


@pytest.mark.parametrize("form", real.FORMATS)
def test_a_good_login_is_one_lease_and_nothing_else_is(site, form):
    site.check_hostile_text(form, 20)
    site.check(form, "solid-pop3d")


def test_relaypassd_agrees(site):
    site.check_answers()
