/* SPDX-License-Identifier: ISC */
/*
 * check - see the header. All that is missing is told at once: who has to
 * change the ACL does it one time.
 */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/role.h"
#include "words.h"

enum {
	/* XADD's MINID came with 6.2. */
	MAJOR_LEAST = 6,
	MINOR_LEAST = 2,
	MISSING_SIZE = 200,
	WORDS_SIZE = 160
};

struct check {
	struct redis_link *link;
	const char *user, *key;
	const struct redis_try *tries;
	size_t at;
	char missing[MISSING_SIZE]; /* rights: " +xadd +set" */
	struct err *err;
	uv_loop_t *loop;
	uv_timer_t limit;
};

static void finish(struct check *c)
{
	uv_stop(c->loop);
}

/* The first is told. */
static void wrong(struct check *c, enum exit_code code, const char *what)
{
	if (!c->err->code)
		(void)err_set(c->err, code, "redis %s: %s",
		    redis_link_server(c->link), what);
}

static void add_missing(struct check *c, const char *right)
{
	size_t len = strlen(c->missing);

	if (!strstr(c->missing, right))
		(void)snprintf(
		    c->missing + len, sizeof(c->missing) - len, " %s", right);
}

/* The last word on the way: what is to be typed at the server. */
static void conclude(struct check *c)
{
	char line[2 * MISSING_SIZE];

	if (*c->missing) {
		/* Behind the first blank. */
		(void)redis_grant(c->user, c->missing + 1, line, sizeof(line));
		wrong(c, EXIT_USER, line);
	}
	finish(c);
}

/* --- what the server says of itself ----------------------------------------
 */

/* The value of "name:" in INFO's reply. */
static bool info_value(
    const struct redis_reply *reply, const char *name, char *out, size_t size)
{
	const char *at =
	    reply->type == REDIS_TEXT ? strstr(reply->text, name) : NULL;

	if (!at)
		return false;
	at += strlen(name);
	(void)log_words(at, strcspn(at, "\r\n"), out, size);
	return true;
}

/* Whether it may drop keys by itself, and what mends that. */
static bool tell_eviction(
    const struct redis_reply *reply, char *out, size_t size)
{
	char policy[WORDS_SIZE];

	if (!info_value(reply, "maxmemory_policy:", policy, sizeof(policy)) ||
	    strcmp(policy, "noeviction") == 0)
		return false;
	(void)snprintf(out, size,
	    "its maxmemory-policy is %s: it may drop what the nodes are told; "
	    "run: CONFIG SET maxmemory-policy noeviction",
	    policy);
	return true;
}

static void on_memory(void *ctx, const struct redis_reply *reply)
{
	struct check *c = ctx;
	char line[2 * WORDS_SIZE];

	if (!reply)
		return;
	if (tell_eviction(reply, line, sizeof(line)))
		wrong(c, EXIT_AGAIN, line);
	conclude(c);
}

static void ask_info(
    struct redis_link *l, const char *section, redis_reply_fn *fn, void *ctx)
{
	const char *const words[] = { "INFO", section };
	const size_t lens[] = { strlen(words[0]), strlen(section) };

	redis_link_run(l, 0, COUNT_OF(words), words, lens, fn, ctx);
}

static void on_version(void *ctx, const struct redis_reply *reply)
{
	struct check *c = ctx;
	char version[WORDS_SIZE], line[2 * WORDS_SIZE];
	char *end;
	unsigned long major, minor;

	if (!reply)
		return;
	if (info_value(reply, "redis_version:", version, sizeof(version))) {
		major = strtoul(version, &end, 10);
		minor = *end == '.' ? strtoul(end + 1, NULL, 10) : 0;
		if (major < MAJOR_LEAST ||
		    (major == MAJOR_LEAST && minor < MINOR_LEAST)) {
			(void)snprintf(line, sizeof(line),
			    "it is of version %s; 6.2 or newer is needed, or "
			    "Valkey",
			    version);
			wrong(c, EXIT_USER, line);
		}
	}
	/* Who may not ask that lives without it. */
	ask_info(c->link, "memory", on_memory, c);
}

/* --- rights ----------------------------------------------------------------
 */

static void next(struct check *c);

static void on_tried(void *ctx, const struct redis_reply *reply)
{
	struct check *c = ctx;
	char words[WORDS_SIZE], keys[REDIS_KEY_MAX + sizeof("'~:*'")];

	if (!reply)
		return;
	if (reply->type == REDIS_ERROR) {
		(void)log_words(reply->text, reply->len, words, sizeof(words));
		if (redis_is_error(reply, "NOPERM")) {
			/* Of a command, or of its keys. */
			bool of_keys = strstr(words, "access") != NULL;

			(void)snprintf(keys, sizeof(keys), "'~%s:*'", c->key);
			add_missing(c, of_keys ? keys : c->tries[c->at].right);
		} else if (redis_is_error(reply, "WRONGTYPE")) {
			wrong(c, EXIT_USER,
			    "a key of ours holds something else; choose "
			    "another `key`");
		} else if (!redis_is_error(reply, "ERR")) {
			wrong(c, EXIT_AGAIN, words);
		}
	}
	c->at++;
	next(c);
}

static void next(struct check *c)
{
	const struct redis_try *t = &c->tries[c->at];
	size_t lens[REDIS_TRY_WORDS], count = 0;

	if (!t->right) {
		ask_info(c->link, "server", on_version, c);
		return;
	}
	for (; count < REDIS_TRY_WORDS && t->words[count]; count++)
		lens[count] = strlen(t->words[count]);
	redis_link_run(c->link, 0, count, t->words, lens, on_tried, c);
}

/* --- the way there ---------------------------------------------------------
 */

static void on_up(void *ctx)
{
	next(ctx);
}

static void give_up(struct check *c)
{
	int code = 0;
	const char *why = redis_link_trouble(c->link, &code);

	if (!*why)
		wrong(c, EXIT_AGAIN, "it does not answer");
	else if (!c->err->code)
		(void)err_set(c->err,
		    code == EXIT_USER ? EXIT_USER : EXIT_AGAIN, "redis %s",
		    why);
	finish(c);
}

static void on_failed(void *ctx)
{
	give_up(ctx);
}

static void on_limit(uv_timer_t *timer)
{
	give_up(timer->data);
}

int redis_check(struct redis_link *l, const char *user, const char *key,
    const struct redis_try *tries, struct err *err)
{
	struct err own = { 0 };
	struct check c = {
		.link = l, .user = user, .key = key, .tries = tries, .err = &own
	};
	const struct redis_link_env env = { .what = "test",
		.name = "test",
		.up = on_up,
		.down = on_failed,
		.failed = on_failed,
		.ctx = &c };

	c.loop = redis_link_loop(l);
	must(uv_timer_init(c.loop, &c.limit) == 0);
	c.limit.data = &c;
	(void)uv_timer_start(&c.limit, on_limit, CONNECTOR_TEST_MS, 0);
	redis_link_hear(l, &env);
	redis_link_start(l, c.loop);
	(void)uv_run(c.loop, UV_RUN_DEFAULT);
	uv_close((uv_handle_t *)&c.limit, NULL);
	redis_link_stop(l);
	while (uv_run(c.loop, UV_RUN_NOWAIT))
		;
	return own.code ? err_set(err, own.code, "%s", own.text) : 0;
}

static void on_memory_once(void *ctx, const struct redis_reply *reply)
{
	char line[2 * WORDS_SIZE];

	if (reply && tell_eviction(reply, line, sizeof(line)))
		redis_link_warn(ctx, line);
}

void redis_check_warn(struct redis_link *l)
{
	ask_info(l, "memory", on_memory_once, l);
}
