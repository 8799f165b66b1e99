# SPDX-License-Identifier: ISC
"""Logs in at POP3 and IMAP servers the way it is told, many at a time, with
names that no mail program would send. Reads a JSON list of logins on stdin and
prints the list of what came of them; runs in a client's network namespace.
argv[1] is how many may be under way at a time.

A login: server, port, source, protocol (imap, pop3), user, password, authzid;
tls (start, direct), how (plain, literal, cram, apop, anonymous; otherwise it is
LOGIN, or USER and PASS), before (lines sent ahead of it). Bytes that are no
UTF-8 are in the text as lone surrogates.
"""

import base64
import concurrent.futures
import contextlib
import hashlib
import hmac
import json
import socket
import ssl
import sys

TIMEOUT = 30


def to_bytes(text):
    return text.encode("utf-8", "surrogateescape")


def to_text(data):
    return data.decode("utf-8", "replace").rstrip("\r\n")


def trusting():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Session:
    """A connection and the words of its protocol."""

    def __init__(self, login):
        self.login = login
        self.sock = socket.create_connection(
            (login["server"], login["port"]), TIMEOUT, (login["source"], 0))
        if login["tls"] == "direct":
            self.wrap()

    def wrap(self):
        self.sock = trusting().wrap_socket(self.sock)

    def line(self):
        """A byte at a time: nothing may be read that is of the TLS layer."""
        data = b""
        while not data.endswith(b"\n"):
            byte = self.sock.recv(1)
            if not byte:
                raise EOFError(f"closed after {data!r}")
            data += byte
        return data

    def send(self, data):
        self.sock.sendall(data + b"\r\n")

    def secret(self, challenge=b""):
        """The one answer that a SASL mechanism wants."""
        user = to_bytes(self.login["user"])
        password = to_bytes(self.login["password"])
        how = self.login["how"]
        if how == "plain":
            authzid = to_bytes(self.login["authzid"])
            answer = b"\0".join((authzid, user, password))
        elif how == "cram":
            digest = hmac.new(password, base64.b64decode(challenge),
                              hashlib.md5).hexdigest()
            answer = user + b" " + digest.encode()
        else:
            answer = password
        return base64.b64encode(answer)

    def run(self):
        greeting = self.line()
        if self.login["tls"] == "start":
            self.start_tls()
        for line in self.login["before"]:
            self.command(to_bytes(line))
        answer = self.log_in(greeting)
        # Some hang up on a failure. All do in the end, and then the session
        # counts no longer.
        with contextlib.suppress(OSError, EOFError):
            self.command(self.goodbye)
            while self.sock.recv(4096):
                pass
        return answer

    def start_tls(self):
        ok, text = self.command(self.starttls)
        if not ok:
            raise OSError(f"no TLS: {text}")
        self.wrap()


class Imap(Session):
    starttls = b"STARTTLS"
    goodbye = b"LOGOUT"

    def answer(self):
        """The tagged line, or, as None, the one that asks for more."""
        while True:
            line = self.line()
            if line.startswith(b"+"):
                return None, line[2:]
            if line.startswith(b"a "):
                return line.startswith(b"a OK"), to_text(line)

    def command(self, words):
        self.send(b"a " + words)
        return self.answer()

    def log_in(self, _greeting):
        user, password = (to_bytes(self.login[name])
                          for name in ("user", "password"))
        how = self.login["how"]
        if how in ("plain", "cram", "anonymous"):
            name = b"CRAM-MD5" if how == "cram" else how.upper().encode()
            ok, text = self.command(b"AUTHENTICATE " + name)
            if ok is None:
                self.send(self.secret(text))
                ok, text = self.answer()
        elif how == "literal":
            ok, text = self.command(b"LOGIN {%d}" % len(user))
            if ok is None:
                self.send(user + b" {%d}" % len(password))
                ok, text = self.answer()
            if ok is None:
                self.send(password)
                ok, text = self.answer()
        else:
            quoted = [b'"' + word.replace(b"\\", rb"\\").replace(b'"', rb'\"')
                      + b'"' for word in (user, password)]
            ok, text = self.command(b"LOGIN " + b" ".join(quoted))
        return ok, text


class Pop3(Session):
    starttls = b"STLS"
    goodbye = b"QUIT"

    def command(self, words):
        self.send(words)
        return self.answer()

    def answer(self):
        line = self.line()
        return line.startswith(b"+OK"), to_text(line)

    def log_in(self, greeting):
        user, password = (to_bytes(self.login[name])
                          for name in ("user", "password"))
        how = self.login["how"]
        if how in ("plain", "cram", "anonymous"):
            name = b"CRAM-MD5" if how == "cram" else how.upper().encode()
            self.send(b"AUTH " + name)
            line = self.line()
            if not line.startswith(b"+ "):
                return False, to_text(line)
            self.send(self.secret(line[2:]))
            return self.answer()
        if how == "apop":
            stamp = greeting[greeting.index(b"<"):greeting.rindex(b">") + 1]
            digest = hashlib.md5(stamp + password).hexdigest().encode()
            return self.command(b"APOP " + user + b" " + digest)
        ok, text = self.command(b"USER " + user)
        return self.command(b"PASS " + password) if ok else (ok, text)


def run(login):
    """"ok" is None where the server hung up without an answer."""
    session = {"imap": Imap, "pop3": Pop3}[login["protocol"]](login)
    try:
        ok, text = session.run()
    except (OSError, EOFError) as err:
        ok, text = None, f"{type(err).__name__}: {err}"
    finally:
        session.sock.close()
    return {"ok": ok, "text": text}


def main():
    logins = json.load(sys.stdin)
    with concurrent.futures.ThreadPoolExecutor(int(sys.argv[1])) as pool:
        print(json.dumps(list(pool.map(run, logins))))


main()
