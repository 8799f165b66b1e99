"""What the logins of many nodes cost the Redis between them and the node that
reads them all. Ten nodes are played by this program, which writes what their
exports would write: signed records into the stream.

    stream.py [RATE [SECONDS [LEASES]]]     10000 logins a second for 10 s

memory   bytes that Redis needs for a login in the stream, and for a lease of the
         snapshot; bytes of each on the wire
join     how long a node that joins takes to load the snapshot of LEASES leases
paced    RATE logins a second: time from the write to a positive answer of the
         reading node, and processor time for each login. Yardstick: the time
         until a bare reader of the same stream has the entry
again    all LEASES are told once more, as after a failover that lost some
readers  what Redis needs for each login with one and with ten bare readers
burst    the reading process is stopped, RATE x SECONDS logins are written, and it
         goes on: how many a second it takes at the most
"""
import contextlib
import hmac
import os
import re
import shutil
import signal
import socket
import statistics
import sys
import threading
import time
from pathlib import Path

from redis_ import KEY, SECRET, Redis, command
from site_ import Ask, Site

RATE = int(sys.argv[1]) if len(sys.argv) > 1 else 10000
SECONDS = float(sys.argv[2]) if len(sys.argv) > 2 else 10
LEASES = int(sys.argv[3]) if len(sys.argv) > 3 else 100000
NODES, TTL, STEP, PATIENCE = 10, 24 * 3600 * 1000, 0.01, 120
READERS = 1, 10


def show(part, **pairs):
    print(f"stream part={part}",
          *[f"{key}={value}" for key, value in pairs.items()], flush=True)


# --- records ------------------------------------------------------------------

def address(i):
    j = (i * 2654435761) % (1 << 24)
    return f"{[45, 81, 151, 185][i & 3]}.{j >> 16}.{j >> 8 & 255}.{j & 255}"


def node(i):
    return f"{0x0123456789abcd00 + i % NODES:016x}"


def record(i, now):
    """The record of the i-th user's lease (src/replica/record.h)."""
    text = (f"1 lease address={address(i)} user=user{i}@example.org tls=yes "
            f"server=dovecot node={node(i)} issued={now} time={now} "
            f"end={now + TTL} key=k1").encode()
    return text + b" mac=" + hmac.digest(
        SECRET.encode(), text, "sha256").hex().encode()


def snapshot_key(i):
    """K:lease:NODE:HEX, HEX of address and user."""
    a = b"\0" * 10 + b"\xff\xff" + socket.inet_aton(address(i))
    return f"{KEY}:lease:{node(i)}:{(a + f'user{i}@example.org'.encode()).hex()}"


# --- what an export writes ------------------------------------------------------

def add(i, now):
    """As an export writes it: trimmed to one ttl."""
    return command("XADD", f"{KEY}:changes", "MINID", "~", now - 2 * TTL, "*",
                   "r", record(i, now))


def put(i, now):
    return command("SET", snapshot_key(i), record(i, now), "PX", TTL)


def memory(redis, count):
    now = int(time.time() * 1000)
    for what, make in ("stream", add), ("snapshot", put):
        redis.flush()
        commands = [make(i, now) for i in range(count)]
        before = redis.info()
        redis.send(commands)
        after = redis.info()

        def more(key):
            return (int(after[key]) - int(before[key])) / count
        show("memory", what=what, count=count,
             record_bytes=f"{len(record(count // 2, now))}",
             redis_bytes=f"{more('used_memory'):.0f}",
             sent_bytes=f"{more('total_net_input_bytes'):.0f}")


# --- the reading node ---------------------------------------------------------

def cpu(pid):
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


class Reader:
    """A relaypassd whose logins come from the stream."""

    def __init__(self, redis):
        self.site = Site(ttl="24h")
        conf = self.site.dir / "relaypass.conf"
        conf.write_text(conf.read_text() +
                        f"\nsource site {{ {redis.options(self.site)} }}\n")

    def rows(self, topic):
        return [dict(word.split("=", 1) for word in line.split()[2:])
                for line in self.site.control("status").splitlines()
                if line.startswith(f"status {topic} ")]

    def source(self):
        return next(row for row in self.rows("source") if row["name"] == "site")

    def pid(self, role):
        return next(int(row["pid"]) for row in self.rows("process")
                    if row["role"] == role)

    def close(self):
        if self.site:
            self.site.close()
        self.site = None


def wait(done, what):
    began = moved = time.perf_counter()
    last = None
    while (now := done()) is not True:
        if now != last:
            last, moved = now, time.perf_counter()
        elif time.perf_counter() - moved > PATIENCE:
            sys.exit(f"not done: {what} ({now})")
        time.sleep(0.005)
    return time.perf_counter() - began


def join(redis, reader):
    now = int(time.time() * 1000)
    redis.flush()
    redis.send([put(i, now) for i in range(LEASES)])
    began = time.perf_counter()
    reader.site.start()
    wait(lambda: (n := reader.site.leases()) >= LEASES or n, "the snapshot")
    seconds = time.perf_counter() - began
    show("join", leases=LEASES, seconds=f"{seconds:.2f}",
         leases_per_s=f"{LEASES / seconds:.0f}",
         connector_us=f"{cpu(reader.pid('connector')) / LEASES * 1e6:.1f}",
         keeper_us=f"{cpu(reader.pid('keeper')) / LEASES * 1e6:.1f}")
    return now


def watch_bare(redis, seen, ended):
    """A bare reader. seen: when each user's entry came, or None."""
    with redis.connect() as sock:
        sock.settimeout(0.2)
        last, data = b"$", b""
        while not ended.is_set():
            sock.sendall(command("XREAD", "BLOCK", 100, "STREAMS",
                                 f"{KEY}:changes", last))
            data = b""
            with contextlib.suppress(TimeoutError):
                while not (data.endswith(b"\r\n") and (
                        data.startswith(b"*-1") or data.count(b"mac=") and
                        complete(data))):
                    data += sock.recv(1 << 20)
            now = time.perf_counter()
            for user in re.findall(rb"user=(\S+)@", data) if seen is not None \
                    else ():
                seen.setdefault(user.decode(), now)
            at = data.rfind(b"\r\n*2\r\n$1\r\nr\r\n")
            if at > 0:
                last = data[data.rindex(b"\n", 0, at) + 1:at]


def complete(data):
    """Whether the reply to one XREAD is whole: as many records as it says."""
    count = re.match(rb"\*1\r\n\*2\r\n\$\d+\r\n[^\r]*\r\n\*(\d+)\r\n", data)
    return count and data.count(b" mac=") >= int(count[1])


def quantile(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))]


def write_paced(redis, first, total, written):
    """Each node by a connection of its own, so much every STEP; returns the
    seconds it took. written: when the last one of each step was to be sent."""
    socks = [redis.connect() for _ in range(NODES)]
    for sock in socks:
        sock.setblocking(False)
    began, done = time.perf_counter(), 0
    while done < total:
        due = min(total, int((time.perf_counter() - began) * RATE))
        now, stamp = int(time.time() * 1000), time.perf_counter()
        for n, sock in enumerate(socks):
            data = b"".join(add(first + i, now) for i in range(done, due)
                            if (first + i) % NODES == n)
            sock.setblocking(True)
            sock.sendall(data)
            sock.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while sock.recv(1 << 20):
                    pass
        if due > done:
            written[first + due - 1] = stamp
        done = due
        time.sleep(STEP)
    for sock in socks:
        sock.close()
    return time.perf_counter() - began


def readers(redis, first):
    """What each node that reads costs Redis."""
    costs, total = {}, int(RATE * min(SECONDS, 5))
    for count in READERS:
        ended = threading.Event()
        threads = [threading.Thread(target=watch_bare, args=(redis, None, ended))
                   for _ in range(count)]
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        before = cpu(redis.process.pid)
        sent = int(redis.info()["total_net_output_bytes"])
        write_paced(redis, first, total, {})
        time.sleep(0.2)
        costs[count] = (cpu(redis.process.pid) - before) / total * 1e6
        sent = int(redis.info()["total_net_output_bytes"]) - sent
        ended.set()
        for thread in threads:
            thread.join()
        show("readers", readers=count, logins_per_s=RATE,
             redis_us_per_login=f"{costs[count]:.1f}",
             bytes_per_login_and_reader=f"{sent / total / count:.0f}")
        first += total
    each = (costs[READERS[-1]] - costs[READERS[0]]) / \
        (READERS[-1] - READERS[0])
    show("readers", redis_us_per_login_and_reader=f"{each:.2f}",
         redis_us_per_login_alone=f"{costs[READERS[0]] - each:.1f}")


def paced(redis, reader):
    """Every so often the address just written is asked for until it is leased;
    the others only count."""
    first, total = LEASES, int(RATE * SECONDS)
    bare, ended, written, delays = {}, threading.Event(), {}, []
    watcher = threading.Thread(target=watch_bare, args=(redis, bare, ended))
    watcher.start()
    time.sleep(0.3)
    pids = {"connector": reader.pid("connector"),
            "keeper": reader.pid("keeper"), "redis": redis.process.pid}
    before = {name: cpu(pid) for name, pid in pids.items()}
    asked = threading.Thread(
        target=ask_all, args=(reader, written, delays, ended))
    asked.start()
    began = time.perf_counter()
    seconds = write_paced(redis, first, total, written)
    wait(lambda: (n := reader.site.leases()) >= first + total or n,
         "all logins")
    late = time.perf_counter() - began - seconds
    used = {name: cpu(pid) - before[name] for name, pid in pids.items()}
    ended.set()
    watcher.join()
    asked.join()
    floor = [bare[f"user{i}"] - at for i, at in written.items()
             if f"user{i}" in bare]
    show("paced", logins_per_s=f"{total / seconds:.0f}", logins=total,
         p50_ms=f"{statistics.median(delays) * 1e3:.1f}",
         p99_ms=f"{quantile(delays, .99) * 1e3:.1f}",
         bare_p50_ms=f"{statistics.median(floor) * 1e3:.1f}",
         ratio=f"{statistics.median(delays) / statistics.median(floor):.1f}",
         samples=len(delays), last_after_s=f"{late:.2f}",
         **{f"{name}_us": f"{t / total * 1e6:.1f}" for name, t in used.items()})
    return first + total


def ask_all(reader, written, delays, ended):
    """The latest that was written, again and again."""
    with Ask(reader.site) as ask:
        while not ended.is_set():
            if not written:
                time.sleep(0.001)
                continue
            i, at = max(written.items())
            while not ask(address(i)).startswith(b"allow"):
                if ended.is_set():
                    return
                time.sleep(0.0005)
            delays.append(time.perf_counter() - at)
            while max(written) == i and not ended.is_set():
                time.sleep(0.001)


def burst(redis, reader, first):
    total = int(RATE * SECONDS)
    pid, keeper = reader.pid("connector"), reader.pid("keeper")
    os.kill(pid, signal.SIGSTOP)
    now = int(time.time() * 1000)
    try:
        redis.send([add(first + i, now) for i in range(total)])
    finally:
        os.kill(pid, signal.SIGCONT)
    before = cpu(pid), cpu(keeper)
    began = time.perf_counter()
    wait(lambda: (n := reader.site.leases()) >= first + total or n, "the burst")
    seconds = time.perf_counter() - began
    show("burst", logins=total, seconds=f"{seconds:.2f}",
         logins_per_s=f"{total / seconds:.0f}",
         connector_us=f"{(cpu(pid) - before[0]) / total * 1e6:.1f}",
         keeper_us=f"{(cpu(keeper) - before[1]) / total * 1e6:.1f}",
         state=reader.source()["state"])


def again(redis, reader, then, count):
    """As after a failover that lost changes: all is told once more. then: when
    it was told first, ms."""
    pid, keeper = reader.pid("connector"), reader.pid("keeper")
    commands = [add(i, then) for i in range(count)]

    def heard():
        row = reader.rows("logins")[0]
        return sum(int(row[key]) for key in ("granted", "renewed", "refused"))

    first, before = heard(), (cpu(pid), cpu(keeper))
    began = time.perf_counter()
    redis.send(commands)
    wait(lambda: (n := heard() - first) >= count or n,
         "all is heard once more")
    seconds = time.perf_counter() - began
    show("again", logins=count, seconds=f"{seconds:.2f}",
         logins_per_s=f"{count / seconds:.0f}",
         connector_us=f"{(cpu(pid) - before[0]) / count * 1e6:.1f}",
         keeper_us=f"{(cpu(keeper) - before[1]) / count * 1e6:.1f}")


def main():
    if not shutil.which("redis-server"):
        print("stream skipped=no-redis-server")
        return
    redis, reader = Redis("/tmp"), None
    try:
        memory(redis, LEASES)
        reader = Reader(redis)
        then = join(redis, reader)
        burst(redis, reader, paced(redis, reader))
        again(redis, reader, then, LEASES)
        reader.close()
        readers(redis, LEASES)
    finally:
        if reader:
            reader.close()
        redis.close()


main()
