/* SPDX-License-Identifier: ISC */
/*
 * test_spp_vars - an environment that changes, and what of it changed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "smtp/vars.h"

static char *const began[] = { (char[]){ "A=1" }, (char[]){ "noequals" },
	(char[]){ "=noname" }, (char[]){ "B=" }, (char[]){ "A=2" },
	(char[]){ "C=x=y" }, NULL };

/* "A=1|B=|": the whole environment. */
static void environ_is(struct spp_vars *v, const char *want)
{
	char got[256] = "";
	size_t len = 0;

	for (char *const *e = spp_vars_environ(v); *e; e++)
		len +=
		    (size_t)snprintf(got + len, sizeof(got) - len, "%s|", *e);
	assert_string_equal(got, want);
}

static void changes_are(const struct spp_vars *v, const char *want)
{
	AUTO_FREE char *changes = NULL;
	size_t len = spp_vars_changes(v, &changes);

	assert_int_equal(len, strlen(want));
	for (size_t i = 0; i < len; i++)
		assert_int_equal(changes[i] ? changes[i] : '|', want[i]);
}

static void test_vars_begin_as_the_environment(void **state)
{
	struct spp_vars *v = spp_vars_new(began);

	(void)state;
	environ_is(v, "A=1|B=|C=x=y|");
	changes_are(v, "");
	assert_string_equal(spp_vars_get(v, "A"), "1");
	assert_string_equal(spp_vars_get(v, "B"), "");
	assert_string_equal(spp_vars_get(v, "C"), "x=y");
	assert_null(spp_vars_get(v, "D"));
	assert_null(spp_vars_get(v, ""));
	assert_null(spp_vars_get(v, "noequals"));
	spp_vars_free(&v);
	assert_null(v);
	spp_vars_free(&v);
}

static void test_vars_set_and_unset(void **state)
{
	struct spp_vars *v = spp_vars_new(began);

	(void)state;
	assert_true(spp_vars_set(v, "D", "new"));
	assert_true(spp_vars_set(v, "A", "other"));
	environ_is(v, "A=other|B=|C=x=y|D=new|");
	spp_vars_unset(v, "A");
	spp_vars_unset(v, "none");
	environ_is(v, "B=|C=x=y|D=new|");
	assert_null(spp_vars_get(v, "A"));
	assert_true(spp_vars_set(v, "A", ""));
	assert_true(spp_vars_set(v, "A", ""));
	environ_is(v, "A=|B=|C=x=y|D=new|");
	/* the old value itself */
	assert_true(spp_vars_set(v, "D", spp_vars_get(v, "D") + 1));
	environ_is(v, "A=|B=|C=x=y|D=ew|");
	assert_string_equal(began[0], "A=1");
	spp_vars_free(&v);
}

static void test_vars_changes_tell_what_was_touched(void **state)
{
	struct spp_vars *v = spp_vars_new(began);

	(void)state;
	assert_true(spp_vars_set(v, "D", "d"));
	spp_vars_unset(v, "B");
	changes_are(v, "B|D=d|");
	/* Whoever came in between has another one. */
	spp_vars_unset(v, "D");
	assert_true(spp_vars_set(v, "B", ""));
	changes_are(v, "B=|D|");
	spp_vars_mark(v, "E");
	spp_vars_mark(v, "C");
	changes_are(v, "B=|C=x=y|D|E|");
	environ_is(v, "A=1|B=|C=x=y|");
	assert_true(spp_vars_set(v, "E", "e"));
	changes_are(v, "B=|C=x=y|D|E=e|");
	spp_vars_free(&v);
}

static void test_vars_have_an_end(void **state)
{
	struct spp_vars *v = spp_vars_new(began);
	AUTO_FREE char *big = xmalloc(SPP_VARS_MAX + 1);
	char name[16];

	(void)state;
	memset(big, 'x', SPP_VARS_MAX);
	big[SPP_VARS_MAX] = '\0';
	assert_false(spp_vars_set(v, "D", big));
	big[SPP_VARS_MAX - 3] = '\0';
	assert_true(spp_vars_set(v, "D", big));
	assert_true(spp_vars_set(v, "D", big));
	assert_false(spp_vars_set(v, "A", ""));
	assert_string_equal(spp_vars_get(v, "A"), "1");
	assert_true(spp_vars_set(v, "D", "d"));
	for (int i = 1; i < SPP_VARS_COUNT; i++) {
		(void)snprintf(name, sizeof(name), "N%d", i);
		assert_true(spp_vars_set(v, name, ""));
	}
	assert_false(spp_vars_set(v, "A", ""));
	assert_false(spp_vars_set(v, "E", ""));
	assert_true(spp_vars_set(v, "D", "e"));
	spp_vars_free(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vars_begin_as_the_environment),
		cmocka_unit_test(test_vars_set_and_unset),
		cmocka_unit_test(test_vars_changes_tell_what_was_touched),
		cmocka_unit_test(test_vars_have_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
