# SPDX-License-Identifier: ISC
"""The control socket of a relaypassd on a test host, and which of its processes
has which role."""

import contextlib
import pathlib
import re
import socket

import lab


def control(host, *lines):
    """What the control socket answers to these lines, until it closes."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(lab.LIMIT)
        sock.connect(str(host.path("/run/relaypass/control")))
        sock.sendall("".join(f"{line}\n" for line in lines).encode())
        sock.shutdown(socket.SHUT_WR)
        return sock.makefile("rb").read().decode().splitlines()


def pids_of(daemon, role):
    """By their names, as they are out here."""
    found = [dict(w.split("=", 1) for w in line.split() if "=" in w)
             for line in control(daemon.host, "status")]
    return {words["name"]: pid_out_here(daemon, words["pid"])
            for words in found if words.get("role") == role}


def keeper_of(daemon):
    """The keeper's pid as it is out here; None while there is none."""
    with contextlib.suppress(OSError):
        return next(iter(pids_of(daemon, "keeper").values()), None)
    return None


def pid_out_here(daemon, inner):
    for pid in daemon.everybody():
        status = pathlib.Path(f"/proc/{pid}/status").read_text(
            encoding="ascii", errors="replace")
        if re.search(rf"^NSpid:.*\t{inner}$", status, re.MULTILINE):
            return pid
    return None
