# SPDX-License-Identifier: ISC
"""A site by the examples as they are: examples/sql-stream.sql makes account,
database and table, examples/relaypass-sql-stream.conf is all that two nodes
need to tell each other."""

import pytest

import databases
import exports
import nodes1

PASSWORD = "24-bytes-of-nobody-elses"


class Empty(databases.PostgreSQL):
    """As the package leaves it: nobody's database, no account but its own."""

    def fill(self):
        pass


@pytest.fixture(name="postgresql", scope="module")
def make_postgresql():
    with databases.running(Empty) as server:
        server.psql(exports.example("sql-stream.sql").replace(
            "'SECRET'", f"'{PASSWORD}'"), "postgres")
        yield server


def conf(where, server):
    text = exports.example("relaypass-sql-stream.conf")
    for old, new in (
            ('host = "192.0.2.11"', f'host = "{server.host}" '
             f"port = {server.port}"),
            ("/etc/relaypass/database.password", f"{where}/password"),
            ("/etc/relaypass/nodes.keys", f"{where}/nodes.keys")):
        assert text.count(old) >= 2
        text = text.replace(old, new)
    return text


def test_two_nodes_by_the_examples(postgresql):
    with nodes1.made(2, lambda where: nodes1.Node(
            where, conf(where, postgresql), PASSWORD)) as (one, two):
        for node in (one, two):
            assert node.test_configuration() == (0, "")
            node.start()
        one.login("203.0.113.7")
        two.wait_leased("203.0.113.7")
        assert not two.leased("203.0.113.8")
