# SPDX-License-Identifier: ISC
"""One server process of a test: how it starts, hangs, fails and ends. See
databases.py."""

import contextlib
import os
import pathlib
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile

import lab

LIMIT = 30  # seconds, for whatever a server does


def unless_away(condition):
    """A server that does not answer right now is one that is not right yet."""
    def asked():
        with contextlib.suppress(DatabaseError):
            return condition()
        return None
    return asked


class DatabaseError(Exception):
    """A statement or command failed; the text is the client's."""


def free_port(host="127.0.0.1"):
    """Below those that the kernel gives to clients, so that it is still free
    when the server comes back."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as sock:
            with contextlib.suppress(OSError):
                sock.bind((host, port))
                return port


def certificate(directory, names=("localhost", "db.example.org"),
                addresses=("127.0.0.1",)):
    """Makes ca.pem, server.pem and server.key."""
    directory = pathlib.Path(directory)

    def openssl(*argv):
        subprocess.run(["openssl", *argv], check=True, cwd=directory,
                       stderr=subprocess.DEVNULL, timeout=LIMIT)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", "-x509", *key, "-subj", "/CN=Test CA", "-days", "9",
            "-keyout", "ca.key", "-out", "ca.pem")
    openssl("req", "-new", *key, "-subj", f"/CN={names[0]}", "-keyout",
            "server.key", "-out", "server.csr")
    (directory / "server.ext").write_text("subjectAltName=" + ",".join(
        [f"DNS:{name}" for name in names]
        + [f"IP:{address}" for address in addresses]), encoding="ascii")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey",
            "ca.key", "-CAcreateserial", "-days", "9", "-extfile",
            "server.ext", "-out", "server.pem")
    for name in ("ca.key", "server.csr", "server.ext"):
        (directory / name).unlink()


def send(pids, number):
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


class Server:
    """One server process with everything it starts."""

    kind = ""
    account = ""       # whom it runs as when the tests run as root
    tools = ()
    usual_port = 0
    process_name = ""
    stop_signal = signal.SIGTERM

    def __init__(self, prefix=(), host="127.0.0.1", port=None, directory=None,
                 settings=None):
        """Settings: of the server's own configuration, by name. A `directory`
        of the caller's is kept."""
        self.prefix = [str(word) for word in prefix]
        self.host = host
        # A namespace of its own has all ports free.
        self.port = port or (self.usual_port if prefix else free_port(host))
        self.settings = dict(settings or {})
        self.given = directory is not None
        self.directory = pathlib.Path(
            directory or tempfile.mkdtemp(prefix="rp-", dir="/tmp"))
        self.directory.chmod(0o755)
        self.data = self.directory / "data"
        self.log = self.directory / f"{self.kind}.log"
        self.process = None
        self.pid = None
        self.prepared = False

    # What a kind of server says.

    def prepare(self):
        """Before the first start: files, empty databases."""

    def argv(self):
        raise NotImplementedError

    def answers(self):
        """True when it can be used."""
        raise NotImplementedError

    def fill(self):
        """After the first start: users, rights."""

    # The same for all.

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    def own(self, path):
        """Gives a file or an empty directory to the server's account."""
        if os.geteuid() == 0:
            shutil.chown(path, self.account, pwd.getpwnam(self.account).pw_gid)

    def make_data(self):
        self.data.mkdir(mode=0o700)
        self.own(self.data)

    def make_certificate(self):
        certificate(self.directory)
        for name in ("server.pem", "server.key"):
            self.own(self.directory / name)
            (self.directory / name).chmod(0o600)

    def as_account(self, argv):
        words = ["setpriv", "--pdeathsig", "KILL"]
        if os.geteuid() == 0:
            words += ["--reuid", self.account, "--regid",
                      str(pwd.getpwnam(self.account).pw_gid), "--init-groups"]
        return ["setpriv", "--pdeathsig", "KILL", *self.prefix, *words, "--",
                *[str(word) for word in argv]]

    def run(self, argv, stdin="", check=True, env=None):
        """Where the server is, but not as its account."""
        done = subprocess.run(
            [*self.prefix, *[str(word) for word in argv]], check=False,
            input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            encoding="utf-8", timeout=LIMIT, env={**os.environ, **(env or {})},
            cwd="/")
        if check and done.returncode != 0:
            raise DatabaseError((done.stderr or done.stdout).strip())
        return done

    def make(self, argv):
        """Runs what prepares the data, as the server's account."""
        with open(self.log, "ab") as log:
            done = subprocess.run(
                self.as_account(argv), check=False, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, cwd="/", timeout=2 * LIMIT)
        assert done.returncode == 0, self.output()

    def output(self):
        return self.log.read_text(encoding="utf-8", errors="replace")

    def find_pid(self):
        for pid in [self.process.popen.pid,
                    *lab.descendants_of(self.process.popen.pid)]:
            with contextlib.suppress(OSError):
                name = pathlib.Path(f"/proc/{pid}/comm").read_text("utf-8")
                if name.strip() == self.process_name:
                    return pid
        return None

    def launch(self):
        """Without waiting until it answers."""
        if not self.prepared:
            self.prepare()
        self.process = lab.Process(self.as_account(self.argv()), self.log,
                                   cwd="/")

    def wait_ready(self):
        def ready():
            if not self.process.running():
                raise AssertionError(
                    f"{self.kind} ended with {self.process.popen.returncode}"
                    f"\n{self.output()}")
            self.pid = self.find_pid()
            return self.pid is not None and self.answers()

        try:
            lab.wait_for(ready, f"{self.kind} answers", LIMIT)
        except AssertionError as err:
            raise AssertionError(f"{err}\n{self.output()}") from err

    def start(self):
        self.launch()
        self.wait_ready()
        if not self.prepared:
            self.prepared = True
            self.fill()
        return self

    def running(self):
        return self.process is not None and self.process.running()

    def everybody(self):
        """The outermost first."""
        pid = self.process.popen.pid
        return [pid, *lab.descendants_of(pid)]

    def inner(self):
        """The server and what it has started."""
        pid = self.find_pid()
        return [pid, *lab.descendants_of(pid)] if pid else self.everybody()

    def states(self):
        """Of everybody: letters as of proc(5)."""
        found = ""
        for pid in self.everybody():
            with contextlib.suppress(OSError):
                stat = pathlib.Path(f"/proc/{pid}/stat").read_text("latin-1")
                found += stat.rpartition(")")[2].split()[0]
        return found

    def stop(self):
        """In good order; also one that is paused."""
        if not self.running():
            return
        self.resume()
        send(self.inner()[:1], self.stop_signal)
        try:
            self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self):
        """As when the machine fails: nothing is said, nothing is saved."""
        if not self.running():
            return
        pids = self.everybody()
        # What stands before the server ends by itself, and buries it.
        send(self.inner(), signal.SIGKILL)

        def ended():
            send([self.process.popen.pid], signal.SIGCONT)
            return not self.process.running()

        lab.wait_for(ended, f"the end of {self.kind}")
        lab.wait_for(lambda: not any(map(lab.is_running, pids)),
                     f"the end of {self.kind}")

    def pause(self):
        """It hangs: connections stay, nothing is answered."""
        def paused():
            # Again, for what it has just started. nsenter stops together
            # with its child, a moment later.
            send(self.inner(), signal.SIGSTOP)
            return not self.states().strip("TZ")

        lab.wait_for(paused, f"{self.kind} is stopped")

    def resume(self):
        def resumed():
            send(self.everybody(), signal.SIGCONT)
            return "T" not in self.states()

        lab.wait_for(resumed, f"{self.kind} goes on")

    def restart(self):
        self.stop()
        return self.start()

    def close(self):
        self.kill()
        if not self.given:
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *exc):
        self.close()
