/* SPDX-License-Identifier: ISC */
/*
 * wheel - keys by due time; see wheel.h.
 * Called by: sweep.c, apply.c.  Owns: the slots' memory.
 * Not here:  whether a key that is due is still a lease that has ended.
 */
#include "wheel.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Packed keys: 16 bytes of address, one of length, the user. */
struct slot {
	uint8_t *bytes;
	size_t size, used, taken;
};

struct wheel {
	struct slot slots[WHEEL_SLOTS];
	int64_t at; /* number of the slot that is taken from now */
	size_t bytes, max_bytes;
};

enum { KEY_FIXED = 17, SLOT_FIRST_SIZE = 512 };

struct wheel *wheel_new(size_t max_bytes)
{
	struct wheel *w = xcalloc(1, sizeof(*w));

	w->max_bytes = max_bytes;
	return w;
}

static void slot_reset(struct wheel *w, struct slot *s)
{
	w->bytes -= s->size;
	free(s->bytes);
	*s = (struct slot){ 0 };
}

void wheel_free(struct wheel **wp)
{
	struct wheel *w = *wp;

	if (!w)
		return;
	for (size_t i = 0; i < WHEEL_SLOTS; i++)
		slot_reset(w, &w->slots[i]);
	free(w);
	*wp = NULL;
}

static bool slot_grow(struct wheel *w, struct slot *s, size_t need)
{
	size_t size = s->size ? s->size : SLOT_FIRST_SIZE;

	while (size < s->used + need)
		size *= 2;
	if (size == s->size)
		return true;
	if (w->bytes - s->size + size > w->max_bytes)
		return false;
	w->bytes += size - s->size;
	s->bytes = xrealloc(s->bytes, size, 1);
	s->size = size;
	return true;
}

bool wheel_add(struct wheel *w, int64_t boot, int64_t due,
    const struct addr *addr, const char *user, size_t user_len)
{
	/* Rounded up: a key given back too early would have to wait again. */
	int64_t number = (due + WHEEL_SLOT_MS - 1) / WHEEL_SLOT_MS;
	struct slot *s;

	if (!w->bytes)
		w->at = boot / WHEEL_SLOT_MS;
	if (number < w->at)
		number = w->at;
	if (number - w->at >= WHEEL_SLOTS)
		return false;
	s = &w->slots[number % WHEEL_SLOTS];
	if (!slot_grow(w, s, KEY_FIXED + user_len))
		return false;
	memcpy(s->bytes + s->used, addr->bytes, 16);
	s->bytes[s->used + 16] = (uint8_t)user_len;
	memcpy(s->bytes + s->used + KEY_FIXED, user, user_len);
	s->used += KEY_FIXED + user_len;
	return true;
}

static void slot_take(struct slot *s, struct wheel_key *out)
{
	const uint8_t *p = s->bytes + s->taken;

	memcpy(out->addr.bytes, p, 16);
	out->user_len = p[16];
	memcpy(out->user, p + KEY_FIXED, out->user_len);
	out->user[out->user_len] = '\0';
	s->taken += (size_t)KEY_FIXED + out->user_len;
}

bool wheel_take(struct wheel *w, int64_t boot, struct wheel_key *out)
{
	int64_t until = boot / WHEEL_SLOT_MS;

	while (w->bytes && w->at <= until) {
		struct slot *s = &w->slots[w->at % WHEEL_SLOTS];

		if (s->taken < s->used) {
			slot_take(s, out);
			return true;
		}
		slot_reset(w, s);
		/* The slot of this moment may still be added to. */
		if (w->at == until)
			break;
		w->at++;
	}
	return false;
}

size_t wheel_bytes(const struct wheel *w)
{
	return w->bytes;
}
