/* SPDX-License-Identifier: ISC */
/*
 * sql_witness - whether a table still holds what was written to it last: one
 * row that must be there, and one that must not. Emptied tables, dumps that
 * were played back and writes that a server lost show by that. Called by:
 * export/sql.c.
 */
#ifndef EXPORT_SQL_WITNESS_H
#define EXPORT_SQL_WITNESS_H
#include "sql/session.h"
#include "sql_rows.h"

struct sql_witness {
	char put[ADDR_TEXT_SIZE]; /* "": none */
	char put_time[SQL_TIME_TEXT];
	int64_t put_end; /* wall s */
	char drop[ADDR_TEXT_SIZE];
	/* While a question is under way. */
	const struct sql_table *table;
	struct sql_session *session;
	bool lax, drops;
	void (*done)(
	    void *ctx, enum sql_fault fault, const char *text, bool lost);
	void *ctx;
};

/* These rows are in the table now. */
void sql_witness_note(struct sql_witness *w, const struct sql_table *table,
    const struct sql_rows *rows);
void sql_witness_forget(struct sql_witness *w);
/* Asks; done() comes from the loop, or at once when there is nothing to ask.
 * lax: others write to the table, too. now: wall ms. */
void sql_witness_ask(struct sql_witness *w, int64_t now, bool lax);
#endif
