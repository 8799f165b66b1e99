# SPDX-License-Identifier: ISC
"""What relaypassd says when something is wrong: one clear message with the
file, line or path, what to do, and the right exit code. Nothing is lost."""

import json
import socket
import time

import pytest

import lab

pytestmark = pytest.mark.namespaces

CONFIG = "/etc/relaypass/relaypass.conf"
LOG = "/var/log/mail.log"
GOOD = """
relaypass { pattern-directory = "" answerers = 1 }
source maillog { kind = "file" path = "/var/log/mail.log" }
listener ask { kind = "ask" listen = "unix:/run/relaypass/ask" }
"""


@pytest.fixture(scope="module")
def machine(host):
    host.install()
    host.install_users()
    host.write(LOG, "")
    return host


@pytest.fixture
def clean(machine):
    machine.run("rm", "-rf", "/run/relaypass", "/var/lib/relaypass", CONFIG)
    machine.write(LOG, "", 0o640)
    return machine


def start(host, text=None, user=None):
    """Runs relaypassd until it ends by itself."""
    if text is not None:
        host.write(CONFIG, text)
    change = ["setpriv", "--reuid", user, "--regid", "nogroup",
              "--clear-groups"] if user else []
    return host.run(*change, "/usr/local/sbin/relaypassd-testclock", "-f",
                    "-c", CONFIG, check=False)


def assert_refused(done, code, *texts):
    assert done.returncode == code, done.stdout
    lines = {line for line in done.stdout.splitlines()
             if all(text in line for text in texts)}
    assert len(lines) == 1, done.stdout


def login_line(address, number=0):
    return (f"{time.strftime('%b %e %H:%M:%S')} mx dovecot: imap-login: Login:"
            f" user=<u{number}>, method=PLAIN, rip={address}, "
            f"lip=203.0.113.1, mpid=0, session=<s{number}>\n")


def append(host, text):
    with open(host.path(LOG), "a", encoding="ascii") as file:
        file.write(text)


@pytest.mark.parametrize("text, expected", [
    ('lease { ttl = "soon" }', [":1:", "ttl", "'soon'", "30m"]),
    ('\nlease {\n tl = "30m"\n}', [":3:", "'tl'", "ttl"]),
    ('lease { ttl = "30m"\n', [":2:", "end of the file"]),
    ('listener x { kind = "nope" listen = "unix:/run/x" }',
     [":1:", "'nope'", "postfix-policy"]),
    ('\n\nsources x { kind = "file" }', [":3:", "sources"]),
    ('lease { never = {"192.0.2.300"} }', [":1:", "never", "192.0.2.300"])])
def test_a_bad_configuration_is_told_with_its_place(clean, text, expected):
    assert_refused(start(clean, text), 100, *expected)
    done = clean.run("/usr/local/sbin/relaypassd-testclock", "-t", "-c",
                     CONFIG, check=False)
    assert_refused(done, 100, *expected)


ALLOWS_NOBODY = ["0.0.0.0:10033", "allow"]


@pytest.mark.parametrize("text, expected", [
    (GOOD.replace("unix:/run/relaypass/ask", "inet:0.0.0.0:10033"),
     ALLOWS_NOBODY),
    (GOOD + 'source s { kind = "syslog" listen = {"tcp:0.0.0.0:10033"} }',
     ALLOWS_NOBODY),
    (GOOD + 'source s { kind = "notify" listen = {"tcp:0.0.0.0:10033"} }',
     ["source s", "0.0.0.0:10033", "unix: unixgram:"]),
    (GOOD + 'source s { kind = "pbs" allow = {"192.0.2.0/24"} '
     'secret-file = "/etc/no-secret" }',
     ["source s", "secret-file: /etc/no-secret"]),
    (GOOD + 'source s { kind = "http" secret-file = "/etc/no-secret" '
     'allow = {"192.0.2.0/24"} }',
     ["source s", "secret-file: /etc/no-secret"]),
    (GOOD + 'source s { kind = "drac" listen = {"udp:0.0.0.0:10033"} '
     'allow-file = "/etc/no-list" }',
     ["source s", "allow-file: /etc/no-list"])])
def test_checking_finds_what_a_start_would_refuse(clean, text, expected):
    assert_refused(start(clean, text), 100, *expected)
    done = clean.run("/usr/local/sbin/relaypassd-testclock", "-t", "-c",
                     CONFIG, check=False)
    assert_refused(done, 100, *expected)


@pytest.mark.parametrize("source, expected", [
    ('kind = "journal"', "name the units"),
    ('kind = "file" path = "/var/log/mail.log" servers = "dovcot"',
     "dovcot")])
@pytest.mark.parametrize("program, words", [
    ("relaypassd-testclock", ["-t"]), ("relaypass", ["config", "--check"])])
def test_checking_finds_what_a_reader_would_die_of(
        clean, source, expected, program, words):
    clean.write(CONFIG, GOOD + "source s { " + source + " }")
    place = "bin" if program == "relaypass" else "sbin"
    before, behind = (words, []) if program != "relaypass" else ([], words)
    done = clean.run(f"/usr/local/{place}/{program}", *before, "-c", CONFIG,
                     *behind, check=False)
    line = GOOD.count("\n") + 1
    assert_refused(done, 100, f"{program}: {CONFIG}:{line}: ", expected)


def export(options, kind="text", name="out"):
    return f'export {name} {{ kind = "{kind}" {options} }}'


PATH = 'path = "/var/lib/out/list" '
LINE = GOOD.count("\n") + 1


def check(host):
    """relaypassd -t."""
    return host.run("/usr/local/sbin/relaypassd-testclock", "-t", "-c",
                    CONFIG, check=False)


MENDED_IN_THE_FILE = [
    (GOOD + export(PATH + 'mode = "888"'), LINE, ["out", 'mode: "888"', "0640"]),
    (GOOD + export(PATH + 'format = "%z"'), LINE, ["out", "format", "%z"]),
    (GOOD + export(PATH + 'format = "plain"'), LINE,
     ["out", "format", "no address (%a)"]),
    (GOOD + export(PATH + 'user = "root"'), LINE,
     ["out", 'user: "root"', "may not be root"]),
    (GOOD + export(PATH + 'static-file = "list"'), LINE,
     ["static-file", '"list"', "absolute path"]),
    (GOOD + export(PATH + 'relayclient = "a=b"', "tcprules"), LINE,
     ["relayclient", '"a=b"', "letters"]),
    (GOOD + export(PATH + "page-size = 1000", "berkeley-hash"), LINE,
     ["page-size: 1000", "power of two"]),
    (GOOD + export('table = "foo bar"', "nftables"), LINE,
     ['table: "foo bar"', "letters"]),
    (GOOD + export(PATH, name="a") + "\n" + export(PATH, "cdb", "b"),
     LINE + 1, ["export b", f"path: export a (line {LINE}) writes it already"]),
    (GOOD + 'listener b { kind = "tcp-table" '
     'listen = "unix:/run/relaypass/ask" }', LINE,
     ["listener b", f"listen: listener ask (line {LINE - 1}) listens there "
      "already"]),
    (GOOD + 'listener b { kind = "ask" listen = "inet:127.0.0.1:10033" }\n'
     'listener c { kind = "ask" listen = "tcp:127.0.0.1:10033" }', LINE + 1,
     ["listener c", f"listener b (line {LINE}) listens there already"]),
    (GOOD + 'listener b { kind = "ask" listen = "unix:/run/relaypass/control"}',
     LINE, ["listener b", "listen: the control socket is there already"]),
    (GOOD.replace("relaypass {", 'relaypass { control-group = "nosuch"', 1),
     2, ["control-group", '"nosuch"', "groupadd --system nosuch"]),
]


@pytest.mark.parametrize("text, line, expected", MENDED_IN_THE_FILE)
def test_what_only_the_file_can_mend_is_refused(clean, text, line, expected):
    assert_refused(start(clean, text), 100, f"{CONFIG}:{line}: ", *expected)
    assert_refused(check(clean), 100, f"{CONFIG}:{line}: ", *expected)


@pytest.mark.parametrize("text, expected", [
    (GOOD.replace("/run/relaypass/ask\"", "/run/relaypass/ask\" "
                  'group = "nosuch"'),
     ["listener ask", "group", '"nosuch"', "groupadd --system nosuch"])])
def test_a_group_that_is_not_there_is_told(clean, text, expected):
    assert_refused(start(clean, text), 100, *expected)
    assert_refused(check(clean), 100, f"{CONFIG}:{LINE - 1}: ", *expected)


@pytest.mark.parametrize("options, expected", [
    ('path = "mail.log"', ['path: "mail.log"', "absolute path"]),
    ('path = "/var/log/mail.log" owner = "nosuch"',
     ['owner: "nosuch"', "no such user"])])
def test_checking_looks_at_the_paths_and_owners_of_a_file(
        clean, options, expected):
    text = GOOD + 'source s { kind = "file" ' + options + " }"
    if "mail.log" in options and "owner" not in options:
        assert_refused(start(clean, text), 100, "source s", *expected)
    clean.write(CONFIG, text)
    assert_refused(check(clean), 100, f"{CONFIG}:{LINE}: ", "source s",
                   *expected)


def test_a_reload_with_a_bad_export_keeps_the_old_configuration(
        clean, relaypassd):
    daemon = relaypassd(clean, GOOD)
    clean.write(CONFIG, GOOD + export(PATH + 'mode = "888"'))
    done = clean.run("relaypass", "-c", CONFIG, "reload", check=False)
    assert_refused(done, 100, f"{CONFIG}:{LINE}: ", 'mode: "888"')
    daemon.process.signal(1)
    wait_said(daemon, "kept=old", f"{CONFIG}:{LINE}: ", "888")
    clean.write(CONFIG, GOOD + 'listener b { kind = "ask" '
                'listen = "unix:/run/relaypass/ask" }')
    done = clean.run("relaypass", "-c", CONFIG, "reload", check=False)
    assert_refused(done, 100, "listener ask (line 4) listens there already")
    daemon.process.signal(1)
    wait_said(daemon, "kept=old", "listener ask (line 4) listens there")
    assert daemon.check("192.0.2.1") == "none"


@pytest.mark.parametrize("options, kind, expected", [
    ('path = "/var/lib/none/out"', "text",
     "/var/lib/none is missing; run: install -d -o relaypass-out"),
    ('path = "/etc/none/out.lmdb"', "lmdb",
     "/etc/none is missing; run: install -d /etc/none"),
    ('path = "/var/log"', "text", "/var/log is not a plain file"),
    ('path = "/var/log"', "lmdb", "/var/log is not a plain file"),
    ('path = "/var/lib/list" user = "nosuch"', "text",
     'user: "nosuch": there is no such account'),
    ('path = "/var/none"', "dsearch", "/var/none is missing; run: install")])
def test_what_an_export_misses_is_told_but_stops_nobody(
        clean, options, kind, expected):
    clean.write(CONFIG, GOOD + export(options, kind))
    done = check(clean)
    assert_refused(done, 0, f"{CONFIG}:{LINE}: warning: ", "export out",
                   expected)
    assert kind != "lmdb" or "relaypass-out" not in done.stdout


@pytest.mark.parametrize("options, told", [
    ('path = "/var/lib/none/out"', "/var/lib/none is missing"),
    ('path = "/var/log/out" user = "nosuch"', "user nosuch does not exist")])
def test_a_dead_export_is_told_once_and_shown(
        clean, relaypassd, options, told):
    daemon = relaypassd(clean, GOOD + export(options))

    def down():
        done = clean.run("relaypass", "-c", CONFIG, "status", "--json")
        rows = json.loads(done.stdout).get("down", [])
        return rows[0] if rows and rows[0]["restarts"] > 3 else None

    row = lab.wait_for(down, "it is tried again and again")
    assert (row["role"], row["name"], row["ended"]) == \
        ("writer", "out", "exit-100")
    assert "exit-100" in clean.run("relaypass", "-c", CONFIG, "status").stdout
    said = daemon.process.output()
    assert said.count(told) == 1, said
    assert said.count("died=exit-100") == 1, said
    assert daemon.check("192.0.2.1") == "none"


def test_a_listener_at_its_own_place_says_where_that_is(clean, relaypassd):
    daemon = relaypassd(clean, GOOD.replace(
        'listen = "unix:/run/relaypass/ask"', ""))
    daemon.wait_log("listener=ask kind=ask listen=unix:/run/relaypass/ask")


def test_an_export_that_works_again_is_shown_no_more(clean, relaypassd):
    daemon = relaypassd(clean, GOOD + export('path = "/var/lib/late/list"'))
    daemon.wait_log("/var/lib/late is missing")
    clean.run("install", "-d", "-o", "relaypass-out", "/var/lib/late")
    daemon.wait_log("export=out state=good")
    lab.wait_for(lambda: '"down"' not in clean.run(
        "relaypass", "-c", CONFIG, "status", "--json").stdout, "it serves")
    clean.run("rm", "-r", "/var/lib/late")


def test_an_export_without_its_directory_is_told(clean, relaypassd):
    daemon = relaypassd(clean, GOOD + 'export out { kind = "text" '
                        'path = "/var/lib/none/out" }')
    told = ('export=out error="/var/lib/none is missing; run: install -d -o '
            'relaypass-out -g relaypass-out -m 0755 /var/lib/none ')
    lab.wait_for(lambda: told in daemon.log.read_text(encoding="utf-8"),
                 "the log says what to do")


def test_checking_takes_what_a_start_would_take(clean):
    """Who may speak is said in files of other programs."""
    clean.write("/etc/list", "255.255.255.255 192.0.2.7\n")
    clean.write("/etc/whoson.conf",
                "server tcp port=10034\n\tallow=192.0.2.0/24\n")
    clean.write(CONFIG, GOOD + """
source d { kind = "drac" listen = {"udp:0.0.0.0:10033"}
           allow-file = "/etc/list" }
source w { kind = "whoson" config = "/etc/whoson.conf" }
""")
    done = clean.run("/usr/local/sbin/relaypassd-testclock", "-t", "-c",
                     CONFIG, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_a_missing_configuration_is_told(clean):
    assert_refused(start(clean), 100, CONFIG, "No such file")


def test_a_taken_port_is_told(clean):
    taker = clean.start(
        [lab.PYTHON, "-c", "import socket; s = socket.socket(); "
         "s.bind(('127.0.0.1', 10099)); s.listen(); s.accept()"],
        clean.directory / "taker.log")
    try:
        lab.wait_for(lambda: clean.listens(10099), "the port is taken")
        done = start(clean, GOOD.replace("unix:/run/relaypass/ask",
                                         "inet:127.0.0.1:10099"))
        assert_refused(done, 111, "listener ask", "127.0.0.1:10099", "taken")
    finally:
        taker.kill_all()


def test_a_stale_socket_is_replaced(clean, relaypassd):
    path = clean.path("/run/relaypass/ask")
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    daemon = relaypassd(clean, GOOD)
    assert daemon.check("192.0.2.1") == "none"


def test_a_file_in_the_place_of_a_socket_is_kept(clean):
    clean.write("/run/relaypass/ask", "precious")
    assert_refused(start(clean, GOOD), 100, "/run/relaypass/ask",
                   "no socket")
    assert clean.path("/run/relaypass/ask").read_text(
        encoding="ascii") == "precious"


def test_a_second_instance_is_refused_and_the_first_goes_on(
        clean, relaypassd):
    daemon = relaypassd(clean, GOOD)
    assert_refused(start(clean), 111, "another relaypassd",
                   f"pid {inner_pid(clean)}", "/run/relaypass")
    # The same sockets from another run directory.
    other = GOOD.replace("relaypass {", 'relaypass { run-directory = "/run/b"'
                         ' directory = "/var/lib/b"', 1)
    assert_refused(start(clean, other), 111, "/run/relaypass/ask",
                   "another instance")
    assert daemon.check("192.0.2.1") == "none"


def inner_pid(host):
    return host.path("/run/relaypass/relaypassd.pid").read_text(
        encoding="ascii").strip()


def test_root_without_the_accounts_is_told_how_to_make_them(clean):
    text = clean.path("/etc/passwd").read_text(encoding="utf-8")
    clean.write("/etc/passwd", "".join(
        line for line in text.splitlines(True) if "relaypass" not in line))
    try:
        assert_refused(start(clean, GOOD), 100, "user relaypass",
                       "adduser --system")
    finally:
        clean.write("/etc/passwd", text)


def test_no_permission_is_told_with_the_path(clean):
    """As an ordinary user, step by step to what is missing next."""
    for path in ("/run/relaypass", "/var/lib/relaypass"):
        assert_refused(start(clean, GOOD, "nobody"), 100, path,
                       "Permission denied")
        clean.run("install", "-d", "-m", "0700", "-o", "nobody", path)
    clean.path(CONFIG).chmod(0o600)
    assert_refused(start(clean, user="nobody"), 100, CONFIG,
                   "Permission denied")
    low = GOOD.replace("unix:/run/relaypass/ask", "inet:127.0.0.1:33")
    assert_refused(start(clean, low, "nobody"), 100, "127.0.0.1:33",
                   "below 1024")
    clean.path("/var/lib/relaypass").chmod(0o755)
    assert_refused(start(clean, GOOD, "nobody"), 100, "/var/lib/relaypass",
                   "0755", "chmod")


def wait_said(daemon, *texts):
    return lab.wait_for(
        lambda: [line for line in daemon.process.output().splitlines()
                 if all(text in line for text in texts)],
        f"a line with {texts}; said so far:\n{daemon.process.output()}")


@pytest.mark.parametrize("prepare, said", [
    (["chmod", "0666"], "everybody may write"),
    (["rm"], "missing"),
    (["ln", "-sf", "/etc"], "regular")])
def test_a_log_that_may_not_be_read_is_told_and_read_later(
        clean, relaypassd, prepare, said):
    clean.run(*prepare, LOG)
    daemon = relaypassd(clean, GOOD)
    wait_said(daemon, "source", LOG, said)
    # Nothing is lost: what was written meanwhile is read when that is mended.
    clean.run("rm", "-f", LOG)
    clean.write(LOG, login_line("203.0.113.7"), 0o640)
    daemon.wait_leased("203.0.113.7")


def test_a_symlink_that_another_user_made_is_not_followed(clean, relaypassd):
    """Only root and the owner of the log may say where it is."""
    clean.write("/etc/secret.log", login_line("203.0.113.7"), 0o600)
    clean.run("install", "-d", "-m", "1777", "/var/log/open")
    clean.run("rm", "-f", "/var/log/open/mail.log")
    clean.run("setpriv", "--reuid", "nobody", "--clear-groups", "--regid",
              "nogroup", "ln", "-s", "/etc/secret.log",
              "/var/log/open/mail.log")
    daemon = relaypassd(clean, GOOD.replace(LOG, "/var/log/open/mail.log"))
    wait_said(daemon, "source.error", "/var/log/open/mail.log")
    assert daemon.check("203.0.113.7") == "none"


def test_an_ordinary_user_without_the_right_to_read_the_log_is_told(
        clean, tmp_path):
    for path in ("/run/relaypass", "/var/lib/relaypass"):
        clean.run("install", "-d", "-m", "0700", "-o", "nobody", path)
    clean.write(CONFIG, GOOD)
    process = clean.start(
        ["setpriv", "--reuid", "nobody", "--regid", "nogroup",
         "--clear-groups", "/usr/local/sbin/relaypassd-testclock", "-f", "-c",
         CONFIG], tmp_path / "user.log")
    try:
        lab.wait_for(lambda: "Permission denied" in process.output(),
                     "it says that it may not")
        line = [one for one in process.output().splitlines()
                if "Permission denied" in one][0]
        assert LOG in line
    finally:
        process.signal(15)
        assert process.wait() == 0


def leased(daemon, addresses):
    return sum(daemon.check(address).startswith("allow ")
               for address in addresses)


def test_a_full_disk_is_told_and_nothing_is_lost(clean, relaypassd):
    """Leases that exist go on; what cannot be stored is read again."""
    clean.path("/var/lib/relaypass").mkdir()
    clean.run("mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs",
              "/var/lib/relaypass")
    clean.run("chown", "relaypass:", "/var/lib/relaypass")
    try:
        daemon = lab.Relaypassd(clean, clean.directory, GOOD)
        daemon.start()
        try:
            append(clean, login_line("203.0.113.7"))
            daemon.wait_leased("203.0.113.7")
            clean.run("sh", "-c", "dd if=/dev/zero of=/var/lib/relaypass/junk "
                      "2>/dev/null || :")
            addresses = [f"203.0.{113 + n // 250}.{n % 250 + 1}"
                         for n in range(3000)]
            append(clean, "".join(login_line(address, n)
                                  for n, address in enumerate(addresses)))
            wait_said(daemon, "ledger.error", "/var/lib/relaypass")
            lab.wait_for(lambda: "cannot-be-written" in
                         clean.run("relaypass", "status").stdout,
                         "status tells it")
            assert daemon.check("203.0.113.7").startswith("allow ")
            clean.run("rm", "/var/lib/relaypass/junk")
            sample = addresses[:5] + addresses[-5:] + addresses[1500:1505]
            lab.wait_for(lambda: leased(daemon, sample) == len(sample),
                         "all logins are leases once there is room", 40)
            assert leased(daemon, addresses) == len(addresses)
            # They may have been shown before there was room for them.
            lab.wait_for(lambda: "cannot-be-written" not in
                         clean.run("relaypass", "status").stdout,
                         "status tells that it is over")
            assert "ledger: leases 3001," in \
                clean.run("relaypass", "status").stdout
        finally:
            daemon.stop()
    finally:
        clean.run("umount", "/var/lib/relaypass")


def full_disk(clean):
    clean.path("/var/lib/relaypass").mkdir()
    clean.run("mount", "-t", "tmpfs", "-o", "size=64k,mode=0700", "tmpfs",
              "/var/lib/relaypass")
    clean.run("chown", "relaypass:", "/var/lib/relaypass")
    clean.run("sh", "-c", "dd if=/dev/zero of=/var/lib/relaypass/junk "
              "2>/dev/null || :")


def test_a_disk_that_is_full_at_the_start_is_told(clean):
    full_disk(clean)
    try:
        done = start(clean, GOOD)
        assert_refused(done, 111, "ledger.error", "/var/lib/relaypass",
                       "No space left")
        # The last line tells that it ends, and whose lines say why.
        assert 'start.error role=keeper name= error="does not start"' in \
            done.stdout.splitlines()[-1]
    finally:
        clean.run("umount", "/var/lib/relaypass")


def test_reload_keeps_the_old_configuration_when_the_new_is_bad(
        clean, relaypassd):
    daemon = relaypassd(clean, GOOD)
    clean.write(CONFIG, GOOD + "\nlease { ttl = \"never\" }\n")
    done = clean.run("relaypass", "-c", CONFIG, "reload", check=False)
    assert done.returncode == 100
    assert "ttl" in done.stdout and "'never'" in done.stdout
    # And when somebody sends the signal without asking first.
    daemon.process.signal(1)
    wait_said(daemon, "reload", "ttl")
    assert daemon.check("192.0.2.1") == "none"
    clean.write(CONFIG, GOOD + "\nlease { ttl = \"10m\" }\n")
    clean.run("relaypass", "-c", CONFIG, "reload")
    wait_said(daemon, "reload config=", "answerers=")
    append(clean, login_line("203.0.113.9"))
    daemon.wait_leased("203.0.113.9")
    seconds = int(daemon.check("203.0.113.9").split("ttl=")[1].split()[0])
    assert seconds <= 600


def test_in_the_background_the_caller_learns_how_the_start_went(clean):
    clean.write(CONFIG, GOOD.replace("unix:/run/relaypass/ask",
                                     "inet:127.0.0.1:10098"))
    log = clean.directory / "background.log"
    daemon = ["/usr/local/sbin/relaypassd-testclock", "-c", CONFIG]
    first = clean.start(daemon, log)
    assert first.wait() == 0, first.output()
    # It answers as soon as its starter has ended.
    assert clean.listens(10098)
    pid = inner_pid(clean)
    second = clean.start(daemon, log)
    assert second.wait() == 111, second.output()
    # What the terminal was told needs no look into the log.
    assert second.output().count("another relaypassd (pid ") == 1
    assert "did not start" not in second.output()
    clean.run("kill", pid)
    lab.wait_for(lambda: clean.run("kill", "-0", pid, check=False).returncode,
                 "it has stopped")
    assert not clean.listens(10098)


def test_in_the_background_a_child_that_does_not_start_is_in_the_log(clean):
    full_disk(clean)
    try:
        clean.write(CONFIG, GOOD)
        done = clean.run("/usr/local/sbin/relaypassd-testclock", "-c", CONFIG,
                         check=False)
        assert_refused(done, 111, "did not start; the mail log of syslog")
    finally:
        clean.run("umount", "/var/lib/relaypass")


def test_a_failure_to_start_has_an_event_of_its_own(clean, relaypassd):
    relaypassd(clean, GOOD)
    done = start(clean)
    assert_refused(done, 111, "relaypassd: start.error error=\"another ")
    assert ": start " not in done.stdout


def test_rules_that_are_not_there_yet_are_told_once(clean, relaypassd):
    clean.run("install", "-d", "-o", "relaypass-out", "/var/lib/out")
    clean.run("rm", "-f", "/etc/tcp.smtp")
    daemon = relaypassd(clean, GOOD + 'export out { kind = "tcprules" path = '
                        '"/var/lib/out/tcp.cdb" static-file = "/etc/tcp.smtp" '
                        '}')
    wait_said(daemon, "there is no good static-file yet: /etc/tcp.smtp: No ")
    clean.write("/etc/tcp.smtp", ":allow\n")
    wait_said(daemon, "export=out state=good")
    assert daemon.process.output().count("export.error") == 1
    clean.write("/etc/tcp.smtp", ":perhaps\n")
    wait_said(daemon, "the last good one stays in force")


def test_without_a_configuration_it_says_where_one_is_from(clean):
    assert_refused(start(clean), 100, CONFIG, "No such file",
                   "copy examples/relaypass.conf there, or name one with -c")


@pytest.mark.parametrize("word", ["-h", "--help"])
def test_help_is_no_mistake(clean, word):
    daemon = clean.run("sh", "-c", "/usr/local/sbin/"
                       f"relaypassd-testclock {word} 2>/dev/null")
    assert daemon.stdout.startswith("usage: relaypassd [-fht]")


@pytest.mark.parametrize("words, code, said", [
    (["--version"], 0, "relaypass "),
    (["lst"], 100, 'no such verb: "lst"'),
    (["help", "lst"], 100, 'no such verb: "lst"'),
    (["config", "--check", "-c", CONFIG], 100,
     "-c FILE stands before the verb"),
    (["list", f"-c{CONFIG}"], 100, "-c FILE stands before the verb")])
def test_words_that_a_newcomer_types(clean, words, code, said):
    done = clean.run("relaypass", *words, check=False)
    assert done.returncode == code and said in done.stdout
