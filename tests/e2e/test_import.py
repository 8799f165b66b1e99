# SPDX-License-Identifier: ISC
"""relaypass import: stores of other programs, made by the tools that made them,
taken over by a running relaypassd. Debian has neither vpopmail, relay-ctrl,
antirelayd nor da-popb4smtp: their files are written here as they would."""

import json
import os
import shutil
import time

import pytest

import exports
import lab
import servers_real
from roles import control

pytestmark = pytest.mark.namespaces

LIST = f"{exports.OUT}/list"
CONF = f"""
lease {{ ttl = "30m" never = {{"198.51.100.0/24"}} }}
listener ask {{ kind = "ask" }}
export list {{ kind = "text" path = "{LIST}" }}
"""
MINUTE = 60
GOOD, FRESH, OVER = "203.0.113.7", "2001:db8::7", "203.0.113.9"
NEVER, PRIVATE = "198.51.100.7", "10.1.2.3"
BAD = ["192.168", "mail.example.org"]
STATIC = '127.:allow,RELAYCLIENT=""\n192.0.2.66:deny\n:allow\n'
RULE = ':allow,RELAYCLIENT="",RBLSMTPD=""'
PERL = r"""
use DB_File; use Fcntl qw(:flock O_RDWR O_CREAT);
my ($file, $type, $nul) = splice @ARGV, 0, 3;
my %h;
my $db = tie %h, 'DB_File', $file, O_RDWR | O_CREAT, 0644,
    $type eq 'btree' ? $DB_BTREE : $DB_HASH or die "$file: $!";
open my $lock, '+<&=', $db->fd or die $!;
flock $lock, LOCK_EX or die $!;
while (my ($key, $value) = splice @ARGV, 0, 2) {
    $h{$key . ($nul ? "\0" : '')} = $value . ($nul ? "\0" : '');
}
$db->sync and die $!;
"""


@pytest.fixture(scope="module", name="site")
def make_site(host):
    exports.prepare(host)
    host.run("mkdir", "-p", "/srv/old")
    yield host


@pytest.fixture(name="daemon")
def make_daemon(site, relaypassd):
    return relaypassd(site, CONF)


def ago(minutes):
    return int(time.time()) - minutes * MINUTE


def run(host, *words, check=False):
    """What it says on both of its outputs comes together."""
    return host.run(lab.program("relaypass"), *words, check=check)


def summary(host, *words):
    done = run(host, "--json", "import", *words)
    counts = json.loads(done.stdout.splitlines()[-1])
    counts["code"] = done.returncode
    return counts


def old(name):
    return f"/srv/old/{name}"


# --- stores: each holds what `rows` has, key and value -----------------------


def makemap(host, name, rows, kind="hash"):
    if not host.path("/usr/libexec/sendmail/makemap").exists():
        servers_real.install(host, "sendmail")
    text = "".join(f"{key}\t{value}\n" for key, value in rows)
    host.write(old(f"{name}.txt"), text)
    host.run("sh", "-c", f"/usr/libexec/sendmail/makemap -C /dev/null {kind} "
             f"{old(name)} <{old(name)}.txt")
    return old(f"{name}.db")


def needs(tool, package):
    if not shutil.which(tool):
        pytest.skip(f"needs {package} ({tool}): tools/install-deps test")


def postmap(host, name, rows):
    needs("postmap", "postfix")
    host.write(old("main.cf"), "compatibility_level = 3.6\n")
    host.write(old(name), "".join(f"{key} {value}\n" for key, value in rows))
    host.run("postmap", "-c", old(""), f"hash:{old(name)}")
    return old(f"{name}.db")


def perl(host, name, rows, kind="hash", nul=""):
    host.run("perl", "-e", PERL, old(name), kind, nul,
             *[str(word) for row in rows for word in row])
    return old(name)


def load(host, name, rows):
    """The library's own tool, from text."""
    needs("db5.3_load", "db5.3-util")
    host.write(old(f"{name}.txt"), "".join(
        f"{key}/{128 if ':' in key else 32}\n{value}\n"
        for key, value in rows))
    host.run("db5.3_load", "-T", "-t", "btree", "-f", old(f"{name}.txt"),
             old(name))
    return old(name)


def text(line):
    def make(host, name, rows):
        host.write(old(name), "".join(
            line.format(key=key, value=value) for key, value in rows))
        return old(name)
    return make


def rules(host, name, rows):
    """What tcprules itself takes."""
    needs("tcprules", "ucspi-tcp")
    path = text('{key}:allow,RELAYCLIENT=""\n')(host, name, rows)
    host.run("sh", "-c", f"tcprules {path}.cdb {path}.tmp <{path}")
    return path


def folder(host, name, rows):
    host.run("mkdir", "-p", old(name))
    for key, value in rows:
        file = host.path(f"{old(name)}/{key}")
        file.write_bytes(b"USER=alice\0DOMAIN=test.example\0")
        os.utime(file, (value, value))
    return old(name)


SOON, PAST = "ends in 25 minutes", "ended an hour ago"
BEGAN, LONG_AGO = "began 5 minutes ago", "began 5 hours ago"


def when(value):
    return {SOON: -25, PAST: 60, BEGAN: 5, LONG_AGO: 300}.get(value)


# name of the file, who makes it, its values for a live lease and one that is
# over (None: it cannot say so), and how long the live one is good for
STORES = {
    "popip": ("popip", makemap, BEGAN, LONG_AGO, 10),
    "popauth": ("popauth", makemap, "ok", None, 30),
    "popauth-times": ("popauth", makemap, BEGAN, LONG_AGO, 25),
    "pop-before-smtp-postmap": (
        "pop-before-smtp", postmap, "ok", None, 30),
    "pop-before-smtp-perl": ("pop-before-smtp.db", perl, "-2", None, 30),
    "dracd-btree": (
        "dracd.db", lambda *a: perl(*a, "btree"), SOON, PAST, 25),
    "dracd-nul": (
        "dracd.db", lambda *a: perl(*a, "hash", "nul"), SOON, PAST, 25),
    "dracd-cidr": ("dracd.db", load, SOON, PAST, 25),
    "open-smtp": (
        "open-smtp", text("{key}" + RULE + "\t{value}\n"), BEGAN, LONG_AGO,
        30),  # of 175 minutes
    "relay-ctrl": ("allow", folder, BEGAN, LONG_AGO, 10),
    "tcprules": ("tcp.smtp", rules, "", None, 30),
    "relayhosts": ("relayhosts", text("{key}\n"), "", None, 30),
    "pophosts": (
        "pophosts_user", text("{key}: alice@test.example\n"), "", None, 30),
}


IPV4_ONLY = ("tcprules", "pophosts")  # IPv6 is for tcprules 0.91


def make_store(host, store):
    name, make, live, over, minutes = STORES[store]
    host.run("sh", "-c", "rm -rf /srv/old/*")

    def value(word):
        return word if when(word) is None else ago(when(word))
    rows = [(GOOD, value(live)), (NEVER, value(live)), (PRIVATE, value(live))]
    if store not in IPV4_ONLY:
        rows.append((FRESH, value(live)))
    if over:
        rows.append((OVER, value(over)))
    rows += [(key, value(live)) for key in BAD
             if not (store == "tcprules" and key == BAD[1])
             and store != "dracd-cidr"]
    return make(host, name, rows), minutes, len(rows)


@pytest.mark.parametrize("store", STORES)
def test_leases_are_taken_over_until_their_ends(site, daemon, store):
    path, minutes, rows = make_store(site, store)
    assert daemon.check(GOOD) == "none"

    counts = summary(site, path)
    refused = counts["reasons"]
    assert counts["code"] == 1 and counts["kept"] == 0
    assert refused["never"] == 1 and refused["private-address"] == 1
    assert counts["over"] == (STORES[store][3] is not None)
    assert counts["imported"] == rows - counts["over"] - counts["refused"]
    assert counts["refused"] == sum(refused.values())
    if store != "dracd-cidr":
        assert refused["network"] >= 1
    if store not in ("dracd-cidr", "tcprules"):
        assert refused["not-an-address"] == 1

    daemon.wait_leased(GOOD, 1)
    for address in (OVER, NEVER, PRIVATE):
        assert daemon.check(address) == "none"
    if store not in IPV4_ONLY:
        assert daemon.check(FRESH).startswith("allow ")
    row = json.loads(run(site, "list", "--json", GOOD).stdout)
    assert row["source"] == "import" and not row["by_hand"]
    assert row["server"] == counts["kind"]
    left = int(daemon.check(GOOD).split("ttl=")[1].split()[0])
    assert (minutes - 1) * MINUTE < left <= minutes * MINUTE
    if store in ("relay-ctrl", "pophosts"):
        assert row["user"] == "alice@test.example"
    lab.wait_for(lambda: GOOD in site.path(LIST).read_text(), "the export", 3)
    assert "source import" in run(site, "explain", GOOD).stdout

    # Once more: nothing changes.
    again = summary(site, path)
    assert again["imported"] == 0 and again["kept"] == counts["imported"]
    assert json.loads(
        run(site, "list", "--json", GOOD).stdout)["end"] == row["end"]

    daemon.clock.advance((minutes * MINUTE + 1) * 1000)
    assert daemon.check(GOOD) == "none"
    assert run(site, "check", GOOD).returncode == 1
    lab.wait_for(lambda: GOOD not in site.path(LIST).read_text(), "its end", 3)


def test_dry_run_tells_and_does_nothing(site, daemon):
    path, _, _ = make_store(site, "dracd-btree")
    done = run(site, "import", "--dry-run", "dracd", path)
    assert done.returncode == 1
    assert f"{GOOD} until " in done.stdout
    assert "would import 2, kept 0, over 1, refused 4: " in done.stdout
    assert f'refused "{PRIVATE}"' in done.stdout
    assert run(site, "list").stdout == "no leases\n"
    daemon.stop()
    assert run(site, "import", "--dry-run", "dracd", path).returncode == 1
    done = run(site, "import", "dracd", path)
    assert done.returncode == 111 and "relaypassd" in done.stdout


def test_users_and_ages_by_option(site, daemon):
    path = text("{key}\n")(site, "relayhosts", [(GOOD, "")])
    then = time.time() - 20 * MINUTE
    os.utime(site.path(path), (then, then))
    assert run(site, "import", "--ttl", "15m", path, check=True).stdout == \
        "imported 0, kept 0, over 1, refused 0\n"
    run(site, "import", "--user", "alice", "relayhosts", path, check=True)
    row = json.loads(run(site, "list", "--json", GOOD).stdout)
    assert row["user"] == "alice"
    assert 9 * MINUTE < row["ttl"] <= 10 * MINUTE
    # What the store says of times does not count.
    path = perl(site, "popip.db", [(FRESH, ago(300))])
    assert summary(site, path)["over"] == 1
    assert summary(site, "--age-from=mtime", path)["imported"] == 1
    left = int(daemon.check(FRESH).split("ttl=")[1].split()[0])
    assert 14 * MINUTE < left <= 15 * MINUTE


def test_help_is_a_text_of_its_own(site):
    usage, _, text_of_it = run(site, "help", "import").stdout.partition("\n\n")
    assert usage.startswith("usage: ") and "tcprules" in text_of_it
    assert not [row for row in text_of_it.splitlines() if row[:1] == " "]


def test_what_is_no_store_is_told(site, daemon):
    assert daemon.check(GOOD) == "none"
    site.write(old("passwd"), "root:x:0:0:root:/root:/bin/sh\n")
    for words, said in (
            (["passwd"], "name its kind"),
            (["dracd", "passwd"], "no Berkeley DB file"),
            (["nonsense", "passwd"], "no kind of store"),
            (["dbmail_pbsp", "passwd"], "import sql NAME"),
            (["relay-ctrl", "passwd"], "directory"),
            (["missing"], "No such file")):
        done = run(site, "import", *words[:-1], old(words[-1]))
        assert done.returncode == 100 and said in done.stdout
    path = perl(site, "damaged.db", [(f"203.0.113.{i}", "ok")
                                     for i in range(250)])
    with open(site.path(path), "r+b") as file:
        file.seek(5000)
        file.write(b"\xff" * 3000)
    done = run(site, "import", "popip", path)
    assert done.returncode == 111 and "damaged" in done.stdout
    assert run(site, "list").stdout == "no leases\n"


def test_a_file_that_relaypass_writes_makes_no_leases(site, relaypassd):
    """Its time is that of the last login of anybody: leases out of it would
    never end, nor would revocations count."""
    other = old("out/relayhosts")
    site.run("install", "-d", "-o", "nobody", old("out"))
    daemon = relaypassd(site, CONF + f"""
export other {{ kind = "text" user = "nobody" path = "{other}" }}
""")
    run(site, "grant", "--user", "anna", GOOD, check=True)
    for path in (LIST, other):
        lab.wait_for(lambda: site.path(path).exists() and
                     GOOD in site.path(path).read_text(), "the export", 3)
    run(site, "revoke", "--user", "anna", check=True)
    # Each export is a new file: the link shall be to the last one.
    lab.wait_for(lambda: GOOD not in site.path(other).read_text(), "the end", 3)
    link = old("link")
    site.run("ln", other, link)
    for path in (LIST, other, link):
        for words in ([], ["--dry-run"]):
            done = run(site, "import", *words, "relayhosts", path)
            assert done.returncode == 100, done.stdout
            assert "relaypass writes this file itself" in done.stdout
    assert daemon.check(GOOD) == "none"


def test_a_revoked_lease_does_not_come_back(site, daemon):
    """vpopmail's lines live for three hours, the refusal for thirty minutes.
    """
    path = text("{key}" + RULE + "\t{value}\n")(
        site, "open-smtp", [(GOOD, ago(5))])
    assert summary(site, path)["imported"] == 1
    run(site, "revoke", GOOD, check=True)
    for minutes in (1, 45, 60, 23 * 60, 60):
        daemon.clock.advance(minutes * MINUTE * 1000)
        counts = summary(site, "--ttl", "100d", path)
        assert counts["imported"] == 0, counts
    assert run(site, "list").stdout == "no leases\n"


def test_bad_rows_do_not_stop_the_good_ones(site, daemon):
    assert daemon.check(GOOD) == "none"
    rows = [(GOOD, "anna"), (FRESH, "a\rb"), (OVER, "a\x7f")]
    path = text("{key} {value}\n")(site, "pophosts", rows)
    path_r = site.path(path)
    path_r.write_bytes(b"".join(f"{key} {user}\n".encode()
                                for key, user in rows))
    for words in (["--dry-run"], []):
        counts = summary(site, *words, path)
        assert counts["imported"] == 1
        assert counts["reasons"] == {"not-understood": 2}
    # Ends that no program gives: in milliseconds, of the year 5138.
    now = int(time.time())
    path = perl(site, "drac-far.db", [
        (FRESH, now + 600), (OVER, 99999999999), (PRIVATE, now + 90000),
        ("203.0.113.10", (now + 600) * 1000)], "btree")
    for words in (["--dry-run"], []):
        counts = summary(site, *words, path)
        assert counts["imported"] == 1
        assert counts["reasons"] == {
            "end-too-far-ahead": 2, "not-understood": 1}
    assert summary(site, "--ttl", "2d", path)["reasons"] == {
        "end-too-far-ahead": 1, "private-address": 1, "not-understood": 1}


def test_a_strangers_files_do_not_stop_the_good_ones(site, daemon):
    """Where -chdir is used, any mail user may put files there."""
    assert daemon.check(GOOD) == "none"
    path = "/dev/shm/allow"  # 64 bits for a time
    folder_of = site.path(path)
    site.run("rm", "-rf", path)
    site.run("mkdir", "-p", path)
    for name, when_ in ((GOOD, ago(5)), (OVER, 999999999999),
                        ("203.0.113.10", -(1 << 40)), ("x", ago(5))):
        site.run("touch", "-d", f"@{when_}", f"{path}/{name}")
    for words in (["--dry-run"], []):
        counts = summary(site, *words, "relay-ctrl", path)
        assert counts["imported"] == 1 and counts["over"] == 1
        assert counts["reasons"] == {"too-far-ahead": 1, "not-an-address": 1}
    daemon.wait_leased(GOOD, 1)
    assert daemon.check(OVER) == "none"
    assert folder_of.is_dir()
    done = run(site, "import", "/etc")
    assert done.returncode == 100
    assert "no relay-ctrl directory" in done.stdout
    site.run("rm", "-rf", path)


def test_a_hundred_thousand_leases_take_seconds(site, daemon):
    begun, count = ago(5), 100000
    lines = (f"2001:db8::{i >> 16:x}:{i & 0xffff:x}{RULE}\t{begun}\n"
             for i in range(1, count + 1))
    site.write(old("open-smtp"), "".join(lines))
    before = time.monotonic()
    counts = summary(site, old("open-smtp"))
    took = time.monotonic() - before
    print(f"{count} leases in {took:.1f} s")
    assert counts["imported"] == count and counts["code"] == 0
    assert took < 30
    assert daemon.check("2001:db8::1:86a0").startswith("allow ")
    before = time.monotonic()
    assert summary(site, old("open-smtp"))["kept"] == count
    assert time.monotonic() - before < 30


def line(address, more=True, **other):
    now = int(time.time() * 1000)
    words = {"store": "dracd", "address": address, "login": now - 1000,
             "end": now + 600000, **other, **({"more": "yes"} if more else {})}
    return " ".join(["import", *(f"{key}={value}" for key, value
                                 in words.items() if value is not None)])


def test_control_socket_takes_whole_batches_only(site, daemon):
    def many(count):
        return [line(f"2001:db8::{i:x}") for i in range(1, count + 1)]
    # Nobody has said the last line; a line is wrong; they are too many.
    assert control(site, line(GOOD)) == []
    for bad in ({"address": "192.168"}, {"login": None}, {"end": "-1"},
                {"end": "soon"}, {"end": str(1 << 60)}, {"store": None},
                {"store": "x" * 24}, {"store": "nonsense"}, {"store": ""},
                {"store": "open_smtp"}, {"store": "drac"}, {"store": "dracdd"},
                {"store": "a%20b"}, {"user": "u" * 256}, {"login": ""}):
        wrong = line(**{"address": FRESH, **bad})
        answer = control(site, line(GOOD), wrong, line(GOOD, more=False))
        assert len(answer) == 1 and answer[0].startswith("error "), answer
    answer = control(site, *many(1001), line(GOOD, more=False))
    assert answer == ["error more than 1000 in one batch"]
    assert run(site, "list").stdout == "no leases\n"
    last = line(GOOD, more=False)
    assert control(site, *many(999), last) == \
        ["ok imported=1000 kept=0 over=0"]
    assert control(site, line(PRIVATE), last) == \
        [f"refused address={PRIVATE} reason=private-address",
         "ok imported=0 kept=1 over=0"]
    daemon.wait_leased(GOOD, 1)


@pytest.mark.needs("tcpserver")
def test_open_smtp_goes_out_as_vpopmail_rebuilds_it(site, relaypassd):
    """vpopmail's rebuild: tcp.smtp first, then open-smtp without its times;
    clearopensmtp's reading: a TAB and the login's time."""
    daemon = relaypassd(site, CONF + f"""
export roaming {{ kind = "text" style = "open-smtp"
                  path = "{exports.OUT}/open-smtp" }}
""")
    path = text("{key}" + RULE + "\t{value}\n")(
        site, "open-smtp", [(GOOD, ago(5)), ("192.0.2.66", ago(6))])
    assert summary(site, path)["imported"] == 2
    # tcprules stops at a line of IPv6, and with it the whole rebuild.
    run(site, "grant", FRESH, check=True)
    out = site.path(f"{exports.OUT}/open-smtp")
    lab.wait_for(lambda: out.exists() and out.read_text() ==
                 "".join(sorted(site.path(path).read_text()
                                .splitlines(keepends=True))),
                 "the same lines as in vpopmail's own file", 5)
    site.write(old("tcp.smtp"), STATIC)
    site.run("sh", "-c", f"{{ cat {old('tcp.smtp')}; "
             f"cut -f1 {exports.OUT}/open-smtp; }} | "
             f"tcprules {old('tcp.smtp.cdb')} {old('tmp')}")

    def rule(address):
        return site.run("sh", "-c", f"TCPREMOTEIP={address} "
                        f"tcprulescheck {old('tcp.smtp.cdb')}").stdout
    assert "RELAYCLIENT" in rule(GOOD) and "RBLSMTPD" in rule(GOOD)
    assert "RELAYCLIENT" not in rule("203.0.113.8")
    # The administrator's own rule comes first.
    assert "deny" in rule("192.0.2.66")
    # What relaypass itself writes is not taken for news of logins.
    done = run(site, "import", f"{exports.OUT}/open-smtp")
    assert done.returncode == 100 and "relaypass writes" in done.stdout
    daemon.clock.advance(31 * MINUTE * 1000)
    lab.wait_for(lambda: out.read_text() == "", "the ends", 3)
