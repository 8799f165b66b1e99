# SPDX-License-Identifier: ISC
"""What carries logins and revocations between the machines of a site: Redis
with two replicas and three Sentinels, or PostgreSQL."""

import contextlib

import databases
import lab
import site3

KEYS = """# id	secret
k2	2b1f6c0c9f2d4f0c8a5b3e7d9c1a6f42
k1	77fe5a0c9f2d4f0c8a5b3e7d9c1a6f42
"""
PASSWORD = "carry-secret"
ADMIN = "admin-secret"


def example(name):
    return (lab.EXAMPLES / name).read_text(encoding="utf-8")


def write_secrets(host):
    for name, text in (("nodes.keys", KEYS), ("redis.password", PASSWORD)):
        host.write(f"/etc/relaypass/{name}", text, 0o600)


class Redis:
    """One server and one Sentinel on each host; the first server begins as the
    master. Everything runs in its host's namespaces."""

    port = 6379

    def __init__(self, down_after=500, settings=None):
        self.down_after = down_after
        self.settings = settings or {}

    def begin(self, net, stack):
        databases.require(databases.Redis, databases.Sentinel)
        self.net, self.servers, self.sentinels = net, [], []
        for i, host in enumerate(net.hosts):
            write_secrets(host)
            self.servers.append(stack.enter_context(databases.Redis(
                prefix=host.command([]), host=site3.ADDRESSES[i],
                acl=[self.acl()], password=ADMIN, settings=self.settings,
                replica_of=self.servers[0] if i else None)))
        for i, host in enumerate(net.hosts):
            self.sentinels.append(stack.enter_context(databases.Sentinel(
                self.servers[0], master_name="relaypass",
                down_after=self.down_after, prefix=host.command([]),
                host=site3.ADDRESSES[i])))
        for server in self.servers[1:]:
            server.wait_synced()
        for sentinel in self.sentinels:
            sentinel.wait_sees(2, 2)

    def acl(self):
        """The line of the example."""
        lines = example("redis-relaypass.acl").splitlines()
        return next(line for line in lines if line.startswith("user relaypass ")) \
            .replace("SECRET", PASSWORD)

    def conf(self, i):
        return example("relaypass-redis.conf")

    def who_is_master(self):
        """Number of the server that the Sentinels agree on; None: none."""
        said = set()
        for sentinel in self.sentinels:
            with contextlib.suppress(databases.DatabaseError):
                said.add(sentinel.master()[0])
        return site3.ADDRESSES.index(said.pop()) if len(said) == 1 else None

    def master(self):
        """That of most Sentinels."""
        said = [sentinel.master()[0] for sentinel in self.sentinels]
        return self.servers[site3.ADDRESSES.index(
            max(said, key=said.count))]

    def wait_failed_over(self, old):
        """The Sentinels agree on another, which takes writes."""
        def done():
            i = self.who_is_master()
            return i is not None and i != old and \
                self.servers[i].running() and \
                self.servers[i].role() == "master" and [i]
        return lab.wait_for(databases.unless_away(done), "a failover")[0]

    def wait_whole(self):
        """One master, all others its synced replicas."""
        def whole():
            i = self.who_is_master()
            if i is None:
                return False
            infos = [server.info("replication") for server in self.servers]
            return all(
                info["role"] == "master" if n == i else
                info["role"] == "slave" and info["master_link_status"] == "up"
                and info["master_host"] == site3.ADDRESSES[i]
                for n, info in enumerate(infos))
        lab.wait_for(databases.unless_away(whole), "one master, two replicas", 30)


class PostgreSQL:
    """One server, on the first host."""

    port = 5432

    def begin(self, net, stack):
        databases.require(databases.PostgreSQL)
        self.net = net
        host = net.hosts[0]
        self.server = stack.enter_context(databases.PostgreSQL(
            prefix=host.command([]), host=site3.ADDRESSES[0]))
        self.servers = [self.server]
        for host in net.hosts:
            write_secrets(host)
            host.write("/etc/relaypass/database.password",
                       databases.USERS["relaypass"], 0o600)
        self.create()

    def create(self):
        """As the example says it, but for the account and the database."""
        self.server.execute(
            example("sql-stream.sql").partition("\\connect relaypass\n")[2],
            user="owner")

    def conf(self, i):
        return example("relaypass-sql-stream.conf")

    def who_is_master(self):
        return 0

    def wait_whole(self):
        lab.wait_for(self.server.answers, "PostgreSQL answers")
