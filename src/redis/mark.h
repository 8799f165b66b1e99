/* SPDX-License-Identifier: ISC */
/*
 * mark - a word that an export leaves at the server together with each batch,
 * to see whether the server still is where it left it. Pure but for the random
 * number of a run. Called by: export/redis.c.
 */
#ifndef REDIS_MARK_H
#define REDIS_MARK_H
#include "redis.h"

enum { REDIS_MARK_SIZE = 48 };

struct redis_mark {
	uint64_t run, count;
	/* What was written last, and what is known to have been written. They
	 * differ while a batch is under way. */
	char now[REDIS_MARK_SIZE], before[REDIS_MARK_SIZE];
};

enum redis_marked {
	REDIS_MARK_NOW,
	REDIS_MARK_BEFORE, /* the batch under way did not come as far */
	/* What we have told is lost, or a part of it: there is no mark, or an
	 * older one of this run. */
	REDIS_MARK_LOST,
	/* It may be lost, too: that of another run. From before our start, or
	 * of another process that writes as the same node. */
	REDIS_MARK_OTHER
};

struct redis_words;

/* Of this process: no mark of an earlier one looks like it. */
void redis_mark_init(struct redis_mark *m);
/* Of the next batch. */
void redis_mark_next(struct redis_mark *m);
/* The next, whatever became of those before it: no older state of the server
 * has it. */
void redis_mark_anew(struct redis_mark *m);
/* It was written. */
void redis_mark_good(struct redis_mark *m);
/* It was not. */
void redis_mark_bad(struct redis_mark *m);
/* "relaypass:node:NODE:EXPORT": two exports of a node may write to one server.
 * Returns out, of REDIS_NAME_SIZE (words.h). */
const char *redis_mark_name(
    const char *key, const char *node, const char *export, char *out);
/* The command that writes it, for so many ms; name: redis_mark_name(). Unless
 * it is the first, or the first after a loss, only where there still is one:
 * what FLUSHALL took away must not come back and hide that. */
void redis_mark_write(const struct redis_mark *m, const char *name,
    int64_t keep, bool is_first, struct redis_words *out);
/* What is, or was, at the server: the reply of GET, or of the command that
 * writes another. */
enum redis_marked redis_mark_compare(
    const struct redis_mark *m, const struct redis_reply *reply);
#endif
