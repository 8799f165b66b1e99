/* SPDX-License-Identifier: ISC */
/*
 * test_doctor_qmail - the doctor looks for control/rcpthosts, without which
 * qmail-smtpd relays for everybody.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "cmd/doctor.h"

enum { PATH_SIZE = 128 };

/* What the doctor said of qmail. */
struct said {
	bool any;
	enum doctor_verdict verdict;
	char text[512];
};

static char root[] = "/tmp/doctor-XXXXXX";

static const char *in_root(const char *path)
{
	static char full[PATH_SIZE];

	(void)snprintf(full, sizeof(full), "%s%s", root, path);
	return full;
}

static bool run_nothing(
    const char *const argv[], char out[static DOCTOR_OUTPUT_SIZE])
{
	(void)argv;
	out[0] = '\0';
	return false;
}

static void take(void *ctx, const char *check, enum doctor_verdict verdict,
    const char *text, const char *lines)
{
	struct said *said = ctx;

	(void)lines;
	if (strcmp(check, "qmail") != 0)
		return;
	assert_false(said->any);
	said->any = true;
	said->verdict = verdict;
	(void)snprintf(said->text, sizeof(said->text), "%s", text);
}

static struct said ask(void)
{
	const struct doctor_where where = { .root = root,
		.config = "/etc/relaypass/relaypass.conf",
		.run = run_nothing };
	AUTO_FREE struct doctor_facts *f = xcalloc(1, sizeof(*f));
	struct said said = { 0 };
	struct err err = { 0 };

	assert_int_equal(doctor_look(f, &where, &err), 0);
	(void)doctor_check_all(f, take, &said);
	doctor_forget(f);
	return said;
}

static void test_a_machine_without_qmail_says_nothing(void **state)
{
	(void)state;
	assert_false(ask().any);
}

static void test_rcpthosts_that_is_missing_has_to_be_written(void **state)
{
	struct said said;
	FILE *file;

	(void)state;
	assert_int_equal(mkdir(in_root("/var"), 0755), 0);
	assert_int_equal(mkdir(in_root("/var/qmail"), 0755), 0);
	assert_int_equal(mkdir(in_root("/var/qmail/control"), 0755), 0);
	said = ask();
	assert_true(said.any);
	assert_int_equal(said.verdict, DOCTOR_DO);
	assert_non_null(strstr(said.text, "/var/qmail/control/rcpthosts"));

	/* An empty list lets nobody's mail in, which is safe. */
	file = fopen(in_root("/var/qmail/control/rcpthosts"), "w");
	assert_non_null(file);
	assert_int_equal(fclose(file), 0);
	said = ask();
	assert_true(said.any);
	assert_int_equal(said.verdict, DOCTOR_GOOD);
}

static int make_root(void **state)
{
	(void)state;
	return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
	static const char *const paths[] = { "/var/qmail/control/rcpthosts",
		"/var/qmail/control", "/var/qmail", "/var", "" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(paths); i++)
		(void)remove(in_root(paths[i]));
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_machine_without_qmail_says_nothing),
		cmocka_unit_test(
		    test_rcpthosts_that_is_missing_has_to_be_written),
	};

	return cmocka_run_group_tests(tests, make_root, remove_root);
}
