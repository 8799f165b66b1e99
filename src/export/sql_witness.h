/* SPDX-License-Identifier: ISC */
/*
 * sql_witness - whether a table is still the one that was written to, and holds
 * what was written to it last: its identity, one row that must be there, and
 * one that must not. Tables that were made anew or emptied, dumps that were
 * played back and writes that a server lost show by that. Called by:
 * export/sql.c.
 */
#ifndef EXPORT_SQL_WITNESS_H
#define EXPORT_SQL_WITNESS_H
#include "sql/session.h"
#include "sql_rows.h"

enum sql_witness_says {
	SQL_WITNESS_GOOD = 0,
	SQL_WITNESS_OTHER,  /* another table, or it was emptied */
	SQL_WITNESS_LOST,   /* it lacks what was written, or has what was not */
	SQL_WITNESS_UNKNOWN /* at a start: which rows are ours */
};

enum { SQL_IDENTITY_SIZE = 80 };

struct sql_witness {
	/* Set by who asks. done() comes from the loop; text is borrowed. */
	const struct sql_table *table;
	struct sql_session *session;
	void (*done)(void *ctx, enum sql_fault fault, const char *text,
	    enum sql_witness_says says);
	void *ctx;

	char identity[SQL_IDENTITY_SIZE]; /* "": not asked yet */
	char put[ADDR_TEXT_SIZE];         /* "": none */
	char put_time[SQL_TIME_TEXT];
	int64_t put_end; /* wall s */
	char drop[ADDR_TEXT_SIZE];
	/* While a question is under way. */
	int64_t now;
	bool begun, drops;
};

/* These rows are in the table now. */
void sql_witness_note(struct sql_witness *w, const struct sql_rows *rows);
void sql_witness_forget(struct sql_witness *w);
/* Asks. now: wall ms; begun: something was written to it, maybe before the
 * start. */
void sql_witness_ask(struct sql_witness *w, int64_t now, bool begun);
#endif
