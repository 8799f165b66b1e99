# SPDX-License-Identifier: ISC
"""The export "sql" while its database is stopped, hangs, is killed or loses the
table: logins and answers go on at full speed, the log has one line each way,
and afterwards the table is what it should be."""

import pathlib
import shutil
import statistics
import tempfile
import time

import pytest

import lab
import sql_site
from databases import (  # noqa: F401 (fixtures)
    make_engine, make_mariadb, make_postgresql, make_sqlite)

BEFORE, GONE, DURING = "203.0.113.1", "203.0.113.2", "2001:db8::7"
QUESTIONS = 300


@pytest.fixture(name="site")
def make_site(engine):
    sql_site.drop_all(engine)
    where = pathlib.Path(tempfile.mkdtemp(prefix="relaypass-e2e-"))
    where.chmod(0o755)
    daemon = sql_site.Site(where, engine)
    daemon.timeout = "1s"
    daemon.configure("create-table = yes", user="owner").start()
    daemon.login(BEFORE)
    daemon.login(GONE)
    daemon.wait_rows(BEFORE, GONE)
    if engine.kind == "sqlite":  # it would make a file while that is away
        daemon.stop()
        daemon.configure().start()
    yield daemon
    engine.start() if not engine.running() else engine.resume()
    daemon.stop()
    shutil.rmtree(where)


def latency(site):
    """Median of a question's time, s."""
    times = []
    for _ in range(QUESTIONS):
        begin = time.perf_counter()
        assert site.check(BEFORE).startswith("allow ")
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def goes_on(site, address, quiet):
    """A login makes a lease at once, and answers take no longer."""
    begin = time.monotonic()
    site.login(address)
    site.wait_leased(address, 5)
    assert time.monotonic() - begin < 2
    assert latency(site) < 5 * quiet + 0.001


def lost_and_back(site):
    lab.wait_for(lambda: site.lines("export=db", "=back")
                 or site.lines("export=db", "state=good"), "it is back")
    lost = site.lines("export=db", "=lost") + site.lines("export.error")
    back = site.lines("export=db", "=back") + site.lines("state=good")
    assert len(lost) == 1 and len(back) == 1, site.story()


@pytest.mark.parametrize("how", ["stop", "pause", "kill"])
def test_a_database_that_goes_and_comes(site, how):
    engine, quiet = site.engine, latency(site)
    getattr(engine, how)()
    goes_on(site, DURING, quiet)
    assert site.control(f"revoke address={GONE}")
    lab.wait_for(lambda: site.lines("export=db", "=lost")
                 or site.lines("export.error"), "it is told")
    goes_on(site, "203.0.113.9", quiet)
    if how == "pause":
        engine.resume()
    else:
        engine.start()
    # It tries again after half a minute at the latest.
    site.wait_rows(BEFORE, DURING, "203.0.113.9", limit=60)
    lost_and_back(site)


def test_a_database_that_refuses(site):
    """The account may not log in for a while."""
    engine, quiet = site.engine, latency(site)
    if engine.kind == "sqlite":
        pytest.skip("SQLite has no accounts")
    site.stop()
    site.configure().start()
    lock, unlock = {
        "postgresql": ("ALTER ROLE relaypass NOLOGIN",
                       "ALTER ROLE relaypass LOGIN"),
        "mariadb": ("ALTER USER 'relaypass'@'%' ACCOUNT LOCK",
                    "ALTER USER 'relaypass'@'%' ACCOUNT UNLOCK")}[engine.kind]
    engine.execute(lock)
    try:
        engine.restart()
        site.wait(lambda: site.lines("export=db", "=lost"), "it is told")
        goes_on(site, DURING, quiet)
        site.wait(lambda: {"postgresql": "not permitted to log in",
                           "mariadb": "locked"}[engine.kind] in
                  site.trouble("export", "db"), "the reason")
    finally:
        engine.execute(unlock)
    site.wait_rows(BEFORE, GONE, DURING)
    lost_and_back(site)


def test_a_table_that_is_dropped_and_made_again(site):
    """By the export, and all that was in it comes again."""
    site.stop()
    site.configure("create-table = yes", user="owner").start()
    site.engine.execute("DROP TABLE relaypass_leases")
    site.wait_rows(BEFORE, GONE, limit=10)
    site.login(DURING)
    site.wait_rows(BEFORE, GONE, DURING)


def test_a_table_that_is_dropped_and_made_by_hand(site):
    engine, quiet = site.engine, latency(site)
    rows = sql_site.execute(engine, {
        "sqlite": "SELECT sql FROM sqlite_master WHERE type = 'table'",
        "mariadb": "SHOW CREATE TABLE relaypass_leases"}.get(
            engine.kind, "SELECT 1"))
    site.configure(user="owner")
    site.process.signal(1)  # reload: it makes none any more
    site.wait_log("reload")
    engine.execute("DROP TABLE relaypass_leases")
    lab.wait_for(lambda: site.lines("export.error", "there is no table"),
                 "it is told")
    goes_on(site, DURING, quiet)
    text = rows[0][-1] if engine.kind != "postgresql" else (
        "CREATE TABLE relaypass_leases (address varchar(39) PRIMARY KEY, "
        "last_login timestamptz, username varchar(255), source varchar(31), "
        "expires timestamptz)")
    sql_site.execute(engine, text)
    site.wait_rows(BEFORE, GONE, DURING)
    assert len(site.lines("export.error")) == 1, site.story()
    assert len(site.lines("export.state", "state=good")) == 1


def test_a_table_that_is_truncated(site):
    if site.engine.kind == "sqlite":
        pytest.skip("SQLite has no TRUNCATE")
    site.engine.execute("TRUNCATE TABLE relaypass_leases")
    site.wait_rows(BEFORE, GONE, limit=10)


def test_a_table_that_is_emptied(site):
    site.login(DURING)
    site.wait_rows(BEFORE, GONE, DURING)
    site.engine.execute("DELETE FROM relaypass_leases")
    site.wait_rows(BEFORE, GONE, DURING, limit=10)


def test_an_older_file_in_its_place(site):
    engine = site.engine
    if engine.kind != "sqlite":
        pytest.skip("others are no file")
    dump = engine.directory / "dump"
    shutil.copy(engine.path, dump)
    dump.chmod(0o666)
    site.login(DURING)
    site.wait_rows(BEFORE, GONE, DURING)
    dump.rename(engine.path)
    site.wait_rows(BEFORE, GONE, DURING, limit=10)


def test_a_right_that_is_taken_and_given_back(site):
    engine = site.engine
    if engine.kind != "postgresql":
        pytest.skip("one of them is enough")
    site.stop()
    site.configure().start()
    engine.execute("REVOKE INSERT ON relaypass_leases FROM relaypass")
    site.login(DURING)
    lab.wait_for(lambda: site.lines(
        "export.error", "INSERT on relaypass_leases is denied",
        "GRANT SELECT, INSERT, UPDATE, DELETE"), "it is told")
    engine.execute("GRANT INSERT ON relaypass_leases TO relaypass")
    site.wait_rows(BEFORE, GONE, DURING)
    assert len(site.lines("export.error")) == 1, site.story()


def test_many_leases_arrive_after_an_outage(site):
    """And those that have ended meanwhile do not."""
    engine = site.engine
    engine.stop()
    many = [f"198.51.{i // 250}.{i % 250 + 1}" for i in range(1500)]
    for address in many:
        site.login(address)
    site.wait_leased(many[-1])
    site.clock.advance(31 * 60 * 1000)
    site.login(DURING)
    lab.wait_for(lambda: site.check(BEFORE) == "none", "they are over")
    late = many[:900]
    for address in late:
        site.login(address)
    site.wait_leased(late[-1])
    engine.start()
    site.wait_rows(*late, DURING)
