/* SPDX-License-Identifier: ISC */
/*
 * http_event - Dovecot's exported events to logins and logouts.
 */
#include "http_event.h"

#include <string.h>

static const char server[] = "dovecot";

/* What was logged in to: Dovecot 2.3 calls it service, 2.4 protocol. */
static bool is_by(const json_t *fields, const struct http_words *w)
{
	const char *key =
	    json_object_get(fields, "service") ? "service" : "protocol";

	return http_json_is_among(fields, key, w);
}

/* A failure has no "success" at all; ANONYMOUS (RFC 4505) proves nobody. */
static bool fill_login(
    const json_t *fields, const struct http_words *w, struct login *l)
{
	if (!http_json_is(fields, "success", "yes") ||
	    http_json_is(fields, "mechanism", "ANONYMOUS") ||
	    !is_by(fields, w) || !http_json_addr(fields, "remote_ip", l) ||
	    !http_json_user(fields, "user", l))
		return false;
	(void)http_json_session(fields, "session", l);
	l->tls = http_json_is(fields, "transport", "TLS");
	l->kind = LOGIN_IN;
	return true;
}

/* Session and user must both be those of a login; pop3 tells no address. */
static bool fill_logout(const json_t *fields, struct login *l)
{
	if (!http_json_session(fields, "session", l) ||
	    !http_json_user(fields, "user", l))
		return false;
	(void)http_json_addr(fields, "remote_ip", l);
	l->kind = LOGIN_OUT;
	return true;
}

static bool fill(
    const json_t *event, const struct http_words *w, struct login *l)
{
	const json_t *fields = json_object_get(event, "fields");

	if (http_json_is(event, "event", "auth_request_finished"))
		return fill_login(fields, w, l);
	if (http_json_is(event, "event", "mail_user_session_finished"))
		return fill_logout(fields, l);
	return false;
}

enum http_told http_event_read(const char *body, size_t len,
    const struct http_words *w, int64_t now, struct login *out)
{
	json_t *event = http_json_load(body, len);
	struct login l = { .time = now };
	enum http_told told = HTTP_TOLD_NOTHING;

	memset(out, 0, sizeof(*out));
	if (!json_is_object(event)) {
		json_decref(event);
		return HTTP_TOLD_BAD;
	}
	memcpy(l.server, server, sizeof(server));
	(void)http_json_time(event, "end_time", &l.time);
	if (fill(event, w, &l)) {
		*out = l;
		told = HTTP_TOLD_LOGIN;
	}
	json_decref(event);
	return told;
}
