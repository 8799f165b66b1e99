/* SPDX-License-Identifier: ISC */
/*
 * import_pop_before_smtp - pop-before-smtp.db, kept for Postfix: an address,
 * and "ok" or less than nothing by the number of its open sessions. Neither
 * says when the login was.
 */
#include "import.h"

static const char *const files[] = { "pop-before-smtp", NULL };

const struct import_kind import_pop_before_smtp = {
	.name = "pop-before-smtp",
	.of = "pop-before-smtp's database",
	.files = files,
	.lasts = 30 * IMPORT_MINUTE,
	.record = import_timeless,
};
