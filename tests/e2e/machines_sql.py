# SPDX-License-Identifier: ISC
"""The machines of the matrix that ask a table which the export "sql" keeps:
Postfix and Exim, with PostgreSQL, MariaDB and SQLite."""

import exports
import lab
import machines
import servers
import servers_real
from databases import MariaDB, PostgreSQL
from matrix import missing  # noqa: F401 (for tests without a matrix)

SQL = {"pgsql": (PostgreSQL, "sql-postgresql.sql", "postgres"),
       "mysql": (MariaDB, "sql-mariadb.sql", "mysql")}
SOCKET = "/run/mysqld/mysqld.sock"


class Databases:
    """Those that the examples speak of, made by the examples' statements. The
    host's own servers: TCP at the usual port, and a unix socket that has to be
    replaced."""

    def __init__(self, host, stack, keys=SQL):
        self.servers = {}
        for key in keys:
            kind, script, database = SQL[key]
            # What stands in its account's home is no business of it.
            server = kind(prefix=host.command([]))
            stack.callback(server.close)
            server.start()
            run = server.psql if key == "pgsql" else server.client
            run(exports.example(script), database)
            host.write(f"/etc/relaypass/{key}.password", "write-secret\n",
                       0o600)
            self.servers[key] = server

    def adapt(self, text):
        """An example, with the socket of these servers."""
        if "mysql" not in self.servers:
            return text
        assert SOCKET in text or "mysql" not in text
        return text.replace(SOCKET, str(self.servers["mysql"].socket))


def relaypass_conf(databases, titles):
    """examples/relaypass-sql.conf with these exports only."""
    text = exports.example("relaypass-sql.conf")
    for title in ("pgsql", "mysql", "sqlite", "qpsmtpd"):
        if title not in titles:
            text = text.replace(
                machines.section("relaypass-sql.conf", f"export {title}"), "")
    return databases.adapt(text)


class Sql(machines.Machine):
    """`keys` of the rows are the titles of the exports."""

    def __init__(self, directory, stack, rows):
        self.stack = stack
        super().__init__(directory, stack, rows)

    def prepare(self):
        self.databases = Databases(self.host, self.stack,
                                   [key for key in self.ports if key in SQL])

    def conf(self):
        return relaypass_conf(self.databases, self.ports)


class Postfix(Sql):
    """An smtpd for each row."""

    def prepare(self):
        super().prepare()
        self.site = servers.Private(self.host)
        machines.ask_relaypass_for_names(self.host)

    def send(self, row, client, family):
        """A write cuts off who asks SQLite in that moment: he comes again."""
        if row.key != "sqlite":
            return super().send(row, client, family)

        def answered():
            try:
                return super(Postfix, self).send(row, client, family)
            except AssertionError as err:
                if "SMTPServerDisconnected" in str(err):
                    return None
                raise
        return lab.wait_for(answered, "an answer")

    def map_of(self, key):
        """Its type and its file."""
        return key, self.databases.adapt(exports.example(f"postfix-{key}.cf"))

    def start_servers(self):
        where = self.site.config_dir
        # As docs/sql.md has it for SQLite: an smtpd that gives up at its
        # first question keeps others from starting for that long.
        self.host.run("postconf", "-c", where, "-e",
                      "service_throttle_time = 1s")
        text = machines.without_comments(
            exports.example("postfix-sql.cf.snippet"))
        with open(self.host.path(f"{where}/master.cf"), "a",
                  encoding="utf-8") as file:
            for key, port in self.ports.items():
                kind, content = self.map_of(key)
                self.host.write(f"{where}/relaypass-{key}.cf", content)
                words = " ".join(text.replace("pgsql:", kind + ":").replace(
                    "relaypass-pgsql", f"relaypass-{key}").split())
                file.write(f"{port} inet n - n - - smtpd\n"
                           f"  -o {{ {words} }}\n")
        self.host.daemon("postfix", "-c", where, "start")


class Exim(Sql):
    """An Exim with all lookups for each row."""

    def prepare(self):
        super().prepare()
        host = self.host
        servers_real.install(host, "exim-heavy")
        servers_real.add_system_user(host, "Debian-exim")
        machines.ask_relaypass_for_names(host)
        host.run("install", "-d", "-o", "Debian-exim", "-g", "Debian-exim",
                 "/var/spool/exim4", "/var/log/exim4")

    def part(self, key):
        """Option and condition of examples/exim-sql.conf."""
        text = self.databases.adapt(exports.example("exim-sql.conf"))
        option = next(line.strip("# ") for line in text.splitlines()
                      if f"{key}_servers" in line or f"{key}_dbfile" in line)
        rule = next(line for line in text.splitlines()
                    if f"lookup {key}" in line)
        return option, rule

    def start_servers(self):
        for key, port in self.ports.items():
            option, rule = self.part(key)
            self.host.write(f"/etc/exim.{port}", option + "\n" +
                            machines.Exim.CONFIG.format(port=port, rule=rule))
            self.host.start(
                ["/usr/sbin/exim4", "-C", f"/etc/exim.{port}", "-bdf"],
                self.host.directory / f"exim-{key}.log")
