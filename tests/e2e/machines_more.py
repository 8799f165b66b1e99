# SPDX-License-Identifier: ISC
"""More machines of the matrix (machines.py)."""

import os
import re
import shutil

import exports
import lab
import qpsmtpd
import sendmail
import servers_real
import test_export_nftables as nftables
import test_qmail
from machines import OUT, Machine, section


class Sendmail(Machine):
    """A Sendmail for each row, with a configuration that m4 makes."""

    HACKS = {
        "socketmap": sendmail.HACK,
        "popip": "HACK(`relaypass', `hash /etc/mail/popip')dnl",
        "popauth": "HACK(`relaypass', `hash /etc/mail/popauth')dnl",
        "access": "FEATURE(`access_db', `hash -T<TMPF> /etc/mail/access')dnl",
    }
    MORE = f"""
export popauth {{ kind = "berkeley-hash" path = "/etc/mail/popauth.db" }}
export access {{ kind = "text" style = "access" path = "{OUT}/access" }}
"""

    def prepare(self):
        self.site = sendmail.Site(self.host, sendmail.HACK)
        for name in ("popip", "popauth"):
            self.site.make_map(f"/etc/mail/{name}", owner="relaypass-out")

    def conf(self):
        return exports.example("relaypass-sendmail.conf") + self.MORE

    def start_servers(self):
        lab.wait_for(self.host.path(f"{OUT}/access").exists, "the text")
        self.compile_access()
        for key, port in self.ports.items():
            self.site.build(self.HACKS[key])
            file = f"/etc/mail/{key}.cf"
            self.host.run("cp", sendmail.CONF_CF, file)
            self.host.run("mkdir", "-m", "0700", f"/var/spool/mqueue-{key}")
            self.host.start(
                [f"{sendmail.BIN}/sendmail", "-bD", "-C", file, "-O",
                 f"DaemonPortOptions=Family=inet6,Port={port}", "-O",
                 f"QueueDirectory=/var/spool/mqueue-{key}", "-O",
                 f"PidFile=/run/sendmail-{key}.pid"],
                self.host.directory / f"sendmail-{key}.log")

    def compile_access(self):
        self.host.run("sh", "-c", f"{sendmail.BIN}/makemap hash "
                      f"/etc/mail/access <{OUT}/access")

    def before_question(self, row):
        if row.key == "access":
            self.compile_access()


class Qmail(Machine):
    """tcpserver and a server that honours RELAYCLIENT as qmail-smtpd does, for
    each row; Debian's tcpserver that knows IPv6 excludes the other one."""

    UCSPI = "/var/local/ucspi-tcp-ipv6"

    def prepare(self):
        host = self.host
        for deb in (servers_real.PACKAGES / "ucspi-tcp-ipv6").glob("*.deb"):
            host.run("dpkg-deb", "-x", deb, self.UCSPI)
        test_qmail.install_qmail(host)
        for name in ("relay-ctrl", "relaypass-spp", "relaypass-spp-queue"):
            shutil.copy(lab.program(name), host.path(f"/usr/local/bin/{name}"))
        host.write("/var/qmail/control/smtpplugins", "")
        host.write("/var/qmail/bin/qmail-queue",
                   "#!/bin/sh\nexec cat >/var/qmail/queue/$$.msg\n", 0o755)
        host.path("/usr/local/bin/relay-ctrl-check").symlink_to("relay-ctrl")

    def conf(self):
        return exports.example("relaypass-exports.conf") + section(
            "relaypass-qmail.conf", "listener run")

    def run_file(self, example, port):
        """An example, at another port."""
        text = exports.example(example)
        assert "\t0 25 \\\n" in text
        return text.replace("\t0 25 \\\n", f"\t0 {port} \\\n")

    def script(self, key, port):
        if key == "relaypass-run":
            return self.run_file("qmail-run", port)
        if key == "relaypass-spp":
            return self.run_file("qmail-spp-run", port)
        if key == "relay-ctrl-check":
            # What the example opens as root, relaypassd keeps.
            return self.run_file("relay-ctrl-smtpd-run", port).replace(
                "/var/spool/relay-ctrl/allow", f"{OUT}/relay-ctrl").replace(
                    "relay-ctrl-chdir", "env").replace(
                        "RELAY_CTRL_EXPIRY=900", "RELAY_CTRL_EXPIRY=1800")
        return (f"#!/bin/sh\ncd /var/qmail && exec tcpserver -RHl mx "
                f"-x {OUT}/tcp.smtp.cdb 0 {port} bin/qmail-smtpd\n")

    def start_servers(self):
        for key, port in self.ports.items():
            file = f"/var/qmail/run-{key}"
            self.host.write(file, self.script(key, port), 0o755)
            self.host.start(
                ["env", f"PATH={self.UCSPI}/usr/bin:{os.environ['PATH']}",
                 file], self.host.directory / f"{key}.log")


class OpenSmtpd(Machine):
    """One smtpd, with a tag for each row and its snippet for that tag."""

    SNIPPETS = {"file": "smtpd.conf.snippet", "db": "smtpd-db.conf.snippet"}

    def prepare(self):
        host = self.host
        servers_real.install(host, "opensmtpd")
        servers_real.add_system_user(host, "opensmtpd")
        servers_real.add_system_user(host, "opensmtpq")
        host.run("install", "-d", "-m", "0711", "/var/spool/smtpd",
                 "/var/lib/opensmtpd/empty")
        host.run("install", "-d", "/run/opensmtpd")
        host.write("/etc/aliases", "")
        # As Debian's package does it when it is installed, not unpacked.
        host.run("sh", "-c", "cp /usr/sbin/smtpctl /var/local/; chgrp "
                 "opensmtpq /var/local/smtpctl; chmod 2555 /var/local/smtpctl")

    def conf(self):
        return exports.example("relaypass-exports.conf") + (section(
            "relaypass-opensmtpd.conf", "export opensmtpd").replace(
                "export opensmtpd", "export opensmtpd-db")
            if "db" in self.ports else "")

    def start_servers(self):
        text = ""
        for key, port in self.ports.items():
            # smtpd does not start without its tables.
            file = {"file": "opensmtpd", "db": "opensmtpd.db"}[key]
            lab.wait_for(self.host.path(f"{OUT}/{file}").exists, file)
            for address in (lab.Host.V4, lab.Host.V6):
                text += f"listen on {address} port {port} tag {key}\n"
        text += 'action "outbound" relay host smtp://127.0.0.1:9\n'
        for key in self.ports:
            snippet = exports.example(self.SNIPPETS[key])
            assert "match from" in snippet
            text += snippet.replace("match from", f"match tag {key} from")
            if key != "file":
                text = text.replace("table relaypass db", f"table {key} db")
                text = text.replace(f"tag {key} from src <relaypass>",
                                    f"tag {key} from src <{key}>")
        self.host.write("/etc/smtpd.conf", text + """
action "local" maildir "/var/tmp/maildir"
match from any for domain "test.example" action "local"
""")
        self.host.start(["/usr/sbin/smtpd", "-d", "-f", "/etc/smtpd.conf"],
                        self.host.directory / "smtpd.log")

    def before_question(self, row):
        """What the unit beside the path unit runs."""
        if row.key == "file":
            command = re.search("(?m)^ExecStart=(.*)$", exports.example(
                "opensmtpd-table.service"))[1].split()
            self.host.run(command[0].replace("/usr/sbin", "/var/local"),
                          *command[1:])


class Qpsmtpd(Machine):
    """One qpsmtpd after another at port 25."""

    def prepare(self):
        self.server = qpsmtpd.Qpsmtpd(self.host)
        self.ports = dict.fromkeys(self.ports, qpsmtpd.PORT)
        self.running = None

    TABLE = "/var/lib/relaypass-out/maildb.sqlite"

    def conf(self):
        return exports.example("relaypass-qpsmtpd.conf") + (section(
            "relaypass-sql.conf", "export qpsmtpd")
            if "table" in self.ports else "")

    def start_servers(self):
        self.switch(next(iter(self.ports)))

    def switch(self, key):
        if self.running == key:
            return
        self.server.stop()
        config = {}
        if key == "table":
            base = exports.example("qpsmtpd-db_base")
            assert qpsmtpd.DATABASE in base
            config = {"db_base": base.replace(qpsmtpd.DATABASE, self.TABLE),
                      "db_relay": exports.example("qpsmtpd-db_relay")}
            lab.wait_for(lambda: self.host.path(self.TABLE).exists() and
                         self.host.path(self.TABLE).stat().st_size,
                         "relaypass has made the table")
        self.server.start(**config)
        self.running = key

    def begin(self, row):
        super().begin(row)
        self.switch(row.key)


class Courier(Machine):
    """couriertcpd, which starts a server that honours RELAYCLIENT as Courier's
    own does."""

    def prepare(self):
        host = self.host
        servers_real.install(host, "courier-mta")
        for directory in ("control", "queue"):
            host.path(f"/var/qmail/{directory}").mkdir(parents=True)
        host.write("/var/qmail/control/rcpthosts", "test.example\n")
        host.run("sh", "-c", "rm -f /etc/courier/smtpaccess/default; "
                 f"ln -sf {OUT}/smtpaccess/relaypass /etc/courier/smtpaccess/")
        # Debian gives makedat its name when the package is installed, not
        # unpacked.
        host.run("sh", "-c", "mkdir -p /run/courier; "
                 "sed 's,/makedat ,/makedat.courier ,' "
                 "/usr/sbin/makesmtpaccess >/var/local/makesmtpaccess; "
                 "chmod 755 /var/local/makesmtpaccess")

    def conf(self):
        return exports.example("relaypass-exports.conf")

    def start_servers(self):
        file = self.host.path(f"{OUT}/smtpaccess/relaypass")
        lab.wait_for(file.exists, "the file")
        self.host.run("/var/local/makesmtpaccess")
        port, = self.ports.values()
        program = "/usr/sbin/couriertcpd"
        # The one of Debian 13 never asks for it.
        no_ident = ["-noidentlookup"] if b"noidentlookup" in \
            self.host.path(program).read_bytes() else []
        self.host.start(
            [program, "-access=/etc/courier/smtpaccess.dat",
             "-pid=/run/courier/esmtpd.pid", "-nodnslookup", *no_ident,
             port, lab.PYTHON, lab.HERE / "qmail_smtpd.py", "/var/qmail"],
            self.host.directory / "couriertcpd.log")

    def before_question(self, row):
        """What the unit beside the path unit runs."""
        self.host.run("/var/local/makesmtpaccess")


class Firewall(Machine):
    """The kernel's own, before a server at the submission port."""

    def prepare(self):
        self.ports = dict.fromkeys(self.ports, 587)
        self.host.run("nft", "-f", str(lab.EXAMPLES / "relaypass.nft"))

    def conf(self):
        return exports.example("relaypass-nftables.conf")

    def start_servers(self):
        self.host.start([lab.PYTHON, "-c", nftables.SERVE],
                        self.host.directory / "server.log")

    def send(self, row, client, family):
        return 250 if nftables.reaches(
            client, client.ends(family)["server"]) else row.refused
