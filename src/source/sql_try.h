/* SPDX-License-Identifier: ISC */
/*
 * sql_try - what the columns of a table are like that is only read, and
 * whether it may be. Called by: source/sql.c, `relaypass import`.
 */
#ifndef SOURCE_SQL_TRY_H
#define SOURCE_SQL_TRY_H
#include "sql/ask.h"
#include "sql_login.h"

enum { SQL_COLUMNS_PARAMS = 2 };

/* sql_text_columns() with its parameters. */
struct sql_columns {
	char *statement, *name;
	char schema[SQL_NAME_MAX + 1], part[SQL_NAME_MAX + 1];
	struct sql_value params[SQL_COLUMNS_PARAMS];
	size_t count;
};
void sql_columns_begin(struct sql_columns *c, const struct sql_table *table);
void sql_columns_end(struct sql_columns *c);

/* Looks at the table, and sets what sql_login_look() sets. -1 and *err:
 * EXIT_USER, with the statement that gives the right to read it when that is
 * missing, or EXIT_AGAIN. */
int sql_try_table(struct sql_ask *a, struct sql_table *table, struct err *err);
#endif
