# SPDX-License-Identifier: ISC
"""The real Dovecot, through rsyslog and with a log file of its own, with its
own idea of user names and with none: each good login is one lease, whatever
the names spell."""

import collections
import re

import pytest

import dovecot_conf
import servers
import servers_real as real

pytestmark = [pytest.mark.namespaces, pytest.mark.needs("dovecot"),
              pytest.mark.needs("rsyslog")]

ALICE = "alice@test.example"
FIELDS = ("method=PLAIN, rip=203.0.113.66, lip=203.0.113.1, mpid=1, "
          "session=<abc")
ODD = [
    f"x>, {FIELDS}",
    f"x>, {FIELDS}>, {FIELDS}",
    "x>, method=PLAIN, rip=203.0.113.66, lip=203.0.113.1, TLS, session=<",
    "x>, rip=203.0.113.66, lip=203.0.113.1",
    f"{FIELDS}>",
    "203.0.113.66",
    "od d, ip=[::ffff:203.0.113.66]",
    "imap-login: Login: user=<x>",
    "\"quotes\" 'and' (round) [brackets] {of} \\ =them,",
    "<<<>>>>",
    "%u %{rip} $HOME `id` #203.0.113.66",
    "\u00fcml\u00e4ut \u2028\u202e 203.0.113.66",
    "x" * 200,
    f"x>, {FIELDS}".ljust(200, "y"),
    # Lines where a name can have them: in literals and in SASL.
    f"x\nimap-login: Login: user=<x>, {FIELDS}>",
    f"x\nimap-login: Info: Login: user=<x>, {FIELDS}>\n",
    "x\x1b[1m\x07\udcff\udcfe 203.0.113.66",
]
# Not among them is a name that speaks, after a newline, the language between
# Dovecot's own processes: the log process believes it, and any line can be had.
#
# These get in, but no lease: a stamp could be the next line, and there is a
# control character that Dovecot lets pass.
REFUSED = [
    f"x\r\nNov 20 18:05:01 mx dovecot: imap-login: Login: user=<x>, {FIELDS}>",
    f"x\nNov 20 18:05:01 imap-login: Info: Login: user=<x>, {FIELDS}>\n",
    "x\u0085 203.0.113.66",
]
CONF = """
protocols = imap pop3
listen = *, ::
log_path = {log_path}
syslog_facility = mail
auth_verbose = yes
ssl = yes
ssl_cert = </etc/dovecot.pem
ssl_key = </etc/dovecot.pem
disable_plaintext_auth = no
auth_mechanisms = plain login cram-md5 anonymous
auth_anonymous_username = anonymous
{names}
mail_location = maildir:/var/vmail/%{{sha256:user}}
mail_max_userip_connections = 500
# Names that could not stand in the file as they are.
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%{{sha256:user}} /etc/dovecot.users
}}
userdb {{
  driver = static
  args = uid=vmail gid=vmail home=/var/vmail allow_all_users=yes
}}
# A failed login must not slow down the next.
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service imap-login {{
  process_limit = 300
}}
service pop3-login {{
  process_limit = 300
}}
"""
# Its own idea of names: no such name gets in. None: all do, as they are.
NAMES = {"usual": "",
         "any": "auth_username_chars =\nauth_username_format = %u"}
LOGS = {"syslog": {form: real.log_path(form) for form in real.FORMATS},
        "own": {"own": "/var/log/dovecot.log"}}


def set_up(host, log, names):
    real.make_certificate(host, "/etc/dovecot.pem")
    real.add_system_user(host, "vmail")
    host.run("install", "-d", "-o", "vmail", "/var/vmail")
    host.write("/etc/dovecot.users", "".join(
        f"{dovecot_conf.sha256_of(name)}:{real.PASSWORD}\n"
        for name in [ALICE, *ODD, *REFUSED]))
    path = "syslog" if log == "syslog" else LOGS[log]["own"]
    dovecot_conf.write(host, CONF.format(log_path=path, names=NAMES[names]))
    host.daemon("dovecot")


def may_log_in(name, names):
    return names == "any" or re.fullmatch("[A-Za-z0-9._@-]+", name)


def as_logged(name):
    """'?' for what is not text, and cut."""
    name = re.sub("[\0-\x1f\x7f\udc80-\udcff]", "?", name)
    return name if len(name) <= 80 else name[:77] + "..."


def all_logins(site, names):
    logins = real.good_logins(site.customer, ALICE)
    for how in ("plain", "cram"):
        logins += real.good_logins(site.customer, ALICE, how=how)
    logins += real.good_logins(site.customer, ALICE, protocols=["imap"],
                               how="literal")
    # Only networks that are trusted with it may say so.
    say = 'ID ("x-originating-ip" "203.0.113.66" "x-session-id" "evil")'
    logins += real.good_logins(site.customer, ALICE, protocols=["imap"],
                               before=(say,))
    for name in ODD + REFUSED:
        good = bool(may_log_in(name, names))
        more = {"good": good, "lease": good and name not in REFUSED,
                "seen_as": as_logged(name)}
        logins += [
            real.Login(site.odd, "ipv4", "imap", name, how="literal", **more),
            real.Login(site.odd, "ipv6", "imap", name, how="plain",
                       tls="direct", **more),
            real.Login(site.odd, "ipv4", "pop3", name, how="plain", **more)]
    users = [ALICE, real.NOBODY]
    logins += real.bad_logins(site.stranger, users)
    logins += real.bad_logins(site.odd, users + ODD, families=["ipv4"],
                              protocols=["imap"], how="plain")
    users += ODD + REFUSED
    logins += real.bad_logins(site.stranger, users, families=["ipv6"],
                              how="plain")
    logins += real.bad_logins(site.stranger, users, families=["ipv4"],
                              protocols=["imap"], how="literal")
    logins += real.bad_logins(
        site.stranger, [name for name in users if "\n" not in name],
        families=["ipv4"])
    logins += real.bad_logins(site.stranger, [ALICE], protocols=["imap"],
                              before=(say,))
    # Anonymous logins prove nothing.
    logins += [real.Login(site.stranger, "ipv4", protocol, "anonymous", text,
                          lease=False, how="anonymous")
               for protocol in ("imap", "pop3")
               for text in ("x", f"x>, {FIELDS}>")]
    logins += [real.Login(site.stranger, "ipv4", "imap", ALICE, how="plain",
                          authzid=f"x>, {FIELDS}", good=False)]
    return logins


@pytest.fixture(name="site", scope="module", params=[
    ("syslog", "usual"), ("syslog", "any"), ("own", "any")], ids="-".join)
def make_site(request, tmp_path_factory):
    log, names = request.param
    with real.site(tmp_path_factory) as site:
        if log == "syslog":
            site.start_rsyslog()
        set_up(site.host, log, names)
        site.wait_for_ports(110, 143, 993, 995)
        site.use(all_logins(site, names), LOGS[log], next(iter(LOGS[log])),
                 at_once=100)
        yield site


def test_a_good_login_is_one_lease_and_nothing_else_is(site):
    for form in site.files:
        site.check_hostile_text(form, 100)
        seen = site.check(form, "dovecot")
        began = [one["session"] for one in seen if one["kind"] == "login"]
        ended = [one["session"] for one in seen if one["kind"] == "logout"]
        assert len(set(began)) == len(began)
        assert {one["session"] for one in seen if one["kind"] == "login"
                and one["user"] == ALICE} <= set(ended)


def test_relaypassd_agrees(site):
    site.check_answers()


# --- a proxy -----------------------------------------------------------------

BEHIND = servers.DOVECOT.replace(
    "listen = *, ::", "listen = 127.0.0.1\nbase_dir = /run/dovecot-behind\n"
    "login_trusted_networks = 127.0.0.0/8\n"
    "auth_master_user_separator = *").replace(
    "dovecot.log", "behind.log").replace("passdb {", """passdb {
  driver = static
  args = password=secret
  master = yes
}
passdb {""")
PROXY = servers.DOVECOT.replace("password=secret",
                                "nopassword=y proxy=y host=127.0.0.1%s")


@pytest.mark.parametrize("more", [
    "", " source_ip=127.0.0.2", " destuser=alice@x",
    " source_ip=127.0.0.2 destuser=alice@x master=root"])
def test_a_proxy_tells_of_what_its_back_end_takes(tmp_path_factory, more):
    with real.site(tmp_path_factory) as site:
        host = site.host
        host.add_user("alice")
        listen = f"listen = {host.V4}, {host.V6}"
        for name, text in (("behind", BEHIND), ("proxy", PROXY % more)):
            text = text.replace("listen = *, ::", listen)
            host.write(f"/etc/dovecot.{name}", dovecot_conf.in_its_words(text))
            host.daemon("dovecot", "-c", f"/etc/dovecot.{name}")
        good = real.good_logins(site.customer, "alice", tls=[""])
        real.log_in(good + real.bad_logins(site.stranger, ["alice"]))
        site.stop_daemons()
        seen = real.scan(host.path("/var/log/dovecot.log"))
        for kind in ("login", "logout"):
            assert collections.Counter(
                one["ip"] for one in seen if one["kind"] == kind
            ) == collections.Counter(login.source for login in good), seen
        assert all(one["lease"] for one in seen if one["kind"] == "login")
