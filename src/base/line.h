/* SPDX-License-Identifier: ISC */
/*
 * line - cuts a stream of bytes into lines, for any chunking the same. Only LF
 * ends a line. A line longer than LINE_MAX_BYTES is dropped to its LF and
 * counted; bytes without LF are never a line.
 */
#ifndef BASE_LINE_H
#define BASE_LINE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LINE_MAX_BYTES = 8192 };

struct line_splitter {
	size_t held;      /* bytes of an unfinished line in `part` */
	bool dropping;    /* inside a line that is too long */
	uint64_t dropped; /* lines dropped for their length */
	char part[LINE_MAX_BYTES];
};

/* Called for each whole line, without its LF. end is the offset, counted from
 * the start of this chunk, of the byte behind the LF. */
typedef void line_fn(void *ctx, const char *line, size_t len, size_t end);

void line_reset(struct line_splitter *s);
/* Feeds one chunk. Lines wholly inside the chunk are passed in place. */
void line_feed(struct line_splitter *s, const char *chunk, size_t len,
    line_fn *fn, void *ctx);
#endif
