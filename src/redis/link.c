/* SPDX-License-Identifier: ISC */
/*
 * link - see the header.
 *
 *	PAUSED -> ASKING (a Sentinel) -> REACHING (a server) -> UP
 *	  ^----------- anything goes wrong ------------------------'
 *
 * Once a second the server is asked for its role: one that stands still is
 * noticed though nothing else is to be said, and so is a master that was made
 * a replica while the connection stayed.
 */
#include "link.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/log.h"
#include "base/mem.h"
#include "line.h"
#include "watch.h"
#include "words.h"

enum {
	PAUSE_FIRST_MS = 100,
	PAUSE_MAX_MS = 2000,
	/* One that is lost sooner after it was found is no success. */
	STEADY_MS = 1000,
	ROLE_MS = 1000,
	WHY_SIZE = 240
};

enum link_state { PAUSED = 0, ASKING, REACHING, UP };

struct redis_link {
	struct redis_link_env env;
	const struct redis_api *api;
	uv_loop_t own; /* see redis_link_loop() */
	bool has_own;
	uv_loop_t *loop;
	uv_timer_t timer; /* PAUSED: until it ends; UP: each second */
	int handles;
	bool closing;

	struct redis_setup setup;
	size_t at, tried;                 /* of its endpoints */
	bool missed[REDIS_ENDPOINTS_MAX]; /* no answer of this Sentinel */

	enum link_state state;
	struct redis_line line;
	struct redis_endpoint server; /* as a Sentinel names it */
	char server_text[REDIS_ENDPOINT_SIZE];
	struct redis_watch *watch;
	uint64_t pause, up_since;
	bool told_lost; /* the log knows */
	/* "SERVER: why", "" while it is up; and its exit code. */
	char trouble[REDIS_ENDPOINT_SIZE + sizeof(": ") + WHY_SIZE];
	int code;
};

/* --- states ----------------------------------------------------------------
 */

static void lose(struct redis_link *l, int code, const char *why);

/* For words that are text. */
static void put_words(struct redis_link *l, const char *const *argv,
    size_t argc, redis_reply_fn *fn)
{
	size_t lens[REDIS_ARGS_MAX];

	for (size_t i = 0; i < argc; i++)
		lens[i] = strlen(argv[i]);
	redis_line_put(&l->line, 0, argc, argv, lens, fn, l);
}

static void begin(struct redis_link *l, enum link_state state,
    const struct redis_endpoint *endpoint)
{
	struct err err = { 0 };

	l->state = state;
	(void)redis_endpoint_print(endpoint, l->server_text);
	if (redis_line_connect(&l->line, endpoint, l->setup.ca, &err) < 0)
		lose(l, err.code, err.text);
}

static void attempt(struct redis_link *l)
{
	struct redis_endpoint *known = &l->setup.known[l->at];

	if (!l->setup.by_sentinels) {
		begin(l, REACHING, &l->setup.endpoints[l->at]);
		return;
	}
	/* A name server is asked only when it was not found, or not there. */
	if (!*known->host || l->missed[l->at])
		redis_setup_look_up(&l->setup, l->at);
	begin(l, ASKING, *known->host ? known : &l->setup.endpoints[l->at]);
}

/* Of all that were tried in vain, one that only an administrator can mend is
 * what its owner hears of. */
static void note(struct redis_link *l, int code, const char *why)
{
	if (l->tried > 0 && l->code == EXIT_USER && code != EXIT_USER)
		return;
	l->code = code;
	(void)snprintf(
	    l->trouble, sizeof(l->trouble), "%s: %s", l->server_text, why);
}

static void tell_lost(struct redis_link *l, const char *why)
{
	if (!l->told_lost)
		log_warn(LOG_DATABASE,
		    "%s=%s database=lost error=\"%s\" next=\"tries again\" "
		    "server=%s",
		    l->env.what, l->env.name, why, l->server_text);
	l->told_lost = true;
}

static void tell_back(struct redis_link *l)
{
	if (l->told_lost)
		log_info(LOG_DATABASE, "%s=%s database=back server=%s",
		    l->env.what, l->env.name, l->server_text);
	l->told_lost = false;
}

/* To the next endpoint at once, and when all were tried, after a pause. */
static int64_t next_pause(struct redis_link *l, bool was_steady)
{
	if (was_steady) {
		l->tried = 0;
		l->pause = 0;
		return 0;
	}
	l->at = (l->at + 1) % l->setup.count;
	if (++l->tried < l->setup.count)
		return 0;
	l->tried = 0;
	l->pause = l->pause ? 2 * l->pause : PAUSE_FIRST_MS;
	if (l->pause > PAUSE_MAX_MS)
		l->pause = PAUSE_MAX_MS;
	return (int64_t)l->pause;
}

static void on_timer(uv_timer_t *timer);

static void lose(struct redis_link *l, int code, const char *why)
{
	bool was_up = l->state == UP, failed;
	char shown[WHY_SIZE];
	int64_t pause;

	if (l->state == ASKING)
		l->missed[l->at] = true;
	l->state = PAUSED;
	(void)log_words(why, strlen(why), shown, sizeof(shown));
	note(l, code, shown);
	tell_lost(l, shown);
	redis_watch_stop(l->watch);
	redis_line_drop(&l->line);
	pause =
	    next_pause(l, was_up && uv_now(l->loop) - l->up_since >= STEADY_MS);
	failed = l->tried == 0 && !was_up;
	(void)uv_timer_start(&l->timer, on_timer, (uint64_t)pause, 0);
	if (was_up && l->env.down)
		l->env.down(l->env.ctx);
	if (failed && l->env.failed)
		l->env.failed(l->env.ctx);
}

/* Only ROLE is of ours on the way up. */
static void lose_by(struct redis_link *l, const struct redis_reply *reply)
{
	char why[WHY_SIZE] = "a reply that makes no sense";

	if (reply->type == REDIS_ERROR)
		(void)redis_refusal(
		    reply, l->state == ASKING, l->setup.user, why, sizeof(why));
	lose(l, redis_is_wrong_set_up(reply) ? EXIT_USER : EXIT_AGAIN, why);
}

static void on_down(void *ctx, const char *why)
{
	lose(ctx, EXIT_AGAIN, why);
}

/* --- the way up ------------------------------------------------------------
 */

/* ROLE: "master" and more, or "slave" and its master. */
static bool has_role(const struct redis_reply *r, const char *role)
{
	return r->type == REDIS_ARRAY && r->count > 0 &&
	       redis_is_text(&r->items[0], role);
}

static bool is_master(const struct redis_reply *r)
{
	return has_role(r, "master");
}

static void on_role_again(void *ctx, const struct redis_reply *reply)
{
	struct redis_link *l = ctx;

	if (!reply)
		return;
	if (!is_master(reply)) {
		lose(l, EXIT_AGAIN, "it is no master any more");
		return;
	}
	/* It is steady. */
	*l->trouble = '\0';
	l->code = 0;
	tell_back(l);
}

static void ask_role(struct redis_link *l, redis_reply_fn *fn)
{
	static const char *const words[] = { "ROLE" };

	put_words(l, words, COUNT_OF(words), fn);
}

static void on_timer(uv_timer_t *timer)
{
	struct redis_link *l = timer->data;

	if (l->state == PAUSED) {
		attempt(l);
		return;
	}
	ask_role(l, on_role_again);
	if (l->setup.by_sentinels)
		redis_watch_ask(l->watch, l->loop, l->at, &l->server);
}

static void on_role(void *ctx, const struct redis_reply *reply)
{
	struct redis_link *l = ctx;

	if (!reply)
		return;
	if (reply->type != REDIS_ARRAY) {
		lose_by(l, reply);
		return;
	}
	if (has_role(reply, "sentinel")) {
		lose(l, EXIT_USER,
		    "this is a Sentinel's port: name it in sentinels, not in "
		    "servers");
		return;
	}
	if (!is_master(reply)) {
		lose(l, EXIT_AGAIN, "it is no master");
		return;
	}
	l->state = UP;
	l->up_since = uv_now(l->loop);
	(void)uv_timer_start(&l->timer, on_timer, ROLE_MS, ROLE_MS);
	if (l->env.up)
		l->env.up(l->env.ctx);
}

static void on_auth(void *ctx, const struct redis_reply *reply)
{
	struct redis_link *l = ctx;

	if (reply && !redis_is_text(reply, "OK"))
		lose_by(l, reply);
}

static void on_master(void *ctx, const struct redis_reply *reply)
{
	struct redis_link *l = ctx;
	char why[WHY_SIZE];

	if (!reply)
		return;
	if (reply->type == REDIS_NIL) {
		(void)snprintf(why, sizeof(why),
		    "this Sentinel knows of no master '%s'", l->setup.master);
		lose(l, EXIT_USER, why);
		return;
	}
	if (!redis_watch_endpoint(reply, &l->server)) {
		lose_by(l, reply);
		return;
	}
	l->missed[l->at] = false;
	redis_line_drop(&l->line);
	begin(l, REACHING, &l->server);
}

static void on_moved(void *ctx)
{
	redis_link_again(ctx, "its Sentinel names another master");
}

static void log_in(
    struct redis_link *l, const char *user, const struct redis_secret *password)
{
	const char *argv[] = { "AUTH", user, password->text };
	size_t lens[] = { strlen("AUTH"), user ? strlen(user) : 0,
		password->len };
	size_t skip = user && *user ? 0 : 1;

	if (!password->text)
		return;
	argv[skip] = argv[0];
	lens[skip] = lens[0];
	redis_line_put(&l->line, 0, COUNT_OF(argv) - skip, argv + skip,
	    lens + skip, on_auth, l);
}

static void on_up(void *ctx)
{
	struct redis_link *l = ctx;
	const char *const ask[] = { "SENTINEL", "GET-MASTER-ADDR-BY-NAME",
		l->setup.master };

	if (l->state == ASKING) {
		log_in(l, NULL, &l->setup.sentinel_password);
		put_words(l, ask, COUNT_OF(ask), on_master);
	} else {
		log_in(l, l->setup.user, &l->setup.password);
		ask_role(l, on_role);
	}
}

/* What another server may be better for. */
static void on_heard(void *ctx, const struct redis_reply *reply)
{
	static const char *const words[] = { "READONLY", "LOADING",
		"MASTERDOWN", "UNBLOCKED", "NOAUTH" };
	struct redis_link *l = ctx;
	char why[WHY_SIZE];

	for (size_t i = 0; l->state == UP && i < COUNT_OF(words); i++)
		if (redis_is_error(reply, words[i]))
			lose(l, EXIT_AGAIN,
			    log_words(
				reply->text, reply->len, why, sizeof(why)));
}

/* --- for its owner ---------------------------------------------------------
 */

/* Whatever answers for these names is loaded while that still is allowed. */
static void look_names_up(struct redis_link *l)
{
	for (size_t i = 0; i < l->setup.count; i++)
		redis_setup_look_up(&l->setup, i);
}

static int prepare(
    struct redis_link *l, const struct conf_section *conf, struct err *err)
{
	if (redis_setup_read(conf, &l->setup, err) < 0)
		return -1;
	l->api = redis_load(err);
	if (!l->api)
		return -1;
	if (l->setup.ca && !l->api->has_tls)
		return conf_wrong(conf, err, "tls: %s", l->api->why_no_tls);
	l->line = (struct redis_line){ .api = l->api,
		.timeout = l->setup.timeout,
		.up = on_up,
		.down = on_down,
		.heard = on_heard,
		.ctx = l };
	l->watch = redis_watch_new(l->api, &l->setup, on_moved, l);
	look_names_up(l);
	return 0;
}

struct redis_link *redis_link_new(const struct redis_link_env *env,
    const struct conf_section *conf, struct err *err)
{
	struct redis_link *l = xcalloc(1, sizeof(*l));

	l->env = *env;
	if (prepare(l, conf, err) == 0) {
		must(uv_loop_init(&l->own) == 0);
		l->has_own = true;
		return l;
	}
	redis_link_close(&l);
	return NULL;
}

uv_loop_t *redis_link_loop(struct redis_link *l)
{
	return &l->own;
}

static void drop_own(struct redis_link *l)
{
	if (l->has_own)
		must(uv_loop_close(&l->own) == 0);
	l->has_own = false;
}

void redis_link_start(struct redis_link *l, uv_loop_t *loop)
{
	if (loop != &l->own)
		drop_own(l);
	l->loop = loop;
	must(uv_timer_init(loop, &l->timer) == 0);
	l->timer.data = l;
	redis_line_start(&l->line, loop);
	l->handles = 2;
	(void)uv_timer_start(&l->timer, on_timer, 0, 0);
}

bool redis_link_is_up(const struct redis_link *l)
{
	return l->state == UP && !l->line.lost;
}

void redis_link_run(struct redis_link *l, int64_t blocks, size_t argc,
    const char *const *argv, const size_t *lens, redis_reply_fn *fn, void *ctx)
{
	if (redis_link_is_up(l))
		redis_line_put(&l->line, blocks, argc, argv, lens, fn, ctx);
	else
		fn(ctx, NULL);
}

void redis_link_again(struct redis_link *l, const char *why)
{
	if (l->state == UP)
		lose(l, EXIT_AGAIN, why);
}

const char *redis_link_trouble(const struct redis_link *l, int *code_r)
{
	if (code_r)
		*code_r = l->code;
	return l->trouble;
}

const char *redis_link_server(const struct redis_link *l)
{
	return l->server_text;
}

void redis_link_warn(const struct redis_link *l, const char *what)
{
	log_warn(LOG_DATABASE, "%s=%s server=%s error=\"%s\"", l->env.what,
	    l->env.name, l->server_text, what);
}

void redis_link_hear(struct redis_link *l, const struct redis_link_env *env)
{
	l->env = *env;
}

static void release(struct redis_link *l)
{
	drop_own(l);
	redis_watch_free(&l->watch);
	redis_setup_wipe(&l->setup);
	free(l);
}

static void on_closed(uv_handle_t *handle)
{
	struct redis_link *l = handle->data;

	if (--l->handles == 0 && l->closing)
		release(l);
}

void redis_link_stop(struct redis_link *l)
{
	if (!l->handles || uv_is_closing((uv_handle_t *)&l->timer))
		return;
	l->state = PAUSED;
	redis_watch_free(&l->watch);
	redis_line_stop(&l->line);
	l->line.timer.data = l;
	uv_close((uv_handle_t *)&l->line.timer, on_closed);
	uv_close((uv_handle_t *)&l->timer, on_closed);
}

void redis_link_close(struct redis_link **lp)
{
	struct redis_link *l = *lp;

	*lp = NULL;
	if (!l)
		return;
	l->closing = true;
	redis_link_stop(l);
	if (!l->handles)
		release(l);
}
