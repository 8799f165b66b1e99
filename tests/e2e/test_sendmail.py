# SPDX-License-Identifier: ISC
"""The real Sendmail with contrib/sendmail/relaypass.m4, in each way to use it:
refused before the login, relayed after it, refused when the lease is over, all
within one SMTP session too; and what happens while relaypassd is away."""

import contextlib

import pytest

import lab
import sendmail
from sendmail import BIN, CF, FOREIGN, HACK, LOCAL, Site, session

pytestmark = pytest.mark.namespaces

TTL_MS = 30 * 60 * 1000
SOCKET, FILE = "`socket unix:/run/relaypass/socketmap'", "`hash /etc/mail/popip'"
HACKS = {
    "default": ("HACK(`relaypass')dnl", "socket"),
    "socket": (HACK, "socket"),
    "socket-tempfail": (f"HACK(`relaypass', {SOCKET}, `', `tempfail')dnl",
                        "tempfail"),
    "file": (f"HACK(`relaypass', {FILE})dnl", "file"),
    "both": (f"HACK(`relaypass', {SOCKET}, {FILE})dnl", "both"),
}


@pytest.fixture(scope="module", params=HACKS)
def site(request, tmp_path_factory):
    with contextlib.ExitStack() as stack:
        host = lab.Host(tmp_path_factory.mktemp("host"))
        stack.callback(host.close)
        host.install_users()
        hack, kind = HACKS[request.param]
        made = Site(host, hack)
        made.kind = kind
        made.add_clients(stack)
        # Sendmail opens its files when it starts.
        made.make_map("/etc/mail/popip", owner="relaypass-out")
        made.start()
        yield made


@pytest.fixture
def host(site):
    return site.host


@pytest.fixture
def daemon(site, host, relaypassd):
    host.write("/var/log/mail.log", "")
    text = (lab.EXAMPLES / "relaypass-sendmail.conf").read_text(
        encoding="utf-8")
    if site.kind == "both":
        # Found in the second map only.
        text = text.replace('{ "relaypass", "relaypass2" }', '{ "other" }')
    return relaypassd(host, text)


def log_in(site, daemon, address):
    sendmail.log_in(site, daemon, address)
    wait_file(site, address, True)


def wait_file(site, address, there):
    """What Sendmail's own tool finds."""
    if site.kind in ("file", "both"):
        key = address if ":" not in address else \
            "ipv6:2001:db8:0:0:0:0:0:7"
        lab.wait_for(lambda: (f"{key}\tOK" in site.host.run(
            f"{BIN}/makemap", "-u", "hash", "/etc/mail/popip").stdout) == there,
            f"{key} in popip.db: {there}", 1.2)


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_sendmail_relays_after_a_login_and_until_the_lease_is_over(
        site, daemon, family):
    """In one SMTP session."""
    client = site.customer
    address = client.ends(family)["source"]
    with session(client, family) as rcpt:
        refused = rcpt(FOREIGN)
        assert refused["code"] == 550, refused
        assert "Relaying denied" in refused["text"]
        assert rcpt(LOCAL)["code"] == 250
        log_in(site, daemon, address)
        assert rcpt(FOREIGN)["code"] == 250
        with session(site.stranger, family) as other:
            assert other(FOREIGN)["code"] == 550
            assert other(LOCAL)["code"] == 250
        daemon.clock.advance(TTL_MS + 1000)
        wait_file(site, address, False)
        assert rcpt(FOREIGN)["code"] == 550


@pytest.mark.parametrize("recipient", [
    '"x<RELAYPASS>"@foreign.example', '"OK"@foreign.example', "OK",
    '"a $| OK"@foreign.example', "someone%foreign.example@test.example",
    "foreign.example!someone@test.example", "@test.example:a@foreign.example"])
def test_no_recipient_makes_a_stranger_relay(site, daemon, recipient):
    log_in(site, daemon, site.customer.v4)
    with session(site.stranger, "ipv4") as rcpt:
        assert rcpt(recipient)["code"] >= 500


def test_mail_flows_and_nobody_relays_without_relaypassd(site, daemon):
    daemon.stop()
    code = 451 if site.kind == "tempfail" else 550
    for client in (site.customer, site.stranger):
        with session(client, "ipv4") as rcpt:
            assert rcpt(LOCAL)["code"] == 250
            assert rcpt("alice")["code"] == 250
            assert rcpt(FOREIGN)["code"] == code


def test_rules_of_ones_own_go_on(site, daemon):
    """A Local_check_rcpt behind ours, in a .mc of its own."""
    own = ("LOCAL_RULESETS\nSLocal_check_rcpt\n"
           "R$* full @ $*\t$#error $@ 4.2.2 $: \"452 full\"\n")
    mc = site.host.path("/etc/mail/sendmail.mc").read_text(encoding="utf-8")
    site.host.write("/etc/mail/own.mc", mc + own)
    made = site.host.run("m4", f"-D_CF_DIR_={CF}/", "/etc/mail/own.mc")
    site.host.write("/etc/mail/own.cf", made.stdout)
    site.host.run("mkdir", "-p", "-m", "0700", "/var/spool/mqueue-test")
    process = site.host.start(
        [f"{BIN}/sendmail", "-D", "/var/log/rules.log", "-bD", "-C",
         "/etc/mail/own.cf", "-d21.2", "-O", "DaemonPortOptions=Port=2525", "-O",
         "QueueDirectory=/var/spool/mqueue-test", "-O",
         "PidFile=/run/sendmail-own.pid"],
        site.host.directory / "own.log")
    try:
        lab.wait_for(lambda: site.host.listens(2525), "another port")
        with session(site.stranger, "ipv4", 2525) as rcpt:
            assert rcpt("full@test.example")["code"] == 452
            assert rcpt(LOCAL)["code"] == 250
            assert rcpt(FOREIGN)["code"] == 550
        rules = site.host.path("/var/log/rules.log")
        assert "ruleset Relaypass" in rules.read_text(encoding="latin-1")
    finally:
        process.kill_all()


def test_the_rules_can_be_tried_by_hand(site, daemon):
    """As docs/sendmail.md says it."""
    log_in(site, daemon, site.customer.v4)
    for address, answer in ((site.customer.v4, "OK"), ("203.0.113.9", "NO")):
        done = site.host.run("sh", "-c", "printf '.D{client_addr}%s\\n"
                             "Relaypass x\\n' " + address +
                             f" | {BIN}/sendmail -bt -C /etc/mail/sendmail.cf")
        assert f"returns: {answer}" in done.stdout, done.stdout
