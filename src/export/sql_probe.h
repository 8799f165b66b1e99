/* SPDX-License-Identifier: ISC */
/*
 * sql_probe - the test of an export "sql" before a start: connects and looks,
 * waiting, and changes nothing. Called by: export/sql.c.
 */
#ifndef EXPORT_SQL_PROBE_H
#define EXPORT_SQL_PROBE_H
#include "sql/table.h"

/* -1 and *err, see export_kind.test. */
int sql_probe(const struct sql_engine *engine, const struct sql_place *place,
    const struct sql_table *table, struct err *err);
#endif
