# SPDX-License-Identifier: ISC
"""Every kind of listener under thousands of connections, slow and broken
clients. The kinds come from the program: a new one has to be told of in
protocols.py, and is then covered."""

import contextlib
import os
import re
import resource
import socket
import time

import pytest

import lab
import protocols
import site1
from protocols import PROTOCOLS

CONNECTIONS = int(os.environ.get("RELAYPASS_CONNECTIONS", "10000"))
SPARE = 500  # descriptors beside those
REQUEST_TIMEOUT = 2
LIMIT = 5  # seconds for one answer, on a machine that does more than this
BYTES_EACH = 16384  # of memory that is the process' own, for one connection
SLOW = 200
SOURCES = 100  # addresses that come over TCP; a used port rests a minute
IP_BIND_ADDRESS_NO_PORT = 24  # ip(7): connect() chooses it, which is quicker

make_place, make_still = site1.make_place, site1.make_still
CASES = [(kind, transport) for kind in protocols.kinds()
         for transport in getattr(PROTOCOLS.get(kind), "transports", ())]


def test_every_kind_is_here():
    assert len(protocols.kinds()) >= 4
    assert set(protocols.kinds()) == set(PROTOCOLS)


@pytest.fixture(scope="module", autouse=True)
def descriptors():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    if before[1] < CONNECTIONS + SPARE:
        pytest.skip(f"needs {CONNECTIONS + SPARE} descriptors (ulimit -Hn)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


class Crowd:
    """A relaypassd with one listener of a kind beside `ask`, and clients."""

    def __init__(self, site, kind, transport):
        self.site, self.kind = site, kind
        self.protocol, self.transport = PROTOCOLS[kind], transport
        self.stack = contextlib.ExitStack()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.path = str(site.where / "many")
        place = {"unix": f"unix:{self.path}"}.get(
            transport, f"{transport}:127.0.0.1:{self.port}")
        site.write(site.text(more=f"""
listener many {{ kind = "{kind}" listen = "{place}"
    group = "{site1.GROUP}" max-connections = {CONNECTIONS + SPARE}
    request-timeout = "{REQUEST_TIMEOUT}s" {self.protocol.options} }}
""").replace("answerers = 2", "answerers = 1"))
        site.start()
        site.login("203.0.113.7")
        site.wait_leased("203.0.113.7")

    def connect(self, number=0):
        if self.transport == "unix":
            sock = socket.socket(socket.AF_UNIX)
        else:
            sock = socket.socket()
            sock.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
            sock.bind((f"127.0.0.{number % SOURCES + 2}", 0))
        self.stack.enter_context(sock)
        # Waits in the queue, which a socket with a timeout does not.
        sock.connect(self.path if self.transport == "unix"
                     else ("127.0.0.1", self.port))
        sock.settimeout(LIMIT)
        return sock

    def hear(self, sock, pattern):
        """Reads on until all of it matches."""
        got = b""
        while not re.fullmatch(pattern, got):
            part = sock.recv(65536)
            assert part, f"closed after {got!r}"
            got += part
        return got

    def is_allowed(self, sock):
        sock.sendall(self.protocol.ask("203.0.113.7"))
        self.hear(sock, self.protocol.allow)

    def newcomer_is_answered(self):
        began = time.monotonic()
        with self.connect() as sock:
            self.is_allowed(sock)
        assert time.monotonic() - began < LIMIT

    def crowd(self):
        """All connected, each has asked if it can ask again; they stay."""
        socks = [self.connect(i) for i in range(CONNECTIONS)]
        if self.protocol.once:
            return socks
        for i, sock in enumerate(socks):
            sock.sendall(self.protocol.ask(protocols.address_of(i)))
        for sock in socks:
            self.hear(sock, self.protocol.none)
        return socks

    def memory(self):
        """Bytes that belong to the process that answers."""
        name = "gateway many" if self.kind == "http" else "answerer 1"
        pid = self.site.children()[name]
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            return int(re.search(r"RssAnon:\s+(\d+) kB",
                                 status.read())[1]) * 1024

    def close(self):
        self.stack.close()


@pytest.fixture(name="many", params=CASES, ids="-".join)
def make_many(request, still):
    crowd = Crowd(still, *request.param)
    yield crowd
    crowd.close()


def hears_to_the_end(sock):
    got = b""
    with contextlib.suppress(ConnectionResetError):
        while part := sock.recv(65536):
            got += part
    return got


def test_thousands_stay_and_new_ones_are_answered(many):
    many.newcomer_is_answered()
    before = many.memory()
    socks = many.crowd()
    many.newcomer_is_answered()
    assert many.memory() - before < CONNECTIONS * BYTES_EACH
    for sock in socks[::97]:
        many.is_allowed(sock)
    # All go at once; the next one does not wait for that.
    for sock in socks:
        sock.close()
    many.newcomer_is_answered()


def test_slow_and_broken_clients_are_cut_and_hold_nobody_up(many):
    protocol = many.protocol
    whole = protocol.ask("203.0.113.7")
    slow = [many.connect(i) for i in range(SLOW)]
    began = time.monotonic()
    for i, sock in enumerate(slow):
        sock.sendall(whole[:1 + i % (len(whole) - 1)])
    for _ in range(20):
        with many.connect() as sock:
            sock.sendall(protocol.broken)
            assert re.fullmatch(protocol.told, hears_to_the_end(sock))
    many.newcomer_is_answered()
    # One more byte now and then is no request, either.
    creeping = many.connect()
    sent = 0
    with contextlib.suppress(OSError):
        creeping.settimeout(0.2)
        while time.monotonic() - began < 3 * REQUEST_TIMEOUT + LIMIT:
            creeping.sendall(whole[sent:sent + 1])
            sent = min(sent + 1, len(whole) - 2)
            with contextlib.suppress(TimeoutError):
                if creeping.recv(65536) == b"":
                    break
    assert REQUEST_TIMEOUT <= time.monotonic() - began < \
        3 * REQUEST_TIMEOUT + LIMIT
    for sock in slow:
        assert b"allow" not in hears_to_the_end(sock)
    many.newcomer_is_answered()


def test_who_goes_without_a_word_is_nobody(many):
    """Half a request, or a whole one whose answer nobody waits for."""
    whole = many.protocol.ask("203.0.113.7")
    for i in range(SLOW):
        with many.connect(i) as sock:
            sock.sendall(whole[:i % (len(whole) + 1)])
    many.newcomer_is_answered()
    lab.wait_for(lambda: many.site.check("203.0.113.7").startswith("allow"),
                 "the other listener answers")


@pytest.mark.parametrize("kind", [kind for kind in protocols.kinds() if
                                  getattr(PROTOCOLS.get(kind), "udp", False)])
def test_a_flood_of_broken_datagrams(kind, still):
    crowd = Crowd(still, kind, "udp")
    try:
        with socket.socket(type=socket.SOCK_DGRAM) as flood, \
                socket.socket(type=socket.SOCK_DGRAM) as sock:
            for one in (flood, sock):
                one.connect(("127.0.0.1", crowd.port))
            flood.setblocking(False)
            for i in range(CONNECTIONS):
                with contextlib.suppress(OSError):
                    flood.send(os.urandom(i % 600))
            sock.settimeout(0.5)

            def answered():
                sock.send(protocols.datagram(kind, "203.0.113.7"))
                with contextlib.suppress(OSError):
                    return sock.recv(65536)
                return None
            answer = lab.wait_for(answered, "an answer", LIMIT)
            if kind == "dns":
                answer = protocols.dns_stream(answer)
            assert re.fullmatch(crowd.protocol.allow, answer), answer
    finally:
        crowd.close()
