/* SPDX-License-Identifier: ISC */
/*
 * sql - the source kind "sql": rows that others write into a table become
 * logins. It asks again and again for rows with a time not before the one it
 * had come to, by the database's clock. Rows may be committed late, so it goes
 * back by `overlap` each time, and remembers what it took (sql_seen.h).
 *
 * Pages are in the order of time, and the next one begins with the time that
 * the last one ended with: rows of one second on two pages are known by then. A
 * page that does not get on is made larger.
 *
 * With `listen` (PostgreSQL) it asks at once when told, and then only for the
 * last moments; what was committed late is found by the clock.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/role.h"
#include "cursor.h"
#include "odd.h"
#include "sql/text.h"
#include "sql_login.h"
#include "sql_page.h"
#include "sql_reader.h"
#include "sql_seen.h"
#include "sql_since.h"
#include "sql_try.h"

enum {
	SOON_MS = 50,     /* between readings that notifications ask for */
	STORE_MS = 60000, /* of a cursor without logins */
	NS = 1000000,
	MS = 1000,
	NUMBER_SIZE = 24,
	REFUSED_SIZE = 240
};
static const char cursor_key[] = "table";

/* As it is stored: in this machine's order, for its own ledger. */
struct position {
	int64_t time;   /* seconds, by the database's clock */
	uint64_t table; /* of which table; another has another time */
};

struct source {
	struct source_env env;
	const struct conf_section *conf;
	struct sql_table table;
	struct sql_table_params params;
	struct sql_reader reader;

	bool looked; /* at the columns */
	struct sql_page page;
	struct sql_since since;
	uint64_t table_hash;
	int64_t stored_at, asked_at; /* monotonic ms */
	struct sql_row_clock clock;
	struct sql_seen *seen;
	bool reading, whole, wanted, in_step;
	struct odd odd;
	size_t count;
	struct login logins[SOURCE_BATCH];
};

static const struct option sql_options[] = {
	SQL_OPTIONS,
	{ "interval", OPTION_DURATION, "5s", 1000, 3600000, NULL,
	    "How often new rows are asked for." },
	{ "overlap", OPTION_DURATION, "60s", 1000, 3600000, NULL,
	    "How much later than its time a row may be committed." },
	{ "listen", OPTION_STRING, "", 0, 0, NULL,
	    "PostgreSQL: channel of NOTIFY that tells of new rows at once." },
	OPTION_END,
};

static int64_t monotonic(void)
{
	return (int64_t)(uv_hrtime() / NS);
}

/* --- what is taken ---------------------------------------------------------
 */

/* With the cursor behind it, or with what it was. */
static void send_all(struct source *s, int64_t time)
{
	struct source_cursor c;
	struct position at;
	size_t n = s->count;

	s->count = 0;
	if (s->whole && time > 0)
		s->since.at = time;
	at = (struct position){ s->since.at, s->table_hash };
	cursor_write(&c, cursor_key, &at, sizeof(at));
	s->stored_at = monotonic();
	if (s->env.sink(s->env.sink_ctx, &c, s->logins, n) < 0)
		s->reader.stopped = true;
}

static void take(struct source *s, const struct sql_row *row, struct moment now)
{
	struct login *l = &s->logins[s->count];
	enum sql_row_worth worth;
	int64_t time = 0;
	char where[ODD_PEER_SIZE];

	if (sql_seen_take(s->seen, sql_row_hash(row)))
		return;
	worth = sql_row_read(row, &s->clock, l);
	if (worth == SQL_ROW_OVER)
		return;
	if (worth != SQL_ROW_LOGIN) {
		const struct sql_value *v =
		    worth == SQL_ROW_BAD_USER ? &row->user : &row->address;

		(void)snprintf(where, sizeof(where), "%.*s", (int)v->len,
		    v->text ? v->text : "NULL");
		odd_count(
		    &s->odd, sql_row_word(worth), where, (uint64_t)monotonic());
		return;
	}
	if (l->time > now.wall)
		l->time = now.wall;
	(void)sql_row_time(row->time, &time);
	if (time > s->clock.there / MS)
		time = s->clock.there / MS;
	if (++s->count == SOURCE_BATCH)
		send_all(s, time);
}

/* --- asking ----------------------------------------------------------------
 */

static void ask_time(struct source *s);
static void ask_page(struct source *s);

static bool is_good(struct source *s, const struct sql_result *r)
{
	if (sql_reader_is_good(&s->reader, r))
		return true;
	s->reading = s->in_step = false;
	/* The columns may be others by now. */
	s->looked = false;
	return false;
}

/* The reading has come to its end. */
static void rest(struct source *s)
{
	int64_t there = s->clock.there / MS;

	s->since.latest = there;
	sql_seen_end(s->seen);
	sql_reader_rests(&s->reader);
	s->reading = false;
	s->in_step = true;
	if (s->count || monotonic() - s->stored_at >= STORE_MS)
		send_all(s, there);
	else if (s->whole)
		s->since.at = there;
	if (s->wanted && !s->reader.stopped)
		ask_time(s);
}

/* *page is the next one. False: there is none. */
static bool get_on(struct source *s, const struct sql_result *r)
{
	switch (sql_page_next(&s->page, r)) {
	case SQL_PAGE_LAST:
		return false;
	case SQL_PAGE_NEXT:
		break;
	case SQL_PAGE_STUCK:
		/* Whatever they are, they must not stop the others. */
		odd_count(&s->odd, "too-many-at-once", s->table.name,
		    (uint64_t)monotonic());
		sql_page_begin(&s->page, s->page.from + 1);
		break;
	}
	/* Rows ahead of their time: a page of them is seen each time. */
	return s->page.from * MS <= s->clock.there + s->clock.max_skew;
}

static void on_page(void *ctx, const struct sql_result *r)
{
	struct source *s = ctx;
	struct moment now = clock_now();

	if (!is_good(s, r))
		return;
	for (size_t i = 0; i < r->rows && !s->reader.stopped; i++) {
		const struct sql_row row = { sql_result_value(
						 r, i, SQL_ROW_ADDRESS),
			sql_result_value(r, i, SQL_ROW_TIME),
			sql_result_value(r, i, SQL_ROW_USER),
			sql_result_value(r, i, SQL_ROW_EXPIRY) };

		take(s, &row, now);
	}
	if (s->reader.stopped)
		return;
	if (get_on(s, r))
		ask_page(s);
	else
		rest(s);
}

static void ask_page(struct source *s)
{
	AUTO_FREE char *statement = sql_login_since(&s->table, s->page.rows);
	char from[NUMBER_SIZE];
	struct sql_value param;

	(void)snprintf(from, sizeof(from), "%" PRId64, s->page.from);
	param = sql_value_of(from);
	sql_session_run(s->reader.session, statement, &param, 1, on_page, s);
}

/* From where on: where the last reading was, and what may have been committed
 * since then; but nothing that is over. */
static void on_time(void *ctx, const struct sql_result *r)
{
	struct source *s = ctx;
	static const struct sql_result stepped = { .fault = SQL_FAULT_OTHER,
		.text = "the database's clock was set back: no row is taken "
			"until it is where it was" };
	struct sql_value v;
	int64_t from;

	if (!is_good(s, r))
		return;
	v = sql_result_value(r, 0, 0);
	if (r->rows != 1 || !v.text || !sql_row_time(v, &s->clock.there)) {
		s->reading = false;
		return;
	}
	sql_reader_time(&s->reader, s->clock.there);
	if (!sql_since_begin(&s->since, s->clock.there, s->reader.asked.boot,
		clock_now().boot, s->whole, &from)) {
		if (!trouble_text(&s->reader.table))
			send_all(s, 0);
		(void)is_good(s, &stepped);
		return;
	}
	sql_page_begin(&s->page, from);
	sql_seen_begin(s->seen, s->whole);
	ask_page(s);
}

static void on_columns(void *ctx, const struct sql_result *r)
{
	struct source *s = ctx;
	struct err err = { 0 };

	if (!is_good(s, r))
		return;
	s->reading = false;
	if (sql_login_look(&s->table, r, &err) < 0) {
		const struct sql_result wrong = { .fault = SQL_FAULT_OTHER,
			.text = err.text };

		(void)is_good(s, &wrong);
		return;
	}
	s->looked = true;
	ask_time(s);
}

static void ask_columns(struct source *s)
{
	s->reading = true;
	sql_session_run(s->reader.session, sql_text_columns(s->table.engine),
	    s->params.values, s->params.count, on_columns, s);
}

/* A reading begins. */
static void ask_time(struct source *s)
{
	int64_t now = monotonic();

	if (s->reading || s->reader.stopped ||
	    !sql_session_is_connected(s->reader.session))
		return;
	s->wanted = false;
	s->whole = !s->in_step || now - s->asked_at >= s->since.interval;
	if (s->whole)
		s->asked_at = now;
	if (!s->looked) {
		ask_columns(s);
		return;
	}
	s->reading = true;
	sql_reader_ask_time(&s->reader, on_time);
	s->clock.here = s->reader.asked.wall;
}

/* --- when ------------------------------------------------------------------
 */

static void on_listen(void *ctx, const struct sql_result *r)
{
	(void)is_good(ctx, r);
}

static void on_connected(void *ctx)
{
	struct source *s = ctx;
	const char *channel = conf_string(s->conf, "listen");
	struct sql_text t = { 0 };

	s->reading = s->in_step = false;
	if (*channel) {
		sql_put(&t, "LISTEN ");
		sql_put_name(&t, s->table.engine, channel, false);
		sql_session_run(
		    s->reader.session, t.bytes, NULL, 0, on_listen, s);
		free(t.bytes);
	}
	ask_columns(s);
}

static void on_notified(void *ctx)
{
	struct source *s = ctx;

	s->wanted = true;
	ask_time(s);
}

/* What is wrong with rows of late, for `status`. */
static const char *print_refused(
    const struct source *s, char out[static REFUSED_SIZE])
{
	const struct odd_reason *r = odd_lately(&s->odd, (uint64_t)monotonic());

	if (!r)
		return NULL;
	(void)snprintf(out, REFUSED_SIZE, "%llu %s refused, the last of %s: %s",
	    (unsigned long long)r->lately, r->lately == 1 ? "row" : "rows",
	    r->peer, sql_row_mend(r->what));
	return out;
}

static void on_second(void *ctx)
{
	struct source *s = ctx;
	char refused[REFUSED_SIZE];

	odd_flush(&s->odd, (uint64_t)monotonic());
	if (!sql_session_is_connected(s->reader.session))
		s->in_step = false;
	sql_reader_step(&s->reader, s->in_step, 0, print_refused(s, refused));
	if (!s->in_step || monotonic() - s->asked_at >= s->since.interval)
		ask_time(s);
}

/* --- the kind --------------------------------------------------------------
 */

static int sql_check(const struct conf_section *conf, struct err *err)
{
	const char *channel = conf_string(conf, "listen");
	struct sql_table table;

	if (sql_place_check(conf, err) < 0 ||
	    sql_table_read(conf, MS, &table, err) < 0)
		return -1;
	if (!*table.columns[SQL_TIME])
		return conf_wrong(conf, err,
		    "time-column: a source must know when a row was written");
	if (!*channel)
		return 0;
	if (table.engine != SQL_POSTGRESQL)
		return conf_wrong(
		    conf, err, "listen: only PostgreSQL has NOTIFY");
	return sql_name_is_good(channel, false)
		   ? 0
		   : conf_wrong(conf, err,
			 "listen: \"%s\": expected a channel's name", channel);
}

static uint64_t hash_table(const struct source *s)
{
	const struct sql_row row = { .address =
					 sql_value_of(s->reader.place.database),
		.time = sql_value_of(s->reader.place.host),
		.user = sql_value_of(s->table.name) };

	return sql_row_hash(&row);
}

static void restore(
    struct source *s, const struct source_cursor *cursors, size_t n)
{
	struct position at;

	s->table_hash = hash_table(s);
	if (cursor_read(cursors, n, cursor_key, &at, sizeof(at)) &&
	    at.table == s->table_hash)
		s->since.at = at.time;
}

static void release(void *ctx)
{
	struct source *s = ctx;

	sql_seen_free(&s->seen);
	odd_flush(&s->odd, UINT64_MAX);
	free(s);
}

static void set_clocks(struct source *s)
{
	const struct source_env *env = &s->env;

	s->since.interval = conf_number(s->conf, "interval");
	s->since.overlap = conf_number(s->conf, "overlap");
	s->clock.period =
	    s->table.period < env->ttl ? s->table.period : env->ttl;
	s->since.period = s->clock.period;
	s->clock.ttl = env->ttl;
	s->clock.max_skew = env->max_skew;
}

static struct source *sql_open(const struct source_env *env,
    const struct conf_section *conf, const struct source_cursor *cursors,
    size_t n, struct err *err)
{
	struct source *s = xcalloc(1, sizeof(*s));
	struct sql_reader_env reader = { .source = &s->env,
		.conf = conf,
		.engine = sql_place_engine(conf),
		.listens = *conf_string(conf, "listen") != '\0',
		.soon = SOON_MS,
		.connected = on_connected,
		.second = on_second,
		.notified = on_notified,
		.release = release,
		.ctx = s };

	s->env = *env;
	s->conf = conf;
	s->seen = sql_seen_new();
	odd_init(&s->odd, env->name);
	if (sql_check(conf, err) < 0 ||
	    sql_table_read(conf, env->ttl, &s->table, err) < 0)
		goto fail;
	reader.table = s->table.name;
	if (sql_reader_open(&s->reader, &reader, err) < 0) {
		sql_place_free(&s->reader.place);
		goto fail;
	}
	set_clocks(s);
	sql_table_params(&s->table, &s->params);
	restore(s, cursors, n);
	return s;
fail:
	release(s);
	return NULL;
}

static void sql_start(struct source *s, uv_loop_t *loop)
{
	sql_reader_start(&s->reader, loop);
}

static void sql_stop(struct source *s)
{
	if (!s->reader.stopped && s->in_step)
		send_all(s, 0);
	sql_reader_stop(&s->reader);
}

static void sql_close(struct source **sp)
{
	struct source *s = *sp;

	*sp = NULL;
	if (!s)
		return;
	sql_stop(s);
	sql_reader_close(&s->reader);
}

/* SQLite locks beside the file, to read it, too. */
static void sql_needs(const struct conf_section *conf, struct source_needs *out)
{
	static char directory[SOURCE_KEY_MAX];
	char *slash;

	if (sql_place_engine(conf) != SQL_SQLITE) {
		out->connect = true;
		return;
	}
	(void)snprintf(
	    directory, sizeof(directory), "%s", conf_string(conf, "database"));
	slash = strrchr(directory, '/');
	if (slash)
		slash[slash == directory] = '\0';
	out->read[0] = out->write[0] = directory;
}

static int sql_test(struct source *s, struct err *err)
{
	struct sql_ask *a = sql_ask_open(
	    s->reader.engine, &s->reader.place, CONNECTOR_TEST_MS, err);
	int result = a ? sql_try_table(a, &s->table, err) : -1;

	sql_ask_close(&a);
	return result;
}

const struct source_kind source_sql = {
	.name = "sql",
	.help = "Rows that others write into a table of a database.",
	.role = ROLE_CONNECTOR,
	.options = sql_options,
	.check = sql_check,
	.same = sql_table_same,
	.needs = sql_needs,
	.open = sql_open,
	.start = sql_start,
	.stop = sql_stop,
	.close = sql_close,
	.test = sql_test,
};
