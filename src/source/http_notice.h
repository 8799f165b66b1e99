/* SPDX-License-Identifier: ISC */
/*
 * http_notice - our own JSON: logins, signs of life and logouts that any
 * program may post. Pure.
 *
 *   POST /login HTTP/1.1
 *   Authorization: Bearer TOKEN
 *
 *   {"ip":"192.0.2.7","user":"anna","session":"a1","tls":true}
 *
 *   key      login  alive  logout  value
 *   kind     may    must   must    "login" | "alive" | "logout"
 *   ip       must   must   may     an address
 *   user     must   must   must    1..255 bytes without control bytes
 *   session  may    must   must    1..95 bytes without control bytes
 *   server   may    may    may     1..23 of a-z 0-9 -; else "http"
 *   tls      may    may    no      true | false
 *   time     may    may    may     RFC 3339; else the arrival
 *
 * One object, or an array of 1..64 of them. A key that is not here: an error.
 */
#ifndef SOURCE_HTTP_NOTICE_H
#define SOURCE_HTTP_NOTICE_H
#include "http_json.h"

enum { HTTP_NOTICES_MAX = 64 };

struct http_notices {
	bool array; /* so that the answer is one, too */
	size_t count;
	struct login logins[HTTP_NOTICES_MAX];
};

/* All of them, or none: false, count 0, and *why a constant text. now: wall
 * ms. */
bool http_notice_read(const char *body, size_t len, int64_t now,
    struct http_notices *out, const char **why);
#endif
