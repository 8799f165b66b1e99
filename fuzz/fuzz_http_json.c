/* SPDX-License-Identifier: ISC */
/*
 * fuzz_http_json - any bytes as a body of the http source. Whatever is told is
 * complete and within its limits, and a second look with jansson alone finds in
 * the body what the login says.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "source/http_event.h"
#include "source/http_notice.h"
#include "source/http_policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NOW = 1000 };

static const struct http_words words = { { "imap", "pop3" }, 2 };

static void check_text(const char *text, size_t len)
{
	must(strlen(text) == len);
	for (size_t i = 0; i < len; i++)
		must((unsigned char)text[i] >= 0x20 && text[i] != 0x7f);
}

static void check_login(const struct login *l)
{
	must(l->kind == LOGIN_IN || l->kind == LOGIN_OUT ||
	     l->kind == LOGIN_ALIVE);
	must(l->user_len > 0);
	if (l->kind != LOGIN_IN)
		must(l->session_len > 0);
	must(l->tls <= 1 && l->server[0] && !l->userless && !l->mpid);
	must(l->time >= 0);
	check_text(l->user, l->user_len);
	check_text(l->session, l->session_len);
}

/* A member's text, read the simplest way; never NULL. */
static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static bool addr_is(
    const json_t *object, const char *key, const struct login *l)
{
	const char *text = text_of(object, key);
	struct addr a;

	return addr_parse(text, strlen(text), &a) && addr_equal(&a, &l->addr);
}

static bool is_mail(const char *protocol)
{
	return strcmp(protocol, "imap") == 0 || strcmp(protocol, "pop3") == 0;
}

static void check_policy(const char *body, size_t len)
{
	struct login l;
	enum http_told told = http_policy_read(body, len, &words, NOW, &l);
	json_t *j;

	if (told != HTTP_TOLD_LOGIN) {
		must(l.kind == LOGIN_NOTHING);
		return;
	}
	check_login(&l);
	j = json_loadb(body, len, JSON_REJECT_DUPLICATES, NULL);
	must(l.kind == LOGIN_IN && l.time == NOW);
	must(json_is_true(json_object_get(j, "success")));
	must(json_is_false(json_object_get(j, "policy_reject")));
	must(is_mail(text_of(j, "protocol")) && addr_is(j, "remote", &l));
	must(strcmp(text_of(j, "login"), l.user) == 0);
	json_decref(j);
}

static void check_event(const char *body, size_t len)
{
	struct login l;
	enum http_told told = http_event_read(body, len, &words, NOW, &l);
	const json_t *f;
	json_t *j;

	if (told != HTTP_TOLD_LOGIN) {
		must(l.kind == LOGIN_NOTHING);
		return;
	}
	check_login(&l);
	j = json_loadb(body, len, JSON_REJECT_DUPLICATES, NULL);
	f = json_object_get(j, "fields");
	must(strcmp(text_of(f, "user"), l.user) == 0);
	if (l.kind == LOGIN_IN) {
		must(strcmp(text_of(j, "event"), "auth_request_finished") == 0);
		must(strcmp(text_of(f, "success"), "yes") == 0);
		must(is_mail(text_of(f,
		    json_object_get(f, "service") ? "service" : "protocol")));
		must(addr_is(f, "remote_ip", &l));
	} else {
		must(strcmp(text_of(j, "event"),
			 "mail_user_session_finished") == 0);
		must(strcmp(text_of(f, "session"), l.session) == 0);
	}
	json_decref(j);
}

static void check_notices(const char *body, size_t len)
{
	static struct http_notices n;
	const char *why;
	bool good = http_notice_read(body, len, NOW, &n, &why);
	json_t *j;

	must(good == (why == NULL) && good == (n.count > 0));
	if (!good)
		return;
	j = json_loadb(body, len, JSON_REJECT_DUPLICATES, NULL);
	must(n.array == json_is_array(j) && n.count <= HTTP_NOTICES_MAX);
	for (size_t i = 0; i < n.count; i++) {
		const json_t *o = n.array ? json_array_get(j, i) : j;

		check_login(&n.logins[i]);
		must(strcmp(text_of(o, "user"), n.logins[i].user) == 0);
		if (n.logins[i].kind != LOGIN_OUT)
			must(addr_is(o, "ip", &n.logins[i]));
	}
	json_decref(j);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* A copy that ends at its last byte, so that reading on is caught. */
	AUTO_FREE char *body = xmalloc(size ? size : 1);

	if (size)
		memcpy(body, data, size);
	check_policy(body, size);
	check_event(body, size);
	check_notices(body, size);
	return 0;
}
