# SPDX-License-Identifier: ISC
"""The source "whoson" against a client written from the protocol, on all four
transports, and against a real Exim.

Debian has no WHOSON client or server, and its Exim is built without the lookup;
Exim asks by its own readsocket instead, as docs/sources/whoson.md shows.
"""

import os
import signal
import time

import pytest

import lab
import servers_real
from roles import keeper_of
from talk import Talker

pytestmark = pytest.mark.namespaces

PORT = 9876
VICTIM = "203.0.113.66"
CONF = """
relaypass {{ child-timeout = "4s" }}
lease {{ {lease} }}
source whoson {{ kind = "whoson"
    listen = {{"tcp:0.0.0.0:9876", "udp:0.0.0.0:9876", "tcp:[::]:9876",
              "udp:[::]:9876", "unix:/run/whoson/socket",
              "unixgram:/run/whoson/dgram"}}
    allow = {{"127.0.0.1", "203.0.113.7", "203.0.113.8", "2001:db8::7"}}
    mode = "0666" {more} }}
listener ask {{ kind = "ask" }}
"""
LOGIN_FROM = 'login-from = {"127.0.0.1", "203.0.113.7", "2001:db8::7"}'


@pytest.fixture(name="daemon")
def make_daemon(host, relaypassd):
    def start(more=LOGIN_FROM, lease=""):
        host.install_users()
        return relaypassd(host, CONF.format(more=more, lease=lease))
    return start


@pytest.fixture(name="local")
def make_local(host):
    talker = Talker.on_host(host)
    yield talker
    talker.close()


class Whoson:
    """A client as libwhoson is one: requests of one line and an empty one."""

    def __init__(self, talker, *place):
        self.talker, self.socket = talker, talker.open(*place)

    def __call__(self, *words, limit=5):
        reply = self.talker.ask(
            self.socket, " ".join(words).encode() + b"\r\n\r\n", limit)
        if not reply:
            return reply
        assert reply.endswith(b"\r\n\r\n"), reply
        assert b"\n" not in reply[:-4] or words[0] == "LIST", reply
        return reply[:-4].decode()


def places(host):
    return [("tcp", host.V4, PORT), ("udp", host.V4, PORT),
            ("tcp6", host.V6, PORT), ("udp6", host.V6, PORT)]


def session(site, whoson, address):
    """What a POP server and an SMTP server say between them."""
    assert whoson("QUERY", address) == "-Not Logged in"
    assert whoson("LOGIN", address, "anna@example.org") == "+LOGIN OK"
    # No waiting: the answer comes after the commit.
    assert "user=anna@example.org" in site.check(address)
    assert whoson("query", address) == "+anna@example.org"
    assert whoson("LOGOUT", address) == "+LOGOUT record deleted"
    assert site.check(address) == "none"
    assert whoson("QUERY", address) == "-Not Logged in"
    assert whoson("LOGOUT", address) == "+LOGOUT no such record, nothing done"
    assert whoson("LOGIN", address) == "+LOGIN OK"
    assert whoson("QUERY", address) == "+"
    assert whoson("LOGIN", "10.0.0.1", "x") == "-LOGIN gave no lease"
    assert whoson("LOGIN") == whoson("QUERY", "x") == "*command parse error"


@pytest.mark.parametrize("number", range(4))
def test_every_network_transport(daemon, host, pop, number):
    site = daemon(LOGIN_FROM + " udp-login = yes")
    whoson = Whoson(pop, *places(host)[number])
    session(site, whoson, "203.0.113.9")
    session(site, whoson, "2001:db8:1::9")
    assert whoson("QUIT") == "+QUIT OK"
    site.wait_log("udp-login=yes danger=")


@pytest.mark.parametrize("kind, name", [("unix", "socket"),
                                        ("unixgram", "dgram")])
def test_every_local_transport(daemon, host, local, kind, name):
    site = daemon("")
    whoson = Whoson(local, kind, f"/run/whoson/{name}")
    session(site, whoson, "203.0.113.9")
    assert whoson("LIST").splitlines()[:3] == ["+LIST OK", "queries 4",
                                               "found 2"]
    # The mode lets him in; the kernel's word for who he is does not.
    host.run("chmod", "0755", "/run/whoson")
    nobody = Talker.on_host(host, "nobody")
    try:
        refused = Whoson(nobody, kind, f"/run/whoson/{name}")
        assert not refused("LOGIN", VICTIM, "x", limit=0.5)
    except OSError:
        pass  # closed before he spoke
    finally:
        nobody.close()
    site.wait_log("reason=not-allowed")
    assert site.check(VICTIM) == "none"


def test_a_lease_of_another_source_is_seen_and_outlives_a_logout(
        daemon, host, pop):
    site = daemon(LOGIN_FROM + '}\nsource maillog { kind = "file" '
                  'path = "/var/log/mail.log"')
    host.run("sh", "-c", "date +'%Y-%m-%dT%H:%M:%S%:z mx dovecot: pop3-login: "
             "Login: user=<berta>, method=PLAIN, rip=203.0.113.9, "
             "lip=198.51.100.1, mpid=1, TLS, session=<x>' "
             ">>/var/log/mail.log")
    site.wait_leased("203.0.113.9")
    whoson = Whoson(pop, *places(host)[0])
    assert whoson("QUERY", "203.0.113.9") == "+berta"
    assert whoson("LOGOUT", "203.0.113.9").startswith("+LOGOUT no such")
    assert whoson("QUERY", "203.0.113.9") == "+berta"


# --- who may say what --------------------------------------------------------


def test_to_ask_is_not_to_tell(daemon, host, thief):
    site = daemon()
    for place in places(host)[:2]:
        whoson = Whoson(thief, *place)
        assert whoson("QUERY", VICTIM) == "-Not Logged in"
        assert whoson("LOGIN", VICTIM, "x") == "*not allowed"
        assert whoson("LOGOUT", VICTIM) == "*not allowed"
    site.wait_log("reason=login-not-allowed")
    assert site.check(VICTIM) == "none"


def test_no_login_by_udp_without_saying_so(daemon, host, pop):
    site = daemon()
    whoson = Whoson(pop, *places(host)[1])
    assert whoson("LOGIN", VICTIM, "x") == "*not allowed"
    site.wait_log("reason=login-over-udp")
    assert site.check(VICTIM) == "none"
    assert "danger" not in site.process.output()


def test_who_is_not_named_is_not_heard(daemon, host, thief):
    daemon().stop()
    site = daemon('}\nsource two { kind = "whoson" allow = {"203.0.113.7"} '
                  'listen = {"tcp:0.0.0.0:9877", "udp:0.0.0.0:9877"}')
    stream = thief.open("tcp", host.V4, 9877)
    assert thief.hear(stream) == b""
    whoson = Whoson(thief, "udp", host.V4, 9877)
    assert whoson("QUERY", VICTIM, limit=0.5) is None
    site.wait_log("source=two reason=not-allowed")


def test_without_a_list_it_does_not_start(daemon):
    site = daemon()
    site.stop()
    site.write('source w { kind = "whoson" listen = "tcp:0.0.0.0:9876" }')
    site.launch()
    assert site.process.wait() == 100
    assert "anybody could speak to it" in site.process.output()


# --- wrong requests ----------------------------------------------------------


def test_wrong_requests_change_nothing(daemon, host, pop):
    site = daemon(LOGIN_FROM + " udp-login = yes")
    line = f"LOGIN {VICTIM} anna"
    wrong = [b"", b"\n", b"\r\n\r\n", b"\0" * 50, b"x" * 5000, b"LOGIN\n\n",
             line.encode(), f"{line}\r\n".encode(), f"{line}\r\nX\r\n".encode(),
             f"{line}\x07\r\n\r\n".encode(), f"{line}\0\r\n\r\n".encode(),
             f"LOGIN {VICTIM}\tanna\r\n\r\n".encode(),
             f"LOGIN {VICTIM}0 x\r\n\r\n".encode(),
             f"LOGIN 0{VICTIM} x\r\n\r\n".encode(), os.urandom(1000),
             f"{line} {'y' * 300}\r\n\r\n".encode(),
             f"LOGI N {VICTIM}\r\n\r\n".encode()]
    to = pop.open(*places(host)[1])
    for data in wrong:
        pop.say(to, data)
        stream = pop.open(*places(host)[0])
        if data:
            pop.say(stream, data)
        pop.shut(stream)
        while pop.hear(stream):
            pass
        pop.close(stream)
    site.wait_log("reason=malformed")
    assert site.check(VICTIM) == "none"
    session(site, Whoson(pop, *places(host)[0]), "203.0.113.9")


def test_requests_in_any_pieces_are_answered_in_their_order(
        daemon, host, pop):
    daemon()
    to = pop.open(*places(host)[0])
    text = (b"LOGIN 203.0.113.9 anna\r\n\r\nQUERY 203.0.113.9\n\n"
            b"QUERY 203.0.113.10\r\n\r\nHELP\r\n\r\nQUIT\r\n\r\n")
    want = (b"+LOGIN OK\r\n\r\n+anna\r\n\r\n-Not Logged in\r\n\r\n"
            b"*command parse error\r\n\r\n+QUIT OK\r\n\r\n")
    pop.say(to, text)
    assert hear_all(pop, to) == want
    to = pop.open(*places(host)[0])
    for byte in text:
        pop.say(to, bytes([byte]))
    assert hear_all(pop, to) == want


def hear_all(talker, number):
    out = b""
    while part := talker.hear(number):
        out += part
    assert part == b""
    return out


def test_it_says_at_once_when_it_cannot_tell(daemon, host, pop):
    site = daemon()
    whoson = Whoson(pop, *places(host)[0])
    assert whoson("LOGIN", "203.0.113.9", "anna") == "+LOGIN OK"
    os.kill(lab.wait_for(lambda: keeper_of(site), "the keeper"),
            signal.SIGSTOP)
    began = time.monotonic()
    assert whoson("QUERY", "203.0.113.9") == "*temporarily unavailable"
    assert whoson("LOGIN", "203.0.113.10", "x") == "*temporarily unavailable"
    # 200 ms each, and some for a busy machine.
    assert time.monotonic() - began < 3
    lab.wait_for(lambda: whoson("QUERY", "203.0.113.9") == "+anna",
                 "a new keeper answers", limit=60)


# --- whosond's file ----------------------------------------------------------


def test_the_examples_run(host, relaypassd, local, pop):
    host.install_users()
    host.write("/etc/whoson.conf", (lab.EXAMPLES / "whoson.conf").read_text(
        encoding="ascii"))
    site = relaypassd(host, (lab.EXAMPLES / "relaypass-whoson.conf").read_text(
        encoding="ascii"))
    tcp = Whoson(local, "tcp", "127.0.0.1", PORT)
    session(site, tcp, "203.0.113.9")
    assert Whoson(local, "udp", "127.0.0.1", PORT)(
        "QUERY", "203.0.113.9") == "+"
    for kind, name in (("unix", "socket"), ("unixgram", "dgram")):
        whoson = Whoson(local, kind, f"/run/whoson/{name}")
        assert whoson("LOGIN", "203.0.113.10", kind) == "+LOGIN OK"
    # The file does not name this one.
    assert pop.hear(pop.open("tcp", host.V4, PORT)) == b""
    assert Whoson(pop, "udp", host.V4, PORT)(
        "LOGIN", VICTIM, "x", limit=0.5) is None
    assert site.check(VICTIM) == "none"


def test_each_place_of_the_file_has_its_own_peers(
        host, relaypassd, pop, thief):
    host.install_users()
    host.write("/etc/whoson.conf", "server tcp port=9876\n"
               "\tallow=203.0.113.0/24\n\tdeny=203.0.113.8\n"
               "server tcp port=9877\n\tallow=203.0.113.8\n"
               "server global ttl=60 user=nobody\n")
    site = relaypassd(host, """
source w { kind = "whoson" config = "/etc/whoson.conf"
           login-from = {"0.0.0.0/0"} }
listener ask { kind = "ask" }
""")
    for talker, good, bad in ((pop, 9876, 9877), (thief, 9877, 9876)):
        whoson = Whoson(talker, "tcp", host.V4, good)
        assert whoson("QUERY", "203.0.113.9") == "-Not Logged in"
        refused = talker.open("tcp", host.V4, bad)
        talker.say(refused, b"LOGIN 203.0.113.66 x\r\n\r\n")
        assert talker.hear(refused) == b""
    assert site.check(VICTIM) == "none"
    # What the file says in vain is told.
    assert "ttl=60 unused=" in site.process.output()
    assert "unused=user" in site.process.output()


def test_a_reload_reads_the_lists_and_keeps_them_at_their_places(
        host, relaypassd, pop):
    """Each socket has the list of its own entry, wherever that stands."""
    one = "server tcp port=9876 allow={}\n"
    two = "server tcp port=9877 allow={}\n"
    host.install_users()
    host.write("/etc/whoson.conf", one.format("203.0.113.7")
               + two.format("203.0.113.8"))
    site = relaypassd(host, 'source w { kind = "whoson" '
                      'config = "/etc/whoson.conf" }\n'
                      'listener ask { kind = "ask" }\n')

    def may_ask(port):
        to = pop.open("tcp", host.V4, port)
        try:
            pop.say(to, b"QUERY 203.0.113.9\r\n\r\n")
            return pop.hear(to) == b"-Not Logged in\r\n\r\n"
        except OSError:
            return False
        finally:
            pop.close(to)

    assert may_ask(9876) and not may_ask(9877)
    host.write("/etc/whoson.conf", one.format("203.0.113.8")
               + two.format("203.0.113.7"))
    host.run(lab.program("relaypass"), "reload")
    lab.wait_for(lambda: may_ask(9877), "the new list")
    assert not may_ask(9876)
    # The same two servers, the other way round.
    host.write("/etc/whoson.conf", two.format("203.0.113.8")
               + one.format("203.0.113.7"))
    host.run(lab.program("relaypass"), "reload")
    site.wait_log("have changed; restart relaypassd")
    assert not may_ask(9877)


@pytest.mark.parametrize("text, want", [
    ("server tcp port=9876 allow=127.0.0.1\n\tfoo=1\n",
     "/etc/whoson.conf:2: \"foo\": unknown keyword"),
    ("server tcp allow=127.0.0.1\n", "/etc/whoson.conf:1: \"tcp\""),
    ("server tcp port=9876\n", "anybody could speak to it"),
])
def test_mistakes_in_the_file_are_told(host, relaypassd, text, want):
    host.install_users()
    host.write("/etc/whoson.conf", "server unix port=/run/whoson/socket\n")
    site = relaypassd(host, 'source w { kind = "whoson" '
                      'config = "/etc/whoson.conf" }\n'
                      'listener ask { kind = "ask" }\n')
    site.stop()
    host.write("/etc/whoson.conf", text)
    site.launch()
    assert site.process.wait() == 100
    assert want in site.process.output()


# --- Exim --------------------------------------------------------------------


EXIM = """
primary_hostname = mx.test.example
domainlist local = example.net
acl_smtp_rcpt = rcpt
log_file_path = /var/log/exim.%s.log
begin acl
rcpt:
    accept  domains = +local
{doc}
    deny    message = no relay
"""


def documented():
    """The rule as the documentation has it."""
    text = (lab.TREE / "docs/sources/whoson.md").read_text(encoding="utf-8")
    begin = text.index("    accept  condition = ${if match")
    return text[begin:text.index("\n\n", begin)]


def exim_says(host, client, recipient):
    """Its answer to RCPT from this client, tried without a network."""
    done = host.run("/usr/sbin/exim4", "-C", "/etc/exim.conf", "-bh", client,
                    stdin=None, check=False,
                    input=f"HELO x\nMAIL FROM:<a@example.org>\n"
                    f"RCPT TO:<{recipient}>\nQUIT\n")
    codes = [line for line in done.stdout.splitlines()
             if line[:3].isdigit() and line[3:4] in " -"]
    assert len(codes) == 5, done.stdout
    return int(codes[3][:3])


def test_a_real_exim_asks(daemon, host, local):
    servers_real.install(host, "exim")
    servers_real.add_system_user(host, "Debian-exim")
    host.write("/etc/exim.conf", EXIM.format(doc=documented()))
    site = daemon()
    # As the documentation says of Debian's.
    built = host.run("/usr/sbin/exim4", "-C", "/etc/exim.conf", "-bV").stdout
    assert "whoson" not in built.lower()
    client, far = "203.0.113.9", "someone@example.com"
    assert exim_says(host, client, "anna@example.net") == 250
    assert exim_says(host, client, far) == 550
    whoson = Whoson(local, "tcp", "127.0.0.1", PORT)
    assert whoson("LOGIN", client, "anna") == "+LOGIN OK"
    assert exim_says(host, client, far) == 250
    assert exim_says(host, "2001:db8:1::9", far) == 550
    assert whoson("LOGOUT", client) == "+LOGOUT record deleted"
    assert exim_says(host, client, far) == 550
    # Without an answer there is no relaying, and mail for us comes in.
    assert whoson("LOGIN", client, "anna") == "+LOGIN OK"
    site.stop()
    assert exim_says(host, client, far) == 550
    assert exim_says(host, client, "anna@example.net") == 250
