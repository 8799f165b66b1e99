/* SPDX-License-Identifier: ISC */
/*
 * sqlite - the module for SQLite 3. Its library knows no waiting from outside:
 * each statement is done when run() returns, and a file that another process
 * has locked is given up soon; who asked tries again.
 */
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <uv.h>

#include "base/mem.h"
#include "base/module.h"
#include "rows.h"
#include "sql/sql.h"

enum {
	BUSY_MS = 100,            /* that a lock is waited for */
	KEPT_MAX = 32,            /* prepared statements */
	NEEDED_VERSION = 3024000, /* the first with ON CONFLICT DO UPDATE */
	LOOK_STEPS = 10000,       /* of its machine, between two looks at the
				   * clock; less than a ms */
	NS_PER_MS = 1000000,
	VALUE_MAX = 1 << 20 /* bytes */
};

struct statement {
	char *text;
	sqlite3_stmt *stmt;
};

struct sql_conn {
	char *path;
	bool create;
	int64_t timeout;   /* ms, of a statement; 0: none */
	uint64_t deadline; /* of the one that runs, uv_hrtime() */
	sqlite3 *db;
	struct statement kept[KEPT_MAX];
	size_t kept_count, oldest;
	struct rows rows;
	int64_t affected;
	enum sql_fault fault;
	char text[SQL_WORDS_SIZE]; /* of the fault */
};

/* --- errors --- */

static int fail(struct sql_conn *c, enum sql_fault fault, const char *text)
{
	c->text[0] = '\0';
	rows_add_words(c->text, text);
	c->fault = fault;
	rows_begin(&c->rows, 0);
	c->affected = 0;
	return SQL_FAILED;
}

/* SQLite has one code for all that is wrong in a statement. */
static enum sql_fault fault_of_words(const char *text)
{
	if (strncmp(text, "no such table", strlen("no such table")) == 0)
		return SQL_FAULT_NO_TABLE;
	if (strncmp(text, "no such column", strlen("no such column")) == 0 ||
	    strstr(text, "has no column named"))
		return SQL_FAULT_NO_COLUMN;
	return SQL_FAULT_OTHER;
}

static enum sql_fault fault_of(sqlite3 *db)
{
	enum { PRIMARY = 0xff };
	int code = sqlite3_extended_errcode(db);
	int number = sqlite3_system_errno(db);

	if (code == SQLITE_READONLY_DBMOVED)
		return SQL_FAULT_GONE;
	if (code == SQLITE_CONSTRAINT_UNIQUE ||
	    code == SQLITE_CONSTRAINT_PRIMARYKEY ||
	    code == SQLITE_CONSTRAINT_ROWID)
		return SQL_FAULT_DUPLICATE;
	switch (code & PRIMARY) {
	case SQLITE_ERROR:
		return fault_of_words(sqlite3_errmsg(db));
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_PROTOCOL: /* a race for the lock of a WAL */
	case SQLITE_SCHEMA:
		return SQL_FAULT_BUSY;
	case SQLITE_FULL:
		return SQL_FAULT_FULL;
	case SQLITE_IOERR:
		return number == ENOSPC || number == EDQUOT ? SQL_FAULT_FULL
							    : SQL_FAULT_OTHER;
	case SQLITE_PERM:
	case SQLITE_AUTH:
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN: /* the journal, beside the file */
		return SQL_FAULT_DENIED;
	default: /* damaged, not a database, too big, ... */
		return SQL_FAULT_OTHER;
	}
}

/* SQLite's words do not name the file. */
static int fail_by_db(struct sql_conn *c)
{
	enum { PRIMARY = 0xff };
	char text[2 * SQL_WORDS_SIZE];
	const char *said = sqlite3_errmsg(c->db);
	int code = sqlite3_errcode(c->db) & PRIMARY;

	if (code == SQLITE_INTERRUPT)
		(void)snprintf(text, sizeof(text),
		    "%s: not done within %lld ms", c->path,
		    (long long)c->timeout);
	else if (code == SQLITE_CANTOPEN)
		(void)snprintf(text, sizeof(text),
		    "%s: %s; the directory must be writable, too", c->path,
		    said);
	else
		(void)snprintf(text, sizeof(text), "%s: %s", c->path, said);
	return fail(c, fault_of(c->db), text);
}

/* --- connecting --- */

static int sqlite_prepare(struct err *err)
{
	if (sqlite3_libversion_number() < NEEDED_VERSION)
		return err_set(err, EXIT_USER,
		    "SQLite %s is too old: relaypass needs 3.24 or newer",
		    sqlite3_libversion());
	if (sqlite3_initialize() != SQLITE_OK)
		return err_set(err, EXIT_AGAIN, "SQLite cannot be set up");
	return 0;
}

static struct sql_conn *sqlite_open(
    const struct sql_place *place, struct err *err)
{
	struct sql_conn *c;

	if (place->database[0] != '/') {
		(void)err_set(err, EXIT_USER,
		    "\"%s\" is not the absolute path of an SQLite file",
		    place->database);
		return NULL;
	}
	c = xcalloc(1, sizeof(*c));
	c->path = xstrdup(place->database);
	c->create = place->create;
	c->timeout = place->timeout;
	return c;
}

static void forget_all(struct sql_conn *c)
{
	for (size_t i = 0; i < c->kept_count; i++) {
		(void)sqlite3_finalize(c->kept[i].stmt);
		free(c->kept[i].text);
	}
	c->kept_count = c->oldest = 0;
}

static void disconnect(struct sql_conn *c)
{
	forget_all(c);
	(void)sqlite3_close_v2(c->db);
	c->db = NULL;
}

static int fail_to_open(struct sql_conn *c, int number)
{
	char text[2 * SQL_WORDS_SIZE];

	(void)snprintf(text, sizeof(text), "%s: %s%s", c->path,
	    strerror(number),
	    number == ENOENT && !c->create ? "; it is not made unasked" : "");
	disconnect(c);
	return fail(
	    c, number == EACCES ? SQL_FAULT_DENIED : SQL_FAULT_LOGIN, text);
}

/* A table of the file may be a view that never ends. */
static int is_late(void *ctx)
{
	const struct sql_conn *c = ctx;

	return uv_hrtime() > c->deadline;
}

static void begin(struct sql_conn *c)
{
	c->fault = SQL_FAULT_NONE;
	c->affected = 0;
	rows_begin(&c->rows, 0);
	c->deadline = uv_hrtime() + (uint64_t)c->timeout * NS_PER_MS;
}

/* What a file says of itself is not trusted: neither functions in its views
 * and triggers nor its pages. A name that is not there is never a string. */
static int set_up(struct sql_conn *c)
{
	static const int off[] = { SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION,
		SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER,
#ifdef SQLITE_DBCONFIG_DQS_DML
		SQLITE_DBCONFIG_DQS_DML, SQLITE_DBCONFIG_DQS_DDL
#endif
	};
	/* The last one reads the file. */
	static const char setting[] = "PRAGMA trusted_schema = OFF;"
				      "PRAGMA cell_size_check = ON;"
				      "PRAGMA temp_store = MEMORY;"
				      "SELECT count(*) FROM sqlite_master";

	for (size_t i = 0; i < COUNT_OF(off); i++)
		(void)sqlite3_db_config(c->db, off[i], 0, NULL);
#ifdef SQLITE_DBCONFIG_DEFENSIVE
	(void)sqlite3_db_config(c->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
#endif
	(void)sqlite3_busy_timeout(c->db, BUSY_MS);
	if (c->timeout > 0)
		sqlite3_progress_handler(c->db, LOOK_STEPS, is_late, c);
	return sqlite3_exec(c->db, setting, NULL, NULL, NULL);
}

static int sqlite_connect(struct sql_conn *c)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
		    (c->create ? SQLITE_OPEN_CREATE : 0);
	struct stat st;

	disconnect(c);
	begin(c);
	if (!c->create && stat(c->path, &st) < 0)
		return fail_to_open(c, errno);
	if (sqlite3_open_v2(c->path, &c->db, flags, NULL) != SQLITE_OK)
		return fail_to_open(
		    c, c->db ? sqlite3_system_errno(c->db) : ENOMEM);
	(void)sqlite3_extended_result_codes(c->db, 1);
	/* A value of a broken file would be loaded whole. */
	(void)sqlite3_limit(c->db, SQLITE_LIMIT_LENGTH, VALUE_MAX);
	if (set_up(c) != SQLITE_OK) {
		(void)fail_by_db(c);
		disconnect(c);
		return SQL_FAILED;
	}
	return SQL_DONE;
}

/* --- statements --- */

/* A file that was taken away or replaced would be written to all the same. */
static bool has_moved(struct sql_conn *c)
{
	int moved = 0;

	return sqlite3_file_control(c->db, "main", SQLITE_FCNTL_HAS_MOVED,
		   &moved) == SQLITE_OK &&
	       moved;
}

static sqlite3_stmt *find(const struct sql_conn *c, const char *text)
{
	for (size_t i = 0; i < c->kept_count; i++) {
		if (strcmp(c->kept[i].text, text) == 0)
			return c->kept[i].stmt;
	}
	return NULL;
}

static void keep(struct sql_conn *c, const char *text, sqlite3_stmt *stmt)
{
	struct statement *s = &c->kept[c->oldest];

	c->oldest = (c->oldest + 1) % KEPT_MAX;
	if (c->kept_count < KEPT_MAX)
		c->kept_count++;
	else {
		(void)sqlite3_finalize(s->stmt);
		free(s->text);
	}
	*s = (struct statement){ .text = xstrdup(text), .stmt = stmt };
}

/* NULL when it cannot be prepared: the fault is set. */
static sqlite3_stmt *prepared(struct sql_conn *c, const char *text)
{
	sqlite3_stmt *stmt = find(c, text);
	const char *rest;

	if (stmt)
		return stmt;
	if (sqlite3_prepare_v3(c->db, text, -1, SQLITE_PREPARE_PERSISTENT,
		&stmt, &rest) != SQLITE_OK) {
		(void)fail_by_db(c);
		return NULL;
	}
	if (!stmt || rest[strspn(rest, " \t\r\n;")] != '\0') {
		(void)sqlite3_finalize(stmt);
		(void)fail(c, SQL_FAULT_OTHER, "not exactly one statement");
		return NULL;
	}
	keep(c, text, stmt);
	return stmt;
}

static bool copy_row(struct rows *rows, sqlite3_stmt *stmt, int columns)
{
	for (int i = 0; i < columns; i++) {
		const unsigned char *text = sqlite3_column_text(stmt, i);
		size_t len = (size_t)sqlite3_column_bytes(stmt, i);

		if (!rows_add(rows, text, len))
			return false;
	}
	return true;
}

static int execute(struct sql_conn *c, sqlite3_stmt *stmt)
{
	int columns = sqlite3_column_count(stmt);
	int before = sqlite3_total_changes(c->db);
	int code;

	rows_begin(&c->rows, (size_t)columns);
	while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
		if (copy_row(&c->rows, stmt, columns))
			continue;
		rows_free(&c->rows);
		return fail(c, SQL_FAULT_OTHER, ROWS_TOO_LARGE);
	}
	if (code != SQLITE_DONE)
		return fail_by_db(c);
	c->affected =
	    sqlite3_total_changes(c->db) != before ? sqlite3_changes(c->db) : 0;
	return SQL_DONE;
}

static int sqlite_run(struct sql_conn *c, const char *statement,
    const struct sql_value *params, size_t count)
{
	sqlite3_stmt *stmt;
	int result;

	begin(c);
	if (!c->db)
		return fail(c, SQL_FAULT_GONE, "not connected");
	if (has_moved(c)) {
		char text[2 * SQL_WORDS_SIZE];

		(void)snprintf(text, sizeof(text),
		    "%s is not the file any more that was opened", c->path);
		return fail(c, SQL_FAULT_GONE, text);
	}
	stmt = prepared(c, statement);
	if (!stmt)
		return SQL_FAILED;
	if ((size_t)sqlite3_bind_parameter_count(stmt) != count)
		return fail(c, SQL_FAULT_OTHER,
		    "not as many parameters as the statement has");
	for (size_t i = 0; i < count; i++) {
		/* A text of NULL binds NULL. */
		if (sqlite3_bind_text64(stmt, (int)i + 1, params[i].text,
			params[i].len, SQLITE_STATIC, SQLITE_UTF8) != SQLITE_OK)
			return fail_by_db(c);
	}
	result = execute(c, stmt);
	(void)sqlite3_reset(stmt);
	(void)sqlite3_clear_bindings(stmt);
	return result;
}

static int sqlite_step(struct sql_conn *c, int ready)
{
	(void)ready;
	return c->fault == SQL_FAULT_NONE ? SQL_DONE : SQL_FAILED;
}

/* --- results --- */

static int sqlite_fd(const struct sql_conn *c)
{
	(void)c;
	return -1;
}

static size_t sqlite_rows(const struct sql_conn *c)
{
	return rows_count(&c->rows);
}

static size_t sqlite_columns(const struct sql_conn *c)
{
	return c->rows.columns;
}

static struct sql_value sqlite_value(
    const struct sql_conn *c, size_t row, size_t column)
{
	return rows_value(&c->rows, row, column);
}

static int64_t sqlite_affected(const struct sql_conn *c)
{
	return c->affected;
}

static enum sql_fault sqlite_fault(
    const struct sql_conn *c, const char **text_r)
{
	*text_r = c->fault == SQL_FAULT_NONE ? "" : c->text;
	return c->fault;
}

static void sqlite_close(struct sql_conn **c)
{
	struct sql_conn *gone = take_ptr(c);

	if (!gone)
		return;
	disconnect(gone);
	rows_free(&gone->rows);
	free(gone->path);
	free(gone);
}

static const struct sql_engine engine = {
	.id = SQL_SQLITE,
	.prepare = sqlite_prepare,
	.open = sqlite_open,
	.connect = sqlite_connect,
	.run = sqlite_run,
	.step = sqlite_step,
	.fd = sqlite_fd,
	.rows = sqlite_rows,
	.columns = sqlite_columns,
	.value = sqlite_value,
	.affected = sqlite_affected,
	.fault = sqlite_fault,
	.close = sqlite_close,
};

extern const struct module relaypass_module
    __attribute__((visibility("default")));
const struct module relaypass_module = { .version = RELAYPASS_VERSION,
	.api = &engine };
