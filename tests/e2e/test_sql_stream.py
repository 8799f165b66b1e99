# SPDX-License-Identifier: ISC
"""Leases between nodes through a table of a real PostgreSQL (kind sql-stream):
three relaypassd with a directory each."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

import databases
import lab
import nodes1
from databases import make_postgresql  # noqa: F401 (a fixture)
from nodes1 import addresses

TABLE = "relaypass_stream"
MORE = """
source other-nodes {{
	kind = "sql-stream"
	engine = "postgresql"
	host = "{host}"
	port = {port}
	database = "relaypass"
	user = "{user}"
	password-file = "{dir}/password"
	keys = "{dir}/nodes.keys"
	timeout = "2s"
	{table}
	{create}
}}
export to-nodes {{
	kind = "sql-stream"
	engine = "postgresql"
	host = "{host}"
	port = {port}
	database = "relaypass"
	user = "{user}"
	password-file = "{dir}/password"
	keys = "{dir}/nodes.keys"
	timeout = "2s"
	{table}
	{create}
}}
"""


class Node(nodes1.Node):
    def __init__(self, where, server, user="relaypass", table="", create="",
                 keys=nodes1.KEYS):
        super().__init__(where, MORE.format(
            dir=where, host=server.host, port=server.port, user=user,
            table=table, create=create), databases.USERS[user], keys)


def nodes(server, count, **kwargs):
    return nodes1.made(count, lambda where: Node(where, server, **kwargs))


def create(server):
    server.execute(f"DROP TABLE IF EXISTS {TABLE}")
    server.execute(
        f"CREATE TABLE {TABLE} (id bigserial PRIMARY KEY, node text NOT NULL,"
        "record text NOT NULL, written timestamptz NOT NULL DEFAULT "
        "clock_timestamp())", user="owner")


@pytest.fixture(name="three")
def make_three(postgresql):
    create(postgresql)
    with nodes(postgresql, 3) as made:
        for node in made:
            node.start()
        yield made


def test_a_login_at_one_is_a_lease_at_the_others(three):
    one, two, last = three
    one.login("203.0.113.1")
    for node in three:
        node.wait_leased("203.0.113.1")
    two.login("2001:db8::7")
    for node in three:
        node.wait_leased("2001:db8::7")
    begun = time.monotonic()
    last.login("203.0.113.3")
    one.wait_leased("203.0.113.3")
    two.wait_leased("203.0.113.3")
    assert time.monotonic() - begun < 1


def test_a_revocation_holds_at_all_nodes(three):
    one, two, last = three
    one.login("203.0.113.1", user="anna")
    one.login("203.0.113.2", user="bert")
    for node in three:
        node.wait_leased("203.0.113.1")
        node.wait_leased("203.0.113.2")
    two.relaypass("revoke", "203.0.113.1")
    for node in three:
        node.wait_none("203.0.113.1")
    last.relaypass("revoke", "--user", "bert")
    for node in three:
        node.wait_none("203.0.113.2")
    # A late login does not bring it back anywhere.
    one.login("203.0.113.1", user="anna")
    one.login("203.0.113.3", user="carl")
    for node in three:
        node.wait_leased("203.0.113.3")
        assert node.check("203.0.113.1") == "none"


def test_nothing_goes_back(three, postgresql):
    one, two, _ = three
    for i, address in enumerate(addresses(200)):
        (one, two)[i % 2].login(address, user=f"user{i}")
    for node in three:
        for address in addresses(200):
            node.wait_leased(address)
    rows = postgresql.execute(
        f"SELECT node, count(*) FROM {TABLE} WHERE id > 0 GROUP BY node")
    assert sorted(int(count) for _, count in rows) == [100, 100], rows


def test_a_node_that_joins_or_was_away_learns_all(three, postgresql):
    one, two, _ = three
    two.stop()
    for address in addresses(1500):
        one.login(address)
    one.relaypass("revoke", addresses(1500)[7])
    with nodes(postgresql, 1) as (late,):
        for node in (two, late):
            node.start()
        for node in (two, late):
            for i, address in enumerate(addresses(1500)):
                if i == 7:
                    node.wait_none(address)
                else:
                    node.wait_leased(address)


def test_a_database_that_stops_stands_in_nobodys_way(three, postgresql):
    one, two, _ = three
    one.login("203.0.113.1")
    two.wait_leased("203.0.113.1")
    lost = 0
    for stop, go in ((postgresql.stop, postgresql.start),
                     (postgresql.kill, postgresql.start),
                     (postgresql.pause, postgresql.resume)):
        name = stop.__name__
        stop()
        for address in addresses(300, 110):
            one.login(address, user=name)
        one.wait_leased(addresses(300, 110)[-1])
        lost += 2
        for node in three:
            lab.wait_for(lambda n=node: n.errors().count("database=lost")
                         == lost, "it is lost")
        assert two.leased("203.0.113.1")
        go()
        for address in addresses(300, 110):
            two.wait_leased(address)
        for node in three:
            # One line each way, of source and export.
            lab.wait_for(lambda n=node: n.errors().count("database=back")
                         == lost, "it is back")
        two.login("203.0.113.9", user=name)
        one.wait_leased("203.0.113.9")
        for node in three:
            node.relaypass("revoke", "--now-only", "--user", name)
            node.wait_none("203.0.113.9")
    for node in three:
        assert node.errors().count("database=lost") == lost


@pytest.mark.parametrize("how", ["TRUNCATE {0}", "TRUNCATE {0} RESTART IDENTITY",
                                 "DELETE FROM {0}"])
def test_a_table_that_was_emptied_is_filled_again(three, postgresql, how):
    one, two, last = three
    one.login("203.0.113.1")
    last.wait_leased("203.0.113.1")
    # These rows nobody has read when they go.
    for node in (two, last):
        node.stop()
    one.login("203.0.113.2")
    one.wait_leased("203.0.113.2")
    lab.wait_for(lambda: postgresql.execute(
        f"SELECT 1 FROM {TABLE} WHERE id > 1"), "the second row")
    postgresql.execute(how.format(TABLE), user="owner")
    two.start()
    last.start()
    for node in (two, last):
        node.wait_leased("203.0.113.2")
    two.login("203.0.113.3")
    one.wait_leased("203.0.113.3")


def test_an_old_dump_loses_nothing(three, postgresql):
    one, two, last = three
    for address in addresses(20):
        one.login(address)
    for address in addresses(20):
        last.wait_leased(address)
    dump = postgresql.run(
        ["pg_dump", "-U", postgresql.superuser, "-h", postgresql.socket, "-p",
         postgresql.port, "-t", TABLE, "--clean", "relaypass"], "").stdout
    last.stop()
    for address in addresses(40, 120):
        one.login(address, user="anna")
        two.login(address, user="bert")
    for address in addresses(40, 120):
        two.wait_leased(address)
    # Other rows get the ids that were read already.
    postgresql.execute("BEGIN;" + dump + "COMMIT;")
    two.login("203.0.113.3")
    one.wait_leased("203.0.113.3")
    for node in (one, two):
        node.wait_error("state=anew")
    last.start()
    for address in [*addresses(20), *addresses(40, 120), "203.0.113.3"]:
        last.wait_leased(address)


def test_a_row_that_is_committed_late_is_found(three, postgresql):
    """Written by hand, as a node whose connection hangs would."""
    one, two, _ = three
    one.login("203.0.113.1")
    two.wait_leased("203.0.113.1")
    [[record]] = postgresql.execute(
        f"SELECT record FROM {TABLE} WHERE record LIKE '%203.0.113.1 %'")
    postgresql.execute(f"TRUNCATE {TABLE}", user="owner")
    one.relaypass("revoke", "--now-only", "203.0.113.1")
    two.relaypass("revoke", "--now-only", "203.0.113.1")
    two.wait_none("203.0.113.1")
    with postgresql_session(postgresql) as late:
        late.send(f"BEGIN; INSERT INTO {TABLE} (node, record) "
                  f"VALUES ('late', '{record}');\n")
        late.wait("INSERT 0 1")
        for address in addresses(3):
            one.login(address)
            two.wait_leased(address)
        assert two.check("203.0.113.1") == "none"
        late.send("COMMIT;\n")
        late.wait("COMMIT")
        two.wait_leased("203.0.113.1")


class Session:
    def __init__(self, server):
        self.popen = subprocess.Popen(
            ["psql", "-X", "-a", "-U", server.superuser, "-h", str(server.socket),
             "-p", str(server.port), "-d", "relaypass"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8",
            bufsize=1)

    def send(self, text):
        self.popen.stdin.write(text)
        self.popen.stdin.flush()

    def wait(self, text):
        for line in self.popen.stdout:
            if line.strip() == text:
                return
        raise AssertionError(text)


@contextlib.contextmanager
def postgresql_session(server):
    session = Session(server)
    try:
        yield session
    finally:
        session.popen.stdin.close()
        session.popen.wait(lab.LIMIT)
        session.popen.stdout.close()


def test_rows_that_are_not_signed_give_nothing(three, postgresql):
    one, two, _ = three
    one.login("203.0.113.1")
    two.wait_leased("203.0.113.1")
    [[record]] = postgresql.execute(
        f"SELECT record FROM {TABLE} WHERE record LIKE '%203.0.113.1 %'")
    bad = [record.replace("203.0.113.1 ", "203.0.113.66 "),
           record.replace("key=k1", "key=k9").replace(".1 ", ".66 "),
           "1 lease address=203.0.113.66", "", "x" * 5000, "mark 1 2"]
    for text in bad:
        postgresql.execute(
            f"INSERT INTO {TABLE} (node, record) VALUES ('x', '{text}')")
    two.login("203.0.113.2")
    one.wait_leased("203.0.113.2")
    for node in three:
        assert node.check("203.0.113.66") == "none"
        node.wait_error("reason=forged")
        # Who it says it is, and for a while in `status`.
        node_id = record.split(" node=")[1].split()[0]
        assert f"reason=forged count=1 peer={node_id}" in node.errors()
        lab.wait_for(lambda at=node: "of other nodes refused" in
                     trouble(at), "the status")


def trouble(node):
    return node.trouble("source", "other-nodes")


def change_keys(node, keys):
    (node.where / "nodes.keys").write_text(keys, encoding="ascii")
    node.process.signal(signal.SIGHUP)
    node.wait_error("answerers=kept")


def test_a_key_that_is_replaced_at_once(three):
    """Each node hears again what it refused, as soon as it has the key."""
    other = "k2 fedcba9876543210fedcba9876543210fedcba9876\n"
    one, two, last = three
    for i, node in enumerate(three):
        node.login(f"198.51.100.{i + 1}")
    for i, node in enumerate(three):
        node.wait_leased(f"198.51.100.{len(three) - i}")
    change_keys(one, other)
    one.login("203.0.113.1")
    for node in (two, last):
        node.wait_error("reason=unknown-key")
        lab.wait_for(lambda at=node: "key k2 is not in this machine's keys "
                     "file" in trouble(at), "the status")
    two.login("203.0.113.2")
    last.wait_leased("203.0.113.2")
    one.wait_error("reason=unknown-key")
    assert not one.leased("203.0.113.2") and not two.leased("203.0.113.1")
    change_keys(two, other)
    for node in (one, two):
        node.wait_leased("203.0.113.1")
        node.wait_leased("203.0.113.2")
    assert not last.leased("203.0.113.1")
    change_keys(last, other)
    last.wait_leased("203.0.113.1")
    last.login("203.0.113.3")
    for node in three:
        node.wait_leased("203.0.113.3")
        assert node.errors().count("keys file has a new key") == 1
    # Once: the next start goes on where it was.
    one.stop()
    one.start()
    one.wait_leased("203.0.113.3")
    lab.wait_for(lambda: not trouble(one), "in step")
    assert one.errors().count("keys file has a new key") == 1


@pytest.mark.parametrize("minutes", [-7, 7])
def test_a_clock_that_differs_is_told(three, minutes):
    one = three[0]
    text = (f"this machine's clock is 7 min "
            f"{'ahead of' if minutes > 0 else 'behind'} PostgreSQL's")
    one.login("203.0.113.1")
    one.wait_leased("203.0.113.1")
    one.clock.set(minutes * 60 * 1000, 0)
    lab.wait_for(lambda: text in trouble(one), text)
    one.clock.set(0)
    lab.wait_for(lambda: text not in trouble(one), "it is over")
    assert one.errors().count(text) == 1
    assert one.errors().count("clock=database state=good") == 1


def test_a_node_that_dies_goes_on_where_it_was(three):
    one, two, _ = three
    for i, address in enumerate(addresses(600)):
        if i % 200 == 100:
            for role in ("connector other-nodes", "connector to-nodes"):
                pid = two.children().get(role)
                with contextlib.suppress(ProcessLookupError, TypeError):
                    os.kill(pid, signal.SIGKILL)
        (one, two)[i % 2].login(address)
    for node in three:
        for address in addresses(600):
            node.wait_leased(address, limit=40)


# --- what is refused at start ------------------------------------------------

def refused(server, **kwargs):
    """What relaypassd says when it does not start."""
    with nodes(server, 1, **kwargs) as (node,):
        done = subprocess.run(node.argv(), check=False, encoding="utf-8",
                              stdout=subprocess.PIPE, timeout=lab.LIMIT,
                              stderr=subprocess.STDOUT)
        assert done.returncode == 100, done.stdout
        return done.stdout


def test_a_wrong_table_is_refused_with_the_statement(postgresql):
    postgresql.execute(f"DROP TABLE IF EXISTS {TABLE}")
    assert "CREATE TABLE IF NOT EXISTS" in refused(postgresql)
    postgresql.execute(f"CREATE TABLE {TABLE} (id bigserial, node text, record "
                       "text, written timestamp)", user="owner")
    assert "ALTER COLUMN written TYPE timestamptz;" in refused(postgresql)
    postgresql.execute(f"ALTER TABLE {TABLE} ALTER COLUMN written TYPE "
                       "timestamptz;", user="owner")
    assert "ADD PRIMARY KEY (id);" in refused(postgresql)
    postgresql.execute(f"ALTER TABLE {TABLE} ADD PRIMARY KEY (id)", user="owner")
    said = refused(postgresql, user="reader")
    assert f'GRANT SELECT, INSERT, UPDATE, DELETE ON "{TABLE}" TO reader;' in said, said
    create(postgresql)
    postgresql.execute(
        f"REVOKE USAGE ON SEQUENCE {TABLE}_id_seq FROM relaypass", user="owner")
    assert f"GRANT USAGE ON SEQUENCE public.{TABLE}_id_seq TO" in \
        refused(postgresql)
    assert "keys" in refused(postgresql, keys="short\n")
    assert "engine" in refused(postgresql, table='engine = "sqlite"')


def test_the_table_is_made_on_request(postgresql):
    postgresql.execute(f"DROP TABLE IF EXISTS {TABLE}")
    postgresql.execute("GRANT CREATE, USAGE ON SCHEMA public TO relaypass")
    try:
        with nodes(postgresql, 2, create="create-table = yes") as (one, two):
            one.start()
            lab.wait_for(lambda: postgresql.execute(
                f"SELECT to_regclass('{TABLE}')") != [[None]], "the table")
            two.start()
            one.login("203.0.113.1")
            two.wait_leased("203.0.113.1")
    finally:
        postgresql.execute(f"DROP TABLE IF EXISTS {TABLE};"
                           "REVOKE CREATE ON SCHEMA public FROM relaypass")


def node_of(server, address):
    """Who wrote it."""
    [[node]] = server.execute(
        f"SELECT DISTINCT node FROM {TABLE} WHERE record LIKE '% address={address} %'")
    return node


def count(server, where):
    [[n]] = server.execute(f"SELECT count(*) FROM {TABLE} WHERE {where}")
    return int(n)


def test_old_rows_are_removed_by_who_wrote_them(three, postgresql):
    one, two, last = three
    one.login("203.0.113.1")
    two.login("203.0.113.2", user="bert")
    last.wait_leased("203.0.113.1")
    last.wait_leased("203.0.113.2")
    name = node_of(postgresql, "203.0.113.1")
    lease = "1 lease address=203.0.113.7 issued='||{}||' time=1 end=2 key=k1"
    now, old = ("(extract(epoch FROM now())*1000)::bigint", "86400000")
    for node, issued, interval, rows in (
            (name, old, "2 hours", 25000),
            (name, now, "2 hours", 1),        # by the database's clock only
            (name, old, "2 minutes", 1),      # by the node's only
            ("another", old, "6 days", 1),    # it may have another ttl
            ("another", now, "8 days", 1),
            ("another", old, "8 days", 12000)):
        postgresql.execute(
            f"INSERT INTO {TABLE} (node, record, written) SELECT '{node}', "
            f"'{lease.format(issued)}', now() - interval '{interval}' "
            f"FROM generate_series(1, {rows})")
    postgresql.execute(f"INSERT INTO {TABLE} VALUES (-7, 'another', 'mark 1 1', "
                       "now() - interval '6 days')")
    left = "record LIKE '% address=203.0.113.7 %'"
    # A node that writes now and then, and looks every ten seconds.
    for node in three:
        node.clock.advance(10 * 1000)
    lab.wait_for(lambda: count(postgresql, f"{left} AND node <> 'another'") == 2,
                 "the old rows are gone")
    assert count(postgresql, f"{left} AND node = 'another'") == 12002
    # One that has written nothing for long.
    postgresql.execute(
        f"UPDATE {TABLE} SET written = now() - interval '8 days' WHERE id = -7")
    for node in three:
        node.stop()
        node.start()
    lab.wait_for(lambda: count(postgresql, f"{left} AND node = 'another'") == 2,
                 "those of a node that is gone")
    assert count(postgresql, "node = 'another' AND id < 0") == 0
    for node in three:
        assert "state=anew" not in node.errors()
        assert node.leased("203.0.113.1") and node.leased("203.0.113.2")


def test_a_revocation_is_kept_until_its_end(three, postgresql):
    """However long ago it was said, and whoever joins then."""
    one, two, last = three
    last.stop()
    one.login("203.0.113.1", user="anna")
    two.wait_leased("203.0.113.1")
    one.relaypass("revoke", "--for", "7d", "--user", "anna")
    one.relaypass("revoke", "--for", "7d", "203.0.113.9")
    two.wait_none("203.0.113.1")
    assert count(postgresql, "record LIKE '1 revoke %'") == 2
    postgresql.execute(
        f"UPDATE {TABLE} SET written = written - interval '3 hours' WHERE id > 0")
    two.login("203.0.113.2", user="bert")
    # Two that are over: by now, and with a day more.
    node = node_of(postgresql, "203.0.113.1")
    for end in ("86400000", "'||(extract(epoch FROM now())*1000-3e6)::bigint||'"):
        postgresql.execute(
            f"INSERT INTO {TABLE} (node, record, written) VALUES ('{node}', "
            f"'1 revoke address=any user=carl issued=1 time=1 end={end} key=k1', "
            "now() - interval '2 hours')")
    one.clock.advance(10 * 1000)
    lab.wait_for(lambda: count(postgresql, "record LIKE '% user=carl %'") == 1,
                 "the one long over is gone")
    assert count(postgresql, "record LIKE '1 revoke %'") == 3
    with nodes(postgresql, 1) as (late,):
        for node in (last, late):
            node.start()
            node.wait_leased("203.0.113.2")
            node.login("203.0.113.3", user="anna")
            node.login("203.0.113.4", user="dora")
            node.wait_leased("203.0.113.4")
            assert node.check("203.0.113.3") == "none"


def test_a_table_that_changes_at_each_look_is_read_now_and_then(
        three, postgresql):
    one, two, _ = three
    one.login("203.0.113.1")
    two.wait_leased("203.0.113.1")
    postgresql.execute(f"INSERT INTO {TABLE} (node, record) SELECT 'x', 'x' "
                       "FROM generate_series(1, 2000)")
    postgresql.execute(
        f"ALTER TABLE {TABLE} RENAME TO kept; CREATE VIEW {TABLE} AS SELECT id, "
        "node, record, clock_timestamp() AS written FROM kept;"
        f"GRANT SELECT ON {TABLE} TO relaypass")
    try:
        lab.wait_for(lambda: "another at each look" in
                     two.relaypass("status"), "the status")
        for node in (one, two):
            assert 1 <= node.errors().count("another row has the id") < 8
    finally:
        postgresql.execute(f"DROP VIEW {TABLE}; ALTER TABLE kept RENAME TO {TABLE}")
    one.login("203.0.113.2")
    two.wait_leased("203.0.113.2", limit=30)


class Proxy:
    """Before a database: what a statement says may become something else of
    its length."""

    def __init__(self, server):
        self.server, self.old, self.new = server, b"", b""
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.host, self.port = self.listener.getsockname()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                near = self.listener.accept()[0]
                far = socket.create_connection(
                    (self.server.host, self.server.port))
                for ends in ((near, far), (far, near)):
                    threading.Thread(target=self.carry, args=ends,
                                     daemon=True).start()

    def carry(self, source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                sink.sendall(data.replace(self.old, self.new)
                             if self.old else data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)


def test_an_answer_without_rows_is_asked_for_again(postgresql):
    """As no PostgreSQL gives it."""
    create(postgresql)
    proxy = Proxy(postgresql)
    with proxy.listener, nodes(proxy, 1) as (one,), \
            nodes(postgresql, 1) as (two,):
        one.start()
        two.start()
        two.login("203.0.113.1")
        one.wait_leased("203.0.113.1")
        proxy.new, proxy.old = b"LIMIT 0      ", b"ORDER BY r.id"
        two.login("203.0.113.2")
        one.wait_error('error="an answer without a row"')
        lab.wait_for(lambda: "an answer without a row" in
                     one.relaypass("status"), "the status")
        proxy.old = b""
        one.wait_leased("203.0.113.2")
        one.wait_error("state=good")
        assert "database=lost" not in one.errors()


@pytest.mark.parametrize("hours", [-2, 2])
def test_what_a_wrong_clock_passed_over_comes_when_it_is_mended(three, hours):
    one, two, _ = three
    one.login("203.0.113.1", user="bert")
    two.wait_leased("203.0.113.1")
    two.clock.set(hours * 3600 * 1000, 0)
    one.login("203.0.113.2")
    one.wait_leased("203.0.113.2")
    # Revocations count at any clock: behind this one it has read the login.
    one.relaypass("revoke", "203.0.113.9")
    two.wait_error("by-node")
    assert not two.leased("203.0.113.2")
    two.clock.set(0)
    two.wait_leased("203.0.113.2")
    assert two.errors().count("our own clock was set") == 1


TWICE = """
export once-more {{
	kind = "sql-stream"
	engine = "postgresql"
	host = "{host}"
	port = {port}
	database = "relaypass"
	user = "relaypass"
	password-file = "{dir}/password"
	keys = "{dir}/nodes.keys"
}}
"""


def test_two_exports_of_one_node_are_no_loss(postgresql):
    create(postgresql)
    with nodes(postgresql, 2) as (one, two):
        one.write((one.where / "relaypass.conf").read_text(encoding="utf-8") +
                  TWICE.format(dir=one.where, host=postgresql.host,
                               port=postgresql.port))
        one.start()
        two.start()
        for address in addresses(20):
            one.login(address)
            two.wait_leased(address)
        assert count(postgresql, "id < 0") == 3
        # A loss is told by each, and nothing was before it.
        postgresql.execute(f"DELETE FROM {TABLE} WHERE id < 0")
        one.wait(lambda: one.errors().count("state=anew") >= 2, "both tell")
        lab.wait_for(lambda: count(postgresql, "id < 0") == 3, "the marks")
        assert one.errors().count("state=anew") == 2


def test_who_joins_believes_no_lease_that_was_revoked(three, postgresql):
    """Not for a moment: revocations are read first."""
    one, two, last = three
    last.stop()
    for address in addresses(1200):
        one.login(address)
    two.wait_leased(addresses(1200)[-1])
    two.wait_leased(addresses(1200)[0])
    one.relaypass("revoke", addresses(1200)[0])
    one.relaypass("revoke", "--user", "anna")
    two.wait_none(addresses(1200)[-1])
    two.login("203.0.113.9", user="bert")
    one.wait_leased("203.0.113.9")
    last.start()
    last.wait_leased("203.0.113.9")
    assert "198.51." not in "".join(
        line for line in last.errors().splitlines() if "lease.grant" in line)
