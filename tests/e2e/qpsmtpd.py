# SPDX-License-Identifier: ISC
"""The real qpsmtpd on a host, with Debian's configuration, contrib's plugin and
the files of examples/; and what stands for relaypass when it must misbehave."""

import contextlib
import os
import re
import socket
import threading

import lab
import servers_real

PORT = 25
ETC = "/etc/qpsmtpd"
PLUGINS = "/var/lib/qpsmtpd-plugins"  # /usr is another's here
QUEUE = "/var/spool/qpsmtpd/queue"
LOG = "/var/log/qpsmtpd/qpsmtpd.log"
NOTIFIED = "/var/spool/qpsmtpd/notified"
DATABASE = "/var/lib/qpsmtpd/maildb.sqlite"
ASK = "/run/relaypass/qpsmtpd"
SENDMAIL = f"""#!/bin/sh
{{ echo "$@"; cat; }} >{NOTIFIED}.new && mv {NOTIFIED}.new {NOTIFIED}
"""


# qpsmtpd looks up each client's name, whatever its options say, and waits long
# for a name server that is silent. This one says at once that there is none.
NO_NAMES = r"""
import socket
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("127.0.0.1", 53))
while True:
    data, peer = sock.recvfrom(4096)
    end = data.index(b"\0", 12) + 5
    sock.sendto(data[:2] + b"\x81\x83\0\1" + bytes(6) + data[12:end], peer)
"""


def example(name):
    return (lab.EXAMPLES / name).read_text(encoding="utf-8")


class Qpsmtpd:
    """qpsmtpd-forkserver; start() takes what differs from the examples."""

    def __init__(self, host):
        self.host = host
        self.process = None
        # Lies over this machine's own, if there is one.
        host.write(f"{host.base}/packages/usr/sbin/sendmail", SENDMAIL, 0o755)
        servers_real.install(host, "qpsmtpd")
        servers_real.add_system_user(host, "qpsmtpd")
        self.plugins = host.path(f"{ETC}/plugins").read_text(encoding="utf-8")
        host.write(f"{PLUGINS}/relaypass", (
            lab.TREE / "contrib" / "qpsmtpd" / "relaypass").read_text(
                encoding="utf-8"))
        host.write(f"{ETC}/plugin_dirs", example("qpsmtpd-plugin_dirs").replace(
            "/usr/local/share/relaypass/qpsmtpd", PLUGINS))
        host.write("/etc/resolv.conf", "nameserver 127.0.0.1\n")
        self.names = host.start([lab.PYTHON, "-c", NO_NAMES],
                                host.directory / "names.log")
        host.write(f"{ETC}/me", "mx.test.example\n")
        host.write(f"{ETC}/debian-rcpthosts", "test.example\n.sub.example\n")
        host.write(f"{ETC}/debian-queue-method", f"queue/maildir {QUEUE}\n")
        # SQLite follows links to the end: it cannot open host.path(DATABASE).
        self.database = host.directory / "database" / "maildb.sqlite"
        self.database.parent.mkdir()
        for place in (QUEUE, "/var/log/qpsmtpd", "/var/lib/qpsmtpd"):
            host.path(place).mkdir(parents=True, exist_ok=True)
        host.run("mount", "--bind", self.database.parent, "/var/lib/qpsmtpd")
        for place in (QUEUE, "/var/log/qpsmtpd", "/var/lib/qpsmtpd"):
            host.run("chown", "-R", "qpsmtpd:qpsmtpd", place)
        host.run("chown", "qpsmtpd:qpsmtpd", "/var/spool/qpsmtpd")
        host.path("/var/spool/qpsmtpd").chmod(0o700)

    def configure(self, plugin=None, alone=False, **files):
        """Debian's plugins with ours after check_relay, or alone, in its
        place. Two are left out: the
        early talkers' one costs a second each time, and Debian's check_loop
        never hears its limit and refuses every mail."""
        ours = plugin or example("qpsmtpd-plugins")
        text = re.sub(r"(?m)^check_(earlytalker|loop).*\n", "", self.plugins)
        new = re.sub("(?m)^check_relay$",
                     lambda m: ours if alone else f"{m[0]}\n{ours}", text)
        assert new != text
        self.host.write(f"{ETC}/plugins", new)
        for name in ("db_base", "db_relay", "norelayclients"):
            self.host.path(f"{ETC}/{name}").unlink(missing_ok=True)
        files = {"relayclients": "127.0.0.1\n", "badhelo": "", **files}
        for name, content in files.items():
            text, mode = content if isinstance(content, tuple) \
                else (content, 0o644)
            self.host.write(f"{ETC}/{name}", text, mode)
        for name in (NOTIFIED, "/var/spool/qpsmtpd/relaypass-notified", LOG):
            self.host.path(name).unlink(missing_ok=True)

    def launch(self, env=(), **config):
        self.configure(**config)
        log = self.host.directory / "qpsmtpd-stderr.log"
        log.write_text("")
        self.process = self.host.start(
            ["qpsmtpd-forkserver", "-u", "qpsmtpd", "-p", PORT, "-H",
             "-m", "50", "-c", "50"], log,
            env={**os.environ, "QPSMTPD_CONFIG": ETC, **dict(env)})

    def start(self, **config):
        self.launch(**config)
        lab.wait_for(lambda: self.host.listens(PORT) and "Running as user" in
                     self.log() or not self.process.running(),
                     "qpsmtpd listens")
        assert self.process.running(), self.output()
        return self

    def refused_start(self, **config):
        """What it says when it does not start."""
        self.launch(**config)
        try:
            code = self.process.wait()
        finally:
            self.stop()
        assert code != 0
        return self.output()

    def stop(self):
        if self.process is not None:
            self.process.kill_all()
            self.process = None
            lab.wait_for(lambda: not self.host.listens(PORT), "the port")

    def output(self):
        return (self.host.directory / "qpsmtpd-stderr.log").read_text(
            encoding="utf-8", errors="replace") + self.log()

    def log(self):
        file = self.host.path(LOG)
        return file.read_text(encoding="utf-8", errors="replace") \
            if file.exists() else ""

    def queued(self):
        """Subjects of the mail it has taken."""
        found = []
        for file in self.host.path(f"{QUEUE}/new").glob("*"):
            found += re.findall(r"(?m)^Subject: (.*)$",
                                file.read_text(encoding="utf-8"))
        return found

    def notified(self):
        file = self.host.path(NOTIFIED)
        return file.read_text(encoding="utf-8") if file.exists() else ""


@contextlib.contextmanager
def answering(host, *answer, path=ASK):
    """In relaypass's place: to each question these pieces of bytes, then the
    end of the connection. Yields the questions. None: it is never answered."""
    place = host.path(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.unlink(missing_ok=True)
    questions, kept = [], []

    def serve(listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            kept.append(client)
            questions.append(client.makefile("rb").readline().decode())
            if None in answer:
                continue
            with contextlib.suppress(OSError):
                for piece in answer:
                    client.sendall(piece)
            client.close()

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place))
        place.chmod(0o666)
        listener.listen(8)
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        try:
            yield questions
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(lab.LIMIT)
            for client in kept:
                client.close()
            place.unlink(missing_ok=True)


@contextlib.contextmanager
def full_backlog(host, path=ASK):
    """A socket that nobody accepts from, and no room left in its queue."""
    place = host.path(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.unlink(missing_ok=True)
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(str(place))
        place.chmod(0o666)
        listener.listen(0)
        while True:
            client = stack.enter_context(socket.socket(socket.AF_UNIX))
            client.setblocking(False)
            try:
                client.connect(str(place))
            except BlockingIOError:
                break
        yield
    place.unlink(missing_ok=True)
