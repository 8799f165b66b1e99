/* SPDX-License-Identifier: ISC */
/*
 * foreign - whose logins somebody else's expression finds, as told by our
 * samples. What an old configuration asks for is so replaced by ours of the
 * same server, which takes whole lines only; the expression itself is never
 * used for a lease.
 * Called by: programs with a predecessor's name.
 */
#ifndef PATTERN_FOREIGN_H
#define PATTERN_FOREIGN_H
#include "pattern.h"

struct foreign {
	size_t logins; /* samples of logins that it finds */
	size_t wrong;  /* of these, those in which it takes another address */
};

/* Searches the samples of the i-th server. group is that of the address, 0: it
 * has none. -1 and *err: it is no expression, or runs without end. */
int foreign_search(const struct patterns *p, size_t i, const char *expression,
    unsigned group, struct foreign *out, struct err *err);
#endif
