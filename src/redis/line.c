/* SPDX-License-Identifier: ISC */
/*
 * line - see the header.
 */
#include "line.h"

#include <stdlib.h>

#include "base/mem.h"

/* Who was stopped itself looks once more before it blames others. */
enum { SECOND_LOOK_MS = 20 };

struct redis_pending {
	struct redis_pending *next;
	struct redis_line *line;
	redis_reply_fn *fn;
	void *ctx;
	int64_t limit;
};

static void on_timer(uv_timer_t *timer);

static void set_timer(struct redis_line *l, int64_t ms)
{
	(void)uv_timer_start(&l->timer, on_timer, (uint64_t)ms, 0);
}

static void on_timer(uv_timer_t *timer)
{
	struct redis_line *l = timer->data;

	if (!l->second_look) {
		l->second_look = true;
		set_timer(l, SECOND_LOOK_MS);
		return;
	}
	l->down(l->ctx, "it does not answer");
}

/* The next reply is waited for from now on. */
static void wait_reply(struct redis_line *l)
{
	l->second_look = false;
	if (l->head)
		set_timer(l, l->head->limit);
	else
		(void)uv_timer_stop(&l->timer);
}

static struct redis_pending *shift(struct redis_line *l)
{
	struct redis_pending *p = l->head;

	l->head = p->next;
	if (!l->head)
		l->tail = &l->head;
	return p;
}

static void on_reply(void *ctx, const struct redis_reply *reply)
{
	struct redis_pending *p = ctx;
	struct redis_line *l = p->line;
	redis_reply_fn *fn = p->fn;
	void *fn_ctx = p->ctx;
	struct redis_conn *conn = l->conn;

	must(shift(l) == p);
	free(p);
	if (reply)
		wait_reply(l);
	else
		l->lost = true;
	fn(fn_ctx, reply);
	if (reply && l->conn == conn)
		l->heard(l->ctx, reply);
}

void redis_line_put(struct redis_line *l, int64_t blocks, size_t argc,
    const char *const *argv, const size_t *lens, redis_reply_fn *fn, void *ctx)
{
	struct redis_pending *p = xmalloc(sizeof(*p));
	bool first = !l->head;

	*p = (struct redis_pending){
		.line = l, .fn = fn, .ctx = ctx, .limit = l->timeout + blocks
	};
	*l->tail = p;
	l->tail = &p->next;
	if (first)
		wait_reply(l);
	l->api->command(l->conn, argc, argv, lens, on_reply, p);
}

static void on_up(void *ctx)
{
	const struct redis_line *l = ctx;

	l->up(l->ctx);
}

static void on_down(void *ctx, const char *why)
{
	const struct redis_line *l = ctx;

	l->down(l->ctx, why);
}

int redis_line_connect(struct redis_line *l, const struct redis_endpoint *to,
    const char *ca, struct err *err)
{
	l->lost = l->second_look = false;
	l->conn = l->api->connect(
	    l->loop, to->host, to->port, ca, on_up, on_down, l, err);
	if (!l->conn)
		return -1;
	/* What the name server took is not the server's. */
	uv_update_time(l->loop);
	set_timer(l, l->timeout);
	return 0;
}

void redis_line_drop(struct redis_line *l)
{
	l->api->close(&l->conn);
	while (l->head) {
		struct redis_pending *p = shift(l);

		p->fn(p->ctx, NULL);
		free(p);
	}
	(void)uv_timer_stop(&l->timer);
}

void redis_line_start(struct redis_line *l, uv_loop_t *loop)
{
	l->loop = loop;
	l->tail = &l->head;
	must(uv_timer_init(loop, &l->timer) == 0);
	l->timer.data = l;
}

void redis_line_stop(struct redis_line *l)
{
	l->api->close(&l->conn);
	while (l->head)
		free(shift(l));
	(void)uv_timer_stop(&l->timer);
}
