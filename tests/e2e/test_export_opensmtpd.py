# SPDX-License-Identifier: ISC
"""A real OpenSMTPD with the file table of examples/smtpd.conf.snippet: it starts
whatever the file holds, and relays after a login until its end."""

import pytest

import exports
import lab
import servers_real

pytestmark = pytest.mark.namespaces

FOREIGN = "someone@foreign.example"
CONFIG = """
listen on 203.0.113.1 port 25
listen on 2001:db8::1 port 25
action "outbound" relay host smtp://127.0.0.1:9
{snippet}
action "local" maildir "/var/tmp/maildir"
match from any for domain "test.example" action "local"
"""


@pytest.fixture(scope="module", name="smtpd")
def make_smtpd(host):
    servers_real.install(host, "opensmtpd")
    exports.prepare(host)
    servers_real.add_system_user(host, "opensmtpd")
    servers_real.add_system_user(host, "opensmtpq")
    host.run("install", "-d", "-m", "0711", "/var/spool/smtpd")
    host.run("sh", "-c", "mkdir -p /var/lib/opensmtpd/empty /run/opensmtpd; "
             "chmod 711 /var/lib/opensmtpd/empty")
    host.write("/etc/aliases", "")
    # As Debian's package does it when it is installed, not unpacked.
    host.run("sh", "-c", "cp /usr/sbin/smtpctl /var/local/; chgrp opensmtpq "
             "/var/local/smtpctl; chmod 2555 /var/local/smtpctl")
    host.write("/etc/smtpd.conf", CONFIG.format(
        snippet=exports.example("smtpd.conf.snippet")))
    return host


def start_server(host):
    server = host.start(["/usr/sbin/smtpd", "-d", "-f", "/etc/smtpd.conf"],
                        host.directory / "smtpd.log")
    try:
        lab.wait_for(lambda: host.listens(25), "smtpd listens")
    except AssertionError as err:
        raise AssertionError(server.output()) from err
    return server


def update(host):
    """What the unit beside the path unit runs."""
    command = next(line.partition("=")[2].split() for line in exports.example(
        "opensmtpd-table.service").splitlines()
        if line.startswith("ExecStart="))
    host.run(command[0].replace("/usr/sbin", "/var/local"), *command[1:])


def send(client, family):
    return client.smtp(**client.ends(family), sender="alice@test.example",
                       recipient=FOREIGN, message="Subject: hello\n\nhi\n")[
                           "code"]


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_opensmtpd_relays_after_a_login_and_until_its_end(
        smtpd, relaypassd, customer, stranger, family):
    table = smtpd.path(f"{exports.OUT}/opensmtpd")
    daemon = exports.start(smtpd, relaypassd)
    lab.wait_for(table.exists, "the table")
    # No lease, then one of IPv6 alone: neither keeps it from starting.
    server = start_server(smtpd)
    try:
        assert send(customer, family) == 550
        address = customer.ends(family)["source"]
        exports.lease(smtpd, daemon, address)
        lab.wait_for(lambda: address in table.read_text(), "the lease")
        server.kill_all()
        server.wait()
        server = start_server(smtpd)
        assert send(customer, family) == 250
        assert send(stranger, family) == 550
        exports.lease(smtpd, daemon, stranger.ends(family)["source"])
        lab.wait_for(lambda: stranger.ends(family)["source"] in
                     table.read_text(), "the other lease")
        update(smtpd)
        lab.wait_for(lambda: send(stranger, family) == 250, "the new table")
        exports.end_leases(daemon)
        lab.wait_for(lambda: table.read_text() == "192.0.2.255\n", "the end")
        update(smtpd)
        lab.wait_for(lambda: send(customer, family) == 550, "the end there")
    finally:
        server.kill_all()
