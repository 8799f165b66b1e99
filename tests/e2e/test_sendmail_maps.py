# SPDX-License-Identifier: ISC
"""The maps that poprelayd and popauth.m4 made old Sendmail sites keep, with
contrib/sendmail/relaypass.m4 in the place of their rules: popip and popauth,
which relaypass writes, and localip and relay, which the administrator does."""

import contextlib

import pytest

import lab
import sendmail
from sendmail import BIN, FOREIGN, LOCAL, Site, session

pytestmark = pytest.mark.namespaces

TTL_MS = 30 * 60 * 1000
MAPS = ("HACK(`relaypass', `hash -o /etc/mail/popip', `', `tempfail', "
        "`hash -o /etc/mail/localip', `hash -o /etc/mail/relay')dnl")
# As those who used popauth.m4 have it: a tag before the address.
POPAUTH = r"""
LOCAL_CONFIG
Kpopauth hash -a<OK> /etc/mail/popauth
LOCAL_RULESETS
SLocal_check_rcpt
R$*	$: $1 $| $(popauth POP:$&{client_addr} $: NO $)
R$* $| $*<OK>	$#OK
R$* $| $*	$: $1
"""
LOCALIP = """\
198.51.100.9\tone
198.51.101\tx
10\tcompany OK
192.168\t< NO >
ipv6:2001:db8:5\tx
"""
RELAY = """\
friend.example\tx
host.other.example\tx
"""
CONF = """
source maillog { kind = "file"  path = "/var/log/mail.log" }
export popip { kind = "berkeley-hash"  path = "/etc/mail/popip.db" }
export popauth { kind = "berkeley-hash"  path = "/etc/mail/popauth.db"
                 prefix = "pop:" }
listener ask { kind = "ask" }
"""


@pytest.fixture(name="site", scope="module")
def make_site(request, tmp_path_factory):
    with contextlib.ExitStack() as stack:
        host = lab.Host(tmp_path_factory.mktemp("host"))
        stack.callback(host.close)
        host.install_users()
        site = Site(host, getattr(request, "param", MAPS))
        site.file = "popauth" if "popauth" in site.hack else "popip"
        site.add_clients(stack)
        for name in ("popip", "popauth"):
            site.make_map(f"/etc/mail/{name}", owner="relaypass-out")
        site.make_map("/etc/mail/localip", LOCALIP)
        site.make_map("/etc/mail/relay", RELAY)
        site.start()
        yield site


@pytest.fixture(name="daemon")
def make_daemon(site, relaypassd):
    site.host.write("/var/log/mail.log", "")
    return relaypassd(site.host, CONF)


def in_map(site, address):
    listed = site.host.run(f"{BIN}/makemap", "-u", "hash",
                           f"/etc/mail/{site.file}").stdout
    tag = "" if site.file == "popip" else "pop:"
    key = address if ":" not in address else "ipv6:2001:db8:0:0:0:0:0:7"
    return f"{tag}{key}\tOK\n" in listed


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
@pytest.mark.parametrize("site", [MAPS, POPAUTH], indirect=True,
                         ids=["popip", "popauth"])
def test_the_file_is_changed_under_a_running_session(site, daemon, family):
    client = site.customer
    address = client.ends(family)["source"]
    file = site.host.path(f"/etc/mail/{site.file}.db")
    inode = file.stat().st_ino
    with session(client, family) as rcpt:
        assert rcpt(FOREIGN)["code"] == 550
        sendmail.log_in(site, daemon, address)
        lab.wait_for(lambda: in_map(site, address), "it is in the map", 1.2)
        assert rcpt(FOREIGN)["code"] == 250
        with session(site.stranger, family) as other:
            assert other(FOREIGN)["code"] == 550
        daemon.clock.advance(TTL_MS + 1000)
        lab.wait_for(lambda: not in_map(site, address), "it is gone", 1.2)
        assert rcpt(FOREIGN)["code"] == 550
        assert rcpt(LOCAL)["code"] == 250
    # In place: a Sendmail that has it open goes on reading the same file.
    assert file.stat().st_ino == inode


@pytest.mark.parametrize("how", ["flock", "lockf"])
def test_nothing_is_written_while_a_reader_has_its_lock(site, daemon, how):
    """Sendmail takes one of these for each lookup. Logins do not wait for it."""
    reader = site.host.start(
        [lab.PYTHON, "-c", "import fcntl, signal\n"
         "f = open('/etc/mail/popip.db', 'rb')\n"
         f"fcntl.{how}(f, fcntl.LOCK_SH)\n"
         "print('locked', flush=True)\nsignal.pause()"],
        site.host.directory / f"{how}.log")
    try:
        lab.wait_for(lambda: "locked" in reader.output(), "it is locked")
        file = site.host.path("/etc/mail/popip.db")
        before = file.read_bytes()
        sendmail.log_in(site, daemon, site.customer.v4)
        lab.wait_for(lambda: "keeps it locked" in daemon.process.output(),
                     "the export has tried")
        assert file.read_bytes() == before
    finally:
        reader.kill_all()
    lab.wait_for(lambda: in_map(site, site.customer.v4), "it is written", 2.5)


@pytest.mark.parametrize("address, answer", [
    ("198.51.100.9", "OK"), ("198.51.100.90", "NO"), ("198.51.100.8", "NO"),
    ("198.51.101.200", "OK"), ("10.255.0.1", "OK"), ("100.1.2.3", "NO"),
    ("192.168.7.1", "OK"), ("192.16.8.1", "NO"), ("1.192.168.1", "NO"),
    ("IPv6:2001:db8:5:0:0:0:0:1", "OK"), ("IPv6:2001:db8:50:0:0:0:0:1", "NO"),
    ("IPv6:2001:db8:0:0:0:0:0:7", "NO")])
def test_what_is_missing_of_a_key_of_localip_is_anything(
        site, address, answer):
    assert site.rules(f"RelaypassNet {address}", "Relaypass x",
                     client=address) == [answer, answer]


@pytest.mark.parametrize("recipient, answer", [
    ("someone@friend.example", "OK"), ("someone@a.b.friend.example", "OK"),
    ("<someone@FRIEND.example.>", "OK"), ("someone@notfriend.example", "NO"),
    ("someone@example", "NO"), ("someone@other.example", "NO"),
    ("someone@x.host.other.example", "OK"), ("friend.example", "NO"),
    ("someone@friend.example.com", "NO"), ("alice@test.example", "NO"),
    ("someone%foreign.example@friend.example", "NO"),
    ("foreign.example!someone@friend.example", "NO"),
    ('"someone@foreign.example"@friend.example', "NO"),
    ("@friend.example:someone@foreign.example", "NO"),
    ("someone@[198.51.100.9]", "NO"), ("<>", "NO")])
def test_relay_has_domains_and_those_below(site, recipient, answer):
    assert site.rules(f"RelaypassDomain {recipient}") == [answer]


def test_a_recipient_gets_its_dot_whether_or_not_dns_knows_it(site):
    given = site.rules("RelaypassRcpt someone@a.friend.example",
                      "RelaypassRcpt someone@customer.example.net",
                      "RelaypassRcpt alice")
    assert given == ["someone < @ a . friend . example . >",
                     "someone < @ customer . example . net . >", "alice"]


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_everybody_relays_to_the_domains_of_relay(site, daemon, family):
    del daemon
    with session(site.stranger, family) as rcpt:
        assert rcpt("someone@friend.example")["code"] == 250
        assert rcpt("someone@no-such.friend.example")["code"] == 250
        for other in (FOREIGN, "someone%foreign.example@friend.example",
                      "someone@" + "a." * 120 + "foreign.example"):
            refused = rcpt(other)
            assert refused["code"] >= 500, refused


def test_networks_of_localip_relay_without_a_login(site, daemon):
    del daemon
    with session(site.stranger, "ipv4") as rcpt, \
            session(site.stranger, "ipv6", name="t") as other:
        assert rcpt(FOREIGN)["code"] == other(FOREIGN)["code"] == 550
        site.make_map("/etc/mail/localip", LOCALIP + "203.0.113\tx\n"
                     "ipv6:2001:db8\tx\n")
        try:
            assert rcpt(FOREIGN)["code"] == other(FOREIGN)["code"] == 250
        finally:
            site.make_map("/etc/mail/localip", LOCALIP)
    with session(site.stranger, "ipv4") as rcpt:
        assert rcpt(FOREIGN)["code"] == 550


def bounces(site):
    """What waits for the local mailer, which is not here."""
    texts = []
    for file in site.host.path("/var/spool/mqueue").glob("df*"):
        # What bounced is removed while we look.
        with contextlib.suppress(FileNotFoundError):
            texts.append(file.read_text(encoding="utf-8"))
    return [text for text in texts if "Final-Recipient" in text]


def test_an_unknown_domain_bounces_as_unknown(site, daemon):
    """For a client with a lease and for one of the relay domains: it is taken,
    and who sent it hears that there is no such host, not that relaying is
    denied."""
    sendmail.log_in(site, daemon, site.customer.v4)
    lab.wait_for(lambda: in_map(site, site.customer.v4), "it is in the map")
    for client, recipient in ((site.customer, "x@no-such.foreign.example"),
                              (site.stranger, "x@no-such.friend.example")):
        with session(client, "ipv4") as rcpt:
            assert rcpt(recipient)["code"] == 250
            sent = client.smtp_data(name="s", message="Subject: x\r\n\r\nx")
            assert sent["code"] == 250, sent
        text = lab.wait_for(
            lambda to=recipient: [text for text in bounces(site)
                                  if f"Final-Recipient: RFC822; {to}" in text],
            "the bounce")[0]
        assert "Status: 5.1.2" in text and "Host unknown" in text, text
        assert "denied" not in text


def test_a_mistake_in_the_hack_line_is_told(site):
    mc = site.host.path("/etc/mail/sendmail.mc").read_text(encoding="utf-8")
    for wrong, words in (("`popip'", "is no map"),
                         ("`hash /x', `', `later'", "tempfail, or empty")):
        assert MAPS in mc
        site.host.write("/etc/mail/wrong.mc", mc.replace(
            MAPS, f"HACK(`relaypass', {wrong})dnl"))
        done = site.host.run("sh", "-c", f"m4 -D_CF_DIR_={sendmail.CF}/ "
                            "/etc/mail/wrong.mc 2>&1 >/dev/null")
        assert words in done.stdout, done.stdout
