/* SPDX-License-Identifier: ISC */
/*
 * skew - see the header.
 */
#include "skew.h"

#include <inttypes.h>
#include <stdio.h>

enum {
	S = 1000,
	MIN = 60 * S,
	HOUR = 60 * MIN,
	DAY = 24 * HOUR,
	LEAST_MS = 5 * S, /* with max-skew = 0, too: less is of no account */
	TENTH = 10,
	SPAN_SIZE = 32
};

static int64_t magnitude(int64_t n)
{
	return n < 0 ? -n : n;
}

/* Two of the next smaller unit at least: "119 s", "7 min", "30 h". */
static const char *print_span(int64_t ms, char out[static SPAN_SIZE])
{
	static const struct {
		int64_t ms;
		const char *name;
	} units[] = { { DAY, "days" }, { HOUR, "h" }, { MIN, "min" },
		{ S, "s" } };
	size_t i = 0;

	while (units[i].ms > S && ms < 2 * units[i].ms)
		i++;
	(void)snprintf(out, SPAN_SIZE, "%" PRId64 " %s",
	    (ms + units[i].ms / 2) / units[i].ms, units[i].name);
	return out;
}

/* What our clock is ahead at least (below 0: behind): the server read its own
 * at some time between the two. */
static int64_t least_ahead(
    int64_t there, struct moment asked, struct moment answered)
{
	int64_t most = answered.wall - there;
	int64_t least = most - (answered.boot - asked.boot);

	if (least > 0)
		return least;
	return most < 0 ? most : 0;
}

const char *skew_look(struct skew *s, const char *whose, int64_t there,
    struct moment asked, struct moment answered)
{
	int64_t ahead = least_ahead(there, asked, answered);
	int64_t max = s->max > LEAST_MS ? s->max : LEAST_MS;
	char span[SPAN_SIZE];

	/* A difference about as large as the limit is told once. */
	if (s->told != 0)
		max -= max / TENTH;
	if (magnitude(ahead) <= max) {
		s->told = 0;
		s->text[0] = '\0';
		return NULL;
	}
	if (s->told != 0 &&
	    magnitude(ahead - s->told) <= magnitude(s->told) / TENTH)
		return s->text;
	s->told = ahead;
	(void)snprintf(s->text, sizeof(s->text),
	    "this machine's clock is %s %s %s; set the wrong one of the two "
	    "(timedatectl shows whether NTP keeps it)",
	    print_span(magnitude(ahead), span),
	    ahead > 0 ? "ahead of" : "behind", whose);
	return s->text;
}
