/* SPDX-License-Identifier: ISC */
/*
 * patterns_learn_field - what kind of word stands in one place of all lines of
 * a shape. Called by patterns_learn_shape.c.
 */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "patterns_learn_private.h"

/* --- what a field holds --------------------------------------------------- */

/* Of letters in both sizes without any order, as names of sessions are. */
static bool is_random(const struct part *p)
{
	size_t changes = 0;

	for (size_t i = 1; i < p->len; i++)
		changes += islower((unsigned char)p->at[i - 1]) &&
			   isupper((unsigned char)p->at[i]);
	return changes > 2;
}

/* Letters, and a digit or two behind them; and imap4rev1, pop3s. */
static bool is_one_word(const char *text, size_t len)
{
	size_t letters = 0;

	while (letters < len && (isalpha((unsigned char)text[letters]) ||
				    (unsigned char)text[letters] > 0x7f))
		letters++;
	if (len < 12 &&
	    (!strncasecmp(text, "imap", 4) || !strncasecmp(text, "pop", 3)))
		return true;
	for (size_t i = letters; i < len; i++)
		if (!isdigit((unsigned char)text[i]))
			return false;
	return letters > (len > letters) && len - letters < 3;
}

/* PLAIN, CRAM-MD5, pop3, plaintext+TLS: words, and marks between them. */
bool part_is_wordish(const struct part *p)
{
	for (size_t i = 0, n; i < p->len; i += n + 1) {
		for (n = 0; i + n < p->len && !strchr("-+_/", p->at[i + n]);)
			n++;
		if (!is_one_word(p->at + i, n))
			return false;
	}
	return !is_random(p);
}

bool part_is_number(const struct part *p)
{
	for (size_t i = 0; i < p->len; i++)
		if (!isdigit((unsigned char)p->at[i]))
			return false;
	return true;
}

static bool equal(const struct part *a, const struct part *b)
{
	return a->len == b->len && !memcmp(a->at, b->at, a->len);
}

/* Is the user's name, or what stands before or behind its @, a piece of the
 * field? "/var/mail/al" is. */
static bool is_derived(const struct part *field, const struct part *user)
{
	const char *at = memchr(user->at, '@', user->len);
	size_t local = at ? (size_t)(at - user->at) : user->len;

	for (size_t i = 0, n; i < field->len; i += n + 1) {
		const char *p = field->at + i;

		for (n = 0; i + n < field->len && p[n] != '/' && p[n] != '@';)
			n++;
		if ((n == local && !memcmp(p, user->at, n)) ||
		    (at && n == user->len - local - 1 && !memcmp(p, at + 1, n)))
			return true;
	}
	return false;
}

const struct part *field_of(const struct shape *s, size_t line, size_t i)
{
	return &s->lines[line]->parts.at[i];
}

bool field_all(const struct shape *s, size_t i, bool (*is)(const struct part *))
{
	for (size_t k = 0; k < s->count; k++)
		if (!is(field_of(s, k, i)))
			return false;
	return true;
}

bool field_is_the_same(const struct shape *s, size_t i)
{
	for (size_t k = 1; k < s->count; k++)
		if (!equal(field_of(s, 0, i), field_of(s, k, i)))
			return false;
	return true;
}

bool field_is_derived(const struct shape *s, size_t i)
{
	for (size_t k = 0; k < s->count; k++)
		if (is_derived(field_of(s, k, i),
			&s->lines[k]->parts.at[s->lines[k]->user]))
			return true;
	return false;
}

/* --- what must not vary --------------------------------------------------- */

/*
 * Which part of a line says that a login succeeded, and by which service, is
 * not known; a login that failed may differ from it in one word or number. So
 * what may be that part stays as it was seen, even if some lines are missed.
 */

/* Does the word before the field say that it is a result? "status=0" */
static bool is_result(const struct shape *s, size_t i)
{
	static const char *const words[] = { "status", "result", "code", "rc",
		"ret", "error", "errors", "exit", "success", "ok", "failed",
		"failures", "event", "reason", "reply", "response" };
	const struct part *p = i > 1 ? field_of(s, 0, i - 2) : NULL;

	for (size_t w = 0; p && p->kind == PART_FIELD && w < COUNT_OF(words);
	     w++)
		if (p->len == strlen(words[w]) &&
		    !strncasecmp(p->at, words[w], p->len))
			return true;
	return false;
}

/* auth.success, 2FA_ok, access-granted */
static bool speaks_of_success(const struct part *p)
{
	static const char *const stems[] = { "succ", "ok", "pass", "accept",
		"grant", "allow", "auth", "login", "logon", "logged" };

	for (size_t i = 0; i < p->len; i++)
		for (size_t w = 0; w < COUNT_OF(stems); w++)
			if (p->len - i >= strlen(stems[w]) &&
			    !strncasecmp(p->at + i, stems[w], strlen(stems[w])))
				return true;
	return false;
}

static bool is_service_port(const struct part *p)
{
	return p->len == 3 &&
	       (!memcmp(p->at, "110", 3) || !memcmp(p->at, "143", 3) ||
		   !memcmp(p->at, "993", 3) || !memcmp(p->at, "995", 3));
}

static bool has_no_digit(const struct part *p)
{
	for (size_t i = 0; i < p->len; i++)
		if (isdigit((unsigned char)p->at[i]))
			return false;
	return true;
}

/* A name right beside an address, with marks between them only: what the
 * server found in the DNS. "c.example.net [192.0.2.1]" */
static bool is_host(const struct shape *s, size_t i)
{
	const struct learn_line *l = s->lines[0];

	for (size_t side = 0; side < 2; side++) {
		size_t k = side ? i + 2 : i - 2;
		const struct part *mark, *other;
		bool letters = false;

		if (k >= l->parts.n) /* i - 2 may have gone round */
			continue;
		mark = &l->parts.at[side ? i + 1 : i - 1];
		other = &l->parts.at[k];
		for (size_t n = 0; n < mark->len; n++)
			letters |= isalnum((unsigned char)mark->at[n]) != 0;
		if (!letters &&
		    memchr(l->parts.at[i].at, '.', l->parts.at[i].len) &&
		    (other->kind == PART_IP || other->kind == PART_ADDR))
			return true;
	}
	return false;
}

bool field_is_fixed(const struct shape *s, size_t i)
{
	bool same = field_is_the_same(s, i);

	if (field_all(s, i, speaks_of_success))
		return true;
	if (is_host(s, i))
		return false;
	if (field_all(s, i, part_is_number))
		return is_result(s, i) || field_all(s, i, is_service_port) ||
		       (same && field_of(s, 0, i)->len == 1);
	return field_all(s, i, part_is_wordish) || is_result(s, i) ||
	       (same && field_all(s, i, has_no_digit));
}
