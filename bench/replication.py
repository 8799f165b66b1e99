"""From a login's line in one node's log to the answer of another node, by Redis.
Yardstick: XADD by one bare client to XREAD BLOCK by another, of the same server.

    replication.py [samples] [seconds]

delay   single logins: line written on node 1, allowed on nodes 2 and 3
rate    1,000 logins/s for so many seconds, from all three nodes: what is lost
        (nothing may be), how far behind the others are, what Redis is told
"""
import os
import shutil
import socket
import statistics
import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / "tests" / "e2e"))

import databases  # noqa: E402
from site_ import Ask, Site, login_line, stamp_now  # noqa: E402

SAMPLES = int(sys.argv[1]) if len(sys.argv) > 1 else 200
SECONDS = int(sys.argv[2]) if len(sys.argv) > 2 else 60
RATE, NODES, PROBES = 1000, 3, 20  # probes of the lag, each second
NODE = """
source nodes {{ kind = "redis" servers = {{"{server}"}} keys = "{keys}" }}
export nodes {{ kind = "redis" servers = {{"{server}"}} keys = "{keys}" }}
"""


def quantile(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))]


class Bare:
    """Redis' protocol, as little of it as is needed."""

    def __init__(self, server):
        self.sock = socket.create_connection((server.host, server.port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.sock.makefile("rb")

    def send(self, *words):
        self.sock.sendall(f"*{len(words)}\r\n".encode() + b"".join(
            b"$%d\r\n%s\r\n" % (len(w), w) for w in map(str.encode, words)))

    def reply(self):
        line = self.file.readline().rstrip()
        if line[:1] == b"$":
            return self.file.read(int(line[1:]) + 2)[:-2].decode()
        if line[:1] == b"*":
            return [self.reply() for _ in range(max(0, int(line[1:])))]
        return line.decode()

    def close(self):
        self.file.close()
        self.sock.close()


def bare_delays(server):
    """One client adds, the other has been waiting for it."""
    adds, reads = Bare(server), Bare(server)
    seen, last = [], "0-0"
    record = "x" * 250
    for _ in range(SAMPLES):
        reads.send("XREAD", "BLOCK", "1000", "STREAMS", "bare", last)
        time.sleep(0.002)
        began = time.perf_counter()
        adds.send("XADD", "bare", "*", "r", record)
        last = reads.reply()[0][1][-1][0]
        seen.append(time.perf_counter() - began)
        adds.reply()
    adds.close()
    reads.close()
    return seen


def make_nodes(server):
    sites = []
    for _ in range(NODES):
        site = Site()
        keys = site.dir / "nodes.keys"
        keys.write_text("k1 " + "0123456789abcdef" * 4 + "\n")
        keys.chmod(0o600)
        conf = site.dir / "relaypass.conf"
        conf.write_text(conf.read_text() + NODE.format(
            server=server.address, keys=keys))
        site.start()
        sites.append(site)
    return sites


def address_of(i):
    return f"45.{i >> 16}.{i >> 8 & 255}.{i & 255}"


def until_allowed(ask, address, limit=10):
    began = time.perf_counter()
    while not ask(address).startswith(b"allow "):
        if time.perf_counter() - began > limit:
            sys.exit(f"{address} is not allowed after {limit} s")


def write(site, first, last):
    stamp = stamp_now()
    site.log.write(b"".join(login_line(stamp, address_of(i), f"u{i}", i)
                            for i in range(first, last)))


def single(sites, asks, server):
    """Each after a quiet time."""
    bare = bare_delays(server)
    own, others = [], []
    for i in range(SAMPLES):
        time.sleep(0.02)
        began = time.perf_counter()
        write(sites[0], i, i + 1)
        until_allowed(asks[0], address_of(i))
        own.append(time.perf_counter() - began)
        for ask in asks[1:]:
            until_allowed(ask, address_of(i))
        others.append(time.perf_counter() - began)
    yard = statistics.median(bare)
    print(f"replication phase=bare p50_ms={yard * 1e3:.2f} "
          f"p99_ms={quantile(bare, .99) * 1e3:.2f} samples={SAMPLES}")
    for who, seen in (("own", own), ("others", others)):
        print(f"replication phase=delay node={who} "
              f"p50_ms={statistics.median(seen) * 1e3:.2f} "
              f"p99_ms={quantile(seen, .99) * 1e3:.2f} "
              f"to_bare={statistics.median(seen) / yard:.1f}", flush=True)


def rate(sites, asks, server, first):
    """Lag: how much later than on its own node a login is known on the last of
    the others."""
    before = server.info("stats")
    lags, sent, probe = [], first, 0
    began = time.perf_counter()
    end = first + RATE * SECONDS
    while sent < end:
        now = time.perf_counter() - began
        due = min(end, first + int(now * RATE))
        if due - sent < NODES:
            time.sleep(0.001)
            continue
        part = (due - sent) // NODES
        for i, site in enumerate(sites):
            last = due if i == NODES - 1 else sent + part * (i + 1)
            write(site, sent + part * i, last)
        sent = due
        if now * PROBES >= probe:
            probe = int(now * PROBES) + 1
            told = time.perf_counter()
            for ask in asks:
                until_allowed(ask, address_of(sent - 1))
            lags.append(time.perf_counter() - told)
    took = time.perf_counter() - began
    for ask in asks:
        for i in range(first, end):
            until_allowed(ask, address_of(i), 5)
    caught = time.perf_counter() - began - took
    after = server.info("stats")
    read = (int(after["total_net_input_bytes"])
            - int(before["total_net_input_bytes"])) / (end - first)
    written = (int(after["total_net_output_bytes"])
               - int(before["total_net_output_bytes"])) / (end - first)
    print(f"replication phase=rate logins_per_s={(end - first) / took:.0f} "
          f"seconds={SECONDS} lost=0 lag_p50_ms="
          f"{statistics.median(lags) * 1e3:.2f} "
          f"lag_p99_ms={quantile(lags, .99) * 1e3:.2f} "
          f"checked_s={caught:.1f} redis_bytes_in={read:.0f} "
          f"redis_bytes_out={written:.0f} per=login", flush=True)


def main():
    why = databases.missing(databases.Redis)
    if why:
        sys.exit(f"replication: {why}")
    # A login of the daemons' own account has to be able to read it.
    if os.geteuid() == 0 and not shutil.which("setpriv"):
        sys.exit("replication: needs setpriv")
    with databases.Redis() as server:
        sites = make_nodes(server)
        asks = [Ask(site) for site in sites]
        try:
            single(sites, asks, server)
            rate(sites, asks, server, SAMPLES)
        finally:
            for ask in asks:
                ask.__exit__()
            for site in sites:
                site.close()


main()
