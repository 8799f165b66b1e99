# SPDX-License-Identifier: ISC
"""relaypass-table and a relaypassd, driven as smtpd 7 drives a table program:
the table protocol, version 0.1, one question at a time over one socket. This
driver is a mock, written from smtpd-tables(7).

Then a real smtpd, with examples/smtpd-proc.conf.snippet. Debian 12 has
OpenSMTPD 6.8, whose table programs speak another, binary protocol; Debian 13
has 7.6."""

import contextlib
import itertools
import os
import re
import signal
import socket
import subprocess
import time

import pytest

import exports
import lab
import servers_real
import test_export_opensmtpd as opensmtpd

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


@contextlib.contextmanager
def log_daemon(machine):
    """What /dev/log gets; nobody reads it but the test."""
    place = machine.path("/dev/log")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(place))
        place.chmod(0o666)
        sock.settimeout(lab.LIMIT)
        try:
            yield sock
        finally:
            place.unlink()


@contextlib.contextmanager
def relaypassd_that_says_nothing(machine):
    """Whether it was asked since the last time."""
    place = machine.path("/run/relaypass/ask")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(place))
        place.chmod(0o666)
        sock.listen()
        sock.setblocking(False)

        def asked():
            with contextlib.suppress(BlockingIOError):
                sock.accept()[0].close()
                return True
            return False
        try:
            yield asked
        finally:
            place.unlink()


def test_the_log_is_told_once(machine, daemon, smtpd):
    """Where smtpd is a daemon, stderr leads nowhere."""
    daemon.stop()
    with log_daemon(machine) as log:
        assert smtpd.check("203.0.113.7") == "not-found"
        line = log.recv(4096).decode("ascii")
        assert re.fullmatch(r"<20>\w{3} [ \d]\d \d\d:\d\d:\d\d "
                            r"relaypass-table\[\d+\]: .+", line), line
        assert "/run/relaypass/ask" in line
        with relaypassd_that_says_nothing(machine) as asked:
            lab.wait_for(
                lambda: smtpd.check("203.0.113.7") == "not-found" and asked(),
                "it asks again, and says nothing again")
        log.setblocking(False)
        with pytest.raises(BlockingIOError):
            log.recv(4096)


def test_a_log_daemon_that_hangs_holds_nobody_up(machine, daemon, smtpd):
    daemon.stop()
    with log_daemon(machine) as log, \
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                other.sendto(b"<20>full", log.getsockname())
        began = time.monotonic()
        assert smtpd.check("203.0.113.7") == "not-found"
        assert time.monotonic() - began < 1.9


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


# --- a real smtpd ------------------------------------------------------------

SNIPPET = "smtpd-proc.conf.snippet"
LIBEXEC = "/usr/libexec/opensmtpd"


def skip_without_tables():
    """Where smtpd does not speak the protocol."""
    debs = sorted((servers_real.PACKAGES / "opensmtpd").glob("opensmtpd_*"))
    version = debs[0].name.split("_")[1] if debs else ""
    if debs and [int(word) for word in version.split(".")[:2]] < [7, 6]:
        pytest.skip(f"needs OpenSMTPD 7.6; this Debian has {version}")


@pytest.fixture(scope="module", name="real")
def make_real(machine):
    """The host, with smtpd and relaypass-table where the example says."""
    skip_without_tables()
    opensmtpd.install(machine)
    # What was laid over /usr cannot be written.
    machine.run("mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs",
                "/usr/local")
    machine.run("install", "-D", "-t", "/usr/local/bin",
                lab.program("relaypass-table"))
    machine.run("sh", "-c", f"cp -a {LIBEXEC} /var/local/libexec && "
                f"mount --bind /var/local/libexec {LIBEXEC}")
    command, = [line.lstrip("# ") for line in exports.example(
        SNIPPET).splitlines() if "ln -s" in line]
    machine.run("sh", "-c", command)
    return machine


@pytest.fixture(name="server")
def make_server(real):
    server = opensmtpd.start_server(real, SNIPPET)
    yield server
    opensmtpd.stop_server(real, server)


def programs(server):
    """Pids of the relaypass-tables that smtpd has started."""
    return [pid for pid in lab.descendants_of(server.pid)
            if os.readlink(f"/proc/{pid}/exe").endswith("/relaypass-table")]


@pytest.mark.parametrize("family", LEASED)
def test_smtpd_relays_after_a_login_and_until_its_end(
        real, daemon, server, customer, stranger, family):
    assert opensmtpd.send(customer, family) == 550
    exports.lease(real, daemon, customer.ends(family)["source"])
    assert opensmtpd.send(customer, family) == 250
    assert opensmtpd.send(stranger, family) == 550
    exports.end_leases(daemon)
    assert opensmtpd.send(customer, family) == 550
    assert len(programs(server)) == 1


@pytest.mark.parametrize("family", LEASED)
def test_a_session_of_smtpd_sees_a_lease_and_its_end(
        real, daemon, server, customer, family):
    customer.smtp_open(**customer.ends(family), name="long")
    try:
        customer.smtp_mail(name="long", sender="alice@test.example")

        def rcpt():
            return customer.smtp_rcpt(
                name="long", recipient=opensmtpd.FOREIGN)["code"]
        assert rcpt() == 550
        exports.lease(real, daemon, customer.ends(family)["source"])
        assert rcpt() == 250
        exports.end_leases(daemon)
        assert rcpt() == 550
    finally:
        customer.hang_up(name="long")


def test_smtpd_lives_without_relaypassd(
        real, relaypassd, server, customer, stranger):
    """It was not there when smtpd started, comes, hangs, goes, and comes."""
    assert opensmtpd.send(customer, "ipv4") == 550
    real.write(exports.MAIL_LOG, "")
    daemon = relaypassd(real, exports.example("relaypass-opensmtpd.conf"))
    exports.lease(real, daemon, "203.0.113.7")

    def relays():
        return opensmtpd.send(customer, "ipv4") == 250
    lab.wait_for(relays, "it is asked again")
    daemon.freeze()
    try:
        began = time.monotonic()
        assert opensmtpd.send(customer, "ipv4") == 550
        assert time.monotonic() - began < 1.9
    finally:
        daemon.thaw()
    lab.wait_for(relays, "it is asked again")
    daemon.stop()
    assert opensmtpd.send(customer, "ipv4") == 550
    daemon.start()
    lab.wait_for(relays, "it is asked again")
    assert opensmtpd.send(stranger, "ipv4") == 550
    assert server.running() and len(programs(server)) == 1


def test_the_log_tells_what_keeps_a_daemon_s_table_away(real, customer):
    """Here there is no relaypassd; smtpd has no terminal."""
    opensmtpd.configure(real, SNIPPET)
    others = lab.children_of(real.pid)
    with log_daemon(real) as log:
        real.daemon("/usr/sbin/smtpd", "-f", "/etc/smtpd.conf")
        try:
            lab.wait_for(lambda: real.listens(25), "smtpd listens")
            assert opensmtpd.send(customer, "ipv4") == 550
            while b" relaypass-table[" not in (line := log.recv(4096)):
                pass
            assert b"/run/relaypass/ask" in line
        finally:
            for pid in set(lab.children_of(real.pid)) - set(others):
                os.kill(pid, signal.SIGTERM)
            lab.wait_for(lambda: not real.listens(25), "smtpd is gone")


def test_many_sessions_at_once(real, daemon, server, customer, stranger):
    """smtpd need not wait for an answer before it asks again."""
    exports.lease(real, daemon, "203.0.113.7")
    names = [f"session{number}" for number in range(20)]
    clients = list(zip(names, itertools.cycle([customer, stranger])))
    for name, client in clients:
        client.smtp_open(**client.ends("ipv4"), name=name)
        client.smtp_mail(name=name, sender="alice@test.example")
    for _ in range(5):
        for name, client in clients:
            code = client.smtp_rcpt(
                name=name, recipient=opensmtpd.FOREIGN)["code"]
            assert code == (250 if client is customer else 550)
    for name, client in clients:
        client.hang_up(name=name)


def test_relaypass_table_ends_with_smtpd(real, daemon):
    server = opensmtpd.start_server(real, SNIPPET)
    pids = lab.wait_for(lambda: programs(server), "smtpd has started it")
    server.signal(signal.SIGTERM)
    server.wait()
    lab.wait_for(lambda: not any(map(lab.is_running, pids)), "it has ended")
