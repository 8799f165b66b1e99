/* SPDX-License-Identifier: ISC */
/*
 * sql_bring - see the header.
 *
 * A transaction that a value spoils (a name that the column's character set
 * does not have, a constraint) is done again row by row, each by itself, and a
 * row that fails so without user and source: a name is never in the way of a
 * lease, nor one lease in that of another.
 */
#include "sql_bring.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "sql/text.h"
#include "sql_known.h"

enum {
	PAGE = 1000, /* addresses read at a time */
	MS = 1000,
	GROUPS = 4 /* powers of SQL_ROWS_STEP up to SQL_ROWS_MAX */
};

struct sql_bring {
	struct sql_bring_env env;
	struct sql_session *session;
	const struct export_slice *slice;
	struct sql_rows rows;
	size_t put, drop; /* how many are done */
	bool transaction; /* it is open */
	bool single;      /* row by row */
	bool nameless;    /* this row without its names */
	enum sql_fault fault;
	char why[256];
	struct sql_names *names;
	struct sql_written *written; /* shared: else NULL */
	char *page[PAGE];            /* addresses to go */
	size_t page_count, page_done;
	char *behind; /* the last address of the page; NULL: first page */
	bool page_last;
	char cutoff[SQL_TIME_TEXT];
	char *put_texts[GROUPS], *drop_texts[GROUPS]; /* [0]: of one row */
	struct sql_table texts_of;                    /* they are for */
};

/* --- statements ------------------------------------------------------------
 */

static size_t group_index(size_t n)
{
	size_t i = 0;

	while (n > 1) {
		n /= SQL_ROWS_STEP;
		i++;
	}
	return i;
}

static void forget_texts(struct sql_bring *b)
{
	for (size_t i = 0; i < GROUPS; i++) {
		free(b->put_texts[i]);
		free(b->drop_texts[i]);
		b->put_texts[i] = b->drop_texts[i] = NULL;
	}
}

/* They are long: each is made once, while the columns stay what they are. */
static const char *text_for(struct sql_bring *b, bool puts, size_t n)
{
	const struct sql_table *t = b->env.table;
	char **text;

	if (b->texts_of.inet != t->inet ||
	    b->texts_of.text_times != t->text_times)
		forget_texts(b);
	b->texts_of = *t;
	text = &(puts ? b->put_texts : b->drop_texts)[group_index(n)];
	if (!*text)
		*text = puts ? sql_text_upsert(t, n) : sql_text_delete(t, n);
	return *text;
}

static void over(struct sql_bring *b, enum sql_fault fault, const char *text)
{
	b->slice = NULL;
	b->env.done(b->env.ctx, fault, text);
}

/* --- leftovers of a snapshot -----------------------------------------------
 */

static void read_page(struct sql_bring *b);

static void forget_page(struct sql_bring *b)
{
	for (size_t i = 0; i < b->page_count; i++)
		free(b->page[i]);
	b->page_count = b->page_done = 0;
}

static void end_leftovers(struct sql_bring *b)
{
	free(b->behind);
	b->behind = NULL;
	sql_names_clear(b->names);
	over(b, SQL_FAULT_NONE, "");
}

static void fail_leftovers(struct sql_bring *b, const struct sql_result *r)
{
	forget_page(b);
	free(b->behind);
	b->behind = NULL;
	over(b, r->fault, r->text);
}

static void drop_page(struct sql_bring *b);

static void on_page_dropped(void *ctx, const struct sql_result *r)
{
	struct sql_bring *b = ctx;

	if (r->fault != SQL_FAULT_NONE)
		fail_leftovers(b, r);
	else
		drop_page(b);
}

static void drop_page(struct sql_bring *b)
{
	struct sql_value values[SQL_ROWS_MAX];
	size_t n = b->page_count - b->page_done;

	if (n == 0) {
		forget_page(b);
		if (b->page_last)
			end_leftovers(b);
		else
			read_page(b);
		return;
	}
	n = sql_rows_group(n);
	for (size_t i = 0; i < n; i++)
		values[i] = sql_value_of(b->page[b->page_done + i]);
	b->page_done += n;
	sql_session_run(
	    b->session, text_for(b, false, n), values, n, on_page_dropped, b);
}

/* char(n) comes with blanks behind. */
static size_t trimmed(struct sql_value v)
{
	while (v.len && v.text[v.len - 1] == ' ')
		v.len--;
	return v.len;
}

static void on_page(void *ctx, const struct sql_result *r)
{
	struct sql_bring *b = ctx;

	if (r->fault != SQL_FAULT_NONE) {
		fail_leftovers(b, r);
		return;
	}
	b->page_last = r->rows < PAGE;
	for (size_t i = 0; i < r->rows && i < PAGE; i++) {
		struct sql_value v = sql_result_value(r, i, 0);
		struct addr a;

		if (!v.text)
			continue;
		v.len = trimmed(v);
		if (i + 1 == r->rows) {
			free(b->behind);
			b->behind = xstrndup(v.text, v.len);
		}
		if (!addr_parse(v.text, v.len, &a) ||
		    !sql_names_has(b->names, &a))
			b->page[b->page_count++] = xstrndup(v.text, v.len);
	}
	drop_page(b);
}

static void read_page(struct sql_bring *b)
{
	AUTO_FREE char *text =
	    sql_text_addresses(b->env.table, b->behind == NULL, PAGE);
	struct sql_value behind = { 0 };

	if (b->behind)
		behind = sql_value_of(b->behind);
	sql_session_run(
	    b->session, text, &behind, b->behind ? 1 : 0, on_page, b);
}

/* --- a slice ---------------------------------------------------------------
 */

/* A row of this time, s, or an older one is over now, ms. */
static int64_t over_at(const struct sql_bring *b, int64_t now)
{
	return (*b->env.table->columns[SQL_TIME] ? now - b->env.table->period
						 : now) /
	       MS;
}

static void next(struct sql_bring *b);

static void begin(struct sql_bring *b, bool single)
{
	b->put = b->drop = 0;
	b->single = single;
	b->nameless = b->transaction = false;
}

static void on_rolled_back(void *ctx, const struct sql_result *r)
{
	struct sql_bring *b = ctx;

	b->transaction = false;
	if (r->fault == SQL_FAULT_GONE) {
		over(b, r->fault, r->text);
	} else if (b->fault == SQL_FAULT_OTHER ||
		   b->fault == SQL_FAULT_DUPLICATE) {
		begin(b, true);
		next(b);
	} else {
		over(b, b->fault, b->why);
	}
}

static void fail(struct sql_bring *b, const struct sql_result *r)
{
	bool value =
	    r->fault == SQL_FAULT_OTHER || r->fault == SQL_FAULT_DUPLICATE;

	b->fault = r->fault;
	(void)snprintf(b->why, sizeof(b->why), "%s", r->text);
	if (r->fault == SQL_FAULT_GONE || r->fault == SQL_FAULT_LOGIN) {
		over(b, r->fault, r->text);
	} else if (b->transaction) {
		sql_session_run(
		    b->session, "ROLLBACK", NULL, 0, on_rolled_back, b);
	} else if (value && !b->single) {
		begin(b, true);
		next(b);
	} else if (value && !b->nameless && b->put < b->rows.put_count) {
		b->nameless = true;
		b->env.left_out->names++;
		next(b);
	} else {
		over(b, r->fault, b->why);
	}
}

static void on_put(void *ctx, const struct sql_result *r)
{
	struct sql_bring *b = ctx;

	if (r->fault != SQL_FAULT_NONE) {
		fail(b, r);
		return;
	}
	b->put += b->single ? 1 : sql_rows_group(b->rows.put_count - b->put);
	b->nameless = false;
	next(b);
}

static void on_dropped(void *ctx, const struct sql_result *r)
{
	struct sql_bring *b = ctx;

	if (r->fault != SQL_FAULT_NONE) {
		fail(b, r);
		return;
	}
	b->drop += b->single ? 1 : sql_rows_group(b->rows.drop_count - b->drop);
	next(b);
}

static void put_rows(struct sql_bring *b)
{
	size_t n = b->single ? 1 : sql_rows_group(b->rows.put_count - b->put);
	size_t each = sql_row_params(b->env.table), used = 0;
	struct sql_value *values =
	    xcalloc(n * each + SQL_COLUMNS, sizeof(*values));

	for (size_t i = 0; i < n; i++)
		used += sql_rows_params(b->env.table, b->env.look,
		    &b->rows.put[b->put + i], !b->nameless, values + used);
	sql_session_run(
	    b->session, text_for(b, true, n), values, used, on_put, b);
	free(values);
}

static void drop_rows(struct sql_bring *b)
{
	struct sql_value values[2 * SQL_ROWS_MAX];
	size_t n = b->single ? 1 : sql_rows_group(b->rows.drop_count - b->drop);
	size_t used = 0;

	for (size_t i = 0; i < n; i++) {
		const struct sql_lease_row *row = &b->rows.drop[b->drop + i];

		values[used++] = sql_value_of(row->address);
		if (b->written)
			values[used++] = sql_value_of(row->time);
	}
	sql_session_run(
	    b->session, text_for(b, false, n), values, used, on_dropped, b);
}

static void on_committed(void *ctx, const struct sql_result *r)
{
	struct sql_bring *b = ctx;

	if (r->fault != SQL_FAULT_NONE) {
		fail(b, r);
		return;
	}
	b->transaction = false;
	next(b);
}

static void on_begun(void *ctx, const struct sql_result *r)
{
	struct sql_bring *b = ctx;

	if (r->fault != SQL_FAULT_NONE) {
		fail(b, r);
		return;
	}
	b->transaction = true;
	next(b);
}

/* Everything of the slice is in the table. */
static void settle(struct sql_bring *b)
{
	if (b->written)
		sql_written_note(b->written, b->env.table, &b->rows);
	if (b->slice->snapshot && b->slice->last && !b->written)
		read_page(b);
	else
		over(b, SQL_FAULT_NONE, "");
}

/* One statement is a transaction by itself. */
static bool wants_transaction(const struct sql_bring *b)
{
	size_t puts = b->rows.put_count, drops = b->rows.drop_count;

	if (b->single || b->transaction || b->put || b->drop)
		return false;
	return !(drops == 0 && (puts == 0 || sql_rows_group(puts) == puts)) &&
	       !(puts == 0 && sql_rows_group(drops) == drops);
}

static void next(struct sql_bring *b)
{
	if (wants_transaction(b))
		sql_session_run(b->session,
		    b->env.table->engine == SQL_SQLITE ? "BEGIN IMMEDIATE"
						       : "BEGIN",
		    NULL, 0, on_begun, b);
	else if (b->drop < b->rows.drop_count)
		drop_rows(b); /* some are written anew */
	else if (b->put < b->rows.put_count)
		put_rows(b);
	else if (b->transaction)
		sql_session_run(b->session, "COMMIT", NULL, 0, on_committed, b);
	else
		settle(b);
}

void sql_bring_slice(struct sql_bring *b, const struct export_slice *slice)
{
	b->slice = slice;
	if (slice->snapshot && slice->first)
		sql_names_clear(b->names);
	for (size_t i = 0; slice->snapshot && !b->written && i < slice->count;
	     i++) {
		const struct export_change *c = &slice->changes[i];

		if (c->leased && sql_rows_is_row(b->env.table, c))
			sql_names_add(b->names, &c->lease.addr);
	}
	sql_rows_make(b->env.table, b->env.look, b->env.export, slice, &b->rows,
	    b->env.left_out);
	if (b->written)
		sql_written_bound(b->written, b->env.table,
		    over_at(b, slice->now.wall), &b->rows);
	begin(b, false);
	/* A slice without a row for the table; done() comes from the loop. */
	if (b->rows.put_count == 0 && b->rows.drop_count == 0)
		sql_session_run(b->session, "SELECT 1", NULL, 0, on_put, b);
	else
		next(b);
}

const struct sql_rows *sql_bring_rows(const struct sql_bring *b)
{
	return &b->rows;
}

/* --- what is over ----------------------------------------------------------
 */

static void purge(struct sql_bring *b);

static void on_purged(void *ctx, const struct sql_result *r)
{
	struct sql_bring *b = ctx;

	if (r->fault == SQL_FAULT_NONE && r->affected >= SQL_PURGE_MAX)
		purge(b);
	else
		over(b, r->fault, r->text);
}

static void purge(struct sql_bring *b)
{
	AUTO_FREE char *text = sql_text_purge(b->env.table);
	struct sql_value cutoff = sql_value_of(b->cutoff);

	sql_session_run(b->session, text, &cutoff, 1, on_purged, b);
}

void sql_bring_purge(struct sql_bring *b, int64_t now)
{
	if (b->written)
		sql_written_purge(b->written, over_at(b, now));
	if (!*b->env.table->columns[SQL_EXPIRY])
		now -= b->env.table->period;
	(void)snprintf(b->cutoff, sizeof(b->cutoff), "%" PRId64, now / MS);
	purge(b);
}

/* --- lifetime --------------------------------------------------------------
 */

struct sql_bring *sql_bring_new(
    const struct sql_bring_env *env, struct sql_session *session)
{
	struct sql_bring *b = xcalloc(1, sizeof(*b));

	b->env = *env;
	b->session = session;
	b->names = sql_names_new();
	if (env->table->shared)
		b->written = sql_written_new();
	return b;
}

void sql_bring_free(struct sql_bring **bp)
{
	struct sql_bring *b = *bp;

	*bp = NULL;
	if (!b)
		return;
	forget_texts(b);
	forget_page(b);
	free(b->behind);
	sql_names_free(&b->names);
	sql_written_free(&b->written);
	free(b);
}
