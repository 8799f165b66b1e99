# SPDX-License-Identifier: ISC
"""Redis and Redis Sentinel. See databases.py."""

import json
import shlex
import shutil

import lab
from database_server import LIMIT, DatabaseError, Server


class Redis(Server):
    """Keeps nothing on disk unless settings say so. `acl`: lines such as
    "user relaypass on >secret ~relaypass* &* +@all"; `password` is the user
    default's; `replica_of` is another Redis."""

    kind = "redis"
    account = "redis"
    tools = ("redis-server", "redis-cli")
    usual_port = 6379
    process_name = "redis-server"

    def __init__(self, password="", acl=(), replica_of=None, **kwargs):
        super().__init__(**kwargs)
        self.password, self.acl = password, list(acl)
        self.replica_of = replica_of
        self.socket = self.directory / f"{self.kind}.sock"
        self.dump = self.data / "dump.rdb"
        self.conf = self.data / f"{self.kind}.conf"

    def prepare(self):
        self.make_data()
        self.own(self.directory)
        if self.acl:
            how = f">{self.password}" if self.password else "nopass"
            file = self.data / "users.acl"
            file.write_text("\n".join(
                [f"user default on {how} ~* &* +@all", *self.acl, ""]),
                encoding="utf-8")
            self.own(file)
        self.conf.write_text("".join(
            f"{k} {v}\n" for k, v in self.configuration().items()),
            encoding="utf-8")
        self.own(self.conf)

    def configuration(self):
        conf = {"bind": self.host, "port": self.port, "dir": self.data,
                "unixsocket": self.socket, "unixsocketperm": "777",
                "protected-mode": "no", "save": '""', "appendonly": "no",
                "databases": "4", "repl-diskless-sync-delay": "0",
                "repl-backlog-size": "1mb", "repl-timeout": "5",
                "repl-ping-replica-period": "1"}
        if self.acl:
            conf["aclfile"] = self.data / "users.acl"
        elif self.password:
            conf["requirepass"] = self.password
        if self.password:
            conf["masterauth"] = self.password  # after a failover, too
        if self.replica_of:
            conf["replicaof"] = \
                f"{self.replica_of.host} {self.replica_of.port}"
        return {**conf, **self.settings}

    def argv(self):
        return ["redis-server", self.conf]

    def answers(self):
        return self.cli(["PING"], check=False).stdout.strip() == "PONG"

    def cli(self, words, user=None, password=None, check=True, options=()):
        login = ["--user", user] if user else []
        password = self.password if password is None else password
        return self.run(
            ["redis-cli", "-h", self.host, "-p", self.port, "-e", *login,
             *options, *words], check=check,
            env={"REDISCLI_AUTH": password} if password else None)

    def execute(self, *words, user=None, password=None):
        """One command, in words or in one string; the reply as JSON has it.
        DatabaseError: the server's own."""
        if len(words) == 1:
            words = shlex.split(words[0])
        done = self.cli([str(word) for word in words], user, password,
                        options=["--json"])
        if not done.stdout.strip():
            raise DatabaseError(done.stderr.strip())
        return json.loads(done.stdout)

    def info(self, section="all"):
        text = self.cli(["INFO", section]).stdout
        return dict(line.strip().split(":", 1) for line in text.splitlines()
                    if ":" in line)

    def role(self):
        return self.execute("ROLE")[0]

    def wait_synced(self):
        """Of a replica: it has all that its master has."""
        lab.wait_for(lambda: self.info("replication").get(
            "master_link_status") == "up", "a synced replica")

    def load(self, dump):
        """Starts from that dump; everything newer is lost."""
        self.stop()
        shutil.copy(dump, self.dump)
        self.own(self.dump)
        return self.start()


class Sentinel(Redis):
    """Watches `master`, a Redis that runs, by the name `master_name`."""

    kind = "sentinel"
    tools = ("redis-sentinel", "redis-cli")
    usual_port = 26379
    process_name = "redis-sentinel"

    def __init__(self, master, quorum=2, master_name="mymaster",
                 down_after=500, failover_timeout=3000, **kwargs):
        super().__init__(**kwargs)
        self.watched, self.quorum = master, quorum
        self.master_name = master_name
        self.times = {"down-after-milliseconds": down_after,
                      "failover-timeout": failover_timeout}

    def prepare(self):
        super().prepare()
        name = self.master_name
        lines = [f"monitor {name} {self.watched.host} {self.watched.port} "
                 f"{self.quorum}"]
        if self.watched.password:
            lines.append(f"auth-pass {name} {self.watched.password}")
        lines += [f"{k} {name} {v}" for k, v in self.times.items()]
        with open(self.conf, "a", encoding="utf-8") as conf:
            conf.writelines(f"sentinel {line}\n" for line in lines)

    def configuration(self):
        conf = {"bind": self.host, "port": self.port, "dir": self.data,
                "unixsocket": self.socket, "unixsocketperm": "777",
                "protected-mode": "no"}
        if self.acl:
            conf["aclfile"] = self.data / "users.acl"
        elif self.password:
            conf["requirepass"] = self.password
        return {**conf, **self.settings}

    def argv(self):
        return ["redis-sentinel", self.conf]

    # What it does each second or each ten seconds, so that an old master is
    # a replica again soon.
    QUICK = {"INFO-PERIOD": 500, "PUBLISH-PERIOD": 300, "PING-PERIOD": 200,
             "ASK-PERIOD": 300}

    def start(self):
        super().start()
        for name, milliseconds in self.QUICK.items():
            self.execute("SENTINEL", "DEBUG", name, milliseconds)
        return self

    def master(self):
        """(host, port) that it tells to clients."""
        host, port = self.execute("SENTINEL", "GET-MASTER-ADDR-BY-NAME",
                                  self.master_name)
        return host, int(port)

    def fail_over(self):
        """Has another master made. What was begun is given up when the one it
        chose is not quick enough, so it asks until it is done."""
        old = self.master()

        def done():
            if self.master() != old:
                return True
            try:
                self.execute("SENTINEL", "FAILOVER", self.master_name)
            except DatabaseError as err:
                if "NOGOODSLAVE" not in str(err) and "INPROG" not in str(err):
                    raise
            return False

        lab.wait_for(done, "a failover", 2 * LIMIT)

    def wait_sees(self, replicas, sentinels):
        """It knows so many replicas and other sentinels: a failover can be
        decided."""
        def sees():
            words = self.cli(["SENTINEL", "MASTER", self.master_name]) \
                .stdout.split("\n")
            state = dict(zip(words[::2], words[1::2]))
            return (int(state["num-slaves"]) >= replicas
                    and int(state["num-other-sentinels"]) >= sentinels)

        lab.wait_for(sees, f"{replicas} replicas, {sentinels} sentinels",
                     LIMIT)
