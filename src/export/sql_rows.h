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

struct sql_lease_row {
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
	struct sql_lease_row put[EXPORT_SLICE], drop[EXPORT_SLICE];
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
    const struct sql_look *look, const struct sql_lease_row *row, bool names,
    struct sql_value out[static SQL_COLUMNS]);
/* Whether this is a lease that a table can hold, of one address. */
bool sql_rows_is_row(
    const struct sql_table *table, const struct export_change *change);
#endif
