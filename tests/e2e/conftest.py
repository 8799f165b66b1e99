# SPDX-License-Identifier: ISC
"""Fixtures of the end-to-end tests. What cannot run here is skipped with its
reason; what a failed test wrote to its logs is shown with the failure."""

import os
import pathlib
import shutil
import subprocess

import pytest

import lab
import matrix
from talk import Talker

# marker: what must be there
TOOLS = {
    "dovecot": ["/usr/sbin/dovecot", "/usr/lib/dovecot/pop3-login"],
    "postfix": ["/usr/sbin/postfix"],
    "rsyslog": ["/usr/sbin/rsyslogd"],
    "tcpserver": ["tcpserver", "tcprules"],
}


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "namespaces: needs root and namespaces")
    config.addinivalue_line(
        "markers", "needs(name): needs a mail server or tool")


def why_no_namespaces():
    if os.geteuid() != 0:
        return "needs root (namespaces, mail servers)"
    for tool in ("unshare", "nsenter", "ip"):
        if not shutil.which(tool):
            return f"needs {tool}"
    done = subprocess.run(
        ["unshare", "--mount", "--net", "--pid", "--fork", "--propagation",
         "private", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], check=False,
        stderr=subprocess.PIPE, encoding="utf-8")
    return f"no namespaces here: {done.stderr.strip()}" \
        if done.returncode else None


def missing_tool(name):
    for tool in TOOLS[name]:
        if not shutil.which(tool):
            return f"needs {name} ({tool}): tools/install-deps test"
    return None


def pytest_collection_modifyitems(items):
    no_namespaces = why_no_namespaces()
    for item in items:
        reason = no_namespaces if item.get_closest_marker("namespaces") \
            else None
        for marker in item.iter_markers("needs"):
            reason = reason or missing_tool(marker.args[0])
        if reason:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """Adds the last lines of every *.log in the test's directories, and of the
    logs of its host, to the report of a failure."""
    outcome = yield
    report = outcome.get_result()
    if not report.failed:
        return
    places = [value for value in item.funcargs.values()
              if isinstance(value, pathlib.Path)]
    for value in item.funcargs.values():
        if isinstance(value, lab.Client):
            continue  # which takes any name for a verb
        for host in getattr(value, "hosts", [getattr(value, "host", value)]):
            if isinstance(host, lab.Host):
                places.append(host.directory)
                places.append(host.path("/var/log"))
    for place in dict.fromkeys(places):
        for log in sorted(place.glob("*.log")):
            text = log.read_text(encoding="utf-8", errors="replace")
            if text.strip():
                report.sections.append(
                    (str(log), "\n".join(text.splitlines()[-60:])))


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    machine = lab.Host(tmp_path_factory.mktemp("host"))
    yield machine
    machine.close()


@pytest.fixture(scope="module")
def customer(host):
    client = lab.Client(host, "203.0.113.7", "2001:db8::7")
    yield client
    client.close()


@pytest.fixture(scope="module")
def stranger(host):
    client = lab.Client(host, "203.0.113.8", "2001:db8::8")
    yield client
    client.close()


@pytest.fixture
def pop(customer):
    """A POP server elsewhere, whose address may speak."""
    talker = Talker.on_client(customer)
    yield talker
    talker.close()


@pytest.fixture
def thief(stranger):
    """Another one, whose address may not."""
    talker = Talker.on_client(stranger)
    yield talker
    talker.close()


@pytest.fixture(name="relaypassd")
def make_relaypassd(tmp_path):
    """relaypassd(host, text, ...) starts one on a host, with an empty ledger;
    all are stopped at the end."""
    started = []

    def start(host, text, **kwargs):
        host.run("rm", "-rf", "/var/lib/relaypass")
        daemon = lab.Relaypassd(host, tmp_path, text, **kwargs)
        started.append(daemon)
        return daemon.start()

    yield start
    for daemon in started:
        daemon.stop()


@pytest.fixture
def here():
    return lab.Here()


def pytest_terminal_summary(terminalreporter):
    """The table of test_matrix.py, when its rows have run."""
    results = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", ()):
                if name == "matrix":
                    row, family, result = value
                    results[row, family] = \
                        "FAILED" if report.failed else result
    if results:
        import test_matrix
        terminalreporter.section("matrix")
        terminalreporter.write(matrix.table(test_matrix.ROWS, results))
