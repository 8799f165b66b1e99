/* SPDX-License-Identifier: ISC */
/*
 * aside - is data.mdb what LMDB wrote, and away with it when it is not.
 * Called by env.c before the file is mapped: LMDB trusts its two meta pages,
 * and a map that is longer than the file ends the process. Owns nothing. Not
 * here: the format of our own rows (state.c, record.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "ledger_private.h"

/* --- the two meta pages --------------------------------------------------- */

/* As LMDB 0.9 lays them out (a file is only ever read by the machine that wrote
 * it). Fixed here, because lmdb.h does not tell. */
struct tree {
	uint32_t pad;
	uint16_t flags, depth;
	uint64_t branch, leaf, overflow, entries, root;
};
struct meta_page {
	uint64_t number;
	uint16_t pad, flags;
	uint32_t bounds;
	uint32_t magic, version;
	uint64_t address, map_size;
	struct tree trees[2]; /* [0].pad is the page size */
	uint64_t last_page, transaction;
};
enum { META_FLAG = 0x08, PAGE_MIN = 512, PAGE_MAX = 65536 };
static const uint32_t lmdb_magic = 0xbeefc0de, lmdb_version = 1;
static const uint64_t no_page = UINT64_MAX;
static const uint64_t map_limit = (uint64_t)1 << 46;

static const char *judge_meta(const struct meta_page *m)
{
	uint32_t size = m->trees[0].pad;

	if (m->magic != lmdb_magic || !(m->flags & META_FLAG))
		return "not an LMDB file";
	if (m->version != lmdb_version)
		return "another version of LMDB";
	if (size < PAGE_MIN || size > PAGE_MAX || (size & (size - 1)))
		return "damaged meta page";
	if (m->map_size > map_limit || m->last_page < 1 ||
	    m->last_page >= m->map_size / size)
		return "damaged meta page";
	for (int i = 0; i < 2; i++) {
		const struct tree *t = &m->trees[i];

		if ((t->root == no_page) != (t->depth == 0) ||
		    (t->root != no_page &&
			(t->root < 2 || t->root > m->last_page)))
			return "damaged meta page";
	}
	return NULL;
}

static enum header judge_file(
    int fd, uint64_t size, size_t *map_r, const char **reason_r)
{
	struct meta_page m[2];
	uint64_t last;
	int newer;

	if (size == 0)
		return HEADER_NEW;
	if (pread(fd, &m[0], sizeof m[0], 0) != (ssize_t)sizeof m[0]) {
		*reason_r = "cut short";
		return HEADER_BAD;
	}
	*reason_r = judge_meta(&m[0]);
	if (*reason_r)
		return HEADER_BAD;
	if (pread(fd, &m[1], sizeof m[1], m[0].trees[0].pad) !=
	    (ssize_t)sizeof m[1]) {
		*reason_r = "cut short";
		return HEADER_BAD;
	}
	*reason_r = judge_meta(&m[1]);
	if (!*reason_r && m[0].trees[0].pad != m[1].trees[0].pad)
		*reason_r = "damaged meta page";
	if (*reason_r)
		return HEADER_BAD;
	newer = m[1].transaction > m[0].transaction;
	last = m[newer].last_page;
	*map_r = m[newer].map_size;
	return size / m[0].trees[0].pad > last ? HEADER_SOUND : HEADER_SHORT;
}

enum header aside_header(
    int directory, size_t *map_r, const char **reason_r, struct err *err)
{
	struct stat st;
	enum header h = HEADER_ERROR;
	int fd =
	    openat(directory, "data.mdb", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	*reason_r = NULL;
	*map_r = 0;
	if (fd < 0 && errno == ENOENT)
		return HEADER_NEW;
	if (fd < 0 || fstat(fd, &st) < 0)
		err_errno(err, EXIT_AGAIN, errno, "cannot read data.mdb");
	else
		h = judge_file(fd, (uint64_t)st.st_size, map_r, reason_r);
	if (fd >= 0)
		close(fd);
	return h;
}

/* --- every page in use ---------------------------------------------------- */

/* Page numbers fall, none is a meta page, none lies beyond the file. */
static bool free_list_sound(const MDB_val *value, size_t last)
{
	size_t count, number, before = last + 1;
	const char *p = value->mv_data;

	if (value->mv_size < sizeof count)
		return false;
	memcpy(&count, p, sizeof count);
	if (count == 0 || count > value->mv_size / sizeof count - 1)
		return false;
	for (size_t i = 1; i <= count; i++) {
		memcpy(&number, p + i * sizeof number, sizeof number);
		if (number < 2 || number >= before)
			return false;
		before = number;
	}
	return true;
}

static bool verify_table(MDB_txn *txn, MDB_dbi dbi, size_t last)
{
	MDB_cursor *cursor;
	MDB_val key, value;
	MDB_stat stat;
	size_t rows = 0;
	int rc = mdb_cursor_open(txn, dbi, &cursor);

	if (rc != 0 || mdb_stat(txn, dbi, &stat) != 0)
		return false;
	while ((rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
		rows++;
		if (dbi == 0 && !free_list_sound(&value, last))
			break;
	}
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND && rows == stat.ms_entries;
}

bool aside_verify(MDB_env *env)
{
	MDB_txn *txn;
	MDB_dbi dbi;
	MDB_envinfo info;
	bool sound;
	int rc;

	if (mdb_env_info(env, &info) != 0 ||
	    mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) != 0)
		return false;
	/* 0 is LMDB's own list of free pages. */
	sound = verify_table(txn, 0, info.me_last_pgno) &&
		mdb_dbi_open(txn, NULL, 0, &dbi) == 0 &&
		verify_table(txn, dbi, info.me_last_pgno);
	for (int i = 0; sound && i < TABLE_COUNT; i++) {
		rc = mdb_dbi_open(txn, table_names[i], 0, &dbi);
		if (rc != MDB_NOTFOUND)
			sound = rc == 0 &&
				verify_table(txn, dbi, info.me_last_pgno);
	}
	mdb_txn_abort(txn);
	return sound;
}

/* --- away with it --------------------------------------------------------- */

/* "20260131T235959Z" from "2026-01-31T23:59:59Z". */
static void compact_time(int64_t wall, char out[static CLOCK_TEXT_SIZE])
{
	char text[CLOCK_TEXT_SIZE];
	size_t used = 0;

	clock_print(wall, text);
	for (const char *p = text; *p; p++)
		if (*p != '-' && *p != ':')
			out[used++] = *p;
	out[used] = '\0';
}

static int make_directory(int directory, int64_t wall, char *name, size_t size)
{
	char stamp[CLOCK_TEXT_SIZE];

	compact_time(wall, stamp);
	(void)snprintf(name, size, "ledger.aside-%s", stamp);
	for (int n = 2; mkdirat(directory, name, 0700) < 0; n++) {
		if (errno != EEXIST || n > 9999)
			return -1;
		(void)snprintf(name, size, "ledger.aside-%s-%d", stamp, n);
	}
	return 0;
}

static int move_file(int from, int to, const char *name)
{
	return renameat(from, name, to, name) < 0 && errno != ENOENT ? -1 : 0;
}

int aside_move(struct guard *g, const char *directory, const char *reason,
    int64_t wall, struct err *err)
{
	char name[32 + CLOCK_TEXT_SIZE];
	AUTO_CLOSE int to = -1;

	if (make_directory(g->directory, wall, name, sizeof name) == 0)
		to = openat(g->directory, name,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (to < 0 || move_file(g->directory, to, "data.mdb") < 0 ||
	    move_file(g->directory, to, "lock.mdb") < 0 || fsync(to) < 0 ||
	    fsync(g->directory) < 0)
		return err_errno(err, EXIT_AGAIN, errno,
		    "the ledger in %s is damaged (%s) and cannot be set aside",
		    directory, reason);
	/* Readers that still map the old file see this, and come back. */
	g->page->generation++;
	g->generation = g->page->generation;
	g->page->damaged = 0;
	(void)fdatasync(g->fd);
	log_error(LOG_LEDGER_ASIDE,
	    "directory=%s aside=%s reason=\"%s\" next=\"an empty ledger; "
	    "clients get a lease again when they next log in\"",
	    directory, name, reason);
	return 0;
}
