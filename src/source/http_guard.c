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

enum {
	HEADER_MOST = 64,
	STATUS_UNAUTHORIZED = 401,
	STATUS_NOT_FOUND = 404,
	STATUS_METHOD = 405
};

static const char event_path[] = "/event/";

/* --- configuration ---------------------------------------------------------
 */

static int wrong(const struct conf_section *conf, struct err *err,
    const char *option, const char *text)
{
	return err_set(err, EXIT_USER, "source %s (line %d): %s: %s",
	    conf_name(conf), conf_line(conf), option, text);
}

static int read_secret(const struct conf_section *conf, const char *option,
    char **secret, size_t *len, struct err *err)
{
	const char *path = conf_string(conf, option);

	if (!path[0] || http_secret_read(path, secret, len, err) == 0)
		return 0;
	return wrong(conf, err, option, err->text);
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

static void add_hosts(struct http_guard *g, const struct conf_section *conf)
{
	for (size_t i = 0; i < conf_list_size(conf, "hosts"); i++)
		http_hosts_add(&g->hosts, conf_list_at(conf, "hosts", i));
	for (size_t i = 0; i < conf_list_size(conf, "listen"); i++) {
		char text[ADDR_TEXT_SIZE];
		struct endpoint at;

		if (!endpoint_parse(conf_list_at(conf, "listen", i), &at) ||
		    endpoint_is_local(&at))
			continue;
		(void)addr_print(&at.addr, text);
		http_hosts_add(&g->hosts, text);
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
	http_hosts_free(&g->hosts);
}

/* --- requests --------------------------------------------------------------
 */

/* The place, before anything is said of who asks. */
static enum http_route find_route(
    const struct http_guard *g, const struct http_head *h)
{
	if (g->secret && strcmp(h->path, "/policy") == 0) {
		if (http_text_is(&h->command, "allow"))
			return HTTP_ALLOW;
		return http_text_is(&h->command, "report") ? HTTP_REPORT
							   : HTTP_REFUSED;
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
		return http_has_bearer(h, g->token, g->token_len);
	case HTTP_REFUSED:
		break;
	}
	return false;
}

enum http_route http_guard_judge(const struct http_guard *g,
    const struct http_head *h, struct http_refusal *why)
{
	enum http_route route = find_route(g, h);

	*why = http_judge_origin(&g->hosts, h);
	if (why->status != 0)
		return HTTP_REFUSED;
	if (route == HTTP_REFUSED) {
		*why = http_refuse(
		    STATUS_NOT_FOUND, "bad-path", "nothing is served here");
		return HTTP_REFUSED;
	}
	if (strcmp(h->method, "POST") != 0) {
		*why = http_refuse(
		    STATUS_METHOD, "bad-method", "POST is expected");
		return HTTP_REFUSED;
	}
	if (!has_secret(g, route, h)) {
		*why = http_refuse(STATUS_UNAUTHORIZED, "bad-secret",
		    "the secret is missing or wrong");
		return HTTP_REFUSED;
	}
	*why = http_judge_body(h);
	return why->status == 0 ? route : HTTP_REFUSED;
}
