/* SPDX-License-Identifier: ISC */
/*
 * redis - what the module redis.so (hiredis) gives to link.c: one connection to
 * one server, commands with their replies in order, on a uv loop. Valkey speaks
 * the same.
 */
#ifndef REDIS_REDIS_H
#define REDIS_REDIS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

typedef struct uv_loop_s uv_loop_t;

enum redis_type {
	REDIS_NIL = 0,
	REDIS_TEXT, /* status and strings */
	REDIS_INTEGER,
	REDIS_ARRAY,
	REDIS_ERROR /* the server's own words in text */
};

/* A reply; borrowed until the callback returns. */
struct redis_reply {
	enum redis_type type;
	int64_t integer;
	const char *text; /* NUL-terminated behind len bytes */
	size_t len;
	const struct redis_reply *items; /* ARRAY */
	size_t count;
};

struct redis_conn; /* the module's own */

/* reply NULL: the connection was lost first. */
typedef void redis_reply_fn(void *ctx, const struct redis_reply *reply);

struct redis_api {
	/* False: `tls = yes` is to be refused, with this reason. */
	bool has_tls;
	const char *why_no_tls;
	/* Before the lock-down. -1 and *err. */
	int (*prepare)(struct err *err);
	/*
	 * Begins to connect; never waits but for a name server. `up` is called
	 * once when it is connected, `down` once when it has failed or is lost
	 * (after the callbacks of all commands under way), with the reason.
	 * NULL and *err: not even begun. ca: file with whom TLS trusts, or
	 * NULL: no TLS.
	 */
	struct redis_conn *(*connect)(uv_loop_t *loop, const char *host,
	    uint16_t port, const char *ca, void (*up)(void *ctx),
	    void (*down)(void *ctx, const char *why), void *ctx,
	    struct err *err);
	/* Queues one command; its words are copied. fn is called once, at once
	 * when the connection is lost. */
	void (*command)(struct redis_conn *c, size_t argc,
	    const char *const *argv, const size_t *lens, redis_reply_fn *fn,
	    void *ctx);
	/* Calls nobody any more. Also after `down`. */
	void (*close)(struct redis_conn **c);
};

/* Before the lock-down. NULL and *err. */
const struct redis_api *redis_load(struct err *err);
#endif
