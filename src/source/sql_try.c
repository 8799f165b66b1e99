/* SPDX-License-Identifier: ISC */
/*
 * sql_try - see the header.
 */
#include "sql_try.h"

#include <stdlib.h>

#include "base/mem.h"
#include "sql/text.h"

/* 0: it may; 1: the right is missing, and *err says how to give it; -1: *err
 * says what else is wrong. */
static int try_to_read(
    struct sql_ask *a, const struct sql_table *table, struct err *err)
{
	AUTO_FREE char *name = sql_text_table(table);
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

int sql_try_table(struct sql_ask *a, struct sql_table *table, struct err *err)
{
	struct sql_table_params p;
	const struct sql_result *columns;

	sql_table_params(table, &p);
	if (sql_ask_run(a, sql_text_columns(table->engine), p.values, p.count,
		err) != SQL_FAULT_NONE)
		return -1;
	columns = sql_ask_result(a);
	/* MariaDB shows no columns of a table that one may not read. */
	if (columns->rows == 0) {
		static const struct sql_result none;

		if (try_to_read(a, table, err) == 1)
			return -1;
		columns = &none;
	}
	if (sql_login_look(table, columns, err) < 0)
		return -1;
	return try_to_read(a, table, err) == 0 ? 0 : -1;
}
