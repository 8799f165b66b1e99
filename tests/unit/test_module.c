/* SPDX-License-Identifier: ISC */
/*
 * test_module - shared objects that are there, missing, of another version, or
 * no module at all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/module.h"

static void refused(const char *name, const char *text)
{
	struct err err = { 0 };

	assert_null(module_load(name, &err));
	assert_int_equal(err.code, EXIT_USER);
	if (!strstr(err.text, text))
		fail_msg("%s: %s", name, err.text);
	assert_non_null(strstr(err.text, name));
	assert_null(strchr(err.text, '\n'));
}

static void test_module_load_gives_the_same_again(void **state)
{
	struct err err = { 0 };
	const char *api = module_load("test_same", &err);

	(void)state;
	assert_non_null(api);
	assert_string_equal(api, "its api");
	assert_ptr_equal(module_load("test_same", &err), api);
	assert_int_equal(err.code, 0);
}

static void test_module_load_says_what_is_missing(void **state)
{
	(void)state;
	refused("test_none", "cannot be loaded");
	refused("test_none", "No such file or directory");
	refused("test_none", "INSTALL");
}

static void test_module_load_refuses_another_version(void **state)
{
	(void)state;
	refused("test_other", "of another version than this program "
			      "(" RELAYPASS_VERSION ")");
}

static void test_module_load_refuses_what_is_no_module(void **state)
{
	(void)state;
	refused("test_plain", "of another version");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_module_load_gives_the_same_again),
		cmocka_unit_test(test_module_load_says_what_is_missing),
		cmocka_unit_test(test_module_load_refuses_another_version),
		cmocka_unit_test(test_module_load_refuses_what_is_no_module),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
