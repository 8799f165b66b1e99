# SPDX-License-Identifier: ISC
"""Chain programs behind checkpassword: relay-ctrl's, with files alone and with
relaypassd, and `relaypass login`. tcpserver is Debian's; Debian has neither
qmail nor checkpassword, so their parts are played by qmail_pop3d.py and
qmail_smtpd.py."""

import contextlib
import json
import os
import shutil
import time

import pytest

import lab
import sessions
import test_qmail as qmail

pytestmark = [pytest.mark.namespaces, pytest.mark.needs("tcpserver")]

TTL_S = 1800
ALLOW = "/var/spool/relay-ctrl/allow"
POP3D = "/var/qmail/bin/qmail-pop3d"
BIN = "/usr/local/bin"
NOTIFY = "/run/relaypass/notify"
ASK = "/run/relaypass/ask"
CONF = """
source notify {{ kind = "notify" allow-uid = {{ "root", "{user}" }} }}
listener ask  {{ kind = "ask" listen = "unix:/run/relaypass/ask"
                 group = "nofiles" }}
"""
NAMES = {"relay-ctrl": ("allow", "check", "chdir", "age"),
         "relay-ctrl-net": ("send", "udp")}


@pytest.fixture(name="site", scope="module")
def make_site(host):
    qmail.install_qmail(host)
    for program, names in NAMES.items():
        shutil.copy(lab.program(program), host.path(f"{BIN}/{program}"))
        for name in names:
            host.path(f"{BIN}/relay-ctrl-{name}").symlink_to(program)
    for name in ("/var/qmail/bin/qmail-popup", f"{BIN}/checkpassword",
                 POP3D, f"{BIN}/pop3d"):
        shutil.copy(lab.HERE / "qmail_pop3d.py", host.path(name))
        host.path(name).chmod(0o755)
    for user in ("alice", "carol"):
        host.run("useradd", "--create-home", user)
    host.run("install", "-d", "-m", "0700", os.path.dirname(ALLOW))
    host.run("install", "-d", "-m", "0777", ALLOW)
    return host


@contextlib.contextmanager
def serving(host, script, port):
    """By a run script of examples/, or a command line."""
    argv = script if isinstance(script, list) else \
        [str(lab.EXAMPLES / script)]
    process = host.start(argv, host.directory / f"port-{port}.log")
    try:
        lab.wait_for(lambda: host.listens(port), f"{argv} listens")
        yield
    finally:
        process.kill_all()
        lab.wait_for(lambda: not host.listens(port), f"{argv} has ended")


@pytest.fixture(name="files")
def make_files(site):
    site.run("sh", "-c", f"rm -f {ALLOW}/* {ALLOW}/.[!.]*")
    return site.path(ALLOW)


def log_in(client, user="alice", password="secret"):
    begin = time.monotonic()
    good = client.pop3(**client.ends("ipv4"), user=user,
                       password=password)["ok"]
    return good, time.monotonic() - begin


def report(host, user="alice"):
    """What the POP server was given: a list for each first word."""
    found = {"env": [], "fd": [], "child": []}
    path = host.path(f"/home/{user}/report")
    for line in path.read_text(encoding="utf-8").splitlines():
        word, _, rest = line.partition(" ")
        found.setdefault(word, []).append(rest)
    path.unlink()
    return found


def check_report(host, user="alice"):
    """Nothing of the program before it is left."""
    told = report(host, user)
    assert sorted(fd.partition("=")[0] for fd in told["fd"]) == ["0", "1", "2"]
    assert told["child"] == []
    assert told["cwd"] == [f"/home/{user}"]
    assert told["uid"] == [host.run("id", "-u", user).stdout.strip()]
    env = dict(line.partition("=")[::2] for line in told["env"])
    assert "RELAY_CTRL_DIR_FD" not in env
    assert (env["USER"], env["PROTO"]) == (user, "TCP")
    return env


def run(host, name, *argv, env=None, check=True):
    """One of the programs, with just this environment."""
    return host.run("env", "-i", f"PATH={BIN}:/usr/bin:/bin",
                    *[f"{key}={value}" for key, value in (env or {}).items()],
                    f"relay-ctrl-{name}", *argv, check=check)


def checked(host, address, **env):
    """The environment behind relay-ctrl-check, and what it said."""
    env = {"TCPREMOTEIP": address, "RELAY_CTRL_DIR": ALLOW, **env}
    lines = run(host, "check", "env", env=env).stdout.splitlines()
    said = [line for line in lines if line.startswith("relay-ctrl-check: ")]
    return dict(line.partition("=")[::2] for line in lines
                if line not in said), said


def leave(files, name, content=b"", seconds=0):
    (files / name).write_bytes(content)
    when = time.time() + seconds
    os.utime(files / name, (when, when))


# --- files alone ------------------------------------------------------------

def test_relay_ctrl_s_chain_needs_no_relaypassd(
        site, files, customer, stranger):
    with serving(site, "relay-ctrl-pop3d-run", 110), \
            serving(site, "relay-ctrl-smtpd-run", 25):
        assert not log_in(customer, password="wrong")[0]
        assert list(files.iterdir()) == []
        assert qmail.send(customer)["code"] == 553
        assert log_in(customer)[0]
        file = files / customer.v4
        assert file.read_bytes() == b"USER=alice\0"
        assert file.stat().st_uid == int(site.run("id", "-u", "alice").stdout)
        assert file.stat().st_mode & 0o777 == 0o644
        check_report(site)
        assert qmail.send(customer)["code"] == 250
        assert qmail.send(stranger)["code"] == 553
        # Another user of the same house; the newest one counts.
        assert log_in(customer, "carol")[0]
        assert file.read_bytes() == b"USER=carol\0"
        leave(files, customer.v4, seconds=-902)
        assert qmail.send(customer)["code"] == 553
        assert qmail.send(customer, qmail.LOCAL)["code"] == 250
        # Its owner has logged in for ever, by his own clock.
        leave(files, customer.v4, seconds=10 * 365 * 86400)
        assert qmail.send(customer)["code"] == 553
        assert log_in(customer)[0]
        assert qmail.send(customer)["code"] == 250
        assert [path.name for path in files.iterdir()] == [customer.v4]


def test_relay_ctrl_check_takes_two_names_out_of_a_file(site, files):
    leave(files, "192.0.2.7", b"USER=anna\0DOMAIN=example.net\0PATH=/evil\0"
          b"QMAILQUEUE=/evil\0LD_PRELOAD=/evil\0VUSER=v\0RELAYCLIENT=@evil\0"
          b"NOTHING\0CUT=x")
    env, said = checked(site, "192.0.2.7", RELAY_CTRL_LOG_IPS="",
                        RELAY_CTRL_LOG_ENV="1")
    assert env.pop("PATH") == f"{BIN}:/usr/bin:/bin"
    assert env == {"TCPREMOTEIP": "192.0.2.7", "RELAY_CTRL_DIR": ALLOW,
                   "RELAY_CTRL_LOG_IPS": "", "RELAY_CTRL_LOG_ENV": "1",
                   "RELAYCLIENT": "", "USER": "anna", "DOMAIN": "example.net"}
    assert said == ["relay-ctrl-check: 192.0.2.7: may relay",
                    "relay-ctrl-check: USER=anna",
                    "relay-ctrl-check: DOMAIN=example.net"]
    env, _ = checked(site, "192.0.2.7", RELAY_CTRL_ENV="VUSER,RELAYCLIENT",
                     RELAY_CTRL_RELAYCLIENT="@gate")
    assert (env["VUSER"], env["RELAYCLIENT"]) == ("v", "@gate")
    assert "QMAILQUEUE" not in env


@pytest.mark.parametrize("address, name", [
    ("2001:db8::7", "2001:db8::7"), ("2001:0db8:0::7", "2001:db8::7"),
    ("::ffff:192.0.2.7", "192.0.2.7"), ("192.0.2.7", "192.0.2.7")])
def test_relay_ctrl_knows_ipv6(site, files, address, name):
    env = {"TCPREMOTEIP": address, "RELAY_CTRL_DIR": ALLOW, "USER": "anna"}
    done = run(site, "allow", "sh", "-c", "echo ran; pwd", env=env)
    assert done.stdout == "ran\n/\n"
    assert (files / name).read_bytes() == b"USER=anna\0"
    assert (files / name).stat().st_mode & 0o777 == 0o600
    assert checked(site, address)[0]["RELAYCLIENT"] == ""
    assert "RELAYCLIENT" not in checked(site, "2001:db8::8")[0]


@pytest.mark.parametrize("address", [
    "", "...", "999.9.9.9", "192.0.2", "192.0.2.07", "../192.0.2.7",
    "192.0.2.7/x", "fe80::1%eth0", "mx.example.org", "192.0.2.7\n"])
def test_relay_ctrl_takes_no_bad_address(site, files, address):
    """What is no address has no file, and the program runs."""
    env = {"TCPREMOTEIP": address, "RELAY_CTRL_DIR": ALLOW, "USER": "anna"}
    done = run(site, "allow", "echo", "ran", env=env)
    assert done.stdout.endswith("ran\n") and "not an IP" in done.stdout
    assert list(files.iterdir()) == []
    leave(files, "192.0.2.7")
    env, said = checked(site, address)
    assert "RELAYCLIENT" not in env and "not an IP" in said[0]


def test_relay_ctrl_exit_codes(site, files):
    base = {"TCPREMOTEIP": "192.0.2.7", "RELAY_CTRL_DIR": ALLOW}
    gone = {**base, "RELAY_CTRL_DIR": "/nowhere"}
    for name, argv, env, code, said in (
            ("allow", [], base, 0, ""),
            ("allow", ["/nowhere"], base, 111, "cannot run"),
            ("allow", ["false"], base, 1, ""),
            ("allow", ["true"], gone, 0, "cannot open /nowhere"),
            ("allow", ["true"], {"TCPREMOTEIP": "192.0.2.7"}, 0, "not set"),
            ("allow", ["true"], {"RELAY_CTRL_DIR": ALLOW}, 0, "TCPREMOTEIP"),
            ("check", [], base, 1, "usage"),
            ("check", ["/nowhere"], base, 111, "cannot run"),
            ("check", ["true"], gone, 0, "cannot open /nowhere"),
            ("check", ["true"], {"TCPREMOTEIP": "192.0.2.7"}, 0, "not set"),
            ("check", ["true"], {"RELAY_CTRL_DIR": ALLOW}, 0, "TCPREMOTEIP"),
            ("chdir", [], base, 1, "usage"),
            ("chdir", ["true"], base, 0, ""),
            ("chdir", ["true"], gone, 111, "cannot open /nowhere"),
            ("chdir", ["true"], {}, 111, "not set"),
            ("age", [], base, 0, ""),
            ("age", [], gone, 1, "cannot read /nowhere"),
            ("age", [], {}, 1, "not set"),
            ("send", [], base, 1, "usage"),
            ("send", ["true"], base, 0, "RELAY_CTRL_REMOTES is not set"),
            ("send", ["/nowhere"], base, 111, "cannot run"),
            ("udp", [], base, 1, "RELAY_CTRL_PEERS"),
            ("udp", [], {**base, "RELAY_CTRL_PEERS": "x"}, 1, "no network")):
        done = run(site, name, *argv, env=env, check=False)
        assert (done.returncode, said in done.stdout) == (code, True), \
            f"{name} {argv}: {done.returncode} {done.stdout}"
    done = site.run(f"{BIN}/relay-ctrl", check=False)
    assert done.returncode == 1 and "relay-ctrl-allow" in done.stdout
    done = site.run("env", "-i", f"RELAY_CTRL_DIR={ALLOW}",
                    f"{BIN}/relay-ctrl", "relay-ctrl-age")
    assert (files / "192.0.2.7").exists()


def test_relay_ctrl_check_changes_nothing_when_relayclient_is_set(site, files):
    leave(files, "192.0.2.7", b"USER=anna\0")
    env, said = checked(site, "192.0.2.7", RELAYCLIENT="@x",
                        RELAY_CTRL_LOG_IPS="1")
    assert env["RELAYCLIENT"] == "@x" and "USER" not in env
    assert said == ["relay-ctrl-check: 192.0.2.7: RELAYCLIENT is set already"]


def test_relay_ctrl_age(site, files):
    for name, seconds in (("192.0.2.7", -800), ("192.0.2.8", -902),
                          (".1.2:3", -902), ("192.0.2.9", 86400)):
        leave(files, name, seconds=seconds)
    run(site, "age", env={"RELAY_CTRL_DIR": ALLOW})
    assert [path.name for path in files.iterdir()] == ["192.0.2.7"]
    run(site, "age", env={"RELAY_CTRL_DIR": ALLOW, "RELAY_CTRL_EXPIRY": "60"})
    assert list(files.iterdir()) == []


def test_relay_ctrl_waits_for_courier(site, files):
    courier = {"TCPREMOTEIP": "192.0.2.7", "RELAY_CTRL_DIR": ALLOW,
               "USER": "root", "AUTHUSER": "", "AUTHARGV0": "x"}
    for authenticated in ({}, {"AUTHENTICATED": ""}):
        done = run(site, "allow", "echo", "ran",
                   env={**courier, **authenticated})
        assert done.stdout == "ran\n"
        assert list(files.iterdir()) == []
    run(site, "allow", env={**courier, "AUTHENTICATED": "anna"})
    assert (files / "192.0.2.7").exists()


# --- send and udp -----------------------------------------------------------

@contextlib.contextmanager
def listening(host, **env):
    env = {"RELAY_CTRL_DIR": ALLOW, "RELAY_CTRL_PEERS": "127.0.0.1,::1",
           **env}
    process = host.start(
        ["env", "-i", *[f"{key}={value}" for key, value in env.items()],
         f"{BIN}/relay-ctrl-udp"], host.directory / "udp.log")
    try:
        yield process
    finally:
        process.kill_all()


def binds(host, port):
    """Somebody has this UDP port."""
    for name in ("udp", "udp6"):
        with open(f"/proc/{host.pid}/net/{name}", encoding="ascii") as net:
            if any(line.split()[1].endswith(f":{port:04X}") for line in net):
                return True
    return False


SENDER = {"TCPREMOTEIP": "192.0.2.7", "RELAY_CTRL_REMOTES": "127.0.0.1,::1"}


def test_relay_ctrl_send_reaches_udp(site, files):
    leave(files, "192.0.2.7", b"USER=anna\0", seconds=-1000)
    with listening(site):
        lab.wait_for(lambda: binds(site, 811), "relay-ctrl-udp listens")
        run(site, "send", "true", env=SENDER)
        lab.wait_for(lambda: time.time() - (files / "192.0.2.7").stat()
                     .st_mtime < 100, "the file is touched")
        assert (files / "192.0.2.7").read_bytes() == b"USER=anna\0"
        run(site, "send", "true",
            env={**SENDER, "TCPREMOTEIP": "2001:db8::7"})
        lab.wait_for((files / "2001:db8::7").exists, "a new file")
        assert (files / "2001:db8::7").stat().st_mode & 0o777 == 0o644
        lab.wait_for(lambda: not senders(site), "all have answered")
    assert checked(site, "2001:db8::7")[0]["RELAYCLIENT"] == ""


def senders(host):
    return host.run("pgrep", "-x", "relay-ctrl-send",
                    check=False).stdout.split()


def test_relay_ctrl_send_tries_again(site, files):
    env = {**SENDER, "RELAY_CTRL_PORT": "8110", "RELAY_CTRL_TRIES": "20"}
    begin = time.monotonic()
    done = run(site, "send", "sh", "-c", "echo ran", env=env)
    assert done.stdout == "ran\n" and time.monotonic() - begin < 1
    assert len(senders(site)) == 1
    with listening(site, RELAY_CTRL_PORT="8110"):
        lab.wait_for((files / "192.0.2.7").exists, "a later try")
        lab.wait_for(lambda: not senders(site), "all have answered")


def test_relay_ctrl_send_leaves_nothing_to_the_server(site, files):
    """Neither a child nor a descriptor; and its own process has none of the
    client's."""
    env = {**SENDER, "RELAY_CTRL_PORT": "8111", "RELAY_CTRL_TRIES": "3"}
    home = "/home/carol"
    site.run("sh", "-c", f"cd {home} && exec env -i PATH={BIN}:/usr/bin "
             + " ".join(f"{key}={value}" for key, value in env.items())
             + f" relay-ctrl-send {POP3D} Maildir")
    told = report(site, "carol")
    assert told["child"] == []
    assert sorted(fd.partition("=")[0] for fd in told["fd"]) == ["0", "1", "2"]
    names = site.run("sh", "-c", "for pid in $(pgrep -x relay-ctrl-send); do "
                     "readlink /proc/$pid/fd/* /proc/$pid/cwd; "
                     "done").stdout.split()
    assert sorted(name.partition("[")[0] for name in names) == [
        "/", *3 * ["/dev/null"], "socket:", "socket:"]
    assert list(files.iterdir()) == []
    lab.wait_for(lambda: not senders(site), "it gives up")


def test_relay_ctrl_udp_hears_its_peers_only(site, files):
    env = {**SENDER, "RELAY_CTRL_PORT": "8112", "RELAY_CTRL_TRIES": "1"}
    with listening(site, RELAY_CTRL_PORT="8112",
                   RELAY_CTRL_PEERS="192.0.2.0/24") as process:
        lab.wait_for(lambda: binds(site, 8112), "relay-ctrl-udp listens")
        run(site, "send", "true", env=env)
        lab.wait_for(lambda: "refused" in process.output(), "it is told")
        lab.wait_for(lambda: not senders(site), "the sender gives up")
        assert process.output().count("\n") == 1
    assert list(files.iterdir()) == []


def test_relay_ctrl_send_signs_for_relaypassd(site, files, relaypassd):
    site.write("/etc/relay-ctrl.key", "k" * 32 + "\n", 0o600)
    site.write("/etc/relay-ctrl.keys", "127.0.0.1 " + "k" * 32 + "\n", 0o600)
    daemon = relaypassd(site, """
source relay-ctrl { kind = "relay-ctrl" listen = "udp:127.0.0.1:811"
                    allow = { "127.0.0.1" } key-file = "/etc/relay-ctrl.keys" }
listener ask { kind = "ask" listen = "unix:/run/relaypass/ask" }
""")
    env = {"TCPREMOTEIP": "192.0.2.7", "RELAY_CTRL_REMOTES": "127.0.0.1",
           "USER": "anna", "DOMAIN": "example.net"}
    run(site, "send", "true", env={**env, "RELAY_CTRL_TRIES": "1"})
    lab.wait_for(lambda: not senders(site), "it gives up")
    assert daemon.check("192.0.2.7") == "none"
    run(site, "send", "true",
        env={**env, "RELAY_CTRL_KEY_FILE": "/etc/relay-ctrl.key"})
    daemon.wait_leased("192.0.2.7")
    lab.wait_for(lambda: not senders(site), "the answer is taken")
    # What cannot be signed is not sent.
    done = run(site, "send", "true",
               env={**env, "RELAY_CTRL_KEY_FILE": "/etc/passwd",
                    "TCPREMOTEIP": "192.0.2.8"})
    assert "/etc/passwd" in done.stdout and not senders(site)
    assert list(files.iterdir()) == []


# --- with relaypassd --------------------------------------------------------

def test_relay_ctrl_with_relaypassd(site, files, relaypassd):
    daemon = relaypassd(site, CONF.format(user="alice"))
    env = {"TCPREMOTEIP": "192.0.2.7", "RELAY_CTRL_NOTIFY": NOTIFY,
           "USER": "anna", "DOMAIN": "example.net"}
    done = run(site, "allow", "echo", "ran", env=env)
    assert done.stdout == "ran\n"
    assert daemon.check("192.0.2.7").startswith("allow ")
    assert list(files.iterdir()) == []
    env, said = checked(site, "192.0.2.7", RELAY_CTRL_ASK=ASK)
    assert (env["RELAYCLIENT"], said) == ("", [])
    # It alone decides.
    leave(files, "192.0.2.7")
    site.run(f"{BIN}/relaypass", "revoke", "192.0.2.7")
    assert "RELAYCLIENT" not in checked(site, "192.0.2.7",
                                        RELAY_CTRL_ASK=ASK)[0]
    assert "RELAYCLIENT" in checked(site, "192.0.2.7")[0]
    daemon.freeze()
    try:
        begin = time.monotonic()
        env, said = checked(site, "192.0.2.7", RELAY_CTRL_ASK=ASK)
        assert "RELAYCLIENT" not in env and "no answer" in said[0]
        assert time.monotonic() - begin < 1
    finally:
        daemon.thaw()


def test_relay_ctrl_allow_speaks_over_root_s_connection(
        site, files, customer, relaypassd):
    daemon = relaypassd(site, CONF.format(user="root"))
    with serving(site, ["tcpserver", "-RH", "-l", "mx", "0", "110",
                        "relaypass", "login", "--open", "--",
                        "/var/qmail/bin/qmail-popup", "mx", "checkpassword",
                        "relay-ctrl-allow", POP3D, "Maildir"], 110):
        assert log_in(customer)[0]
        assert daemon.check(customer.v4).startswith("allow ")
        assert "RELAYPASS_NOTIFY_FD" not in check_report(site)
    assert list(files.iterdir()) == []


# --- relaypass login --------------------------------------------------------

POP3_CHAIN = ["tcpserver", "-RH", "-l", "mx", "0", "110",
              "/var/qmail/bin/qmail-popup", "mx", "checkpassword",
              "relaypass", "login", "--", "pop3d", "Maildir"]


def leases(host):
    done = host.run(f"{BIN}/relaypass", "list", "--json")
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_relaypass_login_behind_checkpassword(
        site, customer, stranger, relaypassd):
    """Only root is believed: it has opened the connection."""
    daemon = relaypassd(site, CONF.format(user="root"))
    with serving(site, "qmail-pop3d-run", 110):
        assert not log_in(stranger, password="wrong")[0]
        assert log_in(customer)[0]
        assert daemon.check(customer.v4).startswith("allow ")
        assert [(one["address"], one["user"], one["server"])
                for one in leases(site)] == [(customer.v4, "alice", "qmail")]
        assert daemon.check(stranger.v4) == "none"
        env = check_report(site)
        assert env["TCPREMOTEIP"] == customer.v4
        assert not [name for name in env if name.startswith("RELAY_")
                    or name == "RELAYPASS_NOTIFY_FD"]
        assert log_in(stranger, "carol")[0]
        assert daemon.check(stranger.v4).startswith("allow ")
        daemon.freeze()
        try:
            good, seconds = log_in(customer)
            assert good and seconds < 1
        finally:
            daemon.thaw()
        daemon.stop()
        good, seconds = log_in(customer)
        assert good and seconds < 1


def test_relaypass_login_of_a_user_who_is_not_believed(
        site, customer, relaypassd):
    daemon = relaypassd(site, CONF.format(user="alice"))
    with serving(site, POP3_CHAIN, 110):
        good, seconds = log_in(customer, "carol")
        assert good and seconds < 1
        assert daemon.check(customer.v4) == "none"
        assert log_in(customer)[0]
        assert daemon.check(customer.v4).startswith("allow ")


def test_relaypass_login_s_lease_lives_with_the_session(
        site, customer, relaypassd):
    """While its process does, which is one of a POP or IMAP server by name."""
    daemon = relaypassd(site, CONF.format(user="alice"))

    def left():
        return int(daemon.check(customer.v4).split("ttl=")[1].split()[0])

    with serving(site, POP3_CHAIN, 110):
        with sessions.Session(customer, 110) as session:
            for line in (None, "USER alice", "PASS secret"):
                if line:
                    session.send(line)
                session.expect("+OK")
            daemon.wait_leased(customer.v4)
            for _ in range(2):
                daemon.clock.advance(TTL_S * 2 // 3 * 1000)
                lab.wait_for(lambda: left() > TTL_S * 2 // 3,
                             "the lease is held", 40)
        daemon.clock.advance((TTL_S + 30) * 1000)
        lab.wait_for(lambda: daemon.check(customer.v4) == "none",
                     "the lease has ended")


def test_relaypass_login_exit_codes(site):
    env = ["env", "-i", f"PATH={BIN}:/usr/bin:/bin", "USER=anna"]
    with contextlib.suppress(FileNotFoundError):
        site.path(NOTIFY).unlink()
    for argv, address, code, said in (
            (["--", "sh", "-c", "echo ran; exit 7"], "192.0.2.7", 7, "ran\n"),
            (["sh", "-c", "exit 7"], "192.0.2.7", 7, "nobody listens"),
            (["--server", "qmail", "--", "echo", "--", "-s"], "127.0.0.1", 0,
             "-- -s\n"),
            (["-s", "/nowhere", "--", "echo", "ran"], "192.0.2.7", 0,
             "at /nowhere"),
            (["--server=x", "echo", "--server"], "", 0, "none of IP"),
            (["--open", "sh", "-c", "exit 7"], "192.0.2.7", 7,
             "nobody listens"),
            (["--open", "sh", "-c", "exit 7"], "", 7, "none of IP"),
            (["--open", "sh", "-c", "exit 7"], "mx", 7, "no"),
            (["--open", "--", "/nowhere"], "", 111, "cannot run /nowhere"),
            (["--open"], "", 100, "which program?"),
            (["--", "/nowhere"], "192.0.2.7", 111, "cannot run /nowhere"),
            ([], "192.0.2.7", 100, "which program?"),
            (["--"], "192.0.2.7", 100, "which program?"),
            (["--server", "No", "--", "true"], "192.0.2.7", 100, "--server"),
            (["--nonsense", "true"], "192.0.2.7", 100, "usage")):
        done = site.run(*env, f"TCPREMOTEIP={address}", f"{BIN}/relaypass",
                        "login", *argv, check=False)
        assert (done.returncode, said in done.stdout) == (code, True), \
            f"{argv}: {done.returncode} {done.stdout}"
