/* SPDX-License-Identifier: ISC */
/*
 * ledger - the store of leases: who may relay, and until when, with everything
 * needed to go on after a crash. The only room that includes lmdb.h.
 *
 * Called by: login/ (writes), decide/ and export/ (read), daemon/ (opens).
 * Owns:      the LMDB environment, one per process, opened after the fork.
 * Not here:  who deserves a lease (login/), what an answer is (decide/).
 */
#ifndef LEDGER_LEDGER_H
#define LEDGER_LEDGER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/err.h"
#include "login/login.h"

struct ledger;

/* Missing is an answer, error is not: no caller may treat them alike. */
enum ledger_found { LEDGER_ERROR = -1, LEDGER_MISSING = 0, LEDGER_FOUND = 1 };

struct ledger_options {
	const char *directory;
	bool writer;     /* exactly one process may be */
	uint32_t owner;  /* uid that directory and files must belong to;
			  * 0: the own one */
	size_t map_size; /* first size; grows in large steps */
	bool journal;
	unsigned ipv6_prefix;  /* rows of another length are dropped at start */
	int64_t ttl, max_skew; /* ms; for rows of an older boot */
	char boot_id[CLOCK_BOOT_ID_SIZE];
	/* LEDGER_AHEAD_SIZE bytes, zeroed once, that the ledger's processes
	 * share and only the writer may change: by them readers see what
	 * ledger_show() shows. NULL: they see what is committed. */
	void *ahead;
};
enum { LEDGER_AHEAD_SIZE = 1 << 20 };

struct lease {
	struct addr addr;                /* masked to the prefix */
	uint8_t bits;                    /* of the prefix, 128-bit form */
	uint8_t flags;                   /* LEASE_* */
	uint16_t sessions;               /* open ones */
	uint16_t source, server;         /* ids; ledger_name() */
	int64_t first_login, last_login; /* wall ms, the log lines' own */
	struct moment end; /* alive while both clocks are before it */
	uint8_t user_len;
	char user[LOGIN_USER_MAX + 1];
};
enum {
	LEASE_TLS = 1,
	LEASE_GRANTED = 2, /* by hand */
	LEASE_TOLD = 4,    /* the wall clock alone has ended it, and its end
			    * was told */
	LEASE_SHARED = 8,  /* more than one source has told of its logins */
	LEASE_FLAGS = 15
};

/*
 * Opens, creating what is missing (writer). Checks directory 0700, files 0600
 * and their owner. A damaged, foreign or too new ledger is set aside by the
 * writer (renamed to ledger.aside-TIME, logged) and an empty one made; a reader
 * gets NULL with EXIT_AGAIN. The writer adopts rows of an older boot (DESIGN,
 * Time).
 */
struct ledger *ledger_open(
    const struct ledger_options *o, struct moment now, struct err *err);
void ledger_close(struct ledger **l);

/*
 * --- reading: between begin and end, one snapshot; never across a wait ------
 * ledger_find() and ledger_at() also see what is shown; they move on to a later
 * snapshot when that has been committed meanwhile. The others see commits. In
 * the writer all of them see its open transaction.
 */
int ledger_read_begin(struct ledger *l, struct err *err);
void ledger_read_end(struct ledger *l); /* keeps the slot; cheap to renew */
/* The longest-lived live lease of addr; user (NULL: any) restricts. Leases that
 * have run out are missing, swept or not. */
enum ledger_found ledger_find(struct ledger *l, const struct addr *addr,
    const char *user, size_t user_len, struct moment now, struct lease *out);
/* Every row (live or not) in key order; from addr on when not NULL. Stops when
 * fn returns non-zero and returns that; -1 on error. */
typedef int ledger_row_fn(void *ctx, const struct lease *row);
int ledger_each(
    struct ledger *l, const struct addr *from, ledger_row_fn *fn, void *ctx);
/* The same for the rows of one address, masked as they are. fn neither looks
 * a lease up nor changes one. */
int ledger_at(
    struct ledger *l, const struct addr *masked, ledger_row_fn *fn, void *ctx);
/* True when both clocks are before the row's end, adopted rows as adopted. */
bool ledger_alive(const struct lease *row, struct moment now);
/* Time to its end, ms, by the clock that ends it first; below 0: it is over. */
int64_t ledger_left(const struct lease *row, struct moment now);
size_t ledger_rows(struct ledger *l);
/* Sessions that are open or held. */
size_t ledger_session_rows(struct ledger *l);
/* Bytes used by the tables, and size of the map. */
void ledger_size(struct ledger *l, size_t *used_r, size_t *map_r);
/* A name for an id of a lease, "" when unknown. Constant while open. */
const char *ledger_name(struct ledger *l, uint16_t id);

/* --- writing: one transaction at a time ----------------------------------- */
int ledger_begin(struct ledger *l, struct moment now, struct err *err);
/* Durable when it returns 0. -1: nothing of the transaction is stored; *err
 * says why. A full map is grown and the caller told to repeat by EXIT_AGAIN. */
int ledger_commit(struct ledger *l, struct err *err);
void ledger_abort(struct ledger *l);
/* Lets readers see the leases of the open transaction now, before it is
 * durable. False: nothing more is shown, for want of room or after a failure;
 * commit at once. What a commit that fails had shown stays seen until the next
 * one. */
bool ledger_show(struct ledger *l);
/* True once a write failed inside the transaction: commit will fail. */
bool ledger_failed(const struct ledger *l);

uint16_t ledger_intern(struct ledger *l, const char *name); /* 0 on failure */
enum ledger_found ledger_get(struct ledger *l, const struct addr *masked,
    const char *user, size_t user_len, struct lease *out);
void ledger_put(struct ledger *l, const struct lease *lease);
void ledger_delete(struct ledger *l, const struct lease *lease);

/* Sessions: key is (server id, session id). */
struct ledger_session {
	uint16_t server, source;
	uint32_t mpid;
	uint64_t mpid_start;     /* field 22 of /proc/PID/stat; 0: never seen */
	int64_t began;           /* wall ms of the login */
	struct moment since;     /* when it was seen here, both clocks */
	struct moment last_sign; /* of life */
	struct addr addr;        /* masked, of its lease */
	uint8_t user_len, session_len;
	char user[LOGIN_USER_MAX + 1], session[LOGIN_SESSION_MAX + 1];
};
enum ledger_found ledger_session_get(struct ledger *l, uint16_t server,
    const char *session, size_t len, struct ledger_session *out);
void ledger_session_put(struct ledger *l, const struct ledger_session *s);
void ledger_session_delete(struct ledger *l, const struct ledger_session *s);
typedef int ledger_session_fn(void *ctx, const struct ledger_session *s);
int ledger_session_each(struct ledger *l, ledger_session_fn *fn, void *ctx);
/* The same from the first row behind this one on (NULL: from the first); that
 * row need not be there any more. */
int ledger_session_after(struct ledger *l, const struct ledger_session *after,
    ledger_session_fn *fn, void *ctx);

/* Revocations, by address (user_len 0), user (addr all zero) or both. */
struct ledger_revocation {
	struct addr addr;
	uint8_t user_len;
	char user[LOGIN_USER_MAX + 1];
	int64_t time;       /* wall ms of the revocation */
	int64_t until;      /* logins up to this wall time are refused */
	struct moment keep; /* the row itself is kept until then */
	uint64_t sequence;
	char origin[17]; /* node id */
};
void ledger_revocation_put(struct ledger *l, const struct ledger_revocation *r);
void ledger_revocation_delete(
    struct ledger *l, const struct ledger_revocation *r);
/* The revocation that refuses a login of this address and user at login_time.
 */
enum ledger_found ledger_revoked(struct ledger *l, const struct addr *masked,
    const char *user, size_t user_len, int64_t login_time,
    struct ledger_revocation *out);
/* The row of just this address (all zero: any) and user; no user: len 0. */
enum ledger_found ledger_revocation_get(struct ledger *l,
    const struct addr *addr, const char *user, size_t user_len,
    struct ledger_revocation *out);
typedef int ledger_revocation_fn(void *ctx, const struct ledger_revocation *r);
int ledger_revocation_each(
    struct ledger *l, ledger_revocation_fn *fn, void *ctx);
/* The same, from this address on; those of users alone have the address zero
 * and come first. */
int ledger_revocation_from(struct ledger *l, const struct addr *from,
    ledger_revocation_fn *fn, void *ctx);

/* Cursors: opaque bytes of a source or export, by name. */
enum { LEDGER_CURSOR_KEY_MAX = 480, LEDGER_CURSOR_MAX = 256 };
struct ledger_cursor {
	uint16_t key_len, len;
	char key[LEDGER_CURSOR_KEY_MAX];
	uint8_t bytes[LEDGER_CURSOR_MAX];
};
void ledger_cursor_put(struct ledger *l, const struct ledger_cursor *c);
void ledger_cursor_delete(struct ledger *l, const char *key, size_t key_len);
typedef int ledger_cursor_fn(void *ctx, const struct ledger_cursor *c);
/* Every cursor whose key begins with prefix. Inside a read or a write. */
int ledger_cursor_each(struct ledger *l, const char *prefix, size_t len,
    ledger_cursor_fn *fn, void *ctx);

/* Journal: what changed, one row a change, in the same transaction. */
enum ledger_change { CHANGE_PUT = 1, CHANGE_DELETE, CHANGE_REVOKE };
struct ledger_entry {
	uint64_t sequence;
	enum ledger_change change;
	struct lease lease; /* PUT; DELETE and REVOKE: addr, bits and user */
	int64_t until;      /* REVOKE */
};
uint64_t ledger_sequence(struct ledger *l); /* last one written */
typedef int ledger_entry_fn(void *ctx, const struct ledger_entry *e);
int ledger_journal_each(
    struct ledger *l, uint64_t after, ledger_entry_fn *fn, void *ctx);
/* Drops entries up to and including sequence, and those past their lease's end;
 * at most `limit` of them. */
void ledger_journal_trim(
    struct ledger *l, uint64_t sequence, struct moment now, size_t limit);

/* The mode set at run time: 0 none set, else 1 + index of the choice. */
int ledger_mode(struct ledger *l);
void ledger_mode_set(struct ledger *l, int mode);
enum { LEDGER_NODE_SIZE = 17 };
const char *ledger_node(struct ledger *l); /* this node's id, 16 hex digits */

/* True when the environment cannot be trusted any more: the keeper must end,
 * and the next open sets the ledger aside or reads it anew. */
bool ledger_damaged(const struct ledger *l);
/* Clears readers that died. Returns how many. */
int ledger_reader_check(struct ledger *l);
/* The pid of a live reader whose snapshot is more than `behind` commits old, or
 * 0. For the supervisor to end. */
int ledger_stale_reader(struct ledger *l, uint64_t behind);
#endif
