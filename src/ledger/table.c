/* SPDX-License-Identifier: ISC */
/*
 * table - get, put, delete and walk, the same for every table; and what LMDB's
 * codes mean to us. Called by the other files of this room. Errors of writes
 * stay with the ledger until the commit, which then fails as a whole.
 * Not here: transactions (read.c, write.c), what the bytes mean (record.c).
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "ledger_private.h"

const char *const table_names[TABLE_COUNT] = {
	[TABLE_META] = "meta",
	[TABLE_LEASE] = "lease",
	[TABLE_SESSION] = "session",
	[TABLE_REVOCATION] = "revocation",
	[TABLE_JOURNAL] = "journal",
	[TABLE_CURSOR] = "cursor",
};

static uint64_t word_of(const void *bytes)
{
	uint64_t word;

	memcpy(&word, bytes, sizeof word);
	return be64toh(word);
}

/*
 * LMDB's own order of keys, as mdb_dump and an older relaypass have it, told by
 * the two words of an address where LMDB calls memcmp(3): a look-up among a
 * million leases compares twenty times.
 */
int table_compare_leases(const MDB_val *a, const MDB_val *b)
{
	enum { HALF = sizeof(uint64_t) };
	const uint8_t *x = a->mv_data, *y = b->mv_data;
	size_t len = a->mv_size < b->mv_size ? a->mv_size : b->mv_size;
	size_t same = 0;
	int order;

	if (len >= sizeof(struct addr)) {
		uint64_t m = word_of(x), n = word_of(y);

		if (m == n)
			m = word_of(x + HALF), n = word_of(y + HALF);
		if (m != n)
			return m < n ? -1 : 1;
		same = sizeof(struct addr);
	}
	order = memcmp(x + same, y + same, len - same);
	if (order == 0)
		order = (a->mv_size > b->mv_size) - (a->mv_size < b->mv_size);
	return order;
}

/*
 * The page that a look-up has come to is far away when there are a million
 * leases. It is searched by halves, each of them another line of the cache, and
 * each would be waited for; so all its lines are fetched at once. This is a
 * hint: wherever the key lies, nothing is read.
 */
static void fetch_page(const uint8_t *key)
{
	enum { PAGE = 4096, CACHE_LINE = 64 };
	static _Thread_local uintptr_t last;
	uintptr_t page = (uintptr_t)key & ~(uintptr_t)(PAGE - 1);

	if (page == last)
		return;
	last = page;
	for (unsigned at = 0; at < PAGE; at += CACHE_LINE)
		__builtin_prefetch((const void *)(page + at));
}

static int compare_in_page(const MDB_val *sought, const MDB_val *stored)
{
	fetch_page(stored->mv_data);
	return table_compare_leases(sought, stored);
}

int table_open(struct ledger *l, MDB_txn *txn, enum table t, unsigned flags)
{
	int rc = mdb_dbi_open(txn, table_names[t], flags, &l->dbi[t]);

	if (rc == 0 && t == TABLE_LEASE)
		rc = mdb_set_compare(txn, l->dbi[t], compare_in_page);
	return rc;
}

MDB_txn *table_txn(struct ledger *l)
{
	MDB_txn *txn = l->write ? l->write : l->reading ? l->read : NULL;

	must(txn != NULL);
	return txn;
}

bool table_rc_is_damage(int rc)
{
	return rc == MDB_CORRUPTED || rc == MDB_PAGE_NOTFOUND ||
	       rc == MDB_INVALID || rc == MDB_VERSION_MISMATCH ||
	       rc == MDB_INCOMPATIBLE;
}

enum ledger_found table_trouble(struct ledger *l, int rc, const char *what)
{
	/* What follows a failed write in the same transaction is not news. */
	if (rc == MDB_BAD_TXN && l->failed)
		return LEDGER_ERROR;
	log_error(LOG_LEDGER_ERROR, "directory=%s doing=\"%s\" error=\"%s\"",
	    l->directory, what, mdb_strerror(rc));
	if (table_rc_is_damage(rc))
		guard_mark_damaged(&l->guard);
	return LEDGER_ERROR;
}

void table_fail(struct ledger *l, int rc)
{
	/* Running out of map is not trouble: the caller repeats. */
	if (rc != MDB_MAP_FULL && l->failed == 0)
		table_trouble(l, rc, "write");
	if (l->failed == 0)
		l->failed = rc;
}

void table_unsound(struct ledger *l, enum table t, const MDB_val *key)
{
	uint8_t copy[512];
	size_t len = key->mv_size;

	log_error(LOG_LEDGER_ERROR,
	    "directory=%s table=%s doing=\"read a row\" error=\"the row is "
	    "not sound\" next=\"%s\"",
	    l->directory, table_names[t],
	    l->write ? "it is removed" : "it is not used");
	if (!l->write || len > sizeof copy)
		return;
	memcpy(copy, key->mv_data, len);
	table_delete(l, t, copy, len);
}

/*
 * Leases are looked up, then put or deleted, many in the order of their keys. A
 * cursor that stays where the last one was finds a neighbour in its page
 * without a new way down the tree, and the row it has just looked up at once.
 */
static MDB_cursor *work_cursor(struct ledger *l, enum table t)
{
	if (t != TABLE_LEASE || !l->write)
		return NULL;
	if (!l->work && mdb_cursor_open(l->write, l->dbi[t], &l->work) != 0)
		l->work = NULL;
	return l->work;
}

void table_end_work(struct ledger *l)
{
	if (l->work)
		mdb_cursor_close(l->work);
	l->work = NULL;
}

enum ledger_found table_get(struct ledger *l, enum table t, const void *key,
    size_t key_len, MDB_val *value_r)
{
	MDB_val k = { .mv_size = key_len, .mv_data = (void *)(uintptr_t)key };
	MDB_cursor *work = work_cursor(l, t);
	int rc = work ? mdb_cursor_get(work, &k, value_r, MDB_SET_KEY)
		      : mdb_get(table_txn(l), l->dbi[t], &k, value_r);

	if (rc == 0)
		return LEDGER_FOUND;
	if (rc == MDB_NOTFOUND)
		return LEDGER_MISSING;
	return table_trouble(l, rc, "look up a row");
}

void table_put(struct ledger *l, enum table t, const void *key, size_t key_len,
    const void *value, size_t len, unsigned flags)
{
	MDB_val k = { .mv_size = key_len, .mv_data = (void *)(uintptr_t)key };
	MDB_val v = { .mv_size = len, .mv_data = (void *)(uintptr_t)value };
	MDB_cursor *work;
	int rc;

	must(l->write != NULL);
	l->changes++;
	l->moves[t]++;
	if (l->failed)
		return;
	work = work_cursor(l, t);
	rc = work ? mdb_cursor_put(work, &k, &v, flags)
		  : mdb_put(l->write, l->dbi[t], &k, &v, flags);
	if (rc != 0)
		table_fail(l, rc);
}

static int delete_row(struct ledger *l, enum table t, MDB_val *key)
{
	MDB_cursor *work = work_cursor(l, t);
	int rc;

	if (!work)
		return mdb_del(l->write, l->dbi[t], key, NULL);
	rc = mdb_cursor_get(work, key, NULL, MDB_SET);
	return rc == 0 ? mdb_cursor_del(work, 0) : rc;
}

/* Is the row that is to go the one that the innermost walk stands on? */
static bool walk_is_at(
    const struct walk *w, enum table t, const void *key, size_t key_len)
{
	return w && w->writing && w->table == t && w->started && w->rc == 0 &&
	       !w->deleted && w->moves == w->l->moves[t] &&
	       w->last_len == key_len && memcmp(w->last, key, key_len) == 0;
}

bool table_delete(
    struct ledger *l, enum table t, const void *key, size_t key_len)
{
	MDB_val k = { .mv_size = key_len, .mv_data = (void *)(uintptr_t)key };
	bool at_walk = walk_is_at(l->walk, t, key, key_len);
	int rc;

	must(l->write != NULL);
	if (l->failed)
		return false;
	/* Through the walk's own cursor it costs no search, and the walk keeps
	 * its place: expiry deletes most rows so. */
	if (at_walk)
		rc = mdb_cursor_del(l->walk->cursor, 0);
	else
		rc = delete_row(l, t, &k);
	if (rc == MDB_NOTFOUND)
		return false;
	l->changes++;
	l->moves[t]++;
	if (at_walk) {
		l->walk->moves = l->moves[t];
		l->walk->deleted = true;
	}
	if (rc != 0)
		table_fail(l, rc);
	return rc == 0;
}

/* --- walks ---------------------------------------------------------------- */

void table_walk_open(struct walk *w, struct ledger *l, enum table t,
    const void *from, size_t from_len)
{
	w->l = l;
	w->table = t;
	w->cursor = NULL;
	w->started = false;
	w->writing = l->write != NULL;
	w->deleted = false;
	w->moves = l->moves[t];
	w->outer = l->walk;
	l->walk = w;
	must(from_len <= sizeof w->last);
	w->last_len = from_len;
	if (from_len > 0)
		memcpy(w->last, from, from_len);
	w->rc = mdb_cursor_open(table_txn(l), l->dbi[t], &w->cursor);
}

static int seek(struct walk *w)
{
	if (w->last_len == 0)
		return mdb_cursor_get(w->cursor, &w->key, &w->value, MDB_FIRST);
	w->key.mv_data = w->last;
	w->key.mv_size = w->last_len;
	return mdb_cursor_get(w->cursor, &w->key, &w->value, MDB_SET_RANGE);
}

/* The caller may have changed the table since the last row; LMDB mends cursors,
 * but a look-up by key needs no trust in that. */
static int seek_behind(struct walk *w)
{
	int rc = seek(w);

	if (rc == 0 && w->key.mv_size == w->last_len &&
	    memcmp(w->key.mv_data, w->last, w->last_len) == 0)
		rc = mdb_cursor_get(w->cursor, &w->key, &w->value, MDB_NEXT);
	return rc;
}

int walk_next(struct walk *w)
{
	if (w->rc != 0)
		return 0;
	if (!w->started)
		w->rc = seek(w);
	else if (w->writing && w->moves != w->l->moves[w->table])
		w->rc = seek_behind(w);
	else
		w->rc = mdb_cursor_get(w->cursor, &w->key, &w->value, MDB_NEXT);
	w->started = true;
	w->deleted = false;
	w->moves = w->l->moves[w->table];
	if (w->rc != 0)
		return 0;
	if (w->writing) {
		must(w->key.mv_size <= sizeof w->last);
		w->last_len = w->key.mv_size;
		memcpy(w->last, w->key.mv_data, w->last_len);
	}
	return 1;
}

int table_walk_close(struct walk *w)
{
	if (w->cursor)
		mdb_cursor_close(w->cursor);
	w->cursor = NULL;
	w->l->walk = w->outer;
	if (w->rc == 0 || w->rc == MDB_NOTFOUND)
		return 0;
	table_trouble(w->l, w->rc, "walk a table");
	return -1;
}
