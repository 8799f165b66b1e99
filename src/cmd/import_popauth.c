/* SPDX-License-Identifier: ISC */
/*
 * import_popauth - popauth.db, which pop-before-smtp, perdition-pbs and others
 * keep for Sendmail's HACK(popauth): an address, and any value at all ("ok").
 * One that is a time can only be that of the login.
 */
#include "import.h"

static const char *const files[] = { "popauth", NULL };

const struct import_kind import_popauth = {
	.name = "popauth",
	.of = "popauth.db of pop-before-smtp, perdition-pbs",
	.files = files,
	.lasts = 30 * IMPORT_MINUTE,
	.record = import_timed,
};
