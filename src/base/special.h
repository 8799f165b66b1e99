/* SPDX-License-Identifier: ISC */
/*
 * special - the addresses that never get a lease of their own: what IANA's
 * special-purpose registries call not globally reachable, and tunnels whose
 * outer address proves nothing (Teredo, 6to4). Documentation networks count as
 * ordinary ones (DESIGN, lease rules).
 */
#ifndef BASE_SPECIAL_H
#define BASE_SPECIAL_H
#include "addr.h"

enum special {
	SPECIAL_NONE = 0, /* an ordinary address */
	SPECIAL_PRIVATE,  /* a site may open it by `private` */
	SPECIAL_NEVER     /* not even by configuration */
};

/*
 * The kind of the block that holds a; *name_r (may be NULL) gets its name from
 * the registry, a constant, or NULL. IPv6 outside 2000::/3 is never ordinary.
 */
enum special special_find(const struct addr *a, const char **name_r);
#endif
