# SPDX-License-Identifier: ISC
"""The plugin in the real Dovecot's imap and pop3: what it says on the notify
socket, that it never holds a mail process up, and that leases live with their
sessions."""

import contextlib
import re
import shutil
import socket
import time
import urllib.parse

import pytest

import dovecot_conf
import lab
import servers
import sessions

PLUGIN = lab.BUILD / "contrib" / "dovecot" / "lib99_relaypass_plugin.so"
pytestmark = [
    pytest.mark.namespaces, pytest.mark.needs("dovecot"),
    pytest.mark.skipif(not PLUGIN.exists(), reason="the plugin is not built "
                       "(dovecot-dev): tools/install-deps test")]

EXAMPLE = "dovecot-plugin.conf"
RELAYPASS_EXAMPLE = lab.EXAMPLES / "relaypass-dovecot-plugin.conf"
TTL_S = 1800  # of the example
NOTIFY = "/run/relaypass/notify"
LOG = "/var/log/dovecot.log"
MODULES = "/usr/local/lib/dovecot/modules"
SETTINGS = """
mail_plugin_dir = %s
mail_plugins = %s
auth_username_chars =
auth_username_format = %%u
plugin {
%s
}
%s
"""
HIBERNATE = """
imap_hibernate_timeout = 1s
service imap {
  unix_listener imap-master {
    user = $default_internal_user
  }
}
service imap-hibernate {
  unix_listener imap-hibernate {
    mode = 0666
  }
}
"""


class Dovecot:
    """The server with the plugin, started anew for each set of settings."""

    def __init__(self, host):
        self.host = host
        host.add_user("vmail")
        modules = host.path(MODULES)
        modules.mkdir(parents=True)
        shutil.copy(PLUGIN, modules)
        (modules / "lib99_drac_plugin.so").symlink_to(PLUGIN.name)
        host.run("mkdir", "-p", "/run/relaypass")
        if dovecot_conf.version() >= (2, 4):
            self.install_settings()

    def install_settings(self):
        """2.4 looks for them in its own directory only."""
        place = self.host.path("/usr/local/lib/dovecot/settings")
        place.mkdir()
        shutil.copy(PLUGIN.with_name("librelaypass_settings.so"), place)
        self.host.run(
            "mount", "-t", "overlay", "overlay", "-o",
            "lowerdir=/usr/local/lib/dovecot/settings:"
            "/usr/lib/dovecot/modules/settings",
            "/usr/lib/dovecot/modules/settings")

    def start(self, plugins="relaypass", more="", **settings):
        self.stop()
        self.host.write(LOG, "", 0o600)
        rows = "\n".join(f"{key} = {value}"
                         for key, value in settings.items())
        base = servers.DOVECOT.replace(
            "uid=alice gid=alice home=/home/alice",
            "uid=vmail gid=vmail home=/home/vmail")
        dovecot_conf.write(self.host, base
                           + SETTINGS % (MODULES, plugins, rows, more))
        self.host.daemon("dovecot")
        lab.wait_for(lambda: self.host.listens(143) and self.host.listens(110),
                     "Dovecot listens")

    def stop(self):
        """With all mail processes, which have said their last word then."""
        self.host.run("doveadm", "stop", check=False)
        lab.wait_for(lambda: not lab.children_of(self.host.pid),
                     "Dovecot has stopped")

    def log(self):
        return self.host.path(LOG).read_text(encoding="utf-8",
                                             errors="replace")

    def says(self, pattern):
        """The lines of the plugin that match."""
        return [line for line in self.log().splitlines()
                if "relaypass: " in line and re.search(pattern, line)]


class Ear:
    """Stands in relaypassd's place and keeps what was said."""

    def __init__(self, host):
        self.path = host.path(NOTIFY)
        self.path.unlink(missing_ok=True)
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(str(self.path))
        self.path.chmod(0o666)
        self.sock.settimeout(lab.LIMIT)

    def hear(self):
        """The next notice: its verb, and its pairs decoded."""
        data = self.sock.recv(65536)
        assert data.endswith(b"\n") and len(data) <= 1024, data
        assert re.fullmatch(rb"[ -~]+\n", data), data
        verb, *pairs = data[:-1].decode("ascii").split(" ")
        pairs = [pair.split("=") for pair in pairs]
        return verb, {key: urllib.parse.unquote(value, "utf-8",
                                                "surrogateescape")
                      for key, value in pairs}

    def fill(self):
        """Until nobody can say anything."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    sock.sendto(b"x\n", str(self.path))

    def close(self):
        self.path.unlink(missing_ok=True)
        self.sock.close()


@pytest.fixture(name="dovecot", scope="module")
def make_dovecot(host):
    host.install_users()
    made = Dovecot(host)
    yield made
    made.stop()


@pytest.fixture(name="ear")
def make_ear(host, dovecot):
    dovecot.stop()  # nothing of an earlier test may be heard
    made = Ear(host)
    yield made
    made.close()


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
@pytest.mark.parametrize("protocol", sessions.PROTOCOLS)
def test_a_session_tells_its_login_its_life_and_its_end(
        dovecot, ear, customer, protocol, family):
    dovecot.start(relaypass_interval=1)
    with sessions.PROTOCOLS[protocol](customer, "alice",
                                      family=family) as session:
        verb, first = ear.hear()
        assert verb == "login"
        assert first.pop("service") == protocol
        assert first == {"ip": customer.ends(family)["source"],
                         "user": "alice", "server": "dovecot",
                         "session": first["session"]}
        lab.wait_for(lambda: f"session=<{first['session']}>" in dovecot.log(),
                     "the login line with this session")
        session.idle()
        for _ in range(3):
            assert ear.hear() == ("alive", first)
        session.done()
        session.logout()
    notices = [ear.hear()]
    while notices[-1][0] == "alive":
        notices.append(ear.hear())
    assert notices[-1] == ("logout", first)
    assert not dovecot.says("")


def test_a_broken_connection_is_a_logout(dovecot, ear, customer):
    dovecot.start()
    with sessions.Imap(customer, "alice"):
        session = ear.hear()[1]["session"]
    verb, last = ear.hear()
    assert (verb, last["session"]) == ("logout", session)


ODD = ["x ip=203.0.113.66", "a%20b=c%", "user=<x>, rip=203.0.113.66",
       "J\u00f6rg@test.example", "tab\there", "\udcff\udc80", "x" * 80]


@pytest.mark.parametrize("user", ODD)
def test_an_odd_name_is_one_value(dovecot, ear, customer, user):
    """Whatever it spells; the coding is that of src/base/kv.h."""
    dovecot.start()
    with sessions.Imap(customer, user) as session:
        verb, pairs = ear.hear()
        session.logout()
    assert (verb, pairs["user"]) == ("login", user)
    assert pairs["ip"] == customer.v4
    assert ear.hear()[1]["user"] == user


def test_nobody_listens_and_the_session_works(dovecot, host, customer):
    """Login and logout both find nobody: that is one line."""
    host.path(NOTIFY).unlink(missing_ok=True)
    dovecot.start()
    with sessions.Pop3(customer, "alice") as session:
        session.idle()
        session.logout()
    lab.wait_for(lambda: "Disconnected: Logged out" in dovecot.log(),
                 "the end of the session")
    said = dovecot.says("")
    assert len(said) == 1, said
    assert f"{NOTIFY}: No such file" in said[0]


def test_a_full_queue_holds_nobody_up(dovecot, ear, customer):
    dovecot.start()
    ear.fill()
    start = time.monotonic()
    with sessions.Imap(customer, "alice") as session:
        session.idle()
        session.done()
        session.logout()
    assert time.monotonic() - start < 5
    assert len(lab.wait_for(lambda: dovecot.says("temporarily unavailable"),
                            "the line that tells")) == 1


def test_a_session_speaks_to_the_next_daemon_too(dovecot, host, customer):
    """relaypassd was away at the login, and started again meanwhile."""
    dovecot.start(relaypass_interval=1)
    with sessions.Imap(customer, "alice") as session:
        session.idle()
        for _ in range(2):
            with contextlib.closing(Ear(host)) as ear:
                assert ear.hear()[0] == "alive"


def test_the_drac_plugin_s_settings_are_understood(dovecot, ear, customer):
    dovecot.start(plugins="drac", dracdserver="198.51.100.9", dracdtimeout=1)
    with sessions.Imap(customer, "alice"):
        assert ear.hear()[0] == "login"
        assert ear.hear()[0] == "alive"
    said = lab.wait_for(lambda: dovecot.says(""), "the warning")
    assert len(said) == 1 and "dracdserver=198.51.100.9 is not" in said[0]


def test_both_names_are_one_plugin(dovecot, ear, customer):
    dovecot.start(plugins="drac relaypass", dracdserver="127.0.0.1",
                  relaypass_interval=0)
    with sessions.Imap(customer, "alice") as session:
        session.logout()
    assert [ear.hear()[0] for _ in range(2)] == ["login", "logout"]
    assert not dovecot.says("")


def test_logins_may_be_left_to_another_source(dovecot, ear, customer):
    """To one that mail users cannot use themselves."""
    dovecot.start(relaypass_login="no", relaypass_interval=1)
    with sessions.Imap(customer, "alice") as session:
        assert ear.hear()[0] == "alive"
        session.logout()


@pytest.mark.parametrize("interval", ["soon", "-1", "86401"])
def test_a_bad_interval_is_told(dovecot, ear, customer, interval):
    dovecot.start(relaypass_interval=interval)
    with sessions.Imap(customer, "alice"):
        assert ear.hear()[0] == "login"
    lab.wait_for(lambda: dovecot.says(
        f"relaypass_interval={interval}: expected seconds"), "the warning")


def test_a_bad_socket_is_told_and_the_session_works(dovecot, customer):
    dovecot.start(relaypass_socket="notify")
    with sessions.Imap(customer, "alice") as session:
        session.logout()
    lab.wait_for(lambda: dovecot.says(
        "relaypass_socket=notify: expected a path"), "the error")


def test_only_clients_of_imap_and_pop3_are_told(dovecot, ear, host, customer):
    dovecot.start()
    host.run("doveadm", "mailbox", "list", "-u", "alice")
    host.run("doveadm", "auth", "test", "alice", "secret")
    with sessions.Pop3(customer, "alice"):
        assert ear.hear()[1]["service"] == "pop3"


def test_who_shows_no_password_is_not_told(dovecot, ear, customer):
    dovecot.start(more="auth_mechanisms = plain anonymous\n",
                  relaypass_interval=1)
    with contextlib.closing(sessions.Session(customer, 143)) as session:
        session.expect("* OK")
        session.send("1 AUTHENTICATE ANONYMOUS")
        session.expect("+")
        session.send("eA==")
        session.expect("1 OK")
        with sessions.Imap(customer, "alice"):
            verb, pairs = ear.hear()
        assert (verb, pairs["user"]) == ("login", "alice")


def test_hibernation_is_no_logout(dovecot, ear, customer):
    """The connection goes on in another process, and comes back."""
    dovecot.start(more=HIBERNATE, relaypass_interval=0)
    with sessions.Imap(customer, "alice") as session:
        verb, first = ear.hear()
        assert verb == "login"
        del first["service"]
        session.idle()
        # As it goes, and as it comes back: no password was shown.
        assert ear.hear() == ("alive", first)
        session.done()
        assert ear.hear() == ("alive", first)
        session.logout()
    assert ear.hear() == ("logout", first)
    assert not dovecot.says("")


def test_the_plugin_knows_no_more_symbols_than_dovecot_has():
    """A missing one would end the mail process when it is called."""
    done = lab.Here().run("nm", "-D", "--undefined-only", PLUGIN)
    wanted = {line.split()[-1] for line in done.stdout.splitlines()
              if line.split()[0] == "U"}
    have = set()
    for name in ("libdovecot.so.0", "libdovecot-storage.so.0"):
        done = lab.Here().run("nm", "-D", "--defined-only",
                              f"/usr/lib/dovecot/{name}")
        have |= {line.split()[-1].partition("@")[0]
                 for line in done.stdout.splitlines()}
    assert {one for one in wanted if "@" not in one} <= have


# --- with relaypassd ---------------------------------------------------------


def ttl_of(answer):
    words = [word for word in answer.split() if word.startswith("ttl=")]
    return int(words[0].partition("=")[2]) if words else 0


def start_example(dovecot, interval=1):
    """As the example has it, but with more signs of life."""
    text = dovecot_conf.example(EXAMPLE).read_text(encoding="utf-8")
    assert "relaypass_interval = 60" in text
    dovecot.start(plugins="", more=text.replace(
        "relaypass_interval = 60", f"relaypass_interval = {interval}"))


def relaypass_example(**changes):
    text = RELAYPASS_EXAMPLE.read_text(encoding="utf-8")
    for old, new in changes.values():
        assert old in text
        text = text.replace(old, new)
    return text


@pytest.mark.parametrize("protocol", sessions.PROTOCOLS)
def test_a_lease_lives_as_long_as_its_session(
        dovecot, relaypassd, host, customer, protocol):
    daemon = relaypassd(host, relaypass_example())
    start_example(dovecot)
    with sessions.PROTOCOLS[protocol](customer, "alice") as session:
        daemon.wait_leased(customer.v4)
        session.idle()
        # Two thirds of the time to live, twice: without the session the lease
        # would be over.
        for _ in range(2):
            daemon.clock.advance(TTL_S * 2 // 3 * 1000)
            lab.wait_for(lambda: ttl_of(daemon.check(customer.v4))
                         > TTL_S * 2 // 3, "the lease is held")
        session.done()
        session.logout()
    lab.wait_for(lambda: f"logout ip={customer.v4}"
                 in daemon.process.output(), "the logout is told")
    daemon.clock.advance(TTL_S * 2 // 3 * 1000)
    assert 0 < ttl_of(daemon.check(customer.v4)) <= TTL_S // 3 + 1
    daemon.clock.advance((TTL_S // 3 + 1) * 1000)
    assert daemon.check(customer.v4) == "none"


def test_a_short_ttl_and_a_long_idle(dovecot, relaypassd, host, customer):
    """The same by nobody's clock but the machine's."""
    daemon = relaypassd(host, relaypass_example(
        ttl=('ttl = "30m"', 'ttl = "5s"')))
    start_example(dovecot)
    with sessions.Imap(customer, "alice") as session:
        daemon.wait_leased(customer.v4)
        session.idle()

        def held_twice_the_ttl():
            assert daemon.check(customer.v4).startswith("allow ")
            return daemon.process.output().count("lease.renew") >= 10
        lab.wait_for(held_twice_the_ttl, "ten signs of life")
        session.done()
        session.logout()
        end = time.monotonic()
    lab.wait_for(lambda: daemon.check(customer.v4) == "none",
                 "the lease ends")
    assert 3.9 < time.monotonic() - end < 8


def test_a_session_outlives_relaypassd(dovecot, relaypassd, host, customer):
    """And is held by the next one, which knows it from the ledger."""
    daemon = relaypassd(host, relaypass_example())
    start_example(dovecot)
    with sessions.Imap(customer, "alice") as session:
        daemon.wait_leased(customer.v4)
        session.idle()
        daemon.stop()
        lab.wait_for(lambda: dovecot.says(NOTIFY), "an error of the plugin")
        daemon.start()
        for _ in range(2):
            daemon.clock.advance(TTL_S * 2 // 3 * 1000)
            lab.wait_for(lambda: ttl_of(daemon.check(customer.v4))
                         > TTL_S * 2 // 3, "the lease is held")
        session.done()
        session.logout()
    assert len(dovecot.says("")) == 1


def test_a_user_who_may_only_hold_makes_no_lease(
        dovecot, relaypassd, host, customer, stranger):
    """The plugin's own login counts for nothing then; the log's does."""
    daemon = relaypassd(host, relaypass_example(
        uid=('allow-uid = { "vmail" }', 'hold-uid = { "*" }')))
    start_example(dovecot)
    with sessions.Imap(customer, "alice") as session:
        session.idle()
        lab.wait_for(lambda: "not-allowed" in daemon.process.output(),
                     "the refusal is logged")
        assert daemon.check(customer.v4) == "none"
        session.done()
        session.logout()
    # By root, who may speak, all is well.
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.sendto(f"login ip={stranger.v4} user=alice server=dovecot "
                    "session=x\n".encode(), str(host.path(NOTIFY)))
    daemon.wait_leased(stranger.v4)
    assert daemon.check(customer.v4) == "none"


def test_the_log_tells_the_login_and_the_plugin_holds_the_session(
        dovecot, relaypassd, host, customer):
    """For mail users with a shell: what they say themselves makes no lease.
    The log names no mail process here, as that of another host would name none
    of ours."""
    daemon = relaypassd(host, """
lease { ttl = "30m" }
source maillog { kind = "file"   path = "/var/log/dovecot.log" }
source dovecot { kind = "notify" hold-uid = { "*" } }
listener ask   { kind = "ask"    listen = "unix:/run/relaypass/ask" }
""")
    dovecot.start(relaypass_login="no", relaypass_interval=1, more="""
login_log_format_elements = user=<%u> method=%m rip=%r lip=%l %c \\
    session=<%{session}>
""")
    with sessions.Imap(customer, "alice") as session:
        daemon.wait_leased(customer.v4)
        session.idle()
        for _ in range(2):
            daemon.clock.advance(TTL_S * 2 // 3 * 1000)
            lab.wait_for(lambda: ttl_of(daemon.check(customer.v4))
                         > TTL_S * 2 // 3, "the lease is held", 5)
        session.done()
        session.logout()
    assert "not-allowed" not in daemon.process.output()
