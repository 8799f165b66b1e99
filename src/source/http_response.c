/* SPDX-License-Identifier: ISC */
/*
 * http_response - a strict reader of responses: what does not follow RFC 9112
 * to the letter is bad, and the caller goes on without an answer.
 */
#include "http_response.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

enum {
	STATUS_FIRST = 100,
	STATUS_FINAL = 200,
	STATUS_NO_CONTENT = 204,
	STATUS_NOT_MODIFIED = 304,
	STATUS_LAST = 599,
	STATUS_LINE_LEAST = 12, /* "HTTP/1.1 200" */
	DECIMAL = 10,
	HEX = 16
};

/* What the head says of the body. */
struct framing {
	bool has_length, chunked, close, old;
	size_t length;
};

/* A line up to its CR LF; NULL: not whole. */
static const char *line_end(const char *p, const char *end)
{
	return memmem(p, (size_t)(end - p), "\r\n", 2);
}

static bool word_is(const char *p, size_t len, const char *word)
{
	return len == strlen(word) && strncasecmp(p, word, len) == 0;
}

/* A number of 1..limit; false: no digits, others behind them, or more. */
static bool read_number(
    const char *p, size_t len, unsigned base, size_t limit, size_t *out)
{
	*out = 0;
	for (size_t i = 0; i < len; i++) {
		unsigned digit;

		if (isdigit((unsigned char)p[i]))
			digit = (unsigned)(p[i] - '0');
		else if (base == HEX && isxdigit((unsigned char)p[i]))
			digit = (unsigned)(tolower((unsigned char)p[i]) - 'a') +
				DECIMAL;
		else
			return false;
		*out = *out * base + digit;
		if (*out > limit)
			return false;
	}
	return len > 0;
}

static bool read_status(const char *p, const char *end,
    struct http_response *out, struct framing *f)
{
	size_t status;

	if (end - p < STATUS_LINE_LEAST || strncmp(p, "HTTP/1.", 7) != 0 ||
	    (p[7] != '0' && p[7] != '1') || p[8] != ' ' ||
	    !read_number(p + 9, 3, DECIMAL, STATUS_LAST, &status) ||
	    status < STATUS_FIRST ||
	    (end - p > STATUS_LINE_LEAST && p[STATUS_LINE_LEAST] != ' '))
		return false;
	out->status = (unsigned)status;
	f->old = p[7] == '0';
	return true;
}

/* One of the words of a list such as "close, Upgrade". */
static bool list_has(const char *p, size_t len, const char *word)
{
	const char *end = p + len;

	while (p < end) {
		const char *comma = memchr(p, ',', (size_t)(end - p));
		const char *stop = comma ? comma : end, *last = stop;

		while (p < last && (*p == ' ' || *p == '\t'))
			p++;
		while (last > p && (last[-1] == ' ' || last[-1] == '\t'))
			last--;
		if (word_is(p, (size_t)(last - p), word))
			return true;
		p = stop + 1;
	}
	return false;
}

static bool take_header(const char *name, size_t name_len, const char *value,
    size_t len, struct framing *f)
{
	size_t length;

	if (word_is(name, name_len, "Content-Length")) {
		if (!read_number(
			value, len, DECIMAL, HTTP_RESPONSE_BODY_MAX, &length) ||
		    (f->has_length && f->length != length))
			return false;
		f->has_length = true;
		f->length = length;
	} else if (word_is(name, name_len, "Transfer-Encoding")) {
		if (f->chunked || !word_is(value, len, "chunked"))
			return false;
		f->chunked = true;
	} else if (word_is(name, name_len, "Connection")) {
		f->close |= list_has(value, len, "close");
	}
	return true;
}

/* "Name: value". A blank in or before the name is folding, or worse. */
static bool read_header(const char *p, const char *end, struct framing *f)
{
	const char *colon = memchr(p, ':', (size_t)(end - p)), *value;

	if (!colon || colon == p || memchr(p, ' ', (size_t)(colon - p)) ||
	    memchr(p, '\t', (size_t)(colon - p)) ||
	    memchr(p, '\0', (size_t)(end - p)) ||
	    memchr(p, '\r', (size_t)(end - p)) ||
	    memchr(p, '\n', (size_t)(end - p)))
		return false;
	value = colon + 1;
	while (value < end && (*value == ' ' || *value == '\t'))
		value++;
	while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	return take_header(
	    p, (size_t)(colon - p), value, (size_t)(end - value), f);
}

/* Reads a head; *at moves behind it. */
static enum http_parse read_head(const char **at, const char *end,
    struct http_response *out, struct framing *f)
{
	const char *p = *at, *eol = line_end(p, end);

	memset(f, 0, sizeof(*f));
	if (!eol)
		return HTTP_PARSE_MORE;
	if (!read_status(p, eol, out, f))
		return HTTP_PARSE_BAD;
	for (;;) {
		p = eol + 2;
		eol = line_end(p, end);
		if (!eol)
			return HTTP_PARSE_MORE;
		if (eol == p)
			break;
		if (!read_header(p, eol, f))
			return HTTP_PARSE_BAD;
	}
	*at = p + 2;
	return f->has_length && f->chunked ? HTTP_PARSE_BAD : HTTP_PARSE_DONE;
}

static bool add_body(struct http_response *out, const char *p, size_t len)
{
	if (len > sizeof(out->body) - out->body_len)
		return false;
	memcpy(out->body + out->body_len, p, len);
	out->body_len += len;
	return true;
}

/* The lines behind the last chunk, up to an empty one. */
static enum http_parse skip_trailers(const char **at, const char *end)
{
	const char *p = *at, *eol;

	while ((eol = line_end(p, end)) != NULL) {
		const char *line = p;

		p = eol + 2;
		if (eol == line) {
			*at = p;
			return HTTP_PARSE_DONE;
		}
	}
	return HTTP_PARSE_MORE;
}

static enum http_parse read_chunks(
    const char **at, const char *end, struct http_response *out)
{
	for (;;) {
		const char *p = *at, *eol = line_end(p, end), *stop;
		size_t size;

		if (!eol)
			return HTTP_PARSE_MORE;
		stop = memchr(p, ';', (size_t)(eol - p));
		if (!read_number(p, (size_t)((stop ? stop : eol) - p), HEX,
			HTTP_RESPONSE_BODY_MAX, &size))
			return HTTP_PARSE_BAD;
		*at = p = eol + 2;
		if (size == 0)
			return skip_trailers(at, end);
		if ((size_t)(end - p) < size + 2)
			return HTTP_PARSE_MORE;
		if (memcmp(p + size, "\r\n", 2) != 0 || !add_body(out, p, size))
			return HTTP_PARSE_BAD;
		*at = p + size + 2;
	}
}

/* Of a length, of chunks, or up to the end of the connection. */
static enum http_parse read_body(const char **at, const char *end, bool ended,
    const struct framing *f, struct http_response *out)
{
	size_t left = (size_t)(end - *at);

	if (out->status == STATUS_NO_CONTENT ||
	    out->status == STATUS_NOT_MODIFIED)
		return HTTP_PARSE_DONE;
	if (f->chunked)
		return read_chunks(at, end, out);
	if (f->has_length && left < f->length)
		return HTTP_PARSE_MORE;
	if (!f->has_length && !ended)
		return left > sizeof(out->body) ? HTTP_PARSE_BAD
						: HTTP_PARSE_MORE;
	if (f->has_length)
		left = f->length;
	if (!add_body(out, *at, left))
		return HTTP_PARSE_BAD;
	*at += left;
	return HTTP_PARSE_DONE;
}

static enum http_parse parse(
    const char *bytes, size_t len, bool end, struct http_response *out)
{
	const char *at = bytes, *last = bytes + len;
	struct framing f;
	enum http_parse got;

	do {
		got = read_head(&at, last, out, &f);
		if (got != HTTP_PARSE_DONE)
			return got;
	} while (out->status < STATUS_FINAL);
	out->body_len = 0;
	got = read_body(&at, last, end, &f, out);
	if (got != HTTP_PARSE_DONE)
		return got;
	out->used = (size_t)(at - bytes);
	out->keep = !end && !f.old && !f.close && (f.has_length || f.chunked) &&
		    out->used == len;
	return HTTP_PARSE_DONE;
}

enum http_parse http_response_parse(
    const char *bytes, size_t len, bool end, struct http_response *out)
{
	enum http_parse got;

	if (len > HTTP_RESPONSE_MAX)
		return HTTP_PARSE_BAD;
	got = parse(bytes, len, end, out);
	if (got == HTTP_PARSE_MORE && (end || len == HTTP_RESPONSE_MAX))
		return HTTP_PARSE_BAD;
	return got;
}
