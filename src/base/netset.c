/* SPDX-License-Identifier: ISC */
/*
 * netset - a set of networks with the longest prefix first: one hash table of
 * (prefix, length), and the list of lengths in use. A lookup costs one probe a
 * length in use (a configuration has a handful), whatever the number of rows.
 * Called by: login/rules, listener/ allow lists, conf checks.
 */
#include "netset.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"

enum { FIRST_SLOTS = 16, LENGTHS = 129 };

struct row {
	struct net net;
	int value; /* -1: an empty slot */
};

struct netset {
	size_t count;
	size_t slots; /* a power of two, less than three quarters full */
	struct row *rows;
	size_t length_count;
	uint8_t lengths[LENGTHS]; /* in use, longest first */
};

static struct row *rows_new(size_t slots)
{
	struct row *rows = xcalloc(slots, sizeof(*rows));

	for (size_t i = 0; i < slots; i++)
		rows[i].value = -1;
	return rows;
}

struct netset *netset_new(void)
{
	struct netset *set = xcalloc(1, sizeof(*set));

	set->slots = FIRST_SLOTS;
	set->rows = rows_new(set->slots);
	return set;
}

void netset_free(struct netset **set)
{
	if (!*set)
		return;
	free((*set)->rows);
	free(*set);
	*set = NULL;
}

static uint64_t hash_net(const struct addr *a, unsigned bits)
{
	uint64_t high, low;

	memcpy(&high, a->bytes, sizeof(high));
	memcpy(&low, a->bytes + 8, sizeof(low));
	uint64_t h = (high + bits) * 0x9e3779b97f4a7c15U;
	h ^= h >> 32;
	h = (h ^ low) * 0xd6e8feb86659fd93U;
	return h ^ h >> 32;
}

/* The slot that holds this prefix, or the empty one where it belongs. */
static struct row *slot_of(
    const struct netset *set, const struct addr *masked, unsigned bits)
{
	size_t i = hash_net(masked, bits) & (set->slots - 1);

	for (;; i = (i + 1) & (set->slots - 1)) {
		struct row *row = &set->rows[i];
		if (row->value < 0)
			return row;
		if (row->net.bits == bits && addr_equal(&row->net.addr, masked))
			return row;
	}
}

static void grow(struct netset *set)
{
	size_t old_slots = set->slots;
	struct row *old = set->rows;

	set->slots *= 2;
	set->rows = rows_new(set->slots);
	for (size_t i = 0; i < old_slots; i++) {
		if (old[i].value >= 0)
			*slot_of(set, &old[i].net.addr, old[i].net.bits) =
			    old[i];
	}
	free(old);
}

static void note_length(struct netset *set, uint8_t bits)
{
	size_t i = 0;

	while (i < set->length_count && set->lengths[i] > bits)
		i++;
	if (i < set->length_count && set->lengths[i] == bits)
		return;
	memmove(set->lengths + i + 1, set->lengths + i, set->length_count - i);
	set->lengths[i] = bits;
	set->length_count++;
}

void netset_add(struct netset *set, const struct net *net, int value)
{
	must(value >= 0 && net->bits <= 128);
	struct addr masked = addr_mask(&net->addr, net->bits);
	struct row *row = slot_of(set, &masked, net->bits);

	if (row->value < 0) {
		set->count++;
		if (set->count * 4 > set->slots * 3) {
			grow(set);
			row = slot_of(set, &masked, net->bits);
		}
		note_length(set, net->bits);
	}
	row->net.addr = masked;
	row->net.bits = net->bits;
	row->value = value;
}

int netset_match(
    const struct netset *set, const struct addr *a, struct net *net_r)
{
	if (!set || set->count == 0)
		return -1;
	/* Short prefixes speak of IPv6 alone; see net_contains(). */
	unsigned least = addr_is_ipv4(a) ? 96 : 0;

	for (size_t i = 0; i < set->length_count; i++) {
		unsigned bits = set->lengths[i];
		if (bits < least)
			break;
		struct addr masked = addr_mask(a, bits);
		const struct row *row = slot_of(set, &masked, bits);
		if (row->value < 0)
			continue;
		if (net_r)
			*net_r = row->net;
		return row->value;
	}
	return -1;
}

int netset_find(const struct netset *set, const struct addr *a)
{
	return netset_match(set, a, NULL);
}

size_t netset_count(const struct netset *set)
{
	return set ? set->count : 0;
}
