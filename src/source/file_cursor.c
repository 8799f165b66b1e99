/* SPDX-License-Identifier: ISC */
/*
 * file_cursor - cursor bytes: a version, a count, and rows of fixed size, all
 * numbers little-endian. What comes back from the ledger is checked like
 * something a stranger sent.
 */
#include "file_cursor.h"

#include <endian.h>
#include <string.h>

#include "base/mem.h"

enum { VERSION = 1, HEAD_SIZE = 2, PLACE_SIZE = 1 + 6 * 8 + 2 };

_Static_assert(HEAD_SIZE + FILE_CURSOR_PLACES * PLACE_SIZE <= SOURCE_CURSOR_MAX,
    "a full cursor fits");

static uint8_t *put64(uint8_t *to, uint64_t value)
{
	value = htole64(value);
	memcpy(to, &value, sizeof(value));
	return to + sizeof(value);
}

static uint64_t get64(const uint8_t **from)
{
	uint64_t value;

	memcpy(&value, *from, sizeof(value));
	*from += sizeof(value);
	return le64toh(value);
}

static uint8_t *put_place(uint8_t *to, const struct place *p)
{
	*to++ = p->done;
	to = put64(to, p->dev);
	to = put64(to, p->ino);
	to = put64(to, (uint64_t)p->offset);
	to = put64(to, (uint64_t)p->size);
	to = put64(to, (uint64_t)p->mtime);
	to = put64(to, p->head_hash);
	*to++ = (uint8_t)(p->head_len & 0xff);
	*to++ = (uint8_t)(p->head_len >> 8);
	return to;
}

size_t file_cursor_encode(
    const struct file_cursor *c, uint8_t out[static SOURCE_CURSOR_MAX])
{
	uint8_t *to = out;

	must(c->count >= 1 && c->count <= FILE_CURSOR_PLACES);
	*to++ = VERSION;
	*to++ = (uint8_t)c->count;
	for (size_t i = 0; i < c->count; i++)
		to = put_place(to, &c->places[i]);
	return (size_t)(to - out);
}

static bool place_is_sound(const struct place *p)
{
	if (p->offset < 0 || p->size < 0 || p->head_len > PLACE_HEAD_MAX)
		return false;
	/* Something was read, so the head holds something too. */
	return p->head_len > 0 || (p->offset == 0 && p->head_hash == 0);
}

static bool get_place(const uint8_t *from, struct place *p)
{
	uint8_t flags = *from++;

	p->done = flags == 1;
	p->dev = get64(&from);
	p->ino = get64(&from);
	p->offset = (int64_t)get64(&from);
	p->size = (int64_t)get64(&from);
	p->mtime = (int64_t)get64(&from);
	p->head_hash = get64(&from);
	p->head_len = (uint16_t)(from[0] | from[1] << 8);
	return flags <= 1 && place_is_sound(p);
}

bool file_cursor_decode(
    const uint8_t *bytes, size_t len, struct file_cursor *out)
{
	memset(out, 0, sizeof(*out));
	if (len < HEAD_SIZE || bytes[0] != VERSION || bytes[1] < 1 ||
	    bytes[1] > FILE_CURSOR_PLACES ||
	    len != HEAD_SIZE + (size_t)bytes[1] * PLACE_SIZE)
		return false;
	for (size_t i = 0; i < bytes[1]; i++) {
		if (!get_place(
			bytes + HEAD_SIZE + i * PLACE_SIZE, &out->places[i])) {
			memset(out, 0, sizeof(*out));
			return false;
		}
	}
	out->count = bytes[1];
	return true;
}

uint64_t place_hash(const uint8_t *bytes, size_t len)
{
	uint64_t hash = UINT64_C(0x51ed270b9f3a4c17) ^ len;

	while (len > 0) {
		size_t take = len < 8 ? len : 8;
		uint64_t word = 0;
		memcpy(&word, bytes, take);
		/* Odd multipliers lose nothing; the shifts bring the high bits,
		 * which depend on all others, down again. */
		hash = (hash ^ le64toh(word)) * UINT64_C(0xd6e8feb86659fd93);
		hash ^= hash >> 32;
		bytes += take;
		len -= take;
	}
	hash *= UINT64_C(0xa0761d6478bd642f);
	return hash ^ hash >> 29;
}
