# SPDX-License-Identifier: ISC
"""The export "sql" into a table that others write to as well: another
relaypassd, a script, or this one's own source under another name."""

import pathlib
import shutil
import tempfile
import time

import pytest

import lab
import sql_site
from databases import (  # noqa: F401 (fixtures)
    make_engine, make_mariadb, make_postgresql, make_sqlite)

TTL_MS = 30 * 60 * 1000
ANNA, BERT, LAST = "203.0.113.1", "203.0.113.2", "2001:db8::9"


def new_site(engine):
    where = pathlib.Path(tempfile.mkdtemp(prefix="relaypass-e2e-"))
    where.chmod(0o755)
    return sql_site.Site(where, engine)


@pytest.fixture(name="sites")
def make_sites(engine):
    sql_site.drop_all(engine)
    sites = [new_site(engine) for _ in range(2)]
    yield sites
    for site in sites:
        site.stop()
        shutil.rmtree(site.where)


@pytest.fixture(name="site")
def make_site(engine):
    engine.execute("DROP VIEW IF EXISTS another_name")
    sql_site.drop_all(engine)
    site = new_site(engine)
    yield site
    site.stop()
    shutil.rmtree(site.where)
    engine.execute("DROP VIEW IF EXISTS another_name")


def login_times(site, preset):
    """{address: time, as the database says it}; they sort."""
    _, address, column = sql_site.NAMES[preset]
    column = sql_site.quoted(site.engine, column)
    return {row[0].split("/")[0].strip(): row[1].strip()
            for row in site.engine.execute(
                f"SELECT {address}, {column} FROM "
                f"{sql_site.NAMES[preset][0]}")}


@pytest.mark.parametrize("preset", [*sql_site.TABLES, "relaypass"])
def test_two_nodes_share_a_table(sites, preset):
    """Neither takes away, or makes older, what the other wrote later."""
    one, other = sites
    if preset != "relaypass":
        sql_site.make_table(one.engine, preset)
    for site in sites:
        site.configure(f'preset = "{preset}" shared = yes create-table = yes',
                       user="owner").start()
    one.login(ANNA)
    one.wait_rows(ANNA, preset=preset)
    begin, first = time.time(), login_times(one, preset)[ANNA]
    # An older login, told of later.
    other.clock.advance(-5 * 60 * 1000)
    other.login(ANNA)
    other.login(BERT)
    other.wait_rows(ANNA, BERT, preset=preset)
    assert login_times(one, preset)[ANNA] == first
    # A later one is taken.
    other.clock.advance(5 * 60 * 1000)
    lab.wait_for(lambda: time.time() > begin + 1, "the next second")
    other.login(ANNA)
    other.wait(lambda: login_times(one, preset)[ANNA] > first, "a later time")
    # The first node's lease of it ends early: the second one's stays.
    assert one.control(f"revoke address={ANNA}")
    one.login(LAST)
    one.wait_rows(ANNA, BERT, LAST, preset=preset)
    # Whose row it is can take it away at once.
    assert other.control(f"revoke address={ANNA}")
    other.wait_rows(BERT, LAST, preset=preset)
    assert not one.lines("export.error") and not other.lines("export.error")


def test_a_lease_that_ends_leaves_what_another_refreshed(site):
    site.configure("shared = yes create-table = yes", user="owner").start()
    site.login(ANNA)
    site.login(BERT)
    site.wait_rows(ANNA, BERT)
    site.engine.execute(
        "UPDATE relaypass_leases SET last_login = '2036-01-01 00:00:00', "
        f"expires = '2036-01-01 00:30:00' WHERE address = '{ANNA}'")
    site.clock.advance(TTL_MS + 1000)
    site.wait_rows(ANNA)


def test_a_restart_knows_what_is_its_own(site):
    site.configure("shared = yes create-table = yes", user="owner").start()
    site.login(ANNA)
    site.login(BERT)
    site.wait_rows(ANNA, BERT)
    site.stop()
    site.start()
    site.login(LAST)
    site.wait_rows(ANNA, BERT, LAST)
    assert site.control(f"revoke address={ANNA}")
    site.wait_rows(BERT, LAST)


def test_an_address_whose_longer_lease_is_revoked(site):
    """Its row is that of the shorter one then, though the time is older."""
    site.configure("shared = yes create-table = yes", user="owner").start()
    site.login(ANNA, "anna")
    site.wait_rows(ANNA)
    first = login_times(site, "relaypass")[ANNA]
    site.clock.advance(60 * 1000)
    site.login(ANNA, "bert")
    site.wait(lambda: login_times(site, "relaypass")[ANNA] > first, "bert's")
    assert site.control("revoke user=bert")
    site.wait(lambda: login_times(site, "relaypass")[ANNA] <= first, "anna's")
    assert site.engine.execute(
        "SELECT username FROM relaypass_leases") == [["anna"]]


def test_rows_without_an_address_hold_up_no_snapshot(site):
    """A unique key takes any number of them."""
    engine = site.engine
    sql_site.execute(engine, "CREATE TABLE popbsmtp (ip varchar(39) UNIQUE, "
                     "login_time "
                     f"{sql_site.WORDS[engine.kind]['datetime']})")
    engine.execute(
        "INSERT INTO popbsmtp (ip, login_time) WITH RECURSIVE n AS (SELECT 1 "
        "AS i UNION ALL SELECT i + 1 FROM n WHERE i < 40) SELECT NULL, "
        "'2037-01-01 00:00:00' FROM n a, n b")
    engine.execute("INSERT INTO popbsmtp (ip, login_time) VALUES "
                   "('198.51.100.9', '2037-01-01 00:00:00')")
    site.configure('preset = "qpsmtpd"').start()
    site.login(ANNA)

    def addresses():
        return {row[0] for row in engine.execute(
            "SELECT ip FROM popbsmtp WHERE ip IS NOT NULL")}
    site.wait(lambda: addresses() == {ANNA}, "the row")
    site.login(BERT)
    site.wait(lambda: addresses() == {ANNA, BERT}, "the second row")


def test_words_of_the_database_do_not_end_the_quotes_of_the_log(site):
    engine = site.engine
    if engine.kind != "postgresql":
        pytest.skip("one of them is enough")
    sql_site.make_table(engine, "qpsmtpd")
    sql_site.execute(
        engine, "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN RAISE EXCEPTION ''no\" relay.allow=\"forged''; END'")
    sql_site.execute(engine, "CREATE TRIGGER refuse BEFORE INSERT ON popbsmtp "
                     "FOR EACH ROW EXECUTE FUNCTION refuse()")
    site.configure('preset = "qpsmtpd"').start()
    site.login(ANNA)
    line = lab.wait_for(lambda: site.lines("export.error"), "it is told")[0]
    assert line.count('"') == 4 and "no' relay.allow='forged" in line, line
    sql_site.execute(engine, "DROP FUNCTION refuse() CASCADE")


@pytest.mark.parametrize("name", ["view", "host"])
def test_an_export_read_back_under_another_name_keeps_no_lease(site, name):
    """The start does not see that they are one table; still each lease ends
    when its login says: the row's time is never later than that login."""
    engine = site.engine
    if engine.kind == "sqlite" and name == "host":
        pytest.skip("SQLite has no hosts")
    place = sql_site.place(engine, site.where)
    table = "relaypass_leases"
    sql_site.execute(engine, "CREATE TABLE relaypass_leases (address "
                     "varchar(39) PRIMARY KEY, last_login "
                     f"{sql_site.WORDS[engine.kind]['datetime']}, username "
                     "varchar(99), source varchar(31), expires "
                     f"{sql_site.WORDS[engine.kind]['datetime']})")
    if name == "view":
        table = "another_name"
        sql_site.execute(engine, f"CREATE VIEW {table} AS SELECT * FROM "
                         "relaypass_leases")
        if engine.kind == "postgresql":
            sql_site.execute(engine, f"GRANT SELECT ON {table} TO relaypass")
    else:
        place = place.replace(f'host = "{engine.host}"', 'host = "127.1"')
        assert "127.1" in place
    site.configure(ttl="4s", more=(
        f'source back {{ kind = "sql" {place} table = "{table}" '
        'interval = "1s" }\n'))
    assert site.test_configuration() == (0, "")
    site.start()
    begin = time.time()
    site.login(ANNA)
    site.wait_leased(ANNA)
    site.wait_rows(ANNA)
    site.wait(lambda: "source=back" in "\n".join(site.control("list")) or
              site.check(ANNA) == "none", "it is read back")
    site.wait(lambda: site.check(ANNA) == "none", "it ends")
    assert time.time() < begin + 4 + 2
    site.wait_rows()
    lab.wait_for(lambda: time.time() > begin + 4 + 3, "some polls")
    assert site.check(ANNA) == "none" and not site.addresses()
