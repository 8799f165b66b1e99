# SPDX-License-Identifier: ISC
"""What the clients of each kind of listener say and hear, for tests that treat
all kinds alike; and the kinds themselves, as the program names them."""

import dataclasses
import functools
import ipaddress
import re
import struct
import subprocess

import lab

ZONE = "relaypass.invalid"


@functools.cache
def kinds():
    """Of the listeners that the program has."""
    text = subprocess.run(
        [lab.program("relaypass"), "config", "--defaults"], check=True,
        capture_output=True, encoding="utf-8").stdout
    return re.findall(r'(?m)^#?listener NAME \{\n#?\tkind = "(.*)"$', text)


def policy(address):
    return (f"request=smtpd_access_policy\nprotocol_state=RCPT\n"
            f"client_address={address}\n\n").encode()


def netstring(text):
    return b"%d:%s," % (len(text), text)


def dns_message(address):
    labels = list(reversed(address.split("."))) + ZONE.split(".")
    name = b"".join(bytes([len(label)]) + label.encode() for label in labels)
    return struct.pack(">6H", 7, 0, 1, 0, 0, 0) + name + b"\0" \
        + struct.pack(">2H", 1, 1)


def dns_stream(message):
    return struct.pack(">H", len(message)) + message


@dataclasses.dataclass(frozen=True)
class Protocol:
    """ask(address) is a whole request; allow and none match whole answers.
    broken: no request; told: what it is answered before the end. once: the
    connection ends with the first answer."""

    ask: callable
    allow: bytes
    none: bytes
    broken: bytes
    told: bytes
    options: str = ""
    transports: tuple = ("unix", "inet")
    udp: bool = False
    once: bool = False


PROTOCOLS = {
    "ask": Protocol(
        lambda a: f"check {a}\n".encode(), rb"allow ttl=\d+.*\n", rb"none\n",
        b"nonsense\n", rb"error .*\n"),
    "postfix-policy": Protocol(
        policy, rb"action=OK\n\n", rb"action=DUNNO\n\n", b"nonsense\n\n", b""),
    "socketmap": Protocol(
        lambda a: netstring(f"relaypass {a}".encode()), rb"5:OK OK,",
        rb"9:NOTFOUND ,", b"x", rb"\d+:PERM .*,"),
    "tcp-table": Protocol(
        lambda a: f"get {a}\n".encode(), rb"200 OK\n", rb"500 .*\n",
        b"nonsense\n", rb"400 .*\n"),
    "whoson": Protocol(
        lambda a: f"QUERY {a}\r\n\r\n".encode(), rb"\+.*\r\n\r\n",
        rb"-.*\r\n\r\n", b"nonsense\r\n\r\n", rb"\*.*\r\n\r\n", udp=True),
    "dns": Protocol(
        lambda a: dns_stream(dns_message(a)),
        rb"(?s)..\x00\x07.[\x00\x80]\x00\x01\x00\x01.*\x7f\x00\x00.",
        rb"(?s)..\x00\x07.[\x03\x83]\x00\x01\x00\x00.*", b"\0\5abcde", b"", f'zone = "{ZONE}"',
        transports=("inet",), udp=True),
    "http": Protocol(
        lambda a: (f"GET /v1/check?address={a} HTTP/1.1\r\n"
                   f"Host: localhost\r\n\r\n").encode(),
        rb"(?s)HTTP/1.1 200 .*\"allow\".*\}\s*",
        rb"(?s)HTTP/1.1 200 .*\"none\".*\}\s*", b"nonsense\r\n\r\n",
        rb"(?s)(HTTP/1.1 400 .*)?", transports=("unix",), once=True),
}


def datagram(kind, address):
    return dns_message(address) if kind == "dns" \
        else PROTOCOLS[kind].ask(address)


def address_of(number):
    """One that nobody has leased, for each number below 16,000,000."""
    return str(ipaddress.IPv4Address(int(ipaddress.IPv4Address("45.0.0.0"))
                                     + number))
