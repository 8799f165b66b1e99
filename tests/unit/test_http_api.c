/* SPDX-License-Identifier: ISC */
/*
 * test_http_api - requests of the http listener: which paths there are (those
 * of docs/openapi.json, no more and no less), who may ask, what the words mean,
 * and that pages hold each row once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/mem.h"
#include "listener/http_api.h"
#include "listener/http_openapi.h"
#include "listener_conf.h"

#define READ   "0123456789abcdef"
#define CHANGE "fedcba9876543210"

struct world {
	char dir[64], text[800];
	struct conf *conf;
	struct http_api api;
	struct http_api_ask ask;
};

static void put(const struct world *w, const char *name, const char *text)
{
	char path[128];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", w->dir, name);
	f = fopen(path, "w");
	must(f && fprintf(f, "%s\n", text) > 0 && fclose(f) == 0);
	must(chmod(path, 0600) == 0);
}

/* with: lines of the section; %s in them is the directory, twice. */
static int configure(struct world *w, const char *with, struct err *err)
{
	char body[600];

	http_api_close(&w->api);
	conf_free(&w->conf);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	(void)snprintf(body, sizeof(body), with, w->dir, w->dir);
#pragma GCC diagnostic pop
	(void)snprintf(w->text, sizeof(w->text),
	    "listener web { kind = \"http\"\n%s }\n", body);
	*err = (struct err){ 0 };
	w->conf = listener_conf_text(w->text);
	return http_api_open(&w->api, conf_at(w->conf, "listener", 0), err);
}

#define TOKENS                                                                 \
	"token-file = \"%s/read\" change-token-file = \"%s/change\"\n"         \
	"listen = \"inet:127.0.0.1:8025\""

static int setup(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));
	struct err err;

	(void)snprintf(w->dir, sizeof(w->dir), "/tmp/test-http-api-XXXXXX");
	must(mkdtemp(w->dir) != NULL);
	put(w, "read", READ);
	put(w, "change", CHANGE);
	put(w, "short", "0123456789");
	must(configure(w, TOKENS, &err) == 0);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	static const char *const names[] = { "read", "change", "short" };
	struct world *w = *state;
	char path[128];

	http_api_close(&w->api);
	conf_free(&w->conf);
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", w->dir, names[i]);
		(void)unlink(path);
	}
	(void)rmdir(w->dir);
	free(w);
	return 0;
}

static struct http_text text_of(const char *text)
{
	return (struct http_text){ text, strlen(text) };
}

static struct http_head head_of(const char *method, const char *target)
{
	struct http_head h = { .method = method,
		.path = "/",
		.target = target,
		.host = text_of("localhost:8025"),
		.authorization = text_of("Bearer " CHANGE),
		.size = 200 };

	if (strcmp(method, "POST") == 0) {
		h.type = text_of("application/json");
		h.length = text_of("2");
	}
	return h;
}

static unsigned judge(struct world *w, const struct http_head *h)
{
	return http_api_judge(&w->api, h, false, &w->ask).status;
}

static unsigned get(struct world *w, const char *target)
{
	struct http_head h = head_of("GET", target);

	return judge(w, &h);
}

/* --- routes ----------------------------------------------------------------
 */

static void test_routes_are_those_of_the_openapi_file(void **state)
{
	json_t *file = json_loadb(http_openapi, http_openapi_len, 0, NULL);
	json_t *paths = json_object_get(file, "paths"), *path;
	size_t described = 0, served = 0;
	const char *name;

	(void)state;
	assert_non_null(paths);
	json_object_foreach(paths, name, path) described +=
	    json_object_size(path);
	for (const struct http_api_route *r = http_api_routes; r->method; r++) {
		const char *method =
		    strcmp(r->method, "GET") == 0 ? "get" : "post";
		const json_t *o =
		    json_object_get(json_object_get(paths, r->path), method);

		if (!o)
			fail_msg("%s %s is not described", r->method, r->path);
		/* What needs a token says so. */
		assert_int_equal(r->right != HTTP_API_ANYBODY,
		    json_array_size(json_object_get(o, "security")) > 0);
		served++;
	}
	assert_int_equal(served, described);
	json_decref(file);
}

static void test_words_are_those_of_the_openapi_file(void **state)
{
	json_t *file = json_loadb(http_openapi, http_openapi_len, 0, NULL);
	json_t *paths = json_object_get(file, "paths");

	(void)state;
	for (const struct http_api_route *r = http_api_routes; r->method; r++) {
		const json_t *o =
		    json_object_get(json_object_get(paths, r->path),
			strcmp(r->method, "GET") == 0 ? "get" : "post");
		char words[200] = "";
		size_t i, at = 0;
		json_t *p;

		json_array_foreach(json_object_get(o, "parameters"), i, p)
		{
			if (strcmp(json_string_value(json_object_get(p, "in")),
				"query") != 0)
				continue;
			at += (size_t)snprintf(words + at, sizeof(words) - at,
			    "%s%s", at ? " " : "",
			    json_string_value(json_object_get(p, "name")));
		}
		assert_string_equal(words, r->words);
	}
	json_decref(file);
}

static void test_paths_and_methods(void **state)
{
	struct world *w = *state;
	struct http_head h;

	assert_int_equal(get(w, "/health"), 0);
	assert_int_equal(w->ask.call, HTTP_API_HEALTH);
	assert_int_equal(get(w, "/v1/leases/192.0.2.7"), 0);
	assert_int_equal(w->ask.call, HTTP_API_ONE);
	assert_int_equal(get(w, "/v1/leases"), 0);
	assert_int_equal(w->ask.call, HTTP_API_LIST);
	h = head_of("POST", "/v1/leases");
	assert_int_equal(judge(w, &h), 0);
	assert_int_equal(w->ask.call, HTTP_API_GRANT);
	assert_int_equal(get(w, "/"), 404);
	assert_int_equal(get(w, "/v1/leases/"), 404);
	assert_int_equal(get(w, "/V1/leases"), 404);
	assert_int_equal(get(w, "/v1/revocations"), 405);
	assert_string_equal(w->ask.allow, "POST");
	h = head_of("DELETE", "/v1/leases");
	assert_int_equal(judge(w, &h), 405);
	assert_string_equal(w->ask.allow, "GET, POST");
	h = head_of("HEAD", "/metrics");
	assert_int_equal(judge(w, &h), 405);
	assert_int_equal(w->ask.call, HTTP_API_NONE);
}

/* --- who may ask -----------------------------------------------------------
 */

static unsigned with_token(
    struct world *w, const char *method, const char *target, const char *auth)
{
	struct http_head h = head_of(method, target);

	h.authorization = auth ? text_of(auth) : (struct http_text){ 0 };
	return judge(w, &h);
}

static void test_tokens(void **state)
{
	struct world *w = *state;
	static const char *const wrong[] = { NULL, "", "Bearer ", "Bearer x",
		"Bearer " READ "x", "Bearer 0123456789abcde", "Basic " READ,
		READ, "Bearer  " READ };

	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		assert_int_equal(
		    with_token(w, "GET", "/v1/leases", wrong[i]), 401);
		assert_int_equal(
		    with_token(w, "GET", "/metrics", wrong[i]), 401);
		assert_int_equal(
		    with_token(w, "POST", "/v1/leases", wrong[i]), 401);
		assert_int_equal(with_token(w, "GET", "/health", wrong[i]), 0);
	}
	assert_int_equal(with_token(w, "GET", "/v1/leases", "Bearer " READ), 0);
	assert_true(w->ask.users);
	assert_int_equal(
	    with_token(w, "GET", "/v1/leases", "bearer " CHANGE), 0);
	assert_int_equal(
	    with_token(w, "POST", "/v1/leases", "Bearer " READ), 403);
	assert_int_equal(
	    with_token(w, "POST", "/v1/revocations", "Bearer " CHANGE), 0);
}

/* A monitoring system's token opens no relay. */
static void test_one_token_is_not_for_both(void **state)
{
	struct world *w = *state;
	struct err err = { 0 };

	assert_int_equal(configure(w,
			     "token-file = \"%s/read\" "
			     "change-token-file = \"%s/read\"",
			     &err),
	    -1);
	assert_non_null(strstr(err.text, "must be another"));
}

static void test_without_a_change_token_nothing_changes(void **state)
{
	struct world *w = *state;
	struct err err;

	assert_int_equal(configure(w, "token-file = \"%s/read\"", &err), 0);
	assert_false(http_api_changes(conf_at(w->conf, "listener", 0)));
	assert_int_equal(
	    with_token(w, "POST", "/v1/leases", "Bearer " READ), 403);
	assert_int_equal(with_token(w, "POST", "/v1/revocations", NULL), 403);
	assert_int_equal(with_token(w, "GET", "/v1/leases", "Bearer " READ), 0);
}

static void test_a_unix_socket_needs_no_token_to_look(void **state)
{
	struct world *w = *state;
	struct http_head h = head_of("GET", "/v1/leases?user=jo");
	struct err err;

	assert_int_equal(configure(w, "show-user = {\"root\"}", &err), 0);
	assert_int_equal(with_token(w, "GET", "/v1/leases", NULL), 0);
	assert_false(w->ask.users);
	/* One that is brought must be good. */
	assert_int_equal(
	    with_token(w, "GET", "/v1/leases", "Bearer " READ), 401);
	h.authorization = (struct http_text){ 0 };
	assert_int_equal(judge(w, &h), 403);
	h.target = "/v1/explain?address=192.0.2.1";
	assert_int_equal(judge(w, &h), 403);
	h.target = "/v1/check?address=192.0.2.1&user=jo";
	assert_int_equal(judge(w, &h), 403);
	assert_int_equal(http_api_judge(&w->api, &h, true, &w->ask).status, 0);
	assert_true(w->ask.users);
}

static void test_heads_of_browsers(void **state)
{
	struct world *w = *state;
	struct http_head h = head_of("GET", "/health");

	h.origin = text_of("http://localhost:8025");
	assert_int_equal(judge(w, &h), 403);
	h = head_of("GET", "/health");
	h.host = text_of("evil.example.org");
	assert_int_equal(judge(w, &h), 421);
	h.host = (struct http_text){ 0 };
	assert_int_equal(judge(w, &h), 400);
	h = head_of("POST", "/v1/leases");
	h.type = text_of("text/plain");
	assert_int_equal(judge(w, &h), 415);
	h = head_of("GET", "/v1/leases");
	h.length = text_of("5");
	assert_int_equal(judge(w, &h), 400);
	h.length = text_of("0");
	assert_int_equal(judge(w, &h), 0);
	h.coding = text_of("chunked");
	assert_int_equal(judge(w, &h), 400);
}

static void test_bad_sections(void **state)
{
	struct world *w = *state;
	struct err err;
	static const struct {
		const char *section, *says;
	} rows[] = {
		{ "listen = \"inet:127.0.0.1:8025\"", "token-file" },
		{ "token-file = \"%s/none\"", "token-file" },
		{ "token-file = \"%s/short\"", "16 to 512" },
		{ "change-token-file = \"%s/short\"", "change-token-file" },
		{ "listen = \"inet:127.0.0.1:8025\"\n"
		  "change-token-file = \"%s/change\"",
		    "token-file" },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		assert_int_equal(configure(w, rows[i].section, &err), -1);
		assert_int_equal(err.code, EXIT_USER);
		assert_non_null(strstr(err.text, rows[i].says));
		assert_null(strstr(err.text, READ));
	}
}

/* --- words -----------------------------------------------------------------
 */

static void test_questions(void **state)
{
	struct world *w = *state;
	const struct question *q = &w->ask.question;

	assert_int_equal(get(w, "/v1/check?address=192.0.2.7"), 0);
	assert_true(q->asked && !q->has_sender && !q->has_user);
	assert_int_equal(get(w, "/v1/check?address=2001:db8::7&sender=&"
				"recipient=a%40example.org&user=j%2Bo"),
	    0);
	assert_true(q->has_sender && q->sender_len == 0);
	assert_string_equal(q->recipient, "a@example.org");
	assert_string_equal(q->user, "j+o");
	assert_int_equal(q->user_len, 3);
	assert_int_equal(get(w, "/v1/check"), 400);
	assert_int_equal(get(w, "/v1/check?address=192.0.2.07"), 400);
	assert_int_equal(get(w, "/v1/check?address=192.0.2.7&mark=x"), 400);
	assert_int_equal(get(w, "/v1/check?address=192.0.2.7&send=x"), 400);
	assert_int_equal(get(w, "/health?x=1"), 400);
}

static void test_filters(void **state)
{
	struct world *w = *state;
	const struct http_api_filter *f = &w->ask.filter;

	assert_int_equal(get(w, "/v1/leases"), 0);
	assert_int_equal(f->limit, HTTP_API_PAGE);
	assert_false(f->has_network || f->has_user || f->has_after);
	assert_int_equal(
	    get(w, "/v1/leases?network=192.0.2.0/24&limit=500&source=log"), 0);
	assert_true(f->has_network && f->limit == 500);
	assert_string_equal(f->source, "log");
	assert_int_equal(get(w, "/v1/leases?user="), 0);
	assert_true(f->has_user && f->user_len == 0);
	assert_int_equal(get(w, "/v1/leases?limit=00000000000000000501"), 400);
	assert_int_equal(get(w, "/v1/leases?limit=99999999999999999999"), 400);
	assert_int_equal(get(w, "/v1/leases?limit=-1"), 400);
	assert_int_equal(get(w, "/v1/leases?limit="), 400);
	assert_int_equal(get(w, "/v1/leases?after="), 400);
	assert_int_equal(
	    get(w, "/v1/leases?after=00000000000000000000ffffc0000201"), 0);
	assert_true(f->has_after && f->after_len == 0);
	assert_int_equal(
	    get(w, "/v1/leases?after=00000000000000000000FFFFC0000201"), 400);
	assert_int_equal(
	    get(w, "/v1/leases?after=00000000000000000000ffffc000020"), 400);
	assert_int_equal(get(w, "/v1/leases/192.0.2.7?limit=5"), 400);
}

static struct lease row_of(const char *addr, const char *user)
{
	struct lease l = { .bits = 128, .user_len = (uint8_t)strlen(user) };

	assert_true(addr_parse(addr, strlen(addr), &l.addr));
	memcpy(l.user, user, l.user_len);
	return l;
}

/* Rows in the ledger's order: each begins the page behind the one before. */
static void test_pages_go_on_behind_their_last_row(void **state)
{
	struct world *w = *state;
	const struct lease rows[] = { row_of("192.0.2.1", ""),
		row_of("192.0.2.1", "a"), row_of("192.0.2.1", "ab"),
		row_of("192.0.2.1", "b"), row_of("192.0.2.2", ""),
		row_of("192.0.2.2", "a"), row_of("192.0.2.2", "\xff"),
		row_of("2001:db8::1", "a") };

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char target[HTTP_API_AFTER_SIZE + 40],
		    after[HTTP_API_AFTER_SIZE];

		http_api_after(&rows[i], after);
		(void)snprintf(
		    target, sizeof(target), "/v1/leases?after=%s", after);
		assert_int_equal(get(w, target), 0);
		assert_true(addr_equal(&w->ask.filter.after, &rows[i].addr));
		for (size_t j = 0; j < COUNT_OF(rows); j++)
			assert_int_equal(
			    http_api_is_new(&w->ask.filter, &rows[j]), j > i);
	}
	assert_int_equal(get(w, "/v1/leases"), 0);
	assert_true(http_api_is_new(&w->ask.filter, &rows[0]));
}

static void test_the_longest_user_has_a_next_page(void **state)
{
	struct world *w = *state;
	char user[LOGIN_USER_MAX + 1], after[HTTP_API_AFTER_SIZE];
	char target[HTTP_API_AFTER_SIZE + 40];
	struct lease row;

	memset(user, '\xfe', LOGIN_USER_MAX);
	user[LOGIN_USER_MAX] = '\0';
	row = row_of("192.0.2.1", user);
	http_api_after(&row, after);
	(void)snprintf(target, sizeof(target), "/v1/leases?after=%s", after);
	assert_int_equal(get(w, target), 0);
	assert_int_equal(w->ask.filter.after_len, LOGIN_USER_MAX);
	assert_false(http_api_is_new(&w->ask.filter, &row));
}

static void test_wants(void **state)
{
	struct world *w = *state;
	const struct lease jo = row_of("192.0.2.1", "jo"),
			   al = row_of("198.51.100.1", "al");
	const struct http_api_filter *f = &w->ask.filter;

	assert_int_equal(get(w, "/v1/leases?user=jo"), 0);
	assert_true(http_api_wants(f, &jo, "log"));
	assert_false(http_api_wants(f, &al, "log"));
	assert_int_equal(get(w, "/v1/leases?user=j"), 0);
	assert_false(http_api_wants(f, &jo, "log"));
	assert_int_equal(get(w, "/v1/leases?network=198.51.100.0/24"), 0);
	assert_false(http_api_wants(f, &jo, "log"));
	assert_true(http_api_wants(f, &al, "log"));
	assert_int_equal(get(w, "/v1/leases?source=log"), 0);
	assert_true(http_api_wants(f, &jo, "log"));
	assert_false(http_api_wants(f, &jo, "logs"));
	assert_false(http_api_wants(f, &jo, ""));
	assert_int_equal(get(w, "/v1/leases/192.0.2.1"), 0);
	assert_true(http_api_wants(f, &jo, "x"));
	assert_false(http_api_wants(f, &al, "x"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_routes_are_those_of_the_openapi_file),
		TEST(test_words_are_those_of_the_openapi_file),
		TEST(test_paths_and_methods),
		TEST(test_tokens),
		TEST(test_one_token_is_not_for_both),
		TEST(test_without_a_change_token_nothing_changes),
		TEST(test_a_unix_socket_needs_no_token_to_look),
		TEST(test_heads_of_browsers),
		TEST(test_bad_sections),
		TEST(test_questions),
		TEST(test_filters),
		TEST(test_pages_go_on_behind_their_last_row),
		TEST(test_the_longest_user_has_a_next_page),
		TEST(test_wants),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
