/* SPDX-License-Identifier: ISC */
/*
 * sql_seen - see the header. A table with open addressing; each row has the
 * number of the whole reading that met it last.
 */
#include "sql_seen.h"

#include <stdlib.h>

#include "base/mem.h"

enum { FIRST_SIZE = 1024 };

struct slot {
	uint64_t row;
	uint32_t reading; /* 0: empty */
};

struct sql_seen {
	struct slot *slots;
	size_t size, count; /* a power of two, at least half of it empty */
	uint32_t reading;
	bool whole;
};

struct sql_seen *sql_seen_new(void)
{
	struct sql_seen *s = xcalloc(1, sizeof(*s));

	s->size = FIRST_SIZE;
	s->slots = xcalloc(s->size, sizeof(*s->slots));
	s->reading = 1;
	return s;
}

void sql_seen_free(struct sql_seen **sp)
{
	if (*sp)
		free((*sp)->slots);
	free(*sp);
	*sp = NULL;
}

static struct slot *find(const struct sql_seen *s, uint64_t row)
{
	const uint64_t spread = 0x9e3779b97f4a7c15;
	size_t i = (size_t)((row * spread) >> 32) & (s->size - 1);

	while (s->slots[i].reading && s->slots[i].row != row)
		i = (i + 1) & (s->size - 1);
	return &s->slots[i];
}

/* Another size, without the rows of readings before `oldest`. */
static void rebuild(struct sql_seen *s, size_t size, uint32_t oldest)
{
	struct slot *old = s->slots;
	size_t n = s->size;

	s->slots = xcalloc(size, sizeof(*s->slots));
	s->size = size;
	s->count = 0;
	for (size_t i = 0; i < n; i++)
		if (old[i].reading >= oldest && old[i].reading) {
			*find(s, old[i].row) = old[i];
			s->count++;
		}
	free(old);
}

bool sql_seen_take(struct sql_seen *s, uint64_t row)
{
	struct slot *slot = find(s, row);
	bool known = slot->reading != 0;

	if (!known && s->count >= SQL_SEEN_MAX)
		return false;
	*slot = (struct slot){ row, s->reading };
	if (!known && ++s->count > s->size / 2)
		rebuild(s, 2 * s->size, 1);
	return known;
}

void sql_seen_begin(struct sql_seen *s, bool whole)
{
	s->whole = whole;
	if (whole)
		s->reading++;
}

void sql_seen_end(struct sql_seen *s)
{
	size_t live = 0, size = FIRST_SIZE;

	if (!s->whole)
		return;
	s->whole = false;
	for (size_t i = 0; i < s->size; i++)
		live += s->slots[i].reading == s->reading;
	while (size / 2 <= live)
		size *= 2;
	if (live < s->count)
		rebuild(s, size, s->reading);
}
