/* SPDX-License-Identifier: ISC */
/*
 * session - one connection to a database that comes back by itself, on a uv
 * loop: statements in their order, each with a limit of time. Called by:
 * export/sql.c, source/sql.c, the kinds sql-stream.
 *
 * It logs when the database is lost and when it is back, one line each way,
 * however long it takes.
 */
#ifndef SQL_SESSION_H
#define SQL_SESSION_H
#include "sql.h"

typedef struct uv_loop_s uv_loop_t;

struct sql_session;

struct sql_session_env {
	const char *what, *name; /* "export", its title: for the log */
	int64_t timeout;         /* ms: for connecting, and for a statement */
	/* Connected (again): what a connection needs first may be queued now;
	 * it runs before all else. May be NULL. */
	void (*connected)(void *ctx);
	/* PostgreSQL told by LISTEN that something is there. May be NULL. */
	void (*notified)(void *ctx);
	void *ctx;
};

typedef void sql_done_fn(void *ctx, const struct sql_result *r);

/* Before the lock-down: loads what the name of the host is looked up with;
 * connects to nothing yet. The place is copied, and the password wiped at
 * close. NULL and *err. */
struct sql_session *sql_session_new(const struct sql_session_env *env,
    const struct sql_engine *engine, const struct sql_place *place,
    struct err *err);
/* Connects, now and whenever the connection is lost (first at once, then after
 * 0.1 s and up to 2 s). */
void sql_session_start(struct sql_session *s, uv_loop_t *loop);
bool sql_session_is_connected(const struct sql_session *s);
/* Why there is no connection, or none yet that has answered: the server's
 * words, or the library's. NULL: nothing is wrong. Until the next call. */
const char *sql_session_trouble(const struct sql_session *s);
/*
 * Queues one statement; text and values are copied. fn is called once, from
 * the loop: when it ran or failed; with SQL_FAULT_GONE, as all that are queued,
 * when its time was over or the connection is lost; with the fault of the
 * connection, as all that are queued, when none can be made (SQL_FAULT_LOGIN: a
 * wrong password). What is queued while there is none waits for the next.
 */
void sql_session_run(struct sql_session *s, const char *statement,
    const struct sql_value *params, size_t count, sql_done_fn *fn, void *ctx);
/* Calls nobody any more; in a callback, the result is gone. The loop must run
 * on to release it. */
void sql_session_close(struct sql_session **s);
#endif
