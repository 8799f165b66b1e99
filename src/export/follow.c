/* SPDX-License-Identifier: ISC */
/*
 * follow - which leases changed, for one export.
 *
 * The place is the number of a journal row, together with the node whose
 * journal it is: a ledger that was set aside begins anew, and so does the
 * export. A hole in the journal (it was trimmed while nobody read, or switched
 * off) means a snapshot, too.
 */
#include "follow.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct follow_journal {
	struct follow_wants wants;
	bool snapshot;     /* under way, or to begin */
	bool restart;      /* it is to begin, whatever is done */
	bool going;        /* the snapshot goes on behind `at` */
	bool in_revoked;   /* `at` is a revocation's, the leases are done */
	struct lease at;   /* its last key that is done */
	uint64_t sequence; /* of the last journal row that is done */
	char node[FOLLOW_NODE_SIZE + 1];

	/* What the last follow_next() read, until it is done. */
	bool next_going, next_last, next_in_revoked;
	struct lease next_at;
	uint64_t next_sequence;
};

bool follow_sequence(
    const uint8_t *cursor, size_t len, const char *node, uint64_t *sequence_r)
{
	if (len != FOLLOW_CURSOR_SIZE || strlen(node) != FOLLOW_NODE_SIZE ||
	    memcmp(cursor + SEQUENCE_SIZE, node, FOLLOW_NODE_SIZE) != 0)
		return false;
	*sequence_r = 0;
	for (size_t i = 0; i < SEQUENCE_SIZE; i++)
		*sequence_r = *sequence_r << 8 | cursor[i];
	return true;
}

struct follow_journal *follow_new(struct follow_wants wants,
    const uint8_t *cursor, size_t len, const char *node)
{
	struct follow_journal *f = xcalloc(1, sizeof(*f));

	f->wants = wants;
	must(strlen(node) == FOLLOW_NODE_SIZE);
	memcpy(f->node, node, sizeof(f->node));
	f->snapshot =
	    !cursor || !follow_sequence(cursor, len, node, &f->sequence);
	return f;
}

void follow_free(struct follow_journal **fp)
{
	free(*fp);
	*fp = NULL;
}

bool follow_in_snapshot(const struct follow_journal *f)
{
	return f->snapshot;
}

/* --- filling a slice -------------------------------------------------------
 */

struct filling {
	struct follow_journal *f;
	struct ledger *ledger;
	struct export_slice *out;
	bool hole, unsound;
};

static bool same_key(const struct follow_journal *f, const struct lease *a,
    const struct lease *b)
{
	if (!addr_equal(&a->addr, &b->addr))
		return false;
	return !f->wants.by_user || (a->user_len == b->user_len &&
					!memcmp(a->user, b->user, a->user_len));
}

/* What the ledger holds for the key of this row, now. */
static void add(struct filling *fill, const struct lease *key)
{
	struct export_slice *out = fill->out;
	struct export_change *c;

	/* Runs of one key are usual: a snapshot's users of one address, an
	 * address that logs in again and again. */
	for (size_t i = out->count; i-- > 0 && out->count - i <= 8;)
		if (!out->changes[i].revoked &&
		    same_key(fill->f, &out->changes[i].lease, key))
			return;
	c = &out->changes[out->count++];
	memset(c, 0, sizeof(*c));
	switch (ledger_find(fill->ledger, &key->addr,
	    fill->f->wants.by_user ? key->user : NULL,
	    fill->f->wants.by_user ? key->user_len : 0, out->now, &c->lease)) {
	case LEDGER_FOUND:
		c->leased = true;
		return;
	case LEDGER_ERROR:
		fill->unsound = true;
		break;
	case LEDGER_MISSING:
		break;
	}
	c->lease.addr = key->addr;
	c->lease.bits = key->bits;
	if (fill->f->wants.by_user) {
		c->lease.user_len = key->user_len;
		memcpy(c->lease.user, key->user, sizeof(c->lease.user));
	}
}

static void add_revocation(
    struct filling *fill, const struct ledger_revocation *r)
{
	struct export_change *c = &fill->out->changes[fill->out->count++];

	memset(c, 0, sizeof(*c));
	c->revoked = true;
	c->revocation = *r;
	c->lease.addr = r->addr;
	c->lease.user_len = r->user_len;
	memcpy(c->lease.user, r->user, sizeof(c->lease.user));
}

/* Rows come in the order of their keys: of one address, in that of users. */
static bool is_done(
    const struct follow_journal *f, const struct lease *row, bool by_user)
{
	size_t len =
	    row->user_len < f->at.user_len ? row->user_len : f->at.user_len;
	int order;

	if (!f->going || !addr_equal(&row->addr, &f->at.addr))
		return false;
	order = memcmp(row->user, f->at.user, len);
	return !by_user || order < 0 ||
	       (order == 0 && row->user_len <= f->at.user_len);
}

static int snapshot_row(void *ctx, const struct lease *row)
{
	struct filling *fill = ctx;
	struct follow_journal *f = fill->f;
	struct export_slice *out = fill->out;

	if (!ledger_alive(row, out->now) || is_done(f, row, f->wants.by_user))
		return 0;
	if (out->count == EXPORT_SLICE) {
		f->next_going = true;
		f->next_at = out->changes[out->count - 1].lease;
		return 1;
	}
	add(fill, row);
	return 0;
}

static int snapshot_revocation(void *ctx, const struct ledger_revocation *r)
{
	struct filling *fill = ctx;
	struct follow_journal *f = fill->f;
	struct export_slice *out = fill->out;
	struct lease key = { .addr = r->addr, .user_len = r->user_len };

	memcpy(key.user, r->user, sizeof(key.user));
	if (r->keep.wall <= out->now.wall ||
	    (f->in_revoked && is_done(f, &key, true)))
		return 0;
	if (out->count == EXPORT_SLICE) {
		f->next_going = f->next_in_revoked = true;
		f->next_at = out->changes[out->count - 1].lease;
		return 1;
	}
	add_revocation(fill, r);
	return 0;
}

/* Behind the leases: those that fit into the same slice, too. */
static int fill_revocations(struct filling *fill)
{
	static const struct addr first;
	struct follow_journal *f = fill->f;

	if (!f->wants.revocations || f->next_going)
		return 0;
	/* `at` is the last one's key, so that it must not be a lease's. */
	if (!f->in_revoked && fill->out->count == EXPORT_SLICE) {
		f->next_going = f->next_in_revoked = true;
		f->next_at = (struct lease){ 0 };
		return 0;
	}
	return ledger_revocation_from(fill->ledger,
		   f->in_revoked ? &f->at.addr : &first, snapshot_revocation,
		   fill) < 0
		   ? -1
		   : 0;
}

static int fill_snapshot(struct filling *fill)
{
	struct follow_journal *f = fill->f;

	fill->out->snapshot = true;
	fill->out->first = !f->going;
	/* What changes while the snapshot is read is in the journal behind. */
	f->next_sequence =
	    f->going ? f->sequence : ledger_sequence(fill->ledger);
	f->next_going = f->next_in_revoked = false;
	if (!f->in_revoked &&
	    ledger_each(fill->ledger, f->going ? &f->at.addr : NULL,
		snapshot_row, fill) < 0)
		return -1;
	if (fill_revocations(fill) < 0)
		return -1;
	fill->out->last = f->next_last = !f->next_going;
	return 1;
}

/* As it stands now; one that has been dropped since is over. */
static void add_changed_revocation(
    struct filling *fill, const struct lease *key)
{
	struct ledger_revocation r;

	switch (ledger_revocation_get(
	    fill->ledger, &key->addr, key->user, key->user_len, &r)) {
	case LEDGER_FOUND:
		add_revocation(fill, &r);
		return;
	case LEDGER_ERROR:
		fill->unsound = true;
		return;
	case LEDGER_MISSING:
		return;
	}
}

static int journal_row(void *ctx, const struct ledger_entry *e)
{
	struct filling *fill = ctx;
	struct follow_journal *f = fill->f;

	if (e->sequence != f->next_sequence + 1) {
		fill->hole = true;
		return 1;
	}
	if (fill->out->count == EXPORT_SLICE)
		return 1;
	f->next_sequence = e->sequence;
	if (e->change != CHANGE_REVOKE)
		add(fill, &e->lease);
	else if (f->wants.revocations)
		add_changed_revocation(fill, &e->lease);
	return 0;
}

static int fill_changes(struct filling *fill)
{
	struct follow_journal *f = fill->f;

	f->next_sequence = f->sequence;
	if (ledger_journal_each(fill->ledger, f->sequence, journal_row, fill) <
	    0)
		return -1;
	/* A journal that is empty, or shorter than our place, has a hole. */
	if (!fill->hole && f->next_sequence == f->sequence &&
	    ledger_sequence(fill->ledger) != f->sequence)
		fill->hole = true;
	if (fill->hole) {
		f->snapshot = true;
		f->going = f->in_revoked = false;
		fill->out->count = 0;
		return fill_snapshot(fill);
	}
	fill->out->last = f->next_last = true;
	return f->next_sequence != f->sequence;
}

int follow_next(struct follow_journal *f, struct ledger *l, struct moment now,
    struct export_slice *out)
{
	struct filling fill = { .f = f, .ledger = l, .out = out };
	int rc;

	if (f->restart) {
		f->restart = f->going = f->in_revoked = false;
		f->snapshot = true;
	}
	out->first = out->last = out->snapshot = false;
	out->count = 0;
	out->now = now;
	rc = f->snapshot ? fill_snapshot(&fill) : fill_changes(&fill);
	return fill.unsound ? -1 : rc;
}

bool follow_done(
    struct follow_journal *f, uint8_t out[static FOLLOW_CURSOR_SIZE])
{
	f->sequence = f->next_sequence;
	f->going = f->snapshot && f->next_going;
	f->in_revoked = f->going && f->next_in_revoked;
	f->at = f->next_at;
	if (f->going || f->restart)
		return false; /* after a restart it begins once more */
	f->snapshot = false;
	for (size_t i = 0; i < SEQUENCE_SIZE; i++)
		out[i] = (uint8_t)(f->sequence >> 8 * (SEQUENCE_SIZE - 1 - i));
	memcpy(out + SEQUENCE_SIZE, f->node, FOLLOW_NODE_SIZE);
	return true;
}

void follow_again(struct follow_journal *f)
{
	/* A target that failed in the middle of a snapshot may have lost its
	 * beginning: all of it comes again. */
	f->going = f->in_revoked = false;
}

void follow_restart(struct follow_journal *f)
{
	f->restart = true;
}

uint64_t follow_behind(const struct follow_journal *f, struct ledger *l)
{
	uint64_t last = ledger_sequence(l);

	if (f->snapshot)
		return ledger_rows(l);
	return last < f->sequence ? 0 : last - f->sequence;
}
