# SPDX-License-Identifier: ISC
"""docs/filters.md with the real SpamAssassin: mail of a client that is on a
DNSBL is scored for that, unless the client has a lease."""

import pytest

import exports
import filters
import lab
import servers_real

pytestmark = pytest.mark.namespaces

# Only what is looked at, so that it takes no minute.
RULES = f"""
dns_server 127.0.0.1
dns_available yes
use_bayes 0
skip_uribl_checks 1
loadplugin Mail::SpamAssassin::Plugin::Check
loadplugin Mail::SpamAssassin::Plugin::DNSEval
loadplugin Mail::SpamAssassin::Plugin::RelayEval
header RBL_TEST eval:check_rbl('test-lastexternal', '{filters.ZONE}.')
tflags RBL_TEST net
score RBL_TEST 5
header ALL_TRUSTED eval:check_all_trusted()
score ALL_TRUSTED -1
report_safe 0
add_header all Tests _TESTS(,)_
"""
MESSAGE = """Received: from client.test.example (unknown [{address}])
\tby mx.test.example (Postfix) with ESMTP id 4F1A2
\tfor <someone@foreign.example>; Mon, 2 Jan 2023 10:00:01 +0000 (UTC)
From: alice@test.example
To: someone@foreign.example
Subject: hello
Message-Id: <1@test.example>
Date: Mon, 2 Jan 2023 10:00:00 +0000

hi
"""


@pytest.fixture(scope="module", name="spamassassin")
def make_spamassassin(host):
    servers_real.install(host, "spamassassin")
    filters.prepare(host)
    host.write("/etc/sa-test/rules/rules.cf", RULES)
    host.write("/etc/sa-test/local.cf",
               exports.example("spamassassin.cf.snippet"))
    return host


def hits(host, address):
    text = MESSAGE.format(
        address=("IPv6:" if ":" in address else "") + address)
    host.write("/var/tmp/message", text)
    done = host.run(
        "sh", "-c", "spamassassin -x -C /etc/sa-test/rules "
        "--siteconfigpath=/etc/sa-test </var/tmp/message")
    line = [line for line in done.stdout.splitlines()
            if line.startswith("X-Spam-Tests:")]
    assert len(line) == 1, done.stdout
    return set(line[0].split()[1].split(",")) & {"RBL_TEST", "ALL_TRUSTED"}


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_a_lease_is_trusted(
        spamassassin, relaypassd, customer, stranger, family):
    daemon = filters.start(spamassassin, relaypassd)
    table = spamassassin.path(f"{exports.OUT}/spamassassin.cf")
    lab.wait_for(table.exists, "the list")
    address = customer.ends(family)["source"]
    assert hits(spamassassin, address) == {"RBL_TEST"}
    exports.lease(spamassassin, daemon, address)
    lab.wait_for(lambda: address in table.read_text(), "the row")
    assert hits(spamassassin, address) == {"ALL_TRUSTED"}
    assert hits(spamassassin, stranger.ends(family)["source"]) == \
        {"RBL_TEST"}
    daemon.clock.advance(exports.TTL_MS + 1000)
    lab.wait_for(lambda: address not in table.read_text(), "the end")
    assert hits(spamassassin, address) == {"RBL_TEST"}
