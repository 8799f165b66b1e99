# SPDX-License-Identifier: ISC
"""The seeds' set-ups on relaypass: the real Dovecot tells of a login by its
post-login script (`relaypass grant --from-env` and nothing else), relaypass
keeps the table, and the real Postfix asks it with the queries of the wiki: in
PostgreSQL, MariaDB and SQLite. (More servers: test_matrix.py.)"""

import contextlib
import re
import time
import types

import pytest

import dovecot_conf
import exports
import lab
import machines
import machines_sql
import servers
import test_source_notify as notify

pytestmark = [pytest.mark.namespaces, pytest.mark.needs("dovecot"),
              pytest.mark.needs("postfix")]

WINDOW = 8  # seconds, of leases and of the queries
KEYS = ("pgsql", "mysql", "sqlite")
TABLES = {"pgsql": "auth", "mysql": "popbsmtp"}


def without_time_condition(text):
    """As the wiki's query for PostgreSQL stood."""
    new = re.sub(r"\n    AND .*", "", text)
    assert new != text
    return new


class Seeds(machines_sql.Postfix):
    """The maps of KEYS, and one as the wiki has it."""

    def prepare(self):
        super().prepare()
        host = self.host
        host.install()
        dovecot_conf.write(
            host, servers.DOVECOT + "default_vsz_limit = 0\n",
            exports.example("dovecot-postlogin.conf"))
        host.write(f"{notify.LIB}/dovecot-postlogin",
                   exports.example("dovecot-postlogin"), 0o755)
        host.write("/var/log/dovecot.log", "", 0o600)

    def conf(self):
        text = super().conf()
        source = machines.section("relaypass-sql.conf", "source maillog")
        assert source in text and 'ttl = "30m"' in text
        return text.replace(source, machines.section(
            "relaypass-notify.conf", "source notify")).replace(
                'ttl = "30m"', f'ttl = "{WINDOW}s"')

    def map_of(self, key):
        if key == "wrong":
            kind, text = super().map_of("pgsql")
            return kind, without_time_condition(text)
        kind, text = super().map_of(key)
        new = text.replace("30 minutes", f"{WINDOW} seconds").replace(
            "30 MINUTE", f"{WINDOW} SECOND")
        assert new != text
        return kind, new

    def start_servers(self):
        super().start_servers()
        self.host.daemon("dovecot")
        lab.wait_for(lambda: self.host.listens(143), "Dovecot listens")

    def code(self, key, client, family="ipv4"):
        return self.send(types.SimpleNamespace(key=key), client, family)

    def wait_code(self, key, client, code, family="ipv4", limit=4):
        lab.wait_for(lambda: self.code(key, client, family) == code,
                     f"{key}: {code}", limit)

    def local(self, key, client):
        """A mail to our own domain."""
        return client.smtp(**client.ends("ipv4"), sender=machines.FOREIGN,
                           recipient=machines.LOCAL, port=self.ports[key],
                           message="Subject: hello\n\nhi\n")["code"]


@pytest.fixture(name="seeds", scope="module")
def make_seeds(tmp_path_factory):
    for need in ("postmap:pgsql", "postmap:mysql", "postmap:sqlite",
                 *(f"database:{name}" for name in
                   ("postgresql", "mariadb", "sqlite"))):
        if reason := machines_sql.missing(need):
            pytest.skip(reason)
    with contextlib.ExitStack() as stack:
        yield Seeds(tmp_path_factory.mktemp("seeds"), stack,
                    [types.SimpleNamespace(key=key)
                     for key in (*KEYS, "wrong")])


def log_in(seeds, family="ipv4"):
    assert notify.log_in(seeds.customer, "imap", family)[0]


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
@pytest.mark.parametrize("key", KEYS)
def test_the_seeds_script_is_one_line(seeds, key, family):
    seeds.begin(None)
    seeds.wait_code(key, seeds.customer, 554, family)
    log_in(seeds, family)
    seeds.wait_code(key, seeds.customer, 250, family)
    assert seeds.code(key, seeds.stranger, family) == 554
    seeds.daemon.clock.advance(WINDOW * 1000 + 1000)
    seeds.wait_code(key, seeds.customer, 554, family)


def test_the_queries_end_a_lease_by_themselves(seeds):
    """While relaypassd is stopped, nobody deletes rows: the time condition
    refuses, and only the wiki's query for PostgreSQL, which has none, does
    not."""
    seeds.begin(None)
    begin = time.monotonic()
    log_in(seeds)
    for key in (*KEYS, "wrong"):
        seeds.wait_code(key, seeds.customer, 250)
    seeds.daemon.freeze()
    try:
        for key in KEYS:
            seeds.wait_code(key, seeds.customer, 554, limit=WINDOW + 4)
        # Not long after its end, and the row is there.
        assert time.monotonic() - begin < WINDOW + 4
        for key, table in TABLES.items():
            assert seeds.databases.servers[key].execute(
                f"SELECT count(*) FROM {table}", database={
                    "pgsql": "popbsmtp", "mysql": "virtual_mail"}[key]) \
                == [["1"]]
        assert seeds.code("wrong", seeds.customer) == 250
    finally:
        seeds.daemon.thaw()
    seeds.wait_code("wrong", seeds.customer, 554)


def test_the_wiki_s_substring_cuts_addresses_that_are_not_mapped(seeds):
    """It was written for ::ffff:203.0.113.7, without a look at what comes."""
    server = seeds.databases.servers["pgsql"]
    assert server.execute(
        "SELECT substring('::ffff:203.0.113.7' from 8), "
        "substring('203.0.113.7' from 8), substring('2001:db8::7' from 8)"
    ) == [["203.0.113.7", "13.7", "8::7"]]


@pytest.mark.parametrize("key", TABLES)
def test_a_database_that_is_away_costs_no_inbound_mail(seeds, key):
    seeds.begin(None)
    server = seeds.databases.servers[key]
    server.stop()
    try:
        assert seeds.local(key, seeds.stranger) == 250
        assert seeds.code(key, seeds.stranger) == 451
        log_in(seeds)
        assert seeds.daemon.check(seeds.customer.v4).startswith("allow ")
    finally:
        server.start()
    log_in(seeds)
    seeds.wait_code(key, seeds.customer, 250, limit=6)
