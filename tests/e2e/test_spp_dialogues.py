# SPDX-License-Identifier: ISC
"""What a client says to relaypass-spp, and what it hears: tests/spp/dialogues,
a file each. Behind is tests/spp/smtpd.c, for Debian has no qmail-smtpd.

A file is sections, "== name": `env` (NAME=VALUE; "-NAME" unsets), `options`
(one a line), `plugins` (control/smtpplugins), `file PATH` (executable, below
home), `remove` (paths below it), `talk`, and what is expected after it:
`envelope`, `message` (the last queued one), `environ` (of its queue program:
NAME=VALUE, "-NAME"), `log` (a line is part of one of stderr's), `nothing` (no
message was queued), `exit` (the code, 0 otherwise).

In `talk` lines begin with
    C: what the client sends, with CR LF    c: the same, Python's escapes, bare
    S: what it must hear, all of it         s: the same, a regular expression
    X  the client hangs up                  E  the server must have hung up
    W  what was sent has been read
C lines without an S line between them are sent at once."""

import codecs
import fcntl
import functools
import json
import os
import re
import socket
import subprocess
import sys
import termios

import pytest

import lab

DIALOGUES = sorted((lab.TREE / "tests" / "spp" / "dialogues").glob("*.txt"))
KNOWN = {"env", "options", "plugins", "remove", "talk", "envelope", "message",
         "environ", "log", "nothing", "exit"}
# What valgrind and the sanitizers can look into: not static.
DYNAMIC = lab.BUILD / "src/cmd/relaypass-spp-dynamic"
LIMIT = 10
QUEUE = """#!/bin/sh
exec 3<&1
cat >queue/part
tr '\\000' '\\n' <&3 >queue/envelope
[ -s queue/envelope ] || exit 91
env >queue/environ
mv queue/part queue/message
"""


def read_sections(path):
    sections, name = {}, None
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("== "):
            name = line[3:].strip()
            assert name in KNOWN or name.startswith("file "), name
            assert name not in sections, name
            sections[name] = []
        elif name:
            sections[name].append(line)
    return sections


@functools.cache
def has_sanitizers():
    options = json.loads((lab.BUILD / "meson-info/intro-buildoptions.json")
                         .read_text(encoding="utf-8"))
    # A word, or a list of them.
    return [option["value"] for option in options
            if option["name"] == "b_sanitize"][0] not in ("none", [])


def program():
    """What is installed, unless the sanitizers are to see it."""
    return DYNAMIC if has_sanitizers() else lab.BUILD / "src/cmd/relaypass-spp"


class Home:
    """A qmail home, and one session of relaypass-spp in it."""

    def __init__(self, directory):
        self.directory = directory
        for name in ("control", "bin", "queue"):
            (directory / name).mkdir()
        self.write("control/rcpthosts", "test.example\nlisted.example\n")
        self.write("control/smtpplugins", "")
        self.write("bin/qmail-queue", QUEUE, 0o755)
        self.log = directory / "log"

    def write(self, name, text, mode=0o644):
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)

    def environ(self, lines):
        env = {"PATH": os.environ["PATH"], "TCPREMOTEIP": "192.0.2.7",
               "PROTO": "TCP"}
        for line in lines:
            if line.startswith("-"):
                env.pop(line[1:], None)
            elif line:
                name, _, value = line.partition("=")
                env[name] = value.replace("$HOME", str(self.directory))
        return env

    def start(self, env=(), options=(), client=None, wrapper=(), binary=None):
        """The client's end, unless `client` is what it speaks on, and the
        process."""
        ours, theirs = (None, client) if client else socket.socketpair()
        with open(self.log, "wb") as log:
            process = subprocess.Popen(
                [*wrapper, str(binary or program()),
                 f"--home={self.directory}",
                 "--socket=/nonexistent/relaypass", *options,
                 str(lab.BUILD / "tests/spp/smtpd")],
                stdin=theirs, stdout=theirs, stderr=log,
                cwd=self.directory, env=self.environ(env))
        if ours:
            theirs.close()
        return ours, process


class Talk:
    def __init__(self, client):
        self.client, self.heard = client, b""
        self.client.settimeout(LIMIT)

    def send(self, data):
        try:
            self.client.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # what is heard will tell

    def receive(self):
        try:
            return self.client.recv(65536)
        except ConnectionResetError:
            return b""

    def line(self):
        while b"\n" not in self.heard:
            piece = self.receive()
            if not piece:
                raise AssertionError(
                    f"hung up; what came before it: {self.heard!r}")
            self.heard += piece
        line, _, self.heard = self.heard.partition(b"\n")
        assert line.endswith(b"\r"), f"without CR: {line!r}"
        return line[:-1].decode("latin-1")

    def ask(self, line):
        """All lines of the reply."""
        self.send(line.encode() + b"\r\n")
        lines = [self.line()]
        while lines[-1][3:4] == "-":
            lines.append(self.line())
        return lines

    def end(self):
        while piece := self.receive():
            self.heard += piece
        assert self.heard == b"", f"one too many: {self.heard!r}"

    def is_read(self):
        """What was sent has left this socket's queue (unix(7), SIOCOUTQ)."""
        left = fcntl.ioctl(self.client, termios.TIOCOUTQ, bytes(4))
        return int.from_bytes(left, sys.byteorder) == 0


def run_talk(lines, client):
    talk, waiting = Talk(client), b""
    for number, line in enumerate(lines, 1):
        kind, text = line[:1], line[3:]
        if kind == "C":
            waiting += text.encode() + b"\r\n"
        elif kind == "c":
            waiting += codecs.escape_decode(text.encode())[0]
        elif kind in ("S", "s", "E", "X", "W"):
            talk.send(waiting)
            waiting = b""
            if kind in ("S", "s"):
                heard = talk.line()
                good = heard == text if kind == "S" else \
                    re.fullmatch(text, heard)
                assert good, f"line {number}: {text!r} but heard {heard!r}"
            elif kind == "W":
                lab.wait_for(talk.is_read, "it has read what was said")
            elif kind == "E":
                talk.end()
            else:
                client.close()
                return
        else:
            assert not line.strip(), f"line {number} is none: {line!r}"
    talk.send(waiting)


def check(home, sections):
    queue = home.directory / "queue"
    assert ("nothing" in sections) <= (not (queue / "message").exists())
    for name in ("envelope", "message"):
        if name in sections:
            text = (queue / name).read_text(encoding="latin-1").rstrip("\n")
            assert text == "\n".join(sections[name]).rstrip("\n")
    if "environ" in sections:
        env = (queue / "environ").read_text(encoding="latin-1").split("\n")
        for line in filter(None, sections["environ"]):
            if line.startswith("-"):
                assert not [e for e in env if e.startswith(line[1:] + "=")]
            else:
                assert line.replace("$HOME", str(home.directory)) in env
    log = home.log.read_text(encoding="latin-1")
    for line in filter(None, sections.get("log", [])):
        assert line in log


@pytest.mark.parametrize("path", DIALOGUES, ids=lambda p: p.stem)
def test_dialogue(tmp_path, path):
    sections = read_sections(path)
    home = Home(tmp_path)
    home.write("control/smtpplugins",
               "\n".join(sections.get("plugins", [])) + "\n")
    for name, lines in sections.items():
        if name.startswith("file "):
            home.write(name[5:], "\n".join(lines) + "\n", 0o755)
    for name in filter(None, sections.get("remove", ())):
        (tmp_path / name).unlink()
    client, process = home.start(
        sections.get("env", ()),
        [o for o in sections.get("options", ()) if o])
    try:
        with client:
            run_talk(sections["talk"], client)
            client.close()
        assert process.wait(LIMIT) == int(sections.get("exit", ["0"])[0])
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    check(home, sections)


def test_there_are_a_hundred():
    assert len(DIALOGUES) >= 100
