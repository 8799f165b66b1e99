# SPDX-License-Identifier: ISC
"""The listener "http", with Python's http.client, curl and Prometheus'
promtool: what it answers. Whom it refuses: test_listener_http_attacks.py."""

import json
import re
import shutil
import signal
import subprocess

import pytest

import http_site
import lab
import servers_real

pytestmark = pytest.mark.namespaces

OPENAPI = lab.TREE / "docs" / "openapi.json"


@pytest.fixture(name="site", scope="module")
def make_site(host, tmp_path_factory):
    yield from http_site.start(host, tmp_path_factory)


@pytest.fixture(autouse=True)
def no_leases(site):
    yield
    rows = site.ask("/v1/leases?limit=500").json["leases"]
    for address in {row["address"] for row in rows}:
        site.revoke(address=address, now_only=True)


# --- what it answers ----------------------------------------------------------

def test_every_path_is_described_and_answers(site):
    described = json.loads(OPENAPI.read_text("utf-8"))
    assert site.ask("/openapi.json", token=None).json == described
    assert described["info"]["version"] in site.ask("/metrics").text
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            answer = site.ask(path.replace("{address}", "192.0.2.1"),
                              method.upper(), token="change",
                              body="{}" if method == "post" else None)
            # Known paths: neither "not found" nor "another method".
            assert answer.status != 405, path
            assert str(answer.status) in operation["responses"], (
                path, answer.status, answer.text)
            if path != "/v1/leases/{address}":
                assert answer.status != 404, path
            # And whatever it takes, no other method is taken.
            wrong = site.ask(path.replace("{address}", "192.0.2.1"), "DELETE")
            assert wrong.status == 405, path
            assert method.upper() in wrong.headers["Allow"]


def resolved(node, root):
    """The file without references, and with JSON Schema's word for null."""
    if isinstance(node, list):
        return [resolved(item, root) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        found = root
        for word in node["$ref"].split("/")[1:]:
            found = found[word]
        return resolved(found, root)
    out = {key: resolved(item, root) for key, item in node.items()}
    if out.pop("nullable", False):
        out["type"] = [out["type"], "null"]
    # What is not described is not said.
    if "properties" in out and "additionalProperties" not in out:
        out["additionalProperties"] = False
    return out


def merged(schema):
    """allOf as one object: neither part forbids what the other describes."""
    if "allOf" not in schema:
        return {key: merged(item) if isinstance(item, dict) else item
                for key, item in schema.items()}
    out = {"type": "object", "properties": {}, "required": [],
           "additionalProperties": False}
    for part in map(merged, schema["allOf"]):
        out["properties"].update(part["properties"])
        out["required"] += part.get("required", [])
    return out


def test_answers_are_as_described(site):
    jsonschema = pytest.importorskip(
        "jsonschema", reason="needs python3-jsonschema")
    file = json.loads(OPENAPI.read_text("utf-8"))
    file = resolved(file, file)
    site.grant(address="192.0.2.50", user="jo", ttl=60)
    site.grant(address="2001:db8::50", user="j\u00f6")
    site.revoke(user="eve")
    seen = set()
    for method, path, body in (
            ("get", "/health", None), ("get", "/v1/leases", None),
            ("get", "/v1/leases?limit=1", None),
            ("get", "/v1/leases/192.0.2.50", None),
            ("get", "/v1/leases/192.0.2.51", None),
            ("get", "/v1/check?address=192.0.2.50", None),
            ("get", "/v1/check?address=192.0.2.51", None),
            ("get", "/v1/check?address=x", None),
            ("get", "/v1/explain?address=192.0.2.50", None),
            ("get", "/v1/explain?address=127.0.0.1", None),
            ("get", "/v1/explain?address=192.0.2.51&user=eve", None),
            ("post", "/v1/leases", {"address": "192.0.2.52"}),
            ("post", "/v1/leases", {"address": "127.0.0.1"}),
            ("post", "/v1/revocations", {"address": "192.0.2.52"})):
        answer = site.ask(path, method.upper(), body, token="change")
        name = re.sub(r"/leases/.*", "/leases/{address}", path.split("?")[0])
        described = file["paths"][name][method]["responses"]
        schema = described[str(answer.status)]["content"][
            "application/json"]["schema"]
        jsonschema.validate(answer.json, merged(schema))
        seen.add((method, name, answer.status))
    assert len(seen) == 10


def test_grants_checks_explains_and_revokes(site):
    assert site.ask("/v1/check?address=192.0.2.107").json == {
        "verdict": "none", "reason": "no-lease"}
    assert site.ask("/v1/leases/192.0.2.107").status == 404
    granted = site.grant(address="192.0.2.107", user="jo@example.org", ttl=600)
    assert granted.status == 200 and granted.json["ttl"] in (599, 600)
    site.daemon.wait_leased("192.0.2.107")
    check = site.ask("/v1/check?address=192.0.2.107").json
    assert check["verdict"] == "allow" and check["reason"] == "lease"
    assert check["user"] == "jo@example.org" and 590 < check["ttl"] <= 600
    other = site.ask("/v1/check?address=192.0.2.107&user=eve").json
    assert other["verdict"] == "none"
    one = site.ask("/v1/leases/192.0.2.107").json
    assert one["next"] is None
    (lease,) = one["leases"]
    assert lease["address"] == "192.0.2.107" and lease["by_hand"] is True
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", lease["end"])
    why = site.ask("/v1/explain?address=192.0.2.107").json
    assert why["verdict"] == "allow" and why["leases"][0]["answers"] is True
    assert why["mode"] == "enforce" and why["key"] == "192.0.2.107"
    assert site.revoke(address="192.0.2.107").json == {"count": 1}
    assert site.ask("/v1/check?address=192.0.2.107").json["verdict"] == "none"
    assert site.daemon.check("192.0.2.107") == "none"
    why = site.ask("/v1/explain?address=192.0.2.107").json
    assert why["revocations"] and why["verdict"] == "none"
    refused = site.grant(address="192.0.2.107")
    assert refused.status == 409 and refused.json["reason"] == "revoked"
    assert site.grant(address="2001:db8::7").status == 200
    rows = site.ask("/v1/leases/2001%3Adb8%3A%3A7").json["leases"]
    assert [row["address"] for row in rows] == ["2001:db8::7"]


def test_every_allow_is_logged_and_every_change(site):
    site.grant(address="192.0.2.8", user="al")
    site.ask("/v1/check?address=192.0.2.8&sender=al%40example.org")
    site.daemon.wait_log("ip=192.0.2.8 user=al listener=web")
    site.daemon.wait_log("listener=web peer=127.0.0.1 change=")


def test_what_the_rules_refuse_is_not_granted(site):
    answer = site.grant(address="127.0.0.1")
    assert answer.status == 409
    assert answer.json["reason"] == "special-address"
    assert site.ask("/v1/leases").json["leases"] == []


@pytest.mark.parametrize("path, body", [
    ("/v1/leases", "{"), ("/v1/leases", "[]"), ("/v1/leases", "{}"),
    ("/v1/leases", '{"address":"192.0.2.256"}'),
    ("/v1/leases", '{"address":"192.0.2.1","ttl":0}'),
    ("/v1/leases", '{"address":"192.0.2.1","ttl":"600"}'),
    ("/v1/leases", '{"address":"192.0.2.1","users":"x"}'),
    ("/v1/leases", '{"address":"192.0.2.1","address":"192.0.2.2"}'),
    ("/v1/leases", '{"address":"192.0.2.1","user":"a\\nrevoke user=b"}'),
    ("/v1/revocations", '{"for":5}'),
    ("/v1/revocations", '{"address":"192.0.2.1","now_only":"yes"}'),
])
def test_bad_bodies_change_nothing(site, path, body):
    answer = site.ask(path, "POST", body, token="change")
    assert answer.status == 400 and answer.json["error"]
    assert site.ask("/v1/leases").json["leases"] == []


@pytest.mark.parametrize("path", [
    "/v1/check", "/v1/check?address=localhost", "/v1/check?address=",
    "/v1/check?address=192.0.2.1&address=192.0.2.2",
    "/v1/check?address=192.0.2.1&usr=x", "/v1/check?address=192.0.2.1&",
    "/v1/check?address=192.0.2.1&sender=a+b@example.org",
    "/v1/leases?limit=0", "/v1/leases?limit=501", "/v1/leases?after=zz",
    "/v1/leases?network=192.0.2", "/v1/leases?source=", "/v1/leases?user=%00",
    "/v1/leases/192.0.2.1%2F24", "/v1/leases/x", "/v1%2fleases"])
def test_bad_queries_are_told(site, path):
    answer = site.ask(path)
    assert answer.status == 400 and answer.json["error"]


def test_pages_hold_each_lease_once(site):
    wanted = {}
    for i in range(1, 41):
        user = "odd" if i % 2 else "even"
        address = f"192.0.2.{i}" if i <= 30 else f"2001:db8::{i}"
        assert site.grant(address=address, user=user).status == 200
        wanted[address] = user
    # One address, two users: a page may end between them.
    site.grant(address="192.0.2.5", user="second")

    def pages(query, limit):
        seen, after = [], ""
        while True:
            page = site.ask(f"/v1/leases?limit={limit}{query}{after}").json
            assert len(page["leases"]) <= limit
            seen += [(row["address"], row["user"]) for row in page["leases"]]
            if page["next"] is None:
                return seen
            after = "&after=" + page["next"]

    for limit in (1, 7, 100):
        seen = pages("", limit)
        assert sorted(seen) == sorted(
            [*wanted.items(), ("192.0.2.5", "second")])
    assert {a for a, _ in pages("&user=odd", 3)} == \
        {a for a, u in wanted.items() if u == "odd"}
    assert {a for a, _ in pages("&network=192.0.2.0/28", 4)} == \
        {f"192.0.2.{i}" for i in range(1, 16)}
    assert len(pages("&network=2001:db8::/32", 3)) == 10
    assert pages("&source=nowhere", 9) == []


# --- metrics ------------------------------------------------------------------

def test_metrics_count(site):
    before = http_site.metrics(site.ask("/metrics").text)
    site.grant(address="192.0.2.9")
    assert site.daemon.check("192.0.2.9").startswith("allow")
    site.ask("/v1/check?address=192.0.2.9")
    site.ask("/v1/check?address=192.0.2.10")
    answer = site.ask("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0")
    after = http_site.metrics(answer.text)

    def more(name, *labels):
        return http_site.value(after, name, *labels) - \
            http_site.value(before, name, *labels)

    web, ask = ('listener="web"', 'kind="http"'), ('listener="ask"',
                                                   'kind="ask"')
    answers = "relaypass_listener_answers_total"
    assert more(answers, *web, 'verdict="allow"') == 1
    assert more(answers, *web, 'verdict="none"') == 1
    assert more(answers, *ask, 'verdict="allow"') >= 1
    assert more("relaypass_listener_questions_total", *web) == 4
    assert more("relaypass_leases") == 1
    assert http_site.value(after, "relaypass_sessions") == 0
    assert http_site.value(after, "relaypass_ledger_readable") == 1
    assert http_site.value(after, "relaypass_processes", 'role="gateway"') == 4
    assert http_site.value(after, "relaypass_mode", 'mode="enforce"') == 1


@pytest.fixture(name="prometheus", scope="module")
def unpack_prometheus(tmp_path_factory):
    """The directory of its programs."""
    packages = servers_real.PACKAGES / "prometheus"
    # Debian 13 has promtool in a package of its own.
    debs = [*packages.glob("prometheus_*"), *packages.glob("promtool_*")]
    if not debs:
        pytest.skip("needs prometheus: tools/install-deps test")
    place = tmp_path_factory.mktemp("prometheus")
    for deb in debs:
        subprocess.run(["dpkg-deb", "-x", deb, place], check=True)
    return place / "usr" / "bin"


def test_promtool_finds_nothing_wrong(site, prometheus):
    done = subprocess.run([prometheus / "promtool", "check", "metrics"],
                          input=site.ask("/metrics").text, encoding="utf-8",
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False, timeout=lab.LIMIT)
    assert done.returncode == 0 and not done.stdout, done.stdout


def test_prometheus_reads_them(site, prometheus, tmp_path):
    """Set up as the example says, but for the interval and its user."""
    conf = (lab.EXAMPLES / "prometheus-relaypass.yml").read_text("utf-8")
    token = site.host.path("/etc/relaypass/web.token").read_text("ascii")
    assert "scrape_interval: 30s" in conf
    site.host.write("/etc/prometheus/relaypass.token", token, 0o400)
    site.host.write("/etc/prometheus/prometheus.yml", conf.replace(
        "scrape_interval: 30s", "scrape_interval: 200ms"))
    site.host.run(prometheus / "promtool", "check", "config",
                  "/etc/prometheus/prometheus.yml")
    server = site.host.start(
        [prometheus / "prometheus", "--web.listen-address=127.0.0.1:9090",
         "--config.file=/etc/prometheus/prometheus.yml",
         "--storage.tsdb.path=/var/lib/prometheus"], tmp_path / "p.log")
    try:
        lab.wait_for(lambda: site.host.listens(9090), "prometheus listens")

        def asked(query):
            answer = site.ask("/api/v1/query?query=" + query, token=None,
                              port=9090)
            if answer.status != 200:
                return None
            return [row["value"][1] for row in
                    json.loads(answer.text)["data"]["result"]]

        lab.wait_for(lambda: asked("up") == ["1"], "it reads the metrics")
        site.grant(address="192.0.2.60")
        lab.wait_for(lambda: asked("relaypass_leases") == ["1"],
                     "the lease is seen")
    finally:
        server.signal(signal.SIGTERM)
        server.wait(lab.LIMIT)


# --- configuration ------------------------------------------------------------

@pytest.mark.parametrize("section, text", [
    ('listen = "inet:127.0.0.1:8030"', "token-file"),
    ('listen = "inet:127.0.0.1:8030"\ntoken-file = "/etc/relaypass/none"',
     "token-file"),
    ('listen = "inet:0.0.0.0:8030"\ntoken-file = "/etc/relaypass/web.token"',
     "allow"),
    ('change-token-file = "/etc/relaypass/loose"', "change-token-file"),
    ('change-token-file = "/etc/relaypass/short"', "16 to 512"),
])
def test_a_bad_section_is_told_before_the_start(site, section, text):
    site.host.write("/etc/relaypass/loose", "0123456789abcdef\n", 0o644)
    site.host.write("/etc/relaypass/short", "0123456789\n", 0o600)
    site.host.write("/etc/relaypass/bad.conf",
                    f'listener bad {{\nkind = "http"\n{section}\n}}\n')
    done = site.host.run(lab.program("relaypassd"), "-t", "-c",
                         "/etc/relaypass/bad.conf", check=False)
    assert done.returncode == 100, done.stdout
    assert text in done.stdout and "bad" in done.stdout


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_curl_as_the_documents_say(site):
    doc = (lab.TREE / "docs/listeners.md").read_text(encoding="utf-8")
    section = doc[doc.index("\n## http\n"):]
    lines = [line.strip() for line in section.splitlines()
             if line.startswith("    curl ")]
    assert len(lines) >= 3
    for line in lines:
        done = site.host.run("sh", "-euc", line + " --fail-with-body")
        assert "error" not in done.stdout, (line, done.stdout)
    assert site.daemon.check("192.0.2.7").startswith("allow")


def test_a_reload_takes_new_tokens_and_listeners(site):
    old = dict(site.tokens)
    site.host.run("sh", "-euc", http_site.commands())
    site.tokens = {name: site.host.path(f"/etc/relaypass/{file}").read_text(
        "ascii").strip() for name, file in http_site.HEADS.items()}
    assert site.tokens["read"] != old["read"]
    config = site.host.path(site.daemon.config)
    before = config.read_text("utf-8")
    config.write_text(before + """
listener late {
	kind = "http"
	listen = "inet:127.0.0.1:8029"
	token-file = "/etc/relaypass/web.token"
}
""", encoding="utf-8")
    site.daemon.process.signal(signal.SIGHUP)
    lab.wait_for(lambda: site.ask("/v1/leases", port=8029).status == 200,
                 "the new listener answers")
    lab.wait_for(lambda: site.ask("/v1/leases").status == 200,
                 "the new token counts")
    assert site.ask("/v1/leases", token=old["read"]).status == 401
    assert site.ask("/v1/leases", token=old["change"]).status == 401
    assert site.grant(address="192.0.2.43").status == 200
    assert http_site.metrics(site.ask("/metrics").text)
    config.write_text(before, encoding="utf-8")
    site.daemon.process.signal(signal.SIGHUP)
    lab.wait_for(lambda: not site.host.listens(8029), "it has gone again")
