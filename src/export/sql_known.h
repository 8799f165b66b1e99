/* SPDX-License-Identifier: ISC */
/*
 * sql_known - what an export "sql" knows of its table: which addresses a
 * snapshot has named, and which times were written to a shared one; some bytes
 * for each. Pure but for the random numbers of its hashes. Called by:
 * sql_bring.c.
 */
#ifndef EXPORT_SQL_KNOWN_H
#define EXPORT_SQL_KNOWN_H
#include "sql_rows.h"

/* --- which addresses a snapshot has named --------------------------------- */

struct sql_names;
struct sql_names *sql_names_new(void);
void sql_names_free(struct sql_names **n);
void sql_names_clear(struct sql_names *n);
void sql_names_add(struct sql_names *n, const struct addr *a);
/* Not to be added to from here on. */
bool sql_names_has(struct sql_names *n, const struct addr *a);

/* --- which times were written to a shared table --------------------------- */

struct sql_written;
struct sql_written *sql_written_new(void);
void sql_written_free(struct sql_written **w);
/*
 * What goes gets its time, and what is to be shorter than it was goes before it
 * is written: only a row that nobody else has refreshed since. over: seconds;
 * rows that are not known go when they are as old as that.
 */
void sql_written_bound(const struct sql_written *w,
    const struct sql_table *table, int64_t over, struct sql_rows *rows);
/* These rows are in the table now. */
void sql_written_note(struct sql_written *w, const struct sql_table *table,
    const struct sql_rows *rows);
/* Forgets times up to this one, seconds. */
void sql_written_purge(struct sql_written *w, int64_t over);
/* How many are known. */
size_t sql_written_count(const struct sql_written *w);
#endif
