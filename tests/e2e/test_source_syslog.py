# SPDX-License-Identifier: ISC
"""The source `syslog` with the real rsyslog and syslog-ng, in every way they
can send, from a login at the real Dovecot to its lease; and who may not send.
The examples are used as they are, but for their addresses."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
from datetime import datetime, timezone

import pytest

import dovecot_conf
import lab
import servers_real as real
import site1
from site1 import make_place  # noqa: F401 (a fixture)

NOBODY = 65534
USER = "alice"
PORT = 10514
NO_HOST = "<22>Nov 20 18:05:01 dovecot: "  # as syslog(3) writes it
DOVECOT = f"""
protocols = imap pop3
listen = *, ::
log_path = syslog
syslog_facility = mail
ssl = no
disable_plaintext_auth = no
mail_location = maildir:/var/vmail/%u
passdb {{
  driver = static
  args = password={real.PASSWORD}
}}
userdb {{
  driver = static
  args = uid=vmail gid=vmail home=/var/vmail
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
"""
RSYSLOG = """
module(load="imuxsock")
*.* /var/log/all.log
{more}
"""
SYSLOG_NG = """
@version: 3.38
source s_src {{ unix-dgram("/dev/log"); }};
destination d_all {{ file("/var/log/all.log"); }};
log {{ source(s_src); destination(d_all); }};
{more}
"""
OMFWD = """
mail.* action(type="omfwd" target="127.0.0.1" port="10514" protocol="{protocol}"
              TCP_Framing="{framing}" template="{template}")
"""
NETWORK_NG = """
filter f_mail {{ facility(mail); }};
destination d_test {{ {destination}; }};
log {{ source(s_src); filter(f_mail); destination(d_test); }};
"""


def example(name):
    text = (lab.EXAMPLES / name).read_text(encoding="utf-8")
    for place in ("192.0.2.10", "192.0.2.20"):
        text = text.replace(place, "127.0.0.1")
    return text


def omfwd(protocol, framing, template):
    return RSYSLOG.format(more=OMFWD.format(
        protocol=protocol, framing=framing, template=template))


def network_ng(destination):
    return SYSLOG_NG.format(more=NETWORK_NG.format(destination=destination))


LOCAL = example("relaypass-syslog.conf")
TCP = example("relaypass-syslog-network.conf")
UDP = TCP.replace("tcp:", "udp:")
ANY = TCP.replace('kind = "syslog"', 'kind = "syslog" framing = "any"')
DIRECT = LOCAL.replace("/run/relaypass/syslog", "/dev/log")
# name: (who sends, its configuration, relaypass')
WAYS = {
    "direct": (None, "", DIRECT),  # Dovecot's own syslog(3)
    "rsyslog-unix": ("rsyslog", RSYSLOG.format(
        more=example("rsyslog-relaypass.conf")), LOCAL),
    "rsyslog-tcp": ("rsyslog", RSYSLOG.format(
        more=example("rsyslog-relaypass-network.conf")), TCP),
    "rsyslog-tcp-counted-3164": ("rsyslog", omfwd(
        "tcp", "octet-counted", "RSYSLOG_TraditionalForwardFormat"), TCP),
    "rsyslog-tcp-lf-3164": ("rsyslog", omfwd(
        "tcp", "traditional", "RSYSLOG_ForwardFormat"), ANY),
    "rsyslog-tcp-lf-5424": ("rsyslog", omfwd(
        "tcp", "traditional", "RSYSLOG_SyslogProtocol23Format"), ANY),
    "rsyslog-udp": ("rsyslog", omfwd(
        "udp", "traditional", "RSYSLOG_TraditionalForwardFormat"), UDP),
    "syslog-ng-unix": ("syslog-ng", SYSLOG_NG.format(
        more=example("syslog-ng-relaypass.conf")), LOCAL),
    "syslog-ng-tcp": ("syslog-ng", SYSLOG_NG.format(
        more=example("syslog-ng-relaypass-network.conf")), TCP),
    "syslog-ng-tcp-lf": ("syslog-ng", network_ng(
        'network("127.0.0.1" port(10514) transport("tcp"))'), ANY),
    "syslog-ng-udp": ("syslog-ng", network_ng(
        'network("127.0.0.1" port(10514) transport("udp"))'), UDP),
}
# Here whoever wrote a LF has written the next message too.
FORGEABLE = ["syslog-ng-tcp-lf"]


def stamp():
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


def line(address, head="<22>{stamp} mx1 dovecot: "):
    return (head.format(stamp=stamp()) +
            f"imap-login: Login: user=<anna>, method=PLAIN, rip={address}, "
            "lip=198.51.100.1, mpid=0, TLS, "
            f"session=<s{address}>").encode()


# --- real senders -----------------------------------------------------------


@pytest.fixture(name="site", scope="module")
def make_site(host, customer, stranger):
    """A host with Dovecot, and two who have an account there."""
    del customer, stranger
    host.install_users()
    real.add_system_user(host, "vmail")
    host.run("install", "-d", "-o", "vmail", "/var/vmail")
    dovecot_conf.write(host, DOVECOT)
    host.daemon("dovecot")
    lab.wait_for(lambda: host.listens(143), "Dovecot listens")
    return host


@pytest.fixture(name="syslog_ng", scope="module")
def install_syslog_ng(site):
    """Once: what is laid over /usr cannot be laid over again."""
    real.install(site, "syslog-ng")


@pytest.fixture(name="syslogd")
def make_syslogd(site, request):
    running = []

    def start(name, text):
        if name == "syslog-ng":
            request.getfixturevalue("syslog_ng")
            argv = ["syslog-ng", "-F", "--no-caps", "-f", "/etc/test.conf",
                    "-p", "/run/syslogd.pid", "-R", "/run/syslog-ng.persist",
                    "-c", "/run/syslog-ng.ctl"]
        else:
            argv = ["rsyslogd", "-n", "-f", "/etc/test.conf",
                    "-i", "/run/syslogd.pid"]
        site.write("/etc/test.conf", text)
        process = site.start(argv, site.directory / "syslogd.log")
        running.append(process)
        lab.wait_for(lambda: site.path("/dev/log").exists() or
                     not process.running(), "syslogd's socket")
        assert process.running(), process.output()
        return process

    yield start
    for process in running:
        process.signal(signal.SIGTERM)
        process.wait()


@pytest.mark.namespaces
@pytest.mark.needs("dovecot")
@pytest.mark.needs("rsyslog")
@pytest.mark.parametrize("way", WAYS)
def test_a_login_comes_through(way, site, customer, stranger, relaypassd,
                               syslogd):
    name, text, conf = WAYS[way]
    site.run("rm", "-f", "/dev/log", "/var/log/all.log")
    daemon = relaypassd(site, conf)
    if name:
        syslogd(name, text)
    ends = customer.ends("ipv4")
    # A connection may still be on its way up: the login is repeated, as a
    # client's would be.
    assert stranger.imap(**stranger.ends("ipv4"), user=USER,
                         password="wrong")["ok"] is False
    if way not in FORGEABLE:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.connect(str(site.path("/dev/log")))
            sock.send(b"<22>Nov 20 18:05:01 other: x\n" + line(real.THIEF))

    def leased():
        assert customer.imap(**ends, user=USER, password=real.PASSWORD)["ok"]
        return daemon.check(customer.v4).startswith("allow ")
    lab.wait_for(leased, f"a lease by {way}")
    ends = customer.ends("ipv6")
    assert customer.pop3(**ends, user=USER, password=real.PASSWORD)["ok"]
    daemon.wait_leased(customer.v6)
    assert daemon.check(stranger.v4) == "none"
    if name:
        log = site.path("/var/log/all.log").read_text(encoding="utf-8")
        assert "auth failed" in log and stranger.v4 in log
    assert daemon.check(real.THIEF) == "none"
    assert not re.search("source.input.* reason=(?!control-byte)",
                         daemon.log.read_text(encoding="utf-8"))


def log_much(site, count=30000):
    """To /dev/log; nobody there waits longer than a second."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.settimeout(1)
        sock.connect(str(site.path("/dev/log")))
        for i in range(count):
            sock.send(b"<22>Nov 20 18:05:01 other: number %d" % i)
    lab.wait_for(lambda: f"number {count - 1}\n" in site.path(
        "/var/log/all.log").read_text(encoding="utf-8"), "all is logged")


@pytest.mark.namespaces
@pytest.mark.needs("dovecot")
@pytest.mark.needs("rsyslog")
@pytest.mark.parametrize("way", ["rsyslog-unix", "rsyslog-tcp",
                                 "syslog-ng-unix", "syslog-ng-tcp"])
def test_a_frozen_relaypassd_holds_up_no_log(way, site, customer, relaypassd,
                                             syslogd):
    """As the examples are."""
    name, text, conf = WAYS[way]
    site.run("rm", "-f", "/dev/log", "/var/log/all.log")
    daemon = relaypassd(site, conf)
    syslogd(name, text)
    daemon.freeze()
    try:
        log_much(site)
    finally:
        with contextlib.suppress(ProcessLookupError):  # it ended a child
            daemon.thaw()

    def leased():
        assert customer.imap(**customer.ends("ipv4"), user=USER,
                             password=real.PASSWORD)["ok"]
        return daemon.check(customer.v4).startswith("allow ")
    lab.wait_for(leased, "logins count again")


@pytest.mark.namespaces
@pytest.mark.needs("rsyslog")
def test_lines_wait_in_rsyslog_for_a_restart(site, relaypassd, syslogd):
    """Over TCP: omuxsock forgets what it could not send."""
    name, text, conf = WAYS["rsyslog-tcp"]
    site.run("rm", "-f", "/dev/log", "/var/log/all.log")
    daemon = relaypassd(site, conf)
    syslogd(name, text)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.connect(str(site.path("/dev/log")))

        def leased():
            sock.send(line("192.0.2.10", NO_HOST))
            return daemon.check("192.0.2.10").startswith("allow ")
        lab.wait_for(leased, "a lease")
        daemon.stop()
        # The first may be lost: TCP takes it before it knows better.
        for i in range(11, 20):
            sock.send(line(f"192.0.2.{i}", NO_HOST))
        daemon.start()
        daemon.wait_leased("192.0.2.19")


@pytest.mark.namespaces
@pytest.mark.needs("dovecot")
def test_messages_that_lf_ends_are_not_taken_untold(
        site, customer, relaypassd, syslogd):
    name, text, _ = WAYS["syslog-ng-tcp-lf"]
    daemon = relaypassd(site, TCP)
    syslogd(name, text)

    def refused():
        assert customer.imap(**customer.ends("ipv4"), user=USER,
                             password=real.PASSWORD)["ok"]
        return "reason=not-counted" in daemon.log.read_text(encoding="utf-8")
    lab.wait_for(refused, "the connection is refused")
    assert daemon.check(customer.v4) == "none"


# --- peers over the network ---------------------------------------------------

PEER = """
import socket, sys
to = (sys.argv[1], int(sys.argv[2]))
data = sys.stdin.buffer.read()
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
    udp.sendto(data, to)
try:
    with socket.create_connection(to, 5) as tcp:
        tcp.sendall(b"%d %s" % (len(data), data))
        tcp.shutdown(socket.SHUT_WR)
        print(len(tcp.recv(10)))
except OSError as err:
    print(err)
"""


def speak(client, text):
    """Once over UDP, and once over TCP until the other end closes."""
    subprocess.run(
        ["nsenter", "-t", str(client.popen.pid), "-n", "--", lab.PYTHON, "-c",
         PEER, client.host.V4, str(PORT)], input=text, check=True,
        stdout=subprocess.DEVNULL, timeout=lab.LIMIT)


@pytest.mark.namespaces
def test_a_peer_that_is_not_listed_gives_nothing(host, customer, stranger,
                                                 relaypassd):
    host.install_users()
    conf = TCP.replace(
        '"tcp:127.0.0.1:10514"',
        f'{{"tcp:{host.V4}:{PORT}", "udp:{host.V4}:{PORT}"}}').replace(
        '"127.0.0.1", "192.0.2.21"', f'"{customer.v4}"')
    daemon = relaypassd(host, conf)
    speak(stranger, line("203.0.113.66"))
    speak(customer, line("192.0.2.30"))
    daemon.wait_leased("192.0.2.30")
    assert daemon.check("203.0.113.66") == "none"
    text = daemon.log.read_text(encoding="utf-8")
    assert f"reason=not-allowed count=1 peer={stranger.v4}" in text
    assert f"peer={customer.v4}" not in text


# --- users of this host -------------------------------------------------------

CONF = """
source syslog {{ kind = "syslog" group = "{group}" mode = "0666"
                 listen = "unixgram:{dir}/syslog" {more} }}
"""
SENDER = """
import json, socket, sys
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
    for line in json.loads(sys.stdin.read()):
        s.sendto(line.encode(), sys.argv[1])
"""


class Site(site1.Site):
    """With a syslog source that anybody can reach."""

    def begin(self, more):
        self.write(self.text(more=CONF.format(
            dir=self.where, group=site1.GROUP, more=more)))
        return self.start()

    def guard(self, uid):
        """Dovecot's lines are this user's only."""
        shown = lab.Here().run(lab.program("relaypass"), "patterns", "show",
                               "dovecot").stdout
        (self.where / "patterns").mkdir()
        (self.where / "patterns/dovecot.pattern").write_text(
            shown.replace("\nabout ", f"\nuid {uid}\nabout ", 1),
            encoding="utf-8")
        test_daemon_text = self.text
        self.text = lambda **settings: test_daemon_text(**settings).replace(
            'pattern-directory = ""',
            f'pattern-directory = "{self.where}/patterns"')

    def send(self, text):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.settimeout(1)
            sock.sendto(text, str(self.where / "syslog"))

    def send_as(self, uid, *lines, to="syslog"):
        subprocess.run(
            [os.path.realpath("/usr/bin/python3"), "-c", SENDER,
             self.where / to],
            input=json.dumps([one.decode() for one in lines]), check=True,
            encoding="utf-8", user=uid, group=uid, extra_groups=[], cwd="/")


@pytest.fixture(name="mine")
def make_mine(place):
    site = Site(place)
    yield site
    site.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root (two users)")
def test_lines_of_other_users_give_nothing(mine):
    mine.begin("")  # root's
    mine.send_as(NOBODY, line("203.0.113.66"),
                 line("203.0.113.67", "<22>{stamp} dovecot: "))
    mine.send_as(0, line("192.0.2.10"))
    mine.wait_leased("192.0.2.10")
    assert mine.check("203.0.113.66") == "none"
    assert mine.check("203.0.113.67") == "none"
    mine.wait_error(f"reason=not-allowed count=1 peer=uid:{NOBODY}/")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root (two users)")
def test_a_user_s_lines_count_for_his_servers_only(mine):
    mine.guard(0)
    mine.begin(f'allow-uid = {{"root", "{NOBODY}"}}')
    mine.send_as(NOBODY, line("203.0.113.66"),
                 line("203.0.113.67") + b" @[_PID=1 _UID=0 _GID=0]")
    mine.send_as(0, line("192.0.2.10"))
    mine.wait_leased("192.0.2.10")
    assert mine.check("203.0.113.66") == "none"
    assert mine.check("203.0.113.67") == "none"


ANNOTATE = """
global(workDirectory="{dir}")
module(load="imuxsock" SysSock.Use="off")
module(load="omuxsock")
input(type="imuxsock" Socket="{dir}/log" Annotate="on" RateLimit.Interval="0")
$OMUxSockSocket {dir}/syslog
*.* :omuxsock:;RSYSLOG_ForwardFormat
"""


@pytest.mark.needs("rsyslog")
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root (two users)")
def test_rsyslog_says_whose_lines_it_sends(mine):
    """Each of them comes from rsyslog's own process."""
    mine.guard(0)
    mine.begin('annotated = yes allow-uid = "root"')
    config = mine.where / "rsyslog.conf"
    config.write_text(ANNOTATE.format(dir=mine.where), encoding="utf-8")
    rsyslog = lab.Here().start(
        ["rsyslogd", "-n", "-f", config, "-i", mine.where / "rsyslog.pid"],
        mine.where / "rsyslogd.log")
    try:
        lab.wait_for((mine.where / "log").exists, "rsyslog's socket")
        mine.send_as(NOBODY, line("203.0.113.66", NO_HOST),
                     line("203.0.113.67", NO_HOST) +
                     b" @[_PID=1 _UID=0 _GID=0]", to="log")
        mine.send(line("203.0.113.68"))  # past rsyslog
        mine.send_as(0, line("192.0.2.10", NO_HOST), to="log")
        mine.wait_leased("192.0.2.10")
    finally:
        rsyslog.kill_all()
    for last in (66, 67, 68):
        assert mine.check(f"203.0.113.{last}") == "none"


ODD = [
    line("203.0.113.66")[4:],                       # no <PRI>
    b"<22>dovecot: " + line("203.0.113.66", ""),    # no stamp
    line("203.0.113.66", "<22>{stamp} mx1 x: y\n<22>{stamp} mx1 dovecot: "),
    line("203.0.113.66", "<22>{stamp} mx1 x: y\0<22>{stamp} mx1 dovecot: "),
    line("203.0.113.66", "<22>{stamp} mx1 other: dovecot: "),
    line("203.0.113.66", "<22>{stamp} other dovecot dovecot: "),
    line("203.0.113.66") + b"\n" + line("203.0.113.66"),
    line("203.0.113.66") + b" " * 8192,
    line("203.0.113.66", "<22>1 {stamp} mx1 other - - - dovecot: "),
    line("203.0.113.66", "<22>1 {stamp} mx1 - dovecot - - "),
    line("203.0.113.66").replace(b"PLAIN", b"PL\tAIN"),
    line("203.0.113.66").replace(b"PLAIN", b"PL\x07AIN"),
    b"", b"<", b"\0", b"\n", os.urandom(3000),
]


def test_odd_datagrams_give_nothing(mine):
    mine.begin(f'allow-uid = "{os.geteuid()}"')
    for text in ODD:
        mine.send(text)
    mine.send(line("192.0.2.10", "<22>{stamp} dovecot: ") + b"\n")
    mine.wait_leased("192.0.2.10")
    assert mine.check("203.0.113.66") == "none"


def test_lines_that_come_while_the_receiver_is_replaced_are_read(mine):
    mine.begin(f'allow-uid = "{os.geteuid()}"')
    # Another process holds the socket, too.
    pid = lab.wait_for(lambda: mine.children().get("receiver syslog"),
                       "the receiver")
    os.kill(pid, signal.SIGKILL)
    for i in range(1, 9):
        mine.send(line(f"203.0.113.{i}"))
    for i in range(1, 9):
        mine.wait_leased(f"203.0.113.{i}")
    assert mine.children()["receiver syslog"] != pid


def test_a_stuck_keeper_holds_up_nobody(mine):
    text = mine.text  # nobody is to start another keeper meanwhile
    mine.text = lambda **settings: text(**settings).replace(
        'child-timeout = "1s"', 'child-timeout = "60s"')
    mine.begin(f'allow-uid = "{os.geteuid()}"')
    keeper = mine.children()["keeper -"]
    os.kill(keeper, signal.SIGSTOP)
    try:
        for i in range(20000):
            mine.send(line(f"203.0.113.{i % 250 + 1}"))  # 1 s at most each
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(keeper, signal.SIGCONT)
    mine.wait_error("the keeper takes no logins")  # dropped, and said

    def again():
        mine.send(line("192.0.2.10"))
        return mine.check("192.0.2.10").startswith("allow ")
    lab.wait_for(again, "logins count again")


@pytest.mark.parametrize("place_text", ["udp:127.0.0.1:10514",
                                        "tcp:127.0.0.1:10514"])
def test_relaypassd_does_not_start_without_an_allow_list(mine, place_text):
    mine.write(mine.text(more=f'source syslog {{ kind = "syslog" '
                              f'listen = "{place_text}" }}'))
    mine.launch()
    assert mine.process.wait() == 100
    text = mine.process.output()
    assert f'listen: "{place_text}"' in text and '"allow"' in text


def test_relaypassd_does_not_start_without_a_place(mine):
    mine.write(mine.text(more='source syslog { kind = "syslog" }'))
    mine.launch()
    assert mine.process.wait() == 100
    assert "listen" in mine.process.output()
