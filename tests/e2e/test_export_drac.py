# SPDX-License-Identifier: ISC
"""The export "drac": one relaypassd adds its leases at another's source "drac"
(an independent client and server of DRAC are in test_source_drac.py)."""

import contextlib
import os
import signal
import socket
import struct
import threading

import pytest

import lab
import site1

SERVER = """
source drac {{ kind = "drac" listen = {{"udp:127.0.0.1:{port}"}}
               allow = {{"127.0.0.1"}} }}
"""
CLIENT = """
export drac {{ kind = "drac" server = "127.0.0.1" port = {port}
               timeout = "1s" tries = 1 }}
"""


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@pytest.fixture(name="pair")
def make_pair():
    """The machine with the mail log, and the one that answers."""
    port, sites = free_port(), []
    with contextlib.ExitStack() as stack:
        for more in (CLIENT, SERVER):
            site = site1.Site(stack.enter_context(site1.directory()))
            stack.callback(site.stop)
            sites.append(site)
            site.write(site.text(more=more.format(port=port)))
        yield sites


def test_a_lease_here_is_a_lease_there(pair):
    here, there = pair
    there.start()
    here.start()
    assert there.check("203.0.113.1") == "none"
    here.login("203.0.113.1")
    there.wait_leased("203.0.113.1")
    here.login("2001:db8::7")
    there.wait_leased("2001:db8::7")
    assert here.check("203.0.113.1").startswith("allow ")


def test_a_server_that_was_away_gets_what_it_missed(pair):
    here, there = pair
    here.start()
    for i in range(1, 1200):
        here.login(f"198.51.{100 + i // 250}.{i % 250 + 1}")
    here.wait_leased("198.51.104.200")
    here.wait_error("export.error")
    # Logins and answers do not wait for it.
    here.login("203.0.113.1")
    here.wait_leased("203.0.113.1")
    there.start()
    there.wait_leased("203.0.113.1", limit=40)
    for i in range(1, 1200):
        address = f"198.51.{100 + i // 250}.{i % 250 + 1}"
        assert there.check(address).startswith("allow "), address
    here.wait_error("state=good")


def test_what_came_by_drac_does_not_go_back(pair):
    here, there = pair
    port = free_port()
    here.write(here.text(ttl="4s", more=here.settings["more"] +
                         SERVER.format(port=port)))
    there.write(there.text(ttl="4s", more=there.settings["more"] +
                           CLIENT.format(port=port)))
    there.start()
    here.start()
    here.login("203.0.113.1")
    there.wait_leased("203.0.113.1")
    for site in pair:
        lab.wait_for(lambda: site.check("203.0.113.1") == "none",
                     "the lease is over", 20)


class OldServer:
    """A mock: Debian has no rpc.dracd. As one without IPv6 it serves version 1
    of the program only, and answers what it cannot store with an error."""

    def __init__(self, port):
        self.stored, self.bad, self.good = set(), {"198.51.100.66"}, True
        self.asked = {1: 0, 2: 0}
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", port))
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def answer(self, call):
        words = struct.unpack("!10I", call[:40])
        head = struct.pack("!5I", words[0], 1, 0, 0, 0)
        assert words[1:4] == (0, 2, 900101) and words[5] == 1
        self.asked[words[4]] += 1
        if words[4] != 1:
            return head + struct.pack("!3I", 2, 1, 1)
        address = socket.inet_ntoa(call[40:])
        if not self.good or address in self.bad:
            return head + struct.pack("!2I", 0, 2)
        self.stored.add(address)
        return head + struct.pack("!2I", 0, 0)

    def run(self):
        while True:
            call, sender = self.sock.recvfrom(1000)
            if not call:
                return
            self.sock.sendto(self.answer(call), sender)

    def stop(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"", self.sock.getsockname())
        self.thread.join()
        self.sock.close()


@pytest.fixture(name="old")
def make_old():
    """A machine with the mail log, and an old server."""
    port = free_port()
    server = OldServer(port)
    with site1.directory() as where:
        site = site1.Site(where)
        site.write(site.text(more=CLIENT.format(port=port)))
        yield site, server
        site.stop()
        server.stop()


def test_ipv6_does_not_hold_up_an_old_server(old):
    site, server = old
    site.start()
    for i in range(1, 40):
        site.login(f"2001:db8::{i:x}")
    site.login("203.0.113.1")
    lab.wait_for(lambda: "203.0.113.1" in server.stored, "IPv4 goes on")
    site.login("2001:db8::99")
    site.login("203.0.113.2")
    lab.wait_for(lambda: "203.0.113.2" in server.stored, "and on")
    assert server.asked[2] >= 40
    lines = [s for s in site.errors().splitlines() if "passed-over=" in s]
    assert len(lines) == 1 and "version 2" in lines[0]


def test_an_address_that_cannot_be_stored_is_passed_over(old):
    site, server = old
    site.start()
    site.login("198.51.100.66")
    site.wait_error("it could not store")
    site.login("203.0.113.1")
    lab.wait_for(lambda: "203.0.113.1" in server.stored, "the others", 40)
    site.wait_error("passed-over=1 ")
    # Nothing is passed over while the server stores nothing at all.
    server.good = False
    asked = server.asked[1]
    for i in range(2, 9):
        site.login(f"203.0.113.{i}")
    lab.wait_for(lambda: server.asked[1] >= asked + 30, "it is tried", 40)
    server.good = True
    lab.wait_for(lambda: len(server.stored) == 8, "nothing is missing", 40)
    assert "198.51.100.66" not in server.stored


def test_the_export_goes_on_where_it_was(pair):
    here, there = pair
    there.start()
    here.start()
    here.login("203.0.113.1")
    there.wait_leased("203.0.113.1")
    # Its process dies, then all do; what came meanwhile follows.
    for i, role in enumerate(["connector drac", "keeper -"]):
        os.kill(lab.wait_for(lambda: here.children().get(role), role),
                signal.SIGKILL)
        here.login(f"203.0.113.{i + 2}")
        there.wait_leased(f"203.0.113.{i + 2}")
    here.stop()
    here.login("203.0.113.9")
    here.start()
    there.wait_leased("203.0.113.9")
