# SPDX-License-Identifier: ISC
"""A real OpenSMTPD with the tables of examples/smtpd.conf.snippet (file) and
examples/smtpd-db.conf.snippet (db): it starts whatever they hold, and relays
after a login until its end."""

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


def install(host):
    """All that Debian's package does when it is installed, not unpacked."""
    servers_real.install(host, "opensmtpd")
    servers_real.add_system_user(host, "opensmtpd")
    servers_real.add_system_user(host, "opensmtpq")
    host.run("install", "-d", "-m", "0711", "/var/spool/smtpd")
    host.run("sh", "-c", "mkdir -p /var/lib/opensmtpd/empty /run/opensmtpd; "
             "chmod 711 /var/lib/opensmtpd/empty")
    host.write("/etc/aliases", "")
    host.run("sh", "-c", "cp /usr/sbin/smtpctl /var/local/; chgrp opensmtpq "
             "/var/local/smtpctl; chmod 2555 /var/local/smtpctl")


@pytest.fixture(scope="module", name="smtpd")
def make_smtpd(host):
    install(host)
    exports.prepare(host)
    return host


def configure(host, snippet):
    host.write("/etc/smtpd.conf", CONFIG.format(
        snippet=exports.example(snippet)))


def start_server(host, snippet):
    configure(host, snippet)
    server = host.start(["/usr/sbin/smtpd", "-d", "-f", "/etc/smtpd.conf"],
                        host.directory / "smtpd.log")
    try:
        lab.wait_for(lambda: host.listens(25), "smtpd listens")
    except AssertionError as err:
        raise AssertionError(server.output()) from err
    return server


def stop_server(host, server):
    server.kill_all()
    lab.wait_for(lambda: not host.listens(25), "smtpd is gone")


def start_db(host, relaypassd):
    """No lease, and no file before there is a relaypassd."""
    table = host.path(f"{exports.OUT}/opensmtpd.db")
    table.unlink(missing_ok=True)
    host.write(exports.MAIL_LOG, "")
    daemon = relaypassd(host, exports.example("relaypass-opensmtpd.conf"))
    lab.wait_for(table.exists, "the table")
    return daemon, table


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
    server = start_server(smtpd, "smtpd.conf.snippet")
    try:
        assert send(customer, family) == 550
        address = customer.ends(family)["source"]
        exports.lease(smtpd, daemon, address)
        lab.wait_for(lambda: address in table.read_text(), "the lease")
        stop_server(smtpd, server)
        server = start_server(smtpd, "smtpd.conf.snippet")
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


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_opensmtpd_sees_a_changed_db_by_itself(
        smtpd, relaypassd, customer, stranger, family):
    daemon, table = start_db(smtpd, relaypassd)
    server = start_server(smtpd, "smtpd-db.conf.snippet")
    try:
        assert send(customer, family) == 550
        exports.lease(smtpd, daemon, customer.ends(family)["source"])
        lab.wait_for(lambda: send(customer, family) == 250, "the lease there")
        assert send(stranger, family) == 550
        # More often than the time of the file can tell.
        exports.lease(smtpd, daemon, stranger.ends(family)["source"])
        lab.wait_for(lambda: send(stranger, family) == 250, "the other one")
        stop_server(smtpd, server)
        server = start_server(smtpd, "smtpd-db.conf.snippet")
        assert send(customer, family) == 250
        exports.end_leases(daemon)
        for client in (customer, stranger):
            lab.wait_for(lambda: send(client, family) == 550, "the end there")
        assert table.exists()
    finally:
        server.kill_all()


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_a_running_session_sees_a_changed_db(
        smtpd, relaypassd, customer, family):
    daemon, _ = start_db(smtpd, relaypassd)
    server = start_server(smtpd, "smtpd-db.conf.snippet")
    try:
        customer.smtp_open(**customer.ends(family), name="long")
        customer.smtp_mail(name="long", sender="alice@test.example")

        def rcpt():
            return customer.smtp_rcpt(name="long", recipient=FOREIGN)["code"]
        assert rcpt() == 550
        exports.lease(smtpd, daemon, customer.ends(family)["source"])
        lab.wait_for(lambda: rcpt() == 250, "the lease there")
    finally:
        customer.hang_up(name="long")
        server.kill_all()


def test_db_is_what_makemap_makes(smtpd, relaypassd):
    """Its own tool takes the file of the export and makes the same of a list."""
    daemon, table = start_db(smtpd, relaypassd)
    smtpd.write("/var/tmp/list", "192.0.2.7\n")
    smtpd.run("sh", "-c", "cp /var/local/smtpctl /var/local/makemap && "
              "chgrp opensmtpq /var/local/makemap && "
              "chmod 2555 /var/local/makemap && "
              "/var/local/makemap -t set -o /var/tmp/list.db /var/tmp/list")
    exports.lease(smtpd, daemon, "192.0.2.7")
    made = smtpd.path("/var/tmp/list.db").read_bytes()

    def rows(data):
        # Magic number and version of the first page, and what is in the rows.
        return data[12:20], b"192.0.2.7\0" in data, b"<set>\0" in data
    lab.wait_for(lambda: rows(table.read_bytes()) == rows(made), "the row")
    assert rows(made)[1:] == (True, True)


@pytest.mark.parametrize("kind", ["file", "db"])
def test_leases_of_networks_serve_too(smtpd, relaypassd, customer, kind):
    conf, snippet, name = {
        "file": ("relaypass-exports.conf", "smtpd.conf.snippet", "opensmtpd"),
        "db": ("relaypass-opensmtpd.conf", "smtpd-db.conf.snippet",
               "opensmtpd.db")}[kind]
    text = exports.example(conf)
    assert 'ttl = "30m"' in text
    smtpd.write(exports.MAIL_LOG, "")
    table = smtpd.path(f"{exports.OUT}/{name}")
    table.unlink(missing_ok=True)
    daemon = relaypassd(smtpd, text.replace(
        'ttl = "30m"', 'ttl = "30m"\n\tipv6-prefix = 64'))
    exports.lease(smtpd, daemon, "2001:db8::99")
    lab.wait_for(lambda: table.exists() and b"2001:db8::/64" in
                 table.read_bytes(), "the network")
    server = start_server(smtpd, snippet)
    try:
        assert send(customer, "ipv6") == 250
        assert send(customer, "ipv4") == 550
    finally:
        stop_server(smtpd, server)
