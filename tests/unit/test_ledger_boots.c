/* SPDX-License-Identifier: ISC */
/*
 * test_ledger_boots - rows of older boots: whose clock counts, and until when
 * (DESIGN, Time).
 */
#include "ledger_dir.h"

static struct moment moment_of(int64_t wall_ms, int64_t boot_ms)
{
	return (struct moment){ t0.wall + wall_ms, t0.boot + boot_ms };
}

static struct ledger *reboot(
    struct ledger **l, const char *boot_id, struct moment now)
{
	struct ledger_options o = options(true);

	ledger_close(l);
	(void)snprintf(o.boot_id, sizeof(o.boot_id), "%s", boot_id);
	return open_with(&o, now);
}

static void test_ledger_reboot_keeps_a_lease_until_its_wall_end(void **state)
{
	struct ledger *l = open_writer();
	struct moment up = { t0.wall + 2 * MINUTE_MS, 30000 };
	struct lease got;

	(void)state;
	put(l, "192.0.2.7", "alice", later(TTL_MS));
	l = reboot(&l, "boot-2", up);
	assert_int_equal(find(l, "192.0.2.7", up, &got), LEDGER_FOUND);
	assert_int_equal(got.end.wall, t0.wall + TTL_MS);
	assert_int_equal(got.end.boot, 30000 + TTL_MS - 2 * MINUTE_MS);
	assert_int_equal(got.sessions, 0);
	/* A wall clock put back after the reboot does not lengthen it. */
	assert_false(is_live(l, "192.0.2.7",
	    (struct moment){ up.wall, 30000 + TTL_MS - 2 * MINUTE_MS }));
	assert_false(is_live(
	    l, "192.0.2.7", (struct moment){ t0.wall + TTL_MS, 40000 }));
	ledger_close(&l);
}

static void test_ledger_reboot_caps_an_old_row_at_one_ttl(void **state)
{
	struct ledger *l = open_writer();
	/* Granted while the wall clock was a day ahead, put right since. */
	struct moment end = moment_of(86400000 + TTL_MS, TTL_MS);
	struct moment up = { t0.wall + MINUTE_MS, 30000 };
	struct lease got;

	(void)state;
	put(l, "192.0.2.7", "alice", end);
	l = reboot(&l, "boot-2", up);
	assert_int_equal(find(l, "192.0.2.7", up, &got), LEDGER_FOUND);
	assert_int_equal(got.end.wall, up.wall + TTL_MS);
	assert_int_equal(got.end.boot, up.boot + TTL_MS);
	ledger_close(&l);
}

static void test_ledger_reboot_with_the_clock_behind_ends_all(void **state)
{
	struct ledger *l = open_writer();
	struct moment behind = { t0.wall - 1, 30000 };
	struct moment right = { t0.wall + MINUTE_MS, 30000 };

	(void)state;
	put(l, "192.0.2.7", "alice", later(TTL_MS));
	l = reboot(&l, "boot-2", behind);
	assert_false(is_live(l, "192.0.2.7", behind));
	/* Not even a better clock brings it back, in this boot or the next. */
	assert_false(is_live(l, "192.0.2.7", right));
	l = reboot(&l, "boot-3", right);
	assert_false(is_live(l, "192.0.2.7", right));
	ledger_close(&l);
}

static void test_ledger_restart_in_one_boot_bears_a_clock_put_back(void **state)
{
	struct ledger *l = open_writer();
	struct moment back = moment_of(-MINUTE_MS, 1000);

	(void)state;
	put(l, "192.0.2.7", "alice", later(TTL_MS));
	l = reboot(&l, "boot-1", back);
	assert_true(is_live(l, "192.0.2.7", back));
	ledger_close(&l);
}

static void test_ledger_unknown_boot_id_is_always_another_boot(void **state)
{
	struct ledger *l = open_writer();
	struct lease got;

	(void)state;
	l = reboot(&l, "", t0);
	put(l, "192.0.2.7", "alice", moment_of(TTL_MS, TTL_MS));
	l = reboot(&l, "", moment_of(1000, -1000));
	assert_int_equal(
	    find(l, "192.0.2.7", moment_of(1000, -1000), &got), LEDGER_FOUND);
	assert_int_equal(got.end.boot, t0.boot - 1000 + TTL_MS - 1000);
	ledger_close(&l);
}

static void test_ledger_row_put_after_a_reboot_is_of_this_boot(void **state)
{
	struct ledger *l = open_writer();
	struct moment up = { t0.wall + MINUTE_MS, 30000 };
	struct addr a = address("192.0.2.7");
	struct lease row, again;

	(void)state;
	put(l, "192.0.2.7", "alice", later(TTL_MS));
	l = reboot(&l, "boot-2", up);
	begin(l, up);
	assert_int_equal(ledger_get(l, &a, "alice", 5, &row), LEDGER_FOUND);
	ledger_put(l, &row);
	assert_int_equal(ledger_get(l, &a, "alice", 5, &again), LEDGER_FOUND);
	assert_int_equal(row.end.wall, again.end.wall);
	assert_int_equal(row.end.boot, again.end.boot);
	commit(l);
	ledger_close(&l);
}

static void test_ledger_many_reboots_end_what_is_old(void **state)
{
	struct ledger *l = open_writer();
	enum { BOOTS = 8 }; /* that the ledger remembers */
	char id[32];

	(void)state;
	put(l, "192.0.2.7", "alice", later(TTL_MS));
	for (int i = 2; i < 20; i++) {
		struct moment up = { t0.wall + i * MINUTE_MS, 1000 };

		(void)snprintf(id, sizeof(id), "boot-%d", i);
		l = reboot(&l, id, up);
		if (is_live(l, "192.0.2.7", up) != (i - 1 <= BOOTS))
			fail_msg("boot %d", i);
	}
	ledger_close(&l);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_ledger_reboot_keeps_a_lease_until_its_wall_end),
		T(test_ledger_reboot_caps_an_old_row_at_one_ttl),
		T(test_ledger_reboot_with_the_clock_behind_ends_all),
		T(test_ledger_restart_in_one_boot_bears_a_clock_put_back),
		T(test_ledger_unknown_boot_id_is_always_another_boot),
		T(test_ledger_row_put_after_a_reboot_is_of_this_boot),
		T(test_ledger_many_reboots_end_what_is_old),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
