# SPDX-License-Identifier: ISC
"""Runs a program under the limits of a systemd unit, on a machine without
systemd: capabilities, system calls, address families, and which directories may
be written. Only what the unit says is set up; where systemd would do more, the
program has it easier here.

    unit_limits.py SERVICE WRITABLE,... PROGRAM ARGUMENT ...

As root. The directories named take the place of those in the unit.
"""

import ctypes
import errno
import os
import pathlib
import subprocess
import sys

import seccomp

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS = 0x20000
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 32, 4096, 16384, 1 << 18
FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10, "AF_NETLINK": 16}


def lines_of(service, name):
    """The values of one directive, in order."""
    for line in pathlib.Path(service).read_text(encoding="utf-8").splitlines():
        if line.startswith(name + "="):
            yield line.partition("=")[2]


def mount(what, where, flags):
    if LIBC.mount(what, where.encode(), None, flags, None) < 0:
        raise OSError(ctypes.get_errno(), f"mount {where}")


def make_read_only(writable):
    """ProtectSystem=strict."""
    if LIBC.unshare(CLONE_NEWNS) < 0:
        raise OSError(ctypes.get_errno(), "unshare")
    mount(None, "/", MS_REC | MS_PRIVATE)
    for path in writable:
        mount(path.encode(), path, MS_BIND | MS_REC)
    mount(None, "/", MS_REMOUNT | MS_BIND | MS_RDONLY)


def calls_of(name):
    """Names of system calls in a set such as @file-system, or the one call."""
    if not name.startswith("@"):
        return {name}
    text = subprocess.run(
        ["systemd-analyze", "syscall-filter", name], check=True,
        stdout=subprocess.PIPE, encoding="utf-8").stdout
    words = [line.strip() for line in text.splitlines()[1:]]
    return set().union(*(calls_of(word) for word in words
                         if word and not word.startswith("#")))


def allowed_calls(service):
    allowed = set()
    for line in lines_of(service, "SystemCallFilter"):
        named = set().union(*map(calls_of, line.lstrip("~").split()))
        allowed = allowed - named if line.startswith("~") else allowed | named
    return allowed


def filter_calls(service):
    calls = seccomp.SyscallFilter(seccomp.ERRNO(errno.EPERM))
    for name in allowed_calls(service) - {"socket"}:
        try:
            calls.add_rule(seccomp.ALLOW, name)
        except (RuntimeError, OSError, ValueError):
            pass  # one of another architecture
    for line in lines_of(service, "RestrictAddressFamilies"):
        for family in line.split():
            calls.add_rule(seccomp.ALLOW, "socket",
                           seccomp.Arg(0, seccomp.EQ, FAMILIES[family]))
    calls.load()


def capabilities(service):
    names = " ".join(lines_of(service, "CapabilityBoundingSet")).split()
    return ",".join(["-all", *("+" + name.removeprefix("CAP_").lower()
                               for name in names)])


def main(service, writable, *argv):
    if writable != "-":
        make_read_only(writable.split(","))
        os.execvp("setpriv", [
            "setpriv", "--bounding-set=" + capabilities(service),
            "--inh-caps=-all", "--no-new-privs", sys.executable, __file__,
            service, "-", *argv])
    filter_calls(service)
    os.execv(argv[0], argv)


if __name__ == "__main__":
    main(*sys.argv[1:])
