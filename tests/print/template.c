/* SPDX-License-Identifier: ISC */
/*
 * template - from a row of the table to a line: {a|b} are taken apart once, the
 * % words are filled in for each line.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "print.h"

/* --- {a|b} ---------------------------------------------------------------- */

static const char *closing(const char *p)
{
	size_t depth = 0;

	for (;; p++) {
		must(*p);
		depth += *p == '{';
		if (*p == '}' && --depth == 0)
			return p;
	}
}

static void expand(struct variants *v, const char *text)
{
	const char *open = strchr(text, '{'), *end, *p, *start;
	size_t depth = 0;

	if (!open) {
		v->at = xrealloc(v->at, v->n + 1, sizeof(*v->at));
		v->at[v->n++] = xstrdup(text);
		return;
	}
	end = closing(open);
	for (start = p = open + 1; p <= end; p++) {
		if ((*p == '|' || *p == '}') && depth == 0) {
			struct text one = { .len = 0 };

			text_put(&one, text, (size_t)(open - text));
			text_put(&one, start, (size_t)(p - start));
			text_add(&one, end + 1);
			text_put(&one, "", 1);
			expand(v, one.at);
			start = p + 1;
		}
		depth += *p == '{';
		depth -= *p == '}' && p < end;
	}
}

struct variants variants_of(const char *text)
{
	struct variants v = { 0 };

	expand(&v, text);
	return v;
}

void variants_free(struct variants *v)
{
	for (size_t i = 0; i < v->n; i++)
		free(v->at[i]);
	free(v->at);
	*v = (struct variants){ 0 };
}

/* --- addresses -------------------------------------------------------------
 */

static const char *const attackers[] = { "203.0.113.66", "2001:db8:bad::66" };

static void choose_client(struct rng *r, char out[static ADDR_TEXT_SIZE],
    const struct server *s, const struct format *f, bool forged)
{
	static const char *const nets[] = { "192.0.2", "198.51.100",
		"203.0.113" };
	bool six = s->addresses != ONLY_IPV4 && rng_one_in(r, 3);

	/* Strangers fail from their own addresses, too. */
	if (forged || (f->kind == NOTHING && rng_one_in(r, 2)))
		(void)snprintf(out, ADDR_TEXT_SIZE, "%s", attackers[six]);
	else if (six)
		(void)snprintf(out, ADDR_TEXT_SIZE, "2001:db8:%x::%x",
		    1 + (unsigned)rng_below(r, 0xffff),
		    1 + (unsigned)rng_below(r, 0xffff));
	else
		(void)snprintf(out, ADDR_TEXT_SIZE, "%s.%u",
		    nets[rng_below(r, 3)], 100 + (unsigned)rng_below(r, 155));
}

static void set_client(struct line *out, struct rng *r, const struct server *s,
    const struct format *f, const struct scene *scene)
{
	char text[ADDR_TEXT_SIZE];

	if (scene->client)
		addr_print(scene->client, text);
	else
		choose_client(r, text, s, f, scene->forged);
	must(addr_parse(text, strlen(text), &out->client));
	(void)snprintf(out->client_text, sizeof(out->client_text),
	    s->addresses == MAPPED && !strchr(text, ':')     ? "::ffff:%s"
	    : s->addresses == BRACKETED && strchr(text, ':') ? "[%s]"
							     : "%s",
	    text);
}

/* --- the % words -----------------------------------------------------------
 */

struct filling {
	struct rng *rng;
	const struct server *server;
	struct line *out;
	struct text msg, user; /* user: as the stranger typed it */
	const struct text *typed;
	bool plain;
};

/* An odd text, or an ordinary one of this kind. */
static void raw_text(struct filling *f, enum typed field, struct text *out)
{
	if (f->typed) {
		text_put(out, f->typed->at, f->typed->len);
	} else if (!f->plain && !rng_one_in(f->rng, 3)) {
		stranger_text(f->rng, f->server, out);
	} else if (field == TYPED_HOST) {
		text_print(
		    out, "client-%zu.example.net", rng_below(f->rng, 1000));
	} else {
		stranger_name(f->rng, out);
	}
}

static void put_clean(struct filling *f, struct text *t, enum typed field)
{
	f->server->clean(t, field);
	if (!t->len)
		text_add(t, "x");
	text_put(&f->msg, t->at, t->len);
}

static void put_user(struct filling *f, enum typed field, bool counts)
{
	struct text t;

	if (!f->user.len)
		raw_text(f, TYPED_USER, &f->user);
	if (!f->user.len)
		text_add(&f->user, "x");
	t.len = 0;
	text_put(&t, f->user.at, f->user.len);
	if (counts)
		f->out->user = f->msg.len;
	put_clean(f, &t, field);
	if (counts)
		f->out->user_len = f->msg.len - f->out->user;
}

/* With a domain, or without one. */
static void put_user_at(struct filling *f, bool domain)
{
	const char *at;

	raw_text(f, TYPED_USER, &f->user);
	at = memchr(f->user.at, '@', f->user.len);
	if (domain && !at)
		text_add(&f->user, "@example.org");
	if (!domain && at)
		text_cut(&f->user, (size_t)(at - f->user.at));
	put_user(f, TYPED_USER, true);
}

static void put_stranger(struct filling *f, enum typed field)
{
	struct text t;

	t.len = 0;
	raw_text(f, field, &t);
	put_clean(f, &t, field);
}

/* UW writes "name [address]" and cuts it at 80; a name is letters, digits, '-'
 * and '.', else there is none. Without its ']' nobody can read the address. */
static void put_uw_host(struct filling *f)
{
	struct text t;

	t.len = 0;
	if (rng_one_in(f->rng, 3)) {
		text_print(&t, "[%s]", f->out->client_text);
	} else {
		raw_text(f, TYPED_HOST, &t);
		f->server->clean(&t, TYPED_HOST);
		text_print(&t, "%s[%s]", t.len ? " " : "", f->out->client_text);
	}
	if (t.len > 80)
		f->out->login = false;
	text_cut(&t, 80);
	text_put(&f->msg, t.at, t.len);
}

static void put_session(struct filling *f)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmn"
				      "opqrstuvwxyz0123456789+/-";
	size_t n = 1 + rng_below(f->rng, 24);

	while (n--)
		text_put(&f->msg, &letters[rng_below(f->rng, 65)], 1);
}

static void put_word(struct filling *f, char word)
{
	static const char mechanisms[] =
	    "PLAIN LOGIN CRAM-MD5 DIGEST-MD5 XOAUTH2 SCRAM-SHA-256";
	struct text *msg = &f->msg;

	switch (word) {
	case 'u':
		put_user(f, TYPED_USER, true);
		break;
	case 'b':
	case 'd':
		put_user_at(f, word == 'd');
		break;
	case 'c':
	case 'k':
		put_user(f, TYPED_AGAIN, word == 'k');
		break;
	case 'w':
	case 'x':
		put_stranger(f, TYPED_TEXT);
		break;
	case 'h':
		put_stranger(f, TYPED_HOST);
		break;
	case 'H':
		put_uw_host(f);
		break;
	case 'F':
		stranger_line(f->rng, msg);
		break;
	case 'a':
		text_add(msg, f->out->client_text);
		break;
	case 'l':
		text_add(msg, addr_is_ipv4(&f->out->client) ? "198.51.100.1"
							    : "2001:db8::1");
		break;
	case 'o':
		text_add(msg, "10.0.0.2");
		break;
	case 'n':
		text_print(msg, "%zu", rng_below(f->rng, 100000));
		break;
	case 'p':
		text_print(msg, "%zu", 1024 + rng_below(f->rng, 64512));
		break;
	case 's':
		put_session(f);
		break;
	case 'm':
		text_add_word(msg, f->rng, mechanisms);
		break;
	default:
		must(word == 't');
		text_add(msg, "2026/11/20 18:05:01");
	}
}

static void fill(struct filling *f, const char *p)
{
	size_t n;

	for (; *p; p += 2) {
		n = strcspn(p, "%");
		text_put(&f->msg, p, n);
		p += n;
		if (!*p)
			break;
		/* The last field: what is cut off it is not missed. */
		if (!p[2])
			f->out->open = f->msg.len;
		put_word(f, p[1]);
	}
}

void line_print(struct line *out, struct rng *r, const struct server *s,
    const struct format *f, const struct variants *v, const struct scene *scene)
{
	struct filling fill_in;

	fill_in.rng = r;
	fill_in.server = s;
	fill_in.out = out;
	fill_in.typed = scene->typed;
	fill_in.msg.len = fill_in.user.len = 0;
	fill_in.plain = scene->plain || scene->forged || rng_one_in(r, 2);
	out->proved = out->login = f->kind != NOTHING;
	out->ordinary = fill_in.plain && f->kind == LOGIN;
	out->user = out->user_len = out->open = 0;
	out->time = scene->time ? scene->time
				: print_now - 1 - (int64_t)rng_below(r, 590000);
	set_client(out, r, s, f, scene);
	fill(&fill_in, v->at[rng_below(r, v->n)]);
	out->ordinary = out->ordinary && out->login;
	head_print(out, r, f->heads ? f->heads : s->heads, s,
	    f->programs ? f->programs : s->programs, scene, &fill_in.msg);
}
