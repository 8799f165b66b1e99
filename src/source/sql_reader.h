/* SPDX-License-Identifier: ISC */
/*
 * sql_reader - what the sources that read from a database have in common: the
 * connection, their turns on the loop, what is wrong, and whether the
 * database's clock and ours agree. Called by: source/sql.c,
 * source/sql_stream.c.
 */
#ifndef SOURCE_SQL_READER_H
#define SOURCE_SQL_READER_H
#include <uv.h>

#include "base/trouble.h"
#include "replica/skew.h"
#include "source.h"
#include "sql/session.h"

struct sql_reader_env {
	const struct source_env *source;
	const struct conf_section *conf;
	const char *table; /* for the log */
	enum sql_engine_id engine;
	bool listens; /* to what the database notifies */
	int64_t soon; /* ms: behind a notification, so that rows come together
		       */
	void (*connected)(void *ctx);
	void (*second)(void *ctx); /* once a second */
	void (*notified)(void *ctx);
	void (*release)(void *ctx); /* frees what it is a part of */
	void *ctx;
};

struct sql_reader {
	struct sql_reader_env env;
	const struct sql_engine *engine;
	struct sql_place place; /* until the start; the session has its own */
	struct sql_session *session;
	struct trouble table, clock;
	struct skew skew;
	struct moment asked; /* for the time */
	uv_timer_t tick, soon;
	uv_loop_t *loop;
	unsigned handles;
	bool stopped, unwanted;
};

/* Before the lock-down. -1 and *err: it is to be closed, as after success. */
int sql_reader_open(
    struct sql_reader *r, const struct sql_reader_env *env, struct err *err);
void sql_reader_start(struct sql_reader *r, uv_loop_t *loop);
/* No callback comes any more but release(). */
void sql_reader_stop(struct sql_reader *r);
/* The same, and release(), at once or from the loop. */
void sql_reader_close(struct sql_reader *r);

/* Whether the statement ran; what is wrong is told, unless it is the
 * connection, of which the session tells. False when stopped, too. */
bool sql_reader_is_good(struct sql_reader *r, const struct sql_result *result);
/* All that is there has been read. */
void sql_reader_rests(struct sql_reader *r);
/* Asks the database for its time; fn gets the answer, and gives it to
 * sql_reader_time(). */
void sql_reader_ask_time(struct sql_reader *r, sql_done_fn *fn);
/* The database's time, ms; of the answer to the last question for it. */
void sql_reader_time(struct sql_reader *r, int64_t there);
/* Once a second; refused: what of the rows is wrong, or NULL. */
void sql_reader_step(
    struct sql_reader *r, bool in_step, uint64_t behind, const char *refused);
#endif
