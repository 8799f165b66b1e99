# SPDX-License-Identifier: ISC
"""What every file export promises, for every kind that the program has: a reader
never sees half a file, whatever is killed and however full the disk is; what was
missed is caught up with; an ended lease is gone within a second; and no login
and no answer waits for any of it. A new kind has to be told of here."""

import concurrent.futures
import contextlib
import dataclasses
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import threading
import time

import pytest

import lab
import site1

# These keep no file: their own tests are there.
ELSEWHERE = {"drac": "test_export_drac.py",
             "nftables": "test_export_nftables.py",
             "redis": "test_redis.py",
             "sql": "test_export_sql_outage.py",
             "sql-stream": "test_sql_stream.py"}
ROUNDS = int(os.environ.get("RELAYPASS_EXPORT_KILLS", "5"))
SECOND = 1.5  # an end has to be seen within one; the rest is the reader's
ADDRESS = re.compile(r"\b(?:198\.51|203\.0)\.\d+\.\d+\b")

pytestmark = [pytest.mark.needs("postfix"), pytest.mark.needs("tcpserver")]


class Unreadable(Exception):
    pass


def tool(*argv):
    done = subprocess.run(argv, check=False, capture_output=True,
                          encoding="latin-1", timeout=lab.LIMIT)
    if done.returncode:
        raise Unreadable(f"{argv}: {done.stderr}")
    return done.stdout


def by_cat(path):
    text = path.read_text(encoding="ascii")
    if text and not text.endswith("\n"):
        raise Unreadable(f"{path} ends with {text[-20:]!r}")
    return text


def by_cdb(path):
    return tool("cdb", "-d", str(path))


def by_ls(path):
    return "\n".join(os.listdir(path))


def by_postmap(kind):
    """Which takes Postfix' lock; keys have a NUL or not."""
    return lambda path: tool("postmap", "-s",
                             f"{kind}:{str(path).rpartition('.')[0]}")


@dataclasses.dataclass(frozen=True)
class Kind:
    """file: the target below its directory, "" for that itself. breaks: when
    its writer is killed a reader may fail, until the next one has written it
    anew (docs/exports.md)."""

    read: callable
    file: str = "list"
    options: str = ""
    breaks: bool = False


KINDS = {
    "text": Kind(by_cat),
    "cdb": Kind(by_cdb),
    "tcprules": Kind(by_cdb, options='static-file = "{dir}/tcp.smtp"'),
    "dsearch": Kind(by_ls, ""),
    "relay-ctrl": Kind(by_ls, ""),
    "lmdb": Kind(by_postmap("lmdb"), "list.lmdb"),
    "berkeley-hash": Kind(by_postmap("hash"), "list.db",
                          'ipv6 = "short" nul = yes', True),
    "berkeley-btree": Kind(by_postmap("btree"), "list.db",
                           'ipv6 = "short" nul = yes', True),
    "opensmtpd-db": Kind(by_postmap("hash"), "list.db"),
}


def kinds_of_program():
    text = subprocess.run(
        [lab.program("relaypass"), "config", "--defaults"], check=True,
        capture_output=True, encoding="utf-8").stdout
    return re.findall(r'(?m)^#?export NAME \{\n#?\tkind = "(.*)"$', text)


def test_every_kind_is_here():
    assert set(kinds_of_program()) == {*KINDS, *ELSEWHERE}
    assert all((lab.HERE / name).exists() for name in ELSEWHERE.values())


class Site(site1.Site):
    """With an export of the kind into a directory of the account nobody."""

    def __init__(self, where, name, before=()):
        super().__init__(where, before)
        self.kind, self.out = KINDS[name], where / "out"
        self.out.mkdir(mode=0o755)
        if os.geteuid() == 0:
            shutil.chown(self.out, "nobody")
        (where / "tcp.smtp").write_text(":allow\n", encoding="ascii")
        self.target = self.out / self.kind.file
        self.write(self.text(more=f"""
export all {{ kind = "{name}" path = "{self.target}" user = "nobody"
              {self.kind.options.format(dir=where)} }}
"""))

    def read(self):
        """The addresses in it."""
        if not self.target.exists():
            return set()
        return set(ADDRESS.findall(self.kind.read(self.target)))

    def holds(self, addresses):
        try:
            return set(addresses) <= self.read()
        except Unreadable:
            return False

    def wait_for(self, addresses, limit=lab.LIMIT):
        try:
            lab.wait_for(lambda: self.holds(addresses), "all leases", limit)
        except AssertionError as err:
            raise AssertionError(f"{err}\n{self.errors()[-4000:]}") from err

    def is_without(self, address):
        try:
            return address not in self.read()
        except Unreadable:
            return False

    def writer(self):
        return lab.wait_for(lambda: self.children().get("writer all"),
                            "the writer")

    def log_in_all(self, addresses):
        for address in addresses:
            self.login(address)


@pytest.fixture(name="where")
def make_where():
    with site1.directory() as where:
        yield where


FILES = [kind for kind in kinds_of_program() if kind not in ELSEWHERE]


@pytest.fixture(name="site", params=FILES)
def make_site(request, where):
    made = Site(where, request.param)
    try:
        yield made
    finally:
        made.stop()


class Reader(threading.Thread):
    """Looks all the time. Whoever was there before has to be, and nobody who
    was never leased."""

    def __init__(self, site, always, ever):
        super().__init__()
        self.site, self.always, self.ever = site, set(always), set(ever)
        self.done, self.wrong, self.looks = threading.Event(), [], 0

    def run(self):
        while not self.done.is_set():
            self.looks += 1
            try:
                found = self.site.read()
            except Unreadable as err:
                if not self.site.kind.breaks:
                    self.wrong.append(str(err))
                continue
            except OSError as err:
                self.wrong.append(repr(err))
                continue
            if self.always - found and not self.site.kind.breaks:
                self.wrong.append(f"missing: {self.always - found}")
            if found - self.ever:
                self.wrong.append(f"too many: {found - self.ever}")


def test_killed_at_any_point_it_is_never_half(site):
    site.start()
    first = [f"203.0.113.{i}" for i in range(1, 41)]
    more = [[f"198.51.{100 + i}.{j}" for j in range(1, 21)]
            for i in range(ROUNDS)]
    site.log_in_all(first)
    site.wait_for(first)
    reader = Reader(site, first, [*first, *sum(more, [])])
    reader.start()
    choice = random.Random(ROUNDS)
    try:
        for addresses in more:
            pid = site.writer()
            site.log_in_all(addresses)
            time.sleep(choice.random() * 0.3)  # where it is hit, is chance
            os.kill(pid, signal.SIGKILL)
            lab.wait_for(lambda: site.writer() != pid, "another writer")
        site.wait_for([*first, *sum(more, [])])
    finally:
        reader.done.set()
        reader.join()
    assert reader.looks > ROUNDS
    assert not reader.wrong, reader.wrong[:3]
    lab.wait_for(lambda: not [name for name in os.listdir(site.out)
                              if name.endswith(".new")], "nothing is left")


def wait_an_end(site):
    site.login("203.0.113.7")
    site.wait_leased("203.0.113.7")
    site.wait_for(["203.0.113.7"], 2)
    site.login("203.0.113.8")
    lab.wait_for(lambda: site.check("203.0.113.7") == "none", "its end")
    began = time.monotonic()
    lab.wait_for(lambda: site.is_without("203.0.113.7"), "it is gone", 5)
    return time.monotonic() - began


def test_an_end_is_seen_within_a_second():
    """Of all kinds at a time: most of it is waiting for the end."""
    with contextlib.ExitStack() as stack:
        sites = []
        for kind in FILES:
            site = Site(stack.enter_context(site1.directory()), kind)
            stack.callback(site.stop)
            site.write(site.text(ttl="4s"))
            sites.append(site.start())
        pool = stack.enter_context(
            concurrent.futures.ThreadPoolExecutor(len(sites)))
        for kind, took in zip(FILES, pool.map(wait_an_end, sites)):
            assert took < SECOND, kind


def test_a_writer_that_hangs_holds_up_nobody_and_catches_up(site):
    site.start()
    site.login("203.0.113.1")
    site.wait_for(["203.0.113.1"])
    pid = site.writer()
    os.kill(pid, signal.SIGSTOP)
    try:
        for i in range(2, 12):
            began = time.monotonic()
            site.login(f"203.0.113.{i}")
            site.wait_leased(f"203.0.113.{i}")
            assert site.check("203.0.113.1").startswith("allow ")
            assert time.monotonic() - began < 1
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
    site.wait_for([f"203.0.113.{i}" for i in range(1, 12)])


def test_what_happened_while_it_was_away_is_there(site):
    """Ends and logins; the second start goes on from the cursor, or writes
    anew, and both come to the same."""
    site.start()
    site.log_in_all(["203.0.113.1", "203.0.113.2"])
    site.wait_for(["203.0.113.1", "203.0.113.2"])
    site.stop()
    site.login("203.0.113.3")
    site.start()
    site.wait_for(["203.0.113.1", "203.0.113.2", "203.0.113.3"])
    site.stop()
    site.clock.advance(2 * 3600 * 1000)
    site.start()
    lab.wait_for(lambda: site.read() == set(), "the ends")


@pytest.mark.namespaces
def test_a_full_disk_leaves_what_was_there(where, request, site):
    """And says so once; when there is room again all is there."""
    kind = request.node.callspec.params["site"]
    shutil.rmtree(site.out)
    full = Site(where, kind, [
        "unshare", "--mount", "--propagation", "private", "sh", "-ec",
        'mount -t tmpfs -o size=2m,mode=755,uid=65534 tmpfs "$0"; exec "$@"',
        str(where / "out")])
    try:
        full.start()
        root = f"/proc/{full.process.pid}/root"
        full.target = pathlib.Path(f"{root}{full.target}")
        full.login("203.0.113.1")
        full.wait_for(["203.0.113.1"])
        fill = pathlib.Path(f"{root}{full.out}/fill")
        with contextlib.suppress(OSError), \
                open(fill, "wb", buffering=0) as file:
            while file.write(b"x" * 4096):
                pass
        # A file each is a page each.
        count = 4000 if full.kind.file else 300
        many = [f"198.51.{100 + i // 200}.{i % 200 + 1}" for i in range(count)]
        full.log_in_all(many)
        full.wait_leased(many[-1])
        if kind != "dsearch":  # empty files take no room here
            full.wait_error("export.error")
        assert "203.0.113.1" in full.read()
        fill.unlink()
        full.wait_for(["203.0.113.1", *many])
        assert full.errors().count("export.error") <= 1
    finally:
        full.stop()
