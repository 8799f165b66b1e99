/* SPDX-License-Identifier: ISC */
/*
 * test_sweep - how leases end: the paced walk and the wheel.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lease_world.h"

static const char A[] = "203.0.113.7", B[] = "203.0.113.8";
static const char TTL30[] = "lease { ttl = \"30m\" }";

static void test_sweep_due_ends_a_lease_within_a_second(void **state)
{
	struct world *w = world_new("lease { ttl = \"90s\" }");

	(void)state;
	world_login(w, A, "bob", 0);
	world_pass(w, 90 * SECOND - 1);
	assert_int_equal(world_due(w), 0);
	world_pass(w, 500);
	assert_int_equal(world_due(w), 1);
	assert_string_equal(w->told[0].user, "bob");
	assert_int_equal(ledger_rows(w->ledger), 0);
	assert_int_equal(world_due(w), 0);
	world_free(w);
}

static void test_sweep_walk_feeds_the_wheel(void **state)
{
	struct world *w = world_new(TTL30);
	size_t ended = 0;

	(void)state;
	for (int i = 0; i < 50; i++) {
		char addr[32];

		(void)snprintf(addr, sizeof(addr), "203.0.113.%d", i + 1);
		world_login(w, addr, "bob", i * MINUTE / 2);
	}
	/* A round a minute; each lease must end within a second. */
	for (int64_t t = 0; t < 31 * MINUTE; t += SECOND / 2) {
		world_pass(w, SECOND / 2);
		/* Half a second past, so that the wheel comes first. */
		if (t % MINUTE == 0)
			assert_int_equal(world_walk(w), 0);
		ended += world_due(w);
		for (size_t i = 0; i < w->told_count; i++)
			assert_in_range(
			    w->now.boot - w->told[i].end.boot, 0, SECOND);
	}
	assert_int_equal(ended, 50);
	assert_int_equal(ledger_rows(w->ledger), 0);
	world_free(w);
}

static void test_sweep_due_lets_a_renewed_lease_live(void **state)
{
	struct world *w = world_new("lease { ttl = \"60s\" }");

	(void)state;
	world_login(w, A, "bob", 0);
	for (int i = 0; i < 20; i++) {
		world_pass(w, 30 * SECOND);
		world_login(w, A, "bob", 0);
		if (i % 2)
			world_walk(w);
		assert_int_equal(world_due(w), 0);
	}
	world_pass(w, 60 * SECOND + 300);
	assert_int_equal(world_due(w), 1);
	world_free(w);
}

static void test_sweep_due_tells_a_wall_end_once_and_keeps_the_row(void **state)
{
	struct world *w = world_new("lease { ttl = \"60s\" }");

	(void)state;
	world_login(w, A, "bob", 0);
	/* The wall clock is ahead by 10 s; the wheel goes by the boot clock. */
	w->now.wall += 10 * SECOND;
	world_pass(w, 50 * SECOND);
	assert_int_equal(world_left(w, A, "bob", NULL), 0);
	assert_int_equal(world_walk(w), 1);
	assert_int_equal(ledger_rows(w->ledger), 1);
	world_pass(w, 10 * SECOND + 300);
	assert_int_equal(world_due(w), 0);
	assert_int_equal(ledger_rows(w->ledger), 0);
	world_free(w);
}

static void test_sweep_walk_is_paced(void **state)
{
	struct world *w = world_new(TTL30);
	char addr[32];
	int calls = 1;
	bool whole;

	(void)state;
	for (int i = 0; i < 200; i++) {
		(void)snprintf(addr, sizeof(addr), "203.0.113.%d", i + 1);
		world_login(w, addr, "bob", 0);
	}
	world_pass(w, HOUR);
	for (;; calls++) {
		size_t before = ledger_rows(w->ledger);

		w->told_count = 0;
		world_begin(w);
		whole = apply_walk(w->apply, w->now, 20, world_told, w);
		world_commit(w);
		assert_in_range(before - ledger_rows(w->ledger), 0, 20);
		if (whole)
			break;
	}
	assert_in_range(calls, 10, 12);
	assert_int_equal(ledger_rows(w->ledger), 0);
	world_free(w);
}

static void test_sweep_walk_passes_an_address_with_many_users(void **state)
{
	struct world *w = world_new(TTL30);
	char user[16];

	(void)state;
	for (int i = 0; i < 60; i++) {
		(void)snprintf(user, sizeof(user), "user%02d", i);
		world_login(w, A, user, i % 2 ? 0 : 25 * MINUTE);
	}
	world_login(w, B, "bob", 0);
	world_pass(w, 10 * MINUTE);
	assert_int_equal(world_walk(w), 30);
	assert_int_equal(ledger_rows(w->ledger), 31);
	world_pass(w, 20 * MINUTE);
	assert_int_equal(world_walk(w), 31);
	world_free(w);
}

static void test_sweep_walk_cuts_what_a_shorter_ttl_forbids(void **state)
{
	struct world *w = world_new("lease { ttl = \"2h\" }");
	struct lease lease;

	(void)state;
	world_login(w, A, "bob", 0);
	world_rules(w, "lease { ttl = \"10m\" }");
	assert_int_equal(world_walk(w), 0);
	world_left(w, A, "bob", &lease);
	assert_int_equal(lease.end.boot, w->now.boot + 10 * MINUTE);
	assert_int_equal(lease.end.wall, w->now.wall + 10 * MINUTE);
	world_free(w);
}

static void test_sweep_wheel_forgets_nothing_after_a_failed_commit(void **state)
{
	struct world *w = world_new("lease { ttl = \"60s\" }");
	struct login l = login_of(w, A, "bob");
	struct applied done;

	(void)state;
	world_begin(w);
	apply_login(w->apply, &l, 1, w->now, &done);
	ledger_abort(w->ledger);
	assert_int_equal(world_left(w, A, "bob", NULL), 0);
	world_login(w, A, "bob", 0);
	assert_int_equal(world_left(w, A, "bob", NULL), MINUTE);
	world_pass(w, MINUTE + 300);
	assert_int_equal(world_due(w), 1);
	world_free(w);
}

/* A planted row, or one of another boot clock: not long, but invalid. */
static void test_sweep_walk_never_revives_an_impossible_row(void **state)
{
	struct world *w = world_new("lease { ttl = \"1m\" }");

	(void)state;
	world_login(w, A, "bob", 0);
	w->now.boot -= 60 * MINUTE;
	w->now.wall -= 60 * MINUTE;
	assert_int_equal(world_left(w, A, "bob", NULL), 0);
	world_walk(w);
	world_walk(w);
	assert_int_equal(world_left(w, A, "bob", NULL), 0);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test(test_sweep_##name)
		T(due_ends_a_lease_within_a_second),
		T(walk_feeds_the_wheel),
		T(due_lets_a_renewed_lease_live),
		T(due_tells_a_wall_end_once_and_keeps_the_row),
		T(walk_is_paced),
		T(walk_passes_an_address_with_many_users),
		T(walk_cuts_what_a_shorter_ttl_forbids),
		T(walk_never_revives_an_impossible_row),
		T(wheel_forgets_nothing_after_a_failed_commit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
