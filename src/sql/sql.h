/* SPDX-License-Identifier: ISC */
/*
 * sql - what the modules of the databases (postgresql.so, mariadb.so,
 * sqlite.so) give to session.c: one connection, one statement at a time, never
 * waiting. A module knows its library and nothing of relaypass.
 *
 * Each call that may have to wait returns what it waits for; the caller polls
 * fd() for that and calls step() until it is SQL_DONE or SQL_FAILED.
 */
#ifndef SQL_SQL_H
#define SQL_SQL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum sql_engine_id { SQL_POSTGRESQL, SQL_MARIADB, SQL_SQLITE };

/* What to wait for; READ and WRITE may be or'ed. */
enum { SQL_FAILED = -1, SQL_DONE = 0, SQL_READ = 1, SQL_WRITE = 2 };

/* Why a statement or a connection failed, as far as it matters. */
enum sql_fault {
	SQL_FAULT_NONE = 0,
	SQL_FAULT_GONE,  /* the connection is over, or was refused */
	SQL_FAULT_LOGIN, /* user, password or database: who may connect */
	SQL_FAULT_NO_TABLE,
	SQL_FAULT_NO_COLUMN,
	SQL_FAULT_DENIED,    /* a missing right */
	SQL_FAULT_DUPLICATE, /* a unique key */
	SQL_FAULT_FULL,      /* no room */
	SQL_FAULT_BUSY,      /* locked, deadlock, serialization: try again */
	SQL_FAULT_OTHER
};

/* Bytes of what a database says when something fails; more is cut, with "...".
 */
enum { SQL_WORDS_SIZE = 400 };

/* text NULL: SQL's NULL. Always as text, with a NUL behind its len bytes and
 * none among them; a statement casts. */
struct sql_value {
	const char *text;
	size_t len;
};

enum sql_tls { SQL_TLS_OFF, SQL_TLS_ON, SQL_TLS_VERIFY };

/* Where a database is; strings borrowed by open() only, "" when not given. */
struct sql_place {
	const char *host; /* name, address, or "/directory" or "/path.sock" of a
			   * unix socket */
	uint16_t port;    /* 0: the usual */
	const char *database; /* sqlite: the file */
	const char *user, *password;
	const char *password_file; /* where it is from, for messages */
	enum sql_tls tls;
	const char *ca; /* file; "": the system's */
	bool create;    /* sqlite: makes the file when it is missing */
	/* Set by session.c: */
	int64_t timeout; /* ms; a server that can be told so ends a statement
			  * shortly before; 0: no limit */
	uint64_t before; /* number() of the connection given up before: what was
			  * sent on it is not to be done any more; 0: none */
};

struct sql_conn; /* each module's own */

struct sql_engine {
	enum sql_engine_id id;
	/* Before the lock-down: loads what its library would load later.
	 * -1 and *err. */
	int (*prepare)(struct err *err);
	/* Reads the place; sends nothing. NULL and *err. */
	struct sql_conn *(*open)(
	    const struct sql_place *place, struct err *err);
	int (*connect)(struct sql_conn *c);
	/*
	 * Begins one statement. params are copied or sent before it returns.
	 * Placeholders are the engine's own: $1 (PostgreSQL), ? (the others). A
	 * module may keep a statement prepared by its text: they are few. The
	 * result before is gone.
	 */
	int (*run)(struct sql_conn *c, const char *statement,
	    const struct sql_value *params, size_t count);
	int (*step)(struct sql_conn *c, int ready);
	int (*fd)(const struct sql_conn *c); /* -1: none, never waits */
	/* Of the last statement that is SQL_DONE; values are borrowed until
	 * the next call. */
	size_t (*rows)(const struct sql_conn *c);
	size_t (*columns)(const struct sql_conn *c);
	struct sql_value (*value)(
	    const struct sql_conn *c, size_t row, size_t column);
	int64_t (*affected)(const struct sql_conn *c);
	/* Of the last SQL_FAILED; its text is the database's own words, without
	 * a line end, and borrowed. */
	enum sql_fault (*fault)(const struct sql_conn *c, const char **text_r);
	/* PostgreSQL: reads what has come while no statement runs. True: a
	 * notification was among it. Others: NULL. SQL_FAULT_GONE by *gone_r.
	 */
	bool (*notified)(struct sql_conn *c, bool *gone_r);
	/* The server's name for this connection; 0: unknown. Or NULL. */
	uint64_t (*number)(const struct sql_conn *c);
	void (*close)(struct sql_conn **c);
};

/* What a statement gave: borrowed until the next one of its connection, or
 * until the callback that was given it returns. */
struct sql_result {
	enum sql_fault fault; /* SQL_FAULT_NONE: it ran */
	const char *text;     /* of the fault; "" */
	size_t rows, columns;
	int64_t affected;
	const struct sql_engine *engine; /* these two: for its values */
	const struct sql_conn *conn;
};
struct sql_value sql_result_value(
    const struct sql_result *r, size_t row, size_t column);
/* The same as a text, "" for NULL; and as a whole number, 0 for NULL. */
const char *sql_result_text(
    const struct sql_result *r, size_t row, size_t column);
int64_t sql_result_number(
    const struct sql_result *r, size_t row, size_t column);
/* A text as a value; NULL: SQL's. */
struct sql_value sql_value_of(const char *text);

/* Loads the module of "postgresql", "mariadb" or "sqlite"; before the
 * lock-down. NULL and *err. */
const struct sql_engine *sql_engine_load(
    enum sql_engine_id id, struct err *err);
const char *sql_engine_name(enum sql_engine_id id);
#endif
