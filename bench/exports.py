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
import subprocess
import sys
import time

from site_ import Site, login_line, stamp_now

SAMPLES = int(sys.argv[1]) if len(sys.argv) > 1 else 20
LEASES = int(sys.argv[2]) if len(sys.argv) > 2 else 100000
# What the reader looks at ("": a folder of names), and the options.
KINDS = {
    "text": ("list", 'kind = "text" path = "{out}/list"'),
    "cdb": ("list", 'kind = "cdb" path = "{out}/list"'),
    "tcprules": ("list", 'kind = "tcprules" path = "{out}/list" '
                 'static-file = "{out}/tcp.smtp"'),
    "dsearch": ("", 'kind = "dsearch" path = "{out}"'),
    "relay-ctrl": ("", 'kind = "relay-ctrl" path = "{out}"'),
    "lmdb": ("list.lmdb", 'kind = "lmdb" path = "{out}/list.lmdb"'),
    "berkeley-hash": ("list.db", 'kind = "berkeley-hash" '
                      'path = "{out}/list.db"'),
    "berkeley-btree": ("list.db", 'kind = "berkeley-btree" '
                       'path = "{out}/list.db"'),
    "opensmtpd-db": ("list.db", 'kind = "opensmtpd-db" '
                     'path = "{out}/list.db"'),
    "nftables": ("", 'kind = "nftables"'),
}
PARTS = 100  # of all leases: as many are looked for when all should be there


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
        self.nft = kind == "nftables"
        self.file, self.seen = self.out / file if file else None, None
        conf = site.dir / "relaypass.conf"
        conf.write_text(conf.read_text().split("\nexport ")[0] + "\nexport x { "
                        + options.format(out=self.out) + " }\n")

    def bytes(self):
        """Of the file when it has changed since the last look, else b""."""
        try:
            now = self.file.stat()
        except FileNotFoundError:
            return b""
        seen = (now.st_ino, now.st_mtime_ns, now.st_size)
        if seen == self.seen:
            return b""
        self.seen = seen
        return self.file.read_bytes()

    def in_kernel(self, *addresses):
        return subprocess.run(
            ["nft", "get", "element", "inet", "relaypass", "relay4",
             "{ " + ", ".join(addresses) + " }"], check=False,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ).returncode == 0

    def has(self, address):
        if self.nft:
            return self.in_kernel(address)
        if not self.file:
            return (self.out / address).exists()
        return address.encode() in self.bytes()

    def has_all(self):
        some = [address_of(i) for i in
                [*range(0, LEASES, LEASES // PARTS), LEASES - 1]]
        if self.nft:
            return self.in_kernel(*some)
        if not self.file:
            # No listing: that holds up who makes files there.
            return all((self.out / address).exists() for address in some)
        data = self.bytes()
        return all(address.encode() in data for address in some)

    def cpu(self):
        """Seconds of the writer."""
        pid = self.site.pids()["firewall" if self.nft else "writer"]
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
    wait(export.has_all, "all leases in the file", 0.05)
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
    if os.geteuid() or not shutil.which("nft"):
        del KINDS["nftables"]
    elif "alone" not in sys.argv:
        # The kernel's rules are a network namespace's, and this one's is ours.
        os.execvp("unshare", ["unshare", "--net", sys.executable, __file__,
                              str(SAMPLES), str(LEASES), "alone"])
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
