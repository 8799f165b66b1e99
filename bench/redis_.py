"""A redis-server of their own for the benchmarks, and its protocol."""
import re
import socket
import subprocess
import sys
import time

KEY = "relaypass"
SECRET = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"


def command(*words):
    out = [b"*%d\r\n" % len(words)]
    for word in words:
        word = word if isinstance(word, bytes) else str(word).encode()
        out.append(b"$%d\r\n%b\r\n" % (len(word), word))
    return b"".join(out)


class Redis:
    def __init__(self, where):
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            self.port = sock.getsockname()[1]
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1",
             "--dir", where, "--save", "", "--appendonly", "no"],
            stdout=subprocess.DEVNULL)
        while True:
            try:
                self.connect().close()
                break
            except OSError:
                time.sleep(0.01)

    def connect(self):
        sock = socket.create_connection(("127.0.0.1", self.port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def info(self):
        text = subprocess.run(["redis-cli", "-p", str(self.port), "info"],
                              check=True, capture_output=True, text=True).stdout
        return dict(re.findall(r"^(\w+):(\S*)\s*$", text, re.M))

    def send(self, commands):
        """One after the other, pipelined; waits for all the replies."""
        with self.connect() as sock, sock.makefile("rb") as replies:
            for first in range(0, len(commands), 1000):
                part = commands[first:first + 1000]
                sock.sendall(b"".join(part))
                for _ in part:
                    line = replies.readline()
                    if line[:1] == b"-":
                        sys.exit(line.decode())
                    if line[:1] == b"$":
                        replies.read(int(line[1:]) + 2)

    def options(self, site):
        """Of a section that speaks to it; makes its file of keys."""
        keys = site.dir / "nodes.keys"
        keys.write_text(f"k1 {SECRET}\n")
        keys.chmod(0o600)
        return (f'kind = "redis" servers = {{ "127.0.0.1:{self.port}" }} '
                f'keys = "{keys}" key = "{KEY}"')

    def flush(self):
        self.send([command("FLUSHALL")])

    def close(self):
        self.process.terminate()
        self.process.wait()
