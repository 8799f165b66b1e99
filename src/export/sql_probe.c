/* SPDX-License-Identifier: ISC */
/*
 * sql_probe - see the header.
 */
#include "sql_probe.h"

#include <sys/stat.h>

#include "base/role.h"
#include "sql/ask.h"
#include "sql/look.h"

/* Looks at the table as the export would, but makes nothing. */
static int look_once(struct sql_ask *a, const struct sql_table *of,
    struct sql_look *l, struct err *err)
{
	struct sql_table table = *of;

	sql_look_begin(l, &table);
	l->tries = true;
	while (l->verdict == SQL_LOOK_GOES_ON) {
		(void)sql_ask_run(a, l->statement, l->params, l->count, NULL);
		sql_look_take(l, sql_ask_result(a));
	}
	if (l->verdict == SQL_LOOK_GOOD ||
	    (l->verdict == SQL_LOOK_NO_TABLE && of->create))
		return 0;
	*err = l->err;
	return -1;
}

int sql_probe(const struct sql_engine *engine, const struct sql_place *of,
    const struct sql_table *table, struct err *err)
{
	struct sql_place place = *of;
	struct sql_look look = { 0 };
	struct sql_ask *a;
	struct stat st;
	int rc;

	place.create = false;
	if (table->create && table->engine == SQL_SQLITE &&
	    stat(place.database, &st) < 0)
		return 0; /* it will be made */
	a = sql_ask_open(engine, &place, CONNECTOR_TEST_MS, err);
	if (!a)
		return -1;
	rc = look_once(a, table, &look, err);
	sql_look_end(&look);
	sql_ask_close(&a);
	return rc;
}
