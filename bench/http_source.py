"""The http source under Dovecot's policy questions: how many a second against
the same HTTP library answering a constant, and what 10,000 a second do to the
logins among them."""
import os
import re
import socket
import subprocess
import sys
import time

from site_ import BUILD, Site

SECONDS = sys.argv[1] if len(sys.argv) > 1 else "5"
RATE, EVERY, ROUNDS = 10000, 20, 3
PORT, CONSTANT_PORT = 19180, 19181
SECRET = "bench-bench-bench-bench"
SECTION = """
source http {{ kind = "http" listen = {{"tcp:127.0.0.1:{port}"}}
               allow = {{"127.0.0.1"}} secret-file = "{dir}/secret" }}
"""


def ask(port, rate, every):
    """[{"what": "allow", "per_s": ...}, {"what": "report", ...}]"""
    out = subprocess.run(
        [BUILD / "bench/bench-http-client", str(port), SECRET, str(rate),
         SECONDS, str(every)], check=True, stdout=subprocess.PIPE,
        encoding="utf-8").stdout
    rows = [dict(word.split("=") for word in line.split())
            for line in out.splitlines()]
    for row in rows:
        if row["bad"] != "0":
            sys.exit(f"wrong answers: {row}")
    return rows


def best(port):
    return max(float(ask(port, 0, 0)[0]["per_s"]) for _ in range(ROUNDS))


def constant():
    server = subprocess.Popen([BUILD / "bench/bench-http-constant",
                               str(CONSTANT_PORT)])
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", CONSTANT_PORT)).close()
                break
            except ConnectionRefusedError:
                time.sleep(0.01)
        return best(CONSTANT_PORT)
    finally:
        server.kill()
        server.wait()


def main():
    site = Site()
    try:
        secret = site.dir / "secret"
        secret.write_text(SECRET + "\n")
        secret.chmod(0o600)
        with open(site.dir / "relaypass.conf", "a", encoding="utf-8") as conf:
            conf.write(SECTION.format(port=PORT, dir=site.dir))
        site.start()
        limit, most = constant(), best(PORT)
        print(f"http questions_s={most:.0f} limit_s={limit:.0f} "
              f"ratio={most / limit:.2f}")
        rows = ask(PORT, 200, 1)
        alone = rows[-1]
        print(f"http logins_alone_s={alone['per_s']} p50_ms={alone['p50_ms']} "
              f"p99_ms={alone['p99_ms']}")
        allow, report = ask(PORT, RATE, EVERY)
        print(f"http rate={RATE} questions_s={allow['per_s']} "
              f"p50_ms={allow['p50_ms']} p99_ms={allow['p99_ms']} "
              f"logins_s={report['per_s']} login_p50_ms={report['p50_ms']} "
              f"login_p99_ms={report['p99_ms']}")
        seen = int(re.search(r"leases=(\d+)",
                             site.control("status").partition(
                                 "status ledger")[2])[1])
        print(f"http leases={seen} cpus={os.cpu_count()}")
    finally:
        site.close()


main()
