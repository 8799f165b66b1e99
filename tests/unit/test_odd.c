/* SPDX-License-Identifier: ISC */
/*
 * test_odd - wrong input is counted, and told once a minute for each reason.
 * stderr is a pipe while a test runs.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock_test.h"
#include "base/log.h"
#include "source/odd.h"

#define SAID "relaypassd: source.input source=t "

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

/* Everything written since the last call. */
static const char *listen_in(void)
{
	ssize_t n = read(pipe_fds[0], heard, sizeof(heard) - 1);

	heard[n > 0 ? n : 0] = '\0';
	return heard;
}

static void test_odd_tells_the_first_and_then_once_a_minute(void **state)
{
	struct odd o;

	(void)state;
	odd_init(&o, "t");
	odd_count(&o, "malformed", "192.0.2.1", 0);
	assert_string_equal(
	    listen_in(), SAID "reason=malformed count=1 peer=192.0.2.1\n");
	assert_false(odd_is_held(&o));
	odd_count(&o, "malformed", "192.0.2.2", 10);
	odd_count(&o, "malformed", "192.0.2.3", 59999);
	odd_flush(&o, 60000);
	assert_string_equal(listen_in(), "");
	assert_true(odd_is_held(&o));
	odd_flush(&o, 60001);
	assert_string_equal(
	    listen_in(), SAID "reason=malformed count=2 peer=192.0.2.3\n");
	odd_flush(&o, 200000);
	assert_string_equal(listen_in(), "");
	odd_count(&o, "malformed", "192.0.2.4", 200001);
	assert_string_equal(
	    listen_in(), SAID "reason=malformed count=1 peer=192.0.2.4\n");
	assert_int_equal(o.total, 4);
}

static void test_odd_keeps_reasons_apart(void **state)
{
	char word[] = "malformed"; /* the same text at another place */
	struct odd o;

	(void)state;
	odd_init(&o, "t");
	odd_count(&o, "malformed", "a", 5);
	odd_count(&o, "not-allowed", "b", 5);
	odd_count(&o, word, "c", 5);
	assert_string_equal(listen_in(),
	    SAID "reason=malformed count=1 peer=a\n" SAID
		 "reason=not-allowed count=1 peer=b\n");
	assert_int_equal(o.reasons[0].count, 2);
	assert_int_equal(o.reasons[1].count, 1);
}

static void test_odd_tells_the_rest_at_the_end(void **state)
{
	struct odd o;

	(void)state;
	odd_init(&o, "t");
	odd_count(&o, "full", "a", 5);
	odd_count(&o, "full", "b", 6);
	(void)listen_in();
	odd_flush(&o, UINT64_MAX);
	assert_string_equal(listen_in(), SAID "reason=full count=1 peer=b\n");
	assert_false(odd_is_held(&o));
}

static void test_odd_quotes_a_peer(void **state)
{
	struct odd o;
	char peer[200];

	(void)state;
	memset(peer, 'x', sizeof(peer));
	peer[sizeof(peer) - 1] = '\0';
	memcpy(peer, "a\nb ", 4);
	odd_init(&o, "t");
	odd_count(&o, "full", peer, 5);
	(void)listen_in();
	assert_ptr_equal(strchr(heard, '\n'), heard + strlen(heard) - 1);
	assert_non_null(strstr(heard, "peer=a\\x0ab\\x20xxx"));
}

static void test_odd_remembers_what_was_of_late(void **state)
{
	const uint64_t pause = ODD_LATELY_MS;
	struct odd o;

	(void)state;
	odd_init(&o, "t");
	assert_null(odd_lately(&o, 5));
	odd_count(&o, "malformed", "one", 10);
	odd_count(&o, "not-allowed", "two", 20);
	odd_count(&o, "malformed", "three", 9 + pause);
	/* One, and the same while it goes on. */
	assert_string_equal(odd_lately(&o, pause)->what, "malformed");
	assert_int_equal(odd_lately(&o, pause)->lately, 2);
	assert_string_equal(odd_lately(&o, pause)->peer, "three");
	assert_string_equal(odd_lately(&o, 2 * pause)->what, "malformed");
	assert_null(odd_lately(&o, 9 + 2 * pause));
	/* Behind a pause it is counted from one; in all it was more. */
	odd_count(&o, "not-allowed", "four", 3 * pause);
	assert_string_equal(odd_lately(&o, 3 * pause)->what, "not-allowed");
	assert_int_equal(odd_lately(&o, 3 * pause)->lately, 1);
	assert_int_equal(odd_lately(&o, 3 * pause)->count, 2);
	(void)listen_in();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(test_odd_##name, catch, release)
		TEST(tells_the_first_and_then_once_a_minute),
		TEST(keeps_reasons_apart),
		TEST(tells_the_rest_at_the_end),
		TEST(quotes_a_peer),
		TEST(remembers_what_was_of_late),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
