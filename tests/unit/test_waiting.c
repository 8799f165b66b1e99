/* SPDX-License-Identifier: ISC */
/*
 * test_waiting - places, and tokens that name one of them once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/mem.h"
#include "source/waiting.h"

enum { PLACES = 8, ROUNDS = 10000 };

static void test_waiting_takes_as_many_as_it_has(void **state)
{
	struct waiting *w = waiting_new(PLACES, sizeof(int));
	uint64_t token[PLACES], one_more;

	(void)state;
	for (int i = 0; i < PLACES; i++) {
		int *place = waiting_take(w, &token[i]);
		assert_non_null(place);
		assert_true(token[i] != 0);
		*place = i;
	}
	assert_null(waiting_take(w, &one_more));
	assert_int_equal(one_more, 0);
	for (int i = PLACES - 1; i >= 0; i--) {
		const int *place = waiting_end(w, token[i]);
		assert_non_null(place);
		assert_int_equal(*place, i);
	}
	waiting_free(&w);
	assert_null(w);
}

static void test_waiting_knows_a_token_once(void **state)
{
	struct waiting *w = waiting_new(1, 1);
	uint64_t old, token;

	(void)state;
	assert_null(waiting_end(w, 0));
	assert_null(waiting_end(w, 1));
	assert_null(waiting_end(w, UINT64_MAX));
	assert_non_null(waiting_take(w, &old));
	assert_non_null(waiting_end(w, old));
	assert_null(waiting_end(w, old));
	assert_non_null(waiting_take(w, &token));
	assert_true(token != old);
	assert_null(waiting_end(w, old));
	assert_non_null(waiting_end(w, token));
	waiting_free(&w);
}

/* Against an array that remembers what each token stands for. */
static void test_waiting_mixes_nothing_up(void **state)
{
	struct waiting *w = waiting_new(PLACES, sizeof(uint64_t));
	uint64_t tokens[PLACES] = { 0 }, values[PLACES] = { 0 };

	(void)state;
	srandom(5);
	for (uint64_t i = 1; i < ROUNDS; i++) {
		size_t at = (size_t)random() % PLACES;
		if (tokens[at]) {
			const uint64_t *place = waiting_end(w, tokens[at]);
			assert_non_null(place);
			assert_true(*place == values[at]);
			tokens[at] = 0;
		} else {
			uint64_t *place = waiting_take(w, &tokens[at]);
			assert_non_null(place);
			*place = values[at] = i;
		}
	}
	waiting_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_waiting_takes_as_many_as_it_has),
		cmocka_unit_test(test_waiting_knows_a_token_once),
		cmocka_unit_test(test_waiting_mixes_nothing_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
