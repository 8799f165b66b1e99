# SPDX-License-Identifier: ISC
"""What the tests of file exports share: a host on which relaypassd keeps every
kind of file, by examples/relaypass-exports.conf as it stands."""

import contextlib
import pathlib
import socket
import time

import lab

OUT = "/var/lib/relaypass-out"
TTL_MS = 30 * 60 * 1000
MAIL_LOG = "/var/log/mail.log"
LOGIN = ("{time} mx dovecot: imap-login: Login: user=<alice>, method=PLAIN, "
         "rip={address}, lip=203.0.113.1, mpid=4242, session=<{session}>\n")


def example(name):
    return (lab.EXAMPLES / name).read_text(encoding="utf-8")


def set_up():
    """The command of the example's first lines."""
    lines = example("relaypass-exports.conf").splitlines()
    first = next(i for i, line in enumerate(lines) if "install -d" in line)
    return "\n".join(line.lstrip("# ") for line in lines[first:first + 3])


def prepare(host):
    host.install_users()
    host.run("sh", "-c", set_up())
    host.write(MAIL_LOG, "")
    host.write("/etc/tcp.smtp", example("tcp.smtp"))


def start(host, relaypassd):
    host.write(MAIL_LOG, "")
    return relaypassd(host, example("relaypass-exports.conf"))


def log_in(host, address, number=[0]):
    number[0] += 1
    with open(host.path(MAIL_LOG), "a", encoding="ascii") as file:
        file.write(LOGIN.format(
            time=time.strftime("%b %e %H:%M:%S"), address=address,
            session=f"abc{number[0]}DEF"))


def read(host, name):
    return host.path(f"{OUT}/{name}").read_text(encoding="ascii")


def writers(host, daemon, count):
    """Pids of the processes that write, as seen from outside; [] unless there
    are so many."""
    text = b""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(host.path("/run/relaypass/control")))
        sock.sendall(b"status\n")
        sock.shutdown(socket.SHUT_WR)
        while part := sock.recv(1 << 16):
            text += part
    inside = {dict(word.split("=", 1) for word in line.split()[2:])["pid"]
              for line in text.decode().splitlines()
              if line.startswith("status process ") and "role=writer" in line}
    found = [pid for pid in lab.descendants_of(daemon.process.pid)
             if inner_pid(pid) in inside]
    return found if len(found) == count else []


def inner_pid(pid):
    with contextlib.suppress(OSError):
        for line in pathlib.Path(f"/proc/{pid}/status").read_text(
                encoding="ascii").splitlines():
            if line.startswith("NSpid:"):
                return line.split()[-1]
    return None


def lease(host, daemon, *addresses):
    for address in addresses:
        log_in(host, address)
        daemon.wait_leased(address)


def end_leases(daemon):
    """Returns when they have ended; the files have a second from then."""
    daemon.clock.advance(TTL_MS + 1000)
    return time.monotonic()
