/* SPDX-License-Identifier: ISC */
/*
 * test_restart - a server's restart ends its sessions and no others, whatever
 * the order of the lines, and at no cost that a writer of lines may choose.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "session_world.h"

static void test_restart_ends_the_sessions_of_the_server(void **state)
{
	struct world *w = world_new(TTL30);
	struct login l = { .kind = LOGIN_RESTART, .server = "dovecot" };
	struct lease lease;

	(void)state;
	proven(w, "s1");
	proven(w, "s2");
	hold_for(w, HOUR);
	l.time = w->now.wall;
	(void)snprintf(l.server, sizeof(l.server), "courier");
	world_apply(w, &l);
	(void)snprintf(l.server, sizeof(l.server), "dovecot");
	world_apply(w, &l);
	/* One line does not look at every session; the pass does. */
	assert_int_equal(sessions(w), 2);
	hold_for(w, 10 * MINUTE);
	assert_int_equal(sessions(w), 0);
	/* No extension, but what they gave stays. */
	assert_int_equal(world_left(w, A, "bob", &lease), 20 * MINUTE);
	assert_int_equal(lease.sessions, 0);
	world_free(w);
}

static void test_restart_spares_what_began_after_it(void **state)
{
	struct world *w = world_new(TTL30);
	struct login l = { .kind = LOGIN_RESTART, .server = "dovecot" };

	(void)state;
	l.time = w->now.wall;
	world_pass(w, 1);
	proven(w, "s1");
	world_apply(w, &l);
	hold_for(w, 10 * MINUTE);
	assert_int_equal(sessions(w), 1);
	assert_int_equal(world_left(w, A, "bob", NULL), 30 * MINUTE);
	world_free(w);
}

static void restart(struct world *w, int64_t time)
{
	struct login l = {
		.kind = LOGIN_RESTART, .time = time, .server = "dovecot"
	};

	world_apply(w, &l);
}

/* Log stamps have seconds: three lines of the same time, in their order. */
static void test_restart_and_logins_of_the_same_second(void **state)
{
	struct world *w = world_new(TTL30);

	(void)state;
	proven(w, "s1");
	restart(w, w->now.wall);
	proven(w, "s2");
	hold_for(w, 10 * SECOND);
	assert_int_equal(world_logout(w, "s1", 0).judgement, JUDGE_NONE);
	assert_int_equal(world_logout(w, "s2", 0).judgement, JUDGE_LEASE);
	world_free(w);
}

static void test_restart_before_a_late_login(void **state)
{
	struct world *w = world_new(TTL30);
	struct login l = login_of(w, A, "bob");

	(void)state;
	proven(w, "s1");
	l.mpid = 101;
	l.session_len = 2;
	memcpy(l.session, "s2", 2);
	world_pass(w, MINUTE);
	restart(w, w->now.wall - 1);
	/* Neither makes the older one count again. */
	restart(w, w->now.wall - 10 * MINUTE);
	assert_int_equal(world_apply(w, &l).judgement, JUDGE_LEASE);
	world_close(w);
	world_open(w);
	assert_int_equal(world_hold(w), 0);
	assert_int_equal(
	    world_session(w, LOGIN_ALIVE, A, "bob", "s1", 0).judgement,
	    JUDGE_NONE);
	assert_int_equal(world_left(w, A, "bob", NULL), 29 * MINUTE);
	assert_int_equal(sessions(w), 0);
	world_free(w);
}

static void test_restart_ahead_of_the_clock(void **state)
{
	struct world *w = world_new(TTL30);

	(void)state;
	/* A line of next year ends what there is, and nothing else. */
	proven(w, "s1");
	restart(w, w->now.wall + 365 * DAY);
	assert_int_equal(world_logout(w, "s1", 0).judgement, JUDGE_NONE);
	world_pass(w, 1);
	proven(w, "s2");
	assert_int_equal(world_logout(w, "s2", 0).judgement, JUDGE_LEASE);
	/* The clock was wrong, and is set right. */
	restart(w, w->now.wall);
	w->now.wall -= HOUR;
	proven(w, "s3");
	assert_int_equal(sessions(w), 1);
	world_pass(w, SECOND);
	restart(w, w->now.wall);
	assert_int_equal(world_logout(w, "s3", 0).judgement, JUDGE_NONE);
	world_free(w);
}

/* What a batch of such lines costs does not grow with the sessions. */
static void test_restart_costs_the_same_with_many_sessions(void **state)
{
	enum { SESSIONS = 2000, LINES = 12000 };
	struct world *w = world_new(TTL30);
	struct login l = login_of(w, A, "bob");
	struct applied done;
	struct timespec from, to;

	(void)state;
	world_signs(w, true);
	world_begin(w);
	for (int i = 0; i < SESSIONS; i++) {
		l.session_len =
		    (uint8_t)snprintf(l.session, sizeof(l.session), "s%d", i);
		apply_login(w->apply, &l, WORLD_SOURCE, w->now, &done);
	}
	world_commit(w);
	l = (struct login){ .kind = LOGIN_RESTART, .server = "dovecot" };
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
	world_begin(w);
	for (int i = 0; i < LINES; i++) {
		l.time = w->now.wall - HOUR + i;
		apply_login(w->apply, &l, WORLD_SOURCE, w->now, &done);
	}
	world_commit(w);
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
	/* Some ten milliseconds; to walk takes a second and more. */
	assert_true((to.tv_sec - from.tv_sec) * 1000 +
			(to.tv_nsec - from.tv_nsec) / 1000000 <
		    500);
	assert_int_equal(sessions(w), SESSIONS);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test(test_restart_##name)
		T(ends_the_sessions_of_the_server),
		T(spares_what_began_after_it),
		T(and_logins_of_the_same_second),
		T(before_a_late_login),
		T(ahead_of_the_clock),
		T(costs_the_same_with_many_sessions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
