# SPDX-License-Identifier: ISC
"""The source `fifo` with the real rsyslog, and fifo-safety: whichever process
dies or stops, no write to the pipe waits longer than a second, and logins that
come when all run again give leases."""

import contextlib
import json
import os
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import time
from datetime import datetime, timezone
from fcntl import ioctl
from termios import FIONREAD

import pytest

import lab
import servers_real as real
import site1
from site1 import make_place  # noqa: F401 (a fixture)

EXAMPLE = lab.EXAMPLES / "fifo"
PIPE = "/var/spool/relaypass-maillog"  # the examples'
RSYSLOG = """
global(workDirectory="{dir}")
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="{dir}/log" RateLimit.Interval="0")
*.*	{dir}/all.log
{rules}
"""
CONFIG = """
relaypass {{ directory = "{dir}/ledger" run-directory = "{dir}"
             pattern-directory = "" answerers = 1 child-timeout = "{timeout}"
             control-group = "{group}" map-size = "1M" }}
source   maillog {{ kind = "fifo" path = "{dir}/fifo" create = "yes" }}
listener ask     {{ kind = "ask" listen = "unix:{dir}/ask"
                    group = "{group}" }}
"""
# Writes as a syslogd that waits does, and times each write. argv: the pipe,
# bytes a write, ms between writes, a file for how many writes are done and
# since when one waits (0: none does). Says at the end how long one has waited.
PROBE = r"""
import json, mmap, os, signal, struct, sys, time
fd = os.open(sys.argv[1], os.O_WRONLY)
size, pause = int(sys.argv[2]), float(sys.argv[3]) / 1000
number, worst, began = 0, 0.0, 0.0
with open(sys.argv[4], "r+b") as file:
    told = mmap.mmap(file.fileno(), 16)
def end(*_):
    late = time.monotonic() - began if began else 0
    os.write(1, json.dumps({"worst": max(worst, late), "written": number,
                            "waits": bool(began)}).encode())
    os._exit(0)
signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
while True:
    line = b"Nov 20 18:05:01 mx postfix/smtpd[7]: probe %d " % number
    line += b"x" * (size - len(line) - 1) + b"\n"
    began = time.monotonic()
    struct.pack_into("Qd", told, 0, number, began)
    os.write(fd, line)
    worst = max(worst, time.monotonic() - began)
    began = 0.0
    number += 1
    struct.pack_into("Qd", told, 0, number, began)
    if pause:
        time.sleep(pause)
"""
LIMIT = 1.0  # seconds: what a write may wait
FULL = 4 << 20  # bytes: the pipe holds one MiB


class Site(site1.Site):
    """With a pipe in place of a file; its writers are the test's."""

    def __init__(self, where, timeout="20s"):
        self.timeout = timeout
        super().__init__(where)
        self.fifo = where / "fifo"

    def text(self, **settings):
        return CONFIG.format(dir=self.where, group=site1.GROUP,
                             timeout=self.timeout)

    def text_of_log(self):
        return self.log.read_text(encoding="utf-8", errors="replace")

    def processes(self):
        """{"supervisor": pid, "keeper": pid, ...}"""
        def all_three():
            now = self.children()
            return now if len(now) == 3 else None

        children = lab.wait_for(all_three, "three processes")
        found = {name.split()[0]: pid for name, pid in children.items()}
        return {**found, "supervisor": self.process.pid}

    def lines(self):
        """How many lines the source has read."""
        for line in self.control("status"):
            if line.startswith("status source ") and " lines=" in line:
                return int(line.split(" lines=")[1].split()[0])
        return -1


def login(address, user="anna"):
    return (f"dovecot: imap-login: Login: user=<{user}>, method=PLAIN, "
            f"rip={address}, lip=198.51.100.1, mpid=0, TLS, "
            f"session=<s{address}>")


class Rsyslog:
    """A real one, which writes into the pipe as the example says."""

    def __init__(self, where, rules):
        self.where = where
        (where / "rsyslog.conf").write_text(
            RSYSLOG.format(dir=where, rules=rules), encoding="utf-8")
        self.process = lab.Here().start(
            ["rsyslogd", "-n", "-f", where / "rsyslog.conf",
             "-i", where / "rsyslog.pid"], where / "rsyslogd.log")
        lab.wait_for((where / "log").exists, "rsyslog's socket")

    def send(self, message):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.settimeout(LIMIT)
            stamp = datetime.now().strftime("%b %e %H:%M:%S")
            sock.sendto(f"<22>{stamp} {message}".encode(),
                        str(self.where / "log"))


class Probe:
    def __init__(self, fifo, size=2000, pause=1):
        self.size, self.told = size, fifo.with_name("probe")
        self.told.write_bytes(bytes(16))
        self.popen = subprocess.Popen(
            [sys.executable, "-c", PROBE, str(fifo), str(size), str(pause),
             str(self.told)], stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL)
        assert self.popen.stdout.readline() == b"ready\n"

    def written(self):
        return struct.unpack("Qd", self.told.read_bytes())[0] * self.size

    def waits(self):
        """For how long the write has waited that is being made."""
        began = struct.unpack("Qd", self.told.read_bytes())[1]
        return time.monotonic() - began if began else 0

    def wait_written(self, more):
        """Until so many bytes more are written, or a write waits too long."""
        goal = self.written() + more
        lab.wait_for(lambda: self.written() >= goal or self.waits() > LIMIT,
                     f"{more} bytes are written", 60)

    def end(self):
        self.popen.terminate()
        told = json.loads(self.popen.communicate(timeout=lab.LIMIT)[0])
        print("probe:", told)
        return told

    def kill(self):
        if self.popen.poll() is None:
            self.popen.kill()
            self.popen.communicate()


def waiting(fd):
    return struct.unpack("i", ioctl(fd, FIONREAD, b"\0\0\0\0"))[0]


@pytest.fixture(name="started")
def make_started():
    """Whatever is put in here is killed at the end."""
    things = []
    yield things
    for thing in reversed(things):
        getattr(thing, "kill_all", getattr(thing, "kill", None))()


@pytest.fixture(name="site")
def make_site(place):
    daemon = Site(place)
    yield daemon
    daemon.stop()


@pytest.fixture(name="rsyslog")
def make_rsyslog(place, started):
    rules = (EXAMPLE / "rsyslog.conf").read_text(encoding="utf-8")
    assert PIPE in rules
    rsyslog = Rsyslog(place, rules.replace(PIPE, str(place / "fifo")))
    started.append(rsyslog.process)
    return rsyslog


def start_safety(place, started, *options):
    """As relaypassd's account would: without root it keeps its uid."""
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    safety = lab.Here().start(
        [lab.program("fifo-safety"), *user, *options, place / "fifo"],
        place / "fifo-safety.log")
    started.append(safety)
    lab.wait_for(lambda: "watching" in safety.output(), "fifo-safety starts")
    return safety


def start_probe(place, started, **kwargs):
    probe = Probe(place / "fifo", **kwargs)
    started.append(probe)
    return probe


def wait_lease(site, rsyslog, address):
    """Sends logins until one gives a lease: the first may come while nobody
    reads, and be thrown away."""
    def leased():
        rsyslog.send(login(address))
        return site.check(address).startswith("allow ")
    lab.wait_for(leased, f"a lease for {address}")


# --- rsyslog -----------------------------------------------------------------

@pytest.mark.needs("rsyslog")
def test_fifo_rsyslog_s_line_gives_leases(site, place, started, rsyslog):
    site.start()
    for i in range(1, 21):
        rsyslog.send(login(f"203.0.113.{i}"))
    rsyslog.send("postfix/smtpd[1]: " + login("203.0.113.66"))
    rsyslog.send("dovecot: lmtp(x): " + login("203.0.113.66"))
    for i in range(1, 21):
        site.wait_leased(f"203.0.113.{i}")
    assert site.check("203.0.113.66") == "none"
    mode = os.stat(place / "fifo").st_mode
    assert stat.S_ISFIFO(mode) and stat.S_IMODE(mode) == 0o600


@pytest.mark.needs("rsyslog")
def test_fifo_keeps_what_came_while_its_reader_restarted(
        site, place, started, rsyslog):
    site.start()
    rsyslog.send(login("203.0.113.1"))
    site.wait_leased("203.0.113.1")
    reader = site.processes()["reader"]
    os.kill(reader, signal.SIGSTOP)
    for i in range(2, 100):
        rsyslog.send(login(f"203.0.113.{i}"))
    os.kill(reader, signal.SIGKILL)
    for i in range(2, 100):
        site.wait_leased(f"203.0.113.{i}")


def test_fifo_reads_through_a_keeper_that_dies_again_and_again(site):
    site.start()
    fd = os.open(site.fifo, os.O_WRONLY)
    for i in range(1, 120):
        if i % 30 == 0:
            os.kill(site.processes()["keeper"], signal.SIGKILL)
        stamp = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        os.write(fd, f"{stamp} mx {login(f'203.0.113.{i}')}\n".encode())
    for i in range(1, 120):
        site.wait_leased(f"203.0.113.{i}")
    os.close(fd)


def test_fifo_loses_nothing_through_reloads(site):
    site.start()
    fd = os.open(site.fifo, os.O_WRONLY)

    def say(number):
        stamp = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        os.write(fd, f"{stamp} mx {login(f'203.0.113.{number}')}\n".encode())

    number = 0
    for reload in range(1, 5):
        site.write(site.text() + f"lease {{ ttl = \"{reload}h\" }}\n")
        site.process.signal(signal.SIGHUP)
        while site.text_of_log().count("relaypassd: reload") < reload:
            number += 1
            say(number % 200)
        for _ in range(10):
            number += 1
            say(number % 200)
    for i in range(max(number - 199, 1), number + 1):
        site.wait_leased(f"203.0.113.{i % 200}")
    os.close(fd)


# --- who dies, who stops -----------------------------------------------------

def flood_while(place, started, happen):
    """Floods the pipe (some MB a second) while something happens, and after
    it; the longest a write waited."""
    probe = start_probe(place, started)
    happen()
    probe.wait_written(FULL)
    told = probe.end()
    assert not told["waits"] or told["worst"] < LIMIT, told
    return told["worst"]


@pytest.mark.needs("rsyslog")
@pytest.mark.parametrize("role", ["keeper", "reader", "answerer",
                                  "supervisor"])
def test_fifo_no_write_waits_when_one_is_killed(
        site, place, started, rsyslog, role):
    site.start()
    start_safety(place, started)
    rsyslog.send(login("203.0.113.1"))
    site.wait_leased("203.0.113.1")
    before = site.processes()

    def happen():
        os.kill(before[role], signal.SIGKILL)

    worst = flood_while(place, started, happen)
    assert worst < LIMIT
    if role == "supervisor":
        lab.wait_for(lambda: not any(map(lab.is_running, before.values())),
                     "its children end, too")
        site.process = None
        site.start()
    wait_lease(site, rsyslog, "203.0.113.2")
    assert site.check("203.0.113.1").startswith("allow ")


@pytest.mark.needs("rsyslog")
@pytest.mark.parametrize("role", ["reader", "supervisor", "answerer"])
def test_fifo_no_write_waits_when_one_stops(
        site, place, started, rsyslog, role):
    site.start()
    start_safety(place, started)
    pid = site.processes()[role]
    worst = flood_while(place, started, lambda: os.kill(pid, signal.SIGSTOP))
    assert worst < LIMIT
    os.kill(pid, signal.SIGCONT)
    wait_lease(site, rsyslog, "203.0.113.2")


@pytest.mark.needs("rsyslog")
def test_fifo_no_write_waits_for_a_keeper_that_stops(
        site, place, started, rsyslog):
    """Without fifo-safety: the reader drains by itself."""
    site.start()
    before = site.processes()
    worst = flood_while(place, started,
                        lambda: os.kill(before["keeper"], signal.SIGSTOP))
    assert worst < LIMIT
    # What came meanwhile waits for it.
    rsyslog.send(login("203.0.113.2"))
    os.kill(before["keeper"], signal.SIGCONT)
    site.wait_leased("203.0.113.2")
    rsyslog.send(login("203.0.113.3"))
    site.wait_leased("203.0.113.3")


@pytest.mark.needs("rsyslog")
def test_fifo_no_write_waits_when_all_stop(site, place, started, rsyslog):
    site.start()
    safety = start_safety(place, started)
    site.processes()
    worst = flood_while(place, started, site.freeze)
    assert worst < LIMIT
    assert "nobody reads it" in safety.output()
    site.thaw()
    wait_lease(site, rsyslog, "203.0.113.2")
    lab.wait_for(lambda: "somebody reads it again" in safety.output() or
                 waiting_of(place) == 0, "the reader is back")


def waiting_of(place):
    fd = os.open(place / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    try:
        return waiting(fd)
    finally:
        os.close(fd)


@pytest.mark.needs("rsyslog")
def test_fifo_no_write_waits_when_all_are_dead(
        site, place, started, rsyslog):
    site.start()
    safety = start_safety(place, started)
    everybody = site.everybody()

    def happen():
        for pid in everybody:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    worst = flood_while(place, started, happen)
    assert worst < LIMIT
    assert "nobody reads it" in safety.output()
    site.process.wait()
    site.process = None
    # rsyslog goes on with everything else.
    mark = "dovecot: still here"
    rsyslog.send(mark)
    everything = place / "all.log"
    lab.wait_for(lambda: everything.exists() and "still here" in
                 everything.read_text(encoding="utf-8"),
                 "rsyslog writes its other files")
    site.start()
    wait_lease(site, rsyslog, "203.0.113.2")


# --- fifo-safety -------------------------------------------------------------

def test_fifo_safety_takes_nothing_beside_a_reader(site, place, started):
    """As fast as can be written: all lines reach relaypass."""
    site.start()
    safety = start_safety(place, started)
    probe = start_probe(place, started, size=150, pause=0)
    probe.wait_written(100 << 20)
    told = probe.end()
    lab.wait_for(lambda: site.lines() >= told["written"],
                 f"{told['written']} lines, of which {site.lines()} were read")
    # The last write may be done and not counted yet.
    assert site.lines() - told["written"] in (0, int(told["waits"]))
    assert "nobody reads it" not in safety.output()


def test_fifo_safety_leaves_whole_lines(place, started):
    os.mkfifo(place / "fifo", 0o600)
    safety = start_safety(place, started, "-t", "80")
    probe = start_probe(place, started, size=777, pause=0)
    lab.wait_for(lambda: "nobody reads it" in safety.output(), "it drains")
    probe.wait_written(FULL)
    fd = os.open(place / "fifo", os.O_RDWR | os.O_NONBLOCK)
    safety.signal(signal.SIGTERM)
    assert safety.wait() == 0
    probe.kill()
    text = os.read(fd, 1 << 20)
    os.close(fd)
    numbers = [int(line.split()[-2]) for line in text.split(b"\n")[:-1]
               if line.startswith(b"Nov 20 ")]
    assert text.startswith(b"Nov 20 ")
    # It threw away the oldest, and left what came last, without a hole.
    assert numbers[0] > 1000
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_fifo_safety_sees_a_reader_come_back(place, started):
    os.mkfifo(place / "fifo", 0o600)
    safety = start_safety(place, started, "-t", "80", "-l", "10")
    start_probe(place, started, size=500, pause=0)
    lab.wait_for(lambda: "nobody reads it" in safety.output(), "it drains")
    fd = os.open(place / "fifo", os.O_RDONLY)

    def read_all():
        os.read(fd, 1 << 16)
        return "somebody reads it again" in safety.output()

    lab.wait_for(read_all, "it sees the reader")
    os.close(fd)


def test_fifo_safety_tells_mistakes_with_its_exit_code(place, started):
    here = lab.Here()
    program = lab.program("fifo-safety")
    (place / "file").touch()
    os.mkfifo(place / "fifo", 0o600)
    os.symlink(place / "fifo", place / "link")
    for argv in ([], ["a", "b"], ["-x", "a"], ["-t", "5", place / "fifo"],
                 ["-l", "0", place / "fifo"], ["-l", "99", place / "fifo"],
                 ["-t", "1s", place / "fifo"]):
        done = here.run(program, *argv, check=False)
        assert done.returncode == 100 and "usage" in done.stdout, argv
    for path, why in (("none", "No such file"), ("file", "not a named pipe"),
                      ("link", "not a named pipe")):
        done = here.run(program, place / path, check=False)
        assert done.returncode == 100 and why in done.stdout, done.stdout
    if os.geteuid() == 0:
        done = here.run(program, "-u", "no-such-user", place / "fifo",
                        check=False)
        assert done.returncode == 100 and "no such user" in done.stdout
    # Another pipe in its place: whoever starts it starts it again.
    safety = start_safety(place, started)
    os.unlink(place / "fifo")
    assert safety.wait() == 111
    assert "another pipe" in safety.output()


# --- the examples, as they are -----------------------------------------------

RUN = lab.EXAMPLES / "run"
WAYS = {"daemontools": "supervise", "runit": "runsv"}


@pytest.fixture(name="machine", scope="module")
def make_machine(host):
    """A host with relaypassd and fifo-safety where the examples expect
    them, and a rsyslogd for them."""
    host.install()
    host.install_users()
    for name, built in (("relaypassd", "relaypassd-testclock"),
                        ("fifo-safety", "fifo-safety")):
        target = host.path(f"/usr/local/sbin/{name}")
        shutil.copy(lab.program(built), target)
        target.chmod(0o755)
    host.write("/etc/relaypass/relaypass.conf", (
        EXAMPLE / "relaypass.conf").read_text(encoding="utf-8"))
    host.write("/etc/test.conf", 'module(load="imuxsock")\n' + (
        EXAMPLE / "rsyslog.conf").read_text(encoding="utf-8"))
    host.start(["rsyslogd", "-n", "-f", "/etc/test.conf", "-i",
                "/run/rsyslogd.pid"], host.directory / "rsyslogd.log")
    lab.wait_for(host.path("/dev/log").exists, "rsyslog's socket")
    return host


def wait_example(machine, address, log="/dev/log"):
    # A syslogd that finds no pipe does not try again for half a minute.
    lab.wait_for(machine.path("/var/spool/relaypass-maillog").exists,
                 "the pipe")

    def leased():
        machine.run("logger", "-u", log, "-p", "mail.info", "-t", "dovecot",
                    login(address).partition(": ")[2])
        return lab.ask(machine.path("/run/relaypass/ask"),
                       address).startswith("allow ")
    lab.wait_for(leased, f"a lease for {address}")


def syslog_ng(machine):
    real.install(machine, "syslog-ng")
    machine.write("/etc/ng.conf", "@version: 3.38\n"
                  'source s_src { unix-dgram("/run/ng.log"); };\n' + (
                      EXAMPLE / "syslog-ng.conf").read_text(encoding="utf-8"))
    return ["syslog-ng", "-F", "--no-caps", "-f", "/etc/ng.conf", "-p",
            "/run/ng.pid", "-R", "/run/ng.persist", "-c", "/run/ng.ctl"]


def inetutils(machine):
    """Whole in itself: it is unpacked, not laid over anything."""
    debs = list((real.PACKAGES / "inetutils-syslogd").glob("inet*.deb"))
    if not debs:
        pytest.skip("needs inetutils-syslogd: tools/install-deps test")
    machine.run("dpkg-deb", "-x", debs[0], "/var/inetutils")
    machine.run("cp", EXAMPLE / "syslog.conf", "/etc/inetutils.conf")
    return ["/var/inetutils/usr/sbin/syslogd", "-n", "-f",
            "/etc/inetutils.conf", "-D", "/nonexistent", "-p",
            "/run/inetutils.log", "-P", "/run/inetutils.pid"]


SYSLOGDS = {"/run/ng.log": syslog_ng, "/run/inetutils.log": inetutils}


@pytest.fixture(name="bare")
def make_bare(tmp_path):
    """A host of its own, for packages that are laid over its files."""
    machine = lab.Host(tmp_path)
    yield machine
    machine.close()


@pytest.mark.namespaces
@pytest.mark.parametrize("log", SYSLOGDS)
def test_fifo_examples_of_other_syslogds(bare, log):
    argv = SYSLOGDS[log](bare)
    bare.install_users()
    bare.write("/etc/relaypass/relaypass.conf", (
        EXAMPLE / "relaypass.conf").read_text(encoding="utf-8"))
    relaypassd = bare.start([lab.program("relaypassd-testclock"), "-f"],
                            bare.directory / "relaypassd.log")
    # It makes the pipe, which a syslogd looks for when it starts.
    lab.wait_for(bare.path(PIPE).exists, "the pipe")
    syslogd = bare.start(argv, bare.directory / "syslogd.log")
    lab.wait_for(lambda: bare.path(log).exists() or not syslogd.running(),
                 "its socket")
    assert syslogd.running(), syslogd.output()
    wait_example(bare, "203.0.113.51", log)
    syslogd.signal(signal.SIGTERM)
    syslogd.wait()
    relaypassd.signal(signal.SIGTERM)
    assert relaypassd.wait() == 0, relaypassd.output()


def why_no(name):
    return None if shutil.which(name) else f"needs {name}"


@pytest.mark.namespaces
@pytest.mark.needs("rsyslog")
@pytest.mark.parametrize("way", [
    pytest.param(way, marks=pytest.mark.skipif(
        why_no(program) is not None, reason=str(why_no(program))))
    for way, program in WAYS.items()])
def test_fifo_examples_run_by_a_supervisor(machine, way):
    services = {}
    number = list(WAYS).index(way) + 1
    for name in ("relaypassd", "fifo-safety"):
        folder = f"/var/{way}/{name}"
        machine.run("mkdir", "-p", folder)
        machine.run("cp", RUN / way / name / "run", folder)
        services[name] = machine.start(
            [WAYS[way], folder], machine.directory / f"{way}-{name}.log")
    try:
        wait_example(machine, f"203.0.113.{number}")
        lab.wait_for(lambda: "watching" in services["fifo-safety"].output(),
                     "fifo-safety runs")
        # Both come back.
        for service in services.values():
            for pid in lab.children_of(service.pid):
                os.kill(pid, signal.SIGKILL)
        wait_example(machine, f"203.0.113.{number + 10}")
        lab.wait_for(lambda: services["fifo-safety"].output().count(
            "watching") > 1, "fifo-safety runs again")
    finally:
        for service in services.values():
            service.kill_all()
        machine.run("sh", "-c", "while pgrep -x relaypassd; do :; done")


@pytest.mark.namespaces
@pytest.mark.needs("rsyslog")
def test_fifo_examples_run_by_sysv_init(machine):
    scripts = [RUN / "sysv" / name for name in ("fifo-safety", "relaypassd")]
    for script in scripts:
        assert machine.run(script, "status", check=False).returncode == 3
        machine.run(script, "start")
        machine.run(script, "start")  # is no mistake
        machine.run(script, "status")
    wait_example(machine, "203.0.113.41")
    for script in scripts:
        machine.run(script, "restart")
    machine.run(scripts[1], "reload")
    wait_example(machine, "203.0.113.42")
    for script in reversed(scripts):
        machine.run(script, "stop")
        assert machine.run(script, "status", check=False).returncode == 3
        assert machine.run(script, "bogus", check=False).returncode == 2


@pytest.mark.namespaces
@pytest.mark.skipif(why_no("systemd-analyze") is not None,
                    reason="needs systemd-analyze")
def test_fifo_example_is_a_sound_systemd_unit(machine):
    unit = RUN / "systemd" / "fifo-safety.service"
    machine.run("cp", unit, "/etc/systemd/system/")
    done = machine.run("systemd-analyze", "verify", "--man=no",
                       "/etc/systemd/system/fifo-safety.service", check=False)
    assert "fifo-safety" not in done.stdout, done.stdout
