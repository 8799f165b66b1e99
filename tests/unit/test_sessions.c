/* SPDX-License-Identifier: ISC */
/*
 * test_sessions - holding: what an open session does to its lease, and what it
 * may not do.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "session_world.h"

static void test_sessions_proven_one_holds_its_lease(void **state)
{
	struct world *w = world_new(TTL30);
	struct lease lease;

	(void)state;
	assert_int_equal(proven(w, "s1").lease.sessions, 1);
	hold_for(w, 3 * HOUR);
	assert_int_equal(world_left(w, A, "bob", &lease), 30 * MINUTE);
	assert_int_equal(lease.sessions, 1);
	/* Never further away than now + ttl: a dead keeper fails closed. */
	world_pass(w, 30 * MINUTE);
	assert_int_equal(world_left(w, A, "bob", NULL), 0);
	world_free(w);
}

static void test_sessions_without_a_sign_of_life_hold_nothing(void **state)
{
	struct world *w = world_new(TTL30);

	(void)state;
	world_session(w, LOGIN_IN, A, "bob", "s1", 0);
	assert_int_equal(w->proc_asked, 0); /* no system call without a pid */
	hold_for(w, 10 * MINUTE);
	assert_int_equal(world_left(w, A, "bob", NULL), 20 * MINUTE);
	/* Nor is a logout a sign that would prolong it. */
	assert_false(world_logout(w, "s1", 0).moved);
	assert_int_equal(world_left(w, A, "bob", NULL), 20 * MINUTE);
	/* Nor is it one that a sign might come. */
	world_signs(w, true);
	world_session(w, LOGIN_IN, A, "bob", "s2", 0);
	assert_int_equal(sessions(w), 1);
	hold_for(w, 10 * MINUTE);
	assert_false(world_logout(w, "s2", 0).moved);
	assert_int_equal(world_left(w, A, "bob", NULL), 20 * MINUTE);
	world_free(w);
}

static void test_sessions_that_nothing_can_hold_have_no_row(void **state)
{
	struct world *w = world_new(TTL30);
	struct applied done;

	(void)state;
	w->proc_start = 4711;
	w->proc_began = w->now.wall + MINUTE; /* another process */
	done = world_session(w, LOGIN_IN, A, "bob", "s1", 101);
	assert_int_equal(done.judgement, JUDGE_LEASE);
	assert_int_equal(done.lease.sessions, 0);
	assert_int_equal(sessions(w), 0);
	assert_int_equal(world_logout(w, "s1", 0).judgement, JUDGE_NONE);
	assert_int_equal(
	    world_session(w, LOGIN_ALIVE, A, "bob", "s1", 0).judgement,
	    JUDGE_NONE);
	/* Each of these may hold it. */
	assert_int_equal(proven(w, "s1").lease.sessions, 1);
	world_signs(w, true);
	assert_int_equal(
	    world_session(w, LOGIN_IN, A, "bob", "s2", 0).lease.sessions, 2);
	world_signs(w, false);
	world_rules(w, "lease { hold-unseen = \"1h\" }");
	done = world_session(w, LOGIN_IN, A, "bob", "s3", 0);
	assert_int_equal(done.lease.sessions, 3);
	assert_int_equal(sessions(w), 3);
	world_free(w);
}

/* The name of a session whose process lives comes again, with a login that
 * nothing can hold. */
static void test_sessions_end_when_their_name_comes_again(void **state)
{
	struct world *w = world_new(TTL30);
	struct lease lease;

	(void)state;
	proven(w, "s1");
	proven(w, "s2");
	world_pass(w, MINUTE);
	/* Of the same lease ... */
	assert_int_equal(
	    world_session(w, LOGIN_IN, A, "bob", "s1", 0).lease.sessions, 1);
	assert_int_equal(sessions(w), 1);
	/* ... and of another one. */
	assert_int_equal(
	    world_session(w, LOGIN_IN, B, "ann", "s2", 0).lease.sessions, 0);
	assert_int_equal(sessions(w), 0);
	world_left(w, A, "bob", &lease);
	assert_int_equal(lease.sessions, 0);
	hold_for(w, 10 * MINUTE);
	assert_int_equal(world_left(w, A, "bob", NULL), 20 * MINUTE);
	assert_int_equal(world_left(w, B, "ann", NULL), 20 * MINUTE);
	/* An older line of the name ends nothing. */
	proven(w, "s3");
	{
		struct login l = login_of(w, A, "bob");

		l.time -= MINUTE;
		l.session_len = 2;
		memcpy(l.session, "s3", 2);
		assert_int_equal(world_apply(w, &l).lease.sessions, 1);
	}
	assert_int_equal(sessions(w), 1);
	world_free(w);
}

/* A row that the walk has not met yet is not of the next lease. */
static void test_sessions_of_a_former_lease_are_not_uncounted(void **state)
{
	struct world *w = world_new(TTL30);
	struct lease lease;

	(void)state;
	proven(w, "s1");
	world_pass(w, 30 * MINUTE);
	assert_int_equal(proven(w, "s2").lease.sessions, 1);
	world_walk(w);
	assert_int_equal(sessions(w), 1);
	world_left(w, A, "bob", &lease);
	assert_int_equal(lease.sessions, 1);
	world_free(w);
}

static void test_sessions_unseen_hold_as_long_as_configured(void **state)
{
	struct world *w = world_new("lease { hold-unseen = \"1h\" }");

	(void)state;
	world_session(w, LOGIN_IN, A, "bob", "s1", 0);
	hold_for(w, 3 * HOUR);
	assert_int_equal(world_left(w, A, "bob", NULL), 0);
	world_session(w, LOGIN_IN, A, "bob", "s2", 0);
	hold_for(w, HOUR - 10 * SECOND);
	assert_int_equal(world_left(w, A, "bob", NULL), 30 * MINUTE);
	hold_for(w, 20 * SECOND);
	assert_int_equal(
	    world_left(w, A, "bob", NULL), 30 * MINUTE - 20 * SECOND);
	world_free(w);
}

static void test_sessions_hold_no_longer_than_hold_max(void **state)
{
	struct world *w = world_new("lease { hold-max = \"2h\" }");

	(void)state;
	proven(w, "s1");
	hold_for(w, 2 * HOUR - 10 * SECOND);
	assert_int_equal(world_left(w, A, "bob", NULL), 30 * MINUTE);
	hold_for(w, 10 * MINUTE);
	assert_int_equal(world_left(w, A, "bob", NULL), 20 * MINUTE);
	assert_int_equal(sessions(w), 0);
	assert_int_equal(
	    world_session(w, LOGIN_ALIVE, A, "bob", "s1", 0).judgement,
	    JUDGE_NONE);
	world_free(w);
}

static void test_sessions_logout_after_hold_max_gives_nothing(void **state)
{
	struct world *w = world_new("lease { hold-max = \"2h\" }");

	(void)state;
	proven(w, "s1");
	hold_for(w, 2 * HOUR - MINUTE);
	/* Nobody has held since: the logout itself must look. */
	world_pass(w, 10 * MINUTE);
	assert_false(world_logout(w, "s1", 0).moved);
	assert_int_equal(world_left(w, A, "bob", NULL), 20 * MINUTE);
	world_free(w);
}

static void test_sessions_end_when_the_process_is_gone(void **state)
{
	struct world *w = world_new(TTL30);
	struct lease lease;

	(void)state;
	proven(w, "s1");
	hold_for(w, HOUR);
	w->proc_start = 0;
	hold_for(w, 10 * MINUTE);
	assert_int_equal(world_left(w, A, "bob", &lease), 20 * MINUTE);
	assert_int_equal(lease.sessions, 0);
	assert_int_equal(sessions(w), 0);
	world_free(w);
}

static void test_sessions_end_when_the_pid_is_another_process(void **state)
{
	struct world *w = world_new(TTL30);

	(void)state;
	proven(w, "s1");
	hold_for(w, HOUR);
	w->proc_start = 4712;
	hold_for(w, 10 * MINUTE);
	assert_int_equal(world_left(w, A, "bob", NULL), 20 * MINUTE);
	world_free(w);
}

static void test_sessions_process_must_not_be_younger_than_its_login(
    void **state)
{
	struct world *w = world_new(TTL30);

	(void)state;
	w->proc_start = 4711;
	w->proc_began = w->now.wall + 3 * SECOND + 1;
	world_session(w, LOGIN_IN, A, "bob", "s1", 101);
	hold_for(w, 10 * MINUTE);
	assert_int_equal(world_left(w, A, "bob", NULL), 20 * MINUTE);
	w->proc_began = w->now.wall + 3 * SECOND;
	world_session(w, LOGIN_IN, B, "bob", "s2", 101);
	hold_for(w, 10 * MINUTE);
	assert_int_equal(world_left(w, B, "bob", NULL), 30 * MINUTE);
	world_free(w);
}

static void test_sessions_logout_gives_a_ttl_from_the_logout(void **state)
{
	struct world *w = world_new(TTL30);
	struct applied done;

	(void)state;
	proven(w, "s1");
	hold_for(w, HOUR);
	world_pass(w, 9 * SECOND);
	done = world_logout(w, "s1", 2 * SECOND);
	assert_int_equal(done.judgement, JUDGE_LEASE);
	assert_true(done.moved);
	assert_int_equal(done.lease.sessions, 0);
	assert_int_equal(
	    world_left(w, A, "bob", NULL), 30 * MINUTE - 2 * SECOND);
	assert_int_equal(sessions(w), 0);
	/* A second one says nothing. */
	assert_int_equal(world_logout(w, "s1", 0).judgement, JUDGE_NONE);
	world_free(w);
}

static void test_sessions_logout_from_the_future_gives_no_more(void **state)
{
	struct world *w = world_new(TTL30);

	(void)state;
	proven(w, "s1");
	world_pass(w, MINUTE);
	world_logout(w, "s1", -DAY);
	assert_int_equal(world_left(w, A, "bob", NULL), 30 * MINUTE);
	proven(w, "s2");
	world_pass(w, MINUTE);
	world_logout(w, "s2", INT64_MAX / 2);
	assert_int_equal(world_left(w, A, "bob", NULL), 29 * MINUTE);
	world_free(w);
}

static void test_sessions_logout_of_a_stranger_does_nothing(void **state)
{
	struct world *w = world_new(TTL30);
	struct login l;

	(void)state;
	proven(w, "s1");
	assert_int_equal(world_logout(w, "s2", 0).judgement, JUDGE_NONE);
	assert_int_equal(world_logout(w, "", 0).judgement, JUDGE_NONE);
	/* The same id from another address is another session. */
	l = login_of(w, B, "bob");
	l.kind = LOGIN_OUT;
	l.session_len = 2;
	memcpy(l.session, "s1", 2);
	assert_int_equal(world_apply(w, &l).judgement, JUDGE_NONE);
	/* And so is that of another server. */
	memset(l.addr.bytes, 0, sizeof(l.addr.bytes));
	(void)snprintf(l.server, sizeof(l.server), "courier");
	assert_int_equal(world_apply(w, &l).judgement, JUDGE_NONE);
	assert_int_equal(sessions(w), 1);
	world_free(w);
}

static void test_sessions_sign_of_life_moves_the_end(void **state)
{
	struct world *w = world_new(TTL30);
	struct applied done;

	(void)state;
	world_signs(w, true);
	world_session(w, LOGIN_IN, A, "bob", "s1", 0);
	for (int i = 0; i < 10; i++) {
		world_pass(w, 20 * MINUTE);
		done = world_session(w, LOGIN_ALIVE, A, "bob", "s1", 0);
		assert_int_equal(done.judgement, JUDGE_LEASE);
		assert_true(done.moved);
		assert_int_equal(world_left(w, A, "bob", NULL), 30 * MINUTE);
	}
	/* It showed life, so its logout counts too. */
	world_pass(w, 5 * MINUTE);
	assert_true(world_logout(w, "s1", 0).moved);
	assert_int_equal(world_left(w, A, "bob", NULL), 30 * MINUTE);
	world_free(w);
}

/* A second sign of the same millisecond, or one that came late: what the first
 * one gave stands, and who asks is told so. */
static void test_sessions_sign_of_life_twice_is_a_lease(void **state)
{
	struct world *w = world_new(TTL30);
	struct login l = login_of(w, A, "bob");
	struct applied done;

	(void)state;
	world_signs(w, true);
	world_session(w, LOGIN_IN, A, "bob", "s1", 0);
	world_pass(w, 20 * MINUTE);
	world_session(w, LOGIN_ALIVE, A, "bob", "s1", 0);
	l.kind = LOGIN_ALIVE;
	l.session_len = 2;
	(void)snprintf(l.session, sizeof(l.session), "s1");
	for (int late = 0; late < 2; late++) {
		l.time = w->now.wall - late * MINUTE;
		done = world_apply(w, &l);
		assert_int_equal(done.judgement, JUDGE_LEASE);
		assert_false(done.fresh);
		assert_false(done.moved);
		assert_string_equal(done.lease.user, "bob");
		assert_int_equal(world_left(w, A, "bob", NULL), 30 * MINUTE);
	}
	/* A lease that the wall clock has ended is none. */
	w->now.wall += 30 * MINUTE;
	l.time = w->now.wall - 30 * MINUTE + 1;
	assert_int_equal(world_apply(w, &l).judgement, JUDGE_NONE);
	world_free(w);
}

static void test_sessions_sign_of_life_makes_no_lease(void **state)
{
	struct world *w = world_new(TTL30);

	(void)state;
	world_signs(w, true);
	assert_int_equal(
	    world_session(w, LOGIN_ALIVE, A, "bob", "s1", 0).judgement,
	    JUDGE_NONE);
	assert_int_equal(ledger_rows(w->ledger), 0);
	world_session(w, LOGIN_IN, A, "bob", "s1", 0);
	world_pass(w, MINUTE);
	/* Another user's, another address's, nobody's. */
	assert_int_equal(
	    world_session(w, LOGIN_ALIVE, A, "eve", "s1", 0).judgement,
	    JUDGE_NONE);
	assert_int_equal(
	    world_session(w, LOGIN_ALIVE, B, "bob", "s1", 0).judgement,
	    JUDGE_NONE);
	assert_int_equal(
	    world_session(w, LOGIN_ALIVE, A, "bob", "", 0).judgement,
	    JUDGE_NONE);
	assert_int_equal(world_left(w, A, "bob", NULL), 29 * MINUTE);
	world_pass(w, 29 * MINUTE);
	assert_int_equal(
	    world_session(w, LOGIN_ALIVE, A, "bob", "s1", 0).judgement,
	    JUDGE_NONE);
	assert_int_equal(world_left(w, A, "bob", NULL), 0);
	world_free(w);
}

static void test_sessions_end_with_a_revocation(void **state)
{
	struct world *w = world_new(TTL30);

	(void)state;
	world_signs(w, true);
	proven(w, "s1");
	world_session(w, LOGIN_IN, B, "ann", "s2", 0);
	assert_int_equal(world_revoke(w, NULL, "BOB", 0, false), 1);
	assert_int_equal(sessions(w), 1);
	world_pass(w, 10 * SECOND);
	assert_int_equal(world_hold(w), 0);
	assert_int_equal(
	    world_session(w, LOGIN_ALIVE, A, "bob", "s1", 0).judgement,
	    JUDGE_NONE);
	assert_int_equal(world_left(w, A, "bob", NULL), 0);
	assert_int_equal(world_revoke(w, B, NULL, 0, true), 1);
	assert_int_equal(sessions(w), 0);
	world_free(w);
}

static void test_sessions_read_twice_count_once(void **state)
{
	struct world *w = world_new(TTL30);

	(void)state;
	proven(w, "s1");
	assert_int_equal(proven(w, "s1").lease.sessions, 1);
	assert_int_equal(proven(w, "s2").lease.sessions, 2);
	assert_int_equal(sessions(w), 2);
	assert_int_equal(world_logout(w, "s1", 0).lease.sessions, 1);
	world_free(w);
}

static void test_sessions_id_used_again_by_another_user(void **state)
{
	struct world *w = world_new(TTL30);
	struct lease lease;

	(void)state;
	world_signs(w, true);
	proven(w, "s1");
	world_pass(w, MINUTE);
	world_session(w, LOGIN_IN, B, "ann", "s1", 0);
	assert_int_equal(sessions(w), 1);
	world_left(w, A, "bob", &lease);
	assert_int_equal(lease.sessions, 0);
	world_left(w, B, "ann", &lease);
	assert_int_equal(lease.sessions, 1);
	world_free(w);
}

/* Who may speak for B's network may not end what holds A. */
static void test_sessions_id_used_by_another_source(void **state)
{
	struct world *w = world_new(TTL30);
	struct login l = login_of(w, B, "eve");
	struct lease lease;

	(void)state;
	proven(w, "s1");
	l.mpid = 101;
	l.session_len = 2;
	memcpy(l.session, "s1", 2);
	assert_int_equal(
	    world_apply_from(w, &l, WORLD_SOURCE + 1).judgement, JUDGE_LEASE);
	world_left(w, B, "eve", &lease);
	assert_int_equal(lease.sessions, 0);
	hold_for(w, 10 * MINUTE);
	assert_int_equal(world_left(w, A, "bob", NULL), 30 * MINUTE);
	assert_int_equal(world_left(w, B, "eve", NULL), 20 * MINUTE);
	/* When it is over, the id is anybody's. */
	world_logout(w, "s1", 0);
	l.time = w->now.wall;
	assert_int_equal(
	    world_apply_from(w, &l, WORLD_SOURCE + 1).lease.sessions, 1);
	world_free(w);
}

static void test_sessions_without_tls_hold_no_more_when_it_is_required(
    void **state)
{
	struct world *w = world_new(TTL30);
	struct login l = login_of(w, A, "bob");
	const char *ids[] = { "s1", "s2", "s3" };

	(void)state;
	world_signs(w, true);
	w->proc_start = 4711;
	w->proc_began = w->now.wall;
	l.tls = 0;
	l.session_len = 2;
	for (int i = 0; i < 3; i++) {
		/* The first one by its process, the others by signs. */
		l.mpid = i ? 0 : 101;
		memcpy(l.session, ids[i], 2);
		assert_int_equal(world_apply(w, &l).judgement, JUDGE_LEASE);
	}
	world_pass(w, MINUTE);
	l.kind = LOGIN_ALIVE;
	l.time = w->now.wall;
	assert_int_equal(world_apply(w, &l).judgement, JUDGE_LEASE);
	world_rules(w, "lease { require-tls = \"yes\" }");
	world_pass(w, MINUTE);
	l.time = w->now.wall;
	assert_int_equal(world_apply(w, &l).judgement, JUDGE_NO_TLS);
	assert_int_equal(world_hold(w), 0);
	assert_false(world_logout(w, "s3", 0).moved);
	assert_int_equal(world_left(w, A, "bob", NULL), 29 * MINUTE);
	world_free(w);
}

static void test_sessions_with_tls_hold_on_when_it_is_required(void **state)
{
	struct world *w = world_new("lease { require-tls = \"yes\" }");

	(void)state;
	proven(w, "s1");
	/* Nor does a grant, which knows of no session, take that away. */
	assert_int_equal(world_grant(w, A, "bob", MINUTE), JUDGE_LEASE);
	hold_for(w, HOUR);
	assert_int_equal(world_left(w, A, "bob", NULL), 30 * MINUTE);
	world_free(w);
}

static void test_sessions_of_an_ended_lease_are_swept(void **state)
{
	struct world *w = world_new(TTL30);

	(void)state;
	world_signs(w, true);
	world_session(w, LOGIN_IN, A, "bob", "s1", 0);
	world_pass(w, 30 * MINUTE);
	assert_int_equal(world_walk(w), 1);
	assert_int_equal(sessions(w), 0);
	world_free(w);
}

static void test_sessions_of_the_last_boot_are_over(void **state)
{
	struct world *w = world_new(TTL30);

	(void)state;
	proven(w, "s1");
	world_reboot(w, w->now.wall + MINUTE);
	assert_int_equal(sessions(w), 0);
	world_pass(w, 10 * SECOND);
	assert_int_equal(world_hold(w), 0);
	/* Nor can a login from before this boot hold anything. */
	w->proc_began = w->now.wall - HOUR;
	{
		struct login l = login_of(w, B, "bob");

		l.time -= 10 * MINUTE;
		l.mpid = 101;
		l.session_len = 2;
		memcpy(l.session, "s9", 2);
		assert_int_equal(world_apply(w, &l).judgement, JUDGE_LEASE);
	}
	assert_int_equal(sessions(w), 0);
	world_free(w);
}

static void test_sessions_of_the_keeper_before_hold_on(void **state)
{
	struct world *w = world_new(TTL30);

	(void)state;
	proven(w, "s1");
	hold_for(w, 10 * MINUTE);
	world_close(w);
	world_pass(w, 25 * MINUTE);
	world_open(w);
	assert_int_equal(world_left(w, A, "bob", NULL), 5 * MINUTE);
	assert_int_equal(world_hold(w), 1);
	assert_int_equal(world_left(w, A, "bob", NULL), 30 * MINUTE);
	world_free(w);
}

static void test_sessions_are_not_kept_when_holding_is_off(void **state)
{
	struct world *w = world_new(TTL30);

	(void)state;
	proven(w, "s1");
	world_rules(w, "lease { hold-sessions = \"no\" }");
	assert_int_equal(proven(w, "s2").judgement, JUDGE_LEASE);
	assert_int_equal(sessions(w), 1);
	hold_for(w, 10 * MINUTE);
	assert_int_equal(world_left(w, A, "bob", NULL), 20 * MINUTE);
	world_walk(w);
	assert_int_equal(sessions(w), 0);
	world_free(w);
}

static void test_sessions_of_a_denied_user_hold_no_more(void **state)
{
	struct world *w = world_new(TTL30);

	(void)state;
	proven(w, "s1");
	world_rules(w, "lease { deny-users = {\"bob\"} }");
	hold_for(w, 10 * MINUTE);
	assert_int_equal(world_left(w, A, "bob", NULL), 20 * MINUTE);
	world_free(w);
}

static void test_sessions_hold_is_paced(void **state)
{
	struct world *w = world_new(TTL30);
	char session[16];
	size_t moved = 0;

	(void)state;
	for (int i = 0; i < 25; i++) {
		char addr[32];

		(void)snprintf(addr, sizeof(addr), "203.0.113.%d", i + 1);
		(void)snprintf(session, sizeof(session), "s%d", i);
		w->proc_start = 1;
		w->proc_began = w->now.wall;
		world_session(w, LOGIN_IN, addr, "bob", session, 101);
	}
	world_pass(w, 10 * SECOND);
	for (int i = 0; i < 3; i++) {
		size_t now_moved;

		world_begin(w);
		now_moved = apply_hold(w->apply, w->now, 10);
		world_commit(w);
		assert_in_range(now_moved, 5, 10);
		moved += now_moved;
	}
	assert_int_equal(moved, 25);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test(test_sessions_##name)
		T(proven_one_holds_its_lease),
		T(without_a_sign_of_life_hold_nothing),
		T(that_nothing_can_hold_have_no_row),
		T(end_when_their_name_comes_again),
		T(of_a_former_lease_are_not_uncounted),
		T(unseen_hold_as_long_as_configured),
		T(hold_no_longer_than_hold_max),
		T(logout_after_hold_max_gives_nothing),
		T(end_when_the_process_is_gone),
		T(end_when_the_pid_is_another_process),
		T(process_must_not_be_younger_than_its_login),
		T(logout_gives_a_ttl_from_the_logout),
		T(logout_from_the_future_gives_no_more),
		T(logout_of_a_stranger_does_nothing),
		T(sign_of_life_moves_the_end),
		T(sign_of_life_twice_is_a_lease),
		T(sign_of_life_makes_no_lease),
		T(end_with_a_revocation),
		T(read_twice_count_once),
		T(id_used_again_by_another_user),
		T(id_used_by_another_source),
		T(without_tls_hold_no_more_when_it_is_required),
		T(with_tls_hold_on_when_it_is_required),
		T(of_an_ended_lease_are_swept),
		T(of_the_last_boot_are_over),
		T(of_the_keeper_before_hold_on),
		T(are_not_kept_when_holding_is_off),
		T(of_a_denied_user_hold_no_more),
		T(hold_is_paced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
