/* SPDX-License-Identifier: ISC */
/*
 * test_rules - who may have a lease, sentence by sentence of the design's
 * "Time", "Lease rules" and "Addresses".
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../lease_rules.h"

#define MINUTE (60 * INT64_C(1000))

static const struct moment now = { INT64_C(1700000000000), 600000 };

static enum judgement judge_address(const char *rules, const char *addr)
{
	struct rules *r = rules_from(rules, NULL, 0);
	struct addr a = address(addr);
	enum judgement j = rules_address(r, &a);

	rules_free(&r);
	return j;
}

static struct login login_by(const char *user)
{
	struct login l = { .kind = LOGIN_IN,
		.time = now.wall,
		.addr = address("203.0.113.7"),
		.user_len = (uint8_t)strlen(user) };

	memcpy(l.user, user, l.user_len);
	return l;
}

static enum judgement judge_user(const char *rules, const char *user)
{
	struct rules *r = rules_from(rules, NULL, 0);
	struct login l = login_by(user);
	struct moment end;
	enum judgement j = rules_judge(r, &l, now, &end);

	rules_free(&r);
	return j;
}

/* --- time ---------------------------------------------------------------- */

static void test_rules_defaults_are_the_documented_ones(void **state)
{
	struct rules *r = rules_from("", NULL, 0);

	(void)state;
	assert_int_equal(rules_ttl(r), 30 * MINUTE);
	assert_int_equal(rules_max_skew(r), 5 * MINUTE);
	assert_int_equal(rules_ipv6_prefix(r), 128);
	assert_int_equal(rules_mode(r), MODE_ENFORCE);
	assert_true(rules_limits(r)->hold);
	assert_int_equal(rules_limits(r)->hold_unseen, 0);
	assert_int_equal(rules_limits(r)->hold_max, 24 * 60 * MINUTE);
	assert_int_equal(rules_limits(r)->users_per_address, 0);
	assert_int_equal(rules_limits(r)->addresses_per_user, 0);
	rules_free(&r);
	assert_null(r);
	rules_free(&r);
}

struct time_case {
	int64_t offset; /* of the stamp from now */
	enum judgement judgement;
	int64_t left;
};

static void test_rules_end_is_login_time_plus_ttl_on_both_clocks(void **state)
{
	static const struct time_case cases[] = {
		{ 0, JUDGE_LEASE, 30 * MINUTE },
		{ -1, JUDGE_LEASE, 30 * MINUTE - 1 },
		{ -29 * MINUTE, JUDGE_LEASE, MINUTE },
		{ -30 * MINUTE + 1, JUDGE_LEASE, 1 },
		/* Older than the ttl it gives nothing. */
		{ -30 * MINUTE, JUDGE_OLD, 0 },
		{ -365 * 24 * 60 * MINUTE, JUDGE_OLD, 0 },
		/* Never later than arrival, never further than now + ttl. */
		{ 1, JUDGE_LEASE, 30 * MINUTE },
		{ 5 * MINUTE, JUDGE_LEASE, 30 * MINUTE },
		/* Stamped more than max-skew ahead it is refused. */
		{ 5 * MINUTE + 1, JUDGE_FUTURE, 0 },
		{ 365 * 24 * 60 * MINUTE, JUDGE_FUTURE, 0 },
	};
	struct rules *r = rules_from("", NULL, 0);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct login l = login_by("bob");
		struct moment end;

		l.time += cases[i].offset;
		assert_int_equal(
		    rules_judge(r, &l, now, &end), cases[i].judgement);
		if (cases[i].judgement != JUDGE_LEASE) {
			assert_int_equal(end.wall, 0);
			assert_int_equal(end.boot, 0);
			continue;
		}
		assert_int_equal(end.wall, now.wall + cases[i].left);
		assert_int_equal(end.boot, now.boot + cases[i].left);
	}
	rules_free(&r);
}

static void test_rules_judge_bears_times_that_would_overflow(void **state)
{
	struct rules *r = rules_from("", NULL, 0);
	struct login l = login_by("bob");
	struct moment end;

	(void)state;
	l.time = INT64_MIN;
	assert_int_equal(rules_judge(r, &l, now, &end), JUDGE_OLD);
	end = rules_end(r, INT64_MIN, now);
	assert_int_equal(end.wall, now.wall);
	l.time = INT64_MAX;
	assert_int_equal(rules_judge(r, &l, now, &end), JUDGE_FUTURE);
	end = rules_end(r, INT64_MAX, now);
	assert_int_equal(end.boot, now.boot + 30 * MINUTE);
	rules_free(&r);
}

static void test_rules_judge_knows_only_logins_and_signs_of_life(void **state)
{
	struct rules *r = rules_from("", NULL, 0);
	struct login l = login_by("bob");
	struct moment end;

	(void)state;
	l.kind = LOGIN_OUT;
	assert_int_equal(rules_judge(r, &l, now, &end), JUDGE_NONE);
	l.kind = LOGIN_RESTART;
	assert_int_equal(rules_judge(r, &l, now, &end), JUDGE_NONE);
	l.kind = LOGIN_NOTHING;
	assert_int_equal(rules_judge(r, &l, now, &end), JUDGE_NONE);
	l.kind = 77;
	assert_int_equal(rules_judge(r, &l, now, &end), JUDGE_NONE);
	l.kind = LOGIN_ALIVE;
	assert_int_equal(rules_judge(r, &l, now, &end), JUDGE_LEASE);
	rules_free(&r);
}

/* --- users --------------------------------------------------------------- */

static void test_rules_users_compare_without_case(void **state)
{
	static const char listed[] =
	    "lease { users = {\"Bob\", \"ann@example.org\"} }";
	static const char denied[] = "lease { deny-users = {\"BOB\"} }";

	(void)state;
	assert_int_equal(judge_user("", "bob"), JUDGE_LEASE);
	/* Dovecot's name for who showed no password. */
	assert_int_equal(judge_user("", "Anonymous"), JUDGE_USER_DENIED);
	assert_int_equal(
	    judge_user("lease { deny-users = {} }", "anonymous"), JUDGE_LEASE);
	assert_int_equal(judge_user("", ""), JUDGE_NO_USER);
	assert_int_equal(judge_user(listed, "bOB"), JUDGE_LEASE);
	assert_int_equal(judge_user(listed, "ANN@example.ORG"), JUDGE_LEASE);
	assert_int_equal(judge_user(listed, "ann"), JUDGE_USER_UNLISTED);
	assert_int_equal(judge_user(listed, "bobb"), JUDGE_USER_UNLISTED);
	assert_int_equal(judge_user(listed, "bo"), JUDGE_USER_UNLISTED);
	assert_int_equal(judge_user(denied, "bob"), JUDGE_USER_DENIED);
	assert_int_equal(judge_user(denied, "bob@example.org"), JUDGE_LEASE);
}

static enum judgement judge_nobody(const char *rules, enum login_kind kind)
{
	struct rules *r = rules_from(rules, NULL, 0);
	struct login l = login_by("");
	struct moment end;
	enum judgement j;

	l.kind = (uint8_t)kind;
	l.userless = 1;
	j = rules_judge(r, &l, now, &end);
	rules_free(&r);
	return j;
}

static void test_rules_userless_login_passes_where_no_user_is_listed(
    void **state)
{
	struct rules *r = rules_from("", NULL, 0);
	struct login l = login_by("bob");
	struct moment end;

	(void)state;
	assert_int_equal(judge_nobody("", LOGIN_IN), JUDGE_LEASE);
	assert_int_equal(judge_nobody("", LOGIN_ALIVE), JUDGE_LEASE);
	assert_int_equal(
	    judge_nobody("lease { deny-users = {\"bob\"} }", LOGIN_IN),
	    JUDGE_LEASE);
	assert_int_equal(judge_nobody("lease { users = {\"bob\"} }", LOGIN_IN),
	    JUDGE_USER_UNLISTED);
	assert_int_equal(
	    judge_nobody("lease { domains = {\"example.org\"} }", LOGIN_IN),
	    JUDGE_DOMAIN_UNLISTED);
	assert_int_equal(judge_nobody("lease { require-tls = yes }", LOGIN_IN),
	    JUDGE_NO_TLS);
	/* A name that it has all the same is judged. */
	l.userless = 1;
	assert_int_equal(rules_judge(r, &l, now, &end), JUDGE_LEASE);
	rules_free(&r);
	r = rules_from("lease { deny-users = {\"bob\"} }", NULL, 0);
	assert_int_equal(rules_judge(r, &l, now, &end), JUDGE_USER_DENIED);
	rules_free(&r);
}

static void test_rules_domain_is_behind_the_last_at(void **state)
{
	static const char domains[] =
	    "lease { domains = {\"example.org\", \"@example.net\"} }";

	(void)state;
	assert_int_equal(judge_user(domains, "a@Example.Org"), JUDGE_LEASE);
	assert_int_equal(judge_user(domains, "a@example.net"), JUDGE_LEASE);
	assert_int_equal(judge_user(domains, "a@b@example.org"), JUDGE_LEASE);
	assert_int_equal(judge_user(domains, "a@example.org@evil.example"),
	    JUDGE_DOMAIN_UNLISTED);
	assert_int_equal(
	    judge_user(domains, "a@sub.example.org"), JUDGE_DOMAIN_UNLISTED);
	assert_int_equal(judge_user(domains, "a"), JUDGE_DOMAIN_UNLISTED);
	assert_int_equal(judge_user(domains, "a@"), JUDGE_DOMAIN_UNLISTED);
	assert_int_equal(
	    judge_user(domains, "example.org"), JUDGE_DOMAIN_UNLISTED);
}

static void test_rules_both_lists_must_agree_and_deny_wins(void **state)
{
	static const char both[] = "lease { users = {\"a@example.org\","
				   " \"a@example.net\"}"
				   " domains = {\"example.org\"}"
				   " deny-users = {\"b@example.org\"} }";

	(void)state;
	assert_int_equal(judge_user(both, "a@example.org"), JUDGE_LEASE);
	assert_int_equal(
	    judge_user(both, "a@example.net"), JUDGE_DOMAIN_UNLISTED);
	assert_int_equal(
	    judge_user(both, "c@example.org"), JUDGE_USER_UNLISTED);
	assert_int_equal(judge_user(both, "b@example.org"), JUDGE_USER_DENIED);
}

static void test_rules_require_tls_is_about_logins(void **state)
{
	struct rules *r = rules_from("lease { require-tls = yes }", NULL, 0);
	struct login l = login_by("bob");
	struct moment end;

	(void)state;
	assert_int_equal(rules_judge(r, &l, now, &end), JUDGE_NO_TLS);
	l.tls = 1;
	assert_int_equal(rules_judge(r, &l, now, &end), JUDGE_LEASE);
	l.tls = 0;
	l.kind = LOGIN_ALIVE;
	assert_int_equal(rules_judge(r, &l, now, &end), JUDGE_LEASE);
	rules_free(&r);
}

/* --- addresses ----------------------------------------------------------- */

struct address_case {
	const char *addr;
	enum judgement judgement;
};

static void test_rules_never_leases_special_addresses(void **state)
{
	static const struct address_case cases[] = {
		{ "::", JUDGE_NO_ADDRESS },
		{ "0.0.0.0", JUDGE_SPECIAL },
		{ "0.1.2.3", JUDGE_SPECIAL },
		{ "127.0.0.1", JUDGE_SPECIAL },
		{ "127.255.255.255", JUDGE_SPECIAL },
		{ "169.254.0.1", JUDGE_SPECIAL },
		{ "192.0.0.9", JUDGE_SPECIAL },
		{ "192.88.99.1", JUDGE_SPECIAL },
		{ "224.0.0.1", JUDGE_SPECIAL },
		{ "239.255.255.255", JUDGE_SPECIAL },
		{ "240.0.0.1", JUDGE_SPECIAL },
		{ "255.255.255.255", JUDGE_SPECIAL },
		{ "::1", JUDGE_SPECIAL },
		{ "::2", JUDGE_SPECIAL },
		{ "::203.0.113.7", JUDGE_SPECIAL },
		{ "::ffff:0:203.0.113.7", JUDGE_SPECIAL },
		{ "64:ff9b::203.0.113.7", JUDGE_SPECIAL },
		{ "64:ff9b:1::1", JUDGE_SPECIAL },
		{ "100::1", JUDGE_SPECIAL },
		{ "2001::1", JUDGE_SPECIAL },
		{ "2001:2::1", JUDGE_SPECIAL },
		{ "2001:10::1", JUDGE_SPECIAL },
		{ "2002:cb00:7107::1", JUDGE_SPECIAL },
		{ "4000::1", JUDGE_SPECIAL },
		{ "fe80::1", JUDGE_SPECIAL },
		{ "fec0::1", JUDGE_SPECIAL },
		{ "ff02::1", JUDGE_SPECIAL },
		{ "10.1.2.3", JUDGE_PRIVATE },
		{ "100.64.0.1", JUDGE_PRIVATE },
		{ "172.16.0.1", JUDGE_PRIVATE },
		{ "172.31.255.255", JUDGE_PRIVATE },
		{ "192.168.1.1", JUDGE_PRIVATE },
		{ "198.18.0.1", JUDGE_PRIVATE },
		{ "fc00::1", JUDGE_PRIVATE },
		{ "fdff::1", JUDGE_PRIVATE },
		/* Mapped ones are folded before any test. */
		{ "::ffff:127.0.0.1", JUDGE_SPECIAL },
		{ "::ffff:10.0.0.1", JUDGE_PRIVATE },
		{ "::ffff:203.0.113.7", JUDGE_NONE },
		/* Ordinary ones, documentation networks among them. */
		{ "1.1.1.1", JUDGE_NONE },
		{ "172.32.0.1", JUDGE_NONE },
		{ "192.0.2.1", JUDGE_NONE },
		{ "198.51.100.1", JUDGE_NONE },
		{ "203.0.113.7", JUDGE_NONE },
		{ "2001:db8::7", JUDGE_NONE },
		{ "2a00::1", JUDGE_NONE },
		{ "3fff:ffff::1", JUDGE_NONE },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		if (judge_address("", cases[i].addr) != cases[i].judgement)
			print_error("%s\n", cases[i].addr);
		assert_int_equal(
		    judge_address("", cases[i].addr), cases[i].judgement);
	}
}

static void test_rules_private_opens_what_it_names_and_no_more(void **state)
{
	static const char one[] = "lease { private = {\"10.1.\","
				  " \"fc00:1::/32\"} }";
	static const char all[] = "lease { private = {\"0.0.0.0/0\","
				  " \"::/0\"} }";
	static const char *const never[] = { "0.0.0.0", "0.1.2.3", "127.0.0.1",
		"224.0.0.1", "239.1.1.1", "255.255.255.255", "::1", "ff02::1",
		"fe80::1", "64:ff9b::1", "2002::1", "2001::1" };

	(void)state;
	assert_int_equal(judge_address(one, "10.1.2.3"), JUDGE_NONE);
	assert_int_equal(judge_address(one, "10.2.2.3"), JUDGE_PRIVATE);
	assert_int_equal(judge_address(one, "fc00:1::1"), JUDGE_NONE);
	assert_int_equal(judge_address(one, "fc00:2::1"), JUDGE_PRIVATE);
	for (size_t i = 0; i < COUNT_OF(never); i++)
		assert_int_equal(judge_address(all, never[i]), JUDGE_SPECIAL);
	assert_int_equal(judge_address(all, "::"), JUDGE_NO_ADDRESS);
	assert_int_equal(judge_address(all, "192.168.1.1"), JUDGE_NONE);
}

static void test_rules_own_proxy_and_never_networks_get_none(void **state)
{
	static const char rules[] =
	    "lease { own = {\"192.0.2.25\"} proxy = {\"198.51.100.0/24\"}"
	    " never = {\"2001:db8:bad::/48\", \"203.0.113.9\"} }";

	(void)state;
	assert_int_equal(judge_address(rules, "192.0.2.25"), JUDGE_OWN);
	assert_int_equal(judge_address(rules, "::ffff:192.0.2.25"), JUDGE_OWN);
	assert_int_equal(judge_address(rules, "192.0.2.26"), JUDGE_NONE);
	assert_int_equal(judge_address(rules, "198.51.100.77"), JUDGE_PROXY);
	assert_int_equal(judge_address(rules, "2001:db8:bad::7"), JUDGE_NEVER);
	assert_int_equal(judge_address(rules, "203.0.113.9"), JUDGE_NEVER);
}

static void test_rules_finds_the_hosts_own_addresses(void **state)
{
	struct addr own[64], loopback = address("127.0.0.1");
	struct addr given = address("203.0.113.25");
	size_t count = rules_own_addresses(own, COUNT_OF(own));
	struct rules *r = rules_from("", &given, 1);
	bool seen = false;

	(void)state;
	for (size_t i = 0; i < count; i++)
		seen = seen || addr_equal(&own[i], &loopback);
	assert_true(count == 0 || seen || count == COUNT_OF(own));
	assert_true(rules_own_addresses(own, 0) == 0);
	assert_int_equal(rules_address(r, &given), JUDGE_OWN);
	rules_free(&r);
}

static void test_rules_always_holds_cidr_and_dotted_prefixes(void **state)
{
	struct rules *r = rules_from("lease { always = {\"10.1.\","
				     " \"192.168.7.0/24\", \"127.0.0.1\","
				     " \"2001:db8::/32\"}"
				     " never = {\"10.1.0.5\"} }",
	    NULL, 0);
	static const char *const in[] = { "10.1.2.3", "192.168.7.255",
		"127.0.0.1", "2001:db8::7", "::ffff:10.1.2.3" };
	static const char *const out[] = { "10.2.0.1", "192.168.8.0",
		"127.0.0.2", "203.0.113.7", "::",
		/* Named by itself as never. */
		"10.1.0.5" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(in); i++) {
		struct addr a = address(in[i]);
		assert_true(rules_always(r, &a));
	}
	for (size_t i = 0; i < COUNT_OF(out); i++) {
		struct addr a = address(out[i]);
		assert_false(rules_always(r, &a));
	}
	rules_free(&r);
}

static void test_rules_mask_leaves_ipv4_and_cuts_ipv6(void **state)
{
	struct rules *r = rules_from("lease { ipv6-prefix = 64 }", NULL, 0);
	struct addr a = address("2001:db8::1:2:3:4"),
		    v4 = address("203.0.113.7");
	struct addr want = address("2001:db8::"), got;
	uint8_t bits;

	(void)state;
	got = rules_mask(r, &a, &bits);
	assert_int_equal(bits, 64);
	assert_true(addr_equal(&got, &want));
	got = rules_mask(r, &v4, &bits);
	assert_int_equal(bits, 128);
	assert_true(addr_equal(&got, &v4));
	rules_free(&r);
}

static void test_rules_reason_has_a_word_for_each_judgement(void **state)
{
	(void)state;
	for (int j = 0; j < JUDGE_COUNT; j++) {
		assert_non_null(rules_reason((enum judgement)j));
		for (int k = 0; k < j; k++)
			assert_string_not_equal(rules_reason((enum judgement)j),
			    rules_reason((enum judgement)k));
	}
	assert_string_equal(rules_reason(JUDGE_REVOKED), "revoked");
	assert_string_equal(rules_reason(JUDGE_COUNT), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules_defaults_are_the_documented_ones),
		cmocka_unit_test(
		    test_rules_end_is_login_time_plus_ttl_on_both_clocks),
		cmocka_unit_test(
		    test_rules_judge_bears_times_that_would_overflow),
		cmocka_unit_test(
		    test_rules_judge_knows_only_logins_and_signs_of_life),
		cmocka_unit_test(test_rules_users_compare_without_case),
		cmocka_unit_test(
		    test_rules_userless_login_passes_where_no_user_is_listed),
		cmocka_unit_test(test_rules_domain_is_behind_the_last_at),
		cmocka_unit_test(
		    test_rules_both_lists_must_agree_and_deny_wins),
		cmocka_unit_test(test_rules_require_tls_is_about_logins),
		cmocka_unit_test(test_rules_never_leases_special_addresses),
		cmocka_unit_test(
		    test_rules_private_opens_what_it_names_and_no_more),
		cmocka_unit_test(
		    test_rules_own_proxy_and_never_networks_get_none),
		cmocka_unit_test(test_rules_finds_the_hosts_own_addresses),
		cmocka_unit_test(
		    test_rules_always_holds_cidr_and_dotted_prefixes),
		cmocka_unit_test(test_rules_mask_leaves_ipv4_and_cuts_ipv6),
		cmocka_unit_test(
		    test_rules_reason_has_a_word_for_each_judgement),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
