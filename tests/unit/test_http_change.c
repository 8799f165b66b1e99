/* SPDX-License-Identifier: ISC */
/*
 * test_http_change - bodies that grant and revoke, and what the keeper's lines
 * become.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "listener/http_change.h"

static void becomes(enum http_api_call call, const char *body, const char *want)
{
	char line[HTTP_CHANGE_LINE];
	const char *why = NULL;
	size_t len = http_change_read(call, body, strlen(body), line, &why);

	assert_int_equal(len, strlen(want));
	assert_memory_equal(line, want, len);
	assert_null(why);
}

static void test_grants(void **state)
{
	(void)state;
	becomes(HTTP_API_GRANT, "{\"address\":\"192.0.2.7\"}",
	    "grant address=192.0.2.7\n");
	becomes(HTTP_API_GRANT,
	    "{\"ttl\":600,\"user\":\"j o=%\",\"address\":\"::ffff:192.0.2.7\"}",
	    "grant address=192.0.2.7 user=j%20o%3D%25 ttl=600\n");
	becomes(HTTP_API_GRANT,
	    "{\"address\":\"2001:DB8:0::7\",\"ttl\":315360000}",
	    "grant address=2001:db8::7 ttl=315360000\n");
}

static void test_revocations(void **state)
{
	(void)state;
	becomes(HTTP_API_REVOKE, "{\"address\":\"192.0.2.7\"}",
	    "revoke address=192.0.2.7\n");
	becomes(HTTP_API_REVOKE, "{\"user\":\"jo\",\"for\":60}",
	    "revoke user=jo for=60\n");
	becomes(HTTP_API_REVOKE,
	    "{\"user\":\"jo\",\"address\":\"192.0.2.7\",\"now_only\":true}",
	    "revoke address=192.0.2.7 user=jo now-only=yes\n");
	becomes(HTTP_API_REVOKE, "{\"user\":\"jo\",\"now_only\":false}",
	    "revoke user=jo\n");
}

static void test_bad_bodies(void **state)
{
	static const char *const bodies[] = { "", "{", "[]", "7", "{}", "null",
		"{\"address\":7}", "{\"address\":\"\"}",
		"{\"address\":\"192.0.2.7 for=1\"}",
		"{\"address\":\"192.0.2.7\",\"x\":1}",
		"{\"address\":\"192.0.2.7\",\"user\":\"\"}",
		"{\"address\":\"192.0.2.7\",\"user\":null}",
		"{\"address\":\"192.0.2.7\",\"user\":\"a\\nb\"}",
		"{\"address\":\"192.0.2.7\",\"user\":\"a\\u0000b\"}",
		"{\"address\":\"192.0.2.7\",\"ttl\":0}",
		"{\"address\":\"192.0.2.7\",\"ttl\":1.5}",
		"{\"address\":\"192.0.2.7\",\"ttl\":315360001}",
		"{\"address\":\"192.0.2.7\",\"for\":0}",
		"{\"address\":\"192.0.2.7\",\"now_only\":1}",
		"{\"address\":\"192.0.2.7\"} {}",
		"{\"address\":\"192.0.2.7\",\"address\":\"192.0.2.8\"}" };
	static const enum http_api_call calls[] = { HTTP_API_GRANT,
		HTTP_API_REVOKE };
	char line[HTTP_CHANGE_LINE];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bodies) * 2; i++) {
		const char *body = bodies[i / 2], *why = NULL;

		if (http_change_read(
			calls[i % 2], body, strlen(body), line, &why) != 0)
			fail_msg("%s: %s", body, line);
		assert_non_null(why);
	}
}

static size_t revoke_user(size_t len, const char **why)
{
	char user[LOGIN_USER_MAX + 2], body[2000], line[HTTP_CHANGE_LINE];

	/* Each of these becomes three bytes. */
	memset(user, '=', sizeof(user));
	(void)snprintf(body, sizeof(body),
	    "{\"address\":\"2001:db8:1111:2222:3333:4444:5555:6666\","
	    "\"for\":315360000,\"now_only\":true,\"user\":\"%.*s\"}",
	    (int)len, user);
	return http_change_read(HTTP_API_REVOKE, body, strlen(body), line, why);
}

static void test_the_longest_user_fits(void **state)
{
	const char *why = NULL;

	(void)state;
	assert_true(revoke_user(LOGIN_USER_MAX, &why) > 3 * LOGIN_USER_MAX);
	assert_int_equal(revoke_user(LOGIN_USER_MAX + 1, &why), 0);
}

static void answers(enum http_api_call call, const char *line, unsigned status,
    const char *want)
{
	char out[HTTP_CHANGE_ANSWER];

	assert_int_equal(
	    http_change_answer(call, line, strlen(line), out), status);
	assert_string_equal(out, want);
}

static void test_answers(void **state)
{
	static const char lost[] = "{\"error\":\"not stored\"}";

	(void)state;
	answers(HTTP_API_GRANT, "ok ttl=600", 200, "{\"ttl\":600}");
	answers(HTTP_API_REVOKE, "ok count=0", 200, "{\"count\":0}");
	answers(HTTP_API_GRANT, "ok ttl=007", 200, "{\"ttl\":7}");
	answers(HTTP_API_GRANT, "ok ttl=9999999999999999999", 503, lost);
	answers(HTTP_API_GRANT, "no reason=private-address", 409,
	    "{\"error\":\"the rules give no lease\","
	    "\"reason\":\"private-address\"}");
	answers(HTTP_API_GRANT, "error not stored: disk full", 503, lost);
	answers(HTTP_API_GRANT, "ok count=1", 503, lost);
	answers(HTTP_API_GRANT, "ok ttl=-5", 503, lost);
	answers(HTTP_API_GRANT, "ok ttl=\"x", 503, lost);
	answers(HTTP_API_GRANT, "no reason=%22", 503, lost);
	answers(HTTP_API_GRANT, "okay ttl=600", 503, lost);
	answers(HTTP_API_GRANT, "", 503, lost);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grants),
		cmocka_unit_test(test_revocations),
		cmocka_unit_test(test_bad_bodies),
		cmocka_unit_test(test_the_longest_user_fits),
		cmocka_unit_test(test_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
