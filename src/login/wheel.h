/* SPDX-License-Identifier: ISC */
/*
 * wheel - keys of leases in the order in which they fall due, for the next two
 * minutes, in slots of a quarter of a second. Memory only, bounded: a key that
 * does not fit is refused, and the walk finds it again a round later.
 */
#ifndef LOGIN_WHEEL_H
#define LOGIN_WHEEL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "login.h"

enum {
	WHEEL_SLOT_MS = 250,
	WHEEL_SLOTS = 512,
	/* As far as a key may lie ahead. */
	WHEEL_HORIZON_MS = (WHEEL_SLOTS - 2) * WHEEL_SLOT_MS
};

struct wheel;

struct wheel_key {
	struct addr addr;
	uint8_t user_len;
	char user[LOGIN_USER_MAX + 1];
};

struct wheel *wheel_new(size_t max_bytes);
void wheel_free(struct wheel **w);
/* boot is now, due when to give the key back. False: too far ahead, or full. */
bool wheel_add(struct wheel *w, int64_t boot, int64_t due,
    const struct addr *addr, const char *user, size_t user_len);
/* Takes out one key that is due at boot; false when there is none. */
bool wheel_take(struct wheel *w, int64_t boot, struct wheel_key *out);
size_t wheel_bytes(const struct wheel *w);
#endif
