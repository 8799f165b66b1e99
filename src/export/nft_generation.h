/* SPDX-License-Identifier: ISC */
/*
 * nft_generation - the number that the kernel counts up with each change of its
 * nftables rules, whoever makes it. One small question instead of a listing.
 */
#ifndef EXPORT_NFT_GENERATION_H
#define EXPORT_NFT_GENERATION_H
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* A socket for it, to be closed by the caller. */
int nft_generation_open(struct err *err);
/* False: the kernel does not say. */
bool nft_generation_get(int fd, uint32_t *out);
#endif
