# SPDX-License-Identifier: ISC
"""docs/filters.md with the real rspamd: a client that is on a DNSBL, and that
SPF forbids to send, is scored for that, unless it has a lease."""

import json

import pytest

import exports
import filters
import lab
import servers_real

pytestmark = pytest.mark.namespaces

RBL = f"""
rbls {{
  test {{
    symbol = "RBL_TEST";
    rbl = "{filters.ZONE}";
    checks = ['from'];
    ipv6 = true;
  }}
}}
"""
OPTIONS = """
# Compiling the real ones takes half a minute.
disable_hyperscan = true;
url_tld = "/var/tmp/tld";
dns { nameserver = ["127.0.0.1"]; timeout = 1s; retransmits = 1; }
"""
REST = ("HFILTER", "R_SPF_FAIL")
MESSAGE = """From: alice@test.example
To: someone@foreign.example
Subject: hello
Message-Id: <1@test.example>
Date: Mon, 2 Jan 2023 10:00:00 +0000

hi
"""


@pytest.fixture(scope="module", name="rspamd")
def make_rspamd(host):
    servers_real.install(host, "rspamd")
    filters.prepare(host)
    servers_real.add_system_user(host, "_rspamd")
    host.run("install", "-d", "-o", "_rspamd", "/var/lib/rspamd",
             "/run/rspamd", "/var/log/rspamd")
    local = "/etc/rspamd/local.d"
    host.write(f"{local}/options.inc", OPTIONS)
    host.write(f"{local}/logging.inc", 'type = "console";\n')
    host.write(f"{local}/multimap.conf",
               exports.example("rspamd-multimap.conf"))
    host.write("/var/tmp/message", MESSAGE)
    host.write("/var/tmp/tld", "example\norg\n")
    return host


def start_rspamd(host, way):
    """By one of the two examples that let a lease pass."""
    host.write("/etc/rspamd/local.d/rbl.conf", RBL + (
        exports.example("rspamd-rbl.conf") if way == "rbl" else ""))
    host.write("/etc/rspamd/override.d/options.inc",
               exports.example("rspamd-options.inc") if way == "local"
               else "map_watch_interval = 10s;\n")
    server = host.start(["rspamd", "-f", "-u", "_rspamd", "-g", "_rspamd"],
                        host.directory / "rspamd.log")
    lab.wait_for(lambda: host.listens(11333) or not server.running(),
                 "rspamd listens")
    assert server.running(), server.output()
    return server


def symbols(host, address):
    done = host.run("rspamc", "-h", "127.0.0.1:11333", "--json", "--ip",
                    address, "--from", "alice@test.example", "--rcpt",
                    "someone@foreign.example", "symbols", "/var/tmp/message",
                    check=False)
    try:
        return set(json.loads(done.stdout)["symbols"])
    except (ValueError, KeyError) as err:
        raise AssertionError(done.stdout) from err


def wants(host, address, *want):
    """Listed or leased, and what else is held against a dynamic address."""
    found = symbols(host, address)
    if any(symbol.startswith("HFILTER") for symbol in found):
        found.add("HFILTER")
    return found & {"RBL_TEST", "RELAYPASS_LEASE", *REST} == set(want)


@pytest.mark.parametrize("way, left", [("local", ()), ("rbl", REST)])
def test_a_lease_passes_the_dnsbl(
        rspamd, relaypassd, customer, stranger, way, left):
    daemon = filters.start(rspamd, relaypassd)
    lab.wait_for(lambda: all(
        rspamd.path(f"{exports.OUT}/{name}").exists()
        for name in ("addresses", "rspamd-local")), "the lists")
    server = start_rspamd(rspamd, way)
    try:
        both = [customer.v4, customer.v6]
        for address in both:
            lab.wait_for(lambda: wants(rspamd, address, "RBL_TEST", *REST),
                         f"{address} is listed")
        exports.lease(rspamd, daemon, *both)
        for address in both:
            lab.wait_for(lambda: wants(rspamd, address, "RELAYPASS_LEASE",
                                       *left),
                         f"the lease of {address} there")
        assert wants(rspamd, stranger.v4, "RBL_TEST", *REST)
        assert wants(rspamd, stranger.v6, "RBL_TEST", *REST)
        daemon.clock.advance(exports.TTL_MS + 1000)
        for address in both:
            lab.wait_for(lambda: wants(rspamd, address, "RBL_TEST", *REST),
                         f"the end of {address} there")
    finally:
        server.kill_all()
