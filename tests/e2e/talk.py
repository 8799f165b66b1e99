# SPDX-License-Identifier: ISC
"""A plain client of any socket, on a test host or on one of its clients. As a
program it runs there and does what it is told on stdin, one JSON object a line;
Talker is its other end, in the test.
"""

import json
import pathlib
import socket
import subprocess
import sys

TIMEOUT = 20
KINDS = {
    "tcp": (socket.AF_INET, socket.SOCK_STREAM),
    "udp": (socket.AF_INET, socket.SOCK_DGRAM),
    "tcp6": (socket.AF_INET6, socket.SOCK_STREAM),
    "udp6": (socket.AF_INET6, socket.SOCK_DGRAM),
    "unix": (socket.AF_UNIX, socket.SOCK_STREAM),
    "unixgram": (socket.AF_UNIX, socket.SOCK_DGRAM),
}


class Talker:
    """argv: what runs a program where it is to talk."""

    def __init__(self, argv):
        self.popen = subprocess.Popen(
            [*argv, sys.executable, str(pathlib.Path(__file__).resolve())],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")

    @classmethod
    def on_client(cls, client):
        return cls(["nsenter", "-t", str(client.popen.pid), "-n", "--"])

    @classmethod
    def on_host(cls, host, user=None):
        become = ["setpriv", f"--reuid={user}", "--clear-groups"] \
            if user else []
        return cls(host.command(become))

    def do(self, verb, **request):
        self.popen.stdin.write(json.dumps({"verb": verb, **request}) + "\n")
        self.popen.stdin.flush()
        answer = json.loads(self.popen.stdout.readline())
        if "error" in answer:
            raise OSError(answer["error"])
        return answer["result"]

    def open(self, kind, *place):
        """Number of a new socket that is connected to place."""
        return self.do("open", kind=kind, place=place)

    def say(self, number, data):
        self.do("say", number=number, data=data.hex())

    def hear(self, number, limit=5):
        """What comes; b"" at the end of a stream, None when nothing does."""
        data = self.do("hear", number=number, limit=limit)
        return data if data is None else bytes.fromhex(data)

    def ask(self, number, data, limit=5):
        self.say(number, data)
        return self.hear(number, limit)

    def shut(self, number):
        """Says no more, and still hears."""
        self.do("shut", number=number)

    def close(self, number=None):
        if number is not None:
            self.do("close", number=number)
            return
        self.popen.stdin.close()
        self.popen.wait(TIMEOUT)
        self.popen.stdout.close()


SOCKETS = []


def do_open(kind, place):
    family, how = KINDS[kind]
    sock = socket.socket(family, how)
    sock.settimeout(TIMEOUT)
    if kind == "unixgram":
        sock.bind("")  # a name, to be answered at
    sock.connect(place[0] if family == socket.AF_UNIX else tuple(place))
    SOCKETS.append(sock)
    return len(SOCKETS) - 1


def do_say(number, data):
    SOCKETS[number].sendall(bytes.fromhex(data))


def do_hear(number, limit):
    SOCKETS[number].settimeout(limit)
    try:
        return SOCKETS[number].recv(65536).hex()
    except TimeoutError:
        return None
    except ConnectionResetError:
        return ""
    finally:
        SOCKETS[number].settimeout(TIMEOUT)


def do_shut(number):
    SOCKETS[number].shutdown(socket.SHUT_WR)


def do_close(number):
    SOCKETS[number].close()


VERBS = {"open": do_open, "say": do_say, "hear": do_hear, "shut": do_shut,
         "close": do_close}


def main():
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"result": VERBS[request.pop("verb")](**request)}
        except OSError as err:
            answer = {"error": str(err)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
