/* SPDX-License-Identifier: ISC */
/*
 * look - see the header.
 */
#include "look.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "text.h"

enum { STEP_COLUMNS, STEP_HIDDEN, STEP_CREATE, STEP_RIGHT, STEP_ACCOUNT };

enum {
	IPV4_WIDTH = 15,
	IPV6_WIDTH = 39,
	EPOCH_WIDTH = 10,
	SHOWN_SIZE = 200, /* of a server's words */
	/* Of sql_text_columns(). */
	COLUMN_NAME = 0,
	COLUMN_TYPE,
	COLUMN_WIDTH,
	COLUMN_NULL,
	COLUMN_DEFAULT,
	COLUMN_UNIQUE
};

/* What a type is good for. */
enum family { OTHER, TEXT, NUMBER, MOMENT, INET };

static enum family family_of(const struct sql_table *table, const char *type)
{
	static const struct {
		enum sql_engine_id engine;
		enum family family;
		const char *types; /* with blanks around */
	} known[] = {
		{ SQL_POSTGRESQL, TEXT, " varchar bpchar text " },
		{ SQL_POSTGRESQL, NUMBER, " int4 int8 numeric float8 float4 " },
		{ SQL_POSTGRESQL, MOMENT, " timestamptz timestamp " },
		{ SQL_POSTGRESQL, INET, " inet " },
		{ SQL_MARIADB, TEXT,
		    " varchar char text tinytext mediumtext longtext " },
		{ SQL_MARIADB, NUMBER, " int bigint decimal double float " },
		{ SQL_MARIADB, MOMENT, " datetime timestamp " },
	};
	char word[SQL_NAME_MAX + 3];

	(void)snprintf(word, sizeof(word), " %s ", type);
	for (size_t i = 0; i < COUNT_OF(known); i++)
		if (known[i].engine == table->engine &&
		    strstr(known[i].types, word))
			return known[i].family;
	return OTHER;
}

/* SQLite keeps what it is given; the type says how it compares. */
static enum family sqlite_family(const char *type, bool for_time)
{
	if (for_time && (strstr(type, "date") || strstr(type, "time")))
		return MOMENT;
	if (strstr(type, "int") || strstr(type, "real") ||
	    strstr(type, "float") || strstr(type, "double"))
		return NUMBER;
	return TEXT;
}

/* --- verdicts --------------------------------------------------------------
 */

static void next(struct sql_look *l, int step, char *statement)
{
	free(l->statement);
	l->statement = statement;
	l->step = step;
	l->count = 0;
}

static void give(struct sql_look *l, enum sql_look_verdict verdict)
{
	next(l, l->step, NULL);
	l->verdict = verdict;
}

static void wrong(struct sql_look *l, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void wrong(struct sql_look *l, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(l->err.text, sizeof(l->err.text), format, args);
	va_end(args);
	l->err.code = EXIT_USER;
	give(l, SQL_LOOK_WRONG);
}

/* What mends it is a statement, to be freed. */
static void wrong_statement(struct sql_look *l, const char *what, char *mends)
{
	wrong(l, "%s; run: %s", what, mends);
	free(mends);
}

static void failed(struct sql_look *l, const struct sql_result *r)
{
	(void)err_set(&l->err, EXIT_AGAIN, "%s", r->text);
	give(l, SQL_LOOK_FAILED);
}

/* --- the columns -----------------------------------------------------------
 */

static void ask_columns(struct sql_look *l)
{
	next(l, STEP_COLUMNS, xstrdup(sql_text_columns(l->table->engine)));
	l->params = l->of.values;
	l->count = l->of.count;
}

/* The row of a column, or rows: it is not there. */
static size_t find(const struct sql_look *l, const struct sql_result *r,
    enum sql_column column)
{
	size_t i = 0;

	while (i < r->rows && !sql_name_same(l->table->engine,
				  sql_result_text(r, i, COLUMN_NAME),
				  l->table->columns[column]))
		i++;
	return i;
}

static bool is_ours(const struct sql_table *table, const char *name)
{
	for (int i = 0; i < SQL_COLUMNS; i++)
		if (*table->columns[i] &&
		    sql_name_same(table->engine, name, table->columns[i]))
			return true;
	return false;
}

static size_t width_of(const struct sql_result *r, size_t row)
{
	return (size_t)strtoull(
	    sql_result_text(r, row, COLUMN_WIDTH), NULL, 10);
}

static bool check_address(
    struct sql_look *l, const struct sql_result *r, size_t row)
{
	struct sql_table *t = l->table;
	const char *type = sql_result_text(r, row, COLUMN_TYPE);
	const char *name = t->columns[SQL_ADDRESS];
	enum family family = t->engine == SQL_SQLITE
				 ? sqlite_family(type, false)
				 : family_of(t, type);
	size_t width = width_of(r, row);
	char what[200];

	t->inet = family == INET;
	if (family != TEXT && family != INET) {
		wrong(l,
		    "address-column: %s of %s is of type %s; expected a text "
		    "such as varchar(%d)%s",
		    name, t->name, type, IPV6_WIDTH,
		    t->engine == SQL_POSTGRESQL ? ", or inet" : "");
		return false;
	}
	if (width && !t->skip_ipv6 && width < IPV6_WIDTH) {
		(void)snprintf(what, sizeof(what),
		    "address-column: %s of %s takes %zu characters, too few "
		    "for IPv6 (or set ipv6 = \"skip\")",
		    name, t->name, width);
		wrong_statement(l, what, sql_text_widen(t));
		return false;
	}
	if (width && width < IPV4_WIDTH) {
		(void)snprintf(what, sizeof(what),
		    "address-column: %s of %s takes %zu characters", name,
		    t->name, width);
		wrong_statement(l, what, sql_text_widen(t));
		return false;
	}
	if (*sql_result_text(r, row, COLUMN_UNIQUE))
		return true;
	(void)snprintf(what, sizeof(what),
	    "address-column: %s of %s has no unique key, so that an address "
	    "could have two rows",
	    name, t->name);
	wrong_statement(l, what, sql_text_make_unique(t));
	return false;
}

static bool check_time(struct sql_look *l, const struct sql_result *r,
    size_t row, const char *option, const char *name)
{
	struct sql_table *t = l->table;
	const char *type = sql_result_text(r, row, COLUMN_TYPE);
	enum family family = t->engine == SQL_SQLITE ? sqlite_family(type, true)
						     : family_of(t, type);
	size_t width = width_of(r, row);

	if (t->engine == SQL_SQLITE &&
	    (t->epoch || family == TEXT || family == MOMENT))
		return true;
	if (t->epoch && family == TEXT && t->engine == SQL_POSTGRESQL)
		t->text_times = true;
	if (t->epoch ? family == NUMBER ||
			   (family == TEXT && (!width || width >= EPOCH_WIDTH))
		     : family == MOMENT)
		return true;
	wrong(l, "%s: %s of %s is of type %s%s", option, name, t->name, type,
	    t->epoch ? family == MOMENT
			   ? "; set time-format = \"native\""
			   : "; expected a number such as bigint, for "
			     "time-format = \"epoch\""
	    : family == NUMBER
		? "; set time-format = \"epoch\""
		: "; expected a date with time, such as timestamptz "
		  "(PostgreSQL) or datetime, or set time-format = \"epoch\"");
	return false;
}

static bool check_name(
    struct sql_look *l, const struct sql_result *r, size_t row, bool user)
{
	const struct sql_table *t = l->table;
	const char *type = sql_result_text(r, row, COLUMN_TYPE);
	bool null = *sql_result_text(r, row, COLUMN_NULL) != '\0';

	if (t->engine != SQL_SQLITE && family_of(t, type) != TEXT) {
		wrong(l,
		    "%s-column: %s of %s is of type %s; expected a text such "
		    "as varchar(255)",
		    user ? "user" : "source",
		    t->columns[user ? SQL_USER : SQL_SOURCE], t->name, type);
		return false;
	}
	*(user ? &l->user_max : &l->source_max) = width_of(r, row);
	*(user ? &l->user_null : &l->source_null) = null;
	return true;
}

/* One that must be filled, but not by us, fails every insert. */
static bool check_others(struct sql_look *l, const struct sql_result *r)
{
	for (size_t i = 0; i < r->rows; i++) {
		const char *name = sql_result_text(r, i, COLUMN_NAME);

		if (is_ours(l->table, name) ||
		    *sql_result_text(r, i, COLUMN_NULL) ||
		    *sql_result_text(r, i, COLUMN_DEFAULT))
			continue;
		wrong(l,
		    "table: %s has a column %s that is NOT NULL without a "
		    "default, which relaypass does not fill; give it a default",
		    l->table->name, name);
		return false;
	}
	return true;
}

static bool check_column(
    struct sql_look *l, const struct sql_result *r, enum sql_column column)
{
	static const char *const options[SQL_COLUMNS] = { "address-column",
		"time-column", "user-column", "source-column",
		"expiry-column" };
	const char *name = l->table->columns[column];
	size_t row = find(l, r, column);

	if (!*name)
		return true;
	if (row == r->rows) {
		wrong(l, "%s: %s has no column \"%s\"", options[column],
		    l->table->name, name);
		return false;
	}
	switch (column) {
	case SQL_ADDRESS:
		return check_address(l, r, row);
	case SQL_TIME:
	case SQL_EXPIRY:
		return check_time(l, r, row, options[column], name);
	case SQL_USER:
	case SQL_SOURCE:
		return check_name(l, r, row, column == SQL_USER);
	case SQL_COLUMNS:
		break;
	}
	return true;
}

static void ask_right(struct sql_look *l, int right)
{
	l->right = right;
	next(l, STEP_RIGHT, sql_text_right(l->table, (enum sql_right)right));
}

static void ask_account(struct sql_look *l, enum sql_look_right lacks,
    const char *format, ...) __attribute__((format(printf, 3, 4)));

/* What is said, then how the right is given. */
static void ask_account(
    struct sql_look *l, enum sql_look_right lacks, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(l->denied, sizeof(l->denied), format, args);
	va_end(args);
	l->lacks = lacks;
	next(l, STEP_ACCOUNT, xstrdup(sql_text_account(l->table->engine)));
}

static void make_table(struct sql_look *l)
{
	char *text = l->tries ? sql_text_create_right(l->table)
			      : sql_text_create(l->table);

	if (text)
		next(l, STEP_CREATE, text);
	else
		give(l, SQL_LOOK_NO_TABLE);
}

static void no_table(struct sql_look *l)
{
	AUTO_FREE char *mends = sql_text_create(l->table);
	const char *hint = l->table->engine == SQL_POSTGRESQL
			       ? " (names are taken as they are written)"
			       : "";

	if (l->table->create && !l->created) {
		make_table(l);
		return;
	}
	(void)err_set(&l->err, EXIT_USER,
	    "table: there is no table \"%s\"%s; set create-table = yes, or "
	    "run: %s;",
	    l->table->name, hint, mends);
	give(l, SQL_LOOK_NO_TABLE);
}

/* MariaDB shows nothing of a table on which one has no right. */
static void take_hidden(struct sql_look *l, const struct sql_result *r)
{
	if (r->fault == SQL_FAULT_DENIED)
		ask_account(l, SQL_LOOK_LACKS_TABLE,
		    "table: there is no table \"%s\", or user may not see it",
		    l->table->name);
	else if (r->fault == SQL_FAULT_NONE || r->fault == SQL_FAULT_NO_TABLE)
		no_table(l);
	else
		failed(l, r);
}

static void take_no_columns(struct sql_look *l)
{
	if (l->table->engine == SQL_MARIADB && !l->table->create)
		next(l, STEP_HIDDEN, sql_text_right(l->table, SQL_SELECT));
	else
		no_table(l);
}

static void take_columns(struct sql_look *l, const struct sql_result *r)
{
	l->table->inet = l->table->text_times = false;
	if (r->rows == 0) {
		take_no_columns(l);
		return;
	}
	for (int i = 0; i < SQL_COLUMNS; i++)
		if (!check_column(l, r, (enum sql_column)i))
			return;
	if (check_others(l, r))
		ask_right(l, 0);
}

/* --- the rights ------------------------------------------------------------
 */

/* The server's words leave room for the statement. */
static const char *words(
    const struct sql_result *r, char shown[static SHOWN_SIZE])
{
	return log_words(r->text, strlen(r->text), shown, SHOWN_SIZE);
}

static void take_account(struct sql_look *l, const struct sql_result *r)
{
	bool told = r->fault == SQL_FAULT_NONE && r->rows;
	const char *account = told ? sql_result_text(r, 0, 0) : "this account";
	const char *schema =
	    told && r->columns > 1 ? sql_result_text(r, 0, 1) : "public";
	bool create = l->lacks == SQL_LOOK_LACKS_CREATE;

	wrong_statement(l, l->denied,
	    l->table->engine == SQL_POSTGRESQL &&
		    l->lacks != SQL_LOOK_LACKS_TABLE
		? sql_text_grant_schema(l->table, account, schema, create)
		: sql_text_grant(l->table, account, create));
}

static void take_create(struct sql_look *l, const struct sql_result *r)
{
	char shown[SHOWN_SIZE];

	/* Two that make it at once: one of them fails. */
	l->created = true;
	if (r->fault == SQL_FAULT_DENIED && l->table->engine == SQL_SQLITE)
		wrong(l,
		    "create-table: %s cannot be made: %s; run: chown "
		    "relaypass-out %s",
		    l->table->name, words(r, shown), l->table->database);
	else if (r->fault == SQL_FAULT_DENIED)
		ask_account(l, SQL_LOOK_LACKS_CREATE,
		    "create-table: %s cannot be made: %s", l->table->name,
		    words(r, shown));
	else if (r->fault == SQL_FAULT_GONE)
		failed(l, r);
	else if (l->tries)
		give(l, SQL_LOOK_NO_TABLE);
	else
		ask_columns(l);
}

static void take_right(struct sql_look *l, const struct sql_result *r)
{
	char shown[SHOWN_SIZE];

	if (r->fault == SQL_FAULT_NONE && l->right + 1 < SQL_RIGHTS)
		ask_right(l, l->right + 1);
	else if (r->fault == SQL_FAULT_NONE)
		give(l, SQL_LOOK_GOOD);
	else if (r->fault == SQL_FAULT_DENIED && l->table->engine == SQL_SQLITE)
		wrong(l,
		    "database: %s on %s is denied: %s; run: chown "
		    "relaypass-out %s",
		    sql_right_words[l->right], l->table->name, words(r, shown),
		    l->table->database);
	else if (r->fault == SQL_FAULT_DENIED)
		ask_account(l, SQL_LOOK_LACKS_TABLE, "%s on %s is denied: %s",
		    sql_right_words[l->right], l->table->name, words(r, shown));
	else if (r->fault == SQL_FAULT_NO_TABLE)
		no_table(l); /* dropped meanwhile */
	else
		failed(l, r);
}

/* --- steps -----------------------------------------------------------------
 */

void sql_look_begin(struct sql_look *l, struct sql_table *table)
{
	memset(l, 0, sizeof(*l));
	l->table = table;
	sql_table_params(table, &l->of);
	ask_columns(l);
}

static void take_answer_of_columns(
    struct sql_look *l, const struct sql_result *r)
{
	char shown[SHOWN_SIZE];

	if (r->fault == SQL_FAULT_NONE)
		take_columns(l, r);
	else if (r->fault == SQL_FAULT_DENIED &&
		 l->table->engine == SQL_POSTGRESQL)
		ask_account(l, SQL_LOOK_LACKS_SCHEMA, "table: %s: %s",
		    l->table->name, words(r, shown));
	else if (r->fault == SQL_FAULT_DENIED)
		wrong(l, "table: %s: %s", l->table->name, r->text);
	else
		failed(l, r);
}

void sql_look_take(struct sql_look *l, const struct sql_result *r)
{
	static void (*const takes[])(
	    struct sql_look * l, const struct sql_result *r) = {
		[STEP_COLUMNS] = take_answer_of_columns,
		[STEP_HIDDEN] = take_hidden,
		[STEP_CREATE] = take_create,
		[STEP_RIGHT] = take_right,
		[STEP_ACCOUNT] = take_account,
	};

	takes[l->step](l, r);
}

void sql_look_end(struct sql_look *l)
{
	free(l->statement);
	l->statement = NULL;
}
