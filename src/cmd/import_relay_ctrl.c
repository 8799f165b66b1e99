/* SPDX-License-Identifier: ISC */
/*
 * import_relay_ctrl - the directory of relay-ctrl, a file for each address
 * (import_folder.c reads it).
 */
#include "import.h"

static const char *const files[] = { "allow", NULL };

const struct import_kind import_relay_ctrl = {
	.name = "relay-ctrl",
	.of = "relay-ctrl's directory",
	.files = files,
	.lasts = 15 * IMPORT_MINUTE,
};
