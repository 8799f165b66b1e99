/* SPDX-License-Identifier: ISC */
/*
 * flood - a fixed number of counters; the networks are spread over them by a
 * hash with a secret key. Two that meet in one share its limit, so forging many
 * senders never gets more for any of them, and who shares one with whom nobody
 * can choose.
 */
#include "flood.h"

#include <stdlib.h>
#include <sys/random.h>

#include "base/mem.h"
#include "listener.h"

enum { COUNTERS = 4096, WINDOW_MS = 1000, BYTES_IPV4 = 3, BYTES_IPV6 = 7 };

struct flood {
	unsigned limit;
	uint64_t key;
	bool slipped;
	struct counter {
		uint64_t since; /* of its first one */
		uint64_t count;
	} counters[COUNTERS];
};

struct flood *flood_new(unsigned limit)
{
	struct flood *f;

	if (!limit)
		return NULL;
	f = xcalloc(1, sizeof(*f));
	f->limit = limit;
	must(getrandom(&f->key, sizeof(f->key), 0) == sizeof(f->key));
	return f;
}

void flood_free(struct flood **f)
{
	free(*f);
	*f = NULL;
}

/* The whole of splitmix64's mixing: each bit of the network changes half of
 * what comes out. */
static struct counter *counter_of(struct flood *f, const struct addr *a)
{
	bool four = addr_is_ipv4(a);
	const uint8_t *from = a->bytes + (four ? 12 : 0);
	uint64_t x = four;

	for (int i = 0; i < (four ? BYTES_IPV4 : BYTES_IPV6); i++)
		x = x << 8 | from[i];
	x ^= f->key;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
	x ^= x >> 31;
	return &f->counters[x % COUNTERS];
}

bool flood_take(struct flood *f, const struct addr *a, uint64_t now)
{
	struct counter *c;

	/* The kernel takes no forged loopback from outside. */
	if (!f || listener_is_loopback(a))
		return true;
	c = counter_of(f, a);
	if (!c->count || now - c->since >= WINDOW_MS) {
		c->since = now;
		c->count = 0;
	}
	return ++c->count <= f->limit;
}

bool flood_slips(struct flood *f)
{
	f->slipped = !f->slipped;
	return f->slipped;
}
