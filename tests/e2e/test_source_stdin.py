# SPDX-License-Identifier: ISC
"""The source `stdin`: a pipe, with and without the real rsyslog at its other
end. Its end ends relaypassd in good order, with everything stored."""

import contextlib
import os
import pathlib
import pty
import subprocess
from datetime import datetime, timezone

import pytest

import lab
import site1
from site1 import make_place  # noqa: F401 (a fixture)
from test_source_fifo import Rsyslog, login, make_started  # noqa: F401

CONFIG = """
relaypass {{ directory = "{dir}/ledger" run-directory = "{dir}"
             pattern-directory = "" answerers = 1
             control-group = "{group}" map-size = "1M" }}
source   lines {{ {source} }}
listener ask   {{ kind = "ask" listen = "unix:{dir}/ask"
                  group = "{group}" }}
"""
PIPED = 'kind = "stdin"'
FILE = 'kind = "file" path = "{dir}/none.log"'


class PipedProcess(lab.Process):
    def __init__(self, argv, log, stdin, **kwargs):
        self.log = pathlib.Path(log)
        with open(self.log, "ab") as out:
            self.popen = subprocess.Popen(
                argv, stdin=stdin, stdout=out, stderr=out,
                start_new_session=True, **kwargs)
        self.pid = self.popen.pid


class Site(site1.Site):
    pipe = -1

    def text(self, **settings):
        source = settings.get("source", PIPED).format(dir=self.where)
        return CONFIG.format(dir=self.where, group=site1.GROUP,
                             source=source)

    def launch(self):
        reading, self.pipe = os.pipe()
        self.process = PipedProcess(self.argv(), self.log, reading,
                                    env=self.environment())
        os.close(reading)

    def say(self, *addresses):
        stamp = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        text = "".join(f"{stamp} mx {login(a)}\n" for a in addresses)
        while text:
            text = text[os.write(self.pipe, text.encode()):]

    def hang_up(self):
        os.close(self.pipe)
        self.pipe = -1

    def stop(self):
        if self.pipe >= 0:
            self.hang_up()
        super().stop()


@pytest.fixture(name="site")
def make_site(place):
    daemon = Site(place)
    yield daemon
    daemon.stop()


def assert_ended(site):
    """In good order: exit 0, nobody left, nothing but the right words."""
    process, site.process = site.process, None
    assert process.wait() == 0, process.output()
    assert "state=ended" in process.output()
    assert "died=" not in process.output()
    assert "relaypassd: stop pid=" in process.output()
    assert not (site.where / "control").exists()


def start_on_its_ledger(site):
    """Another relaypassd, of what the first has stored."""
    again = site1.Site(site.where)
    again.write(site.text(source=FILE))
    return again.start()


def test_stdin_its_end_is_clean_and_loses_nothing(site):
    site.start()
    site.say("203.0.113.1")
    site.wait_leased("203.0.113.1")
    many = [f"198.51.100.{i}" for i in range(1, 251)]
    site.say(*many)
    os.write(site.pipe, b"half a line")
    site.hang_up()
    assert_ended(site)
    again = start_on_its_ledger(site)
    try:
        for address in ["203.0.113.1", *many]:
            assert again.check(address).startswith("allow "), address
    finally:
        again.stop()


def test_stdin_survives_its_reader_and_its_keeper(site):
    site.start()
    site.say("203.0.113.1")
    site.wait_leased("203.0.113.1")
    for i, role in enumerate(["reader lines", "keeper -", "answerer 1"], 2):
        pid = lab.wait_for(lambda r=role: site.children().get(r), role)
        os.kill(pid, 9)
        site.say(f"203.0.113.{i}")
        site.wait_leased(f"203.0.113.{i}")
    site.hang_up()
    process, site.process = site.process, None
    assert process.wait() == 0, process.output()


def refused(site, why, **kwargs):
    done = subprocess.run(
        kwargs.pop("argv", site.argv()), env=site.environment(), check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8",
        timeout=lab.LIMIT, **kwargs)
    assert done.returncode == 100, done.stdout
    assert why in done.stdout, done.stdout


def test_stdin_refuses_what_nobody_pipes_into(site):
    master, slave = pty.openpty()
    refused(site, "standard input is a terminal", stdin=slave)
    os.close(master)
    os.close(slave)
    refused(site, "standard input is /dev/null", stdin=subprocess.DEVNULL)
    with open(site.config, "rb") as file:
        refused(site, "standard input is no pipe", stdin=file)
    # Not in the foreground: the pipe would not be its own.
    argv = [word for word in site.argv() if word != "-f"]
    reading, writing = os.pipe()
    refused(site, "start relaypassd with -f", argv=argv, stdin=reading)
    os.close(reading)
    os.close(writing)


@pytest.mark.needs("rsyslog")
def test_stdin_rsyslog_starts_it_and_ends_it(site, place, started):
    """As docs/sources/stdin.md says."""
    program = lab.program("relaypassd-testclock")
    (place / "run").write_text(
        f"#!/bin/sh\nRELAYPASS_TEST_CLOCK={site.clock.path} exec {program} "
        f"-f -c {site.config} 2>>{site.log}\n", encoding="ascii")
    (place / "run").chmod(0o755)
    rsyslog = Rsyslog(
        place, 'module(load="omprog")\n'
        f'mail.* action(type="omprog" binary="{place}/run" '
        'template="RSYSLOG_FileFormat")')
    started.append(rsyslog.process)
    for i in range(1, 30):
        rsyslog.send(login(f"203.0.113.{i}"))
    for i in range(1, 30):
        lab.wait_for(lambda n=i: site.check(f"203.0.113.{n}").startswith(
            "allow "), f"a lease for 203.0.113.{i}")
    rsyslog.process.signal(15)
    assert rsyslog.process.wait() == 0
    lab.wait_for(lambda: "relaypassd: stop pid=" in site.errors(),
                 "relaypassd has ended")
    assert "died=" not in site.errors()
    with contextlib.suppress(FileNotFoundError):
        assert (place / "relaypassd.pid").read_text(encoding="ascii") == ""
