# SPDX-License-Identifier: ISC
"""relaypass doctor on machines with the real Dovecot, Postfix and rsyslog: it
finds what is there, and the lines that it proposes work."""

import contextlib
import json
import signal

import pytest

import dovecot_conf
import lab
import servers
import sessions

pytestmark = [pytest.mark.namespaces, pytest.mark.needs("dovecot"),
              pytest.mark.needs("postfix"), pytest.mark.needs("rsyslog")]

CONF = "/etc/relaypass/relaypass.conf"
RELAYPASS = "/usr/local/bin/relaypass"


class Findings:
    def __init__(self, done):
        self.code = done.returncode
        self.rows = [json.loads(line) for line in done.stdout.splitlines()]

    def says(self, check, verdict, words=""):
        rows = [row for row in self.rows if row["check"] == check
                and row["verdict"] == verdict and words in row["text"]]
        assert rows, "\n".join(map(str, self.rows))
        return rows[0]["lines"]

    def verdicts(self):
        return {row["verdict"] for row in self.rows}

    def lines(self):
        return "".join(dict.fromkeys(row["lines"] for row in self.rows
                                     if row["lines"]))


def doctor(host, *before):
    return Findings(host.run(*before, RELAYPASS, "doctor", "--json",
                             check=False))


@pytest.fixture(name="site", scope="module")
def make_site(tmp_path_factory):
    """What Debian's packages leave behind."""
    with contextlib.ExitStack() as stack:
        host = lab.Host(tmp_path_factory.mktemp("host"))
        stack.callback(host.close)
        host.install()
        host.install_users()
        site = servers.Debian(host)
        site.customer = lab.Client(host, "203.0.113.7", "2001:db8::7")
        stack.callback(site.customer.close)
        site.inside = lab.Client(host, "192.168.1.7")
        stack.callback(site.inside.close)
        site.start()
        lab.wait_for(lambda: all(map(host.listens, [25, 143, 993, 110])),
                     "the servers listen")
        yield site


def log_in(site, client):
    assert client.imap(**client.ends("ipv4"), user="alice",
                       password=servers.PASSWORD, port=993, tls=True)["ok"]
    log = site.host.path(site.mail_log)
    lab.wait_for(lambda: log.exists() and f"rip={client.v4}" in log.read_text(
        encoding="utf-8"), "the login is logged")


def test_debian_s_machine_is_well_with_the_lines_it_proposes(site):
    host = site.host
    site.forget_logins()
    first = doctor(host)
    assert first.code == 1
    first.says("config", "do", "there is no")
    first.says("server", "good", "Dovecot serves POP3 and IMAP")
    first.says("log", "do", "no log file with logins")
    first.says("names", "good")
    first.says("trusted", "good")
    first.says("format", "good")
    # The snippet is in main.cf already.
    first.says("smtp", "do", "no listener")

    log_in(site, site.customer)
    second = doctor(host)
    assert second.code == 1
    second.says("logins", "good", "1 login of the last hour matched")
    assert "/var/log/mail.log" in second.says("source", "do")

    host.write(CONF, second.lines())
    host.run(RELAYPASS, "config", "--check")
    stopped = doctor(host)
    assert stopped.code == 1
    stopped.says("daemon", "do", "systemctl start relaypassd")

    daemon = host.start(["/usr/local/sbin/relaypassd-testclock", "-f", "-c",
                         CONF], host.directory / "relaypassd.log")
    lab.wait_for(host.path("/run/relaypass/control").exists,
                 "relaypassd runs")
    third = doctor(host)
    daemon.signal(signal.SIGTERM)
    assert daemon.wait() == 0
    third.says("daemon", "good")
    assert third.code == 0, third.rows
    third.says("source", "good", "/var/log/mail.log is a source")
    third.says("smtp", "good", "smtpd_relay_restrictions")
    third.says("clock", "good")
    assert third.verdicts() <= {"good", "note"}


def test_a_machine_behind_a_gateway_is_told(site):
    site.forget_logins()
    log_in(site, site.inside)
    found = doctor(site.host)
    assert found.code == 1
    found.says("private", "do", "come from 192.168.1.7")
    found.says("logins", "note", "1 private-address")


def test_an_ordinary_user_sees_less_and_is_told(site):
    site.forget_logins()
    found = doctor(site.host, "setpriv", "--reuid", "alice", "--regid",
                   "alice", "--clear-groups")
    found.says("server", "cannot", "as root")
    found.says("log", "cannot",
               f"you cannot read {site.mail_log}; run doctor as root")
    assert found.code in (1, 111)


def test_what_it_prints_is_for_people_too(site):
    site.forget_logins()
    log_in(site, site.customer)
    done = site.host.run(RELAYPASS, "-c", "/dev/null", "doctor", check=False)
    assert done.returncode == 1
    assert "Which servers do people log in to?" in done.stdout
    assert "To add to /dev/null" in done.stdout
    assert 'kind = "file"' in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 120


def test_it_names_lines_below_only_when_there_are_some(tmp_path):
    """On a machine where nobody has set anything up."""
    with contextlib.closing(lab.Host(tmp_path)) as host:
        host.install()
        done = host.run(RELAYPASS, "doctor", check=False)
    assert done.returncode == 1
    assert f"there is no {CONF}" in done.stdout
    assert "source " not in done.stdout and "To begin" not in done.stdout
    assert "below" not in done.stdout


def test_maps_of_postfix_are_opened_with_postmap(site):
    host = site.host
    path = "/etc/postfix/relaypass"
    main = host.path("/etc/postfix/main.cf").read_text(encoding="utf-8")

    def map_of(words, verdict):
        doctor(host).says("maps", verdict, words)

    host.write("/etc/postfix/main.cf", main + "\nsmtpd_client_restrictions = "
               f"check_client_access {{ lmdb:{path}, timeout=3s }},permit\n")
    try:
        map_of(f"{path}.lmdb, which main.cf names, is missing", "do")
        host.write(path, "192.0.2.7 OK\n")
        host.run("postmap", f"lmdb:{path}")
        map_of(f"postmap reads {path}.lmdb, which main.cf names", "good")
        # The magic of its first page.
        with open(host.path(f"{path}.lmdb"), "r+b") as page:
            page.seek(16)
            page.write(b"xxxx")
        map_of(f"postmap cannot open {path}.lmdb, which main.cf names: "
               "postmap: fatal: ", "do")
    finally:
        host.write("/etc/postfix/main.cf", main)


def test_it_changes_nothing(site):
    host = site.host

    def look():
        return host.run("sh", "-c", "find /etc /var /run /usr/local -newer "
                        "/tmp/mark -type f ! -path '/var/log/*'").stdout
    host.run("touch", "/tmp/mark")
    before = look()
    doctor(host)
    assert look() == before


def test_dovecot_s_own_log_and_odd_settings_are_told(host, customer):
    """No syslog; names may be anything; a wide network is trusted."""
    host.install()
    host.install_users()
    host.add_user("alice")
    dovecot_conf.write(host, servers.DOVECOT + """
auth_username_chars =
login_trusted_networks = 192.0.2.0/23
login_log_format_elements = rip=%r user=<%u>
passdb {
  driver = static
  args = nopassword=y proxy=y host=192.0.2.9
}
""")
    host.write("/var/log/dovecot.log", "", 0o600)
    host.daemon("dovecot")
    lab.wait_for(lambda: host.listens(143), "Dovecot listens")
    with sessions.Imap(customer, "alice") as session:
        session.logout()
    found = doctor(host)
    assert found.code == 1
    found.says("names", "do", "auth_username_chars is empty")
    found.says("trusted", "do", "192.0.2.0/23")
    found.says("format", "do", "login_log_format_elements")
    found.says("passwords", "note", "nopassword")
    # Its line is in no known form.
    found.says("log", "do", "no log file with logins")
