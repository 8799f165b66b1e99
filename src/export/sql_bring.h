/* SPDX-License-Identifier: ISC */
/*
 * sql_bring - brings slices to a table, over a session: what has to be written
 * and deleted in one transaction, then, behind a snapshot, what the snapshot
 * did not name; and what purges rows that are over. One job at a time. Called
 * by: export/sql.c.
 */
#ifndef EXPORT_SQL_BRING_H
#define EXPORT_SQL_BRING_H
#include "sql/session.h"
#include "sql_rows.h"

struct sql_bring;

struct sql_bring_env {
	const struct sql_table *table;
	const struct sql_look *look; /* a good one, while a job is done */
	const struct export_env *export;
	struct sql_left_out *left_out;
	/* The job is done, or failed: for want of a table and the like, or
	 * because the connection is lost. Called from the loop, never from
	 * within the functions below. text is borrowed. */
	void (*done)(void *ctx, enum sql_fault fault, const char *text);
	void *ctx;
};

struct sql_bring *sql_bring_new(
    const struct sql_bring_env *env, struct sql_session *session);
void sql_bring_free(struct sql_bring **b);
/* The slice is borrowed until done(). */
void sql_bring_slice(struct sql_bring *b, const struct export_slice *slice);
/* Of the slice that is done. */
const struct sql_rows *sql_bring_rows(const struct sql_bring *b);
/* Deletes rows that are over at this wall time, ms. */
void sql_bring_purge(struct sql_bring *b, int64_t now);
#endif
