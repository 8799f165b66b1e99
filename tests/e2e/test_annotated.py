# SPDX-License-Identifier: ISC
"""Lines whose sender rsyslog names (Annotate="on"): only those of the server's
own user are logins, whatever other users send."""

import json
import os
import shutil
import socket
import subprocess
import sys
from datetime import datetime, timezone

import pytest

import lab
from site1 import make_place  # noqa: F401 (a fixture)

CONFIG = """
relaypass {{ directory = "{dir}/ledger" run-directory = "{dir}"
             pattern-directory = "{dir}/patterns" servers = "dovecot"
             control-group = "{group}" map-size = "1M" }}
source   maillog {{ kind = "file" path = {{"{dir}/mail.log"}}
                    annotated = {annotated} }}
listener ask     {{ kind = "ask" listen = "unix:{dir}/ask"
                    group = "{group}" }}
"""
RSYSLOG = """
global(workDirectory="{dir}" maxMessageSize="2048")
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="{dir}/log" Annotate="on" RateLimit.Interval="0")
action(type="omfile" file="{dir}/mail.log" template="RSYSLOG_FileFormat")
"""
# Sends the messages of one line, and lives until standard input ends.
SENDER = """
import json, socket, sys
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
    for message in json.loads(sys.stdin.readline()):
        s.sendto(message.encode(), sys.argv[1])
    sys.stdin.read()
"""
GROUP = "root" if os.geteuid() == 0 else "nogroup"
NOBODY = 65534
SUFFIX = (" @[_PID=1 _UID=0 _GID=0 _COMM=log _EXE=/usr/lib/dovecot/log "
          '_CMDLINE="')


def login(address):
    return ("dovecot: imap-login: Login: user=<anna>, method=PLAIN, "
            f"rip={address}, lip=198.51.100.1, mpid=0, TLS, "
            f"session=<s{address}>")


class Site(lab.Relaypassd):
    """One that believes this user's processes only."""

    def __init__(self, where, annotated="yes", uid=os.geteuid()):
        self.where = where
        self.mail_log = where / "mail.log"
        self.mail_log.touch()
        shown = lab.Here().run(lab.program("relaypass"), "patterns", "show",
                               "dovecot").stdout
        (where / "patterns").mkdir()
        (where / "patterns/dovecot.pattern").write_text(
            shown.replace(
                "\nabout ", f"\nuid {uid}\nabout ", 1), encoding="utf-8")
        super().__init__(lab.Here(), where, CONFIG.format(
            dir=where, group=GROUP, annotated=annotated), where / "ask",
            str(where / "relaypass.conf"))

    def lines(self):
        return self.mail_log.read_bytes().count(b"\n")

    def append(self, message):
        stamp = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        with open(self.mail_log, "ab", buffering=0) as log:
            log.write(f"{stamp} mx1 {message}\n".encode())

    def status(self):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(self.where / "control"))
            s.sendall(b"status\n")
            s.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: s.recv(1 << 16), b""))


@pytest.fixture(name="start")
def make_start(place):
    started = []

    def start(**kwargs):
        started.append(Site(place, **kwargs))
        return started[0].start()
    yield start
    for site in started:
        site.stop()


def suffix(uid):
    return f' @[_PID=7 _UID={uid} _GID=0 _COMM=log _CMDLINE="dovecot/log"]'


def test_annotated_source_takes_lines_of_its_users_only(start):
    me = os.geteuid()
    site = start()
    site.append(login("203.0.113.66"))
    site.append(login("203.0.113.67") + suffix(me + 1))
    site.append(login("203.0.113.68") + suffix(me) + suffix(me))
    site.append(login("192.0.2.10") + suffix(me))
    site.wait_leased("192.0.2.10")
    for last in (66, 67, 68):
        assert site.check(f"203.0.113.{last}") == "none"


def test_plain_source_cannot_tell_who_sent_a_line(start):
    site = start(annotated="no")
    site.append(login("203.0.113.66"))
    site.append(login("203.0.113.67") + suffix(os.geteuid()))
    lab.wait_for(lambda: b" lines=2 " in (now := site.status()) and
                 b" refused=2 " in now, "two lines refused")
    assert site.check("203.0.113.66") == "none"
    assert site.check("203.0.113.67") == "none"


def test_daemon_tells_of_a_user_that_is_not_here(start):
    site = start(uid="not-a-user")
    lab.wait_for(lambda: "unknown-user=not-a-user" in site.log.read_text(
        encoding="utf-8"), "the warning")


class Rsyslog:
    HEAD = "<22>Nov 20 18:05:01 "

    def __init__(self, site):
        self.site, where = site, site.where
        (where / "rsyslog.conf").write_text(
            RSYSLOG.format(dir=where), encoding="utf-8")
        self.process = lab.Here().start(
            ["rsyslogd", "-n", "-f", where / "rsyslog.conf",
             "-i", where / "rsyslog.pid"], where / "rsyslogd.log")
        lab.wait_for((where / "log").exists, "rsyslog's socket")

    def send(self, uid, *messages, name=sys.executable, arguments=()):
        """As a user; returns when all of them are in the log."""
        before = self.site.lines()
        with subprocess.Popen(
                [name, "-c", SENDER, self.site.where / "log", *arguments],
                stdin=subprocess.PIPE, encoding="utf-8", user=uid, group=uid,
                extra_groups=[], cwd="/") as sender:
            sender.stdin.write(json.dumps(
                [self.HEAD + m for m in messages]) + "\n")
            sender.stdin.flush()
            lab.wait_for(
                lambda: self.site.lines() == before + len(messages),
                "lines in the log")
            sender.stdin.close()
        assert sender.returncode == 0


@pytest.mark.needs("rsyslog")
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root (two users)")
def test_rsyslog_s_word_counts_and_no_user_s(start, place):
    site = start()
    rsyslog = Rsyslog(site)
    python = os.path.realpath("/usr/bin/python3")
    try:
        forged = login("203.0.113.66")
        whole = forged + SUFFIX + 'dovecot/log"]'
        # rsyslog cuts at 2048 bytes; one of these ends just there, and the
        # true suffix is gone.
        start_len = len(Rsyslog.HEAD + forged + SUFFIX + '"]')
        long = [forged + SUFFIX + "x" * (n - start_len) + '"]'
                for n in range(2040, 2056)]
        goes_on = forged + " @[_PID=1 _UID=0 _GID=0 _COMM=log"
        rsyslog.send(NOBODY, forged, whole, whole + " ", goes_on, *long,
                     name=python)
        rsyslog.send(NOBODY, forged, name=python, arguments=[
            '"]' + SUFFIX + '"]', SUFFIX + "x"])
        # A path that holds the beginning of a suffix.
        path = place / ("z" + SUFFIX[:SUFFIX.index("/usr")] + "/usr/bin/log")
        path.parent.mkdir(parents=True)
        shutil.copy(python, path)
        rsyslog.send(NOBODY, forged, whole, name=path)
        rsyslog.send(0, login("192.0.2.10"), name=python)
        site.wait_leased("192.0.2.10")
        assert site.check("203.0.113.66") == "none"
        text = site.mail_log.read_text(encoding="utf-8")
        assert " _EXE=" in text and f" _UID={NOBODY} " in text
        # The trap was set: one suffix only in a line, and not rsyslog's.
        assert any(line.endswith('x"]') and line.count(" @[_PID=") == 1
                   for line in text.splitlines())
    finally:
        rsyslog.process.kill_all()
