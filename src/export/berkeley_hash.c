/* SPDX-License-Identifier: ISC */
/*
 * berkeley_hash - the export kind "berkeley-hash": Sendmail's popip.db and
 * popauth.db, and Postfix' hash tables.
 */
#include "berkeley.h"

const struct export_kind export_berkeley_hash = {
	.name = "berkeley-hash",
	.help = "Keeps a Berkeley DB hash file with a row for each leased "
		"address.",
	.role = ROLE_WRITER,
	.options = berkeley_options,
	.whole = true,
	.needs = in_place_needs,
	.check = berkeley_check,
	.look = in_place_look,
	.open = berkeley_open_hash,
	.start = berkeley_start,
	.apply = berkeley_apply,
	.close = berkeley_close,
};
