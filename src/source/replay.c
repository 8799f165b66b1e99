/* SPDX-License-Identifier: ISC */
/*
 * replay - two sets of MACs: one that is being filled, and the one before it.
 * When the first is a window old it becomes the second, and what was the second
 * is forgotten whole: no times are kept, and each MAC is remembered for one to
 * two windows. A MAC is as good as random to whoever does not know the key, so
 * its own bytes are the hash.
 */
#include "replay.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { SETS = 2 };

struct mac {
	uint8_t bytes[REPLAY_MAC_SIZE];
};

struct set {
	size_t count;
	struct mac *slots; /* all zero: free */
};

struct replay {
	size_t most, mask; /* there are twice as many slots: short chains */
	uint64_t window, since;
	struct set sets[SETS]; /* [0] is being filled */
};

struct replay *replay_new(size_t most, uint64_t window_ms)
{
	struct replay *r = xcalloc(1, sizeof(*r));

	must(most > 0 && (most & (most - 1)) == 0);
	r->most = most;
	r->mask = most * 2 - 1;
	r->window = window_ms;
	/* The kernel gives the pages when they are first written. */
	for (size_t i = 0; i < SETS; i++)
		r->sets[i].slots = xcalloc(most * 2, sizeof(struct mac));
	return r;
}

void replay_free(struct replay **rp)
{
	struct replay *r = *rp;

	*rp = NULL;
	if (!r)
		return;
	for (size_t i = 0; i < SETS; i++)
		free(r->sets[i].slots);
	free(r);
}

static bool is_free(const struct mac *slot)
{
	static const struct mac none;

	return memcmp(slot, &none, sizeof(none)) == 0;
}

/* The slot that holds the MAC, or the free one where it belongs. */
static struct mac *find(
    const struct replay *r, const struct set *set, const struct mac *mac)
{
	size_t at;

	memcpy(&at, mac->bytes, sizeof(at));
	for (;; at++) {
		struct mac *slot = &set->slots[at & r->mask];
		if (is_free(slot) || memcmp(slot, mac, sizeof(*mac)) == 0)
			return slot;
	}
}

static void forget(struct replay *r, struct set *set)
{
	if (set->count > 0)
		memset(set->slots, 0, (r->mask + 1) * sizeof(struct mac));
	set->count = 0;
}

static void turn(struct replay *r, uint64_t now)
{
	struct set last = r->sets[0];

	if (now - r->since < r->window)
		return;
	forget(r, &r->sets[1]);
	/* Nothing came for so long that the last set is too old as well. */
	if (now - r->since >= SETS * r->window)
		forget(r, &last);
	r->sets[0] = r->sets[1];
	r->sets[1] = last;
	r->since = now;
}

enum replay_seen replay_note(
    struct replay *r, const uint8_t mac[static REPLAY_MAC_SIZE], uint64_t now)
{
	struct mac wanted;
	struct mac *slot;

	memcpy(wanted.bytes, mac, sizeof(wanted.bytes));
	if (is_free(&wanted))
		return REPLAY_SEEN; /* once in 2^128 */
	turn(r, now);
	slot = find(r, &r->sets[0], &wanted);
	if (!is_free(slot) || !is_free(find(r, &r->sets[1], &wanted)))
		return REPLAY_SEEN;
	if (r->sets[0].count >= r->most)
		return REPLAY_FULL;
	*slot = wanted;
	r->sets[0].count++;
	return REPLAY_NEW;
}
