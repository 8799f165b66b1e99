# SPDX-License-Identifier: ISC
"""The notify source: the real Dovecot's post-login script and the real Courier
behind a chain program, as examples/ have them; tpop3d's Perl, which Debian does
not have, called as tpop3d calls it; and who may say what."""

import contextlib
import json
import os
import socket
import time

import pytest

import dovecot_conf
import lab
import servers
import servers_real as real
import test_real_courier as courier

pytestmark = [pytest.mark.namespaces]

TTL_MS = 30 * 60 * 1000
NOTIFY = "/run/relaypass/notify"
LIB = "/usr/local/lib/relaypass"
EXAMPLE = (lab.EXAMPLES / "relaypass-notify.conf").read_text(encoding="utf-8")
CONF = """
source notify {{
	kind = "notify"
	listen = {{ "unixgram:/run/relaypass/notify",
	            "unix:/run/relaypass/notify.stream" }}
	{options}
}}
listener ask {{ kind = "ask" listen = "unix:/run/relaypass/ask" }}
"""


def example(name):
    return (lab.EXAMPLES / name).read_text(encoding="utf-8")


def leases(host):
    done = host.run("/usr/local/bin/relaypass", "list", "--json")
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(name="site", scope="module")
def make_site(host):
    """A host without a server: users, programs, a socket."""
    host.install()
    host.install_users()
    for name in ("alice", "carol", "dovecot"):
        host.run("useradd", "--system", "--create-home", name, check=False)
    return host


# --- Dovecot's post-login script --------------------------------------------

@pytest.fixture(name="dovecot", scope="module")
def make_dovecot(site):
    dovecot_conf.write(
        # A sanitized relaypass maps terabytes.
        site, servers.DOVECOT + "default_vsz_limit = 0\n",
        example("dovecot-postlogin.conf"))
    site.write(f"{LIB}/dovecot-postlogin", example("dovecot-postlogin"), 0o755)
    site.write("/var/log/dovecot.log", "", 0o600)
    site.daemon("dovecot")
    lab.wait_for(lambda: site.listens(143) and site.listens(110),
                 "Dovecot listens")
    return site


def log_in(client, protocol, family="ipv4", password="secret"):
    """Whether it got in, and in how many seconds."""
    begin = time.monotonic()
    answer = getattr(client, protocol)(**client.ends(family), user="alice",
                                       password=password)
    return answer["ok"], time.monotonic() - begin


@pytest.mark.needs("dovecot")
@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_dovecot_s_post_login_script_makes_a_lease(
        dovecot, customer, stranger, relaypassd, protocol, family):
    daemon = relaypassd(dovecot, EXAMPLE)
    address = customer.ends(family)["source"]
    assert not log_in(stranger, protocol, family, "wrong")[0]
    assert log_in(customer, protocol, family)[0]
    # The answer was waited for: the lease is there when the mailbox is.
    assert daemon.check(address).startswith("allow ")
    assert [(one["address"], one["user"], one["server"])
            for one in leases(dovecot)] == [(address, "alice", "dovecot")]
    assert daemon.check(stranger.ends(family)["source"]) == "none"
    daemon.clock.advance(TTL_MS + 1000)
    assert daemon.check(address) == "none"


@pytest.mark.needs("dovecot")
def test_the_socket_may_be_dovecot_s_alone(dovecot, customer, relaypassd):
    """Then nobody else fills its queue."""
    daemon = relaypassd(dovecot, EXAMPLE.replace(
        'kind = "notify"', 'kind = "notify" mode = "0660" group = "dovecot"'))
    assert log_in(customer, "imap")[0]
    assert daemon.check(customer.v4).startswith("allow ")
    assert "no permission to speak" in grant(dovecot, "carol").stdout


@pytest.mark.needs("dovecot")
@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_dovecot_s_logins_do_not_need_relaypassd(
        dovecot, customer, relaypassd, protocol):
    daemon = relaypassd(dovecot, EXAMPLE)
    daemon.freeze()
    try:
        good, seconds = log_in(customer, protocol)
        assert good and 0.19 < seconds < 1, seconds
    finally:
        daemon.thaw()
    # It was said, and is heard in the end.
    daemon.wait_leased(customer.v4)
    daemon.stop()
    good, seconds = log_in(customer, protocol)
    assert good and seconds < 1, seconds
    dovecot.run("rm", "-rf", "/run/relaypass")
    good, seconds = log_in(customer, protocol)
    assert good and seconds < 1, seconds


# --- Courier ----------------------------------------------------------------

def make_writable(host, place):
    """The packages lie over /usr, which nobody can write to."""
    upper, work = (f"{host.base}/{name}{place.replace('/', '-')}"
                   for name in ("upper", "work"))
    host.run("mkdir", upper, work)
    host.run("mount", "-t", "overlay", "overlay", "-o",
             f"lowerdir={place},upperdir={upper},workdir={work}", place)


@pytest.fixture(name="courier_site", scope="module")
def make_courier(tmp_path_factory):
    with real.site(tmp_path_factory, "courier") as site:
        host = site.host
        for place in ("/usr/local", "/usr/lib/courier/courier"):
            make_writable(host, place)
        host.install()
        host.install_users()
        site.start_rsyslog()
        server = host.path("/usr/lib/courier/courier/courierpop3d")
        server.rename(f"{server}.real")
        server.write_text(example("courier-login"), encoding="utf-8")
        server.chmod(0o755)
        courier.set_up(host)
        site.wait_for_ports(110)
        yield site


def test_courier_s_login_makes_a_lease(courier_site, relaypassd):
    customer, stranger = courier_site.customer, courier_site.stranger
    daemon = relaypassd(courier_site.host, CONF.format(
        options='allow-uid = { "root", "vmail" }'))
    ask = {"user": courier.ALICE, "password": "secret"}
    assert not stranger.pop3(**stranger.ends("ipv4"), user=courier.ALICE,
                             password="wrong")["ok"]
    assert customer.pop3(**customer.ends("ipv4"), **ask)["ok"]
    assert daemon.check(customer.v4).startswith("allow ")
    assert [(one["address"], one["user"], one["server"])
            for one in leases(courier_site.host)] == [
                (customer.v4, courier.ALICE, "courier")]
    assert daemon.check(stranger.v4) == "none"
    daemon.stop()
    begin = time.monotonic()
    assert customer.pop3(**customer.ends("ipv4"), **ask)["ok"]
    assert time.monotonic() - begin < 1


# --- tpop3d -----------------------------------------------------------------

TPOP3D = """
do '/etc/tpop3d-onlogin.pl';
for my $login (
    {user => 'anna', local_part => '', domain => '', clienthost => '192.0.2.7'},
    {user => 'b', local_part => 'b c', domain => 'example.net',
     clienthost => '192.0.2.8'},
    {user => 'd%', clienthost => '2001:db8::8'},
    {user => "e\\n", clienthost => '192.0.2.10'},
    {user => 'f', clienthost => '192.0.2.11 user=g'},
    {user => '', clienthost => '192.0.2.12'}) {
  ref relaypass_onlogin($login) eq 'HASH' or die;
}
"""


def test_tpop3d_s_onlogin_makes_leases(site, relaypassd):
    site.write("/etc/tpop3d-onlogin.pl", example("tpop3d-onlogin.pl"))
    daemon = relaypassd(site, EXAMPLE)
    site.run("perl", "-e", TPOP3D)
    daemon.wait_leased("2001:db8::8")
    assert sorted((one["address"], one["user"]) for one in leases(site)) == [
        ("192.0.2.7", "anna"), ("192.0.2.8", "b c@example.net"),
        ("2001:db8::8", "d%")]
    daemon.stop()
    site.run("perl", "-e", TPOP3D)


# --- who may say what -------------------------------------------------------

def tell(host, user, line, path=NOTIFY):
    """One notice as that user of the host; the answer, or "" for none."""
    program = ("import socket, sys\n"
               "s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
               "s.bind('')\ns.settimeout(0.5)\n"
               "s.connect(sys.argv[1])\ns.send(sys.argv[2].encode())\n"
               "try:\n print(s.recv(200).decode(), end='')\n"
               "except TimeoutError:\n pass\n")
    return host.run("setpriv", "--reuid", user, "--regid", "nogroup",
                    "--clear-groups", lab.PYTHON, "-c", program, path,
                    line).stdout


def grant(host, user, *words, env=None, program="/usr/local/bin/relaypass"):
    """`relaypass grant --from-env` as that user."""
    env = {"IP": "192.0.2.7", "USER": "anna"} if env is None else env
    return host.run("setpriv", "--reuid", user, "--regid", "nogroup",
                    "--clear-groups", "env", "-i",
                    *[f"{key}={value}" for key, value in env.items()],
                    program, "grant", "--from-env", *words, check=False)


LOGIN = "login ip=192.0.2.7 user=anna server=dovecot session=s1"
ALIVE = "alive ip=192.0.2.7 user=anna server=dovecot session=s1"
LOGOUT = "logout user=anna server=dovecot session=s1"


def test_a_stranger_is_not_heard(site, relaypassd):
    daemon = relaypassd(site, EXAMPLE)
    assert tell(site, "carol", LOGIN) == ""
    for word, code in (("--strict", 111), ("--server=other", 0)):
        done = grant(site, "carol", word)
        assert done.returncode == code
        assert "does not allow uid" in done.stdout
    assert daemon.check("192.0.2.7") == "none"
    assert "reason=not-allowed" in daemon.process.output()
    assert grant(site, "dovecot", "--strict").returncode == 0
    assert daemon.check("192.0.2.7").startswith("allow ")


def test_a_holder_holds_what_was_told_and_makes_nothing(site, relaypassd):
    daemon = relaypassd(site, CONF.format(
        options='allow-uid = { "root" } hold-uid = { "*" }'))
    no = "error not for you to say\n"
    unknown = "none unknown-session\n"
    assert tell(site, "carol", LOGIN) == no
    assert tell(site, "carol", ALIVE) == unknown
    assert tell(site, "carol", LOGOUT) == unknown
    assert daemon.check("192.0.2.7") == "none"
    assert tell(site, "root", LOGIN) == "stored\n"
    for part, other in (("192.0.2.7", "203.0.113.66"), ("anna", "carol"),
                        ("dovecot", "courier"), ("=s1", "=s2")):
        assert tell(site, "carol", ALIVE.replace(part, other)) == unknown
    assert tell(site, "carol", LOGOUT.replace("anna", "carol")) == unknown
    # 20 minutes, a sign of life, 20 minutes: the lease is there.
    daemon.clock.advance(TTL_MS * 2 // 3)
    assert tell(site, "carol", ALIVE) == "stored\n"
    daemon.clock.advance(TTL_MS * 2 // 3)
    assert daemon.check("192.0.2.7").startswith("allow ")
    assert daemon.check("203.0.113.66") == "none"
    assert tell(site, "carol", LOGOUT) == "stored\n"
    assert tell(site, "carol", ALIVE) == unknown
    daemon.clock.advance(TTL_MS)
    assert daemon.check("192.0.2.7") == "none"


def test_users_are_confined_to_networks(site, relaypassd):
    daemon = relaypassd(site, CONF.format(
        options='allow-uid = { "root", "carol" } '
                'networks = { "carol=198.51.100.0/24" }'))
    assert tell(site, "carol", LOGIN) == "error not for this address\n"
    assert daemon.check("192.0.2.7") == "none"
    near = LOGIN.replace("192.0.2.7", "198.51.100.7")
    assert tell(site, "carol", near) == "stored\n"
    assert tell(site, "root", LOGIN) == "stored\n"


def test_the_rules_are_told(site, relaypassd):
    relaypassd(site, EXAMPLE)
    for address, reason in (("10.1.2.3", "private-address"),
                            ("224.0.0.1", "special-address")):
        assert tell(site, "root", LOGIN.replace("192.0.2.7", address)) == \
            f"none {reason}\n"
    done = grant(site, "root", "--strict",
                 env={"IP": "10.1.2.3", "USER": "anna"})
    assert (done.returncode, done.stdout) == (
        1, "relaypass: no lease for 10.1.2.3: private-address\n")


# Behind checkpassword: one process of the mail user has the connection, another
# one of the same user takes it (pidfd_open(2), pidfd_getfd(2)).
THIEF = """
import ctypes, os, signal, socket, sys
fd = int(os.environ["RELAYPASS_NOTIFY_FD"])
reader, writer = os.pipe()
victim = os.fork()
if victim == 0:
    os.write(writer, b"x")
    signal.pause()
os.close(fd)
os.read(reader, 1)
libc = ctypes.CDLL(None, use_errno=True)
stolen = libc.syscall(438, os.pidfd_open(victim), fd, 0)
assert stolen >= 0, os.strerror(ctypes.get_errno())
sock = socket.socket(fileno=stolen)
sock.settimeout(5)
for line in sys.argv[1:]:
    sock.send(line.encode() + b"\\n")
    print(os.getuid(), sock.recv(200).decode(), end="")
os.kill(victim, signal.SIGKILL)
"""


def test_root_s_connection_is_of_no_use_to_a_mail_user(site, relaypassd):
    daemon = relaypassd(site, EXAMPLE)
    carol = site.run("id", "-u", "carol").stdout.strip()

    def steal(*lines, address="198.51.100.7"):
        return site.run(
            "env", f"TCPREMOTEIP={address}", "/usr/local/bin/relaypass",
            "login", "--open", "--", "setpriv", "--reuid", "carol",
            "--regid", "nogroup", "--clear-groups", lab.PYTHON, "-c", THIEF,
            *lines, check=False).stdout

    theft = LOGIN.replace("192.0.2.7", "203.0.113.66")
    assert steal(theft) == f"{carol} error bound to another address\n"
    assert steal("bind ip=203.0.113.66") == f"{carol} error bound already\n"
    assert daemon.check("203.0.113.66") == "none"
    assert "reason=bound-elsewhere" in daemon.process.output()
    own = LOGIN.replace("192.0.2.7", "198.51.100.7")
    # His own address, once: behind the answer there is the end.
    assert steal(own, own).count("stored") == 1
    assert daemon.check("198.51.100.7").startswith("allow ")
    # Nothing to steal where nobody knows the client.
    assert "KeyError: 'RELAYPASS_NOTIFY_FD'" in steal(theft, address="")


def test_a_stream_carries_line_after_line(site, relaypassd):
    relaypassd(site, CONF.format(options=""))
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(lab.LIMIT)
        sock.connect(str(site.path("/run/relaypass/notify.stream")))
        file = sock.makefile("rwb")
        for line, answer in ((LOGIN, "stored\n"), (LOGOUT, "stored\n"),
                             (ALIVE, "none unknown-session\n")):
            file.write(line.encode() + b"\n")
            file.flush()
            assert file.readline().decode() == answer
        file.write(b"nonsense\n")
        file.flush()
        assert file.readline() == b"error unknown verb\n"
        assert file.readline() == b""


# --- relaypass grant --from-env ---------------------------------------------

def test_grant_from_env_never_fails_a_login(site):
    """With no daemon at all; and one line says what is wrong."""
    with contextlib.suppress(FileNotFoundError):
        site.path(NOTIFY).unlink()
    anna = {"IP": "192.0.2.7", "USER": "anna"}
    for env, words, code, text in (
            (anna, [], 111, "nobody listens at"),
            ({"USER": "anna"}, [], 100, "none of IP, TCPREMOTEIP"),
            ({"IP": "192.0.2.7"}, [], 100, "none of AUTHENTICATED, USER"),
            ({"IP": "mx", "USER": "a"}, [], 100, "is not an IP address"),
            ({"IP": "127.0.0.1", "USER": "a"}, [], 1, ""),
            (anna, ["--server", "No"], 100, "--server"),
            (anna, ["--ttl", "1h"], 100, "neither"),
            (anna, ["--nonsense"], 100, "not known"),
            (anna, ["192.0.2.8"], 100, "neither")):
        done = grant(site, "root", *words, env=env)
        assert done.returncode == 0, done.stdout
        assert text in done.stdout
        assert len(done.stdout.splitlines()) <= (2 if code == 100 else 1)
        done = grant(site, "root", "--strict", *words, env=env)
        assert done.returncode == code, done.stdout


def test_grant_from_env_is_quick(site, relaypassd):
    daemon = relaypassd(site, EXAMPLE)
    daemon.freeze()
    try:
        begin = time.monotonic()
        done = grant(site, "root", "--strict")
        assert done.returncode == 111 and time.monotonic() - begin < 1
    finally:
        daemon.thaw()
    lab.wait_for(lambda: grant(site, "root", "--strict").returncode == 0,
                 "relaypassd goes on")
    assert os.path.exists(site.path(NOTIFY))
