/* SPDX-License-Identifier: ISC */
/*
 * record - a lease or a revocation as it travels between the nodes of a site:
 * one line of text, signed. Whoever carries it (Redis, a table) can lose it,
 * hold it up, or show it twice, but cannot make or change one.
 *
 *	1 lease address=192.0.2.7 user=anna tls=yes server=dovecot
 *	  node=0123456789abcdef issued=MS time=MS end=MS key=ID mac=HEX
 *	1 revoke address=... user=... node=... sequence=N issued=MS time=MS
 *	  end=MS key=ID mac=HEX
 *
 * Words in this order, values as base/kv.h codes them; "address=any" and an
 * empty user are those of a revocation that names none. mac is HMAC-SHA-256 of
 * all before " mac=". Times are the sending node's wall clock, ms since 1970,
 * in this order: time, issued, and the end of a lease; time, and the end of a
 * revocation, which is told past its end, too: a lease of before it may come
 * later still.
 */
#ifndef REPLICA_RECORD_H
#define REPLICA_RECORD_H
#include "base/addr.h"
#include "keys.h"
#include "login/login.h"

enum {
	REPLICA_RECORD_MAX = 1400, /* bytes */
	REPLICA_NODE_DIGITS = 16,
	/* ms past its end that a revocation is told and heard */
	REPLICA_LINGERS = 24 * 3600 * 1000
};

enum replica_kind { REPLICA_LEASE = 1, REPLICA_REVOKE };

struct replica_record {
	enum replica_kind kind;
	uint64_t node;     /* who says it */
	uint64_t sequence; /* REVOKE: of its node's revocations */
	int64_t issued;    /* when it was signed */
	/* LEASE: the last proof of the user's presence, and the lease's end.
	 * REVOKE: when it was said, and until when logins are refused. */
	int64_t time, end;
	struct addr addr; /* REVOKE: all zero means any */
	uint8_t tls;
	uint8_t user_len;
	char user[LOGIN_USER_MAX + 1];
	char server[LOGIN_SERVER_MAX + 1];
};

/* Why a record is not taken. */
enum replica_fault {
	REPLICA_GOOD = 0,
	REPLICA_MALFORMED,
	REPLICA_UNKNOWN_KEY,
	REPLICA_FORGED, /* the signature is not ours */
	REPLICA_FAULTS
};
const char *replica_fault_word(enum replica_fault fault);

/* How long somebody who joins must find a record, ms from when it was issued;
 * above 0. */
int64_t replica_lasts(const struct replica_record *r);
/* A node's id as the ledger writes it, 16 hex digits, to its number. False: it
 * is none. */
bool replica_node(const char *text, uint64_t *node_r);
void replica_node_print(
    uint64_t node, char out[static REPLICA_NODE_DIGITS + 1]);

/* Signs with the first key. Returns the length; 0: the record is not sound (no
 * address, control characters, times out of order), and nobody would take it.
 */
size_t replica_encode(const struct replica_record *r,
    const struct replica_keys *keys, char out[static REPLICA_RECORD_MAX]);
/* Nothing of it is believed, and *out is untouched, unless it is
 * REPLICA_GOOD: exactly what replica_encode() writes with a key we hold. */
enum replica_fault replica_decode(const char *bytes, size_t len,
    const struct replica_keys *keys, struct replica_record *out);
/* For the log alone: what a record that is not taken says of its node and its
 * key. False: it has not the form of one. */
struct replica_claim {
	uint64_t node;
	char key[REPLICA_KEY_ID_MAX + 1];
};
bool replica_claim(const char *bytes, size_t len, struct replica_claim *out);
#endif
