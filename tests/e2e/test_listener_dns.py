# SPDX-License-Identifier: ISC
"""The DNS allowlist asked by dig, by the real Exim, Postfix and rblsmtpd, and by
a client that asks too much. Nothing else resolves on the test host: relaypass is
its name server, as examples/relaypass-dns.conf has it."""

import itertools
import re
import shutil
import struct

import pytest

import exports
import lab
import servers
import servers_real
from servers import FOREIGN, LOCAL

pytestmark = pytest.mark.namespaces

ZONE = "relaypass.invalid"
EXAMPLE = "relaypass-dns.conf"
NOW = "203.0.113.1"  # where listeners for the network are
ABROAD = f"""
source maillog {{ kind = "file" path = "{exports.MAIL_LOG}" }}
listener dns {{ kind = "dns" zone = "{ZONE}" listen = "udp:{NOW}:53"
    allow = {{"203.0.113.7", "2001:db8::7"}} max-rate = 5 }}
listener dns6 {{ kind = "dns" zone = "{ZONE}" listen = "udp:[2001:db8::1]:53"
    allow = {{"2001:db8::7"}} }}
listener tcp {{ kind = "dns" zone = "{ZONE}" listen = "inet:{NOW}:53"
    allow = {{"203.0.113.7"}} }}
listener ask {{ kind = "ask" }}
"""
EXIM = """
primary_hostname = mx.test.example
keep_environment =
domainlist local = test.example
acl_smtp_rcpt = rcpt
log_file_path = /var/log/exim4/%s.log
daemon_smtp_ports = 26
queue_only
exim_user = Debian-exim
exim_group = Debian-exim
host_lookup =
rfc1413_query_timeout = 0s
dns_retrans = 1s
dns_retry = 1
begin acl
rcpt:
    accept  domains = +local
{rule}
    deny    message = no relay
begin routers
all:
    driver = accept
    transport = none
begin transports
none:
    driver = appendfile
    file = /dev/null
"""


def send(client, family, port, recipient=FOREIGN):
    return client.smtp(**client.ends(family), sender=LOCAL, port=port,
                       recipient=recipient,
                       message="Subject: hello\n\nhi\n")["code"]


def name(address):
    """As every DNS list has it."""
    if ":" not in address:
        return ".".join([*reversed(address.split(".")), ZONE])
    head, _, tail = address.partition("::")
    head, tail = head.split(":"), tail.split(":")
    middle = ["0"] * (8 - len(head) - len(tail))
    digits = "".join(part.zfill(4) for part in head + middle + tail)
    return ".".join([*reversed(digits), ZONE])


@pytest.fixture(scope="module", name="site")
def make_site(host):
    exports.prepare(host)
    host.write("/etc/resolv.conf",
               "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    return host


@pytest.fixture(name="daemon")
def make_daemon(site, relaypassd):
    site.write(exports.MAIL_LOG, "")
    return relaypassd(site, exports.example(EXAMPLE))


class Dig:
    """dig's answer: status, flags, the records of each section."""

    def __init__(self, host, *words, server="127.0.0.1"):
        if not shutil.which("dig"):
            pytest.skip("needs dig (bind9-dnsutils): tools/install-deps test")
        text = host.run("dig", f"@{server}", "+tries=1", "+timeout=5", *words,
                        check=False).stdout
        found = re.search(r"status: (\w+), id: \d+\n;; flags: ([\w ]*);", text)
        assert found, text
        self.text, self.status = text, found[1]
        self.flags = set(found[2].split())
        self.answer = self.section("ANSWER")
        self.authority = self.section("AUTHORITY")

    def section(self, title):
        found = re.search(rf";; {title} SECTION:\n((?:.+\n)*)", self.text)
        return [line.split() for line in found[1].splitlines()] \
            if found else []

    def data(self):
        return [" ".join(words[4:]) for words in self.answer]


@pytest.mark.parametrize("over", ["+notcp", "+tcp"])
@pytest.mark.parametrize("address", ["203.0.113.7", "2001:db8::7"])
def test_dig_sees_a_lease_from_its_login_to_its_end(
        site, daemon, address, over):
    no = Dig(site, over, name(address))
    assert no.status == "NXDOMAIN" and not no.answer
    assert no.authority[0][3] == "SOA"
    assert {"aa", "qr", "rd"} == no.flags
    exports.lease(site, daemon, address)
    yes = Dig(site, over, name(address), "A")
    assert (yes.status, yes.data()) == ("NOERROR", ["127.0.0.2"])
    assert int(yes.answer[0][1]) <= 60
    text = Dig(site, over, name(address), "TXT").data()
    left = int(re.fullmatch(r'"ttl=(\d+)"', text[0])[1])
    assert 1700 < left <= 1800
    other = Dig(site, over, name(address), "AAAA")
    assert (other.status, other.answer) == ("NOERROR", [])
    # Never past its end.
    daemon.clock.advance(exports.TTL_MS - 20000)
    short = Dig(site, over, name(address), "A")
    assert short.data() == ["127.0.0.2"] and int(short.answer[0][1]) <= 20
    daemon.clock.advance(21000)
    assert Dig(site, over, name(address)).status == "NXDOMAIN"


def test_dig_sees_why(site, daemon):
    site.run(lab.program("relaypass"), "grant", "203.0.113.9")
    daemon.wait_leased("203.0.113.9")
    assert Dig(site, name("203.0.113.9")).data() == ["127.0.0.3"]
    assert Dig(site, name("198.51.100.9")).data() == ["127.0.0.4"]
    assert Dig(site, name("198.51.100.9"), "TXT").data() == ['"always"']
    site.run(lab.program("relaypass"), "revoke", "203.0.113.9")
    lab.wait_for(
        lambda: Dig(site, name("203.0.113.9")).status == "NXDOMAIN", "revoked")
    # RFC 5782's test entries would be a yes without a login.
    assert Dig(site, name("127.0.0.2")).status == "NXDOMAIN"
    daemon.wait_log("listener=dns")


def test_dig_hears_what_is_not_answered(site, daemon):
    assert daemon
    wanted = {
        ("example.org",): "REFUSED",
        (".", "NS"): "REFUSED",
        (ZONE, "ANY", "+notcp"): "NOTIMP",
        (name("203.0.113.7"), "-c", "CH"): "REFUSED",
        (ZONE, "+edns=1", "+noednsnegotiation"): "BADVERS",
        (ZONE, "+opcode=4"): "NOTIMP",
        (ZONE, "+header-only"): "FORMERR",
        (ZONE, "SOA", "+noedns"): "NOERROR",
        (ZONE, "SOA", "+bufsize=512"): "NOERROR",
        (ZONE, "NS"): "NOERROR",
        (f"203.{ZONE}",): "NOERROR",
        (f"www.{ZONE}",): "NXDOMAIN",
    }
    got = {words: Dig(site, *words).status for words in wanted}
    assert got == wanted
    soa = Dig(site, ZONE, "SOA")
    assert soa.data() == [f"{ZONE}. . 1 3600 600 86400 1"]
    assert "udp: 1232" in soa.text
    assert "ra" not in soa.flags


# --- mail servers ------------------------------------------------------------


@pytest.fixture(scope="module", name="exim")
def make_exim(site):
    servers_real.install(site, "exim")
    servers_real.add_system_user(site, "Debian-exim")
    site.run("install", "-d", "-o", "Debian-exim", "-g", "Debian-exim",
             "/var/spool/exim4", "/var/log/exim4")
    site.write("/etc/exim.conf",
               EXIM.format(rule=exports.example("exim-dnslists.conf")))
    process = site.start(["/usr/sbin/exim4", "-C", "/etc/exim.conf", "-bdf"],
                         site.directory / "exim.log")
    lab.wait_for(lambda: site.listens(26), "exim listens")
    yield site
    process.kill_all()


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_exim_relays_after_a_login_and_until_its_end(
        exim, daemon, customer, stranger, family):
    assert send(customer, family, 26) == 550
    exports.lease(exim, daemon, customer.ends(family)["source"])
    assert send(customer, family, 26) == 250
    assert send(stranger, family, 26) == 550
    assert send(stranger, family, 26, LOCAL) == 250
    exports.end_leases(daemon)
    assert send(customer, family, 26) == 550


def test_exim_sees_a_login_within_a_running_session(exim, daemon, customer):
    """It keeps a no for negative-ttl, not for the session."""
    customer.smtp_open(**customer.ends("ipv4"), name="long", port=26)
    try:
        customer.smtp_mail(name="long", sender=LOCAL)

        def rcpt():
            return customer.smtp_rcpt(name="long", recipient=FOREIGN)["code"]
        assert rcpt() == 550
        exports.lease(exim, daemon, customer.v4)
        lab.wait_for(lambda: rcpt() == 250, "relaying in the same session", 4)
    finally:
        customer.hang_up(name="long")


def test_exim_relays_for_nobody_without_relaypassd(
        exim, daemon, customer, stranger):
    exports.lease(exim, daemon, customer.v4)
    assert send(customer, "ipv4", 26) == 250
    daemon.stop()
    assert send(customer, "ipv4", 26) == 550
    assert send(stranger, "ipv4", 26, LOCAL) == 250


@pytest.fixture(scope="module", name="postfix")
def make_postfix(site):
    """Everybody stands on the DNSBL of the example."""
    if not shutil.which("postfix"):
        pytest.skip("needs postfix: tools/install-deps test")
    text = exports.example("postfix-dnswl.cf.snippet")
    listed = "reject_rbl_client dnsbl.example.org"
    assert text.count(listed) == 1
    where = "/etc/postfix-private"
    site.write(f"{where}/main.cf", servers.PRIVATE_MAIN_CF.replace(
        "smtpd_relay_restrictions =",
        "smtpd_peername_lookup = no\nsmtpd_relay_restrictions =") +
        text.replace(listed, "reject"))
    # smtpd keeps what lists said as long as it lives: docs/listeners.md.
    site.write(f"{where}/master.cf", servers.PRIVATE_MASTER_CF.replace(
        "- smtpd\n", "- smtpd -o max_use=1\n"))
    site.run("mkdir", "-p", "/var/spool/postfix-private",
             "/var/lib/postfix-private")
    site.run("chown", "postfix", "/var/lib/postfix-private")
    site.daemon("postfix", "-c", where, "start")
    lab.wait_for(lambda: site.listens(25), "postfix listens")
    yield site
    site.run("postfix", "-c", where, "stop")


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_postfix_lets_a_lease_pass_a_dnsbl(
        postfix, daemon, customer, stranger, family):
    assert send(customer, family, 25, LOCAL) == 554
    exports.lease(postfix, daemon, customer.ends(family)["source"])
    assert send(customer, family, 25, LOCAL) == 250
    assert send(stranger, family, 25, LOCAL) == 554
    # permit_dnswl_client never relays.
    assert send(customer, family, 25, FOREIGN) == 554
    exports.end_leases(daemon)
    assert send(customer, family, 25, LOCAL) == 554


def test_rblsmtpd_takes_it_for_an_anti_rbl(site, daemon):
    """The client of rbldns. It knows IPv4 only, and asks for A with -a, for TXT
    with -r."""
    if not shutil.which("rblsmtpd"):
        pytest.skip("needs ucspi-tcp: tools/install-deps test")

    def passes(*lists, address="203.0.113.7"):
        return site.run("env", f"TCPREMOTEIP={address}", "rblsmtpd", "-t", "2",
                        *lists, "echo", "passed").stdout.strip() == "passed"
    # As a block list it blocks whom it names.
    assert passes("-r", ZONE)
    exports.lease(site, daemon, "203.0.113.7")
    assert not passes("-r", ZONE)
    assert passes("-a", ZONE, "-r", ZONE)
    assert passes("-r", ZONE, address="203.0.113.8")
    exports.end_leases(daemon)
    assert passes("-r", ZONE)


# --- the network -------------------------------------------------------------


@pytest.fixture(name="abroad")
def make_abroad(site, relaypassd, customer, stranger):
    assert customer.v4 and stranger.v4  # the host's addresses are theirs
    site.write(exports.MAIL_LOG, "")
    return relaypassd(site, ABROAD)


def question(address, number=1, kind=1):
    labels = b"".join(bytes([len(label)]) + label.encode()
                      for label in name(address).split("."))
    return struct.pack(">6H", number, 0x100, 1, 0, 0, 0) + labels + \
        struct.pack(">BHH", 0, kind, 1)


def code(answer):
    """(rcode, truncated, answers)"""
    flags, _, answers = struct.unpack(">3H", answer[2:8])
    return flags & 15, bool(flags & 0x200), answers


@pytest.mark.parametrize("kind, server", [("udp", NOW),
                                          ("udp6", "2001:db8::1")])
def test_only_listed_networks_are_answered(
        site, abroad, pop, thief, kind, server):
    exports.lease(site, abroad, "203.0.113.7")
    asks = question("203.0.113.7")
    answer = pop.ask(pop.open(kind, server, 53), asks)
    assert code(answer) == (0, False, 1)
    assert answer.endswith(bytes([127, 0, 0, 2]))
    assert len(answer) <= 2 * len(asks)
    assert thief.ask(thief.open(kind, server, 53), asks, 0.5) is None
    abroad.wait_log("reason=not-allowed")


def test_who_asks_too_much_is_sent_to_tcp(site, abroad, pop):
    """At most 5 answers a second of each answering process; every second one
    beyond says "truncated", the others nothing."""
    exports.lease(site, abroad, "203.0.113.7")
    to = pop.open("udp", NOW, 53)
    for number in range(1, 201):
        pop.say(to, question("203.0.113.7", number))
    answers = list(itertools.takewhile(
        lambda data: data is not None, iter(lambda: pop.hear(to, 1), 0)))
    codes = [code(answer) for answer in answers]
    told = codes.count((0, False, 1))
    over = codes.count((0, True, 0))
    assert told + over == len(codes)
    assert 5 <= told <= 100 and 40 <= over <= 100, (told, over)
    assert len(codes) < 160
    abroad.wait_log("reason=rate")
    # What is truncated holds no more than was asked.
    assert all(len(answer) <= len(question("203.0.113.7")) for answer, c in
               zip(answers, codes) if c[1])
    stream = pop.open("tcp", NOW, 53)
    asks = question("203.0.113.7")
    answer = pop.ask(stream, struct.pack(">H", len(asks)) + asks)
    assert struct.unpack(">H", answer[:2])[0] == len(answer) - 2
    assert code(answer[2:]) == (0, False, 1)


def test_what_is_no_question_is_not_answered(site, abroad, pop):
    assert site
    to = pop.open("udp6", "2001:db8::1", 53)
    asks = question("203.0.113.7")
    answer = asks[:2] + b"\x81" + asks[3:]
    for data in (b"", b"x", asks[:11], answer, b"\xff" * 3000):
        pop.say(to, data)
    bad = asks + b"x"
    assert code(pop.ask(to, bad))[0] == 1  # FORMERR, to the last alone
    assert pop.hear(to, 0.3) is None
    assert code(pop.ask(to, asks))[0] == 3
    abroad.wait_log("reason=bad-request")
    assert abroad.check("203.0.113.7") == "none"
