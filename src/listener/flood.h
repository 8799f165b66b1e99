/* SPDX-License-Identifier: ISC */
/*
 * flood - how many answers one network may have in a second over UDP, where the
 * sender of a question can be forged: who is flooded with answers has not asked
 * for them. Pure but for its key: the time is an argument.
 * Called by: server.c, dgram.c, turn.c.
 */
#ifndef LISTENER_FLOOD_H
#define LISTENER_FLOOD_H
#include "base/addr.h"

struct flood;

/* limit: answers a second; 0: none, and the result is NULL, which flood_take()
 * lets pass. */
struct flood *flood_new(unsigned limit);
void flood_free(struct flood **f);
/* Counts one. False: it is over the limit of its network. now: ms of a clock
 * that only goes forward. */
bool flood_take(struct flood *f, const struct addr *a, uint64_t now);
/* Whether one over the limit hears that it is: every second one. Never NULL. */
bool flood_slips(struct flood *f);
#endif
