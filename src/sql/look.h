/* SPDX-License-Identifier: ISC */
/*
 * look - whether a table is what the export "sql" needs: there, with its
 * columns, of fitting types, a unique address that is wide enough, and the
 * rights; else which statement mends it. Pure: it says what to ask, and is told
 * the answers. Called by: export/sql.c, by a session and by sql/ask.h.
 */
#ifndef SQL_LOOK_H
#define SQL_LOOK_H
#include "text.h"

enum sql_look_verdict {
	SQL_LOOK_GOES_ON = 0, /* there is another statement */
	SQL_LOOK_GOOD,
	SQL_LOOK_NO_TABLE,
	SQL_LOOK_WRONG, /* err says it, and what to do */
	SQL_LOOK_FAILED /* the connection, or a statement, for now */
};

/* A right that is missing: on the table, to make it, on its schema. */
enum sql_look_right {
	SQL_LOOK_LACKS_TABLE,
	SQL_LOOK_LACKS_CREATE,
	SQL_LOOK_LACKS_SCHEMA
};

struct sql_look {
	struct sql_table *table;
	enum sql_look_verdict verdict;
	struct err err;
	bool tries;      /* set after begin: makes no table, but whether it
			  * could; SQL_LOOK_NO_TABLE: yes */
	bool created;    /* it made the table */
	size_t user_max; /* characters that the columns take; 0: any number */
	size_t source_max;
	bool user_null; /* it may be NULL */
	bool source_null;

	/* The statement to run; look.c's own but for reading. */
	char *statement;
	const struct sql_value *params;
	size_t count;
	int step;
	struct sql_table_params of;
	char denied[ERR_TEXT_SIZE];
	enum sql_look_right lacks;
	int right; /* enum sql_right, that is tried */
};

/* Begins; `statement` is the first. The table is borrowed, and its inet and
 * text_times are set. */
void sql_look_begin(struct sql_look *l, struct sql_table *table);
/* Takes the answer to `statement`: another one is there, or the verdict. */
void sql_look_take(struct sql_look *l, const struct sql_result *r);
void sql_look_end(struct sql_look *l);
#endif
