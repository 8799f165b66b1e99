# SPDX-License-Identifier: ISC
"""One relaypassd on this machine, in a directory of its own, with its log. A test
module takes the fixtures that it needs, or makes its own:

    from site1 import make_place, make_still  # noqa: F401 (fixtures)

    def test_it(still):
        still.write(still.text(lease='hold-sessions = "no"'))
        still.start()
"""

import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import urllib.parse
from datetime import datetime, timezone

import pytest

import lab

CONFIG = """
relaypass {{ directory = "{dir}/ledger" run-directory = "{dir}"
             pattern-directory = "" answerers = 2 child-timeout = "1s"
             control-group = "{group}" map-size = "1M" }}
lease     {{ ttl = "{ttl}" {lease} }}
source   maillog {{ kind = "file" path = {{"{dir}/mail.log"}} }}
listener ask     {{ kind = "ask" listen = "unix:{dir}/ask"
                    group = "{group}" }}
{more}
"""
GROUP = "root" if os.geteuid() == 0 else "nogroup"


@contextlib.contextmanager
def directory():
    """The accounts of relaypassd must get into it, so not below pytest's."""
    where = pathlib.Path(tempfile.mkdtemp(prefix="relaypass-e2e-"))
    where.chmod(0o755)
    try:
        yield where
    finally:
        shutil.rmtree(where)


class Site(lab.Relaypassd):
    """One relaypassd in a directory of its own, with its log."""

    def __init__(self, where, before=()):
        self.where, self.before, self.number = where, list(before), 0
        self.settings = {"ttl": "1h", "lease": "", "more": ""}
        (where / "mail.log").touch()
        super().__init__(lab.Here(), where, self.text(), where / "ask",
                         str(where / "relaypass.conf"))

    def text(self, **settings):
        self.settings.update(settings)
        return CONFIG.format(dir=self.where, group=GROUP, **self.settings)

    def argv(self):
        return [*self.before, *super().argv()]

    def login(self, address, user="anna"):
        self.number += 1
        stamp = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        with open(self.where / "mail.log", "ab", buffering=0) as log:
            log.write(f"{stamp} mx dovecot: imap-login: Login: user=<{user}>, "
                      f"method=PLAIN, rip={address}, lip=198.51.100.1, "
                      f"mpid=0, TLS, session=<s{self.number}>\n".encode())

    def control(self, line):
        """The reply lines of the keeper; [] when it is away."""
        text = b""
        with contextlib.suppress(OSError), \
                socket.socket(socket.AF_UNIX) as s:
            s.settimeout(5)
            s.connect(str(self.where / "control"))
            s.sendall(line.encode() + b"\n")
            s.shutdown(socket.SHUT_WR)
            while part := s.recv(1 << 16):
                text += part
        return text.decode().splitlines()

    def children(self):
        """{"keeper -": pid, "answerer 1": pid, ...}"""
        rows = [dict(w.split("=", 1) for w in line.split()[2:])
                for line in self.control("status")
                if line.startswith("status process ")]
        return {f"{r['role']} {r['name']}": int(r["pid"]) for r in rows}

    def wait_children(self, but=()):
        """Until all four are there and answer, none of these among them."""
        def good():
            now = self.children()
            return now if len(now) == 4 and not set(now.values()) & set(but) \
                else None
        return lab.wait_for(good, f"four processes, none of {but}")

    def leased(self, address):
        return self.check(address).startswith("allow ")

    def wait_none(self, address, limit=lab.LIMIT):
        self.wait(lambda: self.check(address) == "none",
                  f"no lease for {address}", limit)

    def trouble(self, word, name):
        """What `status` says is wrong with the source, or export, of that
        name; "": nothing. None: the keeper is away."""
        for line in self.control("status"):
            if line.startswith(f"status {word} name={name} "):
                return urllib.parse.unquote(line.partition(" trouble=")[2])
        return None

    def relaypass(self, *words, code=0):
        """What a verb says."""
        done = subprocess.run(
            [lab.program("relaypass"), "-c", self.config, words[0], "-s",
             str(self.where / "control"), *words[1:]], check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            encoding="utf-8", timeout=lab.LIMIT)
        assert done.returncode == code, done.stdout
        return done.stdout

    def test_configuration(self):
        """What `relaypassd -t` says, and its exit code."""
        done = subprocess.run(
            [*self.argv(), "-t"], check=False, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, encoding="utf-8", timeout=lab.LIMIT,
            env=self.environment())
        return done.returncode, done.stdout

    def wait_refused(self):
        """Started, it ends; a start that a busy database let pass, for its
        process waits for an answer, is tried again."""
        for _ in range(3):
            self.launch()
            with contextlib.suppress(subprocess.TimeoutExpired):
                assert self.process.wait() == 100, self.errors()
                self.process = None
                return
            self.stop()
        raise AssertionError(f"it is not refused\n{self.errors()}")

    def errors(self):
        return self.log.read_text(encoding="utf-8", errors="replace")

    def wait_error(self, text):
        try:
            lab.wait_for(lambda: text in self.errors(), text)
        except AssertionError as err:
            raise AssertionError(f"{err}\n{self.errors()}") from err


@pytest.fixture(name="place")
def make_place():
    with directory() as where:
        yield where


@pytest.fixture(name="still")
def make_still(place):
    """A site that the test itself starts."""
    daemon = Site(place)
    yield daemon
    daemon.stop()


@pytest.fixture(name="site")
def make_site(still):
    still.start()
    return still
