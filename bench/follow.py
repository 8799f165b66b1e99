"""Log write to positive answer: a login is appended, and its address asked
about until the answer is allow. Yardstick: one idle answer (a round trip)."""
import statistics
import sys
import time

from site_ import Ask, Site, login_line, stamp_now

SAMPLES = int(sys.argv[1]) if len(sys.argv) > 1 else 400


def quantile(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))] * 1e6


def main():
    site = Site()
    try:
        site.start()
        with Ask(site) as ask:
            seen, idle = [], []
            for i in range(SAMPLES):
                address = f"203.0.{113 + i // 250}.{i % 250 + 1}"
                began = time.perf_counter()
                ask(address)
                idle.append(time.perf_counter() - began)
                began = time.perf_counter()
                site.log.write(login_line(stamp_now(), address, "bench", i))
                while not ask(address).startswith(b"allow"):
                    if time.perf_counter() - began > 5:
                        sys.exit(f"{address} is not leased after 5 s")
                seen.append(time.perf_counter() - began)
                time.sleep(0.012)
            print(f"follow samples={SAMPLES} p50_us={quantile(seen, .5):.0f} "
                  f"p99_us={quantile(seen, .99):.0f} "
                  f"round_trip_p50_us={quantile(idle, .5):.0f} "
                  f"ratio={statistics.median(seen) / statistics.median(idle):.2f}")
    finally:
        site.close()


main()
