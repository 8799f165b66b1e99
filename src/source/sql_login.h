/* SPDX-License-Identifier: ISC */
/*
 * sql_login - rows that others write, as logins: which statement reads them,
 * and what one is worth. Pure. Called by: source/sql.c, `relaypass import`.
 *
 * A row's age is told by the database's own clock, so neither its time zone nor
 * a difference between its clock and ours makes a lease longer.
 */
#ifndef SOURCE_SQL_LOGIN_H
#define SOURCE_SQL_LOGIN_H
#include "login/login.h"
#include "sql/table.h"

/* Out of the answer to sql_text_columns(): sets what sql/text.h has to know of
 * their types. -1 and *err (EXIT_USER): there is no such table, no such column,
 * or it is of another type. */
int sql_login_look(
    struct sql_table *table, const struct sql_result *columns, struct err *err);

/* The statement that gives the database's time: ms since 1970. */
const char *sql_login_now(enum sql_engine_id engine);
/* At most n rows with a time not before the parameter (seconds since 1970), in
 * the order of time. To be freed. */
char *sql_login_since(const struct sql_table *table, size_t n);
enum { SQL_ROW_ADDRESS = 0, SQL_ROW_TIME, SQL_ROW_USER, SQL_ROW_EXPIRY };
/* A value of so many characters was cut off by the statement, or is none that
 * counts: no table can make us gather much. */
enum {
	SQL_ADDRESS_CUT = 64,
	SQL_TIME_CUT = 40,
	SQL_USER_CUT = LOGIN_USER_MAX + 1
};

/* One row; text NULL: SQL's. */
struct sql_row {
	struct sql_value address, time, user, expiry;
};
enum sql_row_worth {
	SQL_ROW_LOGIN = 0,
	SQL_ROW_OVER,  /* older than the period, or its end is past */
	SQL_ROW_AHEAD, /* of the database's clock by more than max_skew */
	SQL_ROW_BAD_ADDRESS,
	SQL_ROW_BAD_TIME,
	SQL_ROW_BAD_USER
};
/* A word for the log. */
const char *sql_row_word(enum sql_row_worth worth);
/* What is to be mended when rows are refused, by that word; any other: too many
 * have one time. */
const char *sql_row_mend(const char *word);
struct sql_row_clock {
	int64_t here;             /* ms since 1970; when `there` was asked */
	int64_t there;            /* the database's */
	int64_t period, max_skew; /* ms */
	int64_t ttl; /* ms, of a lease; 0: logins have the row's own time */
};
/* What our clock is ahead of the database's, ms: whole seconds, rounded down,
 * and half a second behind is none, so that a row read twice is the same
 * login. */
int64_t sql_row_offset(const struct sql_row_clock *clock);
/* A login's time is early enough that a lease of `ttl` ends when the row does:
 * a period after its time, or at its expiry. */
enum sql_row_worth sql_row_read(const struct sql_row *row,
    const struct sql_row_clock *clock, struct login *out);
/* Seconds since 1970 of a column, "1700000000" or "1700000000.123". False: it
 * is none. */
bool sql_row_time(struct sql_value v, int64_t *seconds_r);
/* Tells a row from another, and from itself with another time. */
uint64_t sql_row_hash(const struct sql_row *row);
#endif
