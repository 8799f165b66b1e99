/* SPDX-License-Identifier: ISC */
/*
 * apply - one fact into the ledger: makes a lease, moves its end, or says why
 * not. Called by the keeper inside a transaction.
 * Owns:     the keeper's working memory (wheel, index of caps, positions).
 * Not here: sessions (sessions.c), ends (sweep.c), revoking (revoke.c).
 */
#include "apply.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "parts.h"

/* At 40 bytes a key some 200,000 leases in two minutes: 3 M leases of half an
 * hour. Beyond that the walk alone ends them. */
enum { WHEEL_BYTES = 8 << 20 };

struct apply *apply_new(struct ledger *l, const struct rules *r,
    proc_start_fn *proc_start, void *proc_ctx)
{
	struct apply *a = xcalloc(1, sizeof(*a));

	a->ledger = l;
	a->rules = r;
	a->longest_ttl = rules_ttl(r);
	a->proc_start = proc_start;
	a->proc_ctx = proc_ctx;
	a->wheel = wheel_new(WHEEL_BYTES);
	return a;
}

void apply_free(struct apply **ap)
{
	struct apply *a = *ap;

	if (!a)
		return;
	wheel_free(&a->wheel);
	caps_free(&a->caps);
	free(a);
	*ap = NULL;
}

void apply_set_rules(struct apply *a, const struct rules *r)
{
	a->rules = r;
	if (rules_ttl(r) > a->longest_ttl)
		a->longest_ttl = rules_ttl(r);
	if (!rules_limits(r)->addresses_per_user)
		caps_free(&a->caps);
}

void apply_tell_ends(struct apply *a, apply_ended_fn *fn, void *ctx)
{
	a->tell_end = fn;
	a->tell_ctx = ctx;
}

void apply_expect_signs(struct apply *a, bool may_come)
{
	a->expects_signs = may_come;
}

/* What a fact asks for, judged but for the ledger. */
struct claim {
	struct addr addr;
	const char *user;
	size_t user_len;
	int64_t time; /* wall; never later than now */
	struct moment end;
	uint8_t flags;
	uint16_t source;
	const struct login *login; /* NULL: by hand, or from a store */
	const char *store;         /* its kind; NULL: none */
};

static bool mode_is_off(const struct apply *a)
{
	int set = ledger_mode(a->ledger);

	return (set ? set - 1 : (int)rules_mode(a->rules)) == MODE_OFF;
}

static enum judgement judge_caps(
    struct apply *a, const struct lease *lease, struct moment now)
{
	const struct rules_limits *limits = rules_limits(a->rules);

	if (limits->users_per_address &&
	    caps_users_full(a->ledger, lease, limits->users_per_address, now))
		return JUDGE_USERS_CAP;
	if (!limits->addresses_per_user || !lease->user_len)
		return JUDGE_LEASE;
	if (!a->caps)
		a->caps = caps_new(a->ledger);
	if (caps_addresses_full(
		a->caps, a->ledger, lease, limits->addresses_per_user, now))
		return JUDGE_ADDRESSES_CAP;
	return JUDGE_LEASE;
}

/* A row that has nothing of one before. */
static void make_fresh(
    const struct apply *a, const struct claim *c, struct lease *out)
{
	memset(out, 0, sizeof(*out));
	out->addr = rules_mask(a->rules, &c->addr, &out->bits);
	out->user_len = (uint8_t)c->user_len;
	memcpy(out->user, c->user, c->user_len);
	out->first_login = out->last_login = c->time;
}

/* What stays of the flags, whichever login is the newest. was_there: the row
 * was, though its end may have been told; two sources share it from the second
 * one's first login on, even if that is an old one. */
static uint8_t lasting_flags(const struct claim *c, const struct lease *lease,
    bool was_there, bool was_live)
{
	uint8_t old = was_there ? lease->flags : 0;
	uint8_t flags = old & LEASE_SHARED;

	if (was_there && lease->source != c->source)
		flags |= LEASE_SHARED;
	return flags | ((c->flags | (was_live ? old : 0)) & LEASE_GRANTED);
}

/* Another node tells of the same moment: it stays ours, or both would take it
 * for the other's to tell. */
static bool is_late_echo(const struct claim *c, const struct lease *lease)
{
	return c->login && c->login->kind == LOGIN_LEASE &&
	       c->time == lease->last_login && lease->source &&
	       lease->source != c->source;
}

/* What the row tells of its logins; the newest one speaks. */
static void describe(struct apply *a, const struct claim *c, uint8_t lasting,
    struct lease *lease)
{
	if (c->time < lease->first_login)
		lease->first_login = c->time;
	if (c->time < lease->last_login || is_late_echo(c, lease)) {
		lease->flags = (lease->flags & LEASE_TLS) | lasting;
		return;
	}
	lease->last_login = c->time;
	/* A grant says nothing of the sessions there are. */
	if (c->login)
		lease->flags = c->flags;
	lease->flags = (lease->flags & LEASE_TLS) | lasting;
	lease->source = c->source;
	lease->server = c->login   ? parts_server(a, c->login)
			: c->store ? ledger_intern(a->ledger, c->store)
				   : 0;
}

/* Two of one key. */
static bool is_same(const struct lease *a, const struct lease *b)
{
	return a->end.wall == b->end.wall && a->end.boot == b->end.boot &&
	       a->first_login == b->first_login &&
	       a->last_login == b->last_login && a->flags == b->flags &&
	       a->sessions == b->sessions && a->source == b->source &&
	       a->server == b->server && a->bits == b->bits;
}

static enum judgement claim_lease(struct apply *a, const struct claim *c,
    struct moment now, struct applied *out)
{
	struct lease lease, before, key;
	enum ledger_found found;
	enum judgement no;
	uint8_t lasting;

	make_fresh(a, c, &key);
	found = parts_revoked(a, &key.addr, c->user, c->user_len, c->time);
	if (found == LEDGER_FOUND)
		return JUDGE_REVOKED;
	if (found == LEDGER_MISSING)
		found =
		    parts_get(a, &key.addr, c->user, c->user_len, now, &lease);
	/* The commit will tell; until then there is no lease. */
	if (found == LEDGER_ERROR)
		return JUDGE_NONE;
	if ((no = judge_caps(a, &key, now)) != JUDGE_LEASE)
		return no;
	if (found == LEDGER_MISSING)
		lease = key;
	before = lease;
	out->fresh = found == LEDGER_MISSING || !ledger_alive(&lease, now);
	out->moved = parts_extend(a, &lease, c->end, now);
	lasting = lasting_flags(c, &lease, found == LEDGER_FOUND, !out->fresh);
	describe(a, c, lasting, &lease);
	if (c->login)
		sessions_open(a, c->login, c->source, found == LEDGER_MISSING,
		    &lease, now);
	/* What a node tells once more costs no write. */
	if (out->fresh || !is_same(&before, &lease))
		ledger_put(a->ledger, &lease);
	if (out->fresh) {
		parts_schedule(a, &lease, now, 0);
		if (a->caps)
			caps_add(a->caps, a->ledger, &lease);
	}
	out->lease = lease;
	return JUDGE_LEASE;
}

/* Another node knows when its lease ends; it may be held there no longer. */
static bool shorten(struct moment *end, int64_t wall, struct moment now)
{
	if (wall < end->wall) {
		end->boot -= end->wall - wall;
		end->wall = wall;
	}
	return end->wall > now.wall;
}

static enum judgement login_in(struct apply *a, const struct login *l,
    uint16_t source, struct moment now, struct applied *out)
{
	struct claim c = { .addr = l->addr,
		.user = l->user,
		.user_len = l->user_len,
		.source = source,
		.login = l };
	enum judgement j = rules_judge(a->rules, l, now, &c.end);

	if (j != JUDGE_LEASE)
		return j;
	if (mode_is_off(a))
		return JUDGE_MODE_OFF;
	if (l->user_len && !parts_user_is_sound(l->user, l->user_len))
		return JUDGE_NO_USER;
	/* The wall clock may stand at 1970, a row's cannot stand before it. */
	if (l->time < 0 ||
	    (l->kind == LOGIN_LEASE && !shorten(&c.end, l->end, now)))
		return JUDGE_OLD;
	c.time = l->time < now.wall ? l->time : now.wall;
	c.flags = l->tls ? LEASE_TLS : 0;
	return claim_lease(a, &c, now, out);
}

/* A lease that lives as long, or of a login that is not older, stays as it is:
 * so the same store taken twice changes nothing. */
static bool is_kept(struct apply *a, const struct claim *c, struct moment now,
    struct lease *out)
{
	uint8_t bits;
	struct addr masked = rules_mask(a->rules, &c->addr, &bits);

	return parts_get(a, &masked, c->user, c->user_len, now, out) ==
		   LEDGER_FOUND &&
	       ledger_alive(out, now) &&
	       (out->last_login >= c->time || out->end.wall >= c->end.wall);
}

void apply_import(struct apply *a, const struct imported *in, uint16_t source,
    struct moment now, struct applied *out)
{
	struct claim c = { .addr = in->addr,
		.user = in->user,
		.user_len = in->user_len,
		.source = source,
		.store = in->server };

	memset(out, 0, sizeof(*out));
	out->judgement = import_judge(a->rules, in, now, &c.end, &c.time);
	if (out->judgement != JUDGE_LEASE)
		return;
	if (in->user_len && !parts_user_is_sound(in->user, in->user_len))
		out->judgement = JUDGE_NO_USER;
	else if (mode_is_off(a))
		out->judgement = JUDGE_MODE_OFF;
	else if (!is_kept(a, &c, now, &out->lease))
		out->judgement = claim_lease(a, &c, now, out);
}

void apply_login(struct apply *a, const struct login *l, uint16_t source,
    struct moment now, struct applied *out)
{
	memset(out, 0, sizeof(*out));
	switch (l->kind) {
	case LOGIN_IN:
	case LOGIN_LEASE:
		out->judgement = login_in(a, l, source, now, out);
		break;
	case LOGIN_OUT:
		sessions_logout(a, l, now, out);
		break;
	case LOGIN_ALIVE:
		sessions_alive(a, l, now, out);
		break;
	case LOGIN_RESTART:
		sessions_restart(a, l, now);
		break;
	case LOGIN_END:
		revoke_by_source(a, l, source, now, out);
		break;
	case LOGIN_REVOKE:
		revoke_by_node(a, l, now, out);
		break;
	case LOGIN_NOTHING:
	default:
		break;
	}
}

enum judgement apply_grant(struct apply *a, const struct addr *addr,
    const char *user, size_t user_len, int64_t ttl, struct moment now,
    struct lease *out)
{
	int64_t longest = rules_ttl(a->rules);
	int64_t left = ttl > 0 && ttl < longest ? ttl : longest;
	struct claim c = { .addr = *addr,
		.user = user,
		.user_len = user_len,
		.time = now.wall,
		.flags = LEASE_GRANTED,
		.end = { now.wall + left, now.boot + left } };
	struct applied done = { 0 };
	enum judgement no = rules_address(a->rules, addr);

	memset(out, 0, sizeof(*out));
	if (no != JUDGE_NONE)
		return no;
	/* A grant may be for an address alone. */
	if (user_len && !parts_user_is_sound(user, user_len))
		return JUDGE_NO_USER;
	if (mode_is_off(a))
		return JUDGE_MODE_OFF;
	no = claim_lease(a, &c, now, &done);
	*out = done.lease;
	return no;
}
