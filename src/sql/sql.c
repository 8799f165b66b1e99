/* SPDX-License-Identifier: ISC */
/*
 * sql - see the header.
 */
#include "sql.h"

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
