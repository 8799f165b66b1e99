/* SPDX-License-Identifier: ISC */
/*
 * mariadb_data - what goes to MariaDB and comes from it: the parameters of a
 * statement and its rows. Nothing here asks the server.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "mariadb_private.h"

enum { SCRATCH_SIZE = 512 }; /* bytes; more than any number or time has */

void mdb_forget_params(struct sql_conn *c)
{
	free(c->statement);
	free(c->binds);
	free(c->lens);
	free(c->bytes);
	c->statement = NULL;
	c->binds = NULL;
	c->lens = NULL;
	c->bytes = NULL;
	c->params = 0;
}

void mdb_copy_params(
    struct sql_conn *c, const struct sql_value *params, size_t count)
{
	size_t size = 1, at = 0;

	for (size_t i = 0; i < count; i++)
		size += params[i].text ? params[i].len : 0;
	c->bytes = xmalloc(size);
	c->binds = xcalloc(count, sizeof(*c->binds));
	c->lens = xcalloc(count, sizeof(*c->lens));
	c->params = count;
	for (size_t i = 0; i < count; i++) {
		MYSQL_BIND *b = &c->binds[i];

		b->buffer_type =
		    params[i].text ? MYSQL_TYPE_STRING : MYSQL_TYPE_NULL;
		if (!params[i].text)
			continue;
		memcpy(c->bytes + at, params[i].text, params[i].len);
		c->lens[i] = params[i].len;
		b->buffer = c->bytes + at;
		b->buffer_length = params[i].len;
		b->length = &c->lens[i];
		at += params[i].len;
	}
}

enum mdb_copied mdb_copy_row(struct sql_conn *c)
{
	const unsigned columns = mysql_num_fields(c->result);
	const unsigned long *lens = mysql_fetch_lengths(c->result);

	for (unsigned i = 0; i < columns; i++)
		if (!rows_add(&c->rows, c->row[i], lens[i]))
			return MDB_TOO_LARGE;
	return MDB_COPIED;
}

/* One column, as text. A string has told its length; of all else it is known
 * only when it is there. */
static bool copy_column(
    struct sql_conn *c, unsigned column, unsigned long len, bool null)
{
	char scratch[SCRATCH_SIZE];
	unsigned long got = 0;
	MYSQL_BIND bind = { .buffer_type = MYSQL_TYPE_STRING,
		.buffer = scratch,
		.buffer_length = sizeof(scratch),
		.length = &got };

	if (null)
		return rows_add(&c->rows, NULL, 0);
	if (len >= sizeof(scratch)) {
		bind.buffer = rows_put(&c->rows, len);
		bind.buffer_length = len;
		if (!bind.buffer)
			return false;
	}
	(void)mysql_stmt_fetch_column(c->stmt, &bind, column, 0);
	if (bind.buffer != scratch)
		return true;
	return rows_add(
	    &c->rows, scratch, got < sizeof(scratch) ? got : sizeof(scratch));
}

enum mdb_copied mdb_copy_kept(struct sql_conn *c)
{
	const unsigned columns = mysql_stmt_field_count(c->stmt);
	AUTO_FREE MYSQL_BIND *binds = xcalloc(columns, sizeof(*binds));
	AUTO_FREE unsigned long *lens = xcalloc(columns, sizeof(*lens));
	AUTO_FREE my_bool *nulls = xcalloc(columns, sizeof(*nulls));
	int got;

	for (unsigned i = 0; i < columns; i++)
		binds[i] = (MYSQL_BIND){ .buffer_type = MYSQL_TYPE_STRING,
			.length = &lens[i],
			.is_null = &nulls[i] };
	if (mysql_stmt_bind_result(c->stmt, binds) != 0)
		return MDB_BROKEN;
	rows_begin(&c->rows, columns);
	while ((got = mysql_stmt_fetch(c->stmt)) == 0 ||
	       got == MYSQL_DATA_TRUNCATED) {
		for (unsigned i = 0; i < columns; i++)
			if (!copy_column(c, i, lens[i], nulls[i]))
				return MDB_TOO_LARGE;
	}
	if (got != MYSQL_NO_DATA)
		return MDB_BROKEN;
	(void)mysql_stmt_free_result(c->stmt);
	return MDB_COPIED;
}

bool mdb_is_too_large(const struct sql_conn *c)
{
	size_t size = 0;

	for (const MA_USED_MEM *m = c->stmt->result.alloc.used; m; m = m->next)
		size += m->size;
	return size > ROWS_SIZE_MAX;
}
