/* SPDX-License-Identifier: ISC */
/*
 * env - opens and closes the ledger: who may, whether the file is to be
 * trusted, what the options and a new boot change in it. Called by daemon/ in
 * each process after its fork. Owns struct ledger and everything in it. Not
 * here: the judgement of a file's pages (aside.c) and of our rows (record.c).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "ledger_private.h"

enum {
	MAP_MIN = 1 << 20,
	READERS_MAX = 254,  /* 64 answerers and the rest, each once, and their
			     * successors while the dead are not yet cleared */
	SLICE_ROWS = 10000, /* of a walk that changes rows at start */
	LOOKS = 20,         /* of a reader at the meta pages, */
	LOOK_PAUSE_NS = 1000000 /* and between them */
};

/* LMDB keeps locks by process: a second one in it would lose the first's. */
static pid_t opened_by;

/* LMDB found its own tree impossible and is about to abort. */
static struct guard_page *assert_page;

static void on_assert(MDB_env *env, const char *message)
{
	(void)env;
	if (assert_page)
		assert_page->damaged = 1;
	log_error(
	    LOG_LEDGER_ERROR, "doing=\"use the tree\" error=\"%s\"", message);
}

/* --- the environment ------------------------------------------------------ */

static int open_env(struct ledger *l)
{
	unsigned flags = MDB_NOTLS | (l->writer ? 0 : MDB_RDONLY);
	MDB_envinfo info;
	int rc = mdb_env_create(&l->env);

	if (rc != 0) {
		l->env = NULL;
		return rc;
	}
	(void)mdb_env_set_assert(l->env, on_assert);
	(void)mdb_env_set_maxdbs(l->env, TABLE_COUNT);
	(void)mdb_env_set_maxreaders(l->env, READERS_MAX);
	/* A reader takes the size that the file tells. */
	if (l->writer)
		(void)mdb_env_set_mapsize(l->env, l->map_size);
	rc = mdb_env_open(l->env, l->directory, flags, 0600);
	if (rc == 0)
		rc = mdb_env_info(l->env, &info);
	if (rc != 0)
		return rc;
	l->map_size = info.me_mapsize;
	assert_page = l->guard.page;
	guard_watch(l->guard.page, info.me_mapaddr, info.me_mapsize);
	return 0;
}

static void close_env(struct ledger *l)
{
	if (l->find)
		mdb_cursor_close(l->find);
	if (l->read)
		mdb_txn_abort(l->read);
	if (l->env)
		mdb_env_close(l->env);
	l->find = NULL;
	l->read = NULL;
	l->env = NULL;
	assert_page = NULL;
	guard_watch(NULL, NULL, 0);
}

/* Takes the reader slot and the cursor that all later reads renew: from here on
 * a read costs no lock. */
static int start_reading(struct ledger *l)
{
	int rc = mdb_txn_begin(l->env, NULL, MDB_RDONLY, &l->read);

	if (rc != 0) {
		l->read = NULL;
		return rc;
	}
	rc = mdb_cursor_open(l->read, l->dbi[TABLE_LEASE], &l->find);
	mdb_txn_reset(l->read);
	return rc;
}

/* --- a reader ------------------------------------------------------------- */

static int reader_trouble(
    const struct ledger *l, const char *reason, struct err *err)
{
	return err_set(err, EXIT_AGAIN,
	    "the ledger in %s cannot be read yet: %s", l->directory, reason);
}

static int load_for_reader(
    struct ledger *l, const struct ledger_options *o, struct err *err)
{
	const char *reason;
	MDB_txn *txn;
	bool is_new;
	int rc = mdb_txn_begin(l->env, NULL, MDB_RDONLY, &txn);

	if (rc != 0)
		return reader_trouble(l, mdb_strerror(rc), err);
	reason = state_load(l, txn, &is_new);
	if (!reason && is_new)
		reason = "it is empty";
	if (!reason && strcmp(l->state.boot_id, o->boot_id) != 0)
		reason = "its keeper has not started since the last boot";
	if (reason) {
		mdb_txn_abort(txn);
		return reader_trouble(l, reason, err);
	}
	names_load(l, txn);
	/* Commits nothing, but keeps the tables' handles. */
	rc = mdb_txn_commit(txn);
	if (rc == 0)
		rc = start_reading(l);
	return rc == 0 ? 0 : reader_trouble(l, mdb_strerror(rc), err);
}

/* A keeper may be in the middle of one of the meta pages. */
static enum header header_for_reader(
    const struct ledger *l, const char **reason_r, struct err *err)
{
	const struct timespec pause = { .tv_nsec = LOOK_PAUSE_NS };
	enum header h = HEADER_BAD;
	size_t map;

	for (int i = 0; i < LOOKS && (h == HEADER_BAD || h == HEADER_SHORT);
	     i++) {
		if (i > 0)
			(void)nanosleep(&pause, NULL);
		h = aside_header(l->guard.directory, &map, reason_r, err);
	}
	return h;
}

static int open_reader(
    struct ledger *l, const struct ledger_options *o, struct err *err)
{
	const char *reason;
	int rc;

	if (guard_check_files(&l->guard, o, err) < 0)
		return -1;
	if (guard_is_damaged(&l->guard))
		return reader_trouble(l, "it is marked as damaged", err);
	switch (header_for_reader(l, &reason, err)) {
	case HEADER_SOUND:
		break;
	case HEADER_ERROR:
		return -1;
	case HEADER_NEW:
		return reader_trouble(l, "it is empty", err);
	case HEADER_SHORT:
		return reader_trouble(l, "it is cut short", err);
	case HEADER_BAD:
		return reader_trouble(l, reason, err);
	}
	rc = open_env(l);
	if (rc != 0)
		return reader_trouble(l, mdb_strerror(rc), err);
	return load_for_reader(l, o, err);
}

/* --- a writer: what options and boots change ------------------------------ */

struct sweep {
	struct ledger *l;
	struct moment now;
	size_t left;      /* rows of this slice */
	struct addr next; /* where the following one begins */
	size_t dropped, shortened;
};

static int sweep_row(void *ctx, const struct lease *row)
{
	struct sweep *s = ctx;
	struct ledger *l = s->l;
	struct lease shorter;

	/* Whole addresses only: the next slice begins at one. */
	if (s->left == 0 && !addr_equal(&row->addr, &s->next)) {
		s->next = row->addr;
		return 1;
	}
	s->next = row->addr;
	s->left -= s->left > 0;
	/* Of another prefix; or longer than any ttl of ours can have made it:
	 * invalid, not long. */
	if ((!addr_is_ipv4(&row->addr) && row->bits != l->prefix) ||
	    row->end.boot - s->now.boot > l->state.ttl + LEDGER_SLACK_MS) {
		ledger_delete(l, row);
		s->dropped++;
	} else if (row->end.boot > s->now.boot + l->ttl) {
		shorter = *row;
		shorter.end.boot = s->now.boot + l->ttl;
		if (shorter.end.wall > s->now.wall + l->ttl)
			shorter.end.wall = s->now.wall + l->ttl;
		ledger_put(l, &shorter);
		s->shortened++;
	}
	return 0;
}

static int drop_ipv6_session(void *ctx, const struct ledger_session *row)
{
	struct ledger *l = ctx;

	if (!addr_is_ipv4(&row->addr))
		ledger_session_delete(l, row);
	return 0;
}

/*
 * Rows of another prefix length go, ends beyond a shorter ttl come nearer. In
 * slices, so that no transaction gets as large as the ledger; the new options
 * are stored last, so that a start that was cut off is done again.
 */
static int sweep(struct ledger *l, struct moment now, struct err *err)
{
	struct sweep s = { .l = l, .now = now };
	bool done = false;

	while (!done) {
		struct addr from = s.next;
		int rc;

		if (ledger_begin(l, now, err) < 0)
			return -1;
		s.left = SLICE_ROWS;
		rc = ledger_each(l, &from, sweep_row, &s);
		done = rc == 0;
		if (done && l->state.prefix != l->prefix)
			rc = ledger_session_each(l, drop_ipv6_session, l);
		if (done) {
			l->state.prefix = (uint8_t)l->prefix;
			l->state.ttl = l->ttl;
			l->changes++;
		}
		if (ledger_commit(l, err) == 0 && rc >= 0)
			continue;
		if (!l->grow)
			return rc < 0 && err && err->code == 0
				   ? err_set(err, EXIT_AGAIN,
					 "cannot read the ledger in %s",
					 l->directory)
				   : -1;
		s.next = from;
		done = false;
	}
	log_info(LOG_LEDGER_OPEN,
	    "directory=%s other-prefix=%zu shortened=%zu reason=\"options "
	    "changed\"",
	    l->directory, s.dropped, s.shortened);
	return 0;
}

/* One transaction that makes or adopts the ledger; nothing is written when
 * there is nothing new, so that a start works on a full disk. */
static int prepare_once(struct ledger *l, const struct ledger_options *o,
    struct moment now, const char **reason_r, struct err *err)
{
	bool is_new;

	if (ledger_begin(l, now, err) < 0)
		return -1;
	*reason_r = state_load(l, l->write, &is_new);
	if (*reason_r) {
		ledger_abort(l);
		return -1;
	}
	if (is_new) {
		state_create(l, o, now);
	} else {
		names_load(l, l->write);
		if (state_adopt(l, o, now))
			l->changes++;
		if (l->state.ttl < l->ttl) {
			l->state.ttl = l->ttl;
			l->changes++;
		}
	}
	if (!l->failed && journal_prepare(l))
		l->changes++;
	if (l->changes > 0)
		return ledger_commit(l, err);
	/* Even so a commit: an abort would take the tables' handles along. */
	table_end_work(l);
	(void)mdb_txn_commit(l->write);
	l->write = NULL;
	return 0;
}

static int prepare(struct ledger *l, const struct ledger_options *o,
    struct moment now, const char **reason_r, struct err *err)
{
	int rc;

	do {
		rc = prepare_once(l, o, now, reason_r, err);
	} while (rc < 0 && !*reason_r && l->grow);
	return rc;
}

/* --- a writer: damage ----------------------------------------------------- */

/* A file that ends before its last page: harmless when nothing of use was there
 * (complete_file() in write.c did not come to it), damage when pages are gone.
 * Made whole with zeros, no walk can fault, and a missing page shows. */
static const char *mend_short(struct ledger *l)
{
	MDB_envinfo info;
	MDB_stat stat;
	mdb_filehandle_t fd;

	if (mdb_env_info(l->env, &info) != 0 ||
	    mdb_env_stat(l->env, &stat) != 0 ||
	    mdb_env_get_fd(l->env, &fd) != 0 ||
	    ftruncate(fd, (off_t)((info.me_last_pgno + 1) * stat.ms_psize)) < 0)
		return "cut short";
	return aside_verify(l->env) ? NULL : "cut short";
}

/* 0: open. -1 with *reason_r: to be set aside; without: *err. */
static int try_writer(struct ledger *l, const struct ledger_options *o,
    struct moment now, const char **reason_r, struct err *err)
{
	enum header h;
	size_t map;
	int rc;

	*reason_r = NULL;
	if (guard_check_files(&l->guard, o, err) < 0)
		return -1;
	if (guard_is_damaged(&l->guard)) {
		*reason_r = "marked as damaged when it was last used";
		return -1;
	}
	h = aside_header(l->guard.directory, &map, reason_r, err);
	if (h == HEADER_ERROR || h == HEADER_BAD)
		return -1;
	if (l->map_size < map)
		l->map_size = map;
	rc = open_env(l);
	if (table_rc_is_damage(rc)) {
		*reason_r = mdb_strerror(rc);
		return -1;
	}
	if (rc != 0)
		return err_set(err, EXIT_AGAIN,
		    "cannot open the ledger in %s: %s", l->directory,
		    mdb_strerror(rc));
	if (h == HEADER_SHORT)
		*reason_r = mend_short(l);
	if (*reason_r || prepare(l, o, now, reason_r, err) < 0)
		return -1;
	rc = start_reading(l);
	if (rc != 0)
		return err_set(err, EXIT_AGAIN,
		    "cannot read the ledger in %s: %s", l->directory,
		    mdb_strerror(rc));
	if (l->state.prefix != l->prefix || l->state.ttl > l->ttl)
		return sweep(l, now, err);
	return 0;
}

static int open_writer(struct ledger *l, const struct ledger_options *o,
    struct moment now, struct err *err)
{
	const char *reason;

	for (int attempt = 0; attempt < 2; attempt++) {
		if (try_writer(l, o, now, &reason, err) == 0)
			return 0;
		close_env(l);
		if (!reason && guard_is_damaged(&l->guard))
			reason = "damage was met at start";
		if (!reason || aside_move(&l->guard, l->directory, reason,
				   now.wall, err) < 0)
			return -1;
		names_free(l);
		l->reopen = false;
	}
	return err_set(err, EXIT_BUG, "a new ledger in %s is damaged at once",
	    l->directory);
}

/* --- open and close ------------------------------------------------------- */

static struct ledger *new_ledger(const struct ledger_options *o)
{
	struct ledger *l = xcalloc(1, sizeof *l);

	l->guard.fd = l->guard.directory = -1;
	l->directory = xstrdup(o->directory);
	l->writer = o->writer;
	l->journal = o->journal && o->writer;
	l->prefix = o->ipv6_prefix;
	l->ttl = o->ttl;
	l->map_size = o->map_size > MAP_MIN ? o->map_size : MAP_MIN;
	return l;
}

struct ledger *ledger_open(
    const struct ledger_options *o, struct moment now, struct err *err)
{
	struct ledger *l;
	int rc;

	must(opened_by != getpid());
	must(o->ttl > 0 && o->ipv6_prefix >= 1 && o->ipv6_prefix <= 128);
	l = new_ledger(o);
	rc = guard_open(&l->guard, o, err);
	if (rc == 0)
		ahead_open(l, o->ahead);
	if (rc == 0)
		rc = o->writer ? open_writer(l, o, now, err)
			       : open_reader(l, o, err);
	opened_by = getpid();
	if (rc < 0) {
		ledger_close(&l);
		return NULL;
	}
	return l;
}

void ledger_close(struct ledger **lp)
{
	struct ledger *l = *lp;

	if (!l)
		return;
	if (l->write)
		ledger_abort(l);
	close_env(l);
	guard_close(&l->guard);
	journal_free(l);
	names_free(l);
	ahead_close(l);
	free(l->directory);
	free(l);
	*lp = NULL;
	opened_by = 0;
}
