/* SPDX-License-Identifier: ISC */
/*
 * test_relay_ctrl_packet - datagrams in both forms: bytes as they go over the
 * wire, everything that is refused, signatures, replies.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/hmac.h"
#include "base/mem.h"
#include "source/relay_ctrl_packet.h"

static const char key[] = "0123456789abcdef";
enum { KEY_LEN = sizeof(key) - 1 };

static struct addr address(const char *text)
{
	struct addr a;

	assert_true(addr_parse(text, strlen(text), &a));
	return a;
}

/* --- the plain form --- */

static void test_relay_ctrl_plain_is_the_address_alone(void **state)
{
	static const char *const good[] = { "192.0.2.1", "255.255.255.255",
		"2001:db8::1", "::ffff:192.0.2.1" };
	static const char *const bad[] = { "", " 192.0.2.1", "192.0.2.1 ",
		"192.0.2.1\n", "192.0.2.01", "192.0.2", "999.9.9.9", "...",
		"..", "3221225985", "0300.0.2.1", "0x7f000001", "192.0.2.1.1",
		"localhost", "[2001:db8::1]", "2001:db8::1%lo",
		"192.0.2.1/32" };
	struct relay_ctrl_packet p;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(good); i++) {
		struct addr want = address(good[i]);
		assert_true(relay_ctrl_decode(
		    (const uint8_t *)good[i], strlen(good[i]), &p));
		assert_int_equal(p.form, RELAY_CTRL_PLAIN);
		assert_true(addr_equal(&p.addr, &want));
	}
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		if (relay_ctrl_decode(
			(const uint8_t *)bad[i], strlen(bad[i]), &p))
			fail_msg("\"%s\" was taken", bad[i]);
	/* A NUL behind it is a byte left over. */
	assert_false(relay_ctrl_decode((const uint8_t *)"192.0.2.1", 10, &p));
}

static void test_relay_ctrl_plain_is_written_as_it_is_read(void **state)
{
	struct relay_ctrl_packet p = { .addr = address("192.0.2.1") };
	uint8_t out[RELAY_CTRL_PACKET_MAX];

	(void)state;
	assert_int_equal(relay_ctrl_encode(&p, NULL, 0, out), 9);
	assert_memory_equal(out, "192.0.2.1", 9);
}

/* --- the keyed form --- */

static struct relay_ctrl_packet sample(void)
{
	struct relay_ctrl_packet p = { .form = RELAY_CTRL_REQUEST,
		.addr = address("192.0.2.1"),
		.time = 1700000000123,
		.user_len = 4,
		.user = "anna",
		.domain_len = 11,
		.domain = "example.org" };

	return p;
}

/* What a packet without its MAC looks like. */
static const uint8_t head[] = "\x01\x00\x00\x03\x0e"
			      "1700000000.123\x04\x04\xc0\x00\x02\x01";
static const uint8_t env[] = "\x06\x09USER=anna\x06\x12"
			     "DOMAIN=example.org";

static void test_relay_ctrl_keyed_bytes_are_those_of_the_plan(void **state)
{
	struct relay_ctrl_packet p = sample();
	uint8_t want[RELAY_CTRL_PACKET_MAX], out[RELAY_CTRL_PACKET_MAX];
	size_t len = sizeof(head) - 1;

	(void)state;
	memcpy(want, head, len);
	memcpy(want + len, env, sizeof(env) - 1);
	len += sizeof(env) - 1;
	memcpy(want + len, "\x07\x20", 2);
	hmac_sha256(key, KEY_LEN, want, len, want + len + 2);
	len += 2 + HMAC_SIZE;
	want[len++] = 0;
	assert_int_equal(relay_ctrl_encode(&p, key, KEY_LEN, out), len);
	assert_memory_equal(out, want, len);
}

static void is_same(
    const struct relay_ctrl_packet *a, const struct relay_ctrl_packet *b)
{
	assert_int_equal(a->form, b->form);
	assert_true(addr_equal(&a->addr, &b->addr));
	assert_true(a->time == b->time);
	assert_string_equal(a->user, b->user);
	assert_string_equal(a->domain, b->domain);
	assert_int_equal(a->user_len, b->user_len);
	assert_int_equal(a->domain_len, b->domain_len);
}

static void test_relay_ctrl_keyed_is_read_as_it_was_written(void **state)
{
	struct relay_ctrl_packet p = sample(), back;
	uint8_t out[RELAY_CTRL_PACKET_MAX];
	size_t len;

	(void)state;
	srandom(11);
	for (int i = 0; i < 20000; i++) {
		p.form =
		    random() % 2 ? RELAY_CTRL_REQUEST : RELAY_CTRL_RESPONSE;
		p.time = (int64_t)random() * 1000 + random() % 1000;
		for (size_t k = 0; k < sizeof(p.addr.bytes); k++)
			p.addr.bytes[k] = (uint8_t)random();
		if (random() % 2)
			p.addr = address("198.51.100.7");
		p.user_len = (uint8_t)(random() % 150);
		memset(p.user, 0, sizeof(p.user));
		for (size_t k = 0; k < p.user_len; k++)
			p.user[k] = (char)(0x80 | random());
		len = relay_ctrl_encode(&p, key, KEY_LEN, out);
		assert_true(len > 0 && len <= RELAY_CTRL_PACKET_MAX);
		assert_true(relay_ctrl_decode(out, len, &back));
		is_same(&p, &back);
		assert_true(relay_ctrl_verify(out, &back, key, KEY_LEN));
	}
}

static void test_relay_ctrl_encode_refuses_what_does_not_fit(void **state)
{
	struct relay_ctrl_packet p = sample();
	uint8_t out[RELAY_CTRL_PACKET_MAX];

	(void)state;
	memset(p.user, 'u', RELAY_CTRL_VALUE_MAX);
	memset(p.domain, 'd', RELAY_CTRL_VALUE_MAX);
	p.user_len = p.domain_len = RELAY_CTRL_VALUE_MAX;
	assert_int_equal(relay_ctrl_encode(&p, key, KEY_LEN, out), 0);
	p.domain_len -= 2;
	assert_int_equal(relay_ctrl_encode(&p, key, KEY_LEN, out), 0);
	p.domain_len = 20;
	assert_true(relay_ctrl_encode(&p, key, KEY_LEN, out) > 0);
	p.time = -1;
	assert_int_equal(relay_ctrl_encode(&p, key, KEY_LEN, out), 0);
	p.time = INT64_C(1) << 60;
	assert_int_equal(relay_ctrl_encode(&p, key, KEY_LEN, out), 0);
}

/* Items of one packet, with a MAC and a terminator behind them. */
static size_t put_together(
    const void *items, size_t len, uint8_t out[RELAY_CTRL_PACKET_MAX])
{
	memcpy(out, items, len);
	memcpy(out + len, "\x07\x20", 2);
	hmac_sha256(key, KEY_LEN, out, len, out + len + 2);
	len += 2 + HMAC_SIZE;
	out[len++] = 0;
	return len;
}

#define ITEMS(text)                                                            \
	{                                                                      \
		text, sizeof(text) - 1                                         \
	}
#define V "\x01\x00\x00"
#define T                                                                      \
	"\x03\x03"                                                             \
	"100"
#define A "\x04\x04\xc0\x00\x02\x01"

static void test_relay_ctrl_keyed_takes_any_order_and_other_variables(
    void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} rows[] = {
		ITEMS(V T A),
		ITEMS(V A T),
		ITEMS(V "\x06\x08USER=bob" A T),
		ITEMS(V A T "\x06\x05QM=/x\x06\x05QM=/y"),
		ITEMS(V A T "\x06\x05LD=\x01\x02"),
		ITEMS(V A T "\x06\x06"
			    "USERS="),
		ITEMS(V A T "\x06\x05USER="),
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		uint8_t out[RELAY_CTRL_PACKET_MAX];
		size_t len = put_together(rows[i].bytes, rows[i].len, out);
		struct relay_ctrl_packet p;
		if (!relay_ctrl_decode(out, len, &p))
			fail_msg("row %zu", i);
		assert_true(p.time == 100000);
		assert_string_equal(p.user, i == 2 ? "bob" : "");
		assert_true(relay_ctrl_verify(out, &p, key, KEY_LEN));
	}
}

static const struct {
	const char *bytes;
	size_t len;
} not_exact[] = {
	ITEMS(V T),     /* no address */
	ITEMS(V A),     /* no time */
	ITEMS(V A T A), /* twice */
	ITEMS(V A T T),
	ITEMS(V A T "\x05\x10"
		    "aaaabbbbccccdddd"),
	ITEMS(V A T "\x06\x06USER=a\x06\x06USER=b"),
	ITEMS(V A T "\x06\x08"
		    "DOMAIN=a\x06\x08"
		    "DOMAIN=b"),
	ITEMS(V A T "\x06\x06USER=\n"), /* control bytes */
	ITEMS(V A T "\x06\x06USER=\x7f"),
	ITEMS(V A T "\x06\x06USER=\0"),
	ITEMS(V A T "\x06\x04USER"), /* no variable */
	ITEMS(V A T "\x06\x02=x"),
	ITEMS(V A T "\x06\x00"),
	ITEMS(V A T "\x02\x00"), /* unknown types */
	ITEMS(V A T "\x08\x00"),
	ITEMS(V A T "\xff\x00"),
	ITEMS(V A T "\x00\x00"), /* request again */
	ITEMS(V A T "\x01\x00"),
	ITEMS("\x01\x00\x01x" A T), /* lengths */
	ITEMS(V "\x04\x03\xc0\x00\x02" T),
	ITEMS(V "\x04\x05\xc0\x00\x02\x01\x01" T),
	ITEMS(V "\x05\x04\xc0\x00\x02\x01" T),
	ITEMS(V A "\x03\x00"), /* times */
	ITEMS(V A "\x03\x01."),
	ITEMS(V A "\x03\x02"
		  "1."),
	ITEMS(V A "\x03\x02.1"),
	ITEMS(V A "\x03\x02-1"),
	ITEMS(V A "\x03\x02+1"),
	ITEMS(V A "\x03\x02 1"),
	ITEMS(V A "\x03\x03"
		  "1e3"),
	ITEMS(V A "\x03\x05"
		  "1.2.3"),
	ITEMS(V A "\x03\x0c"
		  "123456789012"),
	ITEMS(V A "\x03\x0c"
		  "1.0123456789"),
	ITEMS("\x01" T A),         /* what is it? */
	ITEMS("\x02\x00\x00" T A), /* version */
	ITEMS("\x01\x02\x00" T A),
	ITEMS("\x01"),
	ITEMS(V A T "\x07\x20"
		    "0123456789abcdef0123456789abcdef"),
};

static void test_relay_ctrl_keyed_refuses_what_is_not_exact(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(not_exact); i++) {
		uint8_t out[RELAY_CTRL_PACKET_MAX];
		size_t len =
		    put_together(not_exact[i].bytes, not_exact[i].len, out);
		struct relay_ctrl_packet p;
		if (relay_ctrl_decode(out, len, &p))
			fail_msg("row %zu was taken", i);
	}
}

static void test_relay_ctrl_keyed_refuses_every_cut_and_every_byte_more(
    void **state)
{
	struct relay_ctrl_packet p = sample(), back;
	uint8_t out[RELAY_CTRL_PACKET_MAX + 1] = { 0 };
	size_t len = relay_ctrl_encode(&p, key, KEY_LEN, out);

	(void)state;
	for (size_t i = 0; i < len; i++)
		assert_false(relay_ctrl_decode(out, i, &back));
	assert_false(relay_ctrl_decode(out, len + 1, &back));
	assert_false(relay_ctrl_decode(out, RELAY_CTRL_PACKET_MAX, &back));
	assert_false(relay_ctrl_decode(out, RELAY_CTRL_PACKET_MAX + 1, &back));
}

/* Whatever bit is changed on the way, the packet is not what was signed. */
static void test_relay_ctrl_verify_notices_every_changed_bit(void **state)
{
	struct relay_ctrl_packet p = sample(), back;
	uint8_t out[RELAY_CTRL_PACKET_MAX];
	size_t len = relay_ctrl_encode(&p, key, KEY_LEN, out);

	(void)state;
	for (size_t i = 0; i < len * 8; i++) {
		out[i / 8] ^= (uint8_t)(1U << i % 8);
		if (relay_ctrl_decode(out, len, &back))
			assert_false(
			    relay_ctrl_verify(out, &back, key, KEY_LEN));
		out[i / 8] ^= (uint8_t)(1U << i % 8);
	}
	assert_true(relay_ctrl_decode(out, len, &back));
	assert_true(relay_ctrl_verify(out, &back, key, KEY_LEN));
	assert_false(relay_ctrl_verify(out, &back, key, KEY_LEN - 1));
	assert_false(relay_ctrl_verify(out, &back, "another key here", 16));
	assert_true(relay_ctrl_decode((const uint8_t *)"192.0.2.1", 9, &back));
	assert_false(relay_ctrl_verify(
	    (const uint8_t *)"192.0.2.1", &back, key, KEY_LEN));
}

/* --- replies --- */

static void test_relay_ctrl_reply_to_plain_is_one_byte(void **state)
{
	struct relay_ctrl_packet p = { .addr = address("192.0.2.1") };

	(void)state;
	assert_true(
	    relay_ctrl_is_reply((const uint8_t *)"\x01", 1, &p, NULL, 0));
	assert_false(
	    relay_ctrl_is_reply((const uint8_t *)"\x00", 1, &p, NULL, 0));
	assert_false(
	    relay_ctrl_is_reply((const uint8_t *)"\x01\x01", 2, &p, NULL, 0));
	assert_false(relay_ctrl_is_reply((const uint8_t *)"", 0, &p, NULL, 0));
}

static bool replies(const struct relay_ctrl_packet *reply, const char *with)
{
	struct relay_ctrl_packet request = sample();
	uint8_t out[RELAY_CTRL_PACKET_MAX];
	size_t len = relay_ctrl_encode(reply, with, KEY_LEN, out);

	return relay_ctrl_is_reply(out, len, &request, key, KEY_LEN);
}

static void test_relay_ctrl_reply_to_keyed_is_signed_and_its_own(void **state)
{
	struct relay_ctrl_packet request = sample(), reply = sample();

	(void)state;
	reply.form = RELAY_CTRL_RESPONSE;
	reply.user_len = reply.domain_len = 0;
	assert_true(replies(&reply, key));
	assert_false(replies(&reply, "0123456789abcdeX"));
	assert_false(replies(&request, key)); /* sent back to its sender */
	reply.time++;
	assert_false(replies(&reply, key));
	reply.time--;
	reply.addr = address("192.0.2.2");
	assert_false(replies(&reply, key));
	assert_false(relay_ctrl_is_reply(
	    (const uint8_t *)"\x01", 1, &request, key, KEY_LEN));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_relay_ctrl_plain_is_the_address_alone),
		cmocka_unit_test(
		    test_relay_ctrl_plain_is_written_as_it_is_read),
		cmocka_unit_test(
		    test_relay_ctrl_keyed_bytes_are_those_of_the_plan),
		cmocka_unit_test(
		    test_relay_ctrl_keyed_is_read_as_it_was_written),
		cmocka_unit_test(
		    test_relay_ctrl_encode_refuses_what_does_not_fit),
		cmocka_unit_test(
		    test_relay_ctrl_keyed_takes_any_order_and_other_variables),
		cmocka_unit_test(
		    test_relay_ctrl_keyed_refuses_what_is_not_exact),
		cmocka_unit_test(
		    test_relay_ctrl_keyed_refuses_every_cut_and_every_byte_more),
		cmocka_unit_test(
		    test_relay_ctrl_verify_notices_every_changed_bit),
		cmocka_unit_test(test_relay_ctrl_reply_to_plain_is_one_byte),
		cmocka_unit_test(
		    test_relay_ctrl_reply_to_keyed_is_signed_and_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
