/* SPDX-License-Identifier: ISC */
/*
 * waiting - what a live source must remember of those who wait for the keeper's
 * word: a fixed number of places, each named by a token. Called by: relay_ctrl,
 * pbs, whoson.
 */
#ifndef SOURCE_WAITING_H
#define SOURCE_WAITING_H
#include <stddef.h>
#include <stdint.h>

struct waiting;

/* count (at most 2^24) places of size bytes; nothing is allocated later. */
struct waiting *waiting_new(size_t count, size_t size);
void waiting_free(struct waiting **w);
/* A free place, and its token, which is never 0 and never used again. NULL: all
 * are taken. */
void *waiting_take(struct waiting *w, uint64_t *token);
/* The place of this token, which is free from now on: read it before the next
 * waiting_take(). NULL: there is none. */
const void *waiting_end(struct waiting *w, uint64_t token);
#endif
