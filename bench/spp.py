# SPDX-License-Identifier: ISC
"""What relaypass-spp costs, asking a live relaypassd: bench-spp on a qmail home
whose queue program is taken for qmail's own."""
import shutil
import subprocess
import sys

from site_ import BUILD as RELATIVE, Site

BUILD = RELATIVE.resolve()  # bench-spp goes to the home

ROUNDS = "21"
LEASED = "203.0.113.7"


def make_home(directory):
    for name in ("bin", "control", "queue"):
        (directory / name).mkdir(parents=True)
    (directory / "control/rcpthosts").write_text("test.example\n")
    (directory / "control/smtpplugins").write_text("")
    program = directory / "bin/qmail-queue"
    shutil.copy(BUILD / "bench/bench-spp-queue", program)
    program.chmod(0o4755)
    return directory


def main():
    site = Site()
    try:
        site.start()
        reply = site.control(f"grant address={LEASED} user=bench")
        if not reply.startswith("ok"):
            sys.exit(f"no lease to ask about: {reply}")
        return subprocess.run(
            [BUILD / "bench/bench-spp", BUILD / "bench/bench-smtpd",
             BUILD / "src/cmd/relaypass-spp", make_home(site.dir / "home"),
             ROUNDS, site.dir / "run", LEASED], check=False).returncode
    finally:
        site.close()


sys.exit(main())
