/* SPDX-License-Identifier: ISC */
/*
 * ask - see the header.
 */
#include "ask.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

struct sql_ask {
	const struct sql_engine *engine;
	struct sql_conn *conn;
	int64_t timeout;
	struct sql_result result;
	char text[ERR_TEXT_SIZE]; /* of its fault */
};

/* 0, or -1: failed; *late_r: because the time is over. */
static int wait_for(struct sql_ask *a, int need, bool *late_r)
{
	int64_t until = clock_now().boot + a->timeout;

	*late_r = false;
	while (need > 0) {
		struct pollfd p = { .fd = a->engine->fd(a->conn) };
		int64_t left = until - clock_now().boot;
		int ready = 0;

		if (need & SQL_READ)
			p.events |= POLLIN;
		if (need & SQL_WRITE)
			p.events |= POLLOUT;
		if (left <= 0) {
			*late_r = true;
			return -1;
		}
		if (poll(&p, 1, (int)left) < 0 && errno != EINTR)
			return -1;
		if (p.revents & (POLLIN | POLLERR | POLLHUP))
			ready |= need & SQL_READ ? SQL_READ : SQL_WRITE;
		if (p.revents & POLLOUT)
			ready |= SQL_WRITE;
		if (ready)
			need = a->engine->step(a->conn, ready);
	}
	return need;
}

static enum exit_code worth(enum sql_fault fault)
{
	switch (fault) {
	case SQL_FAULT_NONE:
	case SQL_FAULT_GONE:
	case SQL_FAULT_FULL:
	case SQL_FAULT_BUSY:
		return EXIT_AGAIN;
	case SQL_FAULT_LOGIN:
	case SQL_FAULT_NO_TABLE:
	case SQL_FAULT_NO_COLUMN:
	case SQL_FAULT_DENIED:
	case SQL_FAULT_DUPLICATE:
	case SQL_FAULT_OTHER:
		break;
	}
	return EXIT_USER;
}

static enum sql_fault tell(struct sql_ask *a, bool late, struct err *err)
{
	const char *text = "";
	enum sql_fault fault;

	if (late) {
		(void)err_set(err, EXIT_AGAIN,
		    "the database %s does not answer in time",
		    sql_engine_name(a->engine->id));
		return SQL_FAULT_GONE;
	}
	fault = a->engine->fault(a->conn, &text);
	(void)err_set(err, worth(fault), "the database %s says: %s",
	    sql_engine_name(a->engine->id), text);
	return fault == SQL_FAULT_NONE ? SQL_FAULT_OTHER : fault;
}

/* Who connects, by the options that say so. */
static void tell_who(const struct sql_place *place, enum sql_engine_id engine,
    enum sql_fault fault, struct err *err)
{
	const char *user = *place->user ? place->user : "the process's own";
	const char *file = place->password_file && *place->password_file
			       ? place->password_file
			       : "none";

	if (engine == SQL_SQLITE && fault == SQL_FAULT_DENIED)
		(void)err_set(err, EXIT_USER,
		    "%s; relaypass-out must be able to read and write it",
		    err->text);
	else if (engine != SQL_SQLITE && fault == SQL_FAULT_LOGIN)
		(void)err_set(err, EXIT_USER,
		    "%s; these say who connects: user (%s), password-file "
		    "(%s), database (%s)",
		    err->text, user, file, place->database);
}

struct sql_ask *sql_ask_open(const struct sql_engine *engine,
    const struct sql_place *place, int64_t timeout, struct err *err)
{
	struct sql_ask *a = xcalloc(1, sizeof(*a));
	struct sql_place limited = *place;
	bool late;

	limited.timeout = timeout;
	a->engine = engine;
	a->timeout = timeout;
	a->conn = engine->open(&limited, err);
	if (a->conn && wait_for(a, engine->connect(a->conn), &late) == 0)
		return a;
	if (a->conn)
		tell_who(place, engine->id, tell(a, late, err), err);
	sql_ask_close(&a);
	return NULL;
}

void sql_ask_close(struct sql_ask **ap)
{
	struct sql_ask *a = *ap;

	*ap = NULL;
	if (a && a->conn)
		a->engine->close(&a->conn);
	free(a);
}

enum sql_fault sql_ask_run(struct sql_ask *a, const char *statement,
    const struct sql_value *params, size_t count, struct err *err)
{
	bool late;
	int need = a->engine->run(a->conn, statement, params, count);
	struct err why = { 0 };

	a->result = (struct sql_result){
		.text = a->text, .engine = a->engine, .conn = a->conn
	};
	if (wait_for(a, need, &late) == 0) {
		a->result.rows = a->engine->rows(a->conn);
		a->result.columns = a->engine->columns(a->conn);
		a->result.affected = a->engine->affected(a->conn);
	} else {
		a->result.fault = tell(a, late, &why);
		if (err)
			*err = why;
	}
	memcpy(a->text, why.text, sizeof(a->text));
	return a->result.fault;
}

const struct sql_result *sql_ask_result(const struct sql_ask *a)
{
	return &a->result;
}

size_t sql_ask_rows(const struct sql_ask *a)
{
	return a->result.rows;
}

const char *sql_ask_text(const struct sql_ask *a, size_t row, size_t column)
{
	return sql_result_text(&a->result, row, column);
}
