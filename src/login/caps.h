/* SPDX-License-Identifier: ISC */
/*
 * caps - how many users hold a live lease for one address, and how many
 * addresses one user holds. The second needs an index by user, which exists in
 * memory only while the option is on.
 */
#ifndef LOGIN_CAPS_H
#define LOGIN_CAPS_H
#include "ledger/ledger.h"

struct caps; /* user to addresses */

/* Reads every row; inside a transaction. */
struct caps *caps_new(struct ledger *l);
void caps_free(struct caps **c);
/* A lease was made. One that ended needs no word: the look-up asks the ledger.
 */
void caps_add(struct caps *c, struct ledger *l, const struct lease *lease);

/* True when `cap` other users hold a live lease for this address. */
bool caps_users_full(
    struct ledger *l, const struct lease *lease, size_t cap, struct moment now);
/* True when this user holds a live lease for `cap` other addresses. */
bool caps_addresses_full(const struct caps *c, struct ledger *l,
    const struct lease *lease, size_t cap, struct moment now);
#endif
