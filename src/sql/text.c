/* SPDX-License-Identifier: ISC */
/*
 * text - see the header.
 */
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { TEXT_FIRST = 256 };

/* --- pieces ----------------------------------------------------------------
 */

static void put(struct sql_text *t, const char *bytes, size_t len)
{
	while (t->size - t->len <= len) {
		t->size = t->size ? 2 * t->size : TEXT_FIRST;
		t->bytes = xrealloc(t->bytes, t->size, 1);
	}
	memcpy(t->bytes + t->len, bytes, len);
	t->len += len;
	t->bytes[t->len] = '\0';
}

void sql_put(struct sql_text *t, const char *text)
{
	put(t, text, strlen(text));
}

static void put_number(struct sql_text *t, size_t n)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%zu", n);
	sql_put(t, text);
}

/* One part, its own quotes doubled. */
static void put_quoted(
    struct sql_text *t, char quote, const char *name, size_t len)
{
	put(t, &quote, 1);
	for (size_t i = 0; i < len; i++) {
		put(t, name + i, 1);
		if (name[i] == quote)
			put(t, &quote, 1);
	}
	put(t, &quote, 1);
}

void sql_put_name(struct sql_text *t, enum sql_engine_id engine,
    const char *name, bool qualified)
{
	const char quote = engine == SQL_MARIADB ? '`' : '"';
	const char *dot = qualified ? strchr(name, '.') : NULL;

	if (dot) {
		put_quoted(t, quote, name, (size_t)(dot - name));
		sql_put(t, ".");
		name = dot + 1;
	}
	put_quoted(t, quote, name, strlen(name));
}

static void put_table(struct sql_text *t, const struct sql_table *table)
{
	sql_put_name(t, table->engine, table->name, true);
}

static void put_column(
    struct sql_text *t, const struct sql_table *table, enum sql_column column)
{
	sql_put_name(t, table->engine, table->columns[column], false);
}

void sql_put_param(struct sql_text *t, enum sql_engine_id engine)
{
	t->params++;
	if (engine != SQL_POSTGRESQL) {
		sql_put(t, "?");
		return;
	}
	sql_put(t, "$");
	put_number(t, t->params);
}

/* Before and behind the parameter. */
struct around {
	const char *before, *behind;
};

static struct around time_around(const struct sql_table *table)
{
	static const struct around native[] = {
		[SQL_POSTGRESQL] = { "to_timestamp(", "::double precision)" },
		[SQL_MARIADB] = { "FROM_UNIXTIME(CAST(", " AS SIGNED))" },
		[SQL_SQLITE] = { "datetime(", ", 'unixepoch')" },
	};
	/* SQLite's comparison takes any text for more than any number. */
	static const struct around epoch[] = {
		[SQL_POSTGRESQL] = { "", "::bigint" },
		[SQL_MARIADB] = { "", "" },
		[SQL_SQLITE] = { "CAST(", " AS INTEGER)" },
	};

	if (table->epoch && table->text_times)
		return (struct around){ "", "::text" };
	return (table->epoch ? epoch : native)[table->engine];
}

void sql_put_time_param(struct sql_text *t, const struct sql_table *table)
{
	struct around a = time_around(table);

	sql_put(t, a.before);
	sql_put_param(t, table->engine);
	sql_put(t, a.behind);
}

void sql_put_address_param(struct sql_text *t, const struct sql_table *table)
{
	sql_put_param(t, table->engine);
	if (table->inet)
		sql_put(t, "::inet");
}

void sql_put_epoch_of(
    struct sql_text *t, const struct sql_table *table, enum sql_column column)
{
	/* The cast gives a zone-less time that of the session. */
	static const struct around native[] = {
		[SQL_POSTGRESQL] = { "floor(extract(epoch FROM ",
		    "::timestamptz))::bigint" },
		[SQL_MARIADB] = { "FLOOR(UNIX_TIMESTAMP(", "))" },
		[SQL_SQLITE] = { "CAST(strftime('%s', ", ") AS INTEGER)" },
	};
	static const struct around epoch[] = {
		[SQL_POSTGRESQL] = { "", "" },
		[SQL_MARIADB] = { "", "" },
		[SQL_SQLITE] = { "", "" },
	};
	struct around a = (table->epoch ? epoch : native)[table->engine];

	sql_put(t, a.before);
	put_column(t, table, column);
	sql_put(t, a.behind);
}

void sql_put_address_of(struct sql_text *t, const struct sql_table *table)
{
	sql_put(t, table->inet ? "host(" : "");
	put_column(t, table, SQL_ADDRESS);
	sql_put(t, table->inet ? ")" : "");
}

/* --- rows ------------------------------------------------------------------
 */

size_t sql_row_params(const struct sql_table *table)
{
	size_t n = 0;

	for (int i = 0; i < SQL_COLUMNS; i++)
		n += *table->columns[i] != '\0';
	return n;
}

void sql_put_columns(struct sql_text *t, const struct sql_table *table)
{
	for (int i = 0; i < SQL_COLUMNS; i++) {
		if (!*table->columns[i])
			continue;
		sql_put(t, i ? ", " : "");
		put_column(t, table, (enum sql_column)i);
	}
}

static void put_row(struct sql_text *t, const struct sql_table *table)
{
	sql_put(t, "(");
	for (int i = 0; i < SQL_COLUMNS; i++) {
		if (!*table->columns[i])
			continue;
		sql_put(t, i ? ", " : "");
		if (i == SQL_ADDRESS)
			sql_put_address_param(t, table);
		else if (i == SQL_TIME || i == SQL_EXPIRY)
			sql_put_time_param(t, table);
		else
			sql_put_param(t, table->engine);
	}
	sql_put(t, ")");
}

static enum sql_column time_column(const struct sql_table *table)
{
	return *table->columns[SQL_TIME] ? SQL_TIME : SQL_EXPIRY;
}

/* The row that is in the table: "old" of put_later(). */
static void put_old(
    struct sql_text *t, const struct sql_table *table, enum sql_column column)
{
	sql_put(t, table->engine == SQL_MARIADB ? "" : "old.");
	put_column(t, table, column);
}

static void put_new(
    struct sql_text *t, const struct sql_table *table, enum sql_column column)
{
	bool mariadb = table->engine == SQL_MARIADB;

	sql_put(t, mariadb ? "VALUES(" : "excluded.");
	put_column(t, table, column);
	sql_put(t, mariadb ? ")" : "");
}

/* The value of whichever row is later. MariaDB sets one column after another:
 * the comparison is the same behind that of the time as before it. */
static void put_later(
    struct sql_text *t, const struct sql_table *table, enum sql_column column)
{
	enum sql_column time =
	    column == SQL_EXPIRY ? SQL_EXPIRY : time_column(table);
	bool lax = table->engine == SQL_SQLITE && table->epoch;
	const char *cast = lax ? "CAST(" : "", *as = lax ? " AS INTEGER)" : "";

	sql_put(t, "CASE WHEN ");
	sql_put(t, cast);
	put_old(t, table, time);
	sql_put(t, as);
	sql_put(t, " > ");
	sql_put(t, cast);
	put_new(t, table, time);
	sql_put(t, as);
	sql_put(t, " THEN ");
	put_old(t, table, column);
	sql_put(t, " ELSE ");
	put_new(t, table, column);
	sql_put(t, " END");
}

char *sql_text_upsert(const struct sql_table *table, size_t n)
{
	bool mariadb = table->engine == SQL_MARIADB;
	const char *comma = "";
	struct sql_text t = { 0 };

	sql_put(&t, "INSERT INTO ");
	put_table(&t, table);
	sql_put(&t, table->shared && !mariadb ? " AS old (" : " (");
	sql_put_columns(&t, table);
	sql_put(&t, ") VALUES ");
	for (size_t i = 0; i < n; i++) {
		sql_put(&t, i ? ", " : "");
		put_row(&t, table);
	}
	sql_put(&t, mariadb ? " ON DUPLICATE KEY UPDATE " : " ON CONFLICT (");
	if (!mariadb) {
		put_column(&t, table, SQL_ADDRESS);
		sql_put(&t, ") DO UPDATE SET ");
	}
	for (int i = SQL_ADDRESS + 1; i < SQL_COLUMNS; i++) {
		if (!*table->columns[i])
			continue;
		sql_put(&t, comma);
		put_column(&t, table, (enum sql_column)i);
		sql_put(&t, " = ");
		(table->shared ? put_later : put_new)(
		    &t, table, (enum sql_column)i);
		comma = ", ";
	}
	return t.bytes;
}

/* The column's time is at most the next parameter. */
static void put_until(
    struct sql_text *t, const struct sql_table *table, enum sql_column column)
{
	bool lax = table->engine == SQL_SQLITE && table->epoch;

	sql_put(t, lax ? "CAST(" : "");
	put_column(t, table, column);
	sql_put(t, lax ? " AS INTEGER)" : "");
	sql_put(t, table->text_times && table->epoch ? "::text <= " : " <= ");
	sql_put_time_param(t, table);
}

static void put_not_later(
    struct sql_text *t, const struct sql_table *table, bool first)
{
	sql_put(t, first ? "(" : " OR (");
	put_column(t, table, SQL_ADDRESS);
	sql_put(t, " = ");
	sql_put_address_param(t, table);
	sql_put(t, " AND ");
	put_until(t, table, time_column(table));
	sql_put(t, ")");
}

char *sql_text_delete(const struct sql_table *table, size_t n)
{
	struct sql_text t = { 0 };

	sql_put(&t, "DELETE FROM ");
	put_table(&t, table);
	sql_put(&t, " WHERE ");
	if (table->shared) {
		for (size_t i = 0; i < n; i++)
			put_not_later(&t, table, i == 0);
		return t.bytes;
	}
	put_column(&t, table, SQL_ADDRESS);
	sql_put(&t, " IN (");
	for (size_t i = 0; i < n; i++) {
		sql_put(&t, i ? ", " : "");
		sql_put_address_param(&t, table);
	}
	sql_put(&t, ")");
	return t.bytes;
}

/* The row is over. */
static void put_over(struct sql_text *t, const struct sql_table *table)
{
	t->params = 0; /* PostgreSQL's $1 stands for both */
	put_until(
	    t, table, *table->columns[SQL_EXPIRY] ? SQL_EXPIRY : SQL_TIME);
}

char *sql_text_purge(const struct sql_table *table)
{
	struct sql_text t = { 0 };

	sql_put(&t, "DELETE FROM ");
	put_table(&t, table);
	sql_put(&t, " WHERE ");
	if (table->engine != SQL_MARIADB) {
		put_column(&t, table, SQL_ADDRESS);
		sql_put(&t, " IN (SELECT ");
		put_column(&t, table, SQL_ADDRESS);
		sql_put(&t, " FROM ");
		put_table(&t, table);
		sql_put(&t, " WHERE ");
	}
	put_over(&t, table);
	sql_put(&t, " LIMIT ");
	put_number(&t, SQL_PURGE_MAX);
	sql_put(&t, table->engine != SQL_MARIADB ? ")" : "");
	/* Another writer may have refreshed the row meanwhile. */
	if (table->engine == SQL_POSTGRESQL) {
		sql_put(&t, " AND ");
		put_over(&t, table);
	}
	return t.bytes;
}

char *sql_text_addresses(const struct sql_table *table, bool first, size_t n)
{
	struct sql_text t = { 0 };

	sql_put(&t, "SELECT ");
	sql_put_address_of(&t, table);
	sql_put(&t, " FROM ");
	put_table(&t, table);
	sql_put(&t, " WHERE ");
	put_column(&t, table, SQL_ADDRESS);
	sql_put(&t, first ? " IS NOT NULL" : " > ");
	if (!first)
		sql_put_address_param(&t, table);
	sql_put(&t, " ORDER BY ");
	put_column(&t, table, SQL_ADDRESS);
	sql_put(&t, " LIMIT ");
	put_number(&t, n);
	return t.bytes;
}

char *sql_text_witness(const struct sql_table *table)
{
	struct sql_text t = { 0 };

	sql_put(&t, "SELECT count(*), count(CASE WHEN ");
	put_column(&t, table, time_column(table));
	sql_put(&t, table->text_times && table->epoch ? "::text = " : " = ");
	sql_put_time_param(&t, table);
	sql_put(&t, " THEN 1 END) FROM ");
	put_table(&t, table);
	sql_put(&t, " WHERE ");
	put_column(&t, table, SQL_ADDRESS);
	sql_put(&t, " = ");
	sql_put_address_param(&t, table);
	return t.bytes;
}
