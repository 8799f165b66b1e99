/* SPDX-License-Identifier: ISC */
/*
 * lmdb - the export kind "lmdb": the file of Postfix' lookup tables of that
 * type. Postfix does not use LMDB's own locks: readers and writers lock the
 * whole file (in_place.c does), and the file is larger whenever it has to be. A
 * change is one transaction, so that it is seen whole or not at all, whatever
 * ends us; a running smtpd sees it at its next question.
 *
 * Keys and values end with a NUL, as postmap(1) writes them.
 */
#include <lmdb.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "in_place.h"

enum { MAP_FIRST = 16 << 20 /* Postfix' own default */, MODE = 0644 };

static const struct option lmdb_options[] = { IN_PLACE_OPTIONS, OPTION_END };

struct export
{
	struct in_place *file;
	const char *path;
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi table;
	bool changed;
};

static int fail(const struct export *e, int rc, struct err *err)
{
	return err_set(err, EXIT_AGAIN, "%s: %s", e->path, mdb_strerror(rc));
}

/* What LMDB says, as in_place.h has it; where it wants room, it gets some. */
static int judge(struct export *e, int rc, struct err *err)
{
	MDB_envinfo info;

	if (rc == 0)
		return IN_PLACE_DONE;
	if (rc != MDB_MAP_FULL)
		return fail(e, rc, err);
	/* None can be given before the transaction has ended. */
	mdb_txn_abort(e->txn);
	e->txn = NULL;
	rc = mdb_env_info(e->env, &info);
	if (rc == 0)
		rc = mdb_env_set_mapsize(e->env, 2 * info.me_mapsize);
	return rc == 0 ? IN_PLACE_AGAIN : fail(e, rc, err);
}

static void close_env(void *ctx)
{
	struct export *e = ctx;

	if (e->env)
		mdb_env_close(e->env);
	e->env = NULL;
}

static int open_env(void *ctx, const char *path, int fd, struct err *err)
{
	struct export *e = ctx;
	int rc = mdb_env_create(&e->env);

	(void)fd; /* LMDB keeps its own as long as the environment */
	if (rc == 0)
		rc = mdb_env_set_mapsize(e->env, MAP_FIRST);
	if (rc == 0)
		rc =
		    mdb_env_open(e->env, path, MDB_NOSUBDIR | MDB_NOLOCK, MODE);
	if (rc == 0)
		return 0;
	close_env(e);
	return fail(e, rc, err);
}

static int begin(void *ctx, bool anew, size_t rows, struct err *err)
{
	struct export *e = ctx;
	int rc = mdb_txn_begin(e->env, NULL, 0, &e->txn);

	(void)rows;
	/* Somebody else has made it larger. */
	if (rc == MDB_MAP_RESIZED) {
		rc = mdb_env_set_mapsize(e->env, 0);
		return rc == 0 ? IN_PLACE_AGAIN : fail(e, rc, err);
	}
	if (rc != 0) {
		e->txn = NULL;
		return fail(e, rc, err);
	}
	rc = mdb_dbi_open(e->txn, NULL, 0, &e->table);
	if (rc == 0 && anew)
		rc = mdb_drop(e->txn, e->table, 0);
	e->changed = anew;
	if (rc == 0)
		return IN_PLACE_DONE;
	rc = judge(e, rc, err);
	mdb_txn_abort(e->txn);
	e->txn = NULL;
	return rc;
}

static int put(
    void *ctx, const struct addr *addr, const char *value, struct err *err)
{
	struct export *e = ctx;
	char text[ADDR_TEXT_SIZE];
	MDB_val key = { .mv_size = addr_print(addr, text) + 1,
		.mv_data = text };
	MDB_val wanted = { 0 }, there = { 0 };
	int rc = mdb_get(e->txn, e->table, &key, &there);

	if (value) {
		wanted.mv_size = strlen(value) + 1;
		/* LMDB reads it only. */
		memcpy(&wanted.mv_data, &value, sizeof(value));
		if (rc == 0 && there.mv_size == wanted.mv_size &&
		    memcmp(there.mv_data, value, wanted.mv_size) == 0)
			return IN_PLACE_DONE;
		rc = mdb_put(e->txn, e->table, &key, &wanted, 0);
	} else {
		if (rc == MDB_NOTFOUND)
			return IN_PLACE_DONE;
		rc = mdb_del(e->txn, e->table, &key, NULL);
	}
	e->changed = true;
	return judge(e, rc, err);
}

static int commit(void *ctx, struct err *err)
{
	struct export *e = ctx;
	MDB_txn *txn = e->txn;
	int rc;

	e->txn = NULL; /* it ends here, whatever comes of it */
	if (!e->changed) {
		mdb_txn_abort(txn);
		return IN_PLACE_DONE;
	}
	rc = mdb_txn_commit(txn);
	return judge(e, rc, err);
}

static void abort_txn(void *ctx)
{
	struct export *e = ctx;

	mdb_txn_abort(e->txn);
	e->txn = NULL;
}

static struct export *lmdb_open(const struct export_env *env,
    const struct conf_section *conf, struct err *err)
{
	struct export *e = xcalloc(1, sizeof(*e));
	const struct in_place_kind kind = { .open = open_env,
		.begin = begin,
		.put = put,
		.commit = commit,
		.abort = abort_txn,
		.close = close_env,
		.ctx = e };

	e->path = conf_string(conf, "path");
	e->file = in_place_open(env, conf, &kind, err);
	if (e->file)
		return e;
	free(e);
	return NULL;
}

static void lmdb_start(struct export *e, uv_loop_t *loop)
{
	in_place_start(e->file, loop);
}

static void lmdb_apply(struct export *e, const struct export_slice *slice)
{
	in_place_apply(e->file, slice);
}

static void lmdb_close(struct export **ep)
{
	if (*ep)
		in_place_close(&(*ep)->file);
	free(*ep);
	*ep = NULL;
}

const struct export_kind export_lmdb = {
	.name = "lmdb",
	.help = "Keeps Postfix' LMDB table with a row for each leased address.",
	.role = ROLE_WRITER,
	.options = lmdb_options,
	.whole = true,
	.needs = in_place_needs,
	.look = in_place_look,
	.open = lmdb_open,
	.start = lmdb_start,
	.apply = lmdb_apply,
	.close = lmdb_close,
};
