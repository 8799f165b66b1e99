/* SPDX-License-Identifier: ISC */
/*
 * drac_rpc - ONC RPC calls and replies of DRAC, both directions. Links nothing,
 * so that the client library is as small as it looks.
 */
#include "drac_rpc.h"

#include <string.h>

/* RFC 5531, sections 9 and 10. */
enum {
	MESSAGE_CALL = 0,
	MESSAGE_REPLY = 1,
	RPC_VERSION = 2,
	REPLY_ACCEPTED = 0,
	REPLY_DENIED = 1,
	DENIED_RPC_MISMATCH = 0,
	ACCEPT_SUCCESS = 0,
	ACCEPT_PROGRAM_UNAVAILABLE = 1,
	ACCEPT_PROGRAM_MISMATCH = 2,
	ACCEPT_PROCEDURE_UNAVAILABLE = 3,
	ACCEPT_GARBAGE_ARGUMENTS = 4
};

enum {
	PROCEDURE_NULL = 0,
	PROCEDURE_ADD = 1,
	IPV4_SIZE = 4,
	IPV6_SIZE = 16,
	IPV4_AT = 12,      /* of a mapped address's bytes */
	CHAR_SIGN = 0x80U, /* the lowest char that has one */
	BYTE = 0xffU
};
static const uint32_t last_fragment = 0x80000000U, sign_bits = 0xffffff00U;

uint8_t *drac_put_word(uint8_t *out, uint32_t word)
{
	for (int i = 0; i < DRAC_WORD; i++)
		out[i] = (uint8_t)(word >> (8 * (DRAC_WORD - 1 - i)));
	return out + DRAC_WORD;
}

uint32_t drac_get_word(const uint8_t *bytes)
{
	uint32_t word = 0;

	for (int i = 0; i < DRAC_WORD; i++)
		word = word << 8 | bytes[i];
	return word;
}

/* --- reading ---------------------------------------------------------------
 */

/* What is left of a message. short_ stays set once something did not fit. */
struct cursor {
	const uint8_t *at;
	size_t left;
	bool short_;
};

static uint32_t take_word(struct cursor *c)
{
	uint32_t word;

	if (c->left < DRAC_WORD) {
		c->short_ = true;
		return 0;
	}
	word = drac_get_word(c->at);
	c->at += DRAC_WORD;
	c->left -= DRAC_WORD;
	return word;
}

/* A credential or verifier of any flavour: who calls is decided by his address,
 * so that its body is only measured. */
static void skip_auth(struct cursor *c)
{
	(void)take_word(c);
	size_t len = take_word(c);
	size_t padded = (len + DRAC_WORD - 1) / DRAC_WORD * DRAC_WORD;

	if (c->short_ || len > DRAC_AUTH_MAX || padded > c->left) {
		c->short_ = true;
		return;
	}
	c->at += padded;
	c->left -= padded;
}

static void map_ipv4(const uint8_t *bytes, struct addr *out)
{
	memset(out, 0, sizeof(*out));
	out->bytes[IPV4_AT - 2] = out->bytes[IPV4_AT - 1] = BYTE;
	memcpy(out->bytes + IPV4_AT, bytes, IPV4_SIZE);
}

/* Sixteen XDR chars, each plain or with its sign in front; nothing else. */
static bool read_chars(const uint8_t *bytes, struct addr *out)
{
	struct addr a;

	for (size_t i = 0; i < IPV6_SIZE; i++) {
		uint32_t word = drac_get_word(bytes + i * DRAC_WORD);
		uint32_t sign = word & sign_bits;

		if (sign != 0 &&
		    (sign != sign_bits || (word & BYTE) < CHAR_SIGN))
			return false;
		a.bytes[i] = (uint8_t)(word & BYTE);
	}
	*out = a;
	return true;
}

static bool read_argument(
    uint32_t version, const struct cursor *c, struct addr *out)
{
	if (version == DRAC_VERSION_6)
		return c->left == (size_t)IPV6_SIZE * DRAC_WORD &&
		       read_chars(c->at, out);
	if (c->left != IPV4_SIZE)
		return false;
	map_ipv4(c->at, out);
	return true;
}

/* What stands behind the credentials. */
static enum drac_fault read_call(uint32_t program, uint32_t version,
    uint32_t procedure, const struct cursor *c, struct drac_call *out)
{
	if (program != DRAC_PROGRAM)
		return DRAC_FAULT_PROGRAM;
	if (version != DRAC_VERSION_4 && version != DRAC_VERSION_6)
		return DRAC_FAULT_VERSION;
	if (procedure == PROCEDURE_NULL) {
		out->kind = DRAC_NULL;
		return c->left == 0 ? DRAC_FAULT_NONE : DRAC_FAULT_ARGUMENTS;
	}
	if (procedure != PROCEDURE_ADD)
		return DRAC_FAULT_PROCEDURE;
	out->kind = DRAC_ADD;
	return read_argument(version, c, &out->addr) ? DRAC_FAULT_NONE
						     : DRAC_FAULT_ARGUMENTS;
}

void drac_call_decode(const uint8_t *bytes, size_t len, struct drac_call *out)
{
	struct cursor c = { bytes, len, false };

	memset(out, 0, sizeof(*out));
	out->xid = take_word(&c);
	if (take_word(&c) != MESSAGE_CALL || c.short_)
		return;
	uint32_t rpc_version = take_word(&c);
	if (c.short_)
		return;
	if (rpc_version != RPC_VERSION) {
		/* How the rest of another version looks is not known. */
		out->kind = DRAC_WRONG;
		out->fault = DRAC_FAULT_RPC_VERSION;
		return;
	}
	uint32_t program = take_word(&c);
	uint32_t version = take_word(&c);
	uint32_t procedure = take_word(&c);
	skip_auth(&c);
	skip_auth(&c);
	if (c.short_)
		return;
	out->fault = read_call(program, version, procedure, &c, out);
	if (out->fault != DRAC_FAULT_NONE)
		out->kind = DRAC_WRONG;
}

/* --- replies ---------------------------------------------------------------
 */

static uint8_t *put_fault(uint8_t *at, enum drac_fault fault)
{
	switch (fault) {
	case DRAC_FAULT_PROGRAM:
		return drac_put_word(at, ACCEPT_PROGRAM_UNAVAILABLE);
	case DRAC_FAULT_VERSION:
		at = drac_put_word(at, ACCEPT_PROGRAM_MISMATCH);
		at = drac_put_word(at, DRAC_VERSION_4);
		return drac_put_word(at, DRAC_VERSION_6);
	case DRAC_FAULT_PROCEDURE:
		return drac_put_word(at, ACCEPT_PROCEDURE_UNAVAILABLE);
	case DRAC_FAULT_NONE:
	case DRAC_FAULT_RPC_VERSION:
	case DRAC_FAULT_ARGUMENTS:
	default:
		return drac_put_word(at, ACCEPT_GARBAGE_ARGUMENTS);
	}
}

size_t drac_reply_encode(const struct drac_call *call, enum drac_result result,
    uint8_t out[static DRAC_REPLY_MAX])
{
	uint8_t *at = out;

	if (call->kind == DRAC_NO_CALL)
		return 0;
	at = drac_put_word(at, call->xid);
	at = drac_put_word(at, MESSAGE_REPLY);
	if (call->fault == DRAC_FAULT_RPC_VERSION) {
		at = drac_put_word(at, REPLY_DENIED);
		at = drac_put_word(at, DENIED_RPC_MISMATCH);
		at = drac_put_word(at, RPC_VERSION);
		at = drac_put_word(at, RPC_VERSION);
		return (size_t)(at - out);
	}
	at = drac_put_word(at, REPLY_ACCEPTED);
	at = drac_put_word(at, 0); /* verifier: AUTH_NONE, empty */
	at = drac_put_word(at, 0);
	if (call->kind == DRAC_WRONG)
		return (size_t)(put_fault(at, call->fault) - out);
	at = drac_put_word(at, ACCEPT_SUCCESS);
	if (call->kind == DRAC_ADD)
		at = drac_put_word(at, (uint32_t)result);
	return (size_t)(at - out);
}

/* --- records ---------------------------------------------------------------
 */

enum drac_record drac_record_decode(const uint8_t *bytes, size_t len,
    uint8_t out[static DRAC_CALL_MAX], size_t *out_len, size_t *used)
{
	size_t at = 0, have = 0;

	for (int i = 0; i < DRAC_FRAGMENTS_MAX; i++) {
		if (len - at < DRAC_MARK)
			return DRAC_RECORD_MORE;
		uint32_t mark = drac_get_word(bytes + at);
		size_t size = mark & ~last_fragment;

		at += DRAC_MARK;
		if (size > DRAC_CALL_MAX - have)
			return DRAC_RECORD_BAD;
		if (len - at < size)
			return DRAC_RECORD_MORE;
		if (size > 0)
			memcpy(out + have, bytes + at, size);
		have += size;
		at += size;
		if (mark & last_fragment) {
			*out_len = have;
			*used = at;
			return DRAC_RECORD_WHOLE;
		}
	}
	return DRAC_RECORD_BAD;
}

void drac_record_mark(size_t len, uint8_t out[static DRAC_MARK])
{
	(void)drac_put_word(out, last_fragment | (uint32_t)len);
}

/* --- client ----------------------------------------------------------------
 */

size_t rpc_call_head(uint8_t out[static RPC_HEAD_SIZE], uint32_t xid,
    uint32_t program, uint32_t version, uint32_t procedure)
{
	uint8_t *at = out;

	at = drac_put_word(at, xid);
	at = drac_put_word(at, MESSAGE_CALL);
	at = drac_put_word(at, RPC_VERSION);
	at = drac_put_word(at, program);
	at = drac_put_word(at, version);
	at = drac_put_word(at, procedure);
	/* AUTH_NONE, twice. */
	memset(at, 0, (size_t)(out + RPC_HEAD_SIZE - at));
	return RPC_HEAD_SIZE;
}

enum rpc_reply rpc_reply_decode(const uint8_t *bytes, size_t len, uint32_t xid,
    const uint8_t **body, size_t *body_len)
{
	struct cursor c = { bytes, len, false };
	bool ours = take_word(&c) == xid;

	ours &= take_word(&c) == MESSAGE_REPLY;
	uint32_t how = take_word(&c);
	if (!ours || c.short_ || how > REPLY_DENIED)
		return RPC_REPLY_OTHER;
	if (how == REPLY_DENIED)
		return RPC_REPLY_REFUSED;
	skip_auth(&c);
	uint32_t accepted = take_word(&c);
	if (c.short_)
		return RPC_REPLY_OTHER;
	if (accepted >= ACCEPT_PROGRAM_MISMATCH &&
	    accepted <= ACCEPT_GARBAGE_ARGUMENTS)
		return RPC_REPLY_UNFIT;
	if (accepted != ACCEPT_SUCCESS)
		return RPC_REPLY_REFUSED;
	*body = c.at;
	*body_len = c.left;
	return RPC_REPLY_SERVED;
}

size_t drac_ask_encode(uint8_t out[static DRAC_ASK_MAX], uint32_t xid,
    uint32_t version, const struct addr *a)
{
	uint8_t *at =
	    out + rpc_call_head(out, xid, DRAC_PROGRAM, version, PROCEDURE_ADD);

	if (version == DRAC_VERSION_4) {
		memcpy(at, a->bytes + IPV4_AT, IPV4_SIZE);
		return RPC_HEAD_SIZE + IPV4_SIZE;
	}
	for (size_t i = 0; i < IPV6_SIZE; i++)
		at = drac_put_word(at, a->bytes[i]);
	return (size_t)(at - out);
}

enum rpc_reply drac_answer_decode(
    const uint8_t *bytes, size_t len, uint32_t xid, enum drac_result *result)
{
	const uint8_t *body;
	size_t body_len;
	enum rpc_reply reply =
	    rpc_reply_decode(bytes, len, xid, &body, &body_len);

	if (reply != RPC_REPLY_SERVED)
		return reply;
	if (body_len != DRAC_WORD)
		return RPC_REPLY_REFUSED;
	uint32_t said = drac_get_word(body);
	*result = said <= DRAC_UNKNOWN_ERROR ? (enum drac_result)said
					     : DRAC_UNKNOWN_ERROR;
	return RPC_REPLY_SERVED;
}
