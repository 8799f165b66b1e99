/* SPDX-License-Identifier: ISC */
/*
 * test_replica_skew - when two clocks are called different, and how.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "replica/skew.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define NOW    INT64_C(1700000000000)

/* Our clock is ahead by so much; the answer took 40 ms. */
static const char *look(struct skew *s, int64_t ahead)
{
	const struct moment asked = { NOW, 1000 },
			    answered = { NOW + 40, 1040 };

	return skew_look(s, "PostgreSQL's", NOW + 20 - ahead, asked, answered);
}

static void assert_says(int64_t ahead, const char *words)
{
	struct skew s = { .max = 5 * MINUTE };
	const char *text = look(&s, ahead);

	assert_non_null(text);
	if (!strstr(text, words))
		(void)fprintf(stderr, "%s\n", text);
	assert_non_null(strstr(text, words));
	assert_true(strlen(text) < 200); /* the board's room (board.h) */
}

static void test_clocks_that_agree_are_not_told(void **state)
{
	struct skew s = { .max = 5 * MINUTE };

	(void)state;
	for (int64_t ahead = -5 * MINUTE; ahead <= 5 * MINUTE; ahead += MINUTE)
		assert_null(look(&s, ahead));
	/* With no allowance, some seconds are none. */
	s.max = 0;
	assert_null(look(&s, 4 * SECOND));
	assert_non_null(look(&s, 6 * SECOND));
}

static void test_the_words_say_which_way(void **state)
{
	(void)state;
	assert_says(
	    7 * MINUTE, "this machine's clock is 7 min ahead of PostgreSQL's");
	assert_says(
	    -7 * MINUTE, "this machine's clock is 7 min behind PostgreSQL's");
	assert_says(-6 * MINUTE - 20 * SECOND, " 6 min behind ");
	assert_says(119 * MINUTE, " 119 min ahead ");
	assert_says(-2 * HOUR - 31 * MINUTE, " 3 h behind ");
	assert_says(400 * 24 * HOUR, " 400 days ahead ");
}

/* The server may have read its clock at any time in between. */
static void test_a_slow_answer_proves_less(void **state)
{
	struct skew s = { .max = MINUTE };
	const struct moment asked = { NOW, 0 },
			    late = { NOW + 90 * SECOND, 90 * SECOND };

	(void)state;
	assert_null(skew_look(&s, "its", NOW, asked, late));
	assert_null(skew_look(&s, "its", NOW + 90 * SECOND, asked, late));
	assert_null(skew_look(&s, "its", NOW - 59 * SECOND, asked, late));
	assert_non_null(skew_look(&s, "its", NOW - 61 * SECOND, asked, late));
	/* Our wall clock was set meanwhile: what it says now counts. */
	s = (struct skew){ .max = MINUTE };
	assert_null(skew_look(&s, "its", NOW + HOUR,
	    (struct moment){ NOW, 1000 }, (struct moment){ NOW + HOUR, 1040 }));
}

static void test_the_text_stays_while_the_difference_does(void **state)
{
	struct skew s = { .max = 5 * MINUTE };
	char first[SKEW_TEXT_SIZE];

	(void)state;
	(void)snprintf(first, sizeof(first), "%s", look(&s, 10 * MINUTE));
	for (int64_t more = -50 * SECOND; more <= 50 * SECOND; more += SECOND)
		assert_string_equal(look(&s, 10 * MINUTE + more), first);
	assert_string_not_equal(look(&s, 12 * MINUTE), first);
	/* About as much as is allowed: told once, and then not over and over.
	 */
	assert_non_null(look(&s, 5 * MINUTE + SECOND));
	assert_non_null(look(&s, 5 * MINUTE - SECOND));
	assert_null(look(&s, 4 * MINUTE));
	assert_null(look(&s, 5 * MINUTE - SECOND));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clocks_that_agree_are_not_told),
		cmocka_unit_test(test_the_words_say_which_way),
		cmocka_unit_test(test_a_slow_answer_proves_less),
		cmocka_unit_test(test_the_text_stays_while_the_difference_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
