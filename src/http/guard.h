/* SPDX-License-Identifier: ISC */
/*
 * guard - what the head of every request must be before it may have any effect:
 * Host, Origin, size, the framing and type of its body, and the secret that it
 * brings. A port on this host is within reach of every local user and, through
 * a browser, of every web site (cross-site requests, DNS rebinding). Pure but
 * for the reading of secrets.
 * Called by: source/http_guard.c, listener/http_api.c. Not here: paths,
 * methods.
 */
#ifndef HTTP_GUARD_H
#define HTTP_GUARD_H
#include <stdbool.h>
#include <stddef.h>

struct err;

enum { HTTP_HEAD_MAX = 8192, HTTP_HOSTS_MAX = 64 };

/* A header's value; text is NULL when there is none. */
struct http_text {
	const char *text;
	size_t len;
};

/* What is looked at; the strings are borrowed. */
struct http_head {
	const char *method, *path; /* path decoded, without its query */
	const char *target;        /* both, as the client wrote them */
	struct http_text command;  /* ?command= */
	struct http_text host, origin, type, length, coding, authorization;
	struct http_text key; /* the header that the server was told of */
	bool repeated;        /* one of them stands there twice */
	size_t size;          /* bytes */
};

struct http_refusal {
	unsigned status;
	const char *reason; /* for the log: "bad-secret" */
	const char *text;   /* for the client */
};
struct http_refusal http_refuse(
    unsigned status, const char *reason, const char *text);

/* Names that a Host header may have; with or without the brackets of an IPv6
 * address. */
struct http_hosts {
	char *names[HTTP_HOSTS_MAX];
	size_t count;
};
void http_hosts_add(struct http_hosts *h, const char *name);
void http_hosts_free(struct http_hosts *h);

/* Reads a file with a secret that can stand in a header and in a path: 16 to
 * 512 letters, digits or -._~+/=. Release: secret_free(). -1 and *err
 * (EXIT_USER). */
int http_secret_read(
    const char *path, char **secret, size_t *len, struct err *err);
/* Whether it brings "Authorization: Bearer" and this token; in constant time.
 */
bool http_has_bearer(const struct http_head *h, const char *token, size_t len);

/* Compares a header's value, letters of both cases alike. */
bool http_text_is(const struct http_text *t, const char *text);

/* Status 0: it may come from here. */
struct http_refusal http_judge_origin(
    const struct http_hosts *hosts, const struct http_head *h);
/* Status 0: there is one body, of JSON, of a length told in one way. */
struct http_refusal http_judge_body(const struct http_head *h);
/* Status 0: it has no body. */
struct http_refusal http_judge_bodiless(const struct http_head *h);
#endif
