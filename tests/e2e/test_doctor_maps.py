# SPDX-License-Identifier: ISC
"""relaypass doctor opens the maps of the real Sendmail with its makemap: those
that sendmail.cf names, and those that relaypass writes."""

import contextlib
import json
import struct

import pytest

import lab
from sendmail import BIN, Site

pytestmark = pytest.mark.namespaces

CONF = "/etc/relaypass/relaypass.conf"
HACK = ("HACK(`relaypass', `hash -o /etc/mail/popip', `', `', "
        "`hash /etc/mail/localip')dnl")
VERSION_AT = 16


@pytest.fixture(name="site", scope="module")
def make_site(tmp_path_factory):
    with contextlib.ExitStack() as stack:
        host = lab.Host(tmp_path_factory.mktemp("host"))
        stack.callback(host.close)
        host.install_users()
        site = Site(host, HACK)
        host.write(CONF, (lab.EXAMPLES / "relaypass-sendmail.conf").read_text(
            encoding="utf-8"))
        yield site


@pytest.fixture(name="maps")
def make_maps(site):
    for name in ("popip", "localip"):
        site.host.run("rm", "-f", f"/etc/mail/{name}.db")
        site.make_map(f"/etc/mail/{name}", "192.0.2.7\tx\n")
    return site.host


def doctor(host):
    done = host.run(lab.program("relaypass"), "doctor", "--json", check=False)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return {row["text"].split(".db")[0].split("/")[-1]: (row["verdict"],
                                                         row["text"])
            for row in rows if row["check"] == "maps"}


def test_maps_that_sendmail_can_read_are_good(maps):
    found = doctor(maps)
    assert set(found) == {"popip", "localip"}, found
    for verdict, text in found.values():
        assert verdict == "good" and "makemap reads" in text
        assert text.endswith("which sendmail.cf names")


@pytest.mark.parametrize("version", [10, 99])
def test_a_version_mismatch_is_told_plainly(maps, version):
    """The library of a newer version wrote it; Sendmail's own words are there,
    too."""
    file = maps.path("/etc/mail/popip.db")
    with open(file, "r+b") as page:
        page.seek(VERSION_AT)
        page.write(struct.pack("=I", version))
    verdict, text = doctor(maps)["popip"]
    assert verdict == "do", text
    assert text.startswith("version mismatch: /etc/mail/popip.db is a hash "
                           f"file of version {version},")
    assert "makemap: error opening type hash map" in text
    assert doctor(maps)["localip"][0] == "good"


def test_what_else_can_be_wrong_with_a_map(maps):
    maps.run("rm", "/etc/mail/localip.db", "/etc/mail/popip.db")
    found = doctor(maps)
    assert found["localip"][0] == "do" and "is missing" in found["localip"][1]
    assert found["popip"][0] == "note"
    maps.write("/etc/mail/localip.db", "")
    maps.run("sh", "-c", f"{BIN}/makemap btree /etc/mail/popip </dev/null")
    found = doctor(maps)
    assert found["localip"][0] == "do" and "empty file" in found["localip"][1]
    assert found["popip"] == (
        "do", "/etc/mail/popip.db is a btree file, and sendmail.cf names it "
        "as hash")
    maps.write("/etc/mail/localip.db", "text, and no database at all\n")
    found = doctor(maps)
    assert found["localip"][0] == "do"
    assert "makemap cannot open /etc/mail/localip.db" in found["localip"][1]


def test_a_map_that_takes_too_long_is_given_up(maps):
    """makemap waits for a lock that somebody holds."""
    process = maps.start(
        [lab.PYTHON, "-c", "import fcntl, signal\n"
         "f = open('/etc/mail/popip.db', 'r+b')\n"
         "fcntl.lockf(f, fcntl.LOCK_EX)\nfcntl.flock(f, fcntl.LOCK_EX)\n"
         "print('locked', flush=True)\nsignal.pause()"],
        maps.directory / "lock.log")
    try:
        lab.wait_for(lambda: "locked" in process.output(), "it is locked")
        verdict, text = doctor(maps)["popip"]
        assert verdict == "cannot" and "did not come to an end" in text, text
    finally:
        process.kill_all()
