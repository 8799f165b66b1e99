/* SPDX-License-Identifier: ISC */
/*
 * guard - what the head of every request must be. Secrets are compared in
 * constant time.
 */
#include "guard.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/secret.h"
#include "json.h"

enum {
	SECRET_LEAST = 16, /* bytes; shorter ones are guessed */
	SECRET_MOST = 512, /* a header and a path must hold it */
	STATUS_BAD = 400,
	STATUS_FORBIDDEN = 403,
	STATUS_NO_LENGTH = 411,
	STATUS_TOO_LARGE = 413,
	STATUS_TYPE = 415,
	STATUS_MISDIRECTED = 421,
	STATUS_HEAD_TOO_LARGE = 431
};

/* --- secrets ---------------------------------------------------------------
 */

/* What a header's value and the end of a path can hold as it is. */
static bool is_plain(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)text[i]) &&
		    (text[i] == '\0' || !strchr("-._~+/=", text[i])))
			return false;
	return true;
}

int http_secret_read(
    const char *path, char **secret, size_t *len, struct err *err)
{
	if (secret_read(path, secret, len, err) < 0)
		return -1;
	if (*len >= SECRET_LEAST && *len <= SECRET_MOST &&
	    is_plain(*secret, *len))
		return 0;
	secret_free(secret, *len);
	return err_set(err, EXIT_USER,
	    "the file must hold 16 to 512 letters, digits or -._~+/= on one "
	    "line; make it with: openssl rand -hex 32");
}

bool http_has_bearer(const struct http_head *h, const char *token, size_t len)
{
	static const char bearer[] = "Bearer ";
	const size_t skip = sizeof(bearer) - 1;

	return h->authorization.text && h->authorization.len > skip &&
	       strncasecmp(h->authorization.text, bearer, skip) == 0 &&
	       secret_equal(h->authorization.text + skip,
		   h->authorization.len - skip, token, len);
}

/* --- Host ------------------------------------------------------------------
 */

/* Of "localhost:11080" or "[::1]:11080" the name; false: malformed. */
static bool split_host(
    const char *text, size_t len, const char **name, size_t *name_len)
{
	const char *end = text + len, *colon = memrchr(text, ':', len);

	*name = text;
	if (len > 0 && text[0] == '[') {
		const char *close = memchr(text, ']', len);
		if (!close)
			return false;
		*name = text + 1;
		*name_len = (size_t)(close - *name);
		colon = close + 1 < end ? close + 1 : NULL;
		if (colon && *colon != ':')
			return false;
	} else {
		*name_len = (size_t)((colon ? colon : end) - text);
	}
	for (const char *p = colon ? colon + 1 : end; p < end; p++)
		if (!isdigit((unsigned char)*p))
			return false;
	return *name_len > 0;
}

void http_hosts_add(struct http_hosts *h, const char *text)
{
	size_t len = strlen(text);

	if (len > 1 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	if (h->count < HTTP_HOSTS_MAX)
		h->names[h->count++] = xstrndup(text, len);
}

void http_hosts_free(struct http_hosts *h)
{
	while (h->count > 0)
		free(h->names[--h->count]);
}

/* --- heads -----------------------------------------------------------------
 */

bool http_text_is(const struct http_text *t, const char *text)
{
	return t->text && t->len == strlen(text) &&
	       strncasecmp(t->text, text, t->len) == 0;
}

static bool knows_host(const struct http_hosts *h, const struct http_text *host)
{
	const char *name;
	size_t len;

	if (!split_host(host->text, host->len, &name, &len))
		return false;
	for (size_t i = 0; i < h->count; i++)
		if (strlen(h->names[i]) == len &&
		    strncasecmp(h->names[i], name, len) == 0)
			return true;
	return false;
}

/* With or without the only charset that JSON has. */
static bool is_json(const struct http_text *type)
{
	return http_text_is(type, "application/json") ||
	       http_text_is(type, "application/json; charset=utf-8") ||
	       http_text_is(type, "application/json;charset=utf-8");
}

/* Digits only, and not more of them than a good body has. */
static bool is_length(const struct http_text *t, size_t *length)
{
	*length = 0;
	for (size_t i = 0; i < t->len; i++) {
		if (!isdigit((unsigned char)t->text[i]))
			return false;
		if (*length <= HTTP_BODY_MAX)
			*length = *length * 10 + (size_t)(t->text[i] - '0');
	}
	return t->len > 0;
}

struct http_refusal http_refuse(
    unsigned status, const char *reason, const char *text)
{
	return (struct http_refusal){ status, reason, text };
}

/* Two ways to tell a length are two requests for somebody who reads it
 * otherwise. */
struct http_refusal http_judge_body(const struct http_head *h)
{
	size_t length = 0;

	if (h->length.text && h->coding.text)
		return http_refuse(STATUS_BAD, "bad-head",
		    "Content-Length and Transfer-Encoding exclude each other");
	if (h->coding.text && !http_text_is(&h->coding, "chunked"))
		return http_refuse(STATUS_BAD, "bad-head",
		    "no Transfer-Encoding but chunked is known");
	if (!h->coding.text && !h->length.text)
		return http_refuse(
		    STATUS_NO_LENGTH, "bad-head", "a length is expected");
	if (h->length.text && !is_length(&h->length, &length))
		return http_refuse(STATUS_BAD, "bad-head", "malformed length");
	if (length > HTTP_BODY_MAX)
		return http_refuse(STATUS_TOO_LARGE, "too-large",
		    "the body is longer than 16384 bytes");
	if (!is_json(&h->type))
		return http_refuse(STATUS_TYPE, "bad-type",
		    "Content-Type: application/json is expected");
	return http_refuse(0, NULL, NULL);
}

struct http_refusal http_judge_bodiless(const struct http_head *h)
{
	size_t length = 0;

	if (h->coding.text ||
	    (h->length.text && (!is_length(&h->length, &length) || length)))
		return http_refuse(
		    STATUS_BAD, "bad-head", "no body is expected");
	return http_refuse(0, NULL, NULL);
}

struct http_refusal http_judge_origin(
    const struct http_hosts *hosts, const struct http_head *h)
{
	if (h->size > HTTP_HEAD_MAX)
		return http_refuse(STATUS_HEAD_TOO_LARGE, "bad-head",
		    "the head is longer than 8192 bytes");
	if (h->repeated)
		return http_refuse(
		    STATUS_BAD, "bad-head", "a header stands there twice");
	if (!h->host.text)
		return http_refuse(STATUS_BAD, "bad-host", "Host is missing");
	if (!knows_host(hosts, &h->host))
		return http_refuse(STATUS_MISDIRECTED, "bad-host",
		    "this Host is not served; see option hosts");
	if (h->origin.text)
		return http_refuse(STATUS_FORBIDDEN, "browser",
		    "requests of web pages (Origin) are not taken");
	return http_refuse(0, NULL, NULL);
}
