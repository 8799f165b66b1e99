# SPDX-License-Identifier: ISC
"""Servers that are not what they seem, for tests of what connects to them: one
that says what a test tells it to, and a little of MariaDB's protocol."""

import contextlib
import os
import random
import socket
import struct
import threading


class Listener:
    """Takes connections and gives each to talk(sock), in a thread of its own.
    heard: all bytes that came."""

    def __init__(self, talk, path=None):
        self.talk = talk
        self.heard = b""
        self.taken = 0
        self.path = path
        self.sock = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        self.sock.bind(str(path) if path else ("127.0.0.1", 0))
        self.sock.listen(16)
        self.place = {"host": path} if path else {
            "host": "127.0.0.1", "port": self.sock.getsockname()[1]}
        self.open = []
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self.sock.accept()
                self.open.append(sock)
                self.taken += 1
                threading.Thread(target=self.serve, args=[sock],
                                 daemon=True).start()

    def serve(self, sock):
        with contextlib.suppress(OSError, EOFError):
            self.talk(self, sock)
        sock.close()

    def hear(self, sock, size=65536):
        data = sock.recv(size)
        self.heard += data
        if not data:
            raise EOFError
        return data

    def hear_all(self, sock):
        """Until the other end closes."""
        while True:
            self.hear(sock)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        # Wakes accept(), which close() does not.
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        for sock in [self.sock, *self.open]:
            sock.close()
        self.thread.join(10)


# What a client of MariaDB is told; numbers as in its protocol.
OK = b"\0\0\0\2\0\0\0"
END = b"\xfe\0\0\2\0"
STATISTICS, QUERY, QUIT = 9, 3, 1
CAPABILITIES = 0x1 | 0x8 | 0x80 | 0x200 | 0x2000 | 0x8000 | 0x80000
SCRAMBLE = b"abcdefghijklmnopqrst"


def packet(number, payload):
    return struct.pack("<I", len(payload))[:3] + bytes([number & 255]) + payload


def greeting(plugin="mysql_native_password", capabilities=CAPABILITIES):
    return packet(0, b"\x0a8.0.30-test\0" + struct.pack("<I", 7)
                  + SCRAMBLE[:8] + b"\0"
                  + struct.pack("<HBHHB", capabilities & 0xffff, 45, 2,
                                capabilities >> 16, len(SCRAMBLE) + 1)
                  + bytes(10) + SCRAMBLE[8:] + b"\0" + plugin.encode() + b"\0")


def word(text):
    return bytes([len(text)]) + text


def row_of(number, text):
    """A result with one column and one row."""
    column = b"".join(map(word, (b"def", b"", b"", b"", b"x", b"x"))) \
        + b"\x0c" + struct.pack("<HIBHBH", 45, 100, 0xfd, 0, 0, 0)
    parts = [b"\1", column, END, word(text), END]
    return b"".join(packet(number + i, part) for i, part in enumerate(parts))


class MariaDBTalk:
    """Takes every login, after switch(server, sock) if given; answers
    SELECT by answer(number) in place of a row."""

    def __init__(self, plugin="mysql_native_password", switch=None,
                 answer=None):
        self.plugin, self.switch, self.answer = plugin, switch, answer
        self.proofs = []

    def read(self, server, sock):
        head = b""
        while len(head) < 4:
            head += server.hear(sock, 4 - len(head))
        size = int.from_bytes(head[:3], "little")
        body = b""
        while len(body) < size:
            body += server.hear(sock, size - len(body))
        return head[3], body

    def prove(self, server, sock, plugin, number):
        """Asks for a proof by this plugin; keeps what comes."""
        sock.sendall(packet(number + 1, b"\xfe" + plugin.encode() + b"\0"
                            + SCRAMBLE + b"\0"))
        number, proof = self.read(server, sock)
        self.proofs.append(proof)
        return number

    def __call__(self, server, sock):
        sock.sendall(greeting(self.plugin))
        number, _ = self.read(server, sock)
        if self.switch:
            number = self.switch(self, server, sock, number)
        sock.sendall(packet(number + 1, OK))
        while True:
            number, body = self.read(server, sock)
            if not body:  # the end of a file
                sock.sendall(packet(number + 1, OK))
            elif body[0] == STATISTICS:
                sock.sendall(packet(1, b"Uptime: 5  Threads: 1"))
            elif body[0] == QUERY and body[1:].startswith(b"SELECT"):
                sock.sendall(self.answer(number + 1) if self.answer
                             else row_of(1, b"1"))
            elif body[0] == QUERY:
                sock.sendall(packet(1, OK))
            else:
                return


def random_bytes(seed, size):
    """The same for the same seed."""
    return random.Random(seed).randbytes(size)


def closes(server, sock):
    """Says nothing."""


def is_silent(server, sock):
    server.hear_all(sock)


def says(data):
    """Says that, and listens until the other end closes."""
    def talk(server, sock):
        sock.sendall(data)
        server.hear_all(sock)
    return talk


def says_after(data):
    """The same, once it was spoken to."""
    def talk(server, sock):
        server.hear(sock)
        sock.sendall(data)
        server.hear_all(sock)
    return talk


def says_and_closes(data):
    def talk(server, sock):
        sock.sendall(data)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                        struct.pack("ii", 1, 0))
    return talk


def floods(server, sock):
    """Without an end, faster than anybody reads."""
    data = os.urandom(1 << 16)
    while True:
        sock.sendall(data)
