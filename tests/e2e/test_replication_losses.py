# SPDX-License-Identifier: ISC
"""What three machines tell each other gets lost: Redis hangs, is emptied, comes
back with an old dump; nodes die by kill -9, or lose their ledger. Never a wrong
allow, never a lease past its end, everything right again within 5 s."""

import contextlib
import os
import random
import shutil

import pytest

import carriers
import partitions
import replicas
import site3

pytestmark = pytest.mark.namespaces

LOSSES = int(os.environ.get("RELAYPASS_REDIS_LOSSES", "5"))
KILLS = int(os.environ.get("RELAYPASS_NODE_KILLS", "5"))


@pytest.fixture(name="site", scope="module")
def make_site(tmp_path_factory):
    with contextlib.ExitStack() as stack:
        site = replicas.Replicas(tmp_path_factory.mktemp("site"), stack,
                                 carriers.Redis())
        site.wait_joined()
        yield site


def test_nobody_notices_when_all_of_redis_hangs(site):
    carrier = site.carrier
    carrier.wait_whole()
    with replicas.Trial(site) as trial:
        with trial.trouble("SIGSTOP of all"):
            for server in carrier.servers:
                server.pause()
            trial.questions(1500)
            for server in carrier.servers:
                server.resume()
            carrier.wait_whole()
    trial.assert_never_slower()


def others(carrier):
    """Those without the master."""
    return [i for i in range(site3.COUNT) if i != carrier.who_is_master()]


def test_flushall(site):
    """Who did not hear it before hears it afterwards: one is cut off, so that
    what was said to the others is lost for it."""
    carrier = site.carrier
    for _ in range(LOSSES):
        carrier.wait_whole()
        with replicas.Trial(site) as trial:
            with trial.trouble("FLUSHALL"):
                carrier.master().execute("FLUSHALL")
            with trial.trouble("FLUSHALL while one was away"):
                partitions.alone(site.net, carrier,
                                 random.choice(others(carrier)))
                trial.questions(random.randint(100, 600))
                carrier.master().execute("FLUSHALL")
                site.net.heal()


def test_an_old_dump(site, tmp_path):
    """All servers die and come back with what was there some time ago; other
    nodes have come and gone since."""
    carrier = site.carrier
    carrier.wait_whole()
    with replicas.Trial(site) as trial:
        for n in range(LOSSES):
            dump = tmp_path / f"{n}.rdb"
            master = carrier.master()
            master.execute("SAVE")
            shutil.copy(master.dump, dump)
            trial.questions(random.randint(200, 2000))
            with trial.trouble("an old dump"):
                # One of them did not hear the last.
                partitions.alone(site.net, carrier,
                                 random.choice(others(carrier)))
                trial.questions(200)
                for server in carrier.servers:
                    server.kill()
                for server in carrier.servers:
                    server.load(dump)
                site.net.heal()
                carrier.wait_whole()


def test_killed_nodes(site):
    """A node is killed at any moment and started again later; what logged in
    there meanwhile is in its log."""
    with replicas.Trial(site) as trial:
        for n in range(KILLS):
            node = random.choice(site.nodes)
            with trial.trouble(f"kill -9 of node {node.i}"):
                trial.traffic.leave_out(node.i)
                node.kill_9()
                trial.questions(random.randint(10, 1000))
                node.start()
                trial.traffic.let_in(node.i)


def test_a_node_that_begins_with_an_empty_ledger_learns_all(site):
    with replicas.Trial(site) as trial:
        node = site.nodes[2]
        with trial.trouble("an empty ledger"):
            trial.traffic.leave_out(node.i)
            # What logged in here is known to the others.
            trial.oracle.wait_right(replicas.HEALED, machines=[0, 1])
            node.kill_9()
            node.host.run("rm", "-rf", "/var/lib/relaypass")
            trial.oracle.begins_anew(node.i)
            node.start()
            trial.traffic.let_in(node.i)


def test_a_node_without_redis_starts_and_answers(site):
    """From its ledger and its own log."""
    carrier, node = site.carrier, site.nodes[1]
    carrier.wait_whole()
    with replicas.Trial(site) as trial:
        with trial.trouble("a start without Redis"):
            for server in [*carrier.servers, *carrier.sentinels]:
                server.kill()
            trial.traffic.leave_out(node.i)
            node.kill_9()
            node.start()
            trial.traffic.let_in(node.i)
            trial.questions(600)
            for server in [*carrier.servers, *carrier.sentinels]:
                server.start()
            carrier.wait_whole()


def test_a_stream_that_was_trimmed(site):
    """While a node was away for longer than the stream reaches back: it reads
    the snapshot."""
    carrier = site.carrier
    with replicas.Trial(site) as trial:
        for _ in range(2):
            carrier.wait_whole()
            with trial.trouble("a trimmed stream"):
                partitions.alone(site.net, carrier,
                                 random.choice(others(carrier)))
                trial.questions(800)
                carrier.master().execute("XTRIM relaypass:changes MAXLEN 0")
                site.net.heal()
