# SPDX-License-Identifier: ISC
"""What `status` and the log say while the export "sql-stream" cannot write, or
another writes as the same node: the reason, once, for as long as it lasts."""

import subprocess

import pytest

import databases
import lab
import nodes1
from databases import make_postgresql  # noqa: F401 (a fixture)

TABLE = "relaypass_stream"
EXPORT = """
export to-nodes {{ kind = "sql-stream" engine = "postgresql" host = "{host}"
                   port = {port} database = "relaypass" user = "relaypass"
                   password-file = "{dir}/password" keys = "{dir}/nodes.keys" }}
"""


@pytest.fixture(name="two")
def make_two(postgresql):
    postgresql.execute(f"DROP TABLE IF EXISTS {TABLE}")
    postgresql.execute(
        f"CREATE TABLE {TABLE} (id bigserial PRIMARY KEY, node text NOT NULL,"
        "record text NOT NULL, written timestamptz NOT NULL DEFAULT "
        "clock_timestamp())", user="owner")

    def make(where):
        return nodes1.Node(where, EXPORT.format(
            dir=where, host=postgresql.host, port=postgresql.port),
            databases.USERS["relaypass"])
    with nodes1.made(2, make) as made:
        yield made


def trouble(node):
    return node.trouble("export", "to-nodes")


def told(node):
    """How often the log has heard that it is wrong, and that it is over."""
    return node.errors().count("export.error"), node.errors().count(
        "state=good")


def test_a_right_that_only_writing_needs(two, postgresql):
    """The mark can be read all the time; still it is wrong all the time."""
    one, _ = two
    one.start()
    one.login("203.0.113.1")
    one.wait(lambda: count(postgresql) == 1, "its record")
    postgresql.execute(f"REVOKE INSERT ON {TABLE} FROM relaypass")
    before = postgresql.output().count("permission denied")
    one.login("203.0.113.2")
    one.wait(lambda: "permission denied" in (trouble(one) or ""), "it is told")
    said = set()

    def tried():
        said.add(trouble(one))
        return postgresql.output().count("permission denied") > before + 4
    one.wait(tried, "some more tries")
    assert len(said) == 1 and told(one) == (1, 0), (said, one.errors())
    postgresql.execute(f"GRANT INSERT ON {TABLE} TO relaypass")
    one.wait(lambda: trouble(one) == "", "it is over")
    assert count(postgresql) == 2 and told(one) == (1, 1), one.errors()


def count(server):
    return int(server.execute(
        f"SELECT count(*) FROM {TABLE} WHERE id > 0")[0][0])


def test_a_copied_ledger(two):
    """Which node it is and what to do; told once, until it has stopped."""
    one, other = two
    one.start()
    one.login("203.0.113.1")
    one.wait_leased("203.0.113.1")
    one.stop()
    subprocess.run(["cp", "-a", one.where / "ledger", other.where], check=True)
    one.start()
    other.start()
    one.wait(lambda: "copy of" in (trouble(one) or ""), "it is told")
    what = trouble(one)
    lost = one.errors().count("state=anew")
    assert "as this node, " in what and "rm -r its ledger" in what
    said = set()
    other.wait(lambda: said.add(trouble(one)) or "copy of" in (
        trouble(other) or ""), "the other tells, too")
    # Each goes on to take the other's mark for a loss.
    one.clock.advance(5000)
    one.login("203.0.113.2")
    one.wait_leased("203.0.113.2")
    other.stop()
    one.wait(lambda: said.add(trouble(one)) or told(one)[0] == 1, "once")
    assert said == {what} and one.errors().count("state=anew") == lost
    # Not at once: the other one may come back.
    one.clock.advance(3 * 60 * 1000)
    one.wait(lambda: trouble(one) == "", "it is over")
    assert told(one) == (1, 1), one.errors()
