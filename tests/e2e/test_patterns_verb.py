# SPDX-License-Identifier: ISC
"""`relaypass patterns` as a postmaster uses it: the list, one file, the check of
his own file with everything that it refuses, and files that are proposed."""

import json
import os
import pathlib
import re
import subprocess

import pytest

import lab

PATTERNS = pathlib.Path(__file__).parent.parent.parent / "patterns"
HEAD = "Nov 20 18:05:01 mx1 ourpop[7]: "


def relaypass(*words, data=None):
    return subprocess.run(
        [lab.program("relaypass"), "patterns", *map(str, words)],
        input=data and data.encode(), capture_output=True, check=False,
        env={**os.environ, "TZ": "UTC"})


def test_list_names_servers_and_where_they_are_from():
    done = relaypass("--json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    known = {row["server"]: row for row in rows}
    assert {"dovecot", "courier", "cyrus"} <= set(known)
    assert "dovecot" in known["dovecot"]["programs"].split()
    assert known["courier"]["samples"] > 5 and known["courier"]["about"]
    table = relaypass("list").stdout.decode().splitlines()
    assert table[0].split() == ["SERVER", "FROM", "SAMPLES", "ABOUT"]
    assert any(row.startswith("dovecot ") and " built in " in row
               for row in table)


def test_list_takes_the_directory_of_the_configuration(tmp_path):
    (tmp_path / "mine.pattern").write_text(
        "server mine\nabout Ours\nfile\n", encoding="utf-8")
    config = tmp_path / "relaypass.conf"
    config.write_text(
        f'relaypass {{ pattern-directory = "{tmp_path}" }}\n',
        encoding="utf-8")
    done = subprocess.run(
        [lab.program("relaypass"), "-c", config, "patterns"],
        capture_output=True, check=True)
    assert re.search(rb"\nmine +/.*/mine.pattern +0 +Ours\n", done.stdout)


def test_show_prints_the_file_as_it_is():
    text = (PATTERNS / "dovecot.pattern").read_bytes()
    assert relaypass("show", "dovecot").stdout == text
    done = relaypass("show", "dovcot")
    assert done.returncode == 100 and not done.stdout
    assert b'"dovcot"' in done.stderr and b"patterns list" in done.stderr


def test_all_samples_of_all_servers_are_right():
    done = relaypass("test")
    assert done.returncode == 0, done.stderr
    assert b" 0 mistakes" in done.stdout


@pytest.mark.parametrize("words", [
    ["what"], ["check"], ["check", "/nonexistent"], ["check", "/"],
    ["show"], ["learn", "a", "b"], ["learn", "/nonexistent"],
    ["list", "--server", "x"], ["check", "x", "--user", "y"],
    ["learn", "--nothing"]])
def test_mistakes_are_the_users(words):
    done = relaypass(*words, data="")
    assert done.returncode == 100 and done.stderr and not done.stdout


# --- check --------------------------------------------------------------------

GOOD = """\
server mine
about Ours
program mine
login ^in (?<user>[^ ]++) (?<ip>%ip%)$
sample login ip=192.0.2.1 user=al | Nov 20 18:05:01 mx1 mine: in al 192.0.2.1
sample none | Nov 20 18:05:01 mx1 mine: out al 192.0.2.1
"""


def check(tmp_path, text):
    mine = tmp_path / "mine.pattern"
    mine.write_text(text, encoding="utf-8")
    done = relaypass("check", mine)
    told = done.stderr.decode().replace(f"relaypass: {mine}:", ":")
    return done, told.replace(f"{mine}:", ":")


def test_check_takes_a_good_file_and_tells_costs(tmp_path):
    done, told = check(tmp_path, GOOD)
    assert done.returncode == 0 and not told
    assert re.search(rb":4: login, at most [0-9.]+ steps a byte\n",
                     done.stdout)
    assert b" 1 expressions, 2 samples, 0 mistakes\n" in done.stdout


# What is added to the good file, as its line 7, and what is told.
REFUSED = {
    "not from the first byte": (
        "login in (?<user>[^ ]++) (?<ip>%ip%)$",
        ":7: expected an expression from ^ to $"),
    "not to the last byte": (
        "login ^in (?<user>[^ ]++) (?<ip>%ip%)",
        ":7: expected an expression from ^ to $"),
    "a repeat that gives back": (
        "login ^.*(?<user>[^ ]++) (?<ip>%ip%)$", ":7: a far repeat"),
    "a class that holds what follows": (
        "login ^in (?<user>[a-z]+)a (?<ip>%ip%)$", ":7: a far repeat"),
    "nested repeats": (
        "login ^(?:[a-z]+ )+(?<user>[^ ]++) (?<ip>%ip%)$",
        ":7: a group that repeats more than 64 times"),
    "repeats in a group that gives back": (
        "login ^(?:[a-z]++ ){0,9}(?<user>[^ ]++) (?<ip>%ip%)$",
        ":7: a group with repeats in it repeats"),
    "a repeat in look-ahead": (
        "login ^(?=.*x)(?<user>[^ ]++) (?<ip>%ip%)$",
        ":7: a repeat inside look-ahead"),
    "too many choices": (
        "login ^a?a?a?a?a?a?a?a(?<user>[^ ]++) (?<ip>%ip%)$",
        ":7: 7 choices are open to doubt, 6 are allowed"),
    "lazy repeats": (
        "login ^.*?(?<user>[^ ]++) (?<ip>%ip%)$", ":7: lazy repeats"),
    "look-behind": (
        "login ^(?<=a)(?<user>[^ ]++) (?<ip>%ip%)$", ":7: "),
    "no user": ("login ^in (?<ip>%ip%)$", ":7: a login needs (?<user>...)"),
    "no address": (
        "login ^in (?<user>[^ ]++)$", ":7: a login needs (?<ip>...)"),
    "an unknown group": (
        "login ^in (?<user>[^ ]++) (?<ip>%ip%) (?<who>x)$",
        ":7: groups are ip user session"),
    "a group twice": (
        "login ^in (?<user>[^ ]++) (?<ip>%ip%) (?<ip>%ip%)$",
        ":7: groups are ip user session"),
    "an unknown keyword": ("logn ^x$", ":7: unknown keyword"),
    "a piece that is taken": ("define ip x", ":7: define: that name is taken"),
    "a bad name of a program": ("program a:b", ":7: expected names"),
    "a sample without a line": ("sample login", ":7: sample: expected"),
    "a sample that gives something": (
        "sample none | Nov 20 18:05:01 mx1 mine: in al 192.0.2.1",
        ":7: the sample gives login, not none"),
    "a sample that gives nothing": (
        "sample login | Nov 20 18:05:01 mx1 mine: at al 192.0.2.1",
        ":7: the sample gives none, not login"),
    "a sample that gives something else": (
        "sample login ip=192.0.2.2 | Nov 20 18:05:01 mx1 mine: in al "
        "192.0.2.1", ":7: the sample gives ip=192.0.2.1, not 192.0.2.2"),
    "a line of another server": (
        "program dovecot\nlogin ^imap-login: Login: user=<(?<user>[^>]++)>, "
        "method=PLAIN, rip=(?<ip>%ip%), .*+$", "line of mine too"),
    "a line that another server takes": (
        "program pop3d\nlogin ^LOGIN, user=(?<user>[^,]++), "
        "ip=\\[(?<ip>%ip%)\\]$\nsample login ip=192.0.2.1 user=al | "
        "Nov 20 18:05:01 mx1 pop3d: LOGIN, user=al, ip=[192.0.2.1]",
        ":9: the sample is a line of courier too"),
}


@pytest.mark.parametrize("added, expected", REFUSED.values(), ids=REFUSED)
def test_check_refuses_with_file_line_and_words(tmp_path, added, expected):
    done, told = check(tmp_path, GOOD + added + "\n")
    assert done.returncode == 100
    assert expected in told, told


def test_check_wants_samples_and_tells_what_it_replaces(tmp_path):
    done, told = check(tmp_path, GOOD.partition("sample")[0])
    assert done.returncode == 100 and "no `sample login`" in told
    done, told = check(tmp_path, GOOD.rpartition("sample")[0])
    assert done.returncode == 0 and "note: no `sample none`" in told
    done, told = check(
        tmp_path, GOOD.replace("server mine", "server courier"))
    assert done.returncode == 0
    assert "note: takes the place of the patterns of courier" in told


def test_check_tells_each_wrong_sample_once(tmp_path):
    line = "sample none | Nov 20 18:05:01 mx1 mine: in al 192.0.2.1\n"
    done, told = check(tmp_path, GOOD + line + line)
    assert done.returncode == 100
    assert told.count(":7: the sample") == 1
    assert told.count(":8: the sample") == 1
    assert b" 2 mistakes" in done.stdout


def test_check_shows_nothing_that_a_terminal_obeys(tmp_path):
    done, told = check(
        tmp_path, GOOD + "sample login user=x | Nov 20 18:05:01 mx1 mine: in "
        "\x1b]0;y\x07 192.0.2.1\n")
    assert done.returncode == 100 and "\x1b" not in told


def test_the_file_of_the_manual_page_on_formats_is_good(tmp_path):
    page = lab.TREE / "docs" / "patterns.md"
    text = page.read_text(encoding="utf-8").partition("A whole file:\n\n")[2]
    lines = text[:text.index("\n\nWhat an expression")].splitlines()
    done, told = check(tmp_path, "\n".join(line[4:] for line in lines) + "\n")
    assert done.returncode == 0 and not told
    assert b" 2 expressions, 3 samples, 0 mistakes" in done.stdout


# --- learn --------------------------------------------------------------------

def learn(lines, *words):
    return relaypass("learn", *words, data=lines)


# The usual form of each server, of the many that its file knows.
USUAL = {
    "courier": r": LOGIN, user=[a-z@.]+, ip",
    "cyrus": r" [a-z]+ [^ ]+ User logged in",
    "dovecot": r"-login: (Info: )?(Login|Logged in): user=<[a-z@.]+>, m.*lip=",
    "uw-imap": r": (Login|Authenticated) user=[a-z]+ host=",
    "vpop3d": r" Authenticated$",
}


@pytest.mark.parametrize("server", USUAL)
def test_what_is_learned_from_genuine_lines_is_good(tmp_path, server):
    text = (PATTERNS / f"{server}.pattern").read_text(encoding="utf-8")
    samples = [line for line in text.splitlines()
               if re.match(r"sample login .*ip=.*user=", line) and
               re.search(USUAL[server], line) and "203.0.113" not in line]
    assert len(samples) >= 3
    done = learn("\n".join(samples) + "\n", "--server", server)
    assert done.returncode == 0, done.stderr
    assert b"takes the place of its patterns" in done.stderr
    proposed = tmp_path / "proposed.pattern"
    proposed.write_bytes(done.stdout)
    checked = relaypass("check", proposed)
    assert checked.returncode == 0, checked.stderr
    config = tmp_path / "relaypass.conf"
    config.write_text(f'relaypass {{ pattern-directory = "{tmp_path}" }}\n',
                      encoding="utf-8")
    log = "".join(line.partition(" | ")[2] + "\n" for line in samples)
    found = subprocess.run(
        [lab.program("relaypass"), "-c", config, "scan", "--json",
         "--servers", server, "--now", "2026-11-20T19:00:00Z", "-"],
        input=log.encode(), capture_output=True, check=True)
    rows = [json.loads(row) for row in found.stdout.splitlines()]
    assert len(rows) == len(samples)
    for row, sample in zip(rows, samples):
        assert f" ip={row['ip']} " in sample
        assert row["server"] == server and row["kind"] == "login"


def test_a_file_is_learned_from_lines_alone(tmp_path):
    lines = tmp_path / "lines"
    lines.write_text(
        HEAD + "login ok: user=<al@example.org> from c.example.net "
        "[192.0.2.1] id=77\r\n" +
        HEAD + "login ok: user=<bo> from d.example.net [2001:db8::7] id=8",
        encoding="utf-8")
    done = relaypass("learn", lines)
    assert done.returncode == 0, done.stderr
    text = done.stdout.decode()
    assert "\nserver   ourpop\n" in text and "\nprogram  ourpop\n" in text
    assert text.count("\nlogin    ^login ok: user=<") == 1
    assert "sample login ip=192.0.2.1 user=al@example.org | Nov" in text
    assert "sample login ip=2001:db8::7 user=bo | Nov" in text
    assert text.count("\nsample none | ") > 10
    mine = tmp_path / "ourpop.pattern"
    mine.write_text(text, encoding="utf-8")
    checked = relaypass("check", mine)
    assert checked.returncode == 0 and not checked.stderr
    assert b" 0 mistakes" in checked.stdout


@pytest.mark.parametrize("line, words, told", [
    ("login ok user=al", [], "holds no address"),
    ("login ok user=al 192.0.2.1 198.51.100.1", [], "holds 2 addresses"),
    ("login ok al 192.0.2.1", ["--user", "al"], "no mark of the server's"),
    ("login ok from 192.0.2.1", [], "--user NAME"),
    ("login failed user=al from 192.0.2.1", [], "says \"fail\""),
])
def test_what_cannot_be_told_safely_is_refused_in_words(line, words, told):
    done = learn(HEAD + line + "\n", *words)
    assert done.returncode == 1 and not done.stdout
    assert "line 1: " in done.stderr.decode()
    assert told in done.stderr.decode()


def test_hints_say_whose_line_it_is():
    done = learn(HEAD + "login ok <al> from 192.0.2.1 to 198.51.100.1 tag\n",
                 "--user", "al", "--ip", "192.0.2.1", "--server", "ours")
    assert done.returncode == 0, done.stderr
    assert b"sample login ip=192.0.2.1 user=al | " in done.stdout
    assert b"no other line has this form" in done.stderr
