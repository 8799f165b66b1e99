# SPDX-License-Identifier: ISC
"""The reference of the tests of several machines: in memory, it knows every
login and every revocation that was given, asks all machines without a pause,
and judges each answer:

    an address that nobody logged in from     is never allowed
    a lease                                   never lives, nor says that it
                                              will, past its true end
    where the login was seen                  it is allowed (within DELAY)
    where it was revoked                      never again
    elsewhere, once the revocation was seen   never again

What a machine that is cut off answers is right as long as that holds. Once the
site is whole, differences() names what is not yet as it should be.

All times here are true ones (this process' clock, ms), whatever the machines'
own clocks say.
"""

import contextlib
import dataclasses
import random
import socket
import threading
import time

DELAY = 2000  # ms: a login to its lease where it was seen, on a busy machine
SLACK = 150  # ms: reading of clocks, and the way of an answer
PAUSE = 0.002  # s between two questions to one machine
MEMORY = 20000  # ms: an address is asked for so long after its end
STRANGERS = [f"2001:db8:bad::{i:x}" for i in range(1, 50)] + ["203.0.113.66"]


def now():
    return int(time.time() * 1000)


@dataclasses.dataclass
class Fact:
    """All there is about one address."""

    address: str
    user: str
    logins: list = dataclasses.field(default_factory=list)  # (time, machine)
    seen: dict = dataclasses.field(default_factory=dict)  # machine: last told
    revoked: tuple = None  # (machine, begun, acknowledged)
    allowed: set = dataclasses.field(default_factory=set)  # machines
    gone: dict = dataclasses.field(default_factory=dict)  # machine: when

    def end(self, ttl, machine=None):
        """By all logins, or by those that this machine saw itself."""
        return ttl + max((time_ms for time_ms, where in self.logins
                          if machine is None or where == machine), default=0)


class Wire:
    """One connection to an ask socket, made again when it breaks."""

    def __init__(self, path):
        self.path, self.sock, self.file = str(path), None, None

    def questions(self, lines, limit=3):
        """The answers, or None: nobody answers there."""
        try:
            if self.sock is None:
                self.sock = socket.socket(socket.AF_UNIX)
                self.sock.settimeout(limit)
                self.sock.connect(self.path)
                self.file = self.sock.makefile("rb")
            self.sock.sendall("".join(f"{x}\n" for x in lines).encode())
            answers = [self.file.readline().decode().rstrip("\n")
                       for _ in lines]
            if all(answers):
                return answers
        except OSError:
            pass
        self.close()
        return None

    def close(self):
        with contextlib.suppress(OSError):
            if self.file:
                self.file.close()
            if self.sock:
                self.sock.close()
        self.sock = self.file = None


def chunks(items, size):
    for i in range(0, len(items), size):
        yield items[i:i + size]


class Oracle:
    """paths: of the machines' ask sockets. `shorter`: what the leases of a
    machine whose clock differs may lack (ms); never may they have more.
    `alone`: the socket of one that hears no other; only the time that its
    answers take is of interest, the last in `times`."""

    def __init__(self, paths, ttl, shorter=0, alone=None):
        self.ttl, self.shorter = ttl, shorter
        self.facts, self.lock = {}, threading.Lock()
        self.wrong = []
        self.away = {}  # machine: since when, of those that may be silent
        self.back = {}  # machine: since when it answers again
        asked = [*paths, alone] if alone else paths
        self.times = [[] for _ in asked]  # (when, s) of each answer
        self.wires = [Wire(path) for path in asked]
        self.checks = [Wire(path) for path in paths]
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.ask_on, args=(i,),
                                         daemon=True)
                        for i in range(len(asked))]

    # What is given.

    def login(self, machine, address, user, time_ms):
        """Before its line is written."""
        with self.lock:
            fact = self.facts.setdefault(address, Fact(address, user))
            assert not fact.revoked and fact.user == user
            fact.logins.append((time_ms, machine))
            fact.seen[machine] = now()

    @contextlib.contextmanager
    def revocation(self, machine, address):
        fact = self.facts[address]
        begun = now()
        with self.lock:
            fact.revoked = (machine, begun, None)
        yield
        with self.lock:
            fact.revoked = (machine, begun, now())

    def some_leased(self, machine=None):
        """An address with some time left, not yet revoked; None: none."""
        with self.lock:
            fit = [f for f in self.facts.values() if not f.revoked
                   and now() + self.ttl // 3 < f.end(self.ttl)
                   and (machine is None or machine in f.seen)]
        return random.choice(fit) if fit else None

    def let_go(self, machine):
        """From now on it need not answer."""
        self.away[machine] = now()

    def is_back(self, machine):
        self.back[machine] = now()
        self.away.pop(machine, None)

    def begins_anew(self, machine):
        """It lost all that it knew; what was revoked there, it has to hear
        from others."""
        with self.lock:
            for fact in self.facts.values():
                fact.allowed.discard(machine)
                fact.gone.pop(machine, None)
                if fact.revoked and fact.revoked[0] == machine:
                    fact.revoked = (None, *fact.revoked[1:])

    def sets_its_clock(self, machine):
        """What was past by the clock before may wake by this one: a none of then
        does not say that a revocation was heard."""
        with self.lock:
            for fact in self.facts.values():
                fact.gone.pop(machine, None)

    # What is answered.

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join()
        for wire in [*self.wires, *self.checks]:
            wire.close()

    def question(self):
        """An address and the user to ask for, if any."""
        with self.lock:
            facts = list(self.facts.values())[-2000:]
        if not facts or random.random() < 0.1:
            return random.choice(STRANGERS), None
        fact = random.choice(facts[-200:] if random.random() < 0.5 else facts)
        return fact.address, fact.user if random.random() < 0.2 else None

    def ask_on(self, machine):
        while not self.stopping.wait(PAUSE):
            address, user = self.question()
            line = f"check {address}" + (f" user={user}" if user else "")
            asked, began = now(), time.perf_counter()
            answers = self.wires[machine].questions([line])
            if answers is None:
                if machine not in self.away:
                    time.sleep(0.02)  # it may just have been let go
                    if machine not in self.away \
                            and asked > self.back.get(machine, 0):
                        self.say(machine, asked, address, "no answer")
                continue
            self.times[machine].append((asked, time.perf_counter() - began))
            if machine < len(self.checks):
                self.judge(machine, asked, now(), address, answers[0])

    def say(self, machine, asked, address, what):
        with self.lock:
            fact = self.facts.get(address)
            self.wrong.append(
                f"machine {machine} at {asked}: {address}: {what}; {fact}")

    def judge(self, machine, asked, answered, address, answer):
        with self.lock:
            fact = self.facts.get(address)
            wrong = self.why_wrong_allow(fact, machine, asked, answer) \
                if answer.startswith("allow ") else \
                self.why_wrong_none(fact, machine, asked, answered, answer)
        if wrong:
            self.say(machine, asked, address, f"{answer!r}: {wrong}")

    def why_wrong_allow(self, fact, machine, asked, answer):
        if fact is None:
            return "nobody logged in from there"
        end = fact.end(self.ttl)
        if asked > end + SLACK:
            return f"{asked - end} ms past its end"
        left = int(answer.split("ttl=")[1].split()[0]) * 1000
        # Whole seconds, rounded up.
        if asked + left > end + 1000 + SLACK:
            return f"will end {asked + left - end} ms late"
        if fact.revoked:
            where, _, told = fact.revoked
            if where == machine and told and asked > told:
                return "was revoked here"
            if asked > fact.gone.get(machine, asked):
                return "came back after its revocation"
        fact.allowed.add(machine)
        return None

    def why_wrong_none(self, fact, machine, asked, answered, answer):
        if answer != "none":
            return None if machine in self.away else "what is this"
        if fact is None:
            return None
        if fact.revoked and asked > fact.revoked[1] \
                and machine in fact.allowed:
            fact.gone.setdefault(machine, asked)
        ready = max(fact.seen.get(machine, asked), self.back.get(machine, 0))
        if not fact.revoked and machine not in self.away \
                and asked > ready + DELAY \
                and answered < fact.end(self.ttl, machine) - SLACK \
                - self.shorter:
            return "a customer is refused where he logged in"
        return None

    # When the site is whole.

    def forget(self):
        """Those that ended long ago."""
        with self.lock:
            for address, fact in list(self.facts.items()):
                if fact.end(self.ttl) + MEMORY < now():
                    del self.facts[address]

    def differences(self, machines=None, newest=None):
        """(machine, address, answer) of all that is not yet as it should be;
        leases that end within the next moments are left out, and those newer
        than `newest` (ms)."""
        with self.lock:
            facts = [f for f in self.facts.values() if newest is None
                     or f.end(self.ttl) <= newest + self.ttl]
        found = []
        for machine in range(len(self.checks)) if machines is None \
                else machines:
            for some in chunks(facts, 100):
                found += self.differ(machine, some)
        return found

    def differ(self, machine, facts):
        answers = self.checks[machine].questions(
            [f"check {fact.address}" for fact in facts])
        if answers is None:
            return [(machine, "all", "no answer")]
        at, found = now(), []
        for fact, answer in zip(facts, answers):
            left = fact.end(self.ttl) - at
            want = "none" if fact.revoked or left < -SLACK else "allow"
            ending = not fact.revoked and \
                -SLACK <= left < 200 + self.shorter
            if not ending and not answer.startswith(want):
                found.append((machine, fact.address, answer))
        return found

    def wait_right(self, limit, machines=None, newest=None):
        """Until nothing differs; returns the seconds that it took. What is
        given meanwhile has its own time: only what was given until now (or
        `newest`) is looked at."""
        began = time.monotonic()
        newest = newest or now()
        while left := self.differences(machines, newest):
            assert time.monotonic() < began + limit, \
                self.describe(left, limit)
            time.sleep(0.02)
        return time.monotonic() - began

    def describe(self, left, limit):
        lines = [f"machine {machine}: {answer}; {self.facts.get(address)}"
                 for machine, address, answer in left[:5]]
        return "\n".join([f"{len(left)} wrong after {limit} s", *lines])

    def assert_right(self):
        assert not self.wrong, "\n".join(
            [f"{len(self.wrong)} wrong answers", *self.wrong[:20]])

    def took(self, spans, machine, share):
        """Seconds: by then it had answered such a share of the questions that
        were asked within any of the (from, to)."""
        values = sorted(
            took for at, took in self.times[machine]
            if any(a <= at < b for a, b in spans))
        return values[int(len(values) * share)]
