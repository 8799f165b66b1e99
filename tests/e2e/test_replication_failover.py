# SPDX-License-Identifier: ISC
"""The master of a site's Redis dies, hangs or steps down, and Sentinels make
another. Never a wrong allow, never a lease past its end, everything right again
within 5 s."""

import contextlib
import os

import pytest

import carriers
import replicas

pytestmark = pytest.mark.namespaces

FAILOVERS = int(os.environ.get("RELAYPASS_FAILOVERS", "20"))


@pytest.fixture(name="site", scope="module")
def make_site(tmp_path_factory):
    with contextlib.ExitStack() as stack:
        site = replicas.Replicas(tmp_path_factory.mktemp("site"), stack,
                                 carriers.Redis())
        site.wait_joined()
        yield site


def test_failovers(site):
    """By turns the master is killed, hangs, or goes because it is told to."""
    carrier = site.carrier
    ways = ["kill", "pause", "ask"]
    with replicas.Trial(site) as trial:
        for n in range(FAILOVERS):
            carrier.wait_whole()
            old, way = carrier.who_is_master(), ways[n % len(ways)]
            with trial.trouble(f"failover by {way}"):
                if way == "ask":
                    carrier.sentinels[0].fail_over()
                else:
                    getattr(carrier.servers[old], way)()
                carrier.wait_failed_over(old)
            print(f"{n}: {way}: right after {trial.healing[-1]:.2f} s")
            # The one that was away comes back and has old things to say.
            with trial.trouble(f"return after {way}"):
                if way == "kill":
                    carrier.servers[old].start()
                elif way == "pause":
                    carrier.servers[old].resume()
                carrier.wait_whole()
    trial.oracle.assert_right()
    trial.assert_never_slower()
