/* SPDX-License-Identifier: ISC */
/*
 * watch - see the header. It is silent: a Sentinel that does not answer says
 * nothing about the master.
 */
#include "watch.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { SECOND_MS = 1000, PAUSE_MAX_S = 10 };

struct redis_watch {
	const struct redis_api *api;
	const struct redis_setup *setup;
	void (*moved)(void *ctx);
	void *ctx;
	struct redis_conn *conn;
	bool is_up, asked;
	int64_t waited; /* ms, for it to connect or to answer */
	size_t skip; /* so many Sentinels behind the one that it began with */
	unsigned failures,
	    pause; /* in succession; s, until the next is tried */
	struct redis_endpoint master;
};

bool redis_watch_endpoint(
    const struct redis_reply *reply, struct redis_endpoint *out)
{
	enum { HOST, PORT, PAIR };

	return reply->type == REDIS_ARRAY && reply->count == PAIR &&
	       reply->items[HOST].type == REDIS_TEXT &&
	       reply->items[PORT].type == REDIS_TEXT &&
	       redis_endpoint_set(reply->items[HOST].text,
		   reply->items[HOST].len, reply->items[PORT].text,
		   reply->items[PORT].len, out);
}

static bool is_same(
    const struct redis_endpoint *a, const struct redis_endpoint *b)
{
	return a->port == b->port && strcmp(a->host, b->host) == 0;
}

static void leave(struct redis_watch *w)
{
	w->is_up = w->asked = false;
	w->api->close(&w->conn);
}

/* The next one, at once while there is one that was not tried yet. */
static void fail(struct redis_watch *w)
{
	leave(w);
	w->skip++;
	w->failures++;
	if (w->failures >= w->setup->count)
		w->pause =
		    w->failures < PAUSE_MAX_S ? w->failures : PAUSE_MAX_S;
}

static void on_master(void *ctx, const struct redis_reply *reply)
{
	struct redis_watch *w = ctx;
	struct redis_endpoint endpoint;

	w->asked = false;
	if (!reply)
		return; /* it is down, and will say so */
	if (!redis_watch_endpoint(reply, &endpoint)) {
		fail(w);
		return;
	}
	w->failures = 0;
	if (!is_same(&endpoint, &w->master))
		w->moved(w->ctx);
}

static void on_auth(void *ctx, const struct redis_reply *reply)
{
	(void)ctx;
	(void)reply;
}

static void ask(struct redis_watch *w)
{
	const char *const words[] = { "SENTINEL", "GET-MASTER-ADDR-BY-NAME",
		w->setup->master };
	const size_t lens[] = { strlen(words[0]), strlen(words[1]),
		strlen(w->setup->master) };

	w->asked = true;
	w->waited = 0;
	w->api->command(w->conn, COUNT_OF(words), words, lens, on_master, w);
}

static void on_up(void *ctx)
{
	struct redis_watch *w = ctx;
	const struct redis_secret *password = &w->setup->sentinel_password;
	const char *const words[] = { "AUTH", password->text };
	const size_t lens[] = { strlen(words[0]), password->len };

	w->is_up = true;
	if (password->text)
		w->api->command(
		    w->conn, COUNT_OF(words), words, lens, on_auth, w);
	ask(w);
}

static void on_down(void *ctx, const char *why)
{
	(void)why;
	fail(ctx);
}

struct redis_watch *redis_watch_new(const struct redis_api *api,
    const struct redis_setup *setup, void (*moved)(void *ctx), void *ctx)
{
	struct redis_watch *w = xcalloc(1, sizeof(*w));

	w->api = api;
	w->setup = setup;
	w->moved = moved;
	w->ctx = ctx;
	return w;
}

static void reach(struct redis_watch *w, uv_loop_t *loop, size_t at)
{
	const struct redis_endpoint *sentinel =
	    &w->setup->known[(at + w->skip) % w->setup->count];

	w->waited = 0;
	if (*sentinel->host)
		w->conn = w->api->connect(loop, sentinel->host, sentinel->port,
		    w->setup->ca, on_up, on_down, w, NULL);
	if (!w->conn)
		fail(w);
}

void redis_watch_ask(struct redis_watch *w, uv_loop_t *loop, size_t at,
    const struct redis_endpoint *master)
{
	w->master = *master;
	if (!w->conn && w->pause > 0) {
		w->pause--;
	} else if (!w->conn) {
		reach(w, loop, at);
	} else if (w->is_up && !w->asked) {
		ask(w);
	} else {
		w->waited += SECOND_MS;
		if (w->waited > w->setup->timeout)
			fail(w);
	}
}

void redis_watch_stop(struct redis_watch *w)
{
	leave(w);
	w->skip = w->failures = w->pause = 0;
}

void redis_watch_free(struct redis_watch **wp)
{
	struct redis_watch *w = *wp;

	*wp = NULL;
	if (!w)
		return;
	redis_watch_stop(w);
	free(w);
}
