/* SPDX-License-Identifier: ISC */
/* store_raw - LMDB without us: the yardstick of scans and of expiry. */
#include <lmdb.h>
#include <string.h>

#include "base/mem.h"
#include "store.h"

static MDB_env *raw_open(const char *dir, MDB_dbi *dbi)
{
	MDB_env *env;
	MDB_txn *txn;

	if (mdb_env_create(&env) != 0 || mdb_env_set_maxdbs(env, 8) != 0 ||
	    mdb_env_open(env, dir, MDB_NOTLS, 0600) != 0 ||
	    mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) != 0 ||
	    mdb_dbi_open(txn, "lease", 0, dbi) != 0 || mdb_txn_commit(txn) != 0)
		die(dir, "bare LMDB");
	return env;
}

double raw_scan(void)
{
	MDB_dbi dbi;
	MDB_env *env = raw_open(ledger_dir, &dbi);
	MDB_txn *txn;
	MDB_cursor *cursor;
	MDB_val k, v;
	size_t rows = 0;
	volatile uint64_t sum = 0;
	double t = seconds();

	if (mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) != 0 ||
	    mdb_cursor_open(txn, dbi, &cursor) != 0)
		die("scan", "bare LMDB");
	while (mdb_cursor_get(cursor, &k, &v, MDB_NEXT) == 0) {
		rows++;
		sum += *(uint8_t *)v.mv_data;
	}
	t = seconds() - t;
	must(rows == opt.leases);
	mdb_cursor_close(cursor);
	mdb_txn_abort(txn);
	mdb_env_close(env);
	return t;
}

/* Every other row goes, in key order, 1,000 to a transaction. */
bool to_expire(const uint8_t *address)
{
	return (address[15] ^ address[12]) & 1;
}

double raw_expire(size_t *gone_r)
{
	MDB_dbi dbi;
	MDB_env *env = raw_open(raw_dir, &dbi);
	MDB_txn *txn;
	MDB_cursor *cursor;
	MDB_val k, v;
	uint8_t last[512];
	size_t last_len = 0, gone = 0;
	double t = seconds();
	int rc = 0;

	while (rc == 0 && gone < opt.expire) {
		if (mdb_txn_begin(env, NULL, 0, &txn) != 0 ||
		    mdb_cursor_open(txn, dbi, &cursor) != 0)
			die("expire", "bare LMDB");
		k = (MDB_val){ last_len, last };
		rc = mdb_cursor_get(
		    cursor, &k, &v, last_len ? MDB_SET_RANGE : MDB_FIRST);
		for (int n = 0; rc == 0 && n < 2000; n++) {
			if (to_expire(k.mv_data) && gone < opt.expire) {
				rc = mdb_cursor_del(cursor, 0);
				must(rc == 0);
				gone++;
			}
			rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
		}
		if (rc == 0) {
			last_len = k.mv_size;
			memcpy(last, k.mv_data, last_len);
		}
		mdb_cursor_close(cursor);
		if (mdb_txn_commit(txn) != 0)
			die("expire", "bare LMDB");
	}
	t = seconds() - t;
	mdb_env_close(env);
	*gone_r = gone;
	return t;
}
