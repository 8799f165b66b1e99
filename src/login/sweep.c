/* SPDX-License-Identifier: ISC */
/*
 * sweep - the end of leases: the paced walk over all rows, and the wheel with
 * what falls due next. Called by the keeper.
 *
 * Look-ups compare ends themselves, so nothing here makes an answer right; the
 * goal is that rows go away, and that exports hear of an end within a second.
 * There is no index by end on disk, since it would halve the rate of writing.
 * The walk looks at a bounded number of rows a call, stops between addresses,
 * deletes behind itself, and puts what ends within two minutes into the wheel,
 * so one round a minute misses nothing. What does not fit into the wheel, or
 * falls due because the wall clock was set, is found by the next round.
 *
 * Only the boot clock deletes. An end by the wall clock alone is told and
 * marked (LEASE_TOLD): the clock may be set back, and then the lease lives.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "parts.h"

struct walk {
	struct apply *apply;
	struct moment now;
	size_t left;      /* rows to look at */
	bool stopped;     /* before the last row of the table */
	struct addr last; /* address of the row before */
	bool has_last;
	struct lease *rows; /* that need a write */
	size_t count, size;
};

/* As look-ups allow between two processes' idea of now. */
enum { SLACK_MS = 60000 };
enum { WRITES_MAX = 1024 }; /* in one call, so that no commit grows long */

/* Tells an end by one clock once; true when it was told now. */
static bool tell(struct lease *l, apply_ended_fn *fn, void *ctx)
{
	if (l->flags & LEASE_TOLD)
		return false;
	if (fn)
		fn(ctx, l);
	return true;
}

/* Its end and what was told of it do not go together. */
static bool is_unsettled(const struct lease *l, struct moment now)
{
	bool told = l->flags & LEASE_TOLD;

	return now.boot >= l->end.boot || told != (now.wall >= l->end.wall);
}

/* Ends, marks or unmarks one row; true when its end was told now. */
static bool settle(struct apply *a, struct lease *l, struct moment now,
    apply_ended_fn *fn, void *ctx)
{
	bool told = false;

	if (!is_unsettled(l, now)) {
		ledger_put(a->ledger, l);
		return false;
	}
	if (now.boot >= l->end.boot) {
		told = tell(l, fn, ctx);
		ledger_delete(a->ledger, l);
		return told;
	}
	if (now.wall >= l->end.wall) {
		told = tell(l, fn, ctx);
		l->flags |= LEASE_TOLD;
	} else {
		l->flags &= (uint8_t)~LEASE_TOLD;
	}
	ledger_put(a->ledger, l);
	return told;
}

/* The ttl was made shorter since. By the boot clock: a wall clock that was set
 * back is no reason to cut, it may go on again. */
static bool is_too_long(
    const struct apply *a, const struct lease *l, struct moment now)
{
	return l->end.boot - now.boot > rules_ttl(a->rules);
}

/* Longer than any ttl that was in force: no login made it. Not long, but
 * invalid (HAZARDS 1.4); look-ups call it no lease, and so it must stay. */
static bool is_impossible(
    const struct apply *a, const struct lease *l, struct moment now)
{
	return l->end.boot - now.boot > a->longest_ttl + SLACK_MS;
}

static void shorten(const struct apply *a, struct lease *l, struct moment now)
{
	int64_t ttl = rules_ttl(a->rules);

	l->end.boot = now.boot + ttl;
	if (l->end.wall > now.wall + ttl)
		l->end.wall = now.wall + ttl;
}

/* --- the walk ------------------------------------------------------------ */

static int walk_row(void *ctx, const struct lease *row)
{
	struct walk *w = ctx;

	/* Stops between addresses only: a place to go on from is an address. */
	if ((!w->left || w->count >= WRITES_MAX) && w->has_last &&
	    !addr_equal(&row->addr, &w->last)) {
		w->stopped = true;
		w->apply->walk_at = row->addr;
		return 1;
	}
	w->left -= w->left > 0;
	w->last = row->addr;
	w->has_last = true;
	if (!is_unsettled(row, w->now) && !is_too_long(w->apply, row, w->now)) {
		/* What an earlier round found is in already; what was renewed
		 * since comes back when its old end falls due. */
		if (!parts_schedule(w->apply, row, w->now, w->apply->covered))
			w->apply->covers = w->apply->covered;
		return 0;
	}
	if (w->count == w->size) {
		w->size = w->size ? 2 * w->size : 64;
		w->rows = xrealloc(w->rows, w->size, sizeof(*w->rows));
	}
	w->rows[w->count++] = *row;
	return 0;
}

/* Returns how many of the rows allowed are left; the phase is over when the
 * table is. */
static size_t walk_leases(struct apply *a, struct moment now, size_t limit,
    apply_ended_fn *fn, void *ctx)
{
	struct walk w = { .apply = a, .now = now, .left = limit };

	if (!a->walk_goes_on)
		a->covers = now.boot + WHEEL_HORIZON_MS;
	if (ledger_each(a->ledger, a->walk_goes_on ? &a->walk_at : NULL,
		walk_row, &w) < 0)
		w.stopped = false;
	for (size_t i = 0; i < w.count; i++) {
		if (is_impossible(a, &w.rows[i], now)) {
			ledger_delete(a->ledger, &w.rows[i]);
			continue;
		}
		if (is_too_long(a, &w.rows[i], now))
			shorten(a, &w.rows[i], now);
		settle(a, &w.rows[i], now, fn, ctx);
		if (now.boot < w.rows[i].end.boot)
			parts_schedule(a, &w.rows[i], now, 0);
	}
	free(w.rows);
	a->walk_goes_on = w.stopped;
	if (!w.stopped) {
		a->phase = WALK_SESSIONS;
		a->covered = a->covers;
	}
	return w.stopped ? 0 : w.left;
}

struct revocations {
	struct ledger_revocation *rows;
	size_t count, size;
	struct moment now;
};

static int revocation_row(void *ctx, const struct ledger_revocation *row)
{
	struct revocations *r = ctx;

	if (r->now.boot < row->keep.boot)
		return 0;
	if (r->count == r->size) {
		r->size = r->size ? 2 * r->size : 16;
		r->rows = xrealloc(r->rows, r->size, sizeof(*r->rows));
	}
	r->rows[r->count++] = *row;
	return 0;
}

static void walk_revocations(struct apply *a, struct moment now)
{
	struct revocations r = { .now = now };

	ledger_revocation_each(a->ledger, revocation_row, &r);
	for (size_t i = 0; i < r.count; i++)
		ledger_revocation_delete(a->ledger, &r.rows[i]);
	free(r.rows);
}

bool apply_walk(struct apply *a, struct moment now, size_t limit,
    apply_ended_fn *fn, void *ctx)
{
	if (a->phase == WALK_LEASES)
		limit = walk_leases(a, now, limit, fn, ctx);
	if (a->phase == WALK_SESSIONS && limit && sessions_sweep(a, now, limit))
		a->phase = WALK_REVOCATIONS;
	if (a->phase != WALK_REVOCATIONS)
		return false;
	/* Made by hand, so there are few. */
	walk_revocations(a, now);
	a->phase = WALK_LEASES;
	return true;
}

/* --- what is due --------------------------------------------------------- */

size_t apply_due(struct apply *a, struct moment now, size_t limit,
    apply_ended_fn *fn, void *ctx)
{
	struct wheel_key key;
	struct lease lease;
	size_t ended = 0;

	while (limit-- && wheel_take(a->wheel, now.boot, &key)) {
		if (ledger_get(a->ledger, &key.addr, key.user, key.user_len,
			&lease) != LEDGER_FOUND)
			continue;
		if (is_unsettled(&lease, now))
			ended += settle(a, &lease, now, fn, ctx);
		if (now.boot < lease.end.boot)
			parts_schedule(a, &lease, now, 0);
	}
	return ended;
}
