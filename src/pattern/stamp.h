/* SPDX-License-Identifier: ISC */
/*
 * stamp - the time at the head of a log line: from text to fields, and from
 * fields to an instant. What a stamp lacks (year, zone) is chosen by now.
 */
#ifndef PATTERN_STAMP_H
#define PATTERN_STAMP_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum stamp_kind {
	STAMP_NONE,     /* no stamp */
	STAMP_YEARLESS, /* Nov 20 18:05:01 */
	STAMP_LOCAL,    /* a date, but no zone */
	STAMP_OFFSET,   /* a date with its zone */
	STAMP_INSTANT   /* TAI64N, epoch seconds */
};

struct stamp {
	enum stamp_kind kind;
	int year, month, day; /* year 0 when STAMP_YEARLESS */
	int second;           /* of the day; 86400 in a leap second */
	int ms;
	int offset;      /* seconds east of UTC */
	int64_t instant; /* ms since 1970, for STAMP_INSTANT */
};

/*
 * Reads the stamp that text begins with:
 *   Nov 20 18:05:01          Nov 20 2026 18:05:01    Fri Nov 20 18:05:01 2026
 *   2026-11-20T18:05:01.5Z   2026-11-20 18:05:01,5   2026/11/20 18:05:01
 *   @ and 24 hex digits (TAI64N)                     1795197901.5
 * Returns how many bytes it takes; 0: none, or an impossible one.
 */
size_t stamp_parse(const char *text, size_t len, struct stamp *out);

/* Remembers the zone's offset of the day it saw last. Zero-initialise. */
struct stamp_reader {
	struct stamp_day {
		int year, month, day; /* day 0: nothing remembered */
		int64_t start;        /* the local day's begin, ms since 1970 */
	} yearless, local;
};

/*
 * The instant, ms since 1970: of all readings that are not more than skew ahead
 * of now the nearest to it. A stamp with a date that is further ahead keeps its
 * nearest reading. -1: no such local time, or before 1970. The zone is that of
 * tzset(3), which must have run: after a lock-down no file can be opened.
 */
int64_t stamp_read(
    struct stamp_reader *r, const struct stamp *s, int64_t now, int64_t skew);
#endif
