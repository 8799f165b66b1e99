# SPDX-License-Identifier: ISC
"""What a start, `status` and the log say when something is wrong between a node
and its Redis server: the reason and what to do, once, for as long as it lasts
and no longer."""

import contextlib
import signal
import socketserver
import subprocess
import threading
import time

import pytest

import databases
import lab
from nodes1 import KEYS
from redis_site import (  # noqa: F401 (fixtures)
    PASSWORD, length, make_pair, make_redis, make_server, nodes, started,
    told, wait_connected, watched)

NEW_KEY = "k2 abcdefabcdefabcdefabcdefabcdefabcdefabcdef\n"


def stays(condition, seconds):
    """It is true all that time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert condition()
        time.sleep(0.05)


# --- one node, twice ---------------------------------------------------------


def test_a_copied_ledger_is_told(redis):
    with nodes(redis, 2, words=("export",)) as (one, copy), \
            started(redis, 1, words=("source",)) as (other,):
        one.start()
        one.login("203.0.113.1")
        other.wait_leased("203.0.113.1")
        one.stop()
        subprocess.run(["cp", "-a", one.where / "ledger", copy.where],
                       check=True)
        for node in (one, copy):
            node.start()
        for node in (one, copy):
            node.wait_trouble("export", "another relaypassd writes as this "
                              "node", "a copy of the other's ledger", "rm -r")
        # What both see goes on to who hears them.
        one.login("203.0.113.2")
        copy.login("203.0.113.3")
        other.wait_leased("203.0.113.2")
        other.wait_leased("203.0.113.3")
        stays(lambda: all("a copy of" in node.said("export")
                          for node in (one, copy)), 5)
        copy.stop()
        one.wait_no_trouble("export")
        for node in (one, copy):
            assert node.errors().count("a copy of") == 1
        assert one.errors().count("state=good") == 1


def test_two_exports_of_one_node_do_not_hinder_each_other(redis):
    with nodes(redis, 1) as (one,):
        more = one.settings["more"]
        section = more[more.index("export to-nodes"):]
        one.write(one.text(more=more + section.replace("to-nodes", "too")))
        one.start()
        one.login("203.0.113.1")
        lab.wait_for(lambda: length(redis) == 2, "both tell it")
        stays(lambda: one.said("export") == one.trouble("export", "too") == "",
              3)
        assert "state=anew" not in one.errors()


def test_a_server_that_loses_all_again_and_again_is_no_copied_ledger(pair,
                                                                     redis):
    one, two = pair
    one.login("203.0.113.1")
    two.wait_leased("203.0.113.1")
    for _ in range(4):
        redis.execute("FLUSHALL")
        lab.wait_for(lambda: redis.execute("KEYS", "relaypass:lease:*"),
                     "it is told again", 5)
    assert "a copy of" not in one.errors() + two.errors()


# --- servers that refuse -----------------------------------------------------


@contextlib.contextmanager
def network(address):
    """A network of its own with that address; the words that run a command in
    it."""
    with subprocess.Popen(
            ["unshare", "--net", "--", "sh", "-c",
             f"ip link set lo up && ip addr add {address}/32 dev lo && "
             "echo ready && exec sleep infinity"],
            stdout=subprocess.PIPE, encoding="ascii") as popen:
        try:
            assert popen.stdout.readline() == "ready\n"
            yield ["nsenter", "-t", str(popen.pid), "-n", "--"]
        finally:
            popen.kill()


@pytest.mark.namespaces
def test_protected_mode_is_told(redis):
    address = "192.0.2.1"
    settings = {"bind": f"127.0.0.1 {address}", "protected-mode": "yes"}
    with network(address) as prefix, \
            databases.running(databases.Redis, prefix=prefix,
                              settings=settings) as server, \
            databases.Sentinel(server, prefix=prefix,
                               settings=settings) as sentinel:
        for place, port, mends in (
                ("servers", server.port, "redis-cli CONFIG SET requirepass "
                 "SECRET, and the same in redis.conf"),
                ("sentinels", sentinel.port, "redis-cli -p 26379 CONFIG SET "
                 "requirepass SECRET")):
            code, text = told(redis, user="", password=None, place=place,
                              address=f"{address}:{port}", before=prefix)
            assert (code, mends in text) == (100, True), text
            assert "in protected mode" in text
        # And what it says does mend it.
        server.execute("CONFIG", "SET", "requirepass", PASSWORD)
        assert told(redis, user="", address=f"{address}:{server.port}",
                    before=prefix) == (0, "")


class Refuser:
    """A mock of a server: the same answer to everything."""

    def __init__(self, words):
        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                while self.request.recv(1 << 16):
                    self.request.sendall(f"-{words}\r\n".encode())

        self.tcp = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.tcp.daemon_threads = True
        self.address = f"127.0.0.1:{self.tcp.server_address[1]}"
        self.thread = threading.Thread(target=self.tcp.serve_forever)
        self.thread.start()

    def close(self):
        self.tcp.shutdown()
        self.thread.join()
        self.tcp.server_close()


@pytest.mark.parametrize("words, code, mends", [
    ("LOADING Redis is loading the dataset in memory", 0, ""),
    ("MASTERDOWN Link with MASTER is down", 0, ""),
    ("BUSY Redis is busy running a script.", 0, ""),
    ("NOAUTH Authentication required.", 100, "see user, password-file"),
    ("WRONGPASS invalid username-password pair", 100,
     "see user, password-file"),
    ("NOPERM this user has no permissions to run the 'role' command", 100,
     "redis-cli ACL SETUSER default +role"),
    ("DENIED Redis is running in protected mode because", 100,
     "CONFIG SET requirepass"),
])
def test_only_what_passes_by_lets_a_start_go_on(words, code, mends):
    with contextlib.closing(Refuser(words)) as server:
        away = databases.free_port()
        # Whatever is wrong with the others.
        for address in (server.address,
                        f'{server.address}", "127.0.0.1:{away}'):
            done, text = told(server, user="", password=None, address=address)
            assert (done, mends in text) == (code, True), text


def test_a_right_that_is_taken_away_is_told_once(pair, redis):
    one, two = pair
    one.login("203.0.113.1")
    two.wait_leased("203.0.113.1")
    redis.execute("ACL", "SETUSER", "relaypass", "-xadd", "-xread")
    try:
        one.login("203.0.113.2")
        one.wait_trouble("export", redis.address, "NOPERM", "xadd",
                         "relaypassd -t prints the command")
        two.wait_trouble("source", redis.address, "NOPERM", "xread",
                         "relaypassd -t prints the command")
        stays(lambda: "xadd" in one.said("export") and
              "xread" in two.said("source"), 4)
    finally:
        redis.execute("ACL", "SETUSER", "relaypass", "+xadd", "+xread")
    two.wait_leased("203.0.113.2")
    one.wait_no_trouble("export")
    two.wait_no_trouble("source")
    errors = one.errors()
    assert errors.count("export.error") == 1
    assert errors.count("state=good") == 1
    assert two.errors().count("source=other-nodes database=lost") == 1
    two.wait_error("source=other-nodes database=back")
    assert two.errors().count("source=other-nodes database=back") == 1


def test_replicas_that_are_missing_are_told(redis):
    with started(redis, 1, only_export="wait-replicas = 1") as (one,):
        wait_connected(redis, [one])
        one.login("203.0.113.1")
        one.wait_trouble("export", "0 of 1 replicas hold the last changes")
        assert one.errors().count("0 of 1 replicas") == 1
        with databases.Redis(replica_of=redis):
            one.wait_no_trouble("export")
        assert one.errors().count("state=good") == 1


# --- Sentinels with a password -----------------------------------------------


def test_sentinels_with_a_password(tmp_path):
    def option(text):
        file = tmp_path / f"sentinel-{len(text)}"
        file.write_text(text, encoding="ascii")
        file.chmod(0o600)
        return f'sentinel-password-file = "{file}"'

    with watched(password="sentinel-secret") as (master, _, sentinel):
        site = {"user": "", "password": None, "place": "sentinels",
                "address": sentinel.address}
        for more, says in ((option("wrong"), "WRONGPASS"), ("", "NOAUTH")):
            code, text = told(master, more=more, **site)
            assert (code, says in text) == (100, True), text
            assert "see sentinel-password-file" in text
        good = option("sentinel-secret\n")
        assert told(master, more=good, **site) == (0, "")
        with started(master, 2, more=good, **site) as (one, two):
            one.login("203.0.113.1")
            two.wait_leased("203.0.113.1")
            # The Sentinel that is asked each second wants it, too.
            sentinel.fail_over()
            one.login("203.0.113.2")
            two.wait_leased("203.0.113.2")


# --- clocks, keys ------------------------------------------------------------


@pytest.mark.parametrize("minutes, says", [(-20, "behind"), (20, "ahead of")])
def test_a_clock_that_is_wrong_is_told(pair, minutes, says):
    one, two = pair
    two.clock.set(minutes * 60 * 1000, 0)
    two.wait_trouble("source", f"this machine's clock is 20 min {says} the "
                     "Redis server's")
    stays(lambda: says in two.said("source"), 2)
    assert one.said("source") == ""
    two.clock.set(0)
    two.wait_no_trouble("source")
    errors = two.errors()
    assert errors.count("this machine's clock is") == 1
    assert errors.count("source=other-nodes clock=server state=good") == 1


def test_a_key_that_one_lacks_is_told_and_mended_by_one_reload(redis):
    """What was refused for want of the key is there when the key is."""
    with started(redis, 1, keys=NEW_KEY) as (one,), \
            started(redis, 1, keys=KEYS) as (two,):
        wait_connected(redis, [one, two])
        one.login("203.0.113.1")
        lab.wait_for(lambda: length(redis) == 1, "it is told")
        two.wait_trouble("source", "key")
        assert not two.leased("203.0.113.1")
        (two.where / "nodes.keys").write_text(KEYS + NEW_KEY,
                                              encoding="ascii")
        two.process.signal(signal.SIGHUP)
        two.wait_leased("203.0.113.1")
