/* SPDX-License-Identifier: ISC */
/*
 * mark - a word that an export leaves at the server together with each batch,
 * to see whether the server still is where it left it. Pure but for the random
 * number of a generation. Called by: export/redis.c.
 */
#ifndef REDIS_MARK_H
#define REDIS_MARK_H
#include "redis.h"

enum { REDIS_MARK_SIZE = 48 };

struct redis_mark {
	uint64_t generation, count;
	/* What was written last, and what is known to have been written. They
	 * differ while a batch is under way. */
	char now[REDIS_MARK_SIZE], before[REDIS_MARK_SIZE];
};

enum redis_marked {
	REDIS_MARK_OTHER = 0, /* what we have told is lost, or a part of it */
	REDIS_MARK_NOW,
	REDIS_MARK_BEFORE /* the batch under way did not come as far */
};

struct redis_words;

/* Another generation: no dump of an earlier one looks like it. */
void redis_mark_begin(struct redis_mark *m);
/* Of the next batch. */
void redis_mark_next(struct redis_mark *m);
/* It was written. */
void redis_mark_good(struct redis_mark *m);
/* It was not. */
void redis_mark_bad(struct redis_mark *m);
/* "relaypass:node:NODE"; returns out, of REDIS_NAME_SIZE (words.h). */
const char *redis_mark_name(const char *key, const char *node, char *out);
/* The command that writes it, for so many ms; name: redis_mark_name(). Unless
 * it is the first of its generation, only where there still is one: what
 * FLUSHALL took away must not come back and hide that. */
void redis_mark_write(const struct redis_mark *m, const char *name,
    int64_t keep, bool is_first, struct redis_words *out);
/* What GET says, when nothing is under way any more. */
enum redis_marked redis_mark_compare(
    const struct redis_mark *m, const struct redis_reply *reply);
#endif
