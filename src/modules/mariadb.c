/* SPDX-License-Identifier: ISC */
/*
 * mariadb - the module for MariaDB and MySQL, by libmariadb's calls that do not
 * wait: each runs on a stack of its own, which goes on whenever the socket is
 * ready. Only the lookup of a host's name waits.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "base/module.h"
#include "mariadb_fault.h"
#include "mariadb_private.h"

enum {
	SETTING_SIZE = 512,        /* of what is set in each session */
	PLUGIN_NOT_ALLOWED = 5010, /* error of the library */
	ABORT_STEPS = 64           /* until a call under way has unwound */
};

/* --- errors --- */

static int fail(struct sql_conn *c, enum sql_fault fault, const char *text)
{
	c->text[0] = '\0';
	rows_add_words(c->text, text);
	c->fault = fault;
	c->stage = IDLE;
	rows_begin(&c->rows, 0);
	c->affected = 0;
	return SQL_FAILED;
}

/* Of the call that has just failed; stmt NULL: of the connection. */
static int fail_by(struct sql_conn *c, MYSQL_STMT *stmt, bool connecting)
{
	unsigned number = stmt ? mysql_stmt_errno(stmt) : mysql_errno(c->my);
	const char *text = stmt ? mysql_stmt_error(stmt) : mysql_error(c->my);

	/* The library names the plugin by bytes that are not there any more. */
	if (number == PLUGIN_NOT_ALLOWED)
		text = "the server asks for the password in clear text, which "
		       "it gets by a unix socket or with TLS verified only";
	return fail(c, mdb_fault(number, text, connecting),
	    *text ? text : "the connection was lost");
}

/* --- connecting --- */

/* Rows that match count as affected, also when they are as they were. */
static int start_connect(struct sql_conn *c)
{
	return mysql_real_connect_start(&c->connected, c->my, c->host, c->user,
	    c->password, c->database, c->port, c->socket, CLIENT_FOUND_ROWS);
}

static int go_on_connect(struct sql_conn *c, int ready)
{
	return mysql_real_connect_cont(&c->connected, c->my, ready);
}

/* A text, without parameters. */
static int start_text(struct sql_conn *c, const char *text)
{
	free(c->statement);
	c->statement = xstrdup(text);
	return mysql_real_query_start(
	    &c->failed, c->my, c->statement, strlen(c->statement));
}

static int start_again(struct sql_conn *c)
{
	return mysql_real_query_start(
	    &c->failed, c->my, c->statement, strlen(c->statement));
}

static int go_on_query(struct sql_conn *c, int ready)
{
	return mysql_real_query_cont(&c->failed, c->my, ready);
}

static int start_set(struct sql_conn *c)
{
	char text[SETTING_SIZE];

	mdb_settings(c, text, sizeof(text));
	return start_text(c, text);
}

static int start_stat(struct sql_conn *c)
{
	return mysql_stat_start(&c->stat, c->my);
}

static int go_on_stat(struct sql_conn *c, int ready)
{
	return mysql_stat_cont(&c->stat, c->my, ready);
}

static int start_kill(struct sql_conn *c)
{
	char text[SQL_WORDS_SIZE];

	(void)snprintf(text, sizeof(text), "KILL CONNECTION %" PRIu32,
	    (uint32_t)c->before);
	return start_text(c, text);
}

/* --- statements --- */

static MYSQL_STMT *find(const struct sql_conn *c, const char *text)
{
	for (size_t i = 0; i < c->kept_count; i++) {
		if (strcmp(c->kept[i].text, text) == 0)
			return c->kept[i].stmt;
	}
	return NULL;
}

static void drop(struct statement *s)
{
	(void)mysql_stmt_close(s->stmt);
	free(s->text);
	*s = (struct statement){ .text = NULL };
}

static void keep(struct sql_conn *c)
{
	struct statement *s = &c->kept[c->oldest];

	c->oldest = (c->oldest + 1) % KEPT_MAX;
	if (c->kept_count < KEPT_MAX)
		c->kept_count++;
	else
		drop(s);
	*s = (struct statement){ .text = xstrdup(c->statement),
		.stmt = c->stmt };
}

/* A table may have changed below it: the next one is prepared anew. */
static void drop_failed(struct sql_conn *c)
{
	for (size_t i = 0; i < c->kept_count; i++) {
		if (c->kept[i].stmt != c->stmt)
			continue;
		drop(&c->kept[i]);
		c->kept[i] = c->kept[--c->kept_count];
		c->oldest = c->kept_count % KEPT_MAX;
		c->stmt = NULL;
		return;
	}
	if (c->stmt)
		(void)mysql_stmt_close(c->stmt);
	c->stmt = NULL;
}

static int start_fetch(struct sql_conn *c)
{
	return mysql_fetch_row_start(&c->row, c->result);
}

static int go_on_fetch(struct sql_conn *c, int ready)
{
	return mysql_fetch_row_cont(&c->row, c->result, ready);
}

static int start_prepare(struct sql_conn *c)
{
	return mysql_stmt_prepare_start(
	    &c->failed, c->stmt, c->statement, strlen(c->statement));
}

static int go_on_prepare(struct sql_conn *c, int ready)
{
	return mysql_stmt_prepare_cont(&c->failed, c->stmt, ready);
}

static int start_execute(struct sql_conn *c)
{
	return mysql_stmt_execute_start(&c->failed, c->stmt);
}

static int go_on_execute(struct sql_conn *c, int ready)
{
	return mysql_stmt_execute_cont(&c->failed, c->stmt, ready);
}

static int start_keep(struct sql_conn *c)
{
	return mysql_stmt_store_result_start(&c->failed, c->stmt);
}

static int go_on_keep(struct sql_conn *c, int ready)
{
	return mysql_stmt_store_result_cont(&c->failed, c->stmt, ready);
}

/* --- stages --- */

static const struct {
	int (*start)(struct sql_conn *c);
	int (*go_on)(struct sql_conn *c, int ready);
} stages[] = {
	[CONNECT] = { start_connect, go_on_connect },
	[SET] = { start_set, go_on_query },
	[STAT] = { start_stat, go_on_stat },
	[KILL] = { start_kill, go_on_query },
	[QUERY] = { start_again, go_on_query },
	[FETCH] = { start_fetch, go_on_fetch },
	[PREPARE] = { start_prepare, go_on_prepare },
	[EXECUTE] = { start_execute, go_on_execute },
	[KEEP] = { start_keep, go_on_keep },
};

/* SQL_DONE with a new stage: that one is to be started. */
static int next(struct sql_conn *c, enum stage stage)
{
	c->stage = stage;
	return SQL_DONE;
}

static int fail_statement(struct sql_conn *c)
{
	(void)fail_by(c, c->stmt, false);
	drop_failed(c);
	return SQL_FAILED;
}

/* What the server would still send is not waited for. */
static void cut(struct sql_conn *c)
{
	int fd = (int)mysql_get_socket(c->my);

	if (fd >= 0)
		(void)shutdown(fd, SHUT_RDWR);
}

static int fail_large(struct sql_conn *c)
{
	cut(c);
	rows_free(&c->rows);
	return fail(c, SQL_FAULT_GONE, ROWS_TOO_LARGE);
}

static int end_connect(struct sql_conn *c)
{
	explicit_bzero(c->password, strlen(c->password));
	if (!c->connected)
		return fail_by(c, NULL, true);
	/* The library goes on without, unless it verifies. */
	if (c->tls != SQL_TLS_OFF && !mysql_get_ssl_cipher(c->my))
		return fail(
		    c, SQL_FAULT_OTHER, "the server does not support TLS");
	return next(c, SET);
}

static int end_kill(struct sql_conn *c)
{
	/* It may have ended by itself. */
	if (c->failed && mdb_fault(mysql_errno(c->my), mysql_error(c->my),
			     false) == SQL_FAULT_GONE)
		return fail_by(c, NULL, true);
	return next(c, IDLE);
}

static int end_query(struct sql_conn *c)
{
	if (c->failed)
		return fail_by(c, NULL, false);
	if (mysql_field_count(c->my) > 0) {
		c->result = mysql_use_result(c->my);
		if (!c->result)
			return fail_by(c, NULL, false);
		rows_begin(&c->rows, mysql_num_fields(c->result));
		return next(c, FETCH);
	}
	c->affected = (int64_t)mysql_affected_rows(c->my);
	return next(c, IDLE);
}

static int end_fetch(struct sql_conn *c)
{
	if (c->row)
		return mdb_copy_row(c) == MDB_COPIED ? next(c, FETCH)
						     : fail_large(c);
	mysql_free_result(c->result);
	c->result = NULL;
	if (mysql_errno(c->my))
		return fail_by(c, NULL, false);
	return next(c, IDLE);
}

static int end_prepare(struct sql_conn *c)
{
	if (c->failed)
		return fail_statement(c);
	keep(c);
	return next(c, EXECUTE);
}

static int end_execute(struct sql_conn *c)
{
	if (c->failed)
		return fail_statement(c);
	if (mysql_stmt_field_count(c->stmt) > 0)
		return next(c, KEEP);
	c->affected = (int64_t)mysql_stmt_affected_rows(c->stmt);
	return next(c, IDLE);
}

static int end_keep(struct sql_conn *c)
{
	enum mdb_copied copied = c->failed ? MDB_BROKEN : mdb_copy_kept(c);

	if (copied == MDB_TOO_LARGE)
		return fail_large(c);
	return copied == MDB_COPIED ? next(c, IDLE) : fail_statement(c);
}

/* The call of this stage is over. */
static int end(struct sql_conn *c)
{
	switch (c->stage) {
	case CONNECT:
		return end_connect(c);
	case SET:
		return c->failed ? fail_by(c, NULL, true) : next(c, STAT);
	case STAT:
		mdb_note_number(c);
		return next(c, mdb_is_to_kill(c) ? KILL : IDLE);
	case KILL:
		return end_kill(c);
	case QUERY:
		return end_query(c);
	case FETCH:
		return end_fetch(c);
	case PREPARE:
		return end_prepare(c);
	case EXECUTE:
		return end_execute(c);
	case KEEP:
		return end_keep(c);
	case IDLE:
		break;
	}
	return SQL_DONE;
}

/* Binds what EXECUTE sends. */
static int bind_params(struct sql_conn *c)
{
	if (mysql_stmt_param_count(c->stmt) != c->params)
		return fail(c, SQL_FAULT_OTHER,
		    "not as many parameters as the statement has");
	if (mysql_stmt_bind_param(c->stmt, c->binds) != 0)
		return fail_statement(c);
	return SQL_DONE;
}

/* waits: of the call under way, MYSQL_WAIT_*. It has no time limit of its own,
 * so that it waits for the socket only. */
static int go(struct sql_conn *c, int waits)
{
	while (waits == 0) {
		if (end(c) == SQL_FAILED)
			return SQL_FAILED;
		if (c->stage == IDLE) {
			mdb_forget_params(c);
			return SQL_DONE;
		}
		if (c->stage == EXECUTE && bind_params(c) == SQL_FAILED)
			return SQL_FAILED;
		waits = stages[c->stage].start(c);
	}
	waits = ((waits & MYSQL_WAIT_READ) ? SQL_READ : 0) |
		((waits & MYSQL_WAIT_WRITE) ? SQL_WRITE : 0);
	return waits ? waits : SQL_READ;
}

static int begin(struct sql_conn *c, enum stage stage)
{
	c->fault = SQL_FAULT_NONE;
	c->failed = 0;
	c->stage = stage;
	if (stage == EXECUTE && bind_params(c) == SQL_FAILED)
		return SQL_FAILED;
	return go(c, stages[stage].start(c));
}

/* Lets the call under way come to its end, which is what it owns released:
 * everything fails by now, and nothing waits. */
static void abort_call(struct sql_conn *c)
{
	int waits = 1;

	if (c->stage == IDLE)
		return;
	cut(c);
	for (int i = 0; i < ABORT_STEPS && waits != 0; i++)
		waits = stages[c->stage].go_on(
		    c, MYSQL_WAIT_READ | MYSQL_WAIT_WRITE | MYSQL_WAIT_TIMEOUT);
	c->stage = IDLE;
}

static void disconnect(struct sql_conn *c)
{
	if (!c->my)
		return;
	abort_call(c);
	if (c->result)
		mysql_free_result(c->result);
	c->result = NULL;
	mysql_close(c->my);
	c->my = NULL;
	/* These know that their connection is gone. */
	drop_failed(c);
	while (c->kept_count > 0)
		drop(&c->kept[--c->kept_count]);
	c->oldest = 0;
	mdb_forget_params(c);
}

/* --- the engine --- */

static int mdb_connect(struct sql_conn *c)
{
	must(!c->my);
	c->my = mysql_init(NULL);
	must(c->my);
	mdb_set_options(c);
	return begin(c, CONNECT);
}

static int mdb_run(struct sql_conn *c, const char *statement,
    const struct sql_value *params, size_t count)
{
	enum stage stage = QUERY;

	rows_begin(&c->rows, 0);
	c->affected = 0;
	if (!c->my)
		return fail(c, SQL_FAULT_GONE, "not connected");
	must(c->stage == IDLE);
	mdb_forget_params(c);
	c->statement = xstrdup(statement);
	c->stmt = NULL;
	if (count > 0) {
		mdb_copy_params(c, params, count);
		c->stmt = find(c, statement);
		stage = c->stmt ? EXECUTE : PREPARE;
	}
	if (stage == PREPARE) {
		c->stmt = mysql_stmt_init(c->my);
		must(c->stmt);
	}
	return begin(c, stage);
}

static int mdb_step(struct sql_conn *c, int ready)
{
	if (c->stage == IDLE)
		return c->fault == SQL_FAULT_NONE ? SQL_DONE : SQL_FAILED;
	if (c->stage == KEEP && mdb_is_too_large(c)) {
		abort_call(c);
		return fail_large(c);
	}
	return go(c, stages[c->stage].go_on(
			 c, ((ready & SQL_READ) ? MYSQL_WAIT_READ : 0) |
				((ready & SQL_WRITE) ? MYSQL_WAIT_WRITE : 0)));
}

static int mdb_fd(const struct sql_conn *c)
{
	return c->my ? (int)mysql_get_socket(c->my) : -1;
}

static size_t mdb_rows(const struct sql_conn *c)
{
	return rows_count(&c->rows);
}

static size_t mdb_columns(const struct sql_conn *c)
{
	return c->rows.columns;
}

static struct sql_value mdb_value(
    const struct sql_conn *c, size_t row, size_t column)
{
	return rows_value(&c->rows, row, column);
}

static int64_t mdb_affected(const struct sql_conn *c)
{
	return c->affected;
}

static enum sql_fault mdb_fault_of(
    const struct sql_conn *c, const char **text_r)
{
	*text_r = c->fault == SQL_FAULT_NONE ? "" : c->text;
	return c->fault;
}

static uint64_t mdb_number(const struct sql_conn *c)
{
	return c->number;
}

static void mdb_close(struct sql_conn **cp)
{
	struct sql_conn *c = take_ptr(cp);

	if (!c)
		return;
	disconnect(c);
	mdb_place_free(c);
	rows_free(&c->rows);
	free(c);
}

static const struct sql_engine engine = {
	.id = SQL_MARIADB,
	.prepare = mdb_prepare,
	.open = mdb_open,
	.connect = mdb_connect,
	.run = mdb_run,
	.step = mdb_step,
	.fd = mdb_fd,
	.rows = mdb_rows,
	.columns = mdb_columns,
	.value = mdb_value,
	.affected = mdb_affected,
	.fault = mdb_fault_of,
	.number = mdb_number,
	.close = mdb_close,
};

extern const struct module relaypass_module
    __attribute__((visibility("default")));
const struct module relaypass_module = { .version = RELAYPASS_VERSION,
	.api = &engine };
