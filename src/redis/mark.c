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

void redis_mark_init(struct redis_mark *m)
{
	memset(m, 0, sizeof(*m));
	must(getentropy(&m->run, sizeof(m->run)) == 0);
	redis_mark_anew(m);
}

void redis_mark_next(struct redis_mark *m)
{
	(void)snprintf(m->now, sizeof(m->now), "%016" PRIx64 ":%" PRIu64,
	    m->run, m->count++);
}

void redis_mark_anew(struct redis_mark *m)
{
	redis_mark_next(m);
	redis_mark_good(m);
}

void redis_mark_good(struct redis_mark *m)
{
	memcpy(m->before, m->now, sizeof(m->before));
}

void redis_mark_bad(struct redis_mark *m)
{
	memcpy(m->now, m->before, sizeof(m->now));
}

const char *redis_mark_name(
    const char *key, const char *node, const char *export, char *out)
{
	(void)snprintf(
	    out, REDIS_NAME_SIZE, "%s:node:%s:%s", key, node, export);
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
	size_t run = strcspn(m->now, ":");

	if (redis_is_text(reply, m->now))
		return REDIS_MARK_NOW;
	if (redis_is_text(reply, m->before))
		return REDIS_MARK_BEFORE;
	return reply->type != REDIS_TEXT ||
		       strncmp(reply->text, m->now, run) == 0
		   ? REDIS_MARK_LOST
		   : REDIS_MARK_OTHER;
}
