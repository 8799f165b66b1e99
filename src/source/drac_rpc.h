/* SPDX-License-Identifier: ISC */
/*
 * drac_rpc - the bytes of DRAC: ONC RPC (RFC 5531), XDR (RFC 4506), and the
 * record marks of TCP. Pure: bytes in, a call out; a result in, bytes out.
 * Called by: drac.c (server), drac_portmap.c, contrib/drac (client).
 *
 *   call   xid | 0 | 2 | program | version | procedure | cred | verf | argument
 *   reply  xid | 1 | 0 | verf | 0 | result
 *
 * Version 1 adds an IPv4 address: four bytes as in a dotted quad. Version 2
 * adds an IPv6 address, declared as sixteen chars, and XDR gives each char four
 * bytes: 64 bytes, whose upper three repeat the sign on machines whose chars
 * have one.
 */
#ifndef SOURCE_DRAC_RPC_H
#define SOURCE_DRAC_RPC_H
#include "base/addr.h"

enum { DRAC_PROGRAM = 900101, DRAC_VERSION_4 = 1, DRAC_VERSION_6 = 2 };

enum {
	DRAC_WORD = 4,
	DRAC_AUTH_MAX = 400, /* RFC 5531, section 8.2 */
	/* Six words, cred and verf at their longest, sixteen chars. */
	DRAC_CALL_MAX = 6 * DRAC_WORD + 2 * (2 * DRAC_WORD + DRAC_AUTH_MAX) +
			16 * DRAC_WORD,
	DRAC_REPLY_MAX = 8 * DRAC_WORD,
	RPC_HEAD_SIZE = 10 * DRAC_WORD, /* a call's, with empty cred and verf */
	DRAC_ASK_MAX = RPC_HEAD_SIZE + 16 * DRAC_WORD,
	DRAC_MARK = 4,
	DRAC_FRAGMENTS_MAX = 8,
	/* A record of TCP with its marks. */
	DRAC_RECORD_MAX = DRAC_CALL_MAX + DRAC_FRAGMENTS_MAX * DRAC_MARK
};

/* --- server ----------------------------------------------------------------
 */

/* What the server says; on the wire as it is. */
enum drac_result {
	DRAC_SUCCESS = 0,
	DRAC_DENIED = 1,
	DRAC_SYSTEM_ERROR = 2,
	DRAC_UNKNOWN_ERROR = 3
};

enum drac_kind {
	DRAC_NO_CALL = 0, /* not RPC: there is nobody to answer */
	DRAC_WRONG,       /* a call that is not ours: see fault */
	DRAC_NULL,        /* procedure 0: are you there? */
	DRAC_ADD          /* procedure 1: this address may relay */
};

enum drac_fault {
	DRAC_FAULT_NONE = 0,
	DRAC_FAULT_RPC_VERSION,
	DRAC_FAULT_PROGRAM,
	DRAC_FAULT_VERSION,
	DRAC_FAULT_PROCEDURE,
	DRAC_FAULT_ARGUMENTS
};

struct drac_call {
	enum drac_kind kind;
	enum drac_fault fault;
	uint32_t xid;
	struct addr addr; /* DRAC_ADD; zero otherwise */
};

/* Reads one whole message. Everything in it must fit to the last byte, or it is
 * no DRAC_ADD. */
void drac_call_decode(const uint8_t *bytes, size_t len, struct drac_call *out);
/* The reply to a call; result counts for DRAC_ADD. Returns its length, 0 for
 * DRAC_NO_CALL. */
size_t drac_reply_encode(const struct drac_call *call, enum drac_result result,
    uint8_t out[static DRAC_REPLY_MAX]);

enum drac_record {
	DRAC_RECORD_BAD = -1, /* too long, or in too many pieces */
	DRAC_RECORD_MORE = 0, /* not all here yet */
	DRAC_RECORD_WHOLE
};
/* One record at the head of a stream's bytes. WHOLE: its fragments are put
 * together in out, and *used bytes of the stream were it. */
enum drac_record drac_record_decode(const uint8_t *bytes, size_t len,
    uint8_t out[static DRAC_CALL_MAX], size_t *out_len, size_t *used);
/* The mark before a message of len bytes that is one fragment. */
void drac_record_mark(size_t len, uint8_t out[static DRAC_MARK]);

/* --- client ----------------------------------------------------------------
 */

/* Words in network order; returns what is behind them. */
uint8_t *drac_put_word(uint8_t *out, uint32_t word);
uint32_t drac_get_word(const uint8_t *bytes);
/* The head of a call without credentials. Returns RPC_HEAD_SIZE. */
size_t rpc_call_head(uint8_t out[static RPC_HEAD_SIZE], uint32_t xid,
    uint32_t program, uint32_t version, uint32_t procedure);
enum rpc_reply {
	RPC_REPLY_OTHER = 0, /* not the answer to this call */
	RPC_REPLY_REFUSED,   /* answered, but not served */
	RPC_REPLY_UNFIT,     /* the program is there, but not this version,
			      * procedure or argument */
	RPC_REPLY_SERVED     /* *body (borrowed) are its results */
};
enum rpc_reply rpc_reply_decode(const uint8_t *bytes, size_t len, uint32_t xid,
    const uint8_t **body, size_t *body_len);
/* A whole call: version 2 takes any address, version 1 only IPv4. Returns its
 * length. */
size_t drac_ask_encode(uint8_t out[static DRAC_ASK_MAX], uint32_t xid,
    uint32_t version, const struct addr *a);
/* SERVED: *result is one of enum drac_result. */
enum rpc_reply drac_answer_decode(
    const uint8_t *bytes, size_t len, uint32_t xid, enum drac_result *result);
#endif
