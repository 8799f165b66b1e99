/* SPDX-License-Identifier: ISC */
/*
 * text - the statements of the kinds "sql" in each database's dialect. Names
 * are quoted, values are parameters ($1 or ?, see sql.h), nothing else of the
 * configuration gets in. Pure; texts are to be freed, but for the const ones.
 *
 * Times are parameters in whole seconds since 1970, as text, and converted by
 * the database: it knows its time zones.
 */
#ifndef SQL_TEXT_H
#define SQL_TEXT_H
#include "table.h"

/* --- pieces, for those who write statements of their own ------------------ */

/* A text that grows. */
struct sql_text {
	char *bytes; /* NUL-terminated once something was put; to be freed */
	size_t len, size;
	size_t params; /* how many placeholders it has */
};
void sql_put(struct sql_text *t, const char *text);
/* A quoted identifier; a table's name may be qualified. */
void sql_put_name(struct sql_text *t, enum sql_engine_id engine,
    const char *name, bool qualified);
/* The next placeholder: "$3" or "?". */
void sql_put_param(struct sql_text *t, enum sql_engine_id engine);
/* The same for a time, and for an address, as these columns take them. */
void sql_put_time_param(struct sql_text *t, const struct sql_table *table);
void sql_put_address_param(struct sql_text *t, const struct sql_table *table);
/* Names of the columns that there are. */
void sql_put_columns(struct sql_text *t, const struct sql_table *table);
/* A column of times as whole seconds since 1970. */
void sql_put_epoch_of(
    struct sql_text *t, const struct sql_table *table, enum sql_column column);
/* Column as text (an inet without its "/32"); the name alone elsewhere. */
void sql_put_address_of(struct sql_text *t, const struct sql_table *table);

/* --- rows ------------------------------------------------------------------
 */

/* Parameters of a row: the columns that there are, in the order of enum
 * sql_column. */
size_t sql_row_params(const struct sql_table *table);
/* Inserts or replaces n rows by address; of a shared table the later time
 * stays, and what belongs to it. */
char *sql_text_upsert(const struct sql_table *table, size_t n);
/* Deletes n rows; parameters: addresses; of a shared table each with a time,
 * and a row that is later stays. */
char *sql_text_delete(const struct sql_table *table, size_t n);
/* Deletes at most SQL_PURGE_MAX rows that are over. Parameter: now, where the
 * table has a column of the end, else now minus the period. */
enum { SQL_PURGE_MAX = 5000 };
char *sql_text_purge(const struct sql_table *table);
/* Addresses in their order, none of them NULL, at most n; behind one that is
 * the parameter, or (first) from the beginning on, without parameter. */
char *sql_text_addresses(const struct sql_table *table, bool first, size_t n);
/* How many rows (0 or 1) an address has, and how many of that time. Parameters:
 * the time (the end, where the table has no other), the address. */
char *sql_text_witness(const struct sql_table *table);

/* --- the table -------------------------------------------------------------
 */

char *sql_text_create(const struct sql_table *table);
/* What makes the address wide enough for IPv6, and unique; for the
 * administrator, with their ";". */
char *sql_text_widen(const struct sql_table *table);
char *sql_text_make_unique(const struct sql_table *table);
/* The rights that an export needs, with that to make the table where it is one
 * of a table; account: as sql_text_account() asks for it, quoted. */
char *sql_text_grant(
    const struct sql_table *table, const char *account, bool create);
/* PostgreSQL: to see what is in the table's schema, and to make a table there.
 * schema: quoted, that of a name without one. */
char *sql_text_grant_schema(const struct sql_table *table, const char *account,
    const char *schema, bool create);
/*
 * By which sql_text_columns() and sql_text_identity() find the table: its
 * quoted name in PostgreSQL, schema ("": the usual one) and name in the others.
 */
struct sql_table_params {
	struct sql_value values[2]; /* into the texts below: it stays put */
	size_t count;
	char name[2 * (2 * SQL_NAME_MAX + 2) + 2];
	char schema[SQL_NAME_MAX + 1];
};
void sql_table_params(
    const struct sql_table *table, struct sql_table_params *out);
/* A row of the account and, in PostgreSQL, of the schema for tables without
 * one, both quoted. NULL: the database has no accounts. */
const char *sql_text_account(enum sql_engine_id engine);
/*
 * Asks for the columns of the table: name, type, characters it takes ("" or
 * NULL: any number), "1" when it may be NULL, "1" when it has a default, "1"
 * when it is unique by itself. No rows: there is no such table. One parameter
 * in PostgreSQL (sql_text_table()), two in the others (schema or "", table).
 */
const char *sql_text_columns(enum sql_engine_id engine);
/* The table's quoted name: PostgreSQL's parameter. */
char *sql_text_table(const struct sql_table *table);
/*
 * A value that changes when the table has been emptied or made anew; the same
 * parameters as sql_text_columns(). No row, or NULL: there is no table.
 */
const char *sql_text_identity(enum sql_engine_id engine);
/* Statements that change nothing, and need each right that an export needs. */
enum sql_right { SQL_SELECT, SQL_INSERT, SQL_UPDATE, SQL_DELETE, SQL_RIGHTS };
extern const char *const sql_right_words[SQL_RIGHTS];
char *sql_text_right(const struct sql_table *table, enum sql_right right);
/* One that always fails, and is denied where sql_text_create() would be: the
 * right is looked at before the columns. NULL: the database has none. */
char *sql_text_create_right(const struct sql_table *table);
#endif
