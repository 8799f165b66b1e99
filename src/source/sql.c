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
#include <uv.h>

#include "base/log.h"
#include "base/mem.h"
#include "odd.h"
#include "source.h"
#include "sql/session.h"
#include "sql/text.h"
#include "sql_login.h"
#include "sql_seen.h"
#include "sql_since.h"
#include "sql_try.h"

enum {
	TICK_MS = 1000,
	SOON_MS = 50,     /* between readings that notifications ask for */
	STORE_MS = 60000, /* of a cursor without logins */
	PAGE = 500,
	PAGE_MAX = 64000,
	TEST_MS = 3000,
	NS = 1000000,
	MS = 1000,
	NUMBER_SIZE = 24,
	TROUBLE_SIZE = 200
};
static const char cursor_key[] = "table";

/* As it is stored: in this machine's order, for its own ledger. */
struct place {
	int64_t time;   /* seconds, by the database's clock */
	uint64_t table; /* of which table; another has another time */
};

struct source {
	struct source_env env;
	const struct conf_section *conf;
	struct sql_table table;
	const struct sql_engine *engine;
	struct sql_place where;
	struct sql_session *session;
	uv_timer_t tick, soon;
	uv_loop_t *loop;
	int handles;
	bool started, stopped, unwanted;

	struct sql_columns columns;
	char *since; /* for `page` rows; NULL: the columns are not known */
	size_t page;
	struct sql_since place;
	uint64_t print;              /* of the table */
	int64_t stored_at, asked_at; /* monotonic ms */
	int64_t asked;               /* for the time; boot ms */
	struct sql_row_clock clock;
	struct sql_seen *seen;
	bool reading, whole, wanted, failing, in_step;
	int64_t from; /* of the page, seconds */
	struct odd odd;
	size_t count;
	struct login logins[SOURCE_BATCH];
	char trouble[TROUBLE_SIZE];
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
	struct source_cursor c = { .key_len = sizeof(cursor_key) - 1,
		.len = sizeof(struct place) };
	struct place at;
	size_t n = s->count;

	s->count = 0;
	if (s->whole && time > 0)
		s->place.at = time;
	at = (struct place){ s->place.at, s->print };
	memcpy(c.key, cursor_key, c.key_len);
	memcpy(c.bytes, &at, sizeof(at));
	s->stored_at = monotonic();
	if (s->env.sink(s->env.sink_ctx, &c, s->logins, n) < 0)
		s->stopped = true;
}

static void take(struct source *s, const struct sql_row *row, struct moment now)
{
	struct login *l = &s->logins[s->count];
	enum sql_row_worth worth;
	int64_t time = 0;
	char where[ODD_PEER_SIZE];

	if (sql_seen_take(s->seen, sql_row_print(row)))
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
	char shown[TROUBLE_SIZE];

	if (r->fault == SQL_FAULT_NONE)
		return !s->stopped;
	s->reading = s->in_step = false;
	(void)snprintf(s->trouble, sizeof(s->trouble), "%s",
	    *r->text ? r->text : "the connection is lost");
	/* The columns may be others by now. */
	free(s->since);
	s->since = NULL;
	if (s->failing || r->fault == SQL_FAULT_GONE)
		return false; /* that is the session's to tell */
	s->failing = true;
	log_error(LOG_SOURCE_ERROR,
	    "source=%s table=%s error=\"%s\" next=\"tries again\"", s->env.name,
	    s->table.name,
	    log_quote(s->trouble, strlen(s->trouble), shown, sizeof(shown)));
	return false;
}

/* The reading has come to its end. */
static void rest(struct source *s)
{
	int64_t there = s->clock.there / MS;

	s->place.latest = there;
	sql_seen_end(s->seen);
	if (s->failing)
		log_info(LOG_SOURCE_OPEN, "source=%s table=%s state=good",
		    s->env.name, s->table.name);
	s->reading = s->failing = false;
	s->in_step = true;
	s->trouble[0] = '\0';
	if (s->count || monotonic() - s->stored_at >= STORE_MS)
		send_all(s, there);
	else if (s->whole)
		s->place.at = there;
	if (s->wanted && !s->stopped)
		ask_time(s);
}

static void make_since(struct source *s, size_t page)
{
	free(s->since);
	s->page = page;
	s->since = sql_login_since(&s->table, page);
}

/* Where the next page begins. False: this was the last one. */
static bool get_on(struct source *s, const struct sql_result *r)
{
	struct sql_value last = sql_result_value(r, r->rows - 1, SQL_ROW_TIME);
	int64_t time = 0;

	if (r->rows < s->page)
		return false;
	/* Rows ahead of their time: a page of them is seen each time. */
	if (last.text && sql_row_time(last, &time) &&
	    time * MS > s->clock.there + s->clock.max_skew)
		return false;
	if (time > s->from) {
		s->from = time;
		make_since(s, PAGE);
		return true;
	}
	if (s->page < PAGE_MAX) {
		make_since(s, 2 * s->page);
		return true;
	}
	/* Whatever they are, they must not stop the others. */
	odd_count(
	    &s->odd, "too-many-at-once", s->table.name, (uint64_t)monotonic());
	s->from++;
	make_since(s, PAGE);
	return s->from * MS <= s->clock.there + s->clock.max_skew;
}

static void on_page(void *ctx, const struct sql_result *r)
{
	struct source *s = ctx;
	struct moment now = clock_now();

	if (!is_good(s, r))
		return;
	for (size_t i = 0; i < r->rows && !s->stopped; i++) {
		const struct sql_row row = { sql_result_value(
						 r, i, SQL_ROW_ADDRESS),
			sql_result_value(r, i, SQL_ROW_TIME),
			sql_result_value(r, i, SQL_ROW_USER),
			sql_result_value(r, i, SQL_ROW_EXPIRY) };

		take(s, &row, now);
	}
	if (s->stopped)
		return;
	if (r->rows > 0 && get_on(s, r))
		ask_page(s);
	else
		rest(s);
}

static void ask_page(struct source *s)
{
	char from[NUMBER_SIZE];
	struct sql_value param;

	param.len = (size_t)snprintf(from, sizeof(from), "%" PRId64, s->from);
	param.text = from;
	sql_session_run(s->session, s->since, &param, 1, on_page, s);
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

	if (!is_good(s, r))
		return;
	v = sql_result_value(r, 0, 0);
	if (r->rows != 1 || !v.text || !sql_row_time(v, &s->clock.there)) {
		s->reading = false;
		return;
	}
	if (!sql_since_begin(&s->place, s->clock.there, s->asked,
		clock_now().boot, s->whole, &s->from)) {
		if (!s->failing)
			send_all(s, 0);
		(void)is_good(s, &stepped);
		return;
	}
	if (s->page != PAGE)
		make_since(s, PAGE);
	sql_seen_begin(s->seen, s->whole);
	ask_page(s);
}

static const char *answer_text(const void *ctx, size_t row, size_t column)
{
	struct sql_value v = sql_result_value(ctx, row, column);

	return v.text ? v.text : "";
}

static void on_columns(void *ctx, const struct sql_result *r)
{
	struct source *s = ctx;
	const struct sql_login_answer a = { r->rows, answer_text, r };
	struct err err = { 0 };

	if (!is_good(s, r))
		return;
	s->reading = false;
	if (sql_login_look(&s->table, &a, &err) < 0) {
		const struct sql_result wrong = { .fault = SQL_FAULT_OTHER,
			.text = err.text };

		(void)is_good(s, &wrong);
		return;
	}
	make_since(s, PAGE);
	ask_time(s);
}

static void ask_columns(struct source *s)
{
	s->reading = true;
	sql_session_run(s->session, s->columns.statement, s->columns.params,
	    s->columns.count, on_columns, s);
}

/* A reading begins. */
static void ask_time(struct source *s)
{
	int64_t now = monotonic();
	struct moment asked;

	if (s->reading || s->stopped || !sql_session_is_connected(s->session))
		return;
	s->wanted = false;
	s->whole = !s->in_step || now - s->asked_at >= s->place.interval;
	if (s->whole)
		s->asked_at = now;
	if (!s->since) {
		ask_columns(s);
		return;
	}
	s->reading = true;
	asked = clock_now();
	s->clock.here = asked.wall;
	s->asked = asked.boot;
	sql_session_run(
	    s->session, sql_login_now(s->table.engine), NULL, 0, on_time, s);
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
		sql_session_run(s->session, t.bytes, NULL, 0, on_listen, s);
		free(t.bytes);
	}
	ask_columns(s);
}

static void on_soon(uv_timer_t *timer)
{
	ask_time(timer->data);
}

static void on_notified(void *ctx)
{
	struct source *s = ctx;

	s->wanted = true;
	if (!s->stopped && !uv_is_active((uv_handle_t *)&s->soon))
		(void)uv_timer_start(&s->soon, on_soon, SOON_MS, 0);
}

static void on_tick(uv_timer_t *timer)
{
	struct source *s = timer->data;
	bool connected = sql_session_is_connected(s->session);

	odd_flush(&s->odd, (uint64_t)monotonic());
	if (!connected)
		s->in_step = false;
	s->env.step(s->env.step_ctx, s->in_step, 0,
	    *s->trouble ? s->trouble
			: (connected ? NULL : "not connected to the database"));
	if (!s->in_step || monotonic() - s->asked_at >= s->place.interval)
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

static uint64_t print_table(const struct source *s)
{
	const struct sql_row row = { .address = sql_value_of(s->where.database),
		.time = sql_value_of(s->where.host),
		.user = sql_value_of(s->table.name) };

	return sql_row_print(&row);
}

static void restore(
    struct source *s, const struct source_cursor *cursors, size_t n)
{
	s->print = print_table(s);
	for (size_t i = 0; i < n; i++) {
		struct place at;

		if (cursors[i].key_len != sizeof(cursor_key) - 1 ||
		    memcmp(cursors[i].key, cursor_key, cursors[i].key_len) !=
			0 ||
		    cursors[i].len != sizeof(at))
			continue;
		memcpy(&at, cursors[i].bytes, sizeof(at));
		if (at.table == s->print)
			s->place.at = at.time;
	}
}

static void release(struct source *s)
{
	sql_session_close(&s->session);
	sql_place_free(&s->where);
	sql_seen_free(&s->seen);
	odd_flush(&s->odd, UINT64_MAX);
	sql_columns_end(&s->columns);
	free(s->since);
	free(s);
}

static struct source *sql_open(const struct source_env *env,
    const struct conf_section *conf, const struct source_cursor *cursors,
    size_t n, struct err *err)
{
	struct source *s = xcalloc(1, sizeof(*s));
	struct sql_session_env session = { .what = "source",
		.name = env->name,
		.timeout = conf_number(conf, "timeout"),
		.connected = on_connected,
		.notified = *conf_string(conf, "listen") ? on_notified : NULL,
		.ctx = s };

	s->env = *env;
	s->conf = conf;
	s->seen = sql_seen_new();
	odd_init(&s->odd, env->name);
	if (sql_check(conf, err) < 0 ||
	    sql_table_read(conf, env->ttl, &s->table, err) < 0 ||
	    sql_place_read(conf, &s->where, err) < 0 ||
	    !(s->engine = sql_engine_load(s->table.engine, err)) ||
	    !(s->session =
		    sql_session_new(&session, s->engine, &s->where, err))) {
		release(s);
		return NULL;
	}
	s->place.interval = conf_number(conf, "interval");
	s->place.overlap = conf_number(conf, "overlap");
	s->clock.period =
	    s->table.period < env->ttl ? s->table.period : env->ttl;
	s->place.period = s->clock.period;
	s->clock.ttl = env->ttl;
	s->clock.max_skew = env->max_skew;
	sql_columns_begin(&s->columns, &s->table);
	restore(s, cursors, n);
	return s;
}

static void sql_start(struct source *s, uv_loop_t *loop)
{
	s->loop = loop;
	s->started = true;
	s->handles = 2;
	must(uv_timer_init(loop, &s->tick) == 0);
	must(uv_timer_init(loop, &s->soon) == 0);
	s->tick.data = s->soon.data = s;
	(void)uv_timer_start(&s->tick, on_tick, TICK_MS, TICK_MS);
	sql_session_start(s->session, loop);
}

static void on_closed(uv_handle_t *handle)
{
	struct source *s = handle->data;

	if (--s->handles == 0 && s->unwanted)
		release(s);
}

static void sql_stop(struct source *s)
{
	if (s->stopped && !s->session)
		return;
	if (!s->stopped && s->started && s->in_step)
		send_all(s, 0);
	s->stopped = true;
	sql_session_close(&s->session);
	if (!s->started)
		return;
	uv_close((uv_handle_t *)&s->tick, on_closed);
	uv_close((uv_handle_t *)&s->soon, on_closed);
}

static void sql_close(struct source **sp)
{
	struct source *s = *sp;

	*sp = NULL;
	if (!s)
		return;
	sql_stop(s);
	s->unwanted = true;
	if (s->handles == 0)
		release(s);
	else
		(void)uv_run(s->loop, UV_RUN_NOWAIT);
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
	struct sql_ask *a = sql_ask_open(s->engine, &s->where, TEST_MS, err);
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
	.needs = sql_needs,
	.open = sql_open,
	.start = sql_start,
	.stop = sql_stop,
	.close = sql_close,
	.test = sql_test,
};
