# SPDX-License-Identifier: ISC
"""contrib/qpsmtpd's plugin in the real qpsmtpd: refused before the login, taken
after it, refused after the end; asking relaypass, and asking a table."""

import contextlib
import itertools
import sqlite3
import time

import pytest

import lab
import qpsmtpd
from qpsmtpd import ASK, DATABASE, example

pytestmark = [pytest.mark.namespaces]

FAMILIES = pytest.mark.parametrize("family", ["ipv4", "ipv6"])
FOREIGN = "someone@foreign.example"
LOCAL = "alice@test.example"
LOGIN = ("{time} mx dovecot: imap-login: Login: user=<alice>, method=PLAIN, "
         "rip={address}, lip=203.0.113.1, mpid=4242, session=<{session}>\n")
MAIL_LOG = "/var/log/mail.log"
TTL_MS = 30 * 60 * 1000
REFUSED = "Relaying denied"
LATER = "try again later"
TABLE = ("CREATE TABLE popbsmtp (ip varchar(45) PRIMARY KEY,"
         " login_time datetime NOT NULL)")
NOW = "datetime('now')"
NORELAY = f"relaypass socket {ASK} on_error norelay\n"
numbers = itertools.count(1)


@pytest.fixture(scope="module")
def installed(host):
    host.install_users()
    return qpsmtpd.Qpsmtpd(host)


@pytest.fixture
def server(installed):
    yield installed
    installed.stop()


@pytest.fixture
def daemon(installed, relaypassd):
    installed.host.write(MAIL_LOG, "")
    return relaypassd(installed.host, example("relaypass-qpsmtpd.conf"))


@pytest.fixture
def table(installed):
    """A connection to the database of the example, with its empty table."""
    path = installed.database
    path.unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(TABLE)
        installed.host.run("chown", "qpsmtpd:qpsmtpd", DATABASE)
        yield db
    path.unlink(missing_ok=True)


@pytest.fixture
def asks_table(server, table):
    return server.start(db_base=example("qpsmtpd-db_base"),
                        db_relay=example("qpsmtpd-db_relay"))


def log_in(host, address):
    with open(host.path(MAIL_LOG), "a", encoding="ascii") as file:
        file.write(LOGIN.format(time=time.strftime("%b %e %H:%M:%S"),
                                address=address,
                                session=f"abc{next(numbers)}DEF"))


def address(client, family):
    return client.v6 if family == "ipv6" else client.v4


def send(client, family="ipv4", recipient=FOREIGN, sender=LOCAL, subject="hi"):
    return client.smtp(**client.ends(family), sender=sender,
                       recipient=recipient,
                       message=f"Subject: {subject}\n\nhi\n")


def refused(answer):
    return answer["code"] == 550 and REFUSED in answer["text"]


def put_off(answer):
    return answer["code"] == 450 and LATER in answer["text"]


def seen_row(table, ip, when=NOW):
    table.execute(f"REPLACE INTO popbsmtp VALUES (?, {when})", (ip,))


@FAMILIES
def test_relays_after_a_login_and_until_the_lease_is_over(
        server, daemon, customer, stranger, family):
    server.start()
    assert refused(send(customer, family))
    log_in(server.host, address(customer, family))
    daemon.wait_leased(address(customer, family))
    subject = f"relay-{next(numbers)}"
    assert send(customer, family, subject=subject)["code"] == 250
    assert subject in server.queued()
    assert refused(send(stranger, family))
    assert refused(send(customer, "ipv4" if family == "ipv6" else "ipv6"))
    daemon.clock.advance(TTL_MS + 1000)
    assert refused(send(customer, family))
    assert send(stranger, family, LOCAL)["code"] == 250


def test_the_log_lines_are_db_relays(server, daemon, customer):
    server.start()
    assert refused(send(customer))
    assert refused(send(customer, "ipv6"))
    log_in(server.host, customer.v4)
    daemon.wait_leased(customer.v4)
    assert send(customer)["code"] == 250
    log = server.log()
    assert "IP: '203.0.113.7' (NET: '203.0.113.') is NOT a relay client" in log
    assert "IP: '203.0.113.7' (NET: '203.0.113.') is a relay client" in log
    assert "IP: '2001:db8::7' (NET: '2001:db8:0:0:') is NOT a relay" in log


def test_a_lease_counts_within_a_running_session(server, daemon, customer):
    server.start()
    customer.smtp_open(**customer.ends("ipv4"), name="long")
    try:
        customer.smtp_mail(name="long", sender=LOCAL)
        assert refused(customer.smtp_rcpt(name="long", recipient=FOREIGN))
        log_in(server.host, customer.v4)
        daemon.wait_leased(customer.v4)
        assert customer.smtp_rcpt(name="long", recipient=FOREIGN)["code"] == 250
        daemon.clock.advance(TTL_MS + 1000)
        assert refused(customer.smtp_rcpt(name="long", recipient=FOREIGN))
    finally:
        customer.hang_up(name="long")


def test_a_leased_client_is_known_before_the_other_plugins_ask(
        server, daemon, customer, stranger):
    """dnsbl and its kind pass over a relay client; so does the HELO check."""
    server.start(plugin=example("qpsmtpd-plugins")
                 + "helo policy lenient reject 1\n",
                 badhelo="client.test.example\n")
    log_in(server.host, customer.v4)
    daemon.wait_leased(customer.v4)
    assert send(customer)["code"] == 250
    with pytest.raises(AssertionError, match="SMTPServerDisconnected"):
        send(stranger, recipient=LOCAL)


def test_the_sender_goes_with_the_question(server, installed, relaypassd,
                                           customer):
    installed.host.write(MAIL_LOG, "")
    daemon = relaypassd(
        installed.host, example("relaypass-qpsmtpd.conf").replace(
            'group = "qpsmtpd"\n', 'group = "qpsmtpd"\n'
            '\trequire-sender = "user"\n\tdefault-domain = "test.example"\n'))
    server.start()
    log_in(server.host, customer.v4)
    daemon.wait_leased(customer.v4)
    assert send(customer, sender=LOCAL)["code"] == 250
    assert refused(send(customer, sender="bob@test.example"))
    assert refused(send(customer, sender=""))


def test_questions_are_coded(server, customer):
    with qpsmtpd.answering(server.host, b"none\n") as questions:
        server.start()
        assert refused(send(customer, sender="a=b%c@test.example"))
        assert refused(send(customer, sender=""))
    assert questions == [
        "check 203.0.113.7\n",
        f"check 203.0.113.7 sender=a%3Db%25c@test.example recipient={FOREIGN}\n",
        "check 203.0.113.7\n",
        f"check 203.0.113.7 recipient={FOREIGN}\n"]


def test_without_relaypassd_inbound_mail_flows_and_nobody_relays(
        server, daemon, customer, stranger):
    server.start()
    log_in(server.host, customer.v4)
    daemon.wait_leased(customer.v4)
    daemon.stop()
    assert put_off(send(customer))
    assert put_off(send(stranger, "ipv6"))
    assert send(stranger, recipient=LOCAL)["code"] == 250
    assert send(stranger, recipient="bob@a.sub.example")["code"] == 250
    assert f"203.0.113.7: {ASK}: " in server.log()


def test_without_relaypassd_the_option_refuses(server, customer):
    server.start(plugin=NORELAY)
    assert refused(send(customer))
    assert send(customer, recipient=LOCAL)["code"] == 250


def test_a_hung_relaypassd_holds_a_question_for_two_seconds(
        server, daemon, customer):
    server.start()
    log_in(server.host, customer.v4)
    daemon.wait_leased(customer.v4)
    customer.smtp_open(**customer.ends("ipv4"), name="hung")
    try:
        customer.smtp_mail(name="hung", sender=LOCAL)
        daemon.freeze()
        start = time.monotonic()
        assert put_off(customer.smtp_rcpt(name="hung", recipient=FOREIGN))
        assert 1.9 < time.monotonic() - start < 4
        daemon.thaw()
        lab.wait_for(lambda: daemon.check(customer.v4).startswith("allow"),
                     "relaypassd goes on")
        assert customer.smtp_rcpt(name="hung", recipient=FOREIGN)["code"] == 250
    finally:
        daemon.thaw()
        customer.hang_up(name="hung")


def test_a_full_backlog_holds_a_question_for_two_seconds(server, customer):
    server.start()
    customer.smtp_open(**customer.ends("ipv4"), name="full")
    try:
        customer.smtp_mail(name="full", sender=LOCAL)
        with qpsmtpd.full_backlog(server.host):
            start = time.monotonic()
            assert put_off(customer.smtp_rcpt(name="full", recipient=FOREIGN))
            assert 1.9 < time.monotonic() - start < 4
    finally:
        customer.hang_up(name="full")


ANSWERS = {
    "nothing": [b""], "no-end": [b"allow ttl=5"], "no-ttl": [b"allow\n"],
    "ttl-0": [b"allow ttl=0\n"], "negative": [b"allow ttl=-5\n"],
    "huge": [b"allow ttl=99999999999\n"], "capital": [b"ALLOW ttl=5\n"],
    "blank": [b" allow ttl=5\n"], "glued": [b"allow ttl=5user=a\n"],
    "nul": [b"allow ttl=5\0\n"], "error": [b"error what\n"],
    "tempfail": [b"tempfail ledger\n"], "empty": [b"\nallow ttl=5\n"],
    "none-and-more": [b"none more\n"], "long": [b"a" * 5000 + b"\n"],
}


def test_only_a_whole_allow_is_one(server, customer):
    server.start()
    for name, answer in ANSWERS.items():
        with qpsmtpd.answering(server.host, *answer):
            assert put_off(send(customer)), name
    with qpsmtpd.answering(server.host, b"none\nallow ttl=5\n"):
        assert refused(send(customer))
    for answer in ([b"allow ttl=5\n"], [b"all", b"ow ttl=1 user=jo\n", b"no"]):
        with qpsmtpd.answering(server.host, *answer):
            assert send(customer)["code"] == 250


def test_a_postmaster_is_told_once(server, customer):
    server.start(db_base="notify_email = postmaster@example.org\n"
                 "notify_from = q@example.org\n")
    assert put_off(send(customer))
    lab.wait_for(server.notified, "the mail")
    text = server.notified()
    assert text.startswith("-i -f q@example.org postmaster@example.org\n")
    assert 'From: "QPSMTPD Mail System" <q@example.org>\n' in text
    assert f"{ASK}: " in text
    server.host.path(qpsmtpd.NOTIFIED).unlink()
    assert put_off(send(customer))
    server.stop()
    assert not server.notified()


# --- the lists ---------------------------------------------------------------

@pytest.mark.parametrize("family,lines", [
    ("ipv4", "203.0.113.7"), ("ipv4", "203.0.113."), ("ipv4", "203."),
    ("ipv4", "203.0.113.7/32"), ("ipv4", "203.0.113.0/29"),
    ("ipv6", "2001:db8::7"), ("ipv6", "2001:DB8:0:0:0::7"),
    ("ipv6", "2001:db8:"), ("ipv6", "2001:db8::/32"),
])
def test_relayclients_relay_without_a_question(server, customer, family, lines):
    server.start(alone=True, relayclients=f"192.0.2.1\n{lines}\n")
    assert send(customer, family)["code"] == 250
    assert put_off(send(customer, "ipv4" if family == "ipv6" else "ipv6"))


def test_what_is_no_network_lists_nobody(server, customer):
    server.start(plugin=NORELAY, alone=True, relayclients="203.0.113\n20\n203.0.113.8/29x\n"
                 "203.0.113.7/33\n203.0.113.0/0x1d\n203.0.113.7.\n300.\n"
                 "2001:db8::/129\n2001:db8\nmx.example.org\n/0\n")
    assert refused(send(customer))
    assert refused(send(customer, "ipv6"))
    assert "relayclients: '203.0.113' is no address" in server.log()


def test_norelayclients_never_relay(server, daemon, customer):
    server.start(alone=True, norelayclients="203.0.113.7\n")
    log_in(server.host, customer.v4)
    daemon.wait_leased(customer.v4)
    assert refused(send(customer))


@pytest.mark.parametrize("value", ["", "x"])
def test_relayclient_in_the_environment(server, customer, value):
    server.start(alone=True, env={"RELAYCLIENT": value})
    assert send(customer)["code"] == 250


# --- the table ---------------------------------------------------------------

@FAMILIES
def test_relays_after_a_row_and_until_it_is_old(
        asks_table, table, customer, stranger, family):
    assert refused(send(customer, family))
    seen_row(table, address(customer, family))
    assert send(customer, family)["code"] == 250
    assert refused(send(stranger, family))
    seen_row(table, address(customer, family), "datetime('now', '-1795 seconds')")
    assert send(customer, family)["code"] == 250
    seen_row(table, address(customer, family), "datetime('now', '-1801 seconds')")
    assert refused(send(customer, family))


def test_rows_that_are_no_login(asks_table, table, customer):
    for when in ("datetime('now', '+60 seconds')", "'soon'", "''", "0",
                 "strftime('%s', 'now') + 60", "1e300"):
        seen_row(table, customer.v4, when)
        assert refused(send(customer)), when
    seen_row(table, customer.v4, "CAST(strftime('%s', 'now') AS INTEGER)")
    assert send(customer)["code"] == 250


def test_names_and_time_as_configured(server, table, customer):
    table.execute("CREATE TABLE seen (addr text, at datetime)")
    server.start(db_base=example("qpsmtpd-db_base"),
                 db_relay="relay_table=seen\nrelay_ip=addr\nrelay_time=at\n"
                 "relay_pending=  2 *30*1 * 1 \n")
    # Not unique: the latest counts.
    for age in (90, 50, 70):
        table.execute("INSERT INTO seen VALUES (?, datetime('now', ?))",
                      (customer.v4, f"-{age} seconds"))
    assert send(customer)["code"] == 250
    table.execute("UPDATE seen SET at = datetime('now', '-61 seconds')")
    assert refused(send(customer))


def test_a_table_that_breaks(asks_table, table, customer):
    seen_row(table, customer.v4)
    table.execute("DROP TABLE popbsmtp")
    assert put_off(send(customer))
    assert send(customer, recipient=LOCAL)["code"] == 250
    lab.wait_for(asks_table.notified, "the mail")
    assert "no such table" in asks_table.notified()
    asks_table.database.unlink()
    assert put_off(send(customer))
    assert not asks_table.database.exists()


def test_a_locked_table(asks_table, table, customer):
    seen_row(table, customer.v4)
    customer.smtp_open(**customer.ends("ipv4"), name="locked")
    try:
        customer.smtp_mail(name="locked", sender=LOCAL)
        table.execute("BEGIN EXCLUSIVE")
        start = time.monotonic()
        assert put_off(customer.smtp_rcpt(name="locked", recipient=FOREIGN))
        assert time.monotonic() - start < 4
        table.execute("COMMIT")
        assert customer.smtp_rcpt(name="locked", recipient=FOREIGN)["code"] \
            == 250
    finally:
        customer.hang_up(name="locked")


# --- what keeps it from starting ---------------------------------------------

BASE = f"driver=SQLite\ndatabase={DATABASE}\n"
BAD = [
    ({"db_relay": f"relay_pending = {value}\n"}, "relay_pending")
    for value in ("0", "60 * 0", "60 * -30", "60 * 30m", "* 60", "60 *", "1.5",
                  "60 + 30", "1*1*1*1*1", "99999 * 99999", "2; system('x')")
] + [
    ({"db_relay": "relay_table = t; DROP TABLE t\n"}, "is no name"),
    ({"db_relay": "relay_ip = ip = ip\n"}, "is no name"),
    ({"db_relay": "relay_pendin = 60\n"}, "unknown option relay_pendin"),
    ({"db_relay": "relay_ip = a\nrelay_ip = b\n"}, "given twice"),
    ({"db_relay": "relay_ip\n"}, "expected NAME = VALUE"),
    ({"db_relay": ("relay_ip = ip\n", 0o000)}, "cannot be read"),
    ({"db_base": "driver = Oracle\ndatabase = x\n"}, "db_base: driver"),
    ({"db_base": "driver = SQLite\n"}, "driver without database"),
    ({"db_base": "database = x\n"}, "database without driver"),
    ({"db_base": "driver = SQLite\ndatabase = /nowhere/x\n"},
     "unable to open database"),
    ({"db_base": BASE, "db_relay": "relay_table = other\n"}, "no such table"),
    ({"db_base": BASE, "db_relay": "relay_time = other\n"}, "no such column"),
    ({"db_base": BASE + "passwd = s3cr3t\n"}, "others may read it"),
    ({"db_base": "notify_email = me\n"}, "notify_email"),
    ({"db_base": "notify_email = -oQ/tmp@example.org\n"}, "notify_email"),
    ({"db_base": "notify_from_name = a\"b\n"}, "notify_from_name"),
    ({"plugin": "relaypass socket run/ask\n"}, "expected a path"),
    ({"plugin": "relaypass on_error ok\n"}, "on_error"),
    ({"plugin": "relaypass socket\n"}, "NAME VALUE"),
    ({"plugin": "relaypass sock /run/relaypass/ask\n"}, "unknown argument"),
]


def test_mistakes_keep_qpsmtpd_from_starting(server, table):
    for config, text in BAD:
        said = server.refused_start(**config)
        assert text in said, f"{config}: {said}"
        assert "s3cr3t" not in said
    server.start(db_base=BASE, db_relay="relay_pending = 60 * 60 * 24 * 1\n")
