/* SPDX-License-Identifier: ISC */
/*
 * http_guard - whether the head of a request may have any effect: method, path
 * and secret, and what http/guard.h asks of every request. Pure. Called by:
 * http.c.
 */
#ifndef SOURCE_HTTP_GUARD_H
#define SOURCE_HTTP_GUARD_H
#include "http/guard.h"

struct conf_section;
struct err;

enum http_route {
	HTTP_REFUSED = 0,
	HTTP_ALLOW,  /* a policy question: never a login */
	HTTP_REPORT, /* Dovecot's report */
	HTTP_EVENT,  /* Dovecot's exported event */
	HTTP_NOTICE  /* our own JSON */
};

/* What is asked for, from a section of the configuration. */
struct http_guard {
	struct http_hosts hosts;
	const char *header; /* borrowed */
	char *secret;       /* NULL: neither /policy nor /event */
	size_t secret_len;
	char *token; /* NULL: no /login */
	size_t token_len;
	bool events;
};

/* Reads the secrets' files, so call it before a lock-down. -1 and *err
 * (EXIT_USER): no secret at all, one that cannot be used, a bad header name. */
int http_guard_open(
    struct http_guard *g, const struct conf_section *conf, struct err *err);
void http_guard_close(struct http_guard *g);

/* HTTP_REFUSED: *why is filled. */
enum http_route http_guard_judge(const struct http_guard *g,
    const struct http_head *h, struct http_refusal *why);
#endif
