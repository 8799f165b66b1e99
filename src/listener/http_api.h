/* SPDX-License-Identifier: ISC */
/*
 * http_api - the requests of the http listener: which there are, who may make
 * them, and what their words mean. Pure but for the reading of secrets.
 * Called by: daemon/gateway.c. Not here: HTTP itself (http/), answers
 * (http_write.c), bodies (http_change.c).
 */
#ifndef LISTENER_HTTP_API_H
#define LISTENER_HTTP_API_H
#include "decide/decide.h"
#include "http/guard.h"

enum http_api_call {
	HTTP_API_NONE = 0,
	HTTP_API_HEALTH,
	HTTP_API_OPENAPI,
	HTTP_API_METRICS,
	HTTP_API_LIST,
	HTTP_API_ONE,
	HTTP_API_CHECK,
	HTTP_API_EXPLAIN,
	HTTP_API_GRANT,
	HTTP_API_REVOKE
};

/* Whose request it may be. */
enum http_api_right {
	HTTP_API_ANYBODY, /* who may connect */
	HTTP_API_READER,  /* either token; without token-file: anybody */
	HTTP_API_CHANGER  /* the token of change-token-file */
};

struct http_api_route {
	const char *method, *path; /* "{address}" at its end is one */
	enum http_api_call call;
	enum http_api_right right;
	const char *words; /* of the query: "user limit"; "" for none */
};
/* Ends with method NULL. */
extern const struct http_api_route http_api_routes[];

/* One section of the configuration. */
struct http_api {
	struct http_hosts hosts;
	char *token, *change; /* NULL: not configured */
	size_t token_len, change_len;
};

/* Reads the secrets' files: before a lock-down. -1 and *err (EXIT_USER): one
 * that cannot be used, or none where strangers can connect. */
int http_api_open(
    struct http_api *api, const struct conf_section *conf, struct err *err);
void http_api_close(struct http_api *api);
/* Whether the section lets anybody change something. Reads no file. */
bool http_api_changes(const struct conf_section *conf);

enum {
	HTTP_API_PAGE = 100,     /* leases, unless `limit` says otherwise */
	HTTP_API_PAGE_MAX = 500, /* what one answer's memory should be */
	HTTP_API_SOURCE_MAX = 63,
	/* 16 bytes and a user, in hex, with a NUL */
	HTTP_API_AFTER_SIZE = 2 * (16 + LOGIN_USER_MAX) + 1
};

/* Which leases are wanted. */
struct http_api_filter {
	bool has_address, has_network, has_user, has_after;
	struct addr address;
	struct net network;
	char source[HTTP_API_SOURCE_MAX + 1]; /* "": any */
	size_t user_len;
	char user[LOGIN_USER_MAX + 1];
	/* The last row of the page before. */
	struct addr after;
	size_t after_len;
	char after_user[LOGIN_USER_MAX + 1];
	size_t limit;
};

struct http_api_ask {
	enum http_api_call call;
	bool users;        /* may hear whose leases they are */
	const char *allow; /* the methods of a path, for 405; else NULL */
	struct question question;      /* CHECK, EXPLAIN */
	struct http_api_filter filter; /* LIST, ONE */
};

/* Status 0: *out says what is asked for. shows: this peer may hear users
 * without a token, too (option show-user). */
struct http_refusal http_api_judge(const struct http_api *api,
    const struct http_head *h, bool shows, struct http_api_ask *out);

/* Whether a row is one of those wanted, by all but the place of the page. */
bool http_api_wants(const struct http_api_filter *f, const struct lease *row,
    const char *source);
/* Whether it stands behind the page before. */
bool http_api_is_new(const struct http_api_filter *f, const struct lease *row);
/* What `after` of the next page is, behind this row. */
void http_api_after(
    const struct lease *row, char out[static HTTP_API_AFTER_SIZE]);
#endif
