# SPDX-License-Identifier: ISC
"""tcp_proxy.py LISTEN CONNECT: hands connections on, byte by byte. Prints
"ready" when it listens."""

import socket
import sys
import threading


def address(text):
    host, _, port = text.rpartition(":")
    return host, int(port)


def pump(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        pass
    for sock in (source, target):
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def main():
    server = socket.create_server(address(sys.argv[1]))
    print("ready", flush=True)
    while True:
        client, _ = server.accept()
        peer = socket.create_connection(address(sys.argv[2]))
        for pair in ((client, peer), (peer, client)):
            threading.Thread(target=pump, args=pair, daemon=True).start()


main()
