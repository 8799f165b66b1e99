/* SPDX-License-Identifier: ISC */
/* Pages of a table: every row comes, whatever times they have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "source/sql_login.h"
#include "source/sql_page.h"

/* A table: row i has the time i / together. */
struct sql_conn {
	size_t rows, together, first;
	char time[24];
};

static struct sql_value value(
    const struct sql_conn *conn, size_t row, size_t column)
{
	struct sql_conn *c = (struct sql_conn *)(uintptr_t)conn;

	assert_int_equal(column, SQL_ROW_TIME);
	(void)snprintf(
	    c->time, sizeof(c->time), "%zu", (c->first + row) / c->together);
	return sql_value_of(c->time);
}

static const struct sql_engine engine = { .value = value };

/* The page's rows, as the statement would give them. */
static struct sql_result ask(struct sql_conn *c, const struct sql_page *p)
{
	size_t left;

	c->first = (size_t)p->from * c->together;
	left = c->rows > c->first ? c->rows - c->first : 0;
	return (struct sql_result){ .text = "",
		.rows = left < p->rows ? left : p->rows,
		.engine = &engine,
		.conn = c };
}

static void test_sql_page_misses_no_row(void **state)
{
	static const struct {
		size_t rows, together;
	} tables[] = { { 0, 1 }, { 1, 1 }, { SQL_PAGE_ROWS - 1, 1 },
		{ SQL_PAGE_ROWS, 1 }, { 12345, 7 }, { 50000, 999 },
		{ 50000, SQL_PAGE_ROWS }, { 50000, 4321 },
		{ SQL_PAGE_ROWS_MAX - 1, SQL_PAGE_ROWS_MAX } };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(tables); i++) {
		struct sql_conn c = { .rows = tables[i].rows,
			.together = tables[i].together };
		enum sql_page_step step;
		struct sql_page p;
		size_t seen = 0;

		sql_page_begin(&p, 0);
		do {
			struct sql_result r = ask(&c, &p);

			assert_true(c.first <= seen);
			if (c.first + r.rows > seen)
				seen = c.first + r.rows;
			step = sql_page_next(&p, &r);
		} while (step == SQL_PAGE_NEXT);
		assert_int_equal(step, SQL_PAGE_LAST);
		assert_int_equal(seen, tables[i].rows);
	}
}

static void test_sql_page_ends_where_one_time_has_too_many(void **state)
{
	struct sql_conn c = { .rows = 1000000,
		.together = SQL_PAGE_ROWS_MAX + 1 };
	struct sql_page p;
	enum sql_page_step step;

	(void)state;
	sql_page_begin(&p, 0);
	do {
		struct sql_result r = ask(&c, &p);

		step = sql_page_next(&p, &r);
	} while (step == SQL_PAGE_NEXT);
	assert_int_equal(step, SQL_PAGE_STUCK);
	assert_int_equal(p.rows, SQL_PAGE_ROWS_MAX);
	assert_int_equal(p.from, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sql_page_misses_no_row),
		cmocka_unit_test(
		    test_sql_page_ends_where_one_time_has_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
