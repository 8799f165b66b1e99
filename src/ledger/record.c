/* SPDX-License-Identifier: ISC */
/*
 * record - rows of the ledger to and from bytes; see record.h.
 * Called by the other files of this room and by tests. Owns nothing, knows no
 * time and no LMDB. Not here: whether a sound row is still a lease (read.c).
 */
#include "record.h"

#include <string.h>

#include "record_bytes.h"

enum { ADDR_SIZE = 16 };

static uint64_t absorb(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
	return hash ^ (hash >> 32);
}

static uint64_t absorb_bytes(uint64_t hash, const uint8_t *p, size_t len)
{
	uint64_t word;

	for (; len >= sizeof word; p += sizeof word, len -= sizeof word) {
		memcpy(&word, p, sizeof word);
		hash = absorb(hash, le64toh(word));
	}
	word = 0;
	memcpy(&word, p, len);
	/* The length tells a short tail from one that ends in zeros. */
	return absorb(hash, le64toh(word) | (uint64_t)len << 56);
}

/*
 * Not against an attacker (who owns the file owns the leases), but against a
 * disk that gives back other bytes than it took. Key and value go through two
 * lanes, which the processor works on at the same time: this runs for each row
 * of each look-up.
 */
uint16_t record_check(enum record_kind kind, const void *key, size_t key_len,
    const void *value, size_t len)
{
	const uint8_t *v = value;
	uint64_t k = absorb_bytes((uint64_t)kind, key, key_len);
	uint64_t h =
	    absorb_bytes(~(uint64_t)kind, v + CHECK_SIZE, len - CHECK_SIZE);

	h = absorb(h, k);
	return (uint16_t)(h >> 40);
}

static bool text_sound(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < 0x20)
			return false;
	return true;
}

static bool addr_is_zero(const struct addr *a)
{
	static const struct addr zero;

	return memcmp(a, &zero, sizeof zero) == 0;
}

/* An address that a row may hold: masked, IPv4 at least a /0 of its own. */
static bool addr_sound(const struct addr *a, uint8_t bits)
{
	struct addr masked;

	if (bits < 1 || bits > 128 || addr_is_zero(a))
		return false;
	if (bits == 128)
		return true;
	if (addr_is_ipv4(a) && bits < 96)
		return false;
	masked = addr_mask(a, bits);
	return addr_equal(a, &masked);
}

/* --- keys of address and user --------------------------------------------- */

size_t record_lease_key(const struct addr *addr, const char *user,
    size_t user_len, uint8_t out[static RECORD_LEASE_KEY_MAX])
{
	if (user_len > LOGIN_USER_MAX || !text_sound(user, user_len))
		return 0;
	memcpy(out, addr->bytes, ADDR_SIZE);
	memcpy(out + ADDR_SIZE, user, user_len);
	return ADDR_SIZE + user_len;
}

static bool split_key(const uint8_t *key, size_t key_len, struct addr *addr,
    char *user, uint8_t *user_len)
{
	size_t len;

	if (key_len < ADDR_SIZE || key_len > RECORD_LEASE_KEY_MAX)
		return false;
	len = key_len - ADDR_SIZE;
	if (!text_sound((const char *)key + ADDR_SIZE, len))
		return false;
	memcpy(addr->bytes, key, ADDR_SIZE);
	memcpy(user, key + ADDR_SIZE, len);
	user[len] = '\0';
	*user_len = (uint8_t)len;
	return true;
}

/* --- lease ---------------------------------------------------------------- */

enum {
	LEASE_AT_BOOT = 2,
	LEASE_AT_WALL_END = 4,
	LEASE_AT_BOOT_END = 10,
	LEASE_AT_FIRST = 15,
	LEASE_AT_LAST = 21,
	LEASE_AT_SESSIONS = 27,
	LEASE_AT_SOURCE = 29,
	LEASE_AT_SERVER = 31,
	LEASE_AT_BITS = 33,
	LEASE_AT_FLAGS = 34
};

size_t record_lease_encode(const struct lease *row, uint16_t boot,
    const void *key, size_t key_len, uint8_t out[static RECORD_LEASE_SIZE])
{
	uint8_t *p = out + CHECK_SIZE;

	if (!addr_sound(&row->addr, row->bits) || (row->flags & ~LEASE_FLAGS) ||
	    !fits_wall(row->end.wall) || !fits_boot(row->end.boot) ||
	    !fits_wall(row->first_login) || !fits_wall(row->last_login))
		return 0;
	put_uint(&p, boot, 2);
	put_moment(&p, row->end);
	put_uint(&p, (uint64_t)row->first_login, WALL_SIZE);
	put_uint(&p, (uint64_t)row->last_login, WALL_SIZE);
	put_uint(&p, row->sessions, 2);
	put_uint(&p, row->source, 2);
	put_uint(&p, row->server, 2);
	put_uint(&p, row->bits, 1);
	put_uint(&p, row->flags, 1);
	seal(RECORD_LEASE, key, key_len, out, RECORD_LEASE_SIZE);
	return RECORD_LEASE_SIZE;
}

bool record_lease_peek(const void *key, size_t key_len, const void *value,
    size_t len, struct record_peek *out)
{
	const uint8_t *v = value;

	if (len != RECORD_LEASE_SIZE || key_len < ADDR_SIZE ||
	    key_len > RECORD_LEASE_KEY_MAX ||
	    !sealed(RECORD_LEASE, key, key_len, v, len))
		return false;
	out->boot = (uint16_t)load_uint(v + LEASE_AT_BOOT, 2);
	out->end.wall = (int64_t)load_uint(v + LEASE_AT_WALL_END, WALL_SIZE);
	out->end.boot = (int64_t)load_uint(v + LEASE_AT_BOOT_END, BOOT_SIZE);
	out->bits = v[LEASE_AT_BITS];
	return true;
}

bool record_lease_decode(const void *key, size_t key_len, const void *value,
    size_t len, struct lease *out, uint16_t *boot_r)
{
	const uint8_t *v = value;
	struct record_peek peek;

	if (!record_lease_peek(key, key_len, value, len, &peek) ||
	    !split_key(key, key_len, &out->addr, out->user, &out->user_len) ||
	    !addr_sound(&out->addr, peek.bits) ||
	    (v[LEASE_AT_FLAGS] & ~LEASE_FLAGS))
		return false;
	out->bits = peek.bits;
	out->end = peek.end;
	*boot_r = peek.boot;
	out->flags = v[LEASE_AT_FLAGS];
	out->first_login = (int64_t)load_uint(v + LEASE_AT_FIRST, WALL_SIZE);
	out->last_login = (int64_t)load_uint(v + LEASE_AT_LAST, WALL_SIZE);
	out->sessions = (uint16_t)load_uint(v + LEASE_AT_SESSIONS, 2);
	out->source = (uint16_t)load_uint(v + LEASE_AT_SOURCE, 2);
	out->server = (uint16_t)load_uint(v + LEASE_AT_SERVER, 2);
	return true;
}

/* --- session -------------------------------------------------------------- */

enum { SESSION_FIXED = 62 };

size_t record_session_key(uint16_t server, const char *session, size_t len,
    uint8_t out[static RECORD_SESSION_KEY_MAX])
{
	if (len < 1 || len > LOGIN_SESSION_MAX || !text_sound(session, len))
		return 0;
	out[0] = (uint8_t)(server >> 8);
	out[1] = (uint8_t)server;
	memcpy(out + 2, session, len);
	return 2 + len;
}

size_t record_session_encode(const struct ledger_session *s, uint16_t boot,
    const void *key, size_t key_len, uint8_t out[static RECORD_SESSION_MAX])
{
	uint8_t *p = out + CHECK_SIZE;
	size_t len = SESSION_FIXED + (size_t)s->user_len;

	if (addr_is_zero(&s->addr) || !fits_wall(s->began) ||
	    !fits_moment(s->since) || !fits_moment(s->last_sign) ||
	    !text_sound(s->user, s->user_len))
		return 0;
	put_uint(&p, boot, 2);
	put_uint(&p, s->source, 2);
	put_uint(&p, s->mpid, 4);
	put_uint(&p, s->mpid_start, 8);
	put_uint(&p, (uint64_t)s->began, WALL_SIZE);
	put_moment(&p, s->since);
	put_moment(&p, s->last_sign);
	put_bytes(&p, s->addr.bytes, ADDR_SIZE);
	put_bytes(&p, s->user, s->user_len);
	seal(RECORD_SESSION, key, key_len, out, len);
	return len;
}

bool record_session_decode(const void *key, size_t key_len, const void *value,
    size_t len, struct ledger_session *out, uint16_t *boot_r)
{
	const uint8_t *k = key, *p = value;

	if (key_len < 3 || key_len > RECORD_SESSION_KEY_MAX ||
	    len < SESSION_FIXED || len > RECORD_SESSION_MAX ||
	    !text_sound((const char *)k + 2, key_len - 2) ||
	    !sealed(RECORD_SESSION, key, key_len, value, len))
		return false;
	memset(out, 0, sizeof *out);
	out->server = (uint16_t)(k[0] << 8 | k[1]);
	out->session_len = (uint8_t)(key_len - 2);
	memcpy(out->session, k + 2, key_len - 2);
	p += CHECK_SIZE;
	*boot_r = (uint16_t)get_uint(&p, 2);
	out->source = (uint16_t)get_uint(&p, 2);
	out->mpid = (uint32_t)get_uint(&p, 4);
	out->mpid_start = get_uint(&p, 8);
	out->began = (int64_t)get_uint(&p, WALL_SIZE);
	out->since = get_moment(&p);
	out->last_sign = get_moment(&p);
	get_bytes(&p, out->addr.bytes, ADDR_SIZE);
	out->user_len = (uint8_t)(len - SESSION_FIXED);
	get_bytes(&p, out->user, out->user_len);
	return !addr_is_zero(&out->addr) &&
	       text_sound(out->user, out->user_len);
}

/* --- revocation ----------------------------------------------------------- */

enum { ORIGIN_SIZE = 16 };

static bool origin_sound(const char *origin)
{
	for (int i = 0; i < ORIGIN_SIZE; i++)
		if (!(origin[i] >= '0' && origin[i] <= '9') &&
		    !(origin[i] >= 'a' && origin[i] <= 'f'))
			return false;
	return origin[ORIGIN_SIZE] == '\0';
}

size_t record_revocation_encode(const struct ledger_revocation *r,
    uint16_t boot, const void *key, size_t key_len,
    uint8_t out[static RECORD_REVOCATION_SIZE])
{
	uint8_t *p = out + CHECK_SIZE;

	if ((addr_is_zero(&r->addr) && r->user_len == 0) ||
	    !fits_wall(r->time) || !fits_wall(r->until) ||
	    !fits_moment(r->keep) || !origin_sound(r->origin))
		return 0;
	put_uint(&p, boot, 2);
	put_uint(&p, (uint64_t)r->time, WALL_SIZE);
	put_uint(&p, (uint64_t)r->until, WALL_SIZE);
	put_moment(&p, r->keep);
	put_uint(&p, r->sequence, 8);
	put_bytes(&p, r->origin, ORIGIN_SIZE);
	seal(RECORD_REVOCATION, key, key_len, out, RECORD_REVOCATION_SIZE);
	return RECORD_REVOCATION_SIZE;
}

bool record_revocation_decode(const void *key, size_t key_len,
    const void *value, size_t len, struct ledger_revocation *out,
    uint16_t *boot_r)
{
	const uint8_t *p = value;

	if (len != RECORD_REVOCATION_SIZE ||
	    !split_key(key, key_len, &out->addr, out->user, &out->user_len) ||
	    !sealed(RECORD_REVOCATION, key, key_len, value, len))
		return false;
	p += CHECK_SIZE;
	*boot_r = (uint16_t)get_uint(&p, 2);
	out->time = (int64_t)get_uint(&p, WALL_SIZE);
	out->until = (int64_t)get_uint(&p, WALL_SIZE);
	out->keep = get_moment(&p);
	out->sequence = get_uint(&p, 8);
	get_bytes(&p, out->origin, ORIGIN_SIZE);
	out->origin[ORIGIN_SIZE] = '\0';
	return (!addr_is_zero(&out->addr) || out->user_len > 0) &&
	       origin_sound(out->origin);
}

/* --- journal entry -------------------------------------------------------- */

enum {
	ENTRY_HEAD = CHECK_SIZE + 1,
	REVOKE_FIXED = 2 + WALL_SIZE + MOMENT_SIZE
};

size_t record_sequence_key(
    uint64_t sequence, uint8_t out[static RECORD_SEQUENCE_SIZE])
{
	sequence = htobe64(sequence);
	memcpy(out, &sequence, RECORD_SEQUENCE_SIZE);
	return RECORD_SEQUENCE_SIZE;
}

static size_t encode_change(const struct ledger_entry *e, uint16_t boot,
    const uint8_t *key, size_t key_len, uint8_t *out)
{
	uint8_t *p = out;

	if (e->change == CHANGE_PUT || e->change == CHANGE_DELETE)
		return record_lease_encode(&e->lease, boot, key, key_len, out);
	if (e->change != CHANGE_REVOKE || !fits_wall(e->until) ||
	    !fits_moment(e->lease.end) || e->lease.bits > 128)
		return 0;
	put_uint(&p, boot, 2);
	put_uint(&p, (uint64_t)e->until, WALL_SIZE);
	put_moment(&p, e->lease.end);
	put_uint(&p, e->lease.bits, 1);
	return REVOKE_FIXED + 1;
}

size_t record_entry_encode(const struct ledger_entry *e, uint16_t boot,
    uint8_t out[static RECORD_ENTRY_MAX])
{
	uint8_t key[RECORD_LEASE_KEY_MAX], number[RECORD_SEQUENCE_SIZE];
	uint8_t *p = out + ENTRY_HEAD;
	size_t key_len = record_lease_key(
	    &e->lease.addr, e->lease.user, e->lease.user_len, key);
	size_t len;

	if (key_len == 0)
		return 0;
	len = encode_change(e, boot, key, key_len, p);
	if (len == 0)
		return 0;
	out[CHECK_SIZE] = (uint8_t)e->change;
	memcpy(p + len, key, key_len);
	len += ENTRY_HEAD + key_len;
	record_sequence_key(e->sequence, number);
	seal(RECORD_ENTRY, number, sizeof number, out, len);
	return len;
}

void record_entry_seal(
    const uint8_t key[static RECORD_SEQUENCE_SIZE], uint8_t *value, size_t len)
{
	seal(RECORD_ENTRY, key, RECORD_SEQUENCE_SIZE, value, len);
}

static bool decode_revoke(
    const uint8_t *v, size_t len, struct ledger_entry *out, uint16_t *boot_r)
{
	const uint8_t *p = v;
	struct lease *row = &out->lease;

	if (len < REVOKE_FIXED + 1 ||
	    !split_key(v + REVOKE_FIXED + 1, len - REVOKE_FIXED - 1, &row->addr,
		row->user, &row->user_len))
		return false;
	*boot_r = (uint16_t)get_uint(&p, 2);
	out->until = (int64_t)get_uint(&p, WALL_SIZE);
	row->end = get_moment(&p);
	row->bits = *p;
	return row->bits <= 128;
}

bool record_entry_decode(const void *key, size_t key_len, const void *value,
    size_t len, struct ledger_entry *out, uint16_t *boot_r)
{
	const uint8_t *v = value;
	uint64_t sequence;

	memset(out, 0, sizeof *out);
	if (key_len != RECORD_SEQUENCE_SIZE || len < ENTRY_HEAD ||
	    len > RECORD_ENTRY_MAX ||
	    !sealed(RECORD_ENTRY, key, key_len, value, len))
		return false;
	memcpy(&sequence, key, sizeof sequence);
	out->sequence = be64toh(sequence);
	out->change = (enum ledger_change)v[CHECK_SIZE];
	v += ENTRY_HEAD;
	len -= ENTRY_HEAD;
	switch (out->change) {
	case CHANGE_PUT:
	case CHANGE_DELETE:
		return len > RECORD_LEASE_SIZE &&
		       record_lease_decode(v + RECORD_LEASE_SIZE,
			   len - RECORD_LEASE_SIZE, v, RECORD_LEASE_SIZE,
			   &out->lease, boot_r);
	case CHANGE_REVOKE:
		return decode_revoke(v, len, out, boot_r);
	}
	return false;
}
