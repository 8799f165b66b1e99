/* SPDX-License-Identifier: ISC */
/*
 * test_err - errors as values.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/err.h"

static void test_err_set_fills_and_returns_minus_one(void **state)
{
	struct err e = { 0 };

	(void)state;
	assert_int_equal(err_set(&e, EXIT_USER, "%s:%d: no", "file", 12), -1);
	assert_int_equal(e.code, EXIT_USER);
	assert_string_equal(e.text, "file:12: no");
}

static void test_err_errno_adds_the_system_text(void **state)
{
	struct err e = { 0 };

	(void)state;
	assert_int_equal(err_errno(&e, EXIT_AGAIN, ENOENT, "open %s", "x"), -1);
	assert_int_equal(e.code, EXIT_AGAIN);
	assert_string_equal(e.text, "open x: No such file or directory");
}

static void test_err_takes_null(void **state)
{
	(void)state;
	assert_int_equal(err_set(NULL, EXIT_BUG, "x"), -1);
	assert_int_equal(err_errno(NULL, EXIT_BUG, EIO, "x"), -1);
}

static void test_err_may_quote_its_own_text(void **state)
{
	struct err e = { 0 };

	(void)state;
	err_set(&e, EXIT_USER, "inner");
	err_set(&e, EXIT_USER, "outer: %s", e.text);
	assert_string_equal(e.text, "outer: inner");
	err_errno(&e, EXIT_USER, EACCES, "most: %s", e.text);
	assert_string_equal(e.text, "most: outer: inner: Permission denied");
}

static void test_err_cuts_long_texts(void **state)
{
	char big[1000];
	struct err e = { 0 };

	(void)state;
	memset(big, 'a', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	err_set(&e, EXIT_USER, "%s", big);
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
	assert_string_equal(e.text + sizeof(e.text) - 6, "aa...");
	err_errno(&e, EXIT_USER, EIO, "%s", big);
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_err_set_fills_and_returns_minus_one),
		cmocka_unit_test(test_err_errno_adds_the_system_text),
		cmocka_unit_test(test_err_takes_null),
		cmocka_unit_test(test_err_may_quote_its_own_text),
		cmocka_unit_test(test_err_cuts_long_texts),
	};

	return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
