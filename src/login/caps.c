/* SPDX-License-Identifier: ISC */
/*
 * caps - counts of live leases; see caps.h.
 * Called by: apply.c.  Owns: the index.
 *
 * The index is a set of (hash of user, address) with open addressing. It is a
 * hint: each address it names is looked up in the ledger before it counts, so
 * nothing has to be taken out when leases end. When it is full it is made anew
 * from the ledger, which drops what has ended since.
 */
#include "caps.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

struct entry {
	uint32_t hash; /* of the user; 0: free */
	uint8_t addr[16];
};

struct caps {
	struct entry *entries;
	size_t size; /* a power of two */
	size_t used;
};

enum { FIRST_SIZE = 1024 };

/* Users are told apart without regard to case: "BOB" reads bob's mail on many
 * servers, and a cap that spelling evades is none. */
static bool same_user(const struct lease *a, const struct lease *b)
{
	return a->user_len == b->user_len &&
	       !strncasecmp(a->user, b->user, a->user_len);
}

static uint32_t hash_user(const struct lease *lease)
{
	uint64_t h = 0xcbf29ce484222325;

	for (size_t i = 0; i < lease->user_len; i++) {
		unsigned char c = (unsigned char)lease->user[i];
		if (c >= 'A' && c <= 'Z')
			c = (unsigned char)(c + ('a' - 'A'));
		h = (h ^ c) * 0x100000001b3;
	}
	h ^= h >> 32;
	return (uint32_t)h ? (uint32_t)h : 1;
}

static void insert(struct caps *c, uint32_t hash, const struct addr *addr)
{
	size_t i = hash & (c->size - 1);

	for (; c->entries[i].hash; i = (i + 1) & (c->size - 1)) {
		const struct entry *e = &c->entries[i];
		if (e->hash == hash && !memcmp(e->addr, addr->bytes, 16))
			return;
	}
	c->entries[i].hash = hash;
	memcpy(c->entries[i].addr, addr->bytes, 16);
	c->used++;
}

static bool is_full(const struct caps *c)
{
	return c->used >= c->size / 4 * 3;
}

static int insert_row(void *ctx, const struct lease *row)
{
	struct caps *c = ctx;

	/* The table is larger than the rows counted; never fill it up. */
	if (!is_full(c))
		insert(c, hash_user(row), &row->addr);
	return 0;
}

static void fill(struct caps *c, struct ledger *l)
{
	size_t rows = ledger_rows(l) + 1;

	c->size = FIRST_SIZE;
	while (c->size < 2 * rows)
		c->size *= 2;
	free(c->entries);
	c->entries = xcalloc(c->size, sizeof(*c->entries));
	c->used = 0;
	ledger_each(l, NULL, insert_row, c);
}

struct caps *caps_new(struct ledger *l)
{
	struct caps *c = xcalloc(1, sizeof(*c));

	fill(c, l);
	return c;
}

void caps_free(struct caps **c)
{
	if (!*c)
		return;
	free((*c)->entries);
	free(*c);
	*c = NULL;
}

void caps_add(struct caps *c, struct ledger *l, const struct lease *lease)
{
	if (is_full(c))
		fill(c, l);
	insert(c, hash_user(lease), &lease->addr);
}

/* --- counting ------------------------------------------------------------ */

struct count {
	const struct lease *lease;
	struct moment now;
	size_t cap, seen;
};

static int count_user(void *ctx, const struct lease *row)
{
	struct count *c = ctx;

	if (!same_user(row, c->lease) && ledger_alive(row, c->now))
		c->seen++;
	return c->seen >= c->cap;
}

bool caps_users_full(
    struct ledger *l, const struct lease *lease, size_t cap, struct moment now)
{
	struct count c = { .lease = lease, .now = now, .cap = cap };

	return ledger_at(l, &lease->addr, count_user, &c) < 0 || c.seen >= cap;
}

struct holder {
	const struct lease *lease;
	struct moment now;
	bool found;
};

static int find_holder(void *ctx, const struct lease *row)
{
	struct holder *h = ctx;

	h->found = same_user(row, h->lease) && ledger_alive(row, h->now);
	return h->found;
}

bool caps_addresses_full(const struct caps *c, struct ledger *l,
    const struct lease *lease, size_t cap, struct moment now)
{
	uint32_t hash = hash_user(lease);
	size_t seen = 0;

	for (size_t i = hash & (c->size - 1); c->entries[i].hash && seen < cap;
	     i = (i + 1) & (c->size - 1)) {
		struct holder h = { .lease = lease, .now = now };
		struct addr addr;

		if (c->entries[i].hash != hash)
			continue;
		memcpy(addr.bytes, c->entries[i].addr, sizeof(addr.bytes));
		if (addr_equal(&addr, &lease->addr))
			continue;
		if (ledger_at(l, &addr, find_holder, &h) < 0)
			return true;
		seen += h.found;
	}
	return seen >= cap;
}
