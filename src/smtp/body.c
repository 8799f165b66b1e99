/* SPDX-License-Identifier: ISC */
/*
 * What may yet be the end, or half of a line end, is held back until the next
 * byte tells; it is never longer than ".\r", so the state says all of it.
 * Everything else goes on from where it lies.
 */
#include "body.h"

#include <stdint.h>
#include <string.h>

enum state {
	REFUSED, /* for good, as in a zero value */
	LINE,    /* behind CR LF, or at the beginning */
	MENDED,  /* behind a line end of ours: a dot is text here */
	TEXT,    /* within a line */
	CR,      /* held: "\r" */
	DOT,     /* held: "." at the beginning of a line */
	DOT_CR,  /* held: ".\r" at the beginning of a line */
	FINISHED /* behind the end */
};

static const char held[] = ".\r";

/* Both are in `held`: where, and how long. */
static size_t held_len(enum state s)
{
	return s == DOT_CR ? 2 : s == CR || s == DOT ? 1 : 0;
}

static const char *held_bytes(enum state s)
{
	return s == CR ? held + 1 : held;
}

struct feed {
	struct spp_body *body;
	const char *from, *at, *end; /* waits for put(), is looked at, ends */
	size_t carried; /* of what is held, so much came before this piece */
	spp_body_put *put;
	void *ctx;
};

static void pass(struct feed *f, const char *bytes, size_t len)
{
	if (len > 0)
		f->put(f->ctx, bytes, len);
}

/* What is held is text. */
static void release(struct feed *f, enum state s)
{
	pass(f, held_bytes(s), f->carried);
	f->carried = 0;
}

/* What is held, and len bytes behind it, are left out. */
static void leave_out(struct feed *f, enum state s, size_t len)
{
	const char *to = f->at - (held_len(s) - f->carried);

	pass(f, f->from, (size_t)(to - f->from));
	f->carried = 0;
	f->from = f->at + len;
}

/*
 * At a CR or LF that is bare: held, or of len bytes here. A dot that is held
 * before it began a line, so it stood for nothing (RFC 5321, 4.5.2): to let it
 * through would make the end of it.
 */
static enum state mend(struct feed *f, enum state s, size_t len)
{
	f->body->is_bare = true;
	if (f->body->bare != SPP_BARE_MEND) {
		const char *cr = f->at - (len == 0 && f->carried < held_len(s));

		leave_out(f, s, 0);
		f->at = cr;
		return REFUSED;
	}
	leave_out(f, s, len);
	pass(f, "\r\n", 2);
	f->at += len;
	return MENDED;
}

/* One byte, or, behind a mended CR, none. */
static enum state step(struct feed *f, enum state s)
{
	char c = *f->at;

	if (s == CR || s == DOT_CR) {
		if (c != '\n')
			return mend(f, s, 0);
		release(f, s);
		f->at++;
		return s == CR ? LINE : FINISHED;
	}
	if (c == '\n')
		return mend(f, s, 1);
	if (c == '\r') {
		f->at++;
		return s == DOT ? DOT_CR : CR;
	}
	if (c == '.' && s == LINE) {
		f->at++;
		return DOT;
	}
	if (c == '.' && s == MENDED) {
		leave_out(f, s, 0);
		pass(f, ".", 1);
	}
	release(f, s);
	f->at++;
	return TEXT;
}

/* --- the usual case --------------------------------------------------------
 */

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Nonzero when a byte of the word is `byte`: the well-known test for a zero
 * byte. Its lowest bit tells which is the first one; bits above may lie. */
static uint64_t word_has(uint64_t word, uint64_t byte)
{
	word ^= EACH(byte);
	return (word - EACH(0x01)) & ~word & EACH(0x80);
}

/* The first CR or LF, a machine word at a time: memchr() looks for only one of
 * them, and musl's is no faster. */
static inline const char *find_line_end(const char *p, const char *end)
{
	uint64_t word, found;

	for (; (size_t)(end - p) >= sizeof(word); p += sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		found = word_has(word, '\r') | word_has(word, '\n');
		if (!found)
			continue;
		if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
			p += __builtin_ctzll(found) / 8;
		break;
	}
	while (p < end && *p != '\r' && *p != '\n')
		p++;
	return p;
}

/* From within a line over all that only is passed on. */
static const char *skip_text(const char *p, const char *end)
{
	for (;;) {
		p = find_line_end(p, end);
		if (end - p < 3 || p[0] != '\r' || p[1] != '\n' || p[2] == '.')
			return p;
		p += 2;
	}
}

/* --- */

void spp_body_begin(struct spp_body *b, enum spp_bare bare)
{
	*b = (struct spp_body){ .bare = bare, .state = LINE };
}

enum spp_body_end spp_body_feed(struct spp_body *b, const char *bytes,
    size_t len, size_t *used, spp_body_put *put, void *ctx)
{
	enum state s = (enum state)b->state;
	struct feed f = { b, bytes, bytes, bytes + len, held_len(s), put, ctx };

	while (f.at < f.end && s != REFUSED && s != FINISHED) {
		if (s == TEXT)
			f.at = skip_text(f.at, f.end);
		if (f.at < f.end)
			s = step(&f, s);
	}
	b->state = (int)s;
	*used = (size_t)(f.at - bytes);
	if (s == REFUSED)
		return SPP_BODY_BARE;
	pass(&f, f.from, (size_t)(f.at - f.from) - (held_len(s) - f.carried));
	return s == FINISHED ? SPP_BODY_DONE : SPP_BODY_MORE;
}
