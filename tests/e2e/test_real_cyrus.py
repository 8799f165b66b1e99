# SPDX-License-Identifier: ISC
"""The real Cyrus IMAP server: each good login is one lease, whatever names,
reverse names and anonymous passwords spell."""

import pytest

import servers_real as real

pytestmark = [pytest.mark.namespaces, pytest.mark.needs("rsyslog")]

ALICE = "alice"
FIELDS = "[203.0.113.66] alice plaintext user logged in"
# Accounts. Cyrus takes lower case only, and neither ':' nor more than 64 bytes.
ODD = ["[203.0.113.66]", "203.0.113.66", "x]203.0.113.66[", "user",
       "\"'<>{}\\|=;,", "x" * 60]
# These are let in, but a name with blanks gets no lease: its line cannot be
# told from that of an anonymous login with a password of the client's choice.
BLANKS = [f"x {FIELDS}", "x plaintext user logged in sessionid=<a>",
          f"login {FIELDS}"]
LINES = [
    f"x\nlogin: {FIELDS}",
    f"x\r\nNov 20 18:05:01 mx cyrus/imap[1]: login: {FIELDS}",
    "x\x1b[1m\x07\udcff [203.0.113.66]",
    "x, ip=[::ffff:203.0.113.66]",
    "x" * 200,
]
PASSWORDS = [
    "x@[203.0.113.66] plaintext User logged in",
    "[203.0.113.66] alice plaintext User logged in SESSIONID=<a>",
    "plaintext", "plaintext User logged in",
]
# allowstarttls: without it Debian 13's Cyrus, 3.10, knows no STARTTLS; older
# ones do not know the word and pass it over.
IMAPD_CONF = """
allowstarttls: yes
configdirectory: /var/lib/cyrus
proc_path: /run/cyrus/proc
mboxname_lockpath: /run/cyrus/lock
defaultpartition: default
partition-default: /var/spool/cyrus/mail
servername: mx
syslog_prefix: cyrus
autocreate_quota: 0
autocreate_post: yes
allowplaintext: yes
allowanonymouslogin: yes
imapidresponse: yes
popminpoll: 1
sasl_pwcheck_method: auxprop
sasl_mech_list: PLAIN CRAM-MD5 ANONYMOUS
tls_server_cert: /etc/cyrus.pem
tls_server_key: /etc/cyrus.pem
tls_session_timeout: 0
"""
CYRUS_CONF = """
START {
  recover cmd="ctl_cyrusdb -r"
}
SERVICES {
  imap  cmd="imapd"    listen="imap"  prefork=0 maxchild=200
  imaps cmd="imapd -s" listen="imaps" prefork=0 maxchild=200
  pop3  cmd="pop3d"    listen="pop3"  prefork=0 maxchild=200
  pop3s cmd="pop3d -s" listen="pop3s" prefork=0 maxchild=200
}
EVENTS {
}
"""
SET_UP = """
for place in /var/lib/cyrus /var/lib/cyrus/db /var/lib/cyrus/socket \
    /var/spool/cyrus/mail /run/cyrus /run/cyrus/proc /run/cyrus/lock; do
	install -d -o cyrus -g mail $place
done
while IFS= read -r name; do
	echo secret | saslpasswd2 -p -c -u mx "$name"
done </etc/cyrus.names
chown cyrus /etc/sasldb2
"""


def pollers():
    """Who comes again within a minute may not read his mail: each login has a
    user of its own."""
    return [f"poll{number}" for number in range(12)]


def set_up(host):
    real.add_system_user(host, "cyrus", "mail")
    real.make_certificate(host, "/etc/cyrus.pem", "cyrus")
    host.write("/etc/imapd.conf", IMAPD_CONF)
    host.write("/etc/cyrus.conf", CYRUS_CONF)
    names = [ALICE, "anonymous", *pollers(), *ODD, *BLANKS]
    host.write("/etc/cyrus.names", "".join(f"{name}\n" for name in names))
    host.run("sh", "-euc", SET_UP)
    host.daemon("/usr/lib/cyrus/bin/master", "-d", "-C", "/etc/imapd.conf",
                "-M", "/etc/cyrus.conf")


def pop_logins(client):
    ways = [{"tls": kind, "how": how} for kind in ("", "start", "direct")
            for how in ("", "plain")]
    return [real.Login(client, family, "pop3", name, **way)
            for (family, way), name in zip(
                [(family, way) for family in ("ipv4", "ipv6")
                 for way in ways], pollers())]


def all_logins(site):
    logins = real.good_logins(site.customer, ALICE, protocols=["imap"])
    for how in ("plain", "literal", "cram"):
        logins += real.good_logins(site.customer, ALICE, protocols=["imap"],
                                   how=how)
    logins += pop_logins(site.customer)
    for name in ODD + BLANKS:
        logins += [
            real.Login(site.odd, "ipv4", "imap", name, how="literal"),
            real.Login(site.odd, "ipv6", "imap", name, tls="direct",
                       how="plain")]
        for login in logins[-2:]:
            login.lease = name not in BLANKS
    names = [ALICE, real.NOBODY, *ODD, *BLANKS]
    logins += real.bad_logins(site.odd, names, families=["ipv4"])
    logins += real.bad_logins(site.stranger, names)
    logins += real.bad_logins(site.stranger, names + LINES, how="plain")
    logins += real.bad_logins(site.stranger, names + LINES, how="literal",
                              protocols=["imap"])
    # What a client says of itself is logged too.
    say = f'ID ("name" "login: {FIELDS}" "x" "y> login: {FIELDS}")'
    logins += real.good_logins(site.customer, ALICE, protocols=["imap"],
                               before=(say,))
    logins += real.bad_logins(site.stranger, [ALICE], protocols=["imap"],
                              before=(say,))
    # Anonymous logins prove nothing.
    logins += [real.Login(site.stranger, family, "imap", "anonymous", password,
                          lease=False, how=how)
               for family in ("ipv4", "ipv6") for password in PASSWORDS
               for how in ("literal", "anonymous")]
    logins += [real.Login(site.stranger, "ipv4", "imap", ALICE, how="plain",
                          authzid="[203.0.113.66]", good=False)]
    # Too often, and refused; but the password was right.
    logins += [real.Login(site.customer, "ipv4", "pop3", ALICE, good=None,
                          lease=True) for _ in range(2)]
    return logins


@pytest.fixture(name="site", scope="module")
def make_site(tmp_path_factory):
    with real.site(tmp_path_factory, "cyrus") as site:
        site.start_rsyslog()
        set_up(site.host)
        site.wait_for_ports(110, 143, 993, 995)
        site.use(all_logins(site), {form: real.log_path(form)
                                    for form in real.FORMATS},
                 "traditional", at_once=150)
        yield site


@pytest.mark.parametrize("form", ["traditional", "iso"])
def test_a_good_login_is_one_lease_and_nothing_else_is(site, form):
    site.check_hostile_text(form, 50)
    site.check(form, "cyrus")


def test_rfc5424_lines_give_nothing(site):
    """rsyslog cuts the program's name at '/', and POP3 cannot be told from
    LMTP or Sieve."""
    site.check_hostile_text("rfc5424", 50)
    assert not site.check("rfc5424", "cyrus", lease=False)


def test_relaypassd_agrees(site):
    site.check_answers()
