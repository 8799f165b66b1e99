/* SPDX-License-Identifier: ISC */
/*
 * test_postfix_policy - what counts as a question of Postfix, and that nothing
 * but OK, DUNNO and one DEFER_IF_REJECT is ever said.
 */
#define CODEC_KIND "postfix-policy"
#include "codec_world.h"
#include "listener/byte_mask.h"

#define HEAD    "request=smtpd_access_policy\nprotocol_state=RCPT\n"
#define ADDRESS "client_address=192.0.2.7\n"

/* As Postfix 3.7 sends it. */
static const char whole[] =
    HEAD "protocol_name=ESMTP\nclient_address=203.0.113.7\n"
	 "client_name=unknown\nclient_port=40522\nreverse_client_name=unknown\n"
	 "server_address=203.0.113.1\nserver_port=25\nhelo_name=pc=1\n"
	 "sender=jo@example.org\nrecipient=someone@example.net\n"
	 "recipient_count=0\nqueue_id=\ninstance=123.5f2b3c4d.a1b2c.0\nsize=0\n"
	 "etrn_domain=\nstress=\nsasl_method=\nsasl_username=\nsasl_sender=\n"
	 "ccert_subject=\nccert_issuer=\nccert_fingerprint=\n"
	 "ccert_pubkey_fingerprint=\nencryption_protocol=\nencryption_cipher=\n"
	 "encryption_keysize=0\npolicy_context=\n\n";

static enum decode decode_text(const char *text, struct question *q)
{
	size_t used;

	return decode(text, strlen(text), q, &used);
}

static void test_postfix_policy_reads_what_postfix_sends(void **state)
{
	struct question q;
	size_t used;
	struct addr want;

	(void)state;
	assert_int_equal(
	    decode(whole, sizeof(whole) - 1, &q, &used), DECODE_QUESTION);
	assert_int_equal(used, sizeof(whole) - 1);
	assert_true(q.asked);
	assert_true(addr_parse("203.0.113.7", 11, &want));
	assert_true(addr_equal(&q.addr, &want));
	assert_int_equal(q.has_sender, 1);
	assert_string_equal(q.sender, "jo@example.org");
	assert_int_equal(q.sender_len, 14);
	assert_string_equal(q.recipient, "someone@example.net");
	assert_int_equal(q.has_user, 0);
	assert_string_equal(q.mark, "123.5f2b3c4d.a1b2c.0");
}

static void test_postfix_policy_needs_every_byte_of_a_request(void **state)
{
	struct question q;
	size_t used;

	(void)state;
	for (size_t len = 0; len < sizeof(whole) - 1; len++)
		assert_int_equal(decode(whole, len, &q, &used), DECODE_MORE);
}

static void test_postfix_policy_leaves_the_next_request_alone(void **state)
{
	static const char two[] = HEAD ADDRESS "\n" HEAD "\0 garbage";
	struct question q;
	size_t used;

	(void)state;
	assert_int_equal(
	    decode(two, sizeof(two) - 1, &q, &used), DECODE_QUESTION);
	assert_int_equal(used, strlen(HEAD ADDRESS "\n"));
}

static void test_postfix_policy_asks_only_where_ok_would_relay(void **state)
{
	static const struct {
		const char *text;
		bool asked;
	} rows[] = {
		{ HEAD ADDRESS "\n", true },
		{ HEAD ADDRESS "sasl_username=\n\n", true },
		{ HEAD ADDRESS "sasl_username=jo\n\n", false },
		{ "request=smtpd_access_policy\nprotocol_state=DATA\n" ADDRESS
		  "\n",
		    true },
		{ "request=smtpd_access_policy\nprotocol_state=END-OF-"
		  "MESSAGE\n" ADDRESS "\n",
		    true },
		{ "request=smtpd_access_policy\nprotocol_state="
		  "CONNECT\n" ADDRESS "\n",
		    false },
		{ "request=smtpd_access_policy\nprotocol_state=MAIL\n" ADDRESS
		  "\n",
		    false },
		{ "request=smtpd_access_policy\nprotocol_state=VRFY\n" ADDRESS
		  "\n",
		    false },
		{ "request=smtpd_access_policy\nprotocol_state=rcpt\n" ADDRESS
		  "\n",
		    false },
		{ "request=junk\nprotocol_state=RCPT\n" ADDRESS "\n", false },
		{ "protocol_state=RCPT\n" ADDRESS "\n", false },
		{ "request=smtpd_access_policy\n" ADDRESS "\n", false },
		{ HEAD "\n", false },
		{ HEAD "client_address=\n\n", false },
		{ HEAD "client_address=unknown\n\n", false },
		{ HEAD "client_address=192.0.2.07\n\n", false },
		{ HEAD "client_address=IPv6:2001:db8::1\n\n", false },
		{ HEAD "client_address=2001:db8::1\n\n", true },
		{ HEAD "client_name=192.0.2.7\nhelo_name=192.0.2.7\n\n",
		    false },
		{ HEAD "Client_address=192.0.2.7\n\n", false },
		{ HEAD "client_address =192.0.2.7\n\n", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct question q;
		assert_int_equal(
		    decode_text(rows[i].text, &q), DECODE_QUESTION);
		if (q.asked != rows[i].asked)
			fail_msg("row %zu: asked is %d", i, q.asked);
	}
}

static void test_postfix_policy_refuses_broken_requests(void **state)
{
	static const char *const rows[] = {
		"\n",
		"hello\n\n",
		"=x\n\n",
		HEAD ADDRESS ADDRESS "\n",
		HEAD ADDRESS "client_address=\n\n",
		HEAD HEAD ADDRESS "\n",
		HEAD ADDRESS "protocol_state=DATA\n\n",
		HEAD ADDRESS "sender=a\nsender=a\n\n",
		HEAD ADDRESS "recipient=a\nrecipient=a\n\n",
		HEAD ADDRESS "sasl_username=\nsasl_username=\n\n",
		HEAD ADDRESS "instance=1\ninstance=1\n\n",
		HEAD ADDRESS "queue_id=1\nqueue_id=1\n\n",
		HEAD "no equals sign\n" ADDRESS "\n",
		HEAD ADDRESS "\r\n\r\n",
	};
	static const char nul[] = HEAD ADDRESS "helo_name=a\0b\n\n";
	struct question q;
	size_t used;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (decode_text(rows[i], &q) != DECODE_BAD)
			fail_msg("row %zu", i);
	assert_int_equal(decode(nul, sizeof(nul) - 1, &q, &used), DECODE_BAD);
}

/* Writes text without its NUL. */
static void put(char *at, const char *text)
{
	while (*text)
		*at++ = *text++;
}

static void test_postfix_policy_bounds_lines_and_bytes(void **state)
{
	size_t max = kind()->request_max;
	char *text = xmalloc(max + 2);
	struct question q;
	size_t used;
	size_t len = 0;

	(void)state;
	for (int i = 0; i < 128; i++, len += 4)
		put(text + len, "x=1\n");
	text[len] = '\n';
	assert_int_equal(decode(text, len + 1, &q, &used), DECODE_QUESTION);
	put(text + len, "x=1\n\n");
	assert_int_equal(decode(text, len + 5, &q, &used), DECODE_BAD);

	memset(text, 'a', max + 2);
	text[1] = '=';
	put(text + max - 2, "\n\n");
	assert_int_equal(decode(text, max, &q, &used), DECODE_QUESTION);
	assert_int_equal(used, max);
	put(text + max - 2, "aa\n\n");
	assert_int_equal(decode(text, max - 1, &q, &used), DECODE_MORE);
	assert_int_equal(decode(text, max, &q, &used), DECODE_BAD);
	assert_int_equal(decode(text, max + 2, &q, &used), DECODE_BAD);
	free(text);
}

static void test_postfix_policy_takes_no_sender_for_a_cut_one(void **state)
{
	static const char before[] = HEAD ADDRESS "sender=";
	char text[1024];
	struct question q;
	size_t used;
	size_t head = sizeof(before) - 1;

	(void)state;
	memcpy(text, before, head);
	memset(text + head, 's', 400);
	put(text + head + QUESTION_MAIL_MAX, "\n\n");
	assert_int_equal(decode(text, head + QUESTION_MAIL_MAX + 2, &q, &used),
	    DECODE_QUESTION);
	assert_int_equal(q.sender_len, QUESTION_MAIL_MAX);
	put(text + head + QUESTION_MAIL_MAX, "s\n\n");
	assert_int_equal(decode(text, head + QUESTION_MAIL_MAX + 3, &q, &used),
	    DECODE_QUESTION);
	assert_int_equal(q.has_sender, 0);
	assert_int_equal(q.sender_len, 0);
	assert_int_equal(
	    decode_text(HEAD ADDRESS "sender=\n\n", &q), DECODE_QUESTION);
	assert_int_equal(q.has_sender, 1);
	assert_int_equal(q.sender_len, 0);
}

static void test_postfix_policy_marks_only_ids_of_postfix(void **state)
{
	struct question q;

	(void)state;
	(void)decode_text(HEAD ADDRESS "instance=1.2\nqueue_id=4ABC\n\n", &q);
	assert_string_equal(q.mark, "4ABC");
	(void)decode_text(HEAD ADDRESS "instance=1 user=root\n\n", &q);
	assert_string_equal(q.mark, "");
	(void)decode_text(HEAD ADDRESS
	    "instance=1234567890123456789012345678901234567890123456789012345"
	    "6789012345678901234567890\n\n",
	    &q);
	assert_string_equal(q.mark, "");
}

static void say(bool defer, bool asked, enum verdict v, const char *want)
{
	const struct listener_view given = { .defer = defer,
		.show_user = true };
	struct question q = { .asked = asked };
	struct answer a = { .verdict = v,
		.reason = "lease",
		.user_len = 2,
		.user = "jo",
		.ttl = 5000 };
	char out[LISTENER_REPLY_MAX];
	size_t n = kind()->encode(&given, &q, &a, out, sizeof(out));

	assert_int_equal(n, strlen(want));
	assert_memory_equal(out, want, n);
}

static void test_postfix_policy_says_ok_or_dunno_and_nothing_else(void **state)
{
	static const char ok[] = "action=OK\n\n", dunno[] = "action=DUNNO\n\n";
	char out[LISTENER_REPLY_MAX];

	(void)state;
	say(false, true, VERDICT_ALLOW, ok);
	say(true, true, VERDICT_ALLOW, ok);
	say(false, true, VERDICT_NONE, dunno);
	say(true, true, VERDICT_NONE, dunno);
	say(false, true, VERDICT_TEMPFAIL, dunno);
	say(true, true, VERDICT_TEMPFAIL,
	    "action=DEFER_IF_REJECT Service temporarily unavailable\n\n");
	say(false, false, VERDICT_ALLOW, dunno);
	assert_int_equal(kind()->encode_bad(out, sizeof(out)), 0);
}

static void test_byte_mask_finds_every_mark_in_both_ways(void **state)
{
	static const char set[] = "\n=\0a\x8a\xbd\x0b>\x7f\x80\xff\x01";
	char block[BYTE_MASK_BLOCK];
	unsigned seed = 1;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		struct byte_mask want = { 0, 0, 0 };
		for (size_t i = 0; i < sizeof(block); i++) {
			seed = seed * 1103515245 + 12345;
			block[i] = set[(seed >> 16) % (sizeof(set) - 1)];
			want.lf |= (uint64_t)(block[i] == '\n') << i;
			want.eq |= (uint64_t)(block[i] == '=') << i;
			want.nul |= (uint64_t)(block[i] == '\0') << i;
		}
		struct byte_mask a = byte_mask(block);
		struct byte_mask b = byte_mask_portable(block);
		assert_memory_equal(&a, &want, sizeof(want));
		assert_memory_equal(&b, &want, sizeof(want));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_postfix_policy_reads_what_postfix_sends),
		cmocka_unit_test(
		    test_postfix_policy_needs_every_byte_of_a_request),
		cmocka_unit_test(
		    test_postfix_policy_leaves_the_next_request_alone),
		cmocka_unit_test(
		    test_postfix_policy_asks_only_where_ok_would_relay),
		cmocka_unit_test(test_postfix_policy_refuses_broken_requests),
		cmocka_unit_test(test_postfix_policy_bounds_lines_and_bytes),
		cmocka_unit_test(
		    test_postfix_policy_takes_no_sender_for_a_cut_one),
		cmocka_unit_test(test_postfix_policy_marks_only_ids_of_postfix),
		cmocka_unit_test(
		    test_postfix_policy_says_ok_or_dunno_and_nothing_else),
		cmocka_unit_test(test_byte_mask_finds_every_mark_in_both_ways),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
