# SPDX-License-Identifier: ISC
"""The source "sql" and rows that are committed later than the time they bear:
found as long as that is within `overlap`, not sought behind it."""

import pytest

from databases import (  # noqa: F401 (fixtures)
    make_engine, make_mariadb, make_postgresql, make_sqlite)
from sql_source import make_table, put, site_of

LATE = 30  # s


@pytest.mark.parametrize("overlap, found", [("60s", True), ("5s", False)])
def test_a_row_is_found_as_late_as_overlap_says(engine, overlap, found):
    make_table(engine)
    with site_of(engine, f'preset = "qpsmtpd" overlap = "{overlap}"') as site:
        # The source has come to where the others are behind it.
        put(engine, "203.0.113.1")
        site.wait_leased("203.0.113.1")
        put(engine, "203.0.113.2", LATE)
        put(engine, "203.0.113.3", 2)
        # Read together with it, and once more afterwards.
        site.wait_leased("203.0.113.3")
        put(engine, "203.0.113.4")
        site.wait_leased("203.0.113.4")
        assert site.leased("203.0.113.2") == found


def test_what_was_taken_is_not_taken_again(engine):
    """Though the same rows are read each second."""
    make_table(engine)
    with site_of(engine, 'preset = "qpsmtpd" overlap = "60s"') as site:
        put(engine, "203.0.113.1")
        site.wait_leased("203.0.113.1")
        site.relaypass("revoke", "--now-only", "203.0.113.1")
        for i in range(2, 4):
            put(engine, f"203.0.113.{i}")
            site.wait_leased(f"203.0.113.{i}")
        assert site.check("203.0.113.1") == "none"
        # A time that moves is a new login.
        put(engine, "203.0.113.1")
        site.wait_leased("203.0.113.1")


@pytest.mark.parametrize("overlap", ["999ms", "2h", "a minute"])
def test_an_overlap_that_is_none_is_refused(sqlite, overlap):
    make_table(sqlite)
    with site_of(sqlite, f'preset = "qpsmtpd" overlap = "{overlap}"',
                 start=False) as site:
        assert "overlap" in site.refused()


def test_a_start_reads_it_again(engine):
    """What was committed late while relaypassd was away."""
    make_table(engine)
    with site_of(engine, 'preset = "qpsmtpd" overlap = "60s"') as site:
        put(engine, "203.0.113.1")
        site.wait_leased("203.0.113.1")
        site.stop()
        put(engine, "203.0.113.2", LATE)
        site.start()
        site.wait_leased("203.0.113.2")
