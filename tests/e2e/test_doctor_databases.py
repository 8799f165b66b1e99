# SPDX-License-Identifier: ISC
"""relaypass doctor, status and the metrics with a real PostgreSQL and a real
Redis: what is missing there is told with the statement that mends it, and an
outage by how long it lasts."""

import json
import pathlib
import shutil
import tempfile

import pytest

import http_site
import lab
from databases import make_postgresql, make_redis  # noqa: F401 (fixtures)
from test_status import metrics, relaypass, status

KEY = "k1 " + 32 * "a7" + "\n"
CONFIG = """
relaypass {{ directory = "{dir}/ledger" run-directory = "{dir}"
             pattern-directory = "" answerers = 1 }}
source   maillog {{ kind = "file" path = {{"{dir}/mail.log"}} }}
listener ask     {{ kind = "ask" listen = "unix:{dir}/ask" }}
listener web     {{ kind = "http" listen = "unix:{dir}/web" }}
# One name on both sides, as in the examples.
source   nodes   {{ kind = "redis" servers = {{"{redis}"}}
                    keys = "{dir}/nodes.keys" }}
export   nodes   {{ kind = "redis" servers = {{"{redis}"}}
                    keys = "{dir}/nodes.keys" }}
export   panel   {{ kind = "sql" engine = "postgresql" host = "{host}"
                    port = {port} database = "relaypass" user = "relaypass"
                    password-file = "{dir}/db.password" timeout = "1s" }}
"""


def secret(path, text):
    path.write_text(text, encoding="ascii")
    path.chmod(0o600)


def make_table(site):
    """By the statement that the doctor itself tells; unless it is there."""
    verdict, text = said(site, "databases", "export panel (sql)")
    if verdict != "good":
        site.postgresql.execute(text[text.index("CREATE TABLE"):],
                                user="owner")


@pytest.fixture(name="site", scope="module")
def make_site(postgresql, redis):
    """relaypassd does not run yet: the table that it needs is not there."""
    where = pathlib.Path(tempfile.mkdtemp(prefix="relaypass-e2e-"))
    where.chmod(0o755)
    (where / "mail.log").touch()
    secret(where / "nodes.keys", KEY)
    secret(where / "db.password", "lease-secret\n")
    text = CONFIG.format(dir=where, redis=redis.address, host="127.0.0.1",
                         port=postgresql.port)
    daemon = lab.Relaypassd(lab.Here(), where, text, where / "ask",
                            str(where / "relaypass.conf"))
    (where / "relaypass.conf").write_text(text, encoding="ascii")
    daemon.where, daemon.redis = where, redis
    daemon.postgresql = postgresql
    yield daemon
    daemon.stop()
    shutil.rmtree(where)


@pytest.fixture(name="runs", scope="module")
def make_runs(site):
    """It does, and all is in step."""
    make_table(site)
    site.start()
    for name in "nodes", "panel":
        wait_for(site, "exports", name, state="good")
    wait_for(site, "sources", "nodes", state="good")
    return site


def findings(site, check):
    rows = [json.loads(line) for line in relaypass(
        site, "doctor", "--json", codes=(0, 1, 111)).splitlines()]
    return [(row["verdict"], row["text"]) for row in rows
            if row["check"] == check]


def said(site, check, words):
    found = findings(site, check)
    for verdict, text in found:
        if text.startswith(words):
            return verdict, text
    raise AssertionError(f"no {words!r} in {found}")


def wait_for(site, topic, name, limit=lab.LIMIT, **wanted):
    def there():
        row = status(site, topic).get(name, {})
        return row if {k: row.get(k) for k in wanted} == wanted else None
    return lab.wait_for(there, f"{topic} {name} {wanted}", limit)


def test_a_missing_table_is_told_with_its_statement(site):
    running = site.process is not None
    if running:
        site.stop()
    for table, in site.postgresql.execute(
            "SELECT tablename FROM pg_tables WHERE tableowner = 'owner'"):
        site.postgresql.execute(f"DROP TABLE {table}")
    verdict, text = said(site, "databases", "export panel (sql): ")
    assert verdict == "do" and "CREATE TABLE" in text
    assert said(site, "databases", "export nodes (redis)")[0] == "good"
    assert said(site, "databases", "source nodes (redis)")[0] == "good"
    # Nothing runs, so nobody can say how far behind it is.
    assert findings(site, "lag") == []
    make_table(site)
    assert said(site, "databases", "export panel (sql)")[0] == "good"
    if running:
        site.start()


def test_a_missing_right_is_told(site):
    table = site.postgresql.execute(
        "SELECT tablename FROM pg_tables WHERE tableowner = 'owner'")[0][0]
    site.postgresql.execute(f"REVOKE DELETE ON {table} FROM relaypass")
    try:
        verdict, text = said(site, "databases", "export panel (sql): ")
        assert verdict == "do" and "GRANT" in text and "DELETE" in text
    finally:
        site.postgresql.execute(f"GRANT DELETE ON {table} TO relaypass")


def test_a_redis_that_may_drop_keys_is_told(site):
    site.redis.execute("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    try:
        verdict, text = said(site, "databases", "export nodes (redis): ")
        assert verdict != "good"
        assert "CONFIG SET maxmemory-policy noeviction" in text
    finally:
        site.redis.execute("CONFIG", "SET", "maxmemory-policy", "noeviction")


def test_all_is_in_step(runs):
    assert {said(runs, "databases", f"{name} (")[0] for name in
            ("export nodes", "export panel", "source nodes")} == {"good"}
    assert {said(runs, "lag", f"{name} is in step")[0] for name in
            ("export nodes", "export panel", "source nodes")} == {"good"}
    found = metrics(runs)
    for side in "export", "source":
        for what in "lag_seconds", "behind", "trouble":
            assert http_site.value(found, f"relaypass_{side}_{what}",
                                   f'{side}="nodes"', 'kind="redis"') == 0


def test_a_redis_that_hangs_is_told_by_all(runs):
    runs.redis.pause()
    try:
        relaypass(runs, "grant", "203.0.113.9")
        for topic in "exports", "sources":
            lab.wait_for(lambda t=topic: (
                row := status(runs, t)["nodes"])["state"] == "trouble" and
                row["lag"] >= 3 and row["trouble"], f"{topic}: trouble")
        assert status(runs)["nodes"]["behind"] >= 1
        found = metrics(runs)
        assert http_site.value(found, "relaypass_export_lag_seconds",
                               'export="nodes"', 'kind="redis"') >= 3
        assert http_site.value(found, "relaypass_source_trouble",
                               'source="nodes"', 'kind="redis"') == 1
        verdict, text = said(runs, "databases", "export nodes (redis): ")
        assert verdict == "cannot", text
        verdict, text = said(runs, "lag", "export nodes has been out of step")
        assert verdict in ("note", "do") and "1 change waits" in text
        # The other database is as well as before.
        assert wait_for(runs, "exports", "panel", state="good")["lag"] == 0
    finally:
        runs.redis.resume()
    for topic in "exports", "sources":
        row = wait_for(runs, topic, "nodes", state="good", lag=0, behind=0)
        assert row["trouble"] == ""
    assert said(runs, "lag", "export nodes is in step")[0] == "good"


def test_a_database_that_is_gone_is_told_by_all(runs):
    runs.postgresql.stop()
    try:
        relaypass(runs, "grant", "203.0.113.10")
        row = lab.wait_for(lambda: (
            row := status(runs)["panel"])["lag"] >= 3 and row, "a lag")
        assert row["state"] != "good" and row["behind"] >= 1
        assert row["trouble"], row
        verdict, text = said(runs, "databases", "export panel (sql): ")
        assert verdict == "cannot" and "does the server run" in text, text
        verdict, text = said(runs, "lag", "export panel has been out of step")
        assert verdict in ("note", "do") and "1 change waits" in text, text
        assert "does the server run" in text, text
    finally:
        runs.postgresql.start()
    wait_for(runs, "exports", "panel", state="good", behind=0, trouble="")
