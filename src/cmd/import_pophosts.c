/* SPDX-License-Identifier: ISC */
/*
 * import_pophosts - /etc/virtual/pophosts, which da-popb4smtp keeps for Exim:
 * an address a line; and pophosts_user, with the user behind it.
 */
#include <string.h>

#include "import.h"

/* A user's name may be "no@example.org". */
static bool read_line(
    const char *line, size_t len, struct import_row *out, const char **why_r)
{
	if (!import_lsearch(line, len, out, why_r))
		return false;
	if (strchr(out->user, '@') || !import_denies(out->user, out->user_len))
		return true;
	*why_r = IMPORT_DENIED;
	return false;
}

static const char *const files[] = { "pophosts", NULL };

const struct import_kind import_pophosts = {
	.name = "pophosts",
	.of = "DirectAdmin's pophosts and pophosts_user",
	.files = files,
	.lasts = 30 * IMPORT_MINUTE,
	.line = read_line,
};
