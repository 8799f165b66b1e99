# SPDX-License-Identifier: ISC
"""The real ledger, lease rules and answers against the reference model.

Random sequences of logins, logouts, signs of life, grants, revocations, clock
steps, reboots, restarts and changed rules; after every step both must agree on
what the step said, on the answers to the watched questions, and on the rows
that are alive.

RELAYPASS_MODEL_STEPS   how many steps in all (100000)
RELAYPASS_MODEL_SEED    replays the one sequence of this seed
RELAYPASS_MODEL_DRIVER  the program built from driver.c
"""

import dataclasses
import os
import random
import shutil
import subprocess
import tempfile

import pytest

from model import MINUTE, Model, Rules

STEPS = int(os.environ.get("RELAYPASS_MODEL_STEPS", "100000"))
SEQUENCE = 250
START = 1_700_000_000_000

DRIVER = os.environ.get("RELAYPASS_MODEL_DRIVER")

GOOD = ["203.0.113.7", "203.0.113.8", "2001:db8::7", "2001:db8::8", "2001:db8:1::7"]
ODD = ["10.1.2.3", "127.0.0.1", "::ffff:203.0.113.7", "169.254.1.1", "192.0.2.80",
       "192.0.2.25", "fc00::5", "2002:cb00:7107::1", "::1", "::", "224.0.0.1",
       "64:ff9b::1", "198.18.0.1"]
USERS = ["bob", "bob@example.org", "Bob@Example.org", "eve@example.net", "ann"]
NOBODY = ""  # some protocols name no user
WATCH = ([(a, None, None, "any", "") for a in GOOD + ODD[:6]] +
         [(a, "bob", None, "any", "") for a in GOOD[:2]] +
         [(a, None, s, r, "example.org") for a in (GOOD[0], GOOD[2])
          for s, r in (("bob@example.org", "any"), ("BOB@example.ORG", "user"),
                       ("x@example.net", "domain"))] +
         [(GOOD[0], None, None, "user", ""), (GOOD[0], None, "bob", "user", ""),
          (GOOD[1], None, "@example.org", "user", "example.org"),
          (GOOD[1], None, "x@example.org", "domain", "example.org")])
SPANS = [1, 999, 1000, 10_000, 61_000, 5 * MINUTE, 10 * MINUTE, 31 * MINUTE]
JUMPS = [1000, 61_000, 4 * MINUTE, 31 * MINUTE, 24 * 60 * MINUTE, 365 * 24 * 60 * MINUTE]
CHANGES = [
    dict(users=("bob", "eve@example.net", "BOB@EXAMPLE.ORG")), dict(users=()),
    dict(domains=("example.org",)), dict(domains=()),
    dict(deny_users=("eve@example.net",)), dict(deny_users=()),
    dict(require_tls=True), dict(require_tls=False),
    dict(max_users_per_address=2), dict(max_users_per_address=0),
    dict(max_addresses_per_user=2), dict(max_addresses_per_user=0),
    dict(mode="observe"), dict(mode="off"), dict(mode="enforce"), dict(mode="enforce"),
    dict(hold_sessions="no"), dict(hold_sessions="proven"),
    dict(hold_unseen=0), dict(hold_unseen=20 * MINUTE), dict(hold_max=60 * MINUTE),
    dict(hold_max=24 * 60 * MINUTE), dict(max_skew=0), dict(max_skew=5 * MINUTE),
    dict(private=("10.0.0.0/8",)), dict(private=("fc00::/7", "0.0.0.0/0")),
    dict(own=("192.0.2.25",), never=("192.0.2.80",)), dict(own=(), never=()),
    dict(never=("203.0.113.0/24",)), dict(proxy=("2001:db8:1::/48",)), dict(proxy=()),
    dict(always=("10.1.", "127.0.0.0/8")), dict(always=()),
]


# --- steps: tuples without absolute times, so that any may be left out -----

def some_age(rng):
    """How long before now a line was stamped; below zero: ahead."""
    return rng.choice([0, 0, 0, 1000, 10_000, 4 * MINUTE, 29 * MINUTE, 30 * MINUTE,
                       31 * MINUTE, -1000, -4 * MINUTE, -5 * MINUTE, -6 * MINUTE,
                       rng.randrange(40 * MINUTE)])


def make_step(rng, back):
    addr = rng.choice(GOOD if rng.random() < 0.9 else ODD)
    user = rng.choice(USERS) if rng.random() < 0.85 else NOBODY
    userless = int(rng.random() < (0.3 if user else 0.9))
    source = rng.choice([1, 1, 2])
    session = rng.choice(["s%d" % i for i in range(8)])
    kind = rng.choices(
        ["login", "alive", "logout", "end", "server-restart", "grant", "revoke",
         "clock", "jump", "proc", "hold", "walk", "due", "rules", "reopen", "reboot",
         "signs"],
        [32, 5, 6, 5, 2, 3, 3, 22, 5, 6, 6, 4, 6, 3, 1, 1, 1])[0]
    if kind == "login":
        return (kind, addr, user, some_age(rng), rng.randrange(2),
                rng.choice([None, session]), rng.choice([0, 101, 102, 103]),
                source, userless)
    if kind == "alive":
        return (kind, addr, user, session, some_age(rng), userless)
    if kind == "end":
        return (kind, addr, rng.choice([user, NOBODY]), some_age(rng), source)
    if kind == "signs":
        return (kind, rng.randrange(2))
    if kind == "logout":
        return (kind, session, some_age(rng))
    if kind == "server-restart":
        return (kind, some_age(rng))
    if kind == "grant":
        return (kind, addr, user, rng.choice([0, 60_000, 20 * MINUTE, 90 * MINUTE]))
    if kind == "revoke":
        which = rng.randrange(3)
        return (kind, addr if which != 1 else None,
                (user or USERS[0]) if which != 0 else None,
                rng.choice([0, 60_000, 60 * MINUTE]), rng.randrange(4) == 0)
    if kind == "clock":
        span = rng.choice(SPANS)
        return (kind, span, span)
    if kind == "jump":
        # Half of the jumps are taken back later.
        if back and rng.random() < 0.5:
            return ("clock", back.pop(), 0)
        jump = rng.choice(JUMPS) * rng.choice([1, -1])
        back.append(-jump)
        return ("clock", jump, rng.choice([0, 0, 8 * 60 * MINUTE]))
    if kind == "proc":
        return (kind, rng.choice([101, 102, 103]), rng.choice([0, 7, 7, 8]),
                rng.choice([-2000, -3000, -3001, 0, 60_000, 60 * MINUTE]))
    if kind == "walk":
        return (kind, rng.choice([1, 2, 1000]))
    if kind == "rules":
        return (kind, rng.choice(CHANGES))
    if kind == "reopen":
        return (kind, {"ttl": rng.choice([10, 30, 30, 60]) * MINUTE})
    if kind == "reboot":
        return (kind, rng.choice([1000, 5 * MINUTE, 20 * MINUTE, 0, -1, -10 * MINUTE]),
                rng.choice([0, 5000, 60_000]))
    return (kind,)


def make_sequence(seed):
    rng = random.Random(seed)
    rules = Rules(ipv6_prefix=rng.choice([128, 128, 64]))
    back = []
    return rules, [make_step(rng, back) for _ in range(SEQUENCE)]


# --- one step, in the model and as a line for the driver ---------------------

def opt(value):
    return value if value else "-"


def run_step(m, step):
    """Runs it in the model. Returns the driver's line and the result's word."""
    kind, args = step[0], step[1:]
    result = "ok"
    if kind == "login":
        addr, user, age, tls, session, pid, source, userless = args
        time = m.wall - age
        result = m.login(addr, user, time, bool(tls), session, pid, source,
                         bool(userless))
        line = "login %s %s %d %d %s %d %d %d" % (
            addr, opt(user), time, tls, opt(session), pid, source, userless)
    elif kind == "alive":
        addr, user, session, age, userless = args
        result = m.sign_of_life(addr, user, session, m.wall - age, bool(userless))
        line = "alive %s %s %s %d %d" % (
            addr, opt(user), session, m.wall - age, userless)
    elif kind == "end":
        addr, user, age, source = args
        result = str(m.end(addr, user, m.wall - age, source))
        line = "end %s %s %d %d" % (addr, opt(user), m.wall - age, source)
    elif kind == "signs":
        m.signs = bool(args[0])
        line = "signs %d" % args
    elif kind == "logout":
        result = m.logout(args[0], m.wall - args[1])
        line = "logout %s %d" % (args[0], m.wall - args[1])
    elif kind == "server-restart":
        m.restart_of_server(m.wall - args[0])
        result = "none"
        line = "server-restart %d" % (m.wall - args[0])
    elif kind == "grant":
        result = m.grant(*args)
        line = "grant %s %s %d" % (args[0], opt(args[1]), args[2])
    elif kind == "revoke":
        addr, user, span, now_only = args
        result = str(m.revoke(addr, user, span, now_only))
        line = "revoke %s %s %d %d" % (opt(addr), opt(user), span, now_only)
    elif kind == "clock":
        line = "clock %d %d" % args
        m.committed_wall, m.committed_boot = m.wall, m.boot
        m.wall += args[0]
        m.boot += args[1]
    elif kind == "proc":
        pid, start, age = args
        m.processes[pid] = (start, m.wall - age)
        line = "proc %d %d %d" % (pid, start, m.wall - age)
    elif kind == "hold":
        m.hold()
        line = kind
    elif kind == "walk":
        m.walk()
        line = "walk %d" % args
    elif kind == "due":
        line = kind
    elif kind == "rules":
        m.rules = dataclasses.replace(m.rules, **args[0])
        line = "rules " + m.rules.text()
    elif kind == "reopen":
        m.reopen(dataclasses.replace(m.rules, **args[0]))
        line = "reopen " + m.rules.text()
    elif kind == "reboot":
        m.reboot(m.committed_wall + args[0], args[1])
        line = "reboot %d %d" % (m.wall, m.boot)
    # The driver commits with the time at its beginning; opening does not.
    if kind not in ("clock", "rules", "reopen", "reboot"):
        m.commit()
    return line, result


def state_of(m, result):
    answers = [",".join(map(str, m.ask(*w))) for w in WATCH]
    rows = []
    for packed, user, wall, boot in m.rows():
        addr = Model.parse(packed)
        rows.append("%s,%s,%d,%d" % (addr, user, wall, boot))
    return " | ".join((result, " ".join(answers), " ".join(rows))).split()


def play(rules, steps):
    """None, or (number of the first step that differs, what each said)."""
    m = Model(rules, START, 10 * MINUTE)
    lines, wanted = [], []
    for addr, user, sender, require, domain in WATCH:
        lines.append("watch %s %s %s %s %s" % (
            addr, opt(user), opt(sender), require, opt(domain)))
    for step in steps:
        line, result = run_step(m, step)
        lines.append(line)
        wanted.append(state_of(m, result))
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    directory = tempfile.mkdtemp(prefix="relaypass-model-", dir=base)
    try:
        done = subprocess.run(
            [DRIVER, directory, str(START), str(10 * MINUTE), rules.text()],
            input="\n".join(lines) + "\n", capture_output=True, text=True,
            timeout=120, check=False)
    finally:
        shutil.rmtree(directory)
    got = done.stdout.splitlines()[len(WATCH):]
    for i, want in enumerate(wanted):
        if i >= len(got):
            return i, "driver ended: " + done.stderr[-2000:], want
        if got[i].split() != want:
            return i, got[i], want
    if done.returncode:
        return len(steps) - 1, done.stderr[-2000:], []
    return None


def shrink(rules, steps):
    """Leaves out what the failure does not need: halves, quarters ... single."""
    steps = steps[:play(rules, steps)[0] + 1]
    size = len(steps) // 2
    while size:
        at = 0
        while at < len(steps):
            fewer = steps[:at] + steps[at + size:]
            failure = play(rules, fewer)
            if failure:
                steps = fewer[:failure[0] + 1]
            else:
                at += size
        size //= 2
    return steps


def told(seed, rules, steps):
    steps = shrink(rules, steps)
    _, got, want = play(rules, steps)
    m = Model(rules, START, 10 * MINUTE)
    lines = [run_step(m, step)[0] for step in steps]
    got = got.split()
    differ = [(w, g) for w, g in zip(want, got) if w != g]
    return "\n".join(
        ["the model and the program differ; RELAYPASS_MODEL_SEED=%s" % seed,
         "start %d %d %s" % (START, 10 * MINUTE, rules.text())] + lines +
        ["model:   " + " ".join(want), "program: " + " ".join(got),
         "differ (model, program): %s" % differ])


def check(seed):
    rules, steps = make_sequence(seed)
    if play(rules, steps):
        pytest.fail(told(seed, rules, steps), pytrace=False)


@pytest.mark.skipif(not DRIVER, reason="RELAYPASS_MODEL_DRIVER is not set")
def test_model_and_program_agree_after_every_step():
    seed = os.environ.get("RELAYPASS_MODEL_SEED")
    if seed:
        check(int(seed))
        return
    rng = random.SystemRandom()
    for _ in range(max(1, STEPS // SEQUENCE)):
        check(rng.getrandbits(32))
