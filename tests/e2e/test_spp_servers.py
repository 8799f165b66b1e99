# SPDX-License-Identifier: ISC
"""relaypass-spp in front of Sendmail, Exim and Postfix, which all relay for
whoever speaks to them: what a stranger tries, and what O does. That leases are
heard of is in the matrix (test_matrix.py)."""

import contextlib
import dataclasses
import shlex

import pytest

import lab
import machines_spp as spp
import matrix

pytestmark = pytest.mark.namespaces
SERVERS = {"Sendmail": (spp.Sendmail, ("deb:sendmail",)),
           "Exim": (spp.Exim, ("deb:exim",)),
           "Postfix": (spp.Postfix, ("tool:postfix", "tool:dovecot"))}
WAYS_OUT = [
    "someone@foreign.example",
    "someone%foreign.example@test.example",
    '"someone%foreign.example"@test.example',
    '"someone@foreign.example"@test.example',
    "@test.example:someone@foreign.example",
    "foreign.example!someone@test.example",
    "someone@foreign.example@test.example",
    "someone@test.example@foreign.example",
    "someone@[198.51.100.25]",
    "foreign.example!someone",
    "someone%foreign.example",
]


@dataclasses.dataclass
class Row:
    key: str = "spp"


@pytest.fixture(name="machine", scope="module", params=list(SERVERS))
def make_machine(request, tmp_path_factory):
    kind, needs = SERVERS[request.param]
    for need in (*needs, "deb:ucspi-tcp-ipv6"):
        if why := matrix.missing(need):
            pytest.skip(why)
    with contextlib.ExitStack() as stack:
        yield kind(tmp_path_factory.mktemp("spp"), stack, [Row()])


def rcpt(machine, *recipients):
    """The codes that a stranger's recipients get."""
    client = machine.stranger
    client.smtp_open(**client.ends(matrix.FAMILIES[0]), name="s",
                     port=machine.ports["spp"])
    try:
        client.smtp_mail(name="s", sender="stranger@elsewhere.example")
        return [client.smtp_rcpt(name="s", recipient=to)["code"]
                for to in recipients]
    finally:
        client.hang_up(name="s")


PLUGINS = ("[rcpt]\n:echo STRIED=yes\n", "")


def have_plugins(machine, text):
    machine.host.write(f"{spp.HOME}/control/smtpplugins", text)


@pytest.fixture(name="plugins", params=PLUGINS, ids=["plugins", "none"])
def choose_plugins(request, machine):
    have_plugins(machine, request.param)


@pytest.mark.usefixtures("plugins")
@pytest.mark.parametrize("way", WAYS_OUT)
def test_strangers_ways_out(machine, way):
    assert rcpt(machine, way)[0] in (553, 555)


def test_local_mail_is_taken(machine):
    client = machine.stranger
    assert client.smtp(**client.ends(matrix.FAMILIES[0]),
                       sender="stranger@elsewhere.example",
                       recipient="alice@test.example",
                       port=machine.ports["spp"],
                       message="Subject: hello\n\nhi\n")["code"] == 250
    if isinstance(machine, spp.Sendmail):
        # Not the queue of its mail submission program.
        assert list(machine.host.path("/var/spool/mqueue").glob("qf*"))


@pytest.mark.parametrize("machine", ["Exim"], indirect=True)
@pytest.mark.parametrize("account", ["", spp.Exim.TRUSTED, spp.Exim.OTHER])
def test_whom_exim_believes(machine, account):
    """Sender and address: root and its trusted_users, and nobody else."""
    host, port, options = machine.host, machine.ports["spp"], []
    if account:
        port += 1 + (account == spp.Exim.OTHER)
        for option in ("-u", "-g"):
            options += [option, host.run("id", option, account).stdout.strip()]
        machine.start_server("spp", port, *options)
        lab.wait_for(lambda: host.listens(port), "tcpserver listens")
    client = machine.stranger
    assert client.smtp(**client.ends(matrix.FAMILIES[0]),
                       sender=f"by{account}@elsewhere.example",
                       recipient="alice@test.example", port=port,
                       message="Subject: hello\n\nhi\n")["code"] == 250
    log = host.path("/var/log/exim4/main.log").read_text("utf-8")
    last = [line for line in log.splitlines() if " <= " in line][-1]
    told = f"<= by{account}@elsewhere.example " in last and \
        "[203.0.113.8]" in last
    assert told == (account != spp.Exim.OTHER), last
    if not told:
        assert f"<= {account}@" in last and "203.0.113.8" not in last


def test_o_lets_one_recipient_through(machine):
    """In the middle of a mail: what was taken before stays taken."""
    have_plugins(machine, '[rcpt]\n:case "$SMTPRCPTTO" in via-o@*) echo O;; '
                          'esac\n')
    assert rcpt(machine, "alice@test.example", "someone@foreign.example",
                "via-o@foreign.example", "someone@foreign.example",
                "alice@test.example") == [250, 553, 250, 553, 250]
    client = machine.stranger
    assert client.smtp(**client.ends(matrix.FAMILIES[0]),
                       sender="stranger@elsewhere.example",
                       recipient="via-o@foreign.example",
                       port=machine.ports["spp"],
                       message="Subject: hello\n\nhi\n")["code"] == 250
    if isinstance(machine, spp.Postfix):
        log = machine.host.path("/var/log/postfix.log")
        lab.wait_for(lambda: "to=<via-o@foreign.example>" in log.read_text(),
                     "Postfix sends it on")
        text = log.read_text()
        assert "client=unknown[203.0.113.8]" in text
        assert "sasl_username=relaypass" in text


def test_a_plugin_sends_a_local_recipient_elsewhere(machine):
    have_plugins(machine, '[rcpt]\n:case "$SMTPRCPTTO" in moved@*) '
                          'echo Cnew@foreign.example;; esac\n')
    assert rcpt(machine, "moved@test.example", "moved@foreign.example",
                "alice@test.example") == [250, 553, 250]


def test_by_hand(machine):
    """As docs/spp.md has it: the client is what TCPREMOTEIP says."""
    host, relaypass = machine.host, lab.program("relaypass")
    words = shlex.join(["--home", spp.HOME, "--local-domains", "local",
                        *machine.server("spp")])

    def reply():
        done = host.run(
            "sh", "-c", "printf '%s\\r\\n' 'EHLO client.example.net' "
            "'MAIL FROM:<a@example.org>' 'RCPT TO:<b@foreign.example>' QUIT |"
            f" TCPREMOTEIP=203.0.113.9 {spp.HOME}/bin/relaypass-spp {words}")
        return done.stdout.splitlines()[-2][:3]

    assert host.run(relaypass, "grant", "127.0.0.1", check=False).returncode
    assert reply() == "553"
    host.run(relaypass, "grant", "203.0.113.9")
    assert reply() == "250"
    host.run(relaypass, "revoke", "203.0.113.9")
    assert reply() == "553"


def test_a_lease_ends_inside_a_session(machine):
    """Of two sessions, with plugins and without."""
    client = machine.customer
    address = "203.0.113.7"
    names = dict(zip(PLUGINS, "cd"))

    def rcpt_after_mail(name):
        client.smtp_mail(name=name, sender="alice@test.example")
        code = client.smtp_rcpt(name=name,
                                recipient="someone@foreign.example")["code"]
        client.smtp_reset(name=name)
        return code

    def all_say(code):
        return [rcpt_after_mail(name) for name in names.values()] == [code] * 2

    for plugins, name in names.items():
        have_plugins(machine, plugins)
        client.smtp_open(**client.ends(matrix.FAMILIES[0]), name=name,
                         port=machine.ports["spp"])
    try:
        assert all_say(553)
        machine.log_in(None, address)
        lab.wait_for(lambda: all_say(250), "the lease counts")
        machine.end_leases(None)
        lab.wait_for(lambda: all_say(553), "its end counts")
    finally:
        for name in names.values():
            client.hang_up(name=name)
