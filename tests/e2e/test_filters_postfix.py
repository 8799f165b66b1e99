# SPDX-License-Identifier: ISC
"""docs/filters.md with the real Postfix: a client that is on a DNSBL passes it
by its lease, in smtpd, in postscreen and at port 587, and is refused without."""

import contextlib

import pytest

import exports
import filters
import lab

pytestmark = [pytest.mark.namespaces, pytest.mark.needs("postfix")]

LOCAL = "alice@test.example"
FAMILIES = ["ipv4", "ipv6"]
# Port: its part of main.cf. One Postfix has them all.
LISTENERS = {
    # As the snippet has it.
    2500: "",
    # Only where it lets clients relay.
    2501: """  -o { smtpd_client_restrictions = reject_rbl_client {zone} }
""",
    # Only where it lets clients pass the DNSBL.
    2502: """  -o { smtpd_relay_restrictions = reject_unauth_destination }
""",
    # After the DNSBL.
    2503: """  -o { smtpd_client_restrictions = reject_rbl_client {zone},
       $relaypass }
""",
    # All in smtpd_recipient_restrictions, as of old.
    2504: """  -o { smtpd_client_restrictions = }
  -o { smtpd_recipient_restrictions = $relaypass, reject_rbl_client {zone} }
""",
    # Asked before there is a recipient.
    2505: """  -o smtpd_delay_reject=no
""",
}


@pytest.fixture(scope="module", name="postfix")
def make_postfix(host):
    filters.prepare(host)
    filters.prepare_postfix(host)
    filters.add_main(host, exports.example("postfix-dnsbl.cf.snippet"))
    filters.add_master(host, "".join(
        f"{port} inet n - n - - smtpd\n" + text.replace("{zone}", filters.ZONE)
        for port, text in LISTENERS.items()))
    filters.add_master(host, exports.example(
        "postfix-submission.cf.snippet").replace(" y ", " n "))
    filters.start_postfix(host, 25, 587, *LISTENERS)
    return host


@pytest.fixture(name="daemon")
def make_daemon(postfix, relaypassd):
    return filters.start(postfix, relaypassd)


def refused_by(answer):
    if answer["code"] == 250:
        return None
    assert answer["code"] == 554, answer
    for text in ("blocked using " + filters.ZONE, "Relay access denied",
                 "Client host rejected: Access denied",
                 "Recipient address rejected: Access denied"):
        if text in answer["text"]:
            return text.split()[0]
    raise AssertionError(answer)


def all_refused(client, family, ports=LISTENERS):
    return [refused_by(filters.send(client, family, port=port))
            for port in ports]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_lease_passes_the_dnsbl_where_the_question_comes_first(
        postfix, daemon, customer, stranger, family):
    assert set(all_refused(customer, family, list(LISTENERS)[:4])) == \
        {"blocked"}
    exports.lease(postfix, daemon, customer.ends(family)["source"])
    assert all_refused(customer, family, list(LISTENERS)[:5]) == [
        None, "blocked", "Relay", "blocked", None]
    # Inbound mail of a listed stranger: the DNSBL is at work.
    assert refused_by(filters.send(stranger, family, LOCAL)) == "blocked"
    assert refused_by(filters.send(customer, family, LOCAL)) is None
    daemon.clock.advance(exports.TTL_MS + 1000)
    assert refused_by(filters.send(customer, family)) == "blocked"


def test_before_rcpt_the_question_has_no_answer(
        postfix, daemon, customer):
    exports.lease(postfix, daemon, customer.v4)
    # smtpd's very first line is the refusal.
    with pytest.raises(AssertionError, match="554.*blocked using"):
        filters.send(customer, "ipv4", port=2505)


def test_without_relaypassd_the_dnsbl_refuses_as_ever(
        postfix, daemon, customer):
    exports.lease(postfix, daemon, customer.v4)
    assert refused_by(filters.send(customer, "ipv4", port=2500)) is None
    daemon.stop()
    assert refused_by(filters.send(customer, "ipv4", port=2500)) == "blocked"


@pytest.mark.parametrize("family", FAMILIES)
def test_port_587_takes_a_lease_and_nobody_else(
        postfix, daemon, customer, stranger, family):
    assert refused_by(filters.send(customer, family, port=587)) == "Recipient"
    exports.lease(postfix, daemon, customer.ends(family)["source"])
    assert refused_by(filters.send(customer, family, port=587)) is None
    for recipient in ("someone@foreign.example", LOCAL):
        assert refused_by(filters.send(stranger, family, recipient, 587)) \
            == "Recipient"
    daemon.clock.advance(exports.TTL_MS + 1000)
    assert refused_by(filters.send(customer, family, port=587)) == "Recipient"


# --- postscreen --------------------------------------------------------------

POSTSCREEN_CF = """
postscreen_greet_wait = 1s
postscreen_greet_action = ignore
# Who is let in because the DNSBL was late is not remembered.
postscreen_dnsbl_min_ttl = 1s
postscreen_dnsbl_max_ttl = 1s
postscreen_cache_map = btree:$data_directory/postscreen_cache
"""
POSTSCREEN_MASTER = """
smtp      inet  n       -       n       -       1       postscreen
smtpd     pass  -       -       n       -       -       smtpd
dnsblog   unix  -       -       n       -       0       dnsblog
tlsproxy  unix  -       -       n       -       0       tlsproxy
"""
TABLES = {
    "lmdb": "lmdb:$config_directory/relaypass",
    "cidr": f"cidr:{exports.OUT}/postscreen.cidr",
    "socketmap": "socketmap:unix:relaypass/screen:relaypass",
}
SOCKETMAP = """
listener screen {
	kind = "socketmap"
	listen = "unix:/var/spool/postfix/relaypass/screen"
	group = "postfix"
	value = "permit"
}
"""


@pytest.fixture(scope="module", name="screen", params=TABLES)
def make_screen(request, tmp_path_factory):
    """A host of its own with postscreen before smtpd."""
    if request.param not in lab.Here().run("postconf", "-m").stdout.split():
        pytest.skip("needs postfix-lmdb: tools/install-deps test")
    with contextlib.ExitStack() as stack:
        host = lab.Host(tmp_path_factory.mktemp("screen"))
        stack.callback(host.close)
        filters.prepare(host)
        filters.prepare_postfix(host)
        host.table = request.param
        snippet = exports.example("postfix-postscreen.cf.snippet")
        assert TABLES["lmdb"] in snippet
        snippet = snippet.replace(TABLES["lmdb"], TABLES[host.table])
        filters.add_main(host, POSTSCREEN_CF + snippet + exports.example(
            "postfix-main.cf.snippet"))
        host.run("postconf", "-MX", "smtp/inet")
        filters.add_master(host, POSTSCREEN_MASTER)
        host.customer = lab.Client(host, "203.0.113.7", "2001:db8::7")
        stack.callback(host.customer.close)
        host.stranger = lab.Client(host, "203.0.113.8", "2001:db8::8")
        stack.callback(host.stranger.close)
        host.running = False
        yield host


def ends_at(client, family):
    """Who refuses it, or "nobody"."""
    answer = filters.send(client, family)
    if answer["code"] == 250:
        return "nobody"
    if answer["code"] == 550 and "blocked using" in answer["text"]:
        return "postscreen"
    assert refused_by(answer) == "Relay"
    return "smtpd"


def wait_until(client, family, who):
    lab.wait_for(lambda: ends_at(client, family) == who,
                 f"{who} refuses {client.v4}")


def reload_for(host):
    """cidr tables are read when Postfix is reloaded."""
    if host.table == "cidr":
        host.run("postfix", "reload")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_lease_passes_postscreen(screen, relaypassd, family):
    daemon = filters.start(screen, relaypassd, SOCKETMAP)
    lab.wait_for(lambda: screen.path(f"{exports.OUT}/postscreen.cidr").exists()
                 and screen.path("/etc/postfix/relaypass.lmdb").exists(),
                 "the tables")
    if not screen.running:
        filters.start_postfix(screen, 25)
        screen.running = True
    wait_until(screen.customer, family, "postscreen")
    address = screen.customer.ends(family)["source"]
    exports.lease(screen, daemon, address)
    lab.wait_for(lambda: address in exports.read(screen, "postscreen.cidr"),
                 "the row")
    reload_for(screen)
    wait_until(screen.customer, family, "nobody")
    wait_until(screen.stranger, family, "postscreen")
    daemon.clock.advance(exports.TTL_MS + 1000)
    lab.wait_for(lambda: not exports.read(screen, "postscreen.cidr"),
                 "the end")
    reload_for(screen)
    wait_until(screen.customer, family, "postscreen")
