# SPDX-License-Identifier: ISC
"""rpc.dracd in the place of the old one, with Sendmail as its documents say:
`Kdrac btree /etc/mail/dracd` in the .mc file, `rpc.dracd /etc/mail/dracd.db`,
and a POP server that adds an address by ONC RPC, here a call made by hand."""

import pytest

import lab
from sendmail import BIN, FOREIGN, LOCAL, Site, session

pytestmark = pytest.mark.namespaces

DB = "/etc/mail/dracd.db"
RULES = r"""
LOCAL_CONFIG
Kdrac btree /etc/mail/dracd
LOCAL_RULESETS
SLocal_check_rcpt
R$*	$: $1 $| $(drac $&{client_addr} $: ? $)
R$* $| ?	$: $1
R$* $| $*	$#OK
"""


@pytest.fixture(name="site", scope="module")
def make_site(host, customer, stranger):
    host.install_users()
    site = Site(host, RULES)
    site.customer, site.stranger = customer, stranger
    # The old server's, and it has a row of a client that is long gone.
    host.run("sh", "-c", "printf '203.0.113.8\t1\\n' | "
             f"{BIN}/makemap btree /etc/mail/dracd")
    host.write("/etc/drac/dracd.allow", "255.255.255.255 127.0.0.1\n")
    site.start()
    return site


@pytest.fixture(name="dracd")
def make_dracd(site):
    host = site.host
    done = host.run(lab.program("rpc.dracd"), "-e", "7", DB)
    yield done.stdout
    pid = host.path("/run/relaypass/relaypassd.pid").read_text(
        encoding="ascii").strip()
    host.run("kill", pid)
    lab.wait_for(lambda: host.run("kill", "-0", pid, check=False).returncode,
                 "it ends")


def test_wrong_minutes_and_help(site):
    done = site.host.run(lab.program("rpc.dracd"), "-e", "0", check=False)
    assert done.returncode == 2
    assert "rpc.dracd: minutes must be a number above 0" in done.stdout
    done = site.host.run(lab.program("rpc.dracd"), "--help")
    assert done.stdout.startswith("usage: rpc.dracd ")


ADD = """
import socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(5)
s.connect(("127.0.0.1", 10901))
s.send(struct.pack(">6I", 77, 0, 2, 900101, 1, 1) + bytes(16)
       + socket.inet_aton({address!r}))
print(s.recv(100)[-4:].hex())
"""


def add(site, address):
    """DRAC's answer: 0 is good."""
    done = site.host.run(lab.PYTHON, "-c", ADD.format(address=address))
    return int(done.stdout, 16)


def in_map(site, address):
    return f"{address}\t" in site.host.run(
        f"{BIN}/makemap", "-u", "btree", "/etc/mail/dracd").stdout


def test_sendmail_relays_for_whom_a_pop_server_adds(site, dracd):
    assert f"{DB} now belongs to relaypass-out" in dracd
    customer = site.customer
    with session(customer, "ipv4") as rcpt:
        # What the old server left there is no lease.
        lab.wait_for(lambda: not in_map(site, "203.0.113.8"), "it is gone")
        with session(site.stranger, "ipv4") as other:
            assert other(FOREIGN)["code"] == 550
        assert rcpt(FOREIGN)["code"] == 550
        assert add(site, customer.v4) == 0
        lab.wait_for(lambda: in_map(site, customer.v4), "it is there", 1.2)
        assert rcpt(FOREIGN)["code"] == 250
        with session(site.stranger, "ipv4") as other:
            assert other(FOREIGN)["code"] == 550
            assert other(LOCAL)["code"] == 250
        site.host.run(lab.program("relaypass"), "revoke", customer.v4)
        lab.wait_for(lambda: not in_map(site, customer.v4), "it is gone", 1.2)
        assert rcpt(FOREIGN)["code"] == 550
