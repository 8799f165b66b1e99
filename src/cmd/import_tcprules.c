/* SPDX-License-Identifier: ISC */
/*
 * import_tcprules - a list of rules for tcprules, such as the tcp.smtp that a
 * script adds logins to. Those that set RELAYCLIENT for one address are leases;
 * networks are the administrator's, and belong into the option `always`.
 */
#include "import.h"

static const char *const files[] = { "tcp.smtp", NULL };

const struct import_kind import_tcprules = {
	.name = "tcprules",
	.of = "a list of rules such as tcp.smtp",
	.files = files,
	.line = import_rule,
};
