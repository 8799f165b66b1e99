/* SPDX-License-Identifier: ISC */
/*
 * rate - how many calls one caller may make in a second. Pure: the time is
 * an argument. Called by: drac, relay_ctrl, whoson.
 */
#ifndef SOURCE_RATE_H
#define SOURCE_RATE_H
#include "base/addr.h"

/* Mail servers that are allowed are few; with more callers than this in one
 * second, the one that began longest ago begins anew. */
enum { RATE_CALLERS = 64, RATE_MS = 1000 };

struct rate {
	uint64_t limit; /* calls a second */
	struct rate_caller {
		struct addr addr;
		uint64_t since, count; /* since: ms of any clock that only goes
					* forward; count 0: free */
	} callers[RATE_CALLERS];
};

void rate_init(struct rate *r, uint64_t limit);
/* Counts one call; false: it is over the limit. */
bool rate_take(struct rate *r, const struct addr *caller, uint64_t now);
#endif
