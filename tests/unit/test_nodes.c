/* SPDX-License-Identifier: ISC */
/*
 * test_nodes - what other nodes tell: leases that end no later than there, and
 * revocations that beat what is older, in whatever order they come.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lease_world.h"

static const char A[] = "203.0.113.7", B[] = "203.0.113.8";
static const char TTL30[] = "lease { ttl = \"30m\" }";
static const uint64_t THERE = 0x0123456789abcdef;

/* A lease of another node: proven `age` ms ago, `left` ms long. */
static struct applied lease_there(struct world *w, const char *addr,
    const char *user, int64_t age, int64_t left)
{
	struct login l = login_of(w, addr, user);

	l.kind = LOGIN_LEASE;
	l.time -= age;
	l.end = w->now.wall + left;
	l.origin = THERE;
	return world_apply(w, &l);
}

/* Said `age` ms ago, refuses until `left` ms from now. NULL: any. */
static struct applied revoke_there(struct world *w, const char *addr,
    const char *user, int64_t age, int64_t left)
{
	struct login l = login_of(w, B, user ? user : "");

	l.kind = LOGIN_REVOKE;
	l.addr = addr ? address(addr) : (struct addr){ 0 };
	l.time -= age;
	l.end = w->now.wall + left;
	l.origin = THERE;
	l.sequence = 1;
	return world_apply(w, &l);
}

static void test_a_lease_ends_as_it_does_there(void **state)
{
	struct world *w = world_new(TTL30);
	struct lease lease;

	(void)state;
	assert_int_equal(
	    lease_there(w, A, "bob", 0, 7 * MINUTE).judgement, JUDGE_LEASE);
	assert_int_equal(world_left(w, A, "bob", &lease), 7 * MINUTE);
	assert_int_equal(lease.sessions, 0);
	/* Later than now + ttl no lease ends, and none that is over begins. */
	lease_there(w, B, "bob", 0, 7 * HOUR);
	assert_int_equal(world_left(w, B, "bob", NULL), 30 * MINUTE);
	lease_there(w, B, "ann", 10 * MINUTE, 7 * HOUR);
	assert_int_equal(world_left(w, B, "ann", NULL), 20 * MINUTE);
	assert_int_equal(lease_there(w, A, "ann", 0, 0).judgement, JUDGE_OLD);
	assert_int_equal(
	    lease_there(w, A, "ann", HOUR, MINUTE).judgement, JUDGE_OLD);
	assert_int_equal(world_left(w, A, "ann", NULL), 0);
	world_free(w);
}

static void test_the_latest_end_wins_in_any_order(void **state)
{
	static const int64_t lefts[] = { 9, 3, 20, 1 };
	struct world *w = world_new(TTL30);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(lefts); i++)
		lease_there(w, A, "bob", 0, lefts[i] * MINUTE);
	assert_int_equal(world_left(w, A, "bob", NULL), 20 * MINUTE);
	world_login(w, A, "bob", 0);
	lease_there(w, A, "bob", 0, MINUTE);
	assert_int_equal(world_left(w, A, "bob", NULL), 30 * MINUTE);
	world_free(w);
}

static void test_it_is_judged_like_a_login(void **state)
{
	struct world *w = world_new(
	    "lease { ttl = \"30m\" require-tls = yes deny-users = {\"eve\"} "
	    "never = {\"203.0.113.8\"} }");
	struct login l = login_of(w, A, "bob");

	(void)state;
	assert_int_equal(
	    lease_there(w, A, "eve", 0, MINUTE).judgement, JUDGE_USER_DENIED);
	assert_int_equal(
	    lease_there(w, B, "bob", 0, MINUTE).judgement, JUDGE_NEVER);
	assert_int_equal(
	    lease_there(w, "127.0.0.1", "bob", 0, MINUTE).judgement,
	    JUDGE_SPECIAL);
	l.kind = LOGIN_LEASE;
	l.tls = 0;
	l.end = w->now.wall + MINUTE;
	assert_int_equal(world_apply(w, &l).judgement, JUDGE_NO_TLS);
	assert_int_equal(
	    lease_there(w, A, "bob", -HOUR, 2 * HOUR).judgement, JUDGE_FUTURE);
	assert_int_equal(world_left(w, A, "bob", NULL), 0);
	world_free(w);
}

static void test_a_revocation_wins_over_what_is_older(void **state)
{
	struct world *w = world_new(TTL30);
	struct applied done;

	(void)state;
	lease_there(w, A, "bob", 0, 20 * MINUTE);
	world_login(w, A, "ann", 0);
	world_login(w, B, "bob", 0);
	done = revoke_there(w, A, NULL, MINUTE, 29 * MINUTE);
	assert_int_equal(done.judgement, JUDGE_LEASE);
	assert_int_equal(world_left(w, A, "bob", NULL), 0);
	assert_int_equal(world_left(w, A, "ann", NULL), 0);
	assert_true(world_left(w, B, "bob", NULL) > 0);
	/* A late grant does not bring it back, nor does a login. */
	assert_int_equal(
	    lease_there(w, A, "bob", 2 * MINUTE, 20 * MINUTE).judgement,
	    JUDGE_REVOKED);
	assert_int_equal(world_login(w, A, "bob", 0).judgement, JUDGE_REVOKED);
	world_pass(w, 29 * MINUTE + 1);
	assert_int_equal(
	    lease_there(w, A, "bob", 25 * MINUTE, 5 * MINUTE).judgement,
	    JUDGE_REVOKED);
	assert_int_equal(world_login(w, A, "bob", 0).judgement, JUDGE_LEASE);
	world_free(w);
}

static void test_a_late_revocation_spares_what_is_newer(void **state)
{
	struct world *w = world_new(TTL30);

	(void)state;
	world_login(w, A, "bob", 10 * MINUTE);
	world_login(w, A, "ann", 0);
	revoke_there(w, A, NULL, 20 * MINUTE, -5 * MINUTE);
	assert_int_equal(world_left(w, A, "bob", NULL), 0);
	assert_int_equal(world_left(w, A, "ann", NULL), 30 * MINUTE);
	world_free(w);
}

static void test_a_revocation_of_a_user_is_for_every_address(void **state)
{
	struct world *w = world_new(TTL30);

	(void)state;
	world_login(w, A, "bob", 0);
	world_login(w, B, "BOB", 0);
	world_login(w, B, "ann", 0);
	revoke_there(w, NULL, "Bob", 0, 30 * MINUTE);
	assert_int_equal(world_left(w, A, "bob", NULL), 0);
	assert_int_equal(world_left(w, B, "BOB", NULL), 0);
	assert_true(world_left(w, B, "ann", NULL) > 0);
	/* Of neither: of nobody. */
	assert_int_equal(
	    revoke_there(w, NULL, NULL, 0, HOUR).judgement, JUDGE_NONE);
	assert_true(world_left(w, B, "ann", NULL) > 0);
	world_free(w);
}

static void test_a_revocation_that_is_known_changes_nothing(void **state)
{
	struct world *w = world_new(TTL30);
	uint64_t before;

	(void)state;
	revoke_there(w, A, "bob", 0, 30 * MINUTE);
	must(ledger_read_begin(w->ledger, NULL) == 0);
	before = ledger_sequence(w->ledger);
	ledger_read_end(w->ledger);
	for (int i = 0; i < 3; i++)
		assert_int_equal(
		    revoke_there(w, A, "bob", 0, 30 * MINUTE - i).judgement,
		    JUDGE_NONE);
	must(ledger_read_begin(w->ledger, NULL) == 0);
	assert_int_equal(ledger_sequence(w->ledger), before);
	ledger_read_end(w->ledger);
	assert_int_equal(
	    revoke_there(w, A, "bob", 0, 31 * MINUTE).judgement, JUDGE_LEASE);
	world_free(w);
}

static int keep_origin(void *ctx, const struct ledger_revocation *r)
{
	memcpy(ctx, r->origin, sizeof(r->origin));
	return 0;
}

/* Both nodes would take it for the other's, and none would tell it again. */
static void test_a_login_of_the_same_moment_stays_ours(void **state)
{
	enum { HERE = WORLD_SOURCE + 1 };
	struct world *w = world_new(TTL30);
	struct login here = login_of(w, A, "bob");
	struct lease lease;

	(void)state;
	world_apply_from(w, &here, HERE);
	lease_there(w, A, "bob", 0, 30 * MINUTE);
	(void)world_left(w, A, "bob", &lease);
	assert_int_equal(lease.source, HERE);
	/* The other order; and what is newer there is theirs. */
	here = login_of(w, B, "bob");
	lease_there(w, B, "bob", 0, 30 * MINUTE);
	world_apply_from(w, &here, HERE);
	(void)world_left(w, B, "bob", &lease);
	assert_int_equal(lease.source, HERE);
	lease_there(w, B, "bob", -1, 30 * MINUTE);
	(void)world_left(w, B, "bob", &lease);
	assert_int_equal(lease.source, HERE);
	world_pass(w, 2);
	lease_there(w, B, "bob", 0, 30 * MINUTE);
	(void)world_left(w, B, "bob", &lease);
	assert_int_equal(lease.source, WORLD_SOURCE);
	world_free(w);
}

static void test_who_said_it_is_remembered(void **state)
{
	struct world *w = world_new(TTL30);
	char origin[17] = "";

	(void)state;
	revoke_there(w, A, NULL, 0, 30 * MINUTE);
	must(ledger_read_begin(w->ledger, NULL) == 0);
	assert_int_equal(
	    ledger_revocation_each(w->ledger, keep_origin, origin), 0);
	ledger_read_end(w->ledger);
	assert_string_equal(origin, "0123456789abcdef");
	world_free(w);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_lease_ends_as_it_does_there),
		cmocka_unit_test(test_the_latest_end_wins_in_any_order),
		cmocka_unit_test(test_it_is_judged_like_a_login),
		cmocka_unit_test(test_a_revocation_wins_over_what_is_older),
		cmocka_unit_test(test_a_late_revocation_spares_what_is_newer),
		cmocka_unit_test(
		    test_a_revocation_of_a_user_is_for_every_address),
		cmocka_unit_test(
		    test_a_revocation_that_is_known_changes_nothing),
		cmocka_unit_test(test_a_login_of_the_same_moment_stays_ours),
		cmocka_unit_test(test_who_said_it_is_remembered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
