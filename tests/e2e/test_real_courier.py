# SPDX-License-Identifier: ISC
"""The real Courier IMAP and POP3 servers: each good login is one lease,
whatever the names spell."""

import pytest

import servers_real as real

pytestmark = [pytest.mark.namespaces, pytest.mark.needs("rsyslog")]

ALICE = "alice@test.example"
# Accounts; Courier writes these names as they are.
ODD = [
    "od d, ip=[::ffff:203.0.113.66]",
    "x, ip=[203.0.113.66], port=[1], protocol=IMAP",
    "x, ip=[::ffff:203.0.113.66], port=[1]",
    "LOGIN, user=y, ip=[203.0.113.66], port=[1]",
    "[203.0.113.66]",
    "203.0.113.66",
    "\"quotes\" 'and' <brackets> {of} \\ = each |",
    "x" * 200,
]
LINES = [
    "x\nLOGIN, user=x, ip=[203.0.113.66], port=[1]",
    "x\r\nNov 20 18:05:01 mx imapd: LOGIN, user=x, ip=[203.0.113.66], "
    "port=[1], protocol=IMAP",
    "x\x1b[1m\x07\udcff, ip=[203.0.113.66]",
]
SET_UP = r"""
install -d -o vmail -g vmail /var/vmail /var/vmail/Maildir
install -d -o vmail -g vmail /var/vmail/Maildir/cur /var/vmail/Maildir/new \
    /var/vmail/Maildir/tmp
install -d -o courier -g courier /var/lib/courier
install -d -g courier -m 0775 /run/courier
install -d -o courier -g courier -m 0750 /run/courier/authdaemon
cp -a /etc/courier/imapd.pem /etc/courier/pop3d.pem
touch /etc/courier/dhparams.pem /etc/courier/imapaccess.dat
cd /etc/courier
sed -i 's/^authmodulelist=.*/authmodulelist="authuserdb"/
    s/^daemons=.*/daemons=20/' authdaemonrc
sed -i 's/^MAXPERIP=.*/MAXPERIP=200/
    s/^MAXDAEMONS=.*/MAXDAEMONS=200/
    s/^POP3AUTH=.*/POP3AUTH="PLAIN CRAM-MD5"/
    s/^\(IMAP_CAPABILITY=.*\)"/\1 AUTH=PLAIN AUTH=CRAM-MD5"/' imapd pop3d
password() { printf 'secret\nsecret\n' | userdbpw "$1"; }
fields="uid=$(id -u vmail)|gid=$(id -g vmail)|home=/var/vmail"
fields="$fields|systempw=$(password -md5)|hmac-md5pw=$(password -hmac-md5)"
umask 077
while IFS= read -r name; do
	printf '%s\t%s\n' "$name" "$fields"
done <names >userdb
makeuserdb
"""
# Debian 13 has no link to imapd's start script, and a program of its name.
START = "authdaemond start; for name in imapd imapd-ssl pop3d pop3d-ssl; do " \
    "/usr/lib/courier/$name start; done"


def set_up(host):
    real.add_system_user(host, "courier")
    real.add_system_user(host, "vmail")
    real.make_certificate(host, "/etc/courier/imapd.pem", "courier")
    host.write("/etc/courier/names",
               "".join(f"{name}\n" for name in [ALICE, *ODD]))
    host.run("sh", "-euc", SET_UP)
    host.daemon("sh", "-c", START)


def all_logins(site):
    logins = real.good_logins(site.customer, ALICE)
    logins += real.good_logins(site.customer, ALICE, tls=("", "direct"),
                               how="cram")
    for how in ("plain", "literal"):
        logins += real.good_logins(site.customer, ALICE, protocols=["imap"],
                                   how=how)
    for name in ODD:
        logins += [
            real.Login(site.odd, "ipv4", "imap", name, how="literal"),
            real.Login(site.odd, "ipv6", "imap", name, tls="direct"),
            real.Login(site.odd, "ipv4", "pop3", name),
            real.Login(site.odd, "ipv6", "pop3", name, how="plain")]
    names = [ALICE, real.NOBODY, *ODD]
    logins += real.bad_logins(site.odd, names, families=["ipv4"])
    logins += real.bad_logins(site.stranger, names)
    logins += real.bad_logins(site.stranger, names + LINES, how="plain")
    logins += real.bad_logins(site.stranger, names + LINES, how="literal",
                              protocols=["imap"])
    return logins


@pytest.fixture(name="site", scope="module")
def make_site(tmp_path_factory):
    with real.site(tmp_path_factory, "courier") as site:
        site.start_rsyslog()
        set_up(site.host)
        site.wait_for_ports(110, 143, 993, 995)
        site.use(all_logins(site), {form: real.log_path(form)
                                    for form in real.FORMATS},
                 "traditional", at_once=150)
        yield site


def kinds_told(text):
    """The kinds of TLS that a login tells of: since Courier 1.4 STARTTLS, too;
    before, only the end of the session does."""
    return ("start", "direct") if b"protocol=IMAP, starttls=1\n" in text \
        else ("direct",)


@pytest.mark.parametrize("form", real.FORMATS)
def test_a_good_login_is_one_lease_and_nothing_else_is(site, form):
    site.check_hostile_text(form, 50)
    seen = site.check(form, "courier",
                      tls=kinds_told(site.files[form].read_bytes()))
    began = [one["session"] for one in seen if one["kind"] == "login"]
    ended = [one["session"] for one in seen if one["kind"] == "logout"]
    # A port may come again, and with it the name of a session.
    assert sorted(began) == sorted(ended)


def test_relaypassd_agrees(site):
    site.check_answers()
