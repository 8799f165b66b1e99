/* SPDX-License-Identifier: ISC */
/*
 * test_uri - targets of requests: what is read, and that nothing is read in two
 * ways.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "http/uri.h"

static struct http_uri u;

static void test_uri_paths(void **state)
{
	(void)state;
	assert_null(http_uri_parse("/", &u));
	assert_string_equal(u.path, "/");
	assert_null(http_uri_parse("/v1/leases/2001:db8::1", &u));
	assert_string_equal(u.path, "/v1/leases/2001:db8::1");
	assert_null(http_uri_parse("/v1/leases/2001%3Adb8%3a%3A1?", &u));
	assert_string_equal(u.path, "/v1/leases/2001:db8::1");
	assert_int_equal(u.count, 0);
}

static void test_uri_queries(void **state)
{
	(void)state;
	assert_null(http_uri_parse(
	    "/x?user=a%2Bb%20c&sender=&network=192.0.2.0/24&a=1=2", &u));
	assert_int_equal(u.count, 4);
	assert_string_equal(http_uri_value(&u, "user"), "a+b c");
	assert_string_equal(http_uri_value(&u, "sender"), "");
	assert_string_equal(http_uri_value(&u, "network"), "192.0.2.0/24");
	assert_null(http_uri_value(&u, "use"));
	assert_null(http_uri_value(&u, "b"));
	/* Not UTF-8, but a user may be called so. */
	assert_null(http_uri_parse("/x?user=%ff%FE", &u));
	assert_string_equal(http_uri_value(&u, "user"), "\xff\xfe");
}

static void test_uri_refuses(void **state)
{
	static const char *const bad[] = { "", "x", "*", "http://localhost/",
		"/%", "/%4", "/%4g", "/%00", "/%0a", "/%7f", "/a b", "/a\x80",
		"/a%2fb", "/a%2Fb", "/a#b", "/x?a", "/x?=b", "/x?a=1&a=2",
		"/x?a=1&", "/x?&a=1", "/x?a=1&&b=2", "/x?a=+", "/x?a=%0d",
		"/x?a=%00", "/x?a=%", "/x?A=1", "/x?a.b=1", "/x?a=\"",
		"/x?a=#b" };
	(void)state;

	for (size_t i = 0; i < COUNT_OF(bad); i++)
		if (!http_uri_parse(bad[i], &u))
			fail_msg("\"%s\" was read", bad[i]);
}

static void test_uri_limits(void **state)
{
	char text[HTTP_URI_MAX + 2];
	size_t at;

	(void)state;
	memset(text, 'a', sizeof(text));
	text[0] = '/';
	text[1 + HTTP_URI_PATH] = '\0';
	assert_non_null(http_uri_parse(text, &u));
	text[HTTP_URI_PATH] = '\0';
	assert_null(http_uri_parse(text, &u));
	assert_int_equal(strlen(u.path), HTTP_URI_PATH);
	memset(text, 'a', sizeof(text));
	memcpy(text, "/?a=", 4);
	text[4 + HTTP_URI_VALUE] = '\0';
	assert_null(http_uri_parse(text, &u));
	assert_int_equal(strlen(u.pairs[0].value), HTTP_URI_VALUE);
	text[4 + HTTP_URI_VALUE] = 'a';
	text[4 + HTTP_URI_VALUE + 1] = '\0';
	assert_non_null(http_uri_parse(text, &u));
	at = (size_t)snprintf(text, sizeof(text), "/?a=1");
	for (int i = 1; i < HTTP_URI_PAIRS; i++)
		at += (size_t)snprintf(
		    text + at, sizeof(text) - at, "&%c=1", 'a' + i);
	assert_null(http_uri_parse(text, &u));
	assert_int_equal(u.count, HTTP_URI_PAIRS);
	(void)snprintf(text + at, sizeof(text) - at, "&z=1");
	assert_non_null(http_uri_parse(text, &u));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_uri_paths),
		cmocka_unit_test(test_uri_queries),
		cmocka_unit_test(test_uri_refuses),
		cmocka_unit_test(test_uri_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
