# SPDX-License-Identifier: ISC
"""The source `journal` with a real systemd-journald, which runs here without
systemd in the test host, and the real Dovecot: who is believed, and that
nothing is lost or taken twice through rotation, vacuuming and kills. The unit
of a process is the cgroup it is in, so that one is made where it may be made.
Damaged files are in tests/unit/test_journal.c, made by systemd-journal-remote.
"""

import contextlib
import os
import pathlib
import re
import signal
import subprocess

import pytest

import dovecot_conf
import lab
import servers_real as real
from test_source_syslog import DOVECOT, USER

JOURNALD = "/lib/systemd/systemd-journald"
UNIT = "dovecot.service"
NOBODY = "nobody"
LASTING = """
import syslog, sys, time
syslog.openlog("dovecot", 0, syslog.LOG_MAIL)
syslog.syslog(sys.argv[1])
time.sleep(60)
"""
EXAMPLE = (lab.EXAMPLES / "relaypass-journal.conf").read_text(encoding="utf-8")
BY_UID = EXAMPLE.replace(f'units = {{ "{UNIT}" }}', 'uids = { "root" }')


def built_with_journal():
    done = subprocess.run(
        [lab.program("relaypassd-testclock"), "-t", "-c",
         lab.EXAMPLES / "relaypass-journal.conf"], check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8")
    return done.returncode == 0


pytestmark = [
    pytest.mark.namespaces,
    pytest.mark.skipif(not os.path.exists(JOURNALD),
                       reason="needs systemd-journald"),
    pytest.mark.skipif(not built_with_journal(),
                       reason="built without libsystemd"),
]


def cgroup_of_systemd():
    """Where journald looks for the unit of a process; None: nowhere."""
    top = pathlib.Path("/sys/fs/cgroup")
    for place in (top, top / "unified", top / "systemd"):
        if (place / "cgroup.procs").exists():
            return place
    return None


@pytest.fixture(name="unit", scope="module")
def make_unit():
    """Runs a command line as a process of the unit."""
    top = cgroup_of_systemd()
    if not top:
        pytest.skip("no cgroup that journald reads")
    group = top / "system.slice" / UNIT
    made = []
    try:
        for place in (group.parent, group):
            if not place.exists():
                place.mkdir()
                made.append(place)
    except OSError as err:
        pytest.skip(f"cannot make a cgroup: {err}")

    def run(host, message):
        """Logs as a process of the unit, which lives until it is killed:
        of one that has gone journald cannot tell any more."""
        process = host.start(
            ["sh", "-c", f'echo $$ >"{group}/cgroup.procs" && '
             'exec "$@"', "sh", lab.PYTHON, "-c", LASTING, message],
            host.directory / "unit.log")
        senders.append(process)

    senders = []
    yield run
    for process in senders:
        process.kill_all()
    for place in reversed(made):
        lab.wait_for(lambda p=place: not (p / "cgroup.procs").read_text(
            encoding="ascii"), "the unit is empty")
        place.rmdir()


def start_journald(host):
    dev_log = host.path("/run/systemd/journal/dev-log")
    # A killed one leaves its socket behind, and what is sent there is lost.
    dev_log.unlink(missing_ok=True)
    process = host.start([JOURNALD], host.directory / "journald.log")
    lab.wait_for(dev_log.exists, "journald's socket")
    return process


@pytest.fixture(name="site", scope="module")
def make_site(host):
    host.install_users()
    host.run("groupadd", "-f", "--system", "systemd-journal")
    # What systemd-tmpfiles does.
    host.run("install", "-d", "/run/systemd/journal")
    host.run("install", "-d", "-m", "2755", "-g", "systemd-journal",
             "/run/log/journal")
    host.run("ln", "-s", "/run/systemd/journal/dev-log", "/dev/log")
    host.write("/etc/systemd/journald.conf",
               "[Journal]\nRateLimitIntervalSec=0\nStorage=volatile\n")
    host.journald = start_journald(host)
    return host


def login(address):
    return (f"imap-login: Login: user=<anna>, method=PLAIN, rip={address}, "
            "lip=198.51.100.1, mpid=0, TLS, "
            f"session=<s{address}>")


def as_user(user, *argv):
    return ["setpriv", "--reuid", user, "--regid", "nogroup",
            "--clear-groups", *argv]


def log(host, *messages, tag="dovecot"):
    for message in messages:
        host.run("logger", "-t", tag, message)


# --- who is believed ----------------------------------------------------------

def test_journal_believes_no_name_but_the_kernel_s_word(site, relaypassd):
    daemon = relaypassd(site, BY_UID)
    forged = "203.0.113.66"
    site.run(*as_user(NOBODY, "logger", "-t", "dovecot", login(forged)))
    site.run(*as_user(NOBODY, "systemd-cat", "-t", "dovecot", "echo",
                      login(forged)))
    # journald's own protocol, with fields that only journald may set.
    fields = (f"MESSAGE={login(forged)}\nSYSLOG_IDENTIFIER=dovecot\n"
              f"_UID=0\n_SYSTEMD_UNIT={UNIT}\n_TRANSPORT=syslog\n")
    site.run(*as_user(NOBODY, "logger", "--journald"), input=fields,
             stdin=None)
    log(site, login(forged), tag="sendmail")
    log(site, "lmtp(x): " + login(forged))
    log(site, login("203.0.113.11"))
    site.run("systemd-cat", "-t", "dovecot", "echo", login("203.0.113.12"))
    daemon.wait_leased("203.0.113.11")
    daemon.wait_leased("203.0.113.12")
    assert daemon.check(forged) == "none"
    told = site.run("journalctl", "-o", "cat", "-t", "dovecot").stdout
    assert told.count(forged) >= 4  # they did get into the journal


def test_journal_believes_the_unit_s_processes(site, relaypassd, unit):
    daemon = relaypassd(site, EXAMPLE)
    log(site, login("203.0.113.70"))  # root, but no process of the unit
    unit(site, login("203.0.113.3"))
    daemon.wait_leased("203.0.113.3")
    assert daemon.check("203.0.113.70") == "none"


def test_journal_takes_a_message_of_two_lines_for_one(site, relaypassd):
    daemon = relaypassd(site, BY_UID)
    stamp = site.run("date", "--iso-8601=seconds").stdout.strip()
    two = f"harmless\n{stamp} mx dovecot: {login('203.0.113.66')}"
    sender = ("import socket, sys\n"
              "s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
              "m = sys.argv[1].encode()\n"
              "s.sendto(b'SYSLOG_IDENTIFIER=dovecot\\nMESSAGE\\n' +\n"
              "         len(m).to_bytes(8, 'little') + m + b'\\n',\n"
              "         '/run/systemd/journal/socket')\n")
    site.run(lab.PYTHON, "-c", sender, two)
    site.run(lab.PYTHON, "-c", sender, login("203.0.113.67") + "\nmore")
    log(site, login("203.0.113.4"))
    daemon.wait_leased("203.0.113.4")
    assert daemon.check("203.0.113.66") == "none"
    assert daemon.check("203.0.113.67") == "none"


def test_journal_refuses_to_believe_everybody(site):
    site.write("/etc/relaypass/relaypass.conf",
               EXAMPLE.replace("units =", "# units ="))
    done = site.run(lab.program("relaypassd-testclock"), "-f", check=False)
    assert done.returncode == 100 and "any user may log" in done.stdout


# --- the real Dovecot ---------------------------------------------------------

@pytest.mark.needs("dovecot")
def test_journal_sees_dovecot_s_logins(site, customer, stranger, relaypassd):
    real.add_system_user(site, "vmail")
    site.run("install", "-d", "-o", "vmail", "/var/vmail")
    dovecot_conf.write(site, DOVECOT)
    site.daemon("dovecot")
    lab.wait_for(lambda: site.listens(143), "Dovecot listens")
    daemon = relaypassd(site, BY_UID)
    assert stranger.imap(**stranger.ends("ipv4"), user=USER,
                         password="wrong")["ok"] is False
    for client, family in ((customer.imap, "ipv4"), (customer.pop3, "ipv6")):
        assert client(**customer.ends(family), user=USER,
                      password=real.PASSWORD)["ok"]
    daemon.wait_leased(customer.v4)
    daemon.wait_leased(customer.v6)
    assert daemon.check(stranger.v4) == "none"
    site.run("doveadm", "stop")


# --- nothing lost, nothing twice ----------------------------------------------

def test_journal_goes_on_through_rotation_vacuum_and_kills(site, relaypassd):
    daemon = relaypassd(site, BY_UID)

    def rotate():
        site.run("journalctl", "--rotate")

    def vacuum():
        site.run("journalctl", "--vacuum-files=1")

    def kill_child(i):
        pids = daemon.everybody()[1:]
        with contextlib.suppress(ProcessLookupError):
            os.kill(pids[i % len(pids)], signal.SIGKILL)

    def restart():
        daemon.stop()
        address = f"203.0.113.{100 + number}"
        log(site, login(address))
        daemon.start()
        daemon.wait_leased(address)

    def restart_journald():
        site.journald.signal(signal.SIGKILL)
        site.journald.wait()
        site.journald = start_journald(site)

    steps = [rotate, vacuum, lambda: kill_child(0), restart,
             lambda: kill_child(1), rotate, restart_journald,
             lambda: kill_child(2), vacuum, restart]
    number = 0
    for step in steps:
        for _ in range(5):
            number += 1
            log(site, login(f"198.51.100.{number}"))
        step()
        number += 1
        log(site, login(f"198.51.100.{number}"))
    for i in range(1, number + 1):
        daemon.wait_leased(f"198.51.100.{i}")
    # A login that was taken twice would have been renewed.
    text = daemon.log.read_text(encoding="utf-8")
    assert not re.search(
        r"lease\.renew ip=(198\.51\.100\.|203\.0\.113\.1\d\d )", text)
    for i in range(1, number + 1):
        assert text.count(f"lease.grant ip=198.51.100.{i} ") == 1, i


def test_journal_survives_files_that_shrink(site, relaypassd):
    """Under journald's hands, too, which begins new ones."""
    daemon = relaypassd(site, BY_UID)
    log(site, login("203.0.113.81"))
    daemon.wait_leased("203.0.113.81")
    for number, size in enumerate((8192, 100000, 0), 82):
        site.run("sh", "-c", f"truncate -s {size} /run/log/journal/*/*.journal")
        address = f"203.0.113.{number}"

        def leased(address=address):
            log(site, login(address))
            return daemon.check(address).startswith("allow ")
        lab.wait_for(leased, f"a lease for {address}")
