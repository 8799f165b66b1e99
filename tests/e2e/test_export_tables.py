# SPDX-License-Identifier: ISC
"""The exports "lmdb" and "berkeley-hash", read by the tools of the mail servers
that they are for, whatever happens to the process that writes."""

import contextlib
import os
import pathlib
import shutil
import signal
import tempfile
import time

import pytest

import lab
import test_daemon

EXPORT = """
export table {{ kind = "{kind}" path = "{path}" user = "nobody" {more} }}
"""
KINDS = {
    "lmdb": ("lmdb", "pop.lmdb", "", "lmdb"),
    "hash": ("berkeley-hash", "pop.db", 'ipv6 = "short" nul = yes', "hash"),
    "btree": ("berkeley-btree", "pop.db", 'ipv6 = "short"', "btree"),
}

pytestmark = pytest.mark.needs("postfix")


class Site(test_daemon.Site):
    """With a table in its directory."""

    def __init__(self, where, kind, before=(), folder="."):
        super().__init__(where, before)
        name, file, more, self.type = KINDS[kind]
        self.kind, self.seen = kind, where / folder
        self.file = where / folder / file
        self.write(self.text(more=EXPORT.format(
            kind=name, path=self.file, more=more)))

    def found(self, key):
        """What Postfix finds."""
        return self.host.run(
            "postmap", "-q", key, f"{self.type}:{self.seen}/pop",
            check=False).stdout.strip()

    def wait_found(self, key, value="OK", limit=lab.LIMIT):
        try:
            lab.wait_for(lambda: self.found(key) == value,
                         f"{key}: {value!r}", limit)
        except AssertionError as err:
            raise AssertionError(f"{err}\n{self.errors()}") from err

    def writer(self):
        return lab.wait_for(lambda: self.children().get("writer table"),
                            "the writer")


@pytest.fixture(name="site", params=KINDS)
def make_site(request):
    types = lab.Here().run("postconf", "-m").stdout.split()
    if KINDS[request.param][3] not in types:
        pytest.skip("needs postfix-lmdb: tools/install-deps test")
    where = pathlib.Path(tempfile.mkdtemp(prefix="relaypass-e2e-"))
    where.chmod(0o755)
    site = Site(where, request.param)
    try:
        yield site
    finally:
        site.stop()
        shutil.rmtree(where)


def test_a_lease_is_in_the_file_until_it_ends(site):
    site.write(site.text(ttl="5s"))
    site.start()
    site.wait_found("203.0.113.1", "")
    site.login("203.0.113.1")
    site.login("2001:db8::7")
    site.wait_leased("2001:db8::7")
    began = time.monotonic()
    site.wait_found("203.0.113.1", limit=1)
    site.wait_found("2001:db8::7", limit=1)
    assert site.found("203.0.113") == ""
    lab.wait_for(lambda: site.check("2001:db8::7") == "none", "it is over")
    assert time.monotonic() - began > 2
    site.wait_found("203.0.113.1", "", limit=1)
    site.wait_found("2001:db8::7", "", limit=1)
    assert "export.error" not in site.errors()


def test_the_file_is_right_again_after_kill_9(site):
    site.start()
    for i in range(1, 6):
        pid = site.writer()
        for j in range(20):
            site.login(f"198.51.{100 + i}.{j + 1}")
            if j == 10:
                os.kill(pid, signal.SIGKILL)
        lab.wait_for(lambda: site.writer() != pid, "another writer")
    site.wait_leased("198.51.105.20")
    for i in range(1, 6):
        for j in range(20):
            site.wait_found(f"198.51.{100 + i}.{j + 1}")


@pytest.mark.namespaces
def test_a_full_disk_leaves_the_old_file(site):
    disk = site.where / "disk"
    disk.mkdir()
    full = Site(site.where, site.kind, [
        "unshare", "--mount", "--propagation", "private", "sh", "-ec",
        'mount -t tmpfs -o size=4m,mode=755 tmpfs "$0"; exec "$@"',
        str(disk)], "disk")
    try:
        full.start()
        full.seen = pathlib.Path(f"/proc/{full.process.pid}/root{disk}")
        full.login("203.0.113.1")
        full.wait_found("203.0.113.1")
        fill = full.seen / "fill"
        with contextlib.suppress(OSError), \
                open(fill, "wb", buffering=0) as file:
            while file.write(b"x" * 4096):
                pass
        for i in range(1, 601):
            full.login(f"198.51.{100 + i // 200}.{i % 200 + 1}")
        full.wait_error("export.error")
        full.wait_leased("198.51.103.1")
        assert full.found("203.0.113.1") == "OK"
        assert full.found("198.51.103.1") == ""
        fill.unlink()
        full.wait_found("198.51.103.1")
        assert full.found("203.0.113.1") == full.found("198.51.101.7") == "OK"
        full.wait_error("state=good")
    finally:
        full.stop()


def test_what_ended_meanwhile_is_gone_after_a_restart(site):
    site.start()
    site.login("203.0.113.1")
    site.login("203.0.113.2")
    site.wait_found("203.0.113.2")
    site.stop()
    assert site.found("203.0.113.1") == "OK"
    site.clock.advance(2 * 3600 * 1000)
    site.start()
    site.wait_found("203.0.113.1", "")
    assert site.found("203.0.113.2") == ""


def test_the_file_belongs_to_the_account(site):
    site.start()
    site.login("203.0.113.1")
    site.wait_found("203.0.113.1")
    stat = site.file.stat()
    assert (stat.st_mode & 0o777, site.file.owner()) == (0o644, "nobody")


def test_a_postmap_by_hand_is_made_good(site):
    """Somebody writes the file anew; it is relaypass' alone."""
    site.start()
    site.login("203.0.113.1")
    site.wait_found("203.0.113.1")
    (site.where / "pop").write_text("203.0.113.66 OK\n", encoding="ascii")
    site.host.run("postmap", f"{site.type}:{site.where}/pop")
    assert site.found("203.0.113.66") == "OK"
    os.kill(site.writer(), signal.SIGKILL)
    site.wait_found("203.0.113.66", "")
    site.wait_found("203.0.113.1")
