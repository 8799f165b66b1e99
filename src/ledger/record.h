/* SPDX-License-Identifier: ISC */
/*
 * record - rows of the ledger to and from bytes. Pure functions: every row read
 * back is checked like something a stranger sent (lengths, ranges, addresses,
 * and a 16-bit check over key and value, so that a flipped bit is no lease).
 *
 * Values begin with that check. Numbers in values are little-endian, numbers in
 * keys big-endian, so that keys sort. 48 bits of ms reach the year 10889, 40
 * bits of ms since boot 34 years.
 */
#ifndef LEDGER_RECORD_H
#define LEDGER_RECORD_H
#include "ledger.h"

enum {
	RECORD_LEASE_KEY_MAX = 16 + LOGIN_USER_MAX,
	RECORD_LEASE_SIZE = 35,
	RECORD_SESSION_KEY_MAX = 2 + LOGIN_SESSION_MAX,
	RECORD_SESSION_MAX = 62 + LOGIN_USER_MAX,
	RECORD_REVOCATION_SIZE = 51,
	RECORD_CURSOR_MAX = 2 + LEDGER_CURSOR_MAX,
	RECORD_ENTRY_MAX = 3 + RECORD_LEASE_SIZE + RECORD_LEASE_KEY_MAX,
	RECORD_STATE_SIZE = 106 + 8 * 24
};

/* Which table a row is of: a row of one is never sound in another. */
enum record_kind {
	RECORD_LEASE = 1,
	RECORD_SESSION,
	RECORD_REVOCATION,
	RECORD_CURSOR,
	RECORD_ENTRY,
	RECORD_STATE
};
/* The check that stands in the first two bytes of a value of len >= 2. */
uint16_t record_check(enum record_kind kind, const void *key, size_t key_len,
    const void *value, size_t len);

/*
 * Encoders return the number of bytes, or 0 when the row is not sound. Decoders
 * return true for a sound row; then encoding *out again gives the same bytes.
 * boot is the number of the boot whose clock the ends are of (struct state).
 */
size_t record_lease_key(const struct addr *addr, const char *user,
    size_t user_len, uint8_t out[static RECORD_LEASE_KEY_MAX]);
size_t record_lease_encode(const struct lease *row, uint16_t boot,
    const void *key, size_t key_len, uint8_t out[static RECORD_LEASE_SIZE]);
bool record_lease_decode(const void *key, size_t key_len, const void *value,
    size_t len, struct lease *out, uint16_t *boot_r);

/* What a look-up must know of each row it passes, and no more. */
struct record_peek {
	struct moment end;
	uint16_t boot;
	uint8_t bits;
};
bool record_lease_peek(const void *key, size_t key_len, const void *value,
    size_t len, struct record_peek *out);

size_t record_session_key(uint16_t server, const char *session, size_t len,
    uint8_t out[static RECORD_SESSION_KEY_MAX]);
size_t record_session_encode(const struct ledger_session *s, uint16_t boot,
    const void *key, size_t key_len, uint8_t out[static RECORD_SESSION_MAX]);
bool record_session_decode(const void *key, size_t key_len, const void *value,
    size_t len, struct ledger_session *out, uint16_t *boot_r);

/* Keys are those of leases; one of address and user may be missing. */
size_t record_revocation_encode(const struct ledger_revocation *r,
    uint16_t boot, const void *key, size_t key_len,
    uint8_t out[static RECORD_REVOCATION_SIZE]);
bool record_revocation_decode(const void *key, size_t key_len,
    const void *value, size_t len, struct ledger_revocation *out,
    uint16_t *boot_r);

size_t record_cursor_encode(
    const struct ledger_cursor *c, uint8_t out[static RECORD_CURSOR_MAX]);
bool record_cursor_decode(const void *key, size_t key_len, const void *value,
    size_t len, struct ledger_cursor *out);

enum { RECORD_SEQUENCE_SIZE = 8 };
size_t record_sequence_key(
    uint64_t sequence, uint8_t out[static RECORD_SEQUENCE_SIZE]);
/* REVOKE: lease.end is how long the revocation's row is kept. */
size_t record_entry_encode(const struct ledger_entry *e, uint16_t boot,
    uint8_t out[static RECORD_ENTRY_MAX]);
/* Seals an encoded entry anew under the key of its final sequence. */
void record_entry_seal(
    const uint8_t key[static RECORD_SEQUENCE_SIZE], uint8_t *value, size_t len);
bool record_entry_decode(const void *key, size_t key_len, const void *value,
    size_t len, struct ledger_entry *out, uint16_t *boot_r);

/* How a boot took over the rows of the one before it. */
struct record_adoption {
	struct moment at;
	int64_t ttl;    /* then; ms */
	int64_t before; /* boot clock of the last commit before it */
};
enum { RECORD_ADOPTIONS = 8 };

/* The one row that every commit writes. */
struct record_state {
	struct moment last;    /* of the last commit */
	struct moment adopted; /* when this boot took the rows over */
	/* The same of the last boots, by number modulo RECORD_ADOPTIONS. */
	struct record_adoption adoptions[RECORD_ADOPTIONS];
	uint32_t boots;      /* number of this boot */
	uint32_t valid_from; /* rows of an older boot are no lease */
	int64_t ttl;         /* no end is further away; ms */
	uint64_t node;
	uint64_t sequence;    /* of the journal */
	uint64_t revocations; /* made here */
	uint16_t names;       /* how many there are */
	uint8_t prefix;       /* of IPv6 rows */
	uint8_t journal;      /* 1: the journal has no hole up to here */
	uint8_t mode;
	char boot_id[CLOCK_BOOT_ID_SIZE];
};
size_t record_state_encode(
    const struct record_state *s, uint8_t out[static RECORD_STATE_SIZE]);
bool record_state_decode(
    const void *value, size_t len, struct record_state *out);
#endif
