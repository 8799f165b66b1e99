/* SPDX-License-Identifier: ISC */
/*
 * join - addresses of connect lines, kept for the login line of the same host,
 * program and pid. Bounded: in a flood the oldest go, which only costs a login.
 */
#ifndef PATTERN_JOIN_H
#define PATTERN_JOIN_H
#include "header.h"
#include "login/login.h"

struct join;

struct join *join_new(void);
void join_free(struct join **j);
/* Keeps addr for the line's host, program and pid, in place of an older one. */
void join_put(struct join *j, const struct header *h, const struct addr *addr,
    int64_t time);
/* Forgets it. */
void join_drop(struct join *j, const struct header *h);
/* Takes it out; false: none, or its time is not within [time - limit, time]. */
bool join_take(struct join *j, const struct header *h, int64_t time,
    int64_t limit, struct addr *out);
#endif
