/* SPDX-License-Identifier: ISC */
/*
 * sql_page - which rows of a table are asked for next, where there are more
 * than one statement shall give: pages in the order of time, each from the last
 * time of the one before, whose rows come once more (sql_seen.h knows them). A
 * page of one time only grows. Pure. Called by: source/sql.c,
 * `relaypass import`.
 */
#ifndef SOURCE_SQL_PAGE_H
#define SOURCE_SQL_PAGE_H
#include "sql/sql.h"

enum { SQL_PAGE_ROWS = 1000, SQL_PAGE_ROWS_MAX = 128000 };

struct sql_page {
	int64_t from; /* seconds */
	size_t rows;  /* at most; both for sql_login_since() */
};

void sql_page_begin(struct sql_page *p, int64_t from);
enum sql_page_step {
	SQL_PAGE_LAST, /* there are no more rows */
	SQL_PAGE_NEXT, /* *p is the next page */
	SQL_PAGE_STUCK /* SQL_PAGE_ROWS_MAX rows have one and the same time */
};
/* The rows of the page are here. */
enum sql_page_step sql_page_next(
    struct sql_page *p, const struct sql_result *r);
#endif
