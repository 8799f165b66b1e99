/* SPDX-License-Identifier: ISC */
/*
 * store_sqlite - the same leases in SQLite, set up as well as it can be: WAL,
 * prepared statements, the whole table in its cache, an index on the expiry.
 */
#include <sqlite3.h>

#include "base/mem.h"
#include "store.h"

static sqlite3 *sql;
static sqlite3_stmt *sql_upsert, *sql_find, *sql_begin, *sql_commit;

static void sql_run(const char *text)
{
	char *why = NULL;

	if (sqlite3_exec(sql, text, NULL, NULL, &why) != SQLITE_OK)
		die(text, why ? why : "?");
}

static sqlite3_stmt *sql_make(const char *text)
{
	sqlite3_stmt *s = NULL;

	if (sqlite3_prepare_v2(sql, text, -1, &s, NULL) != SQLITE_OK)
		die(text, sqlite3_errmsg(sql));
	return s;
}

void sql_open(void)
{
	if (sqlite3_open(sqlite_file, &sql) != SQLITE_OK)
		die(sqlite_file, sqlite3_errmsg(sql));
	sql_run("PRAGMA journal_mode=WAL");
	sql_run("PRAGMA synchronous=FULL");
	sql_run("PRAGMA cache_size=-262144"); /* 256 MB: all of it */
	sql_run("PRAGMA mmap_size=2147483648");
	sql_run("CREATE TABLE IF NOT EXISTS lease(addr BLOB, user TEXT, "
		"first INT, last INT, wall_end INT, boot_end INT, boot INT, "
		"sessions INT, source INT, server INT, bits INT, flags INT, "
		"PRIMARY KEY(addr, user)) WITHOUT ROWID");
	sql_run("CREATE INDEX IF NOT EXISTS lease_end ON lease(wall_end)");
	sql_upsert = sql_make("INSERT INTO lease VALUES(?1,?2,?3,?4,?5,?6,1,"
			      "?7,?8,?9,?10,?11) ON CONFLICT DO UPDATE SET "
			      "last=?4,wall_end=?5,boot_end=?6,boot=1,"
			      "sessions=?7,source=?8,server=?9,flags=?11");
	sql_find = sql_make("SELECT user,wall_end,boot_end FROM lease "
			    "WHERE addr=?1 AND wall_end>?2 AND boot_end>?3 "
			    "ORDER BY wall_end DESC LIMIT 1");
	sql_begin = sql_make("BEGIN IMMEDIATE");
	sql_commit = sql_make("COMMIT");
}

void sql_close(void)
{
	sqlite3_finalize(sql_upsert);
	sqlite3_finalize(sql_find);
	sqlite3_finalize(sql_begin);
	sqlite3_finalize(sql_commit);
	sqlite3_close(sql);
}

static void sql_step(sqlite3_stmt *s)
{
	if (sqlite3_step(s) != SQLITE_DONE)
		die("step", sqlite3_errmsg(sql));
	sqlite3_reset(s);
}

void sql_batch(size_t from, size_t n, struct moment now, pick_fn *pick)
{
	struct lease r;

	sql_step(sql_begin);
	for (size_t i = from; i < from + n; i++) {
		make_lease(pick(i), now, &r);
		sqlite3_bind_blob(
		    sql_upsert, 1, r.addr.bytes, 16, SQLITE_STATIC);
		sqlite3_bind_text(
		    sql_upsert, 2, r.user, r.user_len, SQLITE_STATIC);
		sqlite3_bind_int64(sql_upsert, 3, r.first_login);
		sqlite3_bind_int64(sql_upsert, 4, r.last_login);
		sqlite3_bind_int64(sql_upsert, 5, r.end.wall);
		sqlite3_bind_int64(sql_upsert, 6, r.end.boot);
		sqlite3_bind_int(sql_upsert, 7, r.sessions);
		sqlite3_bind_int(sql_upsert, 8, r.source);
		sqlite3_bind_int(sql_upsert, 9, r.server);
		sqlite3_bind_int(sql_upsert, 10, r.bits);
		sqlite3_bind_int(sql_upsert, 11, r.flags);
		sql_step(sql_upsert);
	}
	sql_step(sql_commit);
}

void sql_checkpoint(void)
{
	sql_run("PRAGMA wal_checkpoint(TRUNCATE)");
}

void sql_find_all(const struct addr *asked, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		sqlite3_bind_blob(
		    sql_find, 1, asked[i].bytes, 16, SQLITE_STATIC);
		sqlite3_bind_int64(sql_find, 2, start.wall);
		sqlite3_bind_int64(sql_find, 3, start.boot);
		must(sqlite3_step(sql_find) == SQLITE_ROW);
		sqlite3_reset(sql_find);
	}
}
