# SPDX-License-Identifier: ISC
"""docs/filters.md with the real Postfix and policyd-spf: a client that SPF
forbids to send for its own domain passes by its lease, and is refused
without."""

import pytest

import exports
import filters
import servers_real

pytestmark = [pytest.mark.namespaces, pytest.mark.needs("postfix")]

LOCAL = "alice@test.example"
MASTER = """
policyd-spf unix - n n - 0 spawn user=policyd-spf argv=/usr/bin/policyd-spf
2500 inet n - n - - smtpd
  -o { smtpd_recipient_restrictions =
       check_policy_service unix:private/policyd-spf, $relaypass }
"""


@pytest.fixture(scope="module", name="postfix")
def make_postfix(host):
    servers_real.install(host, "postfix-policyd-spf-python")
    servers_real.add_system_user(host, "policyd-spf")
    filters.prepare(host)
    filters.prepare_postfix(host)
    filters.add_main(host, exports.example("postfix-spf.cf.snippet"))
    filters.add_master(host, MASTER)
    filters.start_postfix(host, 25, 2500)
    return host


def passes_spf(client, family, recipient="someone@foreign.example", port=25):
    answer = filters.send(client, family, recipient, port)
    if answer["code"] == 250:
        return True
    assert answer["code"] == 550 and "SPF" in answer["text"], answer
    return False


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_a_lease_passes_spf_where_the_question_comes_first(
        postfix, relaypassd, customer, stranger, family):
    daemon = filters.start(postfix, relaypassd)
    assert not passes_spf(customer, family, LOCAL)
    exports.lease(postfix, daemon, customer.ends(family)["source"])
    assert passes_spf(customer, family)
    assert passes_spf(customer, family, LOCAL)
    assert not passes_spf(customer, family, port=2500)
    assert not passes_spf(stranger, family, LOCAL)
    daemon.clock.advance(exports.TTL_MS + 1000)
    assert not passes_spf(customer, family, LOCAL)
