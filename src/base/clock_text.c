/* SPDX-License-Identifier: ISC */
/*
 * clock_text - prints a moment. Arithmetic of its own, as gmtime(3) may read
 * time zone files, which a locked-down process cannot.
 */
#include <stdio.h>

#include "clock.h"

enum { DAY_SECONDS = 86400 };

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* Days since 1970 to a date of the Gregorian calendar. Years are counted from
 * 1 March, so that the leap day is the last one; an era is 400 years. */
static void civil(int64_t days, long long *year, int *month, int *day)
{
	days += 719468; /* 0000-03-01 to 1970-01-01 */
	int64_t era = floor_div(days, 146097);
	int64_t in_era = days - era * 146097;
	int64_t y =
	    (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
	int64_t in_year = in_era - (365 * y + y / 4 - y / 100);
	int64_t m = (5 * in_year + 2) / 153;

	*day = (int)(in_year - (153 * m + 2) / 5 + 1);
	*month = (int)(m < 10 ? m + 3 : m - 9);
	*year = era * 400 + y + (*month <= 2);
}

size_t clock_print(int64_t wall_ms, char out[static CLOCK_TEXT_SIZE])
{
	int64_t seconds = floor_div(wall_ms, 1000);
	int64_t days = floor_div(seconds, DAY_SECONDS);
	int rest = (int)(seconds - days * DAY_SECONDS);
	long long year;
	int month, day;

	civil(days, &year, &month, &day);
	int n =
	    snprintf(out, CLOCK_TEXT_SIZE, "%04lld-%02d-%02dT%02d:%02d:%02dZ",
		year, month, day, rest / 3600, rest / 60 % 60, rest % 60);
	return (size_t)n;
}
