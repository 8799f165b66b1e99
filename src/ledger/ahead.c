/* SPDX-License-Identifier: ISC */
/*
 * ahead - leases that readers see before they are durable. A commit waits for
 * the disk, and one for each login would keep it busy with nothing else; so the
 * writer shows the rows of its open transaction in memory that all share, and
 * commits many of them at once. Called by read.c and write.c.
 *
 * The memory holds what has changed since one commit, its base. Who reads takes
 * a snapshot of it first and LMDB's afterwards: if that is of the base, the two
 * together are what is so now; if it is a later one, all that was shown is in
 * it. Rows are only added, in front of those of the same hash; after the next
 * commit the writer begins anew, under whoever still reads, and tells it by the
 * serial number, which is odd meanwhile. So a reader copies what it finds,
 * trusts no length or place, and looks at that number again before it uses it.
 *
 * Not here: what becomes of it when the writer dies. It is lost then; what was
 * not committed is in the logs.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ledger_private.h"

enum { HASH_BITS = 12, HEADS = 1 << HASH_BITS, ALIGN = 8 };

/* A row's key and value stand behind it. Places are bytes from the page on. */
struct shown {
	_Atomic uint32_t newer; /* row of the same key; 0: none */
	_Atomic uint32_t older; /* row of the same hash; 0: none */
	_Atomic uint16_t key_len, len;
};

struct ahead_page {
	_Atomic uint64_t serial;
	_Atomic uint64_t base;       /* LMDB's number of that commit */
	_Atomic uint32_t generation; /* of its ledger */
	_Atomic uint32_t used;       /* rows end here */
	_Atomic uint32_t heads[HEADS];
};

/* Out of memory that another process may be changing. */
#define GET(field) atomic_load_explicit(&(field), memory_order_relaxed)
#define SET(field, value)                                                      \
	atomic_store_explicit(&(field), value, memory_order_relaxed)

static struct shown *row_at(const struct ahead_page *page, uint32_t at)
{
	return (struct shown *)(void *)((uint8_t *)(uintptr_t)page + at);
}

/* Of the key; the value is behind it. */
static uint8_t *bytes_of(const struct shown *row)
{
	return (uint8_t *)(uintptr_t)(row + 1);
}

static uint32_t size_of(size_t key_len, size_t len)
{
	size_t size = sizeof(struct shown) + key_len + len;

	return (uint32_t)((size + ALIGN - 1) / ALIGN * ALIGN);
}

static size_t hash_of(const void *address)
{
	const uint64_t odd = UINT64_C(0x9e3779b97f4a7c15);
	uint64_t words[2];

	memcpy(words, address, sizeof words);
	words[1] ^= words[0] * odd;
	return (size_t)(words[1] * odd >> (64 - HASH_BITS));
}

void ahead_open(struct ledger *l, void *memory)
{
	struct ahead *a = &l->ahead;

	a->page = memory;
	if (!memory)
		return;
	/* So that no row of a former writer stands on a commit of this one. */
	if (l->writer)
		atomic_store(&a->page->base, UINT64_MAX);
	else
		a->bytes = xmalloc(LEDGER_AHEAD_SIZE);
}

void ahead_close(struct ledger *l)
{
	free(l->ahead.rows);
	free(l->ahead.bytes);
	l->ahead = (struct ahead){ .page = NULL };
}

/* --- the writer ----------------------------------------------------------- */

static void begin_anew(struct ahead_page *page, uint64_t base, uint32_t of)
{
	uint64_t serial = atomic_load(&page->serial) | 1;

	atomic_store(&page->serial, serial);
	/* Whoever sees anything of what follows sees that number, too. */
	atomic_thread_fence(memory_order_release);
	for (size_t i = 0; i < HEADS; i++)
		SET(page->heads[i], 0);
	atomic_store(&page->used, sizeof *page);
	atomic_store(&page->base, base);
	atomic_store(&page->generation, of);
	atomic_store(&page->serial, serial + 1);
}

void ahead_begin(struct ledger *l)
{
	l->ahead.begun = false;
}

/* At the first row of a transaction. What one that failed had shown stays, if
 * it stood on the same commit: the rows come again, or are gone with it. */
static void join(struct ledger *l)
{
	struct ahead *a = &l->ahead;
	uint64_t base = mdb_txn_id(l->write) - 1;

	if (atomic_load(&a->page->base) != base ||
	    atomic_load(&a->page->generation) != l->guard.generation)
		begin_anew(a->page, base, l->guard.generation);
	a->staged = atomic_load(&a->page->used);
	a->full = false;
	a->begun = true;
}

void ahead_stage(struct ledger *l, const void *key, size_t key_len,
    const void *value, size_t len)
{
	struct ahead *a = &l->ahead;
	struct shown *row;
	uint32_t size = size_of(key_len, len);

	if (!a->page)
		return;
	if (!a->begun)
		join(l);
	if (a->full || size > LEDGER_AHEAD_SIZE - a->staged) {
		a->full = true;
		return;
	}
	row = row_at(a->page, a->staged);
	SET(row->key_len, (uint16_t)key_len);
	SET(row->len, (uint16_t)len);
	memcpy(bytes_of(row), key, key_len);
	if (len > 0)
		memcpy(bytes_of(row) + key_len, value, len);
	a->staged += size;
}

/* Puts a row in front of its hash, and tells the one that it replaces. */
static void link_row(struct ahead_page *page, uint32_t at)
{
	struct shown *row = row_at(page, at);
	_Atomic uint32_t *head = &page->heads[hash_of(bytes_of(row))];

	uint16_t key_len = GET(row->key_len);
	uint32_t i = GET(*head);

	SET(row->older, i);
	SET(row->newer, 0);
	for (; i; i = GET(row_at(page, i)->older)) {
		struct shown *old = row_at(page, i);

		if (GET(old->key_len) == key_len &&
		    memcmp(bytes_of(old), bytes_of(row), key_len) == 0) {
			SET(old->newer, at);
			break;
		}
	}
	atomic_store_explicit(head, at, memory_order_release);
}

bool ahead_show(struct ledger *l)
{
	struct ahead *a = &l->ahead;
	uint32_t at;

	if (!a->page)
		return false;
	if (!a->begun)
		return true;
	if (a->full)
		return false;
	at = atomic_load(&a->page->used);
	while (at < a->staged) {
		const struct shown *row = row_at(a->page, at);

		link_row(a->page, at);
		at += size_of(GET(row->key_len), GET(row->len));
	}
	/* Whoever sees this sees the rows. */
	atomic_store_explicit(&a->page->used, at, memory_order_release);
	return true;
}

/* --- a reader ------------------------------------------------------------- */

void ahead_look(struct ledger *l)
{
	struct ahead *a = &l->ahead;

	a->used = 0;
	if (!a->page || l->writer)
		return;
	a->serial = atomic_load(&a->page->serial);
	/* Begun anew just now: all that was shown is committed. */
	if (a->serial & 1)
		return;
	a->used = atomic_load(&a->page->used);
	a->base = atomic_load(&a->page->base);
	if (atomic_load(&a->page->generation) != l->guard.generation ||
	    atomic_load(&a->page->serial) != a->serial ||
	    a->used > LEDGER_AHEAD_SIZE || a->used <= sizeof *a->page)
		a->used = 0;
}

void ahead_match(struct ledger *l, MDB_txn *read)
{
	if (l->ahead.used && l->ahead.base != mdb_txn_id(read))
		l->ahead.used = 0;
}

static int compare_rows(const void *a, const void *b)
{
	const struct ahead_row *x = a, *y = b;

	return table_compare_leases(&x->key, &y->key);
}

static void add_row(struct ahead *a, uint8_t *bytes, size_t key_len, size_t len)
{
	if (a->count == a->room) {
		a->room = a->room ? 2 * a->room : 16;
		a->rows = xrealloc(a->rows, a->room, sizeof *a->rows);
	}
	a->rows[a->count++] =
	    (struct ahead_row){ .key = { .mv_size = key_len, .mv_data = bytes },
		    .value = { .mv_size = len, .mv_data = bytes + key_len } };
}

/* The row at `at`, if it is of this address and the last one of its key in the
 * snapshot, behind those that were found. Returns the place of the next one. */
static uint32_t take_row(
    struct ahead *a, uint32_t at, const struct addr *masked, size_t *held)
{
	const struct shown *row = row_at(a->page, at);
	uint32_t newer = GET(row->newer), older = GET(row->older);
	size_t key_len = GET(row->key_len), len = GET(row->len);
	size_t room = LEDGER_AHEAD_SIZE - at - sizeof *row;

	if (at < a->used && (newer == 0 || newer >= a->used) &&
	    key_len >= sizeof *masked && key_len <= RECORD_LEASE_KEY_MAX &&
	    len <= RECORD_LEASE_SIZE && key_len + len <= room &&
	    *held + key_len + len <= LEDGER_AHEAD_SIZE &&
	    memcmp(bytes_of(row), masked->bytes, sizeof masked->bytes) == 0) {
		memcpy(a->bytes + *held, bytes_of(row), key_len + len);
		add_row(a, a->bytes + *held, key_len, len);
		*held += key_len + len;
	}
	/* Rows lead to older ones only, or the writer is at work here. */
	return older < at ? older : 0;
}

bool ahead_find(struct ledger *l, const struct addr *masked)
{
	struct ahead *a = &l->ahead;
	uint32_t at;
	size_t held = 0;

	a->count = 0;
	if (a->used == 0)
		return true;
	at = atomic_load_explicit(
	    &a->page->heads[hash_of(masked->bytes)], memory_order_acquire);
	while (at >= sizeof *a->page && at % ALIGN == 0 &&
	       at <= LEDGER_AHEAD_SIZE - sizeof(struct shown))
		at = take_row(a, at, masked, &held);
	atomic_thread_fence(memory_order_acquire);
	if (GET(a->page->serial) != a->serial)
		return false;
	if (a->count > 1)
		qsort(a->rows, a->count, sizeof *a->rows, compare_rows);
	return true;
}
