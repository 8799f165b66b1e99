# SPDX-License-Identifier: ISC
"""The source "http" with the real Dovecot 2.3: its auth policy client and its
event exporter, set up by the files of examples/, and by nothing else.

The other policy server behind it is a mock: Debian has no weakforced.
"""

import contextlib
import itertools
import json
import os
import signal
import subprocess
import time

import pytest

import dovecot_conf
import lab
import servers
import servers_real
import sessions

pytestmark = [pytest.mark.namespaces, pytest.mark.needs("dovecot")]

SECRETS = {}  # "secret" and "token", as the set-up makes them
PORT = 11080
OTHER_PORT = 8084
THIEF = "203.0.113.66"
numbers = itertools.count(1)

# POSTs within the host: what to send on stdin, [status, body] on stdout.
POSTER = """
import http.client, json, sys
for text in sys.stdin:
    r = json.loads(text)
    c = http.client.HTTPConnection("127.0.0.1", r["port"], timeout=10)
    c.request(r["method"], r["path"], r["body"].encode(), r["headers"])
    a = c.getresponse()
    print(json.dumps([a.status, a.read().decode()]), flush=True)
    c.close()
"""

# A policy server: answers what its first argument says, tells what it heard.
OTHER = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = sys.argv[1].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
        print(self.path, self.headers["Authorization"], body.decode(),
              flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", 8084), Handler).serve_forever()
"""


def example(name):
    return (lab.EXAMPLES / name).read_text(encoding="utf-8")


def commands():
    """The shell commands of the set-up: its blocks that begin with umask."""
    doc = (lab.TREE / "docs/sources/http.md").read_text(encoding="utf-8")
    blocks = [block for block in doc.split("\n\n")
              if block.startswith("    umask")]
    assert len(blocks) == 2
    name = "dovecot-event-exporter.conf"
    return "\n".join(blocks).replace(f"examples/{name}",
                                     str(dovecot_conf.example(name)))


def conf(more=""):
    text = example("relaypass-http.conf")
    assert "# events = yes" in text
    return text.replace("# events = yes", "events = yes\n" + more)


class Site:
    """Dovecot with both ways of telling, and who posts by hand."""

    ports = {"imap": 143, "pop3": 110}

    def __init__(self, host, directory):
        self.host, self.directory = host, directory
        host.add_user("alice")
        servers_real.make_certificate(host, "/etc/dovecot/test.pem")
        host.write("/etc/relaypass/wforce.password", "hunter2\n", 0o600)
        dovecot_conf.write(host, servers.DOVECOT)
        host.run("sh", "-euc", f"cd {lab.TREE}\n{commands()}")
        for name in ("secret", "token"):
            SECRETS[name] = host.path(
                f"/etc/relaypass/http.{name}").read_text("ascii").strip()
        self.included = [
            line for line in host.path("/etc/dovecot/dovecot.conf").read_text(
                encoding="utf-8").splitlines(True)
            if line.startswith("!include_try")]
        self.poster = None

    def dovecot(self, *files, more=""):
        """Starts it anew, with these of the examples."""
        self.host.run("doveadm", "stop", check=False)
        lab.wait_for(lambda: not self.host.listens(143), "dovecot is gone")
        lines = "".join(line for line in self.included
                        if any(name in line for name in files))
        dovecot_conf.write(self.host, servers.DOVECOT.replace(
            "ssl = no", "ssl = yes\nssl_cert = </etc/dovecot/test.pem\n"
            "ssl_key = </etc/dovecot/test.pem") + more + lines)
        self.host.write("/var/log/dovecot.log", "")
        self.host.daemon("dovecot")
        lab.wait_for(lambda: all(map(self.host.listens, self.ports.values())),
                     "dovecot listens")

    def log(self):
        return self.host.path("/var/log/dovecot.log").read_text(
            encoding="utf-8", errors="replace")

    def post(self, path, body, method="POST", port=PORT, **headers):
        """(status, body). Header names with _ for -; None leaves one out."""
        if not self.poster:
            self.poster = subprocess.Popen(
                self.host.command([lab.PYTHON, "-c", POSTER]),
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                encoding="utf-8")
        headers = {"Content-Type": "application/json", **{
            name.replace("_", "-"): text for name, text in headers.items()}}
        self.poster.stdin.write(json.dumps({
            "method": method, "path": path, "port": port,
            "body": body if isinstance(body, str) else json.dumps(body),
            "headers": {k: v for k, v in headers.items() if v}}) + "\n")
        self.poster.stdin.flush()
        return tuple(json.loads(self.poster.stdout.readline()))

    def login(self, **notice):
        return self.post("/login", {"user": "anna", **notice},
                         Authorization=f"Bearer {SECRETS['token']}")

    def close(self):
        if self.poster:
            self.poster.stdin.close()
            self.poster.kill()
            self.poster.wait()
            self.poster.stdout.close()


@pytest.fixture(scope="module", name="site")
def make_site(tmp_path_factory):
    with contextlib.ExitStack() as stack:
        host = lab.Host(tmp_path_factory.mktemp("host"))
        stack.callback(host.close)
        host.install()
        host.install_users()
        site = Site(host, tmp_path_factory.mktemp("site"))
        stack.callback(site.close)
        site.customer = lab.Client(host, "203.0.113.7", "2001:db8::7")
        stack.callback(site.customer.close)
        site.stranger = lab.Client(host, "203.0.113.8", "2001:db8::8")
        stack.callback(site.stranger.close)
        yield site


@pytest.fixture(name="host")
def get_host(site):
    return site.host


@pytest.fixture(name="daemon")
def start_daemon(host, relaypassd):
    daemon = relaypassd(host, conf())
    lab.wait_for(lambda: host.listens(PORT), "the source listens")
    return daemon


def log_in(site, client, protocol="imap", family="ipv4", user="alice",
           password=servers.PASSWORD, **more):
    return getattr(client, protocol)(
        **client.ends(family), user=user, password=password,
        port=site.ports[protocol], **more)


def pid_of(daemon, role):
    status = daemon.host.run(lab.program("relaypass"), "-c", daemon.config,
                             "status").stdout
    for line in status.splitlines():
        words = line.split()
        if words[:1] == [role]:
            return int(words[2])
    raise AssertionError(status)


def inside(daemon, role):
    """The process of a role, as seen from here."""
    wanted = pid_of(daemon, role)
    for pid in lab.descendants_of(daemon.process.pid):
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            for line in file:
                if line.startswith("NSpid:") and \
                        int(line.split()[-1]) == wanted:
                    return pid
    raise AssertionError(f"no process {wanted}")


def grants(daemon):
    return daemon.process.output().count("lease.grant")


# --- Dovecot's auth policy ----------------------------------------------------


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_a_reported_login_makes_a_lease(site, daemon, protocol, family):
    site.dovecot("auth-policy")
    assert log_in(site, site.customer, protocol, family)["ok"]
    # The report is on its way when the client hears that it is let in.
    daemon.wait_leased(site.customer.ends(family)["source"])
    assert "user=alice source=web server=dovecot" in daemon.process.output()
    assert daemon.check(site.stranger.ends(family)["source"]) == "none"


def test_a_failed_login_makes_none(site, daemon):
    site.dovecot("auth-policy")
    for protocol in site.ports:
        assert not log_in(site, site.customer, protocol,
                          password="wrong")["ok"]
        assert not log_in(site, site.customer, protocol,
                          user=f"x rip={THIEF}", password="wrong")["ok"]
    # What was reported before this one has been seen.
    assert log_in(site, site.stranger)["ok"]
    daemon.wait_leased(site.stranger.v4)
    assert daemon.check(site.customer.v4) == "none"
    assert grants(daemon) == 1


def test_the_name_is_the_one_that_dovecot_knows(site, daemon):
    site.dovecot("auth-policy")
    assert log_in(site, site.customer, user="ALICE")["ok"]
    daemon.wait_leased(site.customer.v4)
    assert "user=alice " in daemon.process.output()


def test_doveadm_auth_test_makes_none(site, daemon):
    site.dovecot("auth-policy")
    site.host.run("doveadm", "auth", "test", "alice", servers.PASSWORD)
    site.host.run("doveadm", "auth", "test", "-x", f"rip={THIEF}", "alice",
                  servers.PASSWORD)
    assert log_in(site, site.stranger)["ok"]
    daemon.wait_leased(site.stranger.v4)
    assert daemon.check(THIEF) == "none"
    assert grants(daemon) == 1


def test_logins_go_on_without_relaypassd(site, daemon):
    site.dovecot("auth-policy")
    daemon.freeze()
    try:
        start = time.monotonic()
        for protocol in site.ports:
            assert log_in(site, site.customer, protocol)["ok"]
        # Dovecot asks before and after the password, 2 s each.
        assert time.monotonic() - start < 15
    finally:
        daemon.thaw()
    daemon.stop()
    start = time.monotonic()
    for protocol in site.ports:
        assert log_in(site, site.customer, protocol)["ok"]
    assert time.monotonic() - start < 5


def test_only_root_reads_the_secret_in_dovecots_files(site, daemon):
    site.dovecot("auth-policy", "event-exporter")
    assert SECRETS["secret"] in site.host.run("doveconf", "-n").stdout
    shown = site.host.run("setpriv", "--reuid", "alice", "--clear-groups",
                          "doveconf", "-n").stdout
    assert "maildir" in shown
    assert SECRETS["secret"] not in shown


# --- Dovecot's event exporter -------------------------------------------------


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_events_tell_login_and_logout(site, daemon, protocol):
    site.dovecot("event-exporter")
    assert log_in(site, site.customer, protocol, keep="open")["ok"]
    daemon.wait_leased(site.customer.v4)
    assert "user=alice source=web server=dovecot" in daemon.process.output()
    assert counter(daemon, "logouts") == 0
    site.customer.hang_up(name="open")
    lab.wait_for(lambda: counter(daemon, "logouts") == 1, "the logout")
    assert counter(daemon, "logins") == 1


def counter(daemon, name):
    status = daemon.host.run(lab.program("relaypass"), "-c", daemon.config,
                             "status").stdout.splitlines()
    at = next(i for i, line in enumerate(status)
              if line.split()[:3] == ["name", "lines", "logins"])
    row = next(line for line in status[at:] if line.split()[:1] == ["web"])
    return int(row.split()[status[at].split().index(name)])


def test_events_of_failures_and_of_doveadm_make_none(site, daemon):
    site.dovecot("event-exporter")
    assert not log_in(site, site.customer, password="wrong")["ok"]
    site.host.run("doveadm", "auth", "test", "-x", f"rip={THIEF}", "alice",
                  servers.PASSWORD)
    assert log_in(site, site.stranger)["ok"]
    daemon.wait_leased(site.stranger.v4)
    assert daemon.check(THIEF) == "none"
    assert daemon.check(site.customer.v4) == "none"


def test_dovecots_log_does_not_tell_the_secret_of_the_url(site, daemon):
    """Not even when the exporter cannot reach us."""
    site.dovecot("event-exporter")
    daemon.stop()
    assert log_in(site, site.customer)["ok"]
    lab.wait_for(lambda: "Failed to export" in site.log(), "its complaint")
    assert SECRETS["secret"] not in site.log()


@pytest.mark.parametrize("way", ["auth-policy", "event-exporter"])
def test_tls_is_told(site, host, relaypassd, way):
    daemon = relaypassd(host, conf().replace(
        'ttl = "30m"', 'ttl = "30m"\n\trequire-tls = yes'))
    site.dovecot(way)
    assert log_in(site, site.customer)["ok"]
    lab.wait_for(lambda: "no-tls" in daemon.process.output(), "the refusal")
    assert daemon.check(site.customer.v4) == "none"
    assert site.customer.imap(
        **site.customer.ends("ipv4"), user="alice", password=servers.PASSWORD,
        port=993, tls=True)["ok"]
    daemon.wait_leased(site.customer.v4)


@pytest.mark.parametrize("way,name", [
    ("auth-policy", "anonymous"), ("event-exporter", "anonymous"),
    ("event-exporter", "guest")])
def test_who_shows_no_password_gets_no_lease(site, daemon, way, name):
    site.dovecot(way, more="auth_mechanisms = plain anonymous\n"
                           f"auth_anonymous_username = {name}\n")
    with contextlib.closing(sessions.Session(site.stranger, 143)) as session:
        session.expect("* OK")
        session.send("1 AUTHENTICATE ANONYMOUS")
        session.expect("+")
        session.send("eA==")
        session.expect("1 OK")
    # What was told before this one has been heard.
    assert log_in(site, site.customer)["ok"]
    daemon.wait_leased(site.customer.v4)
    assert daemon.check(site.stranger.v4) == "none"
    assert grants(daemon) == 1


# --- by hand ------------------------------------------------------------------

REPORT = {"device_id": "", "login": "anna", "protocol": "imap",
          "pwhash": "0d52", "remote": THIEF, "session_id": "x",
          "success": True, "policy_reject": False, "tls": False}


def test_a_report_needs_the_secret_and_nothing_of_a_browser(site, daemon):
    url = "/policy?command=report"
    key = {"X_Relaypass_Key": SECRETS["secret"]}
    refused = [
        (401, site.post(url, REPORT)),
        (401, site.post(url, REPORT, X_Relaypass_Key="x" * 32)),
        (401, site.post(url, REPORT, X_Relaypass_Key=SECRETS["token"])),
        (401, site.post(url, REPORT,
                        Authorization=f"Bearer {SECRETS['token']}")),
        (401, site.post("/event/" + SECRETS["token"], REPORT)),
        (401, site.post("/login", {"ip": THIEF, "user": "anna"}, **key)),
        (403, site.post(url, REPORT, Origin="http://localhost", **key)),
        (421, site.post(url, REPORT, Host="rebound.example.org", **key)),
        (415, site.post(url, REPORT, Content_Type="text/plain", **key)),
        (405, site.post(url, REPORT, method="GET", **key)),
        (405, site.post(url, REPORT, method="PUT", **key)),
        (404, site.post("/", REPORT, **key)),
        (404, site.post("/policy", REPORT, **key)),
        (400, site.post(url, "{", **key)),
        (413, site.post(url, " " * 20000, **key)),
    ]
    for want, (status, body) in refused:
        assert (status, list(json.loads(body))) == (want, ["error"]), body
    assert site.post("/policy?command=allow", REPORT, **key)[0] == 200
    assert daemon.check(THIEF) == "none"
    # The same with everything right.
    status, body = site.post(url, {**REPORT, "remote": "203.0.113.9"}, **key)
    assert (status, json.loads(body)) == (200, {"status": 0, "msg": ""})
    assert daemon.check("203.0.113.9").startswith("allow ")
    assert daemon.check(THIEF) == "none"
    for secret in SECRETS.values():
        assert secret not in daemon.process.output()


def test_our_json_is_answered_after_the_commit(site, daemon):
    status, body = site.login(ip="203.0.113.10", tls=True)
    assert (status, json.loads(body)) == (200, {"stored": True, "lease": True})
    assert daemon.check("203.0.113.10").startswith("allow ")
    status, body = site.login(ip="10.0.0.1")
    assert (status, json.loads(body)) == (
        200, {"stored": True, "lease": False, "reason": "private-address"})
    status, body = site.post(
        "/login", [{"ip": f"203.0.113.{n}", "user": "anna"}
                   for n in range(20, 84)],
        Authorization=f"Bearer {SECRETS['token']}")
    assert status == 200
    assert [row["lease"] for row in json.loads(body)] == [True] * 64
    assert daemon.check("203.0.113.83").startswith("allow ")
    status, body = site.login(ip="203.0.113.90", name="anna")
    assert (status, json.loads(body)) == (
        400, {"error": "there is a key that nobody knows"})
    assert daemon.check("203.0.113.90") == "none"


def test_not_stored_is_told_in_time(site, daemon):
    site.dovecot("auth-policy")
    assert site.login(ip="203.0.113.10")[0] == 200
    keeper = inside(daemon, "keeper")
    os.kill(keeper, signal.SIGSTOP)
    try:
        start = time.monotonic()
        status, body = site.login(ip="203.0.113.11")
        took = time.monotonic() - start
        assert (status, json.loads(body)) == (503, {"stored": False})
        # 200 ms, and what a busy machine adds.
        assert 0.1 < took < 1
        # Questions do not wait for it.
        key = {"X_Relaypass_Key": SECRETS["secret"]}
        assert site.post("/policy?command=allow", REPORT, **key)[0] == 200
        start = time.monotonic()
        assert log_in(site, site.customer)["ok"]
        assert time.monotonic() - start < 3
    finally:
        os.kill(keeper, signal.SIGCONT)


def test_slow_clients_are_shown_out_and_hold_nobody_up(site, daemon):
    """A byte now and then must not keep a connection."""
    key = {"X_Relaypass_Key": SECRETS["secret"]}
    slow = [subprocess.Popen(
        site.host.command([lab.PYTHON, "-c", SLOW, str(PORT), text]),
        stdout=subprocess.PIPE, encoding="utf-8")
        for text in ("POST /policy?command=allow HTTP/1.1\r\nHost: local",
                     "POST /po")]
    try:
        for _ in range(50):
            start = time.monotonic()
            assert site.post("/policy?command=allow", REPORT, **key)[0] == 200
            assert time.monotonic() - start < 2
        for process, limit in zip(slow, (10, 20)):
            out, _ = process.communicate(timeout=60)
            assert float(out) < limit
    finally:
        for process in slow:
            process.kill()
            process.wait()
            process.stdout.close()


# Twenty connections that send a byte a second; the seconds until all are over.
SLOW = """
import select, socket, sys, time
start = time.monotonic()
socks = [socket.create_connection(("127.0.0.1", int(sys.argv[1])))
         for _ in range(20)]
for s in socks:
    s.sendall(sys.argv[2].encode())
while socks:
    for s in select.select(socks, [], [], 1)[0]:
        try:
            over = not s.recv(1000)
        except OSError:
            over = True
        if over:
            socks.remove(s)
    for s in socks[:]:
        try:
            s.send(b"x")
        except OSError:
            socks.remove(s)
print(time.monotonic() - start)
"""


def test_it_serves_when_idle_clients_hold_all_descriptors(site, tmp_path):
    site.host.run("rm", "-rf", "/var/lib/relaypass")
    daemon = lab.Relaypassd(site.host, tmp_path, conf())
    argv = daemon.argv()
    daemon.argv = lambda: ["sh", "-c", 'ulimit -n 48; exec "$@"', "sh", *argv]
    daemon.start()
    holder = subprocess.Popen(
        site.host.command([lab.PYTHON, "-c", HOLDER, str(PORT)]),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")
    try:
        assert holder.stdout.readline() == "held\n"
        for n in range(20):
            start = time.monotonic()
            assert site.login(ip=f"203.0.113.{20 + n}")[0] == 200
            assert time.monotonic() - start < 2
        assert "Too many open files" in daemon.process.output()
    finally:
        holder.communicate()
        daemon.stop()


HOLDER = """
import socket, sys
socks = [socket.create_connection(("127.0.0.1", int(sys.argv[1])))
         for _ in range(100)]
print("held", flush=True)
sys.stdin.read()
"""


def test_it_does_not_start_without_a_secret(site, relaypassd):
    for text, want in ((conf().replace("secret-file", "# ").replace(
            "token-file", "# ").replace("events", "# "), "secret-file"),
                       (conf().replace("http.secret", "http.none"),
                        "http.none"),
                       (conf().replace("allow =", "# "), "allow")):
        with pytest.raises(AssertionError, match=want):
            relaypassd(site.host, text)
    site.host.path("/etc/relaypass/http.secret").chmod(0o644)
    try:
        with pytest.raises(AssertionError, match="0644"):
            relaypassd(site.host, conf())
    finally:
        site.host.path("/etc/relaypass/http.secret").chmod(0o600)


# --- another policy server behind it ------------------------------------------


@contextlib.contextmanager
def other_server(site, answer):
    process = site.host.start([lab.PYTHON, "-c", OTHER, answer],
                              site.directory / f"other{next(numbers)}.log")
    try:
        lab.wait_for(lambda: site.host.listens(OTHER_PORT), "it listens")
        yield process
    finally:
        process.kill_all()
        lab.wait_for(lambda: not site.host.listens(OTHER_PORT), "it is gone")


def forwarding(more=""):
    text = example("relaypass-http.conf").replace(
        "# forward", "forward")
    assert text.count("\tforward") == 2
    return text.replace("\tforward =", f"\t{more}\n\tforward =")


def test_another_policy_server_has_its_say(site, host, relaypassd):
    daemon = relaypassd(host, forwarding())
    site.dovecot("auth-policy")
    with other_server(site, '{"status":-1,"msg":"go away"}') as other:
        assert not log_in(site, site.customer)["ok"]
        lab.wait_for(lambda: "command=report" in other.output(), "the report")
        assert "/?command=allow Basic d2ZvcmNlOmh1bnRlcjI= " in other.output()
    with other_server(site, '{"status":0,"msg":""}') as other:
        assert log_in(site, site.customer)["ok"]
        daemon.wait_leased(site.customer.v4)
        lab.wait_for(lambda: '"success":true' in other.output(), "the report")
    # It is down: nobody is kept out.
    assert log_in(site, site.stranger)["ok"]
    daemon.wait_leased(site.stranger.v4)


def test_another_policy_server_that_is_away_may_refuse(site, host, relaypassd):
    relaypassd(host, forwarding('forward-fail = "refuse"'))
    site.dovecot("auth-policy")
    assert not log_in(site, site.customer)["ok"]
    with other_server(site, '{"status":0,"msg":""}'):
        assert log_in(site, site.customer)["ok"]
