# SPDX-License-Identifier: ISC
"""The export "sql" with a wrong table, column, right or option: refused before
the start, with the option or the statement that mends it; and that statement
does."""

import re

import pytest

import lab
import sql_site
from databases import (  # noqa: F401 (fixtures)
    DatabaseError, make_engine, make_mariadb, make_postgresql, make_sqlite)

ANNA, SIX = "203.0.113.1", "2001:db8::7"


@pytest.fixture(name="site")
def make_site(engine):
    with sql_site.made(engine) as site:
        yield site


def refused(site, *said):
    """By -t and by a start, with the place in the file."""
    code, text = site.test_configuration()
    assert code == 100, text
    for word in said:
        assert word in text, text
    assert "relaypass.conf:" in text and "export db (line " in text, text
    site.wait_refused()
    assert said[-1] in site.errors()
    return text


def accepted(site):
    code, text = site.test_configuration()
    assert code == 0, text


def names(engine):
    return "`" if engine.kind == "mariadb" else '"'


def quoted_table(engine, name):
    """MariaDB's with its database: whoever runs it is connected to none."""
    return f"`relaypass`.`{name}`" if engine.kind == "mariadb" else f'"{name}"'


def run_it(site, text):
    """The statement of the message, by the table's owner."""
    statement = re.search(r"run: (.*?;)", text)[1]
    sql_site.execute(site.engine, statement)
    return statement


# --- the table -----------------------------------------------------------------

def test_a_missing_table_and_the_statement_that_makes_it(site):
    site.configure()
    text = refused(site, 'there is no table "relaypass_leases"',
                   "set create-table = yes", "CREATE TABLE")
    run_it(site, text)
    accepted(site)


@pytest.mark.parametrize("preset", sql_site.TABLES)
def test_what_it_tells_to_run_fits_each_preset(site, preset):
    site.configure(f'preset = "{preset}"')
    run_it(site, refused(site, "CREATE TABLE"))
    accepted(site)


@pytest.mark.parametrize("width, type_name", [(15, "varchar"), (18, "char")])
def test_a_column_too_short_for_ipv6(site, width, type_name):
    if site.engine.kind == "sqlite":
        pytest.skip("SQLite's columns take any length")
    q = names(site.engine)
    sql_site.execute(site.engine, f"CREATE TABLE popbsmtp (ip {type_name}"
                     f"({width}) NOT NULL PRIMARY KEY, login_time "
                     f"{sql_site.WORDS[site.engine.kind]['datetime']})")
    site.configure('preset = "qpsmtpd"')
    verb = "MODIFY {q}ip{q}" if q == "`" else "ALTER COLUMN {q}ip{q} TYPE"
    null = " NOT NULL" if q == "`" else ""
    table = quoted_table(site.engine, "popbsmtp")
    statement = (f"ALTER TABLE {table} {verb} varchar(39){null};"
                 ).format(q=q)
    text = refused(site, f"ip of popbsmtp takes {width} characters, too few "
                   'for IPv6 (or set ipv6 = "skip")', f"run: {statement}")
    # Either is good.
    site.configure('preset = "qpsmtpd" ipv6 = "skip"')
    accepted(site)
    site.start()
    site.login(SIX)
    site.login(ANNA)
    site.wait_rows(ANNA, preset="qpsmtpd")
    lab.wait_for(lambda: site.lines("left-out-ipv6=1"), "it is counted")
    site.stop()
    assert run_it(site, text) == statement
    site.configure('preset = "qpsmtpd"')
    accepted(site)


def test_an_address_without_a_unique_key(site):
    engine = site.engine
    sql_site.execute(engine, "CREATE TABLE popbsmtp (address varchar(39) NOT "
                     "NULL, last_seen "
                     f"{sql_site.WORDS[engine.kind]['datetime']})")
    # Two columns together are not enough.
    sql_site.execute(engine, "CREATE UNIQUE INDEX both_of_them ON popbsmtp "
                     "(address, last_seen)")
    site.configure('preset = "dovecot-mysql"')
    text = refused(site, "address of popbsmtp has no unique key", "run: ")
    run_it(site, text)
    accepted(site)


def test_a_missing_column(site):
    sql_site.make_table(site.engine, "qpsmtpd")
    site.configure('preset = "qpsmtpd" time-column = "seen"')
    refused(site, 'time-column: popbsmtp has no column "seen"')
    site.configure('preset = "qpsmtpd" user-column = "who"')
    refused(site, 'user-column: popbsmtp has no column "who"')


@pytest.mark.parametrize("made, options, said", [
    ("bigint", "", 'login_time of popbsmtp is of type {}; set time-format = '
     '"epoch"'),
    ("{datetime}", 'time-format = "epoch"',
     'login_time of popbsmtp is of type {}; set time-format = "native"'),
])
def test_a_time_of_the_wrong_type(site, made, options, said):
    engine = site.engine
    if engine.kind == "sqlite" and options:
        pytest.skip("SQLite's DATETIME takes numbers")
    made = made.format(**sql_site.WORDS[engine.kind])
    sql_site.execute(engine, "CREATE TABLE popbsmtp (ip varchar(39) PRIMARY "
                     f"KEY, login_time {made})")
    site.configure(f'preset = "qpsmtpd" {options}')
    shown = {"postgresql": {"bigint": "int8"}}.get(engine.kind, {}).get(
        made, made)
    refused(site, said.format(shown))


def test_an_address_of_the_wrong_type(site):
    sql_site.execute(site.engine, "CREATE TABLE popbsmtp (ip bigint PRIMARY "
                     "KEY, login_time "
                     f"{sql_site.WORDS[site.engine.kind]['datetime']})")
    site.configure('preset = "qpsmtpd"')
    refused(site, "ip of popbsmtp is of type",
            "expected a text such as varchar(39)")


def test_a_column_that_nobody_fills(site):
    sql_site.execute(site.engine, "CREATE TABLE popbsmtp (ip varchar(39) "
                     "PRIMARY KEY, login_time "
                     f"{sql_site.WORDS[site.engine.kind]['datetime']}, "
                     "hostname varchar(99) NOT NULL)")
    site.configure('preset = "qpsmtpd"')
    refused(site, "popbsmtp has a column hostname that is NOT NULL without a "
            "default, which relaypass does not fill")


# --- rights --------------------------------------------------------------------

@pytest.mark.parametrize("missing", ["INSERT", "UPDATE", "DELETE"])
def test_a_missing_right_and_the_grant(site, missing):
    engine = site.engine
    if engine.kind == "sqlite":
        pytest.skip("SQLite has no accounts")
    sql_site.make_table(engine, "qpsmtpd")
    rest = ", ".join({"SELECT", "INSERT", "UPDATE", "DELETE"} - {missing})
    if engine.kind == "postgresql":
        engine.execute("REVOKE ALL ON popbsmtp FROM relaypass;"
                       f"GRANT {rest} ON popbsmtp TO relaypass")
        account = "relaypass"
    else:
        engine.create_user("partial", "part-secret")
        engine.execute(f"GRANT {rest} ON relaypass.* TO 'partial'@'%'")
        sql_site.USERS["partial"] = "part-secret"
        account = "'partial'@'%'"
    site.configure('preset = "qpsmtpd"',
                   user="relaypass" if engine.kind == "postgresql"
                   else "partial")
    grant = ("GRANT SELECT, INSERT, UPDATE, DELETE ON "
             f"{quoted_table(engine, 'popbsmtp')} TO {account};")
    text = refused(site, f"{missing} on popbsmtp is denied", f"run: {grant}")
    engine.execute(re.search(r"run: (.*?;)", text)[1])
    accepted(site)
    if engine.kind == "mariadb":
        engine.execute("DROP USER 'partial'@'%'")


def test_a_file_that_cannot_be_written(site):
    if site.engine.kind != "sqlite":
        pytest.skip("SQLite is a file")
    sql_site.make_table(site.engine, "qpsmtpd")
    site.configure('preset = "qpsmtpd"')
    site.engine.path.chmod(0o644)
    refused(site, "attempt to write a readonly database; run: chown "
            f"relaypass-out {site.engine.path}")


def test_create_table_without_the_right_and_the_grant(site):
    """The look for it makes nothing."""
    engine = site.engine
    if engine.kind == "sqlite":
        pytest.skip("SQLite has no accounts")
    site.configure("create-table = yes")
    text = refused(site, "create-table: relaypass_leases cannot be made: ",
                   "run: GRANT ")
    grant = re.search(r"run: (.*?;)", text)[1]
    assert grant == {
        "postgresql": "GRANT USAGE, CREATE ON SCHEMA public TO relaypass;",
        "mariadb": "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE ON "
                   "`relaypass`.`relaypass_leases` TO 'relaypass'@'%';"}[engine.kind]
    engine.execute(grant)
    try:
        accepted(site)
        with pytest.raises(DatabaseError):
            site.rows()
        site.start()
        site.login(ANNA)
        site.wait_rows(ANNA)
    finally:
        site.stop()
        back = grant.replace("GRANT", "REVOKE").replace(" TO ", " FROM ")
        engine.execute(back.replace("USAGE, ", ""))


def test_the_user_is_one_of_the_database(site):
    """Not an account of this machine, and it may be called root."""
    if site.engine.kind == "sqlite":
        pytest.skip("SQLite has no accounts")
    site.configure("create-table = yes", user="owner")
    assert site.test_configuration() == (0, "")
    site.write(site.text().replace('user = "owner"', 'user = "root"'))
    assert "may not be root" not in site.test_configuration()[1]


# --- who and where ---------------------------------------------------------------

def test_a_wrong_password_user_or_database(site):
    if site.engine.kind == "sqlite":
        pytest.skip("SQLite has no accounts")
    site.configure()
    (site.where / "password-relaypass").write_text("wrong\n")
    refused(site, site.engine.kind, "relaypass")
    assert "wrong" not in site.errors()
    site.configure(user="stranger")
    if site.engine.kind == "postgresql":
        refused(site, "permission denied for database")
    else:
        refused(site, "denied")
    site.configure()
    site.write(site.text().replace('database = "relaypass"',
                                   'database = "nowhere"'))
    refused(site, site.engine.kind)


def test_a_password_that_others_may_read(site):
    if site.engine.kind == "sqlite":
        pytest.skip("SQLite has no accounts")
    site.configure()
    file = site.where / "password-relaypass"
    file.chmod(0o644)
    refused(site, "password-file: ", str(file))
    file.unlink()
    refused(site, "password-file: ", str(file))


@pytest.mark.parametrize("options, said", [
    ('preset = "courier"', "relaypass|qpsmtpd|dovecot-mysql|"
     "dovecot-postgresql|vpopmail|dbmail"),
    ('table = "a.b.c"', 'table: "a.b.c": expected "table" or "schema.table"'),
    ('password = "secret"', "password"),
    ('period = "10m"', "period: 600 s is less than the ttl of leases, 1800 s"),
])
def test_options_that_are_wrong(site, options, said):
    sql_site.execute(site.engine, "CREATE TABLE relaypass_leases (x int)")
    site.configure(options)
    code, text = site.test_configuration()
    assert code == 100
    for word in said.split("|"):
        assert word in text, text


def test_two_exports_at_one_table(site):
    """Each would take away what the other has written."""
    sql_site.make_table(site.engine, "qpsmtpd")
    sql_site.make_table(site.engine, "vpopmail")
    place = sql_site.place(site.engine, site.where)
    again = ('export again {{ kind = "sql" ' + place +
             ' preset = "{}" table = "{}" }}\n')
    site.configure('preset = "qpsmtpd"', more=again.format("dovecot-mysql",
                                                          "popbsmtp"))
    code, text = site.test_configuration()
    assert code == 100, text
    assert "export again (line " in text and "export db (line " in text, text
    site.configure('preset = "qpsmtpd"', more=again.format("vpopmail",
                                                          "relay"))
    accepted(site)


def test_a_database_that_is_away_stops_no_start(site):
    """It may come; logins and answers do not depend on it."""
    site.configure("create-table = yes", user="owner")
    site.engine.stop()
    try:
        accepted(site)
        site.start()
        site.login(ANNA)
        site.wait_leased(ANNA)
    finally:
        site.engine.start()
    site.wait_rows(ANNA)
