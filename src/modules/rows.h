/* SPDX-License-Identifier: ISC */
/*
 * rows - the result of a statement, copied from a library whose own values do
 * not last, or has no bound of its own. Called by: sqlite.c, mariadb.c,
 * postgresql.c. A zeroed one is empty.
 */
#ifndef MODULES_ROWS_H
#define MODULES_ROWS_H
#include "sql/sql.h"

/* Bytes that one result may have here: 64 MiB. Who asks for more is told so,
 * whatever a server or a file is ready to give. */
enum { ROWS_SIZE_MAX = 1 << 26 };
#define ROWS_TOO_LARGE "the result is too large"

struct rows_cell {
	size_t at, len; /* in bytes; at SIZE_MAX: NULL */
};

struct rows {
	size_t columns;
	struct rows_cell *cells;
	size_t count, room;
	char *bytes;
	size_t used, size;
};

/* Empties it. */
void rows_begin(struct rows *r, size_t columns);
/* Appends a value, row by row: returns where its len bytes are to be written,
 * until the next call. NULL: it is too large. */
char *rows_put(struct rows *r, size_t len);
/* Appends a copy; NULL: SQL's NULL. False: it is too large. */
bool rows_add(struct rows *r, const void *bytes, size_t len);
size_t rows_count(const struct rows *r);
struct sql_value rows_value(const struct rows *r, size_t row, size_t column);
void rows_free(struct rows *r);

/* Appends the first line of a database's words to a text: with "?" for what is
 * not printable or not UTF-8, cut with "..." to fit. */
void rows_add_words(char out[static SQL_WORDS_SIZE], const char *words);
#endif
