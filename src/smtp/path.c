/* SPDX-License-Identifier: ISC */
/*
 * path - reads addresses, and prints them. What is read strictly here is what
 * has led to open relays elsewhere: quotes, routes, and a second '@'.
 */
#include "path.h"

#include <string.h>
#include <strings.h>

#include "base/addr.h"

enum { LABEL_MAX = 63, NAME_MAX_BYTES = 255, DEL = 0x7f };

/* --- bytes -----------------------------------------------------------------
 */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_letter_or_digit(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	       (c >= 'a' && c <= 'z');
}

static bool is_8bit(char c)
{
	return (unsigned char)c > DEL;
}

/* RFC 5322, 3.2.3, with RFC 6532, 3.2. */
static bool is_atext(char c)
{
	return is_letter_or_digit(c) || is_8bit(c) ||
	       (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/* What no reader of a line can take for its end or for another address. */
static bool is_safe(char c)
{
	return (unsigned char)c >= ' ' && c != DEL && c != '<' && c != '>';
}

/* The length of the character at p, 0 when it is not UTF-8 (RFC 3629, 4) or is
 * a control one of Latin 1. */
static size_t utf8_len(const char *p, const char *end)
{
	const unsigned char *u = (const unsigned char *)p;
	unsigned low = 0x80, high = 0xbf;
	size_t len;

	if (u[0] < 0x80)
		return 1;
	if (u[0] < 0xc2 || u[0] > 0xf4)
		return 0;
	len = u[0] < 0xe0 ? 2 : u[0] < 0xf0 ? 3 : 4;
	if ((size_t)(end - p) < len)
		return 0;
	if (u[0] == 0xc2 || u[0] == 0xe0)
		low = 0xa0;
	else if (u[0] == 0xed)
		high = 0x9f;
	else if (u[0] == 0xf0)
		low = 0x90;
	else if (u[0] == 0xf4)
		high = 0x8f;
	if (u[1] < low || u[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++)
		if (u[i] < 0x80 || u[i] > 0xbf)
			return 0;
	return len;
}

static bool is_utf8(const char *p, const char *end)
{
	size_t n;

	for (; p < end; p += n) {
		n = utf8_len(p, end);
		if (n == 0)
			return false;
	}
	return true;
}

/* --- domains ---------------------------------------------------------------
 */

static bool is_literal(const char *p, const char *end)
{
	static const char tag[] = "IPv6:";
	const size_t tag_len = sizeof(tag) - 1;
	struct addr a;
	bool tagged;

	if (end - p < 2 || *p != '[' || end[-1] != ']')
		return false;
	p++;
	end--;
	tagged =
	    (size_t)(end - p) > tag_len && strncasecmp(p, tag, tag_len) == 0;
	if (tagged)
		p += tag_len;
	return addr_parse(p, (size_t)(end - p), &a) &&
	       (memchr(p, ':', (size_t)(end - p)) != NULL) == tagged;
}

static bool is_label(const char *p, const char *end)
{
	if (p == end || end - p > LABEL_MAX || *p == '-' || end[-1] == '-')
		return false;
	for (; p < end; p++)
		if (!is_letter_or_digit(*p) && !is_8bit(*p) && *p != '-' &&
		    *p != '_')
			return false;
	return true;
}

static bool is_name(const char *p, const char *end)
{
	if (end - p > NAME_MAX_BYTES)
		return false;
	for (;;) {
		const char *dot = memchr(p, '.', (size_t)(end - p));
		if (!is_label(p, dot ? dot : end))
			return false;
		if (!dot)
			return true;
		p = dot + 1;
	}
}

static bool is_domain(const char *p, const char *end)
{
	return is_name(p, end) || is_literal(p, end);
}

const char *spp_address_domain(const struct spp_address *a)
{
	const char *at = strrchr(a->text, '@');

	return at ? at + 1 : NULL;
}

bool spp_address_has_good_domain(const struct spp_address *a)
{
	const char *domain = spp_address_domain(a);

	return domain && is_domain(domain, a->text + a->len);
}

/* --- reading ---------------------------------------------------------------
 */

/* What is left of the argument. */
struct cursor {
	const char *at, *end;
};

static bool take(struct cursor *c, char byte)
{
	if (c->at == c->end || *c->at != byte)
		return false;
	c->at++;
	return true;
}

static void skip_blanks(struct cursor *c)
{
	while (c->at < c->end && is_blank(*c->at))
		c->at++;
}

static bool append(struct spp_address *a, char c)
{
	if (a->len == SPP_ADDRESS_MAX)
		return false;
	a->text[a->len++] = c;
	return true;
}

static bool append_all(struct spp_address *a, const char *p, const char *end)
{
	while (p < end)
		if (!append(a, *p++))
			return false;
	return true;
}

/* "@one,@two:" is left out (RFC 5321, 4.1.1.3 and appendix C). */
static bool skip_route(struct cursor *c)
{
	if (c->at == c->end || *c->at != '@')
		return true;
	do {
		const char *name;

		if (!take(c, '@'))
			return false;
		name = c->at;
		while (c->at < c->end && *c->at != ',' && *c->at != ':')
			c->at++;
		if (!is_name(name, c->at))
			return false;
	} while (take(c, ','));
	return take(c, ':');
}

/* A whole local part in quotes, the first of which was taken. */
static bool read_quoted(struct cursor *c, struct spp_address *out)
{
	while (!take(c, '"')) {
		(void)take(c, '\\');
		if (c->at == c->end || !is_safe(*c->at) || !append(out, *c->at))
			return false;
		c->at++;
	}
	return true;
}

/*
 * Up to a '>' or blank. More than one '@', or a dot where none may be, is for
 * spp_address_print() to quote; what other readers cut or nest at is refused:
 * quotes inside, escapes, comments, lists, groups.
 */
static bool read_plain(struct cursor *c, struct spp_address *out)
{
	const char *start = c->at, *end = c->at, *domain;

	while (end < c->end && *end != '>' && !is_blank(*end))
		end++;
	c->at = end;
	domain = memrchr(start, '@', (size_t)(end - start));
	if (domain == start || (domain && !is_domain(domain + 1, end)))
		return false;
	for (const char *p = start; p < (domain ? domain : end); p++)
		if (!is_atext(*p) && *p != '.' && *p != '@')
			return false;
	return end > start && append_all(out, start, end);
}

static bool read_mailbox(struct cursor *c, struct spp_address *out)
{
	const char *domain;

	if (!take(c, '"'))
		return read_plain(c, out);
	if (!read_quoted(c, out))
		return false;
	domain = c->at;
	while (c->at < c->end && *c->at != '>' && !is_blank(*c->at))
		c->at++;
	/* Without a domain, an '@' inside would make one of what is none. */
	if (domain == c->at)
		return out->len > 0 && !memchr(out->text, '@', out->len);
	return *domain == '@' && is_domain(domain + 1, c->at) &&
	       append_all(out, domain, c->at);
}

/* FROM or TO and its colon. qmail wants neither before a '<', but without one
 * it wants the colon. */
static bool skip_word(struct cursor *c)
{
	static const char *const words[] = { "FROM", "TO" };

	for (size_t i = 0; i < 2; i++) {
		size_t n = strlen(words[i]);

		if ((size_t)(c->end - c->at) >= n &&
		    strncasecmp(c->at, words[i], n) == 0) {
			c->at += n;
			break;
		}
	}
	skip_blanks(c);
	bool colon = take(c, ':');
	skip_blanks(c);
	return colon || (c->at < c->end && *c->at == '<');
}

static bool read_path(struct cursor *c, struct spp_address *out)
{
	const char *start;

	if (!skip_word(c))
		return false;
	if (take(c, '<'))
		return take(c, '>') ||
		       (skip_route(c) && read_mailbox(c, out) && take(c, '>'));
	/* "Joe <joe@example.org>"; and a parameter is easily taken for an
	 * address without brackets. */
	start = c->at;
	if (memchr(start, '<', (size_t)(c->end - start)))
		return false;
	return skip_route(c) && read_mailbox(c, out) &&
	       !memchr(start, '=', (size_t)(c->at - start));
}

bool spp_path_read(
    const char *arg, size_t len, struct spp_address *out, const char **rest)
{
	struct cursor c = { arg, arg + len };

	out->len = 0;
	out->text[0] = '\0';
	*rest = arg + len;
	if (!read_path(&c, out) || (c.at < c.end && !is_blank(*c.at)) ||
	    !is_utf8(out->text, out->text + out->len)) {
		out->len = 0;
		out->text[0] = '\0';
		return false;
	}
	out->text[out->len] = '\0';
	skip_blanks(&c);
	*rest = c.at;
	return true;
}

bool spp_address_set(const char *text, size_t len, struct spp_address *out)
{
	const char *end = text + len;
	const char *at = memrchr(text, '@', len);

	out->len = 0;
	out->text[0] = '\0';
	if (len > SPP_ADDRESS_MAX || !is_utf8(text, end) ||
	    (at && !is_domain(at + 1, end)))
		return false;
	for (const char *p = text; p < end; p++)
		if (!is_safe(*p))
			return false;
	memcpy(out->text, text, len);
	out->text[len] = '\0';
	out->len = len;
	return true;
}

/* --- printing --------------------------------------------------------------
 */

static size_t local_len(const struct spp_address *a)
{
	const char *domain = spp_address_domain(a);

	return domain ? (size_t)(domain - 1 - a->text) : a->len;
}

/* RFC 5321, 4.1.2: Dot-string. */
static bool is_dot_string(const char *p, size_t len)
{
	bool dot = true;

	for (size_t i = 0; i < len; i++) {
		if (p[i] == '.' ? dot : !is_atext(p[i]))
			return false;
		dot = p[i] == '.';
	}
	return !dot;
}

size_t spp_address_print(
    const struct spp_address *a, char out[static SPP_PRINTED_SIZE])
{
	size_t local = local_len(a), n = 0;

	if (a->len == 0 || is_dot_string(a->text, local)) {
		memcpy(out, a->text, a->len + 1);
		return a->len;
	}
	out[n++] = '"';
	for (size_t i = 0; i < local; i++) {
		if (a->text[i] == '"' || a->text[i] == '\\')
			out[n++] = '\\';
		out[n++] = a->text[i];
	}
	out[n++] = '"';
	memcpy(out + n, a->text + local, a->len - local + 1);
	return n + a->len - local;
}

bool spp_address_is_routed(const struct spp_address *a)
{
	size_t local = local_len(a);

	if (a->len == 0)
		return false;
	for (size_t i = 0; i < local; i++) {
		char c = a->text[i];

		if (strchr("%!@:", c) || (!is_atext(c) && c != '.' && c != ' '))
			return true;
	}
	return local == 0 ||
	       (local < a->len && !spp_address_has_good_domain(a));
}
