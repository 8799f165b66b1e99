# SPDX-License-Identifier: ISC
"""What relaypass-spp costs in front of real servers on a pipe, Exim and
Sendmail, which queue what they take: sessions a second, to the same server
without it (bench/spp.c). Each on a machine of its own, as in the tests."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

BUILD = Path(os.environ.get("RELAYPASS_BUILD", "build-bench")).resolve()
os.environ["RELAYPASS_BUILD"] = str(BUILD)
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests/e2e"))

import lab  # noqa: E402
import machines  # noqa: E402
import machines_spp as spp  # noqa: E402
import sendmail  # noqa: E402
import servers_real  # noqa: E402

ROUNDS = "7"


def exim(host):
    servers_real.install(host, "exim")
    servers_real.add_system_user(host, "Debian-exim")
    host.write("/etc/exim4/exim4.conf",
               machines.Exim.CONFIG.format(port=25, rule=spp.Exim.RULE))
    host.run("install", "-d", "-o", "Debian-exim", "-g", "Debian-exim",
             "/var/spool/exim4", "/var/log/exim4")
    return ["/usr/sbin/exim4", "-bs", "-oMa", "192.0.2.1"]


def send_mail(host):
    sendmail.Site(host, "")
    host.add_user("bob")
    return [f"{sendmail.BIN}/sendmail", "-bs", "-Am",
            "-O", "DeliveryMode=queueonly"]


def measure(name, prepare):
    if os.geteuid() != 0:
        print(f"spp-server server={name} skipped=\"not root\"")
        return
    if not list((servers_real.PACKAGES / name).glob("*.deb")):
        print(f"spp-server server={name} skipped=\"no packages\"")
        return
    directory = Path(tempfile.mkdtemp(prefix="relaypass-bench-"))
    host = lab.Host(directory)
    try:
        server = prepare(host)
        host.write(f"{spp.HOME}/control/smtpplugins", "")
        host.write(f"{spp.HOME}/local", "test.example\n")
        done = subprocess.run(
            host.command([BUILD / "bench/bench-spp", "-s", ROUNDS, *server,
                          "--", BUILD / "src/cmd/relaypass-spp", "--home",
                          spp.HOME, "--local-domains", "local", *server]),
            check=True, stdout=subprocess.PIPE, encoding="ascii")
        print(f"spp-server server={name}",
              "=".join(done.stdout.split()))
    finally:
        host.close()
        shutil.rmtree(directory, ignore_errors=True)


measure("exim", exim)
measure("sendmail", send_mail)
