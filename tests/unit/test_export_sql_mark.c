/* SPDX-License-Identifier: ISC */
/* What an export "sql-stream" finds in place of its mark: a table that lost
 * rows, or another process that writes as the same node. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "export/sql_mark.h"

enum { SECOND = 1000 };

static struct sql_mark mark = { .run = 0xabc, .slices = 7 };

static int setup(void **state)
{
	(void)state;
	mark.rival_at = mark.pause = 0;
	return 0;
}

static void test_the_mark_and_the_next_are_good(void **state)
{
	char value[SQL_MARK_SIZE];

	(void)state;
	assert_string_equal(
	    sql_mark_value(&mark, 1, value).text, "mark 0000000000000abc 8");
	assert_int_equal(sql_mark_value(&mark, 1, value).len, 23);
	assert_int_equal(
	    sql_mark_compare(&mark, "mark 0000000000000abc 7"), SQL_MARK_GOOD);
	assert_int_equal(
	    sql_mark_compare(&mark, "mark 0000000000000abc 8"), SQL_MARK_GOOD);
}

static void test_whose_another_mark_is(void **state)
{
	static const struct {
		const char *found;
		enum sql_marked says;
	} rows[] = {
		{ "", SQL_MARK_LOST },
		{ "mark 0000000000000abc 6", SQL_MARK_LOST },
		{ "mark 0000000000000abc 9", SQL_MARK_LOST },
		{ "mark 0000000000000abc 77", SQL_MARK_LOST },
		{ "mark 0000000000000abd 7", SQL_MARK_OTHER },
		{ "mark", SQL_MARK_OTHER },
		{ "something else", SQL_MARK_OTHER },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		assert_int_equal(
		    sql_mark_compare(&mark, rows[i].found), rows[i].says);
}

static void test_one_mark_of_another_is_an_older_table(void **state)
{
	(void)state;
	for (int64_t now = 100 * SECOND; now < 400 * SECOND;
	     now += 100 * SECOND) {
		sql_mark_count(&mark, now);
		assert_false(sql_mark_has_rival(&mark));
		assert_true(sql_mark_may_set(&mark, now));
		assert_true(sql_mark_is_over(&mark, now + 11 * SECOND));
		assert_false(sql_mark_is_over(&mark, now + 12 * SECOND));
	}
}

static void test_the_third_in_a_row_is_a_rival(void **state)
{
	(void)state;
	sql_mark_count(&mark, 100 * SECOND);
	sql_mark_count(&mark, 102 * SECOND);
	assert_false(sql_mark_has_rival(&mark));
	assert_false(sql_mark_may_set(&mark, 102 * SECOND));
	assert_true(sql_mark_may_set(&mark, 103 * SECOND));
	sql_mark_count(&mark, 104 * SECOND);
	assert_true(sql_mark_has_rival(&mark));
	/* It may come back as slowly as we do. */
	assert_false(sql_mark_is_over(&mark, 120 * SECOND));
	assert_true(sql_mark_has_rival(&mark));
	assert_true(sql_mark_is_over(&mark, 121 * SECOND));
	assert_false(sql_mark_has_rival(&mark));
}

static void test_the_pause_grows_to_about_two_minutes(void **state)
{
	int64_t now = 100 * SECOND;

	(void)state;
	for (int i = 0; i < 20; i++) {
		sql_mark_count(&mark, now);
		assert_true(mark.pause <= 2 * 60 * SECOND);
		now += mark.pause;
		assert_true(sql_mark_may_set(&mark, now));
	}
	assert_true(mark.pause > 60 * SECOND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(
		    test_the_mark_and_the_next_are_good, setup),
		cmocka_unit_test_setup(test_whose_another_mark_is, setup),
		cmocka_unit_test_setup(
		    test_one_mark_of_another_is_an_older_table, setup),
		cmocka_unit_test_setup(
		    test_the_third_in_a_row_is_a_rival, setup),
		cmocka_unit_test_setup(
		    test_the_pause_grows_to_about_two_minutes, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
