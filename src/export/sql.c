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

#include "base/log.h"
#include "base/mem.h"
#include "base/trouble.h"
#include "sql_bring.h"
#include "sql_probe.h"
#include "sql_witness.h"
#include "target.h"
#include "ticker.h"

enum {
	PATIENCE = 5, /* failures that may pass, before the log tells */
	/* Between purges, words of what was left out, and snapshots for want
	 * of the witness. */
	MINUTE_MS = 60 * 1000,
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

enum job { JOB_NONE, JOB_LOOK, JOB_WITNESS, JOB_SLICE, JOB_PURGE };

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
	struct ticker ticker;
	enum job job;
	bool fit;          /* the table was looked at and is good */
	bool anew;         /* it is another, whatever the witness says */
	bool begun;        /* the table holds something of ours, or did */
	bool looks;        /* it is time for that */
	unsigned failures; /* that may pass, one after another */
	/* By the boot clock: not before. */
	int64_t purge_at, witness_at, left_out_at;
	ino_t file; /* sqlite: of the file that is open */
	struct sql_witness witness;
	const struct export_slice *slice; /* NULL: nothing to do */
	struct trouble trouble;
	enum job failing;                            /* what it is of */
	char doubt[sizeof(((struct err *)0)->text)]; /* it is not told yet */
	struct sql_left_out left_out, told;
};

/* --- what is wrong ---------------------------------------------------------
 */

static void show(const struct export *e)
{
	const char *gone = sql_session_trouble(e->session);

	e->env.trouble(e->env.ctx, gone ? gone : trouble_text(&e->trouble));
}

/* The first of several stands until it is over; a look knows best. */
static void tell(struct export *e, enum job job, const char *why)
{
	if (e->failing != JOB_NONE && e->failing != job && job != JOB_LOOK)
		return;
	e->failing = job;
	trouble_tell(&e->trouble, why);
	show(e);
}

static void tell_good(struct export *e, enum job job)
{
	if (e->failing == job) {
		e->failing = JOB_NONE;
		trouble_over(&e->trouble);
	}
	show(e);
}

/* Whether the minute since the last time is over; another one begins. */
static bool is_time(int64_t *at)
{
	int64_t now = clock_now().boot;

	if (now < *at)
		return false;
	*at = now + MINUTE_MS;
	return true;
}

/* At most once a minute, however many there are. */
static void tell_left_out(struct export *e)
{
	if (memcmp(&e->told, &e->left_out, sizeof(e->told)) == 0 ||
	    !is_time(&e->left_out_at))
		return;
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

static void end_job(struct export *e)
{
	enum job job = e->job;

	e->job = JOB_NONE;
	tell_good(e, job);
	proceed(e);
}

static void fail(struct export *e, enum sql_fault fault, const char *text)
{
	enum job job = e->job;
	bool passes = false;

	e->job = JOB_NONE;
	switch (fault) {
	case SQL_FAULT_GONE:
	case SQL_FAULT_LOGIN:
		/* The session has told. */
		e->fit = false;
		show(e);
		finish(e, false);
		return;
	case SQL_FAULT_NO_TABLE:
	case SQL_FAULT_NO_COLUMN:
	case SQL_FAULT_DENIED:
		/* A look says more; but it may find nothing. */
		e->anew |= fault == SQL_FAULT_NO_TABLE;
		e->fit = false;
		passes = true;
		break;
	case SQL_FAULT_BUSY:
		passes = true;
		break;
	case SQL_FAULT_NONE:
	case SQL_FAULT_DUPLICATE:
	case SQL_FAULT_FULL:
	case SQL_FAULT_OTHER:
		break;
	}
	e->failures += e->slice != NULL;
	if (!passes || e->failures >= PATIENCE)
		tell(e, job, text);
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
		end_job(e);
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
		tell(e, JOB_LOOK, l->err.text);
	e->job = JOB_NONE;
	finish(e, false);
}

static void on_look(void *ctx, const struct sql_result *r)
{
	struct export *e = ctx;

	if (r->fault == SQL_FAULT_GONE || r->fault == SQL_FAULT_LOGIN) {
		fail(e, r->fault, r->text);
		return;
	}
	sql_look_take(&e->look, r);
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

static void on_witness(void *ctx, enum sql_fault fault, const char *text,
    enum sql_witness_says says)
{
	struct export *e = ctx;

	if (fault != SQL_FAULT_NONE) {
		fail(e, fault, text);
		return;
	}
	if (e->anew || says == SQL_WITNESS_OTHER ||
	    (says == SQL_WITNESS_LOST && is_time(&e->witness_at)))
		begin_anew(e);
	else if (says == SQL_WITNESS_UNKNOWN)
		e->env.again(e->env.ctx);
	end_job(e);
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
	} else if (!*e->witness.identity || e->anew || e->looks) {
		e->job = JOB_WITNESS;
		e->looks = false;
		sql_witness_ask(&e->witness, clock_now().wall, e->begun);
	} else if (e->slice) {
		e->job = JOB_SLICE;
		sql_bring_slice(e->bring, e->slice);
	} else if (is_time(&e->purge_at)) {
		e->job = JOB_PURGE;
		sql_bring_purge(e->bring, clock_now().wall);
	}
}

static void on_brought(void *ctx, enum sql_fault fault, const char *text)
{
	struct export *e = ctx;

	if (fault != SQL_FAULT_NONE) {
		fail(e, fault, text);
		return;
	}
	if (e->job == JOB_SLICE) {
		e->begun = true;
		e->failures = 0;
		sql_witness_note(&e->witness, sql_bring_rows(e->bring));
		finish(e, true);
	}
	end_job(e);
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
	proceed(e);
}

static void on_tick(void *ctx)
{
	struct export *e = ctx;

	tell_left_out(e);
	show(e);
	e->looks = true;
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

static void release(void *ctx)
{
	struct export *e = ctx;

	sql_bring_free(&e->bring);
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
	trouble_init(&e->trouble, LOG_EXPORT_ERROR, LOG_EXPORT_STATE, "export",
	    e->env.name, "table", e->table.name);
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

	sql_place_free(&e->place);
	e->bring = sql_bring_new(&env, e->session);
	e->witness.table = &e->table;
	e->witness.session = e->session;
	e->witness.done = on_witness;
	e->witness.ctx = e;
	ticker_start(&e->ticker, loop, on_tick, e);
	sql_session_start(e->session, loop);
}

static void sql_close(struct export **ep)
{
	struct export *e = *ep;

	*ep = NULL;
	if (!e)
		return;
	sql_session_close(&e->session);
	ticker_close(&e->ticker, release, e);
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
	.same = sql_table_same,
	.test = sql_test,
	.open = sql_open,
	.start = sql_start,
	.apply = sql_apply,
	.close = sql_close,
};
