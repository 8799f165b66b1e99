# SPDX-License-Identifier: ISC
"""The source "pbs" against packets as qmail-ldap's pbsadd sends them and
pbscheck expects them.

Debian has no qmail-ldap: the other side is written here from the protocol.
"""

import os
import signal
import time

import pytest

import lab
from roles import keeper_of
from talk import Talker

pytestmark = pytest.mark.namespaces

PORT = 2821
SECRET = b"correct horse"
CONF = """
relaypass {{ child-timeout = "4s" }}
lease {{ {lease} }}
source pbs {{ kind = "pbs" secret-file = "/etc/relaypass/pbs.secret"
    listen = {{"udp:0.0.0.0:2821", "udp:[::]:2821"}}
    allow = {{"127.0.0.1", "203.0.113.7", "2001:db8::7"}} {more} }}
listener ask {{ kind = "ask" }}
"""


def packed(address):
    family = lab.socket.AF_INET6 if ":" in address else lab.socket.AF_INET
    data = lab.socket.inet_pton(family, address)
    return bytes([len(data)]) + data


def add(address, *entries, secret=SECRET):
    """As pbsadd: the secret, then the variables of its control/pbsenv."""
    out = b"A" + packed(address) + bytes([len(secret)]) + secret
    out += bytes([len(entries)])
    for entry in entries:
        out += bytes([len(entry)]) + entry.encode()
    return out


def query(address):
    return b"Q" + packed(address) + b"\0"


def may_relay(address, reply):
    """What pbscheck makes of a reply: True, False, or None for no use."""
    head = b"R" + packed(address)
    if reply is None or not reply.startswith(head):
        return None
    return {b"R\0": True, b"N": False}.get(reply[len(head):])


@pytest.fixture(name="daemon")
def make_daemon(host, relaypassd):
    def start(more="", lease=""):
        host.install_users()
        host.write("/etc/relaypass/pbs.secret", SECRET.decode() + "\n", 0o600)
        return relaypassd(host, CONF.format(more=more, lease=lease))
    return start


def to_host(talker, host):
    return talker.open("udp", host.V4, PORT)


def test_an_add_makes_a_lease_and_a_query_sees_it(daemon, host, pop):
    site = daemon()
    sockets = [to_host(pop, host), pop.open("udp6", host.V6, PORT)]
    for number, to in enumerate(sockets):
        for address in (f"203.0.113.{20 + number}", f"2001:db8:1::{number}"):
            reply = pop.ask(to, query(address))
            assert may_relay(address, reply) is False
            assert pop.ask(to, add(address), limit=0.2) is None
            site.wait_leased(address)
            assert may_relay(address, pop.ask(to, query(address))) is True


def test_a_lease_of_another_source_is_seen(daemon, host, pop):
    site = daemon('}\nsource maillog { kind = "file" '
                  'path = "/var/log/mail.log"')
    host.run("sh", "-c", "date +'%Y-%m-%dT%H:%M:%S%:z mx dovecot: pop3-login: "
             "Login: user=<anna>, method=PLAIN, rip=203.0.113.9, "
             "lip=198.51.100.1, mpid=1, TLS, session=<x>' "
             ">>/var/log/mail.log")
    site.wait_leased("203.0.113.9")
    reply = pop.ask(to_host(pop, host), query("203.0.113.9"))
    assert may_relay("203.0.113.9", reply) is True


def test_variables_go_nowhere_but_one_may_be_the_user(daemon, host, pop):
    site = daemon('user-variable = "USER"')
    to = to_host(pop, host)
    entries = ["QMAILQUEUE=/tmp/evil", "USER=berta@example.org", "X="]
    pop.say(to, add("203.0.113.9", *entries))
    site.wait_leased("203.0.113.9")
    assert "user=berta@example.org" in site.check("203.0.113.9")
    assert pop.ask(to, query("203.0.113.9")) == b"R\4\xcb\0\x71\x09R\0"
    # One without its user makes none.
    pop.say(to, add("203.0.113.10", "X=1"))
    site.wait_log("no-user")
    assert site.check("203.0.113.10") == "none"


def test_nothing_but_a_whole_add_with_the_secret(daemon, host, pop, thief):
    site = daemon()
    to = to_host(pop, host)
    victim = "203.0.113.66"
    whole = add(victim, "USER=x")
    wrong = [whole[:n] for n in range(1, len(whole))]
    wrong += [whole + b"\0", whole + whole, add(victim, secret=b""),
              add(victim, secret=SECRET[:-1]), add(victim, secret=SECRET + b"x"),
              add(victim, secret=SECRET + b"\n"), add(victim, "USER"),
              add(victim, "=x"), b"R" + packed(victim) + b"R\0",
              b"a" + whole[1:], b"A\0" + whole[6:], os.urandom(1024),
              b"A\xff" + whole[2:], bytes(1400)]
    for data in wrong:
        pop.say(to, data)
    site.wait_log("reason=malformed")
    site.wait_log("reason=wrong-secret")
    # From elsewhere not even the right one.
    other = to_host(thief, host)
    assert thief.ask(other, query(victim), limit=0.5) is None
    thief.say(other, whole)
    site.wait_log("reason=not-allowed")
    pop.say(to, add("203.0.113.9"))
    site.wait_leased("203.0.113.9")
    assert site.check(victim) == "none"
    assert SECRET.decode() not in site.process.output()


def test_silence_when_it_cannot_tell(daemon, host, pop):
    """pbscheck asks the next server then."""
    site = daemon()
    to = to_host(pop, host)
    pop.say(to, add("203.0.113.9"))
    site.wait_leased("203.0.113.9")
    keeper = lab.wait_for(lambda: keeper_of(site), "the keeper")
    os.kill(keeper, signal.SIGSTOP)
    began = time.monotonic()
    assert pop.ask(to, query("203.0.113.9"), limit=1) is None
    assert time.monotonic() - began < 3
    # An add waits for the next keeper.
    pop.say(to, add("203.0.113.10"))
    site.wait_leased("203.0.113.10", limit=60)
    lab.wait_for(lambda: may_relay("203.0.113.9", pop.ask(
        to, query("203.0.113.9"), limit=1)), "it answers again")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_secret_that_others_may_read_is_refused(daemon, host, mode):
    site = daemon()
    site.stop()
    host.write("/etc/relaypass/pbs.secret", "secret\n", mode)
    site.launch()
    assert site.process.wait() == 100
    assert "chmod 0600" in site.process.output()


def test_the_example_runs(host, relaypassd):
    host.install_users()
    host.write("/etc/relaypass/pbs.secret", "secret\n", 0o600)
    site = relaypassd(host, (lab.EXAMPLES / "relaypass-pbs.conf").read_text(
        encoding="ascii"))
    local = Talker.on_host(host)
    try:
        to = local.open("udp", "127.0.0.1", PORT)
        local.say(to, add("203.0.113.9", secret=b"secret"))
        site.wait_leased("203.0.113.9")
        reply = local.ask(to, query("203.0.113.9"))
        assert may_relay("203.0.113.9", reply) is True
    finally:
        local.close()
