/* SPDX-License-Identifier: ISC */
/*
 * line - cuts a stream of bytes into lines. Called by source/ and scan with
 * each chunk they read. Lines wholly inside a chunk are passed where they lie;
 * only the one that spans chunks is copied.
 */
#include "line.h"

#include <string.h>

void line_reset(struct line_splitter *s)
{
	s->held = 0;
	s->dropping = false;
	s->dropped = 0;
}

/* Keeps the beginning of a line whose LF has not come yet. */
static void hold(struct line_splitter *s, const char *bytes, size_t len)
{
	if (s->dropping)
		return;
	if (len > LINE_MAX_BYTES - s->held) {
		s->dropping = true;
		s->held = 0;
		return;
	}
	memcpy(s->part + s->held, bytes, len);
	s->held += len;
}

/* Ends the line of which the beginning is held. */
static void finish_held(
    struct line_splitter *s, size_t end, line_fn *fn, void *ctx)
{
	size_t len = s->held;

	if (s->dropping) {
		s->dropping = false;
		s->dropped++;
		return;
	}
	s->held = 0;
	fn(ctx, s->part, len, end);
}

void line_feed(struct line_splitter *s, const char *chunk, size_t len,
    line_fn *fn, void *ctx)
{
	size_t at = 0;

	while (at < len) {
		const char *start = chunk + at;
		const char *lf = memchr(start, '\n', len - at);
		if (!lf) {
			hold(s, start, len - at);
			return;
		}
		size_t n = (size_t)(lf - start);
		at += n + 1;
		if (s->held > 0 || s->dropping) {
			hold(s, start, n);
			finish_held(s, at, fn, ctx);
		} else if (n > LINE_MAX_BYTES) {
			s->dropped++;
		} else {
			fn(ctx, start, n, at);
		}
	}
}
