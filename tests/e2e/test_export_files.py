# SPDX-License-Identifier: ISC
"""Every file export at once: what stands in the files, in time, whatever dies;
tcpserver as a real reader."""

import os
import signal
import threading
import time

import pytest

import exports
import lab

pytestmark = [pytest.mark.namespaces, pytest.mark.needs("tcpserver")]

OUT = exports.OUT
FULL = "2001.0db8.0000.0000.0000.0000.0000.0007"
KINDS = 8  # in the example
FOREIGN = "someone@foreign.example"
LOCAL = "alice@test.example"
# What leases of 203.0.113.7 and 2001:db8::7 make of each file.
FILES = {
    "relayhosts": ('', '203.0.113.7\n"2001:db8::7"\n'),
    "pophosts": ('', f'203.0.113.7\n{FULL}\n'),
    "opensmtpd": ('192.0.2.255\n', '192.0.2.255\n203.0.113.7\n2001:db8::7\n'),
    "smtpaccess/relaypass": (
        '', '203.0.113.7\tallow,RELAYCLIENT\n'
        ':2001:0db8:0000:0000:0000:0000:0000:0007\tallow,RELAYCLIENT\n'),
}
FOLDERS = {
    "dsearch": {"203.0.113.7", "2001:db8::7", FULL},
    "relay-ctrl": {"203.0.113.7", "2001:db8::7"},
}


@pytest.fixture(scope="module", name="site")
def make_site(host):
    exports.prepare(host)
    for directory in ("bin", "control", "queue"):
        host.path(f"/var/qmail/{directory}").mkdir(parents=True)
    host.write("/var/qmail/control/rcpthosts", "test.example\n")
    process = host.start(
        ["tcpserver", "-RHl", "mx", "-x", f"{OUT}/tcp.smtp.cdb", "0", "25",
         lab.PYTHON, lab.HERE / "qmail_smtpd.py", "/var/qmail"],
        host.directory / "tcpserver.log")
    lab.wait_for(lambda: host.listens(25), "tcpserver listens")
    yield host
    process.kill_all()


@pytest.fixture(name="daemon")
def make_daemon(site, relaypassd):
    return exports.start(site, relaypassd)


def names(host, folder):
    return set(os.listdir(host.path(f"{OUT}/{folder}")))


def files_are(host, leased):
    return all(host.path(f"{OUT}/{name}").exists() and
               exports.read(host, name) == want[leased]
               for name, want in FILES.items()) and \
        all(names(host, folder) == (want if leased else set())
            for folder, want in FOLDERS.items())


def expect_files(host, leased):
    try:
        lab.wait_for(lambda: files_are(host, leased), "the files")
    except AssertionError:
        for name, want in FILES.items():
            assert exports.read(host, name) == want[leased], name
        for folder, want in FOLDERS.items():
            assert names(host, folder) == (want if leased else set()), folder
        raise


def send(client, recipient=FOREIGN):
    return client.smtp(**client.ends("ipv4"), sender="alice@test.example",
                       recipient=recipient, message="Subject: hello\n\nhi\n")


def test_files_follow_logins_and_ends(site, daemon):
    expect_files(site, False)
    exports.lease(site, daemon, "203.0.113.7", "2001:db8::7")
    expect_files(site, True)
    for name in [*FILES, "tcp.smtp.cdb", "leases.cdb"]:
        stat = site.path(f"{OUT}/{name}").stat()
        assert stat.st_mode & 0o7777 == 0o644, name
    ended = exports.end_leases(daemon)
    expect_files(site, False)
    assert time.monotonic() - ended < 1.5


def test_tcpserver_relays_after_a_login_and_until_its_end(
        site, daemon, customer, stranger):
    assert send(customer)["code"] == 553
    exports.lease(site, daemon, customer.v4)
    lab.wait_for(lambda: send(customer)["code"] == 250, "relaying")
    assert send(stranger)["code"] == 553
    assert send(stranger, LOCAL)["code"] == 250
    exports.end_leases(daemon)
    lab.wait_for(lambda: send(customer)["code"] == 553, "the end", 3)
    assert send(customer, LOCAL)["code"] == 250


def test_tcpserver_keeps_the_administrators_rules(site, daemon, customer):
    exports.lease(site, daemon, customer.v4)
    lab.wait_for(lambda: send(customer)["code"] == 250, "relaying")
    site.write("/etc/tcp.smtp", f"{customer.v4}:deny\n:allow\n")
    try:
        def refused():
            try:
                return not send(customer)["code"]
            except AssertionError:
                return True
        lab.wait_for(refused, "the rule that denies")
        # A rule that nobody can read changes nothing.
        site.write("/etc/tcp.smtp", "what is this:\n")
        time_out = time.monotonic() + 1.5
        lab.wait_for(lambda: time.monotonic() > time_out, "two looks")
        assert refused()
    finally:
        site.write("/etc/tcp.smtp", exports.example("tcp.smtp"))
    lab.wait_for(lambda: not refused() and send(customer)["code"] == 250,
                 "the old rules")


RULES = """# all that tcprules knows
1.2.3.4:allow,RELAYCLIENT="",DATABYTES="400"
1.2.3.4:deny
5.6.7.250-300:allow,A=xqx
5.6-8.:deny
10.-3.:allow
Foo@1.2.3.4:allow,X='y'
=Mail.Example:allow
no colon

192.0.2.:deny,RBL="x, y"\t
127.:allow,RELAYCLIENT=""
9.9.9.5-:allow
:allow
"""


def test_static_rules_are_compiled_as_tcprules_does(site, daemon):
    site.write("/etc/tcp.smtp", RULES)
    try:
        site.run("sh", "-c", "tcprules /var/tmp/want.cdb /var/tmp/want.tmp "
                 "</etc/tcp.smtp")

        def dump(path):
            return site.run("cdb", "-d", path).stdout
        want = dump("/var/tmp/want.cdb")
        assert "127.->+RELAYCLIENT=" in want
        lab.wait_for(lambda: dump(f"{OUT}/tcp.smtp.cdb") == want,
                     "the same records in the same order")
    finally:
        site.write("/etc/tcp.smtp", exports.example("tcp.smtp"))


def test_killed_again_and_again_no_reader_sees_half_a_file(site, daemon):
    """A reader looks all the time; each writer is killed while it writes."""
    addresses = [f"198.51.100.{i}" for i in range(1, 255)]
    exports.lease(site, daemon, *addresses[:200])
    lab.wait_for(lambda: all(exports.read(site, name).count("\n") >= 200
                             for name in FILES), "the first leases")
    stop, wrong, killed = threading.Event(), [], []

    def look():
        while not stop.is_set():
            for name in FILES:
                text = exports.read(site, name)
                lines = text.splitlines()
                if not text.endswith("\n") or len(lines) < 200 or \
                        any(not line for line in lines):
                    wrong.append((name, len(lines)))

    def living():
        """Some may be told of that were killed a moment ago."""
        found = exports.writers(site, daemon, KINDS)
        return None if set(found) & set(killed) else found

    reader = threading.Thread(target=look)
    reader.start()
    try:
        for first in range(200, 230, 10):
            writers = lab.wait_for(living, "all writers")
            for address in addresses[first:first + 10]:
                exports.log_in(site, address)
            for pid in writers:
                os.kill(pid, signal.SIGKILL)
            killed += writers
        assert len(killed) == 3 * KINDS
        lab.wait_for(lambda: all(
            exports.read(site, name).count("\n") >= 230 for name in FILES),
            "all leases in all files", 60)
    finally:
        stop.set()
        reader.join()
    assert not wrong, wrong[:5]
    for folder in FOLDERS:
        lab.wait_for(lambda: names(site, folder) == set(addresses[:230]),
                     f"{folder} has all, and nothing else")
    # The last change may be under way.
    lab.wait_for(lambda: not [name for name in os.listdir(site.path(OUT))
                              if name.endswith(".new")], "nothing is left over")


def test_a_full_disk_leaves_the_old_files_and_says_so_once(site, daemon):
    exports.lease(site, daemon, "203.0.113.7")
    lab.wait_for(lambda: "203.0.113.7\n" in exports.read(site, "relayhosts"),
                 "the lease")
    before = exports.read(site, "relayhosts")
    daemon.stop()
    site.run("mount", "-t", "tmpfs", "-o", "size=256k,mode=755,uid=" +
             site.run("id", "-u", "relaypass-out").stdout.strip(), "tmpfs",
             OUT)
    try:
        site.run("sh", "-c", exports.set_up())
        daemon.start()
        lab.wait_for(lambda: site.path(f"{OUT}/relayhosts").exists() and
                     exports.read(site, "relayhosts") == before, "the file")
        fill = site.path(f"{OUT}/fill")
        with open(fill, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass
        exports.lease(site, daemon, "203.0.113.9")
        lab.wait_for(lambda: "export=relayhosts error=" in
                     daemon.log.read_text(encoding="utf-8"), "it says so")
        assert exports.read(site, "relayhosts") == before
        fill.unlink()
        lab.wait_for(lambda: "203.0.113.9\n" in
                     exports.read(site, "relayhosts"), "there is room")
        log = daemon.log.read_text(encoding="utf-8")
        assert log.count("export=relayhosts error=") == 1
        assert "export=relayhosts state=good" in log
    finally:
        daemon.stop()
        site.run("umount", "-l", OUT)


def test_relay_ctrl_files_are_as_relay_ctrl_allow_writes_them(site, daemon):
    exports.lease(site, daemon, "203.0.113.7")
    lab.wait_for(lambda: "203.0.113.7" in names(site, "relay-ctrl"), "a file")
    file = site.path(f"{OUT}/relay-ctrl/203.0.113.7")
    assert file.read_bytes() == b"USER=alice\0"
    end = file.stat().st_mtime + 1800
    assert abs(end - time.time() - exports.TTL_MS / 1000) < 60


OPEN_SMTP = """
export open-smtp {
	kind = "text"
	style = "open-smtp"
	path = "/home/vpopmail/etc/open-smtp"
	user = "vpopmail"
}
"""


def test_open_smtp_is_vpopmails_and_compiles(site, relaypassd):
    """As vpopmail rebuilds its rules: without what is behind the TAB."""
    site.add_user("vpopmail")
    site.run("install", "-d", "-o", "vpopmail", "-g", "vpopmail", "-m", "0755",
             "/home/vpopmail/etc")
    site.write(exports.MAIL_LOG, "")
    daemon = relaypassd(site, exports.example("relaypass-exports.conf") +
                        OPEN_SMTP)
    file = site.path("/home/vpopmail/etc/open-smtp")
    lab.wait_for(file.exists, "the file")
    exports.lease(site, daemon, "203.0.113.7")
    lab.wait_for(lambda: "203.0.113.7:" in file.read_text(), "the lease")
    site.run("sh", "-c", "cd /home/vpopmail/etc && cut -f1 open-smtp | "
             "tcprules cdb tmp")
    rules = site.run("cdb", "-d", "/home/vpopmail/etc/cdb").stdout
    assert "203.0.113.7->+RELAYCLIENT=\0+RBLSMTPD=\0" in rules
    seen = int(file.read_text().split("\t")[1])
    assert abs(seen - time.time()) < 60
    assert site.run("stat", "-c", "%U %a",
                    "/home/vpopmail/etc/open-smtp").stdout == \
        "vpopmail 644\n"
    exports.end_leases(daemon)
    lab.wait_for(lambda: file.read_text() == "", "the end", 3)


def test_a_directory_that_could_be_anybodys_is_refused(site, daemon):
    site.run("install", "-d", "-o", "relaypass-out", "-m", "0777",
             "/var/lib/everybody")
    daemon.stop()
    daemon.write(exports.example("relaypass-exports.conf") + """
export bad { kind = "text" path = "/var/lib/everybody/list" }
""")
    # The others go on without it.
    daemon.start()
    lab.wait_for(lambda: "everybody may write there" in
                 daemon.process.output(), "why it is refused")
    assert not site.path("/var/lib/everybody/list").exists()
