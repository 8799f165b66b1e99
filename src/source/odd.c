/* SPDX-License-Identifier: ISC */
/*
 * odd - counts wrong input; the first of a minute is told at once, the others
 * of it together. So a flood costs one line a minute and hides nothing.
 */
#include "odd.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"

enum { MINUTE_MS = 60 * 1000 };

static uint64_t all;

uint64_t odd_all(void)
{
	return all;
}

void odd_init(struct odd *o, const char *source)
{
	memset(o, 0, sizeof(*o));
	o->source = source;
}

static struct odd_reason *find(struct odd *o, const char *what)
{
	size_t i = 0;

	while (o->reasons[i].what && o->reasons[i].what != what &&
	       strcmp(o->reasons[i].what, what) != 0) {
		i++;
		must(i < ODD_REASONS);
	}
	o->reasons[i].what = what;
	return &o->reasons[i];
}

static void tell(struct odd *o, struct odd_reason *r, uint64_t now)
{
	if (r->count == r->told ||
	    (r->told_at && now - r->told_at < MINUTE_MS && now >= r->told_at))
		return;
	log_warn(LOG_SOURCE_INPUT, "source=%s reason=%s count=%llu peer=%s",
	    o->source, r->what, (unsigned long long)(r->count - r->told),
	    r->peer);
	o->told += r->count - r->told;
	r->told = r->count;
	r->told_at = now ? now : 1;
}

static bool is_recent(const struct odd_reason *r, uint64_t now)
{
	return r->lately && now < r->last_at + ODD_LATELY_MS;
}

const struct odd_reason *odd_lately(const struct odd *o, uint64_t now)
{
	for (size_t i = 0; i < ODD_REASONS && o->reasons[i].what; i++)
		if (is_recent(&o->reasons[i], now))
			return &o->reasons[i];
	return NULL;
}

void odd_count(struct odd *o, const char *what, const char *peer, uint64_t now)
{
	struct odd_reason *r = find(o, what);

	all++;
	o->total++;
	r->count++;
	r->lately = is_recent(r, now) ? r->lately + 1 : 1;
	r->last_at = now;
	(void)log_quote(peer, strlen(peer), r->peer, sizeof(r->peer));
	tell(o, r, now);
}

void odd_flush(struct odd *o, uint64_t now)
{
	for (size_t i = 0; i < ODD_REASONS; i++)
		if (o->reasons[i].what)
			tell(o, &o->reasons[i], now);
}
