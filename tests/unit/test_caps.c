/* SPDX-License-Identifier: ISC */
/*
 * test_caps - how many users an address, how many addresses a user may have.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lease_world.h"

static const char A[] = "203.0.113.7", B[] = "203.0.113.8";

static void test_caps_users_per_address(void **state)
{
	struct world *w = world_new("lease { max-users-per-address = 2 }");

	(void)state;
	assert_int_equal(world_login(w, A, "u1", 0).judgement, JUDGE_LEASE);
	world_pass(w, 10 * MINUTE);
	assert_int_equal(world_login(w, A, "u2", 0).judgement, JUDGE_LEASE);
	assert_int_equal(world_login(w, A, "u3", 0).judgement, JUDGE_USERS_CAP);
	assert_int_equal(world_login(w, B, "u3", 0).judgement, JUDGE_LEASE);
	/* Those who are in may renew. */
	assert_int_equal(world_login(w, A, "u2", 0).judgement, JUDGE_LEASE);
	/* A lease that has run out does not count, swept or not. */
	world_pass(w, 20 * MINUTE);
	assert_int_equal(world_login(w, A, "u3", 0).judgement, JUDGE_LEASE);
	/* Spelling makes no third user. */
	assert_int_equal(world_login(w, A, "U2", 0).judgement, JUDGE_LEASE);
	world_free(w);
}

static void test_caps_addresses_per_user(void **state)
{
	struct world *w = world_new("");
	char text[ADDR_TEXT_SIZE];

	(void)state;
	/* Leases from before the option was on count too. */
	world_login(w, A, "bob", 0);
	world_rules(w, "lease { max-addresses-per-user = 2 }");
	assert_int_equal(world_login(w, B, "bob", 0).judgement, JUDGE_LEASE);
	assert_int_equal(world_login(w, "203.0.113.9", "bob", 0).judgement,
	    JUDGE_ADDRESSES_CAP);
	assert_int_equal(world_login(w, "203.0.113.9", "BOB", 0).judgement,
	    JUDGE_ADDRESSES_CAP);
	assert_int_equal(world_login(w, A, "bob", 0).judgement, JUDGE_LEASE);
	for (int i = 1; i < 200; i++) {
		char user[16];

		(void)snprintf(user, sizeof(user), "user%d", i);
		(void)snprintf(text, sizeof(text), "198.51.100.%d", i);
		assert_int_equal(
		    world_login(w, text, user, 0).judgement, JUDGE_LEASE);
	}
	assert_int_equal(world_revoke(w, A, "bob", 0, true), 1);
	assert_int_equal(
	    world_login(w, "203.0.113.9", "bob", 0).judgement, JUDGE_LEASE);
	world_free(w);
}

static void test_caps_nobody_is_a_user_of_an_address_and_of_no_other(
    void **state)
{
	struct world *w = world_new("lease { max-users-per-address = 1 "
				    "max-addresses-per-user = 1 }");
	struct login l = login_of(w, A, "");

	(void)state;
	l.userless = 1;
	assert_int_equal(world_apply(w, &l).judgement, JUDGE_LEASE);
	assert_int_equal(
	    world_login(w, A, "bob", 0).judgement, JUDGE_USERS_CAP);
	/* Not one user at many addresses, but many whom nobody names. */
	for (int i = 1; i < 6; i++) {
		l.addr.bytes[15] = (uint8_t)(100 + i);
		assert_int_equal(world_apply(w, &l).judgement, JUDGE_LEASE);
	}
	world_free(w);
}

static void test_caps_index_grows_with_the_ledger(void **state)
{
	struct world *w = world_new("lease { max-addresses-per-user = 1 }");
	char text[ADDR_TEXT_SIZE], user[16];
	struct applied done;

	(void)state;
	world_begin(w);
	for (int i = 0; i < 3000; i++) {
		struct login l;

		(void)snprintf(user, sizeof(user), "user%d", i);
		(void)snprintf(text, sizeof(text), "198.51.%d.%d", i / 250 + 1,
		    i % 250 + 1);
		l = login_of(w, text, user);
		apply_login(w->apply, &l, 1, w->now, &done);
		assert_int_equal(done.judgement, JUDGE_LEASE);
	}
	for (int i = 0; i < 3000; i++) {
		struct login l;

		(void)snprintf(user, sizeof(user), "user%d", i);
		l = login_of(w, A, user);
		apply_login(w->apply, &l, 1, w->now, &done);
		assert_int_equal(done.judgement, JUDGE_ADDRESSES_CAP);
	}
	world_commit(w);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test(test_caps_##name)
		T(users_per_address),
		T(addresses_per_user),
		T(nobody_is_a_user_of_an_address_and_of_no_other),
		T(index_grows_with_the_ledger),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
