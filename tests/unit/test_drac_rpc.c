/* SPDX-License-Identifier: ISC */
/*
 * test_drac_rpc - ONC RPC calls and replies of DRAC, byte by byte as other
 * implementations send them, and everything that is nearly one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "source/drac_rpc.h"

#define XID         "\xfd\x08\x81\x40"
#define CALL        "\0\0\0\0\0\0\0\2"
#define DRAC        "\0\x0d\xbc\x05"
#define ADD_1       "\0\0\0\1\0\0\0\1"
#define ADD_2       "\0\0\0\2\0\0\0\1"
#define NONE        "\0\0\0\0\0\0\0\0"
#define HEAD        XID CALL DRAC
#define BYTES(text) (const uint8_t *)(text), sizeof(text) - 1

/* Decodes a copy that ends at its last byte, so that reading on is caught. */
static struct drac_call decode(const uint8_t *bytes, size_t len)
{
	uint8_t *copy = xmalloc(len ? len : 1);
	struct drac_call call;

	memcpy(copy, bytes, len);
	memset(&call, 0xa5, sizeof(call));
	drac_call_decode(copy, len, &call);
	free(copy);
	return call;
}

static bool is_addr(const struct addr *a, const char *text)
{
	struct addr want;

	assert_true(addr_parse(text, strlen(text), &want));
	return addr_equal(a, &want);
}

static bool adds(const uint8_t *bytes, size_t len, const struct addr *a)
{
	struct drac_call call = decode(bytes, len);

	return call.kind == DRAC_ADD && addr_equal(&call.addr, a);
}

static bool is_zero(const struct addr *a)
{
	static const struct addr zero = { 0 };

	return addr_equal(a, &zero);
}

static void is_add(struct drac_call call, const char *addr)
{
	assert_int_equal(call.kind, DRAC_ADD);
	assert_int_equal(call.fault, DRAC_FAULT_NONE);
	assert_int_equal(call.xid, 0xfd088140);
	assert_true(is_addr(&call.addr, addr));
}

static void is_wrong(struct drac_call call, enum drac_fault fault)
{
	assert_int_equal(call.kind, DRAC_WRONG);
	assert_int_equal(call.fault, fault);
	assert_true(is_zero(&call.addr));
}

static void test_drac_rpc_reads_version_1(void **state)
{
	(void)state;
	is_add(decode(BYTES(HEAD ADD_1 NONE NONE "\xc0\0\2\1")), "192.0.2.1");
	is_add(decode(BYTES(HEAD ADD_1 NONE NONE "\xcb\0\x71\x42")),
	    "203.0.113.66");
}

/* 2001:db8::1 of a machine with signed chars, and of one without. */
static void test_drac_rpc_reads_the_64_bytes_of_version_2(void **state)
{
#define ZEROS_11                                                               \
	"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" \
	"\0"                                                                   \
	"\0\0\0\0\0\0\0\0\0"
	static const char plain[] = HEAD ADD_2 NONE NONE
	    "\0\0\0\x20\0\0\0\x01\0\0\0\x0d\0\0\0\xb8" ZEROS_11 "\0\0\0\1";
	static const char sign[] = HEAD ADD_2 NONE NONE
	    "\0\0\0\x20\0\0\0\x01\0\0\0\x0d\xff\xff\xff\xb8" ZEROS_11
	    "\0\0\0\1";

	(void)state;
	assert_int_equal(sizeof(plain) - 1, 104);
	is_add(decode(BYTES(plain)), "2001:db8::1");
	is_add(decode(BYTES(sign)), "2001:db8::1");
}

/* Every byte in either form; every other word is refused. */
static void test_drac_rpc_refuses_chars_that_are_none(void **state)
{
	static const uint32_t bad[] = { 0x100, 0x1b8, 0xffff00b8, 0x00ffffb8,
		0xffffff00, 0xffffff7f, 0x80000000, 0x7fffffb8, 0xfffffeb8 };
	uint8_t call[DRAC_ASK_MAX];
	struct addr a;
	size_t len;

	(void)state;
	for (unsigned byte = 0; byte < 256; byte++) {
		memset(&a, (int)byte, sizeof(a));
		len = drac_ask_encode(call, 0xfd088140, DRAC_VERSION_6, &a);
		assert_int_equal(len, 104);
		assert_true(adds(call, len, &a));
		for (size_t i = 0; i < 16; i++)
			memset(call + RPC_HEAD_SIZE + i * 4, 0xff, 3);
		if (byte >= 0x80)
			assert_true(adds(call, len, &a));
		else
			is_wrong(decode(call, len), DRAC_FAULT_ARGUMENTS);
	}
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		for (size_t at = 0; at < 16; at++) {
			memset(&a, 1, sizeof(a));
			len = drac_ask_encode(call, 1, DRAC_VERSION_6, &a);
			(void)drac_put_word(
			    call + RPC_HEAD_SIZE + at * 4, bad[i]);
			is_wrong(decode(call, len), DRAC_FAULT_ARGUMENTS);
		}
}

/* A part of a call is no call; one byte more or less of its argument neither.
 */
static void test_drac_rpc_takes_whole_calls_only(void **state)
{
	static const char four[] = HEAD ADD_1 NONE NONE "\xc0\0\2\1\xc0\0\2\1";
	const uint8_t *bytes = (const uint8_t *)four;
	uint8_t six[DRAC_ASK_MAX + 4] = { 0 };
	struct addr a;

	(void)state;
	for (size_t len = 0; len < sizeof(four); len++) {
		struct drac_call call = decode(bytes, len);
		if (len == 44)
			is_add(call, "192.0.2.1");
		else if (len < RPC_HEAD_SIZE)
			assert_int_equal(call.kind, DRAC_NO_CALL);
		else
			is_wrong(call, DRAC_FAULT_ARGUMENTS);
	}
	assert_true(addr_parse("2001:db8::7", 11, &a));
	(void)drac_ask_encode(six, 7, DRAC_VERSION_6, &a);
	for (size_t len = RPC_HEAD_SIZE; len <= sizeof(six); len++)
		assert_int_equal(
		    decode(six, len).kind, len == 104 ? DRAC_ADD : DRAC_WRONG);
}

/* The low four bytes of a version 2 call are no version 1 argument, and so on.
 */
static void test_drac_rpc_does_not_mix_the_versions(void **state)
{
	struct addr a;
	uint8_t out[DRAC_ASK_MAX];
	size_t len;

	(void)state;
	assert_true(addr_parse("192.0.2.1", 9, &a));
	len = drac_ask_encode(out, 1, DRAC_VERSION_6, &a);
	out[19] = DRAC_VERSION_4;
	is_wrong(decode(out, len), DRAC_FAULT_ARGUMENTS);
	len = drac_ask_encode(out, 1, DRAC_VERSION_4, &a);
	out[19] = DRAC_VERSION_6;
	is_wrong(decode(out, len), DRAC_FAULT_ARGUMENTS);
}

static void test_drac_rpc_tells_what_is_wrong(void **state)
{
#define ARG "\xc0\0\2\1"
	static const struct {
		const char *bytes;
		size_t len;
		enum drac_fault fault;
	} rows[] = {
		{ XID "\0\0\0\0\0\0\0\1" DRAC ADD_1 NONE NONE ARG, 44,
		    DRAC_FAULT_RPC_VERSION },
		{ XID "\0\0\0\0\0\0\0\3", 12, DRAC_FAULT_RPC_VERSION },
		{ XID CALL "\0\x0d\xbc\x06" ADD_1 NONE NONE ARG, 44,
		    DRAC_FAULT_PROGRAM },
		{ XID CALL "\0\1\x86\xa0" ADD_1 NONE NONE ARG, 44,
		    DRAC_FAULT_PROGRAM },
		{ HEAD "\0\0\0\0\0\0\0\1" NONE NONE ARG, 44,
		    DRAC_FAULT_VERSION },
		{ HEAD "\0\0\0\3\0\0\0\1" NONE NONE ARG, 44,
		    DRAC_FAULT_VERSION },
		{ HEAD "\1\0\0\1\0\0\0\1" NONE NONE ARG, 44,
		    DRAC_FAULT_VERSION },
		{ HEAD "\0\0\0\1\0\0\0\2" NONE NONE ARG, 44,
		    DRAC_FAULT_PROCEDURE },
		{ HEAD "\0\0\0\2\xff\xff\xff\xff" NONE NONE ARG, 44,
		    DRAC_FAULT_PROCEDURE },
		{ HEAD "\0\0\0\1\0\0\0\0" NONE NONE ARG, 44,
		    DRAC_FAULT_ARGUMENTS },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		is_wrong(decode((const uint8_t *)rows[i].bytes, rows[i].len),
		    rows[i].fault);
	/* A reply is no call, whatever follows. */
	assert_int_equal(
	    decode(BYTES(XID "\0\0\0\1\0\0\0\2" DRAC ADD_1 NONE NONE ARG)).kind,
	    DRAC_NO_CALL);
	assert_int_equal(
	    decode(BYTES(XID "\0\0\0\2\0\0\0\2" DRAC ADD_1 NONE NONE ARG)).kind,
	    DRAC_NO_CALL);
}

static void test_drac_rpc_answers_the_null_procedure(void **state)
{
	struct drac_call call =
	    decode(BYTES(HEAD "\0\0\0\1\0\0\0\0" NONE NONE));
	uint8_t out[DRAC_REPLY_MAX];

	(void)state;
	assert_int_equal(call.kind, DRAC_NULL);
	assert_int_equal(drac_reply_encode(&call, DRAC_DENIED, out), 24);
	assert_memory_equal(out, XID "\0\0\0\1\0\0\0\0" NONE "\0\0\0\0", 24);
	call = decode(BYTES(HEAD "\0\0\0\2\0\0\0\0" NONE NONE));
	assert_int_equal(call.kind, DRAC_NULL);
}

/* Builds a call with these bodies of credential and verifier. */
static struct drac_call with_auth(
    uint32_t flavour, size_t cred, size_t verf, long missing)
{
	uint8_t bytes[DRAC_CALL_MAX + 64] = { 0 };
	uint8_t *at = bytes + 24; /* behind the procedure */

	(void)rpc_call_head(bytes, 0xfd088140, DRAC_PROGRAM, DRAC_VERSION_4, 1);
	at = drac_put_word(at, flavour);
	at = drac_put_word(at, (uint32_t)cred);
	memset(at, 0xee, (cred + 3) / 4 * 4);
	at += (cred + 3) / 4 * 4;
	at = drac_put_word(at, flavour);
	at = drac_put_word(at, (uint32_t)verf);
	memset(at, 0xee, (verf + 3) / 4 * 4);
	at += (verf + 3) / 4 * 4;
	memcpy(at, "\xc0\0\2\1", 4);
	return decode(bytes, (size_t)(at + 4 - bytes - missing));
}

static void test_drac_rpc_skips_credentials(void **state)
{
	static const uint32_t flavours[] = { 0, 1, 2, 3, 6, 390004 };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(flavours); i++) {
		is_add(with_auth(flavours[i], 0, 0, 0), "192.0.2.1");
		is_add(with_auth(flavours[i], 20, 0, 0), "192.0.2.1");
		is_add(with_auth(flavours[i], 21, 7, 0), "192.0.2.1");
		is_add(with_auth(flavours[i], 400, 400, 0), "192.0.2.1");
		is_wrong(
		    with_auth(flavours[i], 21, 7, 1), DRAC_FAULT_ARGUMENTS);
		assert_int_equal(
		    with_auth(flavours[i], 401, 0, 0).kind, DRAC_NO_CALL);
		assert_int_equal(
		    with_auth(flavours[i], 0, 401, 0).kind, DRAC_NO_CALL);
	}
}

/* A length that reaches behind the message, up to the largest there is. */
static void test_drac_rpc_measures_credentials(void **state)
{
	static const uint32_t lengths[] = { 5, 8, 16, 397, 400, 0x7fffffff,
		0xfffffffc, 0xfffffffd, 0xffffffff };
	uint8_t call[44];

	(void)state;
	memcpy(call, HEAD ADD_1 NONE NONE "\xc0\0\2\1", sizeof(call));
	for (size_t i = 0; i < COUNT_OF(lengths); i++) {
		(void)drac_put_word(call + 28, lengths[i]);
		assert_int_not_equal(decode(call, sizeof(call)).kind, DRAC_ADD);
		(void)drac_put_word(call + 28, 0);
		(void)drac_put_word(call + 36, lengths[i]);
		assert_int_not_equal(decode(call, sizeof(call)).kind, DRAC_ADD);
		(void)drac_put_word(call + 36, 0);
	}
	is_add(decode(call, sizeof(call)), "192.0.2.1");
}

static void reply_is(const struct drac_call *call, enum drac_result result,
    const char *want, size_t len)
{
	uint8_t out[DRAC_REPLY_MAX];

	assert_int_equal(drac_reply_encode(call, result, out), len);
	assert_memory_equal(out, want, len);
}

static void test_drac_rpc_replies(void **state)
{
#define ACCEPTED XID "\0\0\0\1\0\0\0\0" NONE
	struct drac_call call = { .kind = DRAC_ADD, .xid = 0xfd088140 };

	(void)state;
	for (int result = 0; result < 4; result++) {
		char want[] = ACCEPTED "\0\0\0\0\0\0\0?";
		want[27] = (char)result;
		reply_is(&call, (enum drac_result)result, want, 28);
	}
	call.kind = DRAC_WRONG;
	call.fault = DRAC_FAULT_PROGRAM;
	reply_is(&call, DRAC_SUCCESS, ACCEPTED "\0\0\0\1", 24);
	call.fault = DRAC_FAULT_VERSION;
	reply_is(&call, DRAC_SUCCESS, ACCEPTED "\0\0\0\2\0\0\0\1\0\0\0\2", 32);
	call.fault = DRAC_FAULT_PROCEDURE;
	reply_is(&call, DRAC_SUCCESS, ACCEPTED "\0\0\0\3", 24);
	call.fault = DRAC_FAULT_ARGUMENTS;
	reply_is(&call, DRAC_SUCCESS, ACCEPTED "\0\0\0\4", 24);
	call.fault = DRAC_FAULT_RPC_VERSION;
	reply_is(&call, DRAC_SUCCESS,
	    XID "\0\0\0\1\0\0\0\1\0\0\0\0\0\0\0\2\0\0\0\2", 24);
	call.kind = DRAC_NO_CALL;
	reply_is(&call, DRAC_SUCCESS, "", 0);
}

static enum drac_record record(
    const char *bytes, size_t len, uint8_t *out, size_t *out_len, size_t *used)
{
	uint8_t *copy = xmalloc(len ? len : 1);
	enum drac_record r;

	memcpy(copy, bytes, len);
	r = drac_record_decode(copy, len, out, out_len, used);
	free(copy);
	return r;
}

static void test_drac_rpc_puts_fragments_together(void **state)
{
#define PIECES "\0\0\0\3abc\0\0\0\0\x80\0\0\2de"
	uint8_t out[DRAC_CALL_MAX];
	size_t len = 0, used = 0;

	(void)state;
	for (size_t n = 0; n < sizeof(PIECES) - 1; n++)
		assert_int_equal(
		    record(PIECES, n, out, &len, &used), DRAC_RECORD_MORE);
	assert_int_equal(
	    record(PIECES "next", sizeof(PIECES) + 3, out, &len, &used),
	    DRAC_RECORD_WHOLE);
	assert_int_equal(used, sizeof(PIECES) - 1);
	assert_int_equal(len, 5);
	assert_memory_equal(out, "abcde", 5);
	assert_int_equal(
	    record("\x80\0\0\0", 4, out, &len, &used), DRAC_RECORD_WHOLE);
	assert_int_equal(len, 0);
	assert_int_equal(used, 4);
}

static void test_drac_rpc_bounds_fragments(void **state)
{
	uint8_t out[DRAC_CALL_MAX], bytes[2 * DRAC_RECORD_MAX] = { 0 };
	size_t len = 0, used = 0;

	(void)state;
	/* Told before its bytes are here. */
	assert_int_equal(
	    record("\xff\xff\xff\xff", 4, out, &len, &used), DRAC_RECORD_BAD);
	assert_int_equal(
	    record("\x7f\xff\xff\xff", 4, out, &len, &used), DRAC_RECORD_BAD);
	(void)drac_put_word(bytes, 0x80000000U | DRAC_CALL_MAX);
	assert_int_equal(
	    drac_record_decode(bytes, DRAC_CALL_MAX + 4, out, &len, &used),
	    DRAC_RECORD_WHOLE);
	assert_int_equal(len, DRAC_CALL_MAX);
	(void)drac_put_word(bytes, 0x80000000U | (DRAC_CALL_MAX + 1));
	assert_int_equal(
	    drac_record_decode(bytes, 4, out, &len, &used), DRAC_RECORD_BAD);
	/* Two that are too long together. */
	(void)drac_put_word(bytes, DRAC_CALL_MAX);
	(void)drac_put_word(bytes + 4 + DRAC_CALL_MAX, 0x80000001U);
	assert_int_equal(
	    drac_record_decode(bytes, DRAC_CALL_MAX + 8, out, &len, &used),
	    DRAC_RECORD_BAD);
	/* Empty ones, without end. */
	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(drac_record_decode(bytes, (DRAC_FRAGMENTS_MAX - 1) * 4,
			     out, &len, &used),
	    DRAC_RECORD_MORE);
	assert_int_equal(
	    drac_record_decode(bytes, sizeof(bytes), out, &len, &used),
	    DRAC_RECORD_BAD);
}

/* The client's side reads what the server's side writes. */
static void test_drac_rpc_client_and_server_agree(void **state)
{
	uint8_t ask[DRAC_ASK_MAX], reply[DRAC_REPLY_MAX];
	enum drac_result result;
	struct addr a;
	size_t len;

	(void)state;
	assert_true(addr_parse("203.0.113.7", 11, &a));
	len = drac_ask_encode(ask, 77, DRAC_VERSION_4, &a);
	assert_int_equal(len, 44);
	struct drac_call call = decode(ask, len);
	assert_int_equal(call.kind, DRAC_ADD);
	assert_true(addr_equal(&call.addr, &a));
	for (int said = 0; said < 4; said++) {
		len = drac_reply_encode(&call, (enum drac_result)said, reply);
		assert_int_equal(drac_answer_decode(reply, len, 77, &result),
		    RPC_REPLY_SERVED);
		assert_int_equal(result, said);
		assert_int_equal(drac_answer_decode(reply, len, 78, &result),
		    RPC_REPLY_OTHER);
		for (size_t n = 0; n < len; n++)
			assert_int_not_equal(
			    drac_answer_decode(reply, n, 77, &result),
			    RPC_REPLY_SERVED);
	}
	reply[27] = 9; /* a server of another age */
	assert_int_equal(
	    drac_answer_decode(reply, len, 77, &result), RPC_REPLY_SERVED);
	assert_int_equal(result, DRAC_UNKNOWN_ERROR);
	call.kind = DRAC_WRONG;
	for (int fault = 1; fault <= DRAC_FAULT_ARGUMENTS; fault++) {
		call.fault = (enum drac_fault)fault;
		len = drac_reply_encode(&call, DRAC_SUCCESS, reply);
		assert_int_equal(drac_answer_decode(reply, len, 77, &result),
		    fault == DRAC_FAULT_RPC_VERSION ||
			    fault == DRAC_FAULT_PROGRAM
			? RPC_REPLY_REFUSED
			: RPC_REPLY_UNFIT);
	}
	assert_int_equal(
	    drac_answer_decode(ask, 44, 77, &result), RPC_REPLY_OTHER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_drac_rpc_reads_version_1),
		cmocka_unit_test(test_drac_rpc_reads_the_64_bytes_of_version_2),
		cmocka_unit_test(test_drac_rpc_refuses_chars_that_are_none),
		cmocka_unit_test(test_drac_rpc_takes_whole_calls_only),
		cmocka_unit_test(test_drac_rpc_does_not_mix_the_versions),
		cmocka_unit_test(test_drac_rpc_tells_what_is_wrong),
		cmocka_unit_test(test_drac_rpc_answers_the_null_procedure),
		cmocka_unit_test(test_drac_rpc_skips_credentials),
		cmocka_unit_test(test_drac_rpc_measures_credentials),
		cmocka_unit_test(test_drac_rpc_replies),
		cmocka_unit_test(test_drac_rpc_puts_fragments_together),
		cmocka_unit_test(test_drac_rpc_bounds_fragments),
		cmocka_unit_test(test_drac_rpc_client_and_server_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
