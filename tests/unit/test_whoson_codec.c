/* SPDX-License-Identifier: ISC */
/*
 * test_whoson_codec - requests and replies of the WHOSON protocol.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "source/whoson_codec.h"

#define END "\r\n\r\n"

static const struct good {
	const char *text;
	enum whoson_verb verb;
	const char *addr, *name;
} good[] = {
	{ "LOGIN 192.0.2.1 anna@example.org" END, WHOSON_LOGIN, "192.0.2.1",
	    "anna@example.org" },
	{ "LOGIN 192.0.2.1" END, WHOSON_LOGIN, "192.0.2.1", "" },
	/* What gowhoson sends without a name. */
	{ "LOGIN 192.0.2.1 " END, WHOSON_LOGIN, "192.0.2.1", "" },
	{ "login 2001:db8::1 anna" END, WHOSON_LOGIN, "2001:db8::1", "anna" },
	{ "LoGiN  ::ffff:192.0.2.1   anna  berta " END, WHOSON_LOGIN,
	    "192.0.2.1", "anna  berta" },
	{ "LOGIN 192.0.2.1 anna\n\n", WHOSON_LOGIN, "192.0.2.1", "anna" },
	{ "LOGIN 192.0.2.1 \xc3\xa4" END, WHOSON_LOGIN, "192.0.2.1",
	    "\xc3\xa4" },
	{ "LOGOUT 192.0.2.1" END, WHOSON_LOGOUT, "192.0.2.1", "" },
	{ " QUERY 192.0.2.1 " END, WHOSON_QUERY, "192.0.2.1", "" },
	{ "QUIT" END, WHOSON_QUIT, NULL, "" },
	{ "list" END, WHOSON_LIST, NULL, "" },
};

static void test_whoson_decode_reads_requests(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(good); i++) {
		const struct good *g = &good[i];
		struct whoson_request r;
		struct addr want = { { 0 } };
		size_t used, len = strlen(g->text);
		if (whoson_decode(g->text, len, &r, &used) != WHOSON_REQUEST)
			fail_msg("\"%s\" was refused", g->text);
		assert_int_equal(used, len);
		assert_int_equal(r.verb, g->verb);
		if (g->addr)
			assert_true(
			    addr_parse(g->addr, strlen(g->addr), &want));
		assert_true(addr_equal(&r.addr, &want));
		assert_int_equal(r.name_len, strlen(g->name));
		if (r.name_len)
			assert_memory_equal(r.name, g->name, r.name_len);
	}
}

static void test_whoson_decode_waits_for_the_empty_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(good); i++)
		for (size_t len = 0; len < strlen(good[i].text); len++) {
			struct whoson_request r;
			size_t used = 9;
			assert_int_equal(
			    whoson_decode(good[i].text, len, &r, &used),
			    WHOSON_MORE);
			assert_int_equal(used, 0);
		}
}

static void test_whoson_decode_takes_one_request_at_a_time(void **state)
{
	static const char two[] = "QUERY 192.0.2.1" END "QUIT" END;
	struct whoson_request r;
	size_t used;

	(void)state;
	assert_int_equal(
	    whoson_decode(two, strlen(two), &r, &used), WHOSON_REQUEST);
	assert_int_equal(used, strlen("QUERY 192.0.2.1" END));
	assert_int_equal(
	    whoson_decode(two + used, strlen(two) - used, &r, &used),
	    WHOSON_REQUEST);
	assert_int_equal(r.verb, WHOSON_QUIT);
}

static void test_whoson_decode_refuses_wrong_requests(void **state)
{
	static const char *const rows[] = { "LOGIN" END, "LOGIN " END,
		"LOGOUT" END, "QUERY" END, "LOGIN anna" END,
		"LOGIN 192.0.2 anna" END, "LOGIN 192.0.2.01 anna" END,
		"LOGIN 192.0.2.1, anna" END, "LOGIN192.0.2.1" END,
		"LOGOUT 192.0.2.1 anna" END, "QUERY 192.0.2.1 192.0.2.2" END,
		"QUERY\t192.0.2.1" END, "QUERY 192.0.2.1%lo" END,
		"QUIT now" END, "LIST all" END, "HELP" END, END, " " END,
		"LOGIN 192.0.2.1 an\tna" END, "LOGIN 192.0.2.1 an\rna" END,
		"LOGIN 192.0.2.1 anna\x7f" END, "LOGI" END,
		"LOGINS 192.0.2.1" END };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct whoson_request r;
		size_t used;
		if (whoson_decode(rows[i], strlen(rows[i]), &r, &used) !=
		    WHOSON_WRONG)
			fail_msg("\"%s\"", rows[i]);
		assert_int_equal(used, strlen(rows[i]));
	}
}

static void test_whoson_decode_refuses_a_nul(void **state)
{
	struct whoson_request r;
	size_t used;

	(void)state;
	assert_int_equal(
	    whoson_decode("LOGIN 192.0.2.1 a\0b\n\n", 21, &r, &used),
	    WHOSON_WRONG);
	assert_int_equal(whoson_decode("QUERY 192.0.2.1\0\n\n", 18, &r, &used),
	    WHOSON_WRONG);
}

static void test_whoson_decode_gives_up_without_an_empty_line(void **state)
{
	char text[WHOSON_REQUEST_MAX + 1];
	struct whoson_request r;
	size_t used;

	(void)state;
	assert_int_equal(
	    whoson_decode("QUERY 192.0.2.1\r\nX\r\n", 20, &r, &used),
	    WHOSON_BROKEN);
	memset(text, 'x', sizeof(text));
	assert_int_equal(whoson_decode(text, WHOSON_REQUEST_MAX - 1, &r, &used),
	    WHOSON_MORE);
	assert_int_equal(
	    whoson_decode(text, WHOSON_REQUEST_MAX, &r, &used), WHOSON_BROKEN);
}

static void test_whoson_decode_limits_the_name(void **state)
{
	char text[WHOSON_REQUEST_MAX] = "LOGIN 192.0.2.1 ";
	size_t at = strlen(text), used;
	struct whoson_request r;

	(void)state;
	memset(text + at, 'u', LOGIN_USER_MAX);
	memcpy(text + at + LOGIN_USER_MAX, "\n\n", 3);
	assert_int_equal(
	    whoson_decode(text, strlen(text), &r, &used), WHOSON_REQUEST);
	assert_int_equal(r.name_len, LOGIN_USER_MAX);
	memcpy(text + at + LOGIN_USER_MAX, "u\n\n", 4);
	assert_int_equal(
	    whoson_decode(text, strlen(text), &r, &used), WHOSON_WRONG);
}

static void says(
    enum whoson_sign sign, const char *text, size_t len, const char *want)
{
	char out[WHOSON_REPLY_MAX + 1];
	size_t n = whoson_reply(sign, text, len, out);

	out[n] = '\0';
	assert_int_equal(n, strlen(want));
	assert_string_equal(out, want);
}

static void test_whoson_reply_is_one_line_and_an_empty_one(void **state)
{
	char name[LOGIN_USER_MAX + 50], want[LOGIN_USER_MAX + 6];

	(void)state;
	says(WHOSON_YES, "anna", 4, "+anna" END);
	says(WHOSON_YES, "", 0, "+" END);
	says(WHOSON_NO, "Not Logged in", 13, "-Not Logged in" END);
	says(WHOSON_BAD, "x", 1, "*x" END);
	/* A line end in a name would begin a second reply. */
	says(WHOSON_YES, "a\r\n\r\n-b\0c\x7f", 10,
	    "+a?"
	    "?"
	    "?"
	    "?"
	    "-b?c?" END);
	memset(name, 'n', sizeof(name));
	memset(want, 'n', sizeof(want));
	want[0] = '+';
	memcpy(want + 1 + LOGIN_USER_MAX, END, sizeof(END));
	says(WHOSON_YES, name, sizeof(name), want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whoson_decode_reads_requests),
		cmocka_unit_test(test_whoson_decode_waits_for_the_empty_line),
		cmocka_unit_test(
		    test_whoson_decode_takes_one_request_at_a_time),
		cmocka_unit_test(test_whoson_decode_refuses_wrong_requests),
		cmocka_unit_test(test_whoson_decode_refuses_a_nul),
		cmocka_unit_test(
		    test_whoson_decode_gives_up_without_an_empty_line),
		cmocka_unit_test(test_whoson_decode_limits_the_name),
		cmocka_unit_test(
		    test_whoson_reply_is_one_line_and_an_empty_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
