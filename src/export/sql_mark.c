/* SPDX-License-Identifier: ISC */
/*
 * sql_mark - see the header.
 */
#include "sql_mark.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { PAUSE_STEP_MS = 1000, PAUSE_MAX_MS = 60 * 1000, QUIET_MS = 10 * 1000 };

struct sql_value sql_mark_value(
    const struct sql_mark *m, unsigned ahead, char out[static SQL_MARK_SIZE])
{
	int n = snprintf(out, SQL_MARK_SIZE, "mark %016" PRIx64 " %" PRIu64,
	    m->run, m->slices + ahead);

	return (struct sql_value){ out, (size_t)n };
}

enum sql_marked sql_mark_compare(const struct sql_mark *m, const char *found)
{
	char value[SQL_MARK_SIZE];

	for (unsigned ahead = 0; ahead <= 1; ahead++)
		if (strcmp(found, sql_mark_value(m, ahead, value).text) == 0)
			return SQL_MARK_GOOD;
	/* Up to the number. */
	*(strrchr(value, ' ') + 1) = '\0';
	return *found && strncmp(found, value, strlen(value)) != 0
		   ? SQL_MARK_OTHER
		   : SQL_MARK_LOST;
}

static bool is_quiet(const struct sql_mark *m, int64_t now)
{
	return now - m->rival_at > 2 * m->pause + QUIET_MS;
}

void sql_mark_count(struct sql_mark *m, int64_t now)
{
	if (!m->rival_at || is_quiet(m, now))
		m->pause = 0;
	else if (m->pause < PAUSE_MAX_MS)
		m->pause = 2 * m->pause + PAUSE_STEP_MS;
	m->rival_at = now;
}

bool sql_mark_has_rival(const struct sql_mark *m)
{
	return m->pause > PAUSE_STEP_MS;
}

bool sql_mark_may_set(const struct sql_mark *m, int64_t now)
{
	return now - m->rival_at >= m->pause;
}

bool sql_mark_is_over(struct sql_mark *m, int64_t now)
{
	if (!m->rival_at || !is_quiet(m, now))
		return false;
	m->rival_at = m->pause = 0;
	return true;
}
