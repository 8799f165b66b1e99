/* SPDX-License-Identifier: ISC */
/*
 * http_change - grants and revocations over HTTP:
 *	{"address":"192.0.2.7","user":"jo","ttl":600}
 *	grant address=192.0.2.7 user=jo ttl=600
 *	ok ttl=600
 *	{"ttl":600}
 */
#include "http_change.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/kv.h"
#include "http/json.h"

enum {
	STATUS_OK = 200,
	STATUS_CONFLICT = 409,
	STATUS_UNAVAILABLE = 503,
	REASON_MAX = 40,
	DIGITS_MAX = 18 /* of 64 bits */
};

struct line {
	char *text;
	size_t used;
	const char *why;
};

static bool fail(struct line *l, const char *why)
{
	l->why = why;
	return false;
}

/* Every member is one of these. */
static bool has_only(json_t *object, const char *const *names)
{
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value)
	{
		size_t i = 0;

		while (names[i] && strcmp(names[i], key) != 0)
			i++;
		if (!names[i])
			return false;
	}
	return true;
}

static bool put(struct line *l, const char *key, const char *value)
{
	return kv_put(l->text, HTTP_CHANGE_LINE - 1, &l->used, key, value) ||
	       fail(l, "the user is too long");
}

/* verb_key: "grant address". *has: the member is there. */
static bool put_address(
    struct line *l, const char *key, const json_t *object, bool *has)
{
	char canonical[ADDR_TEXT_SIZE];
	struct addr addr;
	const char *text;
	size_t len;

	*has = json_object_get(object, "address") != NULL;
	if (!*has)
		return true;
	text = http_json_text(object, "address", &len);
	if (!text || !addr_parse(text, len, &addr))
		return fail(l, "address: expected an IP address");
	(void)addr_print(&addr, canonical);
	return put(l, key, canonical);
}

static bool put_user(
    struct line *l, const char *key, const json_t *object, bool *has)
{
	const char *text;
	size_t len;

	*has = json_object_get(object, "user") != NULL;
	if (!*has)
		return true;
	text = http_json_plain(object, "user", LOGIN_USER_MAX, &len);
	return text ? put(l, key, text)
		    : fail(l, "user: expected a name of 1 to 255 bytes");
}

static bool put_seconds(
    struct line *l, const char *key, const json_t *object, const char *member)
{
	const json_t *value = json_object_get(object, member);
	json_int_t n = json_integer_value(value);

	if (!value)
		return true;
	if (!json_is_integer(value) || n < 1 || n > HTTP_CHANGE_SECONDS)
		return fail(l, "ttl, for: expected seconds, 1 to 315360000");
	return kv_put_int(l->text, HTTP_CHANGE_LINE - 1, &l->used, key, n);
}

static bool make_grant(struct line *l, json_t *object)
{
	static const char *const names[] = { "address", "user", "ttl", NULL };
	bool has_address, has_user;

	if (!has_only(object, names))
		return fail(l, "members are address, user and ttl");
	if (!put_address(l, "grant address", object, &has_address))
		return false;
	if (!has_address)
		return fail(l, "address is missing");
	return put_user(l, "user", object, &has_user) &&
	       put_seconds(l, "ttl", object, "ttl");
}

static bool make_revoke(struct line *l, json_t *object)
{
	static const char *const names[] = { "address", "user", "for",
		"now_only", NULL };
	const json_t *now_only = json_object_get(object, "now_only");
	bool has_address, has_user;

	if (!has_only(object, names))
		return fail(l, "members are address, user, for and now_only");
	if (now_only && !json_is_boolean(now_only))
		return fail(l, "now_only: expected true or false");
	if (!put_address(l, "revoke address", object, &has_address) ||
	    !put_user(
		l, has_address ? "user" : "revoke user", object, &has_user))
		return false;
	if (!has_address && !has_user)
		return fail(l, "address or user is missing");
	return put_seconds(l, "for", object, "for") &&
	       (!json_is_true(now_only) || put(l, "now-only", "yes"));
}

size_t http_change_read(enum http_api_call call, const char *body, size_t len,
    char out[static HTTP_CHANGE_LINE], const char **why)
{
	struct line l = { .text = out };
	json_t *object = http_json_load(body, len);
	bool good;

	out[0] = '\0';
	if (!json_is_object(object))
		good = fail(&l, "malformed JSON, or no object");
	else if (call == HTTP_API_GRANT)
		good = make_grant(&l, object);
	else
		good = call == HTTP_API_REVOKE && make_revoke(&l, object);
	json_decref(object);
	*why = l.why;
	if (!good)
		return 0;
	/* kv_put() leaves a blank behind. */
	out[l.used - 1] = '\n';
	return l.used;
}

/* --- the keeper's answer ---------------------------------------------------
 */

/* A number such as that of "ttl=600", or a word of "reason=revoked". */
static bool find(const char *line, size_t len, const char *key, char *out)
{
	struct kv_word w;
	size_t used;

	while (kv_next(&line, &len, &w) == 1)
		if (w.key_len == strlen(key) &&
		    memcmp(w.key, key, w.key_len) == 0)
			return w.value_len <= REASON_MAX &&
			       kv_decode(w.value, w.value_len, out,
				   REASON_MAX + 1, &used) &&
			       used > 0 &&
			       strspn(out, "abcdefghijklmnopqrstuvwxyz"
					   "0123456789-") == used;
	return false;
}

static bool begins(const char *line, size_t len, const char *word)
{
	size_t n = strlen(word);

	return len >= n && memcmp(line, word, n) == 0;
}

unsigned http_change_answer(enum http_api_call call, const char *line,
    size_t len, char out[static HTTP_CHANGE_ANSWER])
{
	const char *key = call == HTTP_API_GRANT ? "ttl" : "count";
	char value[REASON_MAX + 1];

	if (begins(line, len, "ok ") && find(line, len, key, value) &&
	    strspn(value, "0123456789") == strlen(value) &&
	    strlen(value) <= DIGITS_MAX) {
		(void)snprintf(out, HTTP_CHANGE_ANSWER, "{\"%s\":%lld}", key,
		    strtoll(value, NULL, 10));
		return STATUS_OK;
	}
	if (begins(line, len, "no ") && find(line, len, "reason", value)) {
		(void)snprintf(out, HTTP_CHANGE_ANSWER,
		    "{\"error\":\"the rules give no lease\","
		    "\"reason\":\"%s\"}",
		    value);
		return STATUS_CONFLICT;
	}
	(void)snprintf(out, HTTP_CHANGE_ANSWER, "{\"error\":\"not stored\"}");
	return STATUS_UNAVAILABLE;
}
