# SPDX-License-Identifier: ISC
"""POP3 and IMAP sessions that a test holds open, line by line, from a client's
machine: IDLE, odd user names, connections that break.
"""

import base64
import os
import select
import subprocess
import time

import lab

# Runs in the client's network namespace: standard input and output become the
# connection. Ends when either side does.
PIPE = """
import os, select, socket, sys
server, port, source = sys.argv[1:]
sock = socket.create_connection((server, int(port)), 20, (source, 0))
while True:
    ready = select.select([0, sock], [], [])[0]
    if sock in ready:
        data = sock.recv(65536)
        if not data or not os.write(1, data):
            break
    if 0 in ready:
        data = os.read(0, 65536)
        if not data:
            break
        sock.sendall(data)
"""


class Session:
    """One connection. `family` as Client.ends() takes it."""

    def __init__(self, client, port, family="ipv4"):
        ends = client.ends(family)
        self.popen = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "nsenter", "-t",
             str(client.popen.pid), "-n", "--", lab.PYTHON, "-c", PIPE,
             ends["server"], str(port), ends["source"]],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self.seen = b""

    def send(self, line):
        self.popen.stdin.write(line.encode("utf-8", "surrogateescape")
                               + b"\r\n")

    def line(self, limit=lab.LIMIT):
        """The next line of the server's, without its end."""
        end = time.monotonic() + limit
        while b"\n" not in self.seen:
            left = end - time.monotonic()
            ready = left > 0 and select.select([self.popen.stdout], [], [],
                                               left)[0]
            data = os.read(self.popen.stdout.fileno(), 65536) if ready else b""
            assert data, f"no line from the server; so far {self.seen!r}"
            self.seen += data
        line, _, self.seen = self.seen.partition(b"\n")
        return line.decode("utf-8", "surrogateescape").rstrip("\r")

    def expect(self, start):
        """Reads until a line that begins so; returns it."""
        while True:
            line = self.line()
            if line.startswith(start):
                return line
            assert not line.startswith(("1 NO", "1 BAD", "-ERR")), line

    def close(self):
        """Hangs up without a word."""
        self.popen.kill()
        self.popen.wait(lab.LIMIT)
        self.popen.stdin.close()
        self.popen.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def plain(user, password):
    """A user name may be anything this way."""
    return base64.b64encode(
        b"\0".join([b"", user.encode("utf-8", "surrogateescape"),
                    password.encode()])).decode()


class Imap(Session):
    def __init__(self, client, user, password="secret", port=143, **more):
        super().__init__(client, port, **more)
        self.expect("* OK")
        self.send(f"1 AUTHENTICATE PLAIN {plain(user, password)}")
        self.expect("1 OK")

    def idle(self):
        self.send("1 SELECT INBOX")
        self.expect("1 OK")
        self.send("1 IDLE")
        self.expect("+ ")

    def done(self):
        self.send("DONE")
        self.expect("1 OK")

    def logout(self):
        self.send("1 LOGOUT")
        self.expect("1 OK")
        self.close()


class Pop3(Session):
    def __init__(self, client, user, password="secret", port=110, **more):
        super().__init__(client, port, **more)
        self.expect("+OK")
        self.send(f"AUTH PLAIN {plain(user, password)}")
        self.expect("+OK")

    def idle(self):
        """Nothing is what a POP3 client can do meanwhile."""
        self.send("NOOP")
        self.expect("+OK")

    def done(self):
        pass

    def logout(self):
        self.send("QUIT")
        self.expect("+OK")
        self.close()


PROTOCOLS = {"imap": Imap, "pop3": Pop3}
