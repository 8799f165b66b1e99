# SPDX-License-Identifier: ISC
"""A bad wire between two links of one network namespace, in user space, for
kernels without netem: each packet is held up for a while of its own, so that
some pass others; some get lost, some come twice.

    slow_wire.py LINK LINK {"delay": S, "loss": SHARE, "double": SHARE}

Says "ready", works until its input ends, then says what it did.
"""

import heapq
import itertools
import json
import random
import select
import socket
import sys
import time

ETH_P_ALL = 3
FRAME_MAX = 65536
PACKET_OUTGOING = 4


def open_link(name):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW,
                         socket.htons(ETH_P_ALL))
    sock.bind((name, ETH_P_ALL))
    sock.setblocking(False)
    return sock


def main():
    names, how = sys.argv[1:3], json.loads(sys.argv[3])
    ends = [open_link(name) for name in names]
    to = {ends[0]: ends[1], ends[1]: ends[0]}
    waiting, number = [], itertools.count()
    counts = {"packets": 0, "lost": 0, "doubled": 0, "passed": 0}
    last_sent = {end: -1 for end in ends}
    print("ready", flush=True)
    while True:
        pause = max(0, waiting[0][0] - time.monotonic()) if waiting else None
        ready = select.select([*ends, sys.stdin], [], [], pause)[0]
        for end in ready:
            if end is sys.stdin:
                print(json.dumps(counts), flush=True)
                return
            while True:
                try:
                    frame, where = end.recvfrom(FRAME_MAX)
                except BlockingIOError:
                    break
                if where[2] == PACKET_OUTGOING:
                    continue
                counts["packets"] += 1
                if random.random() < how.get("loss", 0):
                    counts["lost"] += 1
                    continue
                twice = random.random() < how.get("double", 0)
                counts["doubled"] += twice
                for _ in range(1 + twice):
                    at = time.monotonic() + random.random() * how["delay"]
                    heapq.heappush(waiting, (at, next(number), frame, to[end]))
        while waiting and waiting[0][0] <= time.monotonic():
            _, n, frame, end = heapq.heappop(waiting)
            counts["passed"] += n < last_sent[end]
            last_sent[end] = max(last_sent[end], n)
            try:
                end.send(frame)
            except OSError:
                counts["lost"] += 1


main()
