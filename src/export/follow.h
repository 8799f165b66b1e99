/* SPDX-License-Identifier: ISC */
/*
 * follow - which leases changed, for one export: a snapshot of the ledger in
 * slices, then the journal. The journal only tells which keys changed; what is
 * told of them is what the ledger holds now, so that a change told twice, or
 * told late, does no harm. A snapshot's leases come before its revocations.
 * Called by: daemon/exporter.c.
 */
#ifndef EXPORT_FOLLOW_H
#define EXPORT_FOLLOW_H
#include "export.h"

enum {
	SEQUENCE_SIZE = 8,
	FOLLOW_NODE_SIZE = 16,
	FOLLOW_CURSOR_SIZE = SEQUENCE_SIZE + FOLLOW_NODE_SIZE
};

struct follow_journal; /* one export's place in it */

/* The number of the last journal row that a cursor's export is done with;
 * false: it has to begin with a snapshot. */
bool follow_sequence(
    const uint8_t *cursor, size_t len, const char *node, uint64_t *sequence_r);
/* What a kind wants; see export_kind. */
struct follow_wants {
	bool by_user, revocations;
};
/* cursor: what was committed, of len bytes; NULL or unsound: it begins with a
 * snapshot. */
struct follow_journal *follow_new(struct follow_wants wants,
    const uint8_t *cursor, size_t len, const char *node);
void follow_free(struct follow_journal **f);
/* Whether a snapshot comes first, or goes on. */
bool follow_in_snapshot(const struct follow_journal *f);
/*
 * Fills *out with the next changes after those that are done; inside a read of
 * l. 1: there are some, or a snapshot came to its end; 0: nothing is new; -1:
 * the ledger cannot be read.
 */
int follow_next(struct follow_journal *f, struct ledger *l, struct moment now,
    struct export_slice *out);
/* The target holds what the last follow_next() gave. True: the cursor has
 * moved, and out holds it. */
bool follow_done(
    struct follow_journal *f, uint8_t out[static FOLLOW_CURSOR_SIZE]);
/* The target lost what it held: a snapshot comes next, whatever is done. */
void follow_restart(struct follow_journal *f);
/* How many rows of the journal wait, inside a read; in a snapshot: all leases.
 */
uint64_t follow_behind(const struct follow_journal *f, struct ledger *l);
/* It does not: the next call gives them again. */
void follow_again(struct follow_journal *f);
#endif
