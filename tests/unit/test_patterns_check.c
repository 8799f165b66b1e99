/* SPDX-License-Identifier: ISC */
/*
 * test_patterns_check - what is tested of a pattern file that could be read:
 * the parts that no file on a disk can show. The rest is in tests/e2e.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cmd/patterns_check.h"

struct heard {
	int count, line;
	char text[300];
};

static void hear(
    void *ctx, const struct pattern_file *f, int line, const char *text)
{
	struct heard *h = ctx;

	(void)f;
	h->count++;
	h->line = line;
	snprintf(h->text, sizeof(h->text), "%s", text);
}

static double last_cost;

static void keep_cost(
    const struct pattern_file *f, const struct pattern_expr *e, double steps)
{
	(void)f;
	(void)e;
	last_cost = steps;
}

/* Every choice doubles the work; reading a file would refuse this one. */
static void test_check_refuses_what_costs_too_much(void **state)
{
	static char dear[] = "^\\.a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?b$";
	static char cheap[] = "^\\.a++b$",
		    line[] = "Nov 20 18:05:01 mx1 x: .aa.b";
	struct pattern_expr expr = { .line = 7, .text = dear };
	struct pattern_block block = { .exprs = &expr, .expr_count = 1 };
	struct pattern_sample sample = { .text = line,
		.text_len = sizeof(line) - 1 };
	struct pattern_file f = { .blocks = &block,
		.block_count = 1,
		.samples = &sample,
		.sample_count = 1 };
	struct heard heard = { 0 };
	struct pattern_check c = { .tell = hear, .note = hear, .ctx = &heard };

	(void)state;
	patterns_check_costs(&c, &f, keep_cost);
	assert_true(last_cost > 50);
	assert_int_equal(c.mistakes, 1);
	assert_int_equal(heard.line, 7);
	assert_non_null(strstr(heard.text, "steps a byte, 50 are allowed"));
	expr.text = cheap;
	patterns_check_costs(&c, &f, keep_cost);
	assert_true(last_cost < 1);
	assert_int_equal(c.mistakes, 1);
}

static void test_check_finds_the_servers_we_bring_along_good(void **state)
{
	struct err err = { 0 };
	struct patterns *all =
	    patterns_open(&(struct patterns_options){ 0 }, &err);
	struct heard heard = { 0 };
	struct pattern_check c = { .tell = hear, .note = hear, .ctx = &heard };

	(void)state;
	assert_non_null(all);
	assert_true(patterns_check_all(&c, all) > 20);
	if (c.mistakes)
		fail_msg("line %d: %s", heard.line, heard.text);
	patterns_close(&all);
}

static void test_check_tells_that_a_directory_cannot_be_read(void **state)
{
	struct heard heard = { 0 };
	struct pattern_check c = {
		.dir = "/dev/null", .tell = hear, .note = hear, .ctx = &heard
	};
	char path[] = "/nonexistent/x.pattern";

	(void)state;
	assert_null(patterns_check_file(&c, path));
	assert_int_equal(c.mistakes, 1);
	assert_non_null(strstr(heard.text, path));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check_refuses_what_costs_too_much),
		cmocka_unit_test(
		    test_check_finds_the_servers_we_bring_along_good),
		cmocka_unit_test(
		    test_check_tells_that_a_directory_cannot_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
