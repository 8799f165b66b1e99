"""What many leases cost one node: loading them as logins from its log, memory of
each process, disk, the keeper's work when nothing happens, restarts, renewals,
and the snapshots of exports. Yardsticks: `wc -l` of the same log, and bench/scan, which
reads every row of the same ledger with bare LMDB.

    scale.py [LEASES [KIND...]]     kinds of exports; all that can run here

RELAYPASS_SCALE_LEASES is another way to say how many, RELAYPASS_SCALE_DIR where
(10 million leases need about 5 GB), RELAYPASS_SCALE_IDLE how many seconds the
keeper is watched when idle.
"""
import contextlib
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LEASES = int(sys.argv[1] if len(sys.argv) > 1 else
             os.environ.get("RELAYPASS_SCALE_LEASES", "100000"))
IDLE = float(os.environ.get("RELAYPASS_SCALE_IDLE", "10"))
if "RELAYPASS_SCALE_DIR" in os.environ:
    tempfile.tempdir = os.environ["RELAYPASS_SCALE_DIR"]

import redis_  # noqa: E402
from site_ import BUILD, Site, login_line, stamp_now  # noqa: E402

STARTS, PATIENCE, RENEWED = 5, 120, 200000
MIB = 1 << 20


def show(part, **pairs):
    print(f"scale part={part} leases={LEASES}",
          *[f"{key}={value}" for key, value in pairs.items()], flush=True)


def address(i):
    """Distinct ordinary addresses in random-looking order."""
    j = (i * 2654435761) % (1 << 24)
    return f"{[45, 81, 151, 185][i & 3]}.{j >> 16}.{j >> 8 & 255}.{j & 255}"


# --- what the kernel and relaypassd tell --------------------------------------

def cpu(pid):
    """Seconds that a process has run."""
    text = Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii")
    return int(text.split()[0]) / 1e9


def memory(pid):
    """Bytes: anonymous, and its share of all it has mapped. The ledger's pages
    count among the latter while they are in use; the kernel takes them back."""
    def line(file, name):
        found = re.search(rf"^{name}:\s+(\d+) kB", Path(
            f"/proc/{pid}/{file}").read_text(encoding="ascii"), re.M)
        return int(found[1]) * 1024 if found else 0
    return line("status", "RssAnon"), line("smaps_rollup", "Pss")


def rows(site, topic):
    """The rows of `status` of one topic."""
    return [dict(word.split("=", 1) for word in line.split()[2:])
            for line in site.control("status").splitlines()
            if line.startswith(f"status {topic} ")]


def processes(site):
    return {row["role"] if row["name"] == "-" or row["role"] == "answerer"
            else f"{row['role']}-{row['name']}": int(row["pid"])
            for row in rows(site, "process")}


def disk(path):
    return path.stat().st_blocks * 512


def scan(site):
    """Seconds in which bare LMDB reads every row."""
    done = subprocess.run([BUILD / "bench/scan", site.dir / "ledger"],
                          check=True, capture_output=True, text=True)
    return float(done.stdout.split("seconds=")[1].split()[0])


def wait(done, what, pause=0.02):
    """Seconds until done() is true; its value must change all the while."""
    began = moved = time.perf_counter()
    last = None
    while (now := done()) is not True:
        if now != last:
            last, moved = now, time.perf_counter()
        elif time.perf_counter() - moved > PATIENCE:
            sys.exit(f"not done: {what} ({now})")
        time.sleep(pause)
    return time.perf_counter() - began


# --- parts --------------------------------------------------------------------

def load(site):
    stamp = stamp_now()
    for i in range(0, LEASES, 10000):
        site.log.write(b"".join(
            login_line(stamp, address(j), f"user{j}@example.org", j)
            for j in range(i, min(i + 10000, LEASES))))
    began = time.perf_counter()
    subprocess.run(["wc", "-l", site.dir / "mail.log"], check=True,
                   stdout=subprocess.DEVNULL)
    lines = time.perf_counter() - began
    began = time.perf_counter()
    site.start()
    wait(lambda: (n := site.leases()) >= LEASES or n, "all leases", 0.1)
    seconds = time.perf_counter() - began
    commits = int(rows(site, "logins")[0]["commits"]) \
        if rows(site, "logins") else 0
    show("load", seconds=f"{seconds:.1f}",
         logins_per_s=f"{LEASES / seconds:.0f}", commits=commits,
         ratio_to_wc=f"{lines / seconds:.4f}")


def idle(site):
    """What all processes need when nothing happens. The keeper looks at every
    row once a minute."""
    pids = processes(site)
    time.sleep(1)
    before, began = {r: cpu(p) for r, p in pids.items()}, time.perf_counter()
    time.sleep(IDLE)
    took = time.perf_counter() - began
    bare = scan(site)
    for role, pid in pids.items():
        used = (cpu(pid) - before[role]) / took
        more = {"ratio_to_scan": f"{used * 60 / bare:.1f}"} \
            if role == "keeper" else {}
        show("idle", process=role, cpu_percent=f"{100 * used:.2f}", **more)


def remember(site, part):
    """What each process holds."""
    for role, pid in processes(site).items():
        anonymous, pss = memory(pid)
        show(part, process=role, anonymous_mib=f"{anonymous / MIB:.1f}",
             pss_mib=f"{pss / MIB:.1f}",
             anonymous_bytes_per_lease=f"{anonymous / LEASES:.1f}")


def restarts(site):
    seen = []
    for _ in range(STARTS):
        site.stop()
        seen.append(site.start())
    bare = scan(site)
    start = statistics.median(seen)
    show("restart", first_answer_ms=f"{start * 1e3:.1f}",
         slowest_ms=f"{max(seen) * 1e3:.1f}", scan_ms=f"{bare * 1e3:.1f}",
         ratio=f"{start / bare:.2f}")


def renew(site):
    """Logins of leases that are there already, one after the other at random:
    each is another page of the ledger."""
    count = min(LEASES, RENEWED)
    lines = [login_line(stamp_now(), address(j), f"user{j}@example.org",
                        LEASES + i)
             for i, j in enumerate(random.Random(1).sample(range(LEASES),
                                                           count))]

    def seen():
        row = rows(site, "logins")[0]
        return sum(int(row[key]) for key in ("granted", "renewed", "refused"))

    before, keeper = seen(), processes(site)["keeper"]
    used, commits = cpu(keeper), int(rows(site, "logins")[0]["commits"])
    began = time.perf_counter()
    for i in range(0, count, 1000):
        site.log.write(b"".join(lines[i:i + 1000]))
    wait(lambda: (n := seen() - before) >= count or n, "all renewed", 0.05)
    seconds = time.perf_counter() - began
    show("renew", logins=count, seconds=f"{seconds:.1f}",
         logins_per_s=f"{count / seconds:.0f}",
         keeper_cpu_us_per_login=f"{(cpu(keeper) - used) / count * 1e6:.1f}",
         commits=int(rows(site, "logins")[0]["commits"]) - commits)


# --- snapshots of exports -----------------------------------------------------

class Target:
    """Where an export writes, and the section that says so."""
    name = None

    def __init__(self, site):
        self.out = site.dir / "out"
        shutil.rmtree(self.out, ignore_errors=True)
        self.out.mkdir(mode=0o755)
        if os.geteuid() == 0:
            shutil.chown(self.out, "relaypass-out", "relaypass-out")

    def section(self):
        return f'kind = "{self.name}" path = "{self.out}/list"'

    def size(self):
        """Bytes that it needs now."""
        return sum(disk(p) for p in self.out.iterdir())

    def close(self):
        pass


class Text(Target):
    name = "text"


class Lmdb(Target):
    name = "lmdb"

    def section(self):
        return f'kind = "lmdb" path = "{self.out}/list.lmdb"'


class InRedis(Target):
    """Keys and stream; its size is the server's memory."""
    name = "redis"

    def __init__(self, site):
        super().__init__(site)
        self.site, self.redis = site, redis_.Redis(self.out)

    def section(self):
        return self.redis.options(self.site)

    def size(self):
        return int(self.redis.info()["used_memory"])

    def close(self):
        self.redis.close()


class Sqlite(Target):
    name = "sql"

    def section(self):
        return (f'kind = "sql" engine = "sqlite" create-table = yes '
                f'database = "{self.out}/list.sqlite"')


TARGETS = [Text, Lmdb]
if shutil.which("redis-server"):
    TARGETS.append(InRedis)
if (BUILD / "src/modules/sqlite.so").exists():
    TARGETS.append(Sqlite)


def processor(site, role):
    return sum(cpu(pid) for name, pid in processes(site).items()
               if name.startswith(role + "-"))


def snapshot(site, target, bare):
    conf = site.dir / "relaypass.conf"
    plain = conf.read_text()
    conf.write_text(plain + "\nexport x { " + target.section() + " }\n")
    try:
        site.start()

        def there():
            row = rows(site, "export")[0]
            return (row["state"] == "good" and
                    int(row["changes"]) >= LEASES) or row["changes"]

        seconds = wait(there, "the snapshot", 0.05)
        used = sum(processor(site, role) for role in
                   ("writer", "connector", "firewall"))
        show("snapshot", kind=target.name, seconds=f"{seconds:.1f}",
             cpu_s=f"{used:.1f}", ratio_to_scan=f"{used / bare:.1f}",
             bytes_per_lease=f"{target.size() / LEASES:.0f}")
    finally:
        site.stop()
        conf.write_text(plain)


def main():
    wanted = sys.argv[2:]
    site = Site(ttl="24h")
    try:
        load(site)
        data = site.dir / "ledger/data.mdb"
        show("disk", mib=f"{disk(data) / MIB:.0f}",
             bytes_per_lease=f"{disk(data) / LEASES:.0f}")
        remember(site, "memory-loaded")
        idle(site)
        restarts(site)
        remember(site, "memory-restarted")
        renew(site)
        bare = scan(site)
        site.stop()
        for kind in TARGETS:
            if wanted and kind.name not in wanted:
                continue
            with contextlib.closing(kind(site)) as target:
                snapshot(site, target, bare)
    finally:
        site.close()


main()
