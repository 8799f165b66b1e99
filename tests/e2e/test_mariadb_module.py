# SPDX-License-Identifier: ISC
"""What is special to MariaDB's module: how a password is shown to a server, how
strict a session is, what it gives up and what it keeps."""

import hashlib
import pathlib

import pytest

import databases
import hostile
import lab
import sql_shell
from databases import make_mariadb  # noqa: F401 (a fixture)

TIMEOUT = 1500  # ms
PASSWORD = databases.USERS["relaypass"]


@pytest.fixture(name="server", scope="module")
def make_server(request):
    if not sql_shell.module("mariadb").exists():
        pytest.skip("mariadb.so is not built")
    return request.getfixturevalue("mariadb")


def shell(server, environment=None, **changes):
    place = {"host": server.host, "port": server.port,
             "database": server.database, "user": "relaypass",
             "password": PASSWORD, "timeout": TIMEOUT, **changes}
    return sql_shell.Shell("mariadb", environment, **place)


def fake_shell(fake, **changes):
    return sql_shell.Shell("mariadb", **{
        **fake.place, "database": "relaypass", "user": "relaypass",
        "password": PASSWORD, "timeout": TIMEOUT, **changes})


@pytest.fixture(name="table")
def make_table(server):
    server.execute("""
CREATE TABLE lease (ip VARCHAR(15) PRIMARY KEY, n INTEGER);""", user="owner")
    yield server
    server.execute("DROP TABLE IF EXISTS lease", user="owner")


# --- who connects ---


def test_reads_no_option_file_and_no_environment(server, tmp_path):
    (tmp_path / ".my.cnf").write_text(
        f"[client]\npassword={PASSWORD}\nuser=relaypass\n"
        "[client-server]\nport=1\n", encoding="ascii")
    environment = {"HOME": str(tmp_path), "MYSQL_HOME": str(tmp_path),
                   "MYSQL_PWD": PASSWORD, "MYSQL_TCP_PORT": "1",
                   "MYSQL_UNIX_PORT": "/nonexistent", "MYSQL_HOST": "::1"}
    with shell(server, environment, password="") as sh:
        assert sh.fault("SELECT 1") == "login"
    with shell(server, environment) as sh:
        assert sh.works()


def test_by_the_unix_socket(server, tmp_path):
    with shell(server, host=server.socket, port=0) as sh:
        assert sh.works()
    # Its directory will do when it has the usual name.
    (tmp_path / "mysqld.sock").symlink_to(server.socket)
    with shell(server, host=tmp_path, port=0) as sh:
        assert sh.works()
    # As whom the kernel says.
    with shell(server, host=server.socket, user="", password="",
               database="mysql") as sh:
        assert sh.rows("SELECT SUBSTRING_INDEX(CURRENT_USER(), '@', 1)") == \
            [[server.superuser]]


def test_ed25519(server):
    server.execute("INSTALL SONAME 'auth_ed25519'")
    server.create_user("edward", "curve-secret",
                       "VIA ed25519 USING PASSWORD")
    server.execute("GRANT ALL ON relaypass.* TO 'edward'@'%'")
    with shell(server, user="edward", password="curve-secret") as sh:
        assert sh.works()
    with shell(server, user="edward", password="curve-wrong") as sh:
        assert sh.fault("SELECT 1") == "login"


def test_what_proves_a_password_is_loaded_early(server):
    """Before it connects: later nothing can be mapped executable."""
    with shell(server, port=databases.free_port()) as sh:
        assert sh.fault("SELECT 1") == "gone"
        maps = pathlib.Path(f"/proc/{sh.pid}/maps").read_text("utf-8")
    for name in ("client_ed25519", "caching_sha2_password", "dialog"):
        assert f"/{name}.so" in maps


def asks_for(plugin):
    def switch(talk, server, sock, number):
        return talk.prove(server, sock, plugin, number)
    return switch


@pytest.mark.parametrize("plugin", ["mysql_clear_password", "dialog"])
def test_no_password_in_clear_text_without_tls(plugin):
    talk = hostile.MariaDBTalk(switch=asks_for(plugin))
    with hostile.Listener(talk) as fake, fake_shell(fake) as sh:
        answer = sh.run("SELECT 1")
        assert answer["fault"] == "login", answer
        assert "clear text" in answer["text"]
        assert fake.taken >= 1
        assert PASSWORD.encode() not in fake.heard
        assert b"relaypass" in fake.heard


def test_clear_text_by_the_unix_socket(tmp_path):
    """The kernel says who is at the other end of a path that was named: PAM
    works there."""
    talk = hostile.MariaDBTalk(switch=asks_for("mysql_clear_password"))
    with hostile.Listener(talk, tmp_path / "sock") as fake, \
            fake_shell(fake) as sh:
        assert sh.works()
        assert talk.proofs == [PASSWORD.encode() + b"\0"]


def sha2_proof(password):
    first = hashlib.sha256(password).digest()
    second = hashlib.sha256(
        hashlib.sha256(first).digest() + hostile.SCRAMBLE).digest()
    return bytes(a ^ b for a, b in zip(first, second))


def test_caching_sha2_password():
    """As MySQL 8 does by itself; here only by what its server remembers."""
    def switch(talk, server, sock, number):
        number = talk.prove(server, sock, "caching_sha2_password", number)
        assert talk.proofs[-1] == sha2_proof(PASSWORD.encode())
        sock.sendall(hostile.packet(number + 1, b"\1\3"))
        return number + 1

    with hostile.Listener(hostile.MariaDBTalk(switch=switch)) as fake, \
            fake_shell(fake) as sh:
        assert sh.works()


def test_caching_sha2_password_that_is_not_remembered():
    """The server wants the whole password. Not without TLS."""
    def switch(talk, server, sock, number):
        number = talk.prove(server, sock, "caching_sha2_password", number)
        sock.sendall(hostile.packet(number + 1, b"\1\4"))
        return talk.read(server, sock)[0]

    with hostile.Listener(hostile.MariaDBTalk(switch=switch)) as fake, \
            fake_shell(fake) as sh:
        assert sh.fault("SELECT 1") in ("login", "gone")
        assert PASSWORD.encode() not in fake.heard


def test_gives_no_file_to_the_server(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("not for you", encoding="ascii")
    talk = hostile.MariaDBTalk(answer=lambda number: hostile.packet(
        number, b"\xfb" + str(secret).encode()))
    with hostile.Listener(talk) as fake, fake_shell(fake) as sh:
        assert sh.fault("SELECT 1") != "none"
        assert sh.fault("SELECT 1") != "none"
        assert fake.taken >= 1
        assert b"not for you" not in fake.heard


# --- what a session is like ---


def test_what_does_not_fit_is_refused_not_cut(table):
    table.execute("SET GLOBAL sql_mode = ''")
    with shell(table) as sh:
        answer = sh.run("INSERT INTO lease (ip) VALUES (?)",
                        "2001:db8:ffff:ffff::1")
        assert answer["fault"] == "other", answer
        assert "'ip'" in answer["text"]
        assert sh.rows("SELECT count(*) FROM lease") == [["0"]]
    table.execute("SET GLOBAL sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT'")
    with shell(table) as sh:
        assert sh.rows('SELECT "a"') == [["a"]]
    table.execute("SET GLOBAL sql_mode = DEFAULT")


def test_is_not_ended_for_being_idle(table):
    table.execute("SET GLOBAL wait_timeout = 1")
    try:
        with shell(table) as sh:
            assert sh.rows("SELECT @@wait_timeout") == [["2147483"]]
            assert sh.rows("SELECT @@max_statement_time") == [["1.350000"]]
    finally:
        table.execute("SET GLOBAL wait_timeout = DEFAULT")


def test_a_connection_that_was_ended(table):
    with shell(table) as sh:
        # Another may end it for being idle, all the same.
        assert sh.fault("SET SESSION wait_timeout = 1") == "none"
        lab.wait_for(lambda: sh.event("connected") == 2, "it connects again")
        number, = sh.rows("SELECT CONNECTION_ID()")[0]
        table.execute(f"KILL {number}")
        lab.wait_for(lambda: sh.event("connected") == 3, "it connects again")
        assert sh.works()
        assert len(sh.lines("database=lost")) == 2
        assert len(sh.lines("database=back")) == 2


def counted(server, name):
    return int(server.execute(f"SHOW GLOBAL STATUS LIKE '{name}'")[0][1])


def test_ends_what_it_gave_up(table):
    """And nothing else: after a restart its number is another's."""
    with shell(table) as sh:
        assert sh.fault("SET max_statement_time = 0") == "none"
        assert sh.fault("SELECT SLEEP(600)") == "gone"
        lab.wait_for(lambda: table.execute(
            "SELECT count(*) FROM information_schema.processlist "
            "WHERE info LIKE '%SLEEP(600)'"
            "AND id <> CONNECTION_ID()") == [["0"]], "its end")
        assert counted(table, "Com_kill") >= 1
        assert sh.works()
        # A server process that began at another time.
        lab.wait_for(lambda: counted(table, "Uptime") > 3, "some uptime")
        table.restart()
        lab.wait_for(sh.works, "it connects again")
        assert counted(table, "Com_kill") == 0


# --- statements ---


def test_rows_that_stay_as_they_are_count(table):
    upsert = "INSERT INTO lease VALUES (?, ?) ON DUPLICATE KEY UPDATE n = ?"
    with shell(table) as sh:
        assert sh.run(upsert, "a", "1", "1")["affected"] == 1
        assert sh.run(upsert, "a", "1", "1")["affected"] == 1
        assert sh.run("UPDATE lease SET n = 1")["affected"] == 1
        assert sh.run("UPDATE lease SET n = ?", "1")["affected"] == 1


TYPES = """
SELECT 7, -1, 18446744073709551615, 0.5, CAST(1.25 AS DECIMAL(10, 3)),
  1.5e0, DATE '2026-01-02', TIMESTAMP '2026-01-02 03:04:05',
  TIMESTAMP '2026-01-02 03:04:05.123456', TIME '01:02:03', NULL, x'004142',
  '', REPEAT('ab', 40000), CAST('x' AS CHAR(5))"""


def test_types_are_the_same_text_either_way(table):
    """With parameters a result comes in binary."""
    with shell(table) as sh:
        plain, = sh.rows(TYPES)
        bound, = sh.rows(f"{TYPES}, ?", "last")
        assert bound == [*plain, "last"]
        assert plain[:4] == ["7", "-1", "18446744073709551615", "0.5"]
        assert plain[7] == "2026-01-02 03:04:05"
        assert plain[10:13:2] == [None, ""]
        assert len(plain[13]) == 80000


def test_statements_are_kept_but_not_for_ever(table):
    before = counted(table, "Prepared_stmt_count")
    with shell(table) as sh:
        for n in range(100):
            assert sh.rows(f"SELECT ?, {n}", "a") == [["a", str(n)]]
            assert sh.rows("SELECT ?", str(n)) == [[str(n)]]
        assert 0 < counted(table, "Prepared_stmt_count") - before <= 32
        prepared = counted(table, "Com_stmt_prepare")
        for n in range(99, 90, -1):
            assert sh.rows(f"SELECT ?, {n}", "a") == [["a", str(n)]]
        assert counted(table, "Com_stmt_prepare") == prepared
        assert sh.event("connected") == 1


def test_a_table_that_changes_below_a_statement(table):
    look = "SELECT ip, n FROM lease WHERE ip = ?"
    with shell(table) as sh:
        sh.run("INSERT INTO lease VALUES (?, ?)", "a", "1")
        assert sh.rows(look, "a") == [["a", "1"]]
        table.execute("ALTER TABLE lease ADD COLUMN more TEXT DEFAULT 'm',"
                      "MODIFY n VARCHAR(20)", user="owner")
        assert sh.rows(look, "a") == [["a", "1"]]
        table.execute("RENAME TABLE lease TO away", user="owner")
        assert sh.fault(look, "a") == "no-table"
        table.execute("RENAME TABLE away TO lease", user="owner")
        assert sh.rows(look, "a") == [["a", "1"]]
        assert sh.event("connected") == 1
        # A result that has grown: at worst over another connection.
        every = "SELECT * FROM lease WHERE ip = ?"
        assert sh.rows(every, "a") == [["a", "1", "m"]]
        table.execute("ALTER TABLE lease DROP COLUMN more", user="owner")
        lab.wait_for(lambda: sh.run(every, "a")["rows"] == [["a", "1"]],
                     "the new columns")


def test_parameters_that_do_not_fit_the_statement(table):
    with shell(table) as sh:
        assert sh.fault("SELECT ?, ?", "a") == "other"
        assert sh.fault("SELECT 1", "a") == "other"
        assert sh.fault("SELECT ?") == "other"
        assert sh.fault("SELECT 1; SELECT 2") == "other"
        assert sh.works()
        assert sh.event("connected") == 1


def test_more_faults(table):
    with shell(table) as sh:
        table.execute("SET max_heap_table_size = 16384;"
                      "CREATE TABLE small (a VARCHAR(1000)) ENGINE=MEMORY",
                      user="owner")
        answers = {sh.fault("INSERT INTO small VALUES (?)", "x" * 1000)
                   for _ in range(200)}
        assert answers == {"none", "full"}
        assert sh.fault("CREATE TABLE mine (a INTEGER)") == "denied"
        assert sh.fault("CREATE DATABASE mine") == "denied"
        assert sh.fault("SELECT * FROM other.x") == "denied"
        assert sh.fault("SET GLOBAL wait_timeout = 1") == "denied"
        table.execute("DROP TABLE small", user="owner")
        table.execute("SET GLOBAL read_only = 1")
        answer = sh.run("INSERT INTO lease VALUES (?, ?)", "r", "1")
        table.execute("SET GLOBAL read_only = 0")
        assert answer["fault"] == "busy", answer
        assert sh.fault("INSERT INTO lease VALUES (?, ?)", "r", "1") == "none"


def test_too_many_connections(table):
    table.execute("ALTER USER 'reader'@'%' WITH MAX_USER_CONNECTIONS 1")
    mine = {"user": "reader", "password": table.users["reader"]}
    with shell(table, **mine) as first:
        assert first.works()
        with shell(table, **mine) as second:
            assert second.fault("SELECT 1") == "gone"
            assert first.end() == 0
            lab.wait_for(second.works, "the freed place is taken")
    table.execute("ALTER USER 'reader'@'%' WITH MAX_USER_CONNECTIONS 0")
