# SPDX-License-Identifier: ISC
"""PostgreSQL in the place of Redis between three machines: stopped, hung, cut
off, emptied, put back to an old dump."""

import contextlib
import os
import random

import pytest

import carriers
import partitions
import replicas

pytestmark = pytest.mark.namespaces

ROUNDS = -(-int(os.environ.get("RELAYPASS_PARTITIONS", "50")) // 5)
FAILOVERS = -(-int(os.environ.get("RELAYPASS_FAILOVERS", "20")) // 10)


@pytest.fixture(name="site", scope="module")
def make_site(tmp_path_factory):
    with contextlib.ExitStack() as stack:
        site = replicas.Replicas(tmp_path_factory.mktemp("site"), stack,
                                 carriers.PostgreSQL())
        site.wait_joined()
        yield site


def test_random_partitions(site):
    with replicas.Trial(site) as trial:
        for n in range(ROUNDS):
            kind = random.choice(partitions.KINDS)
            with trial.trouble(kind.__name__):
                kind(site.net, site.carrier)
                trial.questions(random.randint(50, 900))
                site.net.heal()
    trial.assert_never_slower()


@pytest.mark.parametrize("away, back", [
    ("stop", "start"), ("kill", "start"), ("pause", "resume")])
def test_the_database_goes_and_comes(site, away, back):
    server = site.carrier.server
    with replicas.Trial(site) as trial:
        for _ in range(FAILOVERS):
            with trial.trouble(away):
                getattr(server, away)()
                trial.questions(random.randint(50, 1500))
                getattr(server, back)()
                site.carrier.wait_whole()
    trial.assert_never_slower()


def test_the_table_is_emptied(site):
    server = site.carrier.server
    with replicas.Trial(site) as trial:
        for statement in ("DELETE FROM relaypass_stream",
                          "TRUNCATE relaypass_stream RESTART IDENTITY"):
            with trial.trouble(statement):
                server.execute(statement)


def test_an_old_dump(site):
    """What another server, made of an older copy, has to say."""
    server = site.carrier.server
    with replicas.Trial(site) as trial:
        for _ in range(2):
            server.execute("DROP TABLE IF EXISTS old;"
                           "CREATE TABLE old AS TABLE relaypass_stream")
            number = server.execute(
                "SELECT last_value FROM relaypass_stream_id_seq")[0][0]
            trial.questions(random.randint(200, 1500))
            with trial.trouble("an old dump"):
                server.execute(
                    "BEGIN; DELETE FROM relaypass_stream;"
                    "INSERT INTO relaypass_stream SELECT * FROM old;"
                    f"SELECT setval('relaypass_stream_id_seq', {number});"
                    "COMMIT")


def test_killed_nodes(site):
    with replicas.Trial(site) as trial:
        for node in site.nodes:
            with trial.trouble(f"kill -9 of node {node.i}"):
                trial.traffic.leave_out(node.i)
                node.kill_9()
                trial.questions(random.randint(10, 600))
                node.start()
                trial.traffic.let_in(node.i)
