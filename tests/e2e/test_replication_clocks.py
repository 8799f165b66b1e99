# SPDX-License-Identifier: ISC
"""Machines whose clocks differ, and links that delay, lose, double and reorder:
a lease may get shorter by that, never longer."""

import contextlib
import random

import pytest

import carriers
import partitions
import replicas

pytestmark = pytest.mark.namespaces

SECOND = 1000
MINUTE = 60 * SECOND
NEVER_MIND = 10 ** 9  # ms that leases may lack: all


def make_site(directory, stack, **how):
    site = replicas.Replicas(directory, stack, carriers.Redis(), **how)
    return site


@pytest.mark.parametrize("ahead", [(0, 20, -20), (-15, 0, 25)])
def test_clocks_that_differ_by_less_than_a_lease(tmp_path, ahead):
    """Customers relay everywhere, for what the worse clock leaves."""
    most = max(ahead) - min(ahead)
    with contextlib.ExitStack() as stack:
        site = make_site(tmp_path, stack, ttl=most + 4,
                         ahead=[s * SECOND for s in ahead])
        with replicas.Trial(site, shorter=most * SECOND) as trial:
            for _ in range(2):
                with trial.trouble("clocks"):
                    trial.questions(500)
                with trial.trouble("a partition"):
                    site.net.cut(0, 1)
                    site.net.cut(1, 0)
                    trial.questions(700)
                    site.net.heal()


def test_clocks_that_differ_by_minutes_never_stretch_a_lease(tmp_path):
    """Beyond max-skew too, and while they are set anew."""
    with contextlib.ExitStack() as stack:
        site = make_site(tmp_path, stack, ttl=4,
                         ahead=[0, 4 * MINUTE, -4 * MINUTE])
        with replicas.Trial(site, shorter=NEVER_MIND) as trial:
            for minutes in (None, None, 10, -10, 3, -3):
                if minutes is not None:
                    machine = random.randrange(3)
                    site.nodes[machine].set_ahead(minutes * MINUTE)
                    trial.oracle.sets_its_clock(machine)
                # Late records would be the longest ones.
                partitions.alone(site.net, site.carrier, 2)
                trial.questions(500)
                site.net.heal()
                trial.questions(800)
            trial.oracle.assert_right()
            assert all(trial.oracle.times)


def test_bad_wires(tmp_path):
    with contextlib.ExitStack() as stack:
        site = make_site(tmp_path, stack)
        site.wait_joined()
        with replicas.Trial(site) as trial:
            for i in range(3):
                with trial.trouble(f"a bad wire of {i}"):
                    with site.net.slow(i, delay=0.08, loss=0.03,
                                       double=0.03) as counts:
                        trial.questions(1000)
                assert counts["passed"] and counts["lost"] \
                    and counts["doubled"], counts
        trial.assert_never_slower()
