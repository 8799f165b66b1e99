# SPDX-License-Identifier: ISC
"""readlog, relaylock and showallowed, the names of smtp-poplock, set up as its
overview says: a pipe that syslogd writes into, a wrapper before qmail-smtpd.
Debian has neither smtp-poplock nor its configuration file: what is tested is
what its documents say that each program does."""

import os
import time

import pytest

import exports
import lab
from test_qmail import LOCAL, install_qmail, send

pytestmark = [pytest.mark.namespaces, pytest.mark.needs("tcpserver")]

FIFO = "/var/spool/poplog"
CHAIN = """#!/bin/sh
cd /var/qmail
exec tcpserver -R -H -l mx -u "$(id -u qmaild)" -g "$(id -g qmaild)" 0 25 \
    relaylock bin/qmail-smtpd
"""


@pytest.fixture(scope="module", name="chain")
def make_chain(host):
    install_qmail(host)
    host.run("ln", "-s", "relaypass-run", "/usr/local/bin/relaylock")
    host.run("mkfifo", "-m", "0600", FIFO)
    host.write("/run/smtpd", CHAIN, 0o755)
    process = host.start(["/run/smtpd"], host.directory / "tcpserver.log")
    lab.wait_for(lambda: host.listens(25), "tcpserver listens")
    yield host
    process.kill_all()


def forget_leases(chain):
    chain.run("rm", "-rf", "/var/lib/relaypass", "/run/relaypass")


@pytest.fixture(name="readlog")
def make_readlog(chain, tmp_path):
    """readlog(arguments) starts it and waits until it serves."""
    started = []
    forget_leases(chain)

    def start(*argv):
        process = chain.start([lab.program("readlog"), *argv],
                              tmp_path / "readlog.log")
        started.append(process)
        lab.wait_for(lambda: allowed(chain) == "", "it serves")
        return process

    yield start
    for process in started:
        if process.running():
            process.signal(15)
            assert process.wait() == 0


def allowed(host):
    done = host.run(lab.program("showallowed"), check=False)
    return done.stdout if done.returncode == 0 else None


def line(address):
    return exports.LOGIN.format(time=time.strftime("%b %e %H:%M:%S"),
                                address=address, session="abcDEF")


def write(host, path, text):
    with open(host.path(path), "a", encoding="ascii") as file:
        file.write(text)


def test_a_pipe_before_qmail(chain, readlog, customer, stranger):
    readlog(FIFO)
    assert send(customer)["code"] == 553
    write(chain, FIFO, line(customer.v4) + line("203.0.113.12"))
    lab.wait_for(lambda: allowed(chain) == f"203.0.113.12\n{customer.v4}\n",
                 "both are allowed")
    assert send(customer)["code"] == 250
    assert send(stranger)["code"] == 553
    assert send(stranger, LOCAL)["code"] == 250


def test_a_log_file(chain, readlog, customer):
    """What an own "tail -f" did for it."""
    chain.write("/var/log/poplog", "")
    readlog("-s", "dovecot", "-g", "nofiles", "/var/log/poplog")
    write(chain, "/var/log/poplog", line(customer.v4))
    lab.wait_for(lambda: send(customer)["code"] == 250, "relaying")


def test_without_it_nobody_relays_and_mail_comes_in(chain, readlog, customer):
    process = readlog("-t", "7", FIFO)
    write(chain, FIFO, line(customer.v4))
    lab.wait_for(lambda: allowed(chain) == f"{customer.v4}\n", "it is allowed")
    ttl = lab.ask(chain.path("/run/relaypass/ask"), customer.v4)
    assert 400 < int(ttl.split("ttl=")[1].split()[0]) <= 420
    process.signal(15)
    assert process.wait() == 0
    assert allowed(chain) is None
    assert send(customer)["code"] == 553
    assert send(customer, LOCAL)["code"] == 250


def test_standard_input(chain, readlog, tmp_path):
    chain.run("mkfifo", "/run/lines")
    process = chain.start(
        ["sh", "-c", f"exec {lab.program('readlog')} - </run/lines"],
        tmp_path / "stdin.log")
    with open(chain.path("/run/lines"), "w", encoding="ascii") as pipe:
        pipe.write(line("203.0.113.44"))
        pipe.flush()
        lab.wait_for(lambda: allowed(chain) == "203.0.113.44\n", "the login")
    assert process.wait() == 0


def test_in_the_background(chain, readlog):
    del readlog
    assert chain.run(lab.program("readlog"), "-d", FIFO).stdout == ""
    assert allowed(chain) == ""
    done = chain.run(lab.program("readlog"), "-d", FIFO, check=False)
    assert done.returncode == 111
    chain.run("sh", "-c", "kill $(cat /run/relaypass/relaypassd.pid)")
    lab.wait_for(lambda: allowed(chain) is None, "it ends")


@pytest.mark.parametrize("argv", [
    [], ["-t", "0", FIFO], ["-t", "1h", FIFO], ["-x", FIFO], [FIFO, FIFO],
    ["/nowhere"]])
def test_wrong_options(chain, argv):
    done = chain.run(lab.program("readlog"), *argv, check=False)
    assert done.returncode == 100
    assert done.stdout.startswith(("usage: readlog ", "readlog: /nowhere",
                                   "readlog: minutes must be a number above 0",
                                   lab.program("readlog")))


def test_help(chain):
    for name in ("readlog", "showallowed"):
        done = chain.run(lab.program(name), "--help")
        assert done.stdout.startswith(f"usage: {name}")


def test_without_a_daemon_it_is_told_what_to_start(chain):
    done = chain.run(lab.program("showallowed"), check=False)
    assert done.returncode == 111
    assert "start readlog first" in done.stdout


def test_a_host_without_the_group(chain, tmp_path):
    """relaylock could not ask: that is told, and all else goes on."""
    forget_leases(chain)
    groups = chain.path("/etc/group").read_text(encoding="ascii")
    chain.write("/etc/group", "".join(
        row for row in groups.splitlines(True)
        if not row.startswith("nofiles:")))
    process = chain.start([lab.program("readlog"), FIFO],
                          tmp_path / "readlog.log")
    try:
        lab.wait_for(lambda: allowed(chain) == "", "it serves")
        assert "readlog: no group nofiles: relaylock of a mail account " \
            "cannot ask; name its group with -g\n" in process.output()
        assert not chain.path("/run/relaypass/run").exists()
    finally:
        process.signal(15)
        assert process.wait() == 0
        chain.write("/etc/group", groups)


def test_relaylock_keeps_the_environment(chain, readlog):
    readlog(FIFO)
    write(chain, FIFO, line("203.0.113.77"))
    lab.wait_for(lambda: allowed(chain), "the login")
    for address, there in (("203.0.113.77", True), ("203.0.113.78", False)):
        done = chain.run("/usr/local/bin/relaylock", "sh", "-c",
                         'echo "${RELAYCLIENT-unset} $HOME"',
                         env={**os.environ, "TCPREMOTEIP": address,
                              "HOME": "/x"})
        assert done.stdout == (" /x\n" if there else "unset /x\n")
