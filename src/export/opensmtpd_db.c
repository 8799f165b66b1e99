/* SPDX-License-Identifier: ISC */
/*
 * opensmtpd_db - the export kind "opensmtpd-db": what `makemap -t set` makes,
 * for OpenSMTPD's tables of type db.
 *
 * smtpd locks nothing and reads the file from its first to its last page for
 * each question, so it is never changed: each is a new one, renamed over the
 * old. smtpd opens it again when its time, in whole seconds, is another one
 * than before: each file has a time of its own.
 */
#include <db.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "whole.h"

enum { MODE = 0644, CACHE_BYTES = 16 << 20, HOST_BITS = 128 };

static const struct option opensmtpd_db_options[] = { WHOLE_OPTIONS,
	OPTION_END };

struct export
{
	const char *path;
	struct whole *whole;
};

/* The error comes back as a value, too. */
static void no_text(const DB_ENV *env, const char *prefix, const char *text)
{
	(void)env;
	(void)prefix;
	(void)text;
}

/* rows: how many come, so that the table is laid out once. */
static int open_db(DB **db, const char *path, size_t rows)
{
	int rc = db_create(db, NULL, 0);

	if (rc != 0) {
		*db = NULL;
		return rc;
	}
	(*db)->set_errcall(*db, no_text);
	rc = (*db)->set_cachesize(*db, 0, CACHE_BYTES, 1);
	if (rc == 0 && rows)
		rc = (*db)->set_h_nelem(*db, (unsigned)rows);
	if (rc == 0)
		rc = (*db)->open(*db, NULL, path, NULL, DB_HASH,
		    DB_CREATE | DB_TRUNCATE, MODE);
	return rc;
}

/* Strings with their NUL, as makemap writes them. */
static int put(DB *db, const struct roll_row *row)
{
	static char value[] = "<set>";
	const struct net net = { row->addr, row->bits };
	char text[NET_TEXT_SIZE];
	DBT key = { .data = text },
	    data = { .data = value, .size = sizeof(value) };

	if (row->bits == HOST_BITS)
		(void)addr_print(&row->addr, text);
	else
		(void)net_print(&net, text);
	key.size = (unsigned)strlen(text) + 1;
	return db->put(db, NULL, &key, &data, 0);
}

/* Of the file that smtpd may have open, so that the new one differs. */
static int move_time(const struct export *e, const struct target *target)
{
	struct stat old, new;
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { 0 } };

	if (stat(e->path, &old) < 0)
		return errno == ENOENT ? 0 : errno;
	if (fstat(target_fd(target), &new) < 0)
		return errno;
	if (new.st_mtim.tv_sec > old.st_mtim.tv_sec)
		return 0;
	times[1].tv_sec = old.st_mtim.tv_sec + 1;
	return futimens(target_fd(target), times) < 0 ? errno : 0;
}

static int write_db(
    void *ctx, const struct roll *roll, struct target *target, struct err *err)
{
	const struct export *e = ctx;
	DB *db;
	int rc = open_db(&db, target_temporary(target), roll_count(roll)),
	    closed;

	for (size_t i = 0; rc == 0 && i < roll_count(roll); i++)
		rc = put(db, roll_at(roll, i));
	if (db) {
		closed = db->close(db, rc == 0 ? 0 : DB_NOSYNC);
		rc = rc ? rc : closed;
	}
	if (rc == 0)
		rc = move_time(e, target);
	return rc == 0 ? 0
		       : err_set(err, EXIT_AGAIN, "%s: %s: the old file stays",
			     e->path, db_strerror(rc));
}

static struct export *opensmtpd_db_open(const struct export_env *env,
    const struct conf_section *conf, struct err *err)
{
	struct export *e = xcalloc(1, sizeof(*e));
	const struct whole_kind kind = { .write = write_db, .ctx = e };

	e->path = conf_string(conf, "path");
	e->whole = whole_open(env, conf, &kind, err);
	if (e->whole)
		return e;
	free(e);
	return NULL;
}

static void opensmtpd_db_start(struct export *e, uv_loop_t *loop)
{
	whole_start(e->whole, loop);
}

static void opensmtpd_db_apply(
    struct export *e, const struct export_slice *slice)
{
	whole_apply(e->whole, slice);
}

static void opensmtpd_db_close(struct export **ep)
{
	if (*ep)
		whole_close(&(*ep)->whole);
	free(*ep);
	*ep = NULL;
}

const struct export_kind export_opensmtpd_db = {
	.name = "opensmtpd-db",
	.help = "Keeps a table of type db for OpenSMTPD, with a row for each "
		"leased address.",
	.role = ROLE_WRITER,
	.options = opensmtpd_db_options,
	.whole = true,
	.needs = whole_needs,
	.check = whole_check,
	.look = whole_look,
	.open = opensmtpd_db_open,
	.start = opensmtpd_db_start,
	.apply = opensmtpd_db_apply,
	.close = opensmtpd_db_close,
};
