# SPDX-License-Identifier: ISC
"""A site whose machines tell each other of logins: three hosts (site3.py), a
relaypassd on each, what carries between them (carriers.py), and, for tests of
trouble, traffic that never pauses and an oracle that judges every answer.

A fourth relaypassd hears no other, and has the same leases: its log has the
logins of all. The others may take as long to answer as it does at the same
time, however busy the machine is."""

import contextlib
import itertools
import random
import threading
import time

import lab
import oracle
import roles
import site3

LOG = "/var/log/logins.log"
LINE = ("{stamp} mx dovecot: imap-login: Login: user=<{user}>, method=PLAIN, "
        "rip={address}, lip=203.0.113.1, mpid=0, TLS, session=<{number}>\n")
HEALED = 5  # seconds until everything is right again
# The example's lines (examples/) follow.
CONF = """
relaypass {{ answerers = 1  pattern-directory = ""  log-level = "{level}" }}
lease     {{ ttl = "{ttl}s"  hold-sessions = "no" }}
source   logins {{ kind = "file"  path = "{log}" }}
listener ask    {{ kind = "ask"  listen = "unix:/run/relaypass/ask" }}
"""


def stamp(time_ms):
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time_ms // 1000))
    return f"{whole}.{time_ms % 1000:03d}+00:00"


class Node(lab.Relaypassd):
    """relaypassd on host i; `ahead`: ms that its clock is before the others'."""

    def __init__(self, i, host, text, ahead=0):
        super().__init__(host, host.directory, text)
        self.i = i
        self.set_ahead(ahead)

    def set_ahead(self, ms):
        self.ahead = ms
        self.clock.set(ms, 0)

    def write_logins(self, lines):
        """(address, user, true time) of each; as this host's clock has it."""
        text = "".join(
            LINE.format(stamp=stamp(at + self.ahead), user=user,
                        address=address, number=f"{address}-{at}")
            for address, user, at in lines)
        with open(self.host.path(LOG), "a", encoding="ascii") as file:
            file.write(text)

    def ask_socket(self):
        return self.host.path(self.socket_path)

    def kill_9(self):
        """As when its power fails, but for the disk."""
        self.process.kill_all()

    def revoke(self, words):
        answer = roles.control(self.host, f"revoke {words}")
        assert answer[-1].startswith("ok"), answer

    def status(self):
        return roles.control(self.host, "status")


class Replicas:
    """The site. `carrier` says what the nodes' configurations add."""

    log_level = "warn"  # each answer would be a line

    def __init__(self, directory, stack, carrier, ttl=12, ahead=(0, 0, 0)):
        self.net = site3.Site(directory, stack)
        self.hosts, self.ttl = self.net.hosts, ttl
        self.carrier = carrier
        carrier.begin(self.net, stack)
        self.nodes = []
        for i, host in enumerate(self.hosts):
            self.nodes.append(self.make_node(
                stack, i, host, carrier.conf(i) + self.more_conf(i), ahead[i]))
        self.set_up_servers(directory, stack)
        (directory / "alone").mkdir()
        host = lab.Host(directory / "alone")
        stack.callback(host.close)
        host.install_users()
        self.alone = self.make_node(stack, len(self.nodes), host)
        for node in [*self.nodes, self.alone]:
            node.start()

    def make_node(self, stack, i, host, more="", ahead=0):
        host.write(LOG, "")
        node = Node(i, host, CONF.format(
            ttl=self.ttl, log=LOG, level=self.log_level) + more, ahead)
        stack.callback(node.stop)
        return node

    def more_conf(self, i):
        """What else stands in node i's configuration."""
        return ""

    def set_up_servers(self, directory, stack):
        """What else runs there; its directories have to be there before
        relaypassd."""

    def sockets(self):
        return [node.ask_socket() for node in self.nodes]

    def wait_joined(self):
        """A login on each is known to all."""
        for node in self.nodes:
            node.write_logins([(f"2001:db8:1::{node.i + 1}", "first",
                                oracle.now())])
        for node in self.nodes:
            for i in range(len(self.nodes)):
                node.wait_leased(f"2001:db8:1::{i + 1}")


class Traffic:
    """Logins and revocations at all nodes, as long as the context lasts."""

    runs = itertools.count(0x100)  # no address or user comes twice

    def __init__(self, site, judge, rate=40, revocations=0.08):
        self.site, self.oracle = site, judge
        self.rate, self.revocations = rate, revocations
        self.numbers, self.salt = itertools.count(1), next(self.runs)
        self.away, self.busy = set(), threading.Lock()
        self.failed = None
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()
        if self.failed:
            raise self.failed

    def run(self):
        try:
            at = time.monotonic()
            while not self.stopping.is_set():
                with self.busy:
                    self.one()
                at += random.expovariate(self.rate)
                time.sleep(max(0, at - time.monotonic()))
        except Exception as err:  # for who waits for us
            self.failed = err

    def leave_out(self, i):
        """Node i is told nothing, and need not answer, until let_in(); what
        logs in there is still written to its log."""
        with self.busy:
            self.away.add(i)
        self.oracle.let_go(i)

    def let_in(self, i):
        self.oracle.is_back(i)
        self.away.discard(i)

    def one(self):
        node, kind = random.choice(self.site.nodes), random.random()
        if kind < self.revocations:
            fact = self.oracle.some_leased(
                None if random.random() < 0.5 else node.i)
            if fact and node.i not in self.away:
                self.revoke(node, fact)
            return
        again = self.oracle.some_leased() if kind > 0.9 else None
        if again:
            self.log_in(node, again.address, again.user)
        else:
            n = next(self.numbers)
            self.log_in(node, f"2001:db8:{self.salt:x}::{n:x}",
                        f"user{n}@{self.salt}.example.org")

    def log_in(self, node, address, user):
        at = oracle.now()
        self.oracle.login(node.i, address, user, at)
        for each in (node, self.site.alone):
            each.write_logins([(address, user, at)])

    def revoke(self, node, fact):
        words = f"address={fact.address}" if random.random() < 0.5 \
            else f"user={fact.user}"
        with self.oracle.revocation(node.i, fact.address):
            node.revoke(words)
        self.site.alone.revoke(words)


class Trial:
    """Traffic, and an oracle that asks and judges, while troubles come and go.
    What takes time here is counted in questions: so many to each node."""

    QUIET = 100  # questions between two troubles
    # (share, times, s): by when that share of the answers of each node is
    # there, against the one that hears no other. The slowest ones are a busy
    # machine's scheduler.
    SLOWER = ((0.5, 1.5, 0.0003), (0.99, 2, 0.003))

    def __init__(self, site, shorter=0, **traffic):
        self.site = site
        self.oracle = oracle.Oracle(
            site.sockets(), site.ttl * 1000, shorter, site.alone.ask_socket())
        self.traffic = Traffic(site, self.oracle, **traffic)
        self.troubled, self.quiet, self.healing = [], [], []

    def __enter__(self):
        self.oracle.__enter__()
        self.traffic.__enter__()
        self.rest()
        self.oracle.wait_right(HEALED)
        self.rest()
        return self

    def __exit__(self, kind, *_):
        try:
            self.traffic.__exit__()
        finally:
            self.oracle.__exit__()

    def questions(self, count):
        """Returns when each node that must answer has done so so many times."""
        goals = {i: len(times) + count
                 for i, times in enumerate(self.oracle.times)}
        lab.wait_for(lambda: all(
            len(self.oracle.times[i]) >= goal or i in self.oracle.away
            for i, goal in goals.items()), f"{count} answers")

    def rest(self):
        began = oracle.now()
        self.questions(self.QUIET)
        self.quiet.append((began, oracle.now()))

    @contextlib.contextmanager
    def trouble(self, what):
        """The body makes trouble and heals it; then everything has to be right
        soon, and nothing may have been wrong at any time."""
        began = oracle.now()
        yield
        healed = oracle.now()
        self.troubled.append((began, healed))
        try:
            took = self.oracle.wait_right(HEALED, newest=healed)
        except AssertionError as err:
            raise AssertionError(f"after {what}: {err}") from err
        finally:
            self.oracle.assert_right()
        self.healing.append(took)
        self.oracle.forget()
        self.rest()

    def assert_never_slower(self):
        """Than the one that hears no other."""
        for when, spans in (("quiet", self.quiet), ("trouble", self.troubled)):
            for share, ratio, extra in self.SLOWER:
                *nodes, alone = [self.oracle.took(spans, i, share)
                                 for i in range(len(self.oracle.times))]
                said = (f"{when}: {share:.0%} of the answers within "
                        f"{max(nodes) * 1e3:.2f} ms, alone "
                        f"{alone * 1e3:.2f} ms")
                print(said)
                assert max(nodes) <= ratio * alone + extra, said
        print(f"right again after at most {max(self.healing):.2f} s")
