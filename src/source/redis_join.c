/* SPDX-License-Identifier: ISC */
/*
 * redis_join - see the header.
 *
 * SCAN gives some names at a time, and of those some values at a time are
 * asked for together with what is left of their time, so that neither the
 * server nor we are busy for long, however many keys there are. A key that
 * comes and goes meanwhile is in the stream, which is read behind.
 */
#include "redis_join.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "redis/words.h"
#include "replica/outbox.h"

enum {
	STEP = 4096,    /* of SCAN: the server looks at so many */
	GROUP = 512,    /* of values */
	SCAN_SIZE = 24, /* of its cursor */
	WORDS_SIZE = 64,
	PATTERN_SIZE = REDIS_KEY_MAX + 16
};

static const char *const passes[] = { "revoke", "lease" };

struct name {
	char *text;
	size_t len;
};

struct redis_join {
	struct redis_join_env env;
	size_t pass, passes;
	char scan[SCAN_SIZE]; /* where SCAN goes on; "0": it is over */
	struct name *names;   /* of one step */
	size_t count, at;     /* those before `at` are done */
	size_t group;         /* under way from there */
	int64_t left[GROUP];  /* ms; of these */
	size_t left_count;
};

static void drop_names(struct redis_join *j)
{
	for (size_t i = 0; i < j->count; i++)
		free(j->names[i].text);
	free(j->names);
	j->names = NULL;
	j->count = j->at = j->group = 0;
}

static void fail(struct redis_join *j, const struct redis_reply *reply)
{
	drop_names(j);
	j->env.failed(j->env.ctx, reply);
}

/* --- values ----------------------------------------------------------------
 */

static void next(struct redis_join *j);

/* How long the server has had the record: its key was made to last as long as
 * the record does. */
static int64_t age_of(
    const struct redis_join *j, const struct redis_reply *value, int64_t left)
{
	struct replica_record r;

	if (left < 0 || replica_decode(value->text, value->len, j->env.keys,
			    &r) != REPLICA_GOOD)
		return -1;
	return replica_lasts(&r) > left ? replica_lasts(&r) - left : 0;
}

/* False: the keeper is gone. */
static bool take_values(struct redis_join *j, const struct redis_reply *reply)
{
	struct moment now = clock_now();

	for (size_t i = 0; i < reply->count; i++) {
		const struct redis_reply *value = &reply->items[i];

		/* It has run out meanwhile. */
		if (value->type == REDIS_NIL)
			continue;
		if (replica_feed_take(j->env.feed,
			value->type == REDIS_TEXT ? value->text : "",
			value->type == REDIS_TEXT ? value->len : 0,
			age_of(j, value, j->left[i]), j->names[j->at + i].text,
			now) < 0)
			return false;
	}
	return replica_feed_send(j->env.feed, NULL) == 0;
}

static void on_left(void *ctx, const struct redis_reply *reply)
{
	struct redis_join *j = ctx;

	if (reply && j->left_count < j->group)
		j->left[j->left_count++] =
		    reply->type == REDIS_INTEGER ? reply->integer : -1;
}

static void on_values(void *ctx, const struct redis_reply *reply)
{
	struct redis_join *j = ctx;

	if (!reply)
		return;
	if (reply->type != REDIS_ARRAY || reply->count != j->group ||
	    j->left_count != j->group) {
		fail(j, reply);
		return;
	}
	if (!take_values(j, reply)) {
		fail(j, NULL);
		return;
	}
	j->at += j->group;
	next(j);
}

/* What is left of their time, first: so it is never more than it is when the
 * values come. */
static void ask_values(struct redis_join *j)
{
	const char *argv[GROUP + 1] = { "MGET" };
	size_t lens[GROUP + 1] = { strlen("MGET") };

	j->group = j->count - j->at < GROUP ? j->count - j->at : GROUP;
	j->left_count = 0;
	for (size_t i = 0; i < j->group; i++) {
		const struct name *n = &j->names[j->at + i];
		struct redis_words w = { 0 };

		argv[i + 1] = n->text;
		lens[i + 1] = n->len;
		redis_add(&w, "PTTL");
		redis_add_bytes(&w, n->text, n->len);
		redis_send(j->env.link, 0, &w, on_left, j);
	}
	redis_link_run(j->env.link, 0, j->group + 1, argv, lens, on_values, j);
}

/* --- names -----------------------------------------------------------------
 */

/* Its own are not for this node. */
static bool is_own(const struct redis_join *j, const struct redis_reply *name)
{
	char own[REDIS_NAME_SIZE];
	char what[PATTERN_SIZE];
	size_t len;

	(void)snprintf(
	    what, sizeof(what), "%s:%s:", passes[j->pass], j->env.node);
	len = strlen(redis_name(j->env.key, what, own));
	return name->len >= len && memcmp(name->text, own, len) == 0;
}

static bool is_name(const struct redis_join *j, const struct redis_reply *name)
{
	return name->type == REDIS_TEXT &&
	       redis_name_is_record(
		   j->env.key, passes[j->pass], name->text, name->len);
}

/* Counted as a record that is none. */
static void pass_over(struct redis_join *j, const struct redis_reply *name)
{
	char words[WORDS_SIZE] = "";

	if (name->type == REDIS_TEXT)
		(void)log_words(name->text, name->len, words, sizeof(words));
	(void)replica_feed_take(j->env.feed, "", 0, -1, words, clock_now());
}

/* What is of another form is nobody's, and may be anything. */
static void keep_names(struct redis_join *j, const struct redis_reply *names)
{
	drop_names(j);
	j->names = xcalloc(names->count + 1, sizeof(*j->names));
	for (size_t i = 0; i < names->count; i++) {
		const struct redis_reply *name = &names->items[i];
		struct name *n = &j->names[j->count];

		if (!is_name(j, name)) {
			pass_over(j, name);
			continue;
		}
		if (is_own(j, name))
			continue;
		n->text = xstrndup(name->text, name->len);
		n->len = name->len;
		j->count++;
	}
}

static void on_names(void *ctx, const struct redis_reply *reply)
{
	enum { CURSOR, NAMES, PAIR };
	struct redis_join *j = ctx;

	if (!reply)
		return;
	if (reply->type != REDIS_ARRAY || reply->count != PAIR ||
	    reply->items[CURSOR].type != REDIS_TEXT ||
	    reply->items[CURSOR].len == 0 ||
	    reply->items[CURSOR].len >= SCAN_SIZE ||
	    reply->items[NAMES].type != REDIS_ARRAY) {
		fail(j, reply);
		return;
	}
	memcpy(
	    j->scan, reply->items[CURSOR].text, reply->items[CURSOR].len + 1);
	keep_names(j, &reply->items[NAMES]);
	next(j);
}

static void ask_names(struct redis_join *j)
{
	struct redis_words w = { 0 };
	char name[REDIS_NAME_SIZE], pattern[PATTERN_SIZE];

	(void)snprintf(pattern, sizeof(pattern), "%s:*", passes[j->pass]);
	redis_add(&w, "SCAN");
	redis_add(&w, j->scan);
	redis_add(&w, "MATCH");
	redis_add(&w, redis_name(j->env.key, pattern, name));
	redis_add(&w, "COUNT");
	redis_add_number(&w, STEP);
	redis_send(j->env.link, 0, &w, on_names, j);
}

/* What is to be asked next. */
static void next(struct redis_join *j)
{
	if (j->at < j->count) {
		ask_values(j);
		return;
	}
	/* SCAN of this pass is over: its cursor is 0, as for the next. */
	if (strcmp(j->scan, "0") == 0 && ++j->pass == j->passes) {
		drop_names(j);
		j->env.done(j->env.ctx);
		return;
	}
	ask_names(j);
}

/* --- for its owner ---------------------------------------------------------
 */

struct redis_join *redis_join_new(const struct redis_join_env *env)
{
	struct redis_join *j = xcalloc(1, sizeof(*j));

	j->env = *env;
	return j;
}

void redis_join_start(struct redis_join *j, enum redis_join_what what)
{
	drop_names(j);
	j->pass = 0;
	j->passes = what == REDIS_JOIN_REVOCATIONS ? 1 : COUNT_OF(passes);
	memcpy(j->scan, "0", sizeof("0"));
	ask_names(j);
}

void redis_join_free(struct redis_join **jp)
{
	struct redis_join *j = *jp;

	*jp = NULL;
	if (!j)
		return;
	drop_names(j);
	free(j);
}
