/* SPDX-License-Identifier: ISC */
/*
 * sql_page - see the header.
 */
#include "sql_page.h"

#include "sql_login.h"

void sql_page_begin(struct sql_page *p, int64_t from)
{
	*p = (struct sql_page){ .from = from, .rows = SQL_PAGE_ROWS };
}

enum sql_page_step sql_page_next(struct sql_page *p, const struct sql_result *r)
{
	int64_t last = 0;

	if (r->rows < p->rows)
		return SQL_PAGE_LAST;
	(void)sql_row_time(
	    sql_result_value(r, r->rows - 1, SQL_ROW_TIME), &last);
	if (last > p->from) {
		sql_page_begin(p, last);
		return SQL_PAGE_NEXT;
	}
	if (p->rows >= SQL_PAGE_ROWS_MAX)
		return SQL_PAGE_STUCK;
	p->rows *= 2;
	return SQL_PAGE_NEXT;
}
