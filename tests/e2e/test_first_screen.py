# SPDX-License-Identifier: ISC
"""The README's first screen: what `make run` starts, and the two lines it tells
a newcomer to type."""

import os
import re
import signal
import time

import pytest

import lab

pytestmark = pytest.mark.namespaces


@pytest.fixture(scope="module")
def machine(host):
    host.run("mkdir", "-p", "/usr/local/build/src/cmd")
    for name in ("relaypass", "relaypassd"):
        host.run("cp", lab.program(name), "/usr/local/build/src/cmd")
    return host


@pytest.fixture
def run(machine, tmp_path):
    """run(*arguments): tools/run, ended as Ctrl-C ends it."""
    started = []

    def start(*arguments, before=()):
        process = machine.start(
            [*before, lab.TREE / "tools" / "run", "/usr/local/build",
             *arguments], tmp_path / "run.log", cwd="/")
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill_all()


def typed(process):
    """The lines to type, as told."""
    return lab.wait_for(
        lambda: [line.split() for line in re.findall(
            r"^  (/\S+/relaypass .*)$", process.output(), re.MULTILINE)],
        "two lines to type")


def press_ctrl_c(process):
    # To the whole group, as a terminal does; nsenter would die of it.
    pids = [process.pid, *lab.descendants_of(process.pid)]
    for pid in pids:
        os.kill(pid, signal.SIGINT)
    assert process.wait() == 0, process.output()
    lab.wait_for(lambda: not any(map(lab.is_running, pids)),
                 "everything has stopped")


def wait_leases(process, count=1):
    lab.wait_for(lambda: process.output().count("lease.grant ip=") >= count
                 or not process.running(), "leases appear")
    assert process.running(), process.output()


@pytest.mark.parametrize("user", ["root", "alice"])
def test_make_run_shows_leases_and_answers(machine, run, user):
    before = []
    if user == "alice":
        machine.add_user("alice")
        machine.run("chown", "-R", "alice", "/usr/local/build")
        before = ["setpriv", "--reuid", "alice", "--regid", "alice",
                  "--clear-groups"]
    process = run(before=before)
    wait_leases(process)
    lines = typed(process)
    assert [line[3] for line in lines] == ["list", "check"]
    address = lab.wait_for(
        lambda: re.search(r"203\.0\.113\.\d+", machine.run(
            *before, *lines[0], check=False).stdout), "it is listed").group()
    done = machine.run(*before, *lines[1][:-1], address)
    assert done.stdout.startswith("allow")
    none = machine.run(*before, *lines[1][:-1], "198.51.100.9", check=False)
    assert (none.returncode, none.stdout.split()[0]) == (1, "none")
    press_ctrl_c(process)


def test_make_run_follows_a_log_of_ones_own(machine, run):
    machine.write("/var/log/mail.log", "", 0o640)
    process = run("/var/log/mail.log")
    lines = typed(process)
    lab.wait_for(lambda: "source.open" in process.output(), "the log is open")
    with open(machine.path("/var/log/mail.log"), "a",
              encoding="ascii") as log:
        log.write(f"{time.strftime('%b %e %H:%M:%S')} mx pop3d: LOGIN, "
                  "user=bob, ip=[::ffff:203.0.113.99], port=[42481]\n")
    wait_leases(process)
    done = machine.run(*lines[1][:-1], "203.0.113.99")
    assert done.stdout.startswith("allow")
    press_ctrl_c(process)
