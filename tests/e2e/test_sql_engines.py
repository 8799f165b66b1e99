# SPDX-License-Identifier: ISC
"""The modules of PostgreSQL, MariaDB and SQLite, through the session that all
kinds use, against the real servers."""

import os
import shutil
import signal
import socket
import subprocess

import pytest

import databases
import lab
import sql_shell
from databases import (  # noqa: F401 (fixtures)
    make_mariadb, make_postgresql, make_sqlite)

TIMEOUT = 1500  # ms


@pytest.fixture(name="engine", scope="module",
                params=["postgresql", "mariadb", "sqlite"])
def make_engine(request):
    need(request.param)
    server = request.getfixturevalue(request.param)
    execute(server, """
CREATE TABLE lease (k VARCHAR(100) PRIMARY KEY, v TEXT);
CREATE TABLE secret (k INTEGER)""")
    return server


@pytest.fixture(name="server")
def make_server(engine):
    """One that takes connections."""
    if engine.kind == "sqlite":
        pytest.skip("a file")
    return engine


@pytest.fixture(name="pg", scope="module")
def make_pg(request):
    need("postgresql")
    return request.getfixturevalue("postgresql")


def need(kind):
    if not sql_shell.module(kind).exists():
        pytest.skip(f"{kind}.so is not built")


def execute(engine, statements):
    """As the owner of the tables; what others may do with them is given."""
    if engine.kind == "sqlite":
        return engine.execute(statements + ";")
    return engine.execute(statements, user="owner")


def place(engine, **changes):
    if engine.kind == "sqlite":
        known = {"database": engine.database}
    else:
        known = {"host": engine.host, "port": engine.port,
                 "database": engine.database, "user": "relaypass",
                 "password": engine.users["relaypass"]}
    return {**known, "timeout": TIMEOUT, **changes}


def lose(engine, sh):
    """The connection, by what the database does."""
    if engine.kind == "sqlite":
        copy = engine.path.with_suffix(".copy")
        shutil.copy(engine.path, copy)
        copy.rename(engine.path)
        end = "SELECT 1"
    elif engine.kind == "postgresql":
        end = "SELECT pg_terminate_backend(pg_backend_pid())"
    else:
        end = "KILL CONNECTION_ID()"
    assert sh.fault(end) == "gone"


def shell(engine, environment=None, prefix=(), **changes):
    return sql_shell.Shell(
        engine.kind, environment, prefix, **place(engine, **changes))


def text(engine, statement):
    """With the placeholders of the engine for each ?."""
    if engine.kind != "postgresql":
        return statement
    head, *rest = statement.split("?")
    return head + "".join(f"${n}{part}" for n, part in enumerate(rest, 1))


def insert(engine):
    return text(engine, "INSERT INTO lease (k, v) VALUES (?, ?)")


def select(engine):
    return text(engine, "SELECT v FROM lease WHERE k = ?")


# --- connections ---


def test_connects_over_tcp(server):
    with shell(server) as sh:
        assert sh.rows("SELECT 7") == [["7"]]
        assert sh.event("connected") == 1
        assert sh.output() == ""


def test_connects_by_a_name(server):
    with shell(server, host="localhost") as sh:
        assert sh.works()


def test_connects_by_a_unix_socket(server):
    with shell(server, host=server.socket) as sh:
        assert sh.works()


def test_postgresql_takes_the_path_of_a_unix_socket(pg):
    with shell(pg, host=f"{pg.socket}/.s.PGSQL.{pg.port}", port=0) as sh:
        assert sh.works()


def test_wrong_password(server):
    with shell(server, password="wr0ng-Secret") as sh:
        assert sh.fault("SELECT 1") == "login"
        assert sh.fault("SELECT 1") == "login"
        line, = sh.lines("database ")
        assert "export=shell database=lost" in line
        assert 'next="tries again"' in line
        assert "wr0ng-Secret" not in sh.output()


@pytest.mark.parametrize("changes", [
    {"user": "nobody-here"}, {"database": "missing"},
    {"database": "other"}], ids=["user", "database", "right"])
def test_what_may_not_be_connected_to(server, changes):
    with shell(server, **changes) as sh:
        answer = sh.run("SELECT 1")
        assert answer["fault"] == "login", answer
        assert next(iter(changes.values())) in answer["text"]


def test_nobody_listens(server):
    with shell(server, port=databases.free_port()) as sh:
        answer = sh.run("SELECT 1")
        assert answer["fault"] == "gone"
        assert server.host in answer["text"]
        # It goes on trying, and says so once.
        assert sh.fault("SELECT 1") == "gone"
        assert len(sh.lines("database=lost")) == 1


def test_no_socket(server):
    with shell(server, host="/nonexistent/socket") as sh:
        assert sh.fault("SELECT 1") == "gone"


def test_a_host_that_does_not_answer(server):
    """A listener that never accepts: the kernel does, nobody speaks."""
    with socket.create_server((server.host, 0)) as mute:
        with shell(server, port=mute.getsockname()[1]) as sh:
            assert sh.fault("SELECT 1") == "gone"


def test_postgresql_reads_no_file_and_no_environment(pg, tmp_path):
    right = pg.users["relaypass"]
    (tmp_path / ".pgpass").write_text(f"*:*:*:*:{right}\n", "ascii")
    (tmp_path / ".pgpass").chmod(0o600)
    (tmp_path / ".pg_service.conf").write_text(
        f"[all]\npassword={right}\n", "ascii")
    environment = {"HOME": str(tmp_path), "PGPASSWORD": right,
                   "PGSERVICE": "all", "PGUSER": "relaypass",
                   "PGPASSFILE": str(tmp_path / ".pgpass"),
                   "PGOPTIONS": "-c search_path=nowhere",
                   "PGSSLMODE": "verify-full"}
    with shell(pg, environment, password="") as sh:
        assert sh.fault("SELECT 1") == "login"
    with shell(pg, environment) as sh:
        assert sh.rows("SHOW search_path") == [['"$user", public']]
        assert sh.rows("SHOW application_name") == [["relaypass"]]
        assert sh.rows("SHOW client_encoding") == [["UTF8"]]


# --- statements ---


ODD = {"quotes": "it's \"so\"; DROP TABLE lease; -- \\'", "empty": "",
       "utf-8": "müller 🐘 ﷽", "lines": "a\r\nb\tc", "long": "ü9" * 21845,
       "null": None}


@pytest.mark.parametrize("value", ODD.values(), ids=ODD)
def test_values_come_back_as_they_were(engine, value):
    with shell(engine) as sh:
        answer = sh.run(insert(engine), "odd", value)
        assert answer["fault"] == "none", answer
        assert answer["affected"] == 1
        assert sh.rows(select(engine), "odd") == [[value]]
        answer = sh.run(text(engine, "DELETE FROM lease WHERE k = ?"), "odd")
        assert answer["affected"] == 1
        assert sh.rows(select(engine), "odd") == []


def test_a_value_with_a_nul_is_refused(engine):
    with shell(engine) as sh:
        assert sh.fault(insert(engine), "a\0b", "x") == "other"
        assert sh.works()


@pytest.mark.parametrize("statement,fault", [
    ("SELECT x FROM missing", "no-table"),
    ("SELECT missing FROM lease", "no-column"),
    ("INSERT INTO lease (k) VALUES ('twice'), ('twice')", "duplicate"),
    ("SELEC", "other"),
    ("", None)])
def test_faults_of_statements(engine, statement, fault):
    with shell(engine) as sh:
        found = sh.fault(statement)
        assert found == fault or fault is None
        assert sh.works()
        assert sh.event("connected") == 1
        assert sh.output() == ""


def test_a_missing_right(server):
    with shell(server, user="reader",
               password=server.users["reader"]) as sh:
        answer = sh.run(insert(server), "a", "b")
        assert answer["fault"] == "denied", answer
        assert "lease" in answer["text"]
        assert sh.rows(select(server), "a") == []


def test_a_full_table_of_connections(pg):
    pg.execute("ALTER ROLE reader CONNECTION LIMIT 1")
    mine = {"user": "reader", "password": pg.users["reader"]}
    with shell(pg, **mine) as first:
        assert first.works()
        with shell(pg, **mine) as second:
            assert second.fault("SELECT 1") == "gone"
            assert first.end() == 0
            lab.wait_for(second.works, "the freed place is taken")
            assert len(second.lines("database=back")) == 1


def test_a_result_that_is_too_large(engine):
    """It is given up, by all ways to ask, and costs no more room than said."""
    value = {"postgresql": "repeat('x', 1000000)", "mariadb":
             "REPEAT('x', 1000000)", "sqlite": "hex(zeroblob(500000))"}
    many = ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
            f"WHERE i < %s) SELECT i, {value[engine.kind]} FROM n")
    with shell(engine, timeout=8000) as sh:
        assert len(sh.rows(many % 20)) == 20
        for more, params in (("", []), (" WHERE ? <> ''", ["x"])):
            answer = sh.run(text(engine, many % 400 + more), *params)
            assert answer["text"] == "the result is too large"
            assert answer["fault"] == (
                "other" if engine.kind == "sqlite" else "gone")
            lab.wait_for(sh.works, "the next statement")
        assert sh.memory() < 300 * 1024


def test_many_statements_in_their_order(engine):
    """10,000, many on their way at once, none lost, none twice."""
    def batch(sh, count):
        for n in range(count):
            sh.send(text(engine, "SELECT ?"), str(n))
        got = [sh.answer()["rows"] for n in range(count)]
        assert got == [[[str(n)]] for n in range(count)]

    with shell(engine) as sh:
        batch(sh, 2000)
        before = sh.memory()
        for _ in range(4):
            batch(sh, 2000)
        if "-fsanitize" not in flags():
            assert sh.memory() - before < 1024
        assert sh.event("connected") == 1
        assert sh.end() == 0
        assert "Sanitizer" not in sh.output()


def flags():
    return (lab.BUILD / "compile_commands.json").read_text("utf-8")


# --- as a connector ---


def test_all_of_it_runs_locked_down(engine):
    """System calls that a library would make for the first time when it
    connects, and files that it would read, are not missed."""
    with shell(engine, locked=engine.directory) as sh:
        assert sh.fault(insert(engine), "locked down", "x") == "none"
        assert sh.rows(select(engine), "locked down") == [["x"]]
        assert sh.fault("SELECT x FROM missing") == "no-table"
        for n in (2, 3):
            lose(engine, sh)
            lab.wait_for(lambda n=n: sh.event("connected") == n, "again")
            assert sh.works()
        assert len(sh.lines("database=")) == 4  # lost and back, twice
        assert sh.lines("") == sh.lines("database=")


def test_a_server_is_restarted_locked_down(server):
    with shell(server, locked=server.directory, host="localhost") as sh:
        assert sh.works()
        server.restart()
        lab.wait_for(sh.works, "the server is back")
        assert_told_once(sh)


def test_a_unix_socket_locked_down(server):
    with shell(server, locked=server.directory, host=server.socket) as sh:
        assert sh.works()


# --- hanging, ending, coming back ---


def assert_told_once(sh):
    lost, = sh.lines("database=lost")
    assert 'next="tries again"' in lost
    assert len(sh.lines("database=back")) == 1


def test_a_stopped_server_is_noticed(server):
    with shell(server) as sh:
        assert sh.works()
        server.pause()
        try:
            assert sh.fault("SELECT 1") == "gone"
            assert "no answer within" in sh.output()
            assert sh.fault("SELECT 1") == "gone"
        finally:
            server.resume()
        lab.wait_for(sh.works, "the server is back")
        assert_told_once(sh)


def test_a_server_that_was_restarted(server):
    with shell(server) as sh:
        assert sh.works()
        server.stop()
        assert sh.fault("SELECT 1") == "gone"
        server.start()
        lab.wait_for(sh.works, "the server is back")
        assert_told_once(sh)


def test_a_server_that_was_killed_while_a_statement_ran(server):
    sleep = "SELECT pg_sleep(60)" if server.kind == "postgresql" \
        else "SELECT SLEEP(60)"
    with shell(server, timeout=20000) as sh:
        assert sh.works()
        sh.send(sleep)
        sh.send("SELECT 2")
        server.kill()
        assert [sh.answer()["fault"] for _ in range(2)] == ["gone", "gone"]
        server.start()
        lab.wait_for(sh.works, "the server is back")
        assert_told_once(sh)


def test_the_end_is_noticed_while_nothing_runs(server):
    with shell(server) as sh:
        assert sh.works()
        server.restart()
        lab.wait_for(lambda: sh.event("connected") == 2, "it connects again")
        assert_told_once(sh)


def test_a_locked_row_is_waited_for_no_longer_than_said(engine):
    """What was given up does not happen later."""
    change = text(engine, "UPDATE lease SET v = ? WHERE k = 'locked'")
    with shell(engine, timeout=60000) as holder, shell(engine) as sh:
        assert holder.fault(insert(engine), "locked", "1") == "none"
        assert holder.fault("BEGIN") == "none"
        assert holder.fault(change, "2") == "none"
        assert sh.fault(change, "3") == "busy"
        assert holder.fault("COMMIT") == "none"
        assert sh.rows(select(engine), "locked") == [["2"]]
        assert sh.fault(change, "4") == "none"
        assert sh.event("connected") == 1


def test_postgresql_ends_a_stopped_process_of_ours(pg):
    """One server process hangs, with a statement in its socket: that is not
    done when the process goes on, behind the back of newer ones."""
    pg.execute("CREATE TABLE late (k TEXT)", user="owner")
    with shell(pg) as sh:
        pid = int(sh.rows("SELECT pg_backend_pid()")[0][0])
        os.kill(pid, signal.SIGSTOP)
        try:
            assert sh.fault("INSERT INTO late VALUES ('x')") == "gone"
            lab.wait_for(sh.works, "another connection")
            assert sh.fault("DELETE FROM late") == "none"
        finally:
            os.kill(pid, signal.SIGCONT)
        lab.wait_for(lambda: not lab.is_running(pid), "its end")
        assert sh.rows("SELECT count(*) FROM late") == [["0"]]


def test_what_a_connection_needs_runs_first(server):
    first = "SET application_name = 'first'" \
        if server.kind == "postgresql" else "SET @a = 'first'"
    look = "SHOW application_name" \
        if server.kind == "postgresql" else "SELECT @a"
    with shell(server, first=first) as sh:
        sh.send(look)
        assert sh.answer()["rows"] == []
        assert sh.answer()["rows"] == [["first"]]
        lose(server, sh)
        assert sh.answer()["fault"] == "none"
        assert sh.rows(look) == [["first"]]


def test_postgresql_notifications(pg):
    with shell(pg, first="LISTEN relaypass_test") as sh:
        assert sh.answer()["fault"] == "none"
        for n in (1, 2):
            pg.execute("NOTIFY relaypass_test, 'x'")
            lab.wait_for(lambda n=n: sh.event("notified") == n, "it is told")
        # Its own comes with the answer.
        assert sh.fault("NOTIFY relaypass_test") == "none"
        lab.wait_for(lambda: sh.event("notified") == 3, "it is told")
        pg.restart()
        assert sh.answer()["fault"] == "none"
        pg.execute("NOTIFY relaypass_test")
        lab.wait_for(lambda: sh.event("notified") == 4, "it is told")


# --- TLS ---


@pytest.fixture(name="tls", scope="module", params=["postgresql", "mariadb"])
def make_tls(request):
    need(request.param)
    kind = {"postgresql": databases.PostgreSQL,
            "mariadb": databases.MariaDB}[request.param]
    with databases.running(kind, tls=True) as server:
        yield server


def is_encrypted(server, sh):
    if server.kind == "postgresql":
        return sh.rows("SELECT ssl FROM pg_stat_ssl "
                       "WHERE pid = pg_backend_pid()") == [["t"]]
    return sh.rows("SHOW STATUS LIKE 'Ssl_cipher'")[0][1] != ""


def test_tls_modes(tls):
    for changes, encrypted in (
            ({"tls": "off"}, False), ({"tls": "on"}, True),
            ({"tls": "verify", "ca": tls.ca}, True),
            ({"tls": "verify", "ca": tls.ca, "host": "localhost"}, True)):
        with shell(tls, **changes) as sh:
            assert is_encrypted(tls, sh) == encrypted, changes


@pytest.mark.parametrize("mode", ["on", "verify"])
def test_tls_locked_down(tls, mode):
    with shell(tls, tls=mode, ca=tls.ca, host="localhost",
               locked=tls.directory) as sh:
        assert is_encrypted(tls, sh)
        lose(tls, sh)
        lab.wait_for(lambda: sh.event("connected") == 2, "again")
        assert is_encrypted(tls, sh)


@pytest.mark.namespaces
def test_tls_by_the_systems_authorities(tls):
    """Which here know this one."""
    prefix = ["unshare", "--mount", "sh", "-c",
              f"mount --bind {tls.ca} /etc/ssl/certs/ca-certificates.crt &&"
              ' exec "$@"', "sh"]
    with shell(tls, prefix=prefix, tls="verify", host="localhost",
               locked=tls.directory) as sh:
        assert is_encrypted(tls, sh)


def refused(server, **changes):
    with shell(server, **changes) as sh:
        answer = sh.run("SELECT 1")
        assert answer["fault"] not in ("none", "gone"), answer
        return answer["text"]


def test_tls_of_a_server_that_is_not_the_one(tls, tmp_path):
    databases.certificate(tmp_path)
    # Another authority; the system's, which does not know this one.
    refused(tls, tls="verify", ca=tmp_path / "ca.pem")
    refused(tls, tls="verify")


def test_tls_of_another_name(tls):
    # The certificate is of 127.0.0.1, not of 127.0.0.2; a proxy stands there.
    port = databases.free_port("127.0.0.2")
    proxy = subprocess.Popen(
        [lab.PYTHON, str(lab.HERE / "tcp_proxy.py"), f"127.0.0.2:{port}",
         f"{tls.host}:{tls.port}"], stdout=subprocess.PIPE)
    try:
        assert proxy.stdout.readline() == b"ready\n"
        with shell(tls, tls="on", host="127.0.0.2", port=port) as sh:
            assert sh.works()
        refused(tls, tls="verify", ca=tls.ca, host="127.0.0.2", port=port)
    finally:
        proxy.kill()
        proxy.wait()
        proxy.stdout.close()


def test_tls_of_a_server_without(server):
    if server.kind == "mariadb" and "DISABLED" not in str(
            server.execute("SHOW VARIABLES LIKE 'have_ssl'")):
        pytest.skip("this server has TLS by itself")
    refused(server, tls="on")


def test_a_missing_file_of_authorities_is_said_at_once(server, tmp_path):
    done = subprocess.run(
        [str(sql_shell.PROGRAM), server.kind, *(
            f"{key}={value}" for key, value in place(
                server, tls="verify", ca=tmp_path / "none.pem").items())],
        check=False, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, encoding="utf-8", timeout=lab.LIMIT)
    assert done.returncode == 100, done.stderr
    assert str(tmp_path / "none.pem") in done.stderr
