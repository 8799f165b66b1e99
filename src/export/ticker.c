/* SPDX-License-Identifier: ISC */
/*
 * ticker - see the header.
 */
#include "ticker.h"

#include "base/mem.h"

enum { TICK_MS = 1000 };

static void on_timer(uv_timer_t *timer)
{
	const struct ticker *t = timer->data;

	t->fn(t->ctx);
}

void ticker_start(struct ticker *t, uv_loop_t *loop, ticker_fn *tick, void *ctx)
{
	t->fn = tick;
	t->ctx = ctx;
	t->started = true;
	must(uv_timer_init(loop, &t->timer) == 0);
	t->timer.data = t;
	(void)uv_timer_start(&t->timer, on_timer, TICK_MS, TICK_MS);
}

static void on_closed(uv_handle_t *handle)
{
	const struct ticker *t = handle->data;

	t->fn(t->ctx);
}

void ticker_close(struct ticker *t, ticker_fn *release, void *ctx)
{
	uv_loop_t *loop = t->timer.loop;

	if (!t->started) {
		release(ctx);
		return;
	}
	t->fn = release;
	t->ctx = ctx;
	uv_close((uv_handle_t *)&t->timer, on_closed);
	(void)uv_run(loop, UV_RUN_NOWAIT);
}
