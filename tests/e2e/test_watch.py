# SPDX-License-Identifier: ISC
"""relaypass watch: logins and leases as they come and go, with the reason when
a login makes none."""

import datetime
import json

import pytest

import lab

LINE = ("{when} mx dovecot: imap-login: Login: user=<{user}>, method=PLAIN, "
        "rip={ip}, lip=198.51.100.1, mpid=1, TLS, session=<{session}>\n")


class Watched:
    """A relaypassd with a log, and a relaypass that watches it."""

    def __init__(self, host, daemon):
        self.host, self.daemon = host, daemon
        self.log = host.path("/var/log/watched/mail.log")
        self.place = daemon.directory

    def write(self, form, **fields):
        when = datetime.datetime.now(datetime.timezone.utc)
        with open(self.log, "a", encoding="utf-8") as log:
            log.write(form.format(
                when=when.strftime("%Y-%m-%dT%H:%M:%SZ"), **fields))

    def watch(self, *words):
        process = self.host.start(
            [lab.program("relaypass"), "watch", *words],
            self.place / f"watch{len(words)}.out")
        # It is connected when something is shown.
        lab.wait_for(lambda: self.poke() and process.output(),
                     "relaypass watch shows something")
        return process

    def poke(self):
        self.host.run(lab.program("relaypass"), "grant", "192.0.2.99")
        return True


@pytest.fixture(name="watched")
def make_watched(host, relaypassd):
    host.install_users()
    host.run("mkdir", "-p", "/var/log/watched")
    host.write("/var/log/watched/mail.log", "")
    daemon = relaypassd(host, """
lease { deny-users = { "mallory" } }
source maillog { kind = "file" path = "/var/log/watched/mail.log" }
listener ask { kind = "ask" listen = "unix:/run/relaypass/ask" }
""")
    return Watched(host, daemon)


def lines_with(process, *words):
    return [line for line in process.output().splitlines()
            if all(word in line for word in words)]


@pytest.mark.namespaces
def test_watch_tells_logins_and_why_they_make_no_lease(watched):
    process = watched.watch()
    watched.write(LINE, user="anna", ip="192.0.2.7", session="a")
    watched.write(LINE, user="anna", ip="192.168.1.7", session="b")
    watched.write(LINE, user="mallory", ip="192.0.2.8", session="c")
    for words in (("grant", "192.0.2.7", "user=anna", "source=maillog",
                   "server=dovecot", "ttl="),
                  ("refused", "192.168.1.7", "reason=private-address",
                   "(its network is not named in lease private)"),
                  ("refused", "192.0.2.8", "user=mallory",
                   "reason=user-denied",
                   "(the user is named in lease deny-users)")):
        lab.wait_for(lambda words=words: lines_with(process, *words),
                     f"a line with {words}")
    watched.host.run(lab.program("relaypass"), "revoke", "192.0.2.7")
    lab.wait_for(lambda: lines_with(process, "revoke", "192.0.2.7"),
                 "the revocation")
    watched.write(LINE, user="anna", ip="192.0.2.7", session="d")
    lab.wait_for(lambda: lines_with(
        process, "refused", "192.0.2.7", "reason=revoked",
        "(relaypass revoke refuses it for now)"), "the refusal")


@pytest.mark.namespaces
def test_watch_json_has_the_sentence_apart(watched):
    process = watched.watch("--json")
    watched.write(LINE, user="anna", ip="127.0.0.1", session="a")
    line = lab.wait_for(lambda: lines_with(process, "127.0.0.1"), "the event")
    event = json.loads(line[0])
    assert (event["kind"], event["reason"]) == ("refused", "special-address")
    assert event["why"].startswith("such addresses are nobody's")
    # And a lease has none.
    for line in lines_with(process, "192.0.2.99"):
        assert "why" not in json.loads(line)


@pytest.mark.namespaces
def test_watch_ends_when_the_daemon_does(watched):
    process = watched.watch()
    watched.daemon.stop()
    assert process.wait() == 111
    assert "closed the connection" in process.output()
