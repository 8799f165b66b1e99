/* SPDX-License-Identifier: ISC */
/*
 * sql_mark - the word that an export "sql-stream" leaves in the table with each
 * slice, to see whether the table still is as it left it, and whether somebody
 * else writes as the same node. Pure. Called by: export/sql_stream.c.
 */
#ifndef EXPORT_SQL_MARK_H
#define EXPORT_SQL_MARK_H
#include <stdbool.h>

#include "sql/sql.h"

enum { SQL_MARK_SIZE = 64 };

struct sql_mark {
	uint64_t run, slices; /* of this process, and how many it has written */
	int64_t rival_at;     /* ms: when another's was found last; 0: never */
	int64_t pause;        /* ms, until ours is set behind it */
};

enum sql_marked {
	SQL_MARK_GOOD,
	SQL_MARK_LOST, /* there is none, or an older one of this run */
	/* Of another run: an older table, or another process that writes as
	 * this node. */
	SQL_MARK_OTHER
};

/* "mark RUN SLICES", so many slices ahead of what is written. */
struct sql_value sql_mark_value(
    const struct sql_mark *m, unsigned ahead, char out[static SQL_MARK_SIZE]);
/* found: "" for none. Nobody may have seen the end of the last slice. */
enum sql_marked sql_mark_compare(const struct sql_mark *m, const char *found);
/* Another's was found, now, ms. */
void sql_mark_count(struct sql_mark *m, int64_t now);
/* So often, one soon after another, that it is no older table. */
bool sql_mark_has_rival(const struct sql_mark *m);
/* Ours may be set: at longer and longer intervals while there is a rival. */
bool sql_mark_may_set(const struct sql_mark *m, int64_t now);
/* Ours was found. True once: the rival has been silent for long enough. */
bool sql_mark_is_over(struct sql_mark *m, int64_t now);
#endif
