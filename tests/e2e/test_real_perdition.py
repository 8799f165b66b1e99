# SPDX-License-Identifier: ISC
"""The real perdition, a proxy that knows IPv4 only, before a real Dovecot that
takes any name: each good login is one lease for the client, and none for the
proxy itself."""

import pytest

import dovecot_conf
import servers_real as real

pytestmark = [pytest.mark.namespaces, pytest.mark.needs("dovecot"),
              pytest.mark.needs("rsyslog")]

ALICE = "alice@test.example"
REST = ('server="127.0.0.1:10110" protocol=POP3 server-secure=plaintext '
        'status="ok')
AUTH = ("Auth: 203.0.113.66:1->203.0.113.1:110 client-secure=plaintext "
        f'authorisation_id=NONE authentication_id="x" {REST}"')
ODD = [
    f'x" {REST}',
    f'x" {REST}"',
    'x" status="ok"',
    'x"status="ok"203.0.113.66',
    AUTH,
    "203.0.113.66:1->203.0.113.1:110",
    "x 203.0.113.66:1->203.0.113.1:110 client-secure=ssl",
    "alice@[203.0.113.66]",
    "'quotes' <and> (brackets) [of] {each} \\ = kind,",
    "x" * 200,
    f"x\n{AUTH}",
    f"x\r\nNov 20 18:05:01 mx perdition[1]: {AUTH}",
    "x\x1b[1m 203.0.113.66",
]
# perdition cuts its messages, and this failure right behind a status="ok".
# A name as long as that can come by POP3 only, and have no blank in it.
LONGEST = 4095
CUT = '"status="ok"'.rjust(LONGEST - len(
    "Auth: 203.0.113.8:12345->203.0.113.1:110 client-secure=plaintext "
    'authorisation_id=NONE authentication_id="'), "y")
PROXIES = {110: ("POP3", 10110, "tls_listen"),
           143: ("IMAP4", 10143, "tls_listen"),
           995: ("POP3S", 10110, "ssl_listen"),
           993: ("IMAP4S", 10143, "ssl_listen")}
BEHIND = "/var/log/dovecot.log"
DOVECOT = f"""
protocols = imap pop3
listen = 127.0.0.1
log_path = {BEHIND}
ssl = no
disable_plaintext_auth = no
auth_failure_delay = 0
auth_username_chars =
auth_username_format = %u
mail_location = maildir:/var/vmail/%{{sha256:user}}
mail_max_userip_connections = 500
passdb {{
  driver = static
  args = password=secret
}}
userdb {{
  driver = static
  args = uid=vmail gid=vmail home=/var/vmail allow_all_users=yes
}}
service imap-login {{
  process_limit = 300
  inet_listener imap {{
    port = 10143
  }}
}}
service pop3-login {{
  process_limit = 300
  inet_listener pop3 {{
    port = 10110
  }}
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
"""


def set_up(host):
    real.add_system_user(host, "vmail")
    host.run("install", "-d", "-o", "vmail", "/var/vmail")
    dovecot_conf.write(host, DOVECOT)
    host.daemon("dovecot")
    real.make_certificate(host, "/etc/perdition.pem")
    host.write("/etc/perdition/perdition.conf", "")
    for port, (protocol, behind, tls) in PROXIES.items():
        host.daemon(
            "perdition", "--protocol", protocol, "--listen_port", port,
            "--outgoing_server", "127.0.0.1", "--outgoing_port", behind,
            "--username", "root", "--group", "root", "--log_facility", "mail",
            "--ssl_mode", tls, "--ssl_cert_file", "/etc/perdition.pem",
            "--ssl_key_file", "/etc/perdition.pem",
            "--pid_file", f"/run/perdition.{port}.pid")


def as_logged(name):
    return "".join(f"#{ord(c):03o}" if c < " " else c for c in name)


def may_lease(name):
    """A stamp inside looks like two lines, of which the first lost its end."""
    return "Nov 20 18:05:01" not in name


def all_logins(site):
    logins = real.good_logins(site.customer, ALICE, families=["ipv4"])
    for name in ODD:
        more = {"seen_as": as_logged(name), "lease": may_lease(name)}
        logins += real.good_logins(site.odd, name, families=["ipv4"],
                                   protocols=["imap"], how="literal", **more)
        if " " not in name:
            logins += [real.Login(site.odd, "ipv4", "pop3", name, **more)]
    logins += real.bad_logins(site.odd, [ALICE, *ODD], families=["ipv4"],
                              protocols=["imap"], how="literal")
    logins += real.bad_logins(site.stranger, [ALICE, *ODD], families=["ipv4"],
                              protocols=["imap"], how="literal", tls="direct")
    # Dovecot 2.3 behind it answers, 2.4 hangs up on such a name.
    logins += [real.Login(site.stranger, "ipv4", "pop3", CUT, "wrong",
                          good=None, lease=False)]
    logins += real.bad_logins(
        site.stranger, [ALICE, *(name for name in ODD if "\n" not in name)],
        families=["ipv4"])
    return logins


@pytest.fixture(name="site", scope="module")
def make_site(tmp_path_factory):
    with real.site(tmp_path_factory, "perdition") as site:
        site.start_rsyslog()
        set_up(site.host)
        site.wait_for_ports(10110, 10143, *PROXIES)
        site.use(all_logins(site), {**{form: real.log_path(form)
                                       for form in real.FORMATS},
                                    "behind": BEHIND},
                 "traditional", at_once=100)
        yield site


@pytest.mark.parametrize("form", real.FORMATS)
def test_a_good_login_is_one_lease_and_nothing_else_is(site, form):
    site.check_hostile_text(form, 50)
    site.check(form, "perdition")


def test_a_failure_can_end_like_a_login(site):
    """It was among those above."""
    lines = site.files["iso"].read_text(encoding="latin-1").splitlines()
    cut = [line for line in lines if "yyyy" in line and "Auth:" in line]
    if not cut and any("Exiting on signal 13" in line for line in lines):
        pytest.skip("Dovecot 2.4 hung up, and perdition died of it")
    cut, = cut
    assert cut.endswith('y"status="ok"')


def test_the_server_behind_it_sees_nobody_who_may_relay(site):
    seen = site.check("behind", "dovecot", lease=False)
    assert {one["ip"] for one in seen if one["kind"] == "login"} \
        == {"127.0.0.1"}


def test_relaypassd_agrees(site):
    site.check_answers()
