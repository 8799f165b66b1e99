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


class DatagramAnswerer:
    """The same for datagrams: the questions get `answers` in turn, and the last
    of them for ever; None is no answer."""

    def __init__(self, path, answers):
        self.path, self.answers = str(path), answers
        self.questions, self.senders = [], []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            question, sender = self.socket.recvfrom(4096)
            if question == b"end":
                return
            answer = self.answers[min(len(self.questions),
                                      len(self.answers) - 1)]
            self.questions.append(question)
            self.senders.append(sender)
            if answer is not None:
                self.say(answer, sender)

    def say(self, answer, sender):
        self.socket.sendto(answer, sender)

    def close(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            last.sendto(b"end", self.path)
        self.thread.join(10)
        self.socket.close()


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
