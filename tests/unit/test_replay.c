/* SPDX-License-Identifier: ISC */
/*
 * test_replay - what is remembered, how long, and what happens when it is full.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/hmac.h"
#include "base/mem.h"
#include "source/replay.h"

enum { WINDOW = 1000, MOST = 64, START = 123456789 };

/* The n-th of an endless row of MACs. */
static enum replay_seen note(struct replay *r, uint64_t n, uint64_t now)
{
	uint8_t mac[HMAC_SIZE];

	hmac_sha256("k", 1, &n, sizeof(n), mac);
	return replay_note(r, mac, now);
}

static void test_replay_sees_a_mac_again_within_the_window(void **state)
{
	(void)state;
	/* At each place of the window that a set may have begun. */
	for (uint64_t at = 0; at < 2 * WINDOW; at += 50) {
		struct replay *r = replay_new(MOST, WINDOW);
		uint64_t first = START + at;
		(void)note(r, 1, START);
		assert_int_equal(note(r, 2, first), REPLAY_NEW);
		for (uint64_t t = first; t < first + WINDOW; t += 10) {
			assert_int_equal(note(r, 2, t), REPLAY_SEEN);
			(void)note(r, 1000 + t / 100, t);
			assert_int_equal(note(r, 2, t), REPLAY_SEEN);
		}
		replay_free(&r);
		assert_null(r);
	}
}

static void test_replay_forgets_after_two_windows(void **state)
{
	struct replay *r = replay_new(MOST, WINDOW);

	(void)state;
	assert_int_equal(note(r, 1, START), REPLAY_NEW);
	assert_int_equal(note(r, 1, START + 2 * WINDOW), REPLAY_NEW);
	assert_int_equal(note(r, 2, START + 3 * WINDOW), REPLAY_NEW);
	assert_int_equal(note(r, 1, START + 4 * WINDOW), REPLAY_NEW);
	replay_free(&r);
}

static void test_replay_refuses_when_it_is_full(void **state)
{
	struct replay *r = replay_new(MOST, WINDOW);

	(void)state;
	for (uint64_t i = 0; i < MOST; i++)
		assert_int_equal(note(r, i, START), REPLAY_NEW);
	assert_int_equal(note(r, MOST, START), REPLAY_FULL);
	assert_int_equal(note(r, 0, START), REPLAY_SEEN);
	assert_int_equal(note(r, MOST, START + WINDOW - 1), REPLAY_FULL);
	assert_int_equal(note(r, MOST, START + WINDOW), REPLAY_NEW);
	assert_int_equal(note(r, 0, START + WINDOW), REPLAY_SEEN);
	replay_free(&r);
}

static void test_replay_takes_no_empty_mac(void **state)
{
	static const uint8_t zero[REPLAY_MAC_SIZE];
	struct replay *r = replay_new(MOST, WINDOW);

	(void)state;
	assert_int_equal(replay_note(r, zero, START), REPLAY_SEEN);
	replay_free(&r);
}

/* Against a list of all MACs and their times. */
static void test_replay_never_takes_one_twice(void **state)
{
	enum { STEPS = 20000, KINDS = 100 };
	struct replay *r = replay_new(MOST, WINDOW);
	uint64_t seen[KINDS] = { 0 }, now = START;

	(void)state;
	srandom(7);
	for (int i = 0; i < STEPS; i++) {
		uint64_t n = (uint64_t)random() % KINDS;
		now += (uint64_t)random() % 60;
		if (note(r, n, now) != REPLAY_NEW)
			continue;
		if (seen[n] && now - seen[n] < WINDOW)
			fail_msg("twice in %llu ms",
			    (unsigned long long)(now - seen[n]));
		seen[n] = now;
	}
	replay_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_replay_sees_a_mac_again_within_the_window),
		cmocka_unit_test(test_replay_forgets_after_two_windows),
		cmocka_unit_test(test_replay_refuses_when_it_is_full),
		cmocka_unit_test(test_replay_takes_no_empty_mac),
		cmocka_unit_test(test_replay_never_takes_one_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
