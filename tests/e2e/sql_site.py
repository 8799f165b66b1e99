# SPDX-License-Identifier: ISC
"""What the tests of the export "sql" share: the tables of the presets as their
readers made them, and a relaypassd that keeps one."""

import contextlib
import datetime
import struct
import subprocess
import time

import lab
import site1
from databases import USERS, DatabaseError

# The readers' own statements, but for the width of the address where that is
# varchar(15) or char(18) in the original.
QPSMTPD = """CREATE TABLE popbsmtp (ip varchar(39) NOT NULL default '',
 login_time {datetime} NOT NULL, PRIMARY KEY (ip))"""
DOVECOT_MYSQL = """CREATE TABLE popbsmtp (address varchar(39) PRIMARY KEY,
 last_seen {datetime})"""
DOVECOT_POSTGRESQL = """CREATE TABLE auth (host varchar(39) PRIMARY KEY,
 accessed timestamp)"""
VPOPMAIL = """CREATE TABLE relay (ip_addr char(39) NOT NULL,
 {quote}timestamp{quote} char(12), PRIMARY KEY (ip_addr))"""
DBMAIL = """CREATE TABLE dbmail_pbsp (idnr {serial},
 since {datetime} NOT NULL, ipnumber {inet} NOT NULL UNIQUE)"""
TABLES = {"qpsmtpd": QPSMTPD, "dovecot-mysql": DOVECOT_MYSQL,
          "dovecot-postgresql": DOVECOT_POSTGRESQL, "vpopmail": VPOPMAIL,
          "dbmail": DBMAIL}
NAMES = {"qpsmtpd": ("popbsmtp", "ip", "login_time"),
         "dovecot-mysql": ("popbsmtp", "address", "last_seen"),
         "dovecot-postgresql": ("auth", "host", "accessed"),
         "vpopmail": ("relay", "ip_addr", "timestamp"),
         "dbmail": ("dbmail_pbsp", "ipnumber", "since"),
         "relaypass": ("relaypass_leases", "address", "last_login")}
WORDS = {
    "postgresql": {"datetime": "timestamp", "quote": '"', "inet": "inet",
                   "serial": "bigserial PRIMARY KEY"},
    "mariadb": {"datetime": "datetime", "quote": "`", "inet": "varchar(40)",
                "serial": "bigint AUTO_INCREMENT PRIMARY KEY"},
    "sqlite": {"datetime": "datetime", "quote": '"', "inet": "varchar(40)",
               "serial": "integer PRIMARY KEY"},
}


def make_table(engine, preset):
    """As its owner does it."""
    execute(engine, TABLES[preset].format(**WORDS[engine.kind]))


def execute(engine, text):
    """As the owner of the tables: rights come with the table."""
    if engine.kind == "sqlite":
        rows = engine.execute(text)
        engine.path.chmod(0o666)  # any account's, as its directory is
        return rows
    return engine.execute(text, user="owner")


def drop_all(engine):
    for name, _, _ in NAMES.values():
        engine.execute(f"DROP TABLE IF EXISTS {name}")


def quoted(engine, name):
    quote = WORDS[engine.kind]["quote"]
    return f"{quote}{name}{quote}"


def place(engine, where, user="relaypass"):
    """The options that say where the database is."""
    if engine.kind == "sqlite":
        engine.directory.chmod(0o777)
        engine.path.chmod(0o666)
        return f'engine = "sqlite" database = "{engine.path}"'
    file = where / f"password-{user}"
    file.write_text(USERS[user] + "\n", encoding="ascii")
    file.chmod(0o600)
    return (f'engine = "{engine.kind}" host = "{engine.host}" '
            f'port = {engine.port} database = "relaypass" user = "{user}" '
            f'password-file = "{file}"')


class Site(site1.Site):
    """A relaypassd with one export "db"."""

    timeout = "4s"  # also a busy machine's database answers in that

    def __init__(self, where, engine):
        super().__init__(where)
        self.engine = engine

    def configure(self, options="", user="relaypass", ttl="30m", more=""):
        export = (f'export db {{ kind = "sql" timeout = "{self.timeout}" '
                  f"{place(self.engine, self.where, user)} {options} }}\n")
        self.settings.update(ttl=ttl, more=export + more)
        self.write(self.text())
        return self

    def login(self, address, user="anna"):
        """By relaypassd's clock."""
        self.number += 1
        stamp = datetime.datetime.fromtimestamp(
            time.time() + struct.unpack(
                "<q", self.clock.path.read_bytes()[:8])[0] / 1000, datetime.timezone.utc)
        with open(self.where / "mail.log", "ab", buffering=0) as log:
            log.write(f"{stamp.isoformat(timespec='milliseconds')} mx dovecot: "
                      f"imap-login: Login: user=<{user}>, method=PLAIN, "
                      f"rip={address}, lip=198.51.100.1, mpid=0, TLS, "
                      f"session=<s{self.number}>\n".encode())

    def rows(self, preset="relaypass"):
        """{address: [time, ...]} of the table, as the superuser sees it."""
        name, address, _ = NAMES[preset]
        text = {"postgresql": f"split_part({address}::text, '/', 1)"}.get(
            self.engine.kind, address)
        columns = {row[0]: row[1:] for row in self.engine.execute(
            f"SELECT {text}, t.* FROM {name} t")}
        return columns

    def addresses(self, preset="relaypass"):
        return set(self.rows(preset))

    def wait_rows(self, *addresses, preset="relaypass", limit=lab.LIMIT):
        def same():
            with contextlib.suppress(DatabaseError):  # no table yet
                return self.addresses(preset) == set(addresses)
            return False
        try:
            lab.wait_for(same, f"rows of {addresses}", limit)
        except AssertionError as err:
            raise AssertionError(f"{err}\n{self.story()}") from err

    def test_configuration(self):
        """What `relaypassd -t` says, and its exit code."""
        done = subprocess.run(
            [lab.program("relaypassd"), "-t", "-c", self.config], check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            encoding="utf-8", timeout=lab.LIMIT)
        return done.returncode, done.stdout

    def stop(self):
        super().stop()
        said = self.story() if self.log.exists() else ""
        assert "Sanitizer" not in said and "runtime error" not in said, said

    def story(self):
        """Its log without what it says of each lease and question."""
        return "\n".join(line for line in self.errors().splitlines()
                         if "lease." not in line and "relay." not in line)

    def lines(self, *words):
        """Lines of the log with all of these words."""
        return [line for line in self.errors().splitlines()
                if all(word in line for word in words)]


@contextlib.contextmanager
def made(engine):
    """One in a directory of its own, without the tables of others before."""
    drop_all(engine)
    with site1.directory() as where:
        site = Site(where, engine)
        try:
            yield site
        finally:
            site.stop()
