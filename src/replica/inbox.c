/* SPDX-License-Identifier: ISC */
/*
 * inbox - the earliest of all ends a record can mean, and what is remembered of
 * the nodes' clocks for it.
 *
 * Goal: nobody who carries records can make a lease outlive its end by holding
 * them up or showing them again, though there is no clock that all nodes share.
 * Method: a record cannot come before it is issued. So the most that (issued -
 * now) was is how far a node's clock is ahead at least, and by that much less
 * its ends are taken; any record that comes without delay makes it exact.
 * A clock that was mended looks like records that come late. So what is known
 * is forgotten, but only behind the end of each lease of before the mending:
 * the most of this period counts, and of the one before it. What we gave up:
 * leases of a node whose clock was mended are that much shorter until then.
 * What is stored counts from our own clock, which may be set while a node is
 * silent: then all states are stored anew, neither too little nor too much.
 */
#include "inbox.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum {
	HOUR_MS = 3600 * 1000,
	DAY_MS = 24 * HOUR_MS,
	/* How long a period is, besides the longest lease and what the clock is
	 * ahead (up to a day): within it a record should come quickly once. */
	PERIOD_MS = 3 * HOUR_MS,
	/* What is stored is rounded up to this: not every record writes it. */
	ROUND_MS = 1000,
	/* Less is how two clocks are read, no step of one of them. */
	STEP_MS = 10,
	/* Less is not worth reading all of it again. */
	AGAIN_MS = 3000,
	PERIODS = 2
};

/* Of a period without records. */
#define NOTHING (-(INT64_C(1) << 60))

struct node {
	uint64_t id;
	int64_t heard; /* our boot clock, when anything was */
	int64_t began; /* our wall clock, when this period did */
	/* ms that its clock was ahead, the most of this period and of the one
	 * before; below 0: behind, or its records come late. */
	int64_t most[PERIODS];
	int64_t kept[PERIODS]; /* the same, as it is stored */
	bool is_new;           /* the period, since it was stored */
};

struct inbox {
	uint64_t own;
	int64_t max_skew;
	bool has_offset;
	int64_t offset;  /* of our wall clock to our boot clock */
	int64_t longest; /* ms, of the leases seen */
	/* The most of it that made a record over, the least that made one
	 * ahead, since all was read again; NOTHING: none was passed over. */
	int64_t over_at, ahead_at;
	size_t count, restate; /* the first so many may have another state */
	struct node nodes[INBOX_NODES_MAX];
};

struct inbox *inbox_new(uint64_t own, int64_t max_skew)
{
	struct inbox *i = xcalloc(1, sizeof(*i));

	i->own = own;
	i->max_skew = max_skew;
	i->over_at = i->ahead_at = NOTHING;
	return i;
}

void inbox_free(struct inbox **i)
{
	free(*i);
	*i = NULL;
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* --- clocks --------------------------------------------------------------- */

static struct node *find_node(struct inbox *i, uint64_t id)
{
	for (size_t n = 0; n < i->count; n++)
		if (i->nodes[n].id == id)
			return &i->nodes[n];
	return NULL;
}

static struct node *add_node(struct inbox *i, uint64_t id)
{
	struct node *at = i->nodes;

	if (i->count < INBOX_NODES_MAX) {
		at = &i->nodes[i->count++];
	} else {
		for (size_t n = 1; n < i->count; n++)
			if (i->nodes[n].heard < at->heard)
				at = &i->nodes[n];
	}
	*at = (struct node){ .id = id, .most = { NOTHING, NOTHING } };
	return at;
}

/* When our own wall clock is set, all others are that much less ahead of it,
 * or more. The two clocks are read one after the other: a few ms are no step,
 * and must not add up to one. */
static void follow_own_clock(struct inbox *i, struct moment now)
{
	int64_t offset = now.wall - now.boot;
	int64_t step = i->has_offset ? offset - i->offset : 0;

	if (i->has_offset && step < STEP_MS && step > -STEP_MS)
		return;
	i->has_offset = true;
	i->offset = offset;
	for (size_t n = 0; step != 0 && n < i->count; n++) {
		i->nodes[n].began += step;
		for (int p = 0; p < PERIODS; p++)
			i->nodes[n].most[p] -= step;
		/* `began` is stored, too. */
		if (step > ROUND_MS || step < -ROUND_MS)
			i->nodes[n].is_new = true;
	}
	if (step != 0)
		i->restate = i->count;
}

static int64_t known(const struct node *n)
{
	return later(later(n->most[0], n->most[1]), 0);
}

static void begin_period(
    const struct inbox *i, struct node *n, struct moment now)
{
	int64_t lasts = PERIOD_MS + earlier(known(n), DAY_MS) + i->longest;
	int64_t age = now.wall - n->began;

	if (age <= lasts) {
		/* Our own clock was later when it was stored. */
		n->began = earlier(n->began, now.wall);
		return;
	}
	n->most[1] = age > 2 * lasts ? NOTHING : n->most[0];
	n->most[0] = NOTHING;
	n->began = now.wall;
	n->is_new = true;
}

/* How far the record's node is ahead, this record counted. */
static int64_t learn_ahead(
    struct inbox *i, const struct replica_record *r, struct moment now)
{
	struct node *n = find_node(i, r->node);

	if (r->kind == REPLICA_LEASE)
		i->longest = later(i->longest, r->end - r->issued);
	if (!n)
		n = add_node(i, r->node);
	n->heard = now.boot;
	begin_period(i, n, now);
	n->most[0] = later(n->most[0], r->issued - now.wall);
	return known(n);
}

/* --- what it is worth ----------------------------------------------------- */

static void fill(const struct replica_record *r, struct login *out)
{
	memset(out, 0, sizeof(*out));
	out->addr = r->addr;
	out->user_len = r->user_len;
	memcpy(out->user, r->user, r->user_len);
}

static enum inbox_verdict take_lease(const struct inbox *i,
    const struct replica_record *r, int64_t ahead, int64_t age,
    struct moment now, struct login *out)
{
	/* What it was issued at, by our clock, at the latest. */
	int64_t issued =
	    earlier(r->issued - ahead, now.wall - (age > 0 ? age : 0));
	int64_t end = issued + (r->end - r->issued);

	if (r->issued - now.wall > i->max_skew)
		return INBOX_AHEAD;
	if (end <= now.wall)
		return INBOX_OVER;
	fill(r, out);
	out->kind = LOGIN_LEASE;
	out->tls = r->tls;
	/* That none is missing, the node has seen to that told it first. */
	out->userless = r->user_len == 0;
	out->time = issued - (r->issued - r->time);
	out->end = end;
	memcpy(out->server, r->server, sizeof(out->server));
	return INBOX_TAKE;
}

static enum inbox_verdict take_revocation(
    const struct replica_record *r, struct moment now, struct login *out)
{
	if (r->end + REPLICA_LINGERS <= now.wall)
		return INBOX_OVER;
	fill(r, out);
	out->kind = LOGIN_REVOKE;
	out->time = earlier(r->time, now.wall);
	out->end = r->end;
	out->origin = r->node;
	out->sequence = r->sequence;
	return INBOX_TAKE;
}

enum inbox_verdict inbox_take(struct inbox *i, const struct replica_record *r,
    int64_t age, struct moment now, struct login *out)
{
	int64_t ahead;
	enum inbox_verdict verdict;

	if (r->node == i->own)
		return INBOX_OWN;
	follow_own_clock(i, now);
	ahead = learn_ahead(i, r, now);
	verdict = r->kind == REPLICA_REVOKE
		      ? take_revocation(r, now, out)
		      : take_lease(i, r, ahead, age, now, out);
	if (verdict == INBOX_OVER)
		i->over_at = later(i->over_at, now.wall - now.boot);
	if (verdict == INBOX_AHEAD)
		i->ahead_at = i->ahead_at == NOTHING
				  ? now.wall - now.boot
				  : earlier(i->ahead_at, now.wall - now.boot);
	return verdict;
}

bool inbox_again(struct inbox *i, struct moment now)
{
	int64_t offset = now.wall - now.boot;
	bool back = i->over_at != NOTHING && i->over_at - offset >= AGAIN_MS;
	bool forth = i->ahead_at != NOTHING && offset - i->ahead_at >= AGAIN_MS;

	follow_own_clock(i, now);
	if (!back && !forth)
		return false;
	i->over_at = i->ahead_at = NOTHING;
	return true;
}

/* --- over a restart ------------------------------------------------------- */

enum { NUMBER = 8 }; /* bytes */
_Static_assert(INBOX_STATE_SIZE == NUMBER * (1 + PERIODS), "all of it");

static void put_number(uint8_t *out, int64_t n)
{
	for (int i = NUMBER; i-- > 0; n >>= 8)
		out[i] = (uint8_t)n;
}

static int64_t get_number(const uint8_t *in)
{
	uint64_t n = 0;

	for (int i = 0; i < NUMBER; i++)
		n = n << 8 | in[i];
	return (int64_t)n;
}

/* As it is stored: a restart may know too much, but not too little. */
static int64_t rounded(int64_t ahead)
{
	return ahead >= STEP_MS ? (ahead + ROUND_MS - 1) / ROUND_MS * ROUND_MS
				: 0;
}

bool inbox_state(
    struct inbox *i, uint64_t node, uint8_t out[static INBOX_STATE_SIZE])
{
	struct node *n = find_node(i, node);
	bool changed = n && n->is_new, empty = true;

	for (int p = 0; n && p < PERIODS; p++) {
		int64_t now = rounded(n->most[p]);

		empty = empty && now == 0 && n->kept[p] == 0;
		/* Less: our own clock was set. */
		changed =
		    changed || now > n->kept[p] || n->kept[p] - now > ROUND_MS;
	}
	if (!changed || empty)
		return false;
	n->is_new = false;
	put_number(out, n->began);
	for (int p = 0; p < PERIODS; p++) {
		n->kept[p] = rounded(n->most[p]);
		put_number(out + NUMBER + p * NUMBER, n->kept[p]);
	}
	return true;
}

bool inbox_restated(
    struct inbox *i, uint64_t *node_r, uint8_t out[static INBOX_STATE_SIZE])
{
	while (i->restate > 0) {
		*node_r = i->nodes[--i->restate].id;
		if (inbox_state(i, *node_r, out))
			return true;
	}
	return false;
}

void inbox_restore(
    struct inbox *i, uint64_t node, const uint8_t in[static INBOX_STATE_SIZE])
{
	static const int64_t most = INT64_C(1) << 48; /* as a record's times */
	struct node *n = find_node(i, node);
	int64_t numbers[1 + PERIODS];

	for (int p = 0; p < 1 + PERIODS; p++) {
		numbers[p] = get_number(in + p * NUMBER);
		if (numbers[p] < 0 || numbers[p] > most)
			return;
	}
	if (!n)
		n = add_node(i, node);
	n->began = numbers[0];
	for (int p = 0; p < PERIODS; p++)
		n->most[p] = n->kept[p] = numbers[1 + p];
}
