# SPDX-License-Identifier: ISC
"""A site of three machines on one switch: namespaces with addresses of their
own, links that can be cut one way or both, and, through a small relay in user
space, links that delay, reorder and lose packets.

Host i (0, 1, 2) has the address ADDRESSES[i]; nothing of it is seen outside.
"""

import contextlib
import itertools
import json
import subprocess

import lab

COUNT = 3
ADDRESSES = [f"192.0.2.{11 + i}" for i in range(COUNT)]
PAIRS = list(itertools.permutations(range(COUNT), 2))
# What a host does not hear: all of some hosts, or one TCP port of theirs (or
# of its own, with them).
CUT = """
table inet cut {
	set hosts { type ipv4_addr; }
	set ports { type ipv4_addr . inet_service; }
	chain in {
		type filter hook input priority -300; policy accept;
		ip saddr @hosts drop
		ip saddr . tcp sport @ports drop
		ip saddr . tcp dport @ports drop
	}
}
"""

# What the kernel would leave to a card (checksums, segments) it does itself, so
# that slow_wire.py sees whole packets. ETHTOOL_STXCSUM, _SGSO, _STSO.
PLAIN_LINK = """
import fcntl, socket, struct, ctypes
for command in 0x17, 0x24, 0x1f:
    value = ctypes.create_string_buffer(struct.pack("II", command, 0))
    fcntl.ioctl(socket.socket(), 0x8946, struct.pack(
        "16sQ16x", b"site", ctypes.addressof(value)))
"""


class Space:
    """A network namespace that holds nothing but links."""

    def __init__(self):
        self.popen = subprocess.Popen(
            ["unshare", "--net", "--", "sh", "-c", "echo ready; exec cat"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="ascii")
        assert self.popen.stdout.readline() == "ready\n"
        self.pid = self.popen.pid

    def command(self, argv):
        return ["nsenter", "-t", str(self.pid), "-n", "--",
                *[str(word) for word in argv]]

    def run(self, *argv):
        subprocess.run(self.command(argv), check=True)

    def close(self):
        self.popen.stdin.close()
        self.popen.wait(lab.LIMIT)
        self.popen.stdout.close()


class Slow:
    """The relay (slow_wire.py) between one host and the switch."""

    def __init__(self, switch, port, **how):
        self.switch, self.port = switch, port
        self.ends = f"{port}a", f"{port}b"
        switch.run("ip", "link", "set", port, "nomaster")
        switch.run("ip", "link", "add", self.ends[0], "type", "veth", "peer",
                   "name", self.ends[1])
        switch.run("ip", "link", "set", self.ends[1], "master", "switch")
        for end in self.ends:
            switch.run("ip", "link", "set", end, "up")
        self.popen = subprocess.Popen(
            switch.command([lab.PYTHON, lab.HERE / "slow_wire.py", port,
                            self.ends[0], json.dumps(how)]),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="ascii")
        assert self.popen.stdout.readline() == "ready\n"

    def close(self):
        """The link is as it was. Returns what the relay counted."""
        self.popen.stdin.close()
        counts = json.loads(self.popen.stdout.read())
        self.popen.wait(lab.LIMIT)
        self.popen.stdout.close()
        self.switch.run("ip", "link", "del", self.ends[0])
        self.switch.run("ip", "link", "set", self.port, "master", "switch")
        return counts


class Site:
    """Three hosts, not more: what runs on them others say."""

    def __init__(self, directory, stack):
        self.directory = directory
        self.switch = Space()
        stack.callback(self.switch.close)
        self.switch.run("ip", "link", "add", "switch", "type", "bridge")
        self.switch.run("ip", "link", "set", "switch", "up")
        self.hosts = []
        for i in range(COUNT):
            (directory / f"host{i}").mkdir()
            host = lab.Host(directory / f"host{i}")
            stack.callback(host.close)
            self.hosts.append(host)
            self.plug_in(i, host)
            host.install_users()

    def plug_in(self, i, host):
        subprocess.run(
            ["ip", "link", "add", "name", f"port{i}", "netns",
             str(self.switch.pid), "type", "veth", "peer", "name", "site",
             "netns", str(host.pid)], check=True)
        self.switch.run("ip", "link", "set", f"port{i}", "master", "switch")
        self.switch.run("ip", "link", "set", f"port{i}", "up")
        host.run("ip", "addr", "add", f"{ADDRESSES[i]}/24", "dev", "site")
        host.run("ip", "link", "set", "site", "up")
        host.run(lab.PYTHON, "-c", PLAIN_LINK)
        host.write("/run/cut.nft", CUT)
        host.run("nft", "-f", "/run/cut.nft")

    def cut(self, a, b, port=None):
        """Host b hears nothing more of host a; of `port`, if one is given."""
        what, element = ("ports", f"{ADDRESSES[a]} . {port}") if port \
            else ("hosts", ADDRESSES[a])
        self.hosts[b].run("nft", "add", "element", "inet", "cut", what,
                          f"{{ {element} }}")

    def heal(self):
        for host in self.hosts:
            host.run("nft", "flush set inet cut hosts; "
                     "flush set inet cut ports")

    @contextlib.contextmanager
    def slow(self, i, **how):
        """Host i's link delays packets by `delay` (s, up to), lets some of
        them pass others, loses `loss` and doubles `double` of them."""
        relay = Slow(self.switch, f"port{i}", **how)
        counts = {}
        try:
            yield counts
        finally:
            counts.update(relay.close())
