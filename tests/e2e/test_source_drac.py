# SPDX-License-Identifier: ISC
"""The source "drac" against independent clients, and libdrac against it and
against an independent server.

Debian 12 has no DRAC any more (its package drac was in Debian 11), and no POP or
IMAP server that links libdrac. So the other side is made here from the protocol
by rpcgen(1) and libtirpc, the way DRAC itself was (drac/), with a real rpcbind.
"""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import time

import pytest

import lab
import servers_real

pytestmark = [
    pytest.mark.namespaces,
    pytest.mark.skipif(not shutil.which("rpcgen"),
                       reason="needs rpcgen: tools/install-deps test"),
]

needs_db_tools = pytest.mark.skipif(
    not shutil.which("db5.3_dump"),
    reason="needs db5.3-util: tools/install-deps test")
PORT = 10901
ALLOW_FILE = "/etc/drac/dracd.allow"
CONF = """
relaypass {{ child-timeout = "4s" }}
lease {{ {lease} }}
source drac {{ kind = "drac"
    listen = {{"udp:0.0.0.0:10901", "tcp:0.0.0.0:10901",
              "udp:[::]:10901", "tcp:[::]:10901"}}
    {more} }}
listener ask {{ kind = "ask" }}
"""
ALLOW = 'allow = {"127.0.0.1", "203.0.113.7", "2001:db8::7"}'
OTHERS = [f"198.51.100.{i}" for i in range(1, 30)]
SIX = ["2001:db8:fe::80ff", "2001:db8:7f80:ff01:fefe:8000:7fff:1"]


def conf(more=ALLOW, lease=""):
    return CONF.format(more=more, lease=lease)


def compile_peers(where):
    """drac/'s client and server."""
    for name in ("drac.x", "client.c", "server.c"):
        shutil.copy(lab.HERE / "drac" / name, where)

    def run(*argv):
        subprocess.run(argv, cwd=where, check=True, timeout=120)

    for out, how in (("drac.h", ["-h"]), ("drac_xdr.c", ["-c"]),
                     ("drac_clnt.c", ["-l"]),
                     ("drac_svc.c", ["-s", "udp", "-s", "tcp"])):
        run("rpcgen", *how, "-o", out, "drac.x")
    cc = ["cc", "-w", "-DRPC_SVC_FG", "-I/usr/include/tirpc"]
    run(*cc, "-o", "client", "client.c", "drac_clnt.c", "drac_xdr.c",
        "-ltirpc")
    run(*cc, "-o", "server", "server.c", "drac_svc.c", "drac_xdr.c", "-ltirpc")


class Peers:
    """The programs of the other side, on the host or on a client."""

    def __init__(self, host, where):
        self.host, self.where, self.rpcbind = host, where, None

    def run(self, argv, client=None, env=None):
        argv = [str(word) for word in argv]
        argv = ["nsenter", "-t", str(client.popen.pid), "-n", "--", *argv] \
            if client else self.host.command(argv)
        return subprocess.run(argv, check=False, timeout=60,
                              stdin=subprocess.DEVNULL, encoding="utf-8",
                              env={**os.environ, **(env or {})},
                              stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)

    def call(self, transport, *what, client=None):
        """{what: answer} of the rpcgen client."""
        server = self.host.V4 if client else "127.0.0.1"
        done = self.run([self.where / "client", server, transport, *what],
                        client)
        return {line.split()[0]: line.split(maxsplit=1)[1]
                for line in done.stdout.splitlines() if " " in line}

    def add(self, *addresses, client=None, **env):
        """(code, lines) of drac-add, which is linked with libdrac."""
        server = self.host.V4 if client else "127.0.0.1"
        done = self.run([lab.BUILD / "contrib/drac/drac-add", server,
                         *addresses], client, env)
        return done.returncode, done.stdout.splitlines()

    def start_rpcbind(self):
        # Debian 12's package has it below /sbin, 13's below /usr/sbin.
        packages = self.host.base / "packages"
        places = [packages / "sbin/rpcbind", packages / "usr/sbin/rpcbind"]
        self.rpcbind = self.host.start(
            [next(place for place in places
                  if self.host.path(place).exists()), "-f"],
            self.host.directory / "rpcbind.log")
        lab.wait_for(lambda: self.host.listens(111), "rpcbind listens")

    def stop_rpcbind(self):
        if self.rpcbind:
            self.rpcbind.signal(signal.SIGTERM)
            self.rpcbind.wait()
        self.rpcbind = None

    def rpcinfo(self, *words):
        return self.run([self.host.base / "packages/usr/bin/rpcinfo", *words])

    def registered(self):
        """{(version, transport, port)} of DRAC at the host's rpcbind."""
        done = self.rpcinfo("-p")
        return {tuple(line.split()[1:4]) for line in done.stdout.splitlines()
                if line.split()[:1] == ["900101"]}

    def forget(self):
        """What a server left registered that did not say goodbye."""
        for version in "123":
            self.rpcinfo("-d", "900101", version)
        assert not self.registered()


@pytest.fixture(name="peers", scope="module")
def make_peers(host, tmp_path_factory):
    servers_real.install(host, "rpcbind")
    servers_real.add_system_user(host, "_rpc")
    host.install_users()
    where = tmp_path_factory.mktemp("drac")
    compile_peers(where)
    peers = Peers(host, where)
    peers.start_rpcbind()
    yield peers
    peers.stop_rpcbind()


def all_registered(peers):
    return {(version, transport, str(PORT)) for version in "12"
            for transport in ("udp", "tcp")} <= peers.registered()


@pytest.fixture(name="drac")
def make_drac(host, peers, relaypassd):
    daemon = relaypassd(host, conf(f"{ALLOW} rpcbind = yes"))
    lab.wait_for(lambda: all_registered(peers), "registered with rpcbind")
    return daemon


def wait_log(daemon, text):
    try:
        lab.wait_for(lambda: text in daemon.process.output(), text)
    except AssertionError as err:
        raise AssertionError(f"{err}\n{daemon.process.output()}") from err


# --- the protocol ------------------------------------------------------------


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_an_independent_client_adds(drac, peers, transport):
    what = ["203.0.113.9", *SIX, "192.0.2.250"]
    assert drac.check(what[0]) == "none"
    # Credentials are read over, whatever they say.
    for how in ([], ["sys"]):
        assert peers.call(transport, *how, *what) == dict.fromkeys(what, "0")
    for address in what:
        # No waiting: the answer comes after the commit.
        assert drac.check(address).startswith("allow "), address
    assert drac.check("203.0.113.10") == "none"


def test_a_client_on_another_machine_adds(drac, peers, customer):
    for transport in ("udp", "tcp"):
        assert peers.call(transport, *OTHERS, client=customer) == \
            dict.fromkeys(OTHERS, "0")
    for address in OTHERS:
        assert drac.check(address).startswith("allow ")


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_caller_who_is_not_named_is_denied(drac, peers, stranger, transport):
    assert peers.call(transport, "203.0.113.66", client=stranger) == \
        {"203.0.113.66": "1"}
    assert peers.call(transport, SIX[0], client=stranger) == {SIX[0]: "1"}
    assert drac.check("203.0.113.66") == "none"
    assert drac.check(SIX[0]) == "none"
    wait_log(drac, "not-allowed")
    assert stranger.v4 in drac.process.output()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_wrong_versions_and_procedures(drac, peers, transport):
    said = peers.call(transport, "null", "next", "203.0.113.9")
    assert said["null"] == "0"
    assert "low version = 1, high version = 2" in said["next"]
    assert "procedure unavailable" in said["other"].lower()
    # The connection goes on.
    assert said["203.0.113.9"] == "0"
    assert drac.check("203.0.113.9").startswith("allow ")
    assert drac.check("0.0.0.0") == "none"


def test_an_address_without_a_lease_is_no_error(drac, peers):
    """It was added; what the rules make of it is not the client's affair."""
    assert peers.call("udp", "10.0.0.9", "127.0.0.1") == \
        {"10.0.0.9": "0", "127.0.0.1": "0"}
    assert drac.check("10.0.0.9") == "none"


def keeper_of(daemon):
    """Its pid out here, by what its command line says, or by its parent."""
    with socket.socket(socket.AF_UNIX) as control:
        control.connect(str(daemon.host.path("/run/relaypass/control")))
        control.sendall(b"status\n")
        control.shutdown(socket.SHUT_WR)
        text = control.makefile("rb").read().decode()
    inner = re.search(r"pid=(\d+).*role=keeper|role=keeper.*pid=(\d+)", text)
    assert inner, text
    number = inner.group(1) or inner.group(2)
    for pid in daemon.everybody():
        status = pathlib.Path(f"/proc/{pid}/status").read_text(
            encoding="ascii", errors="replace")
        if re.search(rf"^NSpid:.*\t{number}$", status, re.MULTILINE):
            return pid
    raise AssertionError(f"no process {number}")


def test_what_is_not_stored_is_a_system_error_at_once(drac, peers):
    os.kill(keeper_of(drac), signal.SIGSTOP)
    began = time.monotonic()
    said = peers.call("udp", "203.0.113.9")
    seconds = time.monotonic() - began
    assert said == {"203.0.113.9": "2"}
    # 200 ms, and some for a busy machine; the client would try again after 5 s.
    assert seconds < 3
    # The supervisor ends the keeper; the login waited.
    drac.wait_leased("203.0.113.9", limit=60)


def raw(peers, kind, data, client, wait=0.2):
    """What comes back for these bytes from another machine."""
    script = (
        "import socket,sys\n"
        f"s=socket.socket(socket.AF_INET,socket.SOCK_{kind})\n"
        f"s.connect(({peers.host.V4!r},{PORT}))\n"
        "out=b''\n"
        "try:\n"
        "  for part in eval(sys.stdin.read()):\n"
        "    s.send(part)\n"
        f"  s.settimeout({wait})\n"
        "  while True:\n"
        "    got=s.recv(4096)\n"
        "    if not got: break\n"
        "    out+=got\n"
        "except OSError: pass\n"
        "print(out.hex())\n")
    done = subprocess.run(
        ["nsenter", "-t", str(client.popen.pid), "-n", "--", lab.PYTHON, "-c",
         script], input=repr(data), encoding="utf-8", check=True, timeout=60,
        stdout=subprocess.PIPE)
    return bytes.fromhex(done.stdout.strip())


def call_of(address, version=1, procedure=1, program=900101, rpc=2):
    """A call; `address` as the bytes of its argument."""
    return struct.pack(">6I", 77, 0, rpc, program, version, procedure) \
        + bytes(16) + address


def test_nothing_but_a_whole_call_adds(drac, peers, customer):
    thief = bytes([203, 0, 113, 66])
    whole = call_of(thief)
    wrong = [whole[:n] for n in range(len(whole))]
    wrong += [whole + b"\0", whole + thief, b"", b"\0" * 44, b"\xff" * 44,
              call_of(thief, version=2), call_of(thief, version=3),
              call_of(thief, procedure=0), call_of(thief, procedure=2),
              call_of(thief, program=100000), call_of(thief, rpc=3),
              call_of(b"".join(bytes([1, 0, 0, b]) for b in
                               bytes(10) + b"\xff\xff" + thief), version=2)]
    # All but the two flavours of credentials, which say nothing.
    wrong += [whole[:i] + b"\x80" + whole[i + 1:] for i in range(4, 40)
              if i not in range(24, 28) and i not in range(32, 36)]
    assert raw(peers, "DGRAM", wrong, customer)
    for data in (whole[:-1], b"\x7f" + b"\xff" * 200, bytes(2000),
                 struct.pack(">I", 0x80000000 | 45) + whole + b"\0",
                 struct.pack(">I", 44) + whole):
        raw(peers, "STREAM", [data], customer)
    wait_log(drac, "malformed")
    wait_log(drac, "wrong-call")
    assert drac.check("203.0.113.66") == "none"
    # And it serves on; the same bytes, whole, are an add.
    assert raw(peers, "DGRAM", [whole], customer)[-4:] == bytes(4)
    assert drac.check("203.0.113.66").startswith("allow ")


def test_a_record_may_come_in_any_pieces(drac, peers, customer):
    call = call_of(bytes([203, 0, 113, 9]))
    record = struct.pack(">I", 20) + call[:20] + bytes(4) \
        + struct.pack(">I", 0x80000018) + call[20:]
    two = [bytes([byte]) for byte in record] + [record]
    reply = raw(peers, "STREAM", two, customer, wait=1)
    want = struct.pack(">8I", 0x8000001c, 77, 1, 0, 0, 0, 0, 0)
    assert reply == want + want
    assert drac.check("203.0.113.9").startswith("allow ")


def test_the_example_runs(host, peers, relaypassd):
    host.write(ALLOW_FILE, (lab.EXAMPLES / "dracd.allow").read_text(
        encoding="ascii"))
    daemon = relaypassd(host, (lab.EXAMPLES / "relaypass-drac.conf").read_text(
        encoding="ascii"))
    wait_log(daemon, "allow-file=/etc/drac/dracd.allow lines=3")
    lab.wait_for(lambda: all_registered(peers), "registered with rpcbind")
    assert peers.call("udp", "203.0.113.9") == {"203.0.113.9": "0"}
    assert daemon.check("203.0.113.9").startswith("allow ")


# --- rpcbind -----------------------------------------------------------------


def test_it_registers_when_rpcbind_comes_and_leaves_when_it_stops(
        host, peers, relaypassd):
    peers.stop_rpcbind()
    try:
        daemon = relaypassd(host, conf(f"{ALLOW} rpcbind = yes"))
        wait_log(daemon, "no rpcbind answers")
        # Without it, the port serves all the same.
        assert peers.add("203.0.113.9", DRAC_PORT=str(PORT))[0] == 0
        assert daemon.check("203.0.113.9").startswith("allow ")
    finally:
        peers.start_rpcbind()
    lab.wait_for(lambda: all_registered(peers), "registered")
    daemon.stop()
    lab.wait_for(lambda: not peers.registered(), "not registered")


def test_a_reload_leaves_it_registered(drac, peers):
    for times in range(2, 5):
        drac.process.signal(signal.SIGHUP)
        lab.wait_for(lambda n=times: drac.process.output().count(
            "rpcbind=registered") == n, "registered again")
        assert all_registered(peers)
    assert peers.call("udp", "203.0.113.9") == {"203.0.113.9": "0"}


def test_it_registers_only_when_it_is_told_to(host, peers, relaypassd):
    relaypassd(host, conf())
    assert not peers.registered()
    code, lines = peers.add("203.0.113.9")
    assert code == 101 and "not registered" in lines[0]


# --- who may add -------------------------------------------------------------


def refuses(host, tmp_path, text):
    """The error of a relaypassd that does not start."""
    daemon = lab.Relaypassd(host, tmp_path, text)
    daemon.launch()
    code = daemon.process.wait()
    assert code == 100, daemon.process.output()
    return daemon.process.output()


def test_it_does_not_start_when_anybody_could_add(host, peers, tmp_path):
    del peers
    assert "allow-file" in refuses(host, tmp_path, conf(""))
    host.run("rm", "-f", ALLOW_FILE)
    text = conf(f'allow-file = "{ALLOW_FILE}"')
    assert ALLOW_FILE in refuses(host, tmp_path, text)
    host.write(ALLOW_FILE, "255.255.255.255 127.0.0.1\n", 0o666)
    assert "everybody" in refuses(host, tmp_path, text)
    assert "listen" in refuses(
        host, tmp_path, text.replace("udp:0.0.0.0:10901", "unix:/run/drac"))


def test_dracd_allow_is_read_as_it_is(
        host, peers, relaypassd, customer, stranger):
    host.write(ALLOW_FILE, "# the POP servers\n"
               "255.255.255.255 203.0.113.7\n"
               "localhost\n")
    daemon = relaypassd(host, conf(f'allow-file = "{ALLOW_FILE}"'))
    wait_log(daemon, "text=localhost")
    env = {"DRAC_PORT": str(PORT)}
    assert peers.add("203.0.113.9", client=customer, **env)[0] == 0
    assert peers.add("203.0.113.66", client=stranger, **env)[0] == 1
    assert peers.add("203.0.113.66", **env)[0] == 1
    assert daemon.check("203.0.113.9").startswith("allow ")
    assert daemon.check("203.0.113.66") == "none"
    # A reload reads it anew.
    host.write(ALLOW_FILE, "255.255.255.255 203.0.113.8\n")
    daemon.process.signal(signal.SIGHUP)
    lab.wait_for(lambda: peers.add("203.0.113.10", client=stranger, **env)[0]
                 == 0, "the stranger is allowed")
    assert peers.add("203.0.113.66", client=customer, **env)[0] == 1
    daemon.stop()
    host.write(ALLOW_FILE, "")
    daemon = relaypassd(host, conf(f'allow-file = "{ALLOW_FILE}"'))
    for who in (None, customer, stranger):
        assert peers.add("203.0.113.66", client=who, **env)[0] == 1
    assert daemon.check("203.0.113.66") == "none"


def test_too_many_calls_are_errors(host, peers, relaypassd):
    daemon = relaypassd(host, conf(f"{ALLOW} rate = 3"))
    began = time.monotonic()
    code, lines = peers.add(*OTHERS, DRAC_PORT=str(PORT))
    seconds = int(time.monotonic() - began) + 2
    results = [line.split()[1] for line in lines]
    assert code == 2 and set(results) == {"0", "2"}
    assert results.count("0") <= 3 * seconds
    wait_log(daemon, "reason=rate")
    leased = [a for a in OTHERS if daemon.check(a) != "none"]
    assert set(leased) >= {line.split()[0] for line in lines
                           if line.split()[1] == "0"}
    assert len(leased) <= 3 * seconds


# --- libdrac -----------------------------------------------------------------


def test_libdrac_adds(drac, peers, customer):
    what = ["203.0.113.9", *SIX]
    code, lines = peers.add(*what)
    assert code == 0, lines
    assert [line.split()[:2] for line in lines] == [[a, "0"] for a in what]
    for address in what:
        assert drac.check(address).startswith("allow ")
    assert peers.add("203.0.113.10", client=customer)[0] == 0
    assert drac.check("203.0.113.10").startswith("allow ")
    assert peers.add("203.0.113.11", client=customer,
                     DRAC_PORT=str(PORT))[0] == 0


@pytest.mark.parametrize("result", ["0", "1", "2", "3", "9"])
def test_libdrac_and_an_independent_server(host, peers, result):
    log = host.directory / f"server-{result}.log"
    server = host.start([peers.where / "server"], log,
                        env={**os.environ, "DRAC_RESULT": result})
    try:
        lab.wait_for(lambda: len(peers.registered()) == 3 * 2,
                     "the server is registered")
        code, lines = peers.add("203.0.113.9", *SIX)
        assert [line.split()[1] for line in lines] == \
            [str(min(int(result), 3))] * 3
        assert code == min(int(result), 3)
        assert log.read_text(encoding="ascii").split() == \
            ["203.0.113.9", *SIX]
    finally:
        server.signal(signal.SIGTERM)
        server.wait()
        peers.forget()


# As old servers declare it, and with the address in a long's lower half.
POP_SERVER = r"""
#include <arpa/inet.h>
#include <stdio.h>
extern int dracconn(), dracsend(), dracdisc();
extern int dracconn6(), dracsend6(), dracdisc6();
int main(int argc, char **argv)
{
	char *err = 0;
	unsigned char six[16];
	printf("%d ", dracsend((unsigned long)inet_addr(argv[2]), &err));
	printf("%d ", dracdisc(&err));
	printf("%d ", dracconn(argv[1], &err));
	printf("%d ", dracsend((unsigned long)inet_addr(argv[2]), &err));
	printf("%d ", dracsend((unsigned long)inet_addr(argv[3]), (char **)0));
	printf("%d ", dracdisc(&err));
	printf("%d ", dracsend((unsigned long)inet_addr(argv[2]), &err));
	inet_pton(AF_INET6, argv[4], six);
	printf("%d ", dracconn6(argv[1], &err));
	printf("%d ", dracsend6(six, &err));
	printf("%d\n", dracdisc6(&err));
	return 0;
}
"""


@pytest.mark.parametrize("how", ["-ldrac", "libdrac.a"])
def test_a_server_made_for_the_old_library_links(drac, peers, tmp_path, how):
    (tmp_path / "pop.c").write_text(POP_SERVER, encoding="ascii")
    library = lab.BUILD / "contrib" / "drac"
    if b"__asan_" in (library / "libdrac.so").read_bytes():
        pytest.skip("the library wants its sanitizer in the program")
    link = ["-L" + str(library), how, "-Wl,-rpath," + str(library)] \
        if how == "-ldrac" else [str(library / how)]
    subprocess.run(["cc", "-w", "-std=gnu89", "-o", tmp_path / "pop",
                    tmp_path / "pop.c", *link], check=True)
    done = peers.run([tmp_path / "pop", "127.0.0.1", "203.0.113.9",
                      "203.0.113.10", SIX[0]])
    assert done.stdout.split() == "-1 -1 0 0 0 0 -1 0 0 0".split()
    for address in ("203.0.113.9", "203.0.113.10", SIX[0]):
        assert drac.check(address).startswith("allow ")


def silent(kind=socket.SOCK_DGRAM):
    """A server that hears and never answers, out here."""
    sock = socket.socket(socket.AF_INET, kind)
    sock.bind(("127.0.0.1", 0))
    return sock


def test_libdrac_never_waits_longer_than_its_timeout(peers):
    here = lab.Here()
    program = lab.BUILD / "contrib/drac/drac-add"
    with contextlib.closing(silent()) as server:
        port = str(server.getsockname()[1])
        for name, code, least in (
                ("127.0.0.1", 102, 0.5), ("no-such-host.invalid", 101, 0)):
            began = time.monotonic()
            done = here.run(program, name, "203.0.113.9", check=False,
                            env={**os.environ, "DRAC_PORT": port,
                                 "DRAC_TIMEOUT": "500"})
            seconds = time.monotonic() - began
            assert done.returncode == code, done.stdout
            assert least <= seconds < 2, seconds
    # Nobody listens there: that is known at once.
    began = time.monotonic()
    code, lines = peers.add("203.0.113.9", DRAC_PORT="1")
    assert code == 102 and time.monotonic() - began < 1, lines


SILENT_DNS = """
import signal, socket
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("127.0.0.1", 53))
print("ready", flush=True)
print("asked", sock.recv(512), flush=True)
signal.pause()
"""


def test_libdrac_does_not_wait_for_dns(host, peers):
    host.write("/etc/resolv.conf", "nameserver 127.0.0.1\n")
    host.write("/etc/nsswitch.conf", "hosts: files dns\n")
    dns = host.start([lab.PYTHON, "-c", SILENT_DNS],
                     host.directory / "dns.log")
    try:
        lab.wait_for(lambda: "ready" in dns.output(), "a silent name server")
        began = time.monotonic()
        done = peers.run([lab.BUILD / "contrib/drac/drac-add",
                          "pop.example.net", "203.0.113.9"],
                         env={"DRAC_TIMEOUT": "700"})
        seconds = time.monotonic() - began
        assert done.returncode == 101 and "name" in done.stdout
        assert "asked" in dns.output()
        assert 0.7 <= seconds < 2, seconds
    finally:
        dns.kill_all()


# --- rpc.dracd ---------------------------------------------------------------


def dracd_pid(host):
    try:
        return host.path("/run/relaypass/relaypassd.pid").read_text(
            encoding="ascii").strip()
    except FileNotFoundError:
        return ""


@pytest.fixture(name="dracd")
def make_dracd(host, peers):
    """rpc.dracd(arguments) returns its code and what it said."""
    host.run("rm", "-rf", "/var/lib/relaypass", "/run/relaypass")
    host.write(ALLOW_FILE, "255.255.255.255 127.0.0.1\n")

    def stop():
        pid = dracd_pid(host)
        if pid and not host.run("kill", pid, check=False).returncode:
            lab.wait_for(lambda: host.run("kill", "-0", pid, check=False)
                         .returncode, "rpc.dracd's daemon ends")

    def run(*argv):
        done = peers.run([lab.program("rpc.dracd"), *argv])
        return done.returncode, done.stdout

    run.stop = stop
    yield run
    stop()


def check(host, address):
    return lab.ask(host.path("/run/relaypass/ask"), address)


def ttl_of(answer):
    return int(re.fullmatch(r"allow ttl=(\d+).*", answer).group(1))


def rows(host, path="/etc/drac/dracd.db"):
    """{key: value} of the file, as Berkeley DB's own tool reads it."""
    done = host.run("db5.3_dump", "-p", path, check=False)
    lines = [line.strip() for line in done.stdout.splitlines()
             if line.startswith(" ")]
    return dict(zip(lines[::2], lines[1::2]))


def test_rpc_dracd_serves(host, peers, dracd):
    host.run("rm", "-f", "/etc/drac/dracd.db")
    code, text = dracd("-i", "-e", "7")
    assert code == 0, text
    lab.wait_for(lambda: all_registered(peers), "registered")
    assert peers.call("udp", "203.0.113.9") == {"203.0.113.9": "0"}
    assert 400 < ttl_of(check(host, "203.0.113.9")) <= 420
    # There is one of it.
    assert dracd()[0] == 3
    # Leases outlive it, but not -i.
    dracd.stop()
    assert dracd("-e", "30")[0] == 0
    assert check(host, "203.0.113.9").startswith("allow ")
    dracd.stop()
    assert dracd("-i")[0] == 0
    assert check(host, "203.0.113.9") == "none"
    lab.wait_for(lambda: not rows(host), "the file is empty, too")
    assert peers.add("203.0.113.10", DRAC_PORT=str(PORT))[0] == 0
    assert 1700 < ttl_of(check(host, "203.0.113.10")) <= 1800


@needs_db_tools
def test_rpc_dracd_writes_the_file_as_the_old_server_did(host, peers, dracd):
    host.run("rm", "-f", "/etc/drac/dracd.db")
    code, text = dracd("-e", "7")
    assert code == 0, text
    lab.wait_for(lambda: all_registered(peers), "registered")
    assert peers.call("udp", "203.0.113.9", SIX[0]) == {
        "203.0.113.9": "0", SIX[0]: "0"}
    found = lab.wait_for(lambda: len(rows(host)) == 2 and rows(host),
                         "both are in the file")
    assert set(found) == {"203.0.113.9", SIX[0]}
    for end in found.values():
        assert 400 < int(end) - time.time() <= 421
    dump = host.run("db5.3_dump", "-p", "/etc/drac/dracd.db").stdout
    assert "type=btree" in dump and "db_pagesize=512" in dump
    state = host.path("/etc/drac/dracd.db").stat()
    assert state.st_mode & 0o777 == 0o644


@needs_db_tools
def test_rpc_dracd_goes_on_with_an_old_server_s_file(host, peers, dracd):
    """It was root's; one of a server built for hash stays one."""
    path = "/var/lib/old/dracd.db"
    host.run("mkdir", "-p", "-m", "0755", "/var/lib/old")
    host.run("sh", "-c", "printf '203.0.113.66\\n1\\n' | "
             f"db5.3_load -T -t hash {path}")
    code, text = dracd(path)
    assert code == 0, text
    assert f"{path} now belongs to relaypass-out" in text
    # What no lease stands behind is gone.
    lab.wait_for(lambda: not rows(host, path), "the old row is gone")
    assert peers.call("udp", "203.0.113.9") == {"203.0.113.9": "0"}
    lab.wait_for(lambda: "203.0.113.9" in rows(host, path), "it is written")
    assert "type=hash" in host.run("db5.3_dump", "-p", path).stdout
    dracd.stop()
    code, text = dracd(path)
    assert code == 0 and "belongs" not in text


def test_rpc_dracd_gives_nothing_else_away(host, dracd):
    host.write("/etc/drac/text.db", "no database at all\n")
    host.run("ln", "-sf", "/etc/passwd", "/etc/drac/link.db")
    host.run("mkdir", "-p", "/etc/drac/dir.db")
    for path, why in (("/etc/drac/text.db", "no Berkeley DB"),
                      ("/etc/passwd", "no Berkeley DB"),
                      ("/etc/drac/link.db", "symbolic links"),
                      ("/etc/drac/dir.db", "plain file"),
                      ("/no/such/dracd.db", "No such file"),
                      ("dracd.db", "begin with /")):
        code, text = dracd(path)
        assert code == 3 and why in text, text
    assert host.path("/etc/passwd").stat().st_uid == 0
    assert host.path("/etc/drac/text.db").stat().st_uid == 0


@pytest.mark.parametrize("argv", [
    ["-x"], ["-e"], ["-e", "0"], ["-e", "-3"], ["-e", "1h"], ["-e", ""],
    ["a.db", "b.db"], ["-e", "99999999999999999999"]])
def test_rpc_dracd_refuses_wrong_options(dracd, argv):
    code, text = dracd(*argv)
    assert code == 2
    assert "usage: rpc.dracd [-i] [-e minutes] [dbfile]" in text


def test_rpc_dracd_needs_its_allow_file(host, dracd):
    host.run("rm", ALLOW_FILE)
    code, text = dracd()
    assert code == 1
    assert ALLOW_FILE in text
