# SPDX-License-Identifier: ISC
"""Real databases for the tests: PostgreSQL, MariaDB, SQLite, Redis and Redis
Sentinel, each in a directory of its own below /tmp, as an ordinary account,
ended by its pid. A test module takes what it needs:

    from databases import make_postgresql  # noqa: F401 (a fixture)

    def test_it(postgresql):
        rows = postgresql.execute("SELECT 1")    # [["1"]]

or makes its own, also inside a namespace (`prefix` is any command that runs
another: host.command([]), ["ip", "netns", "exec", NAME]):

    with databases.Redis(prefix=host.command([]), host="192.0.2.1") as redis:

Every server has start(), stop() (in good order), kill() (with everything it has
started), pause() and resume() (SIGSTOP, SIGCONT), restart(), running(),
execute(); host, port, address ("host:port"), socket, directory, log, pid. What
is missing on this machine skips the test (`missing(CLASS)`).

PostgreSQL, MariaDB: the database `relaypass`, and the database `other` that
only the superuser may use; the users of USERS, by password over TCP and the
unix socket:

    owner      owns the database: may create tables
    relaypass  may read and write the tables of the owner, but not create any
    reader     may only read them
    stranger   may not connect to the database

execute() is the superuser's, unless user= says otherwise.
"""

import contextlib
import csv
import io
import os
import pathlib
import pwd
import shutil
import signal
import sqlite3
import tempfile

import pytest

from database_server import (  # noqa: F401 (for the tests)
    LIMIT, DatabaseError, Server, certificate, free_port, unless_away)
from databases_redis import Redis, Sentinel  # noqa: F401 (for the tests)

DATABASE = "relaypass"
USERS = {"owner": "owner-secret", "relaypass": "lease-secret",
         "reader": "read-secret", "stranger": "strange-secret"}


def postgresql_program(name):
    """Debian keeps them out of PATH, one directory for each version."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob(f"*/bin/{name}"),
                   key=lambda path: int(path.parts[4]))
    return str(found[-1]) if found else shutil.which(name) or name


class PostgreSQL(Server):
    """`socket` is the directory of the unix socket: what libpq takes as
    host."""

    kind = "postgresql"
    account = "postgres"
    tools = (postgresql_program("initdb"), postgresql_program("postgres"),
             "psql")
    usual_port = 5432
    process_name = "postgres"
    stop_signal = signal.SIGINT  # does not wait for its clients

    superuser = "postgres"
    database = DATABASE
    users = USERS

    # Only the superuser comes without a password, and only by the socket.
    HBA = """
local all postgres trust
local all all scram-sha-256
host all all all scram-sha-256
"""

    def __init__(self, tls=False, **kwargs):
        super().__init__(**kwargs)
        self.tls = tls
        self.socket = self.directory
        self.ca = self.directory / "ca.pem"

    def prepare(self):
        self.make_data()
        self.own(self.directory)
        self.make([postgresql_program("initdb"), "-D", self.data, "-U",
                   self.superuser, "--no-sync", "--locale=C", "-E", "UTF8",
                   "-A", "scram-sha-256", "--pwfile=/proc/version"])
        settings = {"listen_addresses": f"'{self.host}'",
                    "unix_socket_directories": f"'{self.socket}'",
                    "fsync": "off", "full_page_writes": "off",
                    "shared_buffers": "16MB", "max_connections": "60",
                    "max_wal_size": "64MB", "min_wal_size": "32MB"}
        if self.tls:
            self.make_certificate()
            settings.update(ssl="on",
                            ssl_cert_file=f"'{self.directory}/server.pem'",
                            ssl_key_file=f"'{self.directory}/server.key'")
        settings.update(self.settings)
        with open(self.data / "postgresql.conf", "a", encoding="utf-8") as conf:
            conf.writelines(f"{k} = {v}\n" for k, v in settings.items())
        (self.data / "pg_hba.conf").write_text(self.HBA, encoding="utf-8")

    def argv(self):
        return [postgresql_program("postgres"), "-D", self.data, "-p",
                str(self.port)]

    def answers(self):
        return self.psql("SELECT 1", "postgres", check=False).returncode == 0

    def psql(self, sql, database=None, user=None, check=True):
        words = ["psql", "-X", "-q", "-t", "--csv", "-v", "ON_ERROR_STOP=1",
                 "-P", "null=\\N", "-U", user or self.superuser, "-d",
                 database or self.database, "-p", self.port, "-h",
                 self.host if user else self.socket]
        return self.run(words, sql, check,
                        {"PGPASSWORD": self.users.get(user, ""),
                         "PGCONNECT_TIMEOUT": "5"})

    def execute(self, sql, user=None, database=None):
        """Rows of strings, None for NULL. DatabaseError."""
        out = self.psql(sql, database, user).stdout
        return [[None if value == "\\N" else value for value in row]
                for row in csv.reader(io.StringIO(out))]

    def create_user(self, name, password):
        self.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{password}'")
        self.users = {**self.users, name: password}

    def create_database(self, name, owner="owner"):
        self.execute(f"CREATE DATABASE {name} OWNER {owner}", database="postgres")
        self.execute(f"REVOKE ALL ON DATABASE {name} FROM public",
                     database="postgres")

    def fill(self):
        self.execute("".join(
            f"CREATE ROLE {name} LOGIN PASSWORD '{word}';\n"
            for name, word in USERS.items()), database="postgres")
        self.create_database(self.database)
        self.create_database("other", self.superuser)
        self.execute(f"""
GRANT CONNECT ON DATABASE {self.database} TO relaypass, reader;
GRANT CREATE ON SCHEMA public TO owner;
ALTER DEFAULT PRIVILEGES FOR ROLE owner GRANT SELECT, INSERT, UPDATE, DELETE
  ON TABLES TO relaypass;
ALTER DEFAULT PRIVILEGES FOR ROLE owner GRANT USAGE, SELECT ON SEQUENCES
  TO relaypass;
ALTER DEFAULT PRIVILEGES FOR ROLE owner GRANT SELECT ON TABLES TO reader;
""")


class MariaDB(Server):
    """`socket` is the path of the unix socket."""

    kind = "mariadb"
    account = "mysql"
    tools = ("mariadb-install-db", "mariadbd", "mariadb")
    usual_port = 3306
    process_name = "mariadbd"

    database = DATABASE
    users = USERS

    def __init__(self, tls=False, **kwargs):
        super().__init__(**kwargs)
        self.tls = tls
        self.socket = self.directory / "mariadb.sock"
        self.ca = self.directory / "ca.pem"

    def small(self):
        settings = {"innodb-buffer-pool-size": "8M",
                    "innodb-log-file-size": "4M",
                    "innodb-flush-log-at-trx-commit": "0",
                    "innodb-flush-method": "nosync",
                    "key-buffer-size": "1M",
                    "aria-pagecache-buffer-size": "1M",
                    "performance-schema": "OFF"}
        return [f"--{k}={v}" for k, v in settings.items()]

    def prepare(self):
        self.make_data()
        self.own(self.directory)
        self.make(["mariadb-install-db", "--no-defaults", "--skip-test-db",
                   "--skip-name-resolve", f"--datadir={self.data}",
                   "--auth-root-authentication-method=socket",
                   f"--auth-root-socket-user={self.superuser}",
                   *self.small()])
        if self.tls:
            self.make_certificate()

    @property
    def superuser(self):
        return pwd.getpwuid(os.geteuid()).pw_name

    def argv(self):
        words = ["mariadbd", "--no-defaults", f"--datadir={self.data}",
                 # Each removes at its start what others left in theirs.
                 f"--tmpdir={self.data}",
                 f"--socket={self.socket}", f"--port={self.port}",
                 f"--bind-address={self.host}", "--skip-name-resolve",
                 f"--pid-file={self.directory}/mariadb.pid", "--skip-log-bin",
                 *self.small()]
        if self.tls:
            words += [f"--ssl-ca={self.directory}/ca.pem",
                      f"--ssl-cert={self.directory}/server.pem",
                      f"--ssl-key={self.directory}/server.key"]
        return words + [f"--{k}={v}" for k, v in self.settings.items()]

    def answers(self):
        return self.client("SELECT 1", "mysql", check=False).returncode == 0

    def client(self, sql, database=None, user=None, check=True):
        words = ["mariadb", "--no-defaults", "--batch", "--skip-column-names",
                 "--connect-timeout=5", "--default-character-set=utf8mb4",
                 f"--user={user or self.superuser}",
                 f"--database={database or self.database}"]
        words += [f"--host={self.host}", f"--port={self.port}",
                  "--protocol=tcp"] if user else [f"--socket={self.socket}"]
        return self.run(words, sql, check,
                        {"MYSQL_PWD": self.users.get(user, "")})

    UNESCAPED = {"n": "\n", "t": "\t", "0": "\0", "\\": "\\"}

    def value(self, text):
        if text == "NULL":
            return None
        head, *rest = text.split("\\")
        # Two backslashes stand for one: they leave an empty word behind.
        words, rest = [head], iter(rest)
        for word in rest:
            words.append(self.UNESCAPED[word[0]] + word[1:] if word
                         else "\\" + next(rest, ""))
        return "".join(words)

    def execute(self, sql, user=None, database=None):
        """Rows of strings, None for NULL. DatabaseError."""
        out = self.client(sql, database, user).stdout
        return [[self.value(word) for word in line.split("\t")]
                for line in out.split("\n")[:-1]]

    def create_user(self, name, password, plugin=""):
        """`plugin`: "VIA ed25519 USING PASSWORD"; else by password."""
        how = f"IDENTIFIED {plugin}('{password}')" if plugin \
            else f"IDENTIFIED BY '{password}'"
        # Killed, the server may have one back that was dropped before.
        self.execute(f"CREATE OR REPLACE USER '{name}'@'%' {how}",
                     database="mysql")
        self.users = {**self.users, name: password}

    def create_database(self, name, owner="owner"):
        self.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4;"
                     f"GRANT ALL ON {name}.* TO '{owner}'@'%'",
                     database="mysql")

    def fill(self):
        for name, word in USERS.items():
            self.create_user(name, word)
        self.create_database(self.database)
        self.execute("CREATE DATABASE other", database="mysql")
        self.execute(f"""
GRANT SELECT, INSERT, UPDATE, DELETE ON {self.database}.* TO 'relaypass'@'%';
GRANT SELECT ON {self.database}.* TO 'reader'@'%';
""")


class SQLite:
    """A file, with the verbs of a server: stop() takes the file away, start()
    brings it back, pause() locks it as another writer does."""

    kind = "sqlite"
    tools = ()

    def __init__(self, directory=None):
        self.given = directory is not None
        self.directory = pathlib.Path(
            directory or tempfile.mkdtemp(prefix="rp-", dir="/tmp"))
        self.directory.chmod(0o755)
        self.path = self.directory / "relaypass.sqlite"
        self.away = self.directory / "away"
        self.database = self.address = str(self.path)
        self.lock = None

    def files(self):
        return list(self.directory.glob("relaypass.sqlite*"))

    def start(self):
        if self.away.exists():
            for file in self.away.iterdir():
                file.rename(self.directory / file.name)
            self.away.rmdir()
        if not self.path.exists():
            with contextlib.closing(sqlite3.connect(self.path)) as db:
                db.execute("VACUUM")  # writes the header
        return self

    def running(self):
        return self.path.exists()

    def stop(self):
        self.resume()
        self.away.mkdir(exist_ok=True)
        for file in self.files():
            file.rename(self.away / file.name)

    kill = stop

    def pause(self):
        if self.lock is None:
            self.lock = sqlite3.connect(self.path, isolation_level=None,
                                        timeout=LIMIT)
            self.lock.execute("BEGIN EXCLUSIVE")

    def resume(self):
        if self.lock is not None:
            self.lock.close()
            self.lock = None

    def restart(self):
        self.stop()
        return self.start()

    def execute(self, sql):
        """One statement or several; rows of strings, None for NULL."""
        rows, statement = [], ""
        with contextlib.closing(sqlite3.connect(
                self.path, isolation_level=None, timeout=LIMIT)) as db:
            for piece in sql.split(";"):
                statement += piece + ";"
                if not sqlite3.complete_statement(statement):
                    continue
                try:
                    rows += db.execute(statement).fetchall()
                except sqlite3.Error as err:
                    raise DatabaseError(str(err)) from err
                statement = ""
        return [[None if value is None else str(value) for value in row]
                for row in rows]

    def close(self):
        self.resume()
        if not self.given:
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *exc):
        self.close()


def missing(cls):
    """Why this machine cannot run it; None: it can."""
    for tool in (*cls.tools, *(["setpriv"] if cls.tools else [])):
        if not shutil.which(tool):
            return f"needs {tool}: tools/install-deps test"
    if os.geteuid() == 0 and cls.tools:
        try:
            pwd.getpwnam(cls.account)
        except KeyError:
            return f"needs the account {cls.account}"
    return None


def require(*classes):
    """Skips the test when one is missing."""
    for cls in classes:
        reason = missing(cls)
        if reason:
            pytest.skip(reason)


def running(cls, **kwargs):
    """A context: a server that runs; skips when it is missing."""
    require(cls)
    return cls(**kwargs)


@pytest.fixture(name="postgresql", scope="module")
def make_postgresql():
    with running(PostgreSQL) as server:
        yield server


@pytest.fixture(name="mariadb", scope="module")
def make_mariadb():
    with running(MariaDB) as server:
        yield server


@pytest.fixture(name="sqlite", scope="module")
def make_sqlite():
    with SQLite() as file:
        yield file


@pytest.fixture(name="redis", scope="module")
def make_redis():
    with running(Redis) as server:
        yield server


@pytest.fixture(name="engine", scope="module",
                params=["postgresql", "mariadb", "sqlite"])
def make_engine(request):
    """Each of the three SQL databases in its turn."""
    return request.getfixturevalue(request.param)
