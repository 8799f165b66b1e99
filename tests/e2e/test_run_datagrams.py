# SPDX-License-Identifier: ISC
"""relaypass-run against a socket that takes datagrams."""

import contextlib
import socket

import pytest

import test_run
from answerer import DatagramAnswerer
from test_run import (  # noqa: F401 (a fixture)
    LEAST, MOST, elapsed, make_run, relayclient)


@pytest.fixture(name="answers")
def make_answers(tmp_path):
    with contextlib.ExitStack() as stack:
        def make(answer):
            return stack.enter_context(
                contextlib.closing(
                    DatagramAnswerer(tmp_path / "ask", [answer])))
        yield make


def test_run_asks_by_one_datagram(answers, run):
    server = answers(b"allow ttl=1800\n")
    assert relayclient(run()) == ""
    assert server.questions == [b"check 203.0.113.7\n"]


@pytest.mark.parametrize("user", [b"u" * 255, b"%C3" * 255],
                         ids=["plain", "coded"])
def test_run_takes_an_answer_with_the_longest_user(answers, run, user):
    answers(b"allow ttl=1800 user=" + user + b"\n")
    assert relayclient(run()) == ""


@pytest.mark.parametrize("answer", [
    b"none\n", b"tempfail unknown\n", b"error no\n", b"allow", b"allowed\n",
    b"\n", b" allow ttl=1\n", b"x" * 9000])
def test_run_takes_one_whole_allow_only(answers, run, answer):
    answers(answer)
    seconds, seen = elapsed(run)
    assert relayclient(seen) is None
    assert seconds < MOST


def test_run_takes_nothing_for_an_empty_answer(answers, run):
    answers(b"")
    assert relayclient(run()) is None


def test_run_waits_two_seconds_for_a_datagram(answers, run):
    answers(None)
    seconds, seen = elapsed(run)
    assert relayclient(seen) is None
    assert LEAST < seconds < MOST


def test_run_waits_two_seconds_at_a_full_queue(run, tmp_path):
    with contextlib.ExitStack() as stack:
        queue = stack.enter_context(
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        queue.bind(str(tmp_path / "ask"))
        one = stack.enter_context(
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        one.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                one.sendto(b"check 192.0.2.1\n", str(tmp_path / "ask"))
        seconds, seen = elapsed(run)
    assert relayclient(seen) is None
    assert LEAST < seconds < MOST


@pytest.mark.namespaces
@pytest.mark.parametrize("stale", [False, True])
def test_run_asks_elsewhere_when_nobody_listens(host, stale):
    """The socket of one that was killed is like none."""
    host.install()
    host.run("rm", "-rf", "/run/relaypass")
    host.run("install", "-d", "/run/relaypass")
    if stale:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as left:
            left.bind(str(host.path("/run/relaypass/run")))
    # Of another network, so that a datagram's sender could not be answered.
    server = test_run.Answerer(host.path("/run/relaypass/ask"),
                               test_run.says(b"allow ttl=1800\n"))
    try:
        done = host.run("env", "TCPREMOTEIP=203.0.113.7",
                        "/usr/local/bin/relaypass-run", "--", "env")
    finally:
        server.close()
    assert server.questions == [b"check 203.0.113.7\n"]
    assert "\nRELAYCLIENT=\n" in done.stdout


def test_run_keeps_no_descriptor_of_it(answers, run):
    answers(b"allow ttl=1800\n")
    assert run(stdin=None)["fds"] == [0, 1, 2]
