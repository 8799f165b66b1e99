# SPDX-License-Identifier: ISC
"""The judge of the tests of several machines sees what it has to see."""

import contextlib
import types

import pytest

import oracle
import replicas

TTL = 10000


@pytest.fixture(name="judge")
def make_judge():
    judge = oracle.Oracle([], TTL)
    judge.start = oracle.now() - 5000
    judge.login(0, "192.0.2.1", "anna", judge.start)
    return judge


def ask(judge, machine, after, answer, address="192.0.2.1"):
    """What it says of an answer so many ms after the login."""
    judge.facts.get("192.0.2.1").seen[0] = judge.start
    at = judge.start + after
    judge.judge(machine, at, at + 1, address, answer)
    return judge.wrong


@pytest.mark.parametrize("machine, after, answer", [
    (0, 0, "allow ttl=10"), (1, 0, "allow ttl=10"), (1, 0, "none"),
    (1, 9999, "none"), (0, 1000, "none"), (0, 9900, "allow ttl=1"),
    (0, 10100, "none"), (2, 3000, "allow ttl=7"), (2, 3000, "allow ttl=1")])
def test_right_answers(judge, machine, after, answer):
    assert not ask(judge, machine, after, answer)


@pytest.mark.parametrize("machine, after, answer, what", [
    (1, 10200, "allow ttl=1", "past its end"),
    (1, 5000, "allow ttl=7", "late"),
    (0, 2500, "none", "refused where he logged in"),
    (1, 100, "tempfail keeper", "what is this")])
def test_wrong_answers(judge, machine, after, answer, what):
    wrong, = ask(judge, machine, after, answer)
    assert what in wrong


def test_an_address_without_a_login(judge):
    wrong, = ask(judge, 1, 100, "allow ttl=1", "192.0.2.66")
    assert "nobody logged in from there" in wrong


def test_revocations(judge):
    judge.facts["192.0.2.1"].revoked = (0, judge.start + 100,
                                        judge.start + 110)
    assert not ask(judge, 0, 105, "allow ttl=10")
    assert not ask(judge, 1, 3000, "allow ttl=7")
    assert not ask(judge, 1, 3001, "none")
    assert "came back" in ask(judge, 1, 3002, "allow ttl=7")[0]
    assert "was revoked here" in ask(judge, 0, 111, "allow ttl=10")[1]


def trial_of(times):
    """Each machine's times of answers, ms; the last is alone."""
    *nodes, _ = times
    trial = replicas.Trial(types.SimpleNamespace(
        sockets=lambda: nodes, ttl=TTL, nodes=nodes,
        alone=types.SimpleNamespace(ask_socket=lambda: "alone")))
    trial.oracle.times = [[(at, ms / 1000) for at, ms in enumerate(some)]
                          for some in times]
    trial.healing = [0]
    return trial


QUICK, SPAN = [0.1] * 1000, (0, 1000)


@pytest.mark.parametrize("quiet, troubled", [
    ([SPAN], [(0, 500)]), ([(0, 500)], [SPAN])])
@pytest.mark.parametrize("slow", [[0.1] * 400 + [1] * 600,
                                  [0.1] * 980 + [10] * 20])
def test_slow_answers(slow, quiet, troubled):
    """Half of them a little, or some of them much, on one machine."""
    trial = trial_of([QUICK, slow, QUICK])
    trial.quiet, trial.troubled = quiet, troubled
    with pytest.raises(AssertionError, match="within"):
        trial.assert_never_slower()


def test_answers_on_a_busy_machine():
    slow = [1] * 980 + [100] * 20
    trial = trial_of([slow, slow, slow])
    trial.quiet = trial.troubled = [SPAN]
    trial.assert_never_slower()


class Nothing:
    """Carries nothing."""

    def begin(self, net, stack):
        pass

    def conf(self, i):
        return ""


@pytest.mark.namespaces
def test_a_site_that_is_none(tmp_path):
    """Each machine is right about what it saw itself, and the rest is missed;
    a machine that is stopped, or forgets, is seen."""
    with contextlib.ExitStack() as stack:
        site = replicas.Replicas(tmp_path, stack, Nothing())
        judge = stack.enter_context(
            oracle.Oracle(site.sockets(), site.ttl * 1000))
        for node in site.nodes:
            at = oracle.now()
            judge.login(node.i, f"192.0.2.{node.i}", "anna", at)
            node.write_logins([(f"192.0.2.{node.i}", "anna", at)])
            node.wait_leased(f"192.0.2.{node.i}")
        missed = {(machine, address)
                  for machine, address, _ in judge.differences()}
        assert missed == {(i, f"192.0.2.{k}") for i in range(3)
                          for k in range(3) if i != k}
        with pytest.raises(AssertionError, match="6 wrong after"):
            judge.wait_right(0.1)
        judge.assert_right()
        site.nodes[1].stop()
        replicas.lab.wait_for(lambda: judge.wrong, "a wrong answer")
        assert "machine 1" in judge.wrong[0] and "no answer" in judge.wrong[0]
