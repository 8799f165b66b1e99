"""Cold start: how long relaypassd takes to have a whole log's leases synced,
against the time that reading it line by line takes (SPEED goal G10)."""
import os
import re
import subprocess
import sys
import time

from site_ import BUILD, Site

MB = sys.argv[1] if len(sys.argv) > 1 else "128"
ROUNDS = 3


def generate(path, mb, now):
    with open(path, "wb") as out:
        done = subprocess.run(
            [BUILD / "bench/bench-gen-maillog", "--mb", mb, "--format",
             "rfc3339", "--end", str(int(now))], stdout=out,
            stderr=subprocess.PIPE, check=True, encoding="utf-8")
    return int(re.search(r'"logins": ?(\d+)', done.stderr)[1])


def limit(path):
    """Seconds to read the file and find its lines."""
    text = subprocess.run(
        [BUILD / "bench/bench-match", "--rounds", "3", path], check=True,
        stdout=subprocess.PIPE, encoding="utf-8").stdout
    return os.path.getsize(path) / 1e6 / float(
        re.search(r"mode=limit mb_s=([\d.]+)", text)[1])


def replay(path, logins):
    site = Site(ttl="30d", hold="proven")
    try:
        os.rename(path, site.dir / "mail.log")
        began = time.perf_counter()
        site.start()
        while True:
            status = site.control("status")
            seen = re.findall(r" (?:granted|renewed|refused)=(\d+)",
                              status.partition("status logins")[2])
            if sum(int(n) for n in seen[:3]) >= logins:
                return time.perf_counter() - began, status
            if time.perf_counter() - began > 120:
                sys.exit(f"not done after 120 s:\n{status}")
            time.sleep(0.005)
    finally:
        os.rename(site.dir / "mail.log", path)
        site.close()


def main():
    path = f"/tmp/relaypass-replay-{os.getpid()}.log"
    try:
        logins = generate(path, MB, time.time())
        took, bare = [], limit(path)
        for _ in range(ROUNDS):
            seconds, status = replay(path, logins)
            took.append(seconds)
        seconds = sorted(took)[ROUNDS // 2]
        commits = re.search(r"commits=(\d+)", status)[1]
        leases = re.search(r"leases=(\d+)", status)[1]
        print(f"replay mb={MB} logins={logins} leases={leases} commits={commits} "
              f"seconds={seconds:.2f} logins_s={logins / seconds:.0f} "
              f"limit_seconds={bare:.3f} ratio={bare / seconds:.3f}")
    finally:
        os.unlink(path)


main()
