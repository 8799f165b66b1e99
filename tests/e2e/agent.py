# SPDX-License-Identifier: ISC
"""A mail user's machine: runs in a client's network namespace and does what it
is told on stdin, one JSON object a line, with Python's own mail clients.

Open connections are kept under a name, so that a test can do something between
two commands of one session.
"""

import imaplib
import json
import poplib
import smtplib
import socket
import ssl
import sys

TIMEOUT = 20
connections = {}


def trusting():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def connect(host, port, source, tls):
    sock = socket.create_connection((host, port), TIMEOUT, (source, 0))
    return trusting().wrap_socket(sock) if tls else sock


class Imap(imaplib.IMAP4):
    def __init__(self, host, port, source, tls):
        self.how = (host, port, source, tls)
        super().__init__(host, port)

    def _create_socket(self, timeout=None):
        return connect(*self.how)


class Pop(poplib.POP3):
    def __init__(self, host, port, source, tls):
        self.how = (host, port, source, tls)
        super().__init__(host, port)

    def _create_socket(self, timeout):
        return connect(*self.how)


def imap(server, source, user, password, port=143, tls=False, keep=None):
    client = Imap(server, port, source, tls)
    try:
        client.login(user, password)
        client.select()
    except imaplib.IMAP4.error as err:
        client.shutdown()
        return {"ok": False, "text": str(err)}
    if keep:
        connections[keep] = client
    else:
        client.logout()
    return {"ok": True}


def pop3(server, source, user, password, port=110, tls=False, keep=None):
    client = Pop(server, port, source, tls)
    try:
        client.user(user)
        client.pass_(password)
        client.stat()
    except poplib.error_proto as err:
        client.close()
        return {"ok": False, "text": str(err)}
    if keep:
        connections[keep] = client
    else:
        client.quit()
    return {"ok": True}


def smtp_open(server, source, name, port=25):
    client = smtplib.SMTP(server, port, "client.test.example", TIMEOUT,
                          source_address=(source, 0))
    client.ehlo_or_helo_if_needed()
    connections[name] = client
    return {"ok": True}


def smtp_mail(name, sender):
    code, text = connections[name].mail(sender)
    return {"code": code, "text": text.decode()}


def smtp_rcpt(name, recipient):
    code, text = connections[name].rcpt(recipient)
    return {"code": code, "text": text.decode()}


def smtp_data(name, message):
    code, text = connections[name].data(message)
    return {"code": code, "text": text.decode()}


def smtp_reset(name):
    connections[name].rset()
    return {"ok": True}


def smtp(server, source, sender, recipient, message, port=25):
    """One transaction. The code and text of what decided about it."""
    smtp_open(server, source, "one", port)
    try:
        answer = smtp_mail("one", sender)
        if answer["code"] == 250:
            answer = smtp_rcpt("one", recipient)
        if answer["code"] == 250:
            answer = smtp_data("one", message)
        return answer
    finally:
        hang_up("one")


def hang_up(name):
    client = connections.pop(name)
    try:
        if isinstance(client, imaplib.IMAP4):
            client.logout()
        else:
            client.quit()
    except (OSError, imaplib.IMAP4.error, smtplib.SMTPException):
        pass
    return {"ok": True}


VERBS = {f.__name__: f for f in (imap, pop3, smtp, smtp_open, smtp_mail,
                                 smtp_rcpt, smtp_data, smtp_reset, hang_up)}


def main():
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = VERBS[request.pop("verb")](**request)
        except Exception as err:  # told to the test, which fails
            answer = {"error": f"{type(err).__name__}: {err}"}
        print(json.dumps(answer), flush=True)


main()
