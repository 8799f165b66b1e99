# SPDX-License-Identifier: ISC
"""The qmail chain as examples/ have it: tcpserver, relaypass-run and a server
that honours RELAYCLIENT and rcpthosts as qmail-smtpd does."""

import os
import pathlib
import subprocess
import time

import pytest

import lab

pytestmark = [pytest.mark.namespaces, pytest.mark.needs("tcpserver")]

FOREIGN = "someone@foreign.example"
LOCAL = "alice@test.example"
LOGIN = ("{time} mx dovecot: imap-login: Login: user=<alice>, method=PLAIN, "
         "rip={address}, lip=203.0.113.1, mpid=4242, session=<{session}>\n")
MAIL_LOG = "/var/log/mail.log"
TTL_MS = 30 * 60 * 1000


def install_qmail(host):
    """/var/qmail as qmail-run wants it, with our server for qmail-smtpd."""
    host.install()
    host.install_users()
    # A machine with qmail has it already, and the host sees its files.
    host.run("sh", "-c", "getent group nofiles || groupadd --system nofiles")
    host.run("sh", "-c", "getent passwd qmaild || "
             "useradd --system --gid nofiles qmaild")
    for directory in ("bin", "control", "queue"):
        host.path(f"/var/qmail/{directory}").mkdir(parents=True)
    host.run("chown", "qmaild", "/var/qmail/queue")
    host.write("/var/qmail/bin/qmail-smtpd",
               f"#!/bin/sh\nexec {lab.PYTHON} {lab.HERE}/qmail_smtpd.py .\n",
               0o755)
    host.write("/var/qmail/control/me", "mx.test.example\n")
    host.write("/var/qmail/control/rcpthosts", "test.example\n")
    host.write(MAIL_LOG, "")
    host.write("/etc/tcp.smtp", (lab.EXAMPLES / "tcp.smtp").read_text(
        encoding="utf-8"))
    compile_rules(host)


def compile_rules(host):
    host.run("sh", "-c",
             "tcprules /etc/tcp.smtp.cdb /etc/tcp.tmp </etc/tcp.smtp")


@pytest.fixture(scope="module")
def chain(host):
    install_qmail(host)
    process = host.start([str(lab.EXAMPLES / "qmail-run")],
                         host.directory / "tcpserver.log")
    lab.wait_for(lambda: host.listens(25), "tcpserver listens")
    yield host
    process.kill_all()


@pytest.fixture
def daemon(chain, relaypassd):
    chain.write(MAIL_LOG, "")
    for message in chain.path("/var/qmail/queue").glob("*.msg"):
        message.unlink()
    return relaypassd(chain, (lab.EXAMPLES / "relaypass-qmail.conf").read_text(
        encoding="utf-8"))


def log_in(host, address, number=[0]):
    number[0] += 1
    with open(host.path(MAIL_LOG), "a", encoding="ascii") as file:
        file.write(LOGIN.format(
            time=time.strftime("%b %e %H:%M:%S"), address=address,
            session=f"abc{number[0]}DEF"))


def send(client, recipient=FOREIGN):
    return client.smtp(**client.ends("ipv4"), sender="alice@test.example",
                       recipient=recipient, message="Subject: hello\n\nhi\n")


def queued(host):
    return [file.read_text(encoding="utf-8")
            for file in host.path("/var/qmail/queue").glob("*.msg")]


def test_qmail_relays_after_a_login_and_until_the_lease_is_over(
        chain, daemon, customer, stranger):
    answer = send(customer)
    assert answer["code"] == 553
    assert "rcpthosts" in answer["text"]
    log_in(chain, customer.v4)
    daemon.wait_leased(customer.v4)
    assert send(customer)["code"] == 250
    assert f"T{FOREIGN}\n" in queued(chain)[0]
    assert send(stranger)["code"] == 553
    daemon.clock.advance(TTL_MS + 1000)
    assert send(customer)["code"] == 553
    assert send(customer, LOCAL)["code"] == 250


def test_qmail_takes_inbound_mail_while_the_daemon_is_away(
        chain, daemon, customer):
    log_in(chain, customer.v4)
    daemon.wait_leased(customer.v4)
    daemon.stop()
    assert send(customer)["code"] == 553
    assert send(customer, LOCAL)["code"] == 250


def test_qmail_takes_inbound_mail_while_the_daemon_hangs(
        chain, daemon, customer):
    log_in(chain, customer.v4)
    daemon.wait_leased(customer.v4)
    daemon.freeze()
    try:
        start = time.monotonic()
        assert send(customer, LOCAL)["code"] == 250
        assert 1.8 < time.monotonic() - start < 3.5
        assert send(customer)["code"] == 553
    finally:
        daemon.thaw()
    lab.wait_for(lambda: send(customer)["code"] == 250, "relaying goes on")


def test_qmail_keeps_the_relayclient_of_tcp_smtp(chain, daemon, customer):
    text = (lab.EXAMPLES / "tcp.smtp").read_text(encoding="utf-8")
    chain.write("/etc/tcp.smtp", f'{customer.v4}:allow,'
                'RELAYCLIENT="@gateway.example",DATABYTES="400"\n' + text)
    compile_rules(chain)
    try:
        log_in(chain, customer.v4)
        daemon.wait_leased(customer.v4)
        assert send(customer)["code"] == 250
        assert f"T{FOREIGN}@gateway.example\n" in queued(chain)[0]
        big = customer.smtp(**customer.ends("ipv4"), sender="a@test.example",
                            recipient=LOCAL, message="x" * 500)
        assert big["code"] == 552, "DATABYTES was lost"
    finally:
        chain.write("/etc/tcp.smtp", text)
        compile_rules(chain)


def test_qmail_allows_ipv6_clients(chain, daemon, tmp_path):
    """Debian's tcpserver knows IPv4 only: the environment is set by hand, as
    one that knows IPv6 sets it."""
    log_in(chain, "2001:db8::7")
    daemon.wait_leased("2001:db8::7")
    for address, code in (("2001:db8::7", 250), ("2001:db8::8", 553),
                          ("2001:0db8:0::7", 250)):
        env = {**os.environ, "PROTO": "TCP6", "TCP6REMOTEIP": address,
               "TCPREMOTEIP": address}
        done = chain.run(
            "sh", "-c", "cd /var/qmail && exec /usr/local/bin/relaypass-run "
            "bin/qmail-smtpd", env=env, stdin=None,
            input=f"HELO x\r\nMAIL FROM:<a@test.example>\r\n"
            f"RCPT TO:<{FOREIGN}>\r\nQUIT\r\n")
        assert f"\n{code} " in done.stdout, done.stdout


def test_qmail_server_accepts_everything_without_rcpthosts(tmp_path):
    """The stand-in is as dangerous as the real one, or the tests above would
    prove nothing."""
    def talk(env):
        done = subprocess.run(
            [lab.PYTHON, str(lab.HERE / "qmail_smtpd.py"), str(tmp_path)],
            input=f"MAIL FROM:<a@b>\nRCPT TO:<{FOREIGN}>\n"
            "RCPT TO:<x@sub.test.example>\nRCPT TO:<x@TEST.example>\n"
            "RCPT TO:<postmaster>\nQUIT\n", encoding="ascii", check=True,
            stdout=subprocess.PIPE, env=env, timeout=20)
        return [int(line[:3]) for line in done.stdout.splitlines()[2:6]]
    control = pathlib.Path(tmp_path / "control")
    control.mkdir()
    assert talk({}) == [250, 250, 250, 250]
    (control / "rcpthosts").write_text("test.example\n", encoding="ascii")
    assert talk({}) == [553, 553, 250, 250]
    (control / "rcpthosts").write_text(".test.example\n", encoding="ascii")
    assert talk({}) == [553, 250, 553, 250]
    assert talk({"RELAYCLIENT": ""}) == [250, 250, 250, 250]
