/* SPDX-License-Identifier: ISC */
/*
 * sql_since - see the header.
 */
#include "sql_since.h"

enum {
	MS = 1000,
	STEP_MS = 5000,   /* less is two clocks that run unlike */
	MOMENT_S = 2,     /* how far a reading goes back that was asked for */
	STORED_S = 60,    /* by so much a stored place may be too early */
	DAY_S = 24 * 3600 /* a clock that was wrong by more is not waited for */
};

static int64_t most(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* The floor is behind all that may have been written before a step. */
static void look_for_step(
    struct sql_since *s, int64_t there, int64_t asked, int64_t answered)
{
	int64_t floor = s->floor;

	if (s->there && there + STEP_MS < s->there + (asked - s->answered))
		floor =
		    most(floor, (s->there + (answered - s->asked)) / MS + 1);
	else if (!s->there && there + STEP_MS < s->at * MS)
		floor = s->at + STORED_S + s->interval / MS + 1;
	if (floor - there / MS > DAY_S)
		floor = there / MS + 1;
	if (floor != s->floor)
		s->at = s->latest = s->floor = floor;
	s->there = there;
	s->asked = asked;
	s->answered = answered;
}

bool sql_since_begin(struct sql_since *s, int64_t there, int64_t asked,
    int64_t answered, bool whole, int64_t *from_r)
{
	int64_t from = there / MS;

	look_for_step(s, there, asked, answered);
	if (from < s->floor)
		return false;
	from = whole ? least(s->at, from) - s->overlap / MS
		     : least(s->latest, from) - MOMENT_S;
	*from_r = most(most(from, (there - s->period) / MS), s->floor);
	return true;
}
