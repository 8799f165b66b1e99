# SPDX-License-Identifier: ISC
"""The export "nftables" against the kernel's own firewall, in a network
namespace of the test's: elements and their times, who removes them, what
others do to the sets, and packets."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from datetime import datetime, timezone

import pytest

import lab

HAS_KIND = subprocess.run(
    [lab.program("relaypass"), "-c", lab.EXAMPLES / "relaypass-nftables.conf",
     "config", "--check"], check=False, stdout=subprocess.DEVNULL,
    stderr=subprocess.DEVNULL).returncode == 0
pytestmark = [
    pytest.mark.namespaces,
    pytest.mark.skipif(not shutil.which("nft"),
                       reason="needs nftables: tools/install-deps test"),
    pytest.mark.skipif(not HAS_KIND, reason="built without libnftables")]

LOG = "/var/log/mail.log"
TTL = 1800
CONNECT = """
import socket, sys
socket.create_connection((sys.argv[1], 587), 5)
"""
SERVE = """
import socket
server = socket.create_server(("::", 587), family=socket.AF_INET6,
                              dualstack_ipv6=True)
while True:
    server.accept()[0].close()
"""


def example(ttl="30m", more="", options=""):
    text = (lab.EXAMPLES / "relaypass-nftables.conf").read_text("utf-8")
    return text.replace('"30m"', f'"{ttl}"\n{more}').replace(
        'set6 = "relay6"', f'set6 = "relay6" recheck = "1s"\n{options}')


class Firewall:
    """The host's rules and mail log, and the relaypassd at hand."""

    def __init__(self, host, relaypassd):
        self.host, self.start_daemon, self.daemon = host, relaypassd, None

    def start(self, text):
        self.daemon = self.start_daemon(self.host, text)

    def nft(self, *words, check=True):
        return self.host.run("nft", *words, check=check).stdout

    def elements(self, name):
        """{address: seconds left, or None for ever}; {} when there is no such
        set."""
        text = self.nft("-j", "list", "set", "inet", "relaypass", name,
                        check=False)
        with contextlib.suppress(ValueError):
            for row in json.loads(text)["nftables"]:
                if "set" in row:
                    return dict((e["elem"]["val"], e["elem"]["expires"])
                                if isinstance(e, dict) else (e, None)
                                for e in row["set"].get("elem", []))
        return {}

    def login(self, address):
        stamp = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        with open(self.host.path(LOG), "ab", buffering=0) as log:
            log.write(f"{stamp} mx dovecot: imap-login: Login: user=<anna>, "
                      f"method=PLAIN, rip={address}, lip=203.0.113.1, mpid=0, "
                      f"TLS, session=<s{time.monotonic_ns()}>\n".encode())

    def revoke(self, address):
        self.host.run(lab.program("relaypass"), "revoke", address)

    def wait_in(self, name, address, limit=lab.LIMIT):
        lab.wait_for(lambda: address in self.elements(name),
                     f"{address} in {name}", limit)

    def wait_out(self, name, address, limit=lab.LIMIT):
        lab.wait_for(lambda: address not in self.elements(name),
                     f"no {address} in {name}", limit)

    def child(self):
        """The process of the export, as the host sees it; None: none yet."""
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(lab.LIMIT)
            control.connect(str(self.host.path("/run/relaypass/control")))
            control.sendall(b"status\n")
            control.shutdown(socket.SHUT_WR)
            text = control.makefile("r", encoding="utf-8").read()
        for line in text.splitlines():
            words = dict(w.split("=", 1) for w in line.split() if "=" in w)
            if words.get("role") == "firewall" and int(words["pid"]):
                return int(words["pid"])
        return None


@pytest.fixture(scope="module", name="machine")
def make_machine(host):
    host.install_users()
    return host


@pytest.fixture(name="firewall")
def make_firewall(machine, relaypassd):
    machine.run("nft", "flush", "ruleset")
    machine.write(LOG, "", 0o640)
    made = Firewall(machine, relaypassd)
    yield made
    # A system call that its filter does not know.
    assert f"signal-{signal.SIGSYS.value}" not in made.daemon.log.read_text(
        encoding="utf-8")


@pytest.fixture(name="running")
def make_running(firewall):
    firewall.start(example())
    lab.wait_for(lambda: "relay6" in firewall.nft("list", "sets"), "the sets")
    return firewall


@pytest.mark.parametrize("name, address", [("relay4", "203.0.113.7"),
                                           ("relay6", "2001:db8::7")])
def test_a_login_makes_an_element_with_a_time(running, name, address):
    running.login(address)
    running.wait_in(name, address, 1)
    assert TTL - 10 < running.elements(name)[address] <= TTL
    # A login moves the time, a revocation ends it.
    running.daemon.clock.advance(60_000)
    running.login(address)
    running.daemon.wait_leased(address)
    running.revoke(address)
    running.wait_out(name, address, 1)


def test_a_renewal_moves_the_time_and_the_end_removes_it(running):
    running.login("203.0.113.7")
    running.wait_in("relay4", "203.0.113.7")
    running.daemon.clock.advance((TTL - 60) * 1000)
    # The log line's own time is old by now: by hand.
    running.host.run(lab.program("relaypass"), "grant", "--ttl", "20m",
                     "203.0.113.7")
    lab.wait_for(lambda: 0 < running.elements("relay4").get(
        "203.0.113.7", 0) <= 1200, "the new time")
    running.daemon.clock.advance(1200 * 1000)
    running.wait_out("relay4", "203.0.113.7", 1)


def test_the_kernel_ends_it_when_nobody_else_does(firewall):
    firewall.start(example(ttl="4s"))
    firewall.login("203.0.113.7")
    firewall.wait_in("relay4", "203.0.113.7")
    for pid in firewall.daemon.everybody():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert "203.0.113.7" in firewall.elements("relay4")
    firewall.wait_out("relay4", "203.0.113.7", 10)


@pytest.mark.parametrize("harm", [
    ["flush", "set", "inet", "relaypass", "relay4"],
    ["delete", "element", "inet", "relaypass", "relay4", "{ 203.0.113.7 }"],
    ["delete", "table", "inet", "relaypass"],
    ["flush", "ruleset"]])
def test_what_others_do_to_the_sets_is_mended(running, harm):
    running.login("203.0.113.7")
    running.login("2001:db8::7")
    running.wait_in("relay4", "203.0.113.7")
    running.wait_in("relay6", "2001:db8::7")
    running.nft(*harm)
    running.wait_in("relay4", "203.0.113.7", 5)
    running.wait_in("relay6", "2001:db8::7", 5)
    assert running.elements("relay4")["203.0.113.7"] > TTL - 60
    # What an intruder adds goes.
    running.nft("add", "element", "inet", "relaypass", "relay4",
                "{ 203.0.113.66 }")
    running.wait_out("relay4", "203.0.113.66", 5)


def test_other_rules_stay_as_they_are(firewall):
    firewall.nft("-f", str(lab.EXAMPLES / "relaypass.nft"))
    firewall.nft("add", "table", "inet", "other")
    firewall.nft("add", "set", "inet", "other", "relay4",
                 "{ type ipv4_addr; elements = { 192.0.2.1 } ; }")
    firewall.nft("add", "table", "netdev", "more")
    firewall.nft("add", "chain", "netdev", "more", "in",
                 "{ type filter hook ingress device lo priority 0 ; }")
    before = firewall.nft("list", "ruleset")
    firewall.start(example())
    firewall.login("203.0.113.7")
    firewall.wait_in("relay4", "203.0.113.7")
    firewall.revoke("203.0.113.7")
    firewall.wait_out("relay4", "203.0.113.7")
    assert firewall.nft("list", "ruleset") == before


def test_rules_that_change_all_the_time_do_no_harm(running):
    busy = running.host.start(
        ["sh", "-c", "while :; do nft add table inet other; "
         "nft delete table inet other; done"],
        running.host.directory / "busy.log")
    try:
        for i in range(1, 101):
            running.login(f"198.51.100.{i}")
        lab.wait_for(lambda: len(running.elements("relay4")) == 100,
                     "all of them")
        for i in range(1, 51):
            running.revoke(f"198.51.100.{i}")
        lab.wait_for(lambda: len(running.elements("relay4")) == 50,
                     "the other half")
        assert busy.running()
    finally:
        busy.kill_all()
    assert "export.error" not in running.daemon.process.output()


def test_a_restart_drops_what_is_stale_and_nothing_else(running):
    running.login("203.0.113.7")
    running.wait_in("relay4", "203.0.113.7")
    running.daemon.stop()
    running.nft("add", "element", "inet", "relaypass", "relay4",
                "{ 203.0.113.66 timeout 1h }")
    missing = []

    def stale_is_gone():
        now = running.elements("relay4")
        missing.extend([] if "203.0.113.7" in now else [now])
        return "203.0.113.66" not in now

    running.daemon.launch()
    lab.wait_for(stale_is_gone, "the stale element goes")
    lab.wait_for(running.daemon.ready, "it answers")
    assert not missing


def test_its_process_dies_and_is_replaced(running):
    before = lab.wait_for(running.child, "the process of the export")
    running.host.run("kill", "-KILL", str(before))
    running.login("203.0.113.7")
    running.wait_in("relay4", "203.0.113.7")
    assert running.child() != before


def test_it_keeps_one_capability_and_no_root(running):
    pid = lab.wait_for(running.child, "the process of the export")
    status = dict(
        line.split(":\t", 1) for line in running.host.run(
            "cat", f"/proc/{pid}/status").stdout.splitlines() if ":\t" in line)
    assert "0" not in status["Uid"].split()
    admin = f"{1 << 12:016x}"
    assert status["CapEff"] == status["CapPrm"] == admin
    assert int(status["CapInh"], 16) == int(status["CapAmb"], 16) == 0
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"


def test_sets_of_the_wrong_kind_are_told_and_waited_for(firewall):
    firewall.nft("add", "table", "inet", "relaypass")
    firewall.nft("add", "set", "inet", "relaypass", "relay4",
                 "{ type ipv4_addr ; }")
    firewall.start(example())
    firewall.login("203.0.113.7")
    firewall.daemon.wait_leased("203.0.113.7")
    lab.wait_for(lambda: "export.error" in firewall.daemon.process.output(),
                 "the error in the log")
    # Without a time nothing may stand there.
    assert "203.0.113.7" not in firewall.nft("list", "ruleset")
    firewall.nft("delete", "set", "inet", "relaypass", "relay4")
    firewall.wait_in("relay4", "203.0.113.7")
    output = firewall.daemon.process.output()
    assert output.count("export.error") == 1
    lab.wait_for(lambda: "state=good" in firewall.daemon.process.output(),
                 "that it is good again")


def test_it_makes_nothing_when_told_so(firewall):
    firewall.start(example(options="create = no"))
    firewall.login("203.0.113.7")
    firewall.daemon.wait_leased("203.0.113.7")
    lab.wait_for(lambda: "export.error" in firewall.daemon.process.output(),
                 "the error in the log")
    assert 'next="waits for table inet relaypass"' in \
        firewall.daemon.process.output()
    assert firewall.nft("list", "ruleset") == ""
    firewall.nft("-f", str(lab.EXAMPLES / "relaypass.nft"))
    firewall.wait_in("relay4", "203.0.113.7")


def test_it_says_when_it_cannot_keep_its_capability(machine, tmp_path):
    machine.run("rm", "-rf", "/var/lib/relaypass")
    machine.write(LOG, "", 0o640)
    daemon = lab.Relaypassd(machine, tmp_path, example())
    argv = daemon.argv()
    daemon.argv = lambda: ["setpriv", "--bounding-set", "-net_admin", *argv]
    try:
        daemon.start()
        lab.wait_for(lambda: "cannot keep CAP_NET_ADMIN" in
                     daemon.process.output(), "that it says so")
        assert daemon.check("203.0.113.7") == "none"
    finally:
        daemon.stop()


def reaches(client, address):
    return subprocess.run(
        ["nsenter", "-t", str(client.popen.pid), "-n", "--", lab.PYTHON, "-c",
         CONNECT, address], check=False, stderr=subprocess.DEVNULL,
        timeout=lab.LIMIT).returncode == 0


@pytest.fixture(scope="module", name="server")
def make_server(machine):
    machine.run("nft", "flush", "ruleset")
    process = machine.start([lab.PYTHON, "-c", SERVE],
                            machine.directory / "server.log")
    lab.wait_for(lambda: machine.listens(587), "the server listens")
    yield process
    process.kill_all()


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("family, prefix", [("ipv4", 128), ("ipv6", 128),
                                            ("ipv6", 64)])
def test_packets_pass_while_there_is_a_lease(firewall, customer, stranger,
                                             family, prefix):
    rules = (lab.EXAMPLES / "relaypass.nft").read_text("utf-8")
    if prefix == 64:
        plain, masked = [line for line in rules.splitlines()
                         if "@relay6" in line]
        rules = rules.replace(plain + "\n", "").replace(
            masked, masked.replace("# ", ""))
    firewall.host.write("/etc/relaypass.nft", rules)
    firewall.nft("-f", "/etc/relaypass.nft")
    firewall.start(example(more=f"ipv6-prefix = {prefix}"))
    ends = customer.ends(family)
    to, address = ends["server"], ends["source"]
    assert not reaches(customer, to)
    firewall.login(address)
    lab.wait_for(lambda: reaches(customer, to), "a way in")
    # The stranger is a neighbour in the same /64.
    assert reaches(stranger, to) == (prefix == 64)
    firewall.revoke("2001:db8::" if prefix == 64 else address)
    lab.wait_for(lambda: not reaches(customer, to), "no way in")
    assert not reaches(stranger, to)
