"""File exports: from a login's line in the log to its address in the file, and
what 100,000 leases cost. Yardstick: the kind "text", plain addresses.

    exports.py [samples] [leases]

small    delay of single logins, a quiet daemon with few leases
start    from the start of the daemon until the file holds all leases, and the
         processor time of the writer for that, per lease
large    the same as small with all those leases; processor time per login
"""
import os
import pathlib
import shutil
import statistics
import sys
import time

from site_ import Site, login_line, stamp_now

SAMPLES = int(sys.argv[1]) if len(sys.argv) > 1 else 40
LEASES = int(sys.argv[2]) if len(sys.argv) > 2 else 100000
KINDS = {
    "text": ("list", 'kind = "text" path = "{out}/list"'),
    "cdb": ("list", 'kind = "cdb" path = "{out}/list"'),
    "tcprules": ("list", 'kind = "tcprules" path = "{out}/list" '
                 'static-file = "{out}/tcp.smtp"'),
    "dsearch": (None, 'kind = "dsearch" path = "{out}"'),
    "relay-ctrl": (None, 'kind = "relay-ctrl" path = "{out}"'),
}


def quantile(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))]


def address_of(i):
    return f"45.{i >> 16}.{i >> 8 & 255}.{i & 255}"


class Export:
    """A site with one export; its target's directory is made anew."""

    def __init__(self, site, kind):
        self.site, self.kind = site, kind
        file, options = KINDS[kind]
        self.out = site.dir / "out"
        if self.out.exists():
            shutil.rmtree(self.out)
        self.out.mkdir(mode=0o755)
        (self.out / "tcp.smtp").write_text(':allow\n')
        if os.geteuid() == 0:
            shutil.chown(self.out, "relaypass-out", "relaypass-out")
        self.file, self.inode = self.out / file if file else None, None
        conf = site.dir / "relaypass.conf"
        conf.write_text(conf.read_text().split("\nexport ")[0] + "\nexport x { "
                        + options.format(out=self.out) + " }\n")

    def has(self, address):
        """Reads the file only when there is another one."""
        if not self.file:
            return (self.out / address).exists()
        try:
            inode = self.file.stat().st_ino
        except FileNotFoundError:
            return False
        if inode == self.inode:
            return False
        self.inode = inode
        return address.encode() in self.file.read_bytes()

    def count(self):
        """A file comes with all leases at once."""
        if not self.file:
            return sum(name[0].isdigit() for name in os.listdir(self.out))
        return LEASES if self.file.exists() else 0

    def cpu(self):
        """Seconds of the writer."""
        pid = self.site.pids()["writer"]
        text = pathlib.Path(f"/proc/{pid}/schedstat").read_text()
        return int(text.split()[0]) / 1e9


def wait(condition, what, pause=0.0):
    began = time.perf_counter()
    while not condition():
        if time.perf_counter() - began > 120:
            sys.exit(f"not after two minutes: {what}")
        if pause:
            time.sleep(pause)
    return time.perf_counter() - began


def logins(export, first):
    """Delays of single logins, each after a quiet time."""
    seen = []
    for i in range(first, first + SAMPLES):
        time.sleep(0.6)
        export.site.log.write(
            login_line(stamp_now(), address_of(i), f"u{i}", i))
        seen.append(wait(lambda: export.has(address_of(i)), "a login"))
    return seen


def show(kind, phase, seen, **more):
    print(f"exports kind={kind} phase={phase} "
          f"p50_ms={statistics.median(seen) * 1e3:.1f} "
          f"p99_ms={quantile(seen, .99) * 1e3:.1f}",
          *[f"{key}={value}" for key, value in more.items()], flush=True)


def small(kind):
    site = Site()
    try:
        export = Export(site, kind)
        site.start()
        show(kind, "small", logins(export, 0), samples=SAMPLES)
    finally:
        site.close()


def fill(site):
    stamp = stamp_now()
    for i in range(LEASES):
        site.log.write(login_line(stamp, address_of(i), f"u{i}", i))
    site.start()
    wait(lambda: site.leases() >= LEASES, "all leases", 0.1)
    site.stop()


def large(site, kind, first, yardstick):
    export = Export(site, kind)
    began = time.perf_counter()
    site.start()
    wait(lambda: export.count() >= LEASES, "the file", 0.05)
    took, cpu = time.perf_counter() - began, export.cpu()
    ratio = cpu / yardstick if yardstick else 1
    print(f"exports kind={kind} phase=start leases={first} seconds={took:.2f} "
          f"cpu_us_per_lease={cpu / first * 1e6:.2f} to_text={ratio:.2f}",
          flush=True)
    before = export.cpu()
    seen = logins(export, first)
    show(kind, "large", seen, leases=first,
         cpu_ms_per_login=f"{(export.cpu() - before) / SAMPLES * 1e3:.1f}")
    site.stop()
    return cpu


def main():
    for kind in KINDS:
        small(kind)
    site = Site()
    try:
        fill(site)
        first, yardstick = LEASES, None
        for kind in KINDS:
            cpu = large(site, kind, first, yardstick)
            yardstick = yardstick or cpu
            first += SAMPLES
    finally:
        site.close()


main()
