/* SPDX-License-Identifier: ISC */
/*
 * test_listener_whoson - the lines of who asks: only QUERY is a question, and
 * the user is told only to who may know it.
 */
#define CODEC_KIND "whoson"
#include "codec_world.h"

/* A request alone: what is taken is all of it. */
static enum decode hear(const char *text, struct question *q)
{
	size_t used;
	enum decode d = decode(text, strlen(text), q, &used);

	if (d == DECODE_QUESTION || d == DECODE_LAST)
		assert_int_equal(used, strlen(text));
	return d;
}

static void say(const char *request, const struct listener_view *v,
    const struct answer *a, const char *want)
{
	struct question q;
	char out[LISTENER_REPLY_MAX];
	size_t n;

	(void)hear(request, &q);
	n = kind()->encode(v, &q, a, out, sizeof(out));
	assert_in_range(n, 1, sizeof(out) - 1);
	out[n] = '\0';
	assert_string_equal(out, want);
}

static void test_listener_whoson_asks_for_addresses(void **state)
{
	static const struct {
		const char *line, *addr;
	} rows[] = {
		{ "QUERY 192.0.2.1\r\n\r\n", "192.0.2.1" },
		{ "query 192.0.2.1\n\n", "192.0.2.1" },
		{ "QUERY 2001:db8::7\r\n\r\n", "2001:db8::7" },
		{ "QUERY ::ffff:192.0.2.1\r\n\r\n", "192.0.2.1" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct question q;
		struct addr want;
		assert_int_equal(hear(rows[i].line, &q), DECODE_QUESTION);
		assert_true(
		    addr_parse(rows[i].addr, strlen(rows[i].addr), &want));
		assert_true(q.asked && addr_equal(&q.addr, &want));
		assert_int_equal(q.has_sender + q.has_user, 0);
	}
}

static void test_listener_whoson_waits_and_refuses(void **state)
{
	static const struct {
		const char *line;
		enum decode want;
	} rows[] = {
		{ "", DECODE_MORE },
		{ "QUERY 192.0.2.1\r\n", DECODE_MORE },
		{ "QUERY 192.0.2.1\r\n\r", DECODE_MORE },
		{ "QUERY\r\n\r\n", DECODE_BAD },
		{ "QUERY mx.example.org\r\n\r\n", DECODE_BAD },
		{ "QUERY 192.0.2.1 anna\r\n\r\n", DECODE_BAD },
		{ "QUERY 192.0.2.1\r\nQUERY 192.0.2.2\r\n", DECODE_BAD },
		{ "check 192.0.2.1\r\n\r\n", DECODE_BAD },
		{ "QUIT\r\n\r\n", DECODE_LAST },
	};
	struct question q;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (hear(rows[i].line, &q) != rows[i].want)
			fail_msg("row %zu: %s", i, rows[i].line);
}

/* Never a question, and never a yes, whatever the ledger says. */
static void test_listener_whoson_takes_no_login(void **state)
{
	static const char *const rows[] = { "LOGIN 192.0.2.1 anna\r\n\r\n",
		"LOGOUT 192.0.2.1\r\n\r\n", "LIST\r\n\r\n" };
	const struct answer none = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct question q;
		char out[LISTENER_REPLY_MAX];
		assert_int_equal(hear(rows[i], &q), DECODE_QUESTION);
		assert_false(q.asked);
		(void)kind()->encode(&view, &q, &none, out, sizeof(out));
		assert_int_equal(out[0], '-');
	}
	say("LOGIN 192.0.2.1 anna\r\n\r\n", &view, &none,
	    "-not taken here; tell logins to a source of kind "
	    "whoson\r\n\r\n");
	say("QUIT\r\n\r\n", &view, &none, "+QUIT OK\r\n\r\n");
}

static void test_listener_whoson_answers_each_verdict(void **state)
{
	static const char ask[] = "QUERY 192.0.2.1\r\n\r\n";
	const struct answer allow = {
		.verdict = VERDICT_ALLOW, .user_len = 4, .user = "a\r\nb"
	};
	const struct answer nameless = { .verdict = VERDICT_ALLOW };
	const struct answer none = { .observed = true };
	const struct answer tempfail = { .verdict = VERDICT_TEMPFAIL };
	struct listener_view v = view;
	struct conf *tell = listener_conf("whoson", "tell-user = yes");

	(void)state;
	say(ask, &v, &allow, "+leased\r\n\r\n");
	say(ask, &v, &none, "-Not Logged in\r\n\r\n");
	say(ask, &v, &tempfail, "-Not Logged in\r\n\r\n");
	v.defer = true;
	say(ask, &v, &tempfail, "*temporarily unavailable\r\n\r\n");
	v.show_user = true;
	say(ask, &v, &allow, "+a??b\r\n\r\n");
	say(ask, &v, &nameless, "+leased\r\n\r\n");
	v.show_user = false;
	v.conf = conf_at(tell, "listener", 0);
	say(ask, &v, &allow, "+a??b\r\n\r\n");
	conf_free(&tell);
}

static void test_listener_whoson_says_what_is_bad(void **state)
{
	char out[LISTENER_REPLY_MAX];
	size_t n = kind()->encode_bad(out, sizeof(out));

	(void)state;
	out[n] = '\0';
	assert_string_equal(out, "*command parse error\r\n\r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test(test_listener_whoson_##name)
		TEST(asks_for_addresses),
		TEST(waits_and_refuses),
		TEST(takes_no_login),
		TEST(answers_each_verdict),
		TEST(says_what_is_bad),
#undef TEST
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
