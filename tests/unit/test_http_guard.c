/* SPDX-License-Identifier: ISC */
/*
 * test_http_guard - which heads of requests may have an effect, and which
 * configurations are refused.
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

#include "base/mem.h"
#include "source/http_guard.h"
#include "source/source.h"

#define SECRET "0123456789abcdef"
#define TOKEN  "fedcba9876543210fedcba"

struct world {
	char dir[64];
	char text[1500];
	struct conf *conf;
	struct http_guard guard;
};

static void put(const struct world *w, const char *name, const char *text)
{
	char path[128];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", w->dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, 0600), 0);
}

static int setup(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));

	(void)snprintf(w->dir, sizeof(w->dir), "/tmp/test-http-guard-XXXXXX");
	must(mkdtemp(w->dir) != NULL);
	put(w, "secret", SECRET "\n");
	put(w, "token", TOKEN "\n");
	put(w, "short", "tooshort\n");
	put(w, "blank", "0123456789 abcdef\n");
	put(w, "slash", "0123456789/abcdef\n");
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	static const char *const names[] = { "secret", "token", "short",
		"blank", "slash" };
	char path[128];

	http_guard_close(&w->guard);
	conf_free(&w->conf);
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", w->dir, names[i]);
		(void)unlink(path);
	}
	(void)rmdir(w->dir);
	free(w);
	return 0;
}

/* A section with these lines; %s in them is the directory. */
static int configure(struct world *w, const char *lines, struct err *err)
{
	const struct source_kind *http = source_kind_find("http");
	static struct conf_kind kind;
	static const struct conf_kind *const kinds[] = { &kind, NULL };
	static const struct option none[] = { OPTION_END };
	static const struct conf_schema schema[] = {
		{ "source", "Where logins come from.", none, kinds }, { 0 }
	};
	char body[1000];

	assert_non_null(http);
	kind = (struct conf_kind){ http->name, http->help, http->options };
	http_guard_close(&w->guard);
	conf_free(&w->conf);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	(void)snprintf(body, sizeof(body), lines, w->dir, w->dir);
#pragma GCC diagnostic pop
	(void)snprintf(w->text, sizeof(w->text),
	    "source web { kind = \"http\"\n%s }\n", body);
	*err = (struct err){ 0 };
	w->conf = conf_parse(w->text, strlen(w->text), "test", schema, err);
	if (!w->conf)
		fail_msg("%s", err->text);
	return http_guard_open(&w->guard, conf_at(w->conf, "source", 0), err);
}

#define ALL                                                                    \
	"secret-file = \"%s/secret\" token-file = \"%s/token\" events = yes\n" \
	"listen = {\"tcp:192.0.2.1:80\", \"tcp:[2001:db8::1]:80\"}"

static struct http_text text_of(const char *text)
{
	return (struct http_text){ text, strlen(text) };
}

static struct http_head report(void)
{
	return (struct http_head){
		.method = "POST",
		.path = "/policy",
		.command = text_of("report"),
		.host = text_of("127.0.0.1:11080"),
		.type = text_of("application/json"),
		.length = text_of("20"),
		.key = text_of(SECRET),
		.size = 300,
	};
}

static unsigned judge(const struct world *w, const struct http_head *h)
{
	struct http_refusal why = { 0 };
	enum http_route route = http_guard_judge(&w->guard, h, &why);

	assert_int_equal(route == HTTP_REFUSED, why.status != 0);
	if (why.status)
		assert_non_null(why.reason);
	return why.status;
}

static void test_http_guard_finds_each_route(void **state)
{
	struct world *w = *state;
	struct http_head h = report();
	struct http_refusal why;
	struct err err;

	assert_int_equal(configure(w, ALL, &err), 0);
	assert_int_equal(http_guard_judge(&w->guard, &h, &why), HTTP_REPORT);
	h.command = text_of("allow");
	assert_int_equal(http_guard_judge(&w->guard, &h, &why), HTTP_ALLOW);
	h.path = "/login";
	h.authorization = text_of("Bearer " TOKEN);
	h.key.text = NULL;
	assert_int_equal(http_guard_judge(&w->guard, &h, &why), HTTP_NOTICE);
	h.path = "/event/" SECRET;
	h.authorization.text = NULL;
	h.type = text_of("application/json; charset=utf-8");
	h.length.text = NULL;
	h.coding = text_of("chunked");
	assert_int_equal(http_guard_judge(&w->guard, &h, &why), HTTP_EVENT);
}

static void test_http_guard_wants_the_right_secret(void **state)
{
	struct world *w = *state;
	static const char *const wrong[] = { "", "0123456789abcde",
		"0123456789abcdeg", "0123456789abcdef0", TOKEN };
	static const char *const bearers[] = { TOKEN,
		"Basic fedcba9876543210fedcba", "Bearer ", "Bearer",
		"Bearer 0123456789abcdef", "Bearer  fedcba9876543210fedcba",
		"Bearer fedcba9876543210fedcba " };
	static const char *const paths[] = { "/event/", "/event/" TOKEN,
		"/event/" SECRET "/", "/event//" SECRET };
	struct http_head h = report();
	struct err err;

	assert_int_equal(configure(w, ALL, &err), 0);
	h.key.text = NULL;
	assert_int_equal(judge(w, &h), 401);
	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		h.key = text_of(wrong[i]);
		assert_int_equal(judge(w, &h), 401);
	}
	h.path = "/login";
	h.key = text_of(SECRET);
	assert_int_equal(judge(w, &h), 401);
	for (size_t i = 0; i < COUNT_OF(bearers); i++) {
		h.authorization = text_of(bearers[i]);
		assert_int_equal(judge(w, &h), 401);
	}
	for (size_t i = 0; i < COUNT_OF(paths); i++) {
		h.path = paths[i];
		assert_int_equal(judge(w, &h), 401);
	}
}

static void test_http_guard_knows_its_hosts(void **state)
{
	struct world *w = *state;
	static const struct {
		const char *host;
		unsigned status;
	} rows[] = {
		{ "localhost", 0 },
		{ "LocalHost:1", 0 },
		{ "127.0.0.1", 0 },
		{ "[::1]:11080", 0 },
		{ "[::1]", 0 },
		{ "192.0.2.1:80", 0 },
		{ "[2001:db8::1]:80", 0 },
		{ "192.0.2.2", 421 },
		{ "evil.example.org", 421 },
		{ "localhost.example.org", 421 },
		{ "localhost:80:80", 421 },
		{ "localhost:x", 421 },
		{ "localhost@evil", 421 },
		{ "[::1", 421 },
		{ "[::1]x", 421 },
		{ "::1", 421 },
		{ ":80", 421 },
		{ "", 421 },
	};
	struct http_head h = report();
	struct err err;

	assert_int_equal(configure(w, ALL, &err), 0);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		h.host = text_of(rows[i].host);
		if (judge(w, &h) != rows[i].status)
			fail_msg("%s", rows[i].host);
	}
	h.host.text = NULL;
	assert_int_equal(judge(w, &h), 400);
}

/* One thing wrong at a time. */
static void test_http_guard_refuses_by_the_head(void **state)
{
	struct world *w = *state;
	struct http_head rows[] = { report(), report(), report(), report(),
		report(), report(), report(), report(), report(), report(),
		report(), report(), report(), report() };
	static const unsigned want[] = { 403, 403, 405, 404, 404, 400, 431, 400,
		400, 411, 413, 400, 415, 415 };
	struct err err;

	assert_int_equal(configure(w, ALL, &err), 0);
	rows[0].origin = text_of("https://example.org");
	rows[1].origin = text_of("null");
	rows[2].method = "GET";
	rows[3].path = "/policy/";
	rows[4].command = text_of("reset");
	rows[5].repeated = true;
	rows[6].size = HTTP_HEAD_MAX + 1;
	rows[7].coding = text_of("chunked");
	rows[8].coding = text_of("gzip");
	rows[8].length.text = NULL;
	rows[9].length.text = NULL;
	rows[10].length = text_of("16385");
	rows[11].length = text_of("1e3");
	rows[12].type = text_of("text/plain");
	rows[13].type.text = NULL;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (judge(w, &rows[i]) != want[i])
			fail_msg("row %zu", i);
	rows[10].length = text_of("99999999999999999999999999999");
	assert_int_equal(judge(w, &rows[10]), 413);
	rows[10].length = text_of("16384");
	assert_int_equal(judge(w, &rows[10]), 0);
}

/* What has no secret of its own is not served, not even to who knows the
 * other. */
static void test_http_guard_serves_what_is_configured(void **state)
{
	struct world *w = *state;
	struct http_head h = report();
	struct err err;

	assert_int_equal(configure(w, "token-file = \"%s/token\"", &err), 0);
	assert_int_equal(judge(w, &h), 404);
	h.path = "/event/" SECRET;
	assert_int_equal(judge(w, &h), 404);
	assert_int_equal(configure(w, "secret-file = \"%s/secret\"", &err), 0);
	assert_int_equal(judge(w, &h), 404);
	h.path = "/login";
	h.authorization = text_of("Bearer " TOKEN);
	assert_int_equal(judge(w, &h), 404);
}

static void test_http_guard_refuses_bad_sections(void **state)
{
	struct world *w = *state;
	static const char *const rows[][2] = {
		{ "", "secret" },
		{ "events = yes token-file = \"%s/token\"", "secret-file" },
		{ "secret-file = \"%s/nothing\"", "nothing" },
		{ "secret-file = \"%s/short\"", "openssl rand" },
		{ "secret-file = \"%s/blank\"", "openssl rand" },
		{ "secret-file = \"%s/slash\" events = yes", "URL" },
		{ "secret-file = \"%s/secret\" header = \"\"", "header" },
		{ "secret-file = \"%s/secret\" header = \"X Key\"", "header" },
		{ "secret-file = \"%s/secret\" header = \"host\"", "header" },
	};
	char path[128];
	struct err err;

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (configure(w, rows[i][0], &err) == 0)
			fail_msg("%s", rows[i][0]);
		assert_int_equal(err.code, EXIT_USER);
		if (!strstr(err.text, rows[i][1]))
			fail_msg("%s: %s", rows[i][0], err.text);
		assert_null(strstr(err.text, SECRET));
	}
	(void)snprintf(path, sizeof(path), "%s/secret", w->dir);
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(configure(w, "secret-file = \"%s/secret\"", &err), -1);
	assert_non_null(strstr(err.text, "0640"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_http_guard_finds_each_route),
		TEST(test_http_guard_wants_the_right_secret),
		TEST(test_http_guard_knows_its_hosts),
		TEST(test_http_guard_refuses_by_the_head),
		TEST(test_http_guard_serves_what_is_configured),
		TEST(test_http_guard_refuses_bad_sections),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
