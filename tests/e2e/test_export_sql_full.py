# SPDX-License-Identifier: ISC
"""The export "sql" when the database has no room left: a small file system under
the table of PostgreSQL or MariaDB, or SQLite's file."""

import statistics
import time

import pytest

import exports
import lab
import matrix
from databases import MariaDB, PostgreSQL

pytestmark = pytest.mark.namespaces

SMALL = "/var/small"
FILE = f"{SMALL}/leases.sqlite"
CONF = """
lease { ttl = "30m" }
source maillog { kind = "file" path = "/var/log/mail.log" }
listener ask { kind = "ask" listen = "unix:/run/relaypass/ask" }
"""
SQLITE = CONF + f"""
export db {{ kind = "sql" engine = "sqlite" database = "{FILE}"
             create-table = yes }}
"""
SERVER = CONF + """
export db { kind = "sql" engine = "ENGINE" host = "127.0.0.1"
             database = "relaypass" user = "relaypass"
             password-file = "/etc/relaypass/password" }
"""
TABLE = """
CREATE TABLESPACE small LOCATION '/var/small/space';
GRANT CREATE ON TABLESPACE small TO owner;
"""
POSTGRESQL_LEASES = """
CREATE TABLE relaypass_leases (address varchar(39) PRIMARY KEY USING INDEX
  TABLESPACE small, last_login timestamptz, username varchar(255), source
  varchar(31), expires timestamptz) TABLESPACE small
"""
MARIADB_LEASES = f"""
CREATE TABLE relaypass_leases (address varchar(39) PRIMARY KEY, last_login
  datetime, username varchar(255), source varchar(31), expires datetime)
  DATA DIRECTORY '{SMALL}/space'
"""


def fill(host):
    """Until nothing fits any more."""
    host.run("sh", "-c", f"dd if=/dev/zero of={SMALL}/ballast bs=4k; true")
    assert not host.run("sh", "-c", f"df --output=avail {SMALL} | tail -1"
                        ).stdout.strip().strip("0")


def count(host, server):
    if server:
        return int(server.execute("SELECT count(*) FROM relaypass_leases")
                   [0][0])
    said = host.run("sqlite3", "-cmd", ".timeout 5000", FILE,
                    "SELECT count(*) FROM relaypass_leases", check=False)
    return int(said.stdout) if said.returncode == 0 else -1


@pytest.fixture(name="small")
def make_small(host):
    exports.prepare(host)
    host.run("sh", "-c", f"mkdir -p {SMALL} && "
             f"mount -t tmpfs -o size=1m,mode=0777 tmpfs {SMALL}")
    yield host
    host.run("umount", "-l", SMALL)


def latency(daemon):
    times = []
    for _ in range(200):
        begin = time.perf_counter()
        assert daemon.check("198.51.0.1").startswith("allow ")
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def prove(host, daemon, server):
    def log_in(third, n):
        for i in range(n):
            exports.log_in(host, f"198.51.{third}.{i + 1}")
        daemon.wait_leased(f"198.51.{third}.{n}")

    def lines(word):
        return [line for line in daemon.process.output().splitlines()
                if word in line and "db" in line]

    log_in(0, 5)
    lab.wait_for(lambda: count(host, server) == 5, "five rows")
    quiet = latency(daemon)
    fill(host)
    for third in range(1, 9):
        log_in(third, 250)
    daemon.wait(lambda: lines("export.error"), "it is told")
    assert latency(daemon) < 5 * quiet + 0.001
    exports.log_in(host, "203.0.113.99")
    daemon.wait_leased("203.0.113.99", 2)
    assert count(host, server) < 2006
    host.run("rm", f"{SMALL}/ballast")
    daemon.wait(lambda: count(host, server) == 2006, "all rows")
    daemon.wait(lambda: lines("state=good"), "it is told")
    assert len(lines("export.error")) == 1, lines("export.error")
    assert len(lines("state=good")) == 1


@pytest.mark.skipif(bool(matrix.missing("database:sqlite")),
                    reason="needs libsqlite3-dev")
@pytest.mark.skipif(bool(matrix.missing("tool:sqlite3")),
                    reason="needs sqlite3")
def test_sqlite_on_a_full_disk(small, relaypassd):
    prove(small, relaypassd(small, SQLITE), None)


@pytest.mark.skipif(bool(matrix.missing("database:postgresql")),
                    reason="needs postgresql and libpq-dev")
def test_postgresql_on_a_full_disk(small, relaypassd):
    with PostgreSQL(prefix=small.command([])) as server:
        small.run("install", "-d", "-o", "postgres", f"{SMALL}/space")
        for statement in TABLE.split(";")[:-1]:
            server.execute(statement)
        server.execute(POSTGRESQL_LEASES, user="owner")
        small.write("/etc/relaypass/password", "lease-secret\n", 0o600)
        prove(small, relaypassd(small, SERVER.replace("ENGINE", "postgresql")), server)
        server.execute("DROP TABLE relaypass_leases")
        server.execute("DROP TABLESPACE small")


@pytest.mark.skipif(bool(matrix.missing("database:mariadb")),
                    reason="needs mariadb-server and libmariadb-dev")
def test_mariadb_on_a_full_disk(small, relaypassd):
    with MariaDB(prefix=small.command([])) as server:
        small.run("install", "-d", "-o", "mysql", f"{SMALL}/space")
        server.execute(MARIADB_LEASES)
        small.write("/etc/relaypass/password", "lease-secret\n", 0o600)
        prove(small, relaypassd(small, SERVER.replace("ENGINE", "mariadb")), server)
