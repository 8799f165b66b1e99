/* SPDX-License-Identifier: ISC */
/*
 * test_socketmap - netstrings to the byte, which keys are addresses, and that
 * nothing is found but those.
 */
#define CODEC_KIND    "socketmap"
#define CODEC_OPTIONS "maps = {\"relaypass\", \"popip\"}"
#include "codec_world.h"

enum { PAYLOAD_MAX = 10000, HEAD = sizeof("10000:") - 1 };

/* A lookup with the right length. */
static enum decode look_up(const char *payload, struct question *q)
{
	char text[200];
	size_t used, len = (size_t)snprintf(text, sizeof(text), "%zu:%s,",
			 strlen(payload), payload);
	enum decode d = decode(text, len, q, &used);

	if (d == DECODE_QUESTION)
		assert_int_equal(used, len);
	return d;
}

static void test_socketmap_asks_for_each_form_of_an_address(void **state)
{
	static const struct {
		const char *payload, *addr;
	} rows[] = {
		{ "relaypass 192.0.2.1", "192.0.2.1" },
		{ "popip 192.0.2.1", "192.0.2.1" },
		{ "relaypass 2001:db8::7", "2001:db8::7" },
		{ "relaypass ::ffff:192.0.2.1", "192.0.2.1" },
		{ "popip ipv6:2001:db8:0:0:0:0:0:7", "2001:db8::7" },
		{ "popip IPv6:2001:DB8:0:0:0:0:0:7", "2001:db8::7" },
		{ "popip ipv6:2001:db8::7", "2001:db8::7" },
		{ "popip ipv6:0:0:0:0:0:0:0:1", "::1" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct question q;
		struct addr want;
		assert_int_equal(look_up(rows[i].payload, &q), DECODE_QUESTION);
		assert_true(
		    addr_parse(rows[i].addr, strlen(rows[i].addr), &want));
		if (!q.asked || !addr_equal(&q.addr, &want))
			fail_msg("row %zu: %s", i, rows[i].payload);
		assert_int_equal(q.has_sender, 0);
		assert_string_equal(q.mark, "");
	}
}

static void test_socketmap_never_asks_for_anything_else(void **state)
{
	static const char *const rows[] = {
		"relaypass unknown",
		"relaypass mx.example.org",
		"relaypass 192.0.2.1.example.org",
		"relaypass 192.0.2",
		"relaypass 192.0.2.1/32",
		"relaypass 192.0.2.01",
		"relaypass [192.0.2.1]",
		"relaypass  192.0.2.1",
		"relaypass 192.0.2.1 ",
		"relaypass 192.0.2.1 192.0.2.2",
		"relaypass 2001:db8:",
		"relaypass ipv6:192.0.2.1",
		"relaypass ipv6:",
		"relaypass ipv6:ipv6:::1",
		"relaypass ",
		"Relaypass 192.0.2.1",
		"relaypas 192.0.2.1",
		"relaypassx 192.0.2.1",
		"other 192.0.2.1",
		" 192.0.2.1",
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct question q;
		if (look_up(rows[i], &q) != DECODE_QUESTION || q.asked)
			fail_msg("row %zu: %s", i, rows[i]);
	}
}

static void test_socketmap_needs_the_whole_netstring(void **state)
{
	static const char text[] = "19:relaypass 192.0.2.1,5:x";
	struct question q;
	size_t used;

	(void)state;
	for (size_t len = 0; len < sizeof("19:relaypass 192.0.2.1") - 1; len++)
		assert_int_equal(decode(text, len, &q, &used), DECODE_MORE);
	assert_int_equal(
	    decode(text, sizeof(text) - 1, &q, &used), DECODE_QUESTION);
	assert_int_equal(used, sizeof("19:relaypass 192.0.2.1,") - 1);
	assert_true(q.asked);
}

static void test_socketmap_takes_no_other_framing(void **state)
{
	static const char *const rows[] = {
		":",
		",",
		" 19:relaypass 192.0.2.1,",
		"-1:,",
		"+19:relaypass 192.0.2.1,",
		"019:relaypass 192.0.2.1,",
		"00:,",
		"0:,",
		"0x13:relaypass 192.0.2.1,",
		"19 :relaypass 192.0.2.1,",
		"19;relaypass 192.0.2.1,",
		"18:relaypass 192.0.2.1,",
		"20:relaypass 192.0.2.1,x",
		"19:relaypass 192.0.2.1\n",
		"9:relaypass,",
		"10001",
		"99999",
		"100000",
		"18446744073709551635",
		"relaypass 192.0.2.1\n",
	};
	struct question q;
	size_t used;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (decode(rows[i], strlen(rows[i]), &q, &used) != DECODE_BAD)
			fail_msg("row %zu: %s", i, rows[i]);
}

static void test_socketmap_takes_the_longest_request(void **state)
{
	char *text = xmalloc(kind()->request_max);
	struct question q;
	size_t used;

	(void)state;
	assert_int_equal(kind()->request_max, HEAD + PAYLOAD_MAX + 1);
	memset(text, 'a', kind()->request_max);
	memcpy(text, "10000:relaypass ", HEAD + sizeof("relaypass"));
	text[HEAD + PAYLOAD_MAX] = ',';
	assert_int_equal(
	    decode(text, HEAD + PAYLOAD_MAX, &q, &used), DECODE_MORE);
	assert_int_equal(
	    decode(text, HEAD + PAYLOAD_MAX + 1, &q, &used), DECODE_QUESTION);
	assert_int_equal(used, HEAD + PAYLOAD_MAX + 1);
	assert_false(q.asked);
	free(text);
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

static void test_socketmap_answers_each_verdict(void **state)
{
	static const char temp[] = "36:TEMP Service temporarily unavailable,";
	static const char *const choices[] = { "OK", "permit", "RELAY" };
	static const char *const found[] = { "5:OK OK,", "9:OK permit,",
		"8:OK RELAY," };
	const struct answer allow = { .verdict = VERDICT_ALLOW };
	const struct answer none = { .observed = true };
	const struct answer tempfail = { .verdict = VERDICT_TEMPFAIL };

	(void)state;
	say(&allow, true, false, view.conf, "5:OK OK,");
	say(&allow, false, true, view.conf, "9:NOTFOUND ,");
	say(&none, true, true, view.conf, "9:NOTFOUND ,");
	say(&tempfail, true, false, view.conf, "9:NOTFOUND ,");
	say(&tempfail, true, true, view.conf, temp);
	for (size_t i = 0; i < COUNT_OF(choices); i++) {
		struct conf *c =
		    listener_conf("socketmap", "value = \"%s\"", choices[i]);
		say(&allow, true, false, conf_at(c, "listener", 0), found[i]);
		conf_free(&c);
	}
}

static void test_socketmap_says_perm_to_a_bad_request(void **state)
{
	char out[LISTENER_REPLY_MAX];
	size_t n = kind()->encode_bad(out, sizeof(out));

	(void)state;
	out[n] = '\0';
	assert_string_equal(out, "38:PERM expected a netstring: MAP ADDRESS,");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_socketmap_asks_for_each_form_of_an_address),
		cmocka_unit_test(test_socketmap_never_asks_for_anything_else),
		cmocka_unit_test(test_socketmap_needs_the_whole_netstring),
		cmocka_unit_test(test_socketmap_takes_no_other_framing),
		cmocka_unit_test(test_socketmap_takes_the_longest_request),
		cmocka_unit_test(test_socketmap_answers_each_verdict),
		cmocka_unit_test(test_socketmap_says_perm_to_a_bad_request),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
