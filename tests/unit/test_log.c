/* SPDX-License-Identifier: ISC */
/*
 * test_log - one clean line an event, repeats held back and counted. stderr is
 * a pipe while a test runs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock_test.h"
#include "base/log.h"
#include "base/mem.h"

static int pipe_fds[2], real_stderr;
static char heard[65536];

static int catch (void **state)
{
	(void)state;
	clock_test_set((struct moment){ 1000000, 500000 }, NULL);
	real_stderr = dup(STDERR_FILENO);
	if (pipe2(pipe_fds, O_NONBLOCK | O_CLOEXEC) < 0)
		return -1;
	dup2(pipe_fds[1], STDERR_FILENO);
	log_open(LOG_TO_STDERR, LOG_LEVEL_INFO, "keeper");
	return 0;
}

static int release(void **state)
{
	(void)state;
	dup2(real_stderr, STDERR_FILENO);
	close(real_stderr);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	return 0;
}

/* Everything written since the last call. */
static const char *listen_in(void)
{
	ssize_t n = read(pipe_fds[0], heard, sizeof(heard) - 1);

	heard[n > 0 ? n : 0] = '\0';
	return heard;
}

static size_t count_lines(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static void test_log_writes_role_event_and_text(void **state)
{
	(void)state;
	log_info(LOG_LEASE_GRANT, "ip=%s ttl=%d", "192.0.2.1", 30);
	assert_string_equal(listen_in(),
	    "relaypassd[keeper]: lease.grant ip=192.0.2.1 ttl=30\n");
	log_open(LOG_TO_STDERR, LOG_LEVEL_INFO, NULL);
	log_info(LOG_START, "x=1");
	assert_string_equal(listen_in(), "relaypassd: start x=1\n");
}

static void test_log_keeps_to_its_level_and_errno(void **state)
{
	(void)state;
	assert_true(log_wants(LOG_LEVEL_INFO));
	assert_false(log_wants(LOG_LEVEL_DEBUG));
	log_debug(LOG_START, "no");
	assert_string_equal(listen_in(), "");
	log_set_level(LOG_LEVEL_ERROR);
	log_warn(LOG_START, "no");
	assert_string_equal(listen_in(), "");
	errno = ERANGE;
	log_error(LOG_START, "yes");
	assert_int_equal(errno, ERANGE);
	assert_int_equal(count_lines(listen_in()), 1);
}

static void test_log_never_writes_a_control_byte(void **state)
{
	(void)state;
	log_info(LOG_START, "a=%s", "x\n\r\x1b[31m\x7f\x80\xc2\x9b");
	assert_string_equal(
	    listen_in(), "relaypassd[keeper]: start a=x???[31m????\n");
}

static void test_log_cuts_a_long_line_with_dots(void **state)
{
	char big[5000];

	(void)state;
	memset(big, 'b', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	log_info(LOG_START, "a=%s", big);
	const char *line = listen_in();
	assert_true(strlen(line) < 1200);
	assert_int_equal(count_lines(line), 1);
	assert_string_equal(line + strlen(line) - 5, "b...\n");
}

static void test_log_holds_repeats_back_and_counts_them(void **state)
{
	(void)state;
	for (int i = 0; i < 30; i++)
		log_warn(LOG_SOURCE_ERROR, "n=%d", i);
	assert_int_equal(count_lines(listen_in()), 10);
	log_warn(LOG_LEDGER_ERROR, "other=1");
	assert_int_equal(count_lines(listen_in()), 1);
	log_flush();
	assert_string_equal(
	    listen_in(), "relaypassd[keeper]: source.error n=29 repeated=20\n");
	log_flush();
	assert_string_equal(listen_in(), "");
}

static void test_log_tells_the_held_ones_in_the_next_minute(void **state)
{
	(void)state;
	for (int i = 0; i < 12; i++)
		log_warn(LOG_SOURCE_ERROR, "n=%d", i);
	listen_in();
	clock_test_set((struct moment){ 1000000, 500000 + 60000 }, NULL);
	log_warn(LOG_SOURCE_ERROR, "n=new");
	assert_string_equal(listen_in(),
	    "relaypassd[keeper]: source.error n=11 repeated=2\n"
	    "relaypassd[keeper]: source.error n=new\n");
}

static void test_log_writes_held_long_lines_with_their_count(void **state)
{
	char big[5000];

	(void)state;
	memset(big, 'b', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	log_open(LOG_TO_STDERR, LOG_LEVEL_INFO,
	    "reader a-name-of-thirty-one-characters-and-more");
	for (int i = 0; i < 11; i++)
		log_warn(LOG_SOURCE_ERROR, "%s", big);
	listen_in();
	log_flush();
	const char *line = listen_in();
	assert_int_equal(count_lines(line), 1);
	assert_string_equal(line + strlen(line) - 16, "b... repeated=1\n");
}

static void test_log_does_not_hold_back_single_events(void **state)
{
	(void)state;
	for (int i = 0; i < 500; i++)
		log_info(LOG_LEASE_GRANT, "n=%d", i);
	assert_int_equal(count_lines(listen_in()), 500);
}

static void quotes(const char *text, size_t size, const char *want)
{
	char out[64];

	memset(out, 'z', sizeof(out));
	const char *got = log_quote(text, strlen(text), out, size);
	assert_ptr_equal(got, out);
	assert_string_equal(got, want);
	assert_int_equal(out[size], 'z');
}

static void test_log_quote_escapes_and_cuts(void **state)
{
	char none[1];

	(void)state;
	quotes("plain@example.net", 60, "plain@example.net");
	quotes("a b\"c'\\d\n\x7f\xe4", 60,
	    "a\\x20b\\x22c\\x27\\x5cd\\x0a\\x7f\\xe4");
	quotes("0123456789", 11, "0123456789");
	quotes("0123456789", 10, "012345...");
	quotes("012345678 ", 13, "012345678...");
	quotes("   ", 9, "\\x20...");
	quotes("   ", 7, "...");
	quotes("abc", 3, "..");
	quotes("abc", 1, "");
	assert_string_equal(log_quote("a", 1, none, 0), "");
	char out[16];
	assert_string_equal(log_quote("a\0b", 3, out, sizeof(out)), "a\\x00b");
}

static void test_log_knows_its_events(void **state)
{
	(void)state;
	assert_string_equal(log_event_name(LOG_LEASE_GRANT), "lease.grant");
	for (int i = 0; i < LOG_EVENT_COUNT; i++) {
		assert_non_null(log_event_name((enum log_event)i));
		assert_true(strlen(log_event_help((enum log_event)i)) > 5);
		for (int k = 0; k < i; k++)
			assert_string_not_equal(
			    log_event_name((enum log_event)i),
			    log_event_name((enum log_event)k));
	}
}

#define CAUGHT(test) cmocka_unit_test_setup_teardown(test, catch, release)

static void test_log_words_makes_a_sentence_fit_for_quotes(void **state)
{
	char out[8];

	(void)state;
	assert_string_equal(
	    log_words("a \"b\n\x80", 6, out, sizeof(out)), "a 'b??");
	assert_string_equal(log_words("a\0b", 3, out, sizeof(out)), "a?b");
	assert_string_equal(
	    log_words("0123456", 7, out, sizeof(out)), "0123456");
	assert_string_equal(
	    log_words("01234567", 8, out, sizeof(out)), "0123...");
	assert_string_equal(log_words("", 0, out, sizeof(out)), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CAUGHT(test_log_writes_role_event_and_text),
		CAUGHT(test_log_keeps_to_its_level_and_errno),
		CAUGHT(test_log_never_writes_a_control_byte),
		CAUGHT(test_log_cuts_a_long_line_with_dots),
		CAUGHT(test_log_holds_repeats_back_and_counts_them),
		CAUGHT(test_log_tells_the_held_ones_in_the_next_minute),
		CAUGHT(test_log_writes_held_long_lines_with_their_count),
		CAUGHT(test_log_does_not_hold_back_single_events),
		cmocka_unit_test(test_log_quote_escapes_and_cuts),
		cmocka_unit_test(test_log_knows_its_events),
		cmocka_unit_test(
		    test_log_words_makes_a_sentence_fit_for_quotes),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
