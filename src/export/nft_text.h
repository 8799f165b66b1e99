/* SPDX-License-Identifier: ISC */
/*
 * nft_text - what the export kind "nftables" says to nft, as text. Pure. Names
 * come from the configuration and are checked first; addresses are printed by
 * addr_print(): nothing from a mail log gets into a command otherwise.
 */
#ifndef EXPORT_NFT_TEXT_H
#define EXPORT_NFT_TEXT_H
#include "export.h"
#include "roll.h"

enum { NFT_SETS = 2, NFT_NAME_MAX = 64 };

struct nft_names {
	const char *table;
	const char *sets[NFT_SETS]; /* IPv4, IPv6 */
};

struct nft_text {
	char *bytes; /* ends with NUL; its owner frees it */
	size_t len, room;
};

/* A letter or _, then letters, digits or _; at most NFT_NAME_MAX. */
bool nft_name_good(const char *name);
/* All begin a new text. The boot time (ms) at which a lease ends by the one of
 * its two clocks that is first. */
int64_t nft_boot_end(const struct lease *lease, struct moment now);
void nft_text_table(struct nft_text *t, const struct nft_names *n);
void nft_text_set(struct nft_text *t, const struct nft_names *n, size_t set);
/*
 * The changes of a slice, of whose leases end.wall is nft_boot_end(). Each key
 * is added, deleted and, when it is leased, added with its time: so it does not
 * matter what the set holds of it, and no kernel is asked to change a time.
 * False: there is nothing to say.
 */
bool nft_text_changes(struct nft_text *t, const struct nft_names *n,
    const struct export_slice *slice);
/* Both sets as the roll is, whose ends are boot times. */
void nft_text_whole(struct nft_text *t, const struct nft_names *n,
    const struct roll *roll, int64_t boot_now);
#endif
