/* SPDX-License-Identifier: ISC */
/*
 * watch - asks a Sentinel each second whether the master still is the one that
 * it named: one that was cut off and comes back goes on for some seconds as if
 * nothing had been, and what is written there then is lost. Called by: link.c.
 */
#ifndef REDIS_WATCH_H
#define REDIS_WATCH_H
#include "redis.h"
#include "setup.h"

struct redis_watch;

/* moved: it names another one. All are borrowed. */
struct redis_watch *redis_watch_new(const struct redis_api *api,
    const struct redis_setup *setup, void (*moved)(void *ctx), void *ctx);
/* Once a second. at: the Sentinel that has named the master. When it does not
 * answer, the next one is asked, and at longer intervals when none does. Never
 * waits for a name server: where a Sentinel is must be known (setup.h). */
void redis_watch_ask(struct redis_watch *w, uv_loop_t *loop, size_t at,
    const struct redis_endpoint *master);
/* Until it is asked again. */
void redis_watch_stop(struct redis_watch *w);
void redis_watch_free(struct redis_watch **w);

/* The endpoint in a Sentinel's answer. */
bool redis_watch_endpoint(
    const struct redis_reply *reply, struct redis_endpoint *out);
#endif
