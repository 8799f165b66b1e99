/* SPDX-License-Identifier: ISC */
/*
 * redis_clock - see the header. Ages are told by our monotonic clock, which
 * nobody sets.
 */
#include "redis_clock.h"

#include <stdlib.h>
#include <uv.h>

#include "redis/words.h"

enum { SECOND_MS = 1000, US_PER_MS = 1000, NS_PER_MS = 1000000, DECIMAL = 10 };

static int64_t monotonic(void)
{
	return (int64_t)(uv_hrtime() / NS_PER_MS);
}

void redis_clock_init(struct redis_clock *c, struct redis_link *link,
    const struct source_env *env)
{
	*c = (struct redis_clock){ .link = link, .skew.max = env->max_skew };
	trouble_init(&c->trouble, LOG_SOURCE_ERROR, LOG_SOURCE_OPEN, "source",
	    env->name, "clock", "server");
}

/* Seconds and microseconds, as text. */
static bool read_time(const struct redis_reply *reply, int64_t *out)
{
	enum { SECONDS, MICROSECONDS, PAIR };
	uint64_t n[PAIR];

	if (reply->type != REDIS_ARRAY || reply->count != PAIR)
		return false;
	for (size_t i = 0; i < PAIR; i++) {
		if (reply->items[i].type != REDIS_TEXT)
			return false;
		n[i] =
		    strtoull(reply->items[i].text, NULL, DECIMAL) & UINT32_MAX;
	}
	*out = (int64_t)(n[SECONDS] * SECOND_MS + n[MICROSECONDS] / US_PER_MS);
	return true;
}

static void on_time(void *ctx, const struct redis_reply *reply)
{
	struct redis_clock *c = ctx;
	const char *text;
	int64_t there;

	if (!reply || !read_time(reply, &there))
		return;
	c->offset = there - monotonic();
	c->known = true;
	text = skew_look(
	    &c->skew, "the Redis server's", there, c->asked, clock_now());
	if (text)
		trouble_tell(&c->trouble, text);
	else
		trouble_over(&c->trouble);
}

void redis_clock_ask(struct redis_clock *c)
{
	struct redis_words w = { 0 };

	if (c->known && monotonic() - c->asked_at < SECOND_MS)
		return;
	c->asked_at = monotonic();
	c->asked = clock_now();
	redis_add(&w, "TIME");
	redis_send(c->link, 0, &w, on_time, c);
}

void redis_clock_forget(struct redis_clock *c)
{
	c->known = false;
}

int64_t redis_clock_age(const struct redis_clock *c, struct redis_id id)
{
	int64_t now = c->offset + monotonic();

	if (!c->known)
		return -1;
	return id.ms < (uint64_t)now ? now - (int64_t)id.ms : 0;
}
