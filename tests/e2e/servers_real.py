# SPDX-License-Identifier: ISC
"""What the tests with real POP3 and IMAP servers share: a host that has the
server's packages and a real rsyslogd with a file of each format, logins by the
dozen, and what relaypass makes of the files.

The packages exclude each other, so none is installed: they are unpacked within
the host and laid over its /usr. They go with it.
"""

import collections
import contextlib
import dataclasses
import datetime
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess

import pytest

import lab

PACKAGES = pathlib.Path("/var/cache/relaypass-test")
PASSWORD = "secret"
THIEF = "203.0.113.66"  # hostile names want a lease for it
NOBODY = "no-account"
FORMATS = {
    "traditional": "RSYSLOG_TraditionalFileFormat",
    "iso": "RSYSLOG_FileFormat",
    "rfc5424": "RSYSLOG_SyslogProtocol23Format",
}
PORTS = {("imap", False): 143, ("imap", True): 993,
         ("pop3", False): 110, ("pop3", True): 995}
# Reverse names: what a name server may answer, and what only a liar would.
HOSTS = f"""127.0.0.1 localhost
203.0.113.1 mx.test.example
2001:db8::7 customer_1.test.example
203.0.113.99 {THIEF}
2001:db8::99 {THIEF}.test.example
203.0.113.8 x[{THIEF}]
"""
RELAYPASSD = """
source maillog {{ kind = "file" path = "{path}" }}
listener ask   {{ kind = "ask" listen = "unix:/run/relaypass/ask" }}
"""
LAST = "192.0.2.254"


def log_path(form):
    return f"/var/log/mail.{form}.log"


def install(host, server):
    """Lays the packages that tools/install-deps fetched over the host's files;
    skips the test where there are none."""
    debs = sorted((PACKAGES / server).glob("*.deb"))
    if not debs:
        pytest.skip(f"needs {server}'s packages: tools/install-deps test")
    root = host.base / "packages"
    for deb in debs:
        host.run("dpkg-deb", "-x", deb, root)
    host.run("mount", "-t", "overlay", "overlay", "-o",
             f"lowerdir={root}/usr:/usr", "/usr")
    for place in ("etc", "var"):
        host.run("sh", "-c", f"! test -d {root}/{place} || "
                 f"cp -a {root}/{place}/. /{place}")


def add_system_user(host, name, group=None):
    """As the packages' scripts do it; some machine may have it already."""
    if host.run("getent", "passwd", name, check=False).returncode:
        host.run("useradd", "--system", "--no-create-home", "--home-dir",
                 "/nonexistent", *(["-g", group] if group else ["-U"]), name)


def add_account(host, name):
    """A user with PASSWORD, whatever useradd thinks of the name."""
    hashed = host.run("openssl", "passwd", "-5", PASSWORD).stdout.strip()
    for path, line in (("/etc/passwd", "x:3001:3001::/nonexistent:/bin/false"),
                       ("/etc/shadow", f"{hashed}:19000::::::")):
        with open(host.path(path), "a", encoding="utf-8") as file:
            file.write(f"{name}:{line}\n")


def make_certificate(host, path, owner="root"):
    """Key and certificate in one file."""
    host.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=mx", "-days",
             "9", "-keyout", f"{path}.key", "-out", f"{path}.crt")
    host.run("sh", "-c", f"cat {path}.key {path}.crt >{path}")
    host.run("chown", owner, path)


@dataclasses.dataclass(eq=False)
class Login:
    """What a client does, whether the server must let it in (None: it may),
    whether that is worth a lease, and the name that must be seen."""

    client: lab.Client
    family: str
    protocol: str
    user: str
    password: str = PASSWORD
    tls: str = ""
    how: str = ""
    authzid: str = ""
    before: tuple = ()
    good: bool | None = True
    lease: bool | None = None
    seen_as: str | None = None

    def __post_init__(self):
        if self.lease is None:
            self.lease = self.good
        if self.seen_as is None:
            self.seen_as = self.user

    @property
    def source(self):
        return self.client.ends(self.family)["source"]

    def row(self):
        """For servers_logins.py."""
        fields = ("protocol", "user", "password", "tls", "how", "authzid",
                  "before")
        return {**self.client.ends(self.family),
                "port": PORTS[self.protocol, self.tls == "direct"],
                **{field: getattr(self, field) for field in fields}}


def good_logins(client, user, families=("ipv4", "ipv6"),
                protocols=("imap", "pop3"), tls=("", "start", "direct"),
                **more):
    """Every way in that an ordinary mail program takes."""
    return [Login(client, family, protocol, user, tls=kind, **more)
            for family in families for protocol in protocols for kind in tls]


def bad_logins(client, users, families=("ipv4", "ipv6"),
               protocols=("imap", "pop3"), **more):
    """With a password that nobody has."""
    return [Login(client, family, protocol, user, "wrong", good=False, **more)
            for family in families for protocol in protocols for user in users]


def log_in(logins, at_once=32):
    """Does them, each from its client; the server must take the good ones and
    refuse the others."""
    running = []
    for client in {id(login.client): login.client for login in logins}.values():
        mine = [login for login in logins if login.client is client]
        running.append((mine, subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "nsenter", "-t",
             str(client.popen.pid), "-n", "--", lab.PYTHON,
             str(lab.HERE / "servers_logins.py"), str(at_once)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="ascii")))
        running[-1][1].stdin.write(json.dumps([one.row() for one in mine]))
        running[-1][1].stdin.close()
    wrong = []
    for mine, popen in running:
        with popen:
            answers = json.loads(popen.stdout.read())
        wrong += [f"{login.row()}: {answer['text']}"[-600:]
                  for login, answer in zip(mine, answers)
                  if login.good not in (None, answer["ok"])]
    assert not wrong, "\n".join(wrong[:20])


def scan(path, *words):
    """What relaypass sees in a file, judged at this moment."""
    now = datetime.datetime.now(datetime.timezone.utc)
    done = subprocess.run(
        [lab.program("relaypass"), "scan", "--json", "--now",
         now.strftime("%Y-%m-%dT%H:%M:%SZ"), *words, str(path)],
        capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


class Site:
    """A server on a host of its own, and what is left when it has been used."""

    def __init__(self, directory, stack):
        self.directory, self.stack = directory, stack
        self.files, self.logins, self.answers = {}, [], {}
        self.clients = []
        (directory / "host").mkdir()
        self.host = lab.Host(directory / "host")
        stack.callback(self.host.close)
        self.host.write("/etc/hosts", HOSTS)
        # Many at once and a short queue: who does not fit in comes again.
        self.host.run("sh", "-c", "echo 0 >/proc/sys/net/ipv4/tcp_syncookies")
        self.customer = self.client("203.0.113.7", "2001:db8::7")
        # Has the accounts with the odd names.
        self.odd = self.client("203.0.113.99", "2001:db8::99")
        # Has none.
        self.stranger = self.client("203.0.113.8", "2001:db8::8")

    def client(self, v4, v6):
        client = lab.Client(self.host, v4, v6)
        self.stack.callback(client.close)
        self.clients.append(client)
        return client

    def start_rsyslog(self):
        host = self.host
        rules = "".join(
            f'*.* action(type="omfile" file="{log_path(form)}" '
            f'template="{template}")\n' for form, template in FORMATS.items())
        host.write("/etc/rsyslog.conf", 'module(load="imuxsock")\n' + rules)
        self.host.start(["rsyslogd", "-n", "-i", "/run/rsyslogd.pid"],
                        host.directory / "rsyslogd.log")
        lab.wait_for(lambda: all(host.path(log_path(form)).exists()
                                 for form in FORMATS), "rsyslogd writes")

    def wait_for_ports(self, *ports):
        lab.wait_for(lambda: all(map(self.host.listens, ports)),
                     f"the server listens at {ports}")

    def use(self, logins, paths, followed, at_once=32):
        """All logins, while a relaypassd follows one of the log files. Then
        the server stops, and `files` and `answers` are final. paths: {form:
        path of the log}."""
        self.logins = logins
        self.host.install_users()
        daemon = lab.Relaypassd(self.host, self.directory,
                                RELAYPASSD.format(path=paths[followed]))
        self.stack.callback(daemon.stop)
        daemon.start()
        log_in(logins, at_once)
        self.stop_daemons()
        self.let_rsyslog_finish()
        for form, path in paths.items():
            self.files[form] = self.directory / f"mail.{form}.log"
            shutil.copy(self.host.path(path), self.files[form])
        self.ask_daemon(daemon, self.host.path(paths[followed]), followed)

    def stop_daemons(self):
        """Whatever went to the background. What it logs on its way out counts
        too."""
        pid = self.host.pid
        for daemon in lab.children_of(pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(daemon, signal.SIGTERM)
        lab.wait_for(lambda: not lab.children_of(pid), "the server stops")

    def let_rsyslog_finish(self):
        """The socket and rsyslogd keep the order of the messages."""
        if not self.host.path("/dev/log").exists():
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.connect(str(self.host.path("/dev/log")))
            sock.send(b"<22>test: that was all")
        lab.wait_for(lambda: all(
            b"that was all" in self.host.path(log_path(form)).read_bytes()
            for form in FORMATS), "rsyslogd has written everything")

    def ask_daemon(self, daemon, path, form):
        """Its answers when it has read the file to the end."""
        line = (f"imap-login: {'Info: ' if form == 'own' else ''}Login: "
                f"user=<last>, method=PLAIN, rip={LAST}, lip=203.0.113.1, "
                "mpid=1, TLS, session=<last>\n")
        stamp = datetime.datetime.now().strftime("%b %e %H:%M:%S")
        with open(path, "a", encoding="ascii") as log:
            log.write(f"{stamp} {'' if form == 'own' else 'mx dovecot: '}"
                      f"{line}")
        daemon.wait_leased(LAST)
        self.answers = {
            address: daemon.check(address)
            for client in self.clients for address in (client.v4, client.v6)}
        self.answers[THIEF] = daemon.check(THIEF)
        daemon.stop()

    def check(self, form, server, tls=("start", "direct"), lease=True):
        """Each good login is one lease for its own address and user, nothing
        else is, and no other server's pattern differs. `tls`: the kinds that
        the log tells of. Returns what was seen."""
        want = collections.Counter(
            (login.source, login.seen_as, login.tls in tls)
            for login in self.logins if login.lease and lease)
        for words in (("--servers", server), ()):
            seen = scan(self.files[form], *words)
            got = collections.Counter(
                (one["ip"], one["user"], one["tls"])
                for one in seen if one["kind"] == "login" and one["lease"])
            assert got == want, \
                f"too many: {got - want}\nmissing: {want - got}"
            assert THIEF not in {one["ip"] for one in seen}, form
        return seen

    def check_hostile_text(self, form, least):
        """What the names spell did get into the log."""
        text = self.files[form].read_bytes()
        found = text.count(THIEF.encode())
        assert found >= least, f"{THIEF} only {found} times in {form}"

    def check_answers(self):
        """relaypassd, which read the log as it grew, says the same."""
        leased = {login.source for login in self.logins if login.lease}
        for address, answer in self.answers.items():
            want = "allow" if address in leased else "none"
            assert answer.split()[0] == want, f"{address}: {answer}"
        assert leased <= set(self.answers)


@contextlib.contextmanager
def site(tmp_path_factory, packages=None):
    with contextlib.ExitStack() as stack:
        place = Site(tmp_path_factory.mktemp("real"), stack)
        if packages:
            install(place.host, packages)
        yield place
