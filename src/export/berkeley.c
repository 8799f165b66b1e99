/* SPDX-License-Identifier: ISC */
/*
 * berkeley - what the export kinds "berkeley-hash" and "berkeley-btree" do: a
 * Berkeley DB file such as Sendmail (popip.db, popauth.db), Postfix (hash:,
 * btree:) and users of dracd.db read.
 *
 * Sendmail keeps its maps open and looks at the time of the file before each
 * lookup, so the file is changed where it is. It locks the whole file, and so
 * does in_place.c; DB_FCNTL_LOCKING keeps the library from losing that lock.
 * The file is closed after each change: nothing of it stays in our memory.
 *
 * A change is not one step on the disk. Who kills us in the midst of one leaves
 * pages that do not fit together; the next start writes all of them anew.
 */
#include "berkeley.h"

#include <db.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/mem.h"
#include "in_place.h"

enum {
	MODE = 0644,
	CACHE_BYTES = 16 << 20,
	/* Room that has to be free before a change: a row and its share of the
	 * pages, and something to spare. */
	ROW_BYTES = 256,
	SPARE_BYTES = 1 << 20,
	MAGIC_AT = 12,
	KEY_SIZE = 64,
	PAGE_MIN = 512,
	PAGE_MAX = 65536,
	PREFIX_MAX = 12, /* leaves room for the longest key */
	WORDS = 8
};

const struct option berkeley_options[] = { IN_PLACE_OPTIONS,
	{ "ipv6", OPTION_CHOICE, "sendmail", 0, 0, "sendmail|short",
	    "Keys of IPv6 addresses: ipv6:2001:db8:0:0:0:0:0:7 as Sendmail "
	    "looks them up, or 2001:db8::7 as all others do." },
	{ "nul", OPTION_BOOL, "no", 0, 0, NULL,
	    "A NUL ends keys and values. Postfix and Sendmail find both; "
	    "Exim's dbm wants it." },
	{ "cidr", OPTION_BOOL, "no", 0, 0, NULL,
	    "Keys end with /32 or /128, as of a dracd that was built so." },
	{ "prefix", OPTION_STRING, "", 0, 0, NULL,
	    "Text before each key, as it is looked up: pop: for a popauth.m4 "
	    "with its tag POP:, which Sendmail makes lower case." },
	{ "page-size", OPTION_INT, "0", 0, PAGE_MAX, NULL,
	    "Bytes of a page of a new file, a power of two from 512; 0 leaves "
	    "it to the library." },
	OPTION_END };

struct export
{
	struct in_place *file;
	const char *path, *prefix;
	DBTYPE type;
	bool full_ipv6, cidr;
	unsigned nul; /* bytes */
	unsigned page;
	int fd; /* borrowed: of the file */
	DB *db;
	bool changed;
	time_t changed_before; /* of the file, when the change began */
};

static int fail(const struct export *e, int rc, struct err *err)
{
	return err_set(err, EXIT_AGAIN, "%s: %s", e->path, db_strerror(rc));
}

/* The error comes back as a value, too. */
static void no_text(const DB_ENV *env, const char *prefix, const char *text)
{
	(void)env;
	(void)prefix;
	(void)text;
}

/* Whether it is empty or a file of this library: anything else is somebody's
 * whose path was written here by mistake. */
static int check_file(void *ctx, const char *path, int fd, struct err *err)
{
	struct export *e = ctx;
	static const uint32_t magics[] = { DB_HASHMAGIC, DB_BTREEMAGIC };
	uint32_t magic = 0;
	ssize_t n = pread(fd, &magic, sizeof(magic), MAGIC_AT);

	e->fd = fd;
	if (n < 0)
		return err_errno(err, EXIT_AGAIN, errno, "%s", path);
	for (size_t i = 0; i < COUNT_OF(magics); i++)
		if (n == sizeof(magic) && magic == magics[i])
			return 0;
	if (n == 0 && lseek(fd, 0, SEEK_END) == 0)
		return 0;
	return err_set(err, EXIT_USER, "%s is no Berkeley DB file", path);
}

/* --- keys ------------------------------------------------------------------
 */

static size_t print_full_ipv6(const struct addr *a, char out[static KEY_SIZE])
{
	size_t used = (size_t)snprintf(out, KEY_SIZE, "ipv6");

	for (size_t i = 0; i < WORDS; i++)
		used += (size_t)snprintf(out + used, KEY_SIZE - used, ":%x",
		    (unsigned)(a->bytes[2 * i] << 8 | a->bytes[2 * i + 1]));
	return used;
}

/* Returns its length, with the NUL where that belongs to it. */
static unsigned print_key(
    const struct export *e, const struct addr *a, char out[static KEY_SIZE])
{
	bool four = addr_is_ipv4(a);
	char text[KEY_SIZE];

	(void)(e->full_ipv6 && !four ? print_full_ipv6(a, text)
				     : addr_print(a, text));
	size_t used = (size_t)snprintf(out, KEY_SIZE, "%s%s", e->prefix, text);
	if (e->cidr)
		used += (size_t)snprintf(
		    out + used, KEY_SIZE - used, four ? "/32" : "/128");
	return (unsigned)used + e->nul;
}

/* --- a change --------------------------------------------------------------
 */

/* So that a full disk is met before the file is touched. */
static int look_for_room(const struct export *e, size_t rows, struct err *err)
{
	struct statvfs fs;

	if (fstatvfs(e->fd, &fs) == 0 &&
	    (uint64_t)fs.f_bavail * fs.f_frsize <
		(uint64_t)rows * ROW_BYTES + SPARE_BYTES)
		return err_errno(err, EXIT_AGAIN, ENOSPC, "%s", e->path);
	return 0;
}

static void close_db(void *ctx)
{
	struct export *e = ctx;

	if (e->db)
		(void)e->db->close(e->db, DB_NOSYNC);
	e->db = NULL;
}

static int begin(void *ctx, bool anew, size_t rows, struct err *err)
{
	const unsigned how =
	    DB_CREATE | DB_FCNTL_LOCKING | (anew ? DB_TRUNCATE : 0);
	struct export *e = ctx;
	struct stat st;
	int rc;

	if (look_for_room(e, rows, err) < 0)
		return -1;
	if (stat(e->path, &st) < 0)
		return err_errno(err, EXIT_AGAIN, errno, "%s", e->path);
	e->changed_before = st.st_mtim.tv_sec;
	e->changed = anew;
	rc = db_create(&e->db, NULL, 0);
	if (rc != 0) {
		e->db = NULL;
		return fail(e, rc, err);
	}
	e->db->set_errcall(e->db, no_text);
	rc = e->db->set_cachesize(e->db, 0, CACHE_BYTES, 1);
	if (rc == 0 && e->page)
		rc = e->db->set_pagesize(e->db, e->page);
	if (rc == 0)
		rc =
		    e->db->open(e->db, NULL, e->path, NULL, e->type, how, MODE);
	if (rc == 0)
		return IN_PLACE_DONE;
	close_db(e);
	return fail(e, rc, err);
}

static int remove_row(struct export *e, DBT *key, struct err *err)
{
	int rc = e->db->del(e->db, NULL, key, 0);

	if (rc == DB_NOTFOUND)
		return IN_PLACE_DONE;
	e->changed = true;
	return rc == 0 ? IN_PLACE_DONE : fail(e, rc, err);
}

static int put(
    void *ctx, const struct addr *addr, const char *value, struct err *err)
{
	struct export *e = ctx;
	char text[KEY_SIZE];
	DBT key = { .data = text, .size = print_key(e, addr, text) };
	DBT wanted = { 0 }, there = { 0 };
	int rc;

	if (!value)
		return remove_row(e, &key, err);
	wanted.size = (unsigned)strlen(value) + e->nul;
	/* The library reads it only. */
	memcpy(&wanted.data, &value, sizeof(value));
	rc = e->db->get(e->db, NULL, &key, &there, 0);
	if (rc == 0 && there.size == wanted.size &&
	    memcmp(there.data, value, wanted.size) == 0)
		return IN_PLACE_DONE;
	if (rc == 0 || rc == DB_NOTFOUND)
		rc = e->db->put(e->db, NULL, &key, &wanted, 0);
	e->changed = true;
	return rc == 0 ? IN_PLACE_DONE : fail(e, rc, err);
}

/* Readers look at the time of the last change, in whole seconds: each change
 * has to have one of its own. */
static void move_time(const struct export *e)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
		{ .tv_sec = e->changed_before + 1 } };
	struct stat st;

	if (stat(e->path, &st) == 0 && st.st_mtim.tv_sec <= e->changed_before)
		(void)utimensat(AT_FDCWD, e->path, times, 0);
}

/* Closing writes it out. */
static int commit(void *ctx, struct err *err)
{
	struct export *e = ctx;
	DB *db = e->db;
	int rc;

	e->db = NULL;
	rc = db->close(db, e->changed ? 0 : DB_NOSYNC);
	if (rc != 0)
		return fail(e, rc, err);
	if (e->changed)
		move_time(e);
	return IN_PLACE_DONE;
}

/* --- for the kinds ---------------------------------------------------------
 */

int berkeley_check(const struct conf_section *conf, struct err *err)
{
	const char *prefix = conf_string(conf, "prefix");
	int64_t page = conf_number(conf, "page-size");

	if (strlen(prefix) > PREFIX_MAX)
		return conf_wrong(conf, err,
		    "prefix: \"%s\": expected at most %d characters", prefix,
		    PREFIX_MAX);
	if (page && (page < PAGE_MIN || (page & (page - 1))))
		return conf_wrong(conf, err,
		    "page-size: %lld: expected a power of two from %d to %d",
		    (long long)page, PAGE_MIN, PAGE_MAX);
	return 0;
}

static struct export *open_type(const struct export_env *env,
    const struct conf_section *conf, DBTYPE type, struct err *err)
{
	struct export *e = xcalloc(1, sizeof(*e));
	const struct in_place_kind kind = { .open = check_file,
		.begin = begin,
		.put = put,
		.commit = commit,
		.abort = close_db,
		.close = close_db,
		.ctx = e };

	e->type = type;
	e->path = conf_string(conf, "path");
	e->prefix = conf_string(conf, "prefix");
	e->page = (unsigned)conf_number(conf, "page-size");
	e->full_ipv6 = conf_number(conf, "ipv6") == 0;
	e->nul = conf_number(conf, "nul") != 0;
	e->cidr = conf_number(conf, "cidr") != 0;
	if (berkeley_check(conf, err) == 0)
		e->file = in_place_open(env, conf, &kind, err);
	if (e->file)
		return e;
	free(e);
	return NULL;
}

struct export *berkeley_open_hash(const struct export_env *env,
    const struct conf_section *conf, struct err *err)
{
	return open_type(env, conf, DB_HASH, err);
}

struct export *berkeley_open_btree(const struct export_env *env,
    const struct conf_section *conf, struct err *err)
{
	return open_type(env, conf, DB_BTREE, err);
}

void berkeley_start(struct export *e, uv_loop_t *loop)
{
	in_place_start(e->file, loop);
}

void berkeley_apply(struct export *e, const struct export_slice *slice)
{
	in_place_apply(e->file, slice);
}

void berkeley_close(struct export **ep)
{
	if (*ep)
		in_place_close(&(*ep)->file);
	free(*ep);
	*ep = NULL;
}
