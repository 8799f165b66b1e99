/* SPDX-License-Identifier: ISC */
/*
 * write - the one write transaction, its commit and what can go wrong with it,
 * and changes of leases. Called by login/ and daemon/ in the keeper.
 * Owns the growth of the map. Not here: the other tables, the journal's rows.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "ledger_private.h"

/* --- growth --------------------------------------------------------------- */

/*
 * A full map is made twice as large, by 1 GiB at the most: large steps, because
 * every reader must map anew; not too large, because a full map may also come
 * of a reader that keeps old pages alive, and then the file grows for nothing.
 * The map is only address space: the file takes what its pages need.
 */
static int grow_map(struct ledger *l, struct err *err)
{
	const size_t most = (size_t)1 << 30;
	size_t size = l->map_size + (l->map_size < most ? l->map_size : most);
	MDB_envinfo info;
	int rc;

	if (l->reading)
		return err_set(err, EXIT_AGAIN,
		    "the ledger's map must grow; end the read first");
	rc = mdb_env_set_mapsize(l->env, size);
	if (rc == 0 && mdb_env_info(l->env, &info) == 0)
		guard_watch(l->guard.page, info.me_mapaddr, info.me_mapsize);
	if (rc != 0) {
		table_trouble(l, rc, "grow the map");
		return err_set(err, EXIT_USER,
		    "cannot grow the ledger's map in %s to %zu bytes: %s; "
		    "look at the limits on address space",
		    l->directory, size, mdb_strerror(rc));
	}
	log_info(LOG_LEDGER_GROW, "directory=%s map=%zu from=%zu", l->directory,
	    size, l->map_size);
	l->map_size = size;
	l->grow = false;
	return 0;
}

/*
 * A transaction may end in pages that it took and did not use; LMDB counts them
 * but does not write them, and the file is then shorter than its meta page
 * says. Nothing reads them, yet a cut file must be told from that: so make it
 * whole.
 */
static void complete_file(struct ledger *l)
{
	MDB_envinfo info;
	MDB_stat stat;
	struct stat st;
	mdb_filehandle_t fd;
	uint64_t need;

	if (mdb_env_info(l->env, &info) != 0 ||
	    mdb_env_stat(l->env, &stat) != 0)
		return;
	need = ((uint64_t)info.me_last_pgno + 1) * stat.ms_psize;
	if (need <= l->file_size || mdb_env_get_fd(l->env, &fd) != 0 ||
	    fstat(fd, &st) < 0)
		return;
	l->file_size = (uint64_t)st.st_size;
	if (need > l->file_size && ftruncate(fd, (off_t)need) == 0)
		l->file_size = need;
}

/* --- transactions --------------------------------------------------------- */

bool ledger_failed(const struct ledger *l)
{
	return l->failed != 0;
}

bool ledger_damaged(const struct ledger *l)
{
	return l->reopen || guard_is_damaged(&l->guard) ||
	       guard_is_stale(&l->guard);
}

/*
 * LMDB calls a short write EIO, and that is what a full disk, a quota or a file
 * limit gives first. So try: room for this much behind the end, or not?
 */
static bool is_out_of_room(struct ledger *l)
{
	enum { PROBES = 16 };
	static const char zeros[65536];
	struct stat st;
	mdb_filehandle_t fd;
	bool full = false;

	if (mdb_env_get_fd(l->env, &fd) != 0 || fstat(fd, &st) < 0)
		return false;
	for (int i = 0; i < PROBES && !full; i++) {
		ssize_t n = pwrite(fd, zeros, sizeof zeros,
		    st.st_size + (off_t)(i * sizeof zeros));

		full =
		    n < 0 ? errno == ENOSPC || errno == EDQUOT || errno == EFBIG
			  : (size_t)n < sizeof zeros;
	}
	if (ftruncate(fd, st.st_size) < 0)
		table_trouble(l, errno, "give room back");
	return full;
}

/* Puts the code of a failed transaction into words, and draws the conclusions.
 * Only a grown map is EXIT_AGAIN: the caller may repeat at once. */
static int explain(struct ledger *l, int rc, struct err *err)
{
	if (rc == EIO && is_out_of_room(l))
		rc = ENOSPC;
	switch (rc) {
	case MDB_MAP_FULL:
		l->grow = true;
		return err_set(err, EXIT_AGAIN,
		    "the ledger's map in %s is full and grows", l->directory);
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return err_set(err, EXIT_USER,
		    "no space for the ledger in %s (%s): what is stored "
		    "stays, nothing new is stored until there is room; free "
		    "some",
		    l->directory, mdb_strerror(rc));
	case EIO:
	case MDB_PANIC:
		/* The kernel may have dropped pages and report success next
		 * time: only a file read again from the disk is to be
		 * trusted. */
		l->reopen = true;
		return err_set(err, EXIT_USER,
		    "the disk failed to write the ledger in %s (%s); nothing "
		    "of this transaction is stored; look at the disk",
		    l->directory, mdb_strerror(rc));
	default:
		return err_set(err, EXIT_USER,
		    "cannot write the ledger in %s: %s; nothing of this "
		    "transaction is stored",
		    l->directory, mdb_strerror(rc));
	}
}

int ledger_begin(struct ledger *l, struct moment now, struct err *err)
{
	int rc;

	must(l->writer && l->write == NULL);
	if (ledger_damaged(l))
		return err_set(err, EXIT_USER,
		    "the ledger in %s is damaged; it is set aside at the next "
		    "start",
		    l->directory);
	if (l->grow && grow_map(l, err) < 0)
		return -1;
	rc = mdb_txn_begin(l->env, NULL, 0, &l->write);
	if (rc != 0) {
		l->write = NULL;
		table_trouble(l, rc, "begin to write");
		return explain(l, rc, err);
	}
	ahead_begin(l);
	l->now = now;
	l->changes = 0;
	l->failed = 0;
	return 0;
}

static void forget(struct ledger *l)
{
	l->write = NULL;
	l->state = l->committed;
	l->failed = 0;
	journal_forget(l);
}

void ledger_abort(struct ledger *l)
{
	must(l->write != NULL);
	table_end_work(l);
	mdb_txn_abort(l->write);
	forget(l);
}

bool ledger_show(struct ledger *l)
{
	must(l->write != NULL);
	return !l->failed && ahead_show(l);
}

int ledger_commit(struct ledger *l, struct err *err)
{
	int rc;

	must(l->write != NULL);
	/* Nothing to store is nothing to wait for. */
	if (l->changes == 0 && l->failed == 0) {
		ledger_abort(l);
		return 0;
	}
	journal_flush(l);
	state_store(l);
	if (l->failed) {
		rc = l->failed;
		ledger_abort(l);
		return explain(l, rc, err);
	}
	table_end_work(l);
	rc = mdb_txn_commit(l->write);
	if (rc != 0) {
		forget(l);
		/* The caller tells the rest. */
		if (table_rc_is_damage(rc))
			table_trouble(l, rc, "commit");
		return explain(l, rc, err);
	}
	l->committed = l->state;
	forget(l);
	complete_file(l);
	return 0;
}

/* --- leases --------------------------------------------------------------- */

/* Is a put news for those who read the journal? An end that moved is, and one
 * that the wall clock has reached or unreached. */
static bool is_news(struct ledger *l, const struct lease *row)
{
	struct lease old;

	return ledger_get(l, &row->addr, row->user, row->user_len, &old) !=
		   LEDGER_FOUND ||
	       old.end.wall != row->end.wall || old.end.boot != row->end.boot ||
	       ((old.flags ^ row->flags) & LEASE_TOLD);
}

static void refuse_row(struct ledger *l, const char *what)
{
	log_error(LOG_LEDGER_ERROR,
	    "directory=%s doing=\"store a %s\" error=\"the row is not sound\" "
	    "next=\"it is not stored\"",
	    l->directory, what);
}

void ledger_put(struct ledger *l, const struct lease *row)
{
	uint8_t key[RECORD_LEASE_KEY_MAX], value[RECORD_LEASE_SIZE];
	size_t key_len =
	    record_lease_key(&row->addr, row->user, row->user_len, key);
	size_t len = 0;

	if (key_len > 0)
		len = record_lease_encode(
		    row, (uint16_t)l->state.boots, key, key_len, value);
	if (len == 0) {
		refuse_row(l, "lease");
		return;
	}
	if (l->journal && is_news(l, row))
		journal_note(l, CHANGE_PUT, row, 0);
	table_put(l, TABLE_LEASE, key, key_len, value, len, 0);
	ahead_stage(l, key, key_len, value, len);
}

void ledger_delete(struct ledger *l, const struct lease *row)
{
	uint8_t key[RECORD_LEASE_KEY_MAX];
	size_t len =
	    record_lease_key(&row->addr, row->user, row->user_len, key);
	struct lease old;

	if (len == 0)
		return;
	if (l->journal && ledger_get(l, &row->addr, row->user, row->user_len,
			      &old) == LEDGER_FOUND)
		journal_note(l, CHANGE_DELETE, &old, 0);
	table_delete(l, TABLE_LEASE, key, len);
	ahead_stage(l, key, len, NULL, 0);
}

/* --- readers of the environment ------------------------------------------- */

int ledger_reader_check(struct ledger *l)
{
	int dead = 0;
	int rc = mdb_reader_check(l->env, &dead);

	if (rc != 0)
		table_trouble(l, rc, "look for dead readers");
	return rc == 0 ? dead : 0;
}

struct stale {
	uint64_t oldest; /* allowed */
	uint64_t worst;
	int pid;
};

/* LMDB tells its readers only as text: "  PID THREAD TRANSACTION\n", with "-"
 * for one that reads nothing. */
static int on_reader(const char *line, void *ctx)
{
	struct stale *s = ctx;
	char *end;
	long pid = strtol(line, &end, 10);
	unsigned long long snapshot;

	(void)strtoull(end, &end, 16); /* the thread */
	while (*end == ' ')
		end++;
	/* The heading, and readers at rest. */
	if (pid <= 0 || *end < '0' || *end > '9')
		return 0;
	snapshot = strtoull(end, NULL, 10);
	if (pid != getpid() && snapshot < s->oldest && snapshot < s->worst) {
		s->worst = snapshot;
		s->pid = (int)pid;
	}
	return 0;
}

int ledger_stale_reader(struct ledger *l, uint64_t behind)
{
	struct stale s = { .worst = UINT64_MAX };
	MDB_envinfo info;

	if (mdb_env_info(l->env, &info) != 0 || info.me_last_txnid <= behind)
		return 0;
	s.oldest = info.me_last_txnid - behind;
	(void)mdb_reader_list(l->env, on_reader, &s);
	return s.pid;
}
