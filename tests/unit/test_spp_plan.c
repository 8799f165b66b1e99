/* SPDX-License-Identifier: ISC */
/*
 * test_spp_plan - control/smtpplugins as people have it, and files that are
 * none: what cannot be read whole is no plan.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "smtp/plan.h"

static struct spp_plan parse(const char *text, size_t len)
{
	char *copy = xmalloc(len + 1);
	struct spp_plan plan;

	memcpy(copy, text, len);
	spp_plan_parse(copy, len, &plan);
	return plan;
}

static void is(const struct spp_plan *plan, size_t i, enum spp_section section,
    bool shell, const char *command)
{
	assert_true(i < plan->count);
	assert_int_equal(plan->plugins[i].section, section);
	assert_int_equal(plan->plugins[i].shell, shell);
	assert_string_equal(plan->plugins[i].command, command);
}

static void test_plan_reads_the_sample(void **state)
{
	static const char text[] = "# smtpplugins sample file\n"
				   "[connection]\n"
				   ":plugins/rbl -r list.example.org\n"
				   "\n"
				   "[auth]\n"
				   "plugins/onlycrammd5\n"
				   "[helo]\n"
				   ":plugins/badhelo example.com\n"
				   "[mail]\n"
				   "plugins/blacklisted\n"
				   "plugins/spf\n"
				   "#plugins/off\n"
				   "[rcpt]\n"
				   "plugins/rcptexists\n"
				   "[data]\n"
				   "plugins/foo\n"
				   "[pass]\n"
				   "plugins/bar";
	struct spp_plan plan = parse(text, sizeof(text) - 1);

	(void)state;
	assert_int_equal(plan.count, 8);
	is(&plan, 0, SPP_CONNECTION, true, "plugins/rbl -r list.example.org");
	is(&plan, 1, SPP_AUTH, false, "plugins/onlycrammd5");
	is(&plan, 2, SPP_HELO, true, "plugins/badhelo example.com");
	is(&plan, 3, SPP_MAIL, false, "plugins/blacklisted");
	is(&plan, 4, SPP_MAIL, false, "plugins/spf");
	is(&plan, 5, SPP_RCPT, false, "plugins/rcptexists");
	is(&plan, 6, SPP_DATA, false, "plugins/foo");
	is(&plan, 7, SPP_PASS, false, "plugins/bar");
	assert_true(spp_plan_has(&plan, SPP_PASS));
	spp_plan_free(&plan);
	assert_int_equal(plan.count, 0);
	assert_false(spp_plan_has(&plan, SPP_PASS));
}

static void test_plan_takes_the_first_letter_of_a_section(void **state)
{
	static const char text[] = "[r\na\n[hello world\nb\n[c]\nc\n[r]\nd\n";
	struct spp_plan plan = parse(text, sizeof(text) - 1);

	(void)state;
	assert_int_equal(plan.count, 4);
	is(&plan, 0, SPP_RCPT, false, "a");
	is(&plan, 1, SPP_HELO, false, "b");
	is(&plan, 2, SPP_CONNECTION, false, "c");
	is(&plan, 3, SPP_RCPT, false, "d");
	spp_plan_free(&plan);
}

static void test_plan_runs_nothing_of_no_section(void **state)
{
	static const char text[] =
	    "early\n[x]\na\n[R]\nb\n[]\nc\n[\nd\n[ rcpt]\ne\n";
	struct spp_plan plan = parse(text, sizeof(text) - 1);

	(void)state;
	assert_int_equal(plan.count, 0);
	for (unsigned s = 0; s < SPP_SECTIONS; s++)
		assert_false(spp_plan_has(&plan, (enum spp_section)s));
	spp_plan_free(&plan);
}

static void test_plan_cuts_blanks_at_the_end_only(void **state)
{
	static const char text[] =
	    "[m] \t\n  a b \t \n \t \n:\n: # \nc\r\n#d \n";
	struct spp_plan plan = parse(text, sizeof(text) - 1);

	(void)state;
	assert_int_equal(plan.count, 4);
	is(&plan, 0, SPP_MAIL, false, "  a b");
	is(&plan, 1, SPP_MAIL, true, "");
	is(&plan, 2, SPP_MAIL, true, " #");
	is(&plan, 3, SPP_MAIL, false, "c\r");
	spp_plan_free(&plan);
}

static void test_plan_takes_nul_for_the_end_of_a_line(void **state)
{
	static const char text[] = "[m]\0a\0\0b \0";
	struct spp_plan plan = parse(text, sizeof(text) - 1);

	(void)state;
	assert_int_equal(plan.count, 2);
	is(&plan, 0, SPP_MAIL, false, "a");
	is(&plan, 1, SPP_MAIL, false, "b");
	spp_plan_free(&plan);
	plan = parse("", 0);
	assert_int_equal(plan.count, 0);
	spp_plan_free(&plan);
}

static void test_plan_names_sections_by_their_letters(void **state)
{
	(void)state;
	for (unsigned s = 0; s < SPP_SECTIONS; s++) {
		char text[32];
		int len = snprintf(text, sizeof(text), "[%s]\na",
		    spp_section_name((enum spp_section)s));
		struct spp_plan plan = parse(text, (size_t)len);
		is(&plan, 0, (enum spp_section)s, false, "a");
		spp_plan_free(&plan);
	}
}

/* --- files ------------------------------------------------------------------
 */

static char dir[] = "/tmp/test-plan-XXXXXX";
static char path[64];

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/smtpplugins", dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return rmdir(dir);
}

static void write_file(const char *text, size_t times)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	for (size_t i = 0; i < times; i++)
		assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void refused(const char *why)
{
	struct err err = { 0 };
	struct spp_plan plan;

	memset(&plan, 0xa5, sizeof(plan));
	assert_int_equal(spp_plan_read(path, &plan, &err), -1);
	assert_int_equal(err.code, EXIT_AGAIN);
	if (!strstr(err.text, why) || !strstr(err.text, path))
		fail_msg("%s", err.text);
	assert_int_equal(plan.count, 0);
	spp_plan_free(&plan);
	(void)unlink(path);
}

static void test_plan_read_takes_a_file(void **state)
{
	struct err err = { 0 };
	struct spp_plan plan;

	(void)state;
	write_file("[r]\na\n", 100);
	assert_int_equal(spp_plan_read(path, &plan, &err), 0);
	assert_int_equal(plan.count, 100);
	is(&plan, 99, SPP_RCPT, false, "a");
	spp_plan_free(&plan);
	write_file("", 1);
	assert_int_equal(spp_plan_read(path, &plan, &err), 0);
	assert_int_equal(plan.count, 0);
	spp_plan_free(&plan);
	write_file("[r]\naaaaaaa\n....", SPP_PLAN_MAX / 16);
	assert_int_equal(spp_plan_read(path, &plan, &err), 0);
	spp_plan_free(&plan);
	assert_int_equal(unlink(path), 0);
}

static void test_plan_read_refuses_what_is_not_whole(void **state)
{
	(void)state;
	refused("No such file");
	write_file("[r]\naaaaaaa\n.....", SPP_PLAN_MAX / 16);
	refused("longer than");
	assert_int_equal(mkfifo(path, 0600), 0);
	refused("not a file");
	assert_int_equal(symlink("/dev/null", path), 0);
	refused("not a file");
	assert_int_equal(symlink(dir, path), 0);
	refused("not a file");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plan_reads_the_sample),
		cmocka_unit_test(test_plan_takes_the_first_letter_of_a_section),
		cmocka_unit_test(test_plan_runs_nothing_of_no_section),
		cmocka_unit_test(test_plan_cuts_blanks_at_the_end_only),
		cmocka_unit_test(test_plan_takes_nul_for_the_end_of_a_line),
		cmocka_unit_test(test_plan_names_sections_by_their_letters),
		cmocka_unit_test(test_plan_read_takes_a_file),
		cmocka_unit_test(test_plan_read_refuses_what_is_not_whole),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
