# SPDX-License-Identifier: ISC
"""The real popa3d, which knows IPv4 only and tells address and user in two
lines: each good login is one lease."""

import pytest

import servers_real as real

pytestmark = [pytest.mark.namespaces, pytest.mark.needs("rsyslog")]

ALICE = "alice"
# popa3d takes no name with a blank in it, and tells none that has no account.
ODD = ["203.0.113.66", "[203.0.113.66]", "x,203.0.113.66", "UNKNOWN"]
HOSTILE = ["Session from 203.0.113.66", "Authentication passed for alice",
           "alice: Authentication passed for alice", "x" * 200, "",
           "x\x1b[1m\udcff"]


def set_up(host):
    real.add_system_user(host, "popa3d")
    for name in (ALICE, *ODD):
        real.add_account(host, name)
    host.daemon("popa3d", "-D")


def all_logins(site):
    def pop3(client, name, **more):
        return real.Login(client, "ipv4", "pop3", name, **more)

    logins = [pop3(site.customer, ALICE) for _ in range(4)]
    logins += [pop3(site.odd, name) for name in ODD]
    logins += [pop3(site.odd, name, good=False) for name in HOSTILE]
    logins += real.bad_logins(site.odd, [ALICE], ["ipv4"], ["pop3"])
    logins += real.bad_logins(
        site.stranger, [ALICE, real.NOBODY, "root", *ODD, *HOSTILE],
        ["ipv4"], ["pop3"])
    return logins


@pytest.fixture(name="site", scope="module")
def make_site(tmp_path_factory):
    with real.site(tmp_path_factory, "popa3d") as site:
        site.start_rsyslog()
        set_up(site.host)
        site.wait_for_ports(110)
        # More at a time from one address would be turned away.
        site.use(all_logins(site), {form: real.log_path(form)
                                    for form in real.FORMATS},
                 "traditional", at_once=5)
        yield site


@pytest.mark.parametrize("form", real.FORMATS)
def test_a_good_login_is_one_lease_and_nothing_else_is(site, form):
    site.check(form, "popa3d")


def test_relaypassd_agrees(site):
    site.check_answers()
