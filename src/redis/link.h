/* SPDX-License-Identifier: ISC */
/*
 * link - one connection to the Redis or Valkey server that takes writes now: it
 * asks the Sentinels (or goes through a list of servers), logs in, makes sure
 * that it has found a master, notices one that does not answer or is none any
 * more, and comes back by itself. Called by: export/redis.c, source/redis.c.
 *
 * It logs when the server is lost and when it is back, one line each way,
 * however long it takes.
 */
#ifndef REDIS_LINK_H
#define REDIS_LINK_H
#include "redis.h"
#include "setup.h"

enum { REDIS_ARGS_MAX = 16 };

struct redis_link;

struct redis_link_env {
	const char *what, *name; /* "export", its title: for the log */
	/* Connected to a master, logged in: commands may be queued. */
	void (*up)(void *ctx);
	/* Lost: behind the callbacks of all its commands. */
	void (*down)(void *ctx);
	/* All servers were tried in vain; may be NULL. */
	void (*failed)(void *ctx);
	void *ctx;
};

/* Before the lock-down; connects to nothing yet. NULL and *err. */
struct redis_link *redis_link_new(const struct redis_link_env *env,
    const struct conf_section *conf, struct err *err);
/* Connects, now and whenever the server is lost (first at once, then after 0.1
 * s and up to 2 s). */
void redis_link_start(struct redis_link *l, uv_loop_t *loop);
/* A loop to start it on in place of another: uv cannot make one behind the
 * lock-down. */
uv_loop_t *redis_link_loop(struct redis_link *l);
bool redis_link_is_up(const struct redis_link *l);
/*
 * Queues one command; its words are copied. fn is called once, from the loop,
 * or at once with NULL when there is no connection; it queues nothing when it
 * gets NULL. blocks: ms that the server may take in addition (BLOCK, WAIT).
 */
void redis_link_run(struct redis_link *l, int64_t blocks, size_t argc,
    const char *const *argv, const size_t *lens, redis_reply_fn *fn, void *ctx);
/* Gives the server up and looks for the master anew. */
void redis_link_again(struct redis_link *l, const char *why);
/* "SERVER: why" it is not up, or was not up for a second yet, printable, and an
 * exit code; "" when it is. */
const char *redis_link_trouble(const struct redis_link *l, int *code_r);
/* "host:port" of the server that is or was used last. */
const char *redis_link_server(const struct redis_link *l);
/* Lets the log tell what is wrong with the server though it serves. */
void redis_link_warn(const struct redis_link *l, const char *what);
/* Other ears: for check.c. */
void redis_link_hear(struct redis_link *l, const struct redis_link_env *env);
/* Calls nobody any more; the loop is to run until its handles are closed. */
void redis_link_stop(struct redis_link *l);
/* The same, and the memory goes with the last handle. */
void redis_link_close(struct redis_link **l);
#endif
