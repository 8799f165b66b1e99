/* SPDX-License-Identifier: ISC */
/*
 * test_line - lines are the same for any chunking, long ones are dropped whole,
 * an unfinished one is never a line.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/line.h"
#include "base/mem.h"

enum { SEEN_MAX = 1 << 20 };

/* What came out: the lines with their LF, and where the stream stood. */
struct seen {
	char *text;
	size_t len, lines;
	size_t base; /* of the chunk at hand, in the stream */
	size_t end;  /* of the last line, in the stream */
	const char *chunk;
	size_t chunk_len;
	size_t in_place;
};

static void see(void *ctx, const char *line, size_t len, size_t end)
{
	struct seen *s = ctx;

	assert_true(s->len + len + 1 <= SEEN_MAX);
	assert_true(len <= LINE_MAX_BYTES);
	assert_true(end > 0 && end <= s->chunk_len);
	assert_int_equal(s->chunk[end - 1], '\n');
	memcpy(s->text + s->len, line, len);
	s->len += len;
	s->text[s->len++] = '\n';
	s->lines++;
	s->in_place += line >= s->chunk && line < s->chunk + s->chunk_len;
	s->end = s->base + end;
}

static void feed(
    struct line_splitter *sp, struct seen *s, const char *chunk, size_t len)
{
	s->chunk = chunk;
	s->chunk_len = len;
	line_feed(sp, chunk, len, see, s);
	s->base += len;
}

struct fixture {
	struct line_splitter splitter;
	struct seen seen;
};

static int set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	f->seen.text = xmalloc(SEEN_MAX);
	line_reset(&f->splitter);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	free(f->seen.text);
	free(f);
	return 0;
}

static void again(struct fixture *f)
{
	char *text = f->seen.text;

	memset(&f->seen, 0, sizeof(f->seen));
	f->seen.text = text;
	line_reset(&f->splitter);
}

static void test_line_feed_cuts_at_lf_only(void **state)
{
	static const char text[] = "one\n\ntwo\r\n\0\x80\n tail";
	struct fixture *f = *state;

	feed(&f->splitter, &f->seen, text, sizeof(text) - 1);
	assert_int_equal(f->seen.lines, 4);
	assert_int_equal(f->seen.len, sizeof(text) - 1 - 5);
	assert_memory_equal(f->seen.text, text, f->seen.len);
	assert_int_equal(f->seen.end, f->seen.len);
	assert_int_equal(f->splitter.held, 5);
}

static void test_line_feed_passes_lines_in_place(void **state)
{
	struct fixture *f = *state;

	feed(&f->splitter, &f->seen, "one\ntwo\nth", 10);
	assert_int_equal(f->seen.in_place, 2);
	feed(&f->splitter, &f->seen, "ree\nfour\n", 9);
	assert_int_equal(f->seen.in_place, 3);
	assert_memory_equal(f->seen.text, "one\ntwo\nthree\nfour\n", 19);
	assert_int_equal(f->seen.end, 19);
}

static void test_line_feed_drops_long_lines_whole(void **state)
{
	struct fixture *f = *state;
	char *big = xmalloc((size_t)3 * LINE_MAX_BYTES);

	for (size_t extra = 0; extra < 2; extra++) {
		size_t len = LINE_MAX_BYTES + extra;
		for (size_t cut = 0; cut <= len; cut += 1 + cut / 2) {
			again(f);
			memset(big, 'x', len);
			for (int i = 0; i < 4; i++)
				big[len + (size_t)i] = "\nok\n"[i];
			feed(&f->splitter, &f->seen, big, cut);
			feed(&f->splitter, &f->seen, big + cut, len + 4 - cut);
			assert_int_equal(f->splitter.dropped, extra);
			assert_int_equal(f->seen.lines, 2 - extra);
			assert_memory_equal(
			    f->seen.text + f->seen.len - 3, "ok\n", 3);
		}
	}
	free(big);
}

static void test_line_feed_holds_no_more_than_a_line(void **state)
{
	struct fixture *f = *state;
	char block[1000];

	memset(block, 'y', sizeof(block));
	for (int i = 0; i < 1000; i++)
		feed(&f->splitter, &f->seen, block, sizeof(block));
	assert_int_equal(f->seen.lines, 0);
	assert_int_equal(f->splitter.dropped, 0);
	feed(&f->splitter, &f->seen, "\nz\n", 3);
	assert_int_equal(f->splitter.dropped, 1);
	assert_memory_equal(f->seen.text, "z\n", 2);
}

static void test_line_reset_forgets(void **state)
{
	struct fixture *f = *state;

	feed(&f->splitter, &f->seen, "half", 4);
	line_reset(&f->splitter);
	feed(&f->splitter, &f->seen, "new\n", 4);
	assert_memory_equal(f->seen.text, "new\n", 4);
	assert_int_equal(f->seen.len, 4);
}

/* A stream of lines of many lengths, some too long, some around the limit. */
static size_t make_stream(char *out, size_t size)
{
	size_t used = 0;

	for (;;) {
		size_t len =
		    (size_t)(random() % 4 ? random() % 120 : random() % 20000);
		if (random() % 8 == 0)
			len = LINE_MAX_BYTES - 2 + (size_t)(random() % 5);
		if (used + len + 1 > size)
			return used;
		memset(out + used, 'a' + (int)(random() % 26), len);
		used += len;
		out[used++] = '\n';
	}
}

static void test_line_feed_is_the_same_for_any_chunking(void **state)
{
	struct fixture *f = *state;
	char *stream = xmalloc(400000), *want = xmalloc(SEEN_MAX);

	srandom(11);
	for (int round = 0; round < 60; round++) {
		size_t len = make_stream(stream, 400000);
		again(f);
		feed(&f->splitter, &f->seen, stream, len);
		size_t want_len = f->seen.len, want_end = f->seen.end;
		uint64_t dropped = f->splitter.dropped;
		memcpy(want, f->seen.text, want_len);
		again(f);
		for (size_t at = 0; at < len;) {
			size_t most = round % 3 == 0 ? 7 : 30000;
			size_t n = 1 + (size_t)random() % most;
			n = n > len - at ? len - at : n;
			feed(&f->splitter, &f->seen, stream + at, n);
			at += n;
		}
		assert_int_equal(f->seen.len, want_len);
		assert_memory_equal(f->seen.text, want, want_len);
		assert_int_equal(f->seen.end, want_end);
		assert_int_equal(f->splitter.dropped, dropped);
	}
	free(stream);
	free(want);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(test_line_feed_cuts_at_lf_only),
		WITH(test_line_feed_passes_lines_in_place),
		WITH(test_line_feed_drops_long_lines_whole),
		WITH(test_line_feed_holds_no_more_than_a_line),
		WITH(test_line_reset_forgets),
		WITH(test_line_feed_is_the_same_for_any_chunking),
	};

	return cmocka_run_group_tests_name("line", tests, NULL, NULL);
}
