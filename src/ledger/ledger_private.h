/* SPDX-License-Identifier: ISC */
/*
 * ledger_private - what the files of this room share. Nobody outside includes
 * it.
 *
 * env.c opens and closes; guard.c holds the directory, the writer's lock and
 * the mark of damage; aside.c judges a file and sets it aside; state.c keeps
 * the row that each commit writes, and names; table.c is the way to LMDB's
 * tables; read.c and write.c are transactions and leases; ahead.c
 * shows leases before they are durable; session.c, revocation.c, journal.c and
 * cursor.c one table each.
 */
#ifndef LEDGER_LEDGER_PRIVATE_H
#define LEDGER_LEDGER_PRIVATE_H
#include <lmdb.h>
#include <stdatomic.h>

#include "ledger.h"
#include "record.h"

enum table {
	TABLE_META,
	TABLE_LEASE,
	TABLE_SESSION,
	TABLE_REVOCATION,
	TABLE_JOURNAL,
	TABLE_CURSOR,
	TABLE_COUNT
};

/*
 * How far beyond now + ttl an end may be. A reader's clock was read before its
 * snapshot, so the keeper may have stored an end of a slightly later now; a
 * minute also covers a reader that was stopped in between.
 */
enum { LEDGER_SLACK_MS = 60 * 1000 };

/* ledger.lock, mapped by every process: flags that must cost no system call,
 * and that a signal handler can set. */
struct guard_page {
	char magic[16];
	_Atomic uint32_t pid;        /* of the writer */
	_Atomic uint32_t damaged;    /* the next writer sets the ledger aside */
	_Atomic uint32_t generation; /* + 1 each time that was done */
};
struct guard {
	int directory; /* descriptor */
	int fd;        /* of ledger.lock */
	struct guard_page *page;
	bool writer;
	uint32_t generation; /* of what this process has open */
};

/* Names by id - 1; never freed while open, so that callers may keep them. */
struct names {
	char **text;
	uint32_t *hash;
	size_t count, room;
};

struct journal_change;
struct journal_pending {
	struct journal_change *changes;
	size_t count, room;
	uint32_t *slots; /* hash table of indices + 1 */
	size_t slot_count;
};

/* Rows that are ahead of the disk; in memory that all processes map. */
struct ahead_page;
struct ahead {
	struct ahead_page *page; /* NULL: none */
	/* the writer's */
	uint32_t staged; /* where the next row goes */
	bool begun;      /* the open transaction has staged one */
	bool full;
	/* a reader's: the snapshot */
	uint64_t serial, base;
	uint32_t used; /* 0: nothing is shown */
	/* and the rows of one address in it, in the order of their keys */
	struct ahead_row *rows;
	size_t count, room;
	uint8_t *bytes; /* of all of them */
};
struct ahead_row {
	MDB_val key, value; /* value of length 0: the lease is deleted */
};

struct ledger {
	MDB_env *env;
	MDB_dbi dbi[TABLE_COUNT];
	struct guard guard;
	char *directory;
	bool writer, journal;
	unsigned prefix;
	int64_t ttl;
	size_t map_size;
	uint64_t file_size; /* as last seen; at least */
	char node[17];

	MDB_txn *read;    /* kept, with its slot, from open to close */
	MDB_cursor *find; /* the look-up's, renewed with it */
	bool reading, find_ready;
	size_t state_txn; /* the snapshot that state is of */

	struct record_state state;     /* with the open transaction's changes */
	struct record_state committed; /* without */

	MDB_txn *write;
	struct moment now;           /* of the open write transaction */
	uint64_t changes;            /* made in it */
	uint64_t moves[TABLE_COUNT]; /* changes that walks must look out for */
	struct walk *walk;           /* the innermost one */
	MDB_cursor *work;            /* on leases, from first use to its end */
	int failed;  /* LMDB's or errno's code of its first failure */
	bool grow;   /* the map, before the next one */
	bool reopen; /* the environment cannot go on */

	struct names names;
	struct journal_pending pending;
	struct ahead ahead;
};

/* --- guard.c -------------------------------------------------------------- */

/* Opens and checks the directory, locks it for a writer, maps the page. */
int guard_open(
    struct guard *g, const struct ledger_options *o, struct err *err);
void guard_close(struct guard *g);
/* data.mdb and lock.mdb: missing, or ours alone. */
int guard_check_files(
    const struct guard *g, const struct ledger_options *o, struct err *err);
void guard_mark_damaged(struct guard *g);
bool guard_is_damaged(const struct guard *g);
bool guard_is_stale(const struct guard *g);
/* A fault inside [start, start + size) marks the ledger damaged before the
 * process dies by it. NULL page: no more. */
void guard_watch(struct guard_page *page, const void *start, size_t size);

/* --- aside.c -------------------------------------------------------------- */

enum header {
	HEADER_ERROR = -1, /* cannot be read at all; *err says why */
	HEADER_NEW,        /* missing or empty */
	HEADER_SOUND,
	HEADER_SHORT, /* ends before the last page that it names */
	HEADER_BAD    /* *reason_r says why */
};
/* *map_r: the map's size as the file tells it. */
enum header aside_header(
    int directory, size_t *map_r, const char **reason_r, struct err *err);
/* Renames what is there into ledger.aside-TIME, and says so in the log. */
int aside_move(struct guard *g, const char *directory, const char *reason,
    int64_t wall, struct err *err);
/* Walks every page that is in use. False: one is damaged. */
bool aside_verify(MDB_env *env);

/* --- state.c -------------------------------------------------------------- */

/* Reads format and state inside txn. NULL when sound, else the reason. *new_r:
 * there is nothing yet. */
const char *state_load(struct ledger *l, MDB_txn *txn, bool *new_r);
/* Makes format and state in an empty ledger. */
void state_create(
    struct ledger *l, const struct ledger_options *o, struct moment now);
/* Takes over rows of an older boot (DESIGN, Time). True: something changed. */
bool state_adopt(
    struct ledger *l, const struct ledger_options *o, struct moment now);
/* The state as the snapshot of txn has it, read when it is another one. */
int state_refresh(struct ledger *l, MDB_txn *txn);
void state_store(struct ledger *l);
/* The end of a row of that boot as it counts now; false: it is no lease. */
bool state_end(const struct ledger *l, uint16_t boot, struct moment *end);
void names_load(struct ledger *l, MDB_txn *txn);
void names_free(struct ledger *l);

/* --- ahead.c -------------------------------------------------------------- */

/* memory: of ledger_options; a writer empties it. */
void ahead_open(struct ledger *l, void *memory);
void ahead_close(struct ledger *l);
void ahead_begin(struct ledger *l); /* a write transaction */
/* In one: the row as it is now; len 0: deleted. Seen by nobody
 * before ahead_show(). */
void ahead_stage(struct ledger *l, const void *key, size_t key_len,
    const void *value, size_t len);
bool ahead_show(struct ledger *l);
/* A snapshot of it: to be called before LMDB's is taken, and then with it. */
void ahead_look(struct ledger *l);
void ahead_match(struct ledger *l, MDB_txn *read);
/* Finds the snapshot's rows of one address; they stay valid until the next
 * call. False: the writer has gone on, a new snapshot is needed. */
bool ahead_find(struct ledger *l, const struct addr *masked);

/* --- table.c -------------------------------------------------------------- */

extern const char *const table_names[TABLE_COUNT];

/* The order of lease keys. */
int table_compare_leases(const MDB_val *a, const MDB_val *b);
/* Once an environment and table, in its first transaction. LMDB's code. */
int table_open(struct ledger *l, MDB_txn *txn, enum table t, unsigned flags);
/* The transaction that calls work in: the write one while it is open. */
MDB_txn *table_txn(struct ledger *l);
/* True for codes that mean the file is not what LMDB wrote. */
bool table_rc_is_damage(int rc);
/* Logs and, for damage, marks. Returns LEDGER_ERROR. */
enum ledger_found table_trouble(struct ledger *l, int rc, const char *what);
enum ledger_found table_get(struct ledger *l, enum table t, const void *key,
    size_t key_len, MDB_val *value_r);
void table_put(struct ledger *l, enum table t, const void *key, size_t key_len,
    const void *value, size_t len, unsigned flags);
/* Before a write transaction ends. */
void table_end_work(struct ledger *l);
/* Returns whether the row was there. */
bool table_delete(
    struct ledger *l, enum table t, const void *key, size_t key_len);
void table_fail(struct ledger *l, int rc);
/* A row that no decoder takes: told, and removed while writing. */
void table_unsound(struct ledger *l, enum table t, const MDB_val *key);

/* A walk over one table in key order; rows may be changed and deleted under it.
 * while (walk_next(&w) > 0) ... w.key, w.value; then rc = table_walk_close(&w).
 */
struct walk {
	struct ledger *l;
	enum table table;
	MDB_cursor *cursor;
	MDB_val key, value;
	uint64_t moves;
	struct walk *outer;
	int rc;
	bool started, writing;
	bool deleted; /* the row that it stands on */
	size_t last_len;
	uint8_t last[512]; /* LMDB's longest key is 511 bytes */
};
/* Begins at the first key not below from (from_len 0: the first). */
void table_walk_open(struct walk *w, struct ledger *l, enum table t,
    const void *from, size_t from_len);
int walk_next(struct walk *w);
int table_walk_close(struct walk *w); /* 0, or -1 after an error */

/* --- journal.c ------------------------------------------------------------ */

void journal_note(struct ledger *l, enum ledger_change change,
    const struct lease *row, int64_t until);
/* At commit: gives the noted changes their numbers. */
void journal_flush(struct ledger *l);
void journal_forget(struct ledger *l);
/* Before the first use: a journal that was off has a hole. */
bool journal_prepare(struct ledger *l);
void journal_free(struct ledger *l);
#endif
