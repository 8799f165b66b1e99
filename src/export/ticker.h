/* SPDX-License-Identifier: ISC */
/*
 * ticker - an export's turn once a second, and the release of an export when
 * the loop has let go of that. For kinds that keep a connection.
 */
#ifndef EXPORT_TICKER_H
#define EXPORT_TICKER_H
#include <stdbool.h>
#include <uv.h>

typedef void ticker_fn(void *ctx);

struct ticker {
	uv_timer_t timer;
	ticker_fn *fn; /* tick; when it is closing: release */
	void *ctx;
	bool started;
};

void ticker_start(
    struct ticker *t, uv_loop_t *loop, ticker_fn *tick, void *ctx);
/* Ticks no more. release(ctx) comes from the loop, which runs once here; at
 * once when the ticker was never started. t may be part of what it frees. */
void ticker_close(struct ticker *t, ticker_fn *release, void *ctx);
#endif
