/* SPDX-License-Identifier: ISC */
/*
 * revoke - leases taken away before their time: by hand, with their address or
 * user refused for a while, and by the source that made them.
 * Called by the keeper for the control socket, and by apply.c. Those of other
 * nodes, too.
 * Not here: the refusing (apply.c).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "parts.h"

/* duration_parse() takes no more either. */
#define REFUSE_MAX_MS (10LL * 366 * 24 * 3600 * 1000)

/* Of one address, for one line; behind them only the lease of just that user is
 * seen. There may be many such lines in one transaction. */
enum { END_ROWS = 256 };

struct found {
	const struct addr *addr; /* masked; NULL: any */
	const char *user;        /* NULL: any */
	size_t limit, looked;    /* rows to look at; 0: all */
	struct lease *rows;
	size_t count, size;
};

static void add_lease(struct found *f, const struct lease *row)
{
	if (f->count == f->size) {
		f->size = f->size ? 2 * f->size : 16;
		f->rows = xrealloc(f->rows, f->size, sizeof(*f->rows));
	}
	f->rows[f->count++] = *row;
}

static int find_lease(void *ctx, const struct lease *row)
{
	struct found *f = ctx;

	if (f->addr && !addr_equal(f->addr, &row->addr))
		return 1;
	if (f->limit && f->looked++ == f->limit)
		return 1;
	if (f->user && !parts_same_user(
			   f->user, strlen(f->user), row->user, row->user_len))
		return 0;
	add_lease(f, row);
	return 0;
}

/* The ledger makes a union of it and what is there for the same key. */
static void put_revocation(struct apply *a, struct ledger_revocation *r,
    const struct addr *masked, const char *user, struct moment now)
{
	int64_t oldest = import_age_max(a->rules);

	/* Until no login that it beats can give a lease any more, not even one
	 * out of another program's store. */
	r->keep.wall = r->until + oldest;
	/* Our wall clock may be ahead, for now. */
	r->keep.boot =
	    now.boot + oldest +
	    (r->time < now.wall ? r->until - r->time : r->until - now.wall);
	if (masked)
		r->addr = *masked;
	if (user) {
		r->user_len = (uint8_t)strlen(user);
		parts_fold(user, r->user_len, r->user);
	}
	ledger_revocation_put(a->ledger, r);
}

static void refuse(struct apply *a, const struct addr *masked, const char *user,
    int64_t refuse_for, struct moment now)
{
	int64_t ttl = rules_ttl(a->rules), skew = rules_max_skew(a->rules);
	struct ledger_revocation r = { .time = now.wall };

	if (refuse_for <= 0)
		refuse_for = ttl;
	if (refuse_for > REFUSE_MAX_MS)
		refuse_for = REFUSE_MAX_MS;
	/* A login's stamp may be max-skew ahead of ours. */
	if (refuse_for < skew)
		refuse_for = skew;
	r.until = now.wall + refuse_for;
	put_revocation(a, &r, masked, user, now);
}

size_t apply_revoke(struct apply *a, const struct addr *addr, const char *user,
    int64_t refuse_for, bool now_only, struct moment now)
{
	static const struct addr none;
	struct addr masked;
	struct found f = { .user = user };
	size_t ended = 0;
	uint8_t bits;

	if ((!addr && !user) ||
	    (user && !parts_user_is_sound(user, strlen(user))))
		return 0;
	if (addr) {
		masked = rules_mask(a->rules, addr, &bits);
		f.addr = &masked;
		/* As a key it would mean every address; no lease is there. */
		if (addr_equal(&masked, &none))
			return 0;
	}
	ledger_each(a->ledger, f.addr, find_lease, &f);
	for (size_t i = 0; i < f.count; i++) {
		ended += ledger_alive(&f.rows[i], now);
		ledger_delete(a->ledger, &f.rows[i]);
	}
	free(f.rows);
	sessions_revoke(a, f.addr, user);
	if (!now_only)
		refuse(a, f.addr, user, refuse_for, now);
	return ended;
}

/* --- by a source --------------------------------------------------------- */

/*
 * A source takes away only what it alone has given, and not what it gave since:
 * a logout may be forged, or late, and must not cost a customer who logged in
 * elsewhere or again his mail. A grant by hand is another source, too.
 */
static bool may_end(
    const struct lease *row, const struct login *l, uint16_t source)
{
	return source && row->source == source &&
	       !(row->flags & LEASE_SHARED) && row->last_login <= l->time;
}

static bool has_lease(const struct found *f, const struct lease *lease)
{
	for (size_t i = 0; i < f->count; i++)
		if (f->rows[i].user_len == lease->user_len &&
		    !memcmp(f->rows[i].user, lease->user, lease->user_len))
			return true;
	return false;
}

void revoke_by_source(struct apply *a, const struct login *l, uint16_t source,
    struct moment now, struct applied *out)
{
	struct addr masked;
	struct found f = { .addr = &masked,
		.user = l->user_len ? l->user : NULL,
		.limit = END_ROWS };
	struct lease named;
	uint8_t bits;

	masked = rules_mask(a->rules, &l->addr, &bits);
	ledger_each(a->ledger, &masked, find_lease, &f);
	if (f.looked > f.limit && l->user_len &&
	    ledger_get(a->ledger, &masked, l->user, l->user_len, &named) ==
		LEDGER_FOUND &&
	    !has_lease(&f, &named))
		add_lease(&f, &named);
	for (size_t i = 0; i < f.count; i++) {
		const struct lease *row = &f.rows[i];

		if (!may_end(row, l, source))
			continue;
		/* Its sessions are not those of a lease to come. */
		ledger_delete(a->ledger, row);
		if (!ledger_alive(row, now))
			continue;
		out->judgement = JUDGE_LEASE;
		out->ended++;
		out->lease = *row;
		if (a->tell_end)
			a->tell_end(a->tell_ctx, row);
	}
	free(f.rows);
}

/* --- by another node ------------------------------------------------------ */

/* What it is about, as this node keeps it. False: about nothing. */
static bool read_scope(const struct apply *a, const struct login *l,
    struct addr *masked, struct found *f)
{
	static const struct addr any;
	uint8_t bits;

	if (!addr_equal(&l->addr, &any)) {
		*masked = rules_mask(a->rules, &l->addr, &bits);
		f->addr = masked;
	}
	if (l->user_len)
		f->user = l->user;
	return (f->addr || f->user) &&
	       (!f->addr || !addr_equal(masked, &any)) &&
	       (!f->user || parts_user_is_sound(l->user, l->user_len));
}

/* One that refuses as long is here. */
static bool is_known(struct apply *a, const struct found *f, int64_t until)
{
	static const struct addr any;
	struct ledger_revocation old;
	char user[LOGIN_USER_MAX + 1];
	size_t len = f->user ? strlen(f->user) : 0;

	if (len)
		parts_fold(f->user, len, user);
	return ledger_revocation_get(a->ledger, f->addr ? f->addr : &any, user,
		   len, &old) == LEDGER_FOUND &&
	       old.until >= until;
}

/* It was said at its own time: who logged in behind its end keeps his lease. */
static void end_older(
    struct apply *a, struct found *f, int64_t until, struct moment now)
{
	ledger_each(a->ledger, f->addr, find_lease, f);
	for (size_t i = 0; i < f->count; i++) {
		if (f->rows[i].last_login <= until)
			ledger_delete(a->ledger, &f->rows[i]);
	}
	free(f->rows);
	if (until >= now.wall)
		sessions_revoke(a, f->addr, f->user);
}

void revoke_by_node(struct apply *a, const struct login *l, struct moment now,
    struct applied *out)
{
	struct addr masked;
	struct found f = { 0 };
	struct ledger_revocation r = { .time = l->time,
		.sequence = l->sequence };
	int64_t last = now.wall + REFUSE_MAX_MS;

	r.until = l->end < last ? l->end : last;
	if (!read_scope(a, l, &masked, &f) || is_known(a, &f, r.until))
		return;
	(void)snprintf(r.origin, sizeof(r.origin), "%016llx",
	    (unsigned long long)l->origin);
	put_revocation(a, &r, f.addr, f.user, now);
	end_older(a, &f, r.until, now);
	out->judgement = JUDGE_LEASE;
	out->lease.addr = l->addr;
	out->lease.user_len = l->user_len;
	memcpy(out->lease.user, l->user, l->user_len);
}
