/* SPDX-License-Identifier: ISC */
/*
 * redis - the source kind "redis": hears what the other nodes of a site tell
 * through a Redis or Valkey server (export/redis.c says what lies there).
 *
 * A node that joins notes the last entry of the stream, reads the keys, and
 * goes on with the stream behind that entry. The cursor is an entry: its id and
 * a hash of what it holds. As long as the server still has just this entry,
 * all that came behind it is there, too. When it has not (it was trimmed, or
 * the server lost its last writes, or all, or took up an old dump), nobody can
 * tell what else is missing, and the node joins again. Before the entries that
 * came while there was no connection, the keys of revocations are read: a lease
 * that one of the last entries ends is not believed until then.
 *
 * Nothing of it is believed but what a node of the site has signed
 * (replica/record.h).
 */
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/log.h"
#include "base/mem.h"
#include "cursor.h"
#include "redis/check.h"
#include "redis/words.h"
#include "redis_clock.h"
#include "redis_join.h"
#include "replica_feed.h"
#include "source.h"

enum {
	SECOND_MS = 1000,
	JOINS_MAX = 3, /* in that time */
	/* How long the server holds its answer when nothing is new. */
	BLOCK_MS = 1000,
	NS_PER_MS = 1000000,
	/* At once: the feed sends them on in batches of its own. */
	ENTRIES_MAX = 1000,
	/* Between two joins for the sake of clocks. */
	AGAIN_MS = 60 * 1000,
	WORDS_SIZE = 240
};

static const struct option redis_options[] = { REDIS_OPTIONS, OPTION_END };

#define CURSOR_KEY "stream"

/* The entry that was read last, as the cursor holds it; 0-0: the stream was
 * empty. */
struct position {
	struct redis_id id;
	uint64_t hash; /* of what the entry holds */
};

struct source {
	struct source_env env;
	const struct conf_section *conf;
	struct redis_link *link;
	struct replica_feed *feed;
	struct redis_join *join;
	struct redis_clock clock;
	const char *key;
	char stream[REDIS_NAME_SIZE];
	uv_timer_t second;
	int handles;

	bool joined;    /* `position` is good, as far as is known */
	unsigned joins; /* within this second, for want of the entry */
	struct position position, joining;
	bool missing; /* the server does not have the entry at the position */
	bool again;   /* the feed would take now what it has passed over */
	uint64_t again_at; /* monotonic ms; that was heeded last; 0: never */
	bool in_step, gone;
};

static void go_on(struct source *s);

/* With no entry to find again nobody can tell what came and went since. */
static bool is_entry(const struct position *p)
{
	return p->id.ms || p->id.sequence;
}

/* All logins that wait, and the position behind them. */
static void store(struct source *s)
{
	struct source_cursor cursor;

	cursor_write(&cursor, CURSOR_KEY, &s->position, sizeof(s->position));
	if (replica_feed_send(s->feed, &cursor) < 0)
		s->gone = true;
}

/* --- trouble ---------------------------------------------------------------
 */

/* The server answers, but not what was asked: it is tried again, elsewhere if
 * there is another. */
static void give_up(struct source *s, const struct redis_reply *reply)
{
	char words[WORDS_SIZE] = "a reply that makes no sense";

	if (reply && reply->type == REDIS_ERROR)
		(void)redis_error(reply, words, sizeof(words));
	redis_link_again(s->link, words);
}

static uint64_t monotonic(void)
{
	return uv_hrtime() / NS_PER_MS;
}

/* --- following -------------------------------------------------------------
 */

static void join(struct source *s);

static void on_kept(void *ctx, const struct redis_reply *reply)
{
	struct source *s = ctx;
	struct redis_entry e;

	if (!reply)
		return;
	if (reply->type == REDIS_ERROR) {
		give_up(s, reply);
		return;
	}
	s->missing = reply->type != REDIS_ARRAY || reply->count != 1 ||
		     !redis_entry_read(&reply->items[0], &e) ||
		     redis_entry_hash(&e) != s->position.hash;
}

/* False: what the server gives cannot be its stream. */
static bool take_entry(struct source *s, const struct redis_reply *reply)
{
	char where[REDIS_ID_SIZE];
	struct redis_entry e;

	if (!redis_entry_read(reply, &e) ||
	    !redis_id_before(s->position.id, e.id))
		return false;
	(void)redis_id_print(e.id, where);
	if (replica_feed_take(s->feed, e.record ? e.record : "", e.len,
		redis_clock_age(&s->clock, e.id), where, clock_now()) < 0)
		s->gone = true;
	s->position.id = e.id;
	s->position.hash = redis_entry_hash(&e);
	return true;
}

static void take_entries(struct source *s, const struct redis_reply *reply)
{
	const struct redis_reply *entries = redis_entries(reply, s->stream);

	if (!entries || entries->count == 0) {
		give_up(s, reply);
		return;
	}
	for (size_t i = 0; i < entries->count && !s->gone; i++) {
		if (!take_entry(s, &entries->items[i])) {
			give_up(s, NULL);
			return;
		}
	}
	if (!s->gone)
		store(s);
	s->in_step = entries->count < ENTRIES_MAX;
}

static void on_entries(void *ctx, const struct redis_reply *reply)
{
	struct source *s = ctx;

	if (!reply)
		return;
	/* What cannot come from trouble alone is not answered by haste. */
	if (s->missing && ++s->joins > JOINS_MAX) {
		give_up(s, NULL);
		return;
	}
	if (s->missing) {
		log_warn(LOG_SOURCE_GAP,
		    "source=%s reason=\"the server has not any more what was "
		    "read last\" next=\"reads the snapshot\"",
		    s->env.name);
		join(s);
		return;
	}
	if (reply->type == REDIS_NIL)
		s->in_step = true;
	else
		take_entries(s, reply);
	go_on(s);
}

static void ask_position(struct source *s, const char *id)
{
	struct redis_words w = { 0 };

	redis_add(&w, "XRANGE");
	redis_add(&w, s->stream);
	redis_add(&w, id);
	redis_add(&w, id);
	redis_send(s->link, 0, &w, on_kept, s);
}

static void follow(struct source *s)
{
	struct redis_words w = { 0 };
	char id[REDIS_ID_SIZE];

	(void)redis_id_print(s->position.id, id);
	s->missing = false;
	if (is_entry(&s->position))
		ask_position(s, id);
	redis_add(&w, "XREAD");
	redis_add(&w, "COUNT");
	redis_add_number(&w, ENTRIES_MAX);
	redis_add(&w, "BLOCK");
	redis_add_number(&w, BLOCK_MS);
	redis_add(&w, "STREAMS");
	redis_add(&w, s->stream);
	redis_add(&w, id);
	redis_send(s->link, BLOCK_MS, &w, on_entries, s);
}

/* --- joining ---------------------------------------------------------------
 */

static void on_joined(void *ctx)
{
	struct source *s = ctx;

	/* The revocations alone. */
	if (s->joined) {
		go_on(s);
		return;
	}
	s->position = s->joining;
	s->joined = true;
	store(s);
	if (replica_feed_whole(s->feed) < 0)
		s->gone = true;
	log_info(LOG_SOURCE_OPEN, "source=%s state=joined", s->env.name);
	go_on(s);
}

static void on_join_failed(void *ctx, const struct redis_reply *reply)
{
	struct source *s = ctx;

	if (reply)
		give_up(s, reply);
	else
		s->gone = true;
}

static void on_last(void *ctx, const struct redis_reply *reply)
{
	struct source *s = ctx;
	struct redis_entry e = { 0 };

	if (!reply)
		return;
	memset(&s->joining, 0, sizeof(s->joining));
	if (reply->type != REDIS_ARRAY || reply->count > 1 ||
	    (reply->count == 1 && !redis_entry_read(&reply->items[0], &e))) {
		give_up(s, reply);
		return;
	}
	if (reply->count == 1)
		s->joining = (struct position){ e.id, redis_entry_hash(&e) };
	redis_join_start(s->join, REDIS_JOIN_ALL);
}

static void join(struct source *s)
{
	struct redis_words w = { 0 };

	s->joined = s->in_step = false;
	redis_add(&w, "XREVRANGE");
	redis_add(&w, s->stream);
	redis_add(&w, "+");
	redis_add(&w, "-");
	redis_add(&w, "COUNT");
	redis_add_number(&w, 1);
	redis_send(s->link, 0, &w, on_last, s);
}

/* A clock was mended, ours or another node's: once more, but not for ever. */
static bool joins_again(struct source *s)
{
	if (!s->again || (s->again_at && monotonic() - s->again_at < AGAIN_MS))
		return false;
	s->again = false;
	s->again_at = monotonic();
	return true;
}

static void go_on(struct source *s)
{
	if (s->gone || !redis_link_is_up(s->link))
		return;
	redis_clock_ask(&s->clock);
	if (s->joined && !joins_again(s))
		follow(s);
	else
		join(s);
}

/* --- the kind --------------------------------------------------------------
 */

static void on_up(void *ctx)
{
	struct source *s = ctx;

	redis_clock_forget(&s->clock);
	s->joined = s->joined && is_entry(&s->position);
	if (!s->joined || s->gone) {
		go_on(s);
		return;
	}
	redis_clock_ask(&s->clock);
	redis_join_start(s->join, REDIS_JOIN_REVOCATIONS);
}

static void on_down(void *ctx)
{
	struct source *s = ctx;

	s->in_step = false;
}

static void on_second(uv_timer_t *timer)
{
	struct source *s = timer->data;
	const char *why = redis_link_trouble(s->link, NULL);

	if (!*why)
		why = trouble_text(&s->clock.trouble);
	if (!why)
		why = replica_feed_trouble(s->feed, monotonic());
	s->joins = 0;
	s->again = replica_feed_again(s->feed, clock_now()) || s->again;
	replica_feed_tick(s->feed, monotonic());
	s->env.step(s->env.step_ctx, s->in_step, 0, why);
}

static void release(struct source *s)
{
	redis_link_close(&s->link);
	redis_join_free(&s->join);
	replica_feed_free(&s->feed);
	free(s);
}

static struct source *redis_open(const struct source_env *env,
    const struct conf_section *conf, const struct source_cursor *cursors,
    size_t n, struct err *err)
{
	struct source *s = xcalloc(1, sizeof(*s));
	const struct redis_link_env link = { .what = "source",
		.name = env->name,
		.up = on_up,
		.down = on_down,
		.ctx = s };
	struct redis_join_env joins = { .node = env->node,
		.done = on_joined,
		.failed = on_join_failed,
		.ctx = s };
	struct replica_keys *keys;

	s->env = *env;
	s->conf = conf;
	s->key = joins.key = conf_string(conf, "key");
	(void)redis_name(s->key, "changes", s->stream);
	s->joined = cursor_read(cursors, n, CURSOR_KEY, &s->position,
			sizeof(s->position)) &&
		    is_entry(&s->position);
	keys = replica_keys_read(conf_string(conf, "keys"), err);
	if (keys)
		s->link = joins.link = redis_link_new(&link, conf, err);
	if (!s->link) {
		replica_keys_free(&keys);
		release(s);
		return NULL;
	}
	joins.keys = keys;
	redis_clock_init(&s->clock, s->link, env);
	s->feed = joins.feed = replica_feed_new(env, keys, cursors, n);
	if (replica_feed_has_new_keys(s->feed))
		s->joined = false;
	s->join = redis_join_new(&joins);
	return s;
}

static void redis_start(struct source *s, uv_loop_t *loop)
{
	must(uv_timer_init(loop, &s->second) == 0);
	s->second.data = s;
	(void)uv_timer_start(&s->second, on_second, SECOND_MS, SECOND_MS);
	s->handles = 1;
	redis_link_start(s->link, loop);
}

static int redis_test(struct source *s, struct err *err)
{
	char absent[REDIS_NAME_SIZE];
	const struct redis_try tries[] = {
		{ "+time", { "TIME" } },
		{ "+xrange", { "XRANGE", s->stream, "0-1", "0-1" } },
		{ "+xrevrange",
		    { "XREVRANGE", s->stream, "+", "-", "COUNT", "1" } },
		{ "+xread",
		    { "XREAD", "COUNT", "1", "STREAMS", s->stream, "0-0" } },
		{ "+scan", { "SCAN", "0", "COUNT", "1" } },
		{ "+mget", { "MGET", redis_name(s->key, "test", absent) } },
		{ "+pttl", { "PTTL", absent } },
		{ 0 },
	};

	return redis_check(
	    s->link, conf_string(s->conf, "user"), s->key, tries, err);
}

static void on_closed(uv_handle_t *handle)
{
	release(handle->data);
}

static void redis_stop(struct source *s)
{
	s->gone = true;
}

static void redis_close(struct source **sp)
{
	struct source *s = *sp;
	uv_loop_t *loop;

	*sp = NULL;
	if (!s)
		return;
	if (!s->handles) {
		release(s);
		return;
	}
	loop = s->second.loop;
	redis_link_stop(s->link);
	uv_close((uv_handle_t *)&s->second, on_closed);
	(void)uv_run(loop, UV_RUN_NOWAIT);
}

const struct source_kind source_redis = {
	.name = "redis",
	.help = "Hears the other nodes of a site, by a Redis or Valkey server.",
	.role = ROLE_CONNECTOR,
	.connects = true,
	.options = redis_options,
	.hears_nodes = true,
	.check = redis_setup_check,
	.open = redis_open,
	.start = redis_start,
	.stop = redis_stop,
	.close = redis_close,
	.test = redis_test,
};
