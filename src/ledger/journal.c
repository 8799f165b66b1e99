/* SPDX-License-Identifier: ISC */
/*
 * journal - what changed, one numbered row a change, in the transaction that
 * changed it; for exports and replicas. Called by write.c and revocation.c
 * (notes), by exports (reads), by the keeper (trims). Owns the notes of the
 * open transaction.
 *
 * Changes are noted in memory and numbered at commit: of several changes to one
 * lease in a batch only the last is worth a row, and it must stand behind the
 * changes that came before it. Numbers have no holes while the journal is on; a
 * reader that finds one (the first row is not its cursor + 1) starts anew from
 * a snapshot. That is why the journal is only trimmed from its beginning.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ledger_private.h"

struct journal_change {
	uint8_t kind; /* PUT and DELETE are one, REVOKE another */
	bool superseded;
	uint16_t key_len;
	uint16_t len; /* of entry */
	uint32_t hash;
	uint8_t key[RECORD_LEASE_KEY_MAX];
	uint8_t entry[RECORD_ENTRY_MAX]; /* sealed at commit */
};

/* --- notes ---------------------------------------------------------------- */

static uint32_t hash_key(uint8_t kind, const uint8_t *key, size_t len)
{
	uint32_t h = 2166136261U ^ kind; /* FNV-1a */

	for (size_t i = 0; i < len; i++)
		h = (h ^ key[i]) * 16777619U;
	return h;
}

static bool same(const struct journal_change *a, const struct journal_change *b)
{
	return a->hash == b->hash && a->kind == b->kind &&
	       a->key_len == b->key_len &&
	       memcmp(a->key, b->key, a->key_len) == 0;
}

/* Where the index of c's key stands, or may stand. */
static uint32_t *slot_of(
    struct journal_pending *p, const struct journal_change *c)
{
	size_t i = c->hash & (p->slot_count - 1);

	while (p->slots[i] && !same(&p->changes[p->slots[i] - 1], c))
		i = (i + 1) & (p->slot_count - 1);
	return &p->slots[i];
}

static void make_room(struct journal_pending *p)
{
	if (p->count < p->room)
		return;
	p->room = p->room ? p->room * 2 : 64;
	p->changes = xrealloc(p->changes, p->room, sizeof *p->changes);
	free(p->slots);
	p->slot_count = p->room * 2; /* stays a power of two */
	p->slots = xcalloc(p->slot_count, sizeof *p->slots);
	for (size_t i = 0; i < p->count; i++)
		if (!p->changes[i].superseded)
			*slot_of(p, &p->changes[i]) = (uint32_t)(i + 1);
}

void journal_note(struct ledger *l, enum ledger_change change,
    const struct lease *row, int64_t until)
{
	struct journal_pending *p = &l->pending;
	struct ledger_entry e = { .change = change, .until = until };
	struct journal_change *c;
	uint32_t *slot;

	make_room(p);
	e.lease = *row;
	c = &p->changes[p->count];
	c->kind = change == CHANGE_REVOKE;
	c->superseded = false;
	c->key_len = (uint16_t)record_lease_key(
	    &row->addr, row->user, row->user_len, c->key);
	c->len = (uint16_t)record_entry_encode(
	    &e, (uint16_t)l->state.boots, c->entry);
	if (c->key_len == 0 || c->len == 0)
		return; /* the caller refuses the row, too */
	c->hash = hash_key(c->kind, c->key, c->key_len);
	slot = slot_of(p, c);
	if (*slot)
		p->changes[*slot - 1].superseded = true;
	*slot = (uint32_t)++p->count;
}

void journal_flush(struct ledger *l)
{
	struct journal_pending *p = &l->pending;
	uint8_t key[RECORD_SEQUENCE_SIZE];

	for (size_t i = 0; i < p->count; i++) {
		struct journal_change *c = &p->changes[i];

		if (c->superseded)
			continue;
		record_sequence_key(++l->state.sequence, key);
		record_entry_seal(key, c->entry, c->len);
		table_put(l, TABLE_JOURNAL, key, sizeof key, c->entry, c->len,
		    MDB_APPEND);
	}
}

void journal_forget(struct ledger *l)
{
	struct journal_pending *p = &l->pending;

	if (p->count > 0)
		memset(p->slots, 0, p->slot_count * sizeof *p->slots);
	p->count = 0;
}

void journal_free(struct ledger *l)
{
	free(l->pending.changes);
	free(l->pending.slots);
	memset(&l->pending, 0, sizeof l->pending);
}

/* --- rows ----------------------------------------------------------------- */

bool journal_prepare(struct ledger *l)
{
	struct record_state *s = &l->state;
	int rc;

	if (l->journal == (s->journal == 1))
		return false;
	s->journal = l->journal;
	if (!l->journal)
		return true;
	/* What happened while it was off is in no row: leave a hole. */
	s->sequence++;
	l->changes++;
	rc = mdb_drop(l->write, l->dbi[TABLE_JOURNAL], 0);
	if (rc != 0)
		table_fail(l, rc);
	return true;
}

static bool decode(
    struct ledger *l, const struct walk *w, struct ledger_entry *out)
{
	uint16_t boot;

	if (!record_entry_decode(w->key.mv_data, w->key.mv_size,
		w->value.mv_data, w->value.mv_size, out, &boot))
		return false;
	if (boot != (uint16_t)l->state.boots &&
	    !state_end(l, boot, &out->lease.end))
		out->lease.end = (struct moment){ 0, 0 };
	return true;
}

int ledger_journal_each(
    struct ledger *l, uint64_t after, ledger_entry_fn *fn, void *ctx)
{
	struct walk w;
	struct ledger_entry e;
	uint8_t from[RECORD_SEQUENCE_SIZE];
	int result = 0;

	if (after == UINT64_MAX)
		return 0;
	record_sequence_key(after + 1, from);
	table_walk_open(&w, l, TABLE_JOURNAL, from, sizeof from);
	while (result == 0 && walk_next(&w)) {
		if (decode(l, &w, &e))
			result = fn(ctx, &e);
		else
			table_unsound(l, TABLE_JOURNAL, &w.key);
	}
	return table_walk_close(&w) < 0 ? -1 : result;
}

void ledger_journal_trim(
    struct ledger *l, uint64_t sequence, struct moment now, size_t limit)
{
	struct walk w;
	struct ledger_entry e;
	uint8_t key[RECORD_SEQUENCE_SIZE];

	table_walk_open(&w, l, TABLE_JOURNAL, NULL, 0);
	for (; limit > 0 && walk_next(&w); limit--) {
		if (!decode(l, &w, &e)) {
			table_unsound(l, TABLE_JOURNAL, &w.key);
			continue;
		}
		/* Ended by the boot clock, as the keeper's walk deletes. */
		if (e.sequence > sequence && e.lease.end.boot > now.boot)
			break;
		record_sequence_key(e.sequence, key);
		table_delete(l, TABLE_JOURNAL, key, sizeof key);
	}
	(void)table_walk_close(&w);
}
