# SPDX-License-Identifier: ISC
"""pop-before-smtp, the old name: Postfix set up as its quick start says, with a
configuration file of the old program's, and its options one by one."""

import contextlib
import re
import signal
import time

import pytest

import exports
import lab
import servers

pytestmark = [pytest.mark.namespaces, pytest.mark.needs("postfix")]

LOG = "/var/log/maillog"
OWN_LOG = "/var/log/pop-before-smtp"
DB = "/etc/postfix/pop-before-smtp.db"
PID_FILE = "/run/pop-before-smtp.pid"
CONFIG = "/etc/pop-before-smtp-conf.pl"
DEBIAN_CONFIG = "/etc/pop-before-smtp/pop-before-smtp.conf"
GRACE = 4

# What the predecessor's file looks like: the search for the log, a section that
# is switched off, and the pattern of Dovecot.
OLD_CONFIG = r"""
use strict;
use vars qw( $pat $out_pat $grace %file_tail );
#$dbvalue = 'no';
if (!-f $file_tail{'name'}) {
    foreach (qw( /var/log/mail/info /var/log/mail.log )) {
        if (-f $_) { $file_tail{'name'} = $_; last; }
    }
}
=cut #----- Read log on stdin ----- START
$file_tail{'name'} = '-';
=cut #----- Read log on stdin ----- END
$grace = 2*2;
$file_tail{'interval'} = 1;
$pat = '^[LOGTIME] \S+ (?:dovecot: )?(?:imap|pop3)-login: ' .
    'Login: .*? (?:\[|rip=)[:f]*(\d+\.\d+\.\d+\.\d+)[],]';
1;
"""

UNKNOWN = r"""
$pat = '^[LOGTIME] \S+ oldpop\[\d+\]: login ok, user=\S+ ' .
    'host=(?:\S+ )?\[(\d+\.\d+\.\d+\.\d+)\]';
"""


class OldSite(servers.Private):
    """Postfix as step 6 of the quick start leaves it."""

    config_dir = "/etc/postfix"

    def start(self):
        self.host.write("/etc/postfix/networks",
                        "# the office\n198.51.100.0/24\n")
        for setting in (
                "mynetworks = 127.0.0.0/8 /etc/postfix/networks",
                "smtpd_relay_restrictions =",
                "smtpd_recipient_restrictions = permit_mynetworks, "
                "check_client_access hash:/etc/postfix/pop-before-smtp, "
                "reject_unauth_destination"):
            self.host.run("postconf", "-e", setting)
        self.leave_database()
        self.host.daemon("postfix", "start")
        lab.wait_for(lambda: self.host.listens(25), "Postfix listens")

    def leave_database(self):
        """As the predecessor did: root's, and with an entry that is over."""
        self.host.write("/run/old", "203.0.113.99 ok\n")
        self.host.run("sh", "-c", "postmap hash:/run/old && "
                      f"mv /run/old.db {DB}")


@pytest.fixture(scope="module", name="site")
def make_site(tmp_path_factory):
    with contextlib.ExitStack() as stack:
        host = lab.Host(tmp_path_factory.mktemp("host"))
        stack.callback(host.close)
        host.install_users()
        host.write(LOG, "")
        made = OldSite(host)
        made.customer = lab.Client(host, "203.0.113.7")
        stack.callback(made.customer.close)
        made.stranger = lab.Client(host, "203.0.113.8")
        stack.callback(made.stranger.close)
        made.sink = servers.Sink(host, tmp_path_factory.mktemp("sink"))
        stack.callback(made.sink.close)
        made.start()
        yield made


@pytest.fixture(name="host")
def make_host(site):
    host = site.host
    host.write(LOG, "")
    for path in ("/var/lib/relaypass", "/run/relaypass", OWN_LOG, CONFIG,
                 "/etc/pop-before-smtp", PID_FILE):
        host.run("rm", "-rf", path)
    yield host
    stop(host)


def stop(host):
    with contextlib.suppress(FileNotFoundError):
        pid = host.path(PID_FILE).read_text(encoding="ascii").strip()
        if not host.run("kill", pid, check=False).returncode:
            lab.wait_for(lambda: host.run("kill", "-0", pid, check=False)
                         .returncode, "pop-before-smtp ends")


def run(host, *argv, check=True):
    done = host.run(lab.program("pop-before-smtp"), *argv, check=False)
    assert not check or done.returncode == 0, done.stdout
    return done


def log_in(host, address):
    with open(host.path(LOG), "a", encoding="ascii") as file:
        file.write(exports.LOGIN.format(time=time.strftime("%b %e %H:%M:%S"),
                                        address=address, session="abcDEF"))


def write_line(host, text):
    with open(host.path(LOG), "a", encoding="ascii") as file:
        file.write(time.strftime("%b %e %H:%M:%S") + f" mx {text}\n")


def send(client):
    return client.smtp(**client.ends("ipv4"), sender="alice@test.example",
                       recipient=servers.FOREIGN,
                       message="Subject: hello\n\nhi\n")["code"]


def own_log(host, name=OWN_LOG):
    with contextlib.suppress(FileNotFoundError):
        return host.path(name).read_text(encoding="ascii")
    return ""


def found(host, key):
    return host.run("postmap", "-q", key, "hash:" + DB.removesuffix(".db"),
                    check=False).stdout


def test_postfix_relays_after_a_login_and_until_its_end(site, host):
    host.write(CONFIG, OLD_CONFIG)
    site.leave_database()
    assert found(host, "203.0.113.99") == "ok\n"
    done = run(host, f"--daemon={PID_FILE}", f"--logto={OWN_LOG}",
               "--watchlog", LOG)
    assert ":15: this pattern finds logins of dovecot" in done.stdout
    pid = host.path(PID_FILE).read_text(encoding="ascii")
    assert re.fullmatch(r"\d+\n", pid)
    assert "pop-before-smtp" in host.run("cat", f"/proc/{pid.strip()}/comm") \
        .stdout
    lab.wait_for(lambda: found(host, "203.0.113.99") == "",
                 "what the old program left is over")
    assert run(host, "--list").stdout.endswith("The database holds 0 IPs.\n")
    assert send(site.customer) == 554
    log_in(host, "198.51.100.7")  # in mynetworks
    log_in(host, site.customer.v4)
    lab.wait_for(lambda: found(host, site.customer.v4) == "ok\n", "the entry")
    lab.wait_for(lambda: send(site.customer) == 250, "relaying", 3)
    assert send(site.stranger) == 554
    assert found(host, "198.51.100.7") == ""
    assert run(host, "--list").stdout.endswith(
        f"The database holds 1 IP:\n\t{site.customer.v4}\n")
    lab.wait_for(lambda: found(host, site.customer.v4) == "", "the end",
                 GRACE + 3)
    lab.wait_for(lambda: send(site.customer) == 554, "the end there", 3)
    lab.wait_for(lambda: "removed" in own_log(host), "the log")
    assert re.fullmatch(
        r"(?x) .{15}\ starting\ up\ \(v1\.42,\ relaypass\ .*\)\n"
        r".{15}\ added\ 203\.0\.113\.7\ to\ DB\n"
        r".{15}\ removed\ 203\.0\.113\.7\ from\ DB\n", own_log(host))


def test_signals(site, host):
    host.write(DEBIAN_CONFIG, OLD_CONFIG)
    process = host.start(
        [lab.program("pop-before-smtp"), "--logto", OWN_LOG], host.directory /
        "foreground.log")
    lab.wait_for(lambda: run(host, "--list", check=False).returncode == 0,
                 "it serves")
    log_in(host, site.customer.v4)
    lab.wait_for(lambda: "added" in own_log(host), "the log")
    host.run("mv", OWN_LOG, OWN_LOG + ".1")
    process.signal(signal.SIGHUP)
    lab.wait_for(lambda: host.path(OWN_LOG).exists(), "the new log")
    lab.wait_for(lambda: "removed" in own_log(host), "the new log", GRACE + 3)
    process.signal(signal.SIGTERM)
    assert process.wait() == 1
    assert own_log(host).endswith(" caught SIGTERM -- exiting\n")
    assert run(host, "--list", check=False).returncode == 1


def test_it_ends_when_relaypassd_does(host):
    process = host.start([lab.program("pop-before-smtp"), "--nowrite"],
                         host.directory / "foreground.log")
    lab.wait_for(lambda: run(host, "--list", check=False).returncode == 0,
                 "it serves")
    host.run("sh", "-c", "kill -9 $(cat /run/relaypass/relaypassd.pid)")
    assert process.wait() == 1


def test_lines_on_standard_input(site, host):
    """As syslogd starts it: mail.info | exec pop-before-smtp."""
    host.write(CONFIG, OLD_CONFIG.replace("=cut", "#"))
    host.run("mkfifo", "/run/lines")
    process = host.start(
        ["sh", "-c", f"{lab.program('pop-before-smtp')} --logto={OWN_LOG} "
         "--grace=600 </run/lines"], host.directory / "stdin.log")
    line = exports.LOGIN.format(time=time.strftime("%b %e %H:%M:%S"),
                                address=site.customer.v4, session="abc")
    with open(host.path("/run/lines"), "w", encoding="ascii") as pipe:
        lab.wait_for(lambda: run(host, "--list", check=False).returncode == 0,
                     "it serves")
        pipe.write(line)
        pipe.flush()
        lab.wait_for(lambda: "added" in own_log(host), "the login")
    assert process.wait() == 1
    assert "EOF on stdin -- exiting" in own_log(host)


def test_sessions_hold_when_there_is_a_pattern_of_logouts(host):
    out_pat = "$out_pat = '^[LOGTIME] .*-login: Disconnected.*? rip=(.*),';\n1;"
    host.write(CONFIG, OLD_CONFIG.replace("\n1;", "\n" + out_pat))
    run(host, "--daemon", PID_FILE, "--nowrite")
    text = host.path("/run/pop-before-smtp.conf").read_text(encoding="ascii")
    assert 'hold-sessions = "proven"' in text
    assert "export" not in text


def test_a_pattern_of_its_own(site, host):
    host.write(CONFIG, UNKNOWN)
    done = run(host, "--daemon", PID_FILE, "--logto", OWN_LOG)
    assert "a pattern file is made of it" in done.stdout
    write_line(host, "oldpop[7]: login ok, user=x host=[203.0.113.66] "
               "host=c.example [203.0.113.9]")
    write_line(host, "sshd[7]: oldpop[7]: login ok, user=x "
               "host=[203.0.113.66]")
    write_line(host, "oldpop[7]: login ok, user=al host=c.example "
               f"[{site.customer.v4}]")
    lab.wait_for(lambda: found(host, site.customer.v4) == "ok\n", "the entry")
    assert run(host, "--list").stdout.endswith(
        f"The database holds 1 IP:\n\t{site.customer.v4}\n")


def test_reprocess(host):
    host.write(CONFIG, OLD_CONFIG)
    text = "".join(exports.LOGIN.format(time=stamp, address=address, session=1)
                   for stamp, address in (
                       ("Mar  3 10:00:00", "203.0.113.7"),
                       ("Mar  3 10:00:03", "203.0.113.8"),
                       ("Mar  3 10:00:05", "198.51.100.9"),
                       ("Mar  3 10:01:00", "203.0.113.7")))
    host.write("/var/log/old", text)
    done = run(host, "--reproc", "--nowrite", "--logfile=/var/log/old",
               "--debug")
    assert done.stdout.splitlines()[-10:] == [
        "Mar  3 10:00:00 found ip=203.0.113.7",
        "Mar  3 10:00:00 added 203.0.113.7 to DB",
        "Mar  3 10:00:03 found ip=203.0.113.8",
        "Mar  3 10:00:03 added 203.0.113.8 to DB",
        "Mar  3 10:00:05 removed 203.0.113.7 from DB",
        "Mar  3 10:00:05 ignoring ip=198.51.100.9 (never)",
        "Mar  3 10:01:00 removed 203.0.113.8 from DB",
        "Mar  3 10:01:00 found ip=203.0.113.7",
        "Mar  3 10:01:00 added 203.0.113.7 to DB",
        "Mar  3 10:01:00 ------ reached end of log file ------"]


def test_version_and_configuration_are_printed(host):
    host.write("/etc/other.pl", OLD_CONFIG + "$tie_func = \\&tie_NDBM;\n")
    done = run(host, "--config=/etc/other.pl", "--dumpconfig", "--vers",
               "--dbfile=/tmp/x", "-noflock", "--no-write", "--grace", "90")
    assert "version: 1.42 (relaypass " in done.stdout
    assert "config file: /etc/other.pl\n" in done.stdout
    assert f"watchlog: {LOG}\ndbfile: /tmp/x\n" in done.stdout
    assert "servers: dovecot\n" in done.stdout
    assert "/etc/other.pl:18: $tie_func is code, which is not run" in \
        done.stdout


@pytest.mark.parametrize("argv, text", [
    (["--write", "--config=/x"], "--config=/x must be the first option."),
    (["--d"], "Option d is ambiguous"),
    (["--nolist"], "Unknown option: nolist"),
    (["--write=1"], "Option write does not take an argument"),
    (["--dbfile"], "Option dbfile requires an argument"),
    (["--grace=soon"], 'Value "soon" invalid for option grace'),
    (["--grace=0"], "grace must be a number of seconds"),
])
def test_wrong_options(host, argv, text):
    done = run(host, *argv, check=False)
    assert done.returncode == 2
    assert text in done.stdout
    assert "[--watchlog=FILE]" in done.stdout


@pytest.mark.parametrize("word", ["-h", "--help"])
def test_help(host, word):
    assert run(host, word).stdout.startswith("Usage: pop-before-smtp ")


def test_a_setting_in_a_text_is_none(host):
    """A here-document is a text, and nobody can tell what else is one."""
    host.write(CONFIG, "$grace = 60;\nprint <<EOT;\n$grace = 864000;\nEOT\n"
               "$write = 0;\n")
    done = run(host, "--daemon", PID_FILE, check=False)
    assert done.returncode == 1
    assert f"{CONFIG}:2: not started: " in done.stdout
    assert not host.path(PID_FILE).exists()


def test_its_own_files_are_no_links_and_no_pipes(host):
    host.run("mkfifo", "/run/pipe")
    host.run("ln", "-sf", "/etc/hosts", "/run/link")
    for name in ("/run/pipe", "/run/link"):
        # In time: nobody reads the pipe.
        done = host.run("timeout", "20", lab.program("pop-before-smtp"),
                        "--nowrite", f"--logto={name}", check=False)
        assert done.returncode == 1 and name in done.stdout
        done = host.run("timeout", "20", lab.program("pop-before-smtp"),
                        "--nowrite", f"--daemon={name}", check=False)
        assert done.returncode == 1 and name in done.stdout
    done = run(host, "--list", check=False)
    assert done.returncode == 1
    assert "start pop-before-smtp first" in done.stdout


@pytest.mark.parametrize("pattern, text", [
    (r"'login from (\d+\.\d+\.\d+\.\d+)'", "it does not begin with"),
    (r"'^[LOGTIME] \S+ .* came by (\d+\.\d+\.\d+\.\d+)'",
     "names no program"),
    (r"'^[LOGTIME] \S+ xpop: user=\S+ \[(\d+\.\d+\.\d+\.\d+)\] .* ok'",
     "on both sides of the address"),
    (r"'^[LOGTIME] \S+ xpop: user \S+ logged in from (\d+\.\d+\.\d+\.\d+) "
     "after .+$'", "on both sides of the address"),
    (r"'^[LOGTIME] \S+ xpop: login from (\d+\.\d+\.\d+\.\d+)'",
     "it shows no user"),
    (r"get_pattern()", "what matches logins is code"),
])
def test_an_unsafe_pattern_is_refused(host, pattern, text):
    host.write(CONFIG, f"$pat = {pattern};\n")
    done = run(host, "--daemon", PID_FILE, check=False)
    assert done.returncode == 1
    assert text in done.stdout
    assert not host.path(PID_FILE).exists()
