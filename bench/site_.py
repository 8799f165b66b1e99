"""A relaypassd on a directory of its own, for the benchmarks."""
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

BUILD = Path(os.environ.get("RELAYPASS_BUILD", "build-bench"))
CONFIG = """
relaypass {{ directory = "{dir}/ledger" run-directory = "{dir}"
             pattern-directory = "" log-level = "error" answerers = {answerers} }}
lease     {{ ttl = "{ttl}" hold-sessions = "{hold}" }}
source   maillog {{ kind = "file" path = {{"{dir}/mail.log"}} }}
listener ask     {{ kind = "ask" listen = "unix:{dir}/ask" }}
listener run     {{ kind = "ask" listen = "unixgram:{dir}/run" }}
listener policy  {{ kind = "postfix-policy" listen = "unix:{dir}/policy" }}
"""


class Site:
    def __init__(self, ttl="1h", answerers=1, hold="no"):
        self.dir = Path(tempfile.mkdtemp(prefix="relaypass-bench-"))
        self.dir.chmod(0o755)
        self.log = open(self.dir / "mail.log", "ab", buffering=0)
        (self.dir / "relaypass.conf").write_text(
            CONFIG.format(dir=self.dir, ttl=ttl, answerers=answerers, hold=hold))
        self.daemon = None

    def start(self):
        """Starts the daemon; returns the seconds until it answers."""
        began = time.perf_counter()
        self.daemon = subprocess.Popen(
            [BUILD / "src/cmd/relaypassd", "-f", "-c",
             self.dir / "relaypass.conf"], stdin=subprocess.PIPE)
        while True:
            try:
                with Ask(self) as ask:
                    ask("192.0.2.1")
                return time.perf_counter() - began
            except OSError:
                if self.daemon.poll() is not None:
                    raise SystemExit("relaypassd ended at its start")
                time.sleep(0.0005)

    def control(self, line):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(self.dir / "control"))
            s.sendall(line.encode() + b"\n")
            data = b""
            while not (data.endswith(b"\n") and
                       data.rstrip(b"\n").rsplit(b"\n", 1)[-1]
                       .startswith((b"ok", b"no", b"error"))):
                part = s.recv(1 << 16)
                if not part:
                    break
                data += part
            return data.decode()

    def pids(self):
        rows = [dict(w.split("=", 1) for w in line.split() if "=" in w)
                for line in self.control("status").splitlines()
                if line.startswith("status process")]
        return {row["role"]: int(row["pid"]) for row in rows}

    def leases(self):
        for line in self.control("status").splitlines():
            if line.startswith("status ledger"):
                return int(line.split("leases=")[1].split()[0])
        return 0

    def stop(self):
        if self.daemon:
            self.daemon.send_signal(signal.SIGTERM)
            self.daemon.wait(30)
        self.daemon = None

    def close(self):
        self.stop()
        self.log.close()
        shutil.rmtree(self.dir)


class Ask:
    """One connection to the ask socket."""

    def __init__(self, site):
        self.socket = socket.socket(socket.AF_UNIX)
        try:
            self.socket.connect(str(site.dir / "ask"))
        except OSError:
            self.socket.close()
            raise

    def __call__(self, address):
        self.socket.sendall(f"check {address}\n".encode())
        reply = self.socket.recv(4096)
        if not reply:
            raise OSError("closed")
        return reply

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.socket.close()


def login_line(stamp, address, user, number):
    return (f"{stamp} mx dovecot: imap-login: Login: user=<{user}>, "
            f"method=PLAIN, rip={address}, lip=198.51.100.1, mpid=0, TLS, "
            f"session=<{number}>\n").encode()


def stamp_now():
    now = time.time()
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
    return f"{whole}.{int(now * 1e3) % 1000:03d}+00:00"
