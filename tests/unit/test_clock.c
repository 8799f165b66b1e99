/* SPDX-License-Identifier: ISC */
/*
 * test_clock - printing of moments, and the clock that tests can set, by call
 * and by file.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock_test.h"
#include "base/mem.h"

static void test_clock_print_writes_rfc_3339(void **state)
{
	static const struct {
		int64_t ms;
		const char *text;
	} rows[] = { { 0, "1970-01-01T00:00:00Z" },
		{ 999, "1970-01-01T00:00:00Z" }, { -1, "1969-12-31T23:59:59Z" },
		{ 951782400000, "2000-02-29T00:00:00Z" },
		{ 1772323199000, "2026-02-28T23:59:59Z" },
		{ 1795198200000, "2026-11-20T18:10:00Z" },
		{ 4107542400000, "2100-03-01T00:00:00Z" } };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char out[CLOCK_TEXT_SIZE];
		assert_int_equal(
		    clock_print(rows[i].ms, out), strlen(rows[i].text));
		assert_string_equal(out, rows[i].text);
	}
}

static void test_clock_print_equals_the_library(void **state)
{
	(void)state;
	srandom(5);
	for (int i = 0; i < 200000; i++) {
		int64_t s = ((int64_t)random() << 7) + random() % 128;
		time_t t = (time_t)(s % 250000000000);
		char out[CLOCK_TEXT_SIZE], want[CLOCK_TEXT_SIZE];
		struct tm tm;
		assert_non_null(gmtime_r(&t, &tm));
		strftime(want, sizeof(want), "%Y-%m-%dT%H:%M:%SZ", &tm);
		clock_print((int64_t)t * 1000, out);
		assert_string_equal(out, want);
	}
}

static void test_clock_print_holds_any_number(void **state)
{
	char out[CLOCK_TEXT_SIZE];

	(void)state;
	assert_true(clock_print(INT64_MAX, out) < sizeof(out));
	assert_true(clock_print(INT64_MIN, out) < sizeof(out));
}

/* Runs before the fixed time, as that stays. */
static void test_clock_follows_the_shared_file(void **state)
{
	char path[] = "/tmp/test-clock-XXXXXX", id[CLOCK_BOOT_ID_SIZE];
	char real[CLOCK_BOOT_ID_SIZE];
	struct clock_test_file file = { 0 };
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	clock_boot_id(real);
	assert_int_equal(write(fd, &file, sizeof(file)), sizeof(file));
	setenv("RELAYPASS_TEST_CLOCK", path, 1);
	struct moment before = clock_now();
	clock_init();
	struct moment same = clock_now();
	assert_in_range(same.wall - before.wall, 0, 60000);
	clock_boot_id(id);
	assert_string_equal(id, real);

	file.wall = (int64_t)htole64(3600000);
	file.boot = (int64_t)htole64((uint64_t)-1000);
	snprintf(file.boot_id, sizeof(file.boot_id), "another");
	assert_int_equal(pwrite(fd, &file, sizeof(file), 0), sizeof(file));
	struct moment moved = clock_now();
	assert_in_range(moved.wall - same.wall, 3600000, 3660000);
	assert_true(moved.boot < same.boot + 59000);
	clock_boot_id(id);
	assert_string_equal(id, "another");

	memset(&file, 0, sizeof(file));
	assert_int_equal(pwrite(fd, &file, sizeof(file), 0), sizeof(file));
	close(fd);
	unlink(path);
}

static void test_clock_test_set_fixes_the_time(void **state)
{
	char id[CLOCK_BOOT_ID_SIZE];

	(void)state;
	clock_test_set((struct moment){ 12, 34 }, "boot-1");
	assert_int_equal(clock_now().wall, 12);
	assert_int_equal(clock_now().boot, 34);
	clock_boot_id(id);
	assert_string_equal(id, "boot-1");
	clock_test_set((struct moment){ 13, 35 }, NULL);
	clock_boot_id(id);
	assert_string_equal(id, "boot-1");
	assert_int_equal(clock_now().wall, 13);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clock_print_writes_rfc_3339),
		cmocka_unit_test(test_clock_print_equals_the_library),
		cmocka_unit_test(test_clock_print_holds_any_number),
		cmocka_unit_test(test_clock_follows_the_shared_file),
		cmocka_unit_test(test_clock_test_set_fixes_the_time),
	};

	return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
