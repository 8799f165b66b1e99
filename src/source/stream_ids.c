/* SPDX-License-Identifier: ISC */
/*
 * stream_ids - see the header.
 */
#include "stream_ids.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void stream_ids_begin(struct stream_ids *s, int64_t high)
{
	s->high = high;
	s->count = 0;
}

static void drop(struct stream_ids *s, size_t i)
{
	s->count--;
	memmove(
	    &s->gaps[i], &s->gaps[i + 1], (s->count - i) * sizeof(s->gaps[0]));
}

void stream_ids_next(struct stream_ids *s, int64_t id, int64_t age, int64_t now)
{
	if (id <= s->high)
		return;
	if (id > s->high + 1 && age < STREAM_GAP_MS) {
		/* The oldest is the likeliest to stay empty. */
		if (s->count == STREAM_GAPS_MAX)
			drop(s, 0);
		s->gaps[s->count++] = (struct stream_gap){ s->high + 1, id - 1,
			now - (age > 0 ? age : 0) };
	}
	s->high = id;
}

void stream_ids_late(struct stream_ids *s, int64_t id)
{
	size_t i = 0;
	struct stream_gap *g;

	while (i < s->count && s->gaps[i].last < id)
		i++;
	g = &s->gaps[i];
	if (i == s->count || id < g->first)
		return;
	if (g->first == g->last) {
		drop(s, i);
	} else if (id == g->first) {
		g->first++;
	} else if (id == g->last) {
		g->last--;
	} else if (s->count == STREAM_GAPS_MAX) {
		/* Without room for two: what lies before is read again. */
		return;
	} else {
		memmove(g + 1, g, (s->count - i) * sizeof(*g));
		s->count++;
		g[0].last = id - 1;
		g[1].first = id + 1;
	}
}

void stream_ids_asked(struct stream_ids *s, int64_t asked)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->count; i++)
		if (asked - s->gaps[i].since < STREAM_GAP_MS)
			s->gaps[kept++] = s->gaps[i];
	s->count = kept;
}

int64_t stream_ids_whole(const struct stream_ids *s)
{
	return s->count ? s->gaps[0].first - 1 : s->high;
}

void stream_ids_print(const struct stream_ids *s,
    char first[static STREAM_GAPS_TEXT], char last[static STREAM_GAPS_TEXT])
{
	size_t a = 0, b = 0;

	for (size_t i = 0; i < s->count; i++) {
		const char *before = i ? "," : "{";

		a += (size_t)snprintf(first + a, STREAM_GAPS_TEXT - a,
		    "%s%" PRId64, before, s->gaps[i].first);
		b += (size_t)snprintf(last + b, STREAM_GAPS_TEXT - b,
		    "%s%" PRId64, before, s->gaps[i].last);
	}
	memcpy(first + a, s->count ? "}" : "{}", s->count ? 2 : 3);
	memcpy(last + b, s->count ? "}" : "{}", s->count ? 2 : 3);
}
