# SPDX-License-Identifier: ISC
"""Machines of the matrix (machines.py) with relaypass-spp in front: none of
these servers knows of relaypass, and all of them relay for whoever speaks to
them. In each a stranger is tried, too."""

import os
import shutil

import dovecot_conf
import exports
import lab
import machines
import machines_more as more
import sendmail
import servers
import servers_real

HOME = "/etc/relaypass/spp"
PROGRAMS = ("relaypass-spp", "relaypass-spp-queue")


class Spp(machines.Machine):
    """tcpserver and relaypass-spp at each row's port."""

    def install(self):
        host = self.host
        for deb in (servers_real.PACKAGES / "ucspi-tcp-ipv6").glob("*.deb"):
            host.run("dpkg-deb", "-x", deb, more.Qmail.UCSPI)
        host.run("install", "-d", f"{HOME}/control", f"{HOME}/bin")
        for name in PROGRAMS:
            shutil.copy(lab.program(name), host.path(f"{HOME}/bin/{name}"))
        host.write(f"{HOME}/control/smtpplugins",
                   "[rcpt]\n:echo STRIED=yes\n")
        host.write(f"{HOME}/local", "test.example\n")

    def conf(self):
        return exports.example("relaypass-exports.conf")

    def server(self, key):
        """Its arguments."""
        raise NotImplementedError

    def start_server(self, key, port, *options):
        """`options` are tcpserver's."""
        self.host.start(
            ["env", f"PATH={more.Qmail.UCSPI}/usr/bin:{os.environ['PATH']}",
             "tcpserver", "-RHl", "mx", *options, "0", str(port),
             f"{HOME}/bin/relaypass-spp", "--home", HOME,
             "--local-domains", "local", *self.server(key)],
            self.host.directory / f"{key}-{port}.log")

    def start_servers(self):
        for key, port in self.ports.items():
            self.start_server(key, port)


class Sendmail(Spp):
    def prepare(self):
        self.site = sendmail.Site(self.host, "")
        self.install()

    def server(self, key):
        return [f"{sendmail.BIN}/sendmail", "-bs", "-Am",
                "-O", "DeliveryMode=queueonly"]


class Exim(Spp):
    # What comes through a pipe has no address of its own that it came to.
    RULE = "    accept condition = ${if def:interface_address {no}{yes}}"
    TRUSTED, OTHER = "spp-trusted", "spp-other"

    def prepare(self):
        self.mta = machines.Exim.prepare(self)
        self.host.write("/etc/exim4/exim4.conf",
                        f"trusted_users = {self.TRUSTED}\n" +
                        machines.Exim.CONFIG.format(port=25, rule=self.RULE))
        for name in (self.TRUSTED, self.OTHER):
            servers_real.add_system_user(self.host, name)
        self.install()

    def server(self, key):
        return ["sh", "-c", 'exec exim4 -bs -oMa "$TCPREMOTEIP"']


class Postfix(Spp):
    """By TCP and XCLIENT, at a port of loopback. A login that XCLIENT tells of
    counts only where SASL is on, so Dovecot is there, too."""

    INNER = 10025
    DOVECOT = """
protocols =
log_path = /var/log/dovecot.log
ssl = no
passdb {
  driver = static
  args = password=secret
}
userdb {
  driver = static
  args = uid=alice gid=alice home=/home/alice
}
service auth {
  unix_listener %s/private/auth {
    mode = 0666
  }
}
"""

    def prepare(self):
        self.site = servers.Private(self.host)
        dovecot_conf.write(self.host, self.DOVECOT % self.site.queue)
        machines.ask_relaypass_for_names(self.host)
        self.install()

    def server(self, key):
        return ["--relay-login", "relaypass",
                "--connect", f"127.0.0.1:{self.INNER}"]

    def start_servers(self):
        where = self.site.config_dir
        with open(self.host.path(f"{where}/master.cf"), "a",
                  encoding="utf-8") as file:
            file.write(exports.example("postfix-spp.cf.snippet"))
        self.host.daemon("postfix", "-c", where, "start")
        self.host.daemon("dovecot")
        lab.wait_for(lambda: self.host.listens(self.INNER), "smtpd")
        super().start_servers()
