# SPDX-License-Identifier: ISC
"""relaypass explain: why an address may relay or not, by which rule and until
when, and the log line behind it, in rotated and packed files too."""

import datetime
import gzip
import json
import os

import pytest

import lab
import talk

CUSTOMER, OTHER = "203.0.113.7", "203.0.113.8"
DIR = "/var/log/explained"
LOG = f"{DIR}/mail.log"
NOISE = "{when} mx postfix/smtpd[1]: connect from unknown[192.0.2.1]\n"
LINE = ("{when} mx dovecot: imap-login: Login: user=<{user}>, method=PLAIN, "
        "rip={ip}, lip=198.51.100.1, mpid=1, TLS, session=<{session}>\n")
CONF = """
lease { never = { "203.0.113.64/26" } always = { "198.51.100.0/24" }
        deny-users = { "mallory" } proxy = { "192.0.2.80" } }
source maillog { kind = "file" path = "/var/log/explained/*.log" }
source notify { kind = "notify" listen = {"unixgram:/run/relaypass/notify"} }
listener smtp { kind = "postfix-policy" listen = "unix:/run/relaypass/smtp"
    require-sender = "map /etc/relaypass/senders" }
listener ask { kind = "ask" listen = "unix:/run/relaypass/ask" }
"""

pytestmark = pytest.mark.namespaces


class Explained:
    """A relaypassd with a log, and questions about it."""

    def __init__(self, host, daemon):
        self.host, self.daemon = host, daemon

    def write(self, form, path=LOG, age=0, **fields):
        when = datetime.datetime.now(datetime.timezone.utc) \
            - datetime.timedelta(seconds=age)
        with open(self.host.path(path), "a", encoding="utf-8") as log:
            log.write(form.format(when=f"{when:%Y-%m-%dT%H:%M:%SZ}",
                                  **fields))

    def log_in(self, user, ip=CUSTOMER, **more):
        self.write(LINE, user=user, ip=ip, session="k3xY", **more)
        self.daemon.wait_log(f"user={user} ")

    def ask(self, *words):
        """Exit code and text."""
        done = self.host.run(lab.program("relaypass"), "explain", *words,
                             check=False)
        return done.returncode, done.stdout

    def json(self, *words):
        code, text = self.ask("--json", *words)
        assert text.count("\n") == 1, text
        return code, json.loads(text)


@pytest.fixture(name="explained")
def make_explained(host, relaypassd):
    host.install_users()
    host.run("mkdir", "-p", DIR)
    host.run("sh", "-c", f"rm -f {DIR}/*")
    host.write(LOG, "")
    host.write("/etc/relaypass/senders", "sales@test.example anna\n")
    return Explained(host, relaypassd(host, CONF))


def test_a_lease_with_its_line(explained):
    for _ in range(3):
        explained.write(NOISE)
    explained.log_in("anna@test.example", age=2)
    explained.write(NOISE)
    code, text = explained.ask(CUSTOMER)
    assert code == 0
    first, lease, place, line = text.splitlines()[:4]
    assert first.startswith(f"{CUSTOMER} may relay: it has a lease of "
                            "anna@test.example for 29m")
    assert "told by source maillog (server dovecot, TLS)" in lease
    assert place.strip() == f"{LOG}, line 4:"
    assert line.strip().endswith("session=<k3xY>")
    assert "imap-login: Login: user=<anna@test.example>" in line
    assert "Listener smtp looks at the sender too" in text

    code, one = explained.json(CUSTOMER)
    assert code == 0
    assert (one["verdict"], one["rule"]) == ("allow", "lease")
    lease = one["leases"][0]
    assert lease["answers"] and lease["live"] and lease["source"] == "maillog"
    assert lease["origin"]["found"] == "line"
    assert (lease["origin"]["file"], lease["origin"]["line"]) == (LOG, 4)
    text = explained.host.path(LOG).read_bytes()
    at = lease["origin"]["offset"]
    assert text[at:].decode().startswith(lease["origin"]["text"])


def test_the_newest_login_and_the_right_user(explained):
    explained.log_in("anna", age=600)
    explained.log_in("bob", age=300)
    explained.write(LINE, user="anna", ip=OTHER, session="other")
    explained.write(LINE, user="anna", ip=CUSTOMER, session="newest")
    explained.daemon.wait_log("lease.renew")
    leases = {lease["user"]: lease["origin"]
              for lease in explained.json(CUSTOMER)[1]["leases"]}
    assert leases["anna"]["line"] == 4
    assert "session=<newest>" in leases["anna"]["text"]
    assert leases["bob"]["line"] == 2


def test_the_line_in_rotated_and_packed_files(explained):
    explained.write(NOISE, age=60)
    explained.log_in("anna", age=30)
    log = explained.host.path(LOG)

    def origin():
        return explained.json(CUSTOMER)[1]["leases"][0]["origin"]

    os.rename(log, f"{log}.1")
    explained.host.write(LOG, "")
    explained.write(NOISE)
    assert (origin()["file"], origin()["line"]) == (f"{LOG}.1", 2)
    with open(f"{log}.1", "rb") as plain, gzip.open(f"{log}.1.gz", "wb") as to:
        to.write(plain.read())
    os.remove(f"{log}.1")
    found = origin()
    assert (found["file"], found["line"]) == (f"{LOG}.1.gz", 2)
    assert "Login: user=<anna>" in found["text"]
    os.remove(f"{log}.1.gz")
    assert origin()["found"] == "missing"
    assert "is not in the files" in explained.ask(CUSTOMER)[1]
    os.remove(log)
    assert origin()["found"] == "unreadable"


def test_who_may_ask_but_not_read_logs_hears_the_rest(explained):
    explained.log_in("anna")
    explained.host.run("chmod", "600", LOG)
    done = explained.host.run(
        "setpriv", "--reuid=nobody", "--regid=relaypass", "--clear-groups",
        lab.program("relaypass"), "explain", CUSTOMER)
    assert "it has a lease of anna for " in done.stdout
    assert "no file of that source can be read by you" in done.stdout
    assert "source.error" not in done.stdout


def test_who_may_not_ask_hears_no_answer(explained):
    done = explained.host.run(
        "setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups",
        lab.program("relaypass"), "explain", CUSTOMER, check=False)
    assert done.returncode == 111 and "become root" in done.stdout


def test_a_large_log_is_searched_by_time(explained):
    """Most of it is never matched: a second is plenty."""
    now = datetime.datetime.now(datetime.timezone.utc)
    with open(explained.host.path(f"{DIR}/large.log"), "w",
              encoding="utf-8") as log:
        for age in range(20000, 0, -1):
            when = now - datetime.timedelta(seconds=age)
            log.write(NOISE.format(when=f"{when:%Y-%m-%dT%H:%M:%SZ}") * 50)
    explained.log_in("anna", path=f"{DIR}/large.log")
    origin = explained.json(CUSTOMER)[1]["leases"][0]["origin"]
    assert origin["file"] == f"{DIR}/large.log"
    assert origin["line"] == 20000 * 50 + 1


def test_what_a_line_holds_is_no_order_to_a_terminal(explained):
    explained.write(LINE, user="j\u00f6", ip=OTHER, session="x")
    explained.daemon.wait_leased(OTHER)
    code, text = explained.ask(OTHER)
    assert code == 0
    assert text.isascii() and "\\xc3\\xb6" in text
    assert all(c.isprintable() or c == "\n" for c in text)


def test_every_rule_in_words(explained):
    for address, code, rule, says in [
            (CUSTOMER, 1, "no-lease", "may not relay: it has no lease."),
            ("198.51.100.9", 0, "always",
             "lease always names 198.51.100.0/24, so it needs no login"),
            ("203.0.113.66", 1, "never", "it is named in lease never."),
            ("192.0.2.80", 1, "proxy", "it is named in lease proxy."),
            ("127.0.0.1", 1, "special-address", "may not relay: such"),
            ("192.168.1.1", 1, "private-address", "lease private."),
    ]:
        got, text = explained.ask(address)
        assert (got, says in text) == (code, True), text
        got, one = explained.json(address)
        assert (got, one["rule"]) == (code, rule)
    assert "203.0.113.64/26 stands in lease never" in explained.ask(
        "203.0.113.66")[1]


def test_revocations_ends_and_modes(explained):
    relaypass = lab.program("relaypass")
    host = explained.host
    explained.log_in("anna")
    host.run(relaypass, "mode", "observe")
    code, text = explained.ask(CUSTOMER)
    assert code == 1 and "the mode is observe. It could else: it has" in text
    host.run(relaypass, "mode", "off")
    assert "the mode is off" in explained.ask(CUSTOMER)[1]
    host.run(relaypass, "mode", "enforce")
    host.run(relaypass, "revoke", "--for", "1h", CUSTOMER)
    code, text = explained.ask(CUSTOMER)
    assert code == 1
    assert "a revocation refuses new ones until " in text
    assert "Revoked at " in text and f"{CUSTOMER}/32; logins up to " in text
    code, one = explained.json(CUSTOMER)
    assert (code, one["rule"]) == (1, "revoked")
    assert one["revocations"][0]["network"] == f"{CUSTOMER}/32"

    explained.log_in("bob", ip=OTHER)
    explained.daemon.clock.advance(31 * 60 * 1000)
    code, one = explained.json(OTHER)
    assert (code, one["rule"]) == (1, "no-lease")
    # Swept or not, the answer is the same.
    assert [lease["why_not"] for lease in one["leases"]] in ([], ["over"])


def test_grants_and_notices(explained):
    host = explained.host
    host.run(lab.program("relaypass"), "grant", "--user", "carl", CUSTOMER)
    code, text = explained.ask(CUSTOMER)
    assert code == 0 and f"Lease of carl ({CUSTOMER}/32), granted by hand" in text
    talker = talk.Talker.on_host(host)
    talker.say(talker.open("unixgram", "/run/relaypass/notify"),
               f"login ip={OTHER} user=dora server=dovecot session=s-9\n".encode())
    talker.close()
    explained.daemon.wait_leased(OTHER)
    code, text = explained.ask(OTHER)
    assert code == 0 and "told by source notify (server dovecot)" in text
    assert "It was told once, over a source of kind notify" in text
    assert "1 open session;" in text
    assert "Open session s-9 of dora since " in text


def test_senders_and_listeners(explained):
    explained.log_in("anna")
    code, text = explained.ask(CUSTOMER, "listener=smtp")
    assert code == 1
    assert "no sender is named, and require-sender = map asks for one" in text
    code, text = explained.ask(CUSTOMER, "listener=smtp",
                               "sender=eve@test.example")
    assert code == 1 and "none that answers for the sender eve@test" in text
    assert "It does not count: it does not answer for that sender." in text
    assert explained.ask(CUSTOMER, "listener=smtp",
                         "sender=sales@test.example")[0] == 0
    assert explained.ask(CUSTOMER, "listener=ask",
                         "sender=eve@test.example")[0] == 0
    code, one = explained.json(CUSTOMER, "user=bob")
    assert (code, one["rule"]) == (1, "no-lease")
    assert one["leases"][0]["why_not"] == "user"


def test_mistakes_and_absence(explained):
    assert explained.ask()[0] == 100
    assert explained.ask("mx.test.example")[0] == 100
    assert explained.ask(CUSTOMER, "from=x")[0] == 100
    assert explained.ask(CUSTOMER, "sender=a", "sender=b")[0] == 100
    code, text = explained.ask(CUSTOMER, "listener=nosuch")
    assert code == 100 and "no listener of this name" in text
    explained.daemon.stop()
    assert explained.ask(CUSTOMER)[0] == 111
