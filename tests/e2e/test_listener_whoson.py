# SPDX-License-Identifier: ISC
"""The listener "whoson" on all four transports.

Debian has no WHOSON client: one written from the protocol stands for libwhoson.
The real Exim, which Debian builds without the lookup, asks this listener by
readsocket in test_matrix.py.
"""

import contextlib
import os
import signal

import pytest

import exports
import lab
from roles import keeper_of
from talk import Talker
from test_source_whoson import Whoson

pytestmark = pytest.mark.namespaces

PORT = 9876
PLACES = {
    "tcp": ("tcp", "127.0.0.1", PORT),
    "udp": ("udp", "127.0.0.1", PORT),
    "unix": ("unix", "/run/relaypass/whoson"),
    "unixgram": ("unixgram", "/run/relaypass/whosond"),
}
NETWORK = """
source maillog { kind = "file" path = "/var/log/mail.log" }
listener w { kind = "whoson" listen = "PLACE:9876" tempfail = yes
    allow = {"203.0.113.7", "2001:db8::7"} tell-user = yes }
listener ask { kind = "ask" }
"""


@pytest.fixture(scope="module", name="site")
def make_site(host):
    exports.prepare(host)
    return host


@pytest.fixture(name="daemon")
def make_daemon(site, relaypassd):
    site.write(exports.MAIL_LOG, "")
    return relaypassd(site, exports.example("relaypass-whoson-listener.conf"))


@pytest.fixture(name="local")
def make_local(site):
    talker = Talker.on_host(site)
    yield talker
    talker.close()


@pytest.mark.parametrize("address", ["203.0.113.9", "2001:db8:1::9"])
@pytest.mark.parametrize("place", PLACES)
def test_a_question_is_answered_from_the_ledger(
        site, daemon, local, place, address):
    whoson = Whoson(local, *PLACES[place])
    assert whoson("QUERY", address) == "-Not Logged in"
    exports.lease(site, daemon, address)
    # Root may know the user (show-user) where the kernel says it is root.
    user = "+alice" if place.startswith("unix") else "+leased"
    assert whoson("QUERY", address) == user
    assert whoson("query", address) == user
    exports.end_leases(daemon)
    assert whoson("QUERY", address) == "-Not Logged in"
    assert whoson("QUIT") == "+QUIT OK"
    if place in ("tcp", "unix"):
        assert local.hear(whoson.socket) == b""


@pytest.mark.parametrize("place", PLACES)
def test_logins_are_refused_and_say_where_to_go(site, daemon, local, place):
    whoson = Whoson(local, *PLACES[place])
    for words in (("LOGIN", "203.0.113.66", "eve"), ("LOGOUT", "203.0.113.66")):
        reply = whoson(*words)
        assert reply.startswith("-not taken here") and "kind whoson" in reply
    assert daemon.check("203.0.113.66") == "none"
    exports.lease(site, daemon, "203.0.113.9")
    assert whoson("LOGOUT", "203.0.113.9").startswith("-")
    assert daemon.check("203.0.113.9").startswith("allow")


def test_requests_in_any_pieces_are_answered_in_their_order(
        site, daemon, local):
    exports.lease(site, daemon, "203.0.113.9")
    text = (b"QUERY 203.0.113.9\n\nQUERY 203.0.113.10\r\n\r\nLIST\r\n\r\n"
            b"QUIT\r\n\r\nQUERY 203.0.113.9\r\n\r\n")
    want = (b"+leased\r\n\r\n-Not Logged in\r\n\r\n-no list here; see relaypass "
            b"status\r\n\r\n+QUIT OK\r\n\r\n")
    for pieces in ([text], [bytes([byte]) for byte in text]):
        to = local.open(*PLACES["tcp"])
        for piece in pieces:
            with contextlib.suppress(OSError):  # behind QUIT
                local.say(to, piece)
        got = b""
        while part := local.hear(to):
            got += part
        assert got == want
    to = local.open(*PLACES["tcp"])
    assert local.ask(to, b"HELP\r\n\r\n") == b"*command parse error\r\n\r\n"
    assert local.hear(to) == b""
    # By UDP a wrong request hears nothing: two servers would never stop.
    whoson = Whoson(local, *PLACES["udp"])
    assert whoson("HELP", limit=0.3) is None
    assert whoson("QUERY", "203.0.113.9") == "+leased"


@pytest.mark.parametrize("kind, at", [
    ("tcp", "203.0.113.1"), ("udp", "203.0.113.1"), ("tcp6", "[2001:db8::1]"),
    ("udp6", "[2001:db8::1]")])
def test_the_network_is_for_who_is_listed(
        site, relaypassd, pop, thief, kind, at):
    site.write(exports.MAIL_LOG, "")
    daemon = relaypassd(site, NETWORK.replace("PLACE", f"{kind[:3]}:{at}"))
    exports.lease(site, daemon, "203.0.113.9")
    place = kind, at.strip("[]"), PORT
    whoson = Whoson(pop, *place)
    assert whoson("QUERY", "203.0.113.9") == "+alice"
    assert whoson("QUERY", "203.0.113.10") == "-Not Logged in"
    if kind.startswith("tcp"):
        assert thief.hear(thief.open(*place)) == b""
    else:
        assert Whoson(thief, *place)("QUERY", "203.0.113.9", limit=0.5) is None
    daemon.wait_log("reason=not-allowed")


def test_without_allow_it_does_not_start_on_a_network(site, daemon):
    daemon.stop()
    daemon.write('listener w { kind = "whoson" listen = "udp:0.0.0.0:9876" }')
    daemon.launch()
    assert daemon.process.wait() == 100
    assert "allow" in daemon.process.output()
    assert site


def test_a_question_is_answered_while_the_keeper_hangs(
        site, daemon, local):
    """The answer comes from the ledger, which needs no other process."""
    exports.lease(site, daemon, "203.0.113.9")
    keeper = lab.wait_for(lambda: keeper_of(daemon), "the keeper")
    os.kill(keeper, signal.SIGSTOP)
    try:
        assert Whoson(local, *PLACES["tcp"])(
            "QUERY", "203.0.113.9") == "+leased"
    finally:
        os.kill(keeper, signal.SIGCONT)
