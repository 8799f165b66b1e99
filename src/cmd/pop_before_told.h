/* SPDX-License-Identifier: ISC */
/*
 * pop_before_told - which addresses pop-before-smtp's own log calls added.
 * relaypassd tells of each lease, one address may have leases of several users,
 * and what is told twice must not count twice. Pure.
 */
#ifndef CMD_POP_BEFORE_TOLD_H
#define CMD_POP_BEFORE_TOLD_H
#include <stdbool.h>

struct pop_told;

struct pop_told *pop_told_new(void);
void pop_told_free(struct pop_told **t);
/* True: this address was not there. */
bool pop_told_add(struct pop_told *t, const char *address, const char *user);
/* A lease is over. user "": of any user; address "::": at any address. gone
 * hears of each address that has none left. */
typedef void pop_told_fn(void *ctx, const char *address);
void pop_told_remove(struct pop_told *t, const char *address, const char *user,
    pop_told_fn *gone, void *ctx);
#endif
