/* SPDX-License-Identifier: ISC */
/*
 * test_decide - every way to an answer, and that none but a live lease or an
 * `always` network leads to ALLOW.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lease_world.h"

static const char A[] = "203.0.113.7";

static struct question question(const char *addr)
{
	struct question q = { .asked = true, .addr = address(addr) };

	return q;
}

static struct question from(const char *addr, const char *sender)
{
	struct question q = question(addr);

	q.has_sender = 1;
	q.sender_len = (uint16_t)strlen(sender);
	memcpy(q.sender, sender, q.sender_len);
	return q;
}

static struct question by(const char *addr, const char *user)
{
	struct question q = question(addr);

	q.has_user = 1;
	q.user_len = (uint16_t)strlen(user);
	memcpy(q.user, user, q.user_len);
	return q;
}

static struct answer ask_with(struct world *w, struct question q,
    enum require_sender require, const char *domain)
{
	struct decide_options o = { require, domain, NULL };
	struct answer a;

	assert_int_equal(ledger_read_begin(w->ledger, NULL), 0);
	decide(w->ledger, w->rules, rules_mode(w->rules), &o, &q, w->now, &a);
	ledger_read_end(w->ledger);
	return a;
}

static struct answer ask(struct world *w, struct question q)
{
	return ask_with(w, q, SENDER_ANY, "");
}

static void assert_answer(
    struct answer a, enum verdict verdict, const char *reason)
{
	assert_int_equal(a.verdict, verdict);
	assert_string_equal(a.reason, reason);
	if (verdict != VERDICT_ALLOW && !a.observed)
		assert_int_equal(a.ttl, 0);
}

static void test_decide_zero_is_the_safe_answer(void **state)
{
	(void)state;
	assert_int_equal(VERDICT_NONE, 0);
}

static void test_decide_allows_by_a_live_lease_only(void **state)
{
	struct world *w = world_new("");
	struct answer a;

	(void)state;
	assert_answer(ask(w, question(A)), VERDICT_NONE, "no-lease");
	world_login(w, A, "bob", 0);
	world_pass(w, 10 * MINUTE);
	a = ask(w, question(A));
	assert_answer(a, VERDICT_ALLOW, "lease");
	assert_int_equal(a.ttl, 20 * MINUTE);
	assert_string_equal(a.user, "bob");
	assert_int_equal(a.user_len, 3);
	assert_int_equal(a.by, BY_LEASE);
	assert_false(a.observed);
	assert_answer(
	    ask(w, question("203.0.113.8")), VERDICT_NONE, "no-lease");
	/* Nobody has swept it. */
	world_pass(w, 20 * MINUTE);
	assert_answer(ask(w, question(A)), VERDICT_NONE, "no-lease");
	assert_answer(ask(w, from(A, "bob")), VERDICT_NONE, "no-lease");
	assert_int_equal(ledger_rows(w->ledger), 1);
	world_free(w);
}

static void test_decide_tells_a_grant_from_a_login(void **state)
{
	struct world *w = world_new("");

	(void)state;
	assert_int_equal(world_grant(w, A, "bob", MINUTE), JUDGE_LEASE);
	assert_answer(ask(w, question(A)), VERDICT_ALLOW, "lease");
	assert_int_equal(ask(w, question(A)).by, BY_HAND);
	world_free(w);
}

static void test_decide_needs_both_clocks(void **state)
{
	struct world *w = world_new("");

	(void)state;
	world_login(w, A, "bob", 0);
	w->now.wall += DAY;
	assert_answer(ask(w, question(A)), VERDICT_NONE, "no-lease");
	assert_answer(ask(w, from(A, "x")), VERDICT_NONE, "no-lease");
	w->now.wall -= 2 * DAY;
	assert_answer(ask(w, question(A)), VERDICT_ALLOW, "lease");
	assert_int_equal(ask(w, question(A)).ttl, 30 * MINUTE);
	w->now.boot += HOUR;
	assert_answer(ask(w, question(A)), VERDICT_NONE, "no-lease");
	world_free(w);
}

static void test_decide_answers_none_to_what_may_not_be_asked(void **state)
{
	struct world *w = world_new("lease { always = {\"203.0.113.7\"} }");
	struct question q = question(A);

	(void)state;
	world_login(w, A, "bob", 0);
	q.asked = false;
	assert_answer(ask(w, q), VERDICT_NONE, "not-asked");
	world_free(w);
}

static void test_decide_tempfails_without_a_ledger(void **state)
{
	struct world *w = world_new("lease { always = {\"10.1.\"} }");
	struct decide_options o = { SENDER_ANY, NULL, NULL };
	struct question q = question(A);
	struct answer a;

	(void)state;
	decide(NULL, w->rules, MODE_ENFORCE, &o, &q, w->now, &a);
	assert_answer(a, VERDICT_TEMPFAIL, "ledger");
	q = question("10.1.2.3");
	decide(NULL, w->rules, MODE_ENFORCE, &o, &q, w->now, &a);
	assert_answer(a, VERDICT_ALLOW, "always");
	/* What can be told without it is told. */
	q = question("10.2.2.3");
	decide(NULL, w->rules, MODE_ENFORCE, &o, &q, w->now, &a);
	assert_answer(a, VERDICT_NONE, "private-address");
	/* Who only observes gets in nobody's way. */
	q = question(A);
	decide(NULL, w->rules, MODE_OBSERVE, &o, &q, w->now, &a);
	assert_answer(a, VERDICT_NONE, "ledger");
	assert_false(a.observed);
	decide(NULL, w->rules, MODE_OFF, &o, &q, w->now, &a);
	assert_answer(a, VERDICT_NONE, "mode-off");
	world_free(w);
}

static void test_decide_always_networks_need_no_login(void **state)
{
	struct world *w = world_new("lease { always = {\"10.1.\","
				    " \"127.0.0.0/8\"}"
				    " never = {\"10.1.0.5\"} }");

	(void)state;
	assert_answer(ask(w, question("10.1.2.3")), VERDICT_ALLOW, "always");
	assert_answer(ask(w, question("127.0.0.1")), VERDICT_ALLOW, "always");
	assert_int_equal(ask(w, question("127.0.0.1")).ttl, 0);
	assert_int_equal(ask(w, question("127.0.0.1")).by, BY_ALWAYS);
	assert_int_equal(ask(w, question("10.2.2.3")).by, BY_NOTHING);
	assert_answer(
	    ask(w, question("10.2.2.3")), VERDICT_NONE, "private-address");
	assert_int_equal(ask(w, question("10.1.0.5")).verdict, VERDICT_NONE);
	world_free(w);
}

static void test_decide_refuses_what_the_rules_forbid_by_now(void **state)
{
	struct world *w = world_new("lease { private = {\"10.0.0.0/8\"} }");

	(void)state;
	world_login(w, A, "bob", 0);
	world_login(w, "10.1.2.3", "bob", 0);
	assert_answer(ask(w, question("10.1.2.3")), VERDICT_ALLOW, "lease");
	world_rules(w, "lease { never = {\"203.0.113.7\"} }");
	assert_answer(ask(w, question(A)), VERDICT_NONE, "never");
	assert_answer(
	    ask(w, question("10.1.2.3")), VERDICT_NONE, "private-address");
	assert_answer(ask(w, by(A, "bob")), VERDICT_NONE, "never");
	world_free(w);
}

static void test_decide_observe_says_none_and_remembers(void **state)
{
	struct world *w = world_new("lease { mode = \"observe\""
				    " always = {\"10.1.\"} }");
	struct answer a;

	(void)state;
	world_login(w, A, "bob", 0);
	a = ask(w, question(A));
	assert_int_equal(a.verdict, VERDICT_NONE);
	assert_true(a.observed);
	assert_string_equal(a.reason, "lease");
	assert_string_equal(a.user, "bob");
	assert_true(ask(w, question("10.1.0.1")).observed);
	assert_int_equal(ask(w, question("10.1.0.1")).verdict, VERDICT_NONE);
	assert_false(ask(w, question("203.0.113.9")).observed);
	world_free(w);
}

static void test_decide_off_says_none(void **state)
{
	struct world *w = world_new("lease { always = {\"10.1.\"} }");

	(void)state;
	world_login(w, A, "bob", 0);
	world_rules(w, "lease { mode = \"off\" always = {\"10.1.\"} }");
	assert_answer(ask(w, question(A)), VERDICT_NONE, "mode-off");
	assert_answer(ask(w, question("10.1.0.1")), VERDICT_NONE, "mode-off");
	assert_false(ask(w, question(A)).observed);
	world_free(w);
}

static void test_decide_longest_lease_answers(void **state)
{
	struct world *w = world_new("");

	(void)state;
	world_login(w, A, "ann", 10 * MINUTE);
	world_login(w, A, "bob", 0);
	world_login(w, A, "eve", 20 * MINUTE);
	assert_string_equal(ask(w, question(A)).user, "bob");
	assert_string_equal(ask(w, from(A, "")).user, "bob");
	assert_string_equal(ask(w, from(A, "nobody@example.org")).user, "bob");
	world_free(w);
}

static void test_decide_user_restricts_to_that_lease(void **state)
{
	struct world *w = world_new("");

	(void)state;
	world_login(w, A, "ann", 10 * MINUTE);
	world_login(w, A, "bob", 0);
	assert_string_equal(ask(w, by(A, "ann")).user, "ann");
	assert_int_equal(ask(w, by(A, "ann")).ttl, 20 * MINUTE);
	assert_answer(ask(w, by(A, "eve")), VERDICT_NONE, "no-lease");
	assert_answer(ask(w, by(A, "")), VERDICT_NONE, "no-lease");
	world_free(w);
}

static void test_decide_sender_prefers_its_own_lease(void **state)
{
	struct world *w = world_new("");
	struct answer a;

	(void)state;
	world_login(w, A, "ann@example.org", 10 * MINUTE);
	world_login(w, A, "bob@example.org", 0);
	world_login(w, A, "carl", 5 * MINUTE);
	a = ask(w, from(A, "Ann@Example.ORG"));
	assert_string_equal(a.user, "ann@example.org");
	assert_int_equal(a.ttl, 20 * MINUTE);
	a = ask_with(w, from(A, "carl@example.org"), SENDER_ANY, "example.org");
	assert_string_equal(a.user, "carl");
	a = ask_with(w, from(A, "carl@example.org"), SENDER_ANY, "");
	assert_string_equal(a.user, "bob@example.org");
	world_free(w);
}

struct sender_case {
	const char *sender; /* NULL: absent */
	enum verdict user, domain;
};

static void test_decide_require_sender_binds_to_the_user(void **state)
{
	static const struct sender_case cases[] = {
		{ "bob@example.org", VERDICT_ALLOW, VERDICT_ALLOW },
		{ "BOB@EXAMPLE.ORG", VERDICT_ALLOW, VERDICT_ALLOW },
		{ "carl@example.net", VERDICT_ALLOW, VERDICT_ALLOW },
		{ "eve@example.org", VERDICT_NONE, VERDICT_ALLOW },
		{ "eve@example.net", VERDICT_NONE, VERDICT_ALLOW },
		{ "\"x@y\"@example.org", VERDICT_NONE, VERDICT_ALLOW },
		{ "carl@example.org", VERDICT_NONE, VERDICT_ALLOW },
		{ "bob@sub.example.org", VERDICT_NONE, VERDICT_NONE },
		{ "bob@example.org.evil.example", VERDICT_NONE, VERDICT_NONE },
		{ "bob@example.or", VERDICT_NONE, VERDICT_NONE },
		{ "bob", VERDICT_NONE, VERDICT_NONE },
		{ "carl", VERDICT_NONE, VERDICT_NONE },
		{ "@example.org", VERDICT_NONE, VERDICT_ALLOW },
		{ "", VERDICT_NONE, VERDICT_NONE },
		{ NULL, VERDICT_NONE, VERDICT_NONE },
	};
	struct world *w = world_new("");

	(void)state;
	world_login(w, A, "bob@example.org", 0);
	world_login(w, A, "carl", 5 * MINUTE);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct question q =
		    cases[i].sender ? from(A, cases[i].sender) : question(A);

		if (cases[i].sender)
			print_message("sender %s\n", cases[i].sender);
		assert_answer(ask_with(w, q, SENDER_USER, "example.net"),
		    cases[i].user, cases[i].user ? "lease" : "sender");
		assert_answer(ask_with(w, q, SENDER_DOMAIN, "example.net"),
		    cases[i].domain, cases[i].domain ? "lease" : "sender");
	}
	world_free(w);
}

static struct answer ask_map(struct world *w, struct question q,
    const struct senders *map, const char *domain)
{
	struct decide_options o = { SENDER_MAP, domain, map };
	struct answer a;

	assert_int_equal(ledger_read_begin(w->ledger, NULL), 0);
	decide(w->ledger, w->rules, rules_mode(w->rules), &o, &q, w->now, &a);
	ledger_read_end(w->ledger);
	return a;
}

static void test_decide_require_sender_asks_the_map(void **state)
{
	static const char text[] = "sales@example.org bob@example.org carl\n"
				   "@example.com bob@example.org\n";
	static const struct {
		const char *sender; /* NULL: absent */
		enum verdict verdict;
		const char *user;
	} cases[] = {
		{ "sales@example.org", VERDICT_ALLOW, "carl" }, /* longest */
		{ "SALES@example.ORG", VERDICT_ALLOW, "carl" },
		{ "x@example.com", VERDICT_ALLOW, "bob@example.org" },
		/* His own address is not in the map. */
		{ "bob@example.org", VERDICT_NONE, "" },
		{ "carl@example.net", VERDICT_NONE, "" },
		{ "x@sub.example.com", VERDICT_NONE, "" },
		{ "", VERDICT_NONE, "" },
		{ NULL, VERDICT_NONE, "" },
	};
	struct world *w = world_new("");
	struct senders *map = senders_parse(text, strlen(text), "map", NULL);
	struct login l = login_of(w, "203.0.113.9", "");

	(void)state;
	world_login(w, A, "bob@example.org", 5 * MINUTE);
	world_login(w, A, "carl", 0);
	world_login(w, A, "dora", 0);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct answer a = ask_map(w,
		    cases[i].sender ? from(A, cases[i].sender) : question(A),
		    map, "example.net");

		assert_answer(
		    a, cases[i].verdict, cases[i].verdict ? "lease" : "sender");
		assert_string_equal(a.user, cases[i].user);
	}
	l.userless = 1;
	world_apply(w, &l);
	assert_answer(ask_map(w, from("203.0.113.9", "x@example.com"), map, ""),
	    VERDICT_NONE, "sender");
	/* Nobody logged in there. */
	assert_answer(ask_map(w, from("203.0.113.8", "x@example.com"), map, ""),
	    VERDICT_NONE, "no-lease");
	/* A map that cannot be read is not one that allows nobody. */
	assert_answer(ask_map(w, from(A, "x@example.com"), NULL, ""),
	    VERDICT_TEMPFAIL, "sender-map");
	senders_free(&map);
	world_free(w);
}

static void test_decide_lease_without_a_user_has_no_sender(void **state)
{
	static const char *const senders[] = { "bob@example.org",
		"@example.org", "" };
	struct world *w = world_new("");
	struct login l = login_of(w, A, "");

	(void)state;
	l.userless = 1;
	world_apply(w, &l);
	for (size_t i = 0; i < COUNT_OF(senders); i++) {
		struct question q = from(A, senders[i]);

		assert_answer(ask_with(w, q, SENDER_ANY, "example.org"),
		    VERDICT_ALLOW, "lease");
		assert_answer(ask_with(w, q, SENDER_USER, "example.org"),
		    VERDICT_NONE, "sender");
		assert_answer(ask_with(w, q, SENDER_DOMAIN, "example.org"),
		    VERDICT_NONE, "sender");
	}
	/* The rules have changed since: only listed users may have a lease. */
	world_rules(w, "lease { users = {\"bob\"} }");
	assert_answer(
	    ask_with(w, question(A), SENDER_ANY, ""), VERDICT_NONE, "no-lease");
	world_free(w);
}

static void test_decide_lease_without_a_domain_binds_no_domain(void **state)
{
	struct world *w = world_new("");

	(void)state;
	world_login(w, A, "carl", 0);
	assert_answer(ask_with(w, from(A, "x@"), SENDER_DOMAIN, ""),
	    VERDICT_NONE, "sender");
	assert_answer(ask_with(w, from(A, "x"), SENDER_DOMAIN, ""),
	    VERDICT_NONE, "sender");
	assert_answer(ask_with(w, from(A, "carl@example.org"), SENDER_USER, ""),
	    VERDICT_NONE, "sender");
	assert_answer(ask_with(w, from(A, "carl"), SENDER_USER, ""),
	    VERDICT_ALLOW, "lease");
	world_free(w);
}

static void test_decide_user_and_sender_must_both_fit(void **state)
{
	struct world *w = world_new("");
	struct question q = by(A, "bob@example.org");

	(void)state;
	world_login(w, A, "bob@example.org", 0);
	world_login(w, A, "ann@example.org", 0);
	q.has_sender = 1;
	q.sender_len = 15;
	memcpy(q.sender, "ann@example.org", 15);
	assert_answer(ask_with(w, q, SENDER_USER, ""), VERDICT_NONE, "sender");
	assert_answer(
	    ask_with(w, q, SENDER_DOMAIN, ""), VERDICT_ALLOW, "lease");
	assert_answer(ask_with(w, q, (enum require_sender)99, ""), VERDICT_NONE,
	    "sender");
	world_free(w);
}

static void test_decide_prefix_leases_answer_for_the_prefix(void **state)
{
	struct world *w = world_new("lease { ipv6-prefix = 64"
				    " never = {\"2001:db8::bad\"} }");

	(void)state;
	world_login(w, "2001:db8::7", "bob@example.org", 0);
	assert_answer(ask(w, question("2001:db8::9")), VERDICT_ALLOW, "lease");
	assert_answer(ask(w, from("2001:db8::9", "bob@example.org")),
	    VERDICT_ALLOW, "lease");
	assert_answer(
	    ask(w, question("2001:db8:0:1::9")), VERDICT_NONE, "no-lease");
	assert_answer(ask(w, question("2001:db8::bad")), VERDICT_NONE, "never");
	world_free(w);
}

static void test_decide_never_tells_more_than_a_ttl(void **state)
{
	struct world *w = world_new("lease { ttl = \"30m\" }");
	struct answer a;

	(void)state;
	world_login(w, A, "bob", 0);
	world_rules(w, "lease { ttl = \"10m\" }");
	a = ask(w, question(A));
	assert_true(a.ttl <= 10 * MINUTE);
	/* Longer than any login can have made it by now: not "long", but none,
	 * until the keeper's walk has cut it. */
	assert_answer(a, VERDICT_NONE, "no-lease");
	assert_answer(ask(w, from(A, "bob")), VERDICT_NONE, "no-lease");
	world_walk(w);
	a = ask(w, question(A));
	assert_answer(a, VERDICT_ALLOW, "lease");
	assert_int_equal(a.ttl, 10 * MINUTE);
	world_free(w);
}

static void test_decide_sees_a_revocation_at_once(void **state)
{
	struct world *w = world_new("");

	(void)state;
	world_login(w, A, "bob", 0);
	world_revoke(w, NULL, "bob", 0, false);
	assert_answer(ask(w, question(A)), VERDICT_NONE, "no-lease");
	world_free(w);
}

static void test_decide_denies_a_user_who_is_denied_by_now(void **state)
{
	struct world *w = world_new("");

	(void)state;
	world_login(w, A, "alice", 0);
	world_pass(w, MINUTE);
	world_login(w, A, "bob", 0);
	world_rules(w, "lease { deny-users = {\"bob\"} }");
	/* The longest lease is bob's; the other one still answers. */
	assert_answer(ask(w, question(A)), VERDICT_ALLOW, "lease");
	world_rules(w, "lease { deny-users = {\"bob\", \"alice\"} }");
	assert_answer(ask(w, question(A)), VERDICT_NONE, "no-lease");
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test(test_decide_##name)
		T(zero_is_the_safe_answer),
		T(allows_by_a_live_lease_only),
		T(tells_a_grant_from_a_login),
		T(needs_both_clocks),
		T(answers_none_to_what_may_not_be_asked),
		T(tempfails_without_a_ledger),
		T(always_networks_need_no_login),
		T(refuses_what_the_rules_forbid_by_now),
		T(observe_says_none_and_remembers),
		T(off_says_none),
		T(longest_lease_answers),
		T(user_restricts_to_that_lease),
		T(sender_prefers_its_own_lease),
		T(require_sender_binds_to_the_user),
		T(require_sender_asks_the_map),
		T(lease_without_a_domain_binds_no_domain),
		T(lease_without_a_user_has_no_sender),
		T(user_and_sender_must_both_fit),
		T(prefix_leases_answer_for_the_prefix),
		T(never_tells_more_than_a_ttl),
		T(sees_a_revocation_at_once),
		T(denies_a_user_who_is_denied_by_now),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
