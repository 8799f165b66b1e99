/* SPDX-License-Identifier: ISC */
/*
 * genuine - the other way round: is this message, byte for byte, what a good
 * row prints for that user and address? A cut line that is cannot be told from
 * one. Slow and simple; asked only when something looks wrong.
 */
#include <stdio.h>
#include <string.h>

#include "login/login.h"
#include "print.h"

static size_t span(const char *p, const char *end, const char *of, size_t max)
{
	size_t n = 0;

	while (p + n < end && n < max && p[n] && strchr(of, p[n]))
		n++;
	return n;
}

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS  "0123456789"

/* The longest text that may stand for a word. */
static size_t longest(char word, const char *p, const char *end)
{
	switch (word) {
	case 'h':
		return span(p, end, LETTERS DIGITS "._:-", 255);
	case 'c':
	case 'w':
	case 'x':
		return (size_t)(end - p);
	case 'a':
	case 'l':
	case 'o':
		return span(p, end, DIGITS "abcdefABCDEF.:", 45);
	case 'n':
	case 'p':
		return span(p, end, DIGITS, 10);
	case 's':
		return span(p, end, LETTERS DIGITS "+/=.-?&!#%^*_$~", 64);
	case 'm':
		return span(p, end, LETTERS DIGITS "-", 20);
	case 't':
		return span(p, end, DIGITS "/: ", 19);
	default:
		return 0;
	}
}

static bool is_word(char word, const char *p, size_t n, const struct login *l)
{
	struct addr a;

	return word != 'a' ||
	       (addr_parse(p, n, &a) && addr_equal(&a, &l->addr));
}

static bool match(
    const char *row, const char *p, const char *end, const struct login *l);

static bool match_uw_host(
    const char *rest, const char *p, const char *end, const struct login *l)
{
	char row[128];

	(void)snprintf(row, sizeof(row), "%%h [%%a]%s", rest);
	return match(row, p, end, l) || match(row + 3, p, end, l);
}

static bool match_user(
    const char *rest, const char *p, const char *end, const struct login *l)
{
	return (size_t)(end - p) >= l->user_len &&
	       !memcmp(p, l->user, l->user_len) &&
	       match(rest, p + l->user_len, end, l);
}

static bool match(
    const char *row, const char *p, const char *end, const struct login *l)
{
	for (; *row && *row != '%'; row++, p++)
		if (p >= end || *p != *row)
			return false;
	if (!*row)
		return p == end;
	if (row[1] == 'H')
		return match_uw_host(row + 2, p, end, l);
	if (row[1] == 'u' || row[1] == 'b' || row[1] == 'd' || row[1] == 'k')
		return match_user(row + 2, p, end, l);
	for (size_t n = longest(row[1], p, end); n; n--)
		if (is_word(row[1], p, n, l) && match(row + 2, p + n, end, l))
			return true;
	return false;
}

static bool row_is(
    const struct format *f, const char *msg, size_t len, const struct login *l)
{
	struct variants v = variants_of(f->text);
	bool hit = false;

	for (size_t i = 0; i < v.n && !hit; i++)
		hit = match(v.at[i], msg, msg + len, l);
	variants_free(&v);
	return hit;
}

bool line_is_genuine(
    const struct server *s, const char *msg, size_t len, const struct login *l)
{
	bool hit = false;

	for (size_t i = 0; i < s->count && !hit; i++)
		hit = s->formats[i].kind != NOTHING &&
		      row_is(&s->formats[i], msg, len, l);
	return hit;
}
