/* SPDX-License-Identifier: ISC */
/*
 * uri - the target of a request, read strictly.
 */
#include "uri.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

enum { CODED = 3, DECIMAL = 10, NIBBLE = 4, DELETE = 0x7f };

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + DECIMAL;
	return c >= 'A' && c <= 'F' ? c - 'A' + DECIMAL : -1;
}

/* Decodes len bytes into out, which holds size with its NUL. also: what may
 * stand there as it is besides letters and digits. False: it may not, or there
 * is no room. */
static bool decode(
    const char *in, size_t len, const char *also, char *out, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; i < len; i++) {
		int byte = (unsigned char)in[i];

		if (in[i] == '%') {
			if (len - i < CODED || hex(in[i + 1]) < 0 ||
			    hex(in[i + 2]) < 0)
				return false;
			byte = hex(in[i + 1]) << NIBBLE | hex(in[i + 2]);
			i += 2;
			if (byte < ' ' || byte == DELETE)
				return false;
		} else if (!isalnum(byte) && !strchr(also, byte)) {
			return false;
		}
		if (used + 1 >= size)
			return false;
		out[used++] = (char)byte;
	}
	out[used] = '\0';
	return true;
}

static const char *add_pair(struct http_uri *u, const char *text, size_t len)
{
	static const char may[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";
	const char *equal = memchr(text, '=', len);
	size_t name_len = equal ? (size_t)(equal - text) : 0;
	struct http_uri_pair *p = &u->pairs[u->count];

	if (u->count == HTTP_URI_PAIRS)
		return "too many words in the query";
	if (!equal || name_len == 0 || name_len > HTTP_URI_NAME ||
	    strspn(text, may) < name_len)
		return "the query is made of name=value, joined by &";
	memcpy(p->name, text, name_len);
	p->name[name_len] = '\0';
	if (http_uri_value(u, p->name))
		return "a word stands twice in the query";
	if (!decode(equal + 1, len - name_len - 1, "-._~:@!$'()*,;=/?[]",
		p->value, sizeof(p->value)))
		return "a value of the query is too long or badly coded (a "
		       "plus is %2B, a blank %20)";
	u->count++;
	return NULL;
}

static const char *read_query(struct http_uri *u, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "&");
		const char *wrong = add_pair(u, text, len);

		if (wrong)
			return wrong;
		text += len;
		if (*text == '&' && !*++text)
			return "the query ends with &";
	}
	return NULL;
}

const char *http_uri_parse(const char *text, struct http_uri *out)
{
	size_t len = strcspn(text, "?");

	out->count = 0;
	out->path[0] = '\0';
	if (strlen(text) > HTTP_URI_MAX)
		return "the target is too long";
	for (size_t i = 0; i + 2 < len; i++)
		if (text[i] == '%' && text[i + 1] == '2' &&
		    (text[i + 2] == 'f' || text[i + 2] == 'F'))
			return "a coded slash in the path";
	if (text[0] != '/' || !decode(text, len, "-._~:@!$'()*,;/[]", out->path,
				  sizeof(out->path)))
		return "no path, or badly coded";
	return text[len] ? read_query(out, text + len + 1) : NULL;
}

const char *http_uri_value(const struct http_uri *u, const char *name)
{
	for (size_t i = 0; i < u->count; i++)
		if (strcmp(u->pairs[i].name, name) == 0)
			return u->pairs[i].value;
	return NULL;
}
