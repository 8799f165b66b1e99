/* SPDX-License-Identifier: ISC */
/*
 * json - JSON bodies under limits. Depth is looked at before jansson gets the
 * text: its own limit is far above what any request needs.
 */
#include "json.h"

#include <string.h>

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

bool http_json_is_true(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

bool http_json_is_false(const json_t *object, const char *key)
{
	return json_is_false(json_object_get(object, key));
}

const char *http_json_plain(
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
