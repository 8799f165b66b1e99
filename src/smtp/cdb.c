/* SPDX-License-Identifier: ISC */
/*
 * cdb - 256 pairs of numbers at the
 * beginning say where the hash tables are and how many slots they have; a slot
 * is a hash and where its record is, which has the two lengths, the key and the
 * data. All numbers have 32 bits, the least significant byte first.
 */
#include "cdb.h"

#include <string.h>

enum { PAIR = 8, TABLES = 256, HASH_BEGIN = 5381 };

static uint32_t number(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	       (uint32_t)p[3] << 24;
}

static uint32_t hash_of(const char *key, size_t len)
{
	uint32_t hash = HASH_BEGIN;

	for (size_t i = 0; i < len; i++)
		hash = (hash * 33) ^ (unsigned char)key[i];
	return hash;
}

static bool is_record_of(
    const uint8_t *cdb, size_t size, size_t at, const char *key, size_t key_len)
{
	if (at > size - PAIR || number(cdb + at) != key_len)
		return false;
	return size - PAIR - at >= key_len &&
	       memcmp(cdb + at + PAIR, key, key_len) == 0;
}

bool spp_cdb_has(
    const uint8_t *cdb, size_t size, const char *key, size_t key_len)
{
	uint32_t hash = hash_of(key, key_len);
	const uint8_t *head;
	size_t table, slots, slot;

	if (size < (size_t)TABLES * PAIR)
		return false;
	head = cdb + (size_t)(hash % TABLES) * PAIR;
	table = number(head);
	slots = number(head + 4);
	if (slots == 0 || table > size || slots > (size - table) / PAIR)
		return false;
	slot = (hash / TABLES) % slots;
	for (size_t i = 0; i < slots; i++) {
		const uint8_t *p = cdb + table + slot * PAIR;

		if (number(p + 4) == 0)
			return false;
		if (number(p) == hash &&
		    is_record_of(cdb, size, number(p + 4), key, key_len))
			return true;
		if (++slot == slots)
			slot = 0;
	}
	return false;
}
