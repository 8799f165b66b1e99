/* SPDX-License-Identifier: ISC */
/*
 * sql_login - see the header.
 */
#include "sql_login.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "sql/text.h"

enum {
	MS = 1000,
	NUMBER_SIZE = 24,
	TIME_DIGITS = 15, /* more is no time, in whatever unit */
	LOW = 0x20,
	SAME_CLOCK_MS = 500
};

/* --- what the columns are like ---------------------------------------------
 */

/* The type of a column; NULL: there is none of that name. */
static const char *type_of(const struct sql_table *table,
    const struct sql_result *columns, enum sql_column column)
{
	for (size_t i = 0; i < columns->rows; i++)
		if (sql_name_same(table->engine, sql_result_text(columns, i, 0),
			table->columns[column]))
			return sql_result_text(columns, i, 1);
	return NULL;
}

/* A word among words with blanks around each. */
static bool is_among(const char *word, const char *words)
{
	char padded[NUMBER_SIZE + SQL_NAME_MAX];

	(void)snprintf(padded, sizeof(padded), " %s ", word);
	return strstr(words, padded) != NULL;
}

static bool is_text(const char *type)
{
	return is_among(
	    type, " text varchar bpchar char tinytext mediumtext longtext ");
}

/* SQLite's types are any words; its values tell. */
static int look_at_time(struct sql_table *t, const char *type, struct err *err)
{
	bool moment = is_among(type, " timestamptz timestamp datetime ");
	bool number = is_among(type,
	    " int int4 int8 bigint numeric decimal float4 float8 double ");

	t->text_times =
	    t->engine == SQL_POSTGRESQL && t->epoch && is_text(type);
	if (t->engine == SQL_SQLITE ||
	    (t->epoch ? number || is_text(type) : moment))
		return 0;
	if (t->epoch == number || t->epoch == moment)
		return err_set(err, EXIT_USER,
		    "time-column: %s of %s is of type %s; set time-format = "
		    "\"%s\"",
		    t->columns[SQL_TIME], t->name, type,
		    moment ? "native" : "epoch");
	return err_set(err, EXIT_USER,
	    "time-column: %s of %s is of type %s; expected %s",
	    t->columns[SQL_TIME], t->name, type,
	    t->epoch ? "seconds since 1970, for time-format = \"epoch\""
		     : "a time such as timestamp");
}

int sql_login_look(
    struct sql_table *table, const struct sql_result *columns, struct err *err)
{
	static const struct {
		enum sql_column column;
		const char *option;
	} rows[] = { { SQL_ADDRESS, "address-column" },
		{ SQL_TIME, "time-column" }, { SQL_USER, "user-column" },
		{ SQL_EXPIRY, "expiry-column" } };
	const char *type;

	if (columns->rows == 0)
		return err_set(err, EXIT_USER,
		    "table: there is no table %s in this database that its "
		    "user may read",
		    table->name);
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (*table->columns[rows[i].column] &&
		    !type_of(table, columns, rows[i].column))
			return err_set(err, EXIT_USER,
			    "%s: the table %s has no column %s", rows[i].option,
			    table->name, table->columns[rows[i].column]);
	type = type_of(table, columns, SQL_ADDRESS);
	table->inet =
	    table->engine == SQL_POSTGRESQL && is_among(type, " inet cidr ");
	if (table->engine != SQL_SQLITE && !table->inet && !is_text(type))
		return err_set(err, EXIT_USER,
		    "address-column: %s of %s is of type %s; expected a text%s",
		    table->columns[SQL_ADDRESS], table->name, type,
		    table->engine == SQL_POSTGRESQL ? ", or inet" : "");
	return look_at_time(table, type_of(table, columns, SQL_TIME), err);
}

/* --- statements ------------------------------------------------------------
 */

const char *sql_login_now(enum sql_engine_id engine)
{
	static const char *const texts[] = {
		[SQL_POSTGRESQL] = "SELECT floor(extract(epoch FROM "
				   "clock_timestamp()) * 1000)::bigint",
		[SQL_MARIADB] = "SELECT FLOOR(UNIX_TIMESTAMP(SYSDATE(3)) * "
				"1000)",
		[SQL_SQLITE] = "SELECT CAST(round((julianday('now') - "
			       "2440587.5) * 86400000) AS INTEGER)",
	};

	return texts[engine];
}

static void put_name(
    struct sql_text *t, const struct sql_table *table, enum sql_column column)
{
	sql_put_name(t, table->engine, table->columns[column], false);
}

/* Whatever the type is, as text of so many characters at most. */
static void put_cut(struct sql_text *t, const struct sql_table *table,
    enum sql_column column, int most)
{
	static const char *const behind[] = { [SQL_POSTGRESQL] = "::text",
		[SQL_MARIADB] = "",
		[SQL_SQLITE] = "" };
	char number[NUMBER_SIZE];

	if (!*table->columns[column]) {
		sql_put(t, "NULL");
		return;
	}
	(void)snprintf(number, sizeof(number), ", 1, %d)", most);
	sql_put(t, "substr(");
	put_name(t, table, column);
	sql_put(t, behind[table->engine]);
	sql_put(t, number);
}

/* Piece, column, piece, column ... */
static void put_around(struct sql_text *t, const struct sql_table *table,
    enum sql_column column, const char *const *pieces, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		sql_put(t, pieces[i]);
		if (i + 1 < n)
			put_name(t, table, column);
	}
}

/*
 * A time without a zone, in the hour that a change to winter time repeats, is
 * the later one to PostgreSQL, and to MariaDB in the system's zone: a row of
 * the first pass would be young in the second. It counts as the earlier.
 */
static void put_time(
    struct sql_text *t, const struct sql_table *table, enum sql_column column)
{
	static const char *const postgresql[] = {
		"floor(extract(epoch FROM CASE WHEN pg_typeof(",
		") = 'timestamp'::regtype AND (",
		"::timestamptz - interval '1 hour')::timestamp = ",
		"::timestamp THEN ", "::timestamptz - interval '1 hour' ELSE ",
		"::timestamptz END))::bigint"
	};
	static const char *const mariadb[] = { "FLOOR(UNIX_TIMESTAMP(",
		")) - IF(FROM_UNIXTIME(UNIX_TIMESTAMP(",
		") - 3600) = ", ", 3600, 0)" };

	if (!*table->columns[column])
		sql_put(t, "NULL");
	else if (table->epoch)
		put_cut(t, table, column, SQL_TIME_CUT);
	else if (table->engine == SQL_POSTGRESQL)
		put_around(t, table, column, postgresql, COUNT_OF(postgresql));
	else if (table->engine == SQL_MARIADB)
		put_around(t, table, column, mariadb, COUNT_OF(mariadb));
	else
		sql_put_epoch_of(t, table, column);
}

char *sql_login_since(const struct sql_table *table, size_t n)
{
	struct sql_text t = { 0 };
	char limit[NUMBER_SIZE];

	(void)snprintf(limit, sizeof(limit), "%zu", n);
	sql_put(&t, "SELECT ");
	if (table->inet)
		sql_put_address_of(&t, table);
	else
		put_cut(&t, table, SQL_ADDRESS, SQL_ADDRESS_CUT);
	sql_put(&t, ", ");
	put_time(&t, table, SQL_TIME);
	sql_put(&t, ", ");
	put_cut(&t, table, SQL_USER, SQL_USER_CUT);
	sql_put(&t, ", ");
	put_time(&t, table, SQL_EXPIRY);
	sql_put(&t, " FROM ");
	sql_put_name(&t, table->engine, table->name, true);
	sql_put(&t, " WHERE ");
	sql_put_name(&t, table->engine, table->columns[SQL_TIME], false);
	sql_put(&t, " >= ");
	sql_put_time_param(&t, table);
	sql_put(&t, " ORDER BY ");
	sql_put_name(&t, table->engine, table->columns[SQL_TIME], false);
	sql_put(&t, " LIMIT ");
	sql_put(&t, limit);
	return t.bytes;
}

/* --- one row ---------------------------------------------------------------
 */

const char *sql_row_word(enum sql_row_worth worth)
{
	static const char *const words[] = {
		[SQL_ROW_LOGIN] = "login",
		[SQL_ROW_OVER] = "over",
		[SQL_ROW_AHEAD] = "time-ahead",
		[SQL_ROW_BAD_ADDRESS] = "not-an-address",
		[SQL_ROW_BAD_TIME] = "not-a-time",
		[SQL_ROW_BAD_USER] = "not-a-user",
	};

	return words[worth];
}

const char *sql_row_mend(const char *word)
{
	static const struct {
		enum sql_row_worth worth;
		const char *text;
	} rows[] = { { SQL_ROW_AHEAD,
			 "its time is ahead of the database's by more than "
			 "max-skew; set the clock, or the time zone, of what "
			 "writes it" },
		{ SQL_ROW_BAD_ADDRESS,
		    "not an IP address; mend what writes it, or see "
		    "address-column" },
		{ SQL_ROW_BAD_TIME,
		    "its time is none; mend what writes it, or see "
		    "time-column and time-format" },
		{ SQL_ROW_BAD_USER,
		    "not a user's name; mend what writes it, or see "
		    "user-column" } };

	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (strcmp(word, sql_row_word(rows[i].worth)) == 0)
			return rows[i].text;
	return "more rows than are read at once have the same time; mend what "
	       "writes it";
}

/* PostgreSQL fills a char(n) up with blanks. */
static struct sql_value trim(struct sql_value v)
{
	while (v.len > 0 && v.text[v.len - 1] == ' ')
		v.len--;
	return v;
}

bool sql_row_time(struct sql_value v, int64_t *seconds_r)
{
	int64_t n = 0;
	size_t i = 0;

	if (v.len >= SQL_TIME_CUT)
		return false;
	v = trim(v);
	for (; i < v.len && v.text[i] >= '0' && v.text[i] <= '9'; i++) {
		if (i == TIME_DIGITS)
			return false;
		n = n * 10 + (v.text[i] - '0');
	}
	if (i == 0)
		return false;
	if (i < v.len && v.text[i] == '.')
		for (i++; i < v.len && v.text[i] >= '0' && v.text[i] <= '9';)
			i++;
	if (i < v.len)
		return false;
	*seconds_r = n;
	return true;
}

/* One host; a column of networks may write it as one. */
static bool read_address(struct sql_value v, struct addr *out)
{
	static const char four[] = "/32", six[] = "/128";
	size_t len;

	if (!v.text || v.len >= SQL_ADDRESS_CUT)
		return false;
	v = trim(v);
	len = v.len;
	if (len > sizeof(six) - 1 &&
	    memcmp(v.text + len - (sizeof(six) - 1), six, sizeof(six) - 1) ==
		0 &&
	    memchr(v.text, ':', len))
		len -= sizeof(six) - 1;
	else if (len > sizeof(four) - 1 &&
		 memcmp(v.text + len - (sizeof(four) - 1), four,
		     sizeof(four) - 1) == 0 &&
		 !memchr(v.text, ':', len))
		len -= sizeof(four) - 1;
	return addr_parse(v.text, len, out);
}

static bool read_user(struct sql_value v, struct login *out)
{
	if (v.len >= SQL_USER_CUT)
		return false;
	v = trim(v);
	if (!v.text || v.len == 0) {
		out->userless = 1;
		return true;
	}
	for (size_t i = 0; i < v.len; i++)
		if ((unsigned char)v.text[i] < LOW || v.text[i] == 0x7f)
			return false;
	out->user_len = (uint8_t)v.len;
	memcpy(out->user, v.text, v.len);
	return true;
}

int64_t sql_row_offset(const struct sql_row_clock *clock)
{
	int64_t ahead = clock->here - clock->there;

	if (ahead > -SAME_CLOCK_MS && ahead < MS)
		return 0;
	return (ahead < 0 ? ahead - MS + 1 : ahead) / MS * MS;
}

enum sql_row_worth sql_row_read(const struct sql_row *row,
    const struct sql_row_clock *clock, struct login *out)
{
	int64_t seconds, expiry, age, began, left;

	memset(out, 0, sizeof(*out));
	if (!row->time.text || !sql_row_time(row->time, &seconds))
		return SQL_ROW_BAD_TIME;
	age = clock->there - seconds * MS;
	if (age > clock->period)
		return SQL_ROW_OVER;
	if (age < -clock->max_skew)
		return SQL_ROW_AHEAD;
	if (!read_address(row->address, &out->addr))
		return SQL_ROW_BAD_ADDRESS;
	if (!read_user(row->user, out))
		return SQL_ROW_BAD_USER;
	began = age < 0 ? clock->there : seconds * MS;
	left = clock->period;
	if (row->expiry.text) {
		if (!sql_row_time(row->expiry, &expiry) ||
		    expiry * MS <= clock->there)
			return SQL_ROW_OVER;
		if (expiry * MS - began < left)
			left = expiry * MS - began;
	}
	out->kind = LOGIN_IN;
	out->time = began + sql_row_offset(clock);
	if (out->time > clock->here)
		out->time = clock->here;
	if (left < clock->ttl)
		out->time -= clock->ttl - left;
	memcpy(out->server, "sql", sizeof("sql"));
	return SQL_ROW_LOGIN;
}

/* FNV-1a: who finds two rows that are one to it has kept his own login from
 * being seen. */
static uint64_t mix(uint64_t hash, struct sql_value v)
{
	const uint64_t prime = 0x100000001b3;

	for (size_t i = 0; i < v.len; i++)
		hash = (hash ^ (unsigned char)v.text[i]) * prime;
	return (hash ^ 0xff) * prime;
}

uint64_t sql_row_hash(const struct sql_row *row)
{
	uint64_t hash = 0xcbf29ce484222325;

	hash = mix(hash, row->address);
	hash = mix(hash, row->time);
	return mix(hash, row->user);
}
