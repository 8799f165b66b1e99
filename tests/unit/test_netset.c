/* SPDX-License-Identifier: ISC */
/*
 * test_netset - the longest prefix wins, and a hash table says the same as a
 * walk over all rows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/netset.h"

static void add(struct netset *set, const char *text, int value)
{
	struct net n;

	assert_true(net_parse(text, strlen(text), &n));
	netset_add(set, &n, value);
}

static int find(const struct netset *set, const char *text)
{
	struct addr a;

	assert_true(addr_parse(text, strlen(text), &a));
	return netset_find(set, &a);
}

static void test_netset_find_takes_the_longest_prefix(void **state)
{
	struct netset *set = netset_new();

	(void)state;
	add(set, "10.0.0.0/8", 1);
	add(set, "10.1.0.0/16", 2);
	add(set, "10.1.2.3", 3);
	add(set, "2001:db8::/32", 4);
	add(set, "2001:db8::7", 5);
	assert_int_equal(netset_count(set), 5);
	assert_int_equal(find(set, "10.2.0.1"), 1);
	assert_int_equal(find(set, "10.1.0.1"), 2);
	assert_int_equal(find(set, "10.1.2.3"), 3);
	assert_int_equal(find(set, "11.0.0.0"), -1);
	assert_int_equal(find(set, "2001:db8::8"), 4);
	assert_int_equal(find(set, "2001:db8::7"), 5);
	assert_int_equal(find(set, "2001:db9::"), -1);
	netset_free(&set);
	assert_null(set);
	netset_free(&set);
}

static void test_netset_keeps_the_families_apart(void **state)
{
	struct netset *set = netset_new();

	(void)state;
	add(set, "::/0", 1);
	assert_int_equal(find(set, "2001:db8::1"), 1);
	assert_int_equal(find(set, "192.0.2.1"), -1);
	add(set, "0.0.0.0/0", 2);
	assert_int_equal(find(set, "192.0.2.1"), 2);
	assert_int_equal(find(set, "::"), 1);
	netset_free(&set);
}

static void test_netset_add_replaces(void **state)
{
	struct netset *set = netset_new();

	(void)state;
	add(set, "10.", 1);
	add(set, "10.0.0.0/8", 7);
	assert_int_equal(netset_count(set), 1);
	assert_int_equal(find(set, "10.9.9.9"), 7);
	netset_free(&set);
}

static void test_netset_empty_or_absent_holds_nothing(void **state)
{
	struct netset *set = netset_new();

	(void)state;
	assert_int_equal(find(set, "192.0.2.1"), -1);
	assert_int_equal(find(NULL, "192.0.2.1"), -1);
	assert_int_equal(netset_count(NULL), 0);
	netset_free(&set);
}

enum { ROWS = 3000, QUESTIONS = 20000 };

static struct addr random_addr(void)
{
	struct addr a = { { 0 } };

	/* Few distinct values, so that prefixes cover one another. */
	for (size_t i = 0; i < sizeof(a.bytes); i++)
		a.bytes[i] = (uint8_t)(random() % 3 ? 0 : random() % 4 * 64);
	if (random() % 2) {
		memset(a.bytes, 0, 10);
		a.bytes[10] = a.bytes[11] = 0xff;
	}
	return a;
}

static void test_netset_find_equals_a_plain_walk(void **state)
{
	struct net *rows = xcalloc(ROWS, sizeof(*rows));
	struct netset *set = netset_new();

	(void)state;
	srandom(7);
	for (int i = 0; i < ROWS; i++) {
		struct addr a = random_addr();
		rows[i].bits = (uint8_t)(addr_is_ipv4(&a) ? 96 + random() % 33
							  : random() % 129);
		rows[i].addr = addr_mask(&a, rows[i].bits);
		netset_add(set, &rows[i], i);
	}
	for (int q = 0; q < QUESTIONS; q++) {
		struct addr a = random_addr();
		int best = -1;
		for (int i = 0; i < ROWS; i++) {
			if (net_contains(&rows[i], &a) &&
			    (best < 0 || rows[i].bits >= rows[best].bits))
				best = i;
		}
		assert_int_equal(netset_find(set, &a), best);
	}
	netset_free(&set);
	free(rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_netset_find_takes_the_longest_prefix),
		cmocka_unit_test(test_netset_keeps_the_families_apart),
		cmocka_unit_test(test_netset_add_replaces),
		cmocka_unit_test(test_netset_empty_or_absent_holds_nothing),
		cmocka_unit_test(test_netset_find_equals_a_plain_walk),
	};

	return cmocka_run_group_tests_name("netset", tests, NULL, NULL);
}
