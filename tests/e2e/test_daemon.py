# SPDX-License-Identifier: ISC
"""relaypassd's own troubles: processes that die or stop, reloads, a second
instance, a full disk, a damaged ledger, no descriptors left."""

import contextlib
import fcntl
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time
from datetime import datetime, timezone

import pytest

import lab
from site1 import (  # noqa: F401 (fixtures)
    GROUP, Site, make_place, make_site, make_still)

ROLES = ["keeper -", "answerer 1", "reader maillog"]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV,
                                    signal.SIGSTOP])
def test_daemon_replaces_a_child_that_ends_or_stops(site, role, number):
    before = site.wait_children()
    site.login("203.0.113.1")
    site.wait_leased("203.0.113.1")
    os.kill(before[role], number)
    site.login("203.0.113.2")
    after = site.wait_children(but=[before[role]])
    site.wait_leased("203.0.113.2")
    assert site.check("203.0.113.1").startswith("allow ")
    # One that must go takes no other along but those that live on it.
    for name, pid in before.items():
        if name != role and not (role == "keeper -" and "reader" in name):
            assert after[name] == pid, name


def test_daemon_takes_no_login_twice_when_its_reader_dies(still):
    # Sessions without a mail process are remembered (and counted) so only.
    still.write(still.text(lease='hold-unseen = "1h"'))
    still.start()
    site, total = still, 300
    for i in range(total):
        if i % 60 == 30:
            # The one that `status` names may be gone already.
            with contextlib.suppress(ProcessLookupError):
                os.kill(site.wait_children()["reader maillog"],
                        signal.SIGKILL)
        site.login(f"203.0.113.{i % 20 + 1}")

    def counted():
        rows = [dict(w.split("=", 1) for w in line.split()[1:])
                for line in site.control("list")[:-1]]
        return sum(int(r["sessions"]) for r in rows)

    lab.wait_for(lambda: counted() >= total, "all logins")
    status = [line for line in site.control("status") if " logins " in line]
    told = dict(w.split("=", 1) for w in status[0].split()[2:])
    assert counted() == total
    assert int(told["granted"]) + int(told["renewed"]) == total


def test_daemon_reloads_under_questions(site):
    site.login("203.0.113.1")
    site.wait_leased("203.0.113.1")
    before = site.wait_children()
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(5)
        s.connect(str(site.where / "ask"))
        lines = s.makefile("rb")

        def still_answers():
            s.sendall(b"check 203.0.113.1\n")
            assert lines.readline().startswith(b"allow ")

        # Another lease rule: the same connection goes on.
        site.write(site.text(lease='never = {"203.0.113.9"}'))
        site.process.signal(signal.SIGHUP)
        while "answerers=kept" not in site.errors():
            still_answers()
        after = site.wait_children(but=[before["keeper -"]])
        still_answers()
        assert after["answerer 1"] == before["answerer 1"]
        site.login("203.0.113.9")
        site.login("203.0.113.2")
        site.wait_leased("203.0.113.2")
        assert site.check("203.0.113.9") == "none"

        # Bad ones: nothing happens at all.
        for bad in ('users = "', 'no-such-option = "1"', 'ttl = "-3"'):
            told = site.errors().count("kept=old")
            site.write(site.text(lease=bad))
            site.process.signal(signal.SIGHUP)
            while site.errors().count("kept=old") == told:
                still_answers()
        more = 'listener x { kind = "ask" listen = "unix:/no/such/dir/x" }'
        told = site.errors().count("kept=old")
        site.write(site.text(lease="", more=more))
        site.process.signal(signal.SIGHUP)
        while site.errors().count("kept=old") == told:
            still_answers()
        assert site.wait_children() == after
        still_answers()


def test_daemon_reload_moves_listeners(site):
    site.login("203.0.113.1")
    site.wait_leased("203.0.113.1")
    second = f'listener two {{ kind = "ask" group = "{GROUP}" ' \
             f'listen = "unix:{site.where}/two" }}'
    first = (site.where / "ask").stat().st_ino
    for more in (second, "", second):
        told = site.errors().count("answerers=restarted")
        site.write(site.text(more=more))
        site.process.signal(signal.SIGHUP)
        lab.wait_for(lambda n=told: site.errors().count(
            "answerers=restarted") > n, "the reload")
        site.wait_leased("203.0.113.1")
        path = site.where / "two"
        if more:
            lab.wait_for(lambda p=path: lab.ask(p, "203.0.113.1").startswith(
                "allow "), "the second socket answers")
        else:
            assert not path.exists()
        assert (site.where / "ask").stat().st_ino == first


@pytest.mark.parametrize("kind, sort", [("unix", socket.SOCK_STREAM),
                                        ("unixgram", socket.SOCK_DGRAM)])
def test_daemon_leaves_no_socket_behind(site, kind, sort):
    def more(name):
        return f'listener two {{ kind = "ask" group = "{GROUP}" ' \
               f'listen = "{kind}:{site.where}/{name}" }}'
    for name in ("two", "three"):
        site.write(site.text(more=more(name)))
        site.process.signal(signal.SIGHUP)
        path = site.where / name
        with socket.socket(socket.AF_UNIX, sort) as asker:
            lab.wait_for(lambda a=asker, p=str(path): a.connect_ex(p) == 0,
                         "the socket is made")
    lab.wait_for(lambda: not (site.where / "two").exists(),
                 "the reload removes what it drops")
    site.stop()
    assert not (site.where / "three").exists()
    assert not (site.where / "ask").exists()


def test_daemon_believes_the_servers_of_a_source_only(still):
    other = still.where / "other.log"
    other.touch()
    still.write(still.text(more=f'source other {{ kind = "file" path = '
                           f'{{"{other}"}} servers = "courier" }}'))
    still.start()
    still.login("203.0.113.1")
    stamp = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    with open(still.where / "mail.log", "rb") as log:
        dovecot = log.read().replace(b"203.0.113.1", b"203.0.113.2")
    other.write_bytes(dovecot + f"{stamp} mx imapd: LOGIN, user=anna, "
                      f"ip=[203.0.113.3], port=[5], protocol=IMAP\n".encode())
    still.wait_leased("203.0.113.1")
    still.wait_leased("203.0.113.3")
    assert still.check("203.0.113.2") == "none"


def test_daemon_second_instance_says_so(site):
    pid = site.process.pid
    for _ in range(2):
        done = subprocess.run(site.argv(), check=False, timeout=20,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              encoding="utf-8")
        assert done.returncode == 111
        assert f"another relaypassd (pid {pid}) runs" in done.stdout
    assert site.check("192.0.2.254") == "none"
    assert (site.where / "relaypassd.pid").read_text() == f"{pid}\n"


def test_daemon_starts_over_what_a_killed_one_left(still, place):
    daemon = still
    daemon.start()
    daemon.login("203.0.113.1")
    daemon.wait_leased("203.0.113.1")
    pids = daemon.everybody()
    daemon.process.signal(signal.SIGKILL)
    daemon.process.wait()
    assert (place / "ask").exists()
    daemon.start()  # at once: it waits for those the dead one left
    lab.wait_for(lambda: not any(lab.is_running(p) for p in pids),
                 "its children have ended")
    daemon.wait_leased("203.0.113.1")
    daemon.stop()
    assert not (place / "ask").exists()
    assert not (place / "control").exists()
    assert (place / "relaypassd.pid").read_text() == ""


def looks(pid):
    """How often it has slept since it began."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.partition("\nvoluntary_ctxt_switches:")[2].split()[0])


def wait_while_it_looks(daemon):
    pid = daemon.process.pid
    daemon.wait(lambda: not daemon.process.running() or looks(pid) > 10,
                "it looks again and again")
    assert daemon.process.running(), daemon.process.output()


@contextlib.contextmanager
def started_over(daemon):
    """A killed one's keeper holds ledger and sockets, and does not end before
    the end of the block; a new start waits for it. Gives the killed one's pid
    and that of the keeper."""
    daemon.start()
    keeper = daemon.wait_children()["keeper -"]
    killed = daemon.process.pid
    os.kill(keeper, signal.SIGSTOP)
    try:
        daemon.process.signal(signal.SIGKILL)
        daemon.process.wait()
        daemon.launch()
        wait_while_it_looks(daemon)
        yield killed, keeper
    finally:
        os.kill(keeper, signal.SIGCONT)


def test_daemon_waits_for_what_a_killed_one_left(still):
    daemon = still
    with started_over(daemon) as (_, keeper):
        assert lab.is_running(keeper)
    daemon.wait(daemon.ready, "relaypassd answers")
    assert not lab.is_running(keeper)


def test_daemon_waits_for_what_a_killed_one_was_forking(still, place):
    """A child holds its parent's lock on the pid file until it has closed it."""
    daemon = still
    daemon.start()
    daemon.stop()
    with subprocess.Popen(["true"]) as killed:
        killed.wait()
    with open(place / "relaypassd.pid", "w", encoding="ascii") as file:
        file.write(f"{killed.pid}\n")
        file.flush()
        fcntl.flock(file, fcntl.LOCK_EX)
        daemon.launch()
        wait_while_it_looks(daemon)
    daemon.wait(daemon.ready, "relaypassd answers")


def test_daemon_ended_while_it_waits_leaves_no_number_of_its_own(still, place):
    daemon = still
    with started_over(daemon) as (killed, _):
        daemon.process.signal(signal.SIGTERM)
        daemon.process.wait()
        assert (place / "relaypassd.pid").read_text() == f"{killed}\n"
    daemon.start()


def test_daemon_sets_a_damaged_ledger_aside(site):
    site.login("203.0.113.1")
    site.wait_leased("203.0.113.1")
    before = site.wait_children()
    with open(site.where / "ledger" / "data.mdb", "r+b") as data:
        data.write(b"garbage!" * 4096)
    os.kill(before["keeper -"], signal.SIGKILL)
    site.wait_error("ledger.aside")
    site.wait_children(but=[before["keeper -"]])
    # Nothing comes out of garbage; the log is read again, and it goes on.
    site.login("203.0.113.2")
    site.wait_leased("203.0.113.2")
    site.wait_leased("203.0.113.1")
    assert site.check("203.0.113.77") == "none"
    assert len(list((site.where / "ledger").glob("ledger.aside-*"))) == 1


def test_daemon_survives_garbage_under_its_feet(site):
    site.login("203.0.113.1")
    site.wait_leased("203.0.113.1")
    site.wait_children()
    # The keeper runs on with an idle log: an answerer may be first to see it.
    with open(site.where / "ledger" / "data.mdb", "r+b") as data:
        data.seek(8192)
        data.write(b"\xff" * (os.fstat(data.fileno()).st_size - 8192))

    def renewed():
        assert not site.check("203.0.113.77").startswith("allow")
        site.login("203.0.113.2")
        return site.check("203.0.113.2").startswith("allow ")

    lab.wait_for(renewed, "it finds a way out")
    site.wait_children()


@pytest.mark.namespaces
def test_daemon_lives_through_a_full_disk(place):
    ledger = place / "ledger"
    ledger.mkdir()
    daemon = Site(place, before=[
        "unshare", "--mount", "--propagation", "private", "sh", "-ec",
        'mount -t tmpfs -o size=1m,mode=700 tmpfs "$0"; '
        'chown relaypass:relaypass "$0"; exec "$@"', str(ledger)])
    daemon.start()
    inside = pathlib.Path(f"/proc/{daemon.process.pid}/root{ledger}")
    daemon.login("203.0.113.1")
    daemon.wait_leased("203.0.113.1")
    before = daemon.wait_children()
    fill = inside / "fill"
    with contextlib.suppress(OSError), open(fill, "wb", buffering=0) as file:
        while file.write(b"x" * 4096):
            pass
    count = 600
    for i in range(count):
        daemon.login(f"203.0.113.{i % 250 + 1}", f"u{i}@example.org")
    daemon.wait_error("no space for the ledger")
    daemon.wait_error(str(ledger))
    assert daemon.check("203.0.113.1").startswith("allow ")
    assert any("not stored" in line
               for line in daemon.control("grant address=203.0.113.251"))
    fill.unlink()

    def all_there():
        rows = daemon.control("list")
        return rows and rows[-1] == f"ok count={count + 1}"

    lab.wait_for(all_there, "no login is lost")
    assert daemon.children() == before
    daemon.stop()


@pytest.mark.skipif(not shutil.which("prlimit"), reason="needs prlimit")
def test_daemon_survives_without_descriptors(place):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    daemon = Site(place, before=["prlimit", "--nofile=64"])
    daemon.write(daemon.text(
        more='listener policy { kind = "postfix-policy" '
             f'listen = "inet:127.0.0.1:{port}" }}'))
    daemon.start()
    daemon.login("203.0.113.1")
    daemon.wait_leased("203.0.113.1")
    before = daemon.wait_children()

    def policy(sock):
        sock.sendall(b"request=smtpd_access_policy\nprotocol_state=RCPT\n"
                     b"client_address=203.0.113.1\n\n")
        return sock.recv(100)

    with contextlib.ExitStack() as stack:
        for _ in range(300):
            sock = stack.enter_context(socket.socket())
            sock.settimeout(5)
            sock.connect(("127.0.0.1", port))
        # The longest idle ones had to go; new ones are answered.
        assert policy(sock) == b"action=OK\n\n"
        with socket.create_connection(("127.0.0.1", port), 5) as new:
            assert policy(new) == b"action=OK\n\n"
        clients = [socket.socket(socket.AF_UNIX) for _ in range(80)]
        for client in clients:
            stack.enter_context(client)
            with contextlib.suppress(OSError):
                client.settimeout(1)
                client.connect(str(place / "control"))
        used = busy(before.values())
        time.sleep(0.5)
        assert busy(before.values()) - used < 0.25, "it spins"
    assert daemon.check("203.0.113.1").startswith("allow ")
    assert daemon.wait_children() == before
    daemon.stop()


def busy(pids):
    """Seconds of processor time."""
    total = 0
    for pid in pids:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="latin-1")
        total += sum(map(int, text.rpartition(")")[2].split()[11:13]))
    return total / os.sysconf("SC_CLK_TCK")


def test_daemon_control_socket_serves_pipelines_and_slow_readers(site):
    site.login("203.0.113.1")
    site.wait_leased("203.0.113.1")
    lines = site.control("list\nstatus\nmode\nbogus\nlist")
    assert [line for line in lines if line.startswith(("ok", "error"))] == [
        "ok count=1", "ok mode=enforce",
        "ok mode=enforce config=enforce set=none",
        "error the verb is not known", "ok count=1"]
    # Too long a line, and one who never reads what it watches.
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(5)
        s.connect(str(site.where / "control"))
        s.sendall(b"x" * 5000)
        with contextlib.suppress(ConnectionResetError):
            assert s.recv(10) == b""
    with socket.socket(socket.AF_UNIX) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        s.connect(str(site.where / "control"))
        s.sendall(b"watch\n")
        for _ in range(40):
            site.control("\n".join(["grant address=203.0.113.5"] * 150))
        s.settimeout(5)
        assert site.control("mode")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root (/proc/PID/fd)")
def test_daemon_children_hold_nothing_that_is_not_theirs(site):
    sockets = {}
    site.login("203.0.113.1")
    site.wait_leased("203.0.113.1")  # all have begun their work

    def links(fds):
        found = set()
        for fd in fds.iterdir():
            with contextlib.suppress(FileNotFoundError):
                found.add(os.readlink(fd))
        return found

    for name, pid in site.wait_children().items():
        fds = pathlib.Path(f"/proc/{pid}/fd")
        # An answerer that answers nobody may still be at its start.
        lab.wait_for(lambda d=fds: "signalfd" not in " ".join(links(d)),
                     f"{name} closes what is not its own")
        sockets[name] = links(fds)
        names = " ".join(sockets[name])
        # The next start waits until it is closed; none may write into it.
        pid_file = [f for f in fds.iterdir()
                    if os.readlink(f).endswith("/relaypassd.pid")]
        assert [f.lstat().st_mode & 0o700 for f in pid_file] == [0o500]
        assert "memfd" not in names
        assert ("ledger" in names) == ("reader" not in name)
        assert ("inotify" in names) == ("reader" in name)
    keeper = {s for s in sockets["keeper -"] if s.startswith("socket:")}
    for name, links in sockets.items():
        if name != "keeper -":
            assert not keeper & links, name
