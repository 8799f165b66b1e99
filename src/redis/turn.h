/* SPDX-License-Identifier: ISC */
/*
 * turn - which replies are of the slice that is under way: an export may give
 * one up and begin another while the server still owes replies to the first.
 * Replies come in the order of the commands, so counting is enough. Called by:
 * export/redis.c.
 */
#ifndef REDIS_TURN_H
#define REDIS_TURN_H
#include <stdbool.h>
#include <stdint.h>

struct redis_turn {
	uint64_t asked, heard; /* commands of slices, and their replies */
	uint64_t first;        /* command of this slice */
	bool waits;            /* it is written; for replicas */
};

static inline void redis_turn_begin(struct redis_turn *t)
{
	t->first = t->asked;
	t->waits = false;
}

/* Before each command. */
static inline void redis_turn_ask(struct redis_turn *t)
{
	t->asked++;
}

/* For each reply, that the connection was lost, too. False: of an earlier
 * slice. */
static inline bool redis_turn_hear(struct redis_turn *t)
{
	return t->heard++ >= t->first;
}

static inline bool redis_turn_is_over(const struct redis_turn *t)
{
	return t->heard == t->asked;
}

/* Something is being written, whatever for. */
static inline bool redis_turn_writes(const struct redis_turn *t)
{
	return !redis_turn_is_over(t) && !t->waits;
}
#endif
