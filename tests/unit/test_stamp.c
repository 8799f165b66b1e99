/* SPDX-License-Identifier: ISC */
/*
 * test_stamp - times: what a stamp lacks is chosen by now, and what cannot be
 * is refused. Compared with mktime(3), which knows zones but guesses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "pattern/stamp.h"

static const int64_t minute = 60000, hour = 3600000, day = 86400000;

static void zone(const char *name)
{
	setenv("TZ", name, 1);
	tzset();
}

/* The instant of a text, -1: none; a new reader each time. */
static int64_t at(const char *text, int64_t now, int64_t skew)
{
	struct stamp_reader r = { 0 };
	struct stamp s;

	if (stamp_parse(text, strlen(text), &s) != strlen(text))
		return -1;
	return stamp_read(&r, &s, now, skew);
}

static int64_t utc(const char *rfc3339)
{
	int64_t ms = at(rfc3339, 0, 0);

	assert_true(ms >= 0);
	return ms;
}

static void assert_time(const char *text, const char *now, const char *want)
{
	char got[CLOCK_TEXT_SIZE];
	int64_t ms = at(text, utc(now), 5 * minute);

	if (!want) {
		if (ms >= 0)
			fail_msg("%s was taken", text);
		return;
	}
	clock_print(ms < 0 ? 0 : ms, got);
	if (ms != utc(want))
		fail_msg("%s at %s: want %s, got %s", text, now, want, got);
}

static void test_stamp_reads_all_forms_of_one_instant(void **state)
{
	static const char *const forms[] = { "Nov 20 18:05:01",
		"Nov 20 2026 18:05:01", "Fri Nov 20 18:05:01 2026",
		"2026-11-20 18:05:01", "2026/11/20 18:05:01",
		"2026-11-20T18:05:01Z", "2026-11-20T20:05:01+02:00",
		"2026-11-20T13:05:01-0500", "1795197901",
		"@400000006b008bd700000000" };

	(void)state;
	zone("UTC");
	for (size_t i = 0; i < COUNT_OF(forms); i++)
		assert_time(
		    forms[i], "2026-11-20T18:10:00Z", "2026-11-20T18:05:01Z");
	assert_time("Fri Nov 6 18:05:01 2026", "2026-11-20T18:10:00Z",
	    "2026-11-06T18:05:01Z");
	assert_int_equal(utc("2026-11-20T18:05:01.5Z") % 1000, 500);
	assert_int_equal(utc("2026-11-20T18:05:01,123456Z") % 1000, 123);
	assert_int_equal(at("1795197901.25", 0, 0) % 1000, 250);
}

static void test_stamp_without_year_is_the_nearest_not_ahead(void **state)
{
	(void)state;
	zone("UTC");
	assert_time(
	    "Nov 20 18:13:00", "2026-11-20T18:10:00Z", "2026-11-20T18:13:00Z");
	assert_time(
	    "Nov 20 18:16:00", "2026-11-20T18:10:00Z", "2025-11-20T18:16:00Z");
	assert_time(
	    "Dec 31 23:59:59", "2027-01-01T00:00:10Z", "2026-12-31T23:59:59Z");
	assert_time(
	    "Jan  1 00:00:01", "2026-12-31T23:59:58Z", "2027-01-01T00:00:01Z");
	assert_time(
	    "Feb 29 12:00:00", "2026-03-01T00:00:00Z", "2024-02-29T12:00:00Z");
	assert_time(
	    "Feb 29 12:00:00", "2028-02-29T12:01:00Z", "2028-02-29T12:00:00Z");
	/* 2100 is no leap year: eight years between. */
	assert_time(
	    "Feb 29 12:00:00", "2103-03-01T00:00:00Z", "2096-02-29T12:00:00Z");
}

/* Local times of 1970 that were in 1969 by UTC; remembered days too. */
static void test_stamp_before_1970_is_none(void **state)
{
	static const char *const texts[] = { "1970-01-01 12:00:00",
		"1970-01-01 00:30:00", "1970-01-01 00:30:00" };
	static const char *const yearless[] = { "Jan  1 12:00:00",
		"Jan  1 00:30:00", "Jan  1 00:30:00" };
	struct stamp_reader r = { 0 };

	(void)state;
	zone("Europe/Berlin");
	for (size_t i = 0; i < 3; i++) {
		struct stamp s;

		assert_int_equal(stamp_parse(texts[i], 19, &s), 19);
		assert_int_equal(
		    stamp_read(&r, &s, 30 * day, minute), i ? -1 : 11 * hour);
		assert_int_equal(stamp_parse(yearless[i], 15, &s), 15);
		assert_int_equal(
		    stamp_read(&r, &s, 30 * day, minute), i ? -1 : 11 * hour);
	}
	zone("UTC");
}

static void test_stamp_without_year_reads_the_new_year_in_any_zone(void **state)
{
	(void)state;
	zone("Pacific/Kiritimati"); /* UTC+14 */
	assert_time(
	    "Jan  1 00:00:01", "2026-12-31T10:00:10Z", "2026-12-31T10:00:01Z");
	zone("Pacific/Pago_Pago"); /* UTC-11 */
	assert_time(
	    "Dec 31 23:59:59", "2027-01-01T11:00:10Z", "2027-01-01T10:59:59Z");
	zone("UTC");
}

static void test_stamp_in_the_doubled_hour_is_the_nearest(void **state)
{
	(void)state;
	zone("Europe/Berlin"); /* 2026-10-25: 03:00 CEST is 02:00 CET again */
	assert_time(
	    "Oct 25 02:30:00", "2026-10-25T00:31:00Z", "2026-10-25T00:30:00Z");
	assert_time(
	    "Oct 25 02:30:00", "2026-10-25T01:31:00Z", "2026-10-25T01:30:00Z");
	assert_time("2026-10-25 02:30:00", "2026-10-25T01:31:00Z",
	    "2026-10-25T01:30:00Z");
	/* Ahead of now by the later reading: then the earlier. */
	assert_time("2026-10-25 02:58:00", "2026-10-25T01:00:00Z",
	    "2026-10-25T00:58:00Z");
	/* 2026-03-29 has no 02:30. */
	assert_time(
	    "Mar 29 02:30:00", "2026-03-29T01:31:00Z", "2025-03-29T01:30:00Z");
	assert_time("2026-03-29 02:30:00", "2026-03-29T01:31:00Z", NULL);
	assert_time(
	    "Mar 29 03:30:00", "2026-03-29T01:31:00Z", "2026-03-29T01:30:00Z");
	zone("UTC");
}

static void test_stamp_refuses_impossible_times(void **state)
{
	static const char *const texts[] = { "Nov 31 18:05:00",
		"Nov 00 18:05:00", "Nov 20 24:00:00", "Nov 20 18:60:00",
		"Nov 20 18:05:61", "Nov 20 18:05:60", "Feb 30 00:00:00",
		"2025-02-29T00:00:00Z", "2026-00-10T00:00:00Z",
		"2026-13-10T00:00:00Z", "2026-11-20T18:05:00+14:01",
		"2026-11-20T18:05:00+05:60", "2026-11-20T18:05:00+5:00",
		"2026-11-20t18:05:00z", "2026-11-20T18:05Z",
		"0000-01-01T00:00:00Z", "1969-12-31T23:59:59Z",
		"+2026-11-20T18:05:00Z", "12345678",
		"@400000006b008bd73b9aca00", "@000000006b008bd700000000",
		"@400000006B008BD700000000", "Nov 20 0026 18:05:01",
		"Sat Nov 20 18:05:01", "Fri Feb 29 18:05:01 2026",
		"Thu Nov 20 18:05:01 2026", "Sun Feb 29 18:05:01 2026",
		"2026-11-20T18:05:00-12:01", "2026-11-20T18:05:00+99:99",
		"2026-02-30T18:05:00Z", "2100-02-29T18:05:00Z",
		"Feb 29 2026 18:05:01", "2026/02/29 18:05:01",
		"2026-11-20T24:00:00Z", "Nov 20 2026 24:00:00",
		"@4000003afff4418a00000000", "@3fffffffffffffff00000000",
		"@400000000000000900000000", "12345678901",
		"@400000006b008bZ700000000", "@400000006b008bd70000000`" };

	(void)state;
	zone("UTC");
	for (size_t i = 0; i < COUNT_OF(texts); i++)
		assert_time(texts[i], "2026-11-20T18:10:00Z", NULL);
	assert_time(
	    "Nov 20 18:14:60", "2026-11-20T18:16:00Z", "2026-11-20T18:15:00Z");
	assert_time("2016-12-31T23:59:60Z", "2026-11-20T18:16:00Z",
	    "2017-01-01T00:00:00Z");
}

/* Three letters are a month, or nothing is. */
static void test_stamp_knows_twelve_months(void **state)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	char text[] = "??? 20 18:05:01";
	int found = 0;

	(void)state;
	for (int n = 0; n < 128 * 128 * 128; n++) {
		struct stamp s;

		text[0] = (char)(n >> 14);
		text[1] = (char)(n >> 7 & 127);
		text[2] = (char)(n & 127);
		if (!stamp_parse(text, strlen(text), &s))
			continue;
		assert_memory_equal(text, names + (s.month - 1) * 3, 3);
		found++;
	}
	assert_int_equal(found, 12);
}

/* The weekday of every day of 400 years, after which they come again. */
static void test_stamp_with_a_weekday_wants_the_right_one(void **state)
{
	static const char names[] = "SunMonTueWedThuFriSat";

	(void)state;
	for (int64_t t = 0; t < 400 * 366 * day / 1000; t += day / 1000) {
		time_t seconds = (time_t)t;
		struct tm tm;
		char text[32];
		struct stamp s;

		gmtime_r(&seconds, &tm);
		strftime(text, sizeof(text), "%a %b %e %H:%M:%S %Y", &tm);
		assert_int_equal(stamp_parse(text, 24, &s), 24);
		for (int other = 1; other < 7; other++) {
			memcpy(text, names + (tm.tm_wday + other) % 7 * 3, 3);
			assert_int_equal(stamp_parse(text, 24, &s), 0);
		}
	}
}

static void test_stamp_ahead_with_a_date_keeps_its_time(void **state)
{
	(void)state;
	zone("UTC");
	assert_time("9999-12-31T23:59:59Z", "2026-11-20T18:10:00Z",
	    "9999-12-31T23:59:59Z");
	assert_time("2036-11-20 18:05:00", "2026-11-20T18:10:00Z",
	    "2036-11-20T18:05:00Z");
}

/* A reader that remembers days says the same as one that does not. */
static void test_stamp_memory_changes_no_result(void **state)
{
	static const char *const zones[] = { "UTC", "Europe/Berlin",
		"America/St_Johns", "Australia/Lord_Howe", "Africa/Casablanca",
		"Pacific/Chatham" };
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May",
		"Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	struct stamp_reader r = { 0 };
	unsigned seed = 7;

	(void)state;
	for (int i = 0; i < 60000; i++) {
		char text[32];
		struct stamp s;
		int64_t now;
		int hh, mm;

		if (i % 10000 == 0) {
			zone(zones[i / 10000]);
			r = (struct stamp_reader){ 0 };
		}
		/* Days in a row, and clocks near and far. */
		now = utc("2026-01-01T00:00:00Z") +
		      (int64_t)(i % 10000) * hour +
		      (int64_t)(rand_r(&seed) % 5) * 300 * day;
		hh = rand_r(&seed) % 24;
		mm = rand_r(&seed) % 60;
		if (rand_r(&seed) % 2)
			snprintf(text, sizeof(text),
			    "2026-%02d-%02d %02d:%02d:00", 1 + i / 800 % 12,
			    1 + i / 30 % 28, hh, mm);
		else
			snprintf(text, sizeof(text), "%s %2d %02d:%02d:00",
			    months[i / 800 % 12], 1 + i / 30 % 28, hh, mm);
		assert_int_equal(
		    stamp_parse(text, strlen(text), &s), strlen(text));
		assert_int_equal(stamp_read(&r, &s, now, 5 * minute),
		    at(text, now, 5 * minute));
	}
	zone("UTC");
}

/* Where local time is unambiguous, mktime(3) must agree. */
static void test_stamp_agrees_with_mktime(void **state)
{
	unsigned seed = 11;

	(void)state;
	zone("America/New_York");
	for (int i = 0; i < 20000; i++) {
		time_t t = 946684800 + rand_r(&seed) % 2000000000L;
		struct tm tm, back;
		char text[32];

		localtime_r(&t, &tm);
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
		back = tm;
		back.tm_isdst = !tm.tm_isdst;
		if (mktime(&back) != t && back.tm_hour == tm.tm_hour)
			continue; /* doubled */
		assert_int_equal(
		    at(text, (int64_t)t * 1000, minute), (int64_t)t * 1000);
	}
	zone("UTC");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stamp_reads_all_forms_of_one_instant),
		cmocka_unit_test(
		    test_stamp_without_year_is_the_nearest_not_ahead),
		cmocka_unit_test(test_stamp_before_1970_is_none),
		cmocka_unit_test(
		    test_stamp_without_year_reads_the_new_year_in_any_zone),
		cmocka_unit_test(test_stamp_in_the_doubled_hour_is_the_nearest),
		cmocka_unit_test(test_stamp_refuses_impossible_times),
		cmocka_unit_test(test_stamp_knows_twelve_months),
		cmocka_unit_test(test_stamp_with_a_weekday_wants_the_right_one),
		cmocka_unit_test(test_stamp_ahead_with_a_date_keeps_its_time),
		cmocka_unit_test(test_stamp_memory_changes_no_result),
		cmocka_unit_test(test_stamp_agrees_with_mktime),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
