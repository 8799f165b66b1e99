# SPDX-License-Identifier: ISC
"""relaypass-spp with more than a dialogue: plugins in other languages, many
sessions at once, ends in the middle, leases of a real relaypassd."""

import contextlib
import os
import re
import shlex
import signal
import socket
import subprocess
import threading

import pytest

import answerer
import lab
import test_spp_dialogues as dialogues
from test_run import LEAST, MOST, elapsed

SESSIONS = int(os.environ.get("RELAYPASS_SPP_SESSIONS", "500"))
PERL = """#!/usr/bin/perl
use strict; use warnings;
print "HX-Perl: $ENV{SMTPRCPTTO} $ENV{SMTPRCPTCOUNTALL}\\n";
print STDERR "perl saw $ENV{SMTPMAILFROM}\\n";
print $ENV{SMTPRCPTTO} =~ /^bad/ ? "E550 perl says no\\n" : "N\\n";
"""
C = r"""
#include <stdio.h>
#include <stdlib.h>
int main(void)
{
	printf("HX-C: %s\nSFROM_C=%s\n", getenv("SMTPHELOHOST"), "yes");
	return 0;
}
"""
QUEUE = r"""
#include <unistd.h>
int main(void) { return execl("bin/script", "bin/script", (char *)0); }
"""


@pytest.fixture(name="home")
def make_home(tmp_path):
    return dialogues.Home(tmp_path)


@contextlib.contextmanager
def session(home, **kwargs):
    client, process = home.start(**kwargs)
    talk = dialogues.Talk(client)
    try:
        yield talk, process
    finally:
        client.close()
        try:
            process.wait(dialogues.LIMIT)
        finally:
            process.kill()
            process.wait()


def begin(talk):
    assert talk.line().startswith("220 ")
    assert talk.ask("EHLO client.example")[-1].startswith("250 ")


def test_plugins_in_perl_and_c(home, tmp_path):
    home.write("plugins/in-perl", PERL, 0o755)
    home.write("in-c.c", C)
    subprocess.run(["cc", "-o", tmp_path / "plugins/in-c", tmp_path / "in-c.c"],
                   check=True)
    home.write("control/smtpplugins",
               "[rcpt]\nplugins/in-perl\n[data]\nplugins/in-c\n")
    with session(home) as (talk, _):
        begin(talk)
        talk.ask("MAIL FROM:<a@elsewhere.example>")
        assert talk.ask("RCPT TO:<bad@test.example>") == ["550 perl says no"]
        assert talk.ask("RCPT TO:<b@test.example>") == ["250 ok"]
        assert talk.ask("DATA") == ["354 go ahead"]
        assert talk.ask("x\r\n.") == ["250 ok"]
        talk.ask("QUIT")
    message = (tmp_path / "queue/message").read_text("latin-1")
    assert "X-Perl: bad@test.example 1\nX-Perl: b@test.example 2\n" \
        "X-C: client.example\n" in message
    assert "FROM_C=yes\n" in (tmp_path / "queue/environ").read_text("latin-1")
    assert "perl saw a@elsewhere.example" in home.log.read_text("latin-1")


def test_each_message_has_its_own_environment(home, tmp_path):
    """Much of it and little, by the QMAILQUEUE that was there before."""
    home.write("own-queue", dialogues.QUEUE, 0o755)
    home.write("plugins/vars", """#!/bin/sh
case $SMTPMAILFROM in
much@*) for i in $(seq 40); do printf 'SN%d=%01000d\\n' "$i" "$i"; done ;;
*) for i in $(seq 40); do echo "UN$i"; done; echo SLAST=yes ;;
esac
""", 0o755)
    home.write("control/smtpplugins", "[mail]\nplugins/vars\n")
    with session(home, env=["QMAILQUEUE=$HOME/own-queue", "N7=before"]) \
            as (talk, _):
        begin(talk)
        for sender, number, last in (
                ("little", 0, True), ("much", 40, True), ("little", 0, True),
                ("much", 40, True), ("little", 0, True)):
            talk.ask(f"MAIL FROM:<{sender}@elsewhere.example>")
            talk.ask("RCPT TO:<b@test.example>")
            talk.ask("DATA")
            assert talk.ask("x\r\n.") == ["250 ok"]
            seen = (tmp_path / "queue/environ").read_text().splitlines()
            found = [line for line in seen if re.match(r"N\d+=", line)]
            assert len(found) == number
            assert all(len(line.partition("=")[2]) == 1000 for line in found)
            assert ("LAST=yes" in seen) == last
            assert f"SMTPMAILFROM={sender}@elsewhere.example" in seen
            assert f"QMAILQUEUE={tmp_path}/own-queue" in seen
            assert not [line for line in seen if "RELAYPASS_SPP" in line]


def own_queue(home):
    """A queue program that is taken for qmail's own."""
    program = home.directory / "bin/qmail-queue"
    program.rename(home.directory / "bin/script")
    home.write("queue.c", QUEUE)
    subprocess.run(["cc", "-o", program, home.directory / "queue.c"],
                   check=True)
    program.chmod(0o4755)


@pytest.mark.parametrize("plugins, env, told", [
    ("", [], False), ("[rcpt]\n:true\n", [], True),
    ("", ["QMAILQUEUE=bin/qmail-queue"], True)])
def test_qmails_own_queue_program_is_told_nothing(
        home, tmp_path, plugins, env, told):
    """It runs as the owner of the queue, and looks at no variable; unless a
    plugin could name another, or somebody has."""
    own_queue(home)
    home.write("control/smtpplugins", plugins)
    with session(home, env=env) as (talk, _):
        begin(talk)
        talk.ask("MAIL FROM:<a@elsewhere.example>")
        assert talk.ask("RCPT TO:<b@foreign.example>")[0].startswith("553")
        talk.ask("RCPT TO:<b@test.example>")
        talk.ask("DATA")
        assert talk.ask("x\r\n.") == ["250 ok"]
    seen = (tmp_path / "queue/environ").read_text().splitlines()
    assert ("RELAYCLIENT=" in seen) != told
    assert ("SMTPMAILFROM=a@elsewhere.example" in seen) == told


def to(talk, recipient):
    return talk.ask(f"RCPT TO:<{recipient}>")[0][:3]


@contextlib.contextmanager
def asked_session(home, tmp_path, answers, options=(), env=()):
    """A session, and the questions of it so far."""
    behave = [answerer.says(a.encode() + b"\n") for a in answers]
    daemon = answerer.Answerer(
        tmp_path / "ask", lambda *a: behave[len(daemon.questions)](*a))
    try:
        with session(home, env=env, options=[
                f"--socket={daemon.path}", *options]) as (talk, _):
            begin(talk)
            yield talk, daemon.questions
    finally:
        daemon.close()


@pytest.mark.parametrize("options", [[], ["--frozen-relayclient"], [
    "--local-domains=control/rcpthosts"]])
def test_relaypassd_is_asked_when_the_answer_matters(home, tmp_path, options):
    """Once a mail, for the first recipient that a stranger may not reach; of
    several mails the later ones hear that the lease has ended."""
    own_queue(home)
    home.write("control/percenthack", "listed.example\n")
    with asked_session(home, tmp_path, ["allow 0 lease", "none", "allow 0 lease",
                                        "none"], options) as (talk, questions):
        for recipients, count in (
                ({"b@test.example": "250"}, 0),
                ({"b@test.example": "250", "b@foreign.example": "250",
                  "c@foreign.example": "250"}, 1),
                ({"b@test.example": "250", "b@foreign.example": "553",
                  "c@foreign.example": "553"}, 2),
                ({"b%foreign.example@listed.example": "250"}, 3),
                ({"b%foreign.example@listed.example": "553",
                  "b@listed.example": "250"}, 4)):
            talk.ask("MAIL FROM:<a@elsewhere.example>")
            for recipient, code in recipients.items():
                assert to(talk, recipient) == code, recipient
            assert questions == [b"check 192.0.2.7\n"] * count
            talk.ask("RSET")


def test_a_lease_of_another_mail_does_not_count(home, tmp_path):
    """Not in the log either, where nobody asked."""
    own_queue(home)
    with asked_session(home, tmp_path, ["allow 0 lease"], ["-v"]) \
            as (talk, questions):
        talk.ask("MAIL FROM:<a@elsewhere.example>")
        assert to(talk, "b@foreign.example") == "250"
        talk.ask("RSET")
        talk.ask("MAIL FROM:<a@elsewhere.example>")
        assert to(talk, "b@test.example") == "250"
        assert len(questions) == 1
    log = home.log.read_text("latin-1")
    assert "relays: b@foreign.example" in log and "b@test.example" not in log


def test_who_has_logged_in_is_not_asked_about(home, tmp_path):
    """AUTH outlives a lease that was there before it."""
    own_queue(home)
    home.write("control/smtpplugins", "")
    with asked_session(home, tmp_path, ["allow 0 lease"],
                       ["--auth-without-tls"], ["SMTPD_AUTH=1"]) \
            as (talk, questions):
        for code in ("235", "503"):
            talk.ask("MAIL FROM:<a@elsewhere.example>")
            assert to(talk, "b@foreign.example") == "250"
            talk.ask("RSET")
            assert talk.ask("AUTH PLAIN AGFsaWNlAHNlY3JldA==")[0][:3] == code
        assert len(questions) == 1


def test_a_relaypassd_that_hangs_is_asked_once_a_mail(home, tmp_path):
    own_queue(home)
    daemon = answerer.Answerer(tmp_path / "ask", answerer.hangs)
    try:
        with session(home, options=[f"--socket={daemon.path}"]) as (talk, _):
            begin(talk)
            talk.ask("MAIL FROM:<a@elsewhere.example>")
            for recipient, code in (
                    ("b@test.example", "250"), ("b@foreign.example", "553"),
                    ("c@foreign.example", "553"), ("c@test.example", "250")):
                assert to(talk, recipient) == code
            assert len(daemon.questions) == 1
    finally:
        daemon.close()


@contextlib.contextmanager
def datagrams(path, *answers):
    daemon = answerer.DatagramAnswerer(path, answers)
    try:
        yield daemon
    finally:
        daemon.close()
        os.unlink(path)


def mail_to(talk, recipient):
    talk.ask("RSET")
    talk.ask("MAIL FROM:<a@elsewhere.example>")
    return to(talk, recipient)


LONG = b"allow ttl=1 user=" + b"u" * 255 + b"\n"


def test_a_session_asks_by_one_socket(home, tmp_path):
    """As long as relaypassd is at its other end; a new one is asked anew."""
    path = tmp_path / "ask"
    with session(home, options=[f"--socket={path}"]) as (talk, _):
        begin(talk)
        with datagrams(path, b"none\n", LONG, b"none\n") as one:
            assert [mail_to(talk, "b@foreign.example") for _ in range(3)] == [
                "553", "250", "553"]
        with datagrams(path, b"allow ttl=1\n") as other:
            assert mail_to(talk, "b@foreign.example") == "250"
        assert mail_to(talk, "b@foreign.example") == "553"
    assert one.questions == [b"check 192.0.2.7\n"] * 3
    assert len(set(one.senders)) == 1
    assert len(other.questions) == 1


@pytest.mark.parametrize("first", [[], [b"allow ttl=1\n"]])
def test_a_late_answer_is_nobodys(home, tmp_path, first):
    """relaypassd is silent too long, to the first question or another."""
    path, i = tmp_path / "ask", len(first)
    with session(home, options=[f"--socket={path}"]) as (talk, _), \
            datagrams(path, *first, None, b"none\n") as daemon:
        begin(talk)
        for _ in first:
            assert mail_to(talk, "b@foreign.example") == "250"
        assert mail_to(talk, "b@foreign.example") == "553"
        with pytest.raises(OSError):
            daemon.say(b"allow ttl=1\n", daemon.senders[i])
        assert mail_to(talk, "b@foreign.example") == "553"
    assert len(daemon.questions) == i + 2
    assert daemon.senders[i] != daemon.senders[i + 1]


def test_an_answer_to_no_question_is_nobodys(home, tmp_path):
    path = tmp_path / "ask"
    with session(home, options=[f"--socket={path}"]) as (talk, _), \
            datagrams(path, b"allow ttl=1\n", b"none\n") as daemon:
        begin(talk)
        assert mail_to(talk, "b@foreign.example") == "250"
        daemon.say(b"allow ttl=1\n", daemon.senders[0])
        assert mail_to(talk, "b@foreign.example") == "553"
        assert mail_to(talk, "b@foreign.example") == "553"
    assert len(daemon.questions) == 3


def test_all_ways_together_take_two_seconds(home, tmp_path):
    """relaypassd hangs, is ended while it is asked, and hangs again."""
    path = tmp_path / "ask"
    with contextlib.ExitStack() as stack:
        def listen():
            daemon = stack.enter_context(
                socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
            daemon.bind(str(path))
            return daemon

        def restart():
            path.unlink()
            listen()
            hung.close()

        talk, _ = stack.enter_context(
            session(home, options=[f"--socket={path}"]))
        begin(talk)
        hung = listen()
        talk.ask("MAIL FROM:<a@elsewhere.example>")
        talk.send(b"RCPT TO:<b@foreign.example>\r\n")
        hung.sendto(b"none\n", hung.recvfrom(4096)[1])
        assert talk.line().startswith("553 ")
        filler = stack.enter_context(
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        filler.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                filler.sendto(b"check 192.0.2.1\n", str(path))
        timer = threading.Timer(LEAST, restart)
        timer.start()
        seconds, code = elapsed(lambda: mail_to(talk, "b@foreign.example"))
        timer.join()
    assert code == "553" and LEAST < seconds < MOST


def test_a_connection_is_not_kept(home, tmp_path):
    """relaypassd has not many of them."""
    def stays(daemon, connection):
        daemon.questions.append(connection.recv(4096))
        connection.sendall(b"allow ttl=1\n")
        while connection.recv(4096):
            pass

    daemon = answerer.Answerer(tmp_path / "ask", stays)
    try:
        with session(home, options=[f"--socket={daemon.path}"]) as (talk, _):
            begin(talk)
            assert [mail_to(talk, "b@foreign.example") for _ in range(3)] == [
                "250"] * 3
    finally:
        daemon.close()
    assert len(daemon.questions) == 3


@pytest.mark.parametrize("plugins, options", [
    ("[data]\n:true\n", []), ("", ["--relayclient=.suffix"])])
def test_who_sees_relayclient_always_has_it_asked(
        home, tmp_path, plugins, options):
    """Plugins, and what is put behind every recipient: at the connection, and
    at each MAIL."""
    own_queue(home)
    home.write("control/smtpplugins", plugins)
    with asked_session(home, tmp_path, ["allow 0 lease"] * 3, options) \
            as (talk, questions):
        assert len(questions) == 1
        for count in (2, 3):
            talk.ask("MAIL FROM:<a@elsewhere.example>")
            assert len(questions) == count
            assert to(talk, "b@test.example") == "250"
            assert to(talk, "b@foreign.example") == "250"
            assert len(questions) == count
            talk.ask("RSET")


def test_the_queue_program_hears_of_the_lease(home, tmp_path):
    """Of this mail's, though no recipient needed it; asked once a mail."""
    with asked_session(home, tmp_path, ["allow 0 lease", "none",
                                        "allow 0 lease"]) \
            as (talk, questions):
        for count, recipient, has in (
                (1, "b@test.example", True), (2, "b@test.example", False),
                (3, "b@foreign.example", True)):
            talk.ask("MAIL FROM:<a@elsewhere.example>")
            assert len(questions) == count - 1
            assert to(talk, recipient) == "250"
            talk.ask("DATA")
            assert talk.ask("x\r\n.") == ["250 ok"]
            assert len(questions) == count
            seen = (tmp_path / "queue/environ").read_text().splitlines()
            assert ("RELAYCLIENT=" in seen) == has


def test_a_large_environment_reaches_the_queue(home, tmp_path):
    many = [f"X{i}=x" for i in range(5000)]
    home.write("control/smtpplugins", "[mail]\n:echo SLAST=yes\n")
    with session(home, env=many) as (talk, _):
        begin(talk)
        talk.ask("MAIL FROM:<a@elsewhere.example>")
        talk.ask("RCPT TO:<b@test.example>")
        talk.ask("DATA")
        assert talk.ask("x\r\n.") == ["250 ok"]
    seen = (tmp_path / "queue/environ").read_text().splitlines()
    assert set(many) < set(seen) and "LAST=yes" in seen


def descriptors(pid):
    directory = f"/proc/{pid}/fd"
    return [os.readlink(f"{directory}/{fd}") for fd in os.listdir(directory)]


def test_plugin_descriptors(home, tmp_path):
    """0 is /dev/null, 1 a pipe, 2 the log, and nothing else is open; the
    server has no socket either, though relaypassd was asked before."""
    home.write("control/smtpplugins", "[helo]\n:ls -l /proc/$$/fd >fds\n")
    path = tmp_path / "ask"
    with datagrams(path, b"none\n") as daemon, \
            session(home, options=[f"--socket={path}"]) as (talk, process):
        begin(talk)
        assert len(daemon.questions) == 1
        server, = lab.descendants_of(process.pid)
        assert not [fd for fd in descriptors(server) if "socket:" in fd]
    lines = (tmp_path / "fds").read_text().splitlines()
    fds = {line.split()[-3]: line.split()[-1]
           for line in lines if " -> " in line}
    assert fds.pop("0") == "/dev/null"
    assert fds.pop("1") == str(tmp_path / "fds")  # the shell's own >
    assert fds.pop("2") == str(home.log)
    # What the shell keeps of the 1 that it changed.
    assert all(target.startswith("pipe:") for target in fds.values()), fds
    assert len(fds) <= 1


def test_many_sessions_at_once(home):
    """All have begun before the first one ends."""
    home.write("control/smtpplugins", "[rcpt]\n:echo HX-Plugin: yes\n")
    with contextlib.ExitStack() as stack:
        talks = [stack.enter_context(session(home, env=["SMTPD_DISCARD=1"]))[0]
                 for _ in range(SESSIONS)]
        for talk in talks:
            begin(talk)
        for step in ("MAIL FROM:<a@elsewhere.example>",
                     "RCPT TO:<b@test.example>", "DATA", "x\r\n."):
            for talk in talks:
                talk.send(step.encode() + b"\r\n")
            for talk in talks:
                assert talk.line()[0] in "23"


@pytest.mark.parametrize("cut", range(1, 170, 7))
def test_client_that_goes_at_any_byte(home, cut):
    said = b"EHLO client.example\r\nMAIL FROM:<a@elsewhere.example>\r\n" \
        b"RCPT TO:<b@test.example>\r\nDATA\r\nSubject: x\r\n\r\nbody\r\n" \
        b".\r\nMAIL FROM:<c@elsewhere.example>\r\nQUIT\r\n"
    whole = said.index(b"\r\n.\r\n") + 5
    with session(home) as (talk, process):
        talk.send(said[:cut])
        talk.client.shutdown(1)
        while talk.receive():
            pass
        assert process.wait(dialogues.LIMIT) == 0
    assert (home.directory / "queue/message").exists() == (cut >= whole)


@pytest.mark.parametrize("step", ["", "EHLO x", "MAIL FROM:<a@b.example>",
                                  "RCPT TO:<b@test.example>", "DATA", "body"])
def test_server_that_dies_at_any_step(home, step):
    """421, and nothing was taken."""
    steps = ["EHLO x", "MAIL FROM:<a@b.example>", "RCPT TO:<b@test.example>",
             "DATA", "body"]
    with session(home) as (talk, process):
        talk.line()
        for line in steps:
            if line == "body":
                talk.send(b"body\r\n")
            elif step:
                talk.ask(line)
            if line == step or not step:
                break
        for child in lab.children_of(process.pid):
            os.kill(child, signal.SIGKILL)
        talk.send(b".\r\n" if step in ("DATA", "body") else b"NOOP\r\n")
        heard = b""
        while piece := talk.receive():
            heard += piece
        assert heard.startswith(b"421 ") and heard.count(b"\r\n") == 1
    assert not (home.directory / "queue/message").exists()


@pytest.mark.skipif(not lab.shutil.which("valgrind"), reason="no valgrind")
def test_valgrind(home):
    """Nothing is read or written that should not be, and nothing is lost. Of
    the static program valgrind sees no memory."""
    home.write("control/smtpplugins", "[rcpt]\n:echo HX-A: b; echo SC=d; echo "
               "LDx\n[helo]\n:echo P250-x\n")
    if dialogues.has_sanitizers():
        pytest.skip("the sanitizers are in")
    with session(home, binary=dialogues.DYNAMIC,
                 wrapper=["valgrind", "--error-exitcode=99",
                          "--leak-check=full"]) as (talk, process):
        talk.line()
        for line in ("EHLO x", "MAIL FROM:<a@b.example>", "MAIL FROM:<",
                     "RCPT TO:<b@test.example>", "RCPT TO:<b@c.example>",
                     "DATA", "RSET", "QUIT"):
            talk.ask(line)
        assert process.wait(60) == 0, home.log.read_text("latin-1")
    log = home.log.read_text("latin-1")
    assert "total heap usage: " in log
    assert "total heap usage: 0 allocs" not in log


@pytest.mark.parametrize("answer,ok,orders", [
    ("allow 0 lease", "0", b"O\n"), ("allow 0 lease", "1", b""),
    ("allow 0 lease", "", b""), ("none", "0", b""), ("", "0", b"")])
def test_relaypass_rcpt(tmp_path, answer, ok, orders):
    """O for a client with a lease, at a domain that is not ours, only."""
    daemon = answerer.Answerer(tmp_path / "ask", answerer.says(
        answer.encode() + b"\n"))
    env = {"TCPREMOTEIP": "192.0.2.7", "RELAYPASS_SOCKET": daemon.path,
           **({"SMTPRCPTHOSTSOK": ok} if ok else {})}
    done = subprocess.run([lab.program("relaypass-rcpt")], env=env,
                          check=True, capture_output=True)
    daemon.close()
    assert done.stdout == orders
    assert daemon.questions == ([b"check 192.0.2.7\n"] if ok == "0" else [])


def test_relaypass_rcpt_without_relaypassd():
    done = subprocess.run(
        [lab.program("relaypass-rcpt")], check=True, capture_output=True,
        env={"TCPREMOTEIP": "192.0.2.7", "SMTPRCPTHOSTSOK": "0",
             "RELAYPASS_SOCKET": "/nonexistent/ask"})
    assert done.stdout == b""


def test_relaypass_spp_by_its_verb(home):
    done = subprocess.run(
        [lab.program("relaypass"), "spp", f"--home={home.directory}",
         str(lab.BUILD / "tests/spp/smtpd")], input=b"QUIT\r\n", check=True,
        capture_output=True, env=home.environ(()))
    assert done.stdout == b"220 mx.test.example ESMTP\r\n" \
        b"221 mx.test.example\r\n"


@pytest.mark.skipif(not lab.shutil.which("systemd-socket-activate"),
                    reason="no systemd-socket-activate")
def test_systemd_in_place_of_tcpserver(home, tmp_path):
    """The example's command; REMOTE_ADDR is what systemd itself adds."""
    daemon = answerer.Answerer(tmp_path / "ask", answerer.says(
        b"allow 0 lease\n"))
    unit = (lab.EXAMPLES / "relaypass-spp@.service").read_text("utf-8")
    line = unit.replace("\\\n", " ").partition("ExecStart=")[2]
    shell, option, command = shlex.split(line.partition("\n")[0])
    command = command.replace("$$", "$").replace(
        "relaypass-spp bin/qmail-smtpd",
        f"{dialogues.program()} --home={home.directory} "
        f"--socket={daemon.path} {lab.BUILD / 'tests/spp/smtpd'}")
    assert str(dialogues.program()) in command
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with open(home.log, "wb") as log, subprocess.Popen(
            ["systemd-socket-activate", "--inetd", "-a", "-l",
             f"127.0.0.1:{port}", "-E", "REMOTE_ADDR=203.0.113.7",
             "-E", "REMOTE_PORT=4025", shell, option, command],
            env={"PATH": os.environ["PATH"]}, stderr=log) as process:
        try:
            lab.wait_for(lambda: b"Listening" in home.log.read_bytes(),
                         "it listens")
            with socket.create_connection(("127.0.0.1", port)) as client:
                talk = dialogues.Talk(client)
                begin(talk)
                talk.ask("MAIL FROM:<a@elsewhere.example>")
                assert talk.ask("RCPT TO:<b@foreign.example>") == ["250 ok"]
                talk.ask("QUIT")
        finally:
            process.terminate()
            daemon.close()
    assert daemon.questions[0] == b"check 203.0.113.7\n"


@pytest.mark.skipif(not lab.shutil.which("cdb"), reason="no tinycdb")
def test_morercpthosts(home, tmp_path):
    """As qmail-newmrh makes it: a key for each line, lower case."""
    subprocess.run(
        ["cdb", "-c", "-m", tmp_path / "control/morercpthosts.cdb"],
        input=b"more.example \n.below.example \n", check=True)
    with session(home) as (talk, _):
        begin(talk)
        talk.ask("MAIL FROM:<a@elsewhere.example>")
        for domain, code in (("more.example", "250"), ("MORE.example", "250"),
                             ("x.below.example", "250"),
                             ("below.example", "553"), ("a.more.example",
                                                        "553")):
            reply = talk.ask(f"RCPT TO:<b@{domain}>")[-1]
            assert reply.startswith(code), domain


def test_a_broken_morercpthosts_takes_no_mail(home):
    home.write("control/morercpthosts.cdb", "no cdb")
    with session(home) as (talk, process):
        assert talk.line().startswith("421 ")
        assert process.wait(dialogues.LIMIT) == 1
    assert "morercpthosts" in home.log.read_text()


def checked(home, *options, server=None, code=100):
    """What --check says, line by line."""
    done = subprocess.run(
        [dialogues.program(), "--check", f"--home={home.directory}",
         "--socket=/nonexistent/relaypass", *options,
         server or lab.BUILD / "tests/spp/smtpd"], check=False,
        stdout=subprocess.PIPE, encoding="utf-8", env=home.environ([]),
        timeout=dialogues.LIMIT)
    assert done.returncode == code, done.stdout
    return done.stdout.splitlines()


def test_check_tells_what_runs_when(home):
    home.write("plugins/good", "#!/bin/sh\n", 0o755)
    home.write("control/smtpplugins",
               "# a comment\n[rcpt]\nplugins/good  \n:echo N\n\n[pass]\n"
               "plugins/good")
    said = checked(home, code=0)
    assert said[:3] == ["rcpt: plugins/good", "rcpt: :echo N",
                        "pass: plugins/good"]
    assert said[3] == "nobody has a lease: /nonexistent/relaypass: " \
        "No such file or directory"


def test_check_tells_what_is_wrong(home):
    home.write("plugins/not-executable", "#!/bin/sh\n")
    home.write("control/smtpplugins",
               "plugins/above\n[quit]\nplugins/never\n[mail]\n"
               "plugins/missing -v\nplugins/not-executable\nplugins\n"
               "plugins/good\r\n")
    home.write("control/rcpthosts", "listed.example\n*.example.org\n"
               "bob@listed.example\nother.example\r\n")
    said = "\n".join(checked(home, server="qmail-smtpd-missing"))
    for where, what in (
            ("smtpplugins:1: ", "plugins/above: below no section"),
            ("smtpplugins:2: ", "there is no section [quit]"),
            ("smtpplugins:3: ", "plugins/never: below no section"),
            ("smtpplugins:5: ", "No such file or directory; arguments want a "
             "colon"),
            ("smtpplugins:6: ", "not-executable: Permission denied"),
            ("smtpplugins:7: ", "plugins is not a file"),
            ("smtpplugins:8: ", "ends in CR LF"),
            ("rcpthosts:2: ", "*.example.org: expected a domain"),
            ("rcpthosts:3: ", "bob@listed.example: expected a domain"),
            ("rcpthosts:4: ", "ends in CR LF"),
            ("", "cannot run qmail-smtpd-missing: No such file")):
        assert any(where in line and what in line
                   for line in said.splitlines()), (where, what, said)


def test_check_tells_what_cannot_be_read(home):
    (home.directory / "control/smtpplugins").unlink()
    (home.directory / "control/rcpthosts").unlink()
    said = "\n".join(checked(home, "--certificate=/nonexistent.pem"))
    assert "control/smtpplugins: No such file" in said
    assert "control/rcpthosts: No such file" in said
    assert "/nonexistent.pem: No such file" in said or "GnuTLS" in said


@pytest.mark.parametrize("line, why", [
    ("plugins/missing", "plugins/missing: No such file or directory"),
    ("plugins/plain", "plugins/plain: Permission denied"),
    ("plugins/plain -v", "No such file or directory, as arguments want a colon "
     "before the line"),
    ("plugins/plain\r", "No such file or directory, as its line ends in CR LF"),
])
def test_the_log_tells_why_a_plugin_is_not_run(home, line, why):
    home.write("plugins/plain", "#!/bin/sh\n")
    home.write("control/smtpplugins", f"[mail]\n{line}\n")
    with session(home) as (talk, process):
        begin(talk)
        assert talk.ask("MAIL FROM:<a@b.example>")[0].startswith(
            "451 qmail-spp failure: plugins/")
    said = home.log.read_text("latin-1")
    assert why in said and \
        f"relaypass-spp[{process.pid}]: 192.0.2.7: can't execute: " in said


def test_the_example_of_plugins(home):
    home.write("control/smtpplugins",
               (lab.EXAMPLES / "smtpplugins").read_text("utf-8"))
    with session(home) as (talk, _):
        begin(talk)
        talk.ask("MAIL FROM:<>")
        assert talk.ask("RCPT TO:<a@test.example>") == ["250 ok"]
        assert talk.ask("RCPT TO:<b@test.example>")[-1].startswith("550 ")
