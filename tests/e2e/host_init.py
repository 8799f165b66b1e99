# SPDX-License-Identifier: ISC
"""First process of a test host: makes the namespaces look like a small
machine of its own, then only waits. When it ends, all of it ends: every
process, every mount, every file (they are on a tmpfs).

Called by lab.Host through unshare(1); argv[1] is an empty directory.
"""

import os
import signal
import subprocess
import sys

OVERLAID = ["/etc", "/var", "/usr/local", "/home", "/srv"]
DEVICES = ["null", "zero", "full", "random", "urandom", "tty", "ptmx"]


def mount(*args):
    subprocess.run(["mount", *args], check=True)


def overlay(base, path):
    name = path.strip("/").replace("/", "-")
    upper, work = f"{base}/{name}.upper", f"{base}/{name}.work"
    os.mkdir(upper)
    os.mkdir(work)
    mount("-t", "overlay", "overlay", "-o",
          f"lowerdir={path},upperdir={upper},workdir={work}", path)


def private_dev(base):
    dev = f"{base}/dev"
    os.mkdir(dev)
    mount("-t", "tmpfs", "-o", "mode=0755", "tmpfs", dev)
    for name in DEVICES:
        with open(f"{dev}/{name}", "w", encoding="ascii"):
            pass
        mount("--bind", f"/dev/{name}", f"{dev}/{name}")
    os.mkdir(f"{dev}/shm")
    os.symlink("/proc/self/fd", f"{dev}/fd")
    mount("--move", dev, "/dev")


def main():
    base = sys.argv[1]
    mount("-t", "tmpfs", "-o", "mode=0755", "tmpfs", base)
    mount("-t", "proc", "proc", "/proc")
    for path in OVERLAID:
        overlay(base, path)
    mount("-t", "tmpfs", "-o", "mode=0755", "tmpfs", "/run")
    mount("-t", "tmpfs", "-o", "mode=0755", "tmpfs", "/var/log")
    mount("-t", "tmpfs", "-o", "mode=2775,gid=mail", "tmpfs", "/var/mail")
    private_dev(base)
    subprocess.run(["hostname", "mx.test.example"], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    # Orphans are reaped by the kernel.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    print("ready", flush=True)
    sys.stdin.read()  # ends with the test process
    os._exit(0)


main()
