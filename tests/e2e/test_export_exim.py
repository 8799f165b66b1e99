# SPDX-License-Identifier: ISC
"""A real Exim reads what the exports keep: dsearch as examples/exim-dsearch.conf
has it, and the same addresses as a cdb and as host lists."""

import pytest

import exports
import lab
import servers_real

pytestmark = pytest.mark.namespaces

OUT = exports.OUT
FOREIGN = "someone@foreign.example"
LOCAL = "alice@test.example"
CONFIG = """
primary_hostname = mx.test.example
keep_environment =
domainlist local = test.example
acl_smtp_rcpt = rcpt
log_file_path = /var/log/exim4/%s.log
daemon_smtp_ports = {ports}
queue_only
exim_user = Debian-exim
exim_group = Debian-exim
host_lookup =
rfc1413_query_timeout = 0s
begin acl
rcpt:
    accept  domains = +local
{rule}
    deny    message = no relay
begin routers
all:
    driver = accept
    transport = none
begin transports
none:
    driver = appendfile
    file = /dev/null
begin rewrite
"""
RULES = {
    25: None,  # the example
    26: "    accept hosts = net-dsearch;" + OUT + "/dsearch",
    27: "    accept hosts = net-iplsearch;" + OUT + "/relayhosts",
    28: "    accept hosts = net-lsearch;" + OUT + "/pophosts",
    29: "    accept condition = ${lookup{$sender_host_address}cdb{" + OUT +
        "/leases.cdb}{yes}{no}}",
}


@pytest.fixture(scope="module", name="exim")
def make_exim(host):
    servers_real.install(host, "exim")
    exports.prepare(host)
    servers_real.add_system_user(host, "Debian-exim")
    host.run("install", "-d", "-o", "Debian-exim", "-g", "Debian-exim",
             "/var/spool/exim4", "/var/log/exim4")
    processes = []
    for port, rule in RULES.items():
        host.write(f"/etc/exim.{port}", CONFIG.format(
            ports=port, rule=rule or exports.example("exim-dsearch.conf")))
        processes.append(host.start(
            ["/usr/sbin/exim4", "-C", f"/etc/exim.{port}", "-bdf"],
            host.directory / f"exim{port}.log"))
    for port in RULES:
        lab.wait_for(lambda: host.listens(port), "exim listens")
    yield host
    for process in processes:
        process.kill_all()


def send(client, family, port, recipient=FOREIGN):
    return client.smtp(**client.ends(family), sender="alice@test.example",
                       recipient=recipient, message="Subject: hello\n\nhi\n",
                       port=port)["code"]


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_exim_relays_after_a_login_and_until_its_end(
        exim, relaypassd, customer, stranger, family):
    daemon = exports.start(exim, relaypassd)
    lab.wait_for(lambda: exim.path(f"{OUT}/leases.cdb").exists(), "files")
    for port in RULES:
        assert send(customer, family, port) == 550, port
    exports.lease(exim, daemon, customer.ends(family)["source"])
    for port in RULES:
        lab.wait_for(lambda: send(customer, family, port) == 250,
                     f"relaying at {port}", 5)
        assert send(stranger, family, port) == 550, port
        assert send(stranger, family, port, LOCAL) == 250, port
    exports.end_leases(daemon)
    for port in RULES:
        lab.wait_for(lambda: send(customer, family, port) == 550,
                     f"the end at {port}", 3)
