/* SPDX-License-Identifier: ISC */
/*
 * fuzz_record - any bytes as a row of the ledger: each decoder refuses them or
 * gives a sound row, and a sound row encodes to the same bytes again.
 *
 * The first byte is the table, the second the key's length, then come key and
 * value. A row with a wrong check is tried, too, with the right one: else
 * nothing behind the check would ever be reached.
 */
#include <string.h>

#include "base/mem.h"
#include "ledger/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct row {
	const uint8_t *key, *value;
	size_t key_len, len;
};

static void same_value(const struct row *r, const void *again, size_t len)
{
	must(len == r->len && memcmp(again, r->value, len) == 0);
}

static void sound_text(const char *text, size_t len, size_t max)
{
	must(len <= max && text[len] == '\0');
	for (size_t i = 0; i < len; i++)
		must((unsigned char)text[i] >= 0x20);
}

static void sound_lease(const struct lease *row)
{
	struct addr masked = addr_mask(&row->addr, row->bits);

	must(row->bits >= 1 && row->bits <= 128);
	must(addr_equal(&masked, &row->addr));
	must((row->flags & ~LEASE_FLAGS) == 0);
	must(row->end.wall >= 0 && row->end.boot >= 0);
	sound_text(row->user, row->user_len, LOGIN_USER_MAX);
}

static void try_lease(const struct row *r)
{
	uint8_t key[RECORD_LEASE_KEY_MAX], value[RECORD_LEASE_SIZE];
	struct record_peek peek;
	struct lease row;
	uint16_t boot;
	size_t len;

	if (!record_lease_decode(
		r->key, r->key_len, r->value, r->len, &row, &boot))
		return;
	sound_lease(&row);
	must(record_lease_peek(r->key, r->key_len, r->value, r->len, &peek));
	must(peek.boot == boot && peek.bits == row.bits);
	must(peek.end.wall == row.end.wall && peek.end.boot == row.end.boot);
	len = record_lease_key(&row.addr, row.user, row.user_len, key);
	must(len == r->key_len && memcmp(key, r->key, len) == 0);
	same_value(r, value, record_lease_encode(&row, boot, key, len, value));
}

static void try_session(const struct row *r)
{
	uint8_t key[RECORD_SESSION_KEY_MAX], value[RECORD_SESSION_MAX];
	struct ledger_session s;
	uint16_t boot;
	size_t len;

	if (!record_session_decode(
		r->key, r->key_len, r->value, r->len, &s, &boot))
		return;
	sound_text(s.user, s.user_len, LOGIN_USER_MAX);
	sound_text(s.session, s.session_len, LOGIN_SESSION_MAX);
	len = record_session_key(s.server, s.session, s.session_len, key);
	must(len == r->key_len && memcmp(key, r->key, len) == 0);
	same_value(r, value, record_session_encode(&s, boot, key, len, value));
}

static void try_revocation(const struct row *r)
{
	uint8_t key[RECORD_LEASE_KEY_MAX], value[RECORD_REVOCATION_SIZE];
	struct ledger_revocation v;
	uint16_t boot;
	size_t len;

	if (!record_revocation_decode(
		r->key, r->key_len, r->value, r->len, &v, &boot))
		return;
	sound_text(v.user, v.user_len, LOGIN_USER_MAX);
	must(strlen(v.origin) == 16);
	len = record_lease_key(&v.addr, v.user, v.user_len, key);
	must(len == r->key_len && memcmp(key, r->key, len) == 0);
	same_value(
	    r, value, record_revocation_encode(&v, boot, key, len, value));
}

static void try_cursor(const struct row *r)
{
	uint8_t value[RECORD_CURSOR_MAX];
	struct ledger_cursor c;

	if (!record_cursor_decode(r->key, r->key_len, r->value, r->len, &c))
		return;
	must(c.key_len == r->key_len && memcmp(c.key, r->key, c.key_len) == 0);
	same_value(r, value, record_cursor_encode(&c, value));
}

static void try_entry(const struct row *r)
{
	uint8_t key[RECORD_SEQUENCE_SIZE], value[RECORD_ENTRY_MAX];
	struct ledger_entry e;
	uint16_t boot;

	if (!record_entry_decode(
		r->key, r->key_len, r->value, r->len, &e, &boot))
		return;
	if (e.change != CHANGE_REVOKE)
		sound_lease(&e.lease);
	sound_text(e.lease.user, e.lease.user_len, LOGIN_USER_MAX);
	must(record_sequence_key(e.sequence, key) == r->key_len);
	must(memcmp(key, r->key, sizeof(key)) == 0);
	same_value(r, value, record_entry_encode(&e, boot, value));
}

static void try_state(const struct row *r)
{
	uint8_t value[RECORD_STATE_SIZE];
	struct record_state s;

	if (!record_state_decode(r->value, r->len, &s))
		return;
	must(s.valid_from <= s.boots && s.prefix <= 128 && s.ttl > 0);
	same_value(r, value, record_state_encode(&s, value));
}

/* The state row stands under a key of its own. */
static void repair(enum record_kind kind, const struct row *r, uint8_t *value)
{
	static const char state_key[] = "state";
	bool is_state = kind == RECORD_STATE;
	uint16_t check =
	    record_check(kind, is_state ? (const void *)state_key : r->key,
		is_state ? sizeof(state_key) : r->key_len, value, r->len);

	value[0] = (uint8_t)check;
	value[1] = (uint8_t)(check >> 8);
}

static void try_row(enum record_kind kind, const struct row *r)
{
	switch (kind) {
	case RECORD_LEASE:
		try_lease(r);
		break;
	case RECORD_SESSION:
		try_session(r);
		break;
	case RECORD_REVOCATION:
		try_revocation(r);
		break;
	case RECORD_CURSOR:
		try_cursor(r);
		break;
	case RECORD_ENTRY:
		try_entry(r);
		break;
	case RECORD_STATE:
		try_state(r);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum record_kind kind;
	struct row r;
	uint8_t *value;

	if (size < 2)
		return 0;
	kind = (enum record_kind)(data[0] % RECORD_STATE + 1);
	r.key = data + 2;
	r.key_len = data[1] < size - 2 ? data[1] : size - 2;
	r.len = size - 2 - r.key_len;
	/* Of its very size, so that a read behind it is seen. */
	value = xmalloc(r.len);
	memcpy(value, r.key + r.key_len, r.len);
	r.value = value;
	try_row(kind, &r);
	if (r.len >= 2) {
		repair(kind, &r, value);
		try_row(kind, &r);
	}
	mem_free_cleanup(&value);
	return 0;
}
