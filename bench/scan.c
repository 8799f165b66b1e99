/* SPDX-License-Identifier: ISC */
/*
 * scan - reads every row of a ledger with bare LMDB: the yardstick of a start.
 */
#include <lmdb.h>
#include <stdint.h>
#include <stdio.h>
#include <uv.h>

int main(int argc, char **argv)
{
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;
	MDB_cursor *cursor;
	MDB_val key, value;
	uint64_t rows = 0, sum = 0, began = uv_hrtime();

	if (argc != 2 || mdb_env_create(&env) || mdb_env_set_maxdbs(env, 16) ||
	    mdb_env_open(env, argv[1], MDB_RDONLY, 0600) ||
	    mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) ||
	    mdb_dbi_open(txn, "lease", 0, &dbi) ||
	    mdb_cursor_open(txn, dbi, &cursor))
		return 111;
	while (mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0) {
		rows++;
		sum += *(const unsigned char *)value.mv_data;
	}
	printf("scan rows=%llu sum=%llu seconds=%.6f\n",
	    (unsigned long long)rows, (unsigned long long)sum,
	    (double)(uv_hrtime() - began) / 1e9);
	mdb_cursor_close(cursor);
	mdb_txn_abort(txn);
	mdb_env_close(env);
	return 0;
}
