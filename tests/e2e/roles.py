# SPDX-License-Identifier: ISC
"""Which process of a relaypassd on a test host has which role."""

import pathlib
import re
import socket

import lab


def keeper_of(daemon):
    """The keeper's pid as it is out here; None while there is none."""
    try:
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(lab.LIMIT)
            control.connect(str(daemon.host.path("/run/relaypass/control")))
            control.sendall(b"status\n")
            control.shutdown(socket.SHUT_WR)
            lines = control.makefile("rb").read().decode().splitlines()
    except OSError:
        return None
    for line in lines:
        words = dict(w.split("=", 1) for w in line.split() if "=" in w)
        if words.get("role") == "keeper":
            return pid_out_here(daemon, words["pid"])
    return None


def pid_out_here(daemon, inner):
    for pid in daemon.everybody():
        status = pathlib.Path(f"/proc/{pid}/status").read_text(
            encoding="ascii", errors="replace")
        if re.search(rf"^NSpid:.*\t{inner}$", status, re.MULTILINE):
            return pid
    return None
