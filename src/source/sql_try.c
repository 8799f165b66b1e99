/* SPDX-License-Identifier: ISC */
/*
 * sql_try - see the header.
 */
#include "sql_try.h"

#include <stdlib.h>

#include "base/mem.h"
#include "sql/text.h"

void sql_columns_begin(struct sql_columns *c, const struct sql_table *table)
{
	bool one = table->engine == SQL_POSTGRESQL;

	c->statement = sql_text_columns(table->engine);
	c->name = sql_text_table(table);
	sql_table_parts(table, c->schema, c->part);
	c->params[0] = sql_value_of(one ? c->name : c->schema);
	c->params[1] = sql_value_of(c->part);
	c->count = one ? 1 : SQL_COLUMNS_PARAMS;
}

void sql_columns_end(struct sql_columns *c)
{
	free(c->statement);
	free(c->name);
	c->statement = c->name = NULL;
}

static const char *text_of(const void *ctx, size_t row, size_t column)
{
	return sql_ask_text(ctx, row, column);
}

/* 0: it may; 1: the right is missing, and *err says how to give it; -1: *err
 * says what else is wrong. */
static int try_to_read(struct sql_ask *a, const struct sql_table *table,
    const char *name, struct err *err)
{
	AUTO_FREE char *since = sql_login_since(table, 1);
	const char *account = sql_text_account(table->engine);
	const struct sql_value zero = sql_value_of("0");
	enum sql_fault fault = sql_ask_run(a, since, &zero, 1, err);
	struct err other;

	if (fault == SQL_FAULT_NONE)
		return 0;
	if (fault != SQL_FAULT_DENIED || !account ||
	    sql_ask_run(a, account, NULL, 0, &other) != SQL_FAULT_NONE)
		return -1;
	(void)err_set(err, EXIT_USER,
	    "the right to read the table is missing; run: GRANT SELECT ON %s "
	    "TO %s;",
	    name, sql_ask_text(a, 0, 0));
	return 1;
}

static int look(struct sql_ask *a, struct sql_table *table,
    const struct sql_columns *c, struct err *err)
{
	struct sql_login_answer found = { 0, text_of, a };
	enum sql_fault fault =
	    sql_ask_run(a, c->statement, c->params, c->count, err);

	if (fault != SQL_FAULT_NONE)
		return -1;
	found.rows = sql_ask_rows(a);
	/* MariaDB shows no columns of a table that one may not read. */
	if (found.rows == 0 && try_to_read(a, table, c->name, err) == 1)
		return -1;
	if (sql_login_look(table, &found, err) < 0)
		return -1;
	return try_to_read(a, table, c->name, err) == 0 ? 0 : -1;
}

int sql_try_table(struct sql_ask *a, struct sql_table *table, struct err *err)
{
	struct sql_columns c;
	int result;

	sql_columns_begin(&c, table);
	result = look(a, table, &c, err);
	sql_columns_end(&c);
	return result;
}
