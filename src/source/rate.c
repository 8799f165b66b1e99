/* SPDX-License-Identifier: ISC */
/*
 * rate - a window of one second for each caller: it begins with his first
 * call and is forgotten when it has passed.
 */
#include "rate.h"

#include <string.h>

void rate_init(struct rate *r, uint64_t limit)
{
	memset(r, 0, sizeof(*r));
	r->limit = limit;
}

static bool is_over(const struct rate_caller *c, uint64_t now)
{
	return c->count == 0 || now - c->since >= RATE_MS;
}

/* His own place, or a free one, or the one that began longest ago. */
static struct rate_caller *place_of(struct rate *r, const struct addr *caller)
{
	struct rate_caller *oldest = &r->callers[0];

	for (size_t i = 0; i < RATE_CALLERS; i++) {
		struct rate_caller *c = &r->callers[i];
		if (c->count > 0 && addr_equal(&c->addr, caller))
			return c;
		if (oldest->count > 0 &&
		    (c->count == 0 || c->since < oldest->since))
			oldest = c;
	}
	memset(oldest, 0, sizeof(*oldest));
	oldest->addr = *caller;
	return oldest;
}

bool rate_take(struct rate *r, const struct addr *caller, uint64_t now)
{
	struct rate_caller *c = place_of(r, caller);

	if (is_over(c, now)) {
		c->since = now;
		c->count = 0;
	}
	c->count++;
	return c->count <= r->limit;
}
