# SPDX-License-Identifier: ISC
"""Courier's own makesmtpaccess compiles the export's file, and its couriertcpd
goes by it: it starts a server that honours RELAYCLIENT as Courier's does."""

import pytest

import exports
import lab
import servers_real

pytestmark = pytest.mark.namespaces

OUT = exports.OUT
FOREIGN = "someone@foreign.example"


@pytest.fixture(scope="module", name="courier")
def make_courier(host):
    servers_real.install(host, "courier-mta")
    exports.prepare(host)
    for directory in ("control", "queue"):
        host.path(f"/var/qmail/{directory}").mkdir(parents=True)
    host.write("/var/qmail/control/rcpthosts", "test.example\n")
    host.run("sh", "-c", "rm -f /etc/courier/smtpaccess/default; "
             f"ln -sf {OUT}/smtpaccess/relaypass /etc/courier/smtpaccess/")
    # Debian gives makedat its name when the package is installed, not unpacked.
    host.run("sh", "-c", "mkdir -p /run/courier; "
             "sed 's,/makedat ,/makedat.courier ,' /usr/sbin/makesmtpaccess "
             ">/var/local/makesmtpaccess; "
             "chmod 755 /var/local/makesmtpaccess")
    return host


def compile_access(host):
    host.run("/var/local/makesmtpaccess")


def send(client, family):
    return client.smtp(**client.ends(family), sender="alice@test.example",
                       recipient=FOREIGN, message="Subject: hello\n\nhi\n",
                       port=2500)["code"]


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_courier_relays_after_a_login_and_until_its_end(
        courier, relaypassd, customer, stranger, family):
    file = courier.path(f"{OUT}/smtpaccess/relaypass")
    address = customer.ends(family)["source"]
    daemon = exports.start(courier, relaypassd)
    lab.wait_for(file.exists, "the file")
    compile_access(courier)
    server = courier.start(
        ["/usr/sbin/couriertcpd", "-access=/etc/courier/smtpaccess.dat",
         "-pid=/run/courier/esmtpd.pid", "-nodnslookup", "-noidentlookup", "2500",
         lab.PYTHON, lab.HERE / "qmail_smtpd.py", "/var/qmail"],
        courier.directory / "couriertcpd.log")
    try:
        lab.wait_for(lambda: courier.listens(2500), "couriertcpd listens")
        assert send(customer, family) == 553
        exports.lease(courier, daemon, address)
        lab.wait_for(lambda: file.read_text().count("RELAYCLIENT") == 1,
                     "the lease")
        compile_access(courier)
        lab.wait_for(lambda: send(customer, family) == 250, "relaying", 5)
        assert send(stranger, family) == 553
        exports.end_leases(daemon)
        lab.wait_for(lambda: file.read_text() == "", "the end")
        compile_access(courier)
        lab.wait_for(lambda: send(customer, family) == 553, "the end there",
                     5)
    finally:
        server.kill_all()
