/* SPDX-License-Identifier: ISC */
/*
 * check - whether a server is reached, lets us in, and lets us do what we have
 * to; told before a start, by what would mend it. Called by: the kinds' test().
 */
#ifndef REDIS_CHECK_H
#define REDIS_CHECK_H
#include "link.h"

enum { REDIS_TRY_WORDS = 10 };

/* One command that changes nothing: it fails in any case, or asks. */
struct redis_try {
	const char *right;                  /* "+xadd", for the ACL */
	const char *words[REDIS_TRY_WORDS]; /* ends with NULL */
};

/*
 * Runs a loop of its own, some seconds at the most; tries ends with a row whose
 * right is NULL. The link is not started before, and of no use behind. -1 and
 * *err: EXIT_USER with the exact statement that is missing, or EXIT_AGAIN.
 */
int redis_check(struct redis_link *l, const char *user, const char *key,
    const struct redis_try *tries, struct err *err);
/* Lets the log tell when the server may drop keys by itself. */
void redis_check_warn(struct redis_link *l);
#endif
