# SPDX-License-Identifier: ISC
"""Nodes on this machine that share one real Redis: relaypassd with a source and
an export of kind redis, in directories of their own. A test module takes the
fixtures that it needs:

    from redis_site import make_pair, make_redis, make_server  # noqa: F401
"""

import contextlib
import time

import pytest

import databases
import lab
import nodes1
from nodes1 import KEYS

PASSWORD = "lease-secret"
# As docs/sources/redis.md says it.
RIGHTS = "~relaypass:* resetchannels -@all +role +info +get +set +del +xadd " \
    "+wait +time +xread +xrange +xrevrange +scan +mget +pttl"
USER = f"user relaypass on >{PASSWORD} {RIGHTS}"
GRANT = "run on every server of the site: redis-cli ACL SETUSER relaypass " \
    "{}, then ACL SAVE\n"
SECTION = """
{word} {name} {{
	kind = "redis"
	{place} = {{"{address}"}}
	user = "{user}"
	password-file = "{password}"
	keys = "{dir}/nodes.keys"
	{more}
}}
"""


class Node(nodes1.Node):
    NAMES = {"source": "other-nodes", "export": "to-nodes"}

    def __init__(self, where, server, user="relaypass", password=PASSWORD,
                 keys=KEYS, more="", words=("source", "export"),
                 place="servers", address=None, only_export="", before=()):
        super().__init__(where, "".join(
            SECTION.format(
                word=word, name=self.NAMES[word], dir=where, user=user,
                more=more + (only_export if word == "export" else ""),
                password=where / "password" if password else "",
                place=place, address=address or server.address)
            for word in words), password or "", keys, before)

    def said(self, word):
        """What `status` says is wrong with the source, or the export."""
        return self.trouble(word, self.NAMES[word])

    def wait_trouble(self, word, *texts):
        def is_told():
            now = self.said(word)
            return now is not None and all(text in now for text in texts)
        self.wait(is_told, f"trouble of the {word}: {texts}")

    def wait_no_trouble(self, word):
        self.wait(lambda: self.said(word) == "", f"the {word} is well")


def nodes(server, count, **kwargs):
    return nodes1.made(count, lambda where: Node(where, server, **kwargs))


@pytest.fixture(name="server", scope="module")
def make_server():
    with databases.running(databases.Redis, acl=[USER]) as server:
        yield server


@pytest.fixture(name="redis")
def make_redis(server):
    """The same for all tests, empty."""
    server.execute("FLUSHALL")
    return server


@pytest.fixture(name="pair")
def make_pair(redis):
    with nodes(redis, 2) as made:
        for node in made:
            node.start()
        wait_connected(redis, made)
        yield made


def wait_connected(redis, made):
    """The sources have joined, and the exports have left their marks."""
    for node in made:
        node.wait_error("state=joined")
    lab.wait_for(lambda: len(redis.execute("KEYS", "relaypass:node:*")) ==
                 len(made), "marks")


def length(redis):
    return redis.execute("XLEN", "relaypass:changes")


def still(what):
    """The value that stays for a second."""
    def same():
        before, end = what(), time.monotonic() + 1
        while time.monotonic() < end:
            if what() != before:
                return None
        return [before]
    return lab.wait_for(same, "the same value for a second")[0]


def knows_tls():
    """Whether relaypass was built with a hiredis that does."""
    module = lab.BUILD / "src" / "modules" / "redis.so"
    return module.exists() and \
        b"redisCreateSSLContext" in module.read_bytes()


def told(redis, **kwargs):
    with nodes(redis, 1, **kwargs) as (node,):
        return node.test_configuration()


@contextlib.contextmanager
def started(server, count, **kwargs):
    with nodes(server, count, **kwargs) as made:
        for node in made:
            node.start()
        yield made


def told_within_a_second(one, two, address):
    """Who logs in at one has a lease at the other."""
    begun = time.monotonic()
    one.login(address)
    two.wait_leased(address)
    assert time.monotonic() - begun < 1


@contextlib.contextmanager
def watched(**kwargs):
    """A master, a replica and a Sentinel that decides alone."""
    require = databases.require
    require(databases.Redis, databases.Sentinel)
    with databases.Redis() as master, \
            databases.Redis(replica_of=master) as replica, \
            databases.Sentinel(master, quorum=1, **kwargs) as sentinel:
        replica.wait_synced()
        sentinel.wait_sees(1, 0)
        yield master, replica, sentinel
