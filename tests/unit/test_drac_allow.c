/* SPDX-License-Identifier: ISC */
/*
 * test_drac_allow - dracd.allow as it is read: the mask first, and no line that
 * lets in whom it does not name. And how many calls a caller has a second.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "source/drac_allow.h"
#include "source/rate.h"

static struct addr addr_of(const char *text)
{
	struct addr a;

	if (!addr_parse(text, strlen(text), &a))
		fail_msg("%s", text);
	return a;
}

static enum drac_allow_line parse(
    const char *line, size_t len, struct drac_rule *out)
{
	char *copy = xmalloc(len ? len : 1);
	enum drac_allow_line result;

	memcpy(copy, line, len);
	result = drac_allow_parse(copy, len, out);
	free(copy);
	return result;
}

static void test_drac_allow_reads_lines(void **state)
{
	static const struct {
		const char *line;
		uint32_t mask, addr;
	} rows[] = {
		{ "255.255.255.255 127.0.0.1", 0xffffffff, 0x7f000001 },
		{ "255.255.255.0\t192.0.2.0", 0xffffff00, 0xc0000200 },
		{ "255.255.255.0  \t 192.0.2.0 ", 0xffffff00, 0xc0000200 },
		{ "255.255.255.0 192.0.2.0\r", 0xffffff00, 0xc0000200 },
		{ "255.0.255.0 10.0.7.0", 0xff00ff00, 0x0a000700 },
		{ "0.0.0.0 0.0.0.0", 0, 0 },
		{ "255.255.255.255 192.0.2.9 # pop3", 0xffffffff, 0xc0000209 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct drac_rule rule;
		assert_int_equal(
		    parse(rows[i].line, strlen(rows[i].line), &rule),
		    DRAC_LINE_RULE);
		assert_int_equal(rule.mask, rows[i].mask);
		assert_int_equal(rule.addr, rows[i].addr);
	}
}

static void test_drac_allow_ignores_what_it_cannot_read(void **state)
{
	static const char *const empty[] = { "", " ", "\t\r", "#", "# text",
		"#255.255.255.255 127.0.0.1" };
	static const char *const bad[] = { "255.255.255.255",
		"255.255.255.255 ", " 255.255.255.255 127.0.0.1",
		" # 255.255.255.255 127.0.0.1", "127.0.0.1/32",
		"255.255.255 127.0.0.1", "255.255.255.255 127.1",
		"255.255.255.256 127.0.0.1", "255.255.255.255 300.0.0.1",
		"255.255.255.255 127.0.0.1/8", "255.255.255.255 127.0.0.1#x",
		"255.255.255.255,127.0.0.1", "0xffffffff 127.0.0.1",
		"255.255.255.255 ::1",
		"ffff:: 2001:db8::", "::ffff:255.255.255.255 127.0.0.1",
		"255.255.255.255 ::ffff:127.0.0.1", "255.255.255.255 localhost",
		"localhost 127.0.0.1", "255.255.255.0255 127.0.0.1",
		"255.255.255.255 127.0.0.01", ". .", "0 0", "any any" };
	struct drac_rule rule;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(empty); i++)
		assert_int_equal(
		    parse(empty[i], strlen(empty[i]), &rule), DRAC_LINE_EMPTY);
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		if (parse(bad[i], strlen(bad[i]), &rule) != DRAC_LINE_BAD)
			fail_msg("\"%s\" was read", bad[i]);
}

/* What a reader with a buffer of 128 would take for a second line. */
static void test_drac_allow_refuses_long_lines(void **state)
{
	char line[200];
	struct drac_rule rule;

	(void)state;
	(void)snprintf(
	    line, sizeof(line), "%-150s", "255.255.255.255 192.0.2.1");
	assert_int_equal(parse(line, 127, &rule), DRAC_LINE_RULE);
	assert_int_equal(parse(line, 128, &rule), DRAC_LINE_BAD);
	(void)snprintf(line, sizeof(line), "%127s0.0.0.0 0.0.0.0", "");
	assert_int_equal(parse(line, strlen(line), &rule), DRAC_LINE_BAD);
}

/* --- files ---------------------------------------------------------------- */

static char file_path[64];

static struct drac_allow *read_text(const char *text, struct err *err)
{
	FILE *file;
	int fd;

	(void)snprintf(file_path, sizeof(file_path), "/tmp/test-allow-XXXXXX");
	fd = mkstemp(file_path);
	assert_true(fd >= 0);
	file = fdopen(fd, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	struct drac_allow *a = drac_allow_read(file_path, "drac", err);
	assert_int_equal(unlink(file_path), 0);
	return a;
}

static bool has(const struct drac_allow *a, const char *text)
{
	struct addr caller = addr_of(text);

	return drac_allow_has(a, &caller);
}

static void test_drac_allow_matches_mask_first(void **state)
{
	struct err err = { 0 };
	struct drac_allow *a = read_text("# mail servers\n"
					 "255.255.255.255 192.0.2.1\n"
					 "rubbish\n"
					 "255.255.255.0 198.51.100.0\n"
					 "255.255.255.0 203.0.113.5\n"
					 "255.0.0.255 10.0.0.9",
	    &err);

	(void)state;
	assert_non_null(a);
	assert_int_equal(drac_allow_count(a), 4);
	assert_true(has(a, "192.0.2.1"));
	assert_false(has(a, "192.0.2.2"));
	assert_true(has(a, "198.51.100.255"));
	assert_false(has(a, "198.51.101.0"));
	/* Host bits behind the mask: as ever, it matches nobody. */
	assert_false(has(a, "203.0.113.5"));
	assert_true(has(a, "10.1.2.9"));
	assert_false(has(a, "10.1.2.8"));
	assert_false(has(a, "2001:db8::1"));
	assert_false(has(a, "::"));
	assert_true(has(a, "::ffff:192.0.2.1"));
	drac_allow_free(&a);
	assert_null(a);
}

static void test_drac_allow_empty_file_is_nobody(void **state)
{
	struct err err = { 0 };
	struct drac_allow *a = read_text("", &err);

	(void)state;
	assert_non_null(a);
	assert_int_equal(drac_allow_count(a), 0);
	assert_false(has(a, "127.0.0.1"));
	drac_allow_free(&a);
	a = read_text("# 255.255.255.255 127.0.0.1\n\n", &err);
	assert_int_equal(drac_allow_count(a), 0);
	assert_false(has(a, "127.0.0.1"));
	assert_false(has(a, "255.255.255.255"));
	drac_allow_free(&a);
}

static void test_drac_allow_must_exist_and_be_ours(void **state)
{
	struct err err = { 0 };
	int fd;

	(void)state;
	assert_null(drac_allow_read("/nonexistent/dracd.allow", "drac", &err));
	assert_int_equal(err.code, EXIT_USER);
	assert_non_null(strstr(err.text, "/nonexistent/dracd.allow"));
	err.code = 0;
	assert_null(drac_allow_read("/tmp", "drac", &err));
	assert_int_equal(err.code, EXIT_USER);
	(void)snprintf(file_path, sizeof(file_path), "/tmp/test-allow-XXXXXX");
	fd = mkstemp(file_path);
	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, 0666), 0);
	err.code = 0;
	assert_null(drac_allow_read(file_path, "drac", &err));
	assert_int_equal(err.code, EXIT_USER);
	assert_non_null(strstr(err.text, "everybody"));
	assert_int_equal(unlink(file_path), 0);
	(void)close(fd);
	/* A fifo in its place must not hold up the start. */
	assert_int_equal(mkfifo(file_path, 0600), 0);
	err.code = 0;
	assert_null(drac_allow_read(file_path, "drac", &err));
	assert_int_equal(err.code, EXIT_USER);
	assert_int_equal(unlink(file_path), 0);
}

static void test_drac_allow_has_an_end(void **state)
{
	enum { LINES = DRAC_ALLOW_RULES_MAX + 10, SIZE = 32 };
	char *text = xcalloc(LINES, SIZE);
	struct err err = { 0 };
	struct drac_allow *a;
	size_t len = 0;

	(void)state;
	for (size_t i = 0; i < LINES; i++)
		len += (size_t)snprintf(text + len, SIZE,
		    "255.255.255.255 10.0.%zu.%zu\n", i / 256, i % 256);
	a = read_text(text, &err);
	assert_non_null(a);
	assert_int_equal(drac_allow_count(a), DRAC_ALLOW_RULES_MAX);
	assert_true(has(a, "10.0.15.255"));
	assert_false(has(a, "10.0.16.0"));
	drac_allow_free(&a);
	free(text);
}

/* --- rates ---------------------------------------------------------------- */

static void test_rate_counts_each_caller(void **state)
{
	static struct rate r;
	struct addr one = addr_of("192.0.2.1"), two = addr_of("2001:db8::2");

	(void)state;
	rate_init(&r, 3);
	for (int i = 0; i < 3; i++)
		assert_true(rate_take(&r, &one, 5000));
	assert_false(rate_take(&r, &one, 5000));
	assert_false(rate_take(&r, &one, 5999));
	assert_true(rate_take(&r, &two, 5999));
	assert_true(rate_take(&r, &one, 6000));
	assert_true(rate_take(&r, &one, 6000));
	assert_true(rate_take(&r, &one, 6999));
	assert_false(rate_take(&r, &one, 6999));
	/* A clock that begins near nothing. */
	rate_init(&r, 1);
	assert_true(rate_take(&r, &one, 0));
	assert_false(rate_take(&r, &one, 0));
}

static void test_rate_forgets_the_oldest(void **state)
{
	static struct rate r;
	struct addr a = addr_of("192.0.2.0");

	(void)state;
	rate_init(&r, 1);
	for (unsigned i = 0; i < RATE_CALLERS; i++) {
		a.bytes[15] = (uint8_t)i;
		assert_true(rate_take(&r, &a, i));
	}
	for (unsigned i = 0; i < RATE_CALLERS; i++) {
		a.bytes[15] = (uint8_t)i;
		assert_false(rate_take(&r, &a, RATE_CALLERS));
	}
	a.bytes[15] = RATE_CALLERS;
	assert_true(rate_take(&r, &a, RATE_CALLERS));
	a.bytes[15] = 1;
	assert_false(rate_take(&r, &a, RATE_CALLERS));
	a.bytes[15] = 0;
	assert_true(rate_take(&r, &a, RATE_CALLERS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_drac_allow_reads_lines),
		cmocka_unit_test(test_drac_allow_ignores_what_it_cannot_read),
		cmocka_unit_test(test_drac_allow_refuses_long_lines),
		cmocka_unit_test(test_drac_allow_matches_mask_first),
		cmocka_unit_test(test_drac_allow_empty_file_is_nobody),
		cmocka_unit_test(test_drac_allow_must_exist_and_be_ours),
		cmocka_unit_test(test_drac_allow_has_an_end),
		cmocka_unit_test(test_rate_counts_each_caller),
		cmocka_unit_test(test_rate_forgets_the_oldest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
