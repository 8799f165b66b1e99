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

static void test_revoke_revocation_is_kept_a_ttl_longer(void **state)
{
	struct world *w = world_new(TTL30);

	(void)state;
	world_revoke(w, A, NULL, 0, false);
	world_pass(w, HOUR - 1);
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
		T(revocation_is_kept_a_ttl_longer),
		T(revocation_outlives_reboots),
		T(of_nothing_does_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
