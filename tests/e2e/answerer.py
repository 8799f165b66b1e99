# SPDX-License-Identifier: ISC
"""A stand-in for relaypassd's ask socket, which answers whatever a test wants."""

import contextlib
import socket
import threading
import time


class Answerer:
    """A stand-in for relaypassd: `behave` is called with each connection."""

    def __init__(self, path, behave):
        self.path, self.behave, self.questions = str(path), behave, []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(16)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                with connection, contextlib.suppress(OSError):
                    self.behave(self, connection)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(10)


def says(*pieces):
    def behave(answerer, connection):
        answerer.questions.append(connection.recv(4096))
        for piece in pieces:
            connection.sendall(piece)
    return behave


def hangs(answerer, connection):
    answerer.questions.append(connection.recv(4096))
    connection.recv(1)  # until the other side goes


def drips(answerer, connection):
    answerer.questions.append(connection.recv(4096))
    for byte in b"allow ttl=1800":
        connection.sendall(bytes([byte]))
        time.sleep(0.2)
