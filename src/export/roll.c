/* SPDX-License-Identifier: ISC */
/*
 * roll - the leased addresses of one export.
 *
 * A sorted array: a renewal finds its row by halving and moves nothing. What
 * goes is taken out in one pass forward, what comes is put in by one pass from
 * the back, so a slice costs at most two moves of the rows behind its first
 * change, however many it brings; a snapshot, whose rows come in order, only
 * appends.
 */
#include "roll.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "order.h"

enum { ROLL_FIRST_ROOM = 64 };

struct roll {
	bool users;
	struct roll_row *rows;
	size_t count, room;
};

/* The changes of one slice, in the order of their addresses. */
struct changes {
	const void *list[EXPORT_SLICE]; /* struct export_change */
	size_t count;
	unsigned changed;
};

struct roll *roll_new(bool users)
{
	struct roll *r = xcalloc(1, sizeof(*r));

	r->users = users;
	return r;
}

void roll_free(struct roll **rp)
{
	struct roll *r = *rp;

	*rp = NULL;
	if (!r)
		return;
	for (size_t i = 0; i < r->count; i++)
		free(r->rows[i].user);
	free(r->rows);
	free(r);
}

size_t roll_count(const struct roll *r)
{
	return r->count;
}

const struct roll_row *roll_at(const struct roll *r, size_t i)
{
	must(i < r->count);
	return &r->rows[i];
}

static int compare(const struct addr *a, const struct addr *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

/* The first row from `low` on that is not before a. */
static size_t place_of(const struct roll *r, size_t low, const struct addr *a)
{
	size_t high = r->count;

	/* In a snapshot each comes behind the last. */
	if (high > low && compare(&r->rows[high - 1].addr, a) < 0)
		return high;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare(&r->rows[middle].addr, a) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_at(const struct roll *r, size_t i, const struct addr *a)
{
	return i < r->count && addr_equal(&r->rows[i].addr, a);
}

const struct roll_row *roll_find(const struct roll *r, const struct addr *a)
{
	size_t i = place_of(r, 0, a);

	return is_at(r, i, a) ? &r->rows[i] : NULL;
}

/* --- a slice ---------------------------------------------------------------
 */

static bool has_user(const struct roll_row *row, const struct lease *lease)
{
	return strlen(row->user) == lease->user_len &&
	       memcmp(row->user, lease->user, lease->user_len) == 0;
}

/* Writes a lease into its row; true: something is other than it was. */
static bool set_row(
    const struct roll *r, struct roll_row *row, const struct lease *lease)
{
	bool same = row->bits == lease->bits && row->end == lease->end.wall &&
		    row->login == lease->last_login &&
		    (!r->users || (row->user && has_user(row, lease)));

	row->named = true;
	if (same)
		return false;
	row->addr = lease->addr;
	row->bits = lease->bits;
	row->end = lease->end.wall;
	row->login = lease->last_login;
	if (r->users) {
		free(row->user);
		row->user = xstrndup(lease->user, lease->user_len);
	}
	return true;
}

static int by_address(const void *a, const void *b)
{
	const struct export_change *x = a, *y = b;

	return compare(&x->lease.addr, &y->lease.addr);
}

/* A key that changed twice is told twice, the same both times. */
static void sort_changes(struct changes *c)
{
	size_t kept = 0;

	order_pointers(c->list, c->count, by_address);
	for (size_t i = 0; i < c->count; i++)
		if (kept == 0 || by_address(c->list[kept - 1], c->list[i]))
			c->list[kept++] = c->list[i];
	c->count = kept;
}

/* Moves up what stays: all but the rows that are marked by no bits. */
static void take_out(struct roll *r, size_t from)
{
	size_t to = from;

	for (size_t i = from; i < r->count; i++) {
		if (r->rows[i].bits == 0)
			free(r->rows[i].user);
		else
			r->rows[to++] = r->rows[i];
	}
	r->count = to;
}

/* What is there already is changed where it stands, or marked to go; the rest
 * stays in c->list. */
static void change_rows(struct roll *r, struct changes *c)
{
	size_t at = 0, fresh = 0, first_gone = SIZE_MAX;

	for (size_t i = 0; i < c->count; i++) {
		const struct export_change *change = c->list[i];

		at = place_of(r, at, &change->lease.addr);
		if (!is_at(r, at, &change->lease.addr)) {
			if (change->leased)
				c->list[fresh++] = change;
			continue;
		}
		if (change->leased) {
			if (set_row(r, &r->rows[at], &change->lease))
				c->changed |= ROLL_DETAILS;
			continue;
		}
		r->rows[at].bits = 0;
		if (first_gone == SIZE_MAX)
			first_gone = at;
	}
	c->count = fresh;
	if (first_gone == SIZE_MAX)
		return;
	take_out(r, first_gone);
	c->changed |= ROLL_MEMBERS;
}

/* From the back, so that each row moves once. */
static void put_in(struct roll *r, struct changes *c)
{
	size_t old = r->count, to = r->count + c->count;

	if (c->count == 0)
		return;
	if (to > r->room) {
		r->room = 2 * to > ROLL_FIRST_ROOM ? 2 * to : ROLL_FIRST_ROOM;
		r->rows = xrealloc(r->rows, r->room, sizeof(*r->rows));
	}
	r->count = to;
	for (size_t i = c->count; i-- > 0;) {
		const struct export_change *change = c->list[i];
		const struct lease *lease = &change->lease;

		while (old > 0 &&
		       compare(&r->rows[old - 1].addr, &lease->addr) > 0)
			r->rows[--to] = r->rows[--old];
		memset(&r->rows[--to], 0, sizeof(*r->rows));
		(void)set_row(r, &r->rows[to], lease);
	}
	c->changed |= ROLL_MEMBERS;
}

static unsigned drop_unnamed(struct roll *r)
{
	size_t before = r->count;

	for (size_t i = 0; i < r->count; i++)
		if (!r->rows[i].named)
			r->rows[i].bits = 0;
	take_out(r, 0);
	return r->count == before ? ROLL_SAME : ROLL_MEMBERS;
}

unsigned roll_apply(struct roll *r, const struct export_slice *slice)
{
	struct changes c = { .count = slice->count };

	for (size_t i = 0; slice->first && i < r->count; i++)
		r->rows[i].named = false;
	for (size_t i = 0; i < slice->count; i++)
		c.list[i] = &slice->changes[i];
	sort_changes(&c);
	change_rows(r, &c);
	put_in(r, &c);
	if (slice->snapshot && slice->last)
		c.changed |= drop_unnamed(r);
	return c.changed;
}
