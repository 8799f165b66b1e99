/* SPDX-License-Identifier: ISC */
/*
 * standing - how an export or a source stands: whether its process runs, how
 * far it is behind, and what is wrong, out of its slot of the board. The slot
 * may be a stranger's by now; what is made of it is bounded, and safe to be put
 * on a line.
 * Called by: control_verbs.c, gateway_metrics.c.
 */
#ifndef DAEMON_STANDING_H
#define DAEMON_STANDING_H
#include <stdbool.h>

#include "board.h"
#include "conf/conf.h"

/* The slots of this export and this source, by their section. NULL: they have
 * none. */
const struct board_slot *standing_export(
    const struct board *b, const struct conf_section *export);
const struct board_slot *standing_source(const struct board *b,
    const struct conf *conf, const struct conf_section *source);

struct standing {
	bool up;
	/* "good"; "behind": not in step, and nothing is said to be wrong;
	 * "trouble": it is said what; "down": no process. */
	const char *state;
	uint64_t lag;    /* seconds since it was last in step; 0: it is */
	uint64_t behind; /* changes, rows or entries that wait */
	char trouble[BOARD_TROUBLE]; /* "": nothing; without control bytes */
};

/* now: uv_hrtime(). Meant for exports, and for sources that are connectors. */
void standing_read(
    const struct board_slot *slot, uint64_t now, struct standing *out);
#endif
