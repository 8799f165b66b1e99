/* SPDX-License-Identifier: ISC */
/*
 * file_seek - see the header. First back from the end in steps that double,
 * until a line is old enough, then halving in between. A log is sorted by time
 * but for small disorder; what that hides is within one probe. Costs a few
 * dozen reads of 32 KiB whatever the size of the file.
 */
#include "file_seek.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum {
	PROBE = 32768, /* holds at least two whole lines of the longest kind */
	STEP = 65536
};

struct seek {
	int fd;
	int64_t base, size, since;
	seek_stamp_fn *stamp;
	void *ctx;
	char bytes[PROBE];
};

/* One probe: begin is its first line's offset, -1 when none begins there. */
struct probe {
	int64_t begin, time;
};

static size_t fill(struct seek *s, int64_t at)
{
	size_t want = PROBE;
	ssize_t n;

	if (s->size - at < PROBE)
		want = (size_t)(s->size - at);
	do
		n = pread(s->fd, s->bytes, want, at);
	while (n < 0 && errno == EINTR);
	return n < 0 ? 0 : (size_t)n;
}

static struct probe probe(struct seek *s, int64_t at)
{
	struct probe p = { -1, -1 };
	size_t len = fill(s, at), i = 0;

	if (at > s->base) {
		const char *lf = memchr(s->bytes, '\n', len);
		i = lf ? (size_t)(lf - s->bytes) + 1 : len;
	}
	while (i < len && p.time < 0) {
		const char *line = s->bytes + i;
		const char *lf = memchr(line, '\n', len - i);
		if (!lf)
			break;
		if (p.begin < 0)
			p.begin = at + (int64_t)i;
		p.time = s->stamp(s->ctx, line, (size_t)(lf - line));
		i += (size_t)(lf - line) + 1;
	}
	return p;
}

static int64_t last_line_end(struct seek *s)
{
	int64_t end = s->size;

	while (end > s->base) {
		int64_t at = end - PROBE > s->base ? end - PROBE : s->base;
		size_t len = fill(s, at);
		if (len > (size_t)(end - at))
			len = (size_t)(end - at);
		const char *lf = memrchr(s->bytes, '\n', len);
		if (lf)
			return at + (lf - s->bytes) + 1;
		end = at;
	}
	return s->base;
}

/* Halves until less than a step is between an old line and a young one. */
static int64_t narrow(struct seek *s, int64_t old, int64_t young)
{
	int64_t begin = old;

	while (young - old > STEP) {
		int64_t middle = old + (young - old) / 2;
		struct probe p = probe(s, middle);
		if (p.time >= 0 && p.time < s->since) {
			old = middle;
			begin = p.begin;
		} else {
			young = middle;
		}
	}
	return begin;
}

int64_t file_seek(int fd, int64_t base, int64_t size, int64_t since,
    seek_stamp_fn *stamp, void *ctx, bool *stamped)
{
	struct seek s = { fd, base, size, since, stamp, ctx, { 0 } };
	int64_t young = size;

	*stamped = false;
	for (int64_t step = STEP;; step *= 2) {
		int64_t at = size - step > base ? size - step : base;
		struct probe p = probe(&s, at);
		*stamped |= p.time >= 0;
		if (p.time >= 0 && p.time < since)
			return narrow(&s, p.begin, young);
		if (p.time >= 0)
			young = at;
		if (at == base)
			break;
	}
	return *stamped ? base : last_line_end(&s);
}
