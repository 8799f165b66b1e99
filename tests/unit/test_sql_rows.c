/* SPDX-License-Identifier: ISC */
/* Slices as rows of a table: what is written, what goes, what is left out. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "export/sql_known.h"

static const struct moment now = { 1700000000500, 5000000 };
static struct export_slice slice;
static struct sql_rows rows;
static struct sql_left_out left_out;
static struct sql_look look;
static struct sql_table table;

static const char *source_kind(void *ctx, const struct lease *lease)
{
	(void)ctx;
	(void)lease;
	return "file";
}

static struct lease *add(const char *text, int64_t left)
{
	struct export_change *c = &slice.changes[slice.count++];
	struct net net;

	memset(c, 0, sizeof(*c));
	assert_true(net_parse(text, strlen(text), &net));
	c->leased = left > 0;
	c->lease.addr = net.addr;
	c->lease.bits = net.bits;
	c->lease.end.wall = now.wall + left;
	c->lease.end.boot = now.boot + left;
	return &c->lease;
}

static void user(struct lease *l, const char *name)
{
	l->user_len = (uint8_t)strlen(name);
	memcpy(l->user, name, strlen(name) + 1);
}

static void make(void)
{
	static const struct export_env env = { .source_kind = source_kind };

	sql_rows_make(&table, &look, &env, &slice, &rows, &left_out);
}

static int setup(void **state)
{
	(void)state;
	memset(&slice, 0, sizeof(slice));
	memset(&left_out, 0, sizeof(left_out));
	memset(&look, 0, sizeof(look));
	slice.now = now;
	look.user_null = look.source_null = true;
	table = (struct sql_table){ .name = "t",
		.columns = { "address", "seen", "user", "source", "expires" },
		.period = 1800000 };
	return 0;
}

static void test_time_is_the_end_less_the_period(void **state)
{
	(void)state;
	(void)add("192.0.2.7", 1800000);
	(void)add("192.0.2.8", 600000);
	/* The period is longer than the lease has left: never later than now.
	 */
	(void)add("192.0.2.9", 3600000);
	make();
	assert_int_equal(rows.put_count, 3);
	assert_string_equal(rows.put[0].time, "1700000000");
	assert_string_equal(rows.put[0].end, "1700001800");
	assert_string_equal(rows.put[1].time, "1699998800");
	assert_string_equal(rows.put[1].end, "1700000600");
	assert_string_equal(rows.put[2].time, "1700000000");
}

static void test_the_clock_that_ends_it_first_counts(void **state)
{
	struct lease *l = add("192.0.2.7", 1800000);

	(void)state;
	l->end.boot = now.boot + 60000;
	make();
	assert_string_equal(rows.put[0].end, "1700000060");
}

static void test_an_address_is_written_once_in_order(void **state)
{
	(void)state;
	(void)add("198.51.100.1", 1000000);
	(void)add("192.0.2.7", 1000000);
	(void)add("198.51.100.1", 1000000);
	(void)add("192.0.2.9", 0);
	(void)add("192.0.2.8", 0);
	(void)add("192.0.2.9", 0);
	make();
	assert_int_equal(rows.put_count, 2);
	assert_string_equal(rows.put[0].address, "192.0.2.7");
	assert_string_equal(rows.put[1].address, "198.51.100.1");
	assert_int_equal(rows.drop_count, 2);
	assert_string_equal(rows.drop[0].address, "192.0.2.8");
	assert_string_equal(rows.drop[1].address, "192.0.2.9");
}

static void test_networks_and_skipped_ipv6_are_counted(void **state)
{
	(void)state;
	table.skip_ipv6 = true;
	(void)add("2001:db8::/64", 1000000);
	(void)add("2001:db8::7", 1000000);
	(void)add("192.0.2.7", 1000000);
	make();
	assert_int_equal(rows.put_count, 1);
	assert_int_equal(left_out.networks, 1);
	assert_int_equal(left_out.ipv6, 1);
	table.skip_ipv6 = false;
	make();
	assert_int_equal(rows.put_count, 2);
}

static void test_a_name_that_does_not_fit_is_left_out_not_cut(void **state)
{
	struct sql_value v[SQL_COLUMNS];

	(void)state;
	look.user_max = 5;
	user(add("192.0.2.1", 1000000), "fuenf");
	user(add("192.0.2.2", 1000000), "sechse");
	user(add("192.0.2.3", 1000000), "\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f.");
	user(add("192.0.2.4", 1000000), "\xff");
	user(add("192.0.2.5", 1000000), "\xed\xa0\x80");
	user(add("192.0.2.6", 1000000), "\xc3");
	make();
	assert_int_equal(left_out.names, 4);
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(rows.put[i].has_user, i == 0 || i == 2);
	assert_int_equal(
	    sql_rows_params(&table, &look, &rows.put[0], true, v), 5);
	assert_int_equal(v[2].len, 5);
	(void)sql_rows_params(&table, &look, &rows.put[0], false, v);
	assert_null(v[2].text);
	(void)sql_rows_params(&table, &look, &rows.put[1], true, v);
	assert_null(v[2].text);
	assert_memory_equal(v[3].text, "file", 4);
	/* A column that must not be NULL gets an empty one. */
	look.user_null = false;
	(void)sql_rows_params(&table, &look, &rows.put[1], true, v);
	assert_non_null(v[2].text);
	assert_int_equal(v[2].len, 0);
}

static void test_groups_are_few(void **state)
{
	(void)state;
	for (size_t n = 1; n <= EXPORT_SLICE; n++) {
		size_t statements = 0;

		for (size_t left = n; left; statements++) {
			size_t group = sql_rows_group(left);

			assert_true(group == 1 || group == 8 || group == 64 ||
				    group == 512);
			assert_true(group <= left);
			left -= group;
		}
		assert_true(statements <= 21);
	}
	assert_int_equal(sql_rows_group(512), 512);
}

static void test_names_of_a_snapshot(void **state)
{
	struct sql_names *n = sql_names_new();
	struct addr a, b;

	(void)state;
	assert_true(addr_parse("192.0.2.7", 9, &a));
	assert_true(addr_parse("2001:db8::7", 11, &b));
	assert_false(sql_names_has(n, &a));
	sql_names_add(n, &b);
	assert_true(sql_names_has(n, &b));
	assert_false(sql_names_has(n, &a));
	for (unsigned i = 0; i < 5000; i++) {
		struct addr c = a;

		c.bytes[13] = (uint8_t)(i >> 8);
		c.bytes[15] = (uint8_t)i;
		sql_names_add(n, &c);
		c.bytes[12] = 99;
		assert_false(sql_names_has(n, &c));
	}
	sql_names_clear(n);
	assert_false(sql_names_has(n, &b));
	sql_names_free(&n);
}

/* A slice of one address that is leased for so long, or (0) is not. */
static void bound(struct sql_written *w, const char *text, int64_t left)
{
	slice.count = 0;
	(void)add(text, left);
	make();
	sql_written_bound(w, &table, 1699998200, &rows);
}

static void test_what_goes_from_a_shared_table_is_ours(void **state)
{
	struct sql_written *w = sql_written_new();

	(void)state;
	/* Not known: only when it is over. */
	bound(w, "192.0.2.7", 0);
	assert_int_equal(rows.drop_count, 1);
	assert_string_equal(rows.drop[0].time, "1699998200");
	bound(w, "192.0.2.7", 600000);
	assert_int_equal(rows.drop_count, 0);
	sql_written_note(w, &table, &rows);
	bound(w, "192.0.2.7", 900000);
	assert_int_equal(rows.drop_count, 0);
	sql_written_note(w, &table, &rows);
	/* Shorter than it was: away with ours, then anew. */
	bound(w, "192.0.2.7", 300000);
	assert_int_equal(rows.put_count, 1);
	assert_int_equal(rows.drop_count, 1);
	assert_string_equal(rows.drop[0].address, "192.0.2.7");
	assert_string_equal(rows.drop[0].time, "1699999100");
	sql_written_note(w, &table, &rows);
	bound(w, "192.0.2.7", 0);
	assert_string_equal(rows.drop[0].time, "1699998500");
	sql_written_note(w, &table, &rows);
	assert_int_equal(sql_written_count(w), 0);
	bound(w, "192.0.2.7", 0);
	assert_string_equal(rows.drop[0].time, "1699998200");
	sql_written_free(&w);
}

static void test_a_table_without_a_time_is_bound_by_its_end(void **state)
{
	struct sql_written *w = sql_written_new();

	(void)state;
	table.columns[SQL_TIME] = "";
	bound(w, "2001:db8::7", 600000);
	sql_written_note(w, &table, &rows);
	bound(w, "2001:db8::7", 0);
	assert_string_equal(rows.drop[0].time, "1700000600");
	sql_written_free(&w);
}

static void test_written_times_are_found_among_many(void **state)
{
	struct sql_written *w = sql_written_new();
	char text[40];

	(void)state;
	table.period = 10000000;
	for (int round = 0; round < 2; round++)
		for (int64_t i = 0; i < 5000; i++) {
			(void)snprintf(text, sizeof(text), "2001:db8::%x",
			    (unsigned)i + 1);
			bound(w, text, i % 3 && round ? 0 : 1000 * (i + 1));
			sql_written_note(w, &table, &rows);
		}
	assert_int_equal(sql_written_count(w), 1667);
	for (int64_t i = 0; i < 5000; i++) {
		char time[SQL_TIME_TEXT];

		(void)snprintf(
		    text, sizeof(text), "2001:db8::%x", (unsigned)i + 1);
		bound(w, text, 0);
		(void)snprintf(time, sizeof(time), "%d",
		    i % 3 ? 1699998200 : 1699990001 + (int)i);
		assert_string_equal(rows.drop[0].time, time);
	}
	sql_written_purge(w, 1699990000 + 2500);
	assert_int_equal(sql_written_count(w), 833);
	sql_written_purge(w, INT64_MAX);
	assert_int_equal(sql_written_count(w), 0);
	sql_written_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(
		    test_time_is_the_end_less_the_period, setup),
		cmocka_unit_test_setup(
		    test_the_clock_that_ends_it_first_counts, setup),
		cmocka_unit_test_setup(
		    test_an_address_is_written_once_in_order, setup),
		cmocka_unit_test_setup(
		    test_networks_and_skipped_ipv6_are_counted, setup),
		cmocka_unit_test_setup(
		    test_a_name_that_does_not_fit_is_left_out_not_cut, setup),
		cmocka_unit_test_setup(test_groups_are_few, setup),
		cmocka_unit_test_setup(test_names_of_a_snapshot, setup),
		cmocka_unit_test_setup(
		    test_what_goes_from_a_shared_table_is_ours, setup),
		cmocka_unit_test_setup(
		    test_a_table_without_a_time_is_bound_by_its_end, setup),
		cmocka_unit_test_setup(
		    test_written_times_are_found_among_many, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
