/* SPDX-License-Identifier: ISC */
/*
 * stamp - times at the head of log lines. Called by header.c (text to fields)
 * and matcher.c (fields to an instant). Neither mktime(3) nor strptime(3): they
 * take impossible dates, guess, and cost more than the whole rest of a line.
 */
#include "stamp.h"

#include <string.h>
#include <time.h>

enum {
	DAY_SECONDS = 86400,
	ZONE_EAST = 14 * 3600, /* Kiritimati; no clock is further ahead */
	ZONE_WEST = 12 * 3600, /* at sea; nor further behind */
	YEARS_BACK = 9
};

/* TAI64 labels are 2^62 plus seconds; the writers count 10 s of TAI - UTC. */
static const uint64_t tai_epoch = ((uint64_t)1 << 62) + 10;
/* A reading of a year-less stamp stays the right one this long. */
static const int64_t nearly_a_year = (int64_t)364 * DAY_SECONDS * 1000;

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Two digits, or -1. */
static int two(const char *p)
{
	unsigned a = (unsigned char)p[0] - '0', b = (unsigned char)p[1] - '0';

	return a > 9 || b > 9 ? -1 : (int)(a * 10 + b);
}

static int four(const char *p)
{
	int a = two(p), b = two(p + 2);

	return a < 0 || b < 0 ? -1 : a * 100 + b;
}

static bool is_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Year 0 stands for an unknown one: it may have a 29th of February. */
static bool is_date(int year, int month, int day)
{
	static const char days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30,
		31 };

	if (month < 1 || month > 12 || day < 1 || day > days[month - 1])
		return false;
	return month != 2 || day != 29 || is_leap(year);
}

/* Days from 1970-01-01 to the date. */
static int64_t days_to(int year, int month, int day)
{
	static const short before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243,
		273, 304, 334 };
	int64_t last = year - 1;
	int64_t leaps = last / 4 - last / 100 + last / 400 - 477;

	return 365 * (int64_t)(year - 1970) + leaps + before[month - 1] +
	       (month > 2 && is_leap(year)) + day - 1;
}

/*
 * HH:MM:SS to the second of the day, or -1. Second 60 is a leap second, and
 * those end a UTC day: in every zone in use the minute is 14, 29, 44 or 59.
 */
static int clock_parse(const char *p)
{
	int h = two(p), m = two(p + 3), s = two(p + 6);

	if (p[2] != ':' || p[5] != ':' || h < 0 || h > 23 || m < 0 || m > 59 ||
	    s < 0 || s > 60 || (s == 60 && m % 15 != 14))
		return -1;
	return h * 3600 + m * 60 + s;
}

/* "Jan" .. "Dec" to 1..12, 0: none. The sums of their letters all differ. */
static int month_parse(const char *p)
{
	static const char names[] = "???JanFebMarAprMayJunJulAugSepOctNovDec";
	static const char by_sum[] = { [0] = 12,
		[1] = 2,
		[13] = 1,
		[17] = 8,
		[20] = 3,
		[23] = 4,
		[26] = 10,
		[27] = 5,
		[28] = 9,
		[31] = 7,
		[33] = 6,
		[39] = 11 };
	int sum = p[0] + p[1] + p[2] - 268;
	int month = sum >= 0 && sum < (int)sizeof(by_sum) ? by_sum[sum] : 0;

	return month && !memcmp(names + (ptrdiff_t)3 * month, p, 3) ? month : 0;
}

/* A fraction of 1 to 9 digits behind '.' or ','; returns the bytes it takes. */
static size_t fraction_parse(const char *p, size_t len, int *ms)
{
	size_t n = 1;

	*ms = 0;
	if (len < 2 || (p[0] != '.' && p[0] != ',') || !is_digit(p[1]))
		return 0;
	for (; n < len && n < 10 && is_digit(p[n]); n++)
		if (n <= 3)
			*ms = *ms * 10 + (p[n] - '0');
	for (size_t i = n; i <= 3; i++)
		*ms *= 10;
	return n;
}

/* Z, +HH:MM or +HHMM. Returns the bytes it takes; 0: none; 99: impossible. */
static size_t zone_parse(const char *p, size_t len, int *offset)
{
	size_t colon;
	int h, m, east;

	if (len >= 1 && p[0] == 'Z') {
		*offset = 0;
		return 1;
	}
	if (len < 5 || (p[0] != '+' && p[0] != '-'))
		return 0;
	colon = p[3] == ':';
	h = two(p + 1);
	m = len < 5 + colon ? -1 : two(p + 3 + colon);
	east = (p[0] == '-' ? -1 : 1) * (h * 3600 + m * 60);
	if (h < 0 || m < 0 || m > 59 || east > ZONE_EAST || east < -ZONE_WEST)
		return 99;
	*offset = east;
	return 5 + colon;
}

static size_t iso_parse(const char *p, size_t len, struct stamp *out)
{
	size_t n = 19, zone;

	if (len < n || p[4] != p[7] || (p[10] != 'T' && p[10] != ' '))
		return 0;
	out->year = four(p);
	out->month = two(p + 5);
	out->day = two(p + 8);
	out->second = clock_parse(p + 11);
	if (out->year < 1970 || !is_date(out->year, out->month, out->day) ||
	    out->second < 0)
		return 0;
	n += fraction_parse(p + n, len - n, &out->ms);
	zone = zone_parse(p + n, len - n, &out->offset);
	if (zone == 99)
		return 0;
	out->kind = zone ? STAMP_OFFSET : STAMP_LOCAL;
	return n + zone;
}

static size_t tai_parse(const char *p, size_t len, struct stamp *out)
{
	uint64_t word[2] = { 0, 0 }; /* seconds, nanoseconds */

	if (len < 25)
		return 0;
	for (size_t i = 1; i < 25; i++) {
		bool letter = p[i] >= 'a' && p[i] <= 'f';
		unsigned v = (unsigned)(p[i] - (letter ? 'a' - 10 : '0'));

		if (!letter && !is_digit(p[i]))
			return 0;
		word[i > 16] = word[i > 16] << 4 | v;
	}
	if (word[0] < tai_epoch || word[0] - tai_epoch > 253402300799 ||
	    word[1] > 999999999)
		return 0;
	out->instant = (int64_t)(word[0] - tai_epoch) * 1000 +
		       (int64_t)(word[1] / 1000000);
	out->kind = STAMP_INSTANT;
	return 25;
}

/* Seconds since 1970: nine or ten digits, so that no other number is meant. */
static size_t epoch_parse(const char *p, size_t len, struct stamp *out)
{
	size_t n = 0;
	int64_t seconds = 0;

	while (n < len && n < 11 && is_digit(p[n]))
		seconds = seconds * 10 + (p[n++] - '0');
	if (n < 9 || n > 10)
		return 0;
	n += fraction_parse(p + n, len - n, &out->ms);
	out->instant = seconds * 1000 + out->ms;
	out->kind = STAMP_INSTANT;
	return n;
}

/* A day of the month, "3", " 3", "03" or "13", and the blank behind it. */
static size_t day_parse(const char *p, size_t len, int *day)
{
	size_t n = 0;

	*day = 0;
	if (len > 2 && p[0] == ' ' && is_digit(p[1]) && p[2] == ' ')
		n = 1;
	for (size_t i = n; i < len && i < 2 && is_digit(p[i]); i++)
		*day = *day * 10 + (p[i] - '0');
	n += *day > 9 || (len > 1 && p[n] == '0' && is_digit(p[n + 1])) ? 2 : 1;
	return *day > 0 && n < len && p[n] == ' ' ? n + 1 : 0;
}

/* Mmm day HH:MM:SS, or Mmm day YYYY HH:MM:SS. */
static size_t month_first(const char *p, size_t len, struct stamp *out)
{
	size_t n = 4, taken;

	if (len < 14 || p[3] != ' ')
		return 0;
	out->month = month_parse(p);
	taken = day_parse(p + n, len - n, &out->day);
	n += taken;
	if (!out->month || !taken || len - n < 8)
		return 0;
	out->kind = STAMP_YEARLESS;
	if (len - n >= 13 && p[n + 4] == ' ') {
		out->year = four(p + n);
		out->kind = STAMP_LOCAL;
		n += 5;
	}
	out->second = clock_parse(p + n);
	if (out->second < 0 || !is_date(out->year, out->month, out->day) ||
	    (out->kind == STAMP_LOCAL && out->year < 1970))
		return 0;
	return n + 8;
}

/* Monday is 0; 1970 began on a Thursday. */
static int64_t weekday_of(const struct stamp *s)
{
	return (days_to(s->year, s->month, s->day) + 3) % 7;
}

/* Www Mmm day HH:MM:SS YYYY, as ctime(3) has it. */
static size_t weekday_first(const char *p, size_t len, struct stamp *out)
{
	static const char names[] = "MonTueWedThuFriSatSun";
	int weekday = 0;
	size_t n;

	while (weekday < 7 && memcmp(names + weekday * 3, p, 3) != 0)
		weekday++;
	if (len < 23 || weekday == 7)
		return 0;
	n = month_first(p + 4, len - 4, out);
	if (!n || out->kind != STAMP_YEARLESS)
		return 0;
	n += 4;
	if (len - n < 5 || p[n] != ' ')
		return 0;
	out->year = four(p + n + 1);
	out->kind = STAMP_LOCAL;
	if (out->year < 1970 || !is_date(out->year, out->month, out->day) ||
	    weekday_of(out) != weekday)
		return 0;
	return n + 5;
}

size_t stamp_parse(const char *text, size_t len, struct stamp *out)
{
	size_t n = 0;

	out->kind = STAMP_NONE;
	out->year = out->ms = out->offset = 0;
	if (len < 9)
		return 0;
	if (text[0] == '@')
		n = tai_parse(text, len, out);
	else if (is_digit(text[0]))
		n = text[4] == '-' || text[4] == '/'
			? iso_parse(text, len, out)
			: epoch_parse(text, len, out);
	else if (text[0] >= 'A' && text[0] <= 'Z')
		n = text[3] == ' ' && text[4] >= 'A'
			? weekday_first(text, len, out)
			: month_first(text, len, out);
	if (!n)
		out->kind = STAMP_NONE;
	return n;
}

static int64_t offset_at(int64_t seconds)
{
	time_t t = (time_t)seconds;
	struct tm tm;

	return localtime_r(&t, &tm) ? tm.tm_gmtoff : 0;
}

/* The instants whose local time is `local` (seconds as if it were UTC). */
static size_t readings(int64_t local, int64_t out[2])
{
	int64_t before = offset_at(local - DAY_SECONDS);
	int64_t after = offset_at(local + DAY_SECONDS);
	size_t n = 0;

	if (offset_at(local - before) == before)
		out[n++] = local - before;
	if (after != before && offset_at(local - after) == after)
		out[n++] = local - after;
	return n;
}

/* True when no change of offset is near that day: then one base serves all. */
static bool is_plain_day(int64_t day, int64_t *offset)
{
	*offset = offset_at((day - 1) * DAY_SECONDS);
	return *offset == offset_at((day + 2) * DAY_SECONDS);
}

static int64_t distance(int64_t a, int64_t b)
{
	return a > b ? a - b : b - a;
}

/*
 * The best reading of one date, in ms, or -1. Those not further ahead than skew
 * come first; *ahead tells that there was none of them.
 */
static int64_t read_date(
    const struct stamp *s, int year, int64_t now, int64_t skew, bool *ahead)
{
	int64_t local =
	    days_to(year, s->month, s->day) * DAY_SECONDS + s->second;
	int64_t found[2], best = -1;
	size_t n = readings(local, found);

	*ahead = true;
	for (size_t i = 0; i < n; i++) {
		int64_t t = found[i] * 1000 + s->ms;
		bool late = t > now + skew;

		if (t < 0 || (late && !*ahead))
			continue;
		if (best < 0 || (!late && *ahead) ||
		    distance(t, now) < distance(best, now))
			best = t;
		*ahead = *ahead && late;
	}
	return best;
}

/* Keeps the day's begin for later stamps of it, when one base serves all. */
static void remember(struct stamp_day *d, const struct stamp *s, int year)
{
	int64_t day = days_to(year, s->month, s->day), offset;

	*d = (struct stamp_day){ 0 };
	if (!is_plain_day(day, &offset))
		return;
	d->year = s->year;
	d->month = s->month;
	d->day = s->day;
	d->start = (day * DAY_SECONDS - offset) * 1000;
}

static int year_of(int64_t ms)
{
	int year = (int)(1970 + ms / 1000 / DAY_SECONDS / 366);

	while (days_to(year + 1, 1, 1) * DAY_SECONDS * 1000 <= ms)
		year++;
	return year;
}

static int64_t read_yearless(
    struct stamp_reader *r, const struct stamp *s, int64_t now, int64_t skew)
{
	/* The local year may be one ahead of UTC's. */
	int first = year_of(now + skew + (int64_t)DAY_SECONDS * 1000);

	for (int year = first; year > first - YEARS_BACK; year--) {
		bool ahead;
		int64_t t;

		if (!is_date(year, s->month, s->day))
			continue;
		t = read_date(s, year, now, skew, &ahead);
		if (t < 0 || ahead)
			continue;
		remember(&r->yearless, s, year);
		return t;
	}
	return -1;
}

static int64_t read_local(
    struct stamp_reader *r, const struct stamp *s, int64_t now, int64_t skew)
{
	bool ahead;

	remember(&r->local, s, s->year);
	return read_date(s, s->year, now, skew, &ahead);
}

static bool remembers(const struct stamp_day *d, const struct stamp *s)
{
	return d->day == s->day && d->month == s->month && d->year == s->year;
}

int64_t stamp_read(
    struct stamp_reader *r, const struct stamp *s, int64_t now, int64_t skew)
{
	int64_t of_day = (int64_t)s->second * 1000 + s->ms, t;

	switch (s->kind) {
	case STAMP_YEARLESS:
		t = r->yearless.start + of_day;
		if (remembers(&r->yearless, s) && t >= 0 && t <= now + skew &&
		    t > now + skew - nearly_a_year)
			return t;
		return read_yearless(r, s, now, skew);
	case STAMP_LOCAL:
		if (!remembers(&r->local, s))
			return read_local(r, s, now, skew);
		t = r->local.start + of_day;
		return t < 0 ? -1 : t;
	case STAMP_OFFSET:
		t = days_to(s->year, s->month, s->day) * DAY_SECONDS -
		    s->offset;
		t = t * 1000 + of_day;
		return t < 0 ? -1 : t;
	case STAMP_INSTANT:
		return s->instant;
	case STAMP_NONE:
		break;
	}
	return -1;
}
