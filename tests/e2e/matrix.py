# SPDX-License-Identifier: ISC
"""Every way in which a mail server goes by relaypass: a row each, proved both
ways by the same steps, and the table of them that the README shows."""

import dataclasses
import functools
import shutil
import subprocess
import tempfile

import databases
import lab
import servers_real

FAMILIES = ("ipv4", "ipv6")
HEADERS = ("Server", "How it asks or reads", "IPv4", "IPv6")
PASSED, SKIPPED, NOT_TAKEN = "passed", "skipped", "-"
LIMIT = 5  # seconds from a login, or the end of a lease, to what the server does


@dataclasses.dataclass(frozen=True)
class Row:
    """server and how: its words in the table. machine: a class of machines.py
    or its like, that is told `how` to name the row. needs: what must be there
    (missing() knows them). remark: why a family is not there."""

    server: str
    how: str
    machine: type
    key: str
    refused: int
    needs: tuple = ()
    families: tuple = FAMILIES

    @property
    def name(self):
        return f"{self.server} {self.how}"


# --- what must be there -----------------------------------------------------

def missing(need):
    """Why a row cannot run: the absent package; None: it can."""
    kind, _, name = need.partition(":")
    there = {"deb": fetched, "tool": shutil.which, "postmap": postfix_knows,
             "kind": kind_is_built, "database": database_is_there}[kind](name)
    package = {"tool:tcprules": "ucspi-tcp", "tool:nft": "nftables",
               "postmap:lmdb": "postfix-lmdb", "postmap:cdb": "postfix-cdb",
               "postmap:pgsql": "postfix-pgsql", "postmap:mysql":
               "postfix-mysql", "postmap:sqlite": "postfix-sqlite",
               "database:postgresql": "postgresql and libpq-dev",
               "database:mariadb": "mariadb-server and libmariadb-dev",
               "database:sqlite": "libsqlite3-dev",
               "kind:nftables": "libnftables-dev", "kind:berkeley-hash":
               "libdb-dev"}.get(need, name)
    return None if there else f"needs {package}: tools/install-deps test"


def fetched(name):
    return any((servers_real.PACKAGES / name).glob("*.deb"))


@functools.cache
def postfix_knows(kind):
    if not shutil.which("postconf"):
        return False
    return kind in lab.Here().run("postconf", "-m").stdout.split()


@functools.cache
def kind_is_built(kind):
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
        file.write(f'export x {{ kind = "{kind}" path = "/tmp/x" }}\n')
        file.flush()
        said = subprocess.run(
            [lab.program("relaypass"), "-c", file.name, "config", "--check"],
            check=False, capture_output=True, encoding="utf-8")
    return "built without" not in said.stdout + said.stderr


def database_is_there(name):
    """The server, and the module for it."""
    server = {"postgresql": databases.PostgreSQL,
              "mariadb": databases.MariaDB, "sqlite": databases.SQLite}[name]
    return not databases.missing(server) and \
        (lab.BUILD / "src" / "modules" / f"{name}.so").exists()


# --- the proof ---------------------------------------------------------------

def prove(row, machine, family):
    """Refused before the login, relayed after it, refused after the end; and
    nobody else is ever relayed."""
    customer, stranger = machine.customer, machine.stranger
    other = FAMILIES[1 - FAMILIES.index(family)]

    def expect(client, by, code, when):
        lab.wait_for(lambda: machine.send(row, client, by) == code,
                     f"{row.name}, {by}: {code} {when}", LIMIT)

    def refuses_others():
        assert machine.send(row, stranger, family) == row.refused
        if other in row.families:
            assert machine.send(row, customer, other) == row.refused

    machine.begin(row)
    expect(customer, family, row.refused, "before the login")
    machine.log_in(row, customer.ends(family)["source"])
    expect(customer, family, 250, "after the login")
    refuses_others()
    machine.end_leases(row)
    expect(customer, family, row.refused, "after the end")
    refuses_others()


# --- the table ----------------------------------------------------------------

def cell(row, family, results):
    if family not in row.families:
        return NOT_TAKEN
    return results.get((row.name, family), SKIPPED)


def table(rows, results):
    """Lines of Markdown, and one that counts. results: {(row's name, family):
    PASSED, "FAILED" or the reason of a skip}."""
    lines = ["| " + " | ".join(HEADERS) + " |",
             "|" + "---|" * len(HEADERS)]
    count = {PASSED: 0, SKIPPED: 0}
    for row in rows:
        cells = [cell(row, family, results) for family in FAMILIES]
        lines.append(f"| {row.server} | {row.how} | " + " | ".join(cells)
                     + " |")
        for word in cells:
            if word == PASSED:
                count[PASSED] += 1
            elif word != NOT_TAKEN:
                count[SKIPPED] += 1
    lines += ["", f"{len(rows)} rows: {count[PASSED]} proofs passed, "
              f"{count[SKIPPED]} skipped."]
    return "\n".join(lines) + "\n"
