/* SPDX-License-Identifier: ISC */
/*
 * scan_addr - see the header. Called by scan_near.c and patterns_learn_line.c.
 */
#include "scan_addr.h"

#include <ctype.h>
#include <string.h>

static bool is_address_char(char c)
{
	return isxdigit((unsigned char)c) || c == '.' || c == ':';
}

static bool is_word_char(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* May an address begin behind this byte? host-192.0.2.1 is a name. */
static bool may_precede(char c)
{
	return !is_word_char(c) && c != '.' && c != '-';
}

/* May it end before these? 192.0.2.1-dsl.example.net is a name, and
 * 192.0.2.0/24 a network; "192.0.2.1->" is none of them. */
static bool may_follow(const char *p, const char *end)
{
	if (p == end)
		return true;
	if (*p == '-')
		return p + 1 == end || !is_word_char(p[1]);
	if (*p == '/')
		return p + 1 == end || !isdigit((unsigned char)p[1]);
	return !is_word_char(*p) && *p != '%';
}

/* Takes the address that a run of its characters begins with: all of it, or all
 * but a mark at its end, or what stands before a port. */
static bool take(const char *run, size_t n, struct addr_place *out)
{
	const char *colon;

	if (addr_parse(run, n, &out->addr)) {
		out->len = n;
		return true;
	}
	if (n > 1 && (run[n - 1] == '.' || run[n - 1] == ':') &&
	    addr_parse(run, n - 1, &out->addr)) {
		out->len = n - 1;
		return true;
	}
	colon = memchr(run, ':', n);
	if (!colon || !memchr(run, '.', (size_t)(colon - run)))
		return false;
	out->len = (size_t)(colon - run);
	return addr_parse(run, out->len, &out->addr);
}

/* In a run as a whole, or the dotted quad behind its last colon, as in
 * "al@example.org:192.0.2.1". */
static bool take_from(
    const char *text, size_t at, size_t n, struct addr_place *out)
{
	size_t colon = n;

	out->at = at;
	if ((!at || may_precede(text[at - 1])) && take(text + at, n, out))
		return true;
	while (colon && text[at + colon - 1] != ':')
		colon--;
	if (!colon || colon == n)
		return false;
	out->at = at + colon;
	return take(text + out->at, n - colon, out);
}

bool scan_addr_next(
    const char *text, size_t len, size_t from, struct addr_place *out)
{
	for (size_t i = from, n; i < len; i += n + 1) {
		for (n = 0; i + n < len && is_address_char(text[i + n]);)
			n++;
		if (n > 2 && may_follow(text + i + n, text + len) &&
		    take_from(text, i, n, out))
			return true;
	}
	return false;
}
