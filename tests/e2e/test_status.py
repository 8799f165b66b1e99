# SPDX-License-Identifier: ISC
"""relaypass status, doctor and the metrics tell how exports stand: in step,
behind, in trouble, without a process; for how long, and what waits."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import tempfile

import pytest

import http_site
import lab

CONFIG = """
relaypass {{ directory = "{dir}/ledger" run-directory = "{dir}"
             pattern-directory = "" answerers = 1 }}
source   maillog {{ kind = "file" path = {{"{dir}/mail.log"}} }}
listener ask     {{ kind = "ask" listen = "unix:{dir}/ask" }}
listener web     {{ kind = "http" listen = "unix:{dir}/web" }}
export   list    {{ kind = "text" path = "{dir}/out/list" }}
export   lost    {{ kind = "text" path = "{dir}/lost/list" }}
# Nobody answers there.
export   far     {{ kind = "drac" server = "192.0.2.1" }}
"""


@pytest.fixture(name="site", scope="module")
def make_site():
    """The accounts of the children must get into it, so not below pytest's."""
    where = pathlib.Path(tempfile.mkdtemp(prefix="relaypass-e2e-"))
    where.chmod(0o755)
    (where / "mail.log").touch()
    (where / "out").mkdir(mode=0o755)
    with contextlib.suppress(LookupError, PermissionError):
        shutil.chown(where / "out", "relaypass-out", "relaypass-out")
    daemon = lab.Relaypassd(lab.Here(), where, CONFIG.format(dir=where),
                            where / "ask", str(where / "relaypass.conf"))
    daemon.where = where
    daemon.start()
    relaypass(daemon, "grant", "203.0.113.7")
    wait_for(daemon, "list", state="good", changes=1)
    yield daemon
    daemon.stop()
    shutil.rmtree(where)


def relaypass(site, *words, codes=(0,)):
    done = lab.Here().run(lab.BUILD / "src/cmd/relaypass", "-c",
                          site.where / "relaypass.conf", *words, check=False)
    assert done.returncode in codes, done.stdout
    return done.stdout


def status(site, topic="exports"):
    return {row["name"]: row for row in
            json.loads(relaypass(site, "status", "--json"))[topic]}


def wait_for(site, name, **wanted):
    """Until an export stands so; its row."""
    def there():
        row = status(site).get(name, {})
        return row if {k: row.get(k) for k in wanted} == wanted else None
    return lab.wait_for(there, f"{name} has {wanted}")


def metrics(site):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(site.where / "web"))
        sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n"
                     b"Connection: close\r\n\r\n")
        data = b""
        while part := sock.recv(1 << 16):
            data += part
    head, _, body = data.decode().partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 200 "), data
    return http_site.metrics(body)


def metric(found, name, export, kind="text"):
    return http_site.value(found, f"relaypass_export_{name}",
                           f'export="{export}"', f'kind="{kind}"')


def test_who_is_in_step_says_so(site):
    changes = wait_for(site, "list", state="good", behind=0)["changes"] + 1
    relaypass(site, "grant", "203.0.113.9")
    row = wait_for(site, "list", state="good", changes=changes)
    assert row == {"name": "list", "kind": "text", "changes": changes,
                   "state": "good", "lag": 0, "behind": 0, "trouble": ""}
    found = metrics(site)
    assert metric(found, "up", "list") == 1
    assert metric(found, "lag_seconds", "list") == 0
    assert metric(found, "behind", "list") == 0
    assert metric(found, "trouble", "list") == 0


def test_who_cannot_start_says_why(site):
    row = wait_for(site, "lost", state="down")
    assert f"{site.where}/lost is missing" in row["trouble"]
    assert metric(metrics(site), "up", "lost") == 0
    assert metric(metrics(site), "trouble", "lost") == 1


def test_who_is_behind_says_for_how_long(site):
    row = wait_for(site, "far", state="behind")
    later = lab.wait_for(
        lambda: (now := status(site)["far"])["lag"] > row["lag"] and now,
        "the lag grows")
    found = metrics(site)
    assert metric(found, "lag_seconds", "far", "drac") >= later["lag"]
    assert metric(found, "behind", "far", "drac") == later["behind"]
    assert metric(found, "up", "far", "drac") == 1


def test_a_process_that_hangs_is_behind(site):
    pid = next(row["pid"] for row in json.loads(relaypass(
        site, "status", "--json"))["processes"] if row["name"] == "list")
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_for(site, "list", state="behind")
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_for(site, "list", state="good", lag=0)


def test_other_sources_have_no_lag(site):
    assert set(status(site, "sources")["maillog"]) == {
        "name", "lines", "logins", "logouts", "odd", "refused", "dropped"}
    found = {name for name, _ in metrics(site)}
    assert "relaypass_source_up" in found
    assert "relaypass_source_lag_seconds" not in found


def test_people_read_it_too(site):
    wait_for(site, "far", state="behind")
    text = relaypass(site, "status")
    table = text[text.index("exports:\n"):text.index("listeners:\n")]
    lines = table.splitlines()
    assert lines[1].split() == ["name", "kind", "changes", "state", "lag",
                                "behind", "trouble"]
    assert re.fullmatch(r"  list +text +\d+ +good +0s +0 +-", lines[2])
    assert "lost is missing" in lines[3]
    assert re.fullmatch(r"  far +drac +\d+ +behind +\w+ +\d+ +-", lines[4])


def test_the_doctor_tells_the_same(site):
    lab.wait_for(lambda: status(site)["far"]["lag"] >= 10, "ten seconds", 30)
    rows = [json.loads(line) for line in relaypass(
        site, "doctor", "--json", codes=(1,)).splitlines()]
    said = [(row["verdict"], row["text"]) for row in rows
            if row["check"] == "lag"]
    assert ("good", "export list is in step") in said
    assert any(verdict == "do" and text.startswith("export lost has no process:")
               for verdict, text in said), said
    assert any(verdict == "do" and re.match(
        r"export far has been out of step for \d+s", text)
        for verdict, text in said), said
