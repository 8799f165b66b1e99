/* SPDX-License-Identifier: ISC */
/*
 * redis_clock - the server's clock: how old its entries are by that, and
 * whether ours agrees with it. Called by: redis.c.
 */
#ifndef SOURCE_REDIS_CLOCK_H
#define SOURCE_REDIS_CLOCK_H
#include "base/trouble.h"
#include "redis/entry.h"
#include "redis/link.h"
#include "replica/skew.h"
#include "source.h"

struct redis_clock {
	struct redis_link *link;
	bool known;
	int64_t offset;   /* ms, from our monotonic clock to the server's */
	int64_t asked_at; /* monotonic ms */
	struct moment asked;
	struct skew skew;
	struct trouble trouble; /* the clocks do not agree */
};

void redis_clock_init(struct redis_clock *c, struct redis_link *link,
    const struct source_env *env);
/* Asks for it, at most once a second. */
void redis_clock_ask(struct redis_clock *c);
/* It may be another server now. */
void redis_clock_forget(struct redis_clock *c);
/* How long the server has an entry, ms; -1: it cannot be told. */
int64_t redis_clock_age(const struct redis_clock *c, struct redis_id id);
#endif
