# SPDX-License-Identifier: ISC
"""Every command of docs/sendmail.md, typed as it stands there, on a machine with
the real Sendmail."""

import contextlib

import pytest

import lab
from sendmail import BIN, CF, FOREIGN, LOCAL, Site, session

pytestmark = pytest.mark.namespaces

MAPS = ("HACK(`relaypass', `hash -o /etc/mail/popip', `', `', "
        "`hash -o /etc/mail/localip', `hash -o /etc/mail/relay')dnl")
# The first word of each block's first line, and what its output must hold.
EXPECTED = {
    "m4 /etc/mail/sendmail.mc": "",
    "makemap hash /etc/mail/popip": "",
    "sendmail -d0.1": "NEWDB=5.3",
    "od -A d": " 398689          9",
    "makemap -u hash /etc/mail/localip": "",
    "printf '.D{client_addr}": "Relaypass        returns: NO",
    "sendmail -bt": "RelaypassDomain  returns: OK",
}
SERVER = "mkdir -m 0700 /var/spool/mqueue-test"


def blocks():
    """The indented ones."""
    text = (lab.TREE / "docs" / "sendmail.md").read_text(encoding="utf-8")
    found, deep = [], 0
    for line in text.splitlines():
        indent = len(line) - len(line.lstrip())
        if line.strip() and indent >= 4 and (not deep or indent >= deep):
            if not deep:
                deep, _ = indent, found.append([])
            found[-1].append(line[deep:])
        else:
            deep = 0
    return ["\n".join(lines) for lines in found]


@pytest.fixture(name="site", scope="module")
def make_site(tmp_path_factory):
    with contextlib.ExitStack() as stack:
        host = lab.Host(tmp_path_factory.mktemp("host"))
        stack.callback(host.close)
        host.install_users()
        site = Site(host, MAPS)
        site.add_clients(stack)
        # The copy has the HACK.
        host.run("mount", "--bind", CF, "/usr/share/sendmail/cf")
        site.make_map("/etc/mail/localip", "192.168\tx\n")
        site.make_map("/etc/mail/relay", "friend.example\tx\n")
        yield site


def as_typed(block):
    return f"PATH={BIN}:$PATH\n{block}\n"


def test_every_command_of_the_document_works(site):
    left = dict(EXPECTED)
    for block in blocks():
        if block.startswith(SERVER):
            continue
        done = site.host.run("sh", "-ec", as_typed(block))
        first = next((key for key in left if block.startswith(key)), None)
        assert first, f"no expectation for: {block}"
        assert left.pop(first) in done.stdout, done.stdout
    assert not left
    assert site.host.run(f"{BIN}/makemap", "-u", "hash",
                         "/etc/mail/localip").stdout == "192.168\tx\n"
    # And what was made is what it says.
    assert site.host.path("/etc/mail/popip.db").owner() == "relaypass-out"
    answer = "map_lookup: localip (192.168) returns x<RELAYPASS>"
    last = next(b for b in blocks() if b.startswith("sendmail -bt"))
    assert answer in site.host.run("sh", "-ec", as_typed(last)).stdout


def test_another_sendmail_can_be_run_on_another_port(site):
    host = site.host
    host.run("cp", "/etc/mail/sendmail.cf", "/etc/mail/test.cf")
    block = next(b for b in blocks() if b.startswith(SERVER))
    process = host.start(["sh", "-ec", as_typed(block)],
                         host.directory / "test-port.log")
    try:
        lab.wait_for(lambda: host.listens(2525), "it listens")
        with session(site.stranger, "ipv4", 2525) as rcpt:
            assert rcpt(LOCAL)["code"] == 250
            assert rcpt(FOREIGN)["code"] == 550
        rules = host.path("/var/log/rules.log").read_text(encoding="latin-1")
        assert "ruleset Relaypass" in rules
    finally:
        process.kill_all()


def test_a_version_mismatch_looks_as_the_document_says(site):
    host = site.host
    host.run("sh", "-c", "printf '\\012\\000\\000\\000' | dd "
             "of=/etc/mail/popip.db bs=1 seek=16 conv=notrunc 2>/dev/null")
    done = host.run(f"{BIN}/makemap", "-u", "hash", "/etc/mail/popip",
                    check=False)
    assert done.returncode and "error opening type hash map" in done.stdout
    assert "Invalid argument" in done.stdout
    # -o: it holds nothing. Without: it cannot be asked.
    assert site.rules("Relaypass x") == ["NO"]
    for tempfail, code in (("", 550), ("tempfail", 451)):
        site.build(MAPS.replace("-o /etc/mail/popip", "/etc/mail/popip")
                   .replace("`', `', `hash", f"`', `{tempfail}', `hash"))
        process = site.start()
        try:
            with session(site.stranger, "ipv4") as rcpt:
                assert rcpt(LOCAL)["code"] == 250
                assert rcpt(FOREIGN)["code"] == code
        finally:
            process.kill_all()
            lab.wait_for(lambda: not host.listens(25), "it ends")
    host.run("rm", "/etc/mail/popip.db")
    site.build(MAPS)
