/* SPDX-License-Identifier: ISC */
/*
 * redis - the export kind "redis": tells the other nodes of a site of this
 * node's leases and revocations, as signed records in a Redis or Valkey
 * server. Below the section's `key`, "relaypass" unless it says otherwise:
 *
 *	relaypass:changes          stream of all nodes, an entry has "r" RECORD
 *	relaypass:lease:NODE:HEX   the same records as they are now, by address
 *	relaypass:revoke:NODE:HEX  and user, with the expiry of what they say
 *	relaypass:node:NODE:EXPORT this export's mark, "RUN:COUNT"
 *
 * A node that joins reads the keys and then the stream (source/redis.c).
 *
 * Redis may lose what it has confirmed: by a failover, a crash, an old dump,
 * FLUSHALL. The mark tells: each batch writes it anew, together with its
 * records, and it is compared each second and whenever the connection is back.
 * When it is not what was written last, all is told once more. Nobody knows
 * after a start what was written last, so a start tells all, too.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/trouble.h"
#include "export.h"
#include "redis/check.h"
#include "redis/losses.h"
#include "redis/mark.h"
#include "redis_batch.h"
#include "replica/outbox.h"
#include "ticker.h"

enum {
	/* How long the stream reaches back, at the least. */
	KEEP_LEAST_MS = 60 * 60 * 1000
};

static const struct option redis_options[] = { REDIS_OPTIONS,
	{ "wait-replicas", OPTION_INT, "0", 0, 100, NULL,
	    "How many replicas are to confirm each batch before the next; no "
	    "guarantee, but a failover loses less." },
	OPTION_END };

struct export
{
	struct export_env env;
	const struct conf_section *conf;
	struct redis_link *link;
	struct replica_keys *keys;
	int64_t timeout, keep;
	int64_t replicas; /* to wait for */
	struct ticker ticker;
	uv_loop_t *loop;
	struct trouble trouble;

	/* NULL: nothing to do. It waits while the server is not `ready`: away,
	 * or its mark is not known yet. */
	const struct export_slice *slice;
	struct redis_batch batch; /* of the slice */
	bool waiting;             /* it is written; for replicas */
	bool ready, begun;

	struct redis_mark mark;
	char mark_name[REDIS_NAME_SIZE];
	bool comparing;     /* GET is under way */
	uint64_t marked_at; /* loop ms */
	struct redis_losses losses;
	bool rivalled; /* the trouble is that of tell_good() */
};

static uint64_t now_of(const struct export *e)
{
	return uv_now(e->loop);
}

/* --- what is wrong ---------------------------------------------------------
 */

static void report(struct export *e)
{
	e->env.trouble(e->env.ctx, trouble_text(&e->trouble));
}

static void tell_trouble(struct export *e, const char *why)
{
	char text[TROUBLE_SIZE];

	(void)snprintf(
	    text, sizeof(text), "%s: %s", redis_link_server(e->link), why);
	trouble_tell(&e->trouble, text);
	report(e);
}

static void tell_error(struct export *e, const struct redis_reply *error)
{
	char words[TROUBLE_SIZE / 2];

	tell_trouble(e, redis_error(error, words, sizeof(words)));
}

static bool has_rival(const struct export *e)
{
	return redis_losses_has_rival(&e->losses, now_of(e));
}

/* The server does what it should. */
static void tell_good(struct export *e)
{
	char why[TROUBLE_SIZE];

	e->rivalled = has_rival(e);
	if (e->rivalled) {
		(void)snprintf(why, sizeof(why),
		    "another relaypassd writes as this node, %s: one of the "
		    "two has a copy of the other's ledger; stop that one, rm "
		    "-r its ledger and start it again",
		    e->env.node);
		trouble_tell(&e->trouble, why);
		report(e);
		return;
	}
	trouble_over(&e->trouble);
	report(e);
}

/* --- a slice ---------------------------------------------------------------
 */

static void finish(struct export *e, bool good)
{
	e->slice = NULL;
	if (good)
		tell_good(e);
	e->env.done(e->env.ctx, good);
}

/* Something is being written, whatever for. */
static bool is_writing(const struct export *e)
{
	return redis_batch_is_under_way(&e->batch);
}

static void wait_replicas(struct export *e);

/* All of the slice is answered. When the mark was lost it waits; see
 * on_ready(). */
static void on_batch(void *ctx, const char *why)
{
	struct export *e = ctx;

	if (!e->ready)
		return;
	if (why) {
		tell_trouble(e, why);
		finish(e, false);
	} else if (e->replicas > 0) {
		wait_replicas(e);
	} else {
		finish(e, true);
	}
}

static void begin_anew(struct export *e, enum redis_marked found);

/* The mark's old value comes back: it must be the one that we wrote last. */
static void on_marked(void *ctx, const struct redis_reply *reply)
{
	struct export *e = ctx;

	if (reply && e->ready) {
		enum redis_marked found = redis_mark_compare(&e->mark, reply);

		if (reply->type == REDIS_ERROR)
			redis_mark_bad(&e->mark);
		else if (found == REDIS_MARK_BEFORE)
			redis_mark_good(&e->mark);
		else
			begin_anew(e, found);
	}
	redis_batch_answer(&e->batch, reply);
}

static void write_mark(struct export *e, bool is_first, struct redis_words *out)
{
	redis_mark_write(&e->mark, e->mark_name, e->keep, is_first, out);
	e->marked_at = now_of(e);
}

static void work(struct export *e)
{
	struct redis_words w = { 0 };

	/* Time has gone by when it waited, but then it comes anew. */
	if (!redis_batch_begin(&e->batch, e->slice)) {
		finish(e, true);
		return;
	}
	redis_mark_next(&e->mark);
	write_mark(e, false, &w);
	redis_batch_add(&e->batch, &w, on_marked, e);
}

static void redis_apply(struct export *e, const struct export_slice *slice)
{
	e->slice = slice;
	if (e->ready && redis_link_is_up(e->link))
		work(e);
}

/* --- replicas --------------------------------------------------------------
 */

static void on_waited(void *ctx, const struct redis_reply *reply)
{
	struct export *e = ctx;
	char why[TROUBLE_SIZE / 2];

	e->waiting = false;
	if (!reply || !e->ready)
		return;
	if (reply->type == REDIS_ERROR) {
		tell_error(e, reply);
		finish(e, false);
		return;
	}
	if (reply->integer >= e->replicas) {
		finish(e, true);
		return;
	}
	(void)snprintf(why, sizeof(why),
	    "%" PRId64 " of %" PRId64 " replicas hold the last changes",
	    reply->integer, e->replicas);
	tell_trouble(e, why);
	wait_replicas(e);
}

static void wait_replicas(struct export *e)
{
	struct redis_words w = { 0 };

	redis_add(&w, "WAIT");
	redis_add_number(&w, e->replicas);
	redis_add_number(&w, e->timeout);
	e->waiting = true;
	redis_send(e->link, e->timeout, &w, on_waited, e);
}

/* --- the mark --------------------------------------------------------------
 */

static const char no_sense[] = "a reply that makes no sense";

/* A slice that waited comes again, as the leases are now. */
static void on_ready(struct export *e)
{
	e->ready = true;
	tell_good(e);
	if (e->slice && !e->waiting)
		finish(e, false);
}

static void on_begun(void *ctx, const struct redis_reply *reply)
{
	struct export *e = ctx;

	if (!reply)
		return;
	if (reply->type == REDIS_ERROR) {
		tell_error(e, reply);
		return;
	}
	if (!redis_is_text(reply, "OK")) {
		redis_link_again(e->link, no_sense);
		return;
	}
	e->begun = true;
	on_ready(e);
}

static void set_mark(struct export *e, bool is_first, redis_reply_fn *fn)
{
	struct redis_words w = { 0 };

	write_mark(e, is_first, &w);
	redis_send(e->link, 0, &w, fn, e);
}

static void begin(struct export *e)
{
	set_mark(e, true, on_begun);
}

static void tell_anew(struct export *e)
{
	if (!redis_losses_tell(&e->losses, now_of(e)))
		return;
	if (!has_rival(e))
		log_info(LOG_EXPORT_STATE,
		    "export=%s state=anew reason=\"the server lost changes\" "
		    "next=\"tells all leases again\"",
		    e->env.name);
	e->env.again(e->env.ctx);
}

/* The server does not hold what we told it. */
static void begin_anew(struct export *e, enum redis_marked found)
{
	redis_losses_add(&e->losses, found == REDIS_MARK_OTHER, now_of(e));
	e->ready = e->begun = false;
	redis_mark_anew(&e->mark);
	tell_anew(e);
	begin(e);
}

/* What was lost since it was compared would be hidden by it now. A slice that
 * began meanwhile is answered behind it. */
static void on_kept(void *ctx, const struct redis_reply *reply)
{
	struct export *e = ctx;

	if (reply && reply->type != REDIS_ERROR &&
	    !redis_is_text(reply, e->mark.before))
		begin_anew(e, redis_mark_compare(&e->mark, reply));
}

/* It must not run out while nothing changes. Only who has just found it there
 * may write it. */
static void keep_mark(struct export *e)
{
	if (now_of(e) - e->marked_at >= (uint64_t)e->keep / 4)
		set_mark(e, false, on_kept);
}

static void on_compared(void *ctx, const struct redis_reply *reply)
{
	struct export *e = ctx;
	enum redis_marked found;

	e->comparing = false;
	if (!reply)
		return;
	/* It cannot be written either, so nothing else is tried. */
	if (reply->type == REDIS_ERROR) {
		tell_error(e, reply);
		return;
	}
	if (reply->type != REDIS_TEXT && reply->type != REDIS_NIL) {
		redis_link_again(e->link, no_sense);
		return;
	}
	/* A batch that began meanwhile comes behind it, and compares itself. */
	if (is_writing(e))
		return;
	found = redis_mark_compare(&e->mark, reply);
	if (found == REDIS_MARK_NOW) {
		redis_mark_good(&e->mark);
	} else if (found == REDIS_MARK_BEFORE) {
		redis_mark_bad(&e->mark);
	} else {
		begin_anew(e, found);
		return;
	}
	keep_mark(e);
	if (!e->ready)
		on_ready(e);
	else if (e->rivalled && !has_rival(e))
		tell_good(e);
}

static void compare(struct export *e)
{
	struct redis_words w = { 0 };

	redis_add(&w, "GET");
	redis_add(&w, e->mark_name);
	e->comparing = true;
	redis_send(e->link, 0, &w, on_compared, e);
}

static void on_tick(void *ctx)
{
	struct export *e = ctx;

	if (!redis_link_is_up(e->link))
		return;
	tell_anew(e);
	/* A batch under way compares by itself. */
	if (e->comparing || is_writing(e))
		return;
	if (e->begun)
		compare(e);
	else
		begin(e);
}

static void on_up(void *ctx)
{
	struct export *e = ctx;

	if (e->begun) {
		compare(e);
		return;
	}
	redis_check_warn(e->link);
	begin(e);
}

/* Lost, or not found at all: the link's to tell. */
static void on_down(void *ctx)
{
	struct export *e = ctx;

	e->ready = e->comparing = false;
	trouble_note(&e->trouble, redis_link_trouble(e->link, NULL));
	report(e);
}

/* --- the kind --------------------------------------------------------------
 */

static void release(void *ctx)
{
	struct export *e = ctx;

	redis_link_close(&e->link);
	replica_keys_free(&e->keys);
	free(e);
}

static void init(struct export *e, const struct export_env *env,
    const struct conf_section *conf)
{
	e->env = *env;
	e->conf = conf;
	e->timeout = conf_number(conf, "timeout");
	e->keep = 2 * env->ttl > KEEP_LEAST_MS ? 2 * env->ttl : KEEP_LEAST_MS;
	e->replicas = conf_number(conf, "wait-replicas");
	e->batch = (struct redis_batch){ .env = &e->env,
		.key = conf_string(conf, "key"),
		.keep = e->keep,
		.done = on_batch,
		.ctx = e };
	must(replica_node(env->node, &e->batch.node));
	redis_mark_init(&e->mark);
	(void)redis_mark_name(e->batch.key, env->node, env->name, e->mark_name);
	trouble_init(&e->trouble, LOG_EXPORT_ERROR, LOG_EXPORT_STATE, "export",
	    env->name, "key", e->batch.key);
}

static struct export *redis_open(const struct export_env *env,
    const struct conf_section *conf, struct err *err)
{
	struct export *e = xcalloc(1, sizeof(*e));
	const struct redis_link_env link = { .what = "export",
		.name = env->name,
		.up = on_up,
		.down = on_down,
		.failed = on_down,
		.ctx = e };

	init(e, env, conf);
	e->keys = replica_keys_read(conf_string(conf, "keys"), err);
	if (e->keys)
		e->link = redis_link_new(&link, conf, err);
	if (!e->link) {
		release(e);
		return NULL;
	}
	e->batch.keys = e->keys;
	e->batch.link = e->link;
	return e;
}

static void redis_start(struct export *e, uv_loop_t *loop)
{
	e->loop = loop;
	ticker_start(&e->ticker, loop, on_tick, e);
	redis_link_start(e->link, loop);
}

static int redis_test(struct export *e, struct err *err)
{
	char absent[REDIS_NAME_SIZE], stream[REDIS_NAME_SIZE];
	const struct redis_try tries[] = {
		{ "+get", { "GET", redis_name(e->batch.key, "test", absent) } },
		/* XX: there is no such key, and there will be none. */
		{ "+set", { "SET", absent, "x", "XX" } },
		{ "+del", { "DEL", absent } },
		/* No entry may have this number. */
		{ "+xadd",
		    { "XADD", redis_name(e->batch.key, "changes", stream),
			"0-0", "r", "x" } },
		/* Nobody needs it who does not wait. */
		{ e->replicas ? "+wait" : NULL, { "WAIT", "0", "1" } },
		{ 0 },
	};

	return redis_check(
	    e->link, conf_string(e->conf, "user"), e->batch.key, tries, err);
}

static void redis_close(struct export **ep)
{
	struct export *e = *ep;

	*ep = NULL;
	if (!e)
		return;
	redis_link_stop(e->link);
	ticker_close(&e->ticker, release, e);
}

const struct export_kind export_redis = {
	.name = "redis",
	.help = "Tells the other nodes of a site, by a Redis or Valkey server.",
	.role = ROLE_CONNECTOR,
	.connects = true,
	.options = redis_options,
	.by_user = true,
	.whole = true,
	.revocations = true,
	.check = redis_setup_check,
	.test = redis_test,
	.open = redis_open,
	.start = redis_start,
	.apply = redis_apply,
	.close = redis_close,
};
