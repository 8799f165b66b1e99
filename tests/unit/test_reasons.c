/* SPDX-License-Identifier: ISC */
/*
 * test_reasons - every word for a refused login has its sentence.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "cmd/reasons.h"
#include "login/rules.h"

static void test_reasons_knows_every_word(void **state)
{
	(void)state;
	for (int j = JUDGE_LEASE + 1; j < JUDGE_COUNT; j++) {
		const char *word = rules_reason((enum judgement)j);
		const char *sentence = reason_sentence(word);
		if (!sentence) {
			fail_msg("%s has no sentence", word);
			return;
		}
		/* It stands in brackets on a line. */
		assert_null(strpbrk(sentence, "()\n"));
		assert_true(strlen(sentence) < 80);
	}
}

static void test_reasons_knows_no_other(void **state)
{
	(void)state;
	assert_null(reason_sentence("lease"));
	assert_null(reason_sentence("none"));
	assert_null(reason_sentence(""));
	assert_null(reason_sentence("by-hand"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reasons_knows_every_word),
		cmocka_unit_test(test_reasons_knows_no_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
