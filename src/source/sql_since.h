/* SPDX-License-Identifier: ISC */
/*
 * sql_since - from which time on a table's rows are asked for. Pure. Called by:
 * source/sql.c.
 *
 * All times are the database's. When its clock is set back, rows that were
 * taken long ago would look young again: then nothing is taken until the clock
 * has come to where it was, and of the rows only those from there on.
 */
#ifndef SOURCE_SQL_SINCE_H
#define SOURCE_SQL_SINCE_H
#include <stdbool.h>
#include <stdint.h>

struct sql_since {
	int64_t overlap, interval, period; /* ms; of the source */
	int64_t at;     /* s; what a whole reading has come to; stored */
	int64_t latest; /* s; the last reading of either sort */
	int64_t floor;  /* s; rows before it are not taken any more; 0 */
	/* The answer before: the database's time, and when (boot time) it was
	 * asked for and had come; ms. */
	int64_t there, asked, answered;
};
/* The database has told its time (ms) between two moments of our boot time
 * (ms). False: its clock was set back, nothing may be taken now. Else *from_r
 * (s): where a reading begins. */
bool sql_since_begin(struct sql_since *s, int64_t there, int64_t asked,
    int64_t answered, bool whole, int64_t *from_r);
#endif
