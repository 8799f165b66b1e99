/* SPDX-License-Identifier: ISC */
/*
 * test_ask - the ask protocol, word by word.
 */
#define CODEC_KIND "ask"
#include "codec_world.h"

static void test_ask_reads_a_question_with_every_word(void **state)
{
	static const char line[] = "check 2001:db8::7 user=a%20b "
				   "sender=jo%3d1@example.org recipient=\n"
				   "check";
	struct question q;
	struct addr want;
	size_t used;

	(void)state;
	assert_int_equal(
	    decode(line, sizeof(line) - 1, &q, &used), DECODE_QUESTION);
	assert_int_equal(used, sizeof(line) - 1 - 5);
	assert_true(q.asked);
	assert_true(addr_parse("2001:db8::7", 11, &want));
	assert_true(addr_equal(&q.addr, &want));
	assert_int_equal(q.has_user, 1);
	assert_string_equal(q.user, "a b");
	assert_int_equal(q.user_len, 3);
	assert_string_equal(q.sender, "jo=1@example.org");
	assert_int_equal(q.has_recipient, 1);
	assert_int_equal(q.recipient_len, 0);
	assert_string_equal(q.mark, "");
}

static void test_ask_needs_the_whole_line(void **state)
{
	static const char line[] = "check 192.0.2.1 user=jo";
	struct question q;
	size_t used;

	(void)state;
	for (size_t len = 0; len < sizeof(line); len++)
		assert_int_equal(decode(line, len, &q, &used), DECODE_MORE);
}

static void test_ask_refuses_what_it_does_not_know(void **state)
{
	static const char *const rows[] = {
		"\n",
		"check\n",
		"check \n",
		"check  192.0.2.1\n",
		" check 192.0.2.1\n",
		"Check 192.0.2.1\n",
		"allow 192.0.2.1\n",
		"check=1 192.0.2.1\n",
		"check host.example\n",
		"check 192.0.2.01\n",
		"check 192.0.2.1/32\n",
		"check 192.0.2.1:25\n",
		"check [2001:db8::1]\n",
		"check fe80::1%25eth0\n",
		"check 192.0.2.1\r\n",
		"check 192.0.2.1 jo\n",
		"check 192.0.2.1 user\n",
		"check 192.0.2.1 =jo\n",
		"check 192.0.2.1 color=red\n",
		"check 192.0.2.1 USER=jo\n",
		"check 192.0.2.1 user=jo user=jo\n",
		"check 192.0.2.1 sender=a sender=b\n",
		"check 192.0.2.1 recipient=a recipient=b\n",
		"check 192.0.2.1 192.0.2.2\n",
		"check 192.0.2.1 user=%\n",
		"check 192.0.2.1 user=%0\n",
		"check 192.0.2.1 user=%zz\n",
		"check 192.0.2.1 user=%00\n",
		"check 192.0.2.1 user=a%0ab\n",
		"check 192.0.2.1 user=a\tb\n",
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct question q;
		size_t used;
		if (decode(rows[i], strlen(rows[i]), &q, &used) != DECODE_BAD)
			fail_msg("row %zu: %s", i, rows[i]);
	}
}

/* Writes text without its NUL. */
static void put(char *at, const char *text)
{
	while (*text)
		*at++ = *text++;
}

static void test_ask_refuses_a_line_above_its_limit(void **state)
{
	char text[5000];
	struct question q;
	size_t used;

	(void)state;
	memset(text, 'a', sizeof(text));
	assert_int_equal(decode(text, 4095, &q, &used), DECODE_MORE);
	assert_int_equal(decode(text, 4096, &q, &used), DECODE_BAD);
	text[4096] = '\n';
	assert_int_equal(decode(text, 4097, &q, &used), DECODE_BAD);
	memset(text, 'a', sizeof(text));
	put(text, "check 192.0.2.1 user=");
	put(text + 21 + LOGIN_USER_MAX, "\n");
	assert_int_equal(
	    decode(text, 22 + LOGIN_USER_MAX, &q, &used), DECODE_QUESTION);
	assert_int_equal(q.user_len, LOGIN_USER_MAX);
	put(text + 21 + LOGIN_USER_MAX, "a\n");
	assert_int_equal(
	    decode(text, 23 + LOGIN_USER_MAX, &q, &used), DECODE_BAD);
}

static void say(bool show, const struct answer *a, bool asked, const char *want)
{
	const struct listener_view given = { .show_user = show };
	struct question q = { .asked = asked };
	char out[LISTENER_REPLY_MAX];
	size_t n = kind()->encode(&given, &q, a, out, sizeof(out));

	assert_in_range(n, 1, sizeof(out) - 1);
	out[n] = '\0';
	assert_string_equal(out, want);
}

static void test_ask_answers_each_verdict(void **state)
{
	struct answer allow = { .verdict = VERDICT_ALLOW,
		.ttl = 1711001,
		.user = "a b=%\xc3",
		.user_len = 6 };
	struct answer none = { .reason = "no-lease" };
	struct answer tempfail = { .verdict = VERDICT_TEMPFAIL,
		.reason = "ledger" };

	(void)state;
	say(false, &allow, true, "allow ttl=1712\n");
	say(true, &allow, true, "allow ttl=1712 user=a%20b%3D%25%C3\n");
	say(true, &allow, false, "none\n");
	allow.ttl = 0;
	say(false, &allow, true, "allow ttl=1\n");
	allow.ttl = 1;
	allow.user_len = 0;
	say(true, &allow, true, "allow ttl=1\n");
	say(true, &none, true, "none\n");
	none.observed = true;
	say(true, &none, true, "none\n");
	say(true, &tempfail, true, "tempfail ledger\n");
	tempfail.reason = NULL;
	say(true, &tempfail, true, "tempfail unknown\n");
}

static void test_ask_codes_the_longest_user_whole(void **state)
{
	const struct listener_view given = { .show_user = true };
	struct question q = { .asked = true };
	struct answer a = { .verdict = VERDICT_ALLOW,
		.ttl = 31536000000,
		.user_len = LOGIN_USER_MAX };
	char out[LISTENER_REPLY_MAX];
	size_t n;

	(void)state;
	memset(a.user, 0xff, LOGIN_USER_MAX);
	n = kind()->encode(&given, &q, &a, out, sizeof(out));
	assert_int_equal(n,
	    strlen("allow ttl=31536000 user=\n") + (size_t)3 * LOGIN_USER_MAX);
	assert_int_equal(out[n - 1], '\n');
}

static void test_ask_says_error_to_a_bad_request(void **state)
{
	(void)state;
	assert_bad_line("error ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ask_reads_a_question_with_every_word),
		cmocka_unit_test(test_ask_needs_the_whole_line),
		cmocka_unit_test(test_ask_refuses_what_it_does_not_know),
		cmocka_unit_test(test_ask_refuses_a_line_above_its_limit),
		cmocka_unit_test(test_ask_answers_each_verdict),
		cmocka_unit_test(test_ask_codes_the_longest_user_whole),
		cmocka_unit_test(test_ask_says_error_to_a_bad_request),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
