/* SPDX-License-Identifier: ISC */
/*
 * test_trouble - the log hears of a trouble once each way. stderr is a pipe
 * while a test runs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/clock_test.h"
#include "base/trouble.h"

static int pipe_fds[2], real_stderr;
static char heard[4096];

static int catch (void **state)
{
	(void)state;
	clock_test_set((struct moment){ 1000000, 500000 }, NULL);
	real_stderr = dup(STDERR_FILENO);
	if (pipe2(pipe_fds, O_NONBLOCK | O_CLOEXEC) < 0)
		return -1;
	dup2(pipe_fds[1], STDERR_FILENO);
	log_open(LOG_TO_STDERR, LOG_LEVEL_INFO, NULL);
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

static const char *listen_in(void)
{
	ssize_t n = read(pipe_fds[0], heard, sizeof(heard) - 1);

	heard[n > 0 ? n : 0] = '\0';
	return heard;
}

static struct trouble make(void)
{
	struct trouble t;

	trouble_init(&t, LOG_SOURCE_ERROR, LOG_SOURCE_OPEN, "source", "web",
	    "table", "a b");
	return t;
}

static void test_trouble_is_told_once_each_way(void **state)
{
	struct trouble t = make();

	(void)state;
	assert_null(trouble_text(&t));
	trouble_over(&t);
	assert_string_equal(listen_in(), "");
	trouble_tell(&t, "no \"x\"");
	assert_string_equal(trouble_text(&t), "no \"x\"");
	assert_string_equal(listen_in(),
	    "relaypassd: source.error source=web table=a\\x20b "
	    "error=\"no 'x'\" next=\"tries again\"\n");
	trouble_tell(&t, "no \"x\"");
	assert_string_equal(listen_in(), "");
	trouble_tell(&t, "another");
	assert_non_null(strstr(listen_in(), "error=\"another\""));
	trouble_over(&t);
	assert_string_equal(listen_in(),
	    "relaypassd: source.open source=web table=a\\x20b state=good\n");
	assert_null(trouble_text(&t));
	trouble_over(&t);
	assert_string_equal(listen_in(), "");
}

static void test_trouble_that_somebody_else_tells(void **state)
{
	struct trouble t = make();

	(void)state;
	trouble_note(&t, "gone");
	assert_string_equal(trouble_text(&t), "gone");
	trouble_over(&t);
	assert_null(trouble_text(&t));
	assert_string_equal(listen_in(), "");
}

static void test_trouble_after_a_note_is_not_told_again(void **state)
{
	struct trouble t = make();

	(void)state;
	trouble_tell(&t, "wrong");
	(void)listen_in();
	trouble_note(&t, "gone");
	trouble_tell(&t, "wrong");
	assert_string_equal(listen_in(), "");
	trouble_over(&t);
	assert_non_null(strstr(listen_in(), "state=good"));
}

static void test_trouble_cuts_what_is_long(void **state)
{
	struct trouble t = make();
	char text[2 * TROUBLE_SIZE];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	trouble_tell(&t, text);
	assert_int_equal(strlen(trouble_text(&t)), TROUBLE_SIZE - 1);
	assert_non_null(strstr(listen_in(), "xxx"));
	trouble_tell(&t, text);
	assert_string_equal(listen_in(), "");
}

#define CAUGHT(test) cmocka_unit_test_setup_teardown(test, catch, release)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CAUGHT(test_trouble_is_told_once_each_way),
		CAUGHT(test_trouble_that_somebody_else_tells),
		CAUGHT(test_trouble_after_a_note_is_not_told_again),
		CAUGHT(test_trouble_cuts_what_is_long),
	};

	return cmocka_run_group_tests_name("trouble", tests, NULL, NULL);
}
