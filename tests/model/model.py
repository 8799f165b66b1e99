# SPDX-License-Identifier: ISC
"""The lease rules a second time, as simply as they can be said.

Written from the design (sections Time, Lease rules, Addresses), not from the C.
Everything is in memory; every number is in milliseconds; nothing is fast. The
tests run it beside the real ledger and compare after every step.
"""

import dataclasses
import functools
import ipaddress

MINUTE = 60 * 1000
IMPORT_AGE_MAX = 24 * 60 * MINUTE  # of a login in another program's store
PROOF_GRACE = 3000  # how much later than its login a mail process may have begun

# What no configuration may open, and what `private` may open.
NEVER_NETS = (
    "0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "192.88.99.0/24",
    "224.0.0.0/3", "2001::/23", "2002::/16")
PRIVATE_NETS = (
    "10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16",
    "198.18.0.0/15", "fc00::/7")
GLOBAL_IPV6 = ("2000::/3",)


@dataclasses.dataclass
class Rules:
    """The lease section of relaypass.conf."""

    ttl: int = 30 * MINUTE
    max_skew: int = 5 * MINUTE
    ipv6_prefix: int = 128
    mode: str = "enforce"
    require_tls: bool = False
    max_users_per_address: int = 0
    max_addresses_per_user: int = 0
    hold_sessions: str = "proven"
    hold_unseen: int = 0
    hold_max: int = 24 * 60 * MINUTE
    users: tuple = ()
    domains: tuple = ()
    deny_users: tuple = ()
    private: tuple = ()
    own: tuple = ()
    proxy: tuple = ()
    never: tuple = ()
    always: tuple = ()

    def text(self):
        """The section as a configuration file has it, on one line."""
        words = []
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            name = field.name.replace("_", "-")
            if isinstance(value, tuple):
                quoted = ", ".join('"%s"' % v for v in value)
                words.append("%s = {%s}" % (name, quoted))
            elif isinstance(value, bool):
                words.append('%s = "%s"' % (name, "yes" if value else "no"))
            elif name in ("ttl", "max-skew", "hold-unseen", "hold-max"):
                words.append('%s = "%ds"' % (name, value // 1000))
            elif isinstance(value, int):
                words.append("%s = %d" % (name, value))
            else:
                words.append('%s = "%s"' % (name, value))
        return "lease { %s }" % " ".join(words)


@dataclasses.dataclass
class Lease:
    wall: int      # alive while both clocks are before these
    boot: int
    first: int     # logins' own times
    last: int
    by_hand: bool = False
    sources: set = dataclasses.field(default_factory=set)  # 0: by hand
    tls: bool = False  # the newest login said so


@dataclasses.dataclass
class Session:
    key: tuple     # of its lease: address, user
    source: int
    began: int     # wall
    after: int     # what the server's restart must be later than, wall
    since: int     # boot clock at the login
    sign: int      # boot clock at the last sign of life
    pid: int = 0
    start: int = 0  # of the process, 0: not proven


@dataclasses.dataclass
class Revocation:
    addr: object   # None: any
    user: object   # None: any
    time: int
    until: int
    keep_wall: int
    keep: int      # boot clock


@functools.lru_cache(maxsize=None)
def network(text):
    if text.endswith("."):  # the dotted prefix of old maps
        octets = text.rstrip(".").split(".")
        text = ".".join(octets + ["0"] * (4 - len(octets))) + "/%d" % (8 * len(octets))
    return ipaddress.ip_network(text)


@functools.lru_cache(maxsize=65536)
def inside(addr, nets):
    return any(addr.version == net.version and addr in net
               for net in map(network, nets))


class Model:
    def __init__(self, rules=None, wall=0, boot=0):
        self.rules = rules or Rules()
        self.wall, self.boot = wall, boot
        self.committed_wall = wall
        self.committed_boot = boot
        self.leases, self.sessions, self.revocations = {}, {}, []
        self.processes = {}  # pid: (start, wall time of its beginning)
        self.signs = False   # whether signs of life may come
        self.restart = -1    # of the server, wall

    # --- addresses --------------------------------------------------------

    @staticmethod
    @functools.lru_cache(maxsize=65536)
    def parse(text):
        addr = ipaddress.ip_address(text)
        return getattr(addr, "ipv4_mapped", None) or addr

    def mask(self, addr):
        if addr.version == 4:
            return addr
        host = 128 - self.rules.ipv6_prefix
        return ipaddress.IPv6Address(int(addr) >> host << host)

    def forbidden(self, addr):
        r = self.rules
        if int(addr) == 0 and addr.version == 6:
            return "no-address"
        if inside(addr, NEVER_NETS):
            return "special-address"
        if inside(addr, PRIVATE_NETS):
            if not inside(addr, r.private):
                return "private-address"
        elif addr.version == 6 and not inside(addr, GLOBAL_IPV6):
            return "special-address"
        for word, nets in (("own-address", r.own), ("proxy", r.proxy),
                           ("never", r.never)):
            if inside(addr, nets):
                return word
        return None

    # --- leases -----------------------------------------------------------

    def sweep(self):
        """What the boot clock has ended is gone."""
        self.leases = {k: v for k, v in self.leases.items() if self.boot < v.boot}

    def alive(self, lease):
        return self.wall < lease.wall and self.boot < lease.boot

    def extend(self, lease, left):
        lease.wall = min(max(lease.wall, self.wall + left), self.wall + self.rules.ttl)
        lease.boot = min(max(lease.boot, self.boot + left), self.boot + self.rules.ttl)

    def left(self, time):
        """What a fact of this time gives from now on."""
        return min(self.rules.ttl, max(0, time + self.rules.ttl - self.wall))

    def refused_user(self, user):
        r = self.rules
        user = user.lower()
        domain = user.rpartition("@")[2] if "@" in user else None
        if user in (u.lower() for u in r.deny_users):
            return "user-denied"
        if r.users and user not in (u.lower() for u in r.users):
            return "user-not-listed"
        if r.domains and domain not in (d.lower() for d in r.domains):
            return "domain-not-listed"
        return None

    def refused(self, addr, user, time, userless):
        no = self.forbidden(addr)
        if not no and not user and not userless:
            no = "no-user"
        no = no or self.refused_user(user)
        if no:
            return no
        if time > self.wall + self.rules.max_skew:
            return "too-far-ahead"
        if time + self.rules.ttl <= self.wall:
            return "too-old"
        return None

    def revoked(self, key, time):
        return any((r.addr is None or r.addr == key[0]) and
                   (r.user is None or r.user == key[1].lower()) and
                   time <= r.until for r in self.revocations)

    def capped(self, key):
        r = self.rules
        others = [k for k, v in self.leases.items() if self.alive(v)]
        users = [k for k in others
                 if k[0] == key[0] and k[1].lower() != key[1].lower()]
        places = {k[0] for k in others
                  if k[1].lower() == key[1].lower() and k[0] != key[0]}
        if r.max_users_per_address and len(users) >= r.max_users_per_address:
            return "too-many-users"
        if key[1] and 0 < r.max_addresses_per_user <= len(places):
            return "too-many-addresses"
        return None

    def claim(self, addr, user, time, left, source=0, tls=None):
        self.sweep()
        key = (self.mask(addr), user)
        time = min(time, self.wall)
        if self.revoked(key, time):
            return "revoked", None
        no = self.capped(key)
        if no:
            return no, None
        lease = self.leases.setdefault(key, Lease(0, 0, time, time))
        lease.by_hand = source == 0 or (lease.by_hand and self.alive(lease))
        lease.sources.add(source)
        self.extend(lease, left)
        if tls is not None and time >= lease.last:
            lease.tls = tls
        lease.first = min(lease.first, time)
        lease.last = max(lease.last, time)
        return "lease", key

    def login(self, addr, user, time, tls=False, session=None, pid=0, source=1,
              userless=False):
        addr = self.parse(addr)
        no = self.refused(addr, user, time, userless)
        if not no and self.rules.require_tls and not tls:
            no = "no-tls"
        if not no and self.rules.mode == "off":
            no = "mode-off"
        if no:
            return no
        word, key = self.claim(addr, user, time, self.left(time), source, tls)
        if key and session:
            self.open(key, session, min(time, self.wall), pid, source)
        return word

    def grant(self, addr, user, ttl):
        addr = self.parse(addr)
        no = self.forbidden(addr)
        if not no and self.rules.mode == "off":
            no = "mode-off"
        if no:
            return no
        left = min(ttl or self.rules.ttl, self.rules.ttl)
        return self.claim(addr, user, self.wall, left)[0]

    def end(self, addr, user, time, source):
        """A source takes back what it alone has given, up to this time."""
        self.sweep()
        masked = self.mask(self.parse(addr))
        ended = 0
        for key, lease in list(self.leases.items()):
            if (key[0] != masked or (user and user.lower() != key[1].lower()) or
                    lease.sources != {source} or lease.last > time):
                continue
            del self.leases[key]
            ended += self.alive(lease)
        return ended

    def revoke(self, addr, user, refuse_for, now_only):
        self.sweep()
        addr = self.mask(self.parse(addr)) if addr else None
        if addr == ipaddress.IPv6Address(0):
            return 0
        user = user.lower() if user else None

        def hit(key):
            return addr in (None, key[0]) and user in (None, key[1].lower())

        ended = [k for k in self.leases if hit(k)]
        count = sum(self.alive(self.leases[k]) for k in ended)
        for key in ended:
            del self.leases[key]
        self.sessions = {i: s for i, s in self.sessions.items() if not hit(s.key)}
        if not now_only:
            span = max(refuse_for or self.rules.ttl, self.rules.max_skew)
            kept = span + max(self.rules.ttl, IMPORT_AGE_MAX)
            self.add_revocation(Revocation(
                addr, user, self.wall, self.wall + span,
                self.wall + kept, self.boot + kept))
        return count

    def add_revocation(self, new):
        """A union: of two for the same, what refuses longer."""
        for old in self.revocations:
            if (old.addr, old.user) == (new.addr, new.user):
                if new.until >= old.until:
                    old.time, old.until = new.time, new.until
                old.keep_wall = max(old.keep_wall, new.keep_wall)
                old.keep = max(old.keep, new.keep)
                return
        self.revocations.append(new)

    # --- sessions ---------------------------------------------------------

    def restarted(self):
        return self.restart if self.restart <= self.wall else -1

    def counts(self, session):
        return (self.boot < session.sign + self.rules.ttl and
                session.after > self.restarted())

    def may_move(self, key):
        if self.rules.require_tls and not self.leases[key].tls:
            return "no-tls"
        return self.refused_user(key[1])

    def open(self, key, name, time, pid, source):
        since = self.boot - (self.wall - time)
        if (self.rules.hold_sessions != "proven" or since < 0 or
                time < self.restarted()):
            return
        after = time + (time == self.restarted())
        old = self.sessions.get(name)
        if old and old.key == key and old.began >= time and self.counts(old):
            return
        # What one source says ends no session of another one's.
        if old and old.key != key and old.source != source and self.known(name):
            return
        start, began = self.processes.get(pid, (0, 0))
        if began > time + PROOF_GRACE:
            start = 0
        # One that nothing can ever hold is not remembered.
        self.sessions.pop(name, None)
        if start or self.signs or self.rules.hold_unseen:
            self.sessions[name] = Session(
                key, source, time, after, since, since, pid, start)

    def known(self, name):
        """The session of this name, if it still counts."""
        self.sweep()
        session = self.sessions.get(name)
        if session and not (self.counts(session) and session.key in self.leases and
                            session.began >= self.leases[session.key].first):
            del self.sessions[name]
            return None
        return session

    def held(self, session, lasted):
        r = self.rules
        if r.hold_sessions != "proven" or lasted >= r.hold_max:
            return False
        return (session.start != 0 or session.sign > session.since or
                lasted < r.hold_unseen)

    def logout(self, name, time):
        session = self.known(name)
        if not session:
            return "none"
        del self.sessions[name]
        left = self.left(time)
        lasted = self.boot + left - self.rules.ttl - session.since
        if self.held(session, lasted) and not self.may_move(session.key):
            self.extend(self.leases[session.key], left)
        return "lease"

    def sign_of_life(self, addr, user, name, time, userless=False):
        addr = self.parse(addr)
        no = self.refused(addr, user, time, userless)
        if no:
            return no
        if self.rules.hold_sessions != "proven":
            return "none"
        if name in self.sessions and self.sessions[name].key[0] != self.mask(addr):
            return "none"
        session = self.known(name)
        if (not session or session.key != (self.mask(addr), user) or
                self.boot - session.since >= self.rules.hold_max or
                self.revoked(session.key, session.began)):
            return "none"
        if self.may_move(session.key):
            return self.may_move(session.key)
        left = self.left(time)
        sign = self.boot + left - self.rules.ttl
        lease = self.leases[session.key]
        if sign <= session.sign:
            return "lease" if self.alive(lease) else "none"
        session.sign = sign
        self.extend(lease, left)
        return "lease"

    def restart_of_server(self, time):
        self.restart = max(self.restarted(), min(time, self.wall))

    def hold(self):
        if self.rules.hold_sessions != "proven":
            return
        for name, s in list(self.sessions.items()):
            lasted = self.boot - s.since
            start = self.processes.get(s.pid, (0, 0))[0]
            if lasted >= self.rules.hold_max or (s.start and s.start != start):
                del self.sessions[name]
            elif not s.start and lasted >= self.rules.hold_unseen:
                if not self.counts(s):
                    del self.sessions[name]
            elif self.known(name):
                if self.may_move(s.key):
                    del self.sessions[name]
                    continue
                s.sign = self.boot
                self.extend(self.leases[s.key], self.rules.ttl)

    # --- time -------------------------------------------------------------

    def commit(self):
        """Every change of the ledger notes the time."""
        self.committed_wall, self.committed_boot = self.wall, self.boot

    def cut(self):
        """A ttl that was made shorter holds for the leases there are."""
        for lease in self.leases.values():
            if lease.boot > self.boot + self.rules.ttl:
                lease.boot = self.boot + self.rules.ttl
                lease.wall = min(lease.wall, self.wall + self.rules.ttl)

    def reopen(self, rules):
        changed = rules.ttl != self.rules.ttl
        self.rules = rules
        self.cut()
        if changed:
            self.commit()

    def walk(self):
        """One whole round."""
        self.sweep()
        self.cut()
        self.sessions = {i: s for i, s in self.sessions.items()
                         if self.rules.hold_sessions == "proven" and self.counts(s)}
        self.revocations = [r for r in self.revocations if self.boot < r.keep]

    def reboot(self, wall, boot):
        """The boot clock starts again; the wall clock may have been set."""
        old_boot, self.boot, self.wall = self.committed_boot, boot, wall
        self.sessions = {}
        kept = {}
        for key, lease in self.leases.items():
            # An end that the old boot clock has seen stays an end.
            if lease.boot <= old_boot or wall < self.committed_wall:
                continue
            lease.wall = min(lease.wall, wall + self.rules.ttl)
            lease.boot = boot + (lease.wall - wall)
            kept[key] = lease
        self.leases = kept
        for r in self.revocations:
            r.keep = boot + max(0, r.keep_wall - max(wall, r.time))
        self.commit()

    # --- questions --------------------------------------------------------

    def rows(self):
        """The leases alive now: (address, user, wall end, boot end)."""
        return sorted((k[0].packed if k[0].version == 6 else
                       b"\0" * 10 + b"\xff\xff" + k[0].packed, k[1],
                       v.wall, v.boot)
                      for k, v in self.leases.items() if self.alive(v))

    def ask(self, addr, user=None, sender=None, require="any", domain=""):
        """(verdict, reason, ms left, user)."""
        addr = self.parse(addr)
        if self.rules.mode == "off":
            return ("none", "mode-off", 0, "")
        if inside(addr, self.rules.always) and not inside(addr, self.rules.never):
            answer = ("allow", "always", 0, "")
        elif self.forbidden(addr):
            answer = ("none", self.forbidden(addr), 0, "")
        else:
            answer = self.by_lease(self.mask(addr), user, sender, require, domain)
        if self.rules.mode == "observe":
            return ("none",) + answer[1:]
        return answer

    def by_lease(self, masked, user, sender, require, domain):
        def whole(name):
            name = name.lower()
            return name if "@" in name or not domain else name + "@" + domain

        def is_user(name):
            return bool(sender) and bool(name) and sender.lower() == whole(name)

        def is_domain(name):
            return (bool(sender) and bool(name) and
                    "@" in sender and "@" in whole(name) and
                    sender.lower().rpartition("@")[2] == whole(name).rpartition("@")[2])

        found = [(is_user(k[1]), min(v.wall - self.wall, v.boot - self.boot), k[1])
                 for k, v in self.leases.items()
                 if k[0] == masked and self.alive(v) and user in (None, k[1])
                 # Who may not create a lease any more has none.
                 and (v.by_hand or not self.refused_user(k[1]))]
        if not found:
            return ("none", "no-lease", 0, "")
        if require == "user":
            found = [f for f in found if f[0]]
        elif require == "domain":
            found = [f for f in found if is_domain(f[2])]
        if not found:
            return ("none", "sender", 0, "")
        # The longest; of equal ones the first in key order.
        best = max(f[:2] for f in found)
        name = min(f[2].encode() for f in found if f[:2] == best).decode()
        return ("allow", "lease", min(best[1], self.rules.ttl), name)
