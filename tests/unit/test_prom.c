/* SPDX-License-Identifier: ISC */
/*
 * test_prom - metrics in Prometheus' text format.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http/prom.h"

static void test_prom_writes_families(void **state)
{
	static const char want[] = "# HELP a_total What it is.\n"
				   "# TYPE a_total counter\n"
				   "a_total 0\n"
				   "a_total{x=\"1\"} 18446744073709551615\n"
				   "# HELP b Another.\n"
				   "# TYPE b gauge\n"
				   "b{x=\"a\\\\b\\\"c\\nd\",y=\"\"} 7\n";
	const struct prom_label one = { "x", "1" };
	const struct prom_label two[] = { { "x", "a\\b\"c\nd" }, { "y", "" } };
	struct prom p = { 0 };

	(void)state;
	prom_family(&p, "a_total", "counter", "What it is.");
	prom_sample(&p, NULL, 0, 0);
	prom_sample(&p, &one, 1, UINT64_MAX);
	prom_family(&p, "b", "gauge", "Another.");
	prom_sample(&p, two, 2, 7);
	assert_int_equal(p.len, strlen(want));
	assert_memory_equal(p.text, want, p.len);
	free(p.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prom_writes_families),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
