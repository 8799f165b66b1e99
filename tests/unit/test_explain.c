/* SPDX-License-Identifier: ISC */
/*
 * test_explain - the value behind an answer: it says what decide() says, and
 * names the rule, the leases, revocations and networks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "decide/explain.h"
#include "lease_world.h"

static const char A[] = "203.0.113.7";

static struct question question(const char *addr, const char *sender)
{
	struct question q = { .asked = true, .addr = address(addr) };

	if (sender) {
		q.has_sender = 1;
		q.sender_len = (uint16_t)strlen(sender);
		memcpy(q.sender, sender, q.sender_len);
	}
	return q;
}

static struct explain got; /* too large for a stack */

static const struct explain *explain_mode(struct world *w, struct question q,
    const struct decide_options *o, enum rules_mode mode)
{
	struct answer a;

	assert_int_equal(ledger_read_begin(w->ledger, NULL), 0);
	explain(w->ledger, w->rules, mode, o, &q, w->now, &got);
	decide(w->ledger, w->rules, mode, o, &q, w->now, &a);
	ledger_read_end(w->ledger);
	/* One place says ALLOW. */
	assert_int_equal(a.verdict, got.answer.verdict);
	assert_ptr_equal(a.reason, got.answer.reason);
	assert_int_equal(a.observed, got.answer.observed);
	assert_int_equal(a.ttl, got.answer.ttl);
	assert_string_equal(a.user, got.answer.user);
	return &got;
}

static const struct explain *explain_of(
    struct world *w, const char *addr, const char *sender)
{
	static const struct decide_options any = { .default_domain = "" };

	return explain_mode(
	    w, question(addr, sender), &any, rules_mode(w->rules));
}

static void assert_rule(
    const struct explain *e, enum verdict verdict, const char *word)
{
	assert_int_equal(e->answer.verdict, verdict);
	assert_string_equal(explain_word(e), word);
}

static void test_explain_names_the_lease_that_answers(void **state)
{
	struct world *w = world_new("");
	const struct explain *e;

	(void)state;
	e = explain_of(w, A, NULL);
	assert_rule(e, VERDICT_NONE, "no-lease");
	assert_int_equal(e->lease_total, 0);
	world_login(w, A, "anna@example.org", 10 * MINUTE);
	world_login(w, A, "bob@example.org", 0);
	e = explain_of(w, A, NULL);
	assert_rule(e, VERDICT_ALLOW, "lease");
	assert_int_equal(e->lease_count, 2);
	assert_string_equal(e->leases[0].lease.user, "bob@example.org");
	assert_true(e->leases[0].answers);
	assert_false(e->leases[1].answers);
	assert_null(e->leases[1].why_not);
	assert_int_equal(e->leases[1].left, 20 * MINUTE);
	assert_string_equal(e->leases[0].server, "dovecot");
	e = explain_of(w, A, "anna@example.org");
	assert_string_equal(e->leases[0].lease.user, "anna@example.org");
	assert_true(e->leases[0].answers);
	/* The neighbours are nobody's business. */
	assert_int_equal(explain_of(w, "203.0.113.8", NULL)->lease_total, 0);
	assert_int_equal(explain_of(w, "203.0.113.6", NULL)->lease_total, 0);
	world_pass(w, HOUR);
	e = explain_of(w, A, NULL);
	assert_rule(e, VERDICT_NONE, "no-lease");
	assert_int_equal(e->lease_count, 2);
	assert_string_equal(e->leases[0].why_not, "over");
	assert_int_equal(e->leases[0].left, 0);
	world_free(w);
}

static void test_explain_says_why_a_lease_does_not_count(void **state)
{
	static const struct decide_options user = {
		.require_sender = SENDER_USER, .default_domain = ""
	};
	struct world *w = world_new("");
	struct question q = question(A, "eve@example.org");
	const struct explain *e;

	(void)state;
	world_login(w, A, "bob@example.org", 0);
	e = explain_mode(w, q, &user, MODE_ENFORCE);
	assert_rule(e, VERDICT_NONE, "sender");
	assert_string_equal(e->leases[0].why_not, "sender");
	q = question(A, NULL);
	q.has_user = 1;
	q.user_len = 3;
	memcpy(q.user, "eve", 3);
	e = explain_mode(w, q, &user, MODE_ENFORCE);
	assert_rule(e, VERDICT_NONE, "no-lease");
	assert_string_equal(e->leases[0].why_not, "user");
	world_rules(w, "lease { deny-users = {\"bob@example.org\"} }");
	e = explain_of(w, A, NULL);
	assert_rule(e, VERDICT_NONE, "refused");
	assert_string_equal(e->leases[0].why_not, "user-denied");
	world_rules(w, "lease { ttl = \"2m\" }");
	e = explain_of(w, A, NULL);
	assert_rule(e, VERDICT_NONE, "refused");
	assert_string_equal(e->leases[0].why_not, "too-long");
	world_free(w);
}

static void test_explain_names_networks_and_rules(void **state)
{
	struct world *w =
	    world_new("lease { always = {\"203.0.113.0/24\", \"10.1.\"} "
		      "never = {\"203.0.113.64/26\", \"203.0.113.66\"} "
		      "private = {\"10.0.0.0/8\"} proxy = {\"192.0.2.1\"} }");
	const struct explain *e = explain_of(w, A, NULL);
	char text[NET_TEXT_SIZE];

	(void)state;
	assert_rule(e, VERDICT_ALLOW, "always");
	assert_true(e->networks[RULES_ALWAYS].found);
	(void)net_print(&e->networks[RULES_ALWAYS].net, text);
	assert_string_equal(text, "203.0.113.0/24");
	assert_false(e->networks[RULES_NEVER].found);
	/* Both lists; the longest network of each. */
	e = explain_of(w, "203.0.113.66", NULL);
	assert_rule(e, VERDICT_NONE, "never");
	assert_int_equal(e->judgement, JUDGE_NEVER);
	assert_true(e->networks[RULES_ALWAYS].found);
	(void)net_print(&e->networks[RULES_NEVER].net, text);
	assert_string_equal(text, "203.0.113.66/32");
	e = explain_of(w, "10.2.0.1", NULL);
	assert_rule(e, VERDICT_NONE, "no-lease");
	assert_true(e->networks[RULES_PRIVATE].found);
	assert_rule(explain_of(w, "192.0.2.1", NULL), VERDICT_NONE, "proxy");
	assert_rule(
	    explain_of(w, "127.0.0.1", NULL), VERDICT_NONE, "special-address");
	assert_rule(explain_of(w, "192.168.0.1", NULL), VERDICT_NONE,
	    "private-address");
	world_free(w);
}

static void test_explain_names_modes(void **state)
{
	static const struct decide_options any = { .default_domain = "" };
	struct world *w = world_new("");
	const struct explain *e;

	(void)state;
	world_login(w, A, "bob", 0);
	e = explain_mode(w, question(A, NULL), &any, MODE_OFF);
	assert_rule(e, VERDICT_NONE, "mode-off");
	assert_false(e->leases[0].answers);
	e = explain_mode(w, question(A, NULL), &any, MODE_OBSERVE);
	assert_rule(e, VERDICT_NONE, "lease");
	assert_true(e->answer.observed);
	assert_true(e->leases[0].answers);
	world_free(w);
}

static void test_explain_names_revocations(void **state)
{
	struct world *w = world_new("");
	const struct explain *e;
	struct question q = question(A, NULL);
	static const struct decide_options any = { .default_domain = "" };

	(void)state;
	world_login(w, A, "bob", 0);
	world_login(w, "203.0.113.8", "eve", 0);
	(void)world_revoke(w, A, NULL, HOUR, false);
	(void)world_revoke(w, NULL, "eve", HOUR, false);
	(void)world_revoke(w, "203.0.113.9", "ann", HOUR, false);
	e = explain_of(w, A, NULL);
	assert_rule(e, VERDICT_NONE, "revoked");
	assert_int_equal(e->revocation_count, 1);
	assert_int_equal(e->revocations[0].user_len, 0);
	assert_true(e->revocations[0].until >= w->now.wall + HOUR);
	/* A user's, only for who asks for him. */
	e = explain_of(w, "203.0.113.1", NULL);
	assert_rule(e, VERDICT_NONE, "no-lease");
	assert_int_equal(e->revocation_count, 0);
	q.addr = address("203.0.113.1");
	q.has_user = 1;
	q.user_len = 3;
	memcpy(q.user, "eve", 3);
	e = explain_mode(w, q, &any, MODE_ENFORCE);
	assert_rule(e, VERDICT_NONE, "revoked");
	assert_string_equal(e->revocations[0].user, "eve");
	/* One user of an address: others may still come from there. */
	e = explain_of(w, "203.0.113.9", NULL);
	assert_rule(e, VERDICT_NONE, "no-lease");
	assert_int_equal(e->revocation_count, 1);
	world_pass(w, 2 * HOUR);
	e = explain_of(w, A, NULL);
	assert_rule(e, VERDICT_NONE, "no-lease");
	assert_int_equal(e->revocation_count, 0);
	world_free(w);
}

static void test_explain_shows_open_sessions(void **state)
{
	struct world *w = world_new("lease { hold-unseen = \"1h\" }");
	const struct explain *e;

	(void)state;
	world_session(w, LOGIN_IN, A, "bob", "s-1", 101);
	world_session(w, LOGIN_IN, "203.0.113.8", "ann", "s-2", 102);
	e = explain_of(w, A, NULL);
	assert_int_equal(e->session_count, 1);
	assert_string_equal(e->sessions[0].session.session, "s-1");
	assert_string_equal(e->sessions[0].session.user, "bob");
	assert_string_equal(e->sessions[0].server, "dovecot");
	world_free(w);
}

static void test_explain_keeps_the_best_of_many(void **state)
{
	enum { MANY = 3 * EXPLAIN_LEASES_MAX };
	struct world *w = world_new("");
	const struct explain *e;

	(void)state;
	for (int i = 0; i < MANY; i++) {
		char user[32];
		(void)snprintf(user, sizeof(user), "u%03d@example.org", i);
		world_login(w, A, user, (i * 7 % MANY) * SECOND);
	}
	e = explain_of(w, A, "u050@example.org");
	assert_int_equal(e->lease_total, MANY);
	assert_int_equal(e->lease_count, EXPLAIN_LEASES_MAX);
	assert_string_equal(e->leases[0].lease.user, "u050@example.org");
	assert_true(e->leases[0].answers);
	for (size_t i = 2; i < e->lease_count; i++)
		assert_true(e->leases[i - 1].left >= e->leases[i].left);
	assert_string_equal(e->leases[1].lease.user, "u000@example.org");
	world_free(w);
}

static void test_explain_masks_ipv6(void **state)
{
	struct world *w = world_new("lease { ipv6-prefix = 64 }");
	const struct explain *e;
	char text[NET_TEXT_SIZE];

	(void)state;
	world_login(w, "2001:db8:1:2::7", "bob", 0);
	e = explain_of(w, "2001:db8:1:2:ffff::1", NULL);
	assert_rule(e, VERDICT_ALLOW, "lease");
	(void)net_print(&e->key, text);
	assert_string_equal(text, "2001:db8:1:2::/64");
	assert_rule(
	    explain_of(w, "2001:db8:1:3::7", NULL), VERDICT_NONE, "no-lease");
	world_free(w);
}

static void test_explain_lives_without_a_ledger_or_a_map(void **state)
{
	static const struct decide_options map = { .require_sender = SENDER_MAP,
		.default_domain = "" };
	struct world *w = world_new("");
	struct question q = question(A, NULL);

	(void)state;
	explain(NULL, w->rules, MODE_ENFORCE, &map, &q, w->now, &got);
	assert_rule(&got, VERDICT_TEMPFAIL, "sender-map");
	explain(NULL, w->rules, MODE_ENFORCE,
	    &(struct decide_options){ .default_domain = "" }, &q, w->now, &got);
	assert_rule(&got, VERDICT_TEMPFAIL, "ledger");
	q.asked = false;
	explain(NULL, w->rules, MODE_ENFORCE, &map, &q, w->now, &got);
	assert_rule(&got, VERDICT_NONE, "not-asked");
	world_free(w);
}

int main(void)
{
#define T(name) cmocka_unit_test(test_explain_##name)
	const struct CMUnitTest tests[] = {
		T(names_the_lease_that_answers),
		T(says_why_a_lease_does_not_count),
		T(names_networks_and_rules),
		T(names_modes),
		T(names_revocations),
		T(shows_open_sessions),
		T(keeps_the_best_of_many),
		T(masks_ipv6),
		T(lives_without_a_ledger_or_a_map),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
