# SPDX-License-Identifier: ISC
"""What a postmaster reads when a database refuses: who was refused what, and
the command that mends it, which then does."""

import os
import re
import shutil

import pytest

import site1
import sql_site
from databases import (  # noqa: F401 (fixtures)
    make_mariadb, make_postgresql, make_sqlite)


@pytest.fixture(name="site_of")
def make_site_of():
    """Of a database: a relaypassd whose export is at it."""
    with site1.directory() as where:
        def site_of(engine, options='preset = "qpsmtpd"', user="relaypass"):
            sql_site.drop_all(engine)
            return sql_site.Site(where, engine).configure(options, user=user)

        yield site_of


def refused(site, *said):
    code, text = site.test_configuration()
    assert code == 100, text
    for word in said:
        assert word in text, text
    return text


def mend(text):
    return re.search(r"run: (.*?);?\n?$", text)[1]


# --- MariaDB -------------------------------------------------------------------

@pytest.fixture(name="partial")
def make_partial(mariadb):
    """Who may do something in the database, but nothing with the table."""
    mariadb.create_user("partial", "part-secret")
    mariadb.execute("CREATE TABLE mine (x int);"
                    "GRANT SELECT ON relaypass.mine TO 'partial'@'%'")
    sql_site.USERS["partial"] = "part-secret"
    yield "partial"
    del sql_site.USERS["partial"]
    mariadb.execute("DROP USER 'partial'@'%'; DROP TABLE mine")


def test_a_table_that_mariadb_hides(site_of, mariadb, partial):
    site = site_of(mariadb, user=partial)
    sql_site.make_table(mariadb, "qpsmtpd")
    text = refused(site, 'there is no table "popbsmtp", or user may not see it')
    assert mend(text) == ("GRANT SELECT, INSERT, UPDATE, DELETE ON "
                          "`relaypass`.`popbsmtp` TO 'partial'@'%'")
    # Whichever database the administrator's client is in.
    site.engine.execute(mend(text), database="mysql")
    assert site.test_configuration() == (0, "")


def test_a_table_that_is_not_there_either(site_of, mariadb, partial):
    site = site_of(mariadb, user=partial)
    text = refused(site, 'there is no table "popbsmtp", or user may not see it')
    site.engine.execute(mend(text).replace("GRANT", "GRANT CREATE,", 1),
                        database="mysql")
    text = refused(site, 'there is no table "popbsmtp"; set create-table = yes')
    site.engine.execute(mend(text), database="mysql")
    assert site.test_configuration() == (0, "")


def test_mysql_is_the_same_as_mariadb(site_of, mariadb):
    site = site_of(mariadb)
    sql_site.make_table(mariadb, "qpsmtpd")
    site.write(site.text().replace('engine = "mariadb"', 'engine = "mysql"'))
    assert site.test_configuration() == (0, "")


# --- PostgreSQL ----------------------------------------------------------------

@pytest.fixture(name="schema")
def make_schema(postgresql):
    postgresql.execute("CREATE SCHEMA mail AUTHORIZATION owner; CREATE TABLE "
                       "mail.popbsmtp (ip text PRIMARY KEY, login_time "
                       "timestamptz NOT NULL);"
                       "GRANT SELECT, INSERT, UPDATE, DELETE ON mail.popbsmtp "
                       "TO relaypass")
    yield "mail"
    postgresql.execute("DROP SCHEMA mail CASCADE")


def test_a_schema_that_may_not_be_used(site_of, postgresql, schema):
    site = site_of(postgresql,
                   f'preset = "qpsmtpd" table = "{schema}.popbsmtp"')
    text = refused(site, "permission denied for schema mail")
    assert mend(text) == 'GRANT USAGE ON SCHEMA "mail" TO relaypass'
    site.engine.execute(mend(text))
    assert site.test_configuration() == (0, "")


# --- who connects --------------------------------------------------------------

@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_a_wrong_password(request, site_of, kind):
    site = site_of(request.getfixturevalue(kind))
    sql_site.make_table(site.engine, "qpsmtpd")
    file = site.where / "password-relaypass"
    file.write_text("wr0ng-Secret\n", encoding="ascii")
    text = refused(site, f"the database {kind} says: ", "user (relaypass)",
                   f"password-file ({file})", "database (relaypass)")
    assert "wr0ng" not in text
    file.unlink()
    site.write(re.sub('password-file = "[^"]*"', "", site.text()))
    refused(site, "password-file (none)")


# --- SQLite --------------------------------------------------------------------

def another_file(site, path):
    site.write(re.sub('database = "[^"]*"', f'database = "{path}"',
                      site.text()))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_file_that_cannot_be_opened(site_of, sqlite):
    site = site_of(sqlite)
    sql_site.make_table(sqlite, "qpsmtpd")
    path = sqlite.path
    path.chmod(0o600)
    refused(site, f"{path}: Permission denied; relaypass-out must be able to "
            "read and write it")
    path.chmod(0o644)
    text = refused(site, "attempt to write a readonly database")
    assert mend(text) == f"chown relaypass-out {path}"
    shutil.chown(path, "relaypass-out")
    assert site.test_configuration() == (0, "")


def test_a_file_that_is_none(site_of, sqlite):
    site = site_of(sqlite)
    directory = sqlite.directory / "it.sqlite"
    another_file(site, directory)
    refused(site, f"{directory}: No such file or directory; it is not made "
            "unasked")
    directory.mkdir()
    refused(site, str(directory), "irectory")
    directory.rmdir()
    directory.write_text("These are letters, and no database.\n" * 100)
    directory.chmod(0o666)
    refused(site, f"{directory}: file is not a database")
    directory.unlink()
