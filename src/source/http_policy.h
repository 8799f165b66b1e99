/* SPDX-License-Identifier: ISC */
/*
 * http_policy - a report of Dovecot's auth policy client, from its JSON body to
 * a login. Pure. Specification: Dovecot's "authentication policy" page.
 *
 *   POST /policy?command=report HTTP/1.1
 *   X-Relaypass-Key: SECRET
 *
 *   {"device_id":"","login":"anna","protocol":"imap","pwhash":"0d52",
 *    "remote":"192.0.2.7","session_id":"XeCrgrlg0dR/AAAF",
 *    "success":true,"policy_reject":false,"tls":false}
 */
#ifndef SOURCE_HTTP_POLICY_H
#define SOURCE_HTTP_POLICY_H
#include "http_json.h"

/*
 * A login only if the body says success true, policy_reject false, a protocol
 * among w, a remote that is an address, and a user. Everything else of a
 * well-formed object is nothing: failed logins and other services are reported
 * too. now: wall ms, the login's time.
 */
enum http_told http_policy_read(const char *body, size_t len,
    const struct http_words *w, int64_t now, struct login *out);
#endif
