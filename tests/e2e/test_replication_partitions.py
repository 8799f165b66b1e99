# SPDX-License-Identifier: ISC
"""Three machines, Redis with two replicas, three Sentinels, and links that fail
in any way: never a wrong allow, never a lease past its end, no answer later than
without Redis, everything right again within 5 s."""

import contextlib
import os
import random

import pytest

import carriers
import partitions
import replicas

pytestmark = pytest.mark.namespaces

PARTITIONS = int(os.environ.get("RELAYPASS_PARTITIONS", "50"))
QUESTIONS = 450  # about so many a second


@pytest.fixture(name="site", scope="module")
def make_site(tmp_path_factory):
    with contextlib.ExitStack() as stack:
        site = replicas.Replicas(tmp_path_factory.mktemp("site"), stack,
                                 carriers.Redis())
        site.wait_joined()
        yield site


def test_random_partitions(site):
    with replicas.Trial(site) as trial:
        # Longer than a lease.
        with trial.trouble("the master's host is alone"):
            partitions.alone(site.net, site.carrier,
                             site.carrier.who_is_master())
            trial.questions(site.ttl * QUESTIONS)
            site.net.heal()
        for n in range(1, PARTITIONS):
            kind = partitions.KINDS[n % len(partitions.KINDS)]
            # One in five lasts longer than a Sentinel waits.
            length = random.randint(50, 400) if n % 5 else 900
            with trial.trouble(kind.__name__):
                what = kind(site.net, site.carrier)
                trial.questions(length)
                site.net.heal()
            print(f"{n}: {what} for {length} questions, right after "
                  f"{trial.healing[-1]:.2f} s")
    trial.oracle.assert_right()
    trial.assert_never_slower()
