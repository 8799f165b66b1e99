/* SPDX-License-Identifier: ISC */
/*
 * record_state - the ledger's own rows to and from bytes: cursors, and the
 * state row that every commit writes. See record.h; the other rows are in
 * record.c.
 */
#include "record.h"

#include <string.h>

#include "base/mem.h"
#include "record_bytes.h"

/* --- cursor --------------------------------------------------------------- */

size_t record_cursor_encode(
    const struct ledger_cursor *c, uint8_t out[static RECORD_CURSOR_MAX])
{
	size_t len = CHECK_SIZE + (size_t)c->len;

	if (c->key_len < 1 || c->key_len > LEDGER_CURSOR_KEY_MAX ||
	    c->len > LEDGER_CURSOR_MAX)
		return 0;
	memcpy(out + CHECK_SIZE, c->bytes, c->len);
	seal(RECORD_CURSOR, c->key, c->key_len, out, len);
	return len;
}

bool record_cursor_decode(const void *key, size_t key_len, const void *value,
    size_t len, struct ledger_cursor *out)
{
	const uint8_t *p = value;

	if (key_len < 1 || key_len > LEDGER_CURSOR_KEY_MAX ||
	    len < CHECK_SIZE || len > RECORD_CURSOR_MAX ||
	    !sealed(RECORD_CURSOR, key, key_len, value, len))
		return false;
	memset(out, 0, sizeof *out);
	out->key_len = (uint16_t)key_len;
	memcpy(out->key, key, key_len);
	out->len = (uint16_t)(len - CHECK_SIZE);
	memcpy(out->bytes, p + CHECK_SIZE, out->len);
	return true;
}

/* --- state ---------------------------------------------------------------- */

static const char state_key[] = "state";

static bool state_sound(const struct record_state *s)
{
	return fits_wall(s->last.wall) && fits_wall(s->last.boot) &&
	       fits_wall(s->adopted.wall) && fits_wall(s->adopted.boot) &&
	       s->valid_from <= s->boots && s->ttl > 0 && fits_wall(s->ttl) &&
	       s->prefix >= 1 && s->prefix <= 128 && s->journal <= 1 &&
	       s->boot_id[CLOCK_BOOT_ID_SIZE - 1] == '\0';
}

size_t record_state_encode(
    const struct record_state *s, uint8_t out[static RECORD_STATE_SIZE])
{
	uint8_t *p = out + CHECK_SIZE;

	if (!state_sound(s))
		return 0;
	put_uint(&p, (uint64_t)s->last.wall, WALL_SIZE);
	put_uint(&p, (uint64_t)s->last.boot, WALL_SIZE);
	put_uint(&p, (uint64_t)s->adopted.wall, WALL_SIZE);
	put_uint(&p, (uint64_t)s->adopted.boot, WALL_SIZE);
	put_uint(&p, s->boots, 4);
	put_uint(&p, s->valid_from, 4);
	put_uint(&p, (uint64_t)s->ttl, WALL_SIZE);
	put_uint(&p, s->node, 8);
	put_uint(&p, s->sequence, 8);
	put_uint(&p, s->revocations, 8);
	put_uint(&p, s->names, 2);
	put_uint(&p, s->prefix, 1);
	put_uint(&p, s->journal, 1);
	put_uint(&p, s->mode, 1);
	put_bytes(&p, s->boot_id, CLOCK_BOOT_ID_SIZE);
	for (int i = 0; i < RECORD_ADOPTIONS; i++) {
		put_uint(&p, (uint64_t)s->adoptions[i].at.wall, WALL_SIZE);
		put_uint(&p, (uint64_t)s->adoptions[i].at.boot, WALL_SIZE);
		put_uint(&p, (uint64_t)s->adoptions[i].ttl, WALL_SIZE);
		put_uint(&p, (uint64_t)s->adoptions[i].before, WALL_SIZE);
	}
	must(p == out + RECORD_STATE_SIZE);
	seal(RECORD_STATE, state_key, sizeof state_key, out, RECORD_STATE_SIZE);
	return RECORD_STATE_SIZE;
}

bool record_state_decode(
    const void *value, size_t len, struct record_state *out)
{
	const uint8_t *p = value;

	memset(out, 0, sizeof *out);
	if (len != RECORD_STATE_SIZE ||
	    !sealed(RECORD_STATE, state_key, sizeof state_key, value, len))
		return false;
	p += CHECK_SIZE;
	out->last.wall = (int64_t)get_uint(&p, WALL_SIZE);
	out->last.boot = (int64_t)get_uint(&p, WALL_SIZE);
	out->adopted.wall = (int64_t)get_uint(&p, WALL_SIZE);
	out->adopted.boot = (int64_t)get_uint(&p, WALL_SIZE);
	out->boots = (uint32_t)get_uint(&p, 4);
	out->valid_from = (uint32_t)get_uint(&p, 4);
	out->ttl = (int64_t)get_uint(&p, WALL_SIZE);
	out->node = get_uint(&p, 8);
	out->sequence = get_uint(&p, 8);
	out->revocations = get_uint(&p, 8);
	out->names = (uint16_t)get_uint(&p, 2);
	out->prefix = (uint8_t)get_uint(&p, 1);
	out->journal = (uint8_t)get_uint(&p, 1);
	out->mode = (uint8_t)get_uint(&p, 1);
	get_bytes(&p, out->boot_id, CLOCK_BOOT_ID_SIZE);
	for (int i = 0; i < RECORD_ADOPTIONS; i++) {
		out->adoptions[i].at.wall = (int64_t)get_uint(&p, WALL_SIZE);
		out->adoptions[i].at.boot = (int64_t)get_uint(&p, WALL_SIZE);
		out->adoptions[i].ttl = (int64_t)get_uint(&p, WALL_SIZE);
		out->adoptions[i].before = (int64_t)get_uint(&p, WALL_SIZE);
	}
	return state_sound(out);
}
