/* SPDX-License-Identifier: ISC */
/*
 * fuzz_http_api - any target of a request, and any body that would change
 * something. First byte: which of them.
 *
 * Oracles: what a target means stays the same when its decoded words are coded
 * again; no GET is ever a change; nothing but a POST with the right token is;
 * a body gives one line, whose words are a verb with address, user, ttl, for
 * and now-only, each once; a keeper's line gives JSON.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/kv.h"
#include "base/mem.h"
#include "http/json.h"
#include "http/uri.h"
#include "listener/http_api.h"
#include "listener/http_change.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TEXT_MAX = 8000, CODED_MAX = 120000 };

static char token[] = "0123456789abcdef";

static void code(char *out, size_t *at, const char *text)
{
	for (; *text; text++)
		*at += (size_t)snprintf(out + *at, CODED_MAX - *at,
		    strchr("/-_.~", *text) ? "%c" : "%%%02X",
		    (unsigned char)*text);
}

/* Coded to the last byte, it is the same target. */
static void read_again(const struct http_uri *u)
{
	AUTO_FREE char *out = xmalloc(CODED_MAX);
	AUTO_FREE struct http_uri *again = xmalloc(sizeof(*again));
	size_t at = 0;

	out[0] = '\0';
	code(out, &at, u->path);
	for (size_t i = 0; i < u->count; i++) {
		at += (size_t)snprintf(out + at, CODED_MAX - at,
		    "%c%s=", i ? '&' : '?', u->pairs[i].name);
		code(out, &at, u->pairs[i].value);
	}
	if (at > HTTP_URI_MAX)
		return;
	must(http_uri_parse(out, again) == NULL);
	must(strcmp(again->path, u->path) == 0 && again->count == u->count);
	for (size_t i = 0; i < u->count; i++)
		must(strcmp(again->pairs[i].value, u->pairs[i].value) == 0);
}

static void judge(const char *target, bool post, bool good)
{
	struct http_api api = { .change = token,
		.change_len = sizeof(token) - 1 };
	struct http_head h = { .method = post ? "POST" : "GET",
		.path = "/",
		.target = target,
		.host = { "localhost", 9 } };
	struct http_api_ask ask;
	struct http_refusal no;
	bool change;

	http_hosts_add(&api.hosts, "localhost");
	h.authorization.text =
	    good ? "Bearer 0123456789abcdef" : "Bearer 0123456789abcdeg";
	h.authorization.len = strlen(h.authorization.text);
	if (post) {
		h.type = (struct http_text){ "application/json", 16 };
		h.length = (struct http_text){ "2", 1 };
	}
	no = http_api_judge(&api, &h, false, &ask);
	change = ask.call == HTTP_API_GRANT || ask.call == HTTP_API_REVOKE;
	must((no.status == 0) == (ask.call != HTTP_API_NONE));
	must(!change || (post && good));
	must(!post || change || no.status);
	must(no.status || (ask.filter.limit <= HTTP_API_PAGE_MAX &&
			      ask.filter.after_len <= LOGIN_USER_MAX));
	must(no.status || (ask.question.user_len <= LOGIN_USER_MAX &&
			      ask.question.sender_len <= QUESTION_MAIL_MAX));
	http_hosts_free(&api.hosts);
}

static void target(const char *text)
{
	AUTO_FREE struct http_uri *u = xmalloc(sizeof(*u));

	if (http_uri_parse(text, u) == NULL)
		read_again(u);
	for (unsigned i = 0; i < 4; i++)
		judge(text, i & 1, i & 2);
}

static void check_words(const char *line, size_t len, bool grant)
{
	static const char *const known[] = { "address", "user", "ttl", "for",
		"now-only" };
	unsigned seen = 0;
	struct kv_word w;
	int got;

	must(kv_next(&line, &len, &w) == 1 && !w.key_len);
	must(w.value_len == strlen(grant ? "grant" : "revoke"));
	while ((got = kv_next(&line, &len, &w)) == 1) {
		size_t i = 0;

		while (i < COUNT_OF(known) &&
		       (strlen(known[i]) != w.key_len ||
			   memcmp(known[i], w.key, w.key_len) != 0))
			i++;
		must(i < COUNT_OF(known) && !(seen & 1U << i));
		seen |= 1U << i;
	}
	must(got == 0 && (seen & (grant ? 1U : 3U)));
}

static void body(const char *text, size_t len, bool grant)
{
	char line[HTTP_CHANGE_LINE];
	const char *why = NULL;
	size_t n = http_change_read(
	    grant ? HTTP_API_GRANT : HTTP_API_REVOKE, text, len, line, &why);

	must((n == 0) == (why != NULL));
	if (n == 0)
		return;
	must(n < HTTP_CHANGE_LINE && memchr(line, '\n', n) == line + n - 1);
	check_words(line, n - 1, grant);
}

static void keeper(const char *line, size_t len)
{
	char out[HTTP_CHANGE_ANSWER];
	unsigned status = http_change_answer(HTTP_API_GRANT, line, len, out);
	json_t *json = json_loads(out, JSON_REJECT_DUPLICATES, NULL);

	must(json_is_object(json));
	must(status != 200 || json_is_integer(json_object_get(json, "ttl")));
	must(status == 200 || json_object_get(json, "error"));
	json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_FREE char *text = NULL;

	if (size < 1 || size > TEXT_MAX)
		return 0;
	text = xstrndup((const char *)data + 1, size - 1);
	switch (data[0] % 4) {
	case 0:
		target(text);
		break;
	case 1:
	case 2:
		/* A copy of that size: whatever reads behind it is seen. */
		body(text, strlen(text), data[0] % 4 == 1);
		break;
	default:
		keeper(text, strlen(text));
	}
	return 0;
}
