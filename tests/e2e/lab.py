# SPDX-License-Identifier: ISC
"""The machines of the end-to-end tests: a host with namespaces of its own, its
clients, and relaypassd. Everything ends with the test process, however that
ends; nothing outside a test's own directory is changed.
"""

import contextlib
import itertools
import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import sys
import sysconfig
import time

HERE = pathlib.Path(__file__).resolve().parent
TREE = HERE.parent.parent
BUILD = pathlib.Path(os.environ.get("RELAYPASS_BUILD", TREE / "build"))
EXAMPLES = TREE / "examples"


def modules_directory():
    """Of the usual prefix, and the libdir that the build has: meson takes the
    one of Debian's libraries only where dpkg-dev is installed."""
    libdir = f"lib/{sysconfig.get_config_var('MULTIARCH')}"
    told = BUILD / "meson-info" / "intro-buildoptions.json"
    if told.exists():
        libdir = next(option["value"] for option in json.loads(
            told.read_text(encoding="utf-8")) if option["name"] == "libdir")
    return f"/usr/local/{libdir}/relaypass"


MODULES = modules_directory()
PYTHON = sys.executable
LIMIT = 20  # seconds; a condition that is not met by then is a failure


def program(name):
    path = BUILD / "src" / "cmd" / name
    if not path.exists():
        raise FileNotFoundError(f"{path} is not built (RELAYPASS_BUILD)")
    return str(path)


def wait_for(condition, what, limit=LIMIT):
    """Returns the first true value of condition(). Polls, never just waits."""
    end = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {limit} s: {what}")
        time.sleep(0.01)


def children_of(pid):
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        text = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text(
            encoding="ascii")
        return [int(word) for word in text.split()]
    return []


def descendants_of(pid):
    found = []
    for child in children_of(pid):
        found += [child, *descendants_of(child)]
    return found


def is_running(pid):
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="latin-1")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return text.rpartition(")")[2].split()[0] not in "ZX"


class Process:
    """A started program, with its real pid even when nsenter stands before it,
    and its output in a file."""

    def __init__(self, argv, log, inside=False, **kwargs):
        self.log = pathlib.Path(log)
        with open(self.log, "ab") as out:
            self.popen = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                start_new_session=True, **kwargs)
        self.pid = self.popen.pid
        if inside:
            # A program that ends at once may never be seen.
            wait_for(lambda: children_of(self.popen.pid)
                     or self.popen.poll() is not None, "nsenter's child")
            self.pid = (children_of(self.popen.pid) or [self.popen.pid])[0]

    def output(self):
        return self.log.read_text(encoding="utf-8", errors="replace")

    def signal(self, number):
        os.kill(self.pid, number)

    def wait(self, limit=LIMIT):
        return self.popen.wait(limit)

    def running(self):
        return self.popen.poll() is None

    def kill_all(self):
        """For clean-up only: whatever is left of it."""
        for pid in [*descendants_of(self.popen.pid), self.popen.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.popen.wait(LIMIT)


class Here:
    """The machine the tests run on, for tests that need no other."""

    def path(self, path):
        return pathlib.Path(path)

    def command(self, argv):
        return [str(word) for word in argv]

    def run(self, *argv, check=True, **kwargs):
        kwargs.setdefault("stdin", subprocess.DEVNULL)
        kwargs.setdefault("timeout", LIMIT)
        done = subprocess.run(self.command(argv), check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              encoding="utf-8", errors="replace", **kwargs)
        if check and done.returncode != 0:
            raise AssertionError(
                f"{argv} ended with {done.returncode}:\n{done.stdout}")
        return done

    def start(self, argv, log, **kwargs):
        return Process(self.command(argv), log, **kwargs)


class Host(Here):
    """A small machine of its own: processes, mounts, network, name. Its /etc,
    /var, /home and /usr/local begin as this machine's and are its own."""

    V4, V6 = "203.0.113.1", "2001:db8::1"

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.base = self.directory / "root"
        self.base.mkdir()
        self.links = itertools.count()
        self.popen = subprocess.Popen(
            ["unshare", "--fork", "--kill-child", "--pid", "--mount", "--net",
             "--uts", "--ipc", "--propagation", "private", "--",
             PYTHON, str(HERE / "host_init.py"), str(self.base)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")
        if self.popen.stdout.readline().strip() != "ready":
            self.close()
            raise AssertionError("the test host does not start")
        self.pid = children_of(self.popen.pid)[0]
        self.processes = []

    def path(self, path):
        """Where a file of the host is seen from outside."""
        return pathlib.Path(f"/proc/{self.pid}/root{path}")

    def command(self, argv):
        return ["nsenter", "-t", str(self.pid), "-m", "-n", "-u", "-i", "-p",
                "--", *[str(word) for word in argv]]

    def start(self, argv, log, **kwargs):
        process = Process(self.command(argv), log, inside=True, **kwargs)
        self.processes.append(process)
        return process

    def daemon(self, *argv):
        """Runs what goes to the background and may keep its output."""
        log = self.directory / "daemons.log"
        process = self.start(argv, log)
        assert process.wait() == 0, process.output()

    def write(self, path, text, mode=0o644):
        file = self.path(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        file.chmod(mode)

    def listens(self, port):
        """On any IPv4 or IPv6 address."""
        for name in ("tcp", "tcp6"):
            with open(f"/proc/{self.pid}/net/{name}", encoding="ascii") as net:
                for line in net:
                    words = line.split()
                    if words[1].endswith(f":{port:04X}") and words[3] == "0A":
                        return True
        return False

    def add_user(self, name, password="", home=None):
        hashed = self.run("openssl", "passwd", "-6", password).stdout.strip() \
            if password else "!"
        home = home or f"/home/{name}"
        self.run("useradd", "--create-home", "--home-dir", home, "--password",
                 hashed, "--shell", "/usr/sbin/nologin", name)

    def install(self):
        """Puts the built programs where `meson install` puts them."""
        for name, place in (("relaypass", "bin"), ("relaypass-run", "bin"),
                            ("relaypassd-testclock", "sbin")):
            target = self.path(f"/usr/local/{place}/{name}")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(program(name), target)
            target.chmod(0o755)
        modules = self.path(MODULES)
        modules.mkdir(parents=True, exist_ok=True)
        for module in (BUILD / "src" / "modules").glob("*.so"):
            shutil.copy(module, modules)

    def install_users(self):
        """The accounts that relaypassd's processes become."""
        self.run(TREE / "tools" / "make-accounts")

    def close(self):
        with contextlib.suppress(ProcessLookupError):
            self.popen.kill()
        self.popen.wait(LIMIT)
        for pipe in (self.popen.stdin, self.popen.stdout):
            pipe.close()


class Client:
    """Another machine, wired to a host; obeys agent.py's verbs as methods."""

    def __init__(self, host, v4=None, v6=None):
        self.host, self.v4, self.v6 = host, v4, v6
        self.popen = subprocess.Popen(
            ["unshare", "--net", "--", PYTHON, str(HERE / "agent.py")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")
        assert json.loads(self.popen.stdout.readline())["ready"]
        link = f"client{next(host.links)}"
        # Both ends are born where they belong: nothing appears out here.
        subprocess.run(
            ["ip", "link", "add", "name", link, "netns", str(host.pid), "type",
             "veth", "peer", "name", "eth0", "netns", str(self.popen.pid)],
            check=True)
        self.wire(link)

    def ip(self, *argv):
        subprocess.run(["nsenter", "-t", str(self.popen.pid), "-n", "--", "ip",
                        *argv], check=True)

    def wire(self, link):
        """Addresses and routes, one host at each end, no gateway."""
        host = self.host
        host.run("ip", "link", "set", link, "up")
        self.ip("link", "set", "lo", "up")
        self.ip("link", "set", "eth0", "up")
        if self.v4:
            host.run("ip", "addr", "add", host.V4 + "/32", "dev", link)
            host.run("ip", "route", "add", self.v4 + "/32", "dev", link)
            self.ip("addr", "add", self.v4 + "/32", "dev", "eth0")
            self.ip("route", "add", host.V4 + "/32", "dev", "eth0")
        if self.v6:
            host.run("ip", "-6", "addr", "add", host.V6 + "/128", "dev", link,
                     "nodad")
            host.run("ip", "-6", "route", "add", self.v6 + "/128", "dev", link)
            self.ip("-6", "addr", "add", self.v6 + "/128", "dev", "eth0",
                    "nodad")
            self.ip("-6", "route", "add", host.V6 + "/128", "dev", "eth0")

    def ask(self, verb, **request):
        self.popen.stdin.write(json.dumps({"verb": verb, **request}) + "\n")
        self.popen.stdin.flush()
        answer = json.loads(self.popen.stdout.readline())
        if "error" in answer:
            raise AssertionError(f"{verb} {request}: {answer['error']}")
        return answer

    def __getattr__(self, verb):
        if verb.startswith("_"):
            raise AttributeError(verb)
        return lambda **request: self.ask(verb, **request)

    def ends(self, family):
        """Keyword arguments: the host's and this client's address."""
        if family == "ipv6":
            return {"server": self.host.V6, "source": self.v6}
        return {"server": self.host.V4, "source": self.v4}

    def close(self):
        self.popen.stdin.close()
        self.popen.kill()
        self.popen.wait(LIMIT)
        self.popen.stdout.close()


class Clock:
    """relaypassd-testclock's clock: what is added to the real ones."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.set(0)

    def set(self, wall_ms, boot_ms=None, boot_id=""):
        boot_ms = wall_ms if boot_ms is None else boot_ms
        data = struct.pack("<qq37s11x", wall_ms, boot_ms, boot_id.encode())
        if not self.path.exists():
            self.path.write_bytes(data)
        with open(self.path, "r+b") as file:  # never shorter: it is mapped
            file.write(data)

    def advance(self, ms):
        wall, boot = struct.unpack("<qq", self.path.read_bytes()[:16])
        self.set(wall + ms, boot + ms)


def ask(path, address, limit=5):
    """One question at the ask socket; the answer line, "" for none."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(limit)
        try:
            sock.connect(str(path))
            sock.sendall(f"check {address}\n".encode())
            return sock.makefile("rb").readline().decode().rstrip("\n")
        except OSError:
            return ""


class Relaypassd:
    """A relaypassd of the test's own, with its clock. `text` is the
    configuration; listener `ask` must be at `socket`."""

    def __init__(self, host, directory, text, socket_path="/run/relaypass/ask",
                 config="/etc/relaypass/relaypass.conf"):
        self.host, self.directory = host, pathlib.Path(directory)
        self.socket_path, self.config = socket_path, config
        self.clock = Clock(self.directory / "clock")
        self.log = self.directory / "relaypassd.log"
        self.process = None
        self.write(text)

    def write(self, text):
        file = self.host.path(self.config)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def argv(self):
        return [program("relaypassd-testclock"), "-f", "-c", self.config]

    def environment(self):
        return {**os.environ, "RELAYPASS_TEST_CLOCK": str(self.clock.path)}

    def launch(self):
        self.process = self.host.start(self.argv(), self.log,
                                       env=self.environment())

    def start(self):
        self.launch()
        self.wait(self.ready, "relaypassd answers")
        return self

    def ready(self):
        if not self.process.running():
            raise AssertionError(
                f"relaypassd ended with {self.process.popen.returncode}")
        return self.check("192.0.2.254") == "none"

    def check(self, address):
        return ask(self.host.path(self.socket_path), address)

    def wait(self, condition, what, limit=LIMIT):
        """As wait_for(); what relaypassd wrote is shown with a failure."""
        try:
            wait_for(condition, what, limit)
        except AssertionError as err:
            raise AssertionError(f"{err}\n{self.process.output()}") from err

    def wait_leased(self, address, limit=LIMIT):
        self.wait(lambda: self.check(address).startswith("allow "),
                  f"a lease for {address}", limit)

    def wait_log(self, text):
        self.wait(lambda: text in self.process.output(), text)

    def everybody(self):
        return [self.process.pid, *descendants_of(self.process.pid)]

    def freeze(self):
        for pid in self.everybody():
            os.kill(pid, signal.SIGSTOP)

    def thaw(self):
        # nsenter stops together with its child.
        for pid in [self.process.popen.pid, *self.everybody()]:
            os.kill(pid, signal.SIGCONT)

    def stop(self):
        """In good order; fails when a process outlives it."""
        if self.process is None:
            return
        process, self.process = self.process, None
        if not process.running():
            return
        pids = [process.pid, *descendants_of(process.pid)]
        process.signal(signal.SIGTERM)
        try:
            code = process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill_all()
            raise AssertionError(
                f"relaypassd does not stop\n{process.output()}") from None
        left = [pid for pid in pids if is_running(pid)]
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        assert not left, f"left over: {left}\n{process.output()}"
        assert code == 0, f"relaypassd ended with {code}\n{process.output()}"
