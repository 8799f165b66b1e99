/* SPDX-License-Identifier: ISC */
/*
 * http_event - an event of Dovecot's event exporter (format json), to a login
 * or the end of a session. Pure.
 *
 *   POST /event/SECRET HTTP/1.1
 *
 *   {"event":"auth_request_finished", ...,
 *    "fields":{"success":"yes","service":"imap","session":"XeCrgrlg0dR/AAAF",
 *              "remote_ip":"192.0.2.7","user":"anna", ...}}
 *
 * Dovecot 2.4 says "protocol" for the "service" of 2.3.
 */
#ifndef SOURCE_HTTP_EVENT_H
#define SOURCE_HTTP_EVENT_H
#include "http_json.h"

/*
 * auth_request_finished with success "yes", not by the mechanism ANONYMOUS, a
 * service among w, an address and a user: LOGIN_IN. mail_user_session_finished
 * with user and session: LOGIN_OUT. Any other event is nothing. The time is the
 * event's own (end_time, RFC 3339), else now (wall ms).
 */
enum http_told http_event_read(const char *body, size_t len,
    const struct http_words *w, int64_t now, struct login *out);
#endif
