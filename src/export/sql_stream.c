/* SPDX-License-Identifier: ISC */
/*
 * sql_stream - the export kind "sql-stream": this node's leases and
 * revocations, for the other nodes, into a table of PostgreSQL (sql/stream.h).
 * A slice is one statement: its records as rows, the mark of this node, and the
 * notification.
 *
 * The mark is a row that holds the number of the last slice. When it is another
 * than what was written last, or gone, the table lost something: it was
 * emptied, or an older one took its place. Then everything is told once more.
 * Of a slice whose end nobody saw (the connection was lost) both numbers are
 * good.
 *
 * Nobody remembers the mark through a restart, so each start tells everything.
 *
 * Rows are removed from the table's beginning on, each look behind the last
 * one; once a day from the beginning again, for what was left there.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/log.h"
#include "base/mem.h"
#include "export.h"
#include "replica/outbox.h"
#include "sql/session.h"
#include "sql/stream.h"

enum {
	TICK_MS = 1000,
	TRIM_TICKS = 10,
	DAY_TICKS = 24 * 3600,
	DECIMAL = 10,
	/* Losses that follow each other: two nodes of one id, for instance. */
	PAUSE_MAX_MS = 60 * 1000,
	QUIET_MS = 10 * 1000,
	KEPT_MIN = 3600, /* s */
	MS = 1000,
	NUMBER_SIZE = 24,
	MARK_SIZE = 64,
	TROUBLE_SIZE = 200
};

struct export
{
	struct export_env env;
	const struct conf_section *conf;
	struct replica_keys *keys;
	const struct sql_engine *engine;
	struct sql_place place;
	struct sql_session *session;
	struct sql_stream text;
	uv_timer_t tick;
	uv_loop_t *loop;
	int handles;
	bool ticking;

	uint64_t node;
	char mark_id[NUMBER_SIZE];
	uint64_t run, slices;    /* of the mark: this process, and its slices */
	bool marked;             /* the mark was set by this process */
	bool lost;               /* it was another; a snapshot is to come */
	uint64_t lost_at, pause; /* loop ms; until it is set again */
	bool slicing;            /* a slice is with us, or on its way */
	bool checking;
	bool failing; /* and the log knows */
	unsigned ticks;
	bool touch; /* the mark is to look young */
	bool trim_soon;
	int64_t trimmed; /* to this id */
	char *records;   /* of the slice */
	size_t len, size, count;
	char trouble[TROUBLE_SIZE];
};

static const struct option sql_stream_options[] = { SQL_STREAM_OPTIONS,
	OPTION_END };

/* --- what is wrong ---------------------------------------------------------
 */

static void tell_trouble(struct export *e, const struct sql_result *r)
{
	char shown[TROUBLE_SIZE];

	(void)snprintf(e->trouble, sizeof(e->trouble), "%s",
	    *r->text ? r->text : "the connection is lost");
	e->env.trouble(e->env.ctx, e->trouble);
	/* That is the session's to tell. */
	if (e->failing || r->fault == SQL_FAULT_GONE)
		return;
	e->failing = true;
	log_error(LOG_EXPORT_ERROR,
	    "export=%s table=%s error=\"%s\" next=\"tries again\"", e->env.name,
	    conf_string(e->conf, "table"),
	    log_quote(e->trouble, strlen(e->trouble), shown, sizeof(shown)));
}

static bool is_good(struct export *e, const struct sql_result *r)
{
	if (r->fault != SQL_FAULT_NONE) {
		tell_trouble(e, r);
		return false;
	}
	if (e->failing)
		log_info(LOG_EXPORT_STATE, "export=%s state=good", e->env.name);
	e->failing = false;
	e->env.trouble(e->env.ctx, NULL);
	return true;
}

/* --- the mark --------------------------------------------------------------
 */

/* "mark RUN SLICES" */
static struct sql_value mark(
    const struct export *e, uint64_t slices, char out[static MARK_SIZE])
{
	int n = snprintf(
	    out, MARK_SIZE, "mark %016" PRIx64 " %" PRIu64, e->run, slices);

	return (struct sql_value){ out, (size_t)n };
}

static struct sql_value text(const char *value)
{
	return (struct sql_value){ value, strlen(value) };
}

static void on_marked(void *ctx, const struct sql_result *r)
{
	struct export *e = ctx;

	e->marked = is_good(e, r);
	if (e->marked && e->lost) {
		e->lost = false;
		e->env.again(e->env.ctx);
	}
}

/* Everything is told behind this, so nothing is missed. */
static void set_mark(struct export *e)
{
	char value[MARK_SIZE];
	const struct sql_value params[] = { text(e->mark_id), text(e->env.node),
		mark(e, e->slices, value) };

	sql_session_run(
	    e->session, e->text.mark, params, COUNT_OF(params), on_marked, e);
}

static void tell_lost(struct export *e)
{
	uint64_t now = uv_now(e->loop);

	if (!e->lost_at || now - e->lost_at > 2 * e->pause + QUIET_MS)
		e->pause = 0;
	else if (e->pause < PAUSE_MAX_MS)
		e->pause = 2 * e->pause + TICK_MS;
	e->lost_at = now ? now : 1;
	log_warn(LOG_EXPORT_STATE,
	    "export=%s table=%s state=anew reason=\"%s\" next=\"tells all "
	    "leases "
	    "again\"",
	    e->env.name, conf_string(e->conf, "table"),
	    e->pause > TICK_MS
		? "again and again: does another relaypassd run on a copy of "
		  "this ledger?"
		: "the table lost rows: it was emptied, or an older one took "
		  "its place");
	e->lost = true;
	e->marked = false;
	e->trimmed = 0;
	if (e->pause == 0)
		set_mark(e);
}

static void on_checked(void *ctx, const struct sql_result *r)
{
	struct export *e = ctx;

	e->checking = false;
	if (is_good(e, r) && r->rows == 0 && e->marked)
		tell_lost(e);
}

static void check_mark(struct export *e)
{
	char old[MARK_SIZE], new[MARK_SIZE];
	const struct sql_value params[] = { text(e->mark_id),
		mark(e, e->slices, old), mark(e, e->slices + 1, new) };

	if (e->checking)
		return;
	e->checking = true;
	sql_session_run(e->session, e->touch ? e->text.touch : e->text.check,
	    params, COUNT_OF(params), on_checked, e);
	e->touch = false;
}

/* --- slices ----------------------------------------------------------------
 */

/* Whether a change is to be told, as a record. */
static bool record_of(struct export *e, const struct export_change *c,
    struct moment now, struct replica_record *out)
{
	if (c->revoked)
		return replica_revocation(&c->revocation, e->node, now, out);
	if (!c->leased)
		return false;
	if (!replica_lease(&c->lease, e->env.source_kind(e->env.ctx, &c->lease),
		e->node, e->env.ttl, now, out))
		return false;
	(void)snprintf(out->server, sizeof(out->server), "%s",
	    e->env.server(e->env.ctx, &c->lease));
	return true;
}

/* Records have no LF. */
static void collect(struct export *e, const struct export_slice *slice)
{
	e->len = e->count = 0;
	for (size_t i = 0; i < slice->count; i++) {
		struct replica_record r;
		size_t lf, len;

		if (!record_of(e, &slice->changes[i], slice->now, &r))
			continue;
		if (e->size - e->len < REPLICA_RECORD_MAX + 1) {
			e->size = 2 * e->size + REPLICA_RECORD_MAX + 1;
			e->records = xrealloc(e->records, e->size, 1);
		}
		lf = e->count ? 1 : 0;
		len = replica_encode(&r, e->keys, e->records + e->len + lf);
		/* Nobody would take it. */
		if (len == 0)
			continue;
		if (lf)
			e->records[e->len] = '\n';
		e->len += lf + len;
		e->count++;
	}
}

static void on_inserted(void *ctx, const struct sql_result *r)
{
	struct export *e = ctx;
	bool good = is_good(e, r);

	e->slicing = false;
	if (good) {
		struct sql_value marks = sql_result_value(r, 0, INSERTED_MARKS);
		/* These rows are there, whatever was before. */
		if (marks.len == 1 && *marks.text == '1')
			e->slices++;
		else
			tell_lost(e);
	}
	e->env.done(e->env.ctx, good);
}

static void sql_stream_apply(struct export *e, const struct export_slice *slice)
{
	char old[MARK_SIZE], new[MARK_SIZE];
	struct sql_value params[] = { text(e->env.node), { 0 },
		text(e->mark_id), mark(e, e->slices + 1, new),
		mark(e, e->slices, old), text(e->text.channel) };

	collect(e, slice);
	if (e->count == 0) {
		e->env.done(e->env.ctx, true);
		return;
	}
	/* Later, as the leases are then. */
	if (!e->marked || !sql_session_is_connected(e->session)) {
		if (!*e->trouble)
			e->env.trouble(
			    e->env.ctx, "not connected to the database");
		e->env.done(e->env.ctx, false);
		return;
	}
	e->slicing = true;
	params[1] = (struct sql_value){ e->records, e->len };
	sql_session_run(e->session, e->text.insert, params, COUNT_OF(params),
	    on_inserted, e);
}

/* --- when ------------------------------------------------------------------
 */

/* What is wrong, the next statement will tell: two nodes may make it at once.
 */
static void on_created(void *ctx, const struct sql_result *r)
{
	(void)ctx;
	(void)r;
}

static void on_connected(void *ctx)
{
	struct export *e = ctx;

	e->checking = false;
	if (conf_number(e->conf, "create-table"))
		sql_session_run(
		    e->session, e->text.create, NULL, 0, on_created, e);
	if (e->marked)
		check_mark(e);
	else
		set_mark(e);
}

static struct sql_value number(int64_t n, char out[static NUMBER_SIZE])
{
	(void)snprintf(out, NUMBER_SIZE, "%" PRId64, n);
	return text(out);
}

static int64_t value(const struct sql_result *r, size_t column)
{
	struct sql_value v = sql_result_value(r, 0, column);

	return v.text ? strtoll(v.text, NULL, DECIMAL) : 0;
}

static void on_trimmed(void *ctx, const struct sql_result *r)
{
	struct export *e = ctx;
	int64_t to;

	if (!is_good(e, r) || r->rows == 0)
		return;
	to = value(r, TRIMMED_TO);
	if (to > 0)
		e->trimmed = to;
	e->trim_soon = value(r, TRIMMED_LOOKED) >= SQL_STREAM_TRIM_ROWS &&
		       (to > 0 || value(r, TRIMMED_ROWS) > 0);
}

static void trim(struct export *e)
{
	int64_t kept = 2 * e->env.ttl / MS;
	int64_t now = clock_now().wall;
	char seconds[NUMBER_SIZE], behind[NUMBER_SIZE], wall[NUMBER_SIZE],
	    ended[NUMBER_SIZE];
	const struct sql_value params[] = {
		number(kept < KEPT_MIN ? KEPT_MIN : kept, seconds),
		text(e->env.node), number(e->trimmed, behind),
		number(now, wall), number(now - REPLICA_LINGERS, ended),
		text(e->mark_id)
	};

	e->trim_soon = false;
	sql_session_run(
	    e->session, e->text.trim, params, COUNT_OF(params), on_trimmed, e);
}

static void on_tick(uv_timer_t *timer)
{
	struct export *e = timer->data;

	if (!sql_session_is_connected(e->session) || e->slicing)
		return;
	if (++e->ticks % DAY_TICKS == 0) {
		e->touch = true;
		e->trimmed = 0;
	}
	if (e->marked)
		check_mark(e);
	else if (!e->lost || uv_now(e->loop) - e->lost_at >= e->pause)
		set_mark(e);
	if (e->ticks % TRIM_TICKS == 0 || e->trim_soon)
		trim(e);
}

/* --- the kind --------------------------------------------------------------
 */

static void release(struct export *e)
{
	sql_session_close(&e->session);
	replica_keys_free(&e->keys);
	sql_stream_free(&e->text);
	sql_place_free(&e->place);
	free(e->records);
	free(e);
}

/* The row that is the mark: by the node and the section, for two exports of one
 * node may write into one table. */
static int64_t mark_of(uint64_t node, const char *name)
{
	static const uint64_t basis = 0xcbf29ce484222325, prime = 0x100000001b3;
	uint64_t hash = basis;

	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * prime;
	return -1 - (int64_t)((node ^ hash) >> 1);
}

static struct export *sql_stream_open(const struct export_env *env,
    const struct conf_section *conf, struct err *err)
{
	struct export *e = xcalloc(1, sizeof(*e));
	struct sql_session_env session = { .what = "export",
		.name = env->name,
		.timeout = conf_number(conf, "timeout"),
		.connected = on_connected,
		.ctx = e };

	e->env = *env;
	e->conf = conf;
	/* Another process has another one; nothing secret. */
	e->run = (uint64_t)clock_now().wall ^ uv_hrtime();
	sql_stream_make(conf_string(conf, "table"), &e->text);
	must(replica_node(env->node, &e->node));
	(void)snprintf(e->mark_id, sizeof(e->mark_id), "%" PRId64,
	    mark_of(e->node, env->name));
	e->keys = replica_keys_read(conf_string(conf, "keys"), err);
	if (!e->keys || sql_stream_check(conf, err) < 0 ||
	    sql_place_read(conf, &e->place, err) < 0 ||
	    !(e->engine = sql_engine_load(SQL_POSTGRESQL, err)) ||
	    !(e->session =
		    sql_session_new(&session, e->engine, &e->place, err))) {
		release(e);
		return NULL;
	}
	return e;
}

static void sql_stream_start(struct export *e, uv_loop_t *loop)
{
	e->loop = loop;
	must(uv_timer_init(loop, &e->tick) == 0);
	e->tick.data = e;
	e->ticking = true;
	(void)uv_timer_start(&e->tick, on_tick, TICK_MS, TICK_MS);
	sql_session_start(e->session, loop);
}

static void on_closed(uv_handle_t *handle)
{
	release(handle->data);
}

static void sql_stream_close(struct export **ep)
{
	struct export *e = *ep;
	uv_loop_t *loop;

	*ep = NULL;
	if (!e)
		return;
	if (!e->ticking) {
		release(e);
		return;
	}
	loop = e->loop;
	sql_session_close(&e->session);
	uv_close((uv_handle_t *)&e->tick, on_closed);
	(void)uv_run(loop, UV_RUN_NOWAIT);
}

static void sql_stream_needs(
    const struct conf_section *conf, struct export_needs *out)
{
	(void)conf;
	out->connect = true;
}

static int sql_stream_try(struct export *e, struct err *err)
{
	return sql_stream_test(&e->text, e->engine, &e->place, true,
	    conf_number(e->conf, "create-table") != 0, err);
}

const struct export_kind export_sql_stream = {
	.name = "sql-stream",
	.help = "Leases for other nodes, into a table of PostgreSQL.",
	.role = ROLE_CONNECTOR,
	.by_user = true,
	.whole = true,
	.revocations = true,
	.options = sql_stream_options,
	.check = sql_stream_check,
	.needs = sql_stream_needs,
	.open = sql_stream_open,
	.start = sql_stream_start,
	.apply = sql_stream_apply,
	.close = sql_stream_close,
	.test = sql_stream_try,
};
