/* SPDX-License-Identifier: ISC */
/*
 * test_matcher_join - what joins: the lines of one login, and the end of a
 * session with its beginning.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "matcher_world.h"

static void test_matcher_joins_sessions_by_what_the_file_says(void **state)
{
	struct world *w = *state;

	assert_int_equal(take(w, HEAD "imapd: LOGIN, user=bob, "
				      "ip=[::ffff:192.0.2.7], port=[51]"),
	    LOGIN_IN);
	assert_string_equal(w->login.session, "imapd/192.0.2.7/51");
	assert_int_equal(take(w, HEAD "imapd: LOGOUT, user=bob, "
				      "ip=[192.0.2.7], port=[51], time=3"),
	    LOGIN_OUT);
	assert_string_equal(w->login.session, "imapd/192.0.2.7/51");
	assert_addr(w, "192.0.2.7");
	assert_int_equal(take(w, HEAD "dovecot: imap(bob)<7><abc>: "
				      "Disconnected: Logged out in=1 out=2"),
	    LOGIN_OUT);
	assert_string_equal(w->login.session, "abc");
	assert_string_equal(w->login.user, "bob");
	assert_int_equal(take(w, HEAD "dovecot: master: Dovecot v2.3.19.1 "
				      "(9b53102964) starting up for imap"),
	    LOGIN_RESTART);
	assert_string_equal(w->login.server, "dovecot");
}

/* A connection whose line is not believed is one all the same. */
static void test_matcher_forgets_at_a_refused_connection(void **state)
{
	struct world *w = *state;

	take(w, "Nov 20 18:05:00 mx1 spop3d[9]: connect from 192.0.2.5");
	take(w, "Nov 20 18:05:01 mx1 spop3d[9]: connect from a\x7f "
		"(203.0.113.66)");
	assert_int_equal(take(w, "Nov 20 18:05:02 mx1 spop3d[9]: "
				 "user bob authenticated"),
	    LOGIN_NOTHING);
}

static void test_matcher_joins_two_lines_once_and_soon(void **state)
{
	struct world *w = *state;

#define AT(time, host, pid) "Nov 20 " time " " host " popa3d[" pid "]: "
	assert_int_equal(
	    take(w, AT("18:05:00", "mx1", "7") "Session from 192.0.2.1"),
	    LOGIN_NOTHING);
	/* another host, another pid, another program */
	assert_int_equal(
	    take(w, AT("18:05:01", "mx2", "7") "Authentication passed for bob"),
	    LOGIN_NOTHING);
	assert_int_equal(
	    take(w, AT("18:05:01", "mx1", "8") "Authentication passed for bob"),
	    LOGIN_NOTHING);
	assert_int_equal(take(w, "Nov 20 18:05:01 mx1 sshd[7]: Session from "
				 "203.0.113.66"),
	    LOGIN_NOTHING);
	assert_int_equal(
	    take(w, AT("18:05:01", "mx1", "7") "Authentication passed for bob"),
	    LOGIN_IN);
	assert_addr(w, "192.0.2.1");
	assert_int_equal(
	    take(w, AT("18:05:02", "mx1", "7") "Authentication passed for bob"),
	    LOGIN_NOTHING);
	/* 60 s, not 61; and not from the future */
	take(w, AT("18:05:00", "mx1", "7") "Session from 192.0.2.2");
	assert_int_equal(
	    take(w, AT("18:06:00", "mx1", "7") "Authentication passed for bob"),
	    LOGIN_IN);
	take(w, AT("18:05:00", "mx1", "7") "Session from 192.0.2.3");
	assert_int_equal(
	    take(w, AT("18:06:01", "mx1", "7") "Authentication passed for bob"),
	    LOGIN_NOTHING);
	take(w, AT("18:05:10", "mx1", "7") "Session from 192.0.2.4");
	assert_int_equal(
	    take(w, AT("18:05:09", "mx1", "7") "Authentication passed for bob"),
	    LOGIN_NOTHING);
	/* the newest counts; a name, a failure or an end forget */
	take(w, AT("18:05:00", "mx1", "7") "Session from 192.0.2.5");
	take(w, AT("18:05:01", "mx1", "7") "Session from 192.0.2.6");
	assert_int_equal(
	    take(w, AT("18:05:02", "mx1", "7") "Authentication passed for bob"),
	    LOGIN_IN);
	assert_addr(w, "192.0.2.6");
	take(w, AT("18:05:00", "mx1", "7") "Session from 192.0.2.7");
	take(w, AT("18:05:01", "mx1", "7") "Session from evil.example");
	assert_int_equal(
	    take(w, AT("18:05:02", "mx1", "7") "Authentication passed for bob"),
	    LOGIN_NOTHING);
	take(w, AT("18:05:00", "mx1", "7") "Session from 192.0.2.8");
	take(w, AT("18:05:01", "mx1", "7") "Authentication failed for bob");
	assert_int_equal(
	    take(w, AT("18:05:02", "mx1", "7") "Authentication passed for bob"),
	    LOGIN_NOTHING);
#undef AT
}

/* Far more open connections than there is room for: old ones are forgotten, and
 * none gets another's address. */
static void test_matcher_forgets_connections_in_a_flood(void **state)
{
	struct world *w = *state;
	unsigned joined = 0;

	for (unsigned i = 1; i <= 40000; i++) {
		char line[120];

		snprintf(line, sizeof(line),
		    "Nov 20 18:05:00 mx1 popa3d[%u]: "
		    "Session from 10.%u.%u.1",
		    i, i >> 8, i & 255);
		assert_int_equal(take(w, line), LOGIN_NOTHING);
	}
	for (unsigned i = 1; i <= 40000; i++) {
		char line[120], want[40];

		snprintf(line, sizeof(line),
		    "Nov 20 18:05:01 mx1 popa3d[%u]: "
		    "Authentication passed for bob",
		    i);
		if (take(w, line) != LOGIN_IN)
			continue;
		joined++;
		snprintf(want, sizeof(want), "10.%u.%u.1", i >> 8, i & 255);
		assert_addr(w, want);
	}
	assert_true(joined > 8000 && joined <= 16384);
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_matcher_joins_sessions_by_what_the_file_says),
		TEST(test_matcher_forgets_at_a_refused_connection),
		TEST(test_matcher_joins_two_lines_once_and_soon),
		TEST(test_matcher_forgets_connections_in_a_flood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
