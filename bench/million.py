"""One million leases: logins/s from the log into the ledger, disk, memory of all
processes, and the start. Yardsticks: `wc -l` of the same log, and bench/scan,
which reads every row of the same ledger with bare LMDB."""
import subprocess
import sys
import time
from pathlib import Path

from site_ import BUILD, Site, login_line, stamp_now

COUNT = int(sys.argv[1]) if len(sys.argv) > 1 else 1000000


def address(i):
    """Distinct ordinary addresses in random-looking order."""
    j = (i * 2654435761) % (1 << 24)
    return f"{[45, 81, 151, 185][i & 3]}.{j >> 16}.{j >> 8 & 255}.{j & 255}"


def anonymous(pid):
    """Anonymous memory of one process in bytes (RssAnon, proc(5))."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    return 0


def replay(site):
    """Seconds from the start to the last lease."""
    began = time.perf_counter()
    site.start()
    last = -1
    while (now := site.leases()) < COUNT:
        if now != last:
            last, moved = now, time.perf_counter()
        elif time.perf_counter() - moved > 60:
            sys.exit(f"stuck at {now} leases")
        time.sleep(0.02)
    return time.perf_counter() - began


def main():
    site = Site(ttl="24h")
    try:
        stamp = stamp_now()
        for i in range(0, COUNT, 10000):
            site.log.write(b"".join(
                login_line(stamp, address(j), f"user{j}@example.org", j)
                for j in range(i, min(i + 10000, COUNT))))
        began = time.perf_counter()
        subprocess.run(["wc", "-l", site.dir / "mail.log"], check=True,
                       stdout=subprocess.DEVNULL)
        lines = time.perf_counter() - began
        seconds = replay(site)
        print(f"replay leases={COUNT} logins_per_s={COUNT / seconds:.0f} "
              f"ratio_to_wc={lines / seconds:.4f}")
        disk = (site.dir / "ledger/data.mdb").stat().st_blocks * 512
        print(f"disk leases={COUNT} bytes_per_lease={disk / COUNT:.0f}")
        site.stop()
        starts = []
        for _ in range(5):
            starts.append(site.start())
            pids = [site.daemon.pid, *site.pids().values()]
            memory = sum(anonymous(pid) for pid in pids)
            site.stop()
        scan = subprocess.run([BUILD / "bench/scan", site.dir / "ledger"],
                              check=True, capture_output=True, text=True)
        scan = float(scan.stdout.split("seconds=")[1].split()[0])
        start = sorted(starts)[len(starts) // 2]
        print(f"memory leases={COUNT} anonymous_bytes={memory} "
              f"above_24MiB_per_lease={(memory - (24 << 20)) / COUNT:.1f}")
        print(f"start leases={COUNT} first_answer_ms={start * 1e3:.1f} "
              f"scan_ms={scan * 1e3:.1f} ratio={start / scan:.2f}")
    finally:
        site.close()


main()
