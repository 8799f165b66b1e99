/* SPDX-License-Identifier: ISC */
/*
 * fuzz_spp_body - a message gives what a slow reader that sees all of it at
 * once makes of it, however it is cut. The first byte says how bare ends are
 * met, the second how it is cut, the rest is the message.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "smtp/body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct result {
	enum spp_body_end end;
	size_t used, piece; /* piece: where the last one began */
	size_t len;
	char *text;
};

static void put(void *ctx, const char *bytes, size_t len)
{
	struct result *r = ctx;

	memcpy(r->text + r->len, bytes, len);
	r->len += len;
}

static bool follows(const char *p, const char *end, const char *what)
{
	size_t len = strlen(what);

	return (size_t)(end - p) >= len && memcmp(p, what, len) == 0;
}

/* The rest of what is there may yet become the end, or half of one. */
static bool is_open(const char *p, const char *end, bool begins)
{
	if (begins && *p == '.')
		p++;
	return p == end || (*p == '\r' && p + 1 == end);
}

/* RFC 5321, with all of it in sight. */
static void expect(
    enum spp_bare bare, const char *in, size_t len, struct result *r)
{
	const char *p = in, *end = in + len;
	bool begins = true, mended = false; /* a line, here or there */

	r->end = SPP_BODY_MORE;
	while (p < end && !is_open(p, end, begins)) {
		const char *behind_dot = p + (begins && *p == '.');

		if (begins && follows(p, end, ".\r\n")) {
			put(r, p, 3);
			p += 3;
			r->end = SPP_BODY_DONE;
			break;
		}
		if (follows(p, end, "\r\n")) {
			put(r, p, 2);
			p += 2;
			begins = true;
			mended = false;
		} else if (*behind_dot == '\r' || *behind_dot == '\n') {
			p = behind_dot;
			if (bare == SPP_BARE_REFUSE) {
				r->end = SPP_BODY_BARE;
				break;
			}
			put(r, "\r\n", 2);
			p++;
			begins = false;
			mended = true;
		} else {
			if (mended && *p == '.')
				put(r, ".", 1);
			put(r, p++, 1);
			begins = mended = false;
		}
	}
	r->used = r->end == SPP_BODY_MORE ? len : (size_t)(p - in);
}

static void run(enum spp_bare bare, uint32_t way, const char *in, size_t len,
    struct result *r)
{
	struct spp_body b;
	size_t taken = 0;

	r->end = SPP_BODY_MORE;
	spp_body_begin(&b, bare);
	for (size_t at = 0; at < len && r->end == SPP_BODY_MORE; at += taken) {
		size_t n = 1 + (way >> 16) % (way & 1 ? 3 : 60);
		char *piece;

		way = way * 1103515245 + 12345;
		if (n > len - at)
			n = len - at;
		piece = xmalloc(n);
		memcpy(piece, in + at, n);
		r->piece = at;
		r->end = spp_body_feed(&b, piece, n, &taken, put, r);
		must(taken <= n);
		r->used = at + taken;
		free(piece);
	}
}

/* No end before the end, and no bare one at all. */
static void check_safe(const struct result *r)
{
	const char *end = r->text + r->len;

	for (size_t i = 0; i < r->len; i++) {
		const char *p = r->text + i;

		if (*p == '\n')
			must(i > 0 && p[-1] == '\r');
		if (*p == '\r')
			must(p + 1 < end && p[1] == '\n');
		if ((i == 0 && follows(p, end, ".\r\n")) ||
		    follows(p, end, "\r\n.\r\n"))
			must(r->end == SPP_BODY_DONE &&
			     p + (i == 0 && *p == '.' ? 3 : 5) == end);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct result slow = { 0 }, cut = { 0 };
	enum spp_bare bare;
	const char *in;
	size_t len;

	if (size < 2)
		return 0;
	bare = data[0] & 1 ? SPP_BARE_MEND : SPP_BARE_REFUSE;
	in = (const char *)data + 2;
	len = size - 2;
	slow.text = xmalloc(2 * len + 8);
	cut.text = xmalloc(2 * len + 8);
	expect(bare, in, len, &slow);
	run(bare, data[1] * 0x9E3779B1U, in, len, &cut);
	must(slow.end == cut.end && slow.len == cut.len);
	must(memcmp(slow.text, cut.text, cut.len) == 0);
	/* A CR of the piece before cannot be pointed at. */
	must(slow.used == cut.used ||
	     (cut.end == SPP_BODY_BARE && in[slow.used] == '\r' &&
		 cut.used == slow.used + 1 && cut.piece == cut.used));
	check_safe(&cut);
	free(slow.text);
	free(cut.text);
	return 0;
}
