/* SPDX-License-Identifier: ISC */
/*
 * http_guard - who may have an effect, judged by the head of a request alone.
 *
 * Dovecot's policy client and everybody else prove themselves by a header;
 * Dovecot's event exporter cannot send one, so that its secret is the last part
 * of the path. Secrets are compared in constant time.
 */
#include "http_guard.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/addr.h"
#include "base/endpoint.h"
#include "base/mem.h"
#include "base/secret.h"
#include "conf/conf.h"
#include "http_json.h"

enum {
	SECRET_LEAST = 16, /* bytes; shorter ones are guessed */
	SECRET_MOST = 512, /* a header and a path must hold it */
	HEADER_MOST = 64,
	STATUS_BAD = 400,
	STATUS_UNAUTHORIZED = 401,
	STATUS_FORBIDDEN = 403,
	STATUS_NOT_FOUND = 404,
	STATUS_METHOD = 405,
	STATUS_NO_LENGTH = 411,
	STATUS_TOO_LARGE = 413,
	STATUS_TYPE = 415,
	STATUS_MISDIRECTED = 421,
	STATUS_HEAD_TOO_LARGE = 431
};

static const char bearer[] = "Bearer ";
static const char event_path[] = "/event/";

/* --- configuration ---------------------------------------------------------
 */

static int wrong(const struct conf_section *conf, struct err *err,
    const char *option, const char *text)
{
	return err_set(err, EXIT_USER, "source %s (line %d): %s: %s",
	    conf_name(conf), conf_line(conf), option, text);
}

/* What a header's value and the end of a path can hold as it is. */
static bool is_plain(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)text[i]) &&
		    (text[i] == '\0' || !strchr("-._~+/=", text[i])))
			return false;
	return true;
}

static int read_secret(const struct conf_section *conf, const char *option,
    char **secret, size_t *len, struct err *err)
{
	const char *path = conf_string(conf, option);

	if (!path[0])
		return 0;
	if (secret_read(path, secret, len, err) < 0)
		return wrong(conf, err, option, err->text);
	if (*len < SECRET_LEAST || *len > SECRET_MOST ||
	    !is_plain(*secret, *len))
		return wrong(conf, err, option,
		    "the file must hold 16 to 512 letters, digits or -._~+/= "
		    "on one line; make it with: openssl rand -hex 32");
	return 0;
}

static int check_events(const struct http_guard *g,
    const struct conf_section *conf, struct err *err)
{
	if (!g->events)
		return 0;
	if (!g->secret)
		return wrong(conf, err, "events",
		    "they need secret-file: the secret is part of their URL");
	if (memchr(g->secret, '/', g->secret_len) ||
	    memchr(g->secret, '+', g->secret_len))
		return wrong(conf, err, "events",
		    "the secret stands in a URL and may hold no / or +");
	return 0;
}

/* A token of RFC 9110; none that the server itself looks at. */
static int check_header(const struct conf_section *conf, struct err *err)
{
	static const char *const taken[] = { "Host", "Origin", "Content-Type",
		"Content-Length", "Transfer-Encoding", "Authorization",
		"Connection", "Expect" };
	const char *name = conf_string(conf, "header");
	size_t len = strlen(name);

	for (size_t i = 0; i < COUNT_OF(taken); i++)
		if (strcasecmp(name, taken[i]) == 0)
			return wrong(conf, err, "header",
			    "this one has another meaning already");
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)name[i]) && name[i] != '-')
			len = 0;
	if (len == 0 || len > HEADER_MOST)
		return wrong(conf, err, "header",
		    "expected the name of a header such as X-Relaypass-Key");
	return 0;
}

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

static void add_host(struct http_guard *g, const char *text)
{
	size_t len = strlen(text);

	if (len > 1 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	if (g->host_count < HTTP_HOSTS_MAX)
		g->hosts[g->host_count++] = xstrndup(text, len);
}

static void add_hosts(struct http_guard *g, const struct conf_section *conf)
{
	for (size_t i = 0; i < conf_list_size(conf, "hosts"); i++)
		add_host(g, conf_list_at(conf, "hosts", i));
	for (size_t i = 0; i < conf_list_size(conf, "listen"); i++) {
		char text[ADDR_TEXT_SIZE];
		struct endpoint at;

		if (!endpoint_parse(conf_list_at(conf, "listen", i), &at) ||
		    endpoint_is_local(&at))
			continue;
		(void)addr_print(&at.addr, text);
		add_host(g, text);
	}
}

int http_guard_open(
    struct http_guard *g, const struct conf_section *conf, struct err *err)
{
	memset(g, 0, sizeof(*g));
	g->header = conf_string(conf, "header");
	g->events = conf_number(conf, "events") != 0;
	add_hosts(g, conf);
	if (check_header(conf, err) == 0 &&
	    read_secret(conf, "secret-file", &g->secret, &g->secret_len, err) ==
		0 &&
	    read_secret(conf, "token-file", &g->token, &g->token_len, err) ==
		0 &&
	    check_events(g, conf, err) == 0) {
		if (g->secret || g->token)
			return 0;
		(void)wrong(conf, err, "secret-file",
		    "without a secret every user of this host could make "
		    "leases; name a file for Dovecot's header here, or one "
		    "for POST /login in token-file");
	}
	http_guard_close(g);
	return -1;
}

void http_guard_close(struct http_guard *g)
{
	secret_free(&g->secret, g->secret_len);
	secret_free(&g->token, g->token_len);
	while (g->host_count > 0)
		free(g->hosts[--g->host_count]);
}

/* --- requests --------------------------------------------------------------
 */

static bool is(const struct http_text *t, const char *text)
{
	return t->text && t->len == strlen(text) &&
	       strncasecmp(t->text, text, t->len) == 0;
}

static bool knows_host(const struct http_guard *g, const struct http_text *host)
{
	const char *name;
	size_t len;

	if (!split_host(host->text, host->len, &name, &len))
		return false;
	for (size_t i = 0; i < g->host_count; i++)
		if (strlen(g->hosts[i]) == len &&
		    strncasecmp(g->hosts[i], name, len) == 0)
			return true;
	return false;
}

/* With or without the only charset that JSON has. */
static bool is_json(const struct http_text *type)
{
	return is(type, "application/json") ||
	       is(type, "application/json; charset=utf-8") ||
	       is(type, "application/json;charset=utf-8");
}

/* The place, before anything is said of who asks. */
static enum http_route find_route(
    const struct http_guard *g, const struct http_head *h)
{
	if (g->secret && strcmp(h->path, "/policy") == 0) {
		if (is(&h->command, "allow"))
			return HTTP_ALLOW;
		return is(&h->command, "report") ? HTTP_REPORT : HTTP_REFUSED;
	}
	if (g->events &&
	    strncmp(h->path, event_path, sizeof(event_path) - 1) == 0)
		return HTTP_EVENT;
	if (g->token && strcmp(h->path, "/login") == 0)
		return HTTP_NOTICE;
	return HTTP_REFUSED;
}

static bool has_secret(const struct http_guard *g, enum http_route route,
    const struct http_head *h)
{
	size_t skip = sizeof(bearer) - 1;
	const char *given;

	switch (route) {
	case HTTP_ALLOW:
	case HTTP_REPORT:
		return h->key.text && secret_equal(h->key.text, h->key.len,
					  g->secret, g->secret_len);
	case HTTP_EVENT:
		given = h->path + sizeof(event_path) - 1;
		return secret_equal(
		    given, strlen(given), g->secret, g->secret_len);
	case HTTP_NOTICE:
		return h->authorization.text && h->authorization.len > skip &&
		       strncasecmp(h->authorization.text, bearer, skip) == 0 &&
		       secret_equal(h->authorization.text + skip,
			   h->authorization.len - skip, g->token, g->token_len);
	case HTTP_REFUSED:
		break;
	}
	return false;
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

static struct http_refusal refuse(
    unsigned status, const char *reason, const char *text)
{
	return (struct http_refusal){ status, reason, text };
}

/* Status 0: the framing is good. Two ways to tell a length are two requests
 * for somebody who reads it otherwise. */
static struct http_refusal judge_body(const struct http_head *h)
{
	size_t length = 0;

	if (h->length.text && h->coding.text)
		return refuse(STATUS_BAD, "bad-head",
		    "Content-Length and Transfer-Encoding exclude each other");
	if (h->coding.text && !is(&h->coding, "chunked"))
		return refuse(STATUS_BAD, "bad-head",
		    "no Transfer-Encoding but chunked is known");
	if (!h->coding.text && !h->length.text)
		return refuse(
		    STATUS_NO_LENGTH, "bad-head", "a length is expected");
	if (h->length.text && !is_length(&h->length, &length))
		return refuse(STATUS_BAD, "bad-head", "malformed length");
	if (length > HTTP_BODY_MAX)
		return refuse(STATUS_TOO_LARGE, "too-large",
		    "the body is longer than 16384 bytes");
	if (!is_json(&h->type))
		return refuse(STATUS_TYPE, "bad-type",
		    "Content-Type: application/json is expected");
	return refuse(0, NULL, NULL);
}

/* Status 0: it may come from here. */
static struct http_refusal judge_origin(
    const struct http_guard *g, const struct http_head *h)
{
	if (h->size > HTTP_HEAD_MAX)
		return refuse(STATUS_HEAD_TOO_LARGE, "bad-head",
		    "the head is longer than 8192 bytes");
	if (h->repeated)
		return refuse(
		    STATUS_BAD, "bad-head", "a header stands there twice");
	if (!h->host.text)
		return refuse(STATUS_BAD, "bad-host", "Host is missing");
	if (!knows_host(g, &h->host))
		return refuse(STATUS_MISDIRECTED, "bad-host",
		    "this Host is not served; see option hosts");
	if (h->origin.text)
		return refuse(STATUS_FORBIDDEN, "browser",
		    "requests of web pages (Origin) are not taken");
	return refuse(0, NULL, NULL);
}

enum http_route http_guard_judge(const struct http_guard *g,
    const struct http_head *h, struct http_refusal *why)
{
	enum http_route route = find_route(g, h);

	*why = judge_origin(g, h);
	if (why->status != 0)
		return HTTP_REFUSED;
	if (route == HTTP_REFUSED) {
		*why = refuse(
		    STATUS_NOT_FOUND, "bad-path", "nothing is served here");
		return HTTP_REFUSED;
	}
	if (strcmp(h->method, "POST") != 0) {
		*why = refuse(STATUS_METHOD, "bad-method", "POST is expected");
		return HTTP_REFUSED;
	}
	if (!has_secret(g, route, h)) {
		*why = refuse(STATUS_UNAUTHORIZED, "bad-secret",
		    "the secret is missing or wrong");
		return HTTP_REFUSED;
	}
	*why = judge_body(h);
	return why->status == 0 ? route : HTTP_REFUSED;
}
