# SPDX-License-Identifier: ISC
"""The matrix: every real server, in every way that it can go by relaypass, is
refused before the login, relays after it, and is refused after the end of the
lease. tests/e2e/matrix.py has the steps, machines*.py the servers."""

import contextlib
import itertools

import pytest

import lab
import machines
import machines_more as more
import machines_spp as spp
import machines_sql as sql
import matrix
from matrix import Row

pytestmark = pytest.mark.namespaces

POSTFIX, EXIM, SENDMAIL = ("tool:postfix",), ("deb:exim",), ("deb:sendmail",)
QMAIL = ("tool:tcprules", "deb:ucspi-tcp-ipv6")
OPENSMTPD, QPSMTPD = ("deb:opensmtpd",), ("deb:qpsmtpd",)
COURIER, EXIM_HEAVY = ("deb:courier-mta",), ("deb:exim-heavy",)
ROWS = [
    Row("Postfix", "policy service, unix", machines.Postfix, "policy-unix",
        554, POSTFIX),
    Row("Postfix", "policy service, TCP", machines.Postfix, "policy-tcp", 554,
        POSTFIX),
    Row("Postfix", "socketmap, unix", machines.Postfix, "socketmap-unix", 554,
        POSTFIX),
    Row("Postfix", "socketmap, inet", machines.Postfix, "socketmap-inet", 554,
        POSTFIX),
    Row("Postfix", "tcp table", machines.Postfix, "tcp-table", 554, POSTFIX),
    Row("Postfix", "lmdb", machines.Postfix, "lmdb", 554,
        (*POSTFIX, "postmap:lmdb")),
    Row("Postfix", "hash", machines.Postfix, "hash", 554,
        (*POSTFIX, "kind:berkeley-hash")),
    Row("Postfix", "cdb", machines.Postfix, "cdb", 554,
        (*POSTFIX, "postmap:cdb")),
    Row("Postfix", "PostgreSQL table", sql.Postfix, "pgsql", 554,
        (*POSTFIX, "postmap:pgsql", "database:postgresql")),
    Row("Postfix", "MariaDB table", sql.Postfix, "mysql", 554,
        (*POSTFIX, "postmap:mysql", "database:mariadb")),
    Row("Postfix", "SQLite table", sql.Postfix, "sqlite", 554,
        (*POSTFIX, "postmap:sqlite", "database:sqlite")),
    Row("Postfix", "permit_dnswl_client (passes filters; never relays)",
        machines.Postfix, "dnswl", 554, POSTFIX),
    Row("Postfix", "relaypass-spp, XCLIENT", spp.Postfix, "spp", 553,
        (*POSTFIX, "tool:dovecot", "deb:ucspi-tcp-ipv6")),
    Row("Sendmail", "socketmap", more.Sendmail, "socketmap", 550, SENDMAIL),
    Row("Sendmail", "popip.db", more.Sendmail, "popip", 550,
        (*SENDMAIL, "kind:berkeley-hash")),
    Row("Sendmail", "popauth.db", more.Sendmail, "popauth", 550,
        (*SENDMAIL, "kind:berkeley-hash")),
    Row("Sendmail", "access, from text", more.Sendmail, "access", 550,
        SENDMAIL),
    Row("Sendmail", "relaypass-spp", spp.Sendmail, "spp", 553,
        (*SENDMAIL, "deb:ucspi-tcp-ipv6")),
    Row("qmail", "relaypass-run", more.Qmail, "relaypass-run", 553, QMAIL),
    Row("qmail", "relaypass-spp", more.Qmail, "relaypass-spp", 553, QMAIL),
    Row("qmail", "tcprules", more.Qmail, "tcprules", 553, QMAIL),
    Row("qmail", "relay-ctrl-check", more.Qmail, "relay-ctrl-check", 553,
        QMAIL),
    Row("Exim", "readsocket", machines.Exim, "readsocket", 550, EXIM),
    Row("Exim", "whoson, by readsocket", machines.Exim, "whoson", 550, EXIM),
    Row("Exim", "dnslists", machines.Exim, "dnslists", 550, EXIM),
    Row("Exim", "dsearch", machines.Exim, "dsearch", 550, EXIM),
    Row("Exim", "dbm", machines.Exim, "dbm", 550,
        (*EXIM, "kind:berkeley-hash")),
    Row("Exim", "cdb", machines.Exim, "cdb", 550, EXIM),
    Row("Exim", "net-dsearch", machines.Exim, "net-dsearch", 550, EXIM),
    Row("Exim", "net-iplsearch", machines.Exim, "net-iplsearch", 550, EXIM),
    Row("Exim", "net-lsearch", machines.Exim, "net-lsearch", 550, EXIM),
    Row("Exim", "PostgreSQL table", sql.Exim, "pgsql", 550,
        (*EXIM_HEAVY, "database:postgresql")),
    Row("Exim", "MariaDB table", sql.Exim, "mysql", 550,
        (*EXIM_HEAVY, "database:mariadb")),
    Row("Exim", "SQLite table", sql.Exim, "sqlite", 550,
        (*EXIM_HEAVY, "database:sqlite")),
    Row("Exim", "relaypass-spp", spp.Exim, "spp", 553,
        (*EXIM, "deb:ucspi-tcp-ipv6")),
    Row("OpenSMTPD", "file", more.OpenSmtpd, "file", 550, OPENSMTPD),
    Row("OpenSMTPD", "db", more.OpenSmtpd, "db", 550, OPENSMTPD),
    Row("qpsmtpd", "ask", more.Qpsmtpd, "ask", 550, QPSMTPD),
    Row("qpsmtpd", "SQLite table", more.Qpsmtpd, "table", 550,
        (*QPSMTPD, "database:sqlite")),
    Row("Courier", "smtpaccess", more.Courier, "smtpaccess", 553, COURIER),
    Row("nftables", "sets with timeouts", more.Firewall, "nftables", 0,
        ("tool:nft", "kind:nftables")),
]
PROOFS = [(row, family) for row in ROWS for family in row.families]
results = {}  # what the table shows, as it comes in


def rows_of(machine):
    return [row for row in ROWS if row.machine is machine
            and not any(map(matrix.missing, row.needs))]


class Current:
    """The machine in use; those of one kind are asked for one after another."""

    def __init__(self, mktemp):
        self.mktemp, self.stack, self.machine = mktemp, None, None

    def get(self, kind):
        if type(self.machine) is not kind:
            self.close()
            self.stack = contextlib.ExitStack()
            self.machine = kind(self.mktemp(kind.__name__), self.stack,
                                rows_of(kind))
        return self.machine

    def close(self):
        if self.stack:
            self.stack.close()
        self.machine = self.stack = None


@pytest.fixture(scope="module", name="current")
def make_current(tmp_path_factory):
    current = Current(tmp_path_factory.mktemp)
    yield current
    current.close()


@pytest.mark.parametrize(
    "row, family", PROOFS,
    ids=[f"{row.name.replace(' ', '-')}-{family}" for row, family in PROOFS])
def test_row(current, row, family, record_property):
    """Refused, relayed, refused."""
    reason = next(filter(None, map(matrix.missing, row.needs)), None)
    results[row.name, family] = reason or "FAILED"
    record_property("matrix", [row.name, family, reason or matrix.PASSED])
    if reason:
        pytest.skip(reason)
    matrix.prove(row, current.get(row.machine), family)
    results[row.name, family] = matrix.PASSED


def test_the_readme_shows_this_table():
    """As it is printed where all packages are there."""
    whole = matrix.table(ROWS, {(row.name, family): matrix.PASSED
                                for row, family in PROOFS})
    assert whole in (lab.TREE / "README.md").read_text(encoding="utf-8"), whole
    for (name, family), result in results.items():
        assert result == matrix.PASSED or result.startswith("needs "), \
            f"{name}, {family}: {result}"


def test_each_row_has_a_name_of_its_own():
    for one, other in itertools.combinations(ROWS, 2):
        assert one.name != other.name
        assert (one.machine, one.key) != (other.machine, other.key)
