# SPDX-License-Identifier: ISC
"""What `status` and the log say while the export "sql" cannot write: the
database's own reason, once, for as long as it lasts and no longer."""

import pytest

import sql_site
from databases import (  # noqa: F401 (fixtures)
    make_engine, make_mariadb, make_postgresql, make_sqlite)

ANNA, BERT, LAST = "203.0.113.1", "203.0.113.2", "2001:db8::9"
TRIES = 8
# A right that no look at the table can see.
DENY = ("CREATE FUNCTION deny() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN "
        "RAISE insufficient_privilege USING MESSAGE = ''not your row''; END';"
        "CREATE TRIGGER deny BEFORE INSERT ON popbsmtp FOR EACH ROW EXECUTE "
        "FUNCTION deny()")


@pytest.fixture(name="site")
def make_site(engine):
    with sql_site.made(engine) as site:
        sql_site.make_table(engine, "qpsmtpd")
        site.configure('preset = "qpsmtpd"').start()
        site.login(ANNA)
        site.wait_rows(ANNA, preset="qpsmtpd")
        yield site


@pytest.fixture(name="postgresql_site")
def make_postgresql_site(site):
    if site.engine.kind != "postgresql":
        pytest.skip("one of them is enough")
    yield site
    sql_site.execute(site.engine, "DROP FUNCTION IF EXISTS deny() CASCADE")


def trouble(site):
    return site.trouble("export", "db")


def told(site):
    """How often the log has heard that it is wrong, and that it is over."""
    return len(site.lines("export.error")), len(site.lines("state=good"))


def test_a_right_that_only_the_rows_need(postgresql_site):
    """The look at the table finds nothing; it is told all the same, and it
    stays told while each try fails."""
    site, server = postgresql_site, postgresql_site.engine
    sql_site.execute(server, DENY)
    before = server.output().count("not your row")
    site.login(BERT)
    site.wait(lambda: "not your row" in (trouble(site) or ""), "it is told")
    said = set()

    def tried():
        said.add(trouble(site))
        return server.output().count("not your row") >= before + TRIES
    site.wait(tried, "some more tries")
    assert len(said) == 1 and told(site) == (1, 0), (said, site.story())
    sql_site.execute(server, "DROP FUNCTION deny() CASCADE")
    site.wait_rows(ANNA, BERT, preset="qpsmtpd")
    site.wait(lambda: trouble(site) == "", "it is over")
    assert told(site) == (1, 1)


def test_a_table_that_is_mended_while_nothing_waits(site):
    """Nobody logs in; it is over all the same."""
    engine = site.engine
    if engine.kind == "sqlite":
        pytest.skip("SQLite renames no column of an older file")
    renamed = "ALTER TABLE popbsmtp RENAME COLUMN login_time TO seen"
    sql_site.execute(engine, renamed)
    # A look comes with each connection.
    engine.restart()
    site.wait(lambda: "login_time" in (trouble(site) or ""), "it is told")
    sql_site.execute(engine, "ALTER TABLE popbsmtp RENAME COLUMN seen TO "
                     "login_time")
    site.wait(lambda: trouble(site) == "", "it is over")
    assert told(site) == (1, 1), site.story()


def test_the_reason_why_there_is_no_connection(site):
    engine = site.engine
    if engine.kind == "sqlite":
        pytest.skip("SQLite is a file")
    engine.stop()
    said = set()

    def refused():
        said.add(trouble(site))
        return len(said - {""}) and site.lines("export=db", "=lost")
    site.wait(refused, "it is told")
    site.login(BERT)

    def tried():
        said.add(trouble(site))
        return any("onnect" in text for text in said)
    site.wait(tried, "the reason")
    site.login(LAST)
    site.wait_leased(LAST)
    assert "onnect" in trouble(site), said
    engine.start()
    site.wait_rows(ANNA, BERT, LAST, preset="qpsmtpd")
    site.wait(lambda: trouble(site) == "", "it is over")
    assert told(site) == (0, 0), site.story()
