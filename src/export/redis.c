/* SPDX-License-Identifier: ISC */
/*
 * redis - the export kind "redis": tells the other nodes of a site of this
 * node's leases and revocations, as signed records in a Redis or Valkey
 * server. Below the section's `key`, "relaypass" unless it says otherwise:
 *
 *	relaypass:changes          stream of all nodes, an entry has "r" RECORD
 *	relaypass:lease:NODE:HEX   the same records as they are now, by address
 *	relaypass:revoke:NODE:HEX  and user, with the expiry of what they say
 *	relaypass:node:NODE        this node's mark, "GENERATION:COUNT"
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
#include "export.h"
#include "redis/check.h"
#include "redis/entry.h"
#include "redis/mark.h"
#include "redis/turn.h"
#include "redis/words.h"
#include "replica/outbox.h"

enum {
	SECOND_MS = 1000,
	ANEW_MS = 2000, /* at least between two */
	/* How long the stream reaches back, at the least. */
	KEEP_LEAST_MS = 60 * 60 * 1000,
	WHY_SIZE = 240
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
	uint64_t node;
	const char *key; /* all keys begin with it */
	int64_t timeout, keep;
	int64_t replicas; /* to wait for */
	uv_timer_t second;
	int handles;

	/* NULL: nothing to do. It waits while the server is not `ready`: away,
	 * or its mark is not known yet. */
	const struct export_slice *slice;
	bool ready, begun;
	struct redis_turn turn;
	char why[WHY_SIZE]; /* the slice cannot be stored; "" */
	bool failing;       /* and the log knows */

	struct redis_mark mark;
	bool comparing;              /* GET is under way */
	uint64_t marked_at, anew_at; /* loop ms */
	uint64_t newest;             /* ms of the newest entry's id */
};

/* --- a slice ---------------------------------------------------------------
 */

static void finish(struct export *e, bool good)
{
	if (!e->slice)
		return;
	e->slice = NULL;
	if (good && e->failing)
		log_info(LOG_EXPORT_STATE, "export=%s state=good", e->env.name);
	if (good) {
		e->failing = false;
		e->env.trouble(e->env.ctx, NULL);
	}
	e->env.done(e->env.ctx, good);
}

static void note(struct export *e, const struct redis_reply *error)
{
	(void)log_words(error->text, error->len, e->why, sizeof(e->why));
}

/* What is wrong stands in `why`. */
static void tell_trouble(struct export *e)
{
	if (!e->failing)
		log_error(LOG_EXPORT_ERROR,
		    "export=%s server=%s error=\"%s\" next=\"tries again\"",
		    e->env.name, redis_link_server(e->link), e->why);
	e->failing = true;
	e->env.trouble(e->env.ctx, e->why);
}

static void begin_anew(struct export *e);
static void conclude(struct export *e);

/* A command of a slice. */
static void ask(struct export *e, int64_t blocks, const struct redis_words *w,
    redis_reply_fn *fn)
{
	redis_turn_ask(&e->turn);
	redis_send(e->link, blocks, w, fn, e);
}

/* One of them is answered. True: one of this slice, which does not wait, as it
 * does when its mark was lost; see on_ready(). */
static bool hear(struct export *e, const struct redis_reply *reply)
{
	return redis_turn_hear(&e->turn) && reply && e->slice && e->ready;
}

static void on_written(void *ctx, const struct redis_reply *reply)
{
	struct export *e = ctx;

	if (!hear(e, reply))
		return;
	if (reply->type == REDIS_ERROR && !*e->why)
		note(e, reply);
	if (redis_turn_is_over(&e->turn))
		conclude(e);
}

static void on_added(void *ctx, const struct redis_reply *reply)
{
	struct export *e = ctx;
	struct redis_id id;

	if (reply && reply->type == REDIS_TEXT &&
	    redis_id_parse(reply->text, reply->len, &id))
		e->newest = id.ms;
	on_written(e, reply);
}

/* The mark's old value comes back: it must be the one that we wrote last. */
static void on_marked(void *ctx, const struct redis_reply *reply)
{
	struct export *e = ctx;

	if (reply && reply->type == REDIS_ERROR)
		redis_mark_bad(&e->mark);
	else if (reply && redis_is_text(reply, e->mark.before))
		redis_mark_good(&e->mark);
	else if (reply)
		begin_anew(e);
	on_written(e, reply);
}

/* Entries that nobody needs any more go; their age is told by the server's own
 * clock, which the newest one's id shows. */
static void add_entry(struct export *e, const char *record, size_t len)
{
	struct redis_words w = { 0 };
	char stream[REDIS_NAME_SIZE];
	int64_t oldest = (int64_t)(e->newest & INT64_MAX) - e->keep;

	redis_add(&w, "XADD");
	redis_add(&w, redis_name(e->key, "changes", stream));
	redis_add(&w, "MINID");
	redis_add(&w, "~");
	redis_add_number(&w, oldest > 0 ? oldest : 0);
	redis_add(&w, "*");
	redis_add(&w, "r");
	redis_add_bytes(&w, record, len);
	ask(e, 0, &w, on_added);
}

static void set_key(struct export *e, const char *name, const char *record,
    size_t len, int64_t left)
{
	struct redis_words w = { 0 };

	redis_add(&w, "SET");
	redis_add(&w, name);
	redis_add_bytes(&w, record, len);
	redis_add(&w, "PX");
	redis_add_number(&w, left);
	ask(e, 0, &w, on_written);
}

static void tell(
    struct export *e, const char *what, const struct replica_record *r)
{
	char record[REPLICA_RECORD_MAX], name[REDIS_NAME_SIZE];
	size_t len = replica_encode(r, e->keys, record);

	if (!len)
		return;
	add_entry(e, record, len);
	set_key(e,
	    redis_name_record(e->key, what, e->env.node, &r->addr, r->user,
		r->user_len, name),
	    record, len, replica_lasts(r));
}

/* What the lease's end ends by itself needs no word; one that ended early must
 * not be found by who joins. */
static void remove_lease(struct export *e, const struct lease *lease)
{
	struct redis_words w = { 0 };
	char name[REDIS_NAME_SIZE];

	redis_add(&w, "DEL");
	redis_add(&w, redis_name_record(e->key, "lease", e->env.node,
			  &lease->addr, lease->user, lease->user_len, name));
	ask(e, 0, &w, on_written);
}

static void tell_change(
    struct export *e, const struct export_change *c, struct moment now)
{
	struct replica_record r;

	if (c->revoked) {
		if (replica_revocation(&c->revocation, e->node, now, &r))
			tell(e, "revoke", &r);
	} else if (!c->leased) {
		remove_lease(e, &c->lease);
	} else if (replica_lease(&c->lease,
		       e->env.source_kind(e->env.ctx, &c->lease), e->node,
		       e->env.ttl, now, &r)) {
		(void)snprintf(r.server, sizeof(r.server), "%s",
		    e->env.server(e->env.ctx, &c->lease));
		tell(e, "lease", &r);
	}
}

static void set_mark(struct export *e, bool is_first, redis_reply_fn *fn)
{
	struct redis_words w = { 0 };
	char name[REDIS_NAME_SIZE];

	redis_mark_write(&e->mark, redis_mark_name(e->key, e->env.node, name),
	    e->keep, is_first, &w);
	e->marked_at = uv_now(e->second.loop);
	redis_send(e->link, 0, &w, fn, e);
}

static void work(struct export *e)
{
	const struct export_slice *slice = e->slice;

	*e->why = '\0';
	redis_turn_begin(&e->turn);
	/* Time has gone by when it waited, but then it comes anew. */
	for (size_t i = 0; i < slice->count; i++)
		tell_change(e, &slice->changes[i], slice->now);
	if (e->turn.first == e->turn.asked) {
		finish(e, true);
		return;
	}
	redis_mark_next(&e->mark);
	redis_turn_ask(&e->turn);
	set_mark(e, false, on_marked);
}

static void redis_apply(struct export *e, const struct export_slice *slice)
{
	e->slice = slice;
	if (e->ready && redis_link_is_up(e->link))
		work(e);
}

/* --- replicas --------------------------------------------------------------
 */

static void wait_replicas(struct export *e);

static void on_waited(void *ctx, const struct redis_reply *reply)
{
	struct export *e = ctx;

	if (!hear(e, reply))
		return;
	if (reply->type == REDIS_ERROR) {
		note(e, reply);
		conclude(e);
		return;
	}
	if (reply->integer >= e->replicas) {
		finish(e, true);
		return;
	}
	(void)snprintf(e->why, sizeof(e->why),
	    "%" PRId64 " of %" PRId64 " replicas hold the last changes",
	    reply->integer, e->replicas);
	e->env.trouble(e->env.ctx, e->why);
	wait_replicas(e);
}

static void wait_replicas(struct export *e)
{
	struct redis_words w = { 0 };

	redis_add(&w, "WAIT");
	redis_add_number(&w, e->replicas);
	redis_add_number(&w, e->timeout);
	e->turn.waits = true;
	ask(e, e->timeout, &w, on_waited);
}

/* All of the slice is answered. */
static void conclude(struct export *e)
{
	if (*e->why) {
		tell_trouble(e);
		finish(e, false);
	} else if (e->replicas > 0) {
		wait_replicas(e);
	} else {
		finish(e, true);
	}
}

/* --- the mark --------------------------------------------------------------
 */

/* A slice that waited comes again, as the leases are now. */
static void on_ready(struct export *e)
{
	e->ready = true;
	e->env.trouble(e->env.ctx, NULL);
	if (e->slice)
		finish(e, false);
}

/* The mark cannot be read or written, so nothing else is tried. */
static void stand_still(struct export *e, const struct redis_reply *reply)
{
	note(e, reply);
	tell_trouble(e);
}

static void on_begun(void *ctx, const struct redis_reply *reply)
{
	struct export *e = ctx;

	if (!reply)
		return;
	if (reply->type == REDIS_ERROR) {
		stand_still(e, reply);
		return;
	}
	e->begun = true;
	on_ready(e);
}

static void begin(struct export *e)
{
	set_mark(e, true, on_begun);
}

/* The server does not hold what we told it. */
static void begin_anew(struct export *e)
{
	uint64_t now = uv_now(e->second.loop);

	e->ready = false;
	/* Two that have the ledger of one node would never come to an end. */
	if (e->anew_at && now - e->anew_at < ANEW_MS) {
		e->env.trouble(e->env.ctx, "another one is this node, too, or "
					   "the server loses all again");
		return;
	}
	e->anew_at = now;
	e->begun = false;
	log_info(LOG_EXPORT_STATE,
	    "export=%s state=anew reason=\"the server lost changes\"",
	    e->env.name);
	redis_mark_begin(&e->mark);
	e->env.again(e->env.ctx);
	begin(e);
}

/* What was lost since it was compared would be hidden by it now. A slice that
 * began meanwhile is answered behind it. */
static void on_kept(void *ctx, const struct redis_reply *reply)
{
	struct export *e = ctx;

	if (reply && reply->type != REDIS_ERROR &&
	    !redis_is_text(reply, e->mark.before))
		begin_anew(e);
}

/* It must not run out while nothing changes. Only who has just found it there
 * may write it. */
static void keep_mark(struct export *e)
{
	uint64_t now = uv_now(e->second.loop);

	if (now - e->marked_at >= (uint64_t)e->keep / 4)
		set_mark(e, false, on_kept);
}

static void on_compared(void *ctx, const struct redis_reply *reply)
{
	struct export *e = ctx;

	e->comparing = false;
	if (!reply)
		return;
	if (reply->type == REDIS_ERROR) {
		stand_still(e, reply);
		return;
	}
	/* A batch that began meanwhile comes behind it, and compares itself. */
	if (redis_turn_writes(&e->turn))
		return;
	switch (redis_mark_compare(&e->mark, reply)) {
	case REDIS_MARK_NOW:
		redis_mark_good(&e->mark);
		break;
	case REDIS_MARK_BEFORE:
		redis_mark_bad(&e->mark);
		break;
	case REDIS_MARK_OTHER:
		begin_anew(e);
		return;
	}
	keep_mark(e);
	if (!e->ready)
		on_ready(e);
}

static void compare(struct export *e)
{
	struct redis_words w = { 0 };
	char name[REDIS_NAME_SIZE];

	redis_add(&w, "GET");
	redis_add(&w, redis_mark_name(e->key, e->env.node, name));
	e->comparing = true;
	redis_send(e->link, 0, &w, on_compared, e);
}

static void on_second(uv_timer_t *timer)
{
	struct export *e = timer->data;

	/* A batch under way compares by itself. */
	if (!redis_link_is_up(e->link) || e->comparing ||
	    redis_turn_writes(&e->turn))
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

/* Lost, or not found at all. */
static void on_down(void *ctx)
{
	struct export *e = ctx;

	e->ready = e->comparing = false;
	e->env.trouble(e->env.ctx, redis_link_trouble(e->link, NULL));
}

/* --- the kind --------------------------------------------------------------
 */

static void redis_needs(
    const struct conf_section *conf, struct export_needs *out)
{
	(void)conf;
	out->connect = true;
}

static void release(struct export *e)
{
	redis_link_close(&e->link);
	replica_keys_free(&e->keys);
	free(e);
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

	e->env = *env;
	e->conf = conf;
	e->key = conf_string(conf, "key");
	e->timeout = conf_number(conf, "timeout");
	e->keep = 2 * env->ttl > KEEP_LEAST_MS ? 2 * env->ttl : KEEP_LEAST_MS;
	e->replicas = conf_number(conf, "wait-replicas");
	must(replica_node(env->node, &e->node));
	redis_mark_begin(&e->mark);
	e->keys = replica_keys_read(conf_string(conf, "keys"), err);
	if (e->keys)
		e->link = redis_link_new(&link, conf, err);
	if (e->link)
		return e;
	release(e);
	return NULL;
}

static void redis_start(struct export *e, uv_loop_t *loop)
{
	must(uv_timer_init(loop, &e->second) == 0);
	e->second.data = e;
	(void)uv_timer_start(&e->second, on_second, SECOND_MS, SECOND_MS);
	e->handles = 1;
	redis_link_start(e->link, loop);
}

static int redis_test(struct export *e, struct err *err)
{
	char absent[REDIS_NAME_SIZE], stream[REDIS_NAME_SIZE];
	const struct redis_try tries[] = {
		{ "+get", { "GET", redis_name(e->key, "test", absent) } },
		/* XX: there is no such key, and there will be none. */
		{ "+set", { "SET", absent, "x", "XX" } },
		{ "+del", { "DEL", absent } },
		/* No entry may have this number. */
		{ "+xadd", { "XADD", redis_name(e->key, "changes", stream),
			       "0-0", "r", "x" } },
		/* Nobody needs it who does not wait. */
		{ e->replicas ? "+wait" : NULL, { "WAIT", "0", "1" } },
		{ 0 },
	};

	return redis_check(
	    e->link, conf_string(e->conf, "user"), e->key, tries, err);
}

static void on_closed(uv_handle_t *handle)
{
	release(handle->data);
}

static void redis_close(struct export **ep)
{
	struct export *e = *ep;
	uv_loop_t *loop;

	*ep = NULL;
	if (!e)
		return;
	if (!e->handles) {
		release(e);
		return;
	}
	loop = e->second.loop;
	redis_link_stop(e->link);
	uv_close((uv_handle_t *)&e->second, on_closed);
	(void)uv_run(loop, UV_RUN_NOWAIT);
}

const struct export_kind export_redis = {
	.name = "redis",
	.help = "Tells the other nodes of a site, by a Redis or Valkey server.",
	.role = ROLE_CONNECTOR,
	.options = redis_options,
	.by_user = true,
	.whole = true,
	.revocations = true,
	.needs = redis_needs,
	.check = redis_setup_check,
	.test = redis_test,
	.open = redis_open,
	.start = redis_start,
	.apply = redis_apply,
	.close = redis_close,
};
