/* SPDX-License-Identifier: ISC */
/*
 * http_notice - our own JSON to logins. Strict: who posts it was written for
 * us, and a misspelt key must not pass for one that was left out.
 */
#include "http_notice.h"

#include <string.h>

#include "base/mem.h"

static const char server[] = "http";

enum need { MUST, MAY, MUST_NOT };

static bool read_time(const json_t *notice, const char *key, struct login *l)
{
	return http_json_time(notice, key, &l->time);
}

static bool read_tls(const json_t *notice, const char *key, struct login *l)
{
	const json_t *tls = json_object_get(notice, key);

	l->tls = json_is_true(tls);
	return json_is_boolean(tls);
}

/* By its own function: it chooses the column of the others. */
static bool read_kind(const json_t *notice, const char *key, struct login *l)
{
	(void)notice;
	(void)key;
	(void)l;
	return true;
}

enum { COLUMNS = 3 };
static const struct column {
	const char *word;
	enum login_kind kind;
} columns[COLUMNS] = {
	{ "login", LOGIN_IN },
	{ "alive", LOGIN_ALIVE },
	{ "logout", LOGIN_OUT },
};

static const struct key {
	const char *name;
	enum need needs[COLUMNS];
	bool (*read)(const json_t *notice, const char *key, struct login *l);
	const char *missing, *wrong;
} keys[] = {
	{ "kind", { MAY, MUST, MUST }, read_kind, "", "" },
	{ "ip", { MUST, MUST, MAY }, http_json_addr, "ip is missing",
	    "ip is no address" },
	{ "user", { MUST, MUST, MUST }, http_json_user, "user is missing",
	    "user is not 1 to 255 bytes without control bytes" },
	{ "session", { MAY, MUST, MUST }, http_json_session,
	    "session is missing",
	    "session is not 1 to 95 bytes without control bytes" },
	{ "server", { MAY, MAY, MAY }, http_json_server, "",
	    "server is not 1 to 23 of a-z 0-9 -" },
	{ "tls", { MAY, MAY, MUST_NOT }, read_tls, "",
	    "tls is neither true nor false" },
	{ "time", { MAY, MAY, MAY }, read_time, "",
	    "time is not RFC 3339 with a zone" },
};

/* The column of the notice's kind, or -1. */
static int find_column(const json_t *notice)
{
	if (!json_object_get(notice, "kind"))
		return 0;
	for (int i = 0; i < COLUMNS; i++)
		if (http_json_is(notice, "kind", columns[i].word))
			return i;
	return -1;
}

/* NULL: good. */
static const char *read_one(const json_t *notice, struct login *l)
{
	int column;
	size_t known = 0;

	if (!json_is_object(notice))
		return "an object is expected";
	column = find_column(notice);
	if (column < 0)
		return "kind is not login, alive or logout";
	l->kind = (uint8_t)columns[column].kind;
	for (size_t i = 0; i < COUNT_OF(keys); i++) {
		const struct key *k = &keys[i];
		enum need need = k->needs[column];

		if (!json_object_get(notice, k->name)) {
			if (need == MUST)
				return k->missing;
			continue;
		}
		if (need == MUST_NOT)
			return "a key does not belong to this kind";
		if (!k->read(notice, k->name, l))
			return k->wrong;
		known++;
	}
	if (known != json_object_size(notice))
		return "there is a key that nobody knows";
	return NULL;
}

static const char *read_all(
    const json_t *body, int64_t now, struct http_notices *out)
{
	size_t n = json_is_array(body) ? json_array_size(body) : 1;

	if (!body)
		return "malformed JSON";
	if (n < 1 || n > HTTP_NOTICES_MAX)
		return "1 to 64 notices are expected";
	out->array = json_is_array(body);
	for (size_t i = 0; i < n; i++) {
		struct login *l = &out->logins[i];
		const char *why;

		memset(l, 0, sizeof(*l));
		l->time = now;
		memcpy(l->server, server, sizeof(server));
		why = read_one(out->array ? json_array_get(body, i) : body, l);
		if (why)
			return why;
	}
	out->count = n;
	return NULL;
}

bool http_notice_read(const char *body, size_t len, int64_t now,
    struct http_notices *out, const char **why)
{
	json_t *json = http_json_load(body, len);

	out->array = false;
	out->count = 0;
	*why = read_all(json, now, out);
	json_decref(json);
	return *why == NULL;
}
