/* SPDX-License-Identifier: ISC */
/*
 * scan_addr - the addresses that stand free in a text: not as part of a name, a
 * longer number or a network. For reports and proposals only; a pattern takes
 * an address from the one place where the server writes it.
 */
#ifndef CMD_SCAN_ADDR_H
#define CMD_SCAN_ADDR_H
#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"

struct addr_place {
	size_t at, len;
	struct addr addr;
};

/* The first one at or behind `from`. False: there is none. */
bool scan_addr_next(
    const char *text, size_t len, size_t from, struct addr_place *out);
#endif
