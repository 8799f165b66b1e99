# SPDX-License-Identifier: ISC
"""The machines of the matrix: each has mail servers that listen at a port for
each row, and a relaypassd that begins anew for each proof."""

import re

import exports
import lab
import servers
import servers_real

OUT = exports.OUT
MAIL_LOG = exports.MAIL_LOG
LOCAL, FOREIGN = "alice@test.example", "someone@foreign.example"


def without_comments(text):
    return "".join(line for line in text.splitlines(True)
                   if not line.lstrip().startswith("#"))


def section(example, title):
    """One section of a configuration, as it stands there."""
    text = exports.example(example)
    return re.search(rf"(?ms)^{title} {{\n.*?^}}\n", text)[0]


def ask_relaypass_for_names(host):
    """Without a resolver between: it knows its zone only."""
    host.write("/etc/resolv.conf", "nameserver 127.0.0.1\n")


class Machine:
    """`rows`: those that will be proved here. Subclasses say what relaypassd's
    configuration is and start the servers when its files are there."""

    first_port = 2501

    def __init__(self, directory, stack, rows):
        self.directory = directory
        self.ports = {row.key: self.first_port + i
                      for i, row in enumerate(rows)}
        (directory / "host").mkdir()
        self.host = lab.Host(directory / "host")
        stack.callback(self.host.close)
        self.customer = lab.Client(self.host, "203.0.113.7", "2001:db8::7")
        stack.callback(self.customer.close)
        self.stranger = lab.Client(self.host, "203.0.113.8", "2001:db8::8")
        stack.callback(self.stranger.close)
        self.daemon = None
        stack.callback(self.stop_daemon)
        exports.prepare(self.host)
        self.prepare()
        self.start_daemon()
        self.start_servers()
        for port in self.ports.values():
            lab.wait_for(lambda: self.host.listens(port),
                         f"a server at {port}")

    def prepare(self):
        pass

    def conf(self):
        raise NotImplementedError

    def start_servers(self):
        raise NotImplementedError

    def before_question(self, row):
        """What the administrator's own machinery does after a change."""

    def stop_daemon(self):
        if self.daemon is not None:
            self.daemon.stop()

    def start_daemon(self):
        self.stop_daemon()
        self.host.run("rm", "-rf", "/var/lib/relaypass")
        self.host.write(MAIL_LOG, "")
        self.daemon = lab.Relaypassd(self.host, self.directory, self.conf())
        self.daemon.start()

    def begin(self, row):
        self.start_daemon()

    def log_in(self, row, address):
        exports.log_in(self.host, address)
        self.daemon.wait_leased(address)

    def end_leases(self, row):
        exports.end_leases(self.daemon)

    def recipient(self, row):
        return FOREIGN

    def send(self, row, client, family):
        """What the server says to a mail to somebody else's domain."""
        self.before_question(row)
        return client.smtp(**client.ends(family), sender=LOCAL,
                           recipient=self.recipient(row),
                           port=self.ports[row.key],
                           message="Subject: hello\n\nhi\n")["code"]


class Postfix(Machine):
    """One Postfix, with an smtpd for each row that has nothing but the
    restrictions of its snippet."""

    # key of a row: snippet, what is written there, what stands for it
    SNIPPETS = {
        "policy-unix": ("main", "", ""),
        "policy-tcp": ("main", "unix:relaypass/policy", "inet:127.0.0.1:10040"),
        "socketmap-unix": ("socketmap", "", ""),
        "socketmap-inet": ("socketmap", "socketmap:unix:relaypass/socketmap:",
                           "socketmap:inet:127.0.0.1:10042:"),
        "tcp-table": ("tcp-table", "", ""),
        "lmdb": ("lmdb", "", ""),
        "hash": ("lmdb", "lmdb:", "hash:"),
        "cdb": ("cdb", "", ""),
        # By it nobody ever relays, says Postfix; it lifts what refuses clients.
        "dnswl": ("dnswl", "reject_rbl_client dnsbl.example.org", "reject"),
    }
    POLICY = """
listener policy { kind = "postfix-policy" group = "postfix"
                  listen = "unix:/var/spool/postfix/relaypass/policy" }
listener policy-tcp { kind = "postfix-policy" listen = "inet:127.0.0.1:10040" }
export cdb { kind = "cdb" path = "/var/lib/relaypass-out/leases.cdb" }
"""

    def prepare(self):
        self.site = servers.Private(self.host)
        ask_relaypass_for_names(self.host)

    def conf(self):
        text = exports.example("relaypass-postfix-tables.conf") + self.POLICY \
            + section("relaypass-dns.conf", "listener dns")
        return text.replace("/var/spool/postfix", self.site.queue).replace(
            "/etc/postfix/", self.site.config_dir + "/")

    def restrictions(self, key):
        name, written, instead = self.SNIPPETS[key]
        text = without_comments(exports.example(f"postfix-{name}.cf.snippet"))
        assert written in text
        return " ".join(text.replace(written, instead).split())

    def recipient(self, row):
        return LOCAL if row.key == "dnswl" else FOREIGN

    def start_servers(self):
        where = self.site.config_dir
        with open(self.host.path(f"{where}/master.cf"), "a",
                  encoding="utf-8") as file:
            for key, port in self.ports.items():
                file.write(f"{port} inet n - n - - smtpd\n"
                           f"  -o {{ {self.restrictions(key)} }}\n")
        self.host.daemon("postfix", "-c", where, "start")


class Exim(Machine):
    """An Exim for each row."""

    CONFIG = """
primary_hostname = mx.test.example
keep_environment =
domainlist local = test.example
acl_smtp_rcpt = rcpt
log_file_path = /var/log/exim4/%s.log
daemon_smtp_ports = {port}
queue_only
exim_user = Debian-exim
exim_group = Debian-exim
host_lookup =
rfc1413_query_timeout = 0s
begin acl
rcpt:
    accept  domains = +local
{rule}
    deny    message = no relay
begin routers
all:
    driver = accept
    transport = none
begin transports
none:
    driver = appendfile
    file = /dev/null
begin rewrite
"""
    # docs/sources/whoson.md
    WHOSON = (r"    accept condition = ${if match {${readsocket{inet:127.0.0.1:"
              r"9876}{QUERY $sender_host_address\n\n}{2s}{}{-}}}{^\\+}}")
    RULES = {
        "readsocket": exports.example("exim-readsocket.conf"),
        "whoson": WHOSON,
        "dnslists": exports.example("exim-dnslists.conf"),
        "dsearch": exports.example("exim-dsearch.conf"),
        "dbm": "    accept condition = ${lookup{$sender_host_address}dbm"
               f"{{{OUT}/leases.db}}{{yes}}{{no}}}}",
        "cdb": "    accept condition = ${lookup{$sender_host_address}cdb"
               f"{{{OUT}/leases.cdb}}{{yes}}{{no}}}}",
        "net-dsearch": f"    accept hosts = net-dsearch;{OUT}/dsearch",
        "net-iplsearch": f"    accept hosts = net-iplsearch;{OUT}/relayhosts",
        "net-lsearch": f"    accept hosts = net-lsearch;{OUT}/pophosts",
    }
    MORE = """
listener exim { kind = "ask" listen = "unix:/run/relaypass/exim"
                group = "Debian-exim" }
listener whoson { kind = "whoson" listen = "inet:127.0.0.1:9876" }
"""
    DBM = f"""
export dbm {{ kind = "berkeley-hash" path = "{OUT}/leases.db"
              ipv6 = "short" nul = yes }}
"""

    def prepare(self):
        host = self.host
        servers_real.install(host, "exim")
        servers_real.add_system_user(host, "Debian-exim")
        ask_relaypass_for_names(host)
        host.run("install", "-d", "-o", "Debian-exim", "-g", "Debian-exim",
                 "/var/spool/exim4", "/var/log/exim4")

    def conf(self):
        return exports.example("relaypass-exports.conf") + self.MORE + section(
            "relaypass-dns.conf", "listener dns") + (
            self.DBM if "dbm" in self.ports else "")

    def start_servers(self):
        for key, port in self.ports.items():
            self.host.write(f"/etc/exim.{port}", self.CONFIG.format(
                port=port, rule=self.RULES[key]))
            self.host.start(
                ["/usr/sbin/exim4", "-C", f"/etc/exim.{port}", "-bdf"],
                self.host.directory / f"exim-{key}.log")
