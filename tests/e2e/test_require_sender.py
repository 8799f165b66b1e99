# SPDX-License-Identifier: ISC
"""require-sender, in every state of Postfix' policy protocol, in the other
listeners, and in a real Postfix, with and without smtpd_delay_reject; and the
way of an abuse desk from a mail's queue id to the login."""

import contextlib
import datetime
import re
import signal

import pytest

import lab
import servers
import talk

CUSTOMER, STRANGER = "203.0.113.7", "203.0.113.8"
LOG = "/var/log/dovecot.log"
MAP = "/etc/relaypass/senders"
SENDERS = """\
# Who may write as whom.
sales@test.example  alice bob
@shop.example       alice@test.example
"""
STATES = ["CONNECT", "EHLO", "HELO", "MAIL", "RCPT", "DATA", "END-OF-MESSAGE",
          "VRFY", "ETRN"]
ALLOWED = {"RCPT", "DATA", "END-OF-MESSAGE"}
CONF = """
source maillog {{ kind = "file" path = "{log}" }}
source drac {{ kind = "notify" listen = {{"unixgram:/run/relaypass/notify"}} }}
listener any {{ kind = "postfix-policy" listen = "unix:/run/relaypass/any" }}
listener user {{ kind = "postfix-policy" listen = "unix:/run/relaypass/user"
    require-sender = user default-domain = "test.example" }}
listener domain {{ kind = "postfix-policy"
    listen = "unix:/run/relaypass/domain"
    require-sender = "domain" default-domain = "test.example" }}
listener map {{ kind = "postfix-policy" listen = "unix:/run/relaypass/map"
    require-sender = "map {map}" default-domain = "test.example" }}
listener bare {{ kind = "postfix-policy" listen = "unix:/run/relaypass/bare"
    require-sender = user }}
listener asksender {{ kind = "ask" listen = "unix:/run/relaypass/asksender"
    require-sender = user default-domain = "test.example" }}
listener socketmap {{ kind = "socketmap"
    listen = "unix:/run/relaypass/socketmap" require-sender = domain }}
listener tcp {{ kind = "tcp-table" listen = "inet:127.0.0.1:10041"
    require-sender = "map {map}" }}
listener ask {{ kind = "ask" listen = "unix:/run/relaypass/ask" }}
"""

pytestmark = pytest.mark.namespaces


def log_in(host, address, user):
    when = datetime.datetime.now(datetime.timezone.utc)
    with open(host.path(LOG), "a", encoding="utf-8") as log:
        log.write(f"{when:%Y-%m-%dT%H:%M:%SZ} mx dovecot: imap-login: Login: "
                  f"user=<{user}>, method=PLAIN, rip={address}, "
                  "lip=198.51.100.1, mpid=1, TLS, session=<x>\n")


# --- the listeners -----------------------------------------------------------


@pytest.fixture(name="asked")
def make_asked(host, relaypassd):
    """A relaypassd with one listener of each kind, and who talks to it."""
    host.install_users()
    host.write(LOG, "")
    host.write(MAP, SENDERS)
    daemon = relaypassd(host, CONF.format(log=LOG, map=MAP))
    talker = talk.Talker.on_host(host)
    yield daemon, talker
    talker.close()


def policy(talker, name, state, sender, address=CUSTOMER, **more):
    fields = {"request": "smtpd_access_policy", "protocol_state": state,
              "client_address": address, **more}
    if sender is not None:
        fields["sender"] = sender
    text = "".join(f"{key}={value}\n" for key, value in fields.items()) + "\n"
    number = talker.open("unix", f"/run/relaypass/{name}")
    answer = talker.ask(number, text.encode()).decode()
    talker.close(number)
    return answer.removeprefix("action=").strip()


# listener, sender, whether alice@'s and bare bob's address may relay with it
SENDER_CASES = [
    ("any", None, True), ("any", "", True), ("any", "x@foreign.example", True),
    ("user", "alice@test.example", True), ("user", "ALICE@Test.Example", True),
    ("user", "bob@test.example", True), ("user", "carl@test.example", False),
    ("user", "alice@sub.test.example", False), ("user", "alice", False),
    ("user", "alice+list@test.example", False),
    ("user", "", False), ("user", None, False),
    ("user", "alice@test.example.foreign.example", False),
    ("domain", "carl@test.example", True), ("domain", "x@TEST.example", True),
    ("domain", "x@sub.test.example", False), ("domain", "", False),
    ("domain", "x@foreign.example", False), ("domain", None, False),
    ("map", "sales@test.example", True), ("map", "SALES@test.example", True),
    ("map", "any@shop.example", True), ("map", "any@sub.shop.example", False),
    ("map", "alice@test.example", False), ("map", "", False),
    ("map", None, False),
    # No domain completes a bare login name there.
    ("bare", "alice@test.example", True), ("bare", "bob@test.example", False),
    ("bare", "bob", True), ("bare", "", False),
]


def test_every_state_and_sender_of_the_policy_protocol(host, asked):
    daemon, talker = asked
    log_in(host, CUSTOMER, "alice@test.example")
    log_in(host, CUSTOMER, "bob")
    daemon.wait_leased(CUSTOMER)
    daemon.wait_log("user=bob")
    for name, sender, relays in SENDER_CASES:
        for state in STATES:
            want = "OK" if relays and state in ALLOWED else "DUNNO"
            assert policy(talker, name, state, sender) == want, (
                name, sender, state)
            # The stranger has no lease, whatever it writes.
            assert policy(talker, name, state, sender, STRANGER) == "DUNNO"
            # Who authenticated is Postfix' own business.
            assert policy(talker, name, state, sender,
                          sasl_username="alice") == "DUNNO"


def test_a_lease_without_a_user_answers_for_no_sender(host, asked):
    daemon, talker = asked
    host.run(lab.program("relaypass"), "grant", CUSTOMER)
    daemon.wait_leased(CUSTOMER)
    assert policy(talker, "any", "RCPT", "x@test.example") == "OK"
    for name in ("user", "domain", "map", "bare"):
        for sender in ("sales@test.example", "@test.example", "", None):
            assert policy(talker, name, "RCPT", sender) == "DUNNO"


def test_listeners_that_hear_no_sender_find_nothing(host, asked):
    daemon, talker = asked
    log_in(host, CUSTOMER, "alice@test.example")
    daemon.wait_leased(CUSTOMER)

    def ask(question):
        number = talker.open("unix", "/run/relaypass/asksender")
        answer = talker.ask(number, question.encode() + b"\n")
        talker.close(number)
        return answer.split(b" ")[0].strip()

    assert ask(f"check {CUSTOMER}") == b"none"
    assert ask(f"check {CUSTOMER} sender=") == b"none"
    assert ask(f"check {CUSTOMER} sender=alice@test.example") == b"allow"
    assert ask(f"check {CUSTOMER} sender=bob@test.example") == b"none"
    assert ask(f"check {CUSTOMER} sender=alice@test.example "
               "user=bob") == b"none"
    number = talker.open("unix", "/run/relaypass/socketmap")
    key = f"relaypass {CUSTOMER}"
    assert talker.ask(number, f"{len(key)}:{key},".encode()) == b"9:NOTFOUND ,"
    number = talker.open("tcp", "127.0.0.1", 10041)
    assert talker.ask(number, f"get {CUSTOMER}\n".encode()).startswith(b"500 ")


def test_the_map_is_read_again_and_a_bad_one_changes_nothing(host, asked):
    daemon, talker = asked
    log_in(host, CUSTOMER, "alice@test.example")
    daemon.wait_leased(CUSTOMER)
    assert policy(talker, "map", "RCPT", "new@test.example") == "DUNNO"
    host.write(MAP, "new@test.example alice\nhalf a line\nnew@test.example x\n")
    reload = [lab.program("relaypass"), "reload"]
    done = host.run(*reload, check=False)
    assert done.returncode == 100
    assert "line 3: this sender stands there twice" in done.stdout
    # Who does not ask before hears it in the log.
    daemon.process.signal(signal.SIGHUP)
    daemon.wait_log("line 3: this sender stands there twice")
    assert policy(talker, "map", "RCPT", "new@test.example") == "DUNNO"
    assert policy(talker, "map", "RCPT", "sales@test.example") == "OK"
    host.write(MAP, "new@test.example alice\n", 0o666)
    assert "others may write it" in host.run(*reload, check=False).stdout
    host.write(MAP, "new@test.example alice\n")
    host.run(*reload)
    daemon.wait(lambda: policy(talker, "map", "RCPT", "new@test.example")
                == "OK", "the new map counts")
    assert policy(talker, "map", "RCPT", "sales@test.example") == "DUNNO"
    # The other listeners go on as before.
    assert policy(talker, "user", "RCPT", "alice@test.example") == "OK"


@pytest.mark.parametrize("value, says", [
    ("maybe", "expected none, user, domain or"),
    ("map", "expected none, user, domain or"),
    ("map senders", "expected none, user, domain or"),
    ("map /no/such/file", "/no/such/file: No such file or directory"),
])
def test_a_start_with_a_bad_option_is_refused(host, value, says):
    host.install_users()
    host.write("/etc/relaypass/bad.conf", 'listener ask { kind = "ask" '
               f'require-sender = "{value}" }}\n')
    done = host.run(lab.program("relaypassd"), "-t", "-c",
                    "/etc/relaypass/bad.conf", check=False)
    assert done.returncode == 100
    assert says in done.stdout and "listener ask" in done.stdout


# --- Postfix -----------------------------------------------------------------

POSTFIX_CONF = """
source maillog {{ kind = "file" path = "{log}" }}
listener postfix {{ kind = "postfix-policy"
    listen = "unix:{queue}/relaypass/policy" group = "postfix"
    require-sender = user default-domain = "test.example" }}
listener ask {{ kind = "ask" listen = "unix:/run/relaypass/ask" }}
"""
POLICY = "check_policy_service { unix:relaypass/policy, default_action=DUNNO }"
# The same question wherever Postfix can ask it; OK only ends its own list.
EVERYWHERE = "".join(
    f"smtpd_{name}_restrictions = {POLICY}\n"
    for name in ("client", "helo", "sender", "etrn", "data", "end_of_data"))


class Mx:
    """A Postfix with one customer, one stranger and the world behind it."""

    def __init__(self, stack, path, delay_reject):
        self.host = host = lab.Host(path / "host")
        stack.callback(host.close)
        host.install_users()
        host.write(LOG, "")
        site = servers.Private(host)
        self.queue, self.dir = site.queue, site.config_dir
        self.customer = lab.Client(host, CUSTOMER)
        stack.callback(self.customer.close)
        self.stranger = lab.Client(host, STRANGER)
        stack.callback(self.stranger.close)
        (path / "sink").mkdir()
        self.sink = servers.Sink(host, path / "sink")
        stack.callback(self.sink.close)
        servers.apply_snippet(host, site.config_dir)
        with open(host.path(f"{site.config_dir}/main.cf"), "a",
                  encoding="utf-8") as file:
            file.write(f"smtpd_delay_reject = {delay_reject}\n" + EVERYWHERE)
        host.daemon("postfix", "-c", site.config_dir, "start")
        lab.wait_for(lambda: host.listens(25), "Postfix listens")

    def send(self, client, sender, subject="hello"):
        return client.smtp(**client.ends("ipv4"), sender=sender,
                           recipient=servers.FOREIGN,
                           message=f"Subject: {subject}\n\nhi\n")["code"]

    def postfix_log(self):
        return self.host.path("/var/log/postfix.log").read_text("utf-8")


@pytest.fixture(name="mx", scope="module", params=["no", "yes"])
def make_mx(request, tmp_path_factory):
    with contextlib.ExitStack() as stack:
        path = tmp_path_factory.mktemp("mx")
        (path / "host").mkdir()
        yield Mx(stack, path, request.param)


@pytest.mark.needs("postfix")
@pytest.mark.needs("tcpserver")
def test_postfix_with_and_without_delay_reject(mx, relaypassd):
    mx.host.write(LOG, "")
    daemon = relaypassd(mx.host, POSTFIX_CONF.format(log=LOG, queue=mx.queue))
    assert mx.send(mx.customer, servers.LOCAL) == 554
    log_in(mx.host, CUSTOMER, "alice")
    daemon.wait_leased(CUSTOMER)
    assert mx.send(mx.customer, servers.LOCAL) == 250
    assert mx.send(mx.customer, "ALICE@TEST.example") == 250
    for sender in ("bob@test.example", "alice@foreign.example",
                   "alice@sub.test.example", ""):
        assert mx.send(mx.customer, sender) == 554, sender
    assert mx.send(mx.stranger, servers.LOCAL) == 554
    daemon.clock.advance(30 * 60 * 1000 + 1000)
    assert mx.send(mx.customer, servers.LOCAL) == 554


@pytest.mark.needs("postfix")
@pytest.mark.needs("tcpserver")
def test_a_complaint_leads_to_the_login(mx, relaypassd):
    """As docs/abuse.md goes: the queue id of the mail's Received line, Postfix'
    log, relaypassd's, and the login itself."""
    mx.host.write(LOG, "")
    daemon = relaypassd(mx.host, POSTFIX_CONF.format(log=LOG, queue=mx.queue))
    log_in(mx.host, CUSTOMER, "alice")
    daemon.wait_leased(CUSTOMER)
    assert mx.send(mx.customer, servers.LOCAL, "spam") == 250
    mail = mx.sink.wait_for("spam")
    queue_id = re.search(r"by mx\.test\.example \(Postfix\) with \w+ id (\w+)",
                         mail)[1]
    # Asked at DATA too, the id itself stands in the line.
    allow = [line for line in daemon.process.output().splitlines()
             if "relay.allow" in line]
    assert [line for line in allow if f"mark={queue_id} " in line]
    # Asked at RCPT only, it is the instance, which begins with the process.
    pid = int(re.search(rf"smtpd\[(\d+)\]: {queue_id}: client=\S*"
                        rf"\[{CUSTOMER}\]", mx.postfix_log())[1])
    rcpt = [line for line in allow if f"mark={pid:x}." in line]
    assert rcpt
    for word in (f"ip={CUSTOMER}", "user=alice", "listener=postfix",
                 f"sender={servers.LOCAL}", "by=lease"):
        assert word in rcpt[0]
    done = mx.host.run(lab.program("relaypass"), "explain", CUSTOMER)
    assert f"{LOG}, line 1:" in done.stdout
    assert "Login: user=<alice>" in done.stdout
