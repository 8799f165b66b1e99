"""Logins a second, and the time from a login to a positive answer, of every
source in one run; the file source is the yardstick of each. Not the journal:
only journald writes one, and it need not run here."""
import os
import select
import socket
import statistics
import struct
import sys
import time

from site_ import Ask, Site, login_line, stamp_now

COUNT = int(sys.argv[1]) if len(sys.argv) > 1 else 20000
SAMPLES = int(sys.argv[2]) if len(sys.argv) > 2 else 200
WINDOW = 96  # unanswered at a time; what a UDP socket holds by default
SECRET = "bench-bench-bench-bench"


def address(i):
    return f"45.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}"


class Driver:
    """Writes log lines; there is no answer."""
    section = ""
    answers = False

    def __init__(self, site):
        self.site, self.socket = site, None
        self.open()

    def open(self):
        self.socket = self.site.log.fileno()

    def bytes(self, i):
        return login_line(stamp_now(), address(i), f"u{i}", i)

    def send(self, data):
        while data:
            data = data[os.write(self.socket, data):]

    def close(self):
        if isinstance(self.socket, socket.socket):
            self.socket.close()


class File(Driver):
    pass


class Fifo(Driver):
    section = 'source fifo {{ kind = "fifo" path = "{dir}/fifo" create = yes }}'

    def open(self):
        self.socket = os.open(self.site.dir / "fifo", os.O_WRONLY)

    def close(self):
        os.close(self.socket)


class Stdin(Driver):
    section = 'source stdin {{ kind = "stdin" }}'

    def open(self):
        self.socket = self.site.daemon.stdin.fileno()


class Datagrams(Driver):
    """Each login is one datagram to `place`; an answer is one, too."""
    answers = True
    family, place = socket.AF_INET, None

    def open(self):
        self.socket = socket.socket(self.family, socket.SOCK_DGRAM)
        self.socket.settimeout(5)  # some say nothing of what is not stored
        if self.family == socket.AF_UNIX:
            self.socket.bind("")
        self.socket.connect(self.place if self.family == socket.AF_INET
                            else str(self.site.dir / self.place))

    def send(self, data):
        self.socket.send(data)

    def receive(self):
        self.socket.recv(65536)


class Syslog(Datagrams):
    section = ('source syslog {{ kind = "syslog" '
               'listen = {{"unixgram:{dir}/syslog"}} group = "root" '
               'allow-uid = {{"root"}} }}')
    family, place, answers = socket.AF_UNIX, "syslog", False

    def bytes(self, i):
        line = login_line(stamp_now(), address(i), f"u{i}", i)
        return b"<22>" + time.strftime("%b %e %H:%M:%S ").encode() + \
            line.split(b" mx ", 1)[1].rstrip(b"\n")


class Notify(Datagrams):
    section = ('source notify {{ kind = "notify" group = "root" '
               'listen = {{"unixgram:{dir}/notify"}} '
               'allow-uid = {{"root"}} }}')
    family, place = socket.AF_UNIX, "notify"

    def bytes(self, i):
        return f"login ip={address(i)} user=u{i} server=dovecot".encode()


class Drac(Datagrams):
    section = ('source drac {{ kind = "drac" listen = '
               '{{"udp:127.0.0.1:19111"}} allow = {{"127.0.0.1"}} '
               'rate = 1000000 }}')
    place = ("127.0.0.1", 19111)

    def bytes(self, i):
        return struct.pack(">10I", i, 0, 2, 900101, 1, 1, 0, 0, 0, 0) + \
            socket.inet_aton(address(i))


class Whoson(Datagrams):
    section = ('source whoson {{ kind = "whoson" listen = '
               '{{"udp:127.0.0.1:19112"}} allow = {{"127.0.0.1"}} '
               'login-from = {{"127.0.0.1"}} udp-login = yes max-rate = 0 }}')
    place = ("127.0.0.1", 19112)

    def bytes(self, i):
        return f"LOGIN {address(i)} u{i}\r\n\r\n".encode()


class RelayCtrl(Datagrams):
    section = ('source relay-ctrl {{ kind = "relay-ctrl" listen = '
               '{{"udp:127.0.0.1:19113"}} allow = {{"127.0.0.1"}} '
               'max-rate = 0 }}')
    place = ("127.0.0.1", 19113)

    def bytes(self, i):
        return address(i).encode()


class Pbs(Datagrams):
    section = ('source pbs {{ kind = "pbs" listen = {{"udp:127.0.0.1:19114"}} '
               'allow = {{"127.0.0.1"}} secret-file = "{dir}/secret" }}')
    place, answers = ("127.0.0.1", 19114), False

    def bytes(self, i):
        return b"A\4" + socket.inet_aton(address(i)) + \
            bytes([len(SECRET)]) + SECRET.encode() + b"\0"


class Http(Driver):
    section = ('source http {{ kind = "http" listen = {{"tcp:127.0.0.1:19115"}} '
               'allow = {{"127.0.0.1"}} secret-file = "{dir}/secret" }}')
    answers = True
    connections = 32

    def open(self):
        self.free, self.busy = [], select.poll()
        self.sockets = {}
        for _ in range(self.connections):
            s = socket.create_connection(("127.0.0.1", 19115))
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.sockets[s.fileno()] = s
            self.free.append(s)
            self.busy.register(s, select.POLLIN)

    def bytes(self, i):
        body = (f'{{"device_id":"","login":"u{i}","protocol":"imap",'
                f'"pwhash":"0d52","remote":"{address(i)}","session_id":"s{i}",'
                f'"success":true,"policy_reject":false,"tls":true}}')
        return (f"POST /policy?command=report HTTP/1.1\r\n"
                f"Host: 127.0.0.1:19115\r\n"
                f"X-Relaypass-Key: {SECRET}\r\n"
                f"Content-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n{body}").encode()

    def send(self, data):
        self.free.pop().sendall(data)

    def receive(self):
        for fd, _ in self.busy.poll()[:1]:
            s = self.sockets[fd]
            data = s.recv(65536)
            assert data.startswith(b"HTTP/1.1 20"), data
            self.free.append(s)

    def close(self):
        for s in self.sockets.values():
            s.close()


DRIVERS = [File, Fifo, Stdin, Syslog, Notify, Drac, Whoson, RelayCtrl, Pbs, Http]


def stored(site):
    for line in site.control("status").splitlines():
        if line.startswith("status logins "):
            words = dict(w.split("=") for w in line.split()[2:])
            return int(words["granted"]) + int(words["renewed"])
    return 0


def flood(site, driver, first):
    """Seconds until all COUNT logins are committed."""
    window = min(WINDOW, getattr(driver, "connections", WINDOW))
    notices = [driver.bytes(first + i) for i in range(COUNT)]
    before, out, began = stored(site), 0, time.perf_counter()
    for i, notice in enumerate(notices):
        if driver.answers and out == window:
            driver.receive()
            out -= 1
        elif isinstance(driver, Pbs) and i % WINDOW == 0:
            while stored(site) - before < i - WINDOW:
                pass  # nothing answers: not more than the socket holds
        driver.send(notice)
        out += 1
    for _ in range(out if driver.answers else 0):
        driver.receive()
    while stored(site) - before < COUNT:
        if time.perf_counter() - began > 60:
            lost = COUNT - (stored(site) - before)
            sys.exit(f"{type(driver).__name__}: {lost} logins were lost")
        time.sleep(0.0005)
    return time.perf_counter() - began


def delays(site, driver, first):
    with Ask(site) as ask:
        times = []
        for i in range(first, first + SAMPLES):
            wanted = address(i)
            notice = driver.bytes(i)
            began = time.perf_counter()
            driver.send(notice)
            while not ask(wanted).startswith(b"allow"):
                if time.perf_counter() - began > 5:
                    sys.exit(f"{wanted} is not leased after 5 s")
            times.append((time.perf_counter() - began) * 1e6)
            if driver.answers:
                driver.receive()
            time.sleep(0.012)
        times.sort()
        return statistics.median(times), times[int(0.99 * SAMPLES)]


def main():
    site = Site()
    try:
        secret = site.dir / "secret"
        secret.write_text(SECRET + "\n")
        secret.chmod(0o600)
        with open(site.dir / "relaypass.conf", "a", encoding="utf-8") as conf:
            for driver in DRIVERS:
                conf.write(driver.section.format(dir=site.dir) + "\n")
        site.start()
        rows = {}
        for number, kind in enumerate(DRIVERS):
            driver = kind(site)
            first = number << 20
            rate = statistics.median(
                COUNT / flood(site, driver, first + r * COUNT)
                for r in range(3))
            rows[kind.__name__] = rate, *delays(
                site, driver, first + 3 * COUNT)
            driver.close()
        yard = rows["File"]
        for name, (rate, p50, p99) in rows.items():
            print(f"source name={name.lower()} logins_per_s={rate:.0f} "
                  f"p50_us={p50:.0f} p99_us={p99:.0f} "
                  f"rate_ratio={rate / yard[0]:.2f} "
                  f"p50_ratio={p50 / yard[1]:.2f} "
                  f"p99_ratio={p99 / yard[2]:.2f}")
    finally:
        site.close()


main()
