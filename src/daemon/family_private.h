/* SPDX-License-Identifier: ISC */
/*
 * family_private - what family.c and family_watch.c share.
 */
#ifndef DAEMON_FAMILY_PRIVATE_H
#define DAEMON_FAMILY_PRIVATE_H
#include "family.h"

#define FAMILY_MS UINT64_C(1000000) /* in uv_hrtime() */

/* Whether it speaks to the keeper. */
bool family_has_channel(const struct member *m);
/* When it may start again, after m->fails bad starts. */
void family_later(struct member *m);
/* Closes what belongs to a member that has ended. */
void family_forget(struct member *m);
#endif
