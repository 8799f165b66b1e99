# SPDX-License-Identifier: ISC
"""Nodes that reach a real Redis by TLS only (docs/sources/redis.md). The
authority's certificate lies below /etc, which is laid over the machine's for
relaypassd alone."""

import contextlib
import shutil
import time

import pytest

import databases
import lab
import site1
from database_server import certificate, free_port
from nodes1 import addresses
from redis_site import (
    USER, knows_tls, length, nodes, told_within_a_second, wait_connected)

pytestmark = [
    pytest.mark.namespaces,
    pytest.mark.skipif(
        not knows_tls(), reason="needs hiredis 1.0: Debian 12 has 0.14")]

LAY = 'mount -t overlay overlay -o "lowerdir=$0:/etc" /etc && exec "$@"'


class TlsRedis(databases.Redis):
    """Its usual port is for the tests' own questions."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.tls_port = free_port()

    def configuration(self):
        place = self.directory
        return {**super().configuration(), "tls-port": self.tls_port,
                "tls-auth-clients": "no",
                "tls-cert-file": place / "server.pem",
                "tls-key-file": place / "server.key",
                "tls-ca-cert-file": place / "ca.pem"}

    def prepare(self):
        self.make_certificate()
        super().prepare()

    @property
    def tls_address(self):
        return f"{self.host}:{self.tls_port}"


@pytest.fixture(name="server", scope="module")
def make_server():
    with databases.running(TlsRedis, acl=[USER]) as server:
        yield server


@pytest.fixture(name="redis")
def make_redis(server):
    server.execute("FLUSHALL")
    return server


@pytest.fixture(name="etc", scope="module")
def make_etc(server):
    """A directory with ca.pem, and other-ca.pem that signed nothing here."""
    with site1.directory() as where:
        shutil.copy(server.directory / "ca.pem", where / "ca.pem")
        (where / "other").mkdir()
        certificate(where / "other")
        (where / "other/ca.pem").rename(where / "other-ca.pem")
        yield where


def with_tls(redis, etc, count, address=None, ca="ca.pem"):
    return nodes(
        redis, count, address=address or redis.tls_address,
        more=f'tls = yes ca = "/etc/{ca}"',
        before=["unshare", "--mount", "--propagation", "private", "--",
                "sh", "-euc", LAY, etc])


@pytest.fixture(name="pair")
def make_pair(redis, etc):
    with with_tls(redis, etc, 2) as made:
        for node in made:
            node.start()
        wait_connected(redis, made)
        yield made


def test_a_login_at_one_is_a_lease_at_the_other(pair):
    one, two = pair
    one.login("203.0.113.1")
    two.wait_leased("203.0.113.1")
    two.relaypass("revoke", "203.0.113.1")
    one.wait_none("203.0.113.1")
    told_within_a_second(one, two, "2001:db8::7")


def test_who_joins_reads_all(redis, etc):
    """More than a record of TLS holds."""
    wanted = addresses(1500)
    with with_tls(redis, etc, 2) as (one, two):
        one.start()
        for address in wanted:
            one.login(address)
        lab.wait_for(lambda: length(redis) >= len(wanted), "all is told")
        redis.execute("DEL", "relaypass:changes")
        two.start()
        for address in wanted:
            two.wait_leased(address)


def test_a_server_that_comes_back_is_used_again(pair, redis):
    """relaypassd is locked down by then, and reads the certificate anew."""
    one, two = pair
    one.login("203.0.113.1")
    two.wait_leased("203.0.113.1")
    redis.kill()
    for node in pair:
        node.wait_trouble("source", str(redis.tls_port))
    redis.start()
    for node in pair:
        node.wait_no_trouble("source")
        node.wait_no_trouble("export")
    one.login("203.0.113.2")
    two.wait_leased("203.0.113.2")


@pytest.mark.parametrize("ca, plain, code, word", [
    ("ca.pem", False, 0, None),
    ("none.pem", False, 100, "/etc/none.pem"),
    # What the server has may be mended before it is needed.
    ("other-ca.pem", False, 0, "certificate verify failed"),
    ("ca.pem", True, 0, "TLS"),
])
def test_a_start_tells_what_is_wrong(redis, etc, ca, plain, code, word):
    address = redis.address if plain else redis.tls_address
    begun = time.monotonic()
    with with_tls(redis, etc, 1, ca=ca, address=address) as (node,):
        got, text = node.test_configuration()
    assert got == code, text
    assert word in text if word else "warning" not in text, text
    assert time.monotonic() - begun < 10


def test_who_another_authority_has_signed_gets_nothing(redis, etc):
    """A node says so, and goes on with its own logins."""
    with contextlib.ExitStack() as stack:
        one, = stack.enter_context(with_tls(redis, etc, 1))
        one.start()
        wait_connected(redis, [one])
        liar, = stack.enter_context(
            with_tls(redis, etc, 1, ca="other-ca.pem"))
        liar.launch()
        liar.wait(lambda: liar.said("source"), "trouble of the source")
        one.login("203.0.113.1")
        liar.login("203.0.113.2")
        liar.wait_leased("203.0.113.2")
        assert not liar.leased("203.0.113.1")
        assert not one.leased("203.0.113.2")
