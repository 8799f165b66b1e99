/* SPDX-License-Identifier: ISC */
/*
 * http_guard - whether the head of a request may have any effect: method, path,
 * Host, Origin, secret, type, size. A port on this host is within reach of
 * every local user and, through a browser, of every web site (cross-site
 * requests, DNS rebinding). Pure. Called by: http.c.
 */
#ifndef SOURCE_HTTP_GUARD_H
#define SOURCE_HTTP_GUARD_H
#include <stdbool.h>
#include <stddef.h>

struct conf_section;
struct err;

enum http_route {
	HTTP_REFUSED = 0,
	HTTP_ALLOW,  /* a policy question: never a login */
	HTTP_REPORT, /* Dovecot's report */
	HTTP_EVENT,  /* Dovecot's exported event */
	HTTP_NOTICE  /* our own JSON */
};

enum { HTTP_HEAD_MAX = 8192, HTTP_HOSTS_MAX = 64 };

/* A header's value; text is NULL when there is none. */
struct http_text {
	const char *text;
	size_t len;
};

/* What the guard looks at; the strings are borrowed. */
struct http_head {
	const char *method, *path; /* path decoded, without its query */
	struct http_text command;  /* ?command= */
	struct http_text host, origin, type, length, coding, authorization;
	struct http_text key; /* the header that option `header` names */
	bool repeated;        /* one of them stands there twice */
	size_t size;          /* bytes */
};

/* What is asked for, from a section of the configuration. */
struct http_guard {
	char *hosts[HTTP_HOSTS_MAX];
	size_t host_count;
	const char *header; /* borrowed */
	char *secret;       /* NULL: neither /policy nor /event */
	size_t secret_len;
	char *token; /* NULL: no /login */
	size_t token_len;
	bool events;
};

struct http_refusal {
	unsigned status;
	const char *reason; /* for odd.h: "bad-secret" */
	const char *text;   /* for the client */
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
