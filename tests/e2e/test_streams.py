# SPDX-License-Identifier: ISC
"""A site that is divided into groups, each with a stream of its own
(docs/scale.md): a node tells its group, and hears those that it reads."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import tempfile

import pytest

import lab
from databases import make_redis  # noqa: F401 (a fixture)
from test_status import relaypass

CONFIG = """
relaypass {{ directory = "{dir}/ledger" run-directory = "{dir}"
             pattern-directory = "" answerers = 1 }}
listener ask {{ kind = "ask" listen = "unix:{dir}/ask" }}
"""
LINK = '{side} {name} {{ kind = "redis" key = "relaypass-{name}" ' \
       'servers = {{"{server}"}} keys = "{dir}/nodes.keys" }}\n'


class Node(lab.Relaypassd):
    def __init__(self, server, tells, hears):
        self.where = pathlib.Path(tempfile.mkdtemp(prefix="relaypass-e2e-"))
        self.where.chmod(0o755)
        keys = self.where / "nodes.keys"
        keys.write_text("k1 " + 32 * "5c" + "\n", encoding="ascii")
        keys.chmod(0o600)
        text = CONFIG + "".join(
            LINK.format(side=side, name=name, server=server, dir=self.where)
            .replace("{", "{{").replace("}", "}}")
            for side, names in (("export", tells), ("source", hears))
            for name in names)
        super().__init__(lab.Here(), self.where, text.format(dir=self.where),
                         self.where / "ask", str(self.where / "relaypass.conf"))

    def close(self):
        self.stop()
        shutil.rmtree(self.where)


@pytest.fixture(name="nodes", scope="module")
def make_nodes(redis):
    """One of group a, one of group b, one that answers for both and tells
    nobody."""
    with contextlib.ExitStack() as stack:
        nodes = [stack.enter_context(contextlib.closing(
            Node(redis.address, tells, hears)))
            for tells, hears in (("a", "a"), ("b", "b"), ("", "ab"))]
        for node in nodes:
            node.start()
        yield nodes


def test_a_group_s_logins_are_heard_where_its_stream_is_read(nodes):
    one, other, both = nodes
    relaypass(one, "grant", "203.0.113.1")
    relaypass(other, "grant", "203.0.113.2")
    both.wait_leased("203.0.113.1")
    both.wait_leased("203.0.113.2")
    # What is heard is in its ledger before what comes later in the stream.
    relaypass(other, "grant", "203.0.113.3")
    both.wait_leased("203.0.113.3")
    assert one.check("203.0.113.2") == "none"
    assert other.check("203.0.113.1") == "none"


def test_nothing_passes_from_one_stream_to_the_other(nodes, redis):
    one, other, both = nodes
    relaypass(one, "grant", "203.0.113.4")
    both.wait_leased("203.0.113.4")
    relaypass(other, "grant", "203.0.113.5")
    both.wait_leased("203.0.113.5")
    for name, stranger in ("a", "203.0.113.5"), ("b", "203.0.113.4"):
        entries = redis.execute("XRANGE", f"relaypass-{name}:changes", "-",
                                "+")
        assert entries and stranger not in str(entries)


def test_a_revocation_counts_where_it_is_heard(nodes):
    one, _, both = nodes
    relaypass(one, "grant", "203.0.113.6")
    both.wait_leased("203.0.113.6")
    relaypass(one, "revoke", "203.0.113.6")
    both.wait(lambda: both.check("203.0.113.6") == "none", "it is revoked")


def test_one_source_that_hangs_leaves_the_other_s_logins(nodes):
    one, other, both = nodes
    pid = next(row["pid"] for row in json.loads(relaypass(
        both, "status", "--json"))["processes"] if row["name"] == "a")
    os.kill(pid, signal.SIGSTOP)
    try:
        relaypass(one, "grant", "203.0.113.7")
        relaypass(other, "grant", "203.0.113.8")
        both.wait_leased("203.0.113.8")
        assert both.check("203.0.113.7") == "none"
    finally:
        os.kill(pid, signal.SIGCONT)
    both.wait_leased("203.0.113.7")
