/* SPDX-License-Identifier: ISC */
/*
 * server - the sockets of all listeners of one answerer: accepting, reading,
 * one send per batch of answers, deadlines and limits. It asks its hooks for
 * the answers.
 *
 * Called by:  daemon/ (answerer), bench/.
 * Not here:   the ledger, logging of what was allowed.
 */
#ifndef LISTENER_SERVER_H
#define LISTENER_SERVER_H
#include <stdatomic.h>

#include "listener.h"

typedef struct uv_loop_s uv_loop_t;

/* What one listener did, since the caller zeroed it. May lie in memory that
 * other processes read, or share: every change is one atomic addition. */
struct server_counts {
	_Atomic uint64_t questions;
	_Atomic uint64_t allow, none, tempfail; /* the answers, as decided */
	_Atomic uint64_t bad; /* requests that broke the protocol */
	_Atomic uint64_t
	    dropped;           /* clients refused, too slow, or lost midway */
	_Atomic uint64_t open; /* connections now */
};

struct server_listener {
	const struct listener_kind *kind;
	const struct conf_section *conf; /* outlives the server */
	int fd; /* listening, non-blocking; stays the caller's */
	struct server_counts *counts;
};

struct server_hooks {
	void *ctx;
	/* Called before the first answer of a turn of the loop, and when that
	 * turn is over, never across a wait: the place for a read transaction
	 * and for reading the clock. May be NULL. */
	void (*batch_begin)(void *ctx);
	void (*batch_end)(void *ctx);
	/* index counts the listeners as given. *out comes in as VERDICT_NONE
	 * with an empty reason and user. */
	void (*answer)(void *ctx, size_t index, const struct server_listener *l,
	    const struct question *q, struct answer *out);
};

/*
 * Begins to accept. Copies the arrays. Runs before the lock-down: it looks up
 * user names and opens a spare descriptor. A listener whose section cannot be
 * used (listener_new() says why) is logged and left out.
 */
struct server *server_new(uv_loop_t *loop,
    const struct server_listener *listeners, size_t count,
    const struct server_hooks *hooks);
/* Connections that are open go on. */
void server_stop_accepting(struct server *s);
/* Closes every connection at once and sets *sp to NULL. The memory is released
 * when the loop has run its close callbacks. NULL is fine. */
void server_close(struct server **sp);
size_t server_connections(const struct server *s);
#endif
