# SPDX-License-Identifier: ISC
"""The export "sql" into real PostgreSQL, MariaDB and SQLite: rows come, are
refreshed and go as leases do, in every schema that is in use."""

import contextlib
import datetime
import shutil
import time

import pytest

import lab
import sql_site
from databases import (  # noqa: F401 (fixtures)
    DatabaseError, make_engine, make_mariadb, make_postgresql, make_sqlite)

TTL_MS = 30 * 60 * 1000
ANNA, BERT, SIX = "203.0.113.1", "203.0.113.2", "2001:db8::7"
LONG = "2001:db8:1111:2222:3333:4444:5555:6666"


@pytest.fixture(name="site")
def make_site(engine):
    with sql_site.made(engine) as site:
        yield site


def ours(site):
    """With a table of our own that the export made."""
    return site.configure("create-table = yes", user="owner")


def epoch(site, preset="relaypass", column=None):
    """{address: seconds} by the database's own clock and zone."""
    name, address, time_column = sql_site.NAMES[preset]
    column = sql_site.quoted(site.engine, column or time_column)
    text, value = address, {
        "postgresql": f"extract(epoch FROM {column}::timestamptz)",
        "mariadb": f"UNIX_TIMESTAMP({column})",
        "sqlite": f"strftime('%s', {column})"}[site.engine.kind]
    if preset == "vpopmail":
        value = column
    if site.engine.kind == "postgresql":
        text = f"split_part({address}::text, '/', 1)"
    return {row[0]: float(row[1]) for row in site.engine.execute(
        f"SELECT {text}, {value} FROM {name}")}


def insert_many(site, expires):
    """10,000 rows, of which only the first is an address."""
    site.engine.execute(
        "INSERT INTO relaypass_leases (address, last_login, expires) VALUES "
        f"('198.51.100.9', '2020-01-01 00:00:00', '{expires}')")
    site.engine.execute(
        "INSERT INTO relaypass_leases (address, last_login, expires) "
        "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n "
        "WHERE i < 100) SELECT a.i * 1000 + b.i, '2020-01-01 00:00:00', "
        f"'{expires}' FROM n a, n b")


def test_rows_come_are_refreshed_and_go_as_leases_do(site):
    ours(site).start()
    site.wait_rows()
    before = int(time.time())
    site.login(ANNA, "anna")
    site.login(SIX, "bert")
    site.login(LONG, "carl")
    site.wait_rows(ANNA, SIX, LONG)
    said = dict(site.engine.execute(
        "SELECT address, username FROM relaypass_leases WHERE "
        "source = 'file'"))
    assert said == {ANNA: "anna", SIX: "bert", LONG: "carl"}
    logins, ends = epoch(site), epoch(site, column="expires")
    for address in (ANNA, SIX):
        assert before - 1 <= logins[address] <= time.time()
        assert ends[address] == logins[address] + TTL_MS / 1000


def test_an_ended_lease_and_a_revoked_one_lose_their_rows(site):
    ours(site).start()
    for address in (ANNA, BERT, SIX):
        site.login(address)
    site.wait_rows(ANNA, BERT, SIX)
    assert site.control(f"revoke address={BERT}")
    site.wait_rows(ANNA, SIX)
    site.clock.advance(TTL_MS + 1000)
    site.wait_rows(limit=5)


def test_a_row_is_refreshed(site):
    ours(site).start()
    site.login(ANNA, "anna")
    site.wait_rows(ANNA)
    first = epoch(site, column="expires")[ANNA]
    lab.wait_for(lambda: time.time() > first - TTL_MS / 1000 + 1.1, "a second")
    site.login(ANNA, "zoe")

    def later():
        return epoch(site, column="expires")[ANNA] > first
    site.wait(later, "a later end")
    assert site.engine.execute(
        "SELECT username FROM relaypass_leases")[0][0] == "zoe"
    site.wait_rows(ANNA)


@pytest.mark.parametrize("preset", sql_site.TABLES)
def test_every_preset_in_every_database(site, preset):
    """The table as its reader made it; time is the lease's end less the
    period."""
    sql_site.make_table(site.engine, preset)
    site.configure(f'preset = "{preset}" period = "45m"').start()
    before = time.time()
    site.login(ANNA)
    site.login(LONG)
    site.wait_rows(ANNA, LONG, preset=preset)
    for when in epoch(site, preset).values():
        assert before - 2 <= when + 15 * 60 <= time.time() + 1
    site.clock.advance(TTL_MS + 1000)
    site.wait_rows(preset=preset)
    assert not site.lines("export.error")


@pytest.mark.parametrize("preset", sql_site.TABLES)
def test_create_table_makes_what_the_presets_need(site, preset):
    site.configure(f'preset = "{preset}" create-table = yes', user="owner")
    assert site.test_configuration()[0] == 0
    site.start()
    site.login(ANNA)
    site.login(LONG)
    site.wait_rows(ANNA, LONG, preset=preset)


def test_a_restart_goes_on_from_the_cursor(site):
    ours(site).start()
    site.login(ANNA)
    site.login(BERT)
    site.wait_rows(ANNA, BERT)
    site.stop()
    # Not a snapshot: that would take this row away.
    site.engine.execute(
        "INSERT INTO relaypass_leases (address, last_login, expires) SELECT "
        "'198.51.100.9', last_login, expires FROM relaypass_leases "
        f"WHERE address = '{ANNA}'")
    site.start()
    site.login(SIX)
    site.wait_rows(ANNA, BERT, SIX, "198.51.100.9")


def test_a_snapshot_drops_what_it_does_not_name(site):
    ours(site).start()
    site.login(ANNA)
    site.wait_rows(ANNA)
    site.stop()
    site.engine.execute("DELETE FROM relaypass_leases")
    insert_many(site, "2037-01-01 00:00:00")
    # Another ledger: the export begins with a snapshot.
    shutil.rmtree(site.where / "ledger")
    (site.where / "mail.log").write_text("")
    site.start()
    site.login(BERT)
    site.wait_rows(BERT)


def test_a_shared_table_keeps_what_others_wrote(site):
    ours(site)
    site.settings["more"] = site.settings["more"].replace(
        "create-table", "shared = yes create-table")
    site.write(site.text())
    site.start()
    site.login(ANNA)
    site.wait_rows(ANNA)
    site.stop()
    site.engine.execute(
        "INSERT INTO relaypass_leases (address, last_login, expires) "
        "VALUES ('198.51.100.1', '2026-01-01 00:00:00', "
        "'2037-01-01 00:00:00')")
    shutil.rmtree(site.where / "ledger")
    (site.where / "mail.log").write_text("")
    site.start()
    site.login(BERT)
    site.wait_rows(ANNA, BERT, "198.51.100.1")


def test_rows_that_are_over_are_purged_in_place_of_the_cron_job(site):
    """At the start, then once a minute; not those of others that are not."""
    ours(site)
    site.settings["more"] = site.settings["more"].replace(
        "create-table", "shared = yes create-table")
    site.write(site.text())
    site.start()
    site.login(ANNA)
    site.wait_rows(ANNA)
    site.stop()
    insert_many(site, "2020-01-01 00:30:00")
    site.engine.execute(
        "INSERT INTO relaypass_leases (address, last_login, expires) VALUES "
        f"('{BERT}', '2020-01-01 00:00:00', '2037-01-01 00:00:00')")
    site.start()
    site.wait_rows(ANNA, BERT)
    # The next ones wait for the minute, whatever happens meanwhile.
    insert_many(site, "2020-01-01 00:30:00")
    site.login(SIX)
    site.wait(lambda: SIX in site.addresses(), "its row")
    assert len(site.addresses()) == 10000 + 4
    site.clock.advance(61 * 1000)
    site.wait_rows(ANNA, BERT, SIX)


def test_a_table_that_was_emptied_while_we_were_away_is_filled(site):
    ours(site).start()
    site.login(ANNA)
    site.wait_rows(ANNA)
    site.stop()
    site.engine.execute("DELETE FROM relaypass_leases")
    site.start()
    site.wait_rows(ANNA)


def test_names_of_users_are_bound_never_pasted(site):
    ours(site).start()
    names = {"203.0.113.10": "o'brien", "203.0.113.11": 'x"); DROP TABLE',
             "203.0.113.12": "`\\' OR 1=1 --", "203.0.113.13": "ju\u00df"}
    for address, name in names.items():
        site.login(address, name)
    site.wait_rows(*names)
    assert dict(site.engine.execute(
        "SELECT address, username FROM relaypass_leases")) == names


def test_a_name_that_does_not_fit_costs_the_row_only_its_name(site):
    engine = site.engine
    if engine.kind == "sqlite":
        pytest.skip("SQLite takes any length and any bytes")
    sql_site.execute(engine, "CREATE TABLE relaypass_leases (address "
                     "varchar(39) PRIMARY KEY, last_login "
                     f"{sql_site.WORDS[engine.kind]['datetime']}, username "
                     "varchar(8), source varchar(31), expires "
                     f"{sql_site.WORDS[engine.kind]['datetime']})")
    if engine.kind == "postgresql":
        sql_site.execute(engine, "ALTER TABLE relaypass_leases ADD CHECK "
                         "(username <> 'poison')")
    else:
        sql_site.execute(engine, "ALTER TABLE relaypass_leases MODIFY "
                         "username varchar(8) CHARACTER SET latin1")
    site.configure().start()
    poison = "poison" if engine.kind == "postgresql" else "\u30e1"
    for number in range(20):
        site.login(f"203.0.113.{number}", poison if number == 7 else "anna")
    site.login(SIX, "much-too-long")
    site.wait_rows(*[f"203.0.113.{n}" for n in range(20)], SIX)
    said = dict(engine.execute(
        "SELECT address, username FROM relaypass_leases"))
    assert said[SIX] is None and said["203.0.113.7"] is None
    assert said["203.0.113.6"] == "anna"


def test_a_table_in_a_schema_of_its_own(site):
    engine = site.engine
    if engine.kind == "postgresql":
        sql_site.execute(engine, "DROP SCHEMA IF EXISTS mail CASCADE")
        engine.execute("CREATE SCHEMA mail AUTHORIZATION owner")
        schema = "mail"
    else:
        schema = "relaypass" if engine.kind == "mariadb" else "main"
    site.configure(f'preset = "qpsmtpd" table = "{schema}.logins" '
                   'create-table = yes', user="owner").start()
    site.login(ANNA)

    def written():
        with contextlib.suppress(DatabaseError):
            return engine.execute(f"SELECT ip FROM {schema}.logins") == \
                [[ANNA]]
        return False
    site.wait(written, "a row")
    engine.execute(f"DROP TABLE {schema}.logins")


# --- time ---------------------------------------------------------------------

@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kolkata"])
def test_times_are_those_of_the_readers_zone(site, zone):
    """A column without zone holds what the reader's now() gives."""
    engine = site.engine
    if engine.kind == "sqlite":
        pytest.skip("SQLite's times are UTC")
    sql_site.make_table(engine, "dovecot-postgresql"
                        if engine.kind == "postgresql" else "dovecot-mysql")
    if engine.kind == "postgresql":
        preset, age = "dovecot-postgresql", "extract(epoch FROM now()::" \
            "timestamp - accessed) FROM auth"
        engine.execute(f"ALTER DATABASE relaypass SET timezone = '{zone}'")
    else:
        preset, age = "dovecot-mysql", \
            "TIMESTAMPDIFF(SECOND, last_seen, NOW()) FROM popbsmtp"
        hours = "-05:00" if zone.startswith("America") else "+05:30"
        engine.execute(f"SET GLOBAL time_zone = '{hours}'")
    try:
        site.configure(f'preset = "{preset}"').start()
        site.login(ANNA)
        site.wait_rows(ANNA, preset=preset)
        assert -2 <= float(engine.execute(f"SELECT {age}")[0][0]) <= 20
        shown = datetime.datetime.fromisoformat(
            next(iter(site.rows(preset).values()))[-1])
        assert abs(shown - datetime.datetime.utcnow()) > \
            datetime.timedelta(hours=3)
    finally:
        engine.execute("ALTER DATABASE relaypass RESET timezone"
                       if engine.kind == "postgresql"
                       else "SET GLOBAL time_zone = 'SYSTEM'")
