/* SPDX-License-Identifier: ISC */
/*
 * test_tcp_table - the lines of tcp_table(5), and that nothing is found but
 * addresses.
 */
#define CODEC_KIND "tcp-table"
#include "codec_world.h"

enum { LINE_SIZE = 4096 };

static void test_tcp_table_asks_for_each_form_of_an_address(void **state)
{
	static const struct {
		const char *line, *addr;
	} rows[] = {
		{ "get 192.0.2.1\n", "192.0.2.1" },
		{ "get 2001:db8::7\n", "2001:db8::7" },
		{ "get 2001:DB8::7\n", "2001:db8::7" },
		{ "get %31%39%32%2e0.2.1\n", "192.0.2.1" },
		{ "get 2001%3Adb8%3a%3a7\n", "2001:db8::7" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct question q;
		struct addr want;
		size_t used;
		assert_int_equal(
		    decode(rows[i].line, strlen(rows[i].line), &q, &used),
		    DECODE_QUESTION);
		assert_int_equal(used, strlen(rows[i].line));
		assert_true(
		    addr_parse(rows[i].addr, strlen(rows[i].addr), &want));
		if (!q.asked || !addr_equal(&q.addr, &want))
			fail_msg("row %zu: %s", i, rows[i].line);
		assert_int_equal(q.has_sender, 0);
		assert_string_equal(q.mark, "");
	}
}

static void test_tcp_table_never_asks_for_anything_else(void **state)
{
	static const char *const rows[] = {
		"get unknown\n",
		"get mx.example.org\n",
		"get 192.0.2.1.example.org\n",
		"get 192.0.2\n",
		"get 192.0.2.1/32\n",
		"get 192.0.2.1\r\n",
		"get 192.0.2.1 \n",
		"get  192.0.2.1\n",
		"get [192.0.2.1]\n",
		"get \n",
		"get %\n",
		"get 192.0.2.%3\n",
		"get 192.0.2.%zz\n",
		"get 192.0.2.1%00\n",
		"get 192.0.2.1%0a\n",
		"put 192.0.2.1 OK\n",
		"put 192.0.2.1\n",
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct question q;
		size_t used;
		if (decode(rows[i], strlen(rows[i]), &q, &used) !=
			DECODE_QUESTION ||
		    q.asked)
			fail_msg("row %zu: %s", i, rows[i]);
	}
}

static void test_tcp_table_refuses_other_verbs(void **state)
{
	static const char *const rows[] = { "\n", "get\n", "put\n",
		"GET 192.0.2.1\n", " get 192.0.2.1\n", "gets 192.0.2.1\n",
		"check 192.0.2.1\n", "192.0.2.1\n" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct question q;
		size_t used;
		if (decode(rows[i], strlen(rows[i]), &q, &used) != DECODE_BAD)
			fail_msg("row %zu: %s", i, rows[i]);
	}
}

static void test_tcp_table_needs_the_whole_line(void **state)
{
	static const char text[] = "get 192.0.2.1\nget";
	struct question q;
	size_t used;

	(void)state;
	for (size_t len = 0; len < sizeof("get 192.0.2.1"); len++)
		assert_int_equal(decode(text, len, &q, &used), DECODE_MORE);
	assert_int_equal(
	    decode(text, sizeof(text) - 1, &q, &used), DECODE_QUESTION);
	assert_int_equal(used, sizeof("get 192.0.2.1\n") - 1);
}

static void test_tcp_table_refuses_a_line_above_its_limit(void **state)
{
	char text[LINE_SIZE + 1];
	struct question q;
	size_t used;

	(void)state;
	memset(text, 'a', sizeof(text));
	memcpy(text, "get ", sizeof("get ") - 1);
	assert_int_equal(decode(text, LINE_SIZE - 1, &q, &used), DECODE_MORE);
	assert_int_equal(decode(text, LINE_SIZE, &q, &used), DECODE_BAD);
	text[LINE_SIZE] = '\n';
	assert_int_equal(decode(text, LINE_SIZE + 1, &q, &used), DECODE_BAD);
	text[LINE_SIZE - 1] = '\n';
	assert_int_equal(decode(text, LINE_SIZE, &q, &used), DECODE_QUESTION);
	assert_false(q.asked);
}

static void say(const struct answer *a, bool asked, bool defer,
    const struct conf_section *section, const char *want)
{
	const struct listener_view v = { .conf = section, .defer = defer };
	struct question q = { .asked = asked };
	char out[LISTENER_REPLY_MAX];
	size_t n = kind()->encode(&v, &q, a, out, sizeof(out));

	assert_in_range(n, 1, sizeof(out) - 1);
	out[n] = '\0';
	assert_string_equal(out, want);
}

static void test_tcp_table_answers_each_verdict(void **state)
{
	const struct answer allow = { .verdict = VERDICT_ALLOW };
	const struct answer none = { .observed = true };
	const struct answer tempfail = { .verdict = VERDICT_TEMPFAIL };
	struct conf *screen = listener_conf("tcp-table", "value = \"permit\"");

	(void)state;
	say(&allow, true, false, view.conf, "200 OK\n");
	say(&allow, true, false, conf_at(screen, "listener", 0),
	    "200 permit\n");
	say(&allow, false, true, view.conf, "500 not found\n");
	say(&none, true, true, view.conf, "500 not found\n");
	say(&tempfail, true, false, view.conf, "500 not found\n");
	say(&tempfail, true, true, view.conf,
	    "400 Service temporarily unavailable\n");
	conf_free(&screen);
}

static void test_tcp_table_says_400_to_a_bad_request(void **state)
{
	(void)state;
	assert_bad_line("400 ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_tcp_table_asks_for_each_form_of_an_address),
		cmocka_unit_test(test_tcp_table_never_asks_for_anything_else),
		cmocka_unit_test(test_tcp_table_refuses_other_verbs),
		cmocka_unit_test(test_tcp_table_needs_the_whole_line),
		cmocka_unit_test(test_tcp_table_refuses_a_line_above_its_limit),
		cmocka_unit_test(test_tcp_table_answers_each_verdict),
		cmocka_unit_test(test_tcp_table_says_400_to_a_bad_request),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
