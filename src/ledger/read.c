/* SPDX-License-Identifier: ISC */
/*
 * read - snapshots, and leases as the world may see them. Called by decide/,
 * login/, daemon/. ledger_find() is the hot path of every answer: no
 * allocation, no system call, one search in the tree.
 * Not here: changes (write.c), the other tables.
 */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "ledger_private.h"

/* --- snapshots ------------------------------------------------------------ */

static int renew(struct ledger *l)
{
	int rc = mdb_txn_renew(l->read);

	/* The keeper has grown the map: take its new size. That maps the file
	 * again through the open descriptor; nothing is opened. */
	if (rc == MDB_MAP_RESIZED) {
		MDB_envinfo info;

		rc = mdb_env_set_mapsize(l->env, 0);
		if (rc == 0)
			rc = mdb_txn_renew(l->read);
		if (mdb_env_info(l->env, &info) == 0)
			guard_watch(
			    l->guard.page, info.me_mapaddr, info.me_mapsize);
	}
	return rc;
}

/* What is shown first, then what is committed; see ahead.c. */
static int snapshot(struct ledger *l)
{
	int rc;

	l->find_ready = false;
	ahead_look(l);
	rc = renew(l);
	if (rc == 0) {
		ahead_match(l, l->read);
		rc = state_refresh(l, l->read);
	}
	return rc;
}

int ledger_read_begin(struct ledger *l, struct err *err)
{
	int rc;

	must(!l->reading);
	/* Its open transaction is what the writer reads. */
	if (l->write) {
		l->reading = true;
		return 0;
	}
	if (guard_is_stale(&l->guard) || guard_is_damaged(&l->guard)) {
		l->reopen = true;
		return err_set(err, EXIT_AGAIN,
		    "the ledger in %s is damaged or was set aside; open it "
		    "again",
		    l->directory);
	}
	rc = snapshot(l);
	if (rc == 0) {
		l->reading = true;
		return 0;
	}
	mdb_txn_reset(l->read);
	table_trouble(l, rc, "begin to read");
	return err_set(err, EXIT_AGAIN, "cannot read the ledger in %s: %s",
	    l->directory, mdb_strerror(rc));
}

void ledger_read_end(struct ledger *l)
{
	must(l->reading);
	l->reading = false;
	if (!l->write)
		mdb_txn_reset(l->read);
}

/* --- the look-up ---------------------------------------------------------- */

/* A row that may be the answer; its bytes stay valid in the transaction. */
struct candidate {
	MDB_val key, value;
	struct moment end;
	int64_t left; /* ms until the first of its ends; 0: no candidate */
};

bool ledger_alive(const struct lease *row, struct moment now)
{
	return now.wall < row->end.wall && now.boot < row->end.boot;
}

int64_t ledger_left(const struct lease *row, struct moment now)
{
	int64_t wall = row->end.wall - now.wall;
	int64_t boot = row->end.boot - now.boot;

	return wall < boot ? wall : boot;
}

/*
 * Keeps the row when it is a live lease that lasts longer. The boot clock also
 * bounds what is sound: an end that no login can have given is no lease. The
 * wall clock cannot, it may have been put back since.
 */
static void consider(const struct ledger *l, const MDB_val *key,
    const MDB_val *value, uint8_t bits, struct moment now,
    struct candidate *best)
{
	struct record_peek row;
	int64_t wall, boot;

	if (!record_lease_peek(key->mv_data, key->mv_size, value->mv_data,
		value->mv_size, &row) ||
	    row.bits != bits || !state_end(l, row.boot, &row.end))
		return;
	wall = row.end.wall - now.wall;
	boot = row.end.boot - now.boot;
	if (wall <= 0 || boot <= 0 || boot > l->state.ttl + LEDGER_SLACK_MS)
		return;
	if (boot < wall)
		wall = boot;
	if (wall <= best->left)
		return;
	best->left = wall;
	best->end = row.end;
	best->key = *key;
	best->value = *value;
}

static int find_exact(MDB_cursor *cursor, const struct ledger *l,
    const struct addr *masked, uint8_t bits, const char *user, size_t user_len,
    struct moment now, struct candidate *best)
{
	uint8_t bytes[RECORD_LEASE_KEY_MAX];
	size_t len = record_lease_key(masked, user, user_len, bytes);
	MDB_val key = { .mv_size = len, .mv_data = bytes }, value;
	int rc;

	if (len == 0)
		return 0;
	for (size_t i = 0; !l->write && i < l->ahead.count; i++) {
		const struct ahead_row *row = &l->ahead.rows[i];

		if (table_compare_leases(&row->key, &key) != 0)
			continue;
		if (row->value.mv_size > 0)
			consider(l, &row->key, &row->value, bits, now, best);
		return 0;
	}
	rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_KEY);
	if (rc == 0)
		consider(l, &key, &value, bits, now, best);
	return rc;
}

/* The rows of one address in the order of their keys, those that are shown in
 * place of those that are committed. */
struct rows {
	MDB_cursor *cursor;
	const struct addr *masked;
	const struct ahead_row *ahead, *end; /* those that are still to come */
	MDB_val main_key, main_value;        /* where the cursor stands */
	bool taken;                          /* that row */
	int rc;
	MDB_val key, value;
};

static void move_main(struct rows *r, MDB_cursor_op how)
{
	r->rc = mdb_cursor_get(r->cursor, &r->main_key, &r->main_value, how);
	if (r->rc == 0 && (r->main_key.mv_size < sizeof r->masked->bytes ||
			      memcmp(r->main_key.mv_data, r->masked->bytes,
				  sizeof r->masked->bytes) != 0))
		r->rc = MDB_NOTFOUND;
	r->taken = false;
}

/* Behind find_ahead(). */
static void rows_open(struct rows *r, const struct ledger *l,
    MDB_cursor *cursor, const struct addr *masked)
{
	r->cursor = cursor;
	r->masked = masked;
	r->ahead = r->end = l->ahead.rows;
	if (!l->write && l->ahead.count > 0)
		r->end += l->ahead.count;
	r->main_key = (MDB_val){ .mv_size = sizeof masked->bytes,
		.mv_data = (void *)(uintptr_t)masked->bytes };
	move_main(r, MDB_SET_RANGE);
}

/* Into key and value. False: none is left, or r->rc tells of an error. */
static bool rows_next(struct rows *r)
{
	for (;;) {
		int order;

		if (r->rc == 0 && r->taken)
			move_main(r, MDB_NEXT);
		if (r->rc != 0 && (r->rc != MDB_NOTFOUND || r->ahead == r->end))
			return false;
		order = r->ahead == r->end ? -1
			: r->rc != 0       ? 1
					   : table_compare_leases(
						 &r->main_key, &r->ahead->key);
		if (order <= 0) {
			r->key = r->main_key;
			r->value = r->main_value;
			r->taken = true;
		}
		if (order >= 0) {
			r->key = r->ahead->key;
			r->value = r->ahead->value;
			r->ahead++;
		}
		if (r->value.mv_size > 0)
			return true;
	}
}

static int find_any(MDB_cursor *cursor, const struct ledger *l,
    const struct addr *masked, uint8_t bits, struct moment now,
    struct candidate *best)
{
	struct rows r;

	rows_open(&r, l, cursor, masked);
	while (rows_next(&r))
		consider(l, &r.key, &r.value, bits, now, best);
	return r.rc;
}

/* What is shown of this address, into l->ahead; in a later snapshot if that has
 * been committed meanwhile. LMDB's code. */
static int find_ahead(struct ledger *l, const struct addr *masked)
{
	enum { TRIES = 100 };
	int rc = 0;

	if (l->write)
		return 0;
	must(l->reading);
	for (int i = 0; rc == 0 && i < TRIES; i++) {
		if (ahead_find(l, masked))
			return 0;
		must(!l->walk); /* it would lose its transaction */
		mdb_txn_reset(l->read);
		rc = snapshot(l);
	}
	if (rc ==
	    MDB_NOTFOUND) /* the state, without which there is no ledger */
		rc = MDB_CORRUPTED;
	return rc ? rc : EBUSY;
}

/* The kept cursor in a read; one of its own in a write, which LMDB wants so. */
static int find_cursor(struct ledger *l, MDB_cursor **cursor_r)
{
	int rc;

	if (l->write)
		return mdb_cursor_open(l->write, l->dbi[TABLE_LEASE], cursor_r);
	must(l->reading);
	*cursor_r = l->find;
	if (l->find_ready)
		return 0;
	rc = mdb_cursor_renew(l->read, l->find);
	l->find_ready = rc == 0;
	return rc;
}

enum ledger_found ledger_find(struct ledger *l, const struct addr *addr,
    const char *user, size_t user_len, struct moment now, struct lease *out)
{
	struct candidate best = { .left = 0 };
	struct addr masked;
	uint8_t bits, prefix;
	enum ledger_found found = LEDGER_MISSING;
	MDB_cursor *cursor = NULL;
	uint16_t boot;
	int rc;

	/* As the keeper has it: a reload may have changed the option after
	 * this reader was opened, or between two snapshots. */
	do {
		prefix = l->state.prefix;
		masked = *addr;
		bits = 128;
		if (prefix < 128 && !addr_is_ipv4(addr)) {
			masked = addr_mask(addr, prefix);
			bits = prefix;
		}
		rc = find_ahead(l, &masked);
	} while (rc == 0 && prefix != l->state.prefix);
	if (rc == 0)
		rc = find_cursor(l, &cursor);
	if (rc != 0)
		return table_trouble(l, rc, "look up a lease");
	if (user)
		rc = find_exact(
		    cursor, l, &masked, bits, user, user_len, now, &best);
	else
		rc = find_any(cursor, l, &masked, bits, now, &best);
	if (rc != 0 && rc != MDB_NOTFOUND)
		found = table_trouble(l, rc, "look up a lease");
	else if (best.left > 0 &&
		 record_lease_decode(best.key.mv_data, best.key.mv_size,
		     best.value.mv_data, best.value.mv_size, out, &boot)) {
		out->end = best.end;
		if (boot != (uint16_t)l->state.boots)
			out->sessions = 0;
		found = LEDGER_FOUND;
	}
	if (l->write)
		mdb_cursor_close(cursor);
	return found;
}

/* --- rows ----------------------------------------------------------------- */

/* As this boot sees the row: a dead one of an older boot ended long ago. */
static void adopt_row(const struct ledger *l, uint16_t boot, struct lease *row)
{
	if (boot == (uint16_t)l->state.boots)
		return;
	row->sessions = 0;
	if (!state_end(l, boot, &row->end))
		row->end = (struct moment){ 0, 0 };
}

enum ledger_found ledger_get(struct ledger *l, const struct addr *masked,
    const char *user, size_t user_len, struct lease *out)
{
	uint8_t key[RECORD_LEASE_KEY_MAX];
	size_t len = record_lease_key(masked, user, user_len, key);
	MDB_val k = { .mv_size = len, .mv_data = key }, v;
	enum ledger_found found;
	uint16_t boot;

	if (len == 0)
		return LEDGER_MISSING;
	found = table_get(l, TABLE_LEASE, key, len, &v);
	if (found != LEDGER_FOUND)
		return found;
	if (!record_lease_decode(key, len, v.mv_data, v.mv_size, out, &boot)) {
		table_unsound(l, TABLE_LEASE, &k);
		return LEDGER_MISSING;
	}
	adopt_row(l, boot, out);
	return LEDGER_FOUND;
}

/* False: the row is not sound, and is left out. */
static bool take_row(struct ledger *l, const MDB_val *key, const MDB_val *value,
    struct lease *row)
{
	uint16_t boot;

	if (!record_lease_decode(key->mv_data, key->mv_size, value->mv_data,
		value->mv_size, row, &boot)) {
		table_unsound(l, TABLE_LEASE, key);
		return false;
	}
	adopt_row(l, boot, row);
	return true;
}

int ledger_at(
    struct ledger *l, const struct addr *masked, ledger_row_fn *fn, void *ctx)
{
	MDB_cursor *cursor = NULL;
	struct rows r = { .rc = find_ahead(l, masked) };
	struct lease row;
	int result = 0;

	if (r.rc == 0)
		r.rc = find_cursor(l, &cursor);
	if (r.rc == 0)
		rows_open(&r, l, cursor, masked);
	while (result == 0 && rows_next(&r)) {
		if (take_row(l, &r.key, &r.value, &row))
			result = fn(ctx, &row);
	}
	if (l->write && cursor)
		mdb_cursor_close(cursor);
	if (r.rc != 0 && r.rc != MDB_NOTFOUND) {
		table_trouble(l, r.rc, "look up the leases of an address");
		return -1;
	}
	return result;
}

int ledger_each(
    struct ledger *l, const struct addr *from, ledger_row_fn *fn, void *ctx)
{
	struct walk w;
	struct lease row;
	int result = 0;

	table_walk_open(&w, l, TABLE_LEASE, from ? from->bytes : NULL,
	    from ? sizeof from->bytes : 0);
	while (result == 0 && walk_next(&w))
		if (take_row(l, &w.key, &w.value, &row))
			result = fn(ctx, &row);
	return table_walk_close(&w) < 0 ? -1 : result;
}

/* --- figures -------------------------------------------------------------- */

static int table_stat(struct ledger *l, enum table t, MDB_stat *out)
{
	bool begun = false;
	int rc;

	if (!l->write && !l->reading) {
		if (ledger_read_begin(l, NULL) < 0)
			return -1;
		begun = true;
	}
	rc = mdb_stat(table_txn(l), l->dbi[t], out);
	if (begun)
		ledger_read_end(l);
	return rc == 0 ? 0 : -1;
}

size_t ledger_rows(struct ledger *l)
{
	MDB_stat stat;

	return table_stat(l, TABLE_LEASE, &stat) == 0 ? stat.ms_entries : 0;
}

size_t ledger_session_rows(struct ledger *l)
{
	MDB_stat stat;

	return table_stat(l, TABLE_SESSION, &stat) == 0 ? stat.ms_entries : 0;
}

void ledger_size(struct ledger *l, size_t *used_r, size_t *map_r)
{
	MDB_envinfo info;
	MDB_stat stat;

	*used_r = *map_r = 0;
	for (int t = 0; t < TABLE_COUNT; t++)
		if (table_stat(l, (enum table)t, &stat) == 0)
			*used_r += stat.ms_psize *
				   (stat.ms_branch_pages + stat.ms_leaf_pages +
				       stat.ms_overflow_pages);
	if (mdb_env_info(l->env, &info) == 0)
		*map_r = info.me_mapsize;
}
