"""What relaypass-run adds to the start of an SMTP server, asking a live
relaypassd: bench-exec with a daemon, one leased address, and the yardstick."""
import subprocess
import sys

from site_ import BUILD, Site

ROUNDS = sys.argv[1] if len(sys.argv) > 1 else "2000"
LEASED = "203.0.113.7"


def main():
    site = Site()
    try:
        site.start()
        reply = site.control(f"grant address={LEASED} user=bench")
        if not reply.startswith("ok"):
            sys.exit(f"no lease to ask about: {reply}")
        bench = BUILD / "bench"
        return subprocess.run(
            [bench / "bench-exec", "-n", ROUNDS, "-s", site.dir / "run", "-a",
             LEASED, BUILD / "src/cmd/relaypass-run",
             bench / "bench-exec-only", bench / "bench-exec-target"],
            check=False).returncode
    finally:
        site.close()


sys.exit(main())
