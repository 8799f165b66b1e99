/* SPDX-License-Identifier: ISC */
/*
 * sql_witness - see the header.
 */
#include "sql_witness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "sql/ask.h"
#include "sql/text.h"

enum { MS = 1000, BASE = 10 };

static bool has(const struct sql_row *rows, size_t n, const char *address)
{
	for (size_t i = 0; *address && i < n; i++)
		if (strcmp(rows[i].address, address) == 0)
			return true;
	return false;
}

void sql_witness_note(struct sql_witness *w, const struct sql_table *table,
    const struct sql_rows *rows)
{
	if (has(rows->drop, rows->drop_count, w->put))
		*w->put = '\0';
	if (has(rows->put, rows->put_count, w->drop))
		*w->drop = '\0';
	if (rows->put_count) {
		const struct sql_row *last = &rows->put[rows->put_count - 1];

		memcpy(w->put, last->address, sizeof(w->put));
		memcpy(w->put_time,
		    *table->columns[SQL_TIME] ? last->time : last->end,
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

static void ask(struct sql_witness *w, bool drop);

static bool is_none(const struct sql_result *r, size_t column)
{
	struct sql_value v = sql_result_value(r, 0, column);

	return !v.text || strcmp(v.text, "0") == 0;
}

static void on_answer(void *ctx, const struct sql_result *r)
{
	struct sql_witness *w = ctx;
	bool lost;

	if (r->fault != SQL_FAULT_NONE || r->rows == 0) {
		w->done(w->ctx, r->fault, r->text, false);
		return;
	}
	lost = w->drops ? !is_none(r, 0) : is_none(r, w->lax ? 0 : 1);
	if (!lost && !w->drops && *w->drop && !w->lax)
		ask(w, true);
	else
		w->done(w->ctx, SQL_FAULT_NONE, "", lost);
}

static void ask(struct sql_witness *w, bool drop)
{
	AUTO_FREE char *text = sql_text_witness(w->table);
	const struct sql_value values[] = { sql_value_of(
						drop ? "0" : w->put_time),
		sql_value_of(drop ? w->drop : w->put) };

	w->drops = drop;
	sql_session_run(
	    w->session, text, values, COUNT_OF(values), on_answer, w);
}

void sql_witness_ask(struct sql_witness *w, int64_t now, bool lax)
{
	w->lax = lax;
	/* A row that is over is purged by anybody. */
	if (*w->put && w->put_end > now / MS + 1)
		ask(w, false);
	else if (*w->drop && !lax)
		ask(w, true);
	else
		w->done(w->ctx, SQL_FAULT_NONE, "", false);
}
