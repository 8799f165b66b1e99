/* SPDX-License-Identifier: ISC */
/*
 * http_json - the members that notices have in common.
 */
#include "http_json.h"

#include <string.h>

#include "pattern/stamp.h"

bool http_json_is_among(
    const json_t *object, const char *key, const struct http_words *w)
{
	for (size_t i = 0; i < w->count; i++)
		if (http_json_is(object, key, w->words[i]))
			return true;
	return false;
}

/* --- fields ----------------------------------------------------------------
 */

bool http_json_addr(const json_t *object, const char *key, struct login *l)
{
	size_t len;
	const char *text = http_json_text(object, key, &len);
	struct addr addr;

	if (!text || !addr_parse(text, len, &addr))
		return false;
	l->addr = addr;
	return true;
}

bool http_json_user(const json_t *object, const char *key, struct login *l)
{
	size_t len;
	const char *text = http_json_plain(object, key, LOGIN_USER_MAX, &len);

	if (!text)
		return false;
	memcpy(l->user, text, len + 1);
	l->user_len = (uint8_t)len;
	return true;
}

bool http_json_session(const json_t *object, const char *key, struct login *l)
{
	size_t len;
	const char *text =
	    http_json_plain(object, key, LOGIN_SESSION_MAX, &len);

	if (!text)
		return false;
	memcpy(l->session, text, len + 1);
	l->session_len = (uint8_t)len;
	return true;
}

bool http_json_server(const json_t *object, const char *key, struct login *l)
{
	static const char may[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
	size_t len;
	const char *text = http_json_text(object, key, &len);

	if (!text || len == 0 || len > LOGIN_SERVER_MAX ||
	    strspn(text, may) != len)
		return false;
	memcpy(l->server, text, len + 1);
	return true;
}

bool http_json_time(const json_t *object, const char *key, int64_t *time)
{
	struct stamp_reader reader = { 0 };
	struct stamp stamp;
	size_t len;
	const char *text = http_json_text(object, key, &len);
	int64_t read;

	if (!text || stamp_parse(text, len, &stamp) != len ||
	    stamp.kind != STAMP_OFFSET)
		return false;
	/* With its zone a stamp has one reading: now chooses nothing. */
	read = stamp_read(&reader, &stamp, 0, 0);
	if (read < 0)
		return false;
	*time = read;
	return true;
}
