/* SPDX-License-Identifier: ISC */
/*
 * record_bytes - little-endian numbers of 1 to 8 bytes to and from memory, and
 * the check of a value. Only for record*.c; inline, because a look-up runs them
 * for each row.
 */
#ifndef LEDGER_RECORD_BYTES_H
#define LEDGER_RECORD_BYTES_H
#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/clock.h"
#include "record.h"

enum { CHECK_SIZE = 2 };
enum { WALL_SIZE = 6, BOOT_SIZE = 5, MOMENT_SIZE = WALL_SIZE + BOOT_SIZE };

static inline bool fits_wall(int64_t ms)
{
	return ms >= 0 && ms < (int64_t)1 << (WALL_SIZE * 8);
}

static inline bool fits_boot(int64_t ms)
{
	return ms >= 0 && ms < (int64_t)1 << (BOOT_SIZE * 8);
}

static inline bool fits_moment(struct moment m)
{
	return fits_wall(m.wall) && fits_boot(m.boot);
}

/* size is 0 to 8, and a constant wherever it counts. */
static inline void put_uint(uint8_t **p, uint64_t value, unsigned size)
{
	value = htole64(value);
	memcpy(*p, &value, size);
	*p += size;
}

static inline uint64_t load_uint(const uint8_t *p, unsigned size)
{
	uint64_t value = 0;

	memcpy(&value, p, size);
	return le64toh(value);
}

static inline uint64_t get_uint(const uint8_t **p, unsigned size)
{
	uint64_t value = load_uint(*p, size);

	*p += size;
	return value;
}

static inline void put_moment(uint8_t **p, struct moment m)
{
	put_uint(p, (uint64_t)m.wall, WALL_SIZE);
	put_uint(p, (uint64_t)m.boot, BOOT_SIZE);
}

static inline struct moment get_moment(const uint8_t **p)
{
	struct moment m;

	m.wall = (int64_t)get_uint(p, WALL_SIZE);
	m.boot = (int64_t)get_uint(p, BOOT_SIZE);
	return m;
}

static inline void put_bytes(uint8_t **p, const void *bytes, size_t len)
{
	memcpy(*p, bytes, len);
	*p += len;
}

static inline void get_bytes(const uint8_t **p, void *out, size_t len)
{
	memcpy(out, *p, len);
	*p += len;
}

static inline void seal(enum record_kind kind, const void *key, size_t key_len,
    uint8_t *value, size_t len)
{
	uint8_t *p = value;

	put_uint(&p, record_check(kind, key, key_len, value, len), CHECK_SIZE);
}

static inline bool sealed(enum record_kind kind, const void *key,
    size_t key_len, const uint8_t *value, size_t len)
{
	return (uint16_t)load_uint(value, CHECK_SIZE) ==
	       record_check(kind, key, key_len, value, len);
}
#endif
