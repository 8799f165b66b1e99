/* SPDX-License-Identifier: ISC */
/*
 * http_json - JSON bodies under limits. Depth is looked at before jansson gets
 * the text: its own limit is far above what any notice needs.
 */
#include "http_json.h"

#include <string.h>

#include "pattern/stamp.h"

/* Brackets outside of strings; whether they match is jansson's to say. */
static bool is_shallow(const char *body, size_t len)
{
	size_t depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < len; i++) {
		if (quoted && body[i] == '\\')
			i++;
		else if (body[i] == '"')
			quoted = !quoted;
		else if (quoted)
			continue;
		else if (body[i] == '{' || body[i] == '[')
			depth++;
		else if ((body[i] == '}' || body[i] == ']') && depth > 0)
			depth--;
		if (depth > HTTP_DEPTH_MAX)
			return false;
	}
	return true;
}

void http_json_init(void)
{
	json_object_seed(0);
}

json_t *http_json_load(const char *body, size_t len)
{
	if (len > HTTP_BODY_MAX || !is_shallow(body, len))
		return NULL;
	return json_loadb(body, len, JSON_REJECT_DUPLICATES, NULL);
}

const char *http_json_text(const json_t *object, const char *key, size_t *len)
{
	const json_t *member = json_object_get(object, key);

	*len = json_string_length(member);
	return json_string_value(member);
}

bool http_json_is(const json_t *object, const char *key, const char *text)
{
	size_t len;
	const char *value = http_json_text(object, key, &len);

	return value && len == strlen(text) && memcmp(value, text, len) == 0;
}

bool http_json_is_among(
    const json_t *object, const char *key, const struct http_words *w)
{
	for (size_t i = 0; i < w->count; i++)
		if (http_json_is(object, key, w->words[i]))
			return true;
	return false;
}

bool http_json_is_true(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

bool http_json_is_false(const json_t *object, const char *key)
{
	return json_is_false(json_object_get(object, key));
}

/* --- fields ----------------------------------------------------------------
 */

/* The text of a member of 1..max bytes without control bytes, or NULL. */
static const char *plain_text(
    const json_t *object, const char *key, size_t max, size_t *len)
{
	const char *text = http_json_text(object, key, len);

	if (!text || *len == 0 || *len > max)
		return NULL;
	for (size_t i = 0; i < *len; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return NULL;
	return text;
}

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
	const char *text = plain_text(object, key, LOGIN_USER_MAX, &len);

	if (!text)
		return false;
	memcpy(l->user, text, len + 1);
	l->user_len = (uint8_t)len;
	return true;
}

bool http_json_session(const json_t *object, const char *key, struct login *l)
{
	size_t len;
	const char *text = plain_text(object, key, LOGIN_SESSION_MAX, &len);

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
