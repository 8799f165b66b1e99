# SPDX-License-Identifier: ISC
"""Three machines: Dovecot and relaypassd on one, Postfix and relaypassd on two
others, Redis with two replicas and three Sentinels among them. Who reads mail on
the first may send by the others, until the lease is over or revoked."""

import contextlib
import re
import time

import pytest

import carriers
import lab
import oracle
import replicas
import servers

pytestmark = [pytest.mark.namespaces, pytest.mark.needs("dovecot"),
              pytest.mark.needs("postfix"), pytest.mark.needs("tcpserver")]

TTL = 1800
SOON = 1  # s: from a login to the answers of all, on a busy machine
RATE, SECONDS = 1000, 5  # logins a second
# The last part of their addresses; everybody is in front of each machine.
PEOPLE = {"customer-imap": 7, "customer-pop3": 9, "last": 10, "stranger": 8}


class Site(replicas.Replicas):
    """With the mail servers, and a customer who is in front of each machine
    by the same address."""

    log_level = "info"

    def set_up_servers(self, directory, stack):
        self.clients = {}
        self.sinks = []
        for i, host in enumerate(self.hosts):
            for who, n in PEOPLE.items():
                client = lab.Client(host, f"203.0.113.{n}", f"2001:db8::{n}")
                stack.callback(client.close)
                self.clients[who, i] = client
            mail = servers.Private(host)
            if i == 0:
                host.daemon("dovecot")
                continue
            (directory / f"sink{i}").mkdir()
            self.sinks.append(servers.Sink(host, directory / f"sink{i}"))
            stack.callback(self.sinks[-1].close)
            servers.apply_snippet(host, mail.config_dir)
            host.daemon("postfix", "-c", mail.config_dir, "start")
        for host, port in zip(self.hosts, (143, 25, 25)):
            lab.wait_for(lambda: host.listens(port), f"port {port}")

    def more_conf(self, i):
        """What this machine's mail server needs."""
        if i == 0:
            return 'source maillog { kind = "file" ' \
                f'path = "{servers.Private.mail_log}" }}\n'
        return ('listener postfix { kind = "postfix-policy" group = "postfix" '
                f'listen = "unix:{servers.Private.queue}/relaypass/policy" }}\n')

    def send(self, i, family, who, subject="hello"):
        client = self.clients[who, i]
        return client.smtp(**client.ends(family), sender=servers.LOCAL,
                           recipient=servers.FOREIGN,
                           message=f"Subject: {subject}\n\nhi\n")["code"]

    def log_in(self, family, who, protocol="imap"):
        """Returns the address."""
        client = self.clients[who, 0]
        done = getattr(client, protocol)(
            **client.ends(family), user="alice", password=servers.PASSWORD)
        assert done["ok"], done
        return client.ends(family)["source"]

    def advance(self, ms):
        for node in self.nodes:
            node.clock.advance(ms)


@contextlib.contextmanager
def running(tmp_path_factory):
    with contextlib.ExitStack() as stack:
        site = Site(tmp_path_factory.mktemp("site"), stack,
                    carriers.Redis(), TTL)
        site.wait_joined()
        yield site


@pytest.fixture(name="site", scope="module")
def make_site(tmp_path_factory):
    with running(tmp_path_factory) as site:
        yield site


@pytest.fixture(name="leaving")
def make_leaving(tmp_path_factory):
    """One of its own, for whoever leaves the others' time for good."""
    with running(tmp_path_factory) as site:
        yield site


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_a_login_on_one_machine_relays_on_the_others(site, family, protocol):
    who, subject = f"customer-{protocol}", f"{family}-{protocol}"
    assert [site.send(i, family, who) for i in (1, 2)] == [554, 554]
    address = site.log_in(family, who, protocol)
    began = time.monotonic()
    for i in (1, 2):
        site.nodes[i].wait_leased(address, SOON)
    print(f"others know {time.monotonic() - began:.3f} s after the session")
    for i in (1, 2):
        assert site.send(i, family, who, subject) == 250
        site.sinks[i - 1].wait_for(subject)
        assert site.send(i, family, "stranger") == 554
    site.nodes[0].revoke(f"address={address}")
    for i in (1, 2):
        site.nodes[i].wait(lambda: site.nodes[i].check(address) == "none",
                           "the revocation", SOON)
        assert site.send(i, family, who) == 554


def test_a_revocation_on_any_machine_counts_on_all(site):
    for i, node in enumerate(site.nodes):
        address, user = f"198.51.100.{i + 30}", f"thief{i}@example.org"
        site.nodes[0].write_logins([(address, user, oracle.now())])
        for other in site.nodes:
            other.wait_leased(address)
        node.revoke(f"user={user}")
        for other in site.nodes:
            other.wait(lambda: other.check(address) == "none",
                       "the revocation", SOON)
        # A login from before it, however late it comes, gives nothing; nor
        # does one after it, for as long as the revocation says.
        site.nodes[0].write_logins([(address, user, oracle.now() - 1000)])
        site.nodes[0].write_logins([("198.51.100.40", f"last{i}",
                                     oracle.now())])
        for other in site.nodes:
            other.wait_leased("198.51.100.40")
            assert other.check(address) == "none"


def test_a_thousand_logins_a_second(site):
    """For some seconds; nothing is lost, and the others follow."""
    began, sent, lags = time.monotonic(), 0, []
    while sent < RATE * SECONDS:
        due = min(RATE * SECONDS, int((time.monotonic() - began) * RATE) + 1)
        if due - sent < 20 and due < RATE * SECONDS:
            time.sleep(0.005)
            continue
        for node in site.nodes:
            node.write_logins([(of(n), f"u{n}", oracle.now())
                               for n in range(sent, due) if n % 3 == node.i])
        last, asked = due - 1, time.monotonic()
        others = [node for node in site.nodes if node.i != last % 3]
        lab.wait_for(lambda: all(node.check(of(last)).startswith("allow ")
                                 for node in others), "the last of them")
        lags.append(time.monotonic() - asked)
        sent = due
    took = time.monotonic() - began
    # One's logins come in order; which of two comes first is not said.
    for node in site.nodes:
        for n in range(sent - len(site.nodes), sent):
            node.wait_leased(of(n))
    for node in site.nodes:
        wire = oracle.Wire(node.host.path("/run/relaypass/ask"))
        lost = [n for some in oracle.chunks(range(sent), 100)
                for n, answer in zip(some, wire.questions(
                    [f"check {of(n)}" for n in some]))
                if not answer.startswith("allow ")]
        wire.close()
        assert not lost, f"node {node.i}: {len(lost)} of {sent}: {lost[:5]}"
    lags.sort()
    print(f"{sent / took:.0f} logins/s, lag p50 {lags[len(lags) // 2]:.3f} s, "
          f"most {lags[-1]:.3f} s")
    assert sent / took > RATE / 2 and lags[len(lags) // 2] < SOON


def of(n):
    return f"2001:db8:5::{n:x}"


def test_one_line_each_way(site):
    """The log says once that Redis is away, and once that it is back."""
    carrier = site.carrier
    carrier.wait_whole()
    node = site.nodes[0]
    before = len(node.process.output())
    # Who does not see that they hang makes no other master afterwards.
    stopped = [*carrier.servers, *carrier.sentinels]
    for server in stopped:
        server.pause()

    def lines(who):
        return [line for line in node.process.output()[before:].splitlines()
                if " database " in line and who in line]
    who = ("source=other-nodes", "export=to-nodes")
    node.wait(lambda: all(map(lines, who)), "a line of each")
    # They go on trying, and say no more of it.
    site.nodes[0].write_logins([("198.51.100.50", "then", oracle.now())])
    node.wait_leased("198.51.100.50")
    for server in stopped:
        server.resume()
    carrier.wait_whole()
    node.wait(lambda: all(len(lines(w)) > 1 for w in who), "they are back")
    for w in who:
        said = [re.search("database=([a-z]+)", line)[1] for line in lines(w)]
        assert said == ["lost", "back"], lines(w)
    for other in site.nodes:
        other.wait_leased("198.51.100.50", replicas.HEALED)


def test_nobody_relays_when_the_lease_is_over(leaving):
    site = leaving
    address = site.log_in("ipv4", "last")
    for node in site.nodes:
        node.wait_leased(address)
    assert [site.send(i, "ipv4", "last") for i in (1, 2)] == [250, 250]
    site.advance(TTL * 1000 + 1000)
    assert [site.send(i, "ipv4", "last") for i in (1, 2)] == [554, 554]
