/* SPDX-License-Identifier: ISC */
/*
 * losses - how often a server lost what an export told it: when all is to be
 * told anew, and whether it was no loss but another process that writes as the
 * same node. Pure; times in ms. Called by: export/redis.c.
 */
#ifndef REDIS_LOSSES_H
#define REDIS_LOSSES_H
#include <stdbool.h>
#include <stdint.h>

struct redis_losses {
	uint64_t at;     /* of the last */
	unsigned others; /* marks of others in succession, to that */
	bool owes;       /* all is to be told, at `anew_at` or later */
	uint64_t anew_at, pause;
};

/* The mark is not ours any more. is_other: it is that of another run. */
void redis_losses_add(struct redis_losses *l, bool is_other, uint64_t now);
/* Another process writes as this node, now. One mark may be of an old dump: it
 * takes two. */
bool redis_losses_has_rival(const struct redis_losses *l, uint64_t now);
/* True once for each loss, some time behind the one before: all is to be told
 * now. While there is a rival, at longer and longer intervals. */
bool redis_losses_tell(struct redis_losses *l, uint64_t now);
#endif
