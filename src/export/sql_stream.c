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
 * good. A mark of another run may be of an old dump, too; one soon after
 * another they are of a relaypassd that has a copy of our ledger, and so our
 * name.
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
#include "base/trouble.h"
#include "export.h"
#include "replica/outbox.h"
#include "sql/session.h"
#include "sql/stream.h"
#include "sql_mark.h"
#include "ticker.h"

enum {
	TRIM_MS = 10 * 1000,
	DAY_MS = 24 * 3600 * 1000,
	KEPT_MIN = 3600, /* s */
	MS = 1000,
	NUMBER_SIZE = 24
};

struct export
{
	struct export_env env;
	const struct conf_section *conf;
	struct replica_keys *keys;
	const struct sql_engine *engine;
	struct sql_place place; /* until start() */
	struct sql_session *session;
	struct sql_stream text;
	struct ticker ticker;
	struct trouble trouble;
	/* What the log knows of: the text of a statement, or `rival`. */
	const char *failing;

	uint64_t node;
	char mark_id[NUMBER_SIZE];
	struct sql_mark mark;
	bool marked;  /* the mark was set by this process */
	bool lost;    /* it was another; a snapshot is to come */
	bool slicing; /* a slice is with us, or on its way */
	bool checking;
	int64_t trimmed;           /* to this id */
	int64_t trim_at, touch_at; /* by the boot clock */
	char *records;             /* of the slice */
	size_t len, size, count;
};

static const struct option sql_stream_options[] = { SQL_STREAM_OPTIONS,
	OPTION_END };

/* --- what is wrong ---------------------------------------------------------
 */

static const char rival[] = "rival";

static void show(const struct export *e)
{
	const char *gone = sql_session_trouble(e->session);

	e->env.trouble(e->env.ctx, gone ? gone : trouble_text(&e->trouble));
}

/* The first of several stands until it is over. */
static void tell(struct export *e, const char *failing, const char *text)
{
	if (e->failing && e->failing != failing)
		return;
	e->failing = failing;
	trouble_tell(&e->trouble, text);
	show(e);
}

/* The same is good again. */
static void tell_good(struct export *e, const char *failing)
{
	if (e->failing == failing) {
		e->failing = NULL;
		trouble_over(&e->trouble);
	}
	show(e);
}

/* The answer to this statement. */
static bool is_good(
    struct export *e, const char *statement, const struct sql_result *r)
{
	if (r->fault == SQL_FAULT_NONE)
		tell_good(e, statement);
	else if (r->fault == SQL_FAULT_GONE || r->fault == SQL_FAULT_LOGIN)
		show(e); /* the session tells the log */
	else
		tell(e, statement, r->text);
	return r->fault == SQL_FAULT_NONE;
}

/* --- the mark --------------------------------------------------------------
 */

static void on_marked(void *ctx, const struct sql_result *r)
{
	struct export *e = ctx;

	e->marked = is_good(e, e->text.mark, r);
	if (e->marked && e->lost) {
		e->lost = false;
		e->env.again(e->env.ctx);
	}
}

/* Everything is told behind this, so nothing is missed. */
static void set_mark(struct export *e)
{
	char value[SQL_MARK_SIZE];
	const struct sql_value params[] = { sql_value_of(e->mark_id),
		sql_value_of(e->env.node), sql_mark_value(&e->mark, 0, value) };

	sql_session_run(
	    e->session, e->text.mark, params, COUNT_OF(params), on_marked, e);
}

static void tell_rival(struct export *e)
{
	char text[TROUBLE_SIZE];

	(void)snprintf(text, sizeof(text),
	    "another relaypassd writes as this node, %s: one of the two has a "
	    "copy of the other's ledger; stop that one, rm -r its ledger and "
	    "start it again",
	    e->env.node);
	tell(e, rival, text);
}

/* All is to be told anew, behind another mark. */
static void begin_anew(struct export *e, bool is_other)
{
	int64_t now = clock_now().boot;

	if (is_other)
		sql_mark_count(&e->mark, now);
	if (sql_mark_has_rival(&e->mark))
		tell_rival(e);
	else
		log_warn(LOG_EXPORT_STATE,
		    "export=%s table=%s state=anew reason=\"the table lost "
		    "rows: it was emptied, or an older one took its place\" "
		    "next=\"tells all leases again\"",
		    e->env.name, conf_string(e->conf, "table"));
	e->lost = true;
	e->marked = false;
	e->trimmed = 0;
	if (!is_other || sql_mark_may_set(&e->mark, now))
		set_mark(e);
}

static void on_checked(void *ctx, const struct sql_result *r)
{
	struct export *e = ctx;
	enum sql_marked says;

	e->checking = false;
	if (!is_good(e, e->text.check, r) || !e->marked)
		return;
	says =
	    sql_mark_compare(&e->mark, r->rows ? sql_result_text(r, 0, 0) : "");
	if (says != SQL_MARK_GOOD)
		begin_anew(e, says == SQL_MARK_OTHER);
	else if (sql_mark_is_over(&e->mark, clock_now().boot))
		tell_good(e, rival);
}

static void check_mark(struct export *e)
{
	const struct sql_value id = sql_value_of(e->mark_id);

	if (e->checking)
		return;
	e->checking = true;
	sql_session_run(e->session, e->text.check, &id, 1, on_checked, e);
}

static void on_touched(void *ctx, const struct sql_result *r)
{
	struct export *e = ctx;

	(void)is_good(e, e->text.touch, r);
}

static void touch_mark(struct export *e)
{
	char value[SQL_MARK_SIZE];
	const struct sql_value params[] = { sql_value_of(e->mark_id),
		sql_mark_value(&e->mark, 0, value) };

	sql_session_run(
	    e->session, e->text.touch, params, COUNT_OF(params), on_touched, e);
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
	bool good = is_good(e, e->text.insert, r);

	e->slicing = false;
	/* These rows are there, whatever was before. */
	if (good && sql_result_number(r, 0, INSERTED_MARKS) == 1)
		e->mark.slices++;
	else if (good && e->marked)
		check_mark(e);
	e->env.done(e->env.ctx, good);
}

static void sql_stream_apply(struct export *e, const struct export_slice *slice)
{
	char old[SQL_MARK_SIZE], new[SQL_MARK_SIZE];
	struct sql_value params[] = { sql_value_of(e->env.node), { 0 },
		sql_value_of(e->mark_id), sql_mark_value(&e->mark, 1, new),
		sql_mark_value(&e->mark, 0, old),
		sql_value_of(e->text.channel) };

	collect(e, slice);
	if (e->count == 0) {
		tell_good(e, e->text.insert);
		e->env.done(e->env.ctx, true);
		return;
	}
	/* Later, as the leases are then. */
	if (!e->marked || !sql_session_is_connected(e->session)) {
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
	return sql_value_of(out);
}

static void on_trimmed(void *ctx, const struct sql_result *r)
{
	struct export *e = ctx;
	int64_t to;

	if (!is_good(e, e->text.trim, r) || r->rows == 0)
		return;
	to = sql_result_number(r, 0, TRIMMED_TO);
	if (to > 0)
		e->trimmed = to;
	/* There may be more. */
	if (sql_result_number(r, 0, TRIMMED_LOOKED) >= SQL_STREAM_TRIM_ROWS &&
	    (to > 0 || sql_result_number(r, 0, TRIMMED_ROWS) > 0))
		e->trim_at = 0;
}

static void trim(struct export *e, int64_t now)
{
	int64_t kept = 2 * e->env.ttl / MS;
	char seconds[NUMBER_SIZE], behind[NUMBER_SIZE], wall[NUMBER_SIZE],
	    ended[NUMBER_SIZE];
	const struct sql_value params[] = {
		number(kept < KEPT_MIN ? KEPT_MIN : kept, seconds),
		sql_value_of(e->env.node), number(e->trimmed, behind),
		number(now, wall), number(now - REPLICA_LINGERS, ended),
		sql_value_of(e->mark_id)
	};

	sql_session_run(
	    e->session, e->text.trim, params, COUNT_OF(params), on_trimmed, e);
}

static void on_tick(void *ctx)
{
	struct export *e = ctx;
	struct moment now = clock_now();

	show(e);
	if (!sql_session_is_connected(e->session) || e->slicing)
		return;
	if (now.boot >= e->touch_at) {
		e->touch_at = now.boot + DAY_MS;
		e->trimmed = 0;
		if (e->marked)
			touch_mark(e);
	}
	if (e->marked)
		check_mark(e);
	else if (!e->lost || sql_mark_may_set(&e->mark, now.boot))
		set_mark(e);
	if (now.boot >= e->trim_at) {
		e->trim_at = now.boot + TRIM_MS;
		trim(e, now.wall);
	}
}

/* --- the kind --------------------------------------------------------------
 */

static void release(void *ctx)
{
	struct export *e = ctx;

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
	trouble_init(&e->trouble, LOG_EXPORT_ERROR, LOG_EXPORT_STATE, "export",
	    env->name, "table", conf_string(conf, "table"));
	/* Another process has another one; nothing secret. */
	e->mark.run = (uint64_t)clock_now().wall ^ uv_hrtime();
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
	sql_place_free(&e->place);
	ticker_start(&e->ticker, loop, on_tick, e);
	sql_session_start(e->session, loop);
}

static void sql_stream_close(struct export **ep)
{
	struct export *e = *ep;

	*ep = NULL;
	if (!e)
		return;
	sql_session_close(&e->session);
	ticker_close(&e->ticker, release, e);
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
	.connects = true,
	.by_user = true,
	.whole = true,
	.revocations = true,
	.options = sql_stream_options,
	.check = sql_stream_check,
	.open = sql_stream_open,
	.start = sql_stream_start,
	.apply = sql_stream_apply,
	.close = sql_stream_close,
	.test = sql_stream_try,
};
