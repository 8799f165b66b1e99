# SPDX-License-Identifier: ISC
"""contrib/haraka's plugin in the real Haraka. Debian has none: the test runs
where npm has put one into /var/cache/relaypass-test/haraka (docs/qpsmtpd.md)."""

import pathlib
import shutil
import time

import pytest

import lab
import qpsmtpd
from test_qpsmtpd import (ANSWERS, FAMILIES, FOREIGN, LOCAL, MAIL_LOG, TTL_MS,
                          address, example, log_in)

HARAKA = pathlib.Path("/var/cache/relaypass-test/haraka/node_modules/.bin/haraka")
ASK = "/run/relaypass/haraka"
SITE = "/var/lib/haraka"
pytestmark = [pytest.mark.namespaces, pytest.mark.skipif(
    not (HARAKA.exists() and shutil.which("node")), reason="needs haraka (npm)")]


class Haraka:
    def __init__(self, host):
        self.host, self.process = host, None
        contrib = lab.TREE / "contrib" / "haraka"
        host.run("groupadd", "--system", "haraka")
        self.ini = (contrib / "relaypass.ini").read_text(encoding="utf-8")
        host.write(f"{SITE}/plugins/relaypass.js", (
            contrib / "relaypass.js").read_text(encoding="utf-8"))
        host.write(f"{SITE}/config/plugins",
                   "relaypass\nrcpt_to.in_host_list\n")
        host.write(f"{SITE}/config/host_list", "test.example\n")
        host.write(f"{SITE}/config/me", "mx.test.example\n")
        host.write(f"{SITE}/config/smtp.ini", "listen=[::0]:25\n")
        host.write(f"{SITE}/config/connection.ini", (
            HARAKA.parent.parent / "Haraka" / "config" / "connection.ini"
        ).read_text(encoding="utf-8"))
        host.write(f"{SITE}/package.json", '{"name": "site"}\n')

    def launch(self, ini=""):
        self.host.write(f"{SITE}/config/relaypass.ini", self.ini + ini)
        self.process = self.host.start([HARAKA, "-c", SITE],
                                       self.host.directory / "haraka.log")
        return self

    def start(self, ini=""):
        self.launch(ini)
        lab.wait_for(lambda: self.host.listens(25)
                     or not self.process.running(), "Haraka listens")
        assert self.process.running(), self.process.output()
        return self

    def stop(self):
        if self.process is not None:
            self.process.kill_all()
            lab.wait_for(lambda: not self.host.listens(25), "the port")


@pytest.fixture(scope="module")
def installed(host):
    host.install_users()
    return Haraka(host)


@pytest.fixture
def server(installed):
    yield installed
    installed.stop()


@pytest.fixture
def daemon(installed, relaypassd):
    installed.host.write(MAIL_LOG, "")
    return relaypassd(installed.host, example("relaypass-qpsmtpd.conf").replace(
        "qpsmtpd", "haraka"))


def rcpt(client, family="ipv4", recipient=FOREIGN):
    """The code alone: what Haraka takes it would deliver at once."""
    client.smtp_open(**client.ends(family), name="rcpt")
    try:
        client.smtp_mail(name="rcpt", sender=LOCAL)
        return client.smtp_rcpt(name="rcpt", recipient=recipient)["code"]
    finally:
        client.hang_up(name="rcpt")


@FAMILIES
def test_relays_after_a_login_and_until_the_lease_is_over(
        server, daemon, customer, stranger, family):
    server.start()
    assert rcpt(customer, family) == 550
    log_in(server.host, address(customer, family))
    daemon.wait_leased(address(customer, family))
    assert rcpt(customer, family) == 250
    assert rcpt(stranger, family) == 550
    daemon.clock.advance(TTL_MS + 1000)
    assert rcpt(customer, family) == 550
    assert rcpt(stranger, family, LOCAL) == 250


def test_a_lease_counts_within_a_running_session(server, daemon, customer):
    server.start()
    customer.smtp_open(**customer.ends("ipv4"), name="long")
    try:
        customer.smtp_mail(name="long", sender=LOCAL)
        codes = [customer.smtp_rcpt(name="long", recipient=FOREIGN)["code"]]
        log_in(server.host, customer.v4)
        daemon.wait_leased(customer.v4)
        codes.append(customer.smtp_rcpt(name="long", recipient=FOREIGN)["code"])
        daemon.clock.advance(TTL_MS + 1000)
        codes.append(customer.smtp_rcpt(name="long", recipient=FOREIGN)["code"])
        assert codes == [550, 250, 550]
    finally:
        customer.hang_up(name="long")


def test_a_grant_at_connect_ends_with_the_lease(server, daemon, customer):
    server.start()
    log_in(server.host, customer.v4)
    daemon.wait_leased(customer.v4)
    customer.smtp_open(**customer.ends("ipv4"), name="early")
    try:
        customer.smtp_mail(name="early", sender=LOCAL)
        daemon.clock.advance(TTL_MS + 1000)
        assert customer.smtp_rcpt(
            name="early", recipient=FOREIGN)["code"] == 550
        customer.smtp_reset(name="early")
        customer.smtp_mail(name="early", sender=LOCAL)
        assert customer.smtp_rcpt(
            name="early", recipient=FOREIGN)["code"] == 550
    finally:
        customer.hang_up(name="early")


def test_without_relaypassd_inbound_mail_flows_and_nobody_relays(
        server, customer):
    server.start()
    assert rcpt(customer) == 450
    assert rcpt(customer, recipient=LOCAL) == 250
    server.stop()
    server.start("on_error = norelay\n")
    assert rcpt(customer) == 550


def test_only_a_whole_allow_is_one(server, customer):
    server.start()
    for name, answer in ANSWERS.items():
        with qpsmtpd.answering(server.host, *answer, path=ASK):
            assert rcpt(customer) == 450, name
    with qpsmtpd.answering(server.host, b"allow ttl=5\n", path=ASK):
        assert rcpt(customer) == 250


def test_a_question_is_held_for_two_seconds(server, customer):
    server.start()
    customer.smtp_open(**customer.ends("ipv4"), name="hung")
    try:
        customer.smtp_mail(name="hung", sender=LOCAL)
        with qpsmtpd.answering(server.host, None, path=ASK):
            start = time.monotonic()
            assert customer.smtp_rcpt(
                name="hung", recipient=FOREIGN)["code"] == 450
            assert 1.9 < time.monotonic() - start < 4
    finally:
        customer.hang_up(name="hung")
