/* SPDX-License-Identifier: ISC */
/* ledger_many - numbered rows that all hold one end, committed in batches. */
#ifndef TESTS_UNIT_LEDGER_MANY_H
#define TESTS_UNIT_LEDGER_MANY_H
#include "ledger_dir.h"

static inline struct lease numbered(uint32_t i, struct moment end)
{
	struct lease row = lease_of("192.0.2.1", "user@example.org", end);

	row.addr.bytes[13] = (uint8_t)(i >> 16);
	row.addr.bytes[14] = (uint8_t)(i >> 8);
	row.addr.bytes[15] = (uint8_t)i;
	return row;
}

/* Commits rows [from, from + n). */
static inline int put_many(
    struct ledger *l, uint32_t from, uint32_t n, struct moment end)
{
	if (ledger_begin(l, t0, &err) < 0)
		return -1;
	for (uint32_t i = from; i < from + n; i++) {
		struct lease row = numbered(i, end);

		ledger_put(l, &row);
	}
	return ledger_commit(l, &err);
}

/* The same, as often as the map grows; how often that was. */
static inline int put_again(
    struct ledger *l, uint32_t from, uint32_t n, struct moment end)
{
	int repeats = 0;

	while (put_many(l, from, n, end) < 0) {
		if (err.code != EXIT_AGAIN)
			return -1;
		repeats++;
	}
	return repeats;
}

static inline int end_is(void *ctx, const struct lease *row)
{
	const struct moment *end = ctx;

	return row->end.wall != end->wall || row->end.boot != end->boot;
}

/* All rows hold this end. */
/* Do all rows hold this end? */
static inline bool all_end_at(struct ledger *l, struct moment end)
{
	int rc;

	if (ledger_read_begin(l, &err) < 0)
		return false;
	rc = ledger_each(l, NULL, end_is, &end);
	ledger_read_end(l);
	return rc == 0;
}
#endif
