/* SPDX-License-Identifier: ISC */
/*
 * sql_rows - a slice of changes as parameters of statements: which rows are to
 * be written, and which to go. Pure. Called by: export/sql.c.
 */
#ifndef EXPORT_SQL_ROWS_H
#define EXPORT_SQL_ROWS_H
#include "export.h"
#include "sql/look.h"

enum {
	/* Of a statement, at most; smaller ones are powers of 8, so that there
	 * are few texts. PostgreSQL takes 65535 parameters. */
	SQL_ROWS_MAX = 512,
	SQL_ROWS_STEP = 8,
	SQL_TIME_TEXT = 24,
	SQL_KIND_MAX = 31
};

struct sql_row {
	char address[ADDR_TEXT_SIZE];
	/* time: of one that goes from a shared table: up to which it is ours.
	 */
	char time[SQL_TIME_TEXT], end[SQL_TIME_TEXT];
	bool has_user;
	uint8_t user_len;
	char user[LOGIN_USER_MAX + 1];
	char source[SQL_KIND_MAX + 1]; /* "": it is not known */
};

struct sql_rows {
	/* In the order of addresses, so that two writers lock alike. */
	size_t put_count, drop_count;
	struct sql_row put[EXPORT_SLICE], drop[EXPORT_SLICE];
};

/* What was left out; sums. */
struct sql_left_out {
	uint64_t networks, ipv6;
	uint64_t names; /* that do not fit their column: the row has none */
};

/* look: what the columns take. */
void sql_rows_make(const struct sql_table *table, const struct sql_look *look,
    const struct export_env *env, const struct export_slice *slice,
    struct sql_rows *out, struct sql_left_out *left_out);
/* How many of n rows the next statement has. */
size_t sql_rows_group(size_t n);
/*
 * The parameters of one row, in the order of the columns; borrowed from row.
 * names: else user and source are left empty. Returns how many.
 */
size_t sql_rows_params(const struct sql_table *table,
    const struct sql_look *look, const struct sql_row *row, bool names,
    struct sql_value out[static SQL_COLUMNS]);
/* Whether this is a lease that a table can hold, of one address. */
bool sql_rows_is_row(
    const struct sql_table *table, const struct export_change *change);

/* --- which addresses a snapshot has named --------------------------------- */

struct sql_names;
struct sql_names *sql_names_new(void);
void sql_names_free(struct sql_names **n);
void sql_names_clear(struct sql_names *n);
void sql_names_add(struct sql_names *n, const struct addr *a);
/* Not to be added to from here on. */
bool sql_names_has(struct sql_names *n, const struct addr *a);

/* --- which times were written to a shared table --------------------------- */

struct sql_written;
struct sql_written *sql_written_new(void);
void sql_written_free(struct sql_written **w);
/*
 * What goes gets its time, and what is to be shorter than it was goes before it
 * is written: only a row that nobody else has refreshed since. over: seconds;
 * rows that are not known go when they are as old as that.
 */
void sql_written_bound(const struct sql_written *w,
    const struct sql_table *table, int64_t over, struct sql_rows *rows);
/* These rows are in the table now. */
void sql_written_note(struct sql_written *w, const struct sql_table *table,
    const struct sql_rows *rows);
/* Forgets times up to this one, seconds. */
void sql_written_purge(struct sql_written *w, int64_t over);
/* How many are known. */
size_t sql_written_count(const struct sql_written *w);
#endif
