/* SPDX-License-Identifier: ISC */
/*
 * import_popip - popip.db, which poprelayd keeps for Sendmail: an address, and
 * the time of its login in seconds since 1970. Its readers look only whether
 * the address is there, and other programs write other values; such a row says
 * nothing of times.
 */
#include "import.h"

static const char *const files[] = { "popip", NULL };

const struct import_kind import_popip = {
	.name = "popip",
	.of = "poprelayd's popip.db",
	.files = files,
	.lasts = 15 * IMPORT_MINUTE,
	.record = import_timed,
};
