# SPDX-License-Identifier: ISC
"""Real mail servers on a test host, in two ways of setting them up: `private`
with configurations of our own, `debian` as the packages leave them.

Both have the user alice with password secret, the local domain test.example,
and hand foreign mail to a sink on another machine.
"""

import dovecot_conf
import lab

PASSWORD = "secret"
LOCAL = "alice@test.example"
FOREIGN = "someone@foreign.example"
SINK = "198.51.100.25"
SNIPPET = lab.EXAMPLES / "postfix-main.cf.snippet"

DOVECOT = """
protocols = imap pop3
listen = *, ::
log_path = /var/log/dovecot.log
ssl = no
disable_plaintext_auth = no
mail_location = maildir:~/Maildir
first_valid_uid = 1
passdb {
  driver = static
  args = password=secret
}
userdb {
  driver = static
  args = uid=alice gid=alice home=/home/alice
}
# A failed login in one test must not slow down the next.
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
"""

# As Debian's postinst makes main.cf for an "Internet Site".
MAIN_CF = (
    "myhostname = mx.test.example",
    "alias_maps = hash:/etc/aliases",
    "alias_database = hash:/etc/aliases",
    "mydestination = $myhostname, test.example, localhost.localdomain, "
    "localhost",
    "mynetworks = 127.0.0.0/8 [::ffff:127.0.0.0]/104 [::1]/128",
    "smtpd_relay_restrictions = permit_mynetworks permit_sasl_authenticated "
    "defer_unauth_destination",
    "mailbox_size_limit = 0",
    "recipient_delimiter = +",
    "inet_interfaces = all",
    "inet_protocols = all",
)

PRIVATE_MAIN_CF = """
compatibility_level = 3.6
queue_directory = /var/spool/postfix-private
data_directory = /var/lib/postfix-private
maillog_file = /var/log/postfix.log
myhostname = mx.test.example
mydestination = test.example
local_recipient_maps =
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
mailbox_size_limit = 0
inet_protocols = all
smtpd_relay_restrictions = permit_mynetworks reject_unauth_destination
"""

PRIVATE_MASTER_CF = """
smtp      inet  n - n - - smtpd
pickup    unix  n - n 60 1 pickup
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
verify    unix  - - n - 1 verify
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n - - proxymap
smtp      unix  - - n - - smtp
relay     unix  - - n - - smtp
showq     unix  n - n - - showq
error     unix  - - n - - error
retry     unix  - - n - - error
discard   unix  - - n - - discard
local     unix  - n n - - local
anvil     unix  - - n - 1 anvil
scache    unix  - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
"""


class Private:
    """No syslog: Dovecot writes its own file, Postfix has an instance of its
    own without chroot."""

    tls = False
    ports = {"imap": 143, "pop3": 110}
    config_dir = "/etc/postfix-private"
    queue = "/var/spool/postfix-private"
    mail_log = "/var/log/dovecot.log"

    def __init__(self, host):
        self.host = host
        host.add_user("alice")
        self.mail = "/var/mail/alice"
        dovecot_conf.write(host, DOVECOT)
        host.write(f"{self.config_dir}/main.cf",
                   PRIVATE_MAIN_CF + f"relayhost = [{SINK}]\n")
        host.write(f"{self.config_dir}/master.cf", PRIVATE_MASTER_CF)
        host.run("mkdir", "-p", self.queue, "/var/lib/postfix-private")
        host.run("chown", "postfix", "/var/lib/postfix-private")

    def start(self):
        apply_snippet(self.host, self.config_dir)
        self.host.daemon("postfix", "-c", self.config_dir, "start")
        self.host.daemon("dovecot")

    def relaypass_conf(self):
        """The example, with the paths of this set-up."""
        return example().replace("/var/log/mail.log", self.mail_log).replace(
            "/var/spool/postfix", self.queue)

    def forget_logins(self):
        self.host.write(self.mail_log, "", 0o600)


class Debian:
    """What the packages leave behind: rsyslog writes /var/log/mail.log,
    Dovecot uses PAM and TLS, Postfix' smtpd is chrooted."""

    tls = True
    ports = {"imap": 993, "pop3": 995}
    config_dir = "/etc/postfix"
    queue = "/var/spool/postfix"
    mail_log = "/var/log/mail.log"

    def __init__(self, host):
        self.host = host
        host.add_user("alice", PASSWORD)
        self.mail = "/var/mail/alice"
        host.run("usermod", "-a", "-G", "mail", "alice")
        self.certificate()
        host.run("cp", "/usr/share/postfix/main.cf.debian",
                 "/etc/postfix/main.cf")
        # Some may stand there, and Postfix warns of what stands twice.
        host.run("postconf", "-e", *MAIN_CF, f"relayhost = [{SINK}]")
        host.run("cp", "/usr/share/postfix/master.cf.dist",
                 "/etc/postfix/master.cf")
        host.run("newaliases")

    def certificate(self):
        private = "/etc/dovecot/private"
        self.host.run("rm", "-f", f"{private}/dovecot.pem",
                      f"{private}/dovecot.key")
        self.host.run(
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=mx", "-days",
            "9", "-keyout", f"{private}/dovecot.key", "-out",
            f"{private}/dovecot.pem")

    def start(self):
        apply_snippet(self.host, self.config_dir)
        self.host.run("mkdir", "-p", "/var/spool/rsyslog")
        # The kernel's log belongs to the machine around us.
        self.host.run("sed", "-i", "/imklog/d", "/etc/rsyslog.conf")
        self.host.daemon("rsyslogd", "-i", "/run/rsyslogd.pid")
        lab.wait_for(lambda: self.host.path("/dev/log").exists(), "/dev/log")
        # Debian 12's service fills the chroot with it. Debian 13's Postfix
        # runs it by itself, and it refuses others.
        self.host.run("/usr/lib/postfix/configure-instance.sh", "-",
                      check=False)
        self.host.daemon("postfix", "start")
        self.host.daemon("dovecot")

    def relaypass_conf(self):
        return example()

    def forget_logins(self):
        # rsyslog keeps the files open for appending.
        for name in (self.mail_log, "/var/log/syslog"):
            log = self.host.path(name)
            if log.exists():
                with open(log, "w", encoding="ascii"):
                    pass


def example():
    return (lab.EXAMPLES / "relaypass.conf").read_text(encoding="utf-8")


def apply_snippet(host, config_dir):
    """As the snippet itself says it."""
    host.run("postconf", "-c", config_dir, "-X", "smtpd_relay_restrictions")
    with open(host.path(f"{config_dir}/main.cf"), "a",
              encoding="utf-8") as file:
        file.write(SNIPPET.read_text(encoding="utf-8"))
    check_postfix(host, config_dir)


def check_postfix(host, config_dir="/etc/postfix"):
    """It warns of nothing that docs/exports.md does not tell. Debian 13's
    Postfix also tells what it copies into the chroot; before 3.10 it warns
    only at a terminal."""
    told = host.run("postfix", "-c", config_dir, "check").stdout
    said = [line for line in told.splitlines()
            if not line.startswith("updating /etc/") and not
            line.endswith(f"not owned by root: {config_dir}/./relaypass.lmdb")]
    assert not said, told


class Sink:
    """The rest of the world: takes every mail and keeps it."""

    def __init__(self, host, directory):
        self.client = lab.Client(host, SINK)
        self.directory = directory
        (directory / "queue").mkdir()
        (directory / "control").mkdir()
        (directory / "control" / "me").write_text("sink.example\n",
                                                  encoding="ascii")
        self.process = lab.Process(
            ["setpriv", "--pdeathsig", "KILL", "nsenter", "-t",
             str(self.client.popen.pid), "-n", "--", "tcpserver", "-R", "-H", "-l", "0", "0", "25", lab.PYTHON,
             str(lab.HERE / "qmail_smtpd.py"), str(directory)],
            directory / "sink.log")

    def mails(self):
        return [file.read_text(encoding="utf-8")
                for file in (self.directory / "queue").glob("*.msg")]

    def wait_for(self, text):
        return lab.wait_for(
            lambda: [mail for mail in self.mails() if text in mail],
            f"mail with {text!r} at the sink")[0]

    def close(self):
        self.process.kill_all()
        self.client.close()
