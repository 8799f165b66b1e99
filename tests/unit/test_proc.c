/* SPDX-License-Identifier: ISC */
/*
 * test_proc - start times of processes, from stat files with odd names.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock_test.h"
#include "daemon/proc.h"

/* Fields 4 to 21, then the one that is wanted. */
#define REST " 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 987654 99 100 101\n"

static uint64_t parse(const char *text)
{
	return proc_parse_start(text, strlen(text));
}

static void test_proc_reads_field_22(void **state)
{
	(void)state;
	assert_int_equal(parse("42 (imap) S" REST), 987654);
	assert_int_equal(parse("42 (imap) R" REST), 987654);
}

static void test_proc_is_not_fooled_by_a_name(void **state)
{
	static const char *const names[] = { "a b", "a) S 1 2 3", ")", "(", "",
		") ) )", "x) Z 1", "((((", "\n", "1 2 3 4 5 6 7 8 9 10",
		"\xff\x80" };
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		(void)snprintf(text, sizeof(text), "42 (%s) S" REST, names[i]);
		assert_int_equal(parse(text), 987654);
	}
}

static void test_proc_takes_the_dead_for_dead(void **state)
{
	(void)state;
	assert_int_equal(parse("42 (imap) Z" REST), 0);
	assert_int_equal(parse("42 (imap) X" REST), 0);
}

static void test_proc_refuses_what_is_cut_or_no_stat_file(void **state)
{
	static const char whole[] = "42 (imap) S" REST;
	const char *field = strstr(whole, "987654");

	(void)state;
	/* Only with the blank behind it is the number known to be whole. */
	for (size_t len = 0; whole + len <= field + 6; len++)
		assert_int_equal(proc_parse_start(whole, len), 0);
	assert_int_equal(
	    proc_parse_start(whole, (size_t)(field + 7 - whole)), 987654);
	assert_int_equal(parse(""), 0);
	assert_int_equal(parse(")"), 0);
	assert_int_equal(parse("no parenthesis at all 1 2 3 4 5 6 7 8"), 0);
	assert_int_equal(parse("42 (imap) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 "
			       "15 16 17 18 x7 99\n"),
	    0);
}

static bool is_mail(const char *text)
{
	return proc_is_mail(text, strlen(text));
}

static void test_proc_knows_mail_by_its_name(void **state)
{
	(void)state;
	assert_true(is_mail("42 (imap) S" REST));
	assert_true(is_mail("42 (pop3) S" REST));
	assert_true(is_mail("42 (imap-login) S" REST));
	assert_true(is_mail("42 (qmail-pop3d) S" REST));
	assert_true(is_mail("42 (courierpop3d) S" REST));
	assert_true(is_mail("42 (a) (imapd) S" REST));
	assert_false(is_mail("42 (sshd) S" REST));
	assert_false(is_mail("42 (ima) S" REST));
	assert_false(is_mail("42 () S" REST));
	/* Outside of the name it says nothing. */
	assert_false(is_mail("42 (sh) imap"));
	assert_false(is_mail("pop3 (sh) S" REST));
	assert_false(is_mail("42 (ima)p S" REST));
	/* No name, or none that ends. */
	assert_false(is_mail("42 (imap"));
	assert_false(is_mail(") imap ("));
	assert_false(is_mail("imap"));
	assert_false(is_mail(""));
}

static void test_proc_finds_living_processes_only(void **state)
{
	struct proc *p = proc_open();
	int64_t began = 0;
	uint64_t start;
	pid_t child;

	(void)state;
	clock_init();
	/* Not just any process can hold a session. */
	assert_int_equal(proc_start(p, (uint32_t)getpid(), &began), 0);
	assert_int_equal(prctl(PR_SET_NAME, "imap"), 0);
	start = proc_start(p, (uint32_t)getpid(), &began);
	assert_true(start > 0);
	assert_int_equal(proc_start(p, (uint32_t)getpid(), &began), start);
	assert_int_equal(proc_start(p, 0, &began), 0);
	assert_int_equal(proc_start(p, UINT32_MAX, &began), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		(void)pause();
		_exit(0);
	}
	assert_true(proc_start(p, (uint32_t)child, &began) >= start);
	assert_int_equal(kill(child, SIGKILL), 0);
	/* Dead, but not collected: it must not hold a lease. */
	assert_int_equal(
	    waitid(P_PID, (id_t)child, &(siginfo_t){ 0 }, WEXITED | WNOWAIT),
	    0);
	assert_int_equal(proc_start(p, (uint32_t)child, &began), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(proc_start(p, (uint32_t)child, &began), 0);
	proc_close(&p);
	assert_null(p);
	proc_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_proc_reads_field_22),
		cmocka_unit_test(test_proc_is_not_fooled_by_a_name),
		cmocka_unit_test(test_proc_takes_the_dead_for_dead),
		cmocka_unit_test(test_proc_refuses_what_is_cut_or_no_stat_file),
		cmocka_unit_test(test_proc_knows_mail_by_its_name),
		cmocka_unit_test(test_proc_finds_living_processes_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
