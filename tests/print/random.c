/* SPDX-License-Identifier: ISC */
/* random - splitmix64: each line of each row has its own seed. */
#include "print.h"

static uint64_t mix(uint64_t v)
{
	v = (v ^ v >> 30) * 0xBF58476D1CE4E5B9;
	v = (v ^ v >> 27) * 0x94D049BB133111EB;
	return v ^ v >> 31;
}

struct rng rng_from(uint64_t seed, uint64_t a, uint64_t b)
{
	return (struct rng){ mix(mix(mix(seed) + a) + b) };
}

uint64_t rng_next(struct rng *r)
{
	r->state += 0x9E3779B97F4A7C15;
	return mix(r->state);
}

size_t rng_below(struct rng *r, size_t n)
{
	return (size_t)((rng_next(r) >> 32) * n >> 32);
}

bool rng_one_in(struct rng *r, size_t n)
{
	return rng_below(r, n) == 0;
}

uint64_t rng_hash(const char *name)
{
	uint64_t v = 0;

	for (; *name; name++)
		v = mix(v + (unsigned char)*name);
	return v;
}
