/* SPDX-License-Identifier: ISC */
/*
 * fuzz_line - a stream gives the lines that stand in it, however it is cut into
 * chunks. The first byte of the input says how it is cut, the rest is the
 * stream; a byte 0xff in it stands for 4096 letters, so that long lines are
 * reached by short inputs.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/line.h"
#include "base/mem.h"

enum { BLOCK = 4096, STREAM_MAX = 1 << 17 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A running sum of all lines and where they end. */
struct sum {
	uint64_t hash;
	size_t base, lines, bytes;
};

static void add(void *ctx, const char *line, size_t len, size_t end)
{
	struct sum *s = ctx;

	must(len <= LINE_MAX_BYTES && !memchr(line, '\n', len));
	for (size_t i = 0; i < len; i++)
		s->hash = (s->hash ^ (uint8_t)line[i]) * 1099511628211U;
	s->hash = (s->hash ^ len ^ (s->base + end)) * 1099511628211U;
	s->lines++;
	s->bytes += len;
}

/* What the lines are: the whole stream at once, byte by byte. */
static void expect(
    const char *stream, size_t len, struct sum *out, uint64_t *dropped_r)
{
	size_t start = 0;

	*dropped_r = 0;
	for (size_t at = 0; at < len; at++) {
		if (stream[at] != '\n')
			continue;
		if (at - start > LINE_MAX_BYTES)
			++*dropped_r;
		else
			add(out, stream + start, at - start, at + 1);
		start = at + 1;
	}
}

/* Chunks that grow and shrink: the way of a cut is a small random generator. */
static void run(const char *stream, size_t len, uint32_t way, struct sum *out,
    uint64_t *dropped_r)
{
	struct line_splitter *s = xmalloc(sizeof(*s));
	size_t n;

	line_reset(s);
	for (size_t at = 0; at < len; at += n) {
		size_t step = 1 + (way >> 16) % (way & 1 ? 5 : 9001);

		way = way * 1103515245 + 12345;
		n = step < len - at ? step : len - at;
		out->base = at;
		line_feed(s, stream + at, n, add, out);
	}
	*dropped_r = s->dropped;
	free(s);
}

static size_t expand(const uint8_t *data, size_t size, char *out)
{
	size_t used = 0;

	for (size_t i = 0; i < size; i++) {
		size_t n = data[i] == 0xff ? BLOCK : 1;
		if (used + n > STREAM_MAX)
			break;
		memset(out + used, data[i], n);
		used += n;
	}
	return used;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char stream[STREAM_MAX];
	struct sum whole = { 0 }, cut = { 0 };
	uint64_t whole_dropped, cut_dropped;
	size_t len;

	if (size < 2)
		return 0;
	len = expand(data + 1, size - 1, stream);
	expect(stream, len, &whole, &whole_dropped);
	run(stream, len, data[0] * 0x9E3779B1U, &cut, &cut_dropped);
	must(whole.hash == cut.hash && whole.lines == cut.lines);
	must(whole.bytes == cut.bytes && whole_dropped == cut_dropped);
	return 0;
}
