#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""A small SMTP server on stdin and stdout that decides about recipients as
qmail-smtpd does. For tests only.

    qmail_smtpd.py HOME

HOME/control/rcpthosts  domains to accept, `.domain` for what is below it; no
                        such file: everything is accepted, as qmail does
HOME/control/me         its name
HOME/queue/             accepted messages, one file each; QMAILQUEUE names a
                        program to take them instead
RELAYCLIENT             when set, every recipient is accepted and its value is
                        appended to the address
DATABYTES               largest message, 0 or unset: no limit
"""

import os
import subprocess
import sys
import tempfile

REFUSED = ("553 sorry, that domain isn't in my list of allowed rcpthosts "
           "(#5.7.1)")


def read_control(home, name):
    try:
        with open(f"{home}/control/{name}", encoding="ascii") as file:
            lines = [line.strip().lower() for line in file]
    except FileNotFoundError:
        return None
    return {line for line in lines if line and not line.startswith("#")}


def rcpthosts_allow(rcpthosts, address):
    if rcpthosts is None or "@" not in address:
        return True
    domain = address.rsplit("@", 1)[1].lower()
    while domain:
        if domain in rcpthosts:
            return True
        dot = domain.find(".", 1)
        domain = domain[dot:] if dot > 0 else ""
    return False


def address_of(argument):
    """The text between the angle brackets, without a source route."""
    text = argument.partition(":")[2].strip()
    if text.startswith("<"):
        text = text[1:].partition(">")[0]
    else:
        text = text.partition(" ")[0]
    return text.rpartition(":")[2] if text.startswith("@") else text


def queue(home, sender, recipients, body):
    program = os.environ.get("QMAILQUEUE")
    if program:
        envelope = " ".join(["F" + sender] + ["T" + r for r in recipients])
        # qmail-smtpd closes nothing for it.
        done = subprocess.run([program], input=body, check=False,
                              close_fds=False,
                              env={**os.environ, "ENVELOPE": envelope})
        return done.returncode == 0
    fd, path = tempfile.mkstemp(dir=f"{home}/queue", prefix=".")
    with os.fdopen(fd, "wb") as file:
        file.write(f"F{sender}\n".encode())
        file.writelines(f"T{r}\n".encode() for r in recipients)
        file.write(b"\n" + body)
    # Nobody sees half a message.
    os.rename(path, f"{home}/queue/{os.path.basename(path)[1:]}.msg")
    return True


class Session:
    def __init__(self, home):
        self.home = home
        self.rcpthosts = read_control(home, "rcpthosts")
        self.name = (read_control(home, "me") or {"mx.test.example"}).pop()
        self.relayclient = os.environ.get("RELAYCLIENT")
        self.databytes = int(os.environ.get("DATABYTES") or 0)
        self.sender, self.recipients = None, []

    def say(self, text):
        sys.stdout.buffer.write(text.encode() + b"\r\n")
        sys.stdout.buffer.flush()

    def helo(self, _):
        self.reset()
        self.say(f"250 {self.name}")

    def reset(self):
        self.sender, self.recipients = None, []

    def rset(self, _):
        self.reset()
        self.say("250 flushed")

    def noop(self, _):
        self.say("250 ok")

    def mail(self, argument):
        self.reset()
        self.sender = address_of(argument)
        self.say("250 ok")

    def rcpt(self, argument):
        address = address_of(argument)
        if self.sender is None:
            return self.say("503 MAIL first (#5.5.1)")
        if self.relayclient is not None:
            address += self.relayclient
        elif not rcpthosts_allow(self.rcpthosts, address):
            return self.say(REFUSED)
        self.recipients.append(address)
        return self.say("250 ok")

    def data(self, _):
        if not self.recipients:
            return self.say("503 RCPT first (#5.5.1)")
        self.say("354 go ahead")
        body = []
        for line in sys.stdin.buffer:
            line = line.rstrip(b"\r\n")
            if line == b".":
                break
            body.append(line[1:] if line.startswith(b".") else line)
        text = b"\n".join(body) + b"\n"
        if self.databytes and len(text) > self.databytes:
            self.say("552 sorry, that message size exceeds my databytes limit "
                     "(#5.3.4)")
        elif queue(self.home, self.sender, self.recipients, text):
            self.say("250 ok")
        else:
            self.say("451 qq trouble (#4.3.0)")
        return self.reset()

    def run(self):
        verbs = {b"HELO": self.helo, b"EHLO": self.helo, b"RSET": self.rset,
                 b"NOOP": self.noop, b"MAIL": self.mail, b"RCPT": self.rcpt,
                 b"DATA": self.data}
        self.say(f"220 {self.name} ESMTP")
        for line in sys.stdin.buffer:
            verb, _, argument = line.strip().partition(b" ")
            if verb.upper() == b"QUIT":
                return self.say(f"221 {self.name}")
            handler = verbs.get(verb.upper())
            if handler:
                handler(argument.decode("latin-1"))
            else:
                self.say("502 unimplemented (#5.5.1)")
        return None


Session(sys.argv[1]).run()
