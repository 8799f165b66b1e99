/* SPDX-License-Identifier: ISC */
/*
 * replica_feed - records of other nodes, as a carrier (Redis, a table) shows
 * them, to the sink: signature, clocks, batches; and what is known of each
 * node's clock, and with which keys all was read, as cursors of their own. What
 * is wrong is counted, and told once a minute for each reason. Called by:
 * source/redis.c, source/sql_stream.c.
 */
#ifndef SOURCE_REPLICA_FEED_H
#define SOURCE_REPLICA_FEED_H
#include "replica/inbox.h"
#include "replica/keys.h"
#include "source.h"

struct replica_feed;

/* Takes the keys. Those of the cursors that are of nodes are taken up; the
 * others are the carrier's. */
struct replica_feed *replica_feed_new(const struct source_env *env,
    struct replica_keys *keys, const struct source_cursor *cursors, size_t n);
void replica_feed_free(struct replica_feed **f);
/*
 * One record. age: ms that the carrier has had it, by the carrier's clock; -1:
 * it cannot tell. where: the carrier's name for it, for the log. What it is
 * worth waits for replica_feed_send(), or goes to the sink when SOURCE_BATCH of
 * them wait. -1: the keeper is gone.
 */
int replica_feed_take(struct replica_feed *f, const char *bytes, size_t len,
    int64_t age, const char *where, struct moment now);
/* Sends what waits, with the cursor that stands behind it (NULL: none). Sends
 * a cursor even when nothing waits. -1: the keeper is gone. */
int replica_feed_send(
    struct replica_feed *f, const struct source_cursor *cursor);
bool replica_feed_waits(const struct replica_feed *f);
/* Ask once a second or so: true once, when all that the carrier still has is
 * to be taken once more, because our own clock was wrong when some of it was
 * passed over. */
bool replica_feed_again(struct replica_feed *f, struct moment now);
/* Once a second or so: what is to be told in the log. now: monotonic ms. */
void replica_feed_tick(struct replica_feed *f, uint64_t now);
/* For `status`: what was refused of late, and what to do. NULL: nothing. Lives
 * until the next call. */
const char *replica_feed_trouble(struct replica_feed *f, uint64_t now);
/*
 * True: the keys file has a key that was not there when all was read last. What
 * was refused then may be good now: the carrier forgets its place, and shows
 * all that it has.
 */
bool replica_feed_has_new_keys(const struct replica_feed *f);
/* All that the carrier has was taken, with these keys, and its place behind it
 * is stored. -1: the keeper is gone. */
int replica_feed_whole(struct replica_feed *f);
#endif
