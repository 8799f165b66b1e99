# SPDX-License-Identifier: ISC
"""What the tests of the source "sql" share: tables that others write, and a
relaypassd that reads one."""

import contextlib
import subprocess

import databases
import lab
import site1

MORE = """
source panel {{
	kind = "sql"
	engine = "{kind}"
	database = "{database}"
	{where}
	interval = "1s"
	timeout = "2s"
	{options}
}}
"""
NOW = {"postgresql": "now()", "mariadb": "NOW()", "sqlite": "datetime('now')"}
AGO = {"postgresql": "now() - interval '{} seconds'",
       "mariadb": "NOW() - INTERVAL {} SECOND",
       "sqlite": "datetime('now', (0 - {}) || ' seconds')"}
TIME = {"postgresql": "timestamp", "mariadb": "datetime", "sqlite": "datetime"}


def where(server, user, directory):
    if server.kind == "sqlite":
        return ""
    return (f'host = "{server.host}" port = {server.port} user = "{user}" '
            f'password-file = "{directory}/password"')


class Site(site1.Site):
    def __init__(self, directory, server, options, user="reader", more=""):
        super().__init__(directory)
        self.server, self.user = server, user
        password = directory / "password"
        password.write_text(databases.USERS[user], encoding="ascii")
        password.chmod(0o600)
        self.configure(options, more)

    def configure(self, options, more=""):
        self.write(self.text(ttl="30m", more=more + MORE.format(
            kind=self.server.kind, database=self.server.database,
            where=where(self.server, self.user, self.where), options=options)))

    def leases(self):
        """{address: {word: value}}"""
        rows = [dict(w.split("=", 1) for w in line.split()[1:])
                for line in self.control("list")[:-1]]
        return {row["address"].rpartition("/")[0]: row for row in rows}

    def refused(self):
        done = subprocess.run(self.argv(), check=False, encoding="utf-8",
                              stdout=subprocess.PIPE, timeout=lab.LIMIT,
                              stderr=subprocess.STDOUT)
        assert done.returncode == 100, done.stdout
        return done.stdout


@contextlib.contextmanager
def site_of(server, options, start=True, **kwargs):
    with site1.directory() as directory:
        site = Site(directory, server, options, **kwargs)
        try:
            if start:
                site.start()
            yield site
        finally:
            site.stop()


def ours(server, sql):
    """As the one who owns the tables."""
    for statement in sql.split(";"):
        if not statement.strip():
            continue
        if server.kind == "sqlite":
            server.execute(statement)
        else:
            server.execute(statement, user="owner")


def make_table(server, name="popbsmtp", columns="ip varchar(39) PRIMARY KEY, "
               "login_time {time} NOT NULL"):
    ours(server, f"DROP TABLE IF EXISTS {name}; CREATE TABLE {name} ("
         f"{columns.format(time=TIME[server.kind])})")


def put(server, address, when=None, table="popbsmtp", columns="ip, login_time",
        more=""):
    when = NOW[server.kind] if when is None else AGO[server.kind].format(when)
    ours(server, f"DELETE FROM {table} WHERE {columns.split(',')[0]} = "
         f"'{address}'; INSERT INTO {table} ({columns}) VALUES ('{address}', "
         f"{when}{more})")


def ttl(site, address):
    return int(site.check(address).split("ttl=")[1].split()[0])
