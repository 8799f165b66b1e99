/* SPDX-License-Identifier: ISC */
/*
 * import_sql - a table of a database, as a section of the configuration (kind
 * "sql") describes it. Called by: the verb `import`.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cli.h"
#include "conf/conf.h"
#include "import.h"
#include "source/sql_page.h"
#include "source/sql_seen.h"
#include "source/sql_try.h"

enum {
	MS = 1000,
	NUMBER_SIZE = 24,
	TRIES = 10,
	SOON_MS = 200 /* an answer that tells the time well */
};

static const char *const files[] = { NULL };

const struct import_kind import_sql = {
	.name = "sql",
	.of = "a table of a database",
	.files = files,
	.table = true,
};

struct reading {
	const struct import_sink *sink;
	struct sql_table table;
	struct sql_ask *ask;
	struct sql_row_clock clock;
	struct sql_seen *seen; /* pages overlap */
	struct sql_page page;
	int64_t lasts; /* ms, of a row */
};

static const struct conf_section *find_section(
    const struct conf *conf, const char *name)
{
	static const char *const words[] = { "source", "export" };

	for (size_t w = 0; w < COUNT_OF(words); w++) {
		for (size_t i = 0; i < conf_count(conf, words[w]); i++) {
			const struct conf_section *s =
			    conf_at(conf, words[w], i);

			if (strcmp(conf_kind(s), "sql") == 0 &&
			    strcmp(conf_name(s), name) == 0)
				return s;
		}
	}
	return NULL;
}

static void take_row(struct reading *r, const struct sql_result *rows, size_t i)
{
	struct sql_row row = { sql_result_value(rows, i, SQL_ROW_ADDRESS),
		sql_result_value(rows, i, SQL_ROW_TIME),
		sql_result_value(rows, i, SQL_ROW_USER), { 0 } };
	struct sql_value expiry = sql_result_value(rows, i, SQL_ROW_EXPIRY);
	static const char *const words[] = {
		[SQL_ROW_OVER] = IMPORT_BAD, /* not without a period */
		[SQL_ROW_AHEAD] = IMPORT_AHEAD,
		[SQL_ROW_BAD_ADDRESS] = IMPORT_NO_ADDR,
		[SQL_ROW_BAD_TIME] = IMPORT_BAD,
		[SQL_ROW_BAD_USER] = IMPORT_BAD,
	};
	struct import_row out = { 0 };
	enum sql_row_worth worth;
	struct login login;
	int64_t end;

	if (sql_seen_take(r->seen, sql_row_hash(&row)))
		return;
	worth = sql_row_read(&row, &r->clock, &login);
	if (worth != SQL_ROW_LOGIN) {
		const char *text = row.address.text ? row.address.text : "";

		r->sink->refuse(
		    r->sink->ctx, text, row.address.len, words[worth]);
		return;
	}
	out.addr = login.addr;
	out.user_len = login.user_len;
	memcpy(out.user, login.user, sizeof(out.user));
	out.login = login.time;
	/* By our clock, as the login. */
	if (expiry.text && sql_row_time(expiry, &end))
		out.end = end * MS + sql_row_offset(&r->clock);
	if (out.end > out.login + r->lasts)
		out.end = out.login + r->lasts;
	r->sink->row(r->sink->ctx, &out);
}

/* -1 and *err, 0: that was the last page, 1: there may be another. */
static int read_page(struct reading *r, struct err *err)
{
	AUTO_FREE char *statement = sql_login_since(&r->table, r->page.rows);
	const struct sql_result *rows = sql_ask_result(r->ask);
	char from[NUMBER_SIZE];
	struct sql_value param;
	enum sql_page_step step;

	(void)snprintf(from, sizeof(from), "%" PRId64, r->page.from);
	param = sql_value_of(from);
	if (sql_ask_run(r->ask, statement, &param, 1, err) != SQL_FAULT_NONE)
		return -1;
	for (size_t i = 0; i < rows->rows; i++)
		take_row(r, rows, i);
	step = sql_page_next(&r->page, rows);
	if (step == SQL_PAGE_STUCK)
		return err_set(err, EXIT_USER,
		    "%s: more than %d rows have one and the same time",
		    r->table.name, SQL_PAGE_ROWS_MAX);
	return step == SQL_PAGE_NEXT;
}

/* Once more when the answer was slow: a second import shall find the same
 * times. */
static int ask_time(struct reading *r, struct err *err)
{
	const char *statement = sql_login_now(r->table.engine);
	const struct sql_result *time = sql_ask_result(r->ask);
	int64_t asked, took = SOON_MS;

	for (int i = 0; i < TRIES && took >= SOON_MS; i++) {
		asked = clock_now().boot;
		r->clock.here = clock_now().wall;
		if (sql_ask_run(r->ask, statement, NULL, 0, err) !=
		    SQL_FAULT_NONE)
			return -1;
		if (time->rows != 1 ||
		    !sql_row_time(
			sql_result_value(time, 0, 0), &r->clock.there))
			return err_set(err, EXIT_AGAIN,
			    "the database does not tell its time");
		took = clock_now().boot - asked;
	}
	return 0;
}

static int read_all(struct reading *r, int64_t lasts, struct err *err)
{
	int64_t most = lasts > IMPORT_AGE_MAX ? lasts : IMPORT_AGE_MAX;
	int got = 1;

	if (sql_try_table(r->ask, &r->table, err) < 0)
		return -1;
	if (ask_time(r, err) < 0)
		return -1;
	/* The lease rules know what is over. */
	r->clock.period = INT64_MAX;
	sql_page_begin(&r->page, (r->clock.there - most) / MS);
	while (got == 1)
		got = read_page(r, err);
	return got;
}

int import_table(const struct conf *conf, const char *name,
    const struct import_times *times, const struct import_sink *sink,
    int64_t *lasts_r, struct err *err)
{
	const struct conf_section *s = find_section(conf, name);
	struct reading r = { .sink = sink };
	const struct sql_engine *engine;
	struct sql_place place;
	char shown[80];
	int result = -1;

	if (!s)
		return err_set(err, EXIT_USER,
		    "the configuration has no source or export \"%s\" of the "
		    "kind sql, which would say where the table is",
		    cli_safe(name, strlen(name), shown, sizeof(shown)));
	if (sql_table_read(s, times->ttl, &r.table, err) < 0)
		return -1;
	if (!*r.table.columns[SQL_TIME])
		return conf_wrong(s, err,
		    "time-column: without it nobody knows how old a row is");
	if (sql_place_read(s, &place, err) < 0)
		return -1;
	*lasts_r = times->lasts ? times->lasts : r.table.period;
	r.lasts = *lasts_r;
	r.clock.max_skew = times->max_skew;
	engine = sql_engine_load(r.table.engine, err);
	if (engine)
		r.ask = sql_ask_open(
		    engine, &place, conf_number(s, "timeout"), err);
	r.seen = sql_seen_new();
	sql_seen_begin(r.seen, true);
	if (r.ask)
		result = read_all(&r, *lasts_r, err);
	sql_seen_free(&r.seen);
	sql_ask_close(&r.ask);
	sql_place_free(&place);
	return result;
}
