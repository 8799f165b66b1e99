/* SPDX-License-Identifier: ISC */
/*
 * berkeley_btree - the export kind "berkeley-btree": dracd.db, and Postfix'
 * btree tables.
 */
#include "berkeley.h"

const struct export_kind export_berkeley_btree = {
	.name = "berkeley-btree",
	.help = "Keeps a Berkeley DB btree file with a row for each leased "
		"address.",
	.role = ROLE_WRITER,
	.options = berkeley_options,
	.whole = true,
	.needs = in_place_needs,
	.check = berkeley_check,
	.look = in_place_look,
	.open = berkeley_open_btree,
	.start = berkeley_start,
	.apply = berkeley_apply,
	.close = berkeley_close,
};
