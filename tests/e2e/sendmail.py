# SPDX-License-Identifier: ISC
"""What the tests with the real Sendmail share: a host with it, and a
configuration that its own m4 files make from examples/sendmail.mc and
contrib/sendmail/relaypass.m4."""

import contextlib
import re
from datetime import datetime, timezone

import lab
import servers_real

LOCAL, FOREIGN = "alice@test.example", "someone@foreign.example"
CF = "/etc/mail/cf"  # a copy: /usr is not ours
BIN = "/usr/libexec/sendmail"
CONF_CF = "/etc/mail/sendmail.cf"
# In the example; each test puts its own there.
HACK = "HACK(`relaypass', `socket unix:/run/relaypass/socketmap')dnl"


class Site:
    """Sendmail with a configuration that its own m4 files make."""

    def __init__(self, host, hack):
        self.host, self.hack = host, hack
        servers_real.install(host, "sendmail")
        host.add_user("alice")
        for name in ("smmta", "smmsp"):
            servers_real.add_system_user(host, name)
        host.write("/etc/hosts", "127.0.0.1 localhost\n"
                   "203.0.113.1 mx.test.example mx\n"
                   "203.0.113.7 customer.example.net\n"
                   "2001:db8::7 customer.example.net\n"
                   "203.0.113.8 stranger.example.net\n"
                   "2001:db8::8 stranger.example.net\n")
        host.write("/etc/nsswitch.conf", "hosts: files\npasswd: files\n"
                   "group: files\nservices: files\n")
        host.write("/etc/mail/local-host-names", "test.example\n")
        host.write("/etc/mail/service.switch", "hosts files\n")
        host.write("/etc/mail/aliases", "")
        host.run("chmod", "0755", "/etc/mail")
        host.run("mkdir", "-p", "/var/spool/mqueue", "/var/run/sendmail")
        host.run("chmod", "0700", "/var/spool/mqueue")
        host.run("cp", "-a", "/usr/share/sendmail/cf", CF)
        host.run("cp", lab.TREE / "contrib" / "sendmail" / "relaypass.m4",
                 f"{CF}/hack/")
        self.build(hack)

    def build(self, hack):
        text = (lab.EXAMPLES / "sendmail.mc").read_text(encoding="utf-8")
        assert HACK in text
        # No name server in here.
        text = text.replace(
            HACK, "define(`confSERVICE_SWITCH_FILE', "
            "`/etc/mail/service.switch')dnl\n"
            "define(`ALIAS_FILE', `/etc/mail/aliases')dnl\n"
            "FEATURE(`accept_unresolvable_domains')dnl\n" + hack)
        self.host.write("/etc/mail/sendmail.mc", text)
        made = self.host.run("m4", f"-D_CF_DIR_={CF}/",
                             "/etc/mail/sendmail.mc")
        self.host.write(CONF_CF, made.stdout)

    def start(self):
        process = self.host.start([f"{BIN}/sendmail", "-bD", "-C", CONF_CF],
                                  self.host.directory / "sendmail.log")
        lab.wait_for(lambda: self.host.listens(25), "sendmail listens")
        return process

    def add_clients(self, stack):
        self.customer = lab.Client(self.host, "203.0.113.7", "2001:db8::7")
        stack.callback(self.customer.close)
        self.stranger = lab.Client(self.host, "203.0.113.8", "2001:db8::8")
        stack.callback(self.stranger.close)

    def make_map(self, path, text="", owner=None):
        """By Sendmail's own tool. The first is of yesterday: a Sendmail that
        has it open looks into the next one when that is a second younger."""
        made = self.host.path(f"{path}.db")
        new = not made.exists()
        self.host.write(f"{path}.txt", text)
        self.host.run("sh", "-c", f"{BIN}/makemap hash {path} <{path}.txt")
        if new:
            self.host.run("touch", "-d", "yesterday", f"{path}.db")
        if owner:
            self.host.run("chown", owner, f"{path}.db")

    def rules(self, *commands, client="203.0.113.8"):
        """What `sendmail -bt` says that the rulesets return, in order."""
        text = f".D{{client_addr}}{client}\n" + "".join(
            f"{command}\n" for command in commands)
        done = self.host.run("sh", "-c", f"{BIN}/sendmail -bt -C {CONF_CF} "
                             f"<<'END'\n{text}END\n")
        answers = re.split(r"^(?:> )+", done.stdout, flags=re.MULTILINE)
        last = [text.strip().splitlines()[-1] for text in answers[1:]
                if "returns:" in text]
        assert len(last) == len(commands), done.stdout
        return [line.split("returns:")[1].strip() for line in last]


def log_in(site, daemon, address):
    stamp = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    with open(site.host.path("/var/log/mail.log"), "a",
              encoding="ascii") as log:
        log.write(f"{stamp} mx dovecot: imap-login: Login: user=<alice>, "
                  f"method=PLAIN, rip={address}, lip=203.0.113.1, mpid=0, "
                  f"TLS, session=<s1>\n")
    daemon.wait_leased(address)


@contextlib.contextmanager
def session(client, family, port=25, name="s"):
    client.smtp_open(**client.ends(family), name=name, port=port)
    try:
        client.smtp_mail(name=name, sender=LOCAL)
        yield lambda to: client.smtp_rcpt(name=name, recipient=to)
    finally:
        client.hang_up(name=name)
