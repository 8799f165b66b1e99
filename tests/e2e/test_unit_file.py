# SPDX-License-Identifier: ISC
"""The systemd unit: what it leaves open is what SECURITY.md says, and what it
takes away the daemon does not need."""

import grp
import importlib.util
import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile

import pytest

import lab
from site1 import Site

UNIT = lab.BUILD / "contrib" / "relaypassd.service"
LIMITS = lab.HERE / "unit_limits.py"
TABLE = re.compile(r"^\| `([^`]+)` \| ([0-9.]+) \|", re.MULTILINE)
VERSION = "systemd 252"  # another one counts otherwise


def why_no_analyze(version=""):
    if not shutil.which("systemd-analyze"):
        return "needs systemd-analyze: tools/install-deps test"
    done = subprocess.run(["systemd-analyze", "--version"], check=True,
                          stdout=subprocess.PIPE, encoding="utf-8")
    return None if done.stdout.startswith(version) else f"needs {version}"


needs_analyze = pytest.mark.skipif(
    why_no_analyze() is not None, reason=str(why_no_analyze()))
needs_version = pytest.mark.skipif(
    why_no_analyze(VERSION) is not None, reason=str(why_no_analyze(VERSION)))


def why_no_limits():
    if os.geteuid() != 0:
        return "needs root"
    if not importlib.util.find_spec("seccomp"):
        return "needs python3-seccomp: tools/install-deps test"
    return None if shutil.which("setpriv") else "needs setpriv"


def analyze(*options):
    return subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--no-pager",
         *options, UNIT], check=False, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, encoding="utf-8")


@needs_version
def test_unit_leaves_open_what_the_table_says():
    text = (lab.TREE / "SECURITY.md").read_text(encoding="utf-8")
    told = {name.replace("\\|", "|"): adds
            for name, adds in TABLE.findall(text)}
    seen = {row["name"]: row["exposure"]
            for row in json.loads(analyze("--json=short").stdout)
            if float(row["exposure"] or 0) > 0}
    assert told == seen


@needs_version
def test_unit_is_no_more_open_than_it_was():
    done = analyze("--threshold=26")
    assert done.returncode == 0, done.stdout


@pytest.fixture(name="site")
def make_site():
    """A daemon that may do what the unit lets it do."""
    where = pathlib.Path(tempfile.mkdtemp(prefix="relaypass-unit-"))
    where.chmod(0o755)
    keeper = pwd.getpwnam("relaypass")
    (where / "ledger").mkdir(0o700)
    os.chown(where / "ledger", keeper.pw_uid, keeper.pw_gid)
    site = Site(where, [lab.PYTHON, str(LIMITS), str(UNIT), str(where)])
    yield site
    site.stop()
    shutil.rmtree(where)


@needs_analyze
@pytest.mark.namespaces
@pytest.mark.skipif(why_no_limits() is not None, reason=str(why_no_limits()))
def test_unit_lets_the_daemon_do_its_work(site):
    # A log of another account, as syslog's and Dovecot's may be.
    log = site.where / "mail.log"
    other = pwd.getpwnam("nobody")
    os.chown(log, other.pw_uid, other.pw_gid)
    log.chmod(0o600)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    text = site.text(more=f"""
        listener net {{ kind = "postfix-policy" listen = "inet:127.0.0.1:{port}" }}
        listener policy {{ kind = "postfix-policy" group = "nogroup"
                           listen = "unix:{site.where}/made/policy" }}""")
    site.write(text.replace('mail.log"}', 'mail.log"} owner = {"nobody"}'))
    site.start()
    before = site.wait_children()
    status = pathlib.Path(f"/proc/{site.process.pid}/status").read_text(
        encoding="ascii")
    assert "Seccomp:\t2" in status and "NoNewPrivs:\t1" in status
    assert (site.where / "made" / "policy").stat().st_gid == \
        grp.getgrnam("nogroup").gr_gid
    site.login("203.0.113.1")
    site.wait_leased("203.0.113.1")
    # Ends what hangs, starts it anew, opens the log once more.
    for number, name in ((signal.SIGSTOP, "keeper -"),
                         (signal.SIGKILL, "reader maillog"),
                         (signal.SIGKILL, "answerer 1")):
        before = site.wait_children()
        os.kill(before[name], number)
        site.wait_children(but=[before[name]])
    log.rename(site.where / "mail.log.1")
    log.touch()
    site.login("203.0.113.2")
    site.wait_leased("203.0.113.2")
    site.process.signal(signal.SIGHUP)
    site.wait_error("reload")
    site.login("203.0.113.3")
    site.wait_leased("203.0.113.3")
    site.process.signal(signal.SIGTERM)
    assert site.process.wait() == 0
    assert "privilege" not in site.errors(), site.errors()
