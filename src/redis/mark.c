/* SPDX-License-Identifier: ISC */
/*
 * mark - see the header.
 */
#include "mark.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "words.h"

void redis_mark_begin(struct redis_mark *m)
{
	memset(m, 0, sizeof(*m));
	must(getentropy(&m->generation, sizeof(m->generation)) == 0);
	redis_mark_next(m);
	redis_mark_good(m);
}

void redis_mark_next(struct redis_mark *m)
{
	(void)snprintf(m->now, sizeof(m->now), "%016" PRIx64 ":%" PRIu64,
	    m->generation, m->count++);
}

void redis_mark_good(struct redis_mark *m)
{
	memcpy(m->before, m->now, sizeof(m->before));
}

void redis_mark_bad(struct redis_mark *m)
{
	memcpy(m->now, m->before, sizeof(m->now));
}

const char *redis_mark_name(const char *key, const char *node, char *out)
{
	(void)snprintf(out, REDIS_NAME_SIZE, "%s:node:%s", key, node);
	return out;
}

void redis_mark_write(const struct redis_mark *m, const char *name,
    int64_t keep, bool is_first, struct redis_words *out)
{
	redis_add(out, "SET");
	redis_add(out, name);
	redis_add(out, m->now);
	if (!is_first) {
		redis_add(out, "XX");
		redis_add(out, "GET");
	}
	redis_add(out, "PX");
	redis_add_number(out, keep);
}

enum redis_marked redis_mark_compare(
    const struct redis_mark *m, const struct redis_reply *reply)
{
	if (redis_is_text(reply, m->now))
		return REDIS_MARK_NOW;
	return redis_is_text(reply, m->before) ? REDIS_MARK_BEFORE
					       : REDIS_MARK_OTHER;
}
