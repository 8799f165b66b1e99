/* SPDX-License-Identifier: ISC */
/*
 * redis_join - the keys that a Redis server holds for all nodes, read step by
 * step: revocations first, then leases, so that no lease is believed for a
 * moment that a revocation ends. Called by: redis.c.
 */
#ifndef SOURCE_REDIS_JOIN_H
#define SOURCE_REDIS_JOIN_H
#include "redis/link.h"
#include "replica_feed.h"

struct redis_join;

struct redis_join_env {
	struct redis_link *link;
	struct replica_feed *feed;
	const struct replica_keys *keys;
	const char *key, *node; /* all keys begin with it; this node's id */
	/* All is read, and given to the feed. */
	void (*done)(void *ctx);
	/* It ends before that: the server said this, or the keeper is gone
	 * (NULL). Not called when the connection is lost. */
	void (*failed)(void *ctx, const struct redis_reply *reply);
	void *ctx;
};

struct redis_join *redis_join_new(const struct redis_join_env *env);
enum redis_join_what { REDIS_JOIN_ALL = 0, REDIS_JOIN_REVOCATIONS };

/* Begins, or begins anew; the link is up. */
void redis_join_start(struct redis_join *j, enum redis_join_what what);
void redis_join_free(struct redis_join **j);
#endif
