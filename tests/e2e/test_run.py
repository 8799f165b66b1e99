# SPDX-License-Identifier: ISC
"""relaypass-run against an ask socket that answers whatever a test wants."""

import contextlib
import json
import os
import resource
import signal
import socket
import subprocess
import threading
import time

import pytest

import lab
from answerer import Answerer, drips, hangs, says

# What the wrapped program tells: everything it could have lost on the way.
DUMP = r"""
import json, os, signal, sys
def fd(n):
    try:
        return os.readlink(f"/proc/self/fd/{n}")
    except FileNotFoundError:
        return None
mask = [line.split()[1] for line in open("/proc/self/status")
        if line.startswith(("SigBlk", "SigIgn"))]
env = open("/proc/self/environ", "rb").read().decode("latin-1").split("\0")
out = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
fds = sorted(int(n) for n in os.listdir("/proc/self/fd"))
os.write(out, json.dumps({
    "env": env[:-1], "cwd": os.getcwd(), "mask": mask, "umask": os.umask(0),
    "fds": [n for n in fds if n != out and fd(n) and "/fd" not in fd(n)],
    "argv": sys.argv[2:], "uid": os.getuid()}).encode())
"""


@pytest.fixture(name="answerer")
def make_answerer(tmp_path):
    made = []

    def make(behave):
        made.append(Answerer(tmp_path / "ask", behave))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture(name="run")
def make_run(tmp_path):
    """run(options, env): what the wrapped program saw."""
    def run(*options, env=None, check=True, argv=("one", "two words", ""),
            **kwargs):
        out = tmp_path / "seen"
        out.unlink(missing_ok=True)
        env = {"TCPREMOTEIP": "203.0.113.7", "PATH": "/usr/bin:/bin"} \
            if env is None else env
        done = subprocess.run(
            [lab.program("relaypass-run"), "-s", str(tmp_path / "ask"),
             *options, "--", lab.PYTHON, "-IS", "-c", DUMP, str(out), *argv],
            env=env, check=False, timeout=20, **kwargs)
        if check:
            assert done.returncode == 0
            return json.loads(out.read_text(encoding="utf-8"))
        return done
    return run


def direct(tmp_path, env, **kwargs):
    """The same program without relaypass-run before it."""
    out = tmp_path / "direct"
    subprocess.run([lab.PYTHON, "-IS", "-c", DUMP, str(out), "one",
                    "two words", ""], env=env, check=True, timeout=20,
                   **kwargs)
    return json.loads(out.read_text(encoding="utf-8"))


def relayclient(seen):
    values = [e for e in seen["env"] if e.startswith("RELAYCLIENT=")]
    assert len(values) <= 1
    return values[0].partition("=")[2] if values else None


@pytest.mark.parametrize("answer", [b"allow ttl=1800\n",
                                    b"allow ttl=1 user=alice\n"])
def test_run_sets_relayclient_for_a_leased_client(answerer, run, answer):
    server = answerer(says(answer))
    assert relayclient(run()) == ""
    assert server.questions == [b"check 203.0.113.7\n"]


def test_run_reads_an_answer_in_pieces(answerer, run):
    answerer(says(b"all", b"ow ", b"ttl=5", b"\n"))
    assert relayclient(run()) == ""


@pytest.mark.parametrize("answer", [
    b"none\n", b"tempfail keeper\n", b"error what\n", b"allow\n", b"\n",
    b"allowed ttl=9\n", b"ALLOW ttl=9\n", b" allow ttl=9\n",
    b"none\nallow ttl=9\n", b"allow ttl=1800", b"", b"allow\tttl=9\n",
    b"\0allow ttl=9\n", b"x" * 5000 + b"\nallow ttl=9\n",
    b"allow " + b"x" * 5000 + b"\n"])
def test_run_grants_nothing_on_any_other_answer(answerer, run, answer):
    server = answerer(says(answer))
    assert relayclient(run()) is None
    assert len(server.questions) == 1


@pytest.mark.parametrize("address", [
    "", "2001:db8::7 user=x", "203.0.113.7\ncheck 192.0.2.1", "localhost",
    "203.0.113.7%eth0", "1" * 46, "unknown", "[2001:db8::7]", "42", "beef"])
def test_run_asks_nothing_for_what_is_no_address(answerer, run, address):
    server = answerer(says(b"allow ttl=1800\n"))
    assert relayclient(run(env={"TCPREMOTEIP": address})) is None
    assert server.questions == []


def test_run_asks_nothing_without_an_address(answerer, run):
    server = answerer(says(b"allow ttl=1800\n"))
    assert relayclient(run(env={"X": "1"})) is None
    assert relayclient(run(env={})) is None
    assert server.questions == []


@pytest.mark.parametrize("env, question", [
    ({"TCP6REMOTEIP": "2001:db8::7"}, b"check 2001:db8::7\n"),
    ({"TCP6REMOTEIP": "::1", "TCPREMOTEIP": "2001:db8::7"},
     b"check 2001:db8::7\n"),
    ({"TCPREMOTEIP": "::ffff:203.0.113.7"}, b"check ::ffff:203.0.113.7\n")])
def test_run_asks_for_ipv6_too(answerer, run, env, question):
    server = answerer(says(b"allow ttl=1800\n"))
    assert relayclient(run(env=env)) == ""
    assert server.questions == [question]


@pytest.mark.parametrize("value", ["", "@relay.test.example"])
def test_run_leaves_a_relayclient_from_tcprules_alone(answerer, run, value):
    server = answerer(says(b"allow ttl=1800\n"))
    env = {"RELAYCLIENT": value, "TCPREMOTEIP": "203.0.113.7"}
    assert relayclient(run("-r", "@other", env=env)) == value
    assert server.questions == []


def test_run_uses_the_given_value(answerer, run):
    answerer(says(b"allow ttl=1800\n"))
    assert relayclient(run("-r", "@Relay-1.test.example")) == \
        "@Relay-1.test.example"


@pytest.mark.parametrize("options", [
    ["-r", "a b"], ["-r", "x\n"], ["-r", "a,b"], ["-r", "x" * 256], ["-r"],
    ["-x"], ["--env", "A B"], ["--env", "1A"], ["--env", "=x"], ["--env", ""],
    ["--env", "RELAYCLIENT"], ["--env", "RELAYCLIENT=x"], ["-s", ""],
    ["-s", "/" + "x" * 120], ["--", ""], []])
def test_run_tells_wrong_use_with_100(tmp_path, options):
    argv = [lab.program("relaypass-run"), *options]
    if options and options[0] != "--" and len(options) > 1:
        argv.append("/bin/true")
    done = subprocess.run(argv, check=False, capture_output=True, timeout=20,
                          cwd=tmp_path, env={"TCPREMOTEIP": "203.0.113.7"})
    assert done.returncode == 100
    assert b"usage: relaypass-run" in done.stderr


def test_run_tells_a_program_that_cannot_run_with_111(answerer, tmp_path):
    answerer(says(b"allow ttl=1800\n"))
    for name in ("no-such-program", "/no/such/program", "/etc", "./text"):
        (tmp_path / "text").write_text("not a program", encoding="ascii")
        done = subprocess.run(
            [lab.program("relaypass-run"), "-s", str(tmp_path / "ask"), name],
            check=False, capture_output=True, timeout=20, cwd=tmp_path)
        assert done.returncode == 111
        assert f"cannot run {name}".encode() in done.stderr


def test_run_finds_the_program_in_path(answerer, tmp_path):
    answerer(says(b"allow ttl=1800\n"))
    (tmp_path / "bin").mkdir()
    tool = tmp_path / "bin" / "tool"
    tool.write_text("#!/bin/sh\nprintf '%s' \"${RELAYCLIENT-unset}\"\n",
                    encoding="ascii")
    tool.chmod(0o755)
    done = subprocess.run(
        [lab.program("relaypass-run"), "-s", str(tmp_path / "ask"), "-r", "@x",
         "tool"], check=True, capture_output=True, timeout=20,
        env={"PATH": f"/usr/bin:{tmp_path}/bin:/bin",
             "TCPREMOTEIP": "203.0.113.7"})
    assert done.stdout == b"@x"


def test_run_passes_the_environment_unchanged(answerer, run, tmp_path):
    answerer(says(b"allow ttl=1800 user=mallory\n"))
    env = {"QMAILQUEUE": "/usr/bin/scan", "DATABYTES": "1000000",
           "TCPREMOTEIP": "203.0.113.7", "USER": "qmaild", "EMPTY": "",
           "ODD": "a=b\nc d \x01\xff", "RELAYCLIENTS": "no", "PATH": "/bin",
           "RELAYCLIEN": "neither", "RBLSMTPD": "blocked"}
    plain = direct(tmp_path, env)
    seen = run(env=env)
    assert seen["env"] == plain["env"] + ["RELAYCLIENT="]
    assert seen["argv"] == ["one", "two words", ""]


@pytest.mark.parametrize("count", [127, 128, 129, 5000])
def test_run_passes_an_environment_of_any_size(answerer, run, tmp_path, count):
    answerer(says(b"allow ttl=1800\n"))
    env = {f"VARIABLE_{i}": str(i) for i in range(count)}
    env["TCPREMOTEIP"] = "203.0.113.7"
    plain = direct(tmp_path, env)
    seen = run("--env", "ONE", "--env", "VARIABLE_3=x", env=env)
    assert seen["env"] == [e for e in plain["env"]
                           if not e.startswith("VARIABLE_3=")] + \
        ["ONE=", "VARIABLE_3=x", "RELAYCLIENT="]


def test_run_sets_what_env_names_for_leased_clients_only(answerer, run):
    env = {"TCPREMOTEIP": "203.0.113.7", "RBLSMTPD": "blocked"}
    options = ["--env", "RBLSMTPD", "--env=TRUSTED=yes=1"]
    server = answerer(says(b"allow ttl=1800\n"))
    assert sorted(run(*options, env=env)["env"]) == [
        "RBLSMTPD=", "RELAYCLIENT=", "TCPREMOTEIP=203.0.113.7",
        "TRUSTED=yes=1"]
    server.behave = says(b"none\n")
    assert sorted(run(*options, env=env)["env"]) == [
        "RBLSMTPD=blocked", "TCPREMOTEIP=203.0.113.7"]


def test_run_keeps_directory_umask_signals_and_leaks_no_descriptor(
        answerer, run, tmp_path):
    answerer(says(b"allow ttl=1800\n"))

    def odd():
        os.umask(0o027)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGUSR1, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [signal.SIGUSR2])

    def default():
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])

    (tmp_path / "dir").mkdir()
    for prepare in (odd, default):
        kwargs = {"cwd": tmp_path / "dir", "preexec_fn": prepare,
                  "stdin": subprocess.DEVNULL}
        plain = direct(tmp_path, {"TCPREMOTEIP": "203.0.113.7"}, **kwargs)
        seen = run(**kwargs)
        assert relayclient(seen) == ""
        for what in ("cwd", "umask", "mask", "fds", "uid", "argv"):
            assert seen[what] == plain[what], what


@pytest.mark.parametrize("closed", [[0], [1], [0, 1], [0, 1, 2]])
@pytest.mark.parametrize("daemon", [True, False])
def test_run_keeps_closed_descriptors_closed(
        answerer, tmp_path, closed, daemon):
    if daemon:
        answerer(says(b"allow ttl=1800\n"))
    # The shell lists its own descriptors: Python would open them again.
    done = subprocess.run(
        ["/bin/sh", "-c", 'exec "$@" ' + " ".join(f"{n}<&-" for n in closed),
         "sh", lab.program("relaypass-run"), "-v", "-s", str(tmp_path / "ask"),
         "/bin/sh", "-c", 'for n in 0 1 2 3 4; do test -e /proc/$$/fd/$n && '
         'echo $n >>"$1"; done; echo "${RELAYCLIENT-unset}" >>"$1"', "sh",
         str(tmp_path / "open")], check=False, timeout=20,
        env={"TCPREMOTEIP": "203.0.113.7"})
    assert done.returncode == 0
    lines = (tmp_path / "open").read_text(encoding="ascii").split("\n")[:-1]
    assert lines == [str(n) for n in range(3) if n not in closed] + \
        ["" if daemon else "unset"]


# Two seconds, and what starting two programs takes on a busy machine.
LEAST, MOST = 1.8, 3.5


def elapsed(function):
    start = time.monotonic()
    value = function()
    return time.monotonic() - start, value


def test_run_does_not_fail_because_the_daemon_is_away(run, tmp_path):
    seconds, seen = elapsed(run)
    assert relayclient(seen) is None
    assert seconds < 1
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(tmp_path / "ask"))
    assert relayclient(run()) is None
    done = run("-v", check=False, capture_output=True)
    assert done.returncode == 0
    assert b"cannot ask" in done.stderr and b"nobody listens" in done.stderr


def test_run_says_nothing_unless_asked_to(run):
    done = run(check=False, capture_output=True)
    assert (done.stdout, done.stderr) == (b"", b"")


@pytest.mark.parametrize("behave", [hangs, drips])
def test_run_waits_two_seconds_at_most(answerer, run, behave):
    answerer(behave)
    seconds, seen = elapsed(run)
    assert relayclient(seen) is None
    assert LEAST < seconds < MOST


def test_run_waits_two_seconds_at_most_at_a_full_backlog(run, tmp_path):
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(str(tmp_path / "ask"))
        listener.listen(0)
        blocked = False
        while not blocked:
            one = stack.enter_context(socket.socket(socket.AF_UNIX))
            one.setblocking(False)
            try:
                one.connect(str(tmp_path / "ask"))
            except BlockingIOError:
                blocked = True
        seconds, seen = elapsed(run)
    assert relayclient(seen) is None
    assert LEAST < seconds < MOST


def test_run_waits_for_room_in_the_backlog(answerer, run):
    first = threading.Event()

    def slow_once(server, connection):
        if not first.is_set():
            first.set()
            time.sleep(0.3)
        says(b"allow ttl=1800\n")(server, connection)

    server = answerer(slow_once)
    server.listener.listen(0)
    with contextlib.ExitStack() as stack:
        for _ in range(4):
            one = stack.enter_context(socket.socket(socket.AF_UNIX))
            one.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                one.connect(server.path)
                one.sendall(b"check 192.0.2.1\n")
        assert relayclient(run()) == ""


def test_run_outlives_a_daemon_that_hangs_up(answerer, run):
    answerer(lambda server, connection: connection.close())
    assert relayclient(run()) is None


def test_run_without_descriptors_to_spare_still_runs(answerer, run):
    answerer(says(b"allow ttl=1800\n"))
    done = run(check=False, preexec_fn=lambda: resource.setrlimit(
        resource.RLIMIT_NOFILE, (3, 3)))
    # Python itself cannot start so; what counts is that it was started.
    assert done.returncode != 111


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root (set-uid)")
def test_run_refuses_to_be_set_uid(answerer, tmp_path_factory):
    directory = tmp_path_factory.mktemp("setuid")
    for parent in (directory, *directory.parents):
        if not parent.name.startswith(("setuid", "pytest-", "popen-")):
            break
        parent.chmod(0o755)
    server = Answerer(directory / "ask", says(b"allow ttl=1800\n"))
    os.chmod(directory / "ask", 0o777)
    try:
        for mode in (0o4755, 0o2755):
            wrapper = directory / "run"
            wrapper.write_bytes(
                open(lab.program("relaypass-run"), "rb").read())
            wrapper.chmod(mode)
            done = subprocess.run(
                [str(wrapper), "-s", str(directory / "ask"), "/bin/sh", "-c",
                 "id; echo ran"], check=False, capture_output=True, timeout=20,
                user=65534, group=65534, extra_groups=[],
                env={"TCPREMOTEIP": "203.0.113.7"})
            assert done.returncode == 100, done
            assert b"ran" not in done.stdout
            assert b"must not be set-uid" in done.stderr
    finally:
        server.close()
    assert server.questions == []


def test_run_as_a_verb_is_the_same(answerer, tmp_path):
    answerer(says(b"allow ttl=1800\n"))
    done = subprocess.run(
        [lab.program("relaypass"), "run", "-s", str(tmp_path / "ask"), "-r",
         "@x", "/bin/sh", "-c", 'printf "%s %s" "$RELAYCLIENT" "$1"', "sh",
         "-v"], check=True, capture_output=True, timeout=20,
        env={"TCPREMOTEIP": "203.0.113.7", "PATH": "/nowhere"})
    assert done.stdout == b"@x -v"


def test_run_is_small_and_static():
    path = lab.program("relaypass-run")
    data = open(path, "rb").read()
    assert b"/ld-" not in data
    if b"musl" in subprocess.run(["sh", "-c", "command -v musl-gcc"],
                                 check=False, capture_output=True).stdout:
        assert len(data) < 64 * 1024
