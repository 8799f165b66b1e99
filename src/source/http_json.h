/* SPDX-License-Identifier: ISC */
/*
 * http_json - the members that notices have in common, each checked. Pure.
 * Called by: http_policy.c, http_event.c, http_notice.c. Not here: which
 * members make a login.
 */
#ifndef SOURCE_HTTP_JSON_H
#define SOURCE_HTTP_JSON_H
#include "http/json.h"
#include "login/login.h"

enum { HTTP_WORDS_MAX = 16 };

/* What one body told. */
enum http_told {
	HTTP_TOLD_BAD = 0, /* not this protocol */
	HTTP_TOLD_NOTHING, /* well formed, but no fact for us */
	HTTP_TOLD_LOGIN    /* a fact: *out is filled */
};

/* The protocols (services) whose logins count: "imap", "pop3". */
struct http_words {
	const char *words[HTTP_WORDS_MAX]; /* borrowed */
	size_t count;
};

/* Whether the member is one of the words. */
bool http_json_is_among(
    const json_t *object, const char *key, const struct http_words *w);

/* Fill one field of *l; false when the member is missing, no string, or not
 * what may stand there (a user of 1..255 bytes without control bytes, a session
 * of 1..95, a server of 1..23 of a-z 0-9 -), and then *l is unchanged. */
bool http_json_addr(const json_t *object, const char *key, struct login *l);
bool http_json_user(const json_t *object, const char *key, struct login *l);
bool http_json_session(const json_t *object, const char *key, struct login *l);
bool http_json_server(const json_t *object, const char *key, struct login *l);
/* RFC 3339 with its zone, ms since 1970. */
bool http_json_time(const json_t *object, const char *key, int64_t *time);
#endif
