# SPDX-License-Identifier: ISC
"""`relaypass scan` and `relaypass patterns` as scripts use them: what they
print, what they read, how they end."""

import gzip
import json
import os
import pathlib
import subprocess

import pytest

import lab

CORPUS = pathlib.Path(__file__).parent.parent / "data" / "corpus"
NOW = "2026-11-20T18:10:00Z"
LOGIN = ("Nov 20 18:05:01 mx1 dovecot: imap-login: Login: user=<{user}>, "
         "method=PLAIN, rip={ip}, lip=198.51.100.1, mpid=7, TLS, "
         "session=<abc>\n")


def relaypass(*words, data=None, timezone="UTC"):
    return subprocess.run(
        [lab.program("relaypass"), *map(str, words)], input=data,
        capture_output=True, check=False,
        env={**os.environ, "TZ": timezone})


def scan(data, *words, **more):
    done = relaypass("scan", "--json", "--now", NOW, *words, data=data, **more)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def corpus_files():
    return sorted(f for f in CORPUS.glob("*.expect")
                  if f.name[:2] not in ("13", "17"))


@pytest.mark.parametrize("expect", corpus_files(), ids=lambda f: f.stem)
def test_corpus_lines_get_their_verdicts(expect):
    settings, rows = {}, []
    for line in expect.read_text(encoding="utf-8").splitlines():
        if line.startswith("# ") and ": " in line:
            key, value = line[2:].split(": ", 1)
            settings[key] = value
        elif line:
            rows.append(line.split("\t"))
    found = {
        o["line"]: o["ip"]
        for o in scan((expect.with_suffix(".log")).read_bytes(),
                      "--servers", settings["format"], "-")
        if o["kind"] == "login" and o["lease"]}
    for number, verdict, why, *more in rows:
        good = [verdict] + [m[4:] for m in more if m.startswith("alt=")]
        lease = found.get(int(number))
        got = f"allow {lease}" if lease else "ignore"
        assert got in good, (number, why)
        for never in more:
            if never.startswith("never="):
                assert not set(never[6:].split(",")) & set(found.values())


def test_an_object_says_what_the_line_says():
    line = LOGIN.format(user='a"b\\\xe4', ip="192.0.2.1").encode("latin-1")
    login, = scan(b"x\n" + line)
    assert login == {
        "line": 2, "kind": "login", "ip": "192.0.2.1",
        "user": 'a"b\\x5c\\xe4', "server": "dovecot", "session": "abc",
        "time": "2026-11-20T18:05:01Z", "tls": True, "lease": True}


def test_a_logout_has_no_address_where_the_log_has_none():
    logout, = scan(b"Nov 20 18:05:01 mx1 dovecot: imap(al)<7><abc>: "
                   b"Disconnected: Logged out in=1 out=2\n")
    assert logout["kind"] == "logout" and logout["ip"] is None
    assert logout["user"] == "al" and logout["session"] == "abc"


def test_reasons_are_those_of_the_lease_rules(tmp_path):
    config = tmp_path / "relaypass.conf"
    config.write_text('lease { never = {"192.0.2.0/24"} private = '
                      '{"10.0.0.0/8"} }\n', encoding="utf-8")
    data = (LOGIN.format(user="al", ip="192.0.2.1") +
            LOGIN.format(user="al", ip="10.0.0.9")).encode()
    private = scan(data)
    assert [o["lease"] for o in private] == [True, False]
    assert private[1]["reason"] == "private-address"
    opened = scan(data, "--config", config)
    assert [o["lease"] for o in opened] == [False, True]
    assert opened[0]["reason"] == "never"


def test_the_zone_is_that_of_the_environment():
    data = LOGIN.format(user="al", ip="192.0.2.1").encode()
    assert scan(data, timezone="Europe/Berlin")[0]["time"] == \
        "2026-11-20T17:05:01Z"


def test_packed_files_and_several_are_read(tmp_path):
    text = LOGIN.format(user="al", ip="192.0.2.1").encode()
    plain, packed = tmp_path / "mail.log", tmp_path / "mail.log.2"
    plain.write_bytes(text)
    packed.write_bytes(gzip.compress(b"x\n" + text))
    assert [(o["file"], o["line"]) for o in scan(None, plain, packed)] == [
        (str(plain), 1), (str(packed), 2)]
    zstd = tmp_path / "mail.zst"
    if subprocess.run(["zstd", "-q", plain, "-o", zstd],
                      check=False).returncode == 0:
        assert scan(None, zstd)[0]["line"] == 1
    packed.write_bytes(gzip.compress(text)[:-9])
    done = relaypass("scan", packed)
    assert done.returncode == 100 and b"damaged or cut" in done.stderr


def test_unfinished_and_long_lines_count_but_say_nothing():
    text = LOGIN.format(user="al", ip="192.0.2.1").encode()
    assert not scan(text[:-1])
    assert scan(b"x" * 100000 + b"\n" + text)[0]["line"] == 2
    assert [o["line"] for o in scan(text + b"\0\n" + text)] == [1, 3]


def test_text_has_a_line_for_each_and_a_report():
    data = (LOGIN.format(user="a\x1b[1m", ip="192.0.2.2") +
            LOGIN.format(user="al", ip="192.0.2.1") +
            "Nov 20 18:05:01 mx1 gnu-pop3d[4]: User al logged in with mailbox "
            "/var/mail/al from 192.0.2.11\n").encode()
    done = relaypass("scan", "--now", NOW, "--report", data=data)
    assert done.returncode == 0
    assert done.stdout.decode().split("\t")[:5] == [
        "2", "2026-11-20T18:05:01Z", "login", "192.0.2.1", "al"]
    assert b"1 logins" in done.stderr and b"gnu-pop3d: 1" in done.stderr
    assert b"\x1b" not in done.stdout + done.stderr


@pytest.mark.parametrize("words", [
    ["scan", "--now", "yesterday"], ["scan", "--now", "2026-11-20T18:10:00"],
    ["scan", "--servers", "dovecott"], ["scan", "/nonexistent"],
    ["scan", "--config", "/nonexistent"], ["patterns", "what"],
    ["patterns", "check", "/nonexistent"]])
def test_mistakes_are_the_users(words):
    done = relaypass(*words, data=b"")
    assert done.returncode == 100 and done.stderr and not done.stdout


def test_patterns_list_show_and_test():
    done = relaypass("patterns", "--json")
    servers = [json.loads(line)["server"]
               for line in done.stdout.splitlines()]
    assert {"dovecot", "courier", "cyrus"} <= set(servers)
    shown = relaypass("patterns", "show", "dovecot")
    assert b"\nserver   dovecot\n" in shown.stdout
    assert relaypass("patterns", "show", "nothing").returncode == 1
    assert relaypass("patterns", "test").returncode == 0


def test_patterns_check_tells_line_and_mistake(tmp_path):
    mine = tmp_path / "mine.pattern"
    good = ("server mine\nabout Ours\nprogram mine\n"
            "login ^in (?<user>[^ ]++) (?<ip>%ip%)$\n"
            "sample login ip=192.0.2.1 user=al | "
            "Nov 20 18:05:01 mx1 mine: in al 192.0.2.1\n")
    mine.write_text(good, encoding="utf-8")
    done = relaypass("patterns", "check", mine)
    assert done.returncode == 0, done.stderr
    for bad, told in (
            ("login ^.*(?<user>a) (?<ip>%ip%)$\n", ":6: a far repeat"),
            ("login (?<user>a) (?<ip>%ip%)$\n", ":6: expected an expression"),
            ("sample none | Nov 20 18:05:01 mx1 mine: in al 192.0.2.1\n",
             ":6: the sample gives login"),
            ("program dovecot\nlogin ^imap-login: Login: user=<(?<user>[^>]++)"
             ">, method=PLAIN, rip=(?<ip>%ip%), .*+$\n", "line of mine too")):
        mine.write_text(good + bad, encoding="utf-8")
        done = relaypass("patterns", "check", mine)
        assert done.returncode == 100
        assert told in done.stderr.decode()
