/* SPDX-License-Identifier: ISC */
/*
 * line - one connection to one server: commands, their replies in order, and a
 * limit of time for each. Who has it connects it again. Called by: link.c.
 *
 * Replies come in the order of the commands, so one limit of time is enough:
 * that of the command which is next to be answered, from when it became that.
 */
#ifndef REDIS_LINE_H
#define REDIS_LINE_H
#include <uv.h>

#include "endpoint.h"
#include "redis.h"

struct redis_pending;

struct redis_line {
	/* Its owner's, before it begins. */
	const struct redis_api *api;
	int64_t timeout; /* ms */
	/* As those of api->connect(); also when a limit of time is over. */
	void (*up)(void *ctx);
	void (*down)(void *ctx, const char *why);
	/* Behind the callback of each reply, while it stays connected. */
	void (*heard)(void *ctx, const struct redis_reply *reply);
	void *ctx;

	uv_loop_t *loop;
	uv_timer_t timer;
	struct redis_conn *conn;
	struct redis_pending *head, **tail;
	bool second_look;
	bool lost; /* `down` is to come: nothing is queued any more */
};

/* Adds its timer to the loop. */
void redis_line_start(struct redis_line *l, uv_loop_t *loop);
/* -1 and *err: not even begun. It may ask a name server first. */
int redis_line_connect(struct redis_line *l, const struct redis_endpoint *to,
    const char *ca, struct err *err);
/* Queues one command; its words are copied. blocks: ms that the server may take
 * in addition. It is connected, and not lost. */
void redis_line_put(struct redis_line *l, int64_t blocks, size_t argc,
    const char *const *argv, const size_t *lens, redis_reply_fn *fn, void *ctx);
/* Ends the connection, whatever it is doing; who waits for a reply gets NULL.
 */
void redis_line_drop(struct redis_line *l);
/* For good: calls nobody any more, and leaves the timer to be closed. */
void redis_line_stop(struct redis_line *l);
#endif
