# SPDX-License-Identifier: ISC
"""The exports "lmdb" and "berkeley-hash", read by the tools of the mail servers
that they are for; what becomes of them when the writer dies or the disk is full
is in test_exports_all.py."""

import os
import signal
import time

import pytest

import lab
import site1

EXPORT = """
export table {{ kind = "{kind}" path = "{path}" user = "nobody" {more} }}
"""
KINDS = {
    "lmdb": ("lmdb", "pop.lmdb", "", "lmdb"),
    "hash": ("berkeley-hash", "pop.db", 'ipv6 = "short" nul = yes', "hash"),
    "btree": ("berkeley-btree", "pop.db", 'ipv6 = "short"', "btree"),
}

pytestmark = pytest.mark.needs("postfix")


class Site(site1.Site):
    """With a table in its directory."""

    def __init__(self, where, kind):
        super().__init__(where)
        name, file, more, self.type = KINDS[kind]
        self.file = where / file
        self.write(self.text(more=EXPORT.format(
            kind=name, path=self.file, more=more)))

    def found(self, key):
        """What Postfix finds."""
        return self.host.run(
            "postmap", "-q", key, f"{self.type}:{self.where}/pop",
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
    with site1.directory() as where:
        site = Site(where, request.param)
        yield site
        site.stop()


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
