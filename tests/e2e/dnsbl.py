# SPDX-License-Identifier: ISC
"""A name server with one DNSBL, for tests: answers A and TXT for the addresses
whose lines stand in a file, an SPF record for test.example by which nobody may
send for it, and NXDOMAIN to everything else.

    dnsbl.py ZONE FILE     serves 127.0.0.1:53 until it is killed
"""

import ipaddress
import pathlib
import socket
import struct
import sys

A, TXT = 1, 16
SPF = {"test.example": b"v=spf1 -all"}


def name_of(address, zone):
    reverse = ipaddress.ip_address(address).reverse_pointer
    return reverse.replace(".in-addr.arpa", "").replace(".ip6.arpa", "") \
        + "." + zone


def question(packet):
    """Name, type, and where the question ends."""
    labels, at = [], 12
    while packet[at]:
        labels.append(packet[at + 1:at + 1 + packet[at]].decode("latin-1"))
        at += 1 + packet[at]
    return ".".join(labels).lower(), \
        struct.unpack_from("!H", packet, at + 1)[0], at + 5


def answer(packet, listed):
    name, kind, end = question(packet)
    records = {}
    if name in listed:
        records = {A: bytes([127, 0, 0, 2]), TXT: b"\x06listed"}
    elif name in SPF:
        records = {TXT: bytes([len(SPF[name])]) + SPF[name]}
    there, data = bool(records), records.get(kind)
    flags = 0x8400 | (struct.unpack_from("!H", packet, 2)[0] & 0x0100)
    reply = packet[:2] + struct.pack(
        "!HHHHH", flags | 0x0080 | (0 if there else 3), 1,
        1 if data else 0, 0, 0)
    reply += packet[12:end]
    if data:
        reply += b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 0, len(data)) \
            + data
    return reply


def main():
    zone, path = sys.argv[1], pathlib.Path(sys.argv[2])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 53))
        while True:
            packet, peer = sock.recvfrom(4096)
            listed = {name_of(line, zone) for line in
                      path.read_text(encoding="ascii").split()}
            listed.add("2.0.0.127." + zone)
            try:
                sock.sendto(answer(packet, listed), peer)
            except (IndexError, struct.error):
                pass  # not a question


if __name__ == "__main__":
    main()
