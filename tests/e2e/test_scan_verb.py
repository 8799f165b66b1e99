# SPDX-License-Identifier: ISC
"""`relaypass scan` as scripts and postmasters use it: what it prints, what it
reads, what it shows on a terminal, how it ends."""

import fcntl
import gzip
import json
import os
import pathlib
import pty
import re
import signal
import struct
import subprocess
import termios

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
    # What was sound before the damage is printed all the same.
    packed.write_bytes(gzip.compress(text * 9)[:-8])
    done = relaypass("scan", "--json", packed)
    assert done.returncode == 100 and done.stdout.count(b"\n") == 9


@pytest.mark.parametrize("head, program", [
    (gzip.compress(b"x", mtime=0), b"zcat"), (b"BZh91AY", b"bzcat"),
    (b"\xfd7zXZ\0", b"xzcat"), (b"\x28\xb5\x2f\xfd ", b"zstdcat")])
def test_a_packed_pipe_says_how_to_unpack_it(head, program):
    done = relaypass("scan", "-", data=head)
    assert done.returncode == 100 and not done.stdout
    assert b"standard input is packed" in done.stderr
    assert program + b" FILE | relaypass scan -" in done.stderr


def test_unfinished_and_long_lines_count_but_say_nothing():
    text = LOGIN.format(user="al", ip="192.0.2.1").encode()
    assert not scan(text[:-1])
    assert scan(b"x" * 100000 + b"\n" + text)[0]["line"] == 2
    assert [o["line"] for o in scan(text + b"\0\n" + text)] == [1, 3]


def test_text_has_a_line_for_each_and_a_report():
    data = (LOGIN.format(user="a\x1b[1m", ip="192.0.2.2") +
            LOGIN.format(user="al", ip="192.0.2.1") +
            "Nov 20 18:05:01 mx1 ourpop[4]: User al logged in with mailbox "
            "/var/mail/al from 192.0.2.11\n").encode()
    done = relaypass("scan", "--now", NOW, "--report", data=data)
    assert done.returncode == 0
    assert done.stdout.decode().split("\t")[:5] == [
        "2", "2026-11-20T18:05:01Z", "login", "192.0.2.1", "al"]
    report = done.stderr.decode()
    assert "3 lines, " in report
    assert ["dovecot", "1", "1", "0"] in [
        row.split() for row in report.splitlines()]
    assert "  ourpop: 1; for example\n    Nov 20 18:05:01 mx1 " in report
    assert "another format than that server's own:\n  dovecot: 1;" in report
    assert "a\\x1b[1m" in report
    assert b"\x1b" not in done.stdout + done.stderr


def test_the_report_tells_why_logins_make_no_lease():
    data = (LOGIN.format(user="al", ip="10.0.0.1") +
            LOGIN.format(user="al", ip="192.0.2.1")).encode()
    done = relaypass("scan", "--report", "--now", "2026-11-21T18:05:01Z",
                     data=data)
    report = done.stderr.decode()
    assert "make no lease now: 1 private-address, 1 too-old\n" in report
    assert "--now TIME" in report


def test_a_log_of_nothing_says_so():
    done = relaypass("scan", "--report", data=b"Nov 20 18:05:01 mx1 x: y\n")
    assert done.returncode == 0 and not done.stdout
    assert b"patterns list" in done.stderr


def on_terminal(words, columns=80, also_output=False, data=b""):
    """Runs relaypass with a terminal as stderr (and stdout); what came there,
    the exit code, and stdout when it was a pipe."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ,
                struct.pack("HHHH", 24, columns, 0, 0))
    with subprocess.Popen(
            [lab.program("relaypass"), *map(str, words)],
            stdin=subprocess.PIPE, stderr=theirs,
            stdout=theirs if also_output else subprocess.DEVNULL,
            env={**os.environ, "TZ": "UTC", "TERM": "vt100"}) as child:
        os.close(theirs)
        child.stdin.write(data)
        child.stdin.close()
        shown = b""
        while True:
            try:
                more = os.read(ours, 65536)
            except OSError:  # the other end is closed
                more = b""
            if not more:
                break
            shown += more
        os.close(ours)
        code = child.wait(timeout=lab.LIMIT)
    return shown.decode(), code


@pytest.fixture(name="long_log", scope="module")
def fixture_long_log(tmp_path_factory):
    path = tmp_path_factory.mktemp("long") / "mail.log"
    path.write_text(
        "".join(LOGIN.format(user=f"u{i}", ip="192.0.2.1")
                for i in range(20000)), encoding="utf-8")
    return path


def bars(shown):
    """What stood on the line of the bar, one after the other."""
    return [part for part in shown.split("\r")
            if re.match(r" *[0-9.]+(%| [kMG]B)", part)]


@pytest.mark.parametrize("columns", [200, 80, 40, 12])
def test_a_terminal_sees_a_bar_as_wide_as_its_window(long_log, columns):
    shown, code = on_terminal(["scan", "--now", NOW, long_log], columns)
    assert code == 0
    before, _, report = shown.partition("20000 lines, ")
    first = bars(before)[0]
    assert "%" in first and len(first.rstrip("\n")) < columns
    assert ("[" in first and "GB" not in first) == (columns >= 80)
    if columns >= 80:
        assert " of 2.7 MB, " in first and "/s, " in first
        assert first.endswith(" left")
    # The bar is wiped before anything else is written.
    assert before.split("\r")[-2].strip() == ""
    assert "dovecot" in report and "\x1b" not in shown


def test_a_pipe_and_a_packed_file_have_bytes_and_rate_only(long_log, tmp_path):
    packed = tmp_path / "mail.log.gz"
    packed.write_bytes(gzip.compress(long_log.read_bytes(), 1))
    for words, data in ((["-"], long_log.read_bytes()), ([packed], b"")):
        shown, code = on_terminal(["scan", "--now", NOW, *words], data=data)
        assert code == 0
        first = bars(shown)[0]
        assert "%" not in first and "[" not in first and "/s" in first


def test_lines_and_bar_do_not_mix_on_one_terminal(long_log):
    shown, code = on_terminal(["scan", "--json", "--now", NOW, long_log],
                              also_output=True)
    assert code == 0 and bars(shown)
    rows = [line.rpartition("\r")[2] for line in shown.split("\r\n")]
    found = [json.loads(row) for row in rows if row.startswith("{")]
    assert [o["line"] for o in found] == list(range(1, 20001))


def test_no_bar_without_a_terminal_or_on_a_dumb_one(long_log):
    done = relaypass("scan", "--report", "--now", NOW, long_log)
    assert done.returncode == 0 and b"\r" not in done.stderr


def test_the_end_of_the_reader_is_quietly_ours_too(long_log):
    with subprocess.Popen(
            [lab.program("relaypass"), "scan", "--json", long_log],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        child.stdout.readline()
        child.stdout.close()
        assert child.wait(timeout=lab.LIMIT) == -signal.SIGPIPE
        assert child.stderr.read() == b""


def test_a_pipe_that_pauses_gets_what_was_found_so_far():
    with subprocess.Popen(
            [lab.program("relaypass"), "scan", "--json", "--now", NOW, "-"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        child.stdin.write(LOGIN.format(user="al", ip="192.0.2.1").encode())
        child.stdin.flush()
        assert json.loads(child.stdout.readline())["line"] == 1
        child.stdin.write(LOGIN.format(user="bo", ip="192.0.2.1").encode())
        child.stdin.flush()
        assert json.loads(child.stdout.readline())["user"] == "bo"
        child.stdin.close()
        assert child.wait(timeout=lab.LIMIT) == 0


@pytest.mark.parametrize("words", [
    ["scan", "--now", "yesterday"], ["scan", "--now", "2026-11-20T18:10:00"],
    ["scan", "--servers", "dovecott"], ["scan", "/nonexistent"],
    ["scan", "--config", "/nonexistent"], ["scan", "/"]])
def test_mistakes_are_the_users(words):
    done = relaypass(*words, data=b"")
    assert done.returncode == 100 and done.stderr and not done.stdout
