# SPDX-License-Identifier: ISC
"""poprelayd, with the set-up that its documents give: the three maps, the rules
in the .mc file, /etc/mail/poprelay.conf, `poprelayd -d`; and the attack on the
old one (CVE-2001-1075), with a real Sendmail and rsyslogd."""

import contextlib
import re
import socket
import time

import pytest

import lab
from sendmail import BIN, FOREIGN, LOCAL, Site, session

pytestmark = [pytest.mark.namespaces, pytest.mark.needs("rsyslog")]

MAPS = ("HACK(`relaypass', `hash /etc/mail/popip', `', `', "
        "`hash /etc/mail/localip', `hash /etc/mail/relay')dnl")
CONF = "/etc/mail/poprelay.conf"
LOG = "/var/log/maillog"
# In the shape of the old one, with code of its own.
OLD = r"""#!/usr/bin/perl
# poprelay.conf - configuration of poprelayd
use DB_File;
$logfile = "/var/log/maillog";	# the log
$pidfile = '/var/run/poprelayd.pid';
$dbfile  = "/etc/mail/popip.db";
$dbtype  = $DB_HASH;
$timeout_minutes = 60 * 2;
$other = `touch /evil`;
system("touch /evil");

sub scanaddr {
	my ($line) = @_;
	$timeout_minutes = 9999;
	system("touch /evil");
	return $line =~ /POP login by user .* at \(.*\) ([\d.]+)/ ? $1 : ();
}
1;
"""
RSYSLOG = f"""module(load="imuxsock")
mail.* action(type="omfile" file="{LOG}" sync="off")
"""
POP_LOGIN = ('(v4.0.5) POP login by user "alice" at (customer.example.net) '
             "{address} [pop_log.c:244]")


@pytest.fixture(name="site", scope="module")
def make_site(host, customer, stranger):
    host.install_users()
    site = Site(host, MAPS)
    site.customer, site.stranger = customer, stranger
    host.write("/etc/rsyslog.conf", RSYSLOG)
    host.start(["rsyslogd", "-n", "-i", "/run/rsyslogd.pid"],
               host.directory / "rsyslogd.log")
    lab.wait_for(host.path("/dev/log").exists, "rsyslogd listens")
    for name in ("localip", "popip", "relay"):
        site.make_map(f"/etc/mail/{name}")
    site.start()
    return site


def pid_of(host):
    with contextlib.suppress(FileNotFoundError):
        return host.path("/run/relaypass/relaypassd.pid").read_text(
            encoding="ascii").strip()
    return ""


@pytest.fixture(name="poprelayd")
def make_poprelayd(site):
    """poprelayd(arguments) returns its code and what it said."""
    host = site.host
    host.run("rm", "-rf", "/var/lib/relaypass", "/run/relaypass", "/evil")
    host.write(CONF, OLD)
    host.write(LOG, "", 0o640)
    host.run("sh", "-c", "kill -HUP $(cat /run/rsyslogd.pid)")
    # The file that Sendmail has open, as it was.
    host.run("chown", "root", "/etc/mail/popip.db")
    site.make_map("/etc/mail/popip")

    def run(*argv):
        done = host.run("sh", "-c", '"$@" 2>&1', "sh",
                        lab.program("poprelayd"), *argv, check=False)
        return done.returncode, done.stdout

    yield run
    pid = pid_of(host)
    if pid and not host.run("kill", pid, check=False).returncode:
        lab.wait_for(lambda: host.run("kill", "-0", pid, check=False)
                     .returncode, "poprelayd's daemon ends")


def log(site, tag, text):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.connect(str(site.host.path("/dev/log")))
        sock.send(f"<22>{tag}: {text}".encode())


def check(site, address):
    return lab.ask(site.host.path("/run/relaypass/ask"), address)


def log_in(site, address):
    log(site, "popper[4242]", POP_LOGIN.format(address=address))
    lab.wait_for(lambda: check(site, address).startswith("allow "),
                 f"a lease for {address}")


def popip(site):
    listed = site.host.run(f"{BIN}/makemap", "-u", "hash",
                           "/etc/mail/popip").stdout
    return dict(line.split("\t") for line in listed.splitlines())


def test_poprelayd_serves_an_old_site(site, poprelayd):
    host = site.host
    code, text = poprelayd("-d")
    assert code == 0, text
    with session(site.customer, "ipv4") as rcpt:
        assert rcpt(FOREIGN)["code"] == 550
        log_in(site, site.customer.v4)
        lab.wait_for(lambda: site.customer.v4 in popip(site), "it is there")
        assert rcpt(FOREIGN)["code"] == 250
        with session(site.stranger, "ipv4") as other:
            assert other(FOREIGN)["code"] == 550
            assert other(LOCAL)["code"] == 250
        # Two hours, as the file says.
        ttl = int(re.search(r"ttl=(\d+)", check(site, site.customer.v4))[1])
        assert 7000 < ttl <= 7200
        code, text = poprelayd("-p")
        address, when = text.strip().split("\t")
        assert code == 0 and address == site.customer.v4
        assert popip(site) == {address: when}
        code, text = poprelayd("-r", site.customer.v4)
        assert (code, text) == (0, "")
        lab.wait_for(lambda: not popip(site), "it is gone")
        assert rcpt(FOREIGN)["code"] == 550
        # A new login begins it again.
        log_in(site, site.customer.v4)
        lab.wait_for(lambda: popip(site), "it is there again")
        assert rcpt(FOREIGN)["code"] == 250
    # The old scripts' way to stop it.
    assert host.path("/run/poprelayd.pid").read_text(
        encoding="ascii").strip() == pid_of(host)


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_an_address_can_be_added_by_hand(site, poprelayd, family):
    assert poprelayd("-d")[0] == 0
    address = site.customer.ends(family)["source"]
    with session(site.customer, family) as rcpt:
        assert rcpt(FOREIGN)["code"] == 550
        assert poprelayd("-a", address) == (0, "")
        lab.wait_for(lambda: popip(site), "it is there")
        assert rcpt(FOREIGN)["code"] == 250
    assert poprelayd("-p")[1].startswith(f"{address}\t")
    code, text = poprelayd("-a", "127.0.0.1")
    assert code == 1 and "no lease for 127.0.0.1" in text
    for wrong in ("customer.example.net", "203.0.113", "203.0.113.7/24", ""):
        code, text = poprelayd("-a", wrong)
        assert code == 1 and text, wrong


def test_code_is_told_with_its_line_and_never_run(site, poprelayd):
    code, text = poprelayd("-d")
    assert code == 0, text
    lines = OLD.splitlines()
    for what, why in (("$other =", "no plain string or number"),
                      ("system(", "no plain string or number"),
                      ("sub scanaddr", "is code and is not run")):
        number = 1 + next(i for i, line in enumerate(lines)
                          if line.startswith(what))
        assert re.search(rf"^poprelayd: {CONF}:{number}: .*{why}", text,
                         re.MULTILINE), text
    assert text.count(CONF) == 3
    assert not site.host.path("/evil").exists()
    # The mail log has it, too.
    lab.wait_for(lambda: "scanaddr is code" in site.host.path(LOG).read_text(
        encoding="utf-8"), "it is logged")


def test_leases_of_the_old_one_are_taken_over(site, poprelayd):
    """As poprelayd(8) says it."""
    host = site.host
    now = int(time.time())
    site.make_map("/etc/mail/popip", f"{site.customer.v4}\t{now - 60}\n"
                  f"{site.stranger.v4}\t{now - 9000}\n")
    host.run("cp", "-p", "/etc/mail/popip.db", "/root/old.db")
    assert poprelayd("-d")[0] == 0
    done = host.run(lab.program("relaypass"), "import", "popip",
                    "/root/old.db")
    lab.wait_for(lambda: list(popip(site)) == [site.customer.v4],
                 f"it is there again: {done.stdout}")
    with session(site.customer, "ipv4") as rcpt:
        assert rcpt(FOREIGN)["code"] == 250
    with session(site.stranger, "ipv4") as rcpt:
        assert rcpt(FOREIGN)["code"] == 550


def test_the_example_is_taken_whole(site, poprelayd):
    site.host.write(CONF, (lab.EXAMPLES / "poprelay.conf").read_text(
        encoding="utf-8"))
    code, text = poprelayd("-d")
    assert code == 0 and CONF not in text, text
    log_in(site, site.customer.v4)
    ttl = int(re.search(r"ttl=(\d+)", check(site, site.customer.v4))[1])
    assert 800 < ttl <= 900
    lab.wait_for(lambda: site.customer.v4 in popip(site), "it is there")


def test_values_of_the_old_file(site, poprelayd):
    host = site.host
    host.write(CONF, '$dbfile = "/var/lib/pop/other.db";\n$dbtype=$DB_BTREE;\n'
               "$pidfile = '/run/old.pid';")
    host.run("mkdir", "-p", "-m", "0755", "/var/lib/pop")
    code, text = poprelayd("-d")
    assert code == 0 and text == "", text
    log_in(site, site.customer.v4)
    ttl = int(re.search(r"ttl=(\d+)", check(site, site.customer.v4))[1])
    assert 800 < ttl <= 900
    lab.wait_for(lambda: site.customer.v4 in host.run(
        f"{BIN}/makemap", "-u", "btree", "/var/lib/pop/other").stdout,
        "it is there")
    assert host.path("/run/old.pid").exists()


@pytest.mark.parametrize("text, why", [
    ("$timeout_minutes = 0;", "timeout_minutes"),
    ("$timeout_minutes = 'ten';", "timeout_minutes"),
    ("$dbfile = '/etc/passwd';", "no Berkeley DB"),
    ("$dbfile = 'popip.db';", "begin with /"),
    ("$logfile = 'maillog';", "begin with /"),
    ("$logfile = '/var/log/a\nb';", "")])
def test_it_does_not_start_with_values_that_cannot_be(
        site, poprelayd, text, why):
    site.host.write(CONF, text)
    code, said = poprelayd("-d")
    assert code == 1 and why in said, said
    assert not pid_of(site.host)
    assert site.host.path("/etc/passwd").stat().st_uid == 0


def test_a_path_may_have_any_signs(site, poprelayd):
    path = "/var/log/a \" } export y { $HOME x"
    site.host.write(CONF, f"$logfile = '{path}';")
    site.host.write(path, "")
    code, text = poprelayd("-d")
    assert code == 0, text
    now = time.strftime("%b %e %H:%M:%S")
    with open(site.host.path(path), "a", encoding="ascii") as file:
        file.write(f"{now} mx popper[4242]: "
                   f"{POP_LOGIN.format(address=site.customer.v4)}\n")
    lab.wait_for(lambda: check(site, site.customer.v4).startswith("allow "),
                 "a lease")


def test_what_is_missing_is_told(site, poprelayd):
    site.host.run("rm", CONF)
    code, text = poprelayd("-d")
    assert code == 1 and f"{CONF} must be there, and may be empty" in text
    for argv in (["-p"], ["-a", "203.0.113.9"], ["-r", "203.0.113.9"]):
        code, text = poprelayd(*argv)
        assert code == 1 and "start poprelayd -d first" in text, text
    # It may be empty.
    site.host.write(CONF, "")
    code, text = poprelayd("-d")
    assert code == 0 and CONF not in text, text


def test_it_does_not_start_where_text_may_look_like_a_setting(site, poprelayd):
    site.host.write(CONF, "$x = 1;\nprint <<EOT;\n$timeout_minutes = 9999;\n"
                    "EOT\n$timeout_minutes = 5;\n")
    code, text = poprelayd("-d")
    assert code == 1 and f"poprelayd: {CONF}:2: not started: " in text, text
    assert not pid_of(site.host)


def test_poprelayd_helps(poprelayd):
    for word in ("-h", "--help"):
        code, text = poprelayd(word)
        assert code == 0 and text.startswith("usage: poprelayd ")


def test_poprelayd_is_started_by_root(site, poprelayd):
    del poprelayd
    done = site.host.run("setpriv", "--reuid=65534", "--clear-groups",
                         lab.program("poprelayd"), "-d", check=False)
    assert done.returncode == 1
    assert "start it as root" in done.stdout


@pytest.mark.parametrize("argv", [
    [], ["-D"], ["-x"], ["-a"], ["-d", "-p"], ["-p", "more"],
    ["-a", "203.0.113.9", "-r", "203.0.113.9"]])
def test_poprelayd_refuses_wrong_options(poprelayd, argv):
    code, text = poprelayd(*argv)
    assert code == 2 and "usage: poprelayd" in text


def test_debugging_stays_in_the_foreground(site, poprelayd):
    del poprelayd
    process = site.host.start([lab.program("poprelayd"), "-D", "-d"],
                              site.host.directory / "poprelayd-debug.log")
    try:
        lab.wait_for(lambda: "start version=" in process.output(), "it runs")
        log_in(site, site.customer.v4)
        lab.wait_for(lambda: f"lease.grant ip={site.customer.v4}" in
                     process.output(), "it is logged")
    finally:
        process.kill_all()
        lab.wait_for(lambda: not process.running(), "it ends")


# --- CVE-2001-1075 -----------------------------------------------------------

# What the attacker says in MAIL FROM. Sendmail logs much of it.
POISON = [
    '"POP login by user admin at ({name}) {thief}"@foreign.example',
    '"{login}"@foreign.example',
    "<{login}>", "{login}", '"popper[4242]: {login}"@foreign.example',
    '"x\\\npopper[4242]: {login}"@foreign.example',
    '"{time} mx popper[4242]: {login}"@foreign.example',
    "POP login by user \"admin\" at ({thief}) {thief}",
    "no-such user <{login}", "x@{login}",
]


def poisoned(site, text):
    """MAIL FROM with it, byte for byte, in a session of its own."""
    code = (
        "import socket, sys\n"
        f"s = socket.create_connection(({site.host.V4!r}, 25), 10)\n"
        "f = s.makefile('rb')\n"
        "f.readline()\n"
        f"for line in ('HELO x', {'MAIL FROM:' + text!r}, 'QUIT'):\n"
        "  s.sendall(line.encode() + b'\\r\\n')\n"
        "  print(f.readline().decode('latin-1').strip())\n")
    return lab.Here().run("nsenter", "-t", str(site.stranger.popen.pid), "-n",
                          "--", lab.PYTHON, "-c", code).stdout


def test_cve_2001_1075(site, poprelayd):
    """Refused; poisoned; refused again. The old one relayed then."""
    assert poprelayd("-d")[0] == 0
    thief = site.stranger.v4
    with session(site.stranger, "ipv4") as rcpt:
        assert rcpt(FOREIGN)["code"] == 550
    login = POP_LOGIN.format(address=thief)
    for form in POISON:
        text = form.format(login=login, thief=thief, name="x",
                           time="Nov 21 12:00:00")
        answers = poisoned(site, text)
        assert answers.count("\n") == 3, answers
    # As recipient, as the name in HELO, and as a user of the server, too.
    with session(site.stranger, "ipv4") as rcpt:
        for form in POISON[:3]:
            rcpt(form.format(login=login, thief=thief, name="x", time=""))
    seen = site.host.path(LOG)
    lab.wait_for(lambda: "POP login by user" in seen.read_text(
        encoding="latin-1") and thief in seen.read_text(encoding="latin-1"),
        "the poison is in the log")
    # Whoever read that line has read all before.
    log_in(site, site.customer.v4)
    assert check(site, thief) == "none"
    lab.wait_for(lambda: site.customer.v4 in popip(site), "it is there")
    assert list(popip(site)) == [site.customer.v4]
    with session(site.stranger, "ipv4") as rcpt:
        assert rcpt(FOREIGN)["code"] == 550
    with session(site.customer, "ipv4") as rcpt:
        assert rcpt(FOREIGN)["code"] == 250
