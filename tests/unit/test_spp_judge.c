/* SPDX-License-Identifier: ISC */
/*
 * test_spp_judge - all sixteen sets of facts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "smtp/judge.h"

static void all_sets_of_facts(void **state)
{
	static const enum spp_verdict want[16] = {
		/* relayclient, ok, listed, routed: from the lowest bit */
		[0] = SPP_FOREIGN,
		[1] = SPP_SUFFIXED,
		[2] = SPP_RELAYED,
		[3] = SPP_SUFFIXED,
		[4] = SPP_LOCAL,
		[5] = SPP_SUFFIXED,
		[6] = SPP_RELAYED,
		[7] = SPP_SUFFIXED,
		[8] = SPP_FOREIGN,
		[9] = SPP_SUFFIXED,
		[10] = SPP_RELAYED,
		[11] = SPP_SUFFIXED,
		[12] = SPP_FOREIGN, /* listed, but it leads elsewhere */
		[13] = SPP_SUFFIXED,
		[14] = SPP_RELAYED,
		[15] = SPP_SUFFIXED,
	};

	for (unsigned i = 0; i < 16; i++) {
		struct spp_facts f = { .relayclient = i & 1,
			.ok = i & 2,
			.listed = i & 4,
			.routed = i & 8 };

		assert_int_equal(spp_judge(f), want[i]);
	}
	(void)state;
}

static void nothing_known_is_refused(void **state)
{
	assert_int_equal(spp_judge((struct spp_facts){ 0 }), SPP_FOREIGN);
	assert_int_equal(SPP_FOREIGN, 0);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_sets_of_facts),
		cmocka_unit_test(nothing_known_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
