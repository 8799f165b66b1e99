/* SPDX-License-Identifier: ISC */
/*
 * redis_batch - see the header.
 */
#include "redis_batch.h"

#include <stdio.h>

#include "redis/entry.h"
#include "replica/outbox.h"

void redis_batch_add(struct redis_batch *b, const struct redis_words *w,
    redis_reply_fn *fn, void *ctx)
{
	b->asked++;
	redis_send(b->link, 0, w, fn, ctx);
}

bool redis_batch_is_under_way(const struct redis_batch *b)
{
	return b->answered < b->asked;
}

void redis_batch_answer(struct redis_batch *b, const struct redis_reply *reply)
{
	b->answered++;
	if (!reply)
		return;
	if (reply->type == REDIS_ERROR && !*b->why)
		(void)redis_error(reply, b->why, sizeof(b->why));
	if (!redis_batch_is_under_way(b))
		b->done(b->ctx, *b->why ? b->why : NULL);
}

static void on_written(void *ctx, const struct redis_reply *reply)
{
	redis_batch_answer(ctx, reply);
}

static void on_added(void *ctx, const struct redis_reply *reply)
{
	struct redis_batch *b = ctx;
	struct redis_id id;

	if (reply && reply->type == REDIS_TEXT &&
	    redis_id_parse(reply->text, reply->len, &id))
		b->newest = id.ms;
	redis_batch_answer(b, reply);
}

/* Entries that nobody needs any more go; their age is told by the server's own
 * clock, which the newest one's id shows. */
static void add_entry(struct redis_batch *b, const char *record, size_t len)
{
	struct redis_words w = { 0 };
	char stream[REDIS_NAME_SIZE];
	int64_t oldest = (int64_t)(b->newest & INT64_MAX) - b->keep;

	redis_add(&w, "XADD");
	redis_add(&w, redis_name(b->key, "changes", stream));
	redis_add(&w, "MINID");
	redis_add(&w, "~");
	redis_add_number(&w, oldest > 0 ? oldest : 0);
	redis_add(&w, "*");
	redis_add(&w, "r");
	redis_add_bytes(&w, record, len);
	redis_batch_add(b, &w, on_added, b);
}

static void set_key(struct redis_batch *b, const char *name, const char *record,
    size_t len, int64_t left)
{
	struct redis_words w = { 0 };

	redis_add(&w, "SET");
	redis_add(&w, name);
	redis_add_bytes(&w, record, len);
	redis_add(&w, "PX");
	redis_add_number(&w, left);
	redis_batch_add(b, &w, on_written, b);
}

static void tell(
    struct redis_batch *b, const char *what, const struct replica_record *r)
{
	char record[REPLICA_RECORD_MAX], name[REDIS_NAME_SIZE];
	size_t len = replica_encode(r, b->keys, record);

	if (!len)
		return;
	add_entry(b, record, len);
	set_key(b,
	    redis_name_record(b->key, what, b->env->node, &r->addr, r->user,
		r->user_len, name),
	    record, len, replica_lasts(r));
}

/* What the lease's end ends by itself needs no word; one that ended early must
 * not be found by who joins. */
static void remove_lease(struct redis_batch *b, const struct lease *lease)
{
	struct redis_words w = { 0 };
	char name[REDIS_NAME_SIZE];

	redis_add(&w, "DEL");
	redis_add(&w, redis_name_record(b->key, "lease", b->env->node,
			  &lease->addr, lease->user, lease->user_len, name));
	redis_batch_add(b, &w, on_written, b);
}

static void tell_change(
    struct redis_batch *b, const struct export_change *c, struct moment now)
{
	const struct export_env *env = b->env;
	struct replica_record r;

	if (c->revoked) {
		if (replica_revocation(&c->revocation, b->node, now, &r))
			tell(b, "revoke", &r);
	} else if (!c->leased) {
		remove_lease(b, &c->lease);
	} else if (replica_lease(&c->lease,
		       env->source_kind(env->ctx, &c->lease), b->node, env->ttl,
		       now, &r)) {
		(void)snprintf(r.server, sizeof(r.server), "%s",
		    env->server(env->ctx, &c->lease));
		tell(b, "lease", &r);
	}
}

bool redis_batch_begin(struct redis_batch *b, const struct export_slice *slice)
{
	b->asked = b->answered = 0;
	*b->why = '\0';
	for (size_t i = 0; i < slice->count; i++)
		tell_change(b, &slice->changes[i], slice->now);
	return b->asked > 0;
}
