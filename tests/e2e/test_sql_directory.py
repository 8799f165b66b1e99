# SPDX-License-Identifier: ISC
"""A file of SQLite whose directory is missing, or not for relaypassd's account:
refused before the start, with the command that mends it; and that command
does."""

import os
import re
import shlex
import subprocess

import pytest

import lab
import site1
import sql_site
from databases import SQLite

EXPORT = 'export db {{ kind = "sql" engine = "sqlite" database = "{}" ' \
    "create-table = yes }}\n"
SOURCE = 'source db {{ kind = "sql" engine = "sqlite" database = "{}" ' \
    'preset = "qpsmtpd" }}\n'


@pytest.fixture(name="site")
def make_site():
    with site1.directory() as where:
        daemon = site1.Site(where)
        yield daemon
        daemon.stop()


def refused(site, section, path):
    """What -t says; a start says the same."""
    site.settings["more"] = section.format(path)
    site.write(site.text())
    code, text = site.test_configuration()
    assert code == 100 and "database: " in text, text
    site.wait_refused()
    assert text.split("database: ")[1].strip() in site.errors()
    return text


def run_it(text):
    subprocess.run(shlex.split(re.search(r"run: (.*)", text)[1]), check=True)


def test_a_directory_that_is_missing(site):
    directory = site.where / "tables"
    text = refused(site, EXPORT, directory / "leases.sqlite")
    assert f"there is no directory {directory}; run: install -d -o " in text
    run_it(text)
    assert site.test_configuration() == (0, "")
    site.start()
    site.login("203.0.113.1")
    lab.wait_for((directory / "leases.sqlite").exists, "the table's file")


def test_a_directory_that_a_source_misses(site):
    directory = site.where / "tables"
    text = refused(site, SOURCE, directory / "relaypass.sqlite")
    run_it(text)
    with SQLite(directory) as file:
        sql_site.make_table(file, "qpsmtpd")
        assert site.test_configuration() == (0, "")


READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'


@pytest.mark.namespaces
def test_a_directory_that_the_unit_makes_read_only(site):
    """As ProtectSystem=strict does it."""
    directory = site.where / "tables"
    directory.mkdir(0o777)
    directory.chmod(0o777)
    site.before = ["unshare", "--mount", "sh", "-c", READ_ONLY, directory]
    text = refused(site, EXPORT, directory / "leases.sqlite")
    assert f"{directory} is read-only here; if the unit of systemd" in text
    assert f"ReadWritePaths={directory}" in text


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_directory_of_somebody_else(site):
    directory = site.where / "tables"
    directory.mkdir(0o755)
    text = refused(site, EXPORT, directory / "leases.sqlite")
    assert f"may not write in {directory}, where the journal has to be" in text
    assert "install -d -o relaypass-out -g relaypass-out -m 0755 DIR" in text
    directory.chmod(0o700)
    for section in EXPORT, SOURCE:
        text = refused(site, section, directory / "leases.sqlite")
        assert f"relaypass-out may not enter the directory {directory}: " \
            in text
