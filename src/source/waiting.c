/* SPDX-License-Identifier: ISC */
/*
 * waiting - places with a free list; a token is a count and the place's number.
 */
#include "waiting.h"

#include <stdlib.h>

#include "base/mem.h"

enum { PLACE_BITS = 24, PLACE_MASK = (1 << PLACE_BITS) - 1 };

struct waiting {
	size_t count, size, free_count;
	uint64_t serial;
	uint64_t *tokens; /* 0: the place is free */
	uint32_t *free;   /* numbers of free places, a stack */
	unsigned char *bytes;
};

struct waiting *waiting_new(size_t count, size_t size)
{
	const size_t unit = sizeof(max_align_t);
	struct waiting *w = xcalloc(1, sizeof(*w));

	must(count > 0 && count <= PLACE_MASK);
	w->count = w->free_count = count;
	w->size = (size + unit - 1) / unit * unit;
	w->tokens = xcalloc(count, sizeof(*w->tokens));
	w->free = xcalloc(count, sizeof(*w->free));
	w->bytes = xcalloc(count, w->size);
	for (size_t i = 0; i < count; i++)
		w->free[i] = (uint32_t)(count - 1 - i);
	return w;
}

void waiting_free(struct waiting **wp)
{
	struct waiting *w = *wp;

	*wp = NULL;
	if (!w)
		return;
	free(w->tokens);
	free(w->free);
	free(w->bytes);
	free(w);
}

void *waiting_take(struct waiting *w, uint64_t *token)
{
	uint32_t place;

	*token = 0;
	if (w->free_count == 0)
		return NULL;
	place = w->free[--w->free_count];
	*token = w->tokens[place] = ++w->serial << PLACE_BITS | place;
	return w->bytes + place * w->size;
}

const void *waiting_end(struct waiting *w, uint64_t token)
{
	size_t place = token & PLACE_MASK;

	if (token == 0 || place >= w->count || w->tokens[place] != token)
		return NULL;
	w->tokens[place] = 0;
	w->free[w->free_count++] = (uint32_t)place;
	return w->bytes + place * w->size;
}
