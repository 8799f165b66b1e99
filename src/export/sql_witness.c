/* SPDX-License-Identifier: ISC */
/*
 * sql_witness - see the header.
 */
#include "sql_witness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "sql/text.h"

enum { MS = 1000, BASE = 10 };

static bool has(const struct sql_lease_row *rows, size_t n, const char *address)
{
	for (size_t i = 0; *address && i < n; i++)
		if (strcmp(rows[i].address, address) == 0)
			return true;
	return false;
}

void sql_witness_note(struct sql_witness *w, const struct sql_rows *rows)
{
	if (has(rows->drop, rows->drop_count, w->put))
		*w->put = '\0';
	if (has(rows->put, rows->put_count, w->drop))
		*w->drop = '\0';
	if (rows->put_count) {
		const struct sql_lease_row *last =
		    &rows->put[rows->put_count - 1];

		memcpy(w->put, last->address, sizeof(w->put));
		memcpy(w->put_time,
		    *w->table->columns[SQL_TIME] ? last->time : last->end,
		    sizeof(w->put_time));
		w->put_end = strtoll(last->end, NULL, BASE);
	}
	if (rows->drop_count)
		memcpy(w->drop, rows->drop[rows->drop_count - 1].address,
		    sizeof(w->drop));
}

void sql_witness_forget(struct sql_witness *w)
{
	*w->put = *w->drop = '\0';
}

static void say(struct sql_witness *w, enum sql_witness_says says)
{
	w->done(w->ctx, SQL_FAULT_NONE, "", says);
}

/* True: the statement failed, and that is told. */
static bool failed(struct sql_witness *w, const struct sql_result *r)
{
	if (r->fault != SQL_FAULT_NONE)
		w->done(w->ctx, r->fault, r->text, SQL_WITNESS_GOOD);
	return r->fault != SQL_FAULT_NONE;
}

/* --- rows --- */

static void ask_row(struct sql_witness *w, bool drop);

static bool is_none(const struct sql_result *r, size_t column)
{
	return sql_result_number(r, 0, column) == 0;
}

static void on_row(void *ctx, const struct sql_result *r)
{
	struct sql_witness *w = ctx;
	bool lax = w->table->shared, lost;

	if (failed(w, r))
		return;
	lost = r->rows && (w->drops ? !is_none(r, 0) : is_none(r, lax ? 0 : 1));
	if (!lost && !w->drops && *w->drop && !lax)
		ask_row(w, true);
	else
		say(w, lost ? SQL_WITNESS_LOST : SQL_WITNESS_GOOD);
}

static void ask_row(struct sql_witness *w, bool drop)
{
	AUTO_FREE char *text = sql_text_witness(w->table);
	const struct sql_value values[] = { sql_value_of(
						drop ? "0" : w->put_time),
		sql_value_of(drop ? w->drop : w->put) };

	w->drops = drop;
	sql_session_run(w->session, text, values, COUNT_OF(values), on_row, w);
}

static void ask_rows(struct sql_witness *w)
{
	/* A row that is over is purged by anybody. */
	if (*w->put && w->put_end > w->now / MS + 1)
		ask_row(w, false);
	else if (*w->drop && !w->table->shared)
		ask_row(w, true);
	else
		say(w, SQL_WITNESS_GOOD);
}

/* --- the table --- */

static void on_any_row(void *ctx, const struct sql_result *r)
{
	struct sql_witness *w = ctx;

	if (!failed(w, r))
		say(w, r->rows ? SQL_WITNESS_GOOD : SQL_WITNESS_OTHER);
}

/* It may have been emptied while nobody looked. */
static void ask_any_row(struct sql_witness *w)
{
	AUTO_FREE char *text = sql_text_addresses(w->table, true, 1);

	sql_session_run(w->session, text, NULL, 0, on_any_row, w);
}

static void on_identity(void *ctx, const struct sql_result *r)
{
	struct sql_witness *w = ctx;
	bool first = !*w->identity, other;
	const char *text;

	if (failed(w, r))
		return;
	if (r->rows == 0) {
		w->done(w->ctx, SQL_FAULT_NO_TABLE, "the table is gone",
		    SQL_WITNESS_GOOD);
		return;
	}
	text = sql_result_text(r, 0, 0);
	text = *text ? text : "none";
	other = !first && strcmp(text, w->identity) != 0;
	(void)snprintf(w->identity, sizeof(w->identity), "%s", text);
	if (other)
		say(w, SQL_WITNESS_OTHER);
	else if (!first || !w->begun)
		ask_rows(w);
	else if (w->table->shared)
		say(w, SQL_WITNESS_UNKNOWN);
	else
		ask_any_row(w);
}

void sql_witness_ask(struct sql_witness *w, int64_t now, bool begun)
{
	struct sql_table_params params;

	w->now = now;
	w->begun = begun;
	sql_table_params(w->table, &params);
	sql_session_run(w->session, sql_text_identity(w->table->engine),
	    params.values, params.count, on_identity, w);
}
