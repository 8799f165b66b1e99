/* SPDX-License-Identifier: ISC */
/*
 * test_revoke - what is taken away, and for how long it is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lease_world.h"

static const char A[] = "203.0.113.7", B[] = "203.0.113.8";
static const char TTL30[] = "lease { ttl = \"30m\" }";

static void test_revoke_removes_and_refuses_for_a_ttl(void **state)
{
	struct world *w = world_new(TTL30);

	(void)state;
	world_login(w, A, "bob", 0);
	world_login(w, A, "ann", 0);
	world_login(w, B, "bob", 0);
	assert_int_equal(world_revoke(w, A, NULL, 0, false), 2);
	assert_int_equal(world_left(w, A, "bob", NULL), 0);
	assert_true(world_left(w, B, "bob", NULL) > 0);
	assert_int_equal(world_login(w, A, "eve", 0).judgement, JUDGE_REVOKED);
	assert_int_equal(world_grant(w, A, "eve", 0), JUDGE_REVOKED);
	world_pass(w, 30 * MINUTE);
	assert_int_equal(world_login(w, A, "eve", 0).judgement, JUDGE_REVOKED);
	world_pass(w, 1);
	assert_int_equal(world_login(w, A, "eve", 0).judgement, JUDGE_LEASE);
	/* The login's own time counts. */
	assert_int_equal(world_login(w, A, "ann", 1).judgement, JUDGE_REVOKED);
	world_free(w);
}

static void test_revoke_by_user_finds_every_address(void **state)
{
	struct world *w = world_new(TTL30);

	(void)state;
	world_login(w, A, "bob", 0);
	world_login(w, B, "BOB", 0);
	world_login(w, "2001:db8::7", "bob", 0);
	world_login(w, A, "bobby", 0);
	assert_int_equal(world_revoke(w, NULL, "Bob", 0, false), 3);
	assert_int_equal(world_login(w, A, "bob", 0).judgement, JUDGE_REVOKED);
	assert_int_equal(world_login(w, A, "bOb", 0).judgement, JUDGE_REVOKED);
	assert_int_equal(world_login(w, A, "bobby", 0).judgement, JUDGE_LEASE);
	world_free(w);
}

static void test_revoke_of_both_spares_the_rest(void **state)
{
	struct world *w = world_new(TTL30);

	(void)state;
	world_login(w, A, "bob", 0);
	assert_int_equal(world_revoke(w, A, "bob", 0, false), 1);
	assert_int_equal(world_login(w, A, "bob", 0).judgement, JUDGE_REVOKED);
	assert_int_equal(world_login(w, A, "ann", 0).judgement, JUDGE_LEASE);
	assert_int_equal(world_login(w, B, "bob", 0).judgement, JUDGE_LEASE);
	world_free(w);
}

static void test_revoke_now_only_just_removes(void **state)
{
	struct world *w = world_new(TTL30);

	(void)state;
	world_login(w, A, "bob", 0);
	assert_int_equal(world_revoke(w, A, NULL, 0, true), 1);
	assert_int_equal(world_left(w, A, "bob", NULL), 0);
	assert_int_equal(world_login(w, A, "bob", 0).judgement, JUDGE_LEASE);
	world_free(w);
}

static void test_revoke_beats_logins_within_max_skew(void **state)
{
	struct world *w = world_new(TTL30);

	(void)state;
	world_revoke(w, A, NULL, SECOND, false);
	world_pass(w, 5 * MINUTE);
	assert_int_equal(world_login(w, A, "bob", 0).judgement, JUDGE_REVOKED);
	world_pass(w, 1);
	assert_int_equal(world_login(w, A, "bob", 0).judgement, JUDGE_LEASE);
	world_free(w);
}

static void test_revoke_for_longer_is_not_cut_short(void **state)
{
	struct world *w = world_new(TTL30);

	(void)state;
	world_revoke(w, A, NULL, 2 * HOUR, false);
	world_revoke(w, A, NULL, 0, false);
	for (int i = 0; i < 12; i++) {
		world_pass(w, 10 * MINUTE);
		world_walk(w);
		assert_int_equal(
		    world_login(w, A, "bob", 0).judgement, JUDGE_REVOKED);
	}
	world_pass(w, 1);
	assert_int_equal(world_login(w, A, "bob", 0).judgement, JUDGE_LEASE);
	world_free(w);
}

static int count_revocation(void *ctx, const struct ledger_revocation *r)
{
	(void)r;
	++*(int *)ctx;
	return 0;
}

static int revocations(struct world *w)
{
	int count = 0;

	world_begin(w);
	ledger_revocation_each(w->ledger, count_revocation, &count);
	world_commit(w);
	return count;
}

static void test_revoke_revocation_is_kept_as_long_as_a_login_may_come(
    void **state)
{
	struct world *w = world_new(TTL30);

	(void)state;
	world_revoke(w, A, NULL, 0, false);
	/* Its own half hour, and a day for logins that are imported. */
	world_pass(w, 30 * MINUTE + DAY - 1);
	world_walk(w);
	assert_int_equal(revocations(w), 1);
	/* The wall clock alone does not delete it. */
	w->now.wall += DAY;
	world_walk(w);
	assert_int_equal(revocations(w), 1);
	world_pass(w, 1);
	world_walk(w);
	assert_int_equal(revocations(w), 0);
	world_free(w);
}

static void test_revoke_revocation_outlives_reboots(void **state)
{
	struct world *w = world_new(TTL30);

	(void)state;
	world_revoke(w, NULL, "bob", DAY, false);
	for (int i = 0; i < 20; i++) {
		world_reboot(w, w->now.wall + HOUR);
		world_walk(w);
		assert_int_equal(
		    world_login(w, A, "bob", 0).judgement, JUDGE_REVOKED);
	}
	world_reboot(w, w->now.wall + 4 * HOUR + 1);
	assert_int_equal(world_login(w, A, "bob", 0).judgement, JUDGE_LEASE);
	world_free(w);
}

static void test_revoke_of_nothing_does_nothing(void **state)
{
	struct world *w = world_new(TTL30);

	(void)state;
	world_login(w, A, "bob", 0);
	assert_int_equal(world_revoke(w, NULL, NULL, 0, false), 0);
	assert_int_equal(world_revoke(w, NULL, "", 0, false), 0);
	assert_int_equal(world_revoke(w, "::", NULL, 0, false), 0);
	/* Not the same as revoking bob everywhere. */
	assert_int_equal(world_revoke(w, "::", "bob", 0, false), 0);
	assert_int_equal(world_revoke(w, NULL, "b\n", 0, false), 0);
	assert_int_equal(world_left(w, A, "bob", NULL), 30 * MINUTE);
	assert_int_equal(revocations(w), 0);
	world_free(w);
}

/* --- by a source: LOGIN_END ---------------------------------------------- */

enum { OTHER_SOURCE = WORLD_SOURCE + 1 };

/* How many leases this end has ended; each is told. */
static size_t end_by(struct world *w, uint16_t source, const char *addr,
    const char *user, int64_t age)
{
	struct login l = login_of(w, addr, user);
	struct applied done;

	l.kind = LOGIN_END;
	l.time -= age;
	w->told_count = 0;
	done = world_apply_from(w, &l, source);
	assert_int_equal(done.ended, w->told_count);
	assert_int_equal(
	    done.judgement, w->told_count ? JUDGE_LEASE : JUDGE_NONE);
	assert_false(done.moved);
	if (w->told_count)
		assert_memory_equal(&done.lease, &w->told[w->told_count - 1],
		    sizeof(done.lease));
	return done.ended;
}

static void test_revoke_end_takes_the_lease_of_addr_and_user(void **state)
{
	struct world *w = world_new(TTL30);

	(void)state;
	world_login(w, A, "bob", 0);
	world_login(w, A, "ann", 0);
	world_login(w, B, "bob", 0);
	assert_int_equal(end_by(w, WORLD_SOURCE, A, "BOB", 0), 1);
	assert_string_equal(w->told[0].user, "bob");
	assert_int_equal(world_left(w, A, "bob", NULL), 0);
	assert_int_equal(world_left(w, A, "ann", NULL), 30 * MINUTE);
	assert_int_equal(world_left(w, B, "bob", NULL), 30 * MINUTE);
	assert_int_equal(ledger_rows(w->ledger), 2);
	/* A second one finds none; nothing is refused from now on. */
	assert_int_equal(end_by(w, WORLD_SOURCE, A, "bob", 0), 0);
	assert_int_equal(end_by(w, WORLD_SOURCE, "::", "bob", 0), 0);
	assert_true(world_login(w, A, "bob", 0).fresh);
	world_free(w);
}

static void test_revoke_end_without_a_user_takes_what_the_source_made(
    void **state)
{
	struct world *w = world_new(TTL30);
	struct login l = login_of(w, A, "");

	(void)state;
	l.userless = 1;
	world_apply(w, &l);
	world_login(w, A, "bob", 0);
	world_login(w, B, "bob", 0);
	l = login_of(w, A, "ann");
	world_apply_from(w, &l, OTHER_SOURCE);
	assert_int_equal(end_by(w, WORLD_SOURCE, A, "", 0), 2);
	assert_int_equal(world_left(w, A, "", NULL), 0);
	assert_int_equal(world_left(w, A, "bob", NULL), 0);
	assert_true(world_left(w, A, "ann", NULL) > 0);
	assert_true(world_left(w, B, "bob", NULL) > 0);
	assert_int_equal(end_by(w, 0, A, "", 0), 0);
	world_free(w);
}

static void test_revoke_end_spares_what_another_source_told_of(void **state)
{
	struct world *w = world_new(TTL30);
	struct login l = login_of(w, A, "bob");

	(void)state;
	/* Named or not, by the one or the other, whoever was last. */
	world_apply_from(w, &l, OTHER_SOURCE);
	assert_int_equal(end_by(w, WORLD_SOURCE, A, "bob", 0), 0);
	world_pass(w, MINUTE);
	world_login(w, A, "bob", 0);
	for (unsigned by = WORLD_SOURCE; by <= OTHER_SOURCE; by++) {
		assert_int_equal(end_by(w, (uint16_t)by, A, "bob", 0), 0);
		assert_int_equal(end_by(w, (uint16_t)by, A, "", 0), 0);
	}
	assert_int_equal(world_left(w, A, "bob", NULL), 30 * MINUTE);
	/* Also when the other one's login came late and moved nothing. */
	world_login(w, B, "bob", 0);
	l = login_of(w, B, "bob");
	l.time -= 20 * MINUTE;
	assert_false(world_apply_from(w, &l, OTHER_SOURCE).moved);
	assert_int_equal(end_by(w, WORLD_SOURCE, B, "bob", 0), 0);
	/* A lease that is over is shared no more. */
	world_pass(w, 30 * MINUTE);
	world_login(w, A, "bob", 0);
	assert_int_equal(end_by(w, WORLD_SOURCE, A, "bob", 0), 1);
	world_free(w);
}

static void test_revoke_end_spares_a_grant_by_hand(void **state)
{
	struct world *w = world_new(TTL30);

	(void)state;
	world_grant(w, A, "bob", 0);
	assert_int_equal(end_by(w, WORLD_SOURCE, A, "bob", 0), 0);
	world_login(w, A, "bob", 0);
	assert_int_equal(end_by(w, WORLD_SOURCE, A, "bob", 0), 0);
	world_login(w, B, "bob", 0);
	world_grant(w, B, "bob", 0);
	world_pass(w, 1);
	world_login(w, B, "bob", 0);
	assert_int_equal(end_by(w, WORLD_SOURCE, B, "bob", 0), 0);
	assert_true(world_left(w, B, "bob", NULL) > 0);
	world_free(w);
}

static void test_revoke_end_older_than_the_last_login_comes_too_late(
    void **state)
{
	struct world *w = world_new(TTL30);

	(void)state;
	world_login(w, A, "bob", MINUTE);
	world_login(w, A, "bob", 0);
	assert_int_equal(end_by(w, WORLD_SOURCE, A, "bob", 1), 0);
	assert_int_equal(world_left(w, A, "bob", NULL), 30 * MINUTE);
	assert_int_equal(end_by(w, WORLD_SOURCE, A, "bob", 0), 1);
	world_free(w);
}

static void test_revoke_end_of_a_sleeping_lease_tells_nothing(void **state)
{
	struct world *w = world_new(TTL30);

	(void)state;
	world_login(w, A, "bob", 0);
	w->now.wall += DAY;
	assert_int_equal(end_by(w, WORLD_SOURCE, A, "bob", 0), 0);
	/* But it will not wake up again. */
	w->now.wall -= DAY;
	assert_int_equal(world_left(w, A, "bob", NULL), 0);
	world_free(w);
}

/* One line looks at so many rows and no more; the others run out. */
static void test_revoke_end_at_an_address_of_many(void **state)
{
	enum { USERS = 600, LOOKED_AT = 256 };
	struct world *w = world_new(TTL30);
	struct login l = login_of(w, A, "");
	struct applied done;

	(void)state;
	world_begin(w);
	for (int i = 0; i < USERS; i++) {
		l.user_len =
		    (uint8_t)snprintf(l.user, sizeof(l.user), "u%03d", i);
		apply_login(w->apply, &l, WORLD_SOURCE, w->now, &done);
	}
	world_commit(w);
	assert_int_equal(end_by(w, WORLD_SOURCE, A, "U100", 0), 1);
	/* Behind them, by its very name only. */
	assert_int_equal(end_by(w, WORLD_SOURCE, A, "U500", 0), 0);
	assert_int_equal(end_by(w, OTHER_SOURCE, A, "u500", 0), 0);
	assert_int_equal(end_by(w, WORLD_SOURCE, A, "u500", 0), 1);
	apply_tell_ends(w->apply, NULL, NULL);
	l = login_of(w, A, "");
	l.kind = LOGIN_END;
	assert_int_equal(world_apply(w, &l).ended, LOOKED_AT);
	assert_true(world_left(w, A, "u599", NULL) > 0);
	world_free(w);
}

static void test_revoke_end_ends_the_sessions_of_the_lease(void **state)
{
	struct world *w = world_new(TTL30);
	struct lease lease;
	struct login l;

	(void)state;
	w->proc_start = 4711;
	w->proc_began = w->now.wall;
	world_session(w, LOGIN_IN, A, "bob", "s1", 101);
	world_session(w, LOGIN_IN, A, "Bob", "s2", 101);
	world_session(w, LOGIN_IN, B, "bob", "s3", 101);
	/* This one is shared, so that "Bob" stays with its session. */
	l = login_of(w, A, "Bob");
	world_apply_from(w, &l, OTHER_SOURCE);
	assert_int_equal(end_by(w, WORLD_SOURCE, A, "bob", 0), 1);
	world_pass(w, 10 * SECOND);
	/* A new lease of the same name is not held by the session before. */
	world_login(w, A, "bob", 0);
	world_pass(w, MINUTE);
	assert_int_equal(world_hold(w), 2);
	assert_int_equal(world_left(w, A, "bob", &lease), 29 * MINUTE);
	assert_int_equal(lease.sessions, 0);
	assert_int_equal(world_left(w, A, "Bob", NULL), 30 * MINUTE);
	assert_int_equal(world_left(w, B, "bob", NULL), 30 * MINUTE);
	world_free(w);
}

static void test_revoke_of_an_address_takes_leases_without_a_user(void **state)
{
	struct world *w = world_new(TTL30);
	struct login l = login_of(w, A, "");

	(void)state;
	l.userless = 1;
	world_apply(w, &l);
	assert_int_equal(world_revoke(w, NULL, "bob", 0, false), 0);
	assert_int_equal(world_left(w, A, "", NULL), 30 * MINUTE);
	assert_int_equal(world_revoke(w, A, NULL, 0, false), 1);
	assert_int_equal(world_left(w, A, "", NULL), 0);
	assert_int_equal(world_apply(w, &l).judgement, JUDGE_REVOKED);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test(test_revoke_##name)
		T(removes_and_refuses_for_a_ttl),
		T(by_user_finds_every_address),
		T(of_both_spares_the_rest),
		T(now_only_just_removes),
		T(beats_logins_within_max_skew),
		T(for_longer_is_not_cut_short),
		T(revocation_is_kept_as_long_as_a_login_may_come),
		T(revocation_outlives_reboots),
		T(of_nothing_does_nothing),
		T(end_takes_the_lease_of_addr_and_user),
		T(end_without_a_user_takes_what_the_source_made),
		T(end_spares_what_another_source_told_of),
		T(end_spares_a_grant_by_hand),
		T(end_older_than_the_last_login_comes_too_late),
		T(end_of_a_sleeping_lease_tells_nothing),
		T(end_at_an_address_of_many),
		T(end_ends_the_sessions_of_the_lease),
		T(of_an_address_takes_leases_without_a_user),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
