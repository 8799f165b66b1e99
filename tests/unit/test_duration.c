/* SPDX-License-Identifier: ISC */
/*
 * test_duration - durations to and from text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/duration.h"
#include "base/mem.h"

static void test_duration_parse_takes_units_seconds_and_products(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} rows[] = { { "0", 0 }, { "0s", 0 }, { "1", 1000 }, { "90", 90000 },
		{ "90s", 90000 }, { "30m", 1800000 }, { "1h", 3600000 },
		{ "2d", 172800000 }, { "60 * 30", 1800000 },
		{ "60*30", 1800000 }, { "2 * 60 * 15", 1800000 },
		{ "60\t*  1", 60000 }, { "3650d", 315360000000 },
		{ "315360000", 315360000000 } };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		int64_t ms = -1;
		if (!duration_parse(rows[i].text, &ms))
			fail_msg("\"%s\" was refused", rows[i].text);
		assert_int_equal(ms, rows[i].ms);
	}
}

static void test_duration_parse_refuses_everything_else(void **state)
{
	static const char *const rows[] = { "", " ", "s", "m", "-1", "+1",
		"1.5", "1,5", "1 s", " 1", "1 ", "30m ", "30M", "1h30m", "30ms",
		"0x10", "08", "00", "1e3", "60 *", "* 60", "60 ** 2", "60 * 0",
		"0 * 60", "60 * 2m", "60m * 2", "60 * -2", "3651d", "315360001",
		"99999999999999999999", "999999999 * 999999999",
		"18446744073709551617", "1w", "forever" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		int64_t ms = 42;
		if (duration_parse(rows[i], &ms))
			fail_msg("\"%s\" was taken", rows[i]);
		assert_int_equal(ms, 42);
	}
}

static void test_duration_print_is_short_and_exact(void **state)
{
	static const struct {
		int64_t ms;
		const char *text;
	} rows[] = { { 0, "0" }, { 1000, "1s" }, { 90000, "90s" },
		{ 60000, "1m" }, { 1800000, "30m" }, { 5400000, "90m" },
		{ 3600000, "1h" }, { 86400000, "1d" }, { 90000000, "25h" },
		{ 315360000000, "3650d" } };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char out[DURATION_TEXT_SIZE];
		assert_int_equal(
		    duration_print(rows[i].ms, out), strlen(rows[i].text));
		assert_string_equal(out, rows[i].text);
	}
}

static void test_duration_print_reads_back(void **state)
{
	(void)state;
	for (int64_t s = 0; s < 315360000; s += 1 + s / 97) {
		char out[DURATION_TEXT_SIZE];
		int64_t back;
		duration_print(s * 1000, out);
		assert_true(duration_parse(out, &back));
		assert_int_equal(back, s * 1000);
	}
}

static void test_duration_print_holds_any_number(void **state)
{
	char out[DURATION_TEXT_SIZE];

	(void)state;
	assert_true(duration_print(INT64_MAX, out) < sizeof(out));
	assert_true(duration_print(INT64_MIN, out) < sizeof(out));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_duration_parse_takes_units_seconds_and_products),
		cmocka_unit_test(test_duration_parse_refuses_everything_else),
		cmocka_unit_test(test_duration_print_is_short_and_exact),
		cmocka_unit_test(test_duration_print_reads_back),
		cmocka_unit_test(test_duration_print_holds_any_number),
	};

	return cmocka_run_group_tests_name("duration", tests, NULL, NULL);
}
