"""Answers a second and their latency for each kind of listener, half of them
"yes" out of 10,000 leases, against a bare epoll loop of the same protocol's
shape (bench/listener.c) in rounds that take turns. Medians; ratio is to the loop.

    listeners.py [ROUNDS] [SECONDS]

The one who asks never sleeps, on a core of its own; who answers has the other.
"""
import contextlib
import os
import socket
import statistics
import subprocess
import sys
import time

from site_ import BUILD, Site, login_line, stamp_now

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 5
SECONDS = sys.argv[2] if len(sys.argv) > 2 else "1"
LEASES, CONNECTIONS, CORE, NICE = 10000, 16, 0, -15
# kind, transport, options
ROWS = [
    ("ask", "unix", ""),
    ("postfix-policy", "unix", ""),
    ("socketmap", "unix", ""),
    ("tcp-table", "inet", ""),
    ("whoson", "inet", ""),
    ("whoson", "udp", ""),
    ("dns", "udp", 'zone = "relaypass.invalid"'),
    ("http", "unix", ""),
]
PROGRAM = str(BUILD / "bench/bench-listener")


def free_port(kind):
    with socket.socket(type=kind) as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def place_of(site, transport, name):
    """As the program has it, and as the configuration has it."""
    if transport == "unix":
        return (f"unix:{site.dir}/{name}",) * 2
    port = free_port(socket.SOCK_DGRAM if transport == "udp"
                     else socket.SOCK_STREAM)
    return f"{transport}:{port}", f"{transport}:127.0.0.1:{port}"


def cpu(pid):
    """Nanoseconds that the process has run."""
    with open(f"/proc/{pid}/schedstat", encoding="ascii") as file:
        return int(file.read().split()[0])


def measure(kind, place, leases, pid):
    before = cpu(pid)
    text = subprocess.run(
        [PROGRAM, "ask", kind, place, str(CONNECTIONS), SECONDS, str(leases)],
        check=True, stdout=subprocess.PIPE, encoding="ascii").stdout
    result = {key: float(value) for key, value in
              (word.split("=") for word in text.split())}
    result["cpu"] = (cpu(pid) - before) / result["all"] / 1e3
    return result


def medians(results):
    return {key: statistics.median(one[key] for one in results)
            for key in results[0]}


@contextlib.contextmanager
def echo(kind, place):
    process = subprocess.Popen([PROGRAM, "echo", kind, place])
    try:
        time.sleep(0.2)
        yield process.pid
    finally:
        process.kill()
        process.wait()


def compare(kind, transport, place, site):
    bare, _ = place_of(site, transport, f"bare-{kind}")
    pids = site.pids()
    pid = pids["gateway" if kind == "http" else "answerer"]
    with echo(kind, bare) as bare_pid:
        results = {"bare": [], "ours": []}
        for _ in range(ROUNDS):
            results["bare"].append(measure(kind, bare, 0, bare_pid))
            results["ours"].append(measure(kind, place, LEASES, pid))
    b, o = medians(results["bare"]), medians(results["ours"])
    print(f"listeners kind={kind} transport={transport} "
          f"ratio={o['rate'] / b['rate']:.2f} "
          f"p99_ratio={o['p99us'] / b['p99us']:.2f} rate={o['rate']:.0f} "
          f"cpu_ratio={b['cpu'] / o['cpu']:.2f} cpu_us={o['cpu']:.2f} "
          f"p50us={o['p50us']:.1f} p99us={o['p99us']:.1f} "
          f"echo_rate={b['rate']:.0f} echo_p99us={b['p99us']:.1f}", flush=True)


def main():
    site = Site()
    try:
        site.dir.joinpath("mail.log").write_bytes(b"".join(
            login_line(stamp_now(), f"45.0.{i >> 8}.{i & 255}", f"u{i}", i)
            for i in range(LEASES)))
        places, text = [], ""
        for i, (kind, transport, options) in enumerate(ROWS):
            place, conf = place_of(site, transport, f"l{i}")
            places.append(place)
            text += (f'listener l{i} {{ kind = "{kind}" listen = "{conf}" '
                     f'group = "root" {options} }}\n')
        conf = site.dir / "relaypass.conf"
        conf.write_text(conf.read_text() + text)
        site.start()
        while site.leases() < LEASES:
            time.sleep(0.1)
        for role, pid in site.pids().items():
            if role in ("answerer", "gateway"):
                os.sched_setaffinity(pid, {CORE})
                with contextlib.suppress(PermissionError):
                    os.setpriority(os.PRIO_PROCESS, pid, NICE)
        for (kind, transport, _), place in zip(ROWS, places):
            compare(kind, transport, place, site)
    finally:
        site.close()


main()
