# SPDX-License-Identifier: ISC
"""The listener "http" and who wishes it ill: web pages, strangers, the slow, ten
thousand at once, a dead keeper, no ledger, and a gateway that is taken over."""

import concurrent.futures
import ctypes
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess

import pytest

import http_site
import lab
import roles

pytestmark = pytest.mark.namespaces


@pytest.fixture(name="site", scope="module")
def make_site(host, tmp_path_factory):
    yield from http_site.start(host, tmp_path_factory)


# --- whom it refuses ----------------------------------------------------------

CHANGE = {"address": "192.0.2.66"}


@pytest.mark.parametrize("status, kwargs", [
    (421, {"Host": "evil.example.org"}),                 # DNS rebinding
    (421, {"Host": "127.0.0.1.example.org:8025"}),
    (403, {"Origin": "http://localhost:8025"}),          # a web page
    (403, {"Origin": "null"}),
    (415, {"Content_Type": "text/plain"}),               # what a form can send
    (415, {"Content_Type": "application/x-www-form-urlencoded"}),
    (415, {"Content_Type": "multipart/form-data; boundary=x"}),
    (415, {"Content_Type": None}),
    (401, {"token": None}),
    (401, {"token": "0" * 64}),
    (403, {"token": "read"}),
])
def test_what_a_browser_or_a_stranger_sends_changes_nothing(
        site, status, kwargs):
    kwargs = {"token": "change", **kwargs}
    answer = site.ask("/v1/leases", "POST", CHANGE, **kwargs)
    assert answer.status == status, answer.text
    assert site.daemon.check("192.0.2.66") == "none"


def test_no_get_has_an_effect(site):
    for path in ("/v1/leases?address=192.0.2.66", "/v1/revocations"):
        assert site.ask(path, token="change").status in (400, 405)
    body = json.dumps(CHANGE)
    answer = site.ask("/v1/leases", "GET", body, token="change",
                      Content_Type="application/json")
    assert answer.status == 400
    assert site.daemon.check("192.0.2.66") == "none"


def test_looking_needs_a_token_too(site):
    for path in ("/v1/leases", "/v1/leases/192.0.2.1", "/metrics",
                 "/v1/check?address=192.0.2.1",
                 "/v1/explain?address=192.0.2.1"):
        for token in (None, "wrong", site.tokens["read"][:-1]):
            answer = site.ask(path, token=token)
            assert answer.status == 401, path
            assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert site.ask("/health", token=None).json == {"status": "ok"}
    for token in site.tokens.values():
        assert token not in site.daemon.process.output()


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_the_unix_socket_only_reads_and_hides_users(site):
    site.grant(address="192.0.2.11", user="secretive")
    rows = site.ask("/v1/leases", port=0).json["leases"]
    assert rows[0]["user"] == "secretive"  # root is in show-user
    answer = site.ask("/v1/leases", "POST", CHANGE, port=0)
    assert answer.status == 403
    done = site.host.run(
        "setpriv", "--reuid=daemon", "--regid=relaypass", "--clear-groups",
        "curl", "-s", "--unix-socket", "/run/relaypass/http",
        "http://localhost/v1/leases", "http://localhost/v1/leases?user=jo",
        "http://localhost/v1/explain?address=192.0.2.11")
    assert "secretive" not in done.stdout
    assert '"address":"192.0.2.11"' in done.stdout
    assert done.stdout.count("users are told to who brings a token") == 2


def head(*lines):
    return "\r\n".join([*lines, "", ""]).encode()


def test_broken_heads(site):
    post, host = "POST /v1/leases HTTP/1.1", f"Host: {http_site.WEB}"
    auth = f"Authorization: Bearer {site.tokens['change']}"
    kind = "Content-Type: application/json"
    body = json.dumps(CHANGE).encode()
    for data in (
            head(post, host, auth, kind, f"Content-Length: {len(body)}",
                 "Transfer-Encoding: chunked") + body,
            head(post, host, auth, kind, "Content-Length: 5",
                 f"Content-Length: {len(body)}") + body,
            head(post, host, auth, kind, "Transfer-Encoding: gzip") + body,
            head(post, auth, kind, f"Content-Length: {len(body)}") + body,
            head(post, host, host, auth, kind,
                 f"Content-Length: {len(body)}") + body,
            head(post, host, auth, auth, kind,
                 f"Content-Length: {len(body)}") + body,
            head(post, host, auth, kind, "X: " + "y" * 9000,
                 f"Content-Length: {len(body)}") + body,
            head("GET /" + "a" * 5000 + " HTTP/1.1", host, auth)):
        answer = site.raw(data.replace(b"\r\n\r\n",
                                       b"\r\nConnection: close\r\n\r\n", 1))
        assert not answer.startswith("HTTP/1.1 2"), (data, answer)
    huge = site.ask("/v1/leases", "POST", '{"address":"' + "1" * 20000 + '"}',
                    token="change")
    assert huge.status == 413
    assert site.daemon.check("192.0.2.66") == "none"


def hold(site, port, count):
    """A process with so many idle connections."""
    holder = subprocess.Popen(
        site.host.command([lab.PYTHON, "-c", http_site.IDLE, port, count]),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")
    assert holder.stdout.readline() == "held\n"
    return holder


def release(holder):
    holder.stdin.close()
    holder.wait(lab.LIMIT)
    holder.stdout.close()


def test_a_slow_head_is_cut_off(site):
    # The limit of this listener is a second. Nothing is answered, and the
    # connection ends.
    begin = head("GET /health HTTP/1.1", f"Host: 127.0.0.1:{http_site.QUICK}")
    for data in (b"GET /health HT", begin[:-2], begin[:20], b""):
        assert site.raw(data, port=http_site.QUICK) == ""
    assert site.ask("/health", port=http_site.QUICK).status == 200


def test_the_longest_idle_one_makes_room(site):
    holder = hold(site, http_site.QUICK, 50)
    assert site.ask("/health", port=http_site.QUICK).status == 200
    release(holder)


# --- under attack -------------------------------------------------------------

def test_ten_thousand_idle_connections_hold_up_nobody(site):
    holder = hold(site, http_site.MANY, 10000)
    try:
        labels = ('listener="many"', 'kind="http"')
        name = "relaypass_listener_connections"
        lab.wait_for(lambda: http_site.value(
            http_site.metrics(site.ask("/metrics").text), name, *labels)
            >= 10000, "they are all open")
        assert site.daemon.check("192.0.2.12") == "none"
        assert site.ask("/health", port=http_site.MANY).status == 200
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            asked = pool.map(site.daemon.check, ["192.0.2.12"] * 200)
            assert set(asked) == {"none"}
    finally:
        release(holder)


def test_a_killed_keeper_is_found_again(site):
    site.grant(address="192.0.2.13", user="jo")
    gateways = roles.pids_of(site.daemon, "gateway")
    for _ in range(3):
        keeper = roles.keeper_of(site.daemon)
        os.kill(keeper, signal.SIGKILL)
        # Reading goes on meanwhile.
        assert site.ask("/v1/check?address=192.0.2.13").json["verdict"] == \
            "allow"
        refused = site.grant(address="192.0.2.14").status
        assert refused in (200, 503)
        lab.wait_for(lambda: site.grant(address="192.0.2.14").status == 200,
                     "grants are taken again")
        lab.wait_for(lambda: roles.keeper_of(site.daemon) not in
                     (None, keeper), "the next keeper")
    assert roles.pids_of(site.daemon, "gateway") == gateways


def test_a_stopped_keeper_is_waited_for_no_longer_than_said(site):
    keeper = roles.keeper_of(site.daemon)
    os.kill(keeper, signal.SIGSTOP)
    try:
        answer = site.grant(address="192.0.2.15")
        assert answer.status == 503 and "try again" in answer.json["error"]
        assert site.ask("/health").status == 200
    finally:
        os.kill(keeper, signal.SIGCONT)
    lab.wait_for(lambda: site.grant(address="192.0.2.16").json == {"ttl": 1800},
                 "answers are in order again")


def test_without_a_ledger_it_says_so(site):
    ledger, aside = "/var/lib/relaypass/data.mdb", "/var/lib/relaypass/aside"
    keeper = roles.keeper_of(site.daemon)
    gateway = roles.pids_of(site.daemon, "gateway")["web"]
    os.kill(keeper, signal.SIGSTOP)
    site.host.run("mv", ledger, aside)
    try:
        os.kill(gateway, signal.SIGKILL)
        lab.wait_for(lambda: site.ask("/health").status == 503,
                     "the next one cannot tell")
        check = site.ask("/v1/check?address=192.0.2.18")
        assert check.status == 503
        assert check.json == {"verdict": "tempfail", "reason": "ledger"}
        for path in ("/v1/leases", "/v1/leases/192.0.2.18"):
            assert site.ask(path).status == 503
        assert site.ask("/v1/explain?address=192.0.2.18").status == 503
        found = http_site.metrics(site.ask("/metrics").text)
        assert http_site.value(found, "relaypass_ledger_readable") == 0
    finally:
        site.host.run("mv", aside, ledger)
        os.kill(keeper, signal.SIGCONT)
    lab.wait_for(lambda: site.ask("/health").status == 200,
                 "it is started anew, and can")


def test_a_killed_gateway_comes_back(site):
    gateway = roles.pids_of(site.daemon, "gateway")["web"]
    os.kill(gateway, signal.SIGKILL)
    lab.wait_for(lambda: site.ask("/health").status == 200, "the next one")
    assert site.daemon.check("192.0.2.17") == "none"
    lab.wait_for(lambda: site.grant(address="192.0.2.17").status == 200,
                 "and it may change")


def test_gateways_hold_little(site):
    """Neither root, nor privileges, nor a way to the keeper when they only
    read."""
    # Each is ready.
    for port in (0, http_site.PORT, http_site.QUICK, http_site.MANY):
        assert site.ask("/health", port=port).status == 200
    pids = roles.pids_of(site.daemon, "gateway")
    for name, pid in pids.items():
        status = pathlib.Path(f"/proc/{pid}/status").read_text("ascii")
        assert re.search(r"^CapEff:\t0+$", status, re.MULTILINE)
        assert re.search(r"^Seccomp:\t2$", status, re.MULTILINE)
        assert not re.search(r"^Uid:\t0\t", status, re.MULTILINE)
        streams = [link for link in pathlib.Path(f"/proc/{pid}/fd").iterdir()
                   if os.readlink(link).startswith("socket:")]
        # Its listening socket and the supervisor; the log; and the keeper.
        assert len(streams) <= (4 if name == "web" else 3), name


def sockets_of(pid):
    """Copies of the sockets of a process."""
    getfd = ctypes.CDLL(None, use_errno=True).syscall
    pidfd = os.pidfd_open(pid)
    try:
        for link in pathlib.Path(f"/proc/{pid}/fd").iterdir():
            if os.readlink(link).startswith("socket:"):
                fd = getfd(438, pidfd, int(link.name), 0)  # pidfd_getfd(2)
                if fd < 0:
                    pytest.skip("pidfd_getfd(2) is not allowed here")
                yield socket.socket(fileno=fd)
    finally:
        os.close(pidfd)


def test_a_gateway_that_is_taken_over_may_grant_and_revoke_only(site):
    """Speaks to the keeper in the place of the gateway."""
    gateway = roles.pids_of(site.daemon, "gateway")["web"]
    os.kill(gateway, signal.SIGSTOP)
    try:
        held = list(sockets_of(gateway))
        (channel,) = [s for s in held if s.family == socket.AF_UNIX
                      and s.type == socket.SOCK_STREAM]
        channel.settimeout(lab.LIMIT)
        lines = ["mode set=off", "mode", "list", "status", "watch",
                 "explain address=192.0.2.41", "import address=192.0.2.41",
                 "grant address=192.0.2.41", "revoke address=192.0.2.41"]
        channel.sendall("".join(line + "\n" for line in lines).encode())
        answers = b""
        while answers.count(b"\n") < len(lines):
            answers += channel.recv(4096)
        answers = answers.decode().splitlines()
        assert answers[:7] == ["error the verb is not known"] * 7
        assert answers[7].startswith("ok ttl=")
        assert answers[8] == "ok count=1"
    finally:
        for copy in held:
            copy.close()
        os.kill(gateway, signal.SIGCONT)
    assert site.ask("/v1/check?address=192.0.2.42").json["verdict"] == "none"
