/* SPDX-License-Identifier: ISC */
/*
 * feed - see the header. What is dropped for want of room is told in the log by
 * whoever had none; lines that are too long are told here.
 */
#include "feed.h"

#include <stdlib.h>

#include "base/line.h"
#include "base/log.h"
#include "base/mem.h"

struct feed {
	struct source_env env;
	struct matcher *matcher;
	struct line_splitter split;
	enum feed_place place; /* of the next line */
	int64_t now;           /* wall ms, of the bytes at hand */
	uint64_t dropped;      /* logins */
	uint64_t skipped;      /* lines of which only the end came */
};

struct feed *feed_new(
    const struct source_env *env, const struct conf_section *conf)
{
	struct feed *f = xcalloc(1, sizeof(*f));

	f->env = *env;
	f->matcher = matcher_new(env->patterns);
	if (conf_has(conf, "annotated"))
		matcher_annotated(
		    f->matcher, conf_number(conf, "annotated") != 0);
	line_reset(&f->split);
	return f;
}

void feed_free(struct feed **fp)
{
	struct feed *f = *fp;

	*fp = NULL;
	if (!f)
		return;
	matcher_free(&f->matcher);
	free(f);
}

void feed_begin(struct feed *f, enum feed_place place)
{
	f->place = place;
	/* To the splitter it is the end of a line that was too long. */
	f->split.dropping = place == FEED_INSIDE;
	f->split.held = 0;
	f->skipped += place == FEED_INSIDE;
}

void feed_line(struct feed *f, const char *line, size_t len, int64_t now)
{
	struct login login;

	if (matcher_line(f->matcher, line, len, now, f->env.max_skew, &login) ==
	    LOGIN_NOTHING)
		return;
	if (!f->env.submit(f->env.live_ctx, 0, &login))
		f->dropped++;
}

void feed_line_from(
    struct feed *f, const char *line, size_t len, int64_t now, uint32_t uid)
{
	struct login login;

	if (matcher_line_from(f->matcher, line, len, now, f->env.max_skew, uid,
		&login) == LOGIN_NOTHING)
		return;
	if (!f->env.submit(f->env.live_ctx, 0, &login))
		f->dropped++;
}

static void on_line(void *ctx, const char *line, size_t len, size_t end)
{
	struct feed *f = ctx;
	bool doubt = f->place == FEED_DOUBT;

	(void)end;
	f->place = FEED_LINE;
	if (doubt &&
	    matcher_time(f->matcher, line, len, f->now, f->env.max_skew) < 0)
		return;
	feed_line(f, line, len, f->now);
}

void feed_bytes(struct feed *f, const char *bytes, size_t len, int64_t now)
{
	uint64_t before = feed_long(f);

	f->now = now;
	line_feed(&f->split, bytes, len, on_line, f);
	if (feed_long(f) != before)
		log_warn(LOG_SOURCE_LINE, "source=%s why=too-long limit=%d",
		    f->env.name, LINE_MAX_BYTES);
}

void feed_counts(const struct feed *f, struct matcher_counts *out)
{
	*out = matcher_counts(f->matcher);
}

uint64_t feed_dropped(const struct feed *f)
{
	return f->dropped;
}

uint64_t feed_long(const struct feed *f)
{
	uint64_t ended = f->split.dropped;

	/* The skipped one is counted when its LF comes. */
	return ended > f->skipped ? ended - f->skipped : 0;
}
