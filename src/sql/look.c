/* SPDX-License-Identifier: ISC */
/*
 * look - see the header.
 */
#include "look.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "text.h"

enum { STEP_COLUMNS, STEP_CREATE, STEP_RIGHT, STEP_ACCOUNT };

enum {
	IPV4_WIDTH = 15,
	IPV6_WIDTH = 39,
	EPOCH_WIDTH = 10,
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

static const char *text_of(
    const struct sql_look_answer *a, size_t row, size_t column)
{
	return a->text(a->ctx, row, column);
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

static void failed(struct sql_look *l, const struct sql_look_answer *a)
{
	(void)err_set(&l->err, EXIT_AGAIN, "%s", a->fault_text);
	give(l, SQL_LOOK_FAILED);
}

/* --- the columns -----------------------------------------------------------
 */

static void ask_columns(struct sql_look *l)
{
	next(l, STEP_COLUMNS, sql_text_columns(l->table->engine));
	if (l->table->engine == SQL_POSTGRESQL) {
		l->params[0] = (struct sql_value){ l->name, strlen(l->name) };
		l->count = 1;
		return;
	}
	l->params[0] = (struct sql_value){ l->schema, strlen(l->schema) };
	l->params[1] = (struct sql_value){ l->part, strlen(l->part) };
	l->count = 2;
}

static bool same_name(
    const struct sql_table *table, const char *a, const char *b)
{
	return (table->engine == SQL_POSTGRESQL ? strcmp(a, b)
						: strcasecmp(a, b)) == 0;
}

/* The row of a column, or rows: it is not there. */
static size_t find(const struct sql_look *l, const struct sql_look_answer *a,
    enum sql_column column)
{
	size_t i = 0;

	while (i < a->rows && !same_name(l->table, text_of(a, i, COLUMN_NAME),
				  l->table->columns[column]))
		i++;
	return i;
}

static bool is_ours(const struct sql_table *table, const char *name)
{
	for (int i = 0; i < SQL_COLUMNS; i++)
		if (*table->columns[i] &&
		    same_name(table, name, table->columns[i]))
			return true;
	return false;
}

static size_t width_of(const struct sql_look_answer *a, size_t row)
{
	return (size_t)strtoull(text_of(a, row, COLUMN_WIDTH), NULL, 10);
}

static bool check_address(
    struct sql_look *l, const struct sql_look_answer *a, size_t row)
{
	struct sql_table *t = l->table;
	const char *type = text_of(a, row, COLUMN_TYPE);
	const char *name = t->columns[SQL_ADDRESS];
	enum family family = t->engine == SQL_SQLITE
				 ? sqlite_family(type, false)
				 : family_of(t, type);
	size_t width = width_of(a, row);
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
	if (*text_of(a, row, COLUMN_UNIQUE))
		return true;
	(void)snprintf(what, sizeof(what),
	    "address-column: %s of %s has no unique key, so that an address "
	    "could have two rows",
	    name, t->name);
	wrong_statement(l, what, sql_text_make_unique(t));
	return false;
}

static bool check_time(struct sql_look *l, const struct sql_look_answer *a,
    size_t row, const char *option, const char *name)
{
	struct sql_table *t = l->table;
	const char *type = text_of(a, row, COLUMN_TYPE);
	enum family family = t->engine == SQL_SQLITE ? sqlite_family(type, true)
						     : family_of(t, type);
	size_t width = width_of(a, row);

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
    struct sql_look *l, const struct sql_look_answer *a, size_t row, bool user)
{
	const struct sql_table *t = l->table;
	const char *type = text_of(a, row, COLUMN_TYPE);
	bool null = *text_of(a, row, COLUMN_NULL) != '\0';

	if (t->engine != SQL_SQLITE && family_of(t, type) != TEXT) {
		wrong(l,
		    "%s-column: %s of %s is of type %s; expected a text such "
		    "as varchar(255)",
		    user ? "user" : "source",
		    t->columns[user ? SQL_USER : SQL_SOURCE], t->name, type);
		return false;
	}
	*(user ? &l->user_max : &l->source_max) = width_of(a, row);
	*(user ? &l->user_null : &l->source_null) = null;
	return true;
}

/* One that must be filled, but not by us, fails every insert. */
static bool check_others(struct sql_look *l, const struct sql_look_answer *a)
{
	for (size_t i = 0; i < a->rows; i++) {
		const char *name = text_of(a, i, COLUMN_NAME);

		if (is_ours(l->table, name) || *text_of(a, i, COLUMN_NULL) ||
		    *text_of(a, i, COLUMN_DEFAULT))
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
    struct sql_look *l, const struct sql_look_answer *a, enum sql_column column)
{
	static const char *const options[SQL_COLUMNS] = { "address-column",
		"time-column", "user-column", "source-column",
		"expiry-column" };
	const char *name = l->table->columns[column];
	size_t row = find(l, a, column);

	if (!*name)
		return true;
	if (row == a->rows) {
		wrong(l, "%s: %s has no column \"%s\"", options[column],
		    l->table->name, name);
		return false;
	}
	switch (column) {
	case SQL_ADDRESS:
		return check_address(l, a, row);
	case SQL_TIME:
	case SQL_EXPIRY:
		return check_time(l, a, row, options[column], name);
	case SQL_USER:
	case SQL_SOURCE:
		return check_name(l, a, row, column == SQL_USER);
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

static void no_table(struct sql_look *l)
{
	char *mends = sql_text_create(l->table);
	const char *hint = l->table->engine == SQL_POSTGRESQL
			       ? " (names are taken as they are written)"
			       : "";

	if (l->table->create && !l->created) {
		if (l->tries) {
			free(mends);
			mends = sql_text_create_right(l->table);
		}
		if (mends)
			next(l, STEP_CREATE, mends);
		else
			give(l, SQL_LOOK_NO_TABLE);
		return;
	}
	(void)err_set(&l->err, EXIT_USER,
	    "table: there is no table \"%s\"%s; set create-table = yes, or "
	    "run: %s;",
	    l->table->name, hint, mends);
	free(mends);
	give(l, SQL_LOOK_NO_TABLE);
}

static void take_columns(struct sql_look *l, const struct sql_look_answer *a)
{
	l->table->inet = l->table->text_times = false;
	if (a->rows == 0) {
		no_table(l);
		return;
	}
	for (int i = 0; i < SQL_COLUMNS; i++)
		if (!check_column(l, a, (enum sql_column)i))
			return;
	if (check_others(l, a))
		ask_right(l, 0);
}

/* --- the rights ------------------------------------------------------------
 */

static void tell_denied(struct sql_look *l, const struct sql_look_answer *a)
{
	bool told = a->fault == SQL_FAULT_NONE && a->rows;
	const char *account = told ? text_of(a, 0, 0) : "this account";
	bool schemas = told && l->table->engine == SQL_POSTGRESQL;

	wrong_statement(l, l->denied,
	    l->created ? sql_text_grant_create(l->table, account,
			     schemas ? text_of(a, 0, 1) : "public")
		       : sql_text_grant(l->table, account));
}

static void take_create(struct sql_look *l, const struct sql_look_answer *a)
{
	const char *account = sql_text_account(l->table->engine);

	/* Two that make it at once: one of them fails. */
	l->created = true;
	if (a->fault == SQL_FAULT_DENIED && account) {
		(void)snprintf(l->denied, sizeof(l->denied),
		    "create-table: %s cannot be made: %.100s", l->table->name,
		    a->fault_text);
		next(l, STEP_ACCOUNT, xstrdup(account));
	} else if (a->fault == SQL_FAULT_DENIED) {
		wrong(l,
		    "create-table: %s cannot be made: %s; the file and its "
		    "directory must be writable for relaypass-out",
		    l->table->name, a->fault_text);
	} else if (a->fault == SQL_FAULT_GONE) {
		failed(l, a);
	} else if (l->tries) {
		give(l, SQL_LOOK_NO_TABLE);
	} else {
		ask_columns(l);
	}
}

static void take_right(struct sql_look *l, const struct sql_look_answer *a)
{
	const char *account = sql_text_account(l->table->engine);

	if (a->fault == SQL_FAULT_NONE) {
		if (l->right + 1 < SQL_RIGHTS)
			ask_right(l, l->right + 1);
		else
			give(l, SQL_LOOK_GOOD);
	} else if (a->fault == SQL_FAULT_DENIED && account) {
		(void)snprintf(l->denied, sizeof(l->denied),
		    "%s on %s is denied: %.100s", sql_right_words[l->right],
		    l->table->name, a->fault_text);
		next(l, STEP_ACCOUNT, xstrdup(account));
	} else if (a->fault == SQL_FAULT_DENIED) {
		wrong(l,
		    "database: %s on %s is denied: %s; its file and directory "
		    "must be writable for relaypass-out",
		    sql_right_words[l->right], l->table->name, a->fault_text);
	} else if (a->fault == SQL_FAULT_NO_TABLE) {
		no_table(l); /* dropped meanwhile */
	} else {
		failed(l, a);
	}
}

/* --- steps -----------------------------------------------------------------
 */

void sql_look_begin(struct sql_look *l, struct sql_table *table)
{
	memset(l, 0, sizeof(*l));
	l->table = table;
	l->name = sql_text_table(table);
	sql_table_parts(table, l->schema, l->part);
	ask_columns(l);
}

void sql_look_take(struct sql_look *l, const struct sql_look_answer *a)
{
	switch (l->step) {
	case STEP_COLUMNS:
		if (a->fault == SQL_FAULT_DENIED)
			wrong(
			    l, "table: %s: %s", l->table->name, a->fault_text);
		else if (a->fault != SQL_FAULT_NONE)
			failed(l, a);
		else
			take_columns(l, a);
		return;
	case STEP_CREATE:
		take_create(l, a);
		return;
	case STEP_RIGHT:
		take_right(l, a);
		return;
	default:
		tell_denied(l, a);
		return;
	}
}

void sql_look_end(struct sql_look *l)
{
	free(l->statement);
	free(l->name);
	l->statement = l->name = NULL;
}
