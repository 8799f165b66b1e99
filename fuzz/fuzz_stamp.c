/* SPDX-License-Identifier: ISC */
/*
 * fuzz_stamp - times against a slow and simple reference: forms written down as
 * shapes, dates judged by timegm(3), local times found by asking localtime(3)
 * for every offset that the zone has near. Input: a zone, the clock in seconds
 * (4 bytes, little end first), the text; with the zone's high bit set, what a
 * text is made of, so that most are times.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "pattern/stamp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const int64_t skew = 300000;

/*
 * Y m d: numbers of 4, 2, 2 digits; b: a month's name; w: a weekday's; e: a day
 * of the month of one or two digits, or of a blank and one; T: HH:MM:SS; f: a
 * fraction or none; z: a zone or none; t: 'T' or a blank; n: 9 or 10 digits;
 * x: 16 and 8 hex digits. Anything else stands for itself.
 */
static const struct {
	const char *shape;
	enum stamp_kind kind;
} shapes[] = {
	{ "b e T", STAMP_YEARLESS },
	{ "b e Y T", STAMP_LOCAL },
	{ "w b e T Y", STAMP_LOCAL },
	{ "Y-m-dtTfz", STAMP_LOCAL },
	{ "Y/m/dtTfz", STAMP_LOCAL },
	{ "@x", STAMP_INSTANT },
	{ "nf", STAMP_INSTANT },
};

struct wanted {
	struct tm tm; /* tm_year as it is written; tm_mon from 1 */
	int weekday;  /* -1: none */
	int64_t ms, offset, instant;
	bool has_zone, bad;
	const char *p, *end;
};

/* Exactly n digits, or -1. */
static int64_t digits(struct wanted *w, int n)
{
	int64_t v = 0;

	for (int i = 0; i < n; i++, w->p++) {
		if (w->p >= w->end || *w->p < '0' || *w->p > '9') {
			w->bad = true;
			return -1;
		}
		v = v * 10 + (*w->p - '0');
	}
	return v;
}

static bool literal(struct wanted *w, char c)
{
	if (w->p < w->end && *w->p == c)
		return w->p++, true;
	w->bad = true;
	return false;
}

static int name(struct wanted *w, const char *names)
{
	for (int i = 0; names[(size_t)3 * i]; i++)
		if (w->end - w->p >= 3 &&
		    !strncmp(w->p, names + (size_t)3 * i, 3))
			return w->p += 3, i;
	w->bad = true;
	return 0;
}

static bool is_digit_at(const struct wanted *w, int i)
{
	return w->end - w->p > i && w->p[i] >= '0' && w->p[i] <= '9';
}

static void fraction(struct wanted *w)
{
	int64_t scale = 100;
	int n = 1;

	if (w->p >= w->end || (*w->p != '.' && *w->p != ',') ||
	    !is_digit_at(w, 1))
		return;
	for (; n < 10 && is_digit_at(w, n); n++, scale /= 10)
		w->ms += (w->p[n] - '0') * scale;
	w->p += n;
}

static void zone(struct wanted *w)
{
	int64_t hours, minutes;
	char sign;

	if (w->p < w->end && *w->p == 'Z') {
		w->p++;
		w->has_zone = true;
		return;
	}
	/* What is too short for a zone is what follows the stamp. */
	if (w->end - w->p < 5 || (*w->p != '+' && *w->p != '-'))
		return;
	sign = *w->p++;
	hours = digits(w, 2);
	if (w->p < w->end && *w->p == ':')
		w->p++;
	minutes = digits(w, 2);
	w->has_zone = true;
	w->offset = (sign == '-' ? -1 : 1) * (hours * 60 + minutes) * 60;
	w->bad |= minutes > 59 || w->offset > 50400 || w->offset < -43200;
}

static void clock_time(struct wanted *w)
{
	w->tm.tm_hour = (int)digits(w, 2);
	literal(w, ':');
	w->tm.tm_min = (int)digits(w, 2);
	literal(w, ':');
	w->tm.tm_sec = (int)digits(w, 2);
	w->bad |= w->tm.tm_hour > 23 || w->tm.tm_min > 59 ||
		  w->tm.tm_sec > 60 ||
		  (w->tm.tm_sec == 60 && w->tm.tm_min % 15 != 14);
}

static void tai(struct wanted *w)
{
	char text[2][17] = { "", "" };
	uint64_t seconds, nanos;

	if (w->end - w->p < 24) {
		w->bad = true;
		return;
	}
	memcpy(text[0], w->p, 16);
	memcpy(text[1], w->p + 16, 8);
	w->bad |= strspn(text[0], "0123456789abcdef") != 16 ||
		  strspn(text[1], "0123456789abcdef") != 8;
	w->p += 24;
	seconds = strtoull(text[0], NULL, 16);
	nanos = strtoull(text[1], NULL, 16);
	/* 4000000000000000 is 1970 by TAI, 10 seconds ahead of UTC then. */
	w->bad |= seconds < 0x400000000000000a || nanos > 999999999 ||
		  seconds - 0x400000000000000a > 253402300799;
	if (!w->bad)
		w->instant = (int64_t)(seconds - 0x400000000000000a) * 1000 +
			     (int64_t)(nanos / 1000000);
}

static void epoch(struct wanted *w)
{
	int n = 0;

	while (is_digit_at(w, n))
		n++;
	w->bad |= n < 9 || n > 10;
	if (!w->bad)
		w->instant = digits(w, n) * 1000;
}

static void take(struct wanted *w, char what)
{
	switch (what) {
	case 'Y':
		w->tm.tm_year = (int)digits(w, 4);
		w->bad |= w->tm.tm_year < 1970;
		break;
	case 'm':
		w->tm.tm_mon = (int)digits(w, 2);
		break;
	case 'd':
		w->tm.tm_mday = (int)digits(w, 2);
		break;
	case 'b':
		w->tm.tm_mon =
		    1 + name(w, "JanFebMarAprMayJunJulAugSepOctNovDec");
		break;
	case 'w':
		w->weekday = name(w, "SunMonTueWedThuFriSat");
		break;
	case 'e':
		if (w->p < w->end && *w->p == ' ')
			w->p++, w->tm.tm_mday = (int)digits(w, 1);
		else
			w->tm.tm_mday =
			    (int)digits(w, is_digit_at(w, 1) ? 2 : 1);
		break;
	case 'T':
		clock_time(w);
		break;
	case 't':
		if (w->p < w->end && *w->p == ' ')
			w->p++;
		else
			literal(w, 'T');
		break;
	case 'f':
		fraction(w);
		break;
	case 'z':
		zone(w);
		break;
	case 'x':
		tai(w);
		break;
	case 'n':
		epoch(w);
		break;
	default:
		literal(w, what);
	}
}

/* The fields as if they were UTC; false: there is no such day. */
static bool as_utc(const struct wanted *w, int year, int64_t *out)
{
	struct tm tm = w->tm, back;
	time_t t;

	tm.tm_year = year - 1900;
	tm.tm_mon--;
	tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
	t = timegm(&tm);
	gmtime_r(&t, &back);
	*out = t + w->tm.tm_hour * 3600 + w->tm.tm_min * 60 + w->tm.tm_sec;
	return back.tm_mday == w->tm.tm_mday &&
	       back.tm_mon == w->tm.tm_mon - 1 &&
	       (w->weekday < 0 || back.tm_wday == w->weekday);
}

/* Reads one shape; 0: the text is none of it. */
static size_t read_shape(
    size_t n, const char *text, size_t len, struct wanted *w)
{
	int64_t ignored;

	*w = (struct wanted){ .weekday = -1, .p = text, .end = text + len };
	for (const char *s = shapes[n].shape; *s && !w->bad; s++)
		take(w, *s);
	if (w->bad)
		return 0;
	if (shapes[n].kind == STAMP_YEARLESS)
		/* In a leap year every day exists that exists at all. */
		w->bad = !as_utc(w, 2000, &ignored);
	else if (shapes[n].kind == STAMP_LOCAL)
		w->bad = !as_utc(w, w->tm.tm_year, &ignored);
	else
		w->instant += w->ms;
	return w->bad ? 0 : (size_t)(w->p - text);
}

static int64_t distance(int64_t a, int64_t b)
{
	return a > b ? a - b : b - a;
}

/* Not further ahead than skew comes first, then what is near. */
static bool is_better(int64_t t, int64_t than, int64_t now)
{
	bool late = t > now + skew, than_late = than > now + skew;

	if (than < 0 || late != than_late)
		return than < 0 || !late;
	return distance(t, now) < distance(than, now);
}

/* The best instant (ms) whose local time is these fields, or -1. */
static int64_t local(const struct wanted *w, int year, int64_t now)
{
	int64_t naive, best = -1;

	if (!as_utc(w, year, &naive))
		return -1;
	for (int h = -30; h <= 30; h += 6) {
		time_t near = naive + h * 3600, t;
		struct tm tm;
		int64_t ms;

		localtime_r(&near, &tm);
		t = naive - tm.tm_gmtoff;
		localtime_r(&t, &tm);
		ms = (int64_t)t * 1000 + w->ms;
		if (t + tm.tm_gmtoff == naive && ms >= 0 &&
		    is_better(ms, best, now))
			best = ms;
	}
	return best;
}

static int64_t yearless(const struct wanted *w, int64_t now)
{
	time_t seconds = now / 1000;
	int64_t best = -1;
	struct tm tm;

	gmtime_r(&seconds, &tm);
	for (int i = -9; i <= 1; i++) {
		int64_t t = local(w, tm.tm_year + 1900 + i, now);

		if (t >= 0 && t <= now + skew && is_better(t, best, now))
			best = t;
	}
	return best;
}

static int64_t instant(
    enum stamp_kind kind, const struct wanted *w, int64_t now)
{
	int64_t t;

	if (kind == STAMP_INSTANT)
		return w->instant;
	if (kind == STAMP_YEARLESS)
		return yearless(w, now);
	if (!w->has_zone)
		return local(w, w->tm.tm_year, now);
	as_utc(w, w->tm.tm_year, &t);
	t = (t - w->offset) * 1000 + w->ms;
	return t < 0 ? -1 : t;
}

/* Days are remembered as long as the zone stays. */
static void read_both(
    const struct stamp *s, int zone_number, int64_t now, int64_t want)
{
	static struct stamp_reader old;
	static int zone_was = -1;
	struct stamp_reader fresh = { 0 };

	if (zone_number != zone_was)
		old = fresh;
	zone_was = zone_number;
	must(stamp_read(&fresh, s, now, skew) == want);
	must(stamp_read(&old, s, now, skew) == want);
	must(stamp_read(&old, s, now, skew) == want);
}

static void set_zone(int number)
{
	static const char *const names[] = { "UTC", "Europe/Berlin",
		"America/St_Johns", "Australia/Lord_Howe", "Africa/Casablanca",
		"Pacific/Chatham", "Pacific/Kiritimati", "America/New_York" };
	static int was = -1;

	if (number == was)
		return;
	was = number;
	setenv("TZ", names[number], 1);
	tzset();
}

static void check(const char *text, size_t len, int zone_number, int64_t now)
{
	size_t n = 0, i = 0;
	struct wanted w;
	struct stamp s;

	for (; i < COUNT_OF(shapes); i++) {
		n = read_shape(i, text, len, &w);
		if (n)
			break;
	}
	must(stamp_parse(text, len, &s) == n);
	if (!n) {
		must(s.kind == STAMP_NONE);
		return;
	}
	must(s.kind == (w.has_zone ? STAMP_OFFSET : shapes[i].kind));
	read_both(&s, zone_number, now, instant(shapes[i].kind, &w, now));
}

/* A date of mostly possible numbers, near the clock or not. */
static void check_made(const uint8_t *d, int zone_number, int64_t now)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t seconds = now / 1000;
	int month = d[1] % 12, day = d[2] % 32, hour = d[3] % 25;
	int minute = d[4] % 61, second = d[5] % 62, year;
	char text[64];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	year = d[0] & 0x80 ? 1970 + d[6] : 1900 + tm.tm_year;
	if (d[0] & 0x40) {
		month = tm.tm_mon;
		day = tm.tm_mday - 1 + d[2] % 3;
	}
	if (d[0] & 1)
		snprintf(text, sizeof(text), "%.3s %2d %02d:%02d:%02d",
		    months + (size_t)3 * month, day, hour, minute, second);
	else
		snprintf(text, sizeof(text), "%04d-%02d-%02d %02d:%02d:%02d",
		    year, month + 1, day, hour, minute, second);
	check(text, strlen(text), zone_number, now);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t len = size < 5 ? 0 : size - 5;
	AUTO_FREE char *text = xmalloc(len);
	int64_t now;

	if (size < 5)
		return 0;
	set_zone(data[0] % 8);
	now = (int64_t)((uint32_t)data[1] | (uint32_t)data[2] << 8 |
			(uint32_t)data[3] << 16 | (uint32_t)data[4] << 24) *
	      1000;
	memcpy(text, data + 5, len);
	if (!(data[0] & 0x80))
		check(text, len, data[0] % 8, now);
	else if (len >= 7)
		check_made(data + 5, data[0] % 8, now);
	return 0;
}
