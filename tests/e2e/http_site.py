# SPDX-License-Identifier: ISC
"""relaypassd with listeners of the kind "http", and who asks them: for
test_listener_http.py and test_listener_http_attacks.py."""

import json
import re
import subprocess

import lab

PORT, QUICK, MANY = 8025, 8026, 8027
WEB = f"127.0.0.1:{PORT}"
HEADS = {"read": "web.token", "change": "web.change-token"}
MORE = """
listener quick {
	kind = "http"
	listen = "inet:127.0.0.1:8026"
	token-file = "/etc/relaypass/web.token"
	max-connections = 4
	request-timeout = "1s"
}
listener many {
	kind = "http"
	listen = "inet:127.0.0.1:8027"
	token-file = "/etc/relaypass/web.token"
	max-connections = 12000
	request-timeout = "60s"
}
"""

# Requests within the host, one JSON object a line; so are the answers.
CLIENT = """
import http.client, json, socket, sys
class Unix(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect("/run/relaypass/http")
for text in sys.stdin:
    r = json.loads(text)
    c = Unix("localhost") if r["port"] == 0 else \\
        http.client.HTTPConnection("127.0.0.1", r["port"], timeout=20)
    try:
        try:
            c.request(r["method"], r["path"],
                      None if r["body"] is None else r["body"].encode(),
                      r["headers"])
        except BrokenPipeError:  # refused by its head, before the body
            pass
        a = c.getresponse()
        out = [a.status, a.read().decode(), dict(a.headers)]
    except (OSError, http.client.HTTPException) as e:
        out = [0, repr(e), {}]
    print(json.dumps(out), flush=True)
    c.close()
"""

# Opens connections that say nothing, and holds them till stdin ends.
IDLE = """
import resource, socket, sys
port, n = int(sys.argv[1]), int(sys.argv[2])
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
held = []
for i in range(n):
    s = socket.socket()
    s.settimeout(20)
    s.connect(("127.0.0.1", port))
    held.append(s)
print("held", flush=True)
sys.stdin.read()
"""


class Answer:
    def __init__(self, status, text, headers):
        self.status, self.text, self.headers = status, text, headers

    @property
    def json(self):
        assert self.headers["Content-Type"] == "application/json"
        return json.loads(self.text)


class Site:
    """relaypassd with the listeners of the example and two more."""

    def __init__(self, daemon, host):
        self.daemon, self.host = daemon, host
        self.tokens = {
            name: host.path(f"/etc/relaypass/{file}").read_text(
                "ascii").strip()
            for name, file in HEADS.items()}
        self.client = subprocess.Popen(
            host.command([lab.PYTHON, "-c", CLIENT]), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, encoding="utf-8")

    def ask(self, path, method="GET", body=None, token="read", port=PORT,
            **headers):
        """headers: with _ for -; None leaves one out. body: JSON, or text."""
        if body is not None and not isinstance(body, str):
            body = json.dumps(body)
        head = {}
        if token and port:
            head["Authorization"] = "Bearer " + self.tokens.get(token, token)
        if method == "POST":
            head["Content-Type"] = "application/json"
        head.update({k.replace("_", "-"): v for k, v in headers.items()})
        self.client.stdin.write(json.dumps({
            "method": method, "path": path, "port": port, "body": body,
            "headers": {k: v for k, v in head.items() if v}}) + "\n")
        self.client.stdin.flush()
        return Answer(*json.loads(self.client.stdout.readline()))

    def grant(self, token="change", **body):
        return self.ask("/v1/leases", "POST", body, token)

    def revoke(self, token="change", **body):
        return self.ask("/v1/revocations", "POST", body, token)

    def raw(self, data, port=PORT):
        """All that comes back for these bytes, until the end."""
        script = ("import socket,sys\n"
                  "s=socket.create_connection(('127.0.0.1',%d),20)\n"
                  "s.sendall(bytes.fromhex(sys.argv[1]))\n"
                  "out=b''\n"
                  "while True:\n"
                  "    try: got=s.recv(65536)\n"
                  "    except ConnectionResetError: break\n"
                  "    if not got: break\n"
                  "    out+=got\n"
                  "sys.stdout.write(out.decode())" % port)
        return self.host.run(lab.PYTHON, "-c", script, data.hex()).stdout

    def close(self):
        self.client.stdin.close()
        self.client.wait(lab.LIMIT)
        self.client.stdout.close()


def commands():
    """The set-up of docs/listeners.md, as it is written there."""
    doc = (lab.TREE / "docs/listeners.md").read_text(encoding="utf-8")
    section = doc[doc.index("\n## http\n"):]
    return next(block for block in section.split("\n\n")
                if block.startswith("    umask"))


def start(host, tmp_path_factory):
    """A Site, to be closed when the test module is done with it."""
    host.run("mkdir", "-p", "/etc/relaypass")
    host.run("sh", "-euc", commands())
    text = (lab.EXAMPLES / "relaypass-http-listener.conf").read_text("utf-8")
    daemon = lab.Relaypassd(host, tmp_path_factory.mktemp("daemon"),
                            text + MORE)
    daemon.start()
    place = Site(daemon, host)
    yield place
    place.close()
    daemon.stop()


LABEL = r'[a-z]+="(?:[^"\\\n]|\\["\\n])*"'
SAMPLE = re.compile(rf"([a-z_]+)(?:\{{({LABEL}(?:,{LABEL})*)\}})? (\d+)")


def metrics(text):
    """{(name, labels): value}, read strictly."""
    types, out, name = {}, {}, None
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# HELP "):
            name = line.split()[2]
            assert name not in types, f"{name} stands there twice"
            types[name] = None
        elif line.startswith("# TYPE "):
            assert line.split()[2] == name
            types[name] = line.split()[3]
            assert types[name] in ("counter", "gauge")
            assert name.endswith("_total") == (types[name] == "counter")
        else:
            match = SAMPLE.fullmatch(line)
            assert match and match[1] == name, line
            key = (name, frozenset((match[2] or "").split(",")))
            assert key not in out, line
            out[key] = int(match[3])
    return out


def value(found, name, *labels):
    return found[name, frozenset(labels or [""])]
