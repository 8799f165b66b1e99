/* SPDX-License-Identifier: ISC */
/*
 * test_explain_told - the answer of the daemon as `relaypass explain` keeps it,
 * and which login is the one that a lease tells of.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "cmd/explain.h"

static void row(struct told *t, const char *line)
{
	static struct reply r;

	assert_true(reply_parse(line, strlen(line), &r));
	told_row(t, &r);
}

static void test_explain_told_keeps_every_kind_of_row(void **state)
{
	AUTO_FREE struct told *t = xcalloc(1, sizeof(*t));

	(void)state;
	row(t, "answer address=192.0.2.7 key=192.0.2.7/32 verdict=allow "
	       "rule=lease judgement= mode=enforce observed=0 ttl=17 user=jo "
	       "require-sender=user leases=1 revocations=2");
	row(t, "network list=private net=10.0.0.0/8");
	row(t, "lease address=192.0.2.7/32 user=a%20b ttl=17 first=1 last=2 "
	       "end=3 sessions=4 source=s server=dovecot tls=1 by-hand=0 "
	       "live=1 why-not=sender answers=1");
	row(t, "session id=x%3d user=jo server=dovecot began=5 pid=6");
	row(t, "revocation address= user=eve time=7 until=8");
	row(t, "requires listener=smtp what=map");
	row(t, "something else=new");
	assert_string_equal(t->verdict, "allow");
	assert_string_equal(t->rule, "lease");
	assert_int_equal(t->ttl, 17);
	assert_string_equal(t->networks[0].net, "10.0.0.0/8");
	assert_string_equal(t->leases[0].user, "a b");
	assert_int_equal(t->leases[0].sessions, 4);
	assert_true(t->leases[0].tls && t->leases[0].answers);
	assert_false(t->leases[0].by_hand);
	assert_string_equal(t->leases[0].why_not, "sender");
	assert_string_equal(t->sessions[0].id, "x=");
	assert_int_equal(t->sessions[0].pid, 6);
	assert_string_equal(t->revocations[0].user, "eve");
	assert_string_equal(t->revocations[0].address, "");
	assert_int_equal(t->revocations[0].until, 8);
	assert_string_equal(t->requires[0].what, "map");
	told_free(t);
}

static void test_explain_told_has_room_for_so_many(void **state)
{
	static const char *const lines[] = { "lease user=x", "session id=x",
		"revocation user=x", "network list=x", "requires what=x" };
	AUTO_FREE struct told *t = xcalloc(1, sizeof(*t));

	(void)state;
	for (size_t i = 0; i < COUNT_OF(lines); i++)
		for (int n = 0; n < 100; n++)
			row(t, lines[i]);
	assert_int_equal(t->lease_count, TOLD_LEASES);
	assert_int_equal(t->session_count, TOLD_SESSIONS);
	assert_int_equal(t->revocation_count, TOLD_REVOCATIONS);
	assert_int_equal(t->network_count, TOLD_NETWORKS);
	assert_int_equal(t->require_count, TOLD_REQUIRES);
	told_free(t);
}

static struct login login_of(
    enum login_kind kind, const char *addr, const char *user, int64_t time)
{
	struct login l = { .kind = (uint8_t)kind, .time = time };

	assert_true(addr_parse(addr, strlen(addr), &l.addr));
	l.user_len = (uint8_t)strlen(user);
	memcpy(l.user, user, l.user_len);
	return l;
}

static void test_explain_told_knows_the_login_of_a_lease(void **state)
{
	static const struct {
		const char *addr, *user;
		int64_t time;
		enum login_kind kind;
		bool is;
	} cases[] = {
		{ "2001:db8::7", "jo", 5000, LOGIN_IN, true },
		{ "2001:db8::7", "jo", 5000, LOGIN_ALIVE, true },
		/* Another host of the prefix. */
		{ "2001:db8::ffff", "jo", 5000, LOGIN_IN, true },
		/* Stamped ahead: it counted from its arrival. */
		{ "2001:db8::7", "jo", 5900, LOGIN_IN, true },
		{ "2001:db8::7", "jo", 6001, LOGIN_IN, false },
		{ "2001:db8::7", "jo", 4999, LOGIN_IN, false },
		{ "2001:db8:0:1::7", "jo", 5000, LOGIN_IN, false },
		{ "192.0.2.7", "jo", 5000, LOGIN_IN, false },
		{ "2001:db8::7", "j", 5000, LOGIN_IN, false },
		{ "2001:db8::7", "joe", 5000, LOGIN_IN, false },
		{ "2001:db8::7", "", 5000, LOGIN_IN, false },
		{ "2001:db8::7", "jo", 5000, LOGIN_OUT, false },
	};
	AUTO_FREE struct told_lease *lease = xcalloc(1, sizeof(*lease));

	(void)state;
	(void)snprintf(lease->address, sizeof(lease->address), "2001:db8::/64");
	(void)snprintf(lease->user, sizeof(lease->user), "jo");
	lease->last = 5000;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct login l = login_of(
		    cases[i].kind, cases[i].addr, cases[i].user, cases[i].time);

		assert_int_equal(origin_is(lease, &l, 1000), cases[i].is);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test(test_explain_told_##name)
	const struct CMUnitTest tests[] = {
		T(keeps_every_kind_of_row),
		T(has_room_for_so_many),
		T(knows_the_login_of_a_lease),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
