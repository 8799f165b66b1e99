/* SPDX-License-Identifier: ISC */
/*
 * session_world - a lease_world with sessions in it. The time is a variable.
 */
#ifndef TESTS_UNIT_SESSION_WORLD_H
#define TESTS_UNIT_SESSION_WORLD_H
#include "lease_world.h"

static const char A[] = "203.0.113.7", B[] = "203.0.113.8";
static const char TTL30[] = "lease { ttl = \"30m\" }";

static inline int count_session(void *ctx, const struct ledger_session *s)
{
	(void)s;
	++*(int *)ctx;
	return 0;
}

static inline int sessions(struct world *w)
{
	int count = 0;

	world_begin(w);
	ledger_session_each(w->ledger, count_session, &count);
	world_commit(w);
	return count;
}

/* A login whose mail process lives. */
static inline struct applied proven(struct world *w, const char *session)
{
	w->proc_start = 4711;
	w->proc_began = w->now.wall - SECOND;
	return world_session(w, LOGIN_IN, A, "bob", session, 101);
}

/* Ten seconds after ten seconds, as the keeper does it. */
static inline void hold_for(struct world *w, int64_t ms)
{
	for (; ms > 0; ms -= 10 * SECOND) {
		world_pass(w, 10 * SECOND);
		world_hold(w);
	}
}
#endif
