/* SPDX-License-Identifier: ISC */
/*
 * sql_seen - which rows of a table were taken already. The source "sql" reads
 * the last minute or so of a table again and again, for rows that are committed
 * late; those of one reading are all that the next one has to know. Pure.
 */
#ifndef SOURCE_SQL_SEEN_H
#define SOURCE_SQL_SEEN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* More than so many are not remembered, and taken again: a login that is told
 * twice changes nothing. */
enum { SQL_SEEN_MAX = 500000 };

struct sql_seen;

struct sql_seen *sql_seen_new(void);
void sql_seen_free(struct sql_seen **s);
/* Remembers the row. True: it was known. */
bool sql_seen_take(struct sql_seen *s, uint64_t row);
/* A reading begins; a whole one: rows that it does not take are forgotten at
 * its end. */
void sql_seen_begin(struct sql_seen *s, bool whole);
/* It has come to its end. Otherwise nothing is forgotten. */
void sql_seen_end(struct sql_seen *s);
#endif
