# SPDX-License-Identifier: ISC
"""The rights that docs/sql.md gives: its statements as they stand there are
enough for relaypass and a mail server, and for nothing more."""

import pathlib
import re
import shutil
import tempfile

import pytest

import lab
import sql_site
from databases import (  # noqa: F401 (fixtures)
    DatabaseError, make_mariadb, make_postgresql)

MANUAL = lab.TREE / "docs" / "sql.md"
TABLE = """
CREATE TABLE popbsmtp (address varchar(39) PRIMARY KEY,
  last_seen {datetime} NOT NULL);
CREATE TABLE mailbox (name varchar(30))"""
ANNA = "203.0.113.1"


def blocks(kind):
    """The indented blocks of GRANTs, in their order."""
    text = MANUAL.read_text(encoding="utf-8")
    text = re.search(r"(?s)## Who may do what.*?\n## ", text)[0]
    found = re.findall(r"(?m)(?:^    .*\n)+", text)
    mine = [block for block in found
            if ("'@'" in block) == (kind == "mariadb")]
    assert len(mine) == 2
    return mine


@pytest.fixture(name="server", scope="module",
                params=["postgresql", "mariadb"])
def make_server(request):
    server = request.getfixturevalue(request.param)
    server.create_database("mail", server.superuser
                           if server.kind == "postgresql" else "owner")
    for statement in (TABLE.format(**sql_site.WORDS[server.kind]),
                      blocks(server.kind)[0]):
        server.execute(statement, database="mail")
    server.users = {**server.users, "leases": "write-secret",
                    "mta": "read-secret"}
    return server


def run(server, user, statement):
    """By the unix socket."""
    if server.kind == "postgresql":
        return server.execute(statement, user=user, database="mail")
    return server.run(
        ["mariadb", "--no-defaults", f"--socket={server.socket}",
         f"--user={user}", "--database=mail", "--batch"], statement,
        env={"MYSQL_PWD": server.users[user]}).stdout


@pytest.fixture(name="site")
def make_site(server):
    where = pathlib.Path(tempfile.mkdtemp(prefix="relaypass-e2e-"))
    where.chmod(0o755)
    site = sql_site.Site(where, server)
    yield site
    site.stop()
    shutil.rmtree(where)


def configure(site, options):
    server = site.engine
    password = site.where / "password"
    password.write_text("write-secret\n", encoding="ascii")
    password.chmod(0o600)
    host = server.socket if server.kind == "mariadb" else server.host
    site.settings.update(ttl="30m", more=(
        f'export db {{ kind = "sql" engine = "{server.kind}" host = "{host}" '
        f'port = {server.port} database = "mail" user = "leases" '
        f'password-file = "{password}" {options} }}\n'))
    site.write(site.text())


def start(site):
    code, text = site.test_configuration()
    assert code == 0, text
    site.start()
    site.login(ANNA)


def wait_row(site, table):
    def there():
        try:
            return ANNA in str(site.engine.execute(
                f"SELECT address FROM {table}", database="mail"))
        except DatabaseError:  # no table yet
            return False

    lab.wait_for(there, "the row")


def test_they_are_enough(site):
    configure(site, 'preset = "dovecot-mysql"')
    start(site)
    wait_row(site, "popbsmtp")
    assert ANNA in str(run(site.engine, "mta", "SELECT * FROM popbsmtp"))


@pytest.mark.parametrize("user, statement", [
    ("leases", "TRUNCATE popbsmtp"), ("leases", "DROP TABLE popbsmtp"),
    ("leases", "ALTER TABLE popbsmtp ADD x integer"),
    ("leases", "CREATE TABLE mine (x integer)"),
    ("leases", "SELECT * FROM mailbox"),
    ("mta", "DELETE FROM popbsmtp"), ("mta", "UPDATE popbsmtp SET address = 1"),
    ("mta", "SELECT * FROM mailbox")])
def test_they_are_for_nothing_more(server, user, statement):
    with pytest.raises(DatabaseError, match="denied|must be owner"):
        run(server, user, statement)


def test_the_right_to_make_the_table(site):
    configure(site, "create-table = yes")
    code, text = site.test_configuration()
    assert code == 100 and "denied" in text and "run: GRANT" in text, text
    grants = blocks(site.engine.kind)[1]
    site.engine.execute(grants, database="mail")
    try:
        start(site)
        wait_row(site, "relaypass_leases")
    finally:
        site.engine.execute(
            grants.replace("GRANT ", "REVOKE ").replace(" TO ", " FROM "),
            database="mail")
