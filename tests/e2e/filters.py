# SPDX-License-Identifier: ISC
"""What the tests of filters share: a host with relaypassd by
examples/relaypass-filters.conf as it stands, a DNSBL on which every client is
listed, and Postfix."""

import exports
import lab
import servers

ZONE = "dnsbl.example.org"
LISTED = ["203.0.113.7", "203.0.113.8", "2001:db8::7", "2001:db8::8"]
WHERE = "/etc/postfix"


def prepare(host):
    exports.prepare(host)
    host.write("/etc/resolv.conf", "nameserver 127.0.0.1\n")
    host.write("/var/tmp/listed", "\n".join(LISTED) + "\n")
    server = host.start([lab.PYTHON, lab.HERE / "dnsbl.py", ZONE,
                         "/var/tmp/listed"], host.directory / "dnsbl.log")
    lab.wait_for(lambda: ":0035 " in host.run("cat", "/proc/net/udp").stdout
                 or not server.running(), "the DNSBL listens")
    assert server.running(), server.output()


def start(host, relaypassd, more=""):
    host.write(exports.MAIL_LOG, "")
    return relaypassd(host, exports.example("relaypass-filters.conf") + more)


def prepare_postfix(host):
    host.write(f"{WHERE}/main.cf", servers.PRIVATE_MAIN_CF.replace(
        "-private", "") + "local_transport = discard:\n"
        "default_transport = discard:\nsmtpd_client_restrictions =\n")
    host.write(f"{WHERE}/master.cf", servers.PRIVATE_MASTER_CF)
    # Debian's own, which a first start of Postfix fills.
    host.run("sh", "-c", "mkdir -p /var/spool/postfix /var/lib/postfix; "
             "chown postfix /var/lib/postfix; chmod 755 /var/spool/postfix; "
             "rm -f /var/spool/postfix/pid/*")


def add_main(host, text):
    """Later lines of main.cf count, but Postfix would warn of the first."""
    for line in text.splitlines():
        name = line.partition("=")[0].strip()
        if "=" in line and line[0] not in "# \t":
            host.run("postconf", "-X", name)
    with open(host.path(f"{WHERE}/main.cf"), "a", encoding="utf-8") as file:
        file.write(text)


def add_master(host, text):
    with open(host.path(f"{WHERE}/master.cf"), "a", encoding="utf-8") as file:
        file.write(text)


def start_postfix(host, *ports):
    servers.check_postfix(host)
    host.daemon("postfix", "start")
    lab.wait_for(lambda: all(map(host.listens, ports)), "Postfix listens")


def send(client, family, recipient="someone@foreign.example", port=25):
    return client.smtp(**client.ends(family), sender="alice@test.example",
                       recipient=recipient, port=port,
                       message="Subject: hello\n\nhi\n")
