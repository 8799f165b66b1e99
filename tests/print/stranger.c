/* SPDX-License-Identifier: ISC */
/*
 * stranger - what somebody types who wants 203.0.113.66 to be let in: names and
 * other texts that hold pieces of good lines, whole ones, heads, stamps, and
 * the bytes that separate fields. Most are made for the server that will print
 * them: a name, and behind it all that would follow in a good line.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "print.h"

enum { EACH = 3, FORGED_SIZE = 512 };

/* A good message of the attacker, as a row prints it. */
struct forged {
	const struct server *server;
	size_t len, user, user_end;
	char at[FORGED_SIZE];
};

static struct forged *pool; /* server by server */
static size_t pool_count;

enum { SERVERS_MAX = 64 };
static size_t from[SERVERS_MAX + 1]; /* where a server's begin */

static void forge(struct rng *r, const struct server *s, const struct format *f)
{
	static struct line line;
	struct scene scene = { .forged = true };
	struct variants v = variants_of(f->text);

	pool = xrealloc(pool, pool_count + v.n * EACH, sizeof(*pool));
	for (size_t i = 0; i < v.n * EACH; i++) {
		struct variants one = { &v.at[i / EACH], 1 };
		struct forged *out;

		line_print(&line, r, s, f, &one, &scene);
		if (line.text.len - line.msg > FORGED_SIZE)
			continue;
		out = &pool[pool_count++];
		out->server = s;
		out->len = line.text.len - line.msg;
		out->user = line.user_len ? line.user - line.msg : 0;
		out->user_end = out->user + line.user_len;
		memcpy(out->at, line.text.at + line.msg, out->len);
	}
	variants_free(&v);
}

void stranger_prepare(uint64_t seed)
{
	struct rng r = rng_from(seed, 0, 0);
	const struct server *s;

	free(pool);
	pool = NULL;
	pool_count = 0;
	for (size_t i = 0; (s = server_at(i)) != NULL; i++) {
		for (size_t k = 0; k < s->count; k++)
			if (s->formats[k].kind < SHAPE)
				forge(&r, s, &s->formats[k]);
		must(i < SERVERS_MAX);
		from[i + 1] = pool_count;
	}
}

/* One of own's; anybody's for a server without good lines. */
static const struct forged *pick(struct rng *r, const struct server *own)
{
	size_t first = 0, n = pool_count;

	for (size_t i = 0; own && server_at(i); i++)
		if (server_at(i) == own && from[i + 1] > from[i]) {
			first = from[i];
			n = from[i + 1] - first;
		}
	return &pool[first + rng_below(r, n)];
}

void stranger_line(struct rng *r, struct text *out)
{
	const struct forged *f = pick(r, NULL);

	text_put(out, f->at, f->len);
}

static void put_letters(struct rng *r, struct text *out, size_t n)
{
	static const char letters[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

	while (n--)
		text_put(out, &letters[rng_below(r, 62)], 1);
}

void stranger_name(struct rng *r, struct text *out)
{
	static const char others[] = "._-+";

	do {
		out->len = 0;
		put_letters(r, out, 1 + rng_below(r, 12));
		if (rng_one_in(r, 3)) {
			text_put(out, &others[rng_below(r, 4)], 1);
			put_letters(r, out, 1 + rng_below(r, 8));
		}
		if (rng_one_in(r, 2)) {
			text_add(out, "@");
			put_letters(r, out, 1 + rng_below(r, 10));
			text_add(out, rng_one_in(r, 2) ? ".org" : ".example");
		}
		/* Nobody is called that. */
	} while (out->len == 9 && !strncasecmp(out->at, "anonymous", 9));
}

/* Bits that mean something in one log line or another. */
static const char *const bits[] = { ">, method=", ">, method=PLAIN",
	", rip=", ", lip=198.51.100.1", ", TLS", ", session=<x>", "user=<",
	", ip=[", "], port=[1]", ", protocol=IMAP", ", stls=1", "] ", " [", "[",
	"]", "(", ") ", "\"", "\" ", "'", "' ", "`", ",", ", ", ";", "; ", ":",
	": ", " ", "  ", "=", "<", ">", "|", "\\", "%", "*", "\n", "\r", "\r\n",
	"\t", "\v", "\f", "\x1b[0m", "\x7f", "\xc2\x85", "\xe2\x80\xa8", "\xff",
	"#012", "\\n", "^J", "\\012", "203.0.113.66", "2001:db8:bad::66",
	"::ffff:203.0.113.66", "[203.0.113.66]", "(203.0.113.66)",
	" from 203.0.113.66", " 203.0.113.66", "203.0.113.066", "203.0.113.6",
	"anonymous", "ANONYMOUS", "Nov 20 18:05:01 ", "2026-11-20T18:05:01Z ",
	"2026-11-20 18:05:01 ", "2026/11/20 18:05:01 ",
	"@400000006b008be3075bcd15 ", "<22>", "<22>1 ", " mx1 ",
	"mx1 dovecot: ", "mx1 imapd[1]: ", "imap-login: ", "Login: ",
	"Logged in: ", "LOGIN, ",
	"login: ", "Login user=", "host=", "User logged in", " authenticated",
	" authenticated - ", " logged in from ", "status=\"ok\"",
	"POP login by user ", "login success ", "Session from ",
	"Authentication passed for ", "Connect from ", "connect from " };

static void put_random(
    struct rng *r, struct text *out, size_t n, bool printable)
{
	while (n--) {
		char c = (char)(printable ? ' ' + rng_below(r, 95)
					  : rng_below(r, 256));

		text_put(out, &c, 1);
	}
}

static void put_head(struct rng *r, struct text *out)
{
	static const char *const heads[] = { "Nov 20 18:05:01 mx1 ",
		"2026-11-20T18:05:01Z mx1 ", "<22>1 2026-11-20T18:05:01Z mx1 ",
		"<22>Nov 20 18:05:01 mx1 ", "Nov 20 18:05:01 " };

	text_add(out, heads[rng_below(r, COUNT_OF(heads))]);
}

/* What would follow a name in a good line, less a few bytes at the end: the
 * real rest brings its own. */
static void put_rest(struct rng *r, const struct server *own, struct text *out)
{
	const struct forged *f = pick(r, own);
	size_t at = f->user_end, to = f->len;

	if (rng_one_in(r, 2))
		to -= rng_below(r, (to - at < 12 ? to - at : 12) + 1);
	if (rng_one_in(r, 8))
		at += rng_below(r, to - at + 1);
	text_put(out, f->at + at, to - at);
}

static void put_whole(struct rng *r, const struct server *own, struct text *out)
{
	const struct forged *f = pick(r, rng_one_in(r, 3) ? NULL : own);

	if (rng_one_in(r, 3))
		text_add(out, rng_one_in(r, 2) ? "\n" : " ");
	if (rng_one_in(r, 3)) {
		put_head(r, out);
		text_add_word(out, r, f->server->programs);
		text_add(out, ": ");
	}
	text_put(out, f->at, f->len);
	if (rng_one_in(r, 3))
		text_add(out, "\n");
}

static void put_pieces(
    struct rng *r, const struct server *own, struct text *out)
{
	for (size_t n = 1 + rng_below(r, 8); n; n--) {
		const struct forged *f = pick(r, own);
		size_t at = rng_below(r, f->len);

		switch (rng_below(r, 4)) {
		case 0:
			put_letters(r, out, 1 + rng_below(r, 5));
			break;
		case 1:
			text_put(
			    out, f->at + at, 1 + rng_below(r, f->len - at));
			break;
		default:
			text_add(out, bits[rng_below(r, COUNT_OF(bits))]);
		}
	}
}

static void put_run(struct rng *r, struct text *out)
{
	const char *bit = bits[rng_below(r, COUNT_OF(bits))];

	for (size_t n = 2 + rng_below(r, 30); n; n--)
		text_add(out, bit);
}

/* One byte put in, taken out or changed. */
static void spoil(struct rng *r, struct text *t)
{
	size_t at = rng_below(r, t->len + 1);
	struct text old;

	if (!t->len || t->len > 1000)
		return;
	old.len = 0;
	text_put(&old, t->at, t->len);
	t->len = at;
	if (!rng_one_in(r, 3))
		put_random(r, t, 1, rng_one_in(r, 2));
	at += rng_below(r, 2);
	if (at < old.len)
		text_put(t, old.at + at, old.len - at);
}

void stranger_text(struct rng *r, const struct server *own, struct text *out)
{
	size_t way = rng_below(r, 20);

	out->len = 0;
	if (rng_one_in(r, 24)) /* long: what follows may be cut off */
		put_letters(r, out, 20 + rng_below(r, 1200));
	if (way < 9) {
		put_letters(r, out, rng_below(r, 8));
		put_rest(r, own, out);
		if (rng_one_in(r, 8))
			put_rest(r, own, out);
	} else if (way < 12) {
		put_whole(r, own, out);
	} else if (way < 16) {
		put_pieces(r, own, out);
	} else if (way < 17) {
		put_run(r, out);
	} else if (way < 18) {
		put_random(r, out, 1 + rng_below(r, 80), false);
	} else if (way < 19) {
		put_random(r, out, 1 + rng_below(r, 80), true);
	} else {
		stranger_name(r, out);
		text_add(out, bits[rng_below(r, COUNT_OF(bits))]);
	}
	if (rng_one_in(r, 4))
		spoil(r, out);
}
