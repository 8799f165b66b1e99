/* SPDX-License-Identifier: ISC */
/*
 * stream_ids - which rows of a table with a sequence have been read. The order
 * of ids is not that of commits: a row may appear behind ones that were read
 * already. All that can do so are the gaps between ids, so these are kept, and
 * asked for again until they are older than any transaction that we wait for.
 * Pure. Called by: source/sql_stream.c.
 */
#ifndef SOURCE_STREAM_IDS_H
#define SOURCE_STREAM_IDS_H
#include <stddef.h>
#include <stdint.h>

enum {
	STREAM_GAPS_MAX = 1024,
	/* Writers give a statement up after a minute at most (`timeout`), and
	 * say it again. */
	STREAM_GAP_MS = 90 * 1000,
	STREAM_GAPS_TEXT = 2 + STREAM_GAPS_MAX * 21
};

struct stream_gap {
	int64_t first, last;
	int64_t
	    since; /* monotonic ms; when its rows were begun at the latest */
};

struct stream_ids {
	int64_t high; /* the highest id that was read */
	size_t count;
	struct stream_gap gaps[STREAM_GAPS_MAX]; /* by id */
};

/* All up to this id have been read. */
void stream_ids_begin(struct stream_ids *s, int64_t high);
/* The next row behind the highest; age: of the row, ms; now: monotonic ms. */
void stream_ids_next(
    struct stream_ids *s, int64_t id, int64_t age, int64_t now);
/* A row of a gap. */
void stream_ids_late(struct stream_ids *s, int64_t id);
/* The gaps were asked for at `asked`, and had no more: the old ones go. */
void stream_ids_asked(struct stream_ids *s, int64_t asked);
/* All up to this id have been read, or never will be. */
int64_t stream_ids_whole(const struct stream_ids *s);
/* First and last ids as arrays: "{7,12}". */
void stream_ids_print(const struct stream_ids *s,
    char first[static STREAM_GAPS_TEXT], char last[static STREAM_GAPS_TEXT]);
#endif
