/* SPDX-License-Identifier: ISC */
/*
 * redis_batch - one slice as commands to a Redis server: its changes as signed
 * records, into the stream and the keys. Replies come in the order of the
 * commands, so that counting them is enough. Called by: redis.c.
 */
#ifndef EXPORT_REDIS_BATCH_H
#define EXPORT_REDIS_BATCH_H
#include "export.h"
#include "redis/words.h"
#include "replica/keys.h"

enum { REDIS_BATCH_WHY_SIZE = 240 };

struct redis_batch {
	/* Its owner's. */
	const struct export_env *env;
	struct redis_link *link;
	const struct replica_keys *keys;
	const char *key; /* all keys begin with it */
	uint64_t node;
	int64_t keep; /* ms that the stream reaches back */
	/* All replies are there. why: the first error, NULL: there is none. Not
	 * called when the connection is lost. */
	void (*done)(void *ctx, const char *why);
	void *ctx;

	size_t asked, answered; /* commands of this slice, and their replies */
	uint64_t newest;        /* ms of the newest entry's id */
	char why[REDIS_BATCH_WHY_SIZE];
};

/* Queues the slice's records. False: there is nothing to tell. None is under
 * way. */
bool redis_batch_begin(struct redis_batch *b, const struct export_slice *slice);
/* One more command of the batch; fn calls redis_batch_answer() at its end. */
void redis_batch_add(struct redis_batch *b, const struct redis_words *w,
    redis_reply_fn *fn, void *ctx);
void redis_batch_answer(struct redis_batch *b, const struct redis_reply *reply);
bool redis_batch_is_under_way(const struct redis_batch *b);
#endif
