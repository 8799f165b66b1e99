/* SPDX-License-Identifier: ISC */
/*
 * sql - see the header.
 */
#include "sql.h"

#include <stdlib.h>
#include <string.h>

#include "base/module.h"

const char *sql_engine_name(enum sql_engine_id id)
{
	static const char *const names[] = { [SQL_POSTGRESQL] = "postgresql",
		[SQL_MARIADB] = "mariadb",
		[SQL_SQLITE] = "sqlite" };

	return names[id];
}

const struct sql_engine *sql_engine_load(enum sql_engine_id id, struct err *err)
{
	const struct sql_engine *e = module_load(sql_engine_name(id), err);

	return e && e->prepare(err) == 0 ? e : NULL;
}

struct sql_value sql_result_value(
    const struct sql_result *r, size_t row, size_t column)
{
	return r->engine->value(r->conn, row, column);
}

const char *sql_result_text(
    const struct sql_result *r, size_t row, size_t column)
{
	const char *text = sql_result_value(r, row, column).text;

	return text ? text : "";
}

int64_t sql_result_number(const struct sql_result *r, size_t row, size_t column)
{
	enum { DECIMAL = 10 };

	return strtoll(sql_result_text(r, row, column), NULL, DECIMAL);
}

struct sql_value sql_value_of(const char *text)
{
	return (struct sql_value){ text, text ? strlen(text) : 0 };
}
