# SPDX-License-Identifier: ISC
"""Leases between nodes through a real Redis (kind redis, as export and as
source): relaypassd in directories of their own. What goes wrong, and what is
said then, is in test_redis_trouble.py; partitions and failovers are in
test_replication.py."""

import contextlib
import os
import pathlib
import re
import signal
import socket
import socketserver
import threading
import time

import pytest

import databases
import lab
from nodes1 import addresses
from redis_site import (  # noqa: F401 (fixtures)
    GRANT, PASSWORD, RIGHTS, knows_tls, length, make_pair, make_redis,
    make_server, nodes, started, still, told, told_within_a_second,
    wait_connected, watched)


def test_a_login_at_one_is_a_lease_at_the_other(pair):
    one, two = pair
    assert two.check("203.0.113.1") == "none"
    one.login("203.0.113.1")
    two.wait_leased("203.0.113.1")
    assert "Another node told of it" in two.relaypass("explain", "203.0.113.1")
    two.login("2001:db8::7")
    one.wait_leased("2001:db8::7")
    told_within_a_second(one, two, "203.0.113.3")


def test_what_came_from_a_node_is_not_told_again(pair, redis):
    one, two = pair
    for address in addresses(50):
        one.login(address)
    two.wait_leased(addresses(50)[-1])
    assert still(lambda: length(redis)) == 50
    # Not by a start, which tells all that is its own, either.
    two.stop()
    two.start()
    two.wait_leased(addresses(50)[-1])
    assert still(lambda: length(redis)) == 50


def test_a_revocation_travels_and_wins_over_older_logins(pair, redis):
    one, two = pair
    one.login("203.0.113.1")
    two.wait_leased("203.0.113.1")
    entries = redis.execute("XRANGE", "relaypass:changes", "-", "+")
    two.relaypass("revoke", "203.0.113.1")
    one.wait_none("203.0.113.1")
    two.wait_none("203.0.113.1")
    # The key of the lease that is over has gone with it.
    lab.wait_for(
        lambda: not redis.execute("KEYS", "relaypass:lease:*"), "no key")
    # The grant comes once more, late: it is older than the revocation.
    for _ in range(3):
        redis.execute("XADD", "relaypass:changes", "*", "r", entries[0][1][1])
    one.login("203.0.113.2")
    two.wait_leased("203.0.113.2")
    assert not one.leased("203.0.113.1")
    assert not two.leased("203.0.113.1")
    with nodes(redis, 1) as more:
        joined = more[0].start()
        joined.wait_leased("203.0.113.2")
        assert not joined.leased("203.0.113.1")


def test_who_joins_reads_the_snapshot(redis):
    with nodes(redis, 2) as (one, two):
        one.start()
        wanted = addresses(1500)
        for address in wanted:
            one.login(address)
        lab.wait_for(lambda: length(redis) >= len(wanted), "all is told")
        redis.execute("DEL", "relaypass:changes")
        two.start()
        for address in wanted:
            two.wait_leased(address)
        # And goes on with the stream.
        one.login("203.0.113.1")
        two.wait_leased("203.0.113.1")


def test_who_was_away_goes_on_from_its_cursor(pair, redis):
    one, two = pair
    one.login("203.0.113.1")
    two.wait_leased("203.0.113.1")
    two.stop()
    for address in addresses(300):
        one.login(address)
    lab.wait_for(lambda: length(redis) >= 301, "all is told")
    # What it knows lies in the stream alone now.
    for key in redis.execute("KEYS", "relaypass:lease:*"):
        redis.execute("DEL", key)
    two.start()
    for address in addresses(300):
        two.wait_leased(address)
    assert two.errors().count("state=joined") == 1


def test_who_was_away_for_too_long_joins_again(pair, redis):
    one, two = pair
    one.login("203.0.113.1")
    two.wait_leased("203.0.113.1")
    two.stop()
    for address in addresses(300):
        one.login(address)
    lab.wait_for(lambda: length(redis) >= 301, "all is told")
    redis.execute("XTRIM", "relaypass:changes", "MAXLEN", "1")
    two.start()
    for address in addresses(300):
        two.wait_leased(address)
    two.wait_error("source.gap")


def test_who_joined_an_empty_stream_and_was_away_joins_again(redis):
    """It has no entry that could be missed."""
    with nodes(redis, 2) as (one, two):
        for node in (one, two):
            node.start()
            node.wait_error("state=joined")
        two.stop()
        one.login("203.0.113.1")
        one.login("203.0.113.2")
        lab.wait_for(lambda: length(redis) == 2, "both are told")
        redis.execute("XTRIM", "relaypass:changes", "MAXLEN", "1")
        two.start()
        two.wait_leased("203.0.113.1")
        two.wait_leased("203.0.113.2")


def test_revocations_come_before_the_entries_of_an_outage(pair, redis):
    one, two = pair
    one.login("203.0.113.1")
    two.wait_leased("203.0.113.1")
    two.stop()
    one.login("203.0.113.2")
    one.wait_leased("203.0.113.2")
    one.relaypass("revoke", "203.0.113.2")
    one.wait_none("203.0.113.2")
    lab.wait_for(lambda: length(redis) == 3, "all is told")
    # As if the stream were long: it does not come to the revocation.
    last = redis.execute("XREVRANGE", "relaypass:changes", "+", "-",
                         "COUNT", "1")[0][0]
    redis.execute("XDEL", "relaypass:changes", last)
    one.login("203.0.113.3")
    two.start()
    two.wait_leased("203.0.113.3")
    assert two.check("203.0.113.2") == "none"
    assert two.leased("203.0.113.1")
    assert two.errors().count("state=joined") == 1


@pytest.mark.parametrize("hours", [-2, 2])
def test_what_a_wrong_clock_passed_over_comes_when_it_is_mended(pair, hours):
    one, two = pair
    two.clock.set(hours * 3600 * 1000, 0)
    one.login("203.0.113.1")
    if hours < 0:
        two.wait_error("reason=clock-ahead")
    else:
        assert still(lambda: two.check("203.0.113.1")) == "none"
    two.clock.set(0)
    two.wait_leased("203.0.113.1")
    assert two.errors().count("state=joined") == 2


def raw(redis, *words):
    """A command whose words may be any bytes."""
    with socket.create_connection((redis.host, redis.port)) as server:
        server.sendall(b"*%d\r\n" % len(words) + b"".join(
            b"$%d\r\n%s\r\n" % (len(word), word) for word in words))
        assert server.recv(100) == b"+OK\r\n"


def test_keys_of_another_form_are_counted_and_left_alone(redis):
    with nodes(redis, 2) as (one, two):
        one.start()
        one.login("203.0.113.1")
        lab.wait_for(lambda: length(redis) == 1, "it is told")
        for name in (b"x\0" + b"A" * 60000, b"x", b"0123456789abcdef:0g"):
            raw(redis, b"SET", b"relaypass:lease:" + name, b"y")
            raw(redis, b"SET", b"relaypass:revoke:" + name, b"y")
        # PTTL of the trial at the start, and of the one lease.
        redis.execute("CONFIG", "RESETSTAT")
        two.start()
        two.wait_leased("203.0.113.1")
        two.wait_error("reason=malformed")
        assert "died" not in two.errors()
        assert redis.info("commandstats")["cmdstat_pttl"].startswith(
            "calls=2,")


def test_flushall_costs_nobody_a_lease(pair, redis):
    one, two = pair
    one.login("203.0.113.1")
    two.login("203.0.113.2")
    one.wait_leased("203.0.113.2")
    two.wait_leased("203.0.113.1")
    redis.execute("FLUSHALL")
    begun = time.monotonic()
    lab.wait_for(lambda: len(redis.execute("KEYS", "relaypass:lease:*")) == 2,
                 "both tell all again")
    assert time.monotonic() - begun < 5
    with nodes(redis, 1) as more:
        joined = more[0].start()
        joined.wait_leased("203.0.113.1")
        joined.wait_leased("203.0.113.2")
    one.login("203.0.113.3")
    two.wait_leased("203.0.113.3")


def answers_at_once(node, address):
    begun = time.monotonic()
    verdict = node.check(address)
    assert time.monotonic() - begun < 0.5
    return verdict.startswith("allow ")


@pytest.mark.parametrize("trouble", ["pause", "kill"])
def test_an_outage_holds_up_nobody(pair, redis, trouble):
    one, two = pair
    one.login("203.0.113.1")
    two.wait_leased("203.0.113.1")
    getattr(redis, trouble)()
    try:
        one.login("203.0.113.2")
        one.wait_leased("203.0.113.2")
        for node in pair:
            lab.wait_for(lambda: node.errors().count("database=lost") == 2,
                         "the source and the export say so")
            assert answers_at_once(node, "203.0.113.1")
    finally:
        redis.resume() if trouble == "pause" else redis.start()
    begun = time.monotonic()
    two.wait_leased("203.0.113.2")
    assert time.monotonic() - begun < 5
    for node in pair:
        node.wait(lambda: node.errors().count("database=back") == 2,
                  "both are back")
        # One line each way.
        assert node.errors().count("database=lost") == 2


def test_a_node_that_is_killed_comes_back(pair):
    one, two = pair
    one.login("203.0.113.1")
    two.wait_leased("203.0.113.1")
    for pid in two.everybody():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    two.process.wait()
    one.login("203.0.113.2")
    two.start()
    two.wait_leased("203.0.113.1")
    two.wait_leased("203.0.113.2")


def test_write_access_is_not_a_grant(pair, redis):
    one, two = pair
    one.login("203.0.113.1")
    two.wait_leased("203.0.113.1")
    entry = redis.execute("XRANGE", "relaypass:changes", "-", "+")[0][1][1]
    bad = [entry.replace("203.0.113.1", "203.0.113.66"), "x", "",
           entry.replace("key=k1", "key=k2")]
    for record in bad:
        redis.execute("XADD", "relaypass:changes", "*", "r", record)
    redis.execute("XADD", "relaypass:changes", "*", "s", entry)
    redis.execute("XADD", "relaypass:changes", "*", "r", entry, "r", entry)
    for number, record in enumerate(bad):
        redis.execute("SET",
                      f"relaypass:lease:0123456789abcdef:{number:032x}",
                      record, "PX", "100000")
    one.login("203.0.113.2")
    two.wait_leased("203.0.113.2")
    with nodes(redis, 1) as more:
        joined = more[0].start()
        joined.wait_leased("203.0.113.2")
        for node in (two, joined):
            assert not node.leased("203.0.113.66")
            for reason in ("forged", "malformed", "unknown-key"):
                node.wait_error(f"reason={reason}")


def test_the_documented_rights_are_enough(redis):
    code, text = told(redis)
    assert code == 0, text
    assert "redis" not in text


def documented(who):
    """The rights of one who only `who`s, as docs/sources/redis.md says."""
    text = (lab.TREE / "docs/sources/redis.md").read_text(encoding="utf-8")
    text = " ".join(text.split())
    return re.search(f"only {who} needs `([^`]*)`", text).group(1).split() \
        if who == "tells" else \
        re.search(f"only {who} `([^`]*)`", text).group(1).split()


def test_who_only_tells_or_hears_needs_less(redis):
    for user, who in (("teller", "tells"), ("hearer", "hears")):
        redis.execute("ACL", "SETUSER", user, "on", f">{PASSWORD}",
                      "~relaypass:*", "resetchannels", "-@all",
                      *documented(who))
    # Without `wait-replicas`: WAIT is not asked for.
    with nodes(redis, 1, user="teller", words=("export",)) as (one,), \
            nodes(redis, 1, user="hearer", words=("source",)) as (two,):
        for node in (one, two):
            assert node.test_configuration() == (0, "")
            node.start()
        one.login("203.0.113.1")
        two.wait_leased("203.0.113.1")


def test_a_start_tells_what_is_missing(redis):
    code, text = told(redis, password="wrong")
    assert code == 100
    assert "WRONGPASS" in text
    assert "see user, password-file" in text
    code, text = told(redis, more="tls = yes")
    assert code == 100
    assert "ca" in text
    code, text = told(redis, more='tls = yes ca = "/etc/ssl/ca.pem"')
    assert code == 100
    assert ("/etc/ssl/ca.pem: " if knows_tls() else "hiredis") in text
    code, text = told(redis, keys="k1 short\n")
    assert code == 100
    assert "32 characters" in text


@pytest.mark.parametrize("right, word", [
    ("xadd", "export"), ("set", "export"), ("get", "export"),
    ("del", "export"), ("role", "export"), ("role", "source"),
    ("time", "source"), ("xread", "source"), ("xrange", "source"),
    ("xrevrange", "source"), ("scan", "source"), ("mget", "source"),
    ("pttl", "source")])
def test_a_right_that_is_missing_is_named(redis, right, word):
    redis.execute("ACL", "SETUSER", "relaypass", f"-{right}")
    try:
        code, text = told(redis, words=(word,))
        assert code == 100
        assert GRANT.format(f"+{right}") in text, text
    finally:
        redis.execute("ACL", "SETUSER", "relaypass", f"+{right}")
    assert told(redis, words=(word,))[0] == 0


def test_keys_that_are_missing_are_named(redis):
    code, text = told(redis, more='key = "other"')
    assert code == 100
    assert GRANT.format("'~other:*'") in text


def test_a_server_that_may_drop_keys_is_told(redis):
    redis.execute("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    try:
        with nodes(redis, 1) as (node,):
            assert node.test_configuration()[0] == 0
            node.start()
            node.wait_error("CONFIG SET maxmemory-policy noeviction")
    finally:
        redis.execute("CONFIG", "SET", "maxmemory-policy", "noeviction")


# --- other servers -----------------------------------------------------------


def test_a_server_is_found_by_name_and_past_one_that_is_away(redis):
    away = databases.free_port()
    places = f'127.0.0.1:{away}", "localhost:{redis.port}'
    with started(redis, 2, address=places) as (one, two):
        one.login("203.0.113.1")
        two.wait_leased("203.0.113.1")
        assert "database=lost" in one.errors()


def test_ipv6_and_a_password_without_user():
    with databases.running(databases.Redis, host="::1", password=PASSWORD,
                           port=databases.free_port()) as redis, \
            started(redis, 2, address=f"[::1]:{redis.port}",
                    user="") as (one, two):
        one.login("203.0.113.1")
        two.wait_leased("203.0.113.1")


def test_replicas_that_are_waited_for():
    with databases.running(databases.Redis) as master, \
            started(master, 2, user="", password=None,
                    only_export="wait-replicas = 1") as (one, two):
        one.login("203.0.113.1")
        # What is there is used, but the next has to wait.
        two.wait_leased("203.0.113.1")
        one.login("203.0.113.2")
        one.wait_leased("203.0.113.2")
        assert still(lambda: two.check("203.0.113.2")) == "none"
        with databases.Redis(replica_of=master):
            two.wait_leased("203.0.113.2")


def test_replicas_are_waited_for_while_the_server_loses_all():
    wanted = addresses(1000)
    with databases.running(databases.Redis) as master, \
            started(master, 1, user="", password=None,
                    only_export="wait-replicas = 1") as (one,):
        wait_connected(master, [one])
        for address in wanted:
            one.login(address)
        one.wait_leased(wanted[-1])
        lab.wait_for(lambda: master.execute("KEYS", "relaypass:lease:*"),
                     "the first is told")
        # What waits for replicas is given up and told again.
        for times in (1, 2):
            master.execute("FLUSHALL")
            one.wait(lambda: one.errors().count("state=anew") == times,
                     "it is seen", 10)
            lab.wait_for(lambda: master.execute("KEYS", "relaypass:lease:*"),
                         "it is told again")
        with databases.Redis(replica_of=master):
            lab.wait_for(
                lambda: len(master.execute("KEYS", "relaypass:lease:*")) ==
                len(wanted), "all is told")
            one.login("203.0.113.1")
            lab.wait_for(
                lambda: len(master.execute("KEYS", "relaypass:lease:*")) ==
                len(wanted) + 1, "and what comes then")
        assert "died" not in one.errors()


def test_sentinels_tell_where_the_master_is():
    with watched() as (master, replica, sentinel):
        places = f'127.0.0.1:{databases.free_port()}", "{sentinel.address}'
        with started(master, 2, user="", password=None, place="sentinels",
                     address=places) as (one, two):
            one.login("203.0.113.1")
            two.wait_leased("203.0.113.1")
            master.kill()
            one.login("203.0.113.2")
            # It resets its connections when it becomes one.
            lab.wait_for(databases.unless_away(
                lambda: replica.role() == "master"), "a new master")
            begun = time.monotonic()
            two.wait_leased("203.0.113.2")
            assert time.monotonic() - begun < 5
            two.wait_error(f"database=back server={replica.address}")


def test_ports_that_are_mixed_up_are_told():
    with watched() as (master, _, sentinel):
        for place, server, says in (
                ("servers", sentinel, "this is a Sentinel's port: name it "
                 "in sentinels, not in servers"),
                ("sentinels", master, "'mymaster' ; is this a Redis server "
                 "and no Sentinel?")):
            code, text = told(server, user="", password=None, place=place)
            assert (code, says in text) == (100, True), text


class Oracle:
    """A mock of a Sentinel: names the server that it is told to."""

    def __init__(self, server):
        self.server = server
        oracle = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                while asked := self.request.recv(1 << 16):
                    assert b"mymaster" in asked
                    port = str(oracle.server.port)
                    self.request.sendall(
                        f"*2\r\n$9\r\n127.0.0.1\r\n${len(port)}\r\n{port}\r\n"
                        .encode())

        self.tcp = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.tcp.daemon_threads = True
        self.address = f"127.0.0.1:{self.tcp.server_address[1]}"
        self.thread = threading.Thread(target=self.tcp.serve_forever)
        self.thread.start()

    def close(self):
        self.tcp.shutdown()
        self.thread.join()
        self.tcp.server_close()


def test_an_old_master_that_still_serves_is_left():
    with databases.running(databases.Redis) as old, \
            databases.Redis() as new, \
            contextlib.closing(Oracle(old)) as oracle, \
            started(old, 2, user="", password=None, place="sentinels",
                    address=oracle.address) as (one, two):
        one.login("203.0.113.1")
        two.wait_leased("203.0.113.1")
        oracle.server = new
        begun = time.monotonic()
        lab.wait_for(lambda: new.execute("KEYS", "relaypass:lease:*"),
                     "all is told to the new one")
        assert time.monotonic() - begun < 5
        one.login("203.0.113.2")
        two.wait_leased("203.0.113.2")


def test_a_master_that_becomes_a_replica_is_left(redis):
    with databases.running(databases.Redis) as other:
        places = f'{redis.address}", "{other.address}'
        with started(redis, 2, address=places, user="relaypass") as (one, two):
            other.execute("ACL", "SETUSER", "relaypass", "on",
                          f">{PASSWORD}", *RIGHTS.split())
            one.login("203.0.113.1")
            two.wait_leased("203.0.113.1")
            redis.execute("REPLICAOF", "127.0.0.1", other.port)
            try:
                one.login("203.0.113.2")
                two.wait_leased("203.0.113.2")
                two.wait_error(f"database=back server={other.address}")
            finally:
                redis.execute("REPLICAOF", "NO", "ONE")


# --- servers that are none ---------------------------------------------------


class Liar:
    """Says that it is a master, and then `words` to everything."""

    def __init__(self, words, again=False):
        self.words, self.again, self.asked = words, again, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.done = False
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        threads = []
        while True:
            client, _ = self.listener.accept()
            if self.done:
                client.close()
                break
            threads.append(threading.Thread(target=self.serve,
                                            args=(client,)))
            threads[-1].start()
        for thread in threads:
            thread.join()

    def serve(self, client):
        with client, contextlib.suppress(OSError):
            client.settimeout(10)
            while not self.done:
                asked = client.recv(1 << 16)
                if not asked:
                    return
                if b"AUTH" in asked:
                    client.sendall(b"+OK\r\n")
                if b"ROLE" in asked:
                    client.sendall(b"*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n")
                else:
                    self.asked += 1
                    client.sendall(self.words)
                    while self.again and not self.done:
                        client.sendall(self.words)

    def close(self):
        self.done = True
        host, port = self.address.split(":")
        socket.create_connection((host, int(port))).close()
        self.thread.join()
        self.listener.close()


LIES = {
    "large bulk": (b"$2000000000\r\n" + b"x" * (1 << 20), True),
    "large array": (b"*100000000\r\n" + b":1\r\n" * 1000, True),
    "deep": (b"*1\r\n" * 100000, True),
    "many": (b"*2\r\n$1\r\n0\r\n*120000\r\n" + b"$2\r\nxy\r\n" * 1000, True),
    "rubbish": (b"HTTP/1.1 400 Bad Request\r\n\r\n", False),
    "wrong types": (b"*-1\r\n", True),
    "numbers": (b":9223372036854775807\r\n", True),
    "nothing": (b"", False),
    "same entry": (b"*1\r\n*2\r\n$17\r\nrelaypass:changes\r\n*1\r\n*2\r\n"
                   b"$3\r\n0-0\r\n*2\r\n$1\r\nr\r\n$1\r\nx\r\n", True),
}


# A sanitizer keeps what was freed for a while.
MOST = (600 if b"__asan_" in pathlib.Path(
    lab.program("relaypassd-testclock")).read_bytes() else 120) * 1024


def memory(pid):
    """KiB that it holds."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text(
            encoding="ascii").splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    return 0


@pytest.mark.parametrize("lie", LIES)
def test_a_liar_eats_neither_memory_nor_time(lie):
    server = Liar(*LIES[lie])
    try:
        with started(server, 1) as (node,):
            node.login("203.0.113.1")
            node.wait_leased("203.0.113.1")
            lab.wait_for(lambda: node.errors().count("database=lost") >= 2,
                         "both have left it")
            enough = server.asked + 2

            def looked_at():
                for name, pid in node.children().items():
                    if name.startswith("connector"):
                        assert memory(pid) < MOST
                assert answers_at_once(node, "203.0.113.1")
                return server.asked >= enough
            lab.wait_for(looked_at, "it is asked again and again")
            assert "died" not in node.errors()
    finally:
        server.close()
