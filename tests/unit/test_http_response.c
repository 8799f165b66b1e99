/* SPDX-License-Identifier: ISC */
/*
 * test_http_response - responses of another policy server: whole, in pieces,
 * and wrong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "source/http_response.h"

static struct http_response response;

static enum http_parse parse(const char *text, bool end)
{
	return http_response_parse(text, strlen(text), end, &response);
}

/* Read at once, and never before its last byte. */
static void assert_reads(const char *text, unsigned status, const char *body)
{
	size_t len = strlen(text);

	for (size_t n = 0; n < len; n++)
		assert_int_equal(http_response_parse(text, n, false, &response),
		    HTTP_PARSE_MORE);
	assert_int_equal(parse(text, false), HTTP_PARSE_DONE);
	assert_int_equal(response.status, status);
	assert_int_equal(response.used, len);
	assert_int_equal(response.body_len, strlen(body));
	assert_memory_equal(response.body, body, strlen(body));
}

static void test_http_response_reads_a_length(void **state)
{
	(void)state;
	assert_reads("HTTP/1.1 200 OK\r\nContent-Length: 12\r\n"
		     "content-type: x\r\n\r\n{\"status\":0}",
	    200, "{\"status\":0}");
	assert_true(response.keep);
	assert_reads("HTTP/1.1 404\r\ncontent-length:0\r\n"
		     "Connection: Upgrade, Close\r\n\r\n",
	    404, "");
	assert_false(response.keep);
	assert_reads("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", 200, "x");
	assert_false(response.keep);
}

static void test_http_response_reads_chunks(void **state)
{
	(void)state;
	assert_reads("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"
		     "5\r\n{\"sta\r\nA;x=1\r\ntus\":12345\r\n1\r\n}\r\n"
		     "0\r\nTrailer: x\r\n\r\n",
	    200, "{\"status\":12345}");
	assert_true(response.keep);
}

static void test_http_response_skips_interim_ones(void **state)
{
	(void)state;
	assert_reads("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\n"
		     "Link: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
		     "\r\n{}",
	    200, "{}");
}

static void test_http_response_reads_up_to_the_end(void **state)
{
	static const char text[] = "HTTP/1.1 200 OK\r\n\r\n{}";

	(void)state;
	assert_int_equal(parse(text, false), HTTP_PARSE_MORE);
	assert_int_equal(parse(text, true), HTTP_PARSE_DONE);
	assert_int_equal(response.body_len, 2);
	assert_false(response.keep);
}

/* The next response in the same bytes was not asked for. */
static void test_http_response_keeps_nothing_with_bytes_behind(void **state)
{
	(void)state;
	assert_int_equal(
	    parse("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200",
		false),
	    HTTP_PARSE_DONE);
	assert_false(response.keep);
	assert_int_equal(response.body_len, 1);
}

static void test_http_response_refuses(void **state)
{
	static const char *const texts[] = {
		"HTTP/2.0 200 OK\r\n\r\n",
		"HTTP/1.1 20 OK\r\n\r\n",
		"HTTP/1.1 2000 OK\r\n\r\n",
		"HTTP/1.1  200 OK\r\n\r\n",
		"HTTP/1.1 600 OK\r\n\r\n",
		"http/1.1 200 OK\r\n\r\n",
		"ICY 200 OK\r\n\r\n",
		"\r\nHTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n"
		"Content-Length: 2\r\n\r\nxx",
		"HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\nx",
		"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\nx",
		"HTTP/1.1 200 OK\r\nContent-Length: 0x1\r\n\r\nx",
		"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 16385\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n"
		"\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n"
		"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		"g\r\nx\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		"1\r\nxy\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		"4001\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		"\r\nx\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length : 1\r\n\r\nx",
		"HTTP/1.1 200 OK\r\n Content-Length: 1\r\n\r\nx",
		"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
		"HTTP/1.1 200 OK\r\n: x\r\n\r\n",
		"HTTP/1.1 200 OK\r\na: x\ny: z\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(texts); i++)
		if (parse(texts[i], false) != HTTP_PARSE_BAD)
			fail_msg("%s", texts[i]);
	assert_int_equal(parse("HTTP/1.1 200 OK\r\n", true), HTTP_PARSE_BAD);
	assert_int_equal(
	    parse("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nx", true),
	    HTTP_PARSE_BAD);
	assert_int_equal(parse("", true), HTTP_PARSE_BAD);
}

static void test_http_response_bounds_what_it_takes(void **state)
{
	static const char head[] = "HTTP/1.1 200 OK\r\nX: ";
	AUTO_FREE char *text = xmalloc(HTTP_RESPONSE_MAX + 1);

	(void)state;
	memset(text, 'x', HTTP_RESPONSE_MAX + 1);
	memcpy(text, head, sizeof(head) - 1);
	assert_int_equal(
	    http_response_parse(text, HTTP_RESPONSE_MAX - 1, false, &response),
	    HTTP_PARSE_MORE);
	assert_int_equal(
	    http_response_parse(text, HTTP_RESPONSE_MAX, false, &response),
	    HTTP_PARSE_BAD);
	(void)snprintf(text, HTTP_RESPONSE_MAX, "HTTP/1.1 200 OK\r\n\r\n");
	assert_int_equal(http_response_parse(text, 19 + HTTP_RESPONSE_BODY_MAX,
			     true, &response),
	    HTTP_PARSE_DONE);
	assert_int_equal(http_response_parse(text, 20 + HTTP_RESPONSE_BODY_MAX,
			     true, &response),
	    HTTP_PARSE_BAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_http_response_reads_a_length),
		cmocka_unit_test(test_http_response_reads_chunks),
		cmocka_unit_test(test_http_response_skips_interim_ones),
		cmocka_unit_test(test_http_response_reads_up_to_the_end),
		cmocka_unit_test(
		    test_http_response_keeps_nothing_with_bytes_behind),
		cmocka_unit_test(test_http_response_refuses),
		cmocka_unit_test(test_http_response_bounds_what_it_takes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
