# SPDX-License-Identifier: ISC
"""Somebody who may write all there is in Redis, but has no key of the site:
forged, replayed and reordered entries, a snapshot that was tampered with. No
address gets a lease that no node gave it, none lives past its end, none comes
back that was revoked; and what is refused is counted, not written line by line.

The records of the other node are made here, by a second implementation of
src/replica/record.h. How many attacks: RELAYPASS_ATTACKS."""

import hashlib
import hmac
import os
import random
import re
import socket
import time

import pytest

import databases
import lab
import redis_site

ATTACKS = int(os.environ.get("RELAYPASS_ATTACKS", "1000"))
TTL = 3600_000  # ms, of site1
MINUTE = 60_000
SECRET = redis_site.KEYS.split()[1]
NODE = "00000000000000a1"
STREAM = "relaypass:changes"


# --- the other node -------------------------------------------------------------


def coded(text):
    return "".join(chr(b) if 0x20 < b < 0x7f and b not in b"%=" else f"%{b:02X}"
                   for b in text.encode())


def sign(body, secret=SECRET):
    mac = hmac.new(secret.encode(), body.encode(), hashlib.sha256).hexdigest()
    return f"{body} mac={mac}"


def lease(address, issued, user="anna", left=TTL, node=NODE, key="k1",
          secret=SECRET, age=0):
    """A lease that ends `left` behind its issue; ms since 1970."""
    return sign(f"1 lease address={address} user={coded(user)} tls=yes "
                f"server=dovecot node={node} issued={issued} "
                f"time={issued - age} end={issued + left} key={key}", secret)


def revocation(address, issued, user="", left=TTL, sequence=1, key="k1",
               secret=SECRET):
    return sign(f"1 revoke address={address or 'any'} user={coded(user)} "
                f"node={NODE} sequence={sequence} issued={issued} "
                f"time={issued} end={issued + left} key={key}", secret)


# --- the attacker ---------------------------------------------------------------


class Attacker:
    """A connection to Redis with every right there is. Commands are sent in one
    go by flush(); their errors are the attacker's own business."""

    def __init__(self, server):
        self.sock = socket.create_connection((server.host, server.port), 20)
        self.replies = self.sock.makefile("rb")
        self.waiting, self.count = [], 0

    def do(self, *words):
        words = [w if isinstance(w, bytes) else str(w).encode() for w in words]
        self.waiting.append(b"*%d\r\n" % len(words) + b"".join(
            b"$%d\r\n%s\r\n" % (len(w), w) for w in words))
        self.count += 1
        return self

    def flush(self):
        """The first lines of the replies; all are integers, words or one
        string."""
        self.sock.sendall(b"".join(self.waiting))
        lines = []
        for _ in self.waiting:
            line = self.replies.readline()
            if line.startswith(b"$") and line != b"$-1\r\n":
                line = self.replies.read(int(line[1:]) + 2)
            lines.append(line.rstrip(b"\r\n"))
        self.waiting = []
        return lines

    def add(self, record, entry="*", stream=STREAM, field="r"):
        return self.do("XADD", stream, entry, field, record)

    def put(self, name, record, left=TTL):
        return self.do("SET", name, record, "PX", left)

    def close(self):
        self.replies.close()
        self.sock.close()


def name_of(number, what="lease"):
    """Of a key as relaypassd looks at: an address and no user."""
    return f"relaypass:{what}:{NODE}:{number:032x}"


@pytest.fixture(name="server", scope="module")
def make_server():
    with databases.running(
            databases.Redis, acl=[redis_site.USER]) as server:
        yield server


@pytest.fixture(name="redis")
def make_redis(server):
    server.execute("FLUSHALL")
    return server


@pytest.fixture(name="attacker")
def make_attacker(redis):
    attacker = Attacker(redis)
    yield attacker
    attacker.close()


@pytest.fixture(name="node")
def make_node(redis):
    with redis_site.nodes(redis, 1, words=("source",)) as (node,):
        yield node


class Numbers:
    """Addresses, each once."""

    def __init__(self):
        self.last = 0

    def __call__(self, count=None):
        if count is not None:
            return [self() for _ in range(count)]
        self.last += 1
        net, host = divmod(self.last, 250)
        return f"198.51.{100 + net}.{host + 1}" if self.last % 5 \
            else f"2001:db8::{self.last:x}"


@pytest.fixture(name="fresh")
def make_fresh():
    return Numbers()


def clock(node):
    """What the node's clock shows, ms."""
    return int(time.time() * 1000) + node.ahead


def advance(node, ms):
    node.clock.advance(ms)
    node.ahead += ms


@pytest.fixture(name="victim")
def make_victim(node, attacker, fresh):
    node.ahead = 0
    start(node, attacker, fresh)
    yield node


def left_of(node, address):
    """ms that its lease is to live, 0: none."""
    answer = node.check(address)
    assert answer == "none" or answer.startswith("allow "), answer
    found = re.search(r"ttl=(\d+)", answer)
    return int(found[1]) * 1000 if found else 0


def start(node, attacker, fresh):
    """Until it has joined: what is added from now on it reads in the stream.
    Here, as anywhere, another node writes what it says twice."""
    if node.process:
        node.stop()
    node.start()
    first = fresh()
    record = lease(first, clock(node))
    attacker.put(name_of(0), record).add(record).flush()
    node.wait_leased(first)


def wait_read(node, attacker, fresh):
    """Until all that is in the stream was read: what is genuine is taken
    still."""
    last = fresh()
    attacker.add(lease(last, clock(node))).flush()
    node.wait_leased(last)


def check_none(node, addresses):
    wrong = [a for a in addresses if node.check(a) != "none"]
    assert not wrong, f"{wrong}\n{node.errors()}"


def check_ends(node, ends, slack=1000):
    """No lease is longer than the node's own; ms by the daemon's clock."""
    for address, end in ends.items():
        left = left_of(node, address)
        assert left <= max(end - clock(node), 0) + slack, \
            f"{address}: {left} ms, not {end - clock(node)}\n{node.errors()}"


# --- forged ---------------------------------------------------------------------


def mutated(record, dice):
    """The same, but for a byte or some; what a signature must not survive."""
    data = bytearray(record.encode())
    how = dice.randrange(5)
    at = dice.randrange(len(data))
    if how == 0:
        data[at] ^= 1 << dice.randrange(8)
    elif how == 1:
        del data[at:at + dice.randrange(1, 9)]
    elif how == 2:
        data[at:at] = dice.randbytes(dice.randrange(1, 9))
    elif how == 3:
        data += dice.randbytes(dice.randrange(1, 30))
    else:
        data = data[at + 1:]
    return bytes(data)


def with_address(record, address):
    """Another's, with its signature."""
    return re.sub("address=[^ ]*", f"address={address}", record)


def forgeries(genuine, address, now, dice):
    """One that must give the address nothing."""
    stranger = "7" * 40
    ways = [
        lambda: mutated(with_address(genuine, address), dice),
        lambda: with_address(genuine, address),
        lambda: lease(address, now, secret=stranger),
        lambda: lease(address, now, key="k2", secret=stranger),
        lambda: lease(address, now, key="", secret=SECRET),
        lambda: lease(address, now, secret=""),
        lambda: lease(address, now).rsplit(" mac=", 1)[0],
        lambda: lease(address, now).rsplit(" mac=", 1)[0] + " mac=" + "0" * 64,
        lambda: lease(address, now).upper(),
        lambda: lease(address, now) + "\n",
        lambda: " " + lease(address, now),
        lambda: "\0" + lease(address, now),
        lambda: sign(lease(address, now).replace("1 lease", "2 lease"), ""),
        lambda: genuine + "\n" + with_address(genuine, address),
        lambda: f"{address} anna",
        lambda: "x" * dice.randrange(5000),
        lambda: dice.randbytes(dice.randrange(2000)),
        lambda: "",
    ]
    return dice.choice(ways)()


def test_forged_entries_give_nothing(victim, attacker, fresh):
    dice = random.Random(1)
    genuine = lease(fresh(), clock(victim))
    targets = fresh(ATTACKS)
    for address in targets:
        forged = forgeries(genuine, address, clock(victim), dice)
        attacker.add(forged, field=dice.choice("rrrrx"))
    attacker.flush()
    wait_read(victim, attacker, fresh)
    check_none(victim, targets)
    log = [line for line in victim.errors().splitlines()
           if "other-nodes" in line]
    for word in ("forged", "malformed", "unknown-key"):
        assert any(word in line for line in log), victim.errors()
    # Counted: one line for each reason, each minute.
    assert len(log) < 12, victim.errors()
    victim.stop()
    told = sum(int(n) for n in re.findall(r"count=(\d+)", victim.errors()))
    assert told >= ATTACKS * 0.7, victim.errors()


def test_forged_keys_give_nothing_to_who_joins(node, attacker, fresh):
    node.ahead = 0
    dice = random.Random(2)
    now = clock(node)
    good = fresh()
    genuine = lease(good, now)
    targets = fresh(ATTACKS // 2)
    for i, address in enumerate(targets):
        attacker.put(name_of(i), forgeries(genuine, address, now, dice))
    # Neither do keys that are no strings, or have odd names.
    attacker.do("LPUSH", name_of(1 << 100), genuine)
    attacker.do("SET", name_of(2 << 100), "x")
    attacker.do("HSET", "relaypass:lease:", "r", genuine)
    attacker.put("relaypass:lease:*", "x").put("relaypass:lease:\n\0", "x")
    attacker.put(f"relaypass:lease:{NODE}:odd", genuine)
    attacker.put(name_of(1, "revoke"), with_address(
        revocation(good, now), good)[:-1] + "0123456789abcdef"[now % 16])
    attacker.put(name_of(3 << 100), genuine).flush()
    start(node, attacker, fresh)
    node.wait_leased(good)
    wait_read(node, attacker, fresh)  # the stream comes behind the keys
    check_none(node, targets)


def test_entries_below_other_names_are_not_read(victim, attacker, fresh):
    targets = fresh(40)
    for i, address in enumerate(targets):
        record = lease(address, clock(victim))
        attacker.add(record, stream=("other:changes", "relaypass:change",
                                     "changes", "relaypass:changes2")[i % 4])
        attacker.put(f"other:lease:{NODE}:{i}", record)
    attacker.flush()
    wait_read(victim, attacker, fresh)
    check_none(victim, targets)


# --- genuine, and shown again ---------------------------------------------------


def test_replays_do_not_move_an_end(victim, attacker, fresh):
    dice = random.Random(3)
    now = clock(victim)
    ends, records = {}, []
    for address in fresh(20):
        left = dice.randrange(10 * MINUTE, TTL)
        ends[address] = now + left
        records.append(lease(address, now, left=left))
    for round_ in range(ATTACKS // 100):
        for _ in range(100):
            # Ids that say it is newer, or older, than it is.
            attacker.add(dice.choice(records))
        attacker.flush()
        wait_read(victim, attacker, fresh)
        check_ends(victim, ends)
        advance(victim, 7 * MINUTE)
        check_ends(victim, ends)
        if round_ == 5:
            start(victim, attacker, fresh)
            check_ends(victim, ends)
    over = [a for a, end in ends.items() if end < clock(victim)]
    assert len(over) > 10
    check_none(victim, over)


def test_a_lease_that_is_over_does_not_come_back(victim, attacker, fresh):
    now = clock(victim)
    targets = fresh(20)
    records = [lease(address, now) for address in targets]
    for record in records:
        attacker.add(record)
    attacker.flush()
    for address in targets:
        victim.wait_leased(address)
    advance(victim, TTL + 1000)
    for i in range(10):
        for n, record in enumerate(records):
            attacker.add(record)
            attacker.put(name_of(n), record, 10 * TTL)
        attacker.flush()
        wait_read(victim, attacker, fresh)
        check_none(victim, targets)
        if i == 4:
            # Who joins anew, and knows of nothing.
            attacker.do("DEL", STREAM).flush()
            start(victim, attacker, fresh)


def test_a_clock_ahead_is_no_longer_lease(victim, attacker, fresh):
    """The node's clock is four minutes ahead: what it said at once shows it,
    and its leases end when they end there."""
    ahead = 4 * MINUTE
    now = clock(victim)
    first, second = fresh(2)
    attacker.add(lease(first, now + ahead)).flush()
    victim.wait_leased(first)
    ends = {first: now + TTL, second: now + TTL}
    kept_back = lease(second, now + ahead)
    check_ends(victim, ends)
    advance(victim, TTL - 2 * MINUTE)
    start(victim, attacker, fresh)
    attacker.add(kept_back).flush()
    wait_read(victim, attacker, fresh)
    check_ends(victim, ends, slack=2000)
    advance(victim, 3 * MINUTE)
    for _ in range(20):
        attacker.add(lease(first, now + ahead)).add(kept_back)
    attacker.flush()
    wait_read(victim, attacker, fresh)
    check_none(victim, [first, second])


def test_a_clock_too_far_ahead_gives_nothing(victim, attacker, fresh):
    target = fresh()
    record = lease(target, clock(victim) + 6 * MINUTE)
    attacker.add(record).flush()
    wait_read(victim, attacker, fresh)
    check_none(victim, [target])
    assert "clock-ahead" in victim.errors()


# --- revocations ----------------------------------------------------------------


def test_a_revoked_lease_does_not_come_back(victim, attacker, fresh):
    now = clock(victim)
    targets = fresh(30)
    grants = [lease(a, now) for a in targets]
    for grant in grants:
        attacker.add(grant)
    attacker.flush()
    for address in targets:
        victim.wait_leased(address)
    # By address, by both, and for a short time.
    for i, address in enumerate(targets):
        attacker.add(revocation(
            address, clock(victim), user="anna" if i % 2 else "",
            left=10 * MINUTE if i % 3 else TTL, sequence=i))
    attacker.flush()
    wait_read(victim, attacker, fresh)
    check_none(victim, targets)
    for round_ in range(ATTACKS // 120):
        for n, grant in enumerate(grants):
            attacker.add(grant)
            attacker.put(name_of(n), grant, 10 * TTL)
        attacker.flush()
        wait_read(victim, attacker, fresh)
        check_none(victim, targets)
        advance(victim, 9 * MINUTE)
        if round_ == 3:
            attacker.do("DEL", STREAM).flush()
            start(victim, attacker, fresh)


def test_any_order_ends_the_same(victim, attacker, fresh):
    """Each address has a story of grants and revocations; it is told in any
    order, and more than once."""
    dice = random.Random(4)
    now = clock(victim)
    story, allowed, refused = [], {}, []
    for i in range(max(ATTACKS // 10, 20)):
        address = fresh()
        first = lease(address, now - 20 * MINUTE, left=40 * MINUTE)
        cut = revocation(address, now - 15 * MINUTE, left=6 * MINUTE,
                         sequence=i)
        again = lease(address, now - 5 * MINUTE, left=30 * MINUTE)
        story += [first, cut]
        if i % 2:
            story.append(again)
            allowed[address] = now + 25 * MINUTE
        else:
            refused.append(address)
    told = story * 3
    dice.shuffle(told)
    for record in told:
        attacker.add(record)
    attacker.flush()
    wait_read(victim, attacker, fresh)
    check_none(victim, refused)
    check_ends(victim, allowed)
    for address, end in allowed.items():
        assert left_of(victim, address) > end - clock(victim) - 5000


def test_a_revocation_that_comes_late_still_counts(victim, attacker, fresh):
    """It was held up until it was over; the lease of before it is not."""
    now = clock(victim)
    target = fresh()
    attacker.add(lease(target, now)).flush()
    victim.wait_leased(target)
    cut = revocation(target, clock(victim), left=5 * MINUTE)
    advance(victim, 10 * MINUTE)
    assert left_of(victim, target) > 0
    attacker.add(cut).flush()
    wait_read(victim, attacker, fresh)
    check_none(victim, [target])


def test_an_old_revocation_cannot_be_made_longer(victim, attacker, fresh):
    now = clock(victim)
    target = fresh()
    cut = revocation(target, now, left=6 * MINUTE)
    advance(victim, 8 * MINUTE)
    attacker.add(lease(target, clock(victim)))
    for _ in range(50):
        attacker.add(cut)
    attacker.put(name_of(1, "revoke"), cut, 10 * TTL).flush()
    wait_read(victim, attacker, fresh)
    assert left_of(victim, target) > TTL - MINUTE


# --- the snapshot ---------------------------------------------------------------


def test_a_key_that_lives_longer_is_no_longer_lease(node, attacker, fresh):
    """The attacker changes what expires when, and under which name it lies."""
    node.ahead = 0
    dice = random.Random(5)
    now = clock(node) - 50 * MINUTE  # issued then
    ends = {}
    names = [name_of(i) for i in range(ATTACKS // 5)]
    for name in names:
        address, left = fresh(), dice.randrange(MINUTE, TTL)
        record = lease(address, now, left=left)
        ends[address] = now + left
        # Each under another's name, too; and for ever.
        attacker.put(name, record, left)
        attacker.put(dice.choice(names), record, left)
        attacker.do("SET", name_of(dice.randrange(1 << 60)), record)
    for name in names:
        attacker.do("PEXPIRE", name, 10 * TTL)
    attacker.flush()
    start(node, attacker, fresh)
    wait_read(node, attacker, fresh)  # the stream comes behind the keys
    check_ends(node, ends)
    assert any(left_of(node, address) for address in ends)
    over = [a for a, end in ends.items() if end < clock(node)]
    assert len(over) > len(ends) / 2
    check_none(node, over)
    advance(node, 11 * MINUTE)
    check_none(node, ends)


def test_what_is_no_stream_harms_nobody(victim, attacker, fresh):
    first, second = fresh(2)
    attacker.add(lease(first, clock(victim))).flush()
    victim.wait_leased(first)
    for words in (["SET", STREAM, lease(second, clock(victim))],
                  ["LPUSH", STREAM, lease(second, clock(victim))],
                  ["XADD", STREAM, "18446744073709551615-1", "r", "x"]):
        attacker.do("DEL", STREAM).do(*words).flush()
        begun = time.monotonic()
        assert victim.check(first).startswith("allow ")
        assert victim.check(second) == "none"
        assert time.monotonic() - begun < 1
    attacker.do("DEL", STREAM).flush()
    start(victim, attacker, fresh)
    check_none(victim, [second])


def test_ids_that_lie_about_the_age(victim, attacker, fresh):
    """The carrier's word can make a lease shorter, and nothing else."""
    now = clock(victim)
    ends = {}
    for shift in (-90, -59, -30, -1, 0, 1, 30, 600):
        address = fresh()
        left = 20 * MINUTE
        ends[address] = now + left
        entry = f"{int(time.time() * 1000) + shift * MINUTE}-{abs(shift)}"
        attacker.add(lease(address, now, left=left), entry)
    attacker.flush()
    lab.wait_for(lambda: left_of(victim, address), "the last one is read")
    check_ends(victim, ends)
