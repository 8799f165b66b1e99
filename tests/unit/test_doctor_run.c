/* SPDX-License-Identifier: ISC */
/*
 * test_doctor_run - programs: which they are by their names, what they print,
 * that they end.
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

#include "base/clock.h"
#include "cmd/doctor.h"

static void is_kind(const char *path, const char *comm, const char *label)
{
	const struct doctor_kind *k = doctor_kind_of(path, comm);

	if (!label)
		assert_null(k);
	else if (!k || strcmp(k->label, label) != 0)
		fail_msg("%s (%s) is %s and not %s", path, comm,
		    k ? k->label : "nothing", label);
}

static void test_doctor_knows_programs_by_path_and_name(void **state)
{
	(void)state;
	is_kind("/usr/sbin/dovecot", "dovecot", "Dovecot");
	is_kind("/usr/lib/dovecot/imap-login", "imap-login", "Dovecot");
	is_kind("", "imap-login", "Dovecot");
	is_kind("/usr/sbin/couriertcpd", "couriertcpd", "Courier");
	is_kind("/usr/lib/cyrus/bin/master", "master", "Cyrus");
	is_kind("/usr/lib/postfix/sbin/master", "master", "Postfix");
	is_kind("", "master", NULL);
	is_kind("/usr/sbin/perdition.imap4s", "perdition.imap4", "perdition");
	is_kind("", "perdition.imap4", "perdition");
	is_kind(
	    "/usr/bin/docker-proxy", "docker-proxy", "a container's gateway");
	/* 16 bytes; the kernel keeps 15. */
	is_kind("", "openbsd-inetd", "inetd");
	is_kind("/opt/imapd-new", "imapd-new", NULL);
	is_kind("/usr/bin/xdovecot", "xdovecot", NULL);
}

/* --- programs ------------------------------------------------------------- */

static void test_doctor_setting_takes_one_line(void **state)
{
	static const char text[] = "ab = 1\na = two words\nempty = \nb = 3";
	char value[8];

	(void)state;
	assert_true(doctor_setting(text, "a", value, sizeof(value)));
	assert_string_equal(value, "two wor");
	assert_true(doctor_setting(text, "empty", value, sizeof(value)));
	assert_string_equal(value, "");
	assert_true(doctor_setting(text, "b", value, sizeof(value)));
	assert_string_equal(value, "3");
	assert_false(doctor_setting(text, "c", value, sizeof(value)));
	assert_false(doctor_setting("", "c", value, sizeof(value)));
}

static void test_doctor_run_keeps_what_is_printed(void **state)
{
	static char out[DOCTOR_OUTPUT_SIZE];
	const char *const says[] = { "/usr/bin/printf", "%s\n", "a b", NULL };
	const char *const fails[] = { "/usr/bin/false", NULL };
	const char *const missing[] = { "/usr/bin/no-such-program", NULL };
	const char *const much[] = { "/usr/bin/head", "-c", "200000",
		"/dev/zero", NULL };
	const char *const bare[] = { "/usr/bin/env", NULL };

	(void)state;
	assert_true(doctor_run(says, out));
	assert_string_equal(out, "a b\n");
	assert_false(doctor_run(fails, out));
	assert_string_equal(out, "");
	assert_false(doctor_run(missing, out));
	assert_true(doctor_run(much, out));
	setenv("BASH_ENV", "/tmp/evil", 1);
	assert_true(doctor_run(bare, out));
	assert_null(strstr(out, "evil"));
}

static void test_doctor_try_keeps_complaints_and_the_status(void **state)
{
	static char out[DOCTOR_OUTPUT_SIZE];
	const char *const fails[] = { "/bin/sh", "-c",
		"echo this; echo that >&2; exit 73", NULL };
	const char *const missing[] = { "/usr/bin/no-such-program", NULL };
	const char *const late[] = { "/usr/bin/sleep", "100", NULL };
	const char *const much[] = { "/bin/sh", "-c",
		"head -c 200000 /dev/zero; head -c 200000 /dev/zero >&2",
		NULL };
	const char *const killed[] = { "/bin/sh", "-c", "kill -9 $$", NULL };

	(void)state;
	assert_int_equal(doctor_try(fails, out), 73);
	assert_string_equal(out, "that\n");
	assert_int_equal(doctor_try(missing, out), DOCTOR_ABSENT);
	assert_int_equal(doctor_try(much, out), 0);
	assert_true(doctor_try(killed, out) > 0);
	assert_int_equal(doctor_try(late, out), DOCTOR_LATE);
}

static void test_doctor_run_refuses_what_is_not_root_s(void **state)
{
	static char out[DOCTOR_OUTPUT_SIZE];
	char dir[] = "/tmp/test-doctor-XXXXXX", path[64];

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/doveconf", dir);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs("#!/bin/sh\necho x\n", f);
	assert_int_equal(fclose(f), 0);
	const char *const argv[] = { path, NULL };
	assert_int_equal(chmod(argv[0], 0777), 0);
	assert_false(doctor_run(argv, out));
	/* Root's own, if we are root. */
	assert_int_equal(chmod(argv[0], 0755), 0);
	assert_int_equal(doctor_run(argv, out), geteuid() == 0);
	assert_int_equal(remove(path), 0);
	assert_int_equal(rmdir(dir), 0);
}

static void test_doctor_run_ends_what_does_not_end(void **state)
{
	static char out[DOCTOR_OUTPUT_SIZE];
	const char *const argv[] = { "/usr/bin/sleep", "100", NULL };
	int64_t begin = clock_now().boot;

	(void)state;
	assert_false(doctor_run(argv, out));
	assert_in_range(
	    clock_now().boot - begin, DOCTOR_RUN_MS - 1, 4 * DOCTOR_RUN_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_doctor_knows_programs_by_path_and_name),
		cmocka_unit_test(test_doctor_setting_takes_one_line),
		cmocka_unit_test(test_doctor_run_keeps_what_is_printed),
		cmocka_unit_test(
		    test_doctor_try_keeps_complaints_and_the_status),
		cmocka_unit_test(test_doctor_run_refuses_what_is_not_root_s),
		cmocka_unit_test(test_doctor_run_ends_what_does_not_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
