/* SPDX-License-Identifier: ISC */
/*
 * sql_try - what the columns of a table are like that is only read, and
 * whether it may be. Called by: source/sql.c, `relaypass import`.
 */
#ifndef SOURCE_SQL_TRY_H
#define SOURCE_SQL_TRY_H
#include "sql/ask.h"
#include "sql_login.h"

/* Looks at the table, and sets what sql_login_look() sets. -1 and *err:
 * EXIT_USER, with the statement that gives the right to read it when that is
 * missing, or EXIT_AGAIN. */
int sql_try_table(struct sql_ask *a, struct sql_table *table, struct err *err);
#endif
