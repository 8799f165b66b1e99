/* SPDX-License-Identifier: ISC */
/*
 * import_dracd - dracd.db, which rpc.dracd keeps for Sendmail (btree), Postfix
 * and Exim (hash): an address, by a build flag with /32 or /128; behind it the
 * end of the lease in seconds since 1970, by another flag with a NUL.
 */
#include "import.h"

static bool read_record(const char *key, size_t key_len, const char *value,
    size_t value_len, struct import_row *out, const char **why_r)
{
	out->end = import_epoch(value, import_without_nul(value, value_len));
	if (!import_timeless(key, key_len, value, value_len, out, why_r))
		return false;
	if (!out->end)
		*why_r = IMPORT_BAD;
	return out->end != 0;
}

static const char *const files[] = { "drac", NULL };

const struct import_kind import_dracd = {
	.name = "dracd",
	.of = "DRAC's dracd.db",
	.files = files,
	.lasts = 30 * IMPORT_MINUTE,
	.record = read_record,
};
