/* SPDX-License-Identifier: ISC */
/*
 * test_flood - answers a second to one network.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "listener/flood.h"

static bool take(struct flood *f, const char *text, uint64_t now)
{
	struct addr a;

	assert_true(addr_parse(text, strlen(text), &a));
	return flood_take(f, &a, now);
}

static void test_flood_limits_a_network_for_a_second(void **state)
{
	struct flood *f = flood_new(2);

	(void)state;
	assert_true(take(f, "203.0.113.7", 1000));
	assert_true(take(f, "203.0.113.8", 1500));
	assert_false(take(f, "203.0.113.7", 1999));
	assert_false(take(f, "203.0.113.250", 1999));
	assert_true(take(f, "203.0.113.7", 2000));
	assert_true(take(f, "203.0.113.7", 2000));
	assert_false(take(f, "203.0.113.7", 2999));
	flood_free(&f);
	assert_null(f);
}

static void test_flood_counts_ipv6_by_56_bits(void **state)
{
	struct flood *f = flood_new(1);
	unsigned taken = 0;
	char text[40];

	(void)state;
	assert_true(take(f, "2001:db8:0:ab00::1", 0));
	assert_false(take(f, "2001:db8:0:abff::1", 0));
	/* The next networks have counters of their own, but for a few. */
	for (unsigned i = 1; i <= 100; i++) {
		(void)snprintf(text, sizeof(text), "2001:db8:0:%x00::1", i);
		taken += take(f, text, 0);
	}
	assert_in_range(taken, 80, 100);
	flood_free(&f);
}

static void test_flood_leaves_loopback_alone(void **state)
{
	struct flood *f = flood_new(1);

	(void)state;
	for (int i = 0; i < 5; i++) {
		assert_true(take(f, "127.0.0.1", 0));
		assert_true(take(f, "::1", 0));
	}
	flood_free(&f);
}

/* Many forged networks get nobody of them more: each stays at its limit, or
 * below it where two meet in one counter. */
static void test_flood_forgets_nobody_among_many(void **state)
{
	struct flood *f = flood_new(1);
	unsigned taken = 0;
	char text[32];

	(void)state;
	assert_true(take(f, "203.0.113.7", 0));
	for (unsigned i = 0; i < 65536; i++) {
		(void)snprintf(
		    text, sizeof(text), "10.%u.%u.1", i / 256, i % 256);
		taken += take(f, text, 500);
	}
	assert_false(take(f, "203.0.113.7", 999));
	assert_in_range(taken, 4000, 4096);
	flood_free(&f);
}

static void test_flood_slips_every_second_time(void **state)
{
	struct flood *f = flood_new(1);

	(void)state;
	assert_true(flood_slips(f));
	assert_false(flood_slips(f));
	assert_true(flood_slips(f));
	flood_free(&f);
}

static void test_flood_of_no_limit_is_none(void **state)
{
	struct flood *f = flood_new(0);

	(void)state;
	assert_null(f);
	assert_true(take(f, "203.0.113.7", 0));
	flood_free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test(test_flood_##name)
		TEST(limits_a_network_for_a_second),
		TEST(counts_ipv6_by_56_bits),
		TEST(leaves_loopback_alone),
		TEST(forgets_nobody_among_many),
		TEST(slips_every_second_time),
		TEST(of_no_limit_is_none),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
