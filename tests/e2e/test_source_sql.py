# SPDX-License-Identifier: ISC
"""The source "sql": rows that others write into a real database become
leases; and `relaypass import sql`, which takes them over once."""

import contextlib
import os
import shutil
import subprocess
import time

import pytest

import databases
import lab
from databases import (  # noqa: F401 (fixtures)
    make_engine, make_mariadb, make_postgresql, make_sqlite)
from sql_source import (
    AGO, make_table, ours, put, site_of, ttl, where)


def test_rows_become_leases_that_end_with_their_period(engine):
    make_table(engine)
    put(engine, "203.0.113.1")
    put(engine, "203.0.113.2", 25 * 60)
    put(engine, "203.0.113.3", 31 * 60)
    with site_of(engine, 'preset = "qpsmtpd"') as site:
        site.wait_leased("203.0.113.1")
        site.wait_leased("203.0.113.2")
        put(engine, "2001:db8::7")
        site.wait_leased("2001:db8::7")
        assert site.check("203.0.113.3") == "none"
        left = int(site.check("203.0.113.2").split("ttl=")[1].split()[0])
        assert 4 * 60 < left <= 5 * 60
        # A row that is refreshed is a new login.
        put(engine, "203.0.113.2")
        lab.wait_for(lambda: int(site.check("203.0.113.2").split("ttl=")[1]
                                 .split()[0]) > 25 * 60, "it is renewed")
        put(engine, "203.0.113.3")
        site.wait_leased("203.0.113.3")
        lease = site.leases()["203.0.113.3"]
        assert lease["source"] == "panel" and lease["server"] == "sql"


def trouble(site):
    return site.trouble("source", "panel")


def test_a_shorter_period_is_kept(engine):
    make_table(engine)
    put(engine, "203.0.113.1", 9 * 60)
    put(engine, "203.0.113.2", 11 * 60)
    with site_of(engine, 'preset = "qpsmtpd" period = "10m"') as site:
        site.wait_leased("203.0.113.1")
        assert site.check("203.0.113.2") == "none"
        assert 0 < ttl(site, "203.0.113.1") <= 60


def test_no_lease_outlives_its_row(engine):
    make_table(engine, "logins", "ip varchar(45), at {time}, until {time}")
    for address, minutes in (("203.0.113.1", 2), ("203.0.113.2", 60)):
        put(engine, address, table="logins", columns="ip, at, until",
            more=", " + AGO[engine.kind].format(-60 * minutes))
    with site_of(engine, 'table = "logins" address-column = "ip" '
                 'time-column = "at" user-column = "-" source-column = "-" '
                 'expiry-column = "until"') as site:
        site.wait_leased("203.0.113.1")
        site.wait_leased("203.0.113.2")
        assert 60 < ttl(site, "203.0.113.1") <= 120
        assert 29 * 60 < ttl(site, "203.0.113.2") <= 30 * 60
        done = run_import(site, "--dry-run", "sql", "panel")
        assert "would import 2" in done.stdout or "kept 2" in done.stdout


def test_users_are_taken_where_there_is_a_column(engine):
    make_table(engine, "logins", "host varchar(45), at {time}, who varchar(300)")
    with site_of(engine, 'table = "logins" address-column = "host" '
                 'time-column = "at" user-column = "who" source-column = "-" '
                 'expiry-column = "-"') as site:
        put(engine, "203.0.113.1", table="logins", columns="host, at, who",
            more=", 'anna'")
        put(engine, "203.0.113.2", table="logins", columns="host, at, who",
            more=", NULL")
        put(engine, "203.0.113.3", table="logins", columns="host, at, who",
            more=f", '{'x' * 256}'")
        site.wait_leased("203.0.113.1")
        site.wait_leased("203.0.113.2")
        assert "user=anna" in site.check("203.0.113.1")
        site.wait_error("reason=not-a-user")
        assert site.check("203.0.113.3") == "none"


def test_what_is_no_address_is_counted_and_no_login(engine):
    make_table(engine, columns="ip varchar(60), login_time {time}")
    bad = ["192.0.2.01", "mail.example.org", "", "192.0.2.7; DROP TABLE x",
           "192.0.2.0/24", "::ffff:192.0.2.9x", "2001:db8::1%eth0"]
    for i, address in enumerate(bad):
        put(engine, address.replace(";", ","), i)
    put(engine, "::ffff:203.0.113.9")
    with site_of(engine, 'preset = "qpsmtpd"') as site:
        site.wait_leased("203.0.113.9")
        site.wait_error("reason=not-an-address")
        assert len(site.leases()) == 1
        assert "count=1 " in site.errors()
        # It is for `status`, too.
        lab.wait_for(lambda: "not an IP address" in trouble(site), "told")
        assert f"{len(bad)} rows refused, the last of " in trouble(site)


def test_rows_ahead_of_the_clock_are_refused(engine):
    make_table(engine)
    put(engine, "203.0.113.1", -3600)
    put(engine, "203.0.113.2", -60)
    with site_of(engine, 'preset = "qpsmtpd"') as site:
        site.wait_leased("203.0.113.2")
        site.wait_error("reason=time-ahead")
        assert site.check("203.0.113.1") == "none"
        left = int(site.check("203.0.113.2").split("ttl=")[1].split()[0])
        assert left <= 1800


@pytest.mark.parametrize("minutes", [-7, 7])
@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_a_clock_that_differs_is_told(request, kind, minutes):
    """Once each way; the lease is as right as ever."""
    server = request.getfixturevalue(kind)
    way = "ahead of" if minutes > 0 else "behind"
    made = {"postgresql": "PostgreSQL", "mariadb": "MariaDB"}[kind]
    text = f"this machine's clock is 7 min {way} {made}'s"
    make_table(server)
    put(server, "203.0.113.1", 10 * 60)
    with site_of(server, 'preset = "qpsmtpd"') as site:
        site.wait_leased("203.0.113.1")
        site.clock.set(minutes * 60 * 1000, 0)
        lab.wait_for(lambda: text in trouble(site), text)
        put(server, "203.0.113.2", 30)
        site.wait_leased("203.0.113.2")
        assert 29 * 60 < ttl(site, "203.0.113.2") <= 30 * 60 - 29
        assert text in trouble(site)
        site.clock.set(0)
        lab.wait_for(lambda: not trouble(site), "it is over")
        assert site.errors().count(text) == 1
        assert site.errors().count("clock=database state=good") == 1


def test_nothing_is_lost_while_relaypassd_is_away(engine):
    make_table(engine)
    with site_of(engine, 'preset = "qpsmtpd"') as site:
        put(engine, "203.0.113.1")
        site.wait_leased("203.0.113.1")
        site.stop()
        for i in range(1, 30):
            put(engine, f"198.51.100.{i}")
        site.start()
        for i in range(1, 30):
            site.wait_leased(f"198.51.100.{i}")


def test_many_rows_of_one_second(engine):
    """More than a page of them, and pages of others behind."""
    make_table(engine)
    for second in range(3):
        rows = ", ".join(
            f"('198.51.{100 + second * 10 + i // 250}.{i % 250}', "
            f"{AGO[engine.kind].format(9 - 3 * second)})" for i in range(1200))
        ours(engine, f"INSERT INTO popbsmtp VALUES {rows}")
    with site_of(engine, 'preset = "qpsmtpd"') as site:
        lab.wait_for(lambda: len(site.leases()) == 3600, "all of them")


def test_an_outage_stands_in_nobodys_way(engine):
    make_table(engine)
    with site_of(engine, 'preset = "qpsmtpd"') as site:
        put(engine, "203.0.113.1")
        site.wait_leased("203.0.113.1")
        engine.stop()
        # SQLite's file is looked for when it is asked.
        site.wait_error("panel")
        lab.wait_for(lambda: "lost" in site.errors() or
                     "source.error" in site.errors(), "it is told")
        begun = time.monotonic()
        for i in range(200):
            site.login(f"198.51.100.{i}")
        site.wait_leased("198.51.100.199")
        assert site.check("203.0.113.1").startswith("allow ")
        assert time.monotonic() - begun < 5
        engine.start()
        put(engine, "203.0.113.2")
        site.wait_leased("203.0.113.2")
        assert site.errors().count("lost") <= 1
        assert site.errors().count("source.error") <= 1


def test_a_server_that_hangs(engine):
    make_table(engine)
    with site_of(engine, 'preset = "qpsmtpd"') as site:
        put(engine, "203.0.113.1")
        site.wait_leased("203.0.113.1")
        engine.pause()
        try:
            site.login("198.51.100.1")
            site.wait_leased("198.51.100.1")
            if engine.kind != "sqlite":
                site.wait_error("database=lost")
        finally:
            engine.resume()
        put(engine, "203.0.113.2")
        site.wait_leased("203.0.113.2")


# --- what is refused at start ------------------------------------------------

def test_what_cannot_be_read_is_refused_at_start(engine):
    make_table(engine)
    with site_of(engine, 'preset = "qpsmtpd" table = "nosuch"',
                 start=False) as site:
        assert "there is no table nosuch" in site.refused()
        site.configure('preset = "qpsmtpd" time-column = "at"')
        assert "time-column: the table popbsmtp has no column at" in \
            site.refused()
        site.configure('preset = "nonsense"')
        assert "preset" in site.refused()
        site.configure('preset = "qpsmtpd" time-column = "-"')
        assert "time-column" in site.refused()
        if engine.kind == "sqlite":
            return
        site.configure('preset = "qpsmtpd" time-format = "epoch"')
        assert 'set time-format = "native"' in site.refused()
        engine.execute("DROP TABLE IF EXISTS hidden; CREATE TABLE hidden AS "
                       "SELECT * FROM popbsmtp")
        if engine.kind == "postgresql":
            site.configure('preset = "qpsmtpd" table = "hidden"')
            assert 'GRANT SELECT ON "hidden" TO reader;' in site.refused()
        (site.where / "password").chmod(0o644)
        site.configure('preset = "qpsmtpd"')
        assert "password-file" in site.refused()


def test_the_table_of_an_export_is_refused(engine):
    make_table(engine)
    export = f"""
export there {{ kind = "sql" engine = "{engine.kind}" preset = "qpsmtpd"
               database = "{engine.database}" @ }}"""
    with site_of(engine, 'preset = "qpsmtpd"', start=False) as site:
        site.configure('preset = "qpsmtpd"', export.replace("@", where(
            engine, site.user, site.where)))
        said = site.refused()
        assert "source panel" in said and "another table" in said, said


# --- PostgreSQL and MariaDB --------------------------------------------------

DBMAIL = {
    # As dbmail 3 makes it.
    "postgresql": "idnr bigserial PRIMARY KEY, since timestamp NOT NULL "
                  "DEFAULT '1970-01-01', ipnumber inet NOT NULL DEFAULT "
                  "'0.0.0.0' UNIQUE",
    "mariadb": "idnr bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, since "
               "datetime NOT NULL DEFAULT '1979-11-03 22:05:58', ipnumber "
               "varchar(40) NOT NULL, UNIQUE (ipnumber)",
    "sqlite": "idnr integer PRIMARY KEY, since datetime NOT NULL DEFAULT '0', "
              "ipnumber varchar(40) NOT NULL UNIQUE"}


def test_the_table_of_dbmail(engine):
    make_table(engine, "dbmail_pbsp", DBMAIL[engine.kind])
    with site_of(engine, 'preset = "dbmail"') as site:
        put(engine, "203.0.113.1", table="dbmail_pbsp",
            columns="ipnumber, since")
        put(engine, "2001:db8::7", table="dbmail_pbsp",
            columns="ipnumber, since")
        site.wait_leased("203.0.113.1")
        site.wait_leased("2001:db8::7")


def test_the_table_of_vpopmail(engine):
    make_table(engine, "relay", "ip_addr char(18) PRIMARY KEY, "
               + ('"timestamp"' if engine.kind != "mariadb" else "`timestamp`")
               + " char(12)")
    now = int(time.time())
    # Before the first look: old rows that come later are behind the place.
    ours(engine, "INSERT INTO relay VALUES ('203.0.113.1', "
         f"'{now}'), ('203.0.113.2', '{now - 1500}'), ('203.0.113.3', "
         f"'{now - 2000}'), ('203.0.113.4', '99')")
    with site_of(engine, 'preset = "vpopmail"') as site:
        site.wait_leased("203.0.113.1")
        site.wait_leased("203.0.113.2")
        ours(engine, "INSERT INTO relay VALUES ('203.0.113.5', "
             f"'{int(time.time())}')")
        site.wait_leased("203.0.113.5")
        assert len(site.leases()) == 3


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York"])
@pytest.mark.parametrize("column", ["timestamp", "timestamptz"])
def test_zones_of_postgresql(postgresql, zone, column):
    postgresql.execute(f"ALTER DATABASE relaypass SET timezone = '{zone}'")
    try:
        make_table(postgresql, columns=f"ip varchar(39) PRIMARY KEY, "
                   f"login_time {column} NOT NULL")
        put(postgresql, "203.0.113.1", 60)
        put(postgresql, "203.0.113.2", 31 * 60)
        with site_of(postgresql, 'preset = "qpsmtpd"') as site:
            site.wait_leased("203.0.113.1")
            left = int(site.check("203.0.113.1").split("ttl=")[1].split()[0])
            assert 28 * 60 < left <= 29 * 60
            assert site.check("203.0.113.2") == "none"
    finally:
        postgresql.execute("ALTER DATABASE relaypass RESET timezone")


@contextlib.contextmanager
def moved_clock(postgresql):
    """A function that sets the clock which relaypass asks for: a moment, or
    what now() is to be moved by."""
    postgresql.execute("""
CREATE SCHEMA moved; GRANT USAGE ON SCHEMA moved TO reader;
CREATE TABLE moved.by (s interval); INSERT INTO moved.by VALUES ('0');
GRANT SELECT ON moved.by TO reader;
CREATE FUNCTION moved.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS
$$ SELECT pg_catalog.clock_timestamp() + s FROM moved.by $$;
ALTER ROLE reader SET search_path = moved, pg_catalog, public""")
    try:
        yield lambda s: postgresql.execute(f"UPDATE moved.by SET s = {s}")
    finally:
        postgresql.execute("ALTER ROLE reader RESET search_path; "
                           "DROP SCHEMA moved CASCADE")


def test_a_clock_set_back(postgresql):
    """What was taken long ago does not get young again."""
    told = "clock was set back"
    make_table(postgresql)
    put(postgresql, "203.0.113.1", 20)
    with moved_clock(postgresql) as move, \
            site_of(postgresql, 'preset = "qpsmtpd" overlap = "1s"') as site:
        site.wait_leased("203.0.113.1")
        # A later reading has forgotten it.
        put(postgresql, "203.0.113.2")
        site.wait_leased("203.0.113.2")
        move("interval '-1 minute'")
        site.wait_error(told)
        put(postgresql, "203.0.113.3")
        assert ttl(site, "203.0.113.1") <= 1780
        move("interval '0'")

        def is_taken():  # once the clock is where it was
            put(postgresql, "203.0.113.4")
            return site.check("203.0.113.4").startswith("allow ")
        lab.wait_for(is_taken, "rows count again")
        assert ttl(site, "203.0.113.1") <= 1780
        assert site.errors().count(told) == 1


@pytest.mark.parametrize("clock, rows", [
    # The hour from two to three comes twice: here the first time ...
    ("00:10", {"01:45:00": 5 * 60, "02:09:50": 1790, "02:10:20": 1800}),
    # ... the second time: those rows may be of the first ...
    ("01:10", {"01:45:00": 0, "02:00:00": 0, "02:09:50": 0, "02:10:20": 0}),
    # ... and behind it.
    ("02:10", {"02:59:50": 0, "03:00:00": 1200, "03:09:50": 1790})])
def test_the_hour_that_comes_twice(postgresql, clock, rows):
    postgresql.execute("ALTER DATABASE relaypass SET timezone = "
                       "'Europe/Berlin'")
    try:
        make_table(postgresql)
        for i, at in enumerate(rows):
            ours(postgresql, f"INSERT INTO popbsmtp VALUES ('203.0.113.{i}', "
                 f"'2026-10-25 {at}')")
        # Read last, and told.
        ours(postgresql, "INSERT INTO popbsmtp VALUES ('203.0.113.99', "
             "'2026-10-25 09:00:00')")
        with moved_clock(postgresql) as move:
            move(f"'2026-10-25 {clock}:00+00' - pg_catalog.clock_timestamp()")
            with site_of(postgresql, 'preset = "qpsmtpd"') as site:
                site.wait_error("reason=time-ahead")
                for i, left in enumerate(rows.values()):
                    if left:
                        site.wait_leased(f"203.0.113.{i}")
                        assert left - 30 < ttl(site, f"203.0.113.{i}") <= left
                assert len(site.leases()) == sum(map(bool, rows.values()))
    finally:
        postgresql.execute("ALTER DATABASE relaypass RESET timezone")


@pytest.mark.parametrize("zone", ["+09:00", "-05:00"])
@pytest.mark.parametrize("column", ["datetime", "timestamp"])
def test_zones_of_mariadb(mariadb, zone, column):
    mariadb.execute(f"SET GLOBAL time_zone = '{zone}'")
    try:
        make_table(mariadb, columns=f"ip varchar(39) PRIMARY KEY, "
                   f"login_time {column} NOT NULL")
        put(mariadb, "203.0.113.1", 60)
        put(mariadb, "203.0.113.2", 31 * 60)
        with site_of(mariadb, 'preset = "qpsmtpd"') as site:
            site.wait_leased("203.0.113.1")
            left = int(site.check("203.0.113.1").split("ttl=")[1].split()[0])
            assert 28 * 60 < left <= 29 * 60
            assert site.check("203.0.113.2") == "none"
    finally:
        mariadb.execute("SET GLOBAL time_zone = 'SYSTEM'")


class Session:
    """A client of PostgreSQL that keeps its transaction open."""

    def __init__(self, server):
        self.popen = subprocess.Popen(
            ["psql", "-X", "-a", "-U", server.superuser, "-h",
             str(server.socket), "-p", str(server.port), "-d", "relaypass"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, encoding="utf-8", bufsize=1)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.popen.stdin.close()
        self.popen.wait(lab.LIMIT)
        self.popen.stdout.close()

    def run(self, text, answer):
        self.popen.stdin.write(text + "\n")
        self.popen.stdin.flush()
        for line in self.popen.stdout:
            if line.strip() == answer:
                return
        raise AssertionError(answer)


def test_a_row_that_is_committed_late_is_found(postgresql):
    make_table(postgresql)
    with site_of(postgresql, 'preset = "qpsmtpd"') as site, \
            Session(postgresql) as late:
        late.run("BEGIN; INSERT INTO popbsmtp VALUES ('203.0.113.1', now());",
                 "INSERT 0 1")
        for i in range(3):
            put(postgresql, f"198.51.100.{i}")
            site.wait_leased(f"198.51.100.{i}")
        assert site.check("203.0.113.1") == "none"
        late.run("COMMIT;", "COMMIT")
        site.wait_leased("203.0.113.1")


TRIGGER = lab.EXAMPLES / "sql-notify.sql"


def test_listen_tells_at_once(postgresql):
    make_table(postgresql)
    for statement in TRIGGER.read_text(encoding="ascii").split("\n\n"):
        postgresql.execute(statement, user="owner")
    example = (lab.EXAMPLES / "relaypass-source-sql.conf").read_text(
        encoding="utf-8")
    with site_of(postgresql, "", start=False) as site:
        for a, b in (('"127.0.0.1"', f'"{postgresql.host}" port = '
                      f"{postgresql.port}"),
                     ('"popbsmtp"\n\tuser = "relaypass"',
                      '"relaypass"\n\tuser = "reader"'),
                     ("/etc/relaypass/database.password",
                      f"{site.where}/password"), ('"5s"', '"1h"')):
            assert a in example
            example = example.replace(a, b)
        site.write(site.text(more=example))
        site.start()
        put(postgresql, "203.0.113.1")
        site.wait_leased("203.0.113.1")
        # Without a notification it would take an hour.
        took = []
        for i in range(20):
            begun = time.monotonic()
            put(postgresql, f"198.51.100.{i}")
            site.wait_leased(f"198.51.100.{i}")
            took.append(time.monotonic() - begun)
        assert sorted(took)[10] < 1, took


# --- Dovecot's old shell wrappers, as they stand in the recipes --------------

WRAPPERS = lab.HERE.parent / "data" / "wrappers"


def run_wrapper(site, name, address, environment, more=""):
    """As Dovecot 1.x did, with a /var/log and a /root of its own."""
    path = site.where / "popbsmtp.sh"
    shutil.copyfile(WRAPPERS / name, path)
    path.chmod(0o755)
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c",
         "mount -t tmpfs none /var/log && mount -t tmpfs none /root && "
         f"{{ {more or 'true'}; }} && {path} echo served; "
         "cat /var/log/* >&2"], check=False, encoding="utf-8",
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=lab.LIMIT,
        env={**os.environ, "IP": address, **environment})
    assert done.stdout == "served\n", done
    return done.stderr


@pytest.mark.namespaces
def test_the_wrapper_of_the_recipe_for_mysql(mariadb):
    mariadb.execute("""DROP DATABASE IF EXISTS maildb; CREATE DATABASE maildb;
GRANT ALL ON maildb.* TO 'owner'@'%'; GRANT SELECT ON maildb.* TO 'reader'@'%';
CREATE TABLE maildb.popbsmtp ( `ip` varchar(15) NOT NULL default '',
`login_time` datetime NOT NULL, PRIMARY KEY (`ip`) ) ENGINE=MyISAM DEFAULT
CHARSET=latin1""", database="mysql")
    cnf = ("printf '[client]\\nuser=owner\\npassword=%s\\nhost=%s\\nport=%s\\n' "
           f"{databases.USERS['owner']} {mariadb.host} {mariadb.port} "
           ">/root/.my.cnf")
    with site_of(mariadb, 'preset = "qpsmtpd"', start=False) as site:
        path = site.where / "relaypass.conf"
        path.write_text(path.read_text(encoding="utf-8").replace(
            'database = "relaypass"', 'database = "maildb"'), encoding="utf-8")
        site.start()
        for address in ("203.0.113.1", "203.0.113.2", "203.0.113.1"):
            run_wrapper(site, "mysql.sh", address, {}, cnf)
            site.wait_leased(address)
        run_wrapper(site, "mysql.sh", "127.0.0.1", {}, cnf)
        assert set(site.leases()) == {"203.0.113.1", "203.0.113.2"}


@pytest.mark.namespaces
def test_the_wrapper_of_the_recipe_for_postgresql(postgresql):
    """It cuts seven characters off whatever there is, so only the mapped form
    of an address survives it."""
    postgresql.create_user("popbsmtp", "pop-secret")
    postgresql.create_database("popbsmtp", "popbsmtp")
    postgresql.execute("""
CREATE TABLE auth (host varchar(39) PRIMARY KEY, accessed timestamp NOT NULL);
GRANT SELECT ON auth TO reader; GRANT CONNECT ON DATABASE popbsmtp TO reader""",
                       database="popbsmtp", user="popbsmtp")
    there = {"PGHOST": postgresql.host, "PGPORT": str(postgresql.port),
             "PGPASSWORD": "pop-secret"}
    with site_of(postgresql, 'preset = "dovecot-postgresql"',
                 start=False) as site:
        path = site.where / "relaypass.conf"
        path.write_text(path.read_text(encoding="utf-8").replace(
            'database = "relaypass"', 'database = "popbsmtp"'),
            encoding="utf-8")
        site.start()
        for address in ("203.0.113.1", "203.0.113.2", "203.0.113.1"):
            said = run_wrapper(site, "postgresql.sh", f"::ffff:{address}",
                               there)
            site.wait_leased(address)
        # The insert after the update always fails; that is how it works.
        assert "auth_pkey" in said
        run_wrapper(site, "postgresql.sh", "203.0.113.99", there)
        site.wait_error("reason=not-an-address")
        assert set(site.leases()) == {"203.0.113.1", "203.0.113.2"}


# --- relaypass import --------------------------------------------------------

def run_import(site, *words):
    return subprocess.run(
        [lab.program("relaypass"), "-c", site.where / "relaypass.conf",
         "import", *words], check=False, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, encoding="utf-8", timeout=lab.LIMIT)


def test_import_takes_a_table_over(engine):
    make_table(engine, "dbmail_pbsp", DBMAIL[engine.kind])
    rows = {"203.0.113.1": 0, "203.0.113.2": 1500, "203.0.113.3": 1900,
            "203.0.113.4": -3600, "127.0.0.1": 0}
    for address, age in rows.items():
        put(engine, address, age, table="dbmail_pbsp",
            columns="ipnumber, since")
    with site_of(engine, 'preset = "dbmail"', start=False) as site:
        done = run_import(site, "--dry-run", "sql", "panel")
        assert done.returncode == 1, done.stdout
        assert "would import 2, kept 0, over 1, refused 2" in done.stdout
        assert "its time is ahead" in done.stdout
        # Not read by a source: only the import tells of them.
        text = (site.where / "relaypass.conf").read_text(encoding="utf-8")
        site.write(text.split("source panel")[0])
        site.start()
        site.write(text)
        done = run_import(site, "sql", "panel")
        assert "imported 2, kept 0, over 1, refused 2" in done.stdout, done
        leases = site.leases()
        assert set(leases) == {"203.0.113.1", "203.0.113.2"}
        assert leases["203.0.113.1"]["source"] == "import"
        left = int(site.check("203.0.113.2").split("ttl=")[1].split()[0])
        assert 4 * 60 < left <= 5 * 60
        done = run_import(site, "sql", "panel")
        assert "imported 0, kept 2" in done.stdout
        done = run_import(site, "--dry-run", "--ttl", "1h", "sql", "panel")
        assert "would import 3" in done.stdout
        assert run_import(site, "sql", "nosuch").returncode == 100
        engine.stop()
        try:
            done = run_import(site, "sql", "panel")
            assert done.returncode in (100, 111), done.stdout
        finally:
            engine.start()


def test_import_reads_every_page(engine):
    make_table(engine)
    for age in (10, 5):
        rows = ", ".join(f"('198.51.{100 + age + i // 250}.{i % 250}', "
                         f"{AGO[engine.kind].format(age)})"
                         for i in range(1200))
        ours(engine, f"INSERT INTO popbsmtp VALUES {rows}")
    with site_of(engine, 'preset = "qpsmtpd"', start=False) as site:
        done = run_import(site, "--dry-run", "sql", "panel")
        assert "would import 2400," in done.stdout
