/* SPDX-License-Identifier: ISC */
/*
 * sql - the export kind "sql": a row for each leased address in a table of
 * PostgreSQL, MariaDB, MySQL or SQLite, for whoever asks such a table.
 *
 * The time of a row is the lease's end minus the period that its readers
 * apply: for them, too, it is over when the lease is. A row whose lease has
 * ended goes, as the other exports' do.
 *
 * After each connecting, and when a statement says that something is missing,
 * the table is looked at first (sql/look.h). Once a second its identity is
 * compared: a table that was dropped and made again, or truncated, begins with
 * a snapshot.
 */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "base/log.h"
#include "base/mem.h"
#include "sql/ask.h"
#include "sql/text.h"
#include "sql_bring.h"
#include "sql_probe.h"
#include "sql_witness.h"
#include "target.h"

enum {
	TICK_MS = 1000,
	PURGE_TICKS = 60,
	BUSY_TRIES = 5,     /* before the log tells */
	WITNESS_TICKS = 60, /* between snapshots for want of it */
	IDENTITY_SIZE = 80,
	WHY_SIZE = sizeof(((struct err *)0)->text),
	IPV6_WRITE = 0,
	IPV6_SKIP = 1
};

static const struct option sql_options[] = { SQL_OPTIONS,
	{ "ipv6", OPTION_CHOICE, "write", 0, 0, "write|skip",
	    "Write leases of IPv6 addresses, for which the column must be wide "
	    "enough, or leave them out." },
	{ "create-table", OPTION_BOOL, "no", 0, 0, NULL,
	    "Make the table when it is missing; sqlite: and the file." },
	{ "shared", OPTION_BOOL, "no", 0, 0, NULL,
	    "Others write to the table, too: what they wrote, or refreshed "
	    "later, stays until its time is over." },
	OPTION_END };

enum job { JOB_NONE, JOB_LOOK, JOB_IDENTITY, JOB_SLICE, JOB_PURGE };

struct export
{
	struct export_env env;
	const struct conf_section *conf;
	struct sql_table table;
	const struct sql_engine *engine;
	struct sql_place place; /* until start() */
	struct sql_session *session;
	struct sql_bring *bring;
	struct sql_look look;
	uv_loop_t *loop;
	uv_timer_t tick;
	unsigned ticks;
	enum job job;
	bool fit;           /* the table was looked at and is good */
	bool anew;          /* since then it has told another identity */
	bool begun;         /* the table holds something of ours, or did */
	bool looks, purges; /* it is time for that */
	unsigned busy;      /* how often, one after another */
	char identity[IDENTITY_SIZE];
	ino_t file; /* sqlite: of the file that is open */
	struct sql_witness witness;
	unsigned witness_from, tell_from; /* ticks */
	const struct export_slice *slice; /* NULL: nothing to do */
	char wrong[WHY_SIZE];             /* as the log knows it; "": nothing */
	char doubt[WHY_SIZE];             /* the last look's, not yet told */
	struct sql_left_out left_out, told;
};

/* --- what is wrong ---------------------------------------------------------
 */

/* Once, until it is another or has passed. Its quotes would end the log's. */
static void tell(struct export *e, const char *why)
{
	char text[WHY_SIZE];

	(void)snprintf(text, sizeof(text), "%s", why);
	for (char *p = text; (p = strchr(p, '"')) != NULL;)
		*p = '\'';
	if (strcmp(e->wrong, why) != 0)
		log_error(LOG_EXPORT_ERROR,
		    "export=%s table=%s error=\"%s\" next=\"tries again\"",
		    e->env.name, e->table.name, text);
	(void)snprintf(e->wrong, sizeof(e->wrong), "%s", why);
	e->env.trouble(e->env.ctx, e->wrong);
}

static void tell_good(struct export *e)
{
	if (*e->wrong)
		log_info(LOG_EXPORT_STATE, "export=%s table=%s state=good",
		    e->env.name, e->table.name);
	*e->wrong = '\0';
	e->env.trouble(e->env.ctx, NULL);
}

/* At most once a minute, however many there are. */
static void tell_left_out(struct export *e)
{
	if (e->ticks < e->tell_from ||
	    memcmp(&e->told, &e->left_out, sizeof(e->told)) == 0)
		return;
	e->tell_from = e->ticks + PURGE_TICKS;
	e->told = e->left_out;
	log_warn(LOG_EXPORT_ERROR,
	    "export=%s table=%s left-out-networks=%" PRIu64
	    " left-out-ipv6=%" PRIu64 " left-out-names=%" PRIu64
	    " next=\"goes on without\"",
	    e->env.name, e->table.name, e->left_out.networks, e->left_out.ipv6,
	    e->left_out.names);
}

/* --- jobs ------------------------------------------------------------------
 */

static void finish(struct export *e, bool good)
{
	if (!e->slice)
		return;
	e->slice = NULL;
	e->env.done(e->env.ctx, good);
}

/* The next job, if there is one. */
static void proceed(struct export *e);

static void fail(struct export *e, enum sql_fault fault, const char *text)
{
	e->job = JOB_NONE;
	switch (fault) {
	case SQL_FAULT_GONE:
	case SQL_FAULT_LOGIN:
		/* The session has said so. */
		e->fit = false;
		e->env.trouble(e->env.ctx, text);
		break;
	case SQL_FAULT_NO_TABLE:
		/* Whatever comes in its place. */
		e->anew = true;
		e->fit = false;
		break;
	case SQL_FAULT_NO_COLUMN:
	case SQL_FAULT_DENIED:
		e->fit = false;
		break;
	case SQL_FAULT_BUSY:
		if (++e->busy >= BUSY_TRIES)
			tell(e, text);
		break;
	case SQL_FAULT_NONE:
	case SQL_FAULT_DUPLICATE:
	case SQL_FAULT_FULL:
	case SQL_FAULT_OTHER:
		tell(e, text);
		break;
	}
	finish(e, false);
}

static void run_look(struct export *e);

static void take_look(struct export *e)
{
	struct sql_look *l = &e->look;
	bool doubtful = false;

	switch (l->verdict) {
	case SQL_LOOK_GOES_ON:
		run_look(e);
		return;
	case SQL_LOOK_NO_TABLE:
		e->anew = true;
		break;
	case SQL_LOOK_GOOD:
		e->anew |= l->created;
		e->fit = true;
		*e->doubt = '\0';
		e->job = JOB_NONE;
		proceed(e);
		return;
	case SQL_LOOK_WRONG:
		/* Told when it is found twice: a table that is being made or
		 * dropped just now has columns and no key. */
		doubtful = strcmp(e->doubt, l->err.text) != 0;
		(void)snprintf(e->doubt, sizeof(e->doubt), "%s", l->err.text);
		break;
	case SQL_LOOK_FAILED:
		break;
	}
	if (!doubtful)
		tell(e, l->err.text);
	e->job = JOB_NONE;
	finish(e, false);
}

static const char *result_text(const void *ctx, size_t row, size_t column)
{
	const char *text = sql_result_value(ctx, row, column).text;

	return text ? text : "";
}

static void on_look(void *ctx, const struct sql_result *r)
{
	struct export *e = ctx;
	const struct sql_look_answer answer = { r->fault, r->text, r->rows,
		result_text, r };

	if (r->fault == SQL_FAULT_GONE || r->fault == SQL_FAULT_LOGIN) {
		fail(e, r->fault, r->text);
		return;
	}
	sql_look_take(&e->look, &answer);
	take_look(e);
}

static void run_look(struct export *e)
{
	e->job = JOB_LOOK;
	sql_session_run(e->session, e->look.statement, e->look.params,
	    e->look.count, on_look, e);
}

static void begin_look(struct export *e)
{
	sql_look_end(&e->look);
	sql_look_begin(&e->look, &e->table);
	run_look(e);
}

/* --- is it still the same table? ------------------------------------------
 */

/* A snapshot is to come, unless one comes anyway. */
static void begin_anew(struct export *e)
{
	e->anew = false;
	sql_witness_forget(&e->witness);
	if (!e->begun)
		return;
	log_warn(LOG_EXPORT_STATE,
	    "export=%s table=%s state=anew reason=\"the table is another, or "
	    "was emptied\"",
	    e->env.name, e->table.name);
	e->env.again(e->env.ctx);
}

static void on_any_row(void *ctx, const struct sql_result *r)
{
	struct export *e = ctx;

	if (r->fault != SQL_FAULT_NONE) {
		fail(e, r->fault, r->text);
		return;
	}
	if (r->rows == 0)
		begin_anew(e);
	e->job = JOB_NONE;
	proceed(e);
}

static void on_witness(
    void *ctx, enum sql_fault fault, const char *text, bool lost)
{
	struct export *e = ctx;

	if (fault != SQL_FAULT_NONE) {
		fail(e, fault, text);
		return;
	}
	if (lost && e->ticks >= e->witness_from) {
		e->witness_from = e->ticks + WITNESS_TICKS;
		begin_anew(e);
	}
	e->job = JOB_NONE;
	proceed(e);
}

static void on_identity(void *ctx, const struct sql_result *r)
{
	struct export *e = ctx;
	const char *text;
	bool first = !*e->identity;

	if (r->fault != SQL_FAULT_NONE || r->rows == 0) {
		fail(e, r->fault ? r->fault : SQL_FAULT_NO_TABLE, r->text);
		return;
	}
	text = result_text(r, 0, 0);
	if (!first && strcmp(text, e->identity) != 0)
		e->anew = true;
	(void)snprintf(
	    e->identity, sizeof(e->identity), "%s", *text ? text : "none");
	if (e->anew) {
		begin_anew(e);
		e->job = JOB_NONE;
		proceed(e);
	} else if (first && e->begun && e->table.shared) {
		/* What is ours is known by having been written. */
		e->env.again(e->env.ctx);
		e->job = JOB_NONE;
		proceed(e);
	} else if (first && e->begun) {
		/* It may have been emptied while nobody looked. */
		AUTO_FREE char *any = sql_text_addresses(&e->table, true, 1);

		sql_session_run(e->session, any, NULL, 0, on_any_row, e);
	} else {
		sql_witness_ask(&e->witness, clock_now().wall, e->table.shared);
	}
}

static void ask_identity(struct export *e)
{
	AUTO_FREE char *text = sql_text_identity(e->table.engine);
	AUTO_FREE char *name = sql_text_table(&e->table);
	char schema[SQL_NAME_MAX + 1], part[SQL_NAME_MAX + 1];
	struct sql_value values[2];

	e->job = JOB_IDENTITY;
	e->looks = false;
	sql_table_parts(&e->table, schema, part);
	values[0] =
	    sql_value_of(e->table.engine == SQL_POSTGRESQL ? name : schema);
	values[1] = sql_value_of(part);
	sql_session_run(e->session, text, values,
	    e->table.engine == SQL_POSTGRESQL ? 1 : 2, on_identity, e);
}

/* --- the order of things ---------------------------------------------------
 */

static void proceed(struct export *e)
{
	if (e->job != JOB_NONE)
		return;
	if (!sql_session_is_connected(e->session)) {
		finish(e, false);
	} else if (!e->fit) {
		begin_look(e);
	} else if (!*e->identity || e->anew || e->looks) {
		ask_identity(e);
	} else if (e->slice) {
		e->job = JOB_SLICE;
		sql_bring_slice(e->bring, e->slice);
	} else if (e->purges) {
		e->purges = false;
		e->job = JOB_PURGE;
		sql_bring_purge(e->bring, clock_now().wall);
	}
}

static void on_brought(void *ctx, enum sql_fault fault, const char *text)
{
	struct export *e = ctx;
	enum job job = e->job;

	if (fault != SQL_FAULT_NONE) {
		fail(e, fault, text);
		return;
	}
	e->job = JOB_NONE;
	if (job == JOB_SLICE) {
		e->begun = true;
		e->busy = 0;
		sql_witness_note(
		    &e->witness, &e->table, sql_bring_rows(e->bring));
		tell_good(e);
		finish(e, true);
	}
	proceed(e);
}

static ino_t file_of(const struct export *e)
{
	struct stat st;

	return e->table.engine == SQL_SQLITE &&
		       stat(conf_string(e->conf, "database"), &st) == 0
		   ? st.st_ino
		   : 0;
}

static void on_connected(void *ctx)
{
	struct export *e = ctx;

	e->fit = false;
	e->looks = true;
	/* An older one may have the same identity. */
	e->anew |= e->file && e->file != file_of(e);
	e->file = file_of(e);
	if (!*e->wrong)
		e->env.trouble(e->env.ctx, NULL);
	proceed(e);
}

static void on_tick(uv_timer_t *timer)
{
	struct export *e = timer->data;

	e->ticks++;
	if (e->ticks % PURGE_TICKS == 0)
		e->purges = true;
	tell_left_out(e);
	if (sql_session_is_connected(e->session))
		e->looks = true;
	else
		e->env.trouble(e->env.ctx, "not connected to the database");
	proceed(e);
}

static void sql_apply(struct export *e, const struct export_slice *slice)
{
	e->slice = slice;
	proceed(e);
}

/* --- the kind --------------------------------------------------------------
 */

static int read_table(const struct conf_section *conf, int64_t ttl,
    struct sql_table *out, struct err *err)
{
	if (sql_place_check(conf, err) < 0 ||
	    sql_table_read(conf, ttl, out, err) < 0)
		return -1;
	out->skip_ipv6 = conf_number(conf, "ipv6") == IPV6_SKIP;
	out->create = conf_number(conf, "create-table") != 0;
	out->shared = conf_number(conf, "shared") != 0;
	return 0;
}

static int sql_check(const struct conf_section *conf, struct err *err)
{
	struct sql_table table;

	return read_table(conf, 0, &table, err);
}

static void sql_needs(const struct conf_section *conf, struct export_needs *out)
{
	static char directory[PATH_MAX];

	out->connect = sql_place_engine(conf) != SQL_SQLITE;
	if (out->connect)
		return;
	target_parent(
	    conf_string(conf, "database"), directory, sizeof(directory));
	out->write[0] = directory;
}

static void release(struct export *e)
{
	sql_place_free(&e->place);
	sql_look_end(&e->look);
	free(e);
}

static int open_all(struct export *e, struct err *err)
{
	struct sql_session_env env = { .what = "export",
		.name = e->env.name,
		.timeout = conf_number(e->conf, "timeout"),
		.connected = on_connected,
		.ctx = e };

	if (read_table(e->conf, e->env.ttl, &e->table, err) < 0)
		return -1;
	if (e->table.period < e->env.ttl)
		return err_set(err, EXIT_USER,
		    "period: %" PRId64 " s is less than the ttl of leases, "
		    "%" PRId64 " s: who reads the table would end them early; "
		    "let both be equal, and the reader's window, too",
		    e->table.period / 1000, e->env.ttl / 1000);
	e->engine = sql_engine_load(e->table.engine, err);
	if (!e->engine || sql_place_read(e->conf, &e->place, err) < 0)
		return -1;
	e->place.create = e->table.create;
	e->session = sql_session_new(&env, e->engine, &e->place, err);
	return e->session ? 0 : -1;
}

static struct export *sql_open(const struct export_env *env,
    const struct conf_section *conf, struct err *err)
{
	struct export *e = xcalloc(1, sizeof(*e));

	e->env = *env;
	e->conf = conf;
	e->begun = env->resumes;
	e->purges = true; /* what was over before we came */
	if (open_all(e, err) == 0)
		return e;
	release(e);
	return NULL;
}

static void sql_start(struct export *e, uv_loop_t *loop)
{
	const struct sql_bring_env env = { .table = &e->table,
		.look = &e->look,
		.export = &e->env,
		.left_out = &e->left_out,
		.done = on_brought,
		.ctx = e };

	e->loop = loop;
	sql_place_free(&e->place);
	e->bring = sql_bring_new(&env, e->session);
	e->witness.table = &e->table;
	e->witness.session = e->session;
	e->witness.done = on_witness;
	e->witness.ctx = e;
	must(uv_timer_init(loop, &e->tick) == 0);
	e->tick.data = e;
	(void)uv_timer_start(&e->tick, on_tick, TICK_MS, TICK_MS);
	sql_session_start(e->session, loop);
}

static void on_closed(uv_handle_t *handle)
{
	struct export *e = handle->data;

	sql_bring_free(&e->bring);
	release(e);
}

static void sql_close(struct export **ep)
{
	struct export *e = *ep;
	uv_loop_t *loop;

	*ep = NULL;
	if (!e)
		return;
	loop = e->loop;
	sql_session_close(&e->session);
	if (!loop) {
		release(e);
		return;
	}
	uv_close((uv_handle_t *)&e->tick, on_closed);
	(void)uv_run(loop, UV_RUN_NOWAIT);
}

static int sql_test(struct export *e, struct err *err)
{
	return sql_probe(e->engine, &e->place, &e->table, err);
}

const struct export_kind export_sql = {
	.name = "sql",
	.help = "Keeps a row for each leased address in a table of a database.",
	.role = ROLE_CONNECTOR,
	.options = sql_options,
	.needs = sql_needs,
	.check = sql_check,
	.test = sql_test,
	.open = sql_open,
	.start = sql_start,
	.apply = sql_apply,
	.close = sql_close,
};
