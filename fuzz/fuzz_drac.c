/* SPDX-License-Identifier: ISC */
/*
 * fuzz_drac - any bytes as what DRAC hears: calls, records of TCP, answers of
 * rpcbind and of servers, lines of dracd.allow. Beyond "no crash": an add is an
 * add only when each of its bytes is what RFC 5531 says, checked here the other
 * way round; a record is the same for any end of the stream behind it; a line
 * of dracd.allow gives what it says in clear.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "source/drac_allow.h"
#include "source/drac_portmap.h"
#include "source/drac_rpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CRED_AT = 24, ARGUMENT_4 = 4, ARGUMENT_6 = 64, IPV4_AT = 12 };

/* Length of a credential's or verifier's three parts, or 0. */
static size_t auth_size(const uint8_t *data, size_t size, size_t at)
{
	if (size < at + 8)
		return 0;
	size_t len = drac_get_word(data + at + 4);
	return len > DRAC_AUTH_MAX ? 0 : 8 + ((len + 3) & ~(size_t)3);
}

/* Whether these bytes are, from first to last, an add of this address. */
static bool is_add(const uint8_t *data, size_t size, const struct addr *a)
{
	size_t cred = auth_size(data, size, CRED_AT);
	size_t verf = cred ? auth_size(data, size, CRED_AT + cred) : 0;
	size_t at = CRED_AT + cred + verf;
	uint8_t want[DRAC_ASK_MAX];
	uint32_t version;

	if (!verf || size < at)
		return false;
	version = size - at == ARGUMENT_4 ? DRAC_VERSION_4 : DRAC_VERSION_6;
	size_t len = drac_ask_encode(want, drac_get_word(data), version, a);
	if (memcmp(data, want, CRED_AT) != 0 ||
	    size - at != len - RPC_HEAD_SIZE)
		return false;
	if (version == DRAC_VERSION_4)
		return memcmp(data + at, a->bytes + IPV4_AT, ARGUMENT_4) == 0;
	for (size_t i = 0; i < 16; i++) {
		int32_t value = (int32_t)drac_get_word(data + at + 4 * i);
		if (value != a->bytes[i] && value != (int8_t)a->bytes[i])
			return false;
	}
	return true;
}

static void check_call(const uint8_t *data, size_t size)
{
	static const struct addr zero = { 0 };
	uint8_t reply[DRAC_REPLY_MAX];
	enum drac_result result;
	struct drac_call call;

	drac_call_decode(data, size, &call);
	must(call.kind == DRAC_ADD ? is_add(data, size, &call.addr)
				   : addr_equal(&call.addr, &zero));
	must((call.kind == DRAC_WRONG) == (call.fault != DRAC_FAULT_NONE));
	size_t len = drac_reply_encode(&call, DRAC_DENIED, reply);
	must((len == 0) == (call.kind == DRAC_NO_CALL));
	enum rpc_reply r = drac_answer_decode(reply, len, call.xid, &result);
	/* Nobody but who added hears a result. */
	must((r == RPC_REPLY_SERVED) == (call.kind == DRAC_ADD));
	must(r != RPC_REPLY_SERVED || result == DRAC_DENIED);
}

static void check_record(const uint8_t *data, size_t size)
{
	uint8_t out[DRAC_CALL_MAX], again[DRAC_CALL_MAX];
	size_t len = 0, used = 0, len2 = 0, used2 = 0;

	if (drac_record_decode(data, size, out, &len, &used) !=
	    DRAC_RECORD_WHOLE)
		return;
	must(used <= size && used <= DRAC_RECORD_MAX && len <= used);
	check_call(out, len);
	must(drac_record_decode(data, used, again, &len2, &used2) ==
	     DRAC_RECORD_WHOLE);
	must(used2 == used && len2 == len && memcmp(out, again, len) == 0);
	must(drac_record_decode(data, used - 1, again, &len2, &used2) ==
	     DRAC_RECORD_MORE);
}

static void check_answers(const uint8_t *data, size_t size)
{
	uint32_t xid = size >= DRAC_WORD ? drac_get_word(data) : 0;
	enum drac_result result = DRAC_SUCCESS;
	uint16_t port = 0;
	bool done = false;

	(void)portmap_done_decode(data, size, xid, &done);
	(void)portmap_found_decode(data, size, xid, false, &port);
	(void)portmap_found_decode(data, size, xid, true, &port);
	if (drac_answer_decode(data, size, xid, &result) == RPC_REPLY_SERVED)
		must(result <= DRAC_UNKNOWN_ERROR);
}

static int print_quad(char *out, size_t size, uint32_t value)
{
	return snprintf(out, size, "%u.%u.%u.%u", value >> 24,
	    value >> 16 & 0xff, value >> 8 & 0xff, value & 0xff);
}

static void check_line(const uint8_t *data, size_t size)
{
	const char *line = (const char *)data;
	struct drac_rule rule;
	char mask[16], addr[16];

	if (drac_allow_parse(line, size, &rule) != DRAC_LINE_RULE)
		return;
	must(size <= DRAC_ALLOW_LINE_MAX);
	size_t mask_len = (size_t)print_quad(mask, sizeof(mask), rule.mask);
	size_t addr_len = (size_t)print_quad(addr, sizeof(addr), rule.addr);
	must(size > mask_len && memcmp(line, mask, mask_len) == 0);
	const char *second =
	    memmem(line + mask_len, size - mask_len, addr, addr_len);
	must(second && second > line + mask_len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_call(data, size);
	check_record(data, size);
	check_answers(data, size);
	check_line(data, size);
	return 0;
}
