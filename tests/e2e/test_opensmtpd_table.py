# SPDX-License-Identifier: ISC
"""relaypass-table and a relaypassd, driven as smtpd 7 drives a table program:
the table protocol, version 0.1, one question at a time over one socket.

Debian 12 has OpenSMTPD 6.8, whose table programs speak another, binary
protocol: this driver is a mock, written from smtpd-tables(7)."""

import itertools
import os
import socket
import subprocess
import time

import pytest

import exports
import lab

pytestmark = pytest.mark.namespaces

LEASED = {"ipv4": ("203.0.113.7", "203.0.113.7"),
          "ipv6": ("2001:db8::7", "[2001:db8::7]")}


class Smtpd:
    """What smtpd does with a program, an answer that it cannot read included:
    it ends."""

    numbers = itertools.count(0xe5862859)

    def __init__(self, *argv):
        ours, theirs = socket.socketpair()
        self.popen = subprocess.Popen(
            [*argv], stdin=theirs, stdout=theirs, stderr=subprocess.PIPE,
            encoding="utf-8")
        theirs.close()
        ours.settimeout(lab.LIMIT)
        self.socket, self.lines = ours, ours.makefile("r", encoding="utf-8")

    def send(self, *fields):
        self.socket.sendall(("|".join(fields) + "\n").encode())

    def start(self, protocol="0.1"):
        self.send("config", "smtpd-version", "7.8.0")
        self.send("config", "protocol", protocol)
        self.send("config", "tablename", "relaypass")
        self.send("config", "ready")
        return [self.lines.readline(), self.lines.readline()]

    def request(self, operation, *fields):
        """The answer behind the number, which has to be the question's."""
        number = f"{next(self.numbers):08x}"
        words = (fields[0], number, *fields[1:]) if fields else (number,)
        self.send("table", "0.1", f"{time.time():.6f}", "relaypass",
                  operation, *words)
        line = self.lines.readline()
        start = f"{operation}-result|{number}|"
        assert line.startswith(start) and line.endswith("\n"), line
        return line[len(start):-1]

    def check(self, key):
        return self.request("check", "netaddr", key)

    def end(self):
        """Its exit code and what it said."""
        self.socket.shutdown(socket.SHUT_WR)
        code = self.popen.wait(lab.LIMIT)
        text = self.popen.stderr.read()
        self.popen.stderr.close()
        self.lines.close()
        self.socket.close()
        return code, text


@pytest.fixture(scope="module", name="machine")
def make_machine(host):
    host.install_users()
    host.run("useradd", "--system", "opensmtpd", check=False)
    host.run("sh", "-c", exports.set_up())
    return host


@pytest.fixture(name="daemon")
def make_daemon(machine, relaypassd):
    machine.write(exports.MAIL_LOG, "")
    return relaypassd(machine, exports.example("relaypass-opensmtpd.conf"))


@pytest.fixture(name="smtpd")
def make_smtpd(machine):
    # As smtpd does it, by its own user.
    smtpd = Smtpd(*machine.command([
        "setpriv", "--reuid", "opensmtpd", "--regid", "opensmtpd",
        "--init-groups", lab.program("relaypass-table")]))
    assert smtpd.start() == ["register|netaddr\n", "register|ready\n"]
    yield smtpd
    if smtpd.popen.poll() is None:
        assert smtpd.end()[0] == 0


@pytest.mark.parametrize("family", LEASED)
def test_a_client_is_found_after_its_login_and_until_its_end(
        machine, daemon, smtpd, family):
    address, key = LEASED[family]
    assert smtpd.check(key) == "not-found"
    exports.lease(machine, daemon, address)
    assert smtpd.check(key) == "found"
    assert smtpd.request("lookup", "netaddr", key) == f"found|{address}"
    assert smtpd.check("203.0.113.8") == "not-found"
    assert smtpd.check("local") == "not-found"
    assert smtpd.request("update") == "ok"
    exports.end_leases(daemon)
    assert smtpd.check(key) == "not-found"


def test_without_relaypassd_nothing_is_found_at_once(machine, daemon, smtpd):
    exports.lease(machine, daemon, "203.0.113.7")
    assert smtpd.check("203.0.113.7") == "found"
    daemon.stop()
    assert smtpd.check("203.0.113.7") == "not-found"
    assert smtpd.check("203.0.113.7") == "not-found"
    daemon.start()
    # It asks again after a pause.
    lab.wait_for(lambda: smtpd.check("203.0.113.7") == "found", "it is back")
    code, text = smtpd.end()
    assert code == 0 and text.count("\n") == 1, text


def test_a_relaypassd_that_hangs_holds_smtpd_up_once(machine, daemon, smtpd):
    exports.lease(machine, daemon, "203.0.113.7")
    daemon.freeze()
    try:
        began = time.monotonic()
        for _ in range(50):
            assert smtpd.check("203.0.113.7") == "not-found"
        assert time.monotonic() - began < 1.9
    finally:
        daemon.thaw()
    lab.wait_for(lambda: smtpd.check("203.0.113.7") == "found", "it is back")


def test_lines_are_bounded(daemon, smtpd):
    assert smtpd.check("1" * 1_000_000) == "not-found"
    assert smtpd.check("192.0.2.1" + " " * 8192) == "not-found"


@pytest.mark.parametrize("line, said", [
    ("config|protocol|0.2", "another version"),
    ("table|0.1|1|relaypass|check|netaddr|1|192.0.2.7", "no request"),
    ("config|ready", "names no protocol"),
    ("hello", "no request"),
])
def test_what_is_not_its_protocol_is_told_at_the_start(line, said):
    smtpd = Smtpd(lab.program("relaypass-table"))
    smtpd.send(line)
    assert smtpd.popen.wait(lab.LIMIT) == 100
    assert said in smtpd.popen.stderr.read()
    assert smtpd.lines.readline() == ""


def test_a_wrong_place_is_told():
    for argv in (["x"], ["/a", "/b"], ["unix:"]):
        done = subprocess.run([lab.program("relaypass-table"), *argv],
                              check=False, stdin=subprocess.DEVNULL,
                              stderr=subprocess.PIPE)
        assert done.returncode == 100
        assert b"usage" in done.stderr


def test_it_ends_with_smtpd():
    read, write = os.pipe()
    with subprocess.Popen([lab.program("relaypass-table")], stdin=read) as one:
        os.close(read)
        os.close(write)
        assert one.wait(lab.LIMIT) == 0
