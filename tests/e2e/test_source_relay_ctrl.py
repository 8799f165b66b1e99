# SPDX-License-Identifier: ISC
"""The source "relay-ctrl" against datagrams as relay-ctrl-send 3.2 sends them,
and against keyed packets that are made and checked here, apart from the C code.

Debian has no relay-ctrl: the other side is written here from its documents.
"""

import hashlib
import hmac
import os
import signal
import socket
import struct
import subprocess
import time

import pytest

import lab
from roles import keeper_of

pytestmark = pytest.mark.namespaces

PORT = 811
ACK = b"\x01"
KEY = b"0123456789abcdef0123456789abcdef"
KEYS = "/etc/relaypass/relay-ctrl.keys"
ALLOW = 'allow = {"203.0.113.7", "203.0.113.8", "2001:db8::7"}'
CONF = """
relaypass {{ child-timeout = "4s" }}
lease {{ {lease} }}
source rc {{ kind = "relay-ctrl"
    listen = {{"udp:0.0.0.0:811", "udp:[::]:811"}} {allow} {more} }}
listener ask {{ kind = "ask" }}
"""
REQUEST, RESPONSE, TIMESTAMP, IPV4, IPV6, ENV, MAC = 0, 1, 3, 4, 5, 6, 7


def item(kind, data=b""):
    return struct.pack("BB", kind, len(data)) + data


def signed(body, key=KEY):
    return body + item(MAC, hmac.new(key, body, hashlib.sha256).digest()) \
        + b"\0"


def address_item(address):
    if ":" in address:
        return item(IPV6, socket.inet_pton(socket.AF_INET6, address))
    return item(IPV4, socket.inet_aton(address))


def stamp(ahead=0.0):
    return f"{time.time() + ahead:.6f}".encode()


def packet(address, *env, at=None, key=KEY):
    body = b"\x01" + item(REQUEST) + item(TIMESTAMP, at or stamp()) \
        + address_item(address)
    return signed(body + b"".join(item(ENV, e.encode()) for e in env), key)


def is_response(reply, address, at, key=KEY):
    """Signed with the key, and of this request."""
    if not reply or len(reply) < 35 + 1:
        return False
    body, mac = reply[:-35], reply[-33:-1]
    seconds, _, fraction = at.decode().partition(".")
    milliseconds = f"{seconds}.{fraction[:3]}".encode()
    return hmac.compare_digest(
        hmac.new(key, body, hashlib.sha256).digest(), mac) and \
        body == b"\x01" + item(RESPONSE) + item(TIMESTAMP, milliseconds) \
        + address_item(address)


@pytest.fixture(name="daemon")
def make_daemon(host, relaypassd):
    def start(more="", lease="", keys=""):
        host.install_users()
        if keys:
            host.write(KEYS, keys, 0o600)
            more += f' key-file = "{KEYS}"'
        return relaypassd(
            host, CONF.format(more=more, lease=lease, allow=ALLOW))
    return start


def to_host(talker, host):
    return talker.open("udp", host.V4, PORT)


# --- plain -------------------------------------------------------------------


def test_the_byte_comes_after_the_commit(daemon, host, pop):
    site = daemon()
    for to in (to_host(pop, host), pop.open("udp6", host.V6, PORT)):
        for i in range(20):
            address = f"203.0.113.{20 + i}"
            assert pop.ask(to, address.encode()) == ACK
            # No waiting: the sender may go on.
            assert site.check(address).startswith("allow ")
        assert pop.ask(to, b"2001:db8:1::9") == ACK
        assert site.check("2001:db8:1::9").startswith("allow ")
    # What the rules refuse is acknowledged too: to ask again changes nothing.
    assert pop.ask(to_host(pop, host), b"10.0.0.1") == ACK
    assert site.check("10.0.0.1") == "none"


def test_nothing_but_an_address_is_taken(daemon, host, pop):
    site = daemon()
    to = to_host(pop, host)
    for data in (b"..", b"...", b"999.9.9.9", b"203.0.113.066", b"203.0.113",
                 b"3405803842", b"203.0.113.66\n", b" 203.0.113.66",
                 b"203.0.113.66\0", b"203.0.113.66 203.0.113.66", b"x" * 512,
                 b"203.0.113.66/32", b"x", bytes(511), os.urandom(600)):
        pop.say(to, data)
    site.wait_log("reason=malformed")
    assert pop.hear(to, limit=0.5) is None
    assert pop.ask(to, b"203.0.113.9") == ACK
    assert site.check("203.0.113.66") == "none"


def test_who_is_not_allowed_hears_nothing(daemon, host, thief, relaypassd):
    daemon().stop()
    site = relaypassd(host, CONF.format(
        more="", lease="", allow='allow = {"203.0.113.7"}'))
    to = to_host(thief, host)
    assert thief.ask(to, b"203.0.113.66", limit=0.5) is None
    site.wait_log("reason=not-allowed")
    assert site.check("203.0.113.66") == "none"


def test_without_a_list_it_does_not_start(daemon, host, relaypassd):
    site = daemon()
    site.stop()
    site.write(CONF.format(more="", lease="", allow=""))
    site.launch()
    assert site.process.wait() == 100
    assert "anybody could speak to it" in site.process.output()


def test_no_byte_for_what_is_not_stored(daemon, host, pop):
    site = daemon()
    to = to_host(pop, host)
    assert pop.ask(to, b"203.0.113.9") == ACK
    os.kill(lab.wait_for(lambda: keeper_of(site), "the keeper"),
            signal.SIGSTOP)
    assert pop.ask(to, b"203.0.113.10", limit=1) is None
    # The sender tries again, as relay-ctrl-send does, and there is a new one.
    lab.wait_for(lambda: pop.ask(to, b"203.0.113.10", limit=1) == ACK,
                 "stored in the end", limit=60)
    assert site.check("203.0.113.10").startswith("allow ")


# --- keyed -------------------------------------------------------------------


def keys(peer="203.0.113.7", key=KEY):
    return f"# POP servers\n{peer} {key.decode()}\n"


def test_a_signed_login_is_answered_with_a_signature(daemon, host, pop):
    site = daemon("require-key = yes", keys=keys())
    to = to_host(pop, host)
    for address in ("203.0.113.9", "2001:db8:1::9"):
        at = stamp()
        reply = pop.ask(to, packet(address, "USER=anna", "DOMAIN=example.org",
                                   "LD_PRELOAD=/tmp/x", at=at))
        assert is_response(reply, address, at), reply
        assert "user=anna@example.org" in site.check(address)
    pop.ask(to, packet("203.0.113.10", "DOMAIN=example.net",
                       "USER=berta@example.org"))
    assert "user=berta@example.org" in site.check("203.0.113.10")


def test_a_key_must_be_used_and_be_the_right_one(daemon, host, pop, thief):
    victim = "203.0.113.66"
    other = b"x" * 32
    site = daemon(keys=keys())
    to, other_to = to_host(pop, host), to_host(thief, host)
    # It has a key: the plain form in its name is refused.
    assert pop.ask(to, victim.encode(), limit=0.5) is None
    site.wait_log("reason=unsigned")
    whole = packet(victim)
    wrong = [packet(victim, key=other), packet(victim, key=b""),
             whole[:-33] + bytes(32) + b"\0", whole[:-1] + b"\x01",
             packet(victim)[:-35] + b"\0"]
    wrong += [whole[:n] for n in range(1, len(whole))]
    # From a peer whose key it is not.
    assert thief.ask(other_to, packet(victim), limit=0.5) is None
    for data in wrong:
        pop.say(to, data)
    site.wait_log("reason=wrong-key")
    site.wait_log("reason=malformed")
    assert pop.hear(to, limit=0.5) is None
    assert site.check(victim) == "none"
    # Who has no key may still speak plainly, as it is configured.
    assert thief.ask(other_to, b"203.0.113.9") == ACK
    assert pop.ask(to, whole) is not None
    assert site.check(victim).startswith("allow ")
    assert KEY.decode() not in site.process.output()


def test_no_packet_twice_and_none_of_another_time(daemon, host, pop):
    site = daemon("require-key = yes", lease='max-skew = "60s"', keys=keys())
    to = to_host(pop, host)
    for ahead in (-62, 62, -86400):
        assert pop.ask(to, packet("203.0.113.66", at=stamp(ahead)),
                       limit=0.5) is None
    site.wait_log("reason=wrong-time")
    assert site.check("203.0.113.66") == "none"
    once = packet("203.0.113.9", at=stamp(-10))
    assert pop.ask(to, once) is not None
    # Revoked, and then somebody sends what he has recorded.
    host.run(lab.program("relaypass"), "revoke", "203.0.113.9", "--now-only")
    assert site.check("203.0.113.9") == "none"
    assert pop.ask(to, once, limit=0.5) is None
    site.wait_log("reason=replayed")
    assert site.check("203.0.113.9") == "none"


def test_a_lease_counts_from_the_time_that_was_signed(daemon, host, pop):
    """Even a replay that nobody remembers any more makes it no longer."""
    site = daemon("require-key = yes", lease='ttl = "100s"', keys=keys())
    pop.ask(to_host(pop, host), packet("203.0.113.9", at=stamp(-40)))
    words = dict(w.split("=", 1) for w in site.check("203.0.113.9").split()
                 if "=" in w)
    assert 50 <= int(words["ttl"]) <= 60


def test_a_key_is_changed_without_a_gap(daemon, host, pop):
    new = b"f" * 32
    site = daemon(keys=keys())
    to = to_host(pop, host)

    def tells(address, key):
        at = stamp()
        reply = pop.ask(to, packet(address, at=at, key=key), limit=1)
        return is_response(reply, address, at, key)

    assert tells("203.0.113.20", KEY)
    assert not tells("203.0.113.21", new)
    host.write(KEYS, keys() + keys(key=new), 0o600)
    host.run(lab.program("relaypass"), "reload")
    lab.wait_for(lambda: tells("203.0.113.21", new), "the new key")
    assert tells("203.0.113.22", KEY)
    host.write(KEYS, keys(key=new), 0o600)
    host.run(lab.program("relaypass"), "reload")
    lab.wait_for(lambda: not tells("203.0.113.23", KEY), "not the old key")
    assert tells("203.0.113.24", new)
    assert site.check("203.0.113.21").startswith("allow ")


@pytest.mark.parametrize("signs", [False, True])
def test_our_own_sender(daemon, host, customer, tmp_path, signs):
    """relay-ctrl-send in a POP server's chain, on another machine."""
    site = daemon(keys=keys() if signs else "")
    send = tmp_path / "relay-ctrl-send"
    send.symlink_to(lab.program("relay-ctrl-net"))
    key = tmp_path / "key"
    key.write_bytes(KEY + b"\n")
    key.chmod(0o600)
    env = {"PATH": os.environ["PATH"], "TCPREMOTEIP": "203.0.113.9",
           "USER": "anna", "DOMAIN": "example.org",
           "RELAY_CTRL_REMOTES": host.V4,
           **({"RELAY_CTRL_KEY_FILE": str(key)} if signs else {})}
    done = subprocess.run(
        ["nsenter", "-t", str(customer.popen.pid), "-n", "--", send, "echo",
         "chained"], env=env, check=True, timeout=lab.LIMIT, encoding="utf-8",
        stdout=subprocess.PIPE)
    assert done.stdout == "chained\n"
    site.wait_leased("203.0.113.9")
    assert ("user=anna@example.org" in site.check("203.0.113.9")) == signs


@pytest.mark.parametrize("text, mode, want", [
    ("203.0.113.7 tooshort\n", 0o600, f"{KEYS}:1: the secret must have"),
    ("# x\nmx.example.org " + "k" * 32, 0o600, f"{KEYS}:2: expected a netw"),
    (f"203.0.113.7 {KEY.decode()}\n", 0o644, "chmod 0600"),
    ("", 0o600, "empty"),
])
def test_a_wrong_key_file_is_told(daemon, host, text, mode, want):
    site = daemon(keys=keys())
    site.stop()
    host.write(KEYS, text, mode)
    site.launch()
    assert site.process.wait() == 100
    assert want in site.process.output()
    assert "tooshort" not in site.process.output()


def test_the_example_runs(host, relaypassd, pop):
    host.install_users()
    host.run("useradd", "--system", "--user-group", "postfix", check=False)
    host.run("mkdir", "-p", "/var/spool/postfix")
    # As docs/sources/relay-ctrl.md says, for the POP server of this test.
    host.run("mkdir", "-p", "/etc/relaypass")
    host.run("sh", "-c", f'rm -f {KEYS}; umask 077; echo "203.0.113.7 '
             f'{KEY.decode()}" >>{KEYS}')
    text = (lab.EXAMPLES / "relaypass-relay-ctrl.conf").read_text(
        encoding="ascii")
    site = relaypassd(host, text.replace("192.0.2.25", "203.0.113.7"))
    at = stamp()
    reply = pop.ask(to_host(pop, host), packet("203.0.113.9", at=at))
    assert is_response(reply, "203.0.113.9", at)
    assert site.check("203.0.113.9").startswith("allow ")
