/* SPDX-License-Identifier: ISC */
/*
 * roll - the leased addresses of one export, in memory, in the order of their
 * bytes. A slice is merged in one pass; a snapshot drops what it does not name.
 */
#ifndef EXPORT_ROLL_H
#define EXPORT_ROLL_H
#include "export.h"

struct roll;

struct roll_row {
	struct addr addr;
	uint8_t bits;       /* of its network, 128-bit form */
	bool named;         /* by the snapshot under way */
	int64_t end, login; /* wall ms: of the lease, of its last login */
	char *user;         /* NULL unless users are kept */
};

enum roll_change {
	ROLL_SAME = 0,
	ROLL_MEMBERS = 1, /* an address came or went */
	ROLL_DETAILS = 2  /* another end, login or user */
};

/* users: keeps their names, too. */
struct roll *roll_new(bool users);
void roll_free(struct roll **r);
/* Merges a slice; returns what it changed, ROLL_* or'ed. */
unsigned roll_apply(struct roll *r, const struct export_slice *slice);
size_t roll_count(const struct roll *r);
/* i < roll_count(); good until the next roll_apply(). */
const struct roll_row *roll_at(const struct roll *r, size_t i);
/* NULL when it is not on the roll. */
const struct roll_row *roll_find(const struct roll *r, const struct addr *a);
#endif
