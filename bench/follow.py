"""Log write to positive answer: a login is appended, and its address asked
about until the answer is allow; alone, and while 10,000 logins/s of other leases
arrive. Yardstick: one idle answer (a round trip)."""
import os
import random
import signal
import statistics
import sys
import time

from site_ import Ask, Site, login_line, stamp_now

SAMPLES = int(sys.argv[1]) if len(sys.argv) > 1 else 400
LEASES = 300_000  # of the others
A_MILLISECOND = 10  # of their logins


def quantile(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))] * 1e6


def others(stamp, numbers):
    """The logins of so many others."""
    return b"".join(
        login_line(stamp, f"2001:db8::{n >> 16:x}:{n & 0xffff:x}", f"u{n}", n)
        for n in numbers)


def log_on(log):
    """Writes logins without an end, ten each millisecond."""
    due = time.perf_counter()
    while True:
        log.write(others(stamp_now(), random.choices(range(LEASES),
                                                     k=A_MILLISECOND)))
        due += 0.001
        time.sleep(max(0, due - time.perf_counter()))


def wait_for(ask, address):
    began = time.perf_counter()
    while not ask(address).startswith(b"allow"):
        if time.perf_counter() - began > 60:
            sys.exit(f"{address} is not leased after 60 s")
    return time.perf_counter() - began


def measure(name, site, ask, block):
    seen, idle = [], []
    for i in range(SAMPLES):
        address = f"{block}.{i // 250}.{i % 250 + 1}"
        began = time.perf_counter()
        ask(address)
        idle.append(time.perf_counter() - began)
        site.log.write(login_line(stamp_now(), address, "bench", i))
        seen.append(wait_for(ask, address))
        time.sleep(0.012)
    print(f"{name} samples={SAMPLES} p50_us={quantile(seen, .5):.0f} "
          f"p90_us={quantile(seen, .9):.0f} p99_us={quantile(seen, .99):.0f} "
          f"round_trip_p50_us={quantile(idle, .5):.0f} "
          f"ratio={statistics.median(seen) / statistics.median(idle):.2f}",
          flush=True)


def main():
    site = Site()
    try:
        site.start()
        with Ask(site) as ask:
            measure("follow", site, ask, "9.1")
            for first in range(0, LEASES, 1000):
                site.log.write(others(stamp_now(), range(first, first + 1000)))
            last = LEASES - 1
            wait_for(ask, f"2001:db8::{last >> 16:x}:{last & 0xffff:x}")
            writer = os.fork()
            if writer == 0:
                log_on(site.log)
            try:
                measure("follow-load", site, ask, "9.2")
            finally:
                os.kill(writer, signal.SIGKILL)
                os.waitpid(writer, 0)
    finally:
        site.close()


main()
