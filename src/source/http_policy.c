/* SPDX-License-Identifier: ISC */
/*
 * http_policy - Dovecot's report to a login. The password's hash in it is never
 * looked at.
 */
#include "http_policy.h"

#include <string.h>

/* Dovecot's lines have the same session ids, and tell their ends. */
static const char server[] = "dovecot";

static bool is_login(const json_t *report, const struct http_words *w)
{
	return http_json_is_true(report, "success") &&
	       http_json_is_false(report, "policy_reject") &&
	       http_json_is_among(report, "protocol", w);
}

enum http_told http_policy_read(const char *body, size_t len,
    const struct http_words *w, int64_t now, struct login *out)
{
	json_t *report = http_json_load(body, len);
	struct login l = { .kind = LOGIN_IN, .time = now };
	enum http_told told = HTTP_TOLD_NOTHING;

	memset(out, 0, sizeof(*out));
	if (!json_is_object(report)) {
		json_decref(report);
		return HTTP_TOLD_BAD;
	}
	memcpy(l.server, server, sizeof(server));
	if (is_login(report, w) && http_json_addr(report, "remote", &l) &&
	    http_json_user(report, "login", &l)) {
		/* Without one it is a login all the same. */
		(void)http_json_session(report, "session_id", &l);
		l.tls = http_json_is_true(report, "tls");
		*out = l;
		told = HTTP_TOLD_LOGIN;
	}
	json_decref(report);
	return told;
}
