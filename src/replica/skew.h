/* SPDX-License-Identifier: ISC */
/*
 * skew - whether this machine's clock and a server's are further apart than the
 * site's `max-skew`, in words for `status` and the log. Which of the two is
 * wrong nobody here can tell. Pure. Called by: source/redis.c, source/sql.c,
 * source/sql_stream.c.
 */
#ifndef REPLICA_SKEW_H
#define REPLICA_SKEW_H
#include "base/clock.h"

enum { SKEW_TEXT_SIZE = 240 };

struct skew {
	int64_t max;               /* ms: max-skew */
	int64_t told;              /* ms ahead, as `text` says it */
	char text[SKEW_TEXT_SIZE]; /* "": they agree */
};
/*
 * The server's time (ms since 1970) was read between our two moments. NULL:
 * the clocks agree; else "this machine's clock is 7 min behind the database's;
 * set ..." with `whose` in it ("the Redis server's"). The text stays what it is
 * while the difference does, so that the log is told once.
 */
const char *skew_look(struct skew *s, const char *whose, int64_t there,
    struct moment asked, struct moment answered);
#endif
