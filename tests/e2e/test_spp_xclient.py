# SPDX-License-Identifier: ISC
"""relaypass-spp in front of a server behind TCP that is not as it should be: a
script stands for Postfix, which would not do these things (for the real one see
test_spp_servers.py)."""

import contextlib
import os
import socket
import subprocess
import threading

import pytest

import test_spp_dialogues as dialogues

EHLO = "250-mx\r\n250-XCLIENT ADDR PORT LOGIN\r\n250-AUTH PLAIN\r\n250 SIZE 0"


class Server:
    """Answers by verb. `greetings`: of one connection after another; `extra`:
    verb -> what follows its reply at once."""

    def __init__(self, greetings=("220 mx",), ehlo=EHLO, extra=None):
        self.greetings, self.ehlo = greetings, ehlo
        self.extra = extra or {}
        self.heard = []  # a list of lines for each connection
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.place = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                with client, client.makefile("rb") as file:
                    self.talk(client, file)

    def talk(self, client, file):
        number = min(len(self.heard), len(self.greetings) - 1)
        lines = []
        self.heard.append(lines)
        client.sendall(self.greetings[number].encode() + b"\r\n")
        for line in file:
            lines.append(line.decode().rstrip("\r\n"))
            verb = lines[-1].split(" ")[0].upper()
            reply = {"EHLO": self.ehlo, "XCLIENT": "220 mx again",
                     "AUTH": "235 ok", "QUIT": "221 bye",
                     "DATA": "354 go"}.get(verb, f"250 ok {verb}")
            with contextlib.suppress(OSError):
                client.sendall((reply + "\r\n" +
                                self.extra.get(verb, "")).encode())
            if verb == "QUIT":
                return

    def close(self):
        # accept() in the thread is woken by this only.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(dialogues.LIMIT)


@pytest.fixture(name="begin")
def make(tmp_path):
    home = dialogues.Home(tmp_path)
    home.write("local", "test.example\n")
    with contextlib.ExitStack() as stack:
        def begin(server, plugins="", close_stderr=False):
            stack.callback(server.close)
            home.write("control/smtpplugins", plugins)
            ours, theirs = socket.socketpair()
            argv = [str(dialogues.program()), f"--home={tmp_path}",
                    f"--local-domains={tmp_path}/local", "--socket=/none",
                    "--relay-login=relaypass", "--auth-without-tls",
                    f"--connect={server.place}"]
            if close_stderr:
                argv = ["sh", "-c", 'exec "$@" 2>&-', "sh", *argv]
            process = subprocess.Popen(argv, stdin=theirs, stdout=theirs,
                                       env=home.environ(()))
            theirs.close()

            def end():
                ours.close()
                process.wait(dialogues.LIMIT)

            stack.callback(end)
            return dialogues.Talk(ours)
        yield begin


def test_who_logs_in_stays_who_he_is(begin):
    server = Server()
    talk = begin(server)
    talk.line()
    talk.ask("EHLO client.example")
    assert talk.ask("AUTH PLAIN AGJvYgBzZWNyZXQ=")[-1].startswith("235 ")
    talk.ask("MAIL FROM:<a@test.example>")
    assert talk.ask("RCPT TO:<b@test.example>")[-1].startswith("250 ")
    assert talk.ask("RCPT TO:<b@foreign.example>")[-1].startswith("250 ")
    talk.ask("QUIT")
    assert len(server.heard) == 1
    assert not [line for line in server.heard[0] if "LOGIN=" in line]


def test_o_says_all_again_in_another_connection(begin):
    server = Server()
    talk = begin(server, "[rcpt]\n:echo O\n")
    talk.line()
    talk.ask("EHLO client.example")
    talk.ask("MAIL FROM:<a@elsewhere.example>")
    assert talk.ask("RCPT TO:<b@foreign.example>")[-1].startswith("250 ")
    talk.ask("RSET")
    # What was offered is still so.
    assert talk.ask("AUTH PLAIN AGJvYgBzZWNyZXQ=")[-1].startswith("235 ")
    talk.ask("QUIT")
    assert server.heard[1][1:5] == [
        "XCLIENT ADDR=192.0.2.7 NAME=[UNAVAILABLE] LOGIN=relaypass",
        "EHLO client.example", "MAIL FROM:<a@elsewhere.example>",
        "RCPT TO:<b@foreign.example>"]


def test_a_second_greeting_that_says_no(begin):
    server = Server(["220 mx", "554 no"])
    talk = begin(server, "[rcpt]\n:echo O\n")
    talk.line()
    talk.ask("EHLO client.example")
    talk.ask("MAIL FROM:<a@elsewhere.example>")
    assert talk.ask("RCPT TO:<b@foreign.example>")[-1].startswith("421 ")
    assert server.heard[1] == []


@pytest.mark.parametrize("ehlo", ["250 mx", "250-mx\r\n250 XCLIENT NAME",
                                  "500 no"])
def test_without_xclient_nothing_is_said(begin, ehlo):
    server = Server(ehlo=ehlo)
    talk = begin(server)
    assert talk.line().startswith("421 ")
    assert len(server.heard[0]) == 1


@pytest.mark.parametrize("verb", ["MAIL", "NOOP", "DATA"])
def test_one_reply_too_many(begin, verb):
    """Nobody could tell any more which reply is whose."""
    server = Server(extra={verb: "250 another\r\n"})
    talk = begin(server)
    talk.line()
    for line in ("EHLO x", "NOOP", "MAIL FROM:<a@elsewhere.example>",
                 "RCPT TO:<b@test.example>", "DATA", "x\r\n."):
        reply = talk.ask(line)[-1]
        if reply.startswith("421 "):
            break
    assert reply.startswith("421 ")
    talk.end()


def test_no_standard_error(begin):
    """What would be logged does not go to the server."""
    server = Server(extra={"NOOP": "500 what\r\n"})
    talk = begin(server, "[helo]\n:exit 120\n", close_stderr=True)
    talk.line()
    assert talk.ask("HELO x")[-1].startswith("451 ")
    talk.send(b"NOOP\r\nQUIT\r\n")
    while talk.receive():
        pass
    assert not [line for line in server.heard[0] if "relaypass-spp:" in line]


def test_environment_is_not_needed():
    """Called without a client: an answer, and no crash."""
    done = subprocess.run([str(dialogues.program()), "--home=/nonexistent",
                           "/bin/true"], env={"PATH": os.environ["PATH"]},
                          check=False, capture_output=True)
    assert done.returncode == 1 and done.stdout.startswith(b"421 ")
