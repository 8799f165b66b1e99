/* SPDX-License-Identifier: ISC */
/*
 * test_spp_body - every short string of CR, LF, dot and x as a message, cut in
 * every place: what goes on has no bare CR or LF and no end but the last one,
 * and says what the client's lines say.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "smtp/body.h"

enum { OUT_MAX = 4096, LETTERS = 4, LENGTH = 7 };
static const char end[] = "\r\n.\r\n";

struct out {
	size_t len;
	char text[OUT_MAX];
};

static void put(void *ctx, const char *bytes, size_t len)
{
	struct out *o = ctx;

	assert_true(len > 0 && o->len + len <= OUT_MAX);
	memcpy(o->text + o->len, bytes, len);
	o->len += len;
}

/* Pieces of `step` bytes, the first one of `first`. *used: of all of it. */
static enum spp_body_end run(enum spp_bare bare, const char *in, size_t len,
    size_t first, size_t step, struct out *out, size_t *used)
{
	enum spp_body_end e = SPP_BODY_MORE;
	struct spp_body b;
	size_t at = 0, n = first, taken;

	out->len = 0;
	spp_body_begin(&b, bare);
	while (at < len && e == SPP_BODY_MORE) {
		if (n > len - at)
			n = len - at;
		/* Of its own, so that a sanitizer sees where it ends. */
		AUTO_FREE char *piece = xmalloc(n + 1);
		memcpy(piece, in + at, n);
		e = spp_body_feed(&b, piece, n, &taken, put, out);
		assert_true(taken <= n && (e != SPP_BODY_MORE || taken == n));
		at += taken;
		n = step;
	}
	*used = at;
	return e;
}

/* --- what it should be -----------------------------------------------------
 */

static size_t find(const char *text, size_t len, const char *what)
{
	const char *at = memmem(text, len, what, strlen(what));

	return at ? (size_t)(at - text) : len;
}

/* Behind the end of the message. */
static size_t message_len(const char *in, size_t len)
{
	if (len >= 3 && memcmp(in, end + 2, 3) == 0)
		return 3;
	return find(in, len, end) + 5;
}

static bool is_bare(const char *in, size_t len, size_t i)
{
	if (in[i] == '\r')
		return i + 1 == len || in[i + 1] != '\n';
	return in[i] == '\n' && (i == 0 || in[i - 1] != '\r');
}

static size_t first_bare(const char *in, size_t len)
{
	size_t i = 0;

	while (i < len && !is_bare(in, len, i))
		i++;
	return i;
}

/* What a reader of lines understands: each without the dot before it, and
 * behind each an LF, also where a bare CR or LF stood. */
static size_t decode(const char *in, size_t len, char *out)
{
	size_t n = 0, line;

	/* without the end */
	for (len -= 3; len > 0; in += line + 2, len -= line + 2) {
		line = find(in, len, "\r\n");
		assert_true(line + 2 <= len);
		for (size_t i = in[0] == '.'; i < line; i++)
			out[n++] = in[i];
		for (size_t i = 0; i < n; i++)
			if (out[i] == '\r')
				out[i] = '\n';
		out[n++] = '\n';
	}
	return n;
}

/* --- all of them -----------------------------------------------------------
 */

static void check_mended(const char *in, size_t len, const struct out *out)
{
	char want[OUT_MAX], got[OUT_MAX];
	size_t want_len = decode(in, len, want);

	assert_int_equal(first_bare(out->text, out->len), out->len);
	assert_int_equal(message_len(out->text, out->len), out->len);
	assert_int_equal(decode(out->text, out->len, got), want_len);
	assert_memory_equal(got, want, want_len);
}

static void check(
    enum spp_bare bare, const char *in, size_t len, size_t first, size_t step)
{
	size_t message = message_len(in, len), used;
	size_t bad = first_bare(in, message);
	struct out out;
	enum spp_body_end e = run(bare, in, len, first, step, &out, &used);

	if (bare == SPP_BARE_REFUSE && bad < message) {
		assert_int_equal(e, SPP_BODY_BARE);
		assert_true(
		    used == bad || (used == bad + 1 && in[bad] == '\r'));
		/* No more than was before it, and perhaps not its dot. */
		assert_true(out.len == bad ||
			    (out.len + 1 == bad && in[out.len] == '.'));
		assert_memory_equal(out.text, in, out.len);
		return;
	}
	assert_int_equal(e, SPP_BODY_DONE);
	assert_int_equal(used, message);
	check_mended(in, message, &out);
	if (bad == message) {
		assert_int_equal(out.len, message);
		assert_memory_equal(out.text, in, message);
	}
}

static void check_cuts(const char *in, size_t len)
{
	for (int bare = SPP_BARE_REFUSE; bare <= SPP_BARE_MEND; bare++) {
		for (size_t first = 1; first <= len; first++)
			check((enum spp_bare)bare, in, len, first, len);
		for (size_t step = 1; step <= 3; step++)
			check((enum spp_bare)bare, in, len, step, step);
	}
}

static void every_short_message_is_what_its_lines_are(void **state)
{
	char in[LENGTH + sizeof(end)];
	size_t count = 1;

	for (size_t len = 0; len <= LENGTH; len++, count *= LETTERS)
		for (size_t number = 0; number < count; number++) {
			size_t rest = number;

			for (size_t i = 0; i < len; i++, rest /= LETTERS)
				in[i] = "\r\n.x"[rest % LETTERS];
			memcpy(in + len, end, sizeof(end) - 1);
			check_cuts(in, len + sizeof(end) - 1);
		}
	(void)state;
}

/* --- by name ---------------------------------------------------------------
 */

static void the_ways_of_smugglers(void **state)
{
	static const struct {
		const char *in, *out; /* NULL: the same */
	} table[] = {
		{ "x\r\n.\r\n", NULL },
		{ ".\r\n", NULL },
		{ "..\r\n.\r\n", NULL },
		{ "x\n.\r\ny\r\n.\r\n", "x\r\n..\r\ny\r\n.\r\n" },
		{ "x\n.\ny\r\n.\r\n", "x\r\n..\r\ny\r\n.\r\n" },
		{ "x\r.\ry\r\n.\r\n", "x\r\n..\r\ny\r\n.\r\n" },
		{ "x\r.\r\ny\r\n.\r\n", "x\r\n..\r\ny\r\n.\r\n" },
		{ "x\r\n.\ny\r\n.\r\n", "x\r\n\r\ny\r\n.\r\n" },
		{ "x\r\n.\ry\r\n.\r\n", "x\r\n\r\ny\r\n.\r\n" },
		{ "x\r\n.\r\r\ny\r\n.\r\n", "x\r\n\r\n\r\ny\r\n.\r\n" },
		{ "x\r\r\n.\r\n", "x\r\n\r\n.\r\n" },
		{ "x\n\n.\n\r\n.\r\n", "x\r\n\r\n..\r\n\r\n.\r\n" },
	};
	struct out out;
	size_t used;

	for (size_t i = 0; i < COUNT_OF(table); i++) {
		const char *in = table[i].in;
		const char *want = table[i].out ? table[i].out : in;

		assert_int_equal(run(SPP_BARE_MEND, in, strlen(in), strlen(in),
				     1, &out, &used),
		    SPP_BODY_DONE);
		assert_int_equal(used, strlen(in));
		assert_int_equal(out.len, strlen(want));
		assert_memory_equal(out.text, want, out.len);
		assert_int_equal(run(SPP_BARE_REFUSE, in, strlen(in),
				     strlen(in), 1, &out, &used),
		    table[i].out ? SPP_BODY_BARE : SPP_BODY_DONE);
		if (table[i].out)
			assert_int_equal(used, first_bare(in, strlen(in)));
	}
	(void)state;
}

static void what_is_not_the_end_waits(void **state)
{
	static const char *const unfinished[] = { "", "x", "x\r", "x\r\n",
		"x\r\n.", "x\r\n.\r", "." };
	struct out out;
	size_t used;

	for (size_t i = 0; i < COUNT_OF(unfinished); i++) {
		const char *in = unfinished[i];

		assert_int_equal(
		    run(SPP_BARE_REFUSE, in, strlen(in), 1, 1, &out, &used),
		    SPP_BODY_MORE);
		assert_true(out.len <= strlen(in));
		assert_memory_equal(out.text, in, out.len);
		assert_null(memchr(out.text, '.', out.len));
	}
	(void)state;
}

static void nothing_goes_on_behind_the_end(void **state)
{
	struct spp_body b, zero = { 0 };
	struct out out = { 0 };
	size_t used = 9;

	spp_body_begin(&b, SPP_BARE_REFUSE);
	assert_int_equal(
	    spp_body_feed(&b, ".\r\nQUIT\r\n", 9, &used, put, &out),
	    SPP_BODY_DONE);
	assert_int_equal(used, 3);
	assert_int_equal(
	    spp_body_feed(&b, "QUIT\r\n", 6, &used, put, &out), SPP_BODY_DONE);
	assert_int_equal(used, 0);
	spp_body_begin(&b, SPP_BARE_REFUSE);
	assert_int_equal(
	    spp_body_feed(&b, "x\ny", 3, &used, put, &out), SPP_BODY_BARE);
	assert_true(b.is_bare);
	out.len = 0;
	assert_int_equal(
	    spp_body_feed(&b, "y\r\n", 3, &used, put, &out), SPP_BODY_BARE);
	assert_int_equal(
	    spp_body_feed(&zero, "x", 1, &used, put, &out), SPP_BODY_BARE);
	assert_int_equal(out.len, 0);
	(void)state;
}

/* --- long ones, in place ---------------------------------------------------
 */

struct place {
	const char *in;
	size_t pieces, len;
};

static void see(void *ctx, const char *bytes, size_t len)
{
	struct place *p = ctx;

	assert_ptr_equal(bytes, p->in + p->len);
	p->len += len;
	p->pieces++;
}

static void a_good_message_goes_on_where_it_lies(void **state)
{
	const size_t lines = 1000;
	AUTO_FREE char *in = xmalloc(lines * 80 + 8);
	struct spp_body b;
	size_t len = 0, used;

	for (size_t i = 0; i < lines; i++) {
		size_t n = i % 79;

		memset(in + len, 'A' + (char)(i % 26), n);
		if (n > 0 && i % 3 == 0)
			in[len] = '.';
		/* A dot alone would be the end. */
		if (n == 1)
			in[len] = '\t';
		memcpy(in + len + n, "\r\n", 3);
		len += n + 2;
	}
	memcpy(in + len, ".\r\n", 4);
	len += 3;
	struct place place = { in, 0, 0 };
	spp_body_begin(&b, SPP_BARE_REFUSE);
	assert_int_equal(
	    spp_body_feed(&b, in, len, &used, see, &place), SPP_BODY_DONE);
	assert_int_equal(used, len);
	assert_int_equal(place.len, len);
	assert_int_equal(place.pieces, 1);
	assert_false(b.is_bare);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_short_message_is_what_its_lines_are),
		cmocka_unit_test(the_ways_of_smugglers),
		cmocka_unit_test(what_is_not_the_end_waits),
		cmocka_unit_test(nothing_goes_on_behind_the_end),
		cmocka_unit_test(a_good_message_goes_on_where_it_lies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
