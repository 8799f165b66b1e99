/* SPDX-License-Identifier: ISC */
/*
 * import_relayhosts - /etc/relayhosts, which antirelayd keeps for Exim, and
 * other lists with an address a line ("192.0.2.7", "192.0.2.7 RELAY").
 */
#include <strings.h>

#include "base/mem.h"
#include "import.h"

/* What may stand behind an address; "192.0.2.7 REJECT" is of another list. */
static const char *const words[] = { "", "RELAY", "OK" };

static bool read_line(
    const char *line, size_t len, struct import_row *out, const char **why_r)
{
	if (!import_lsearch(line, len, out, why_r))
		return false;
	for (size_t i = 0; i < COUNT_OF(words); i++)
		if (strcasecmp(out->user, words[i]) == 0) {
			out->user_len = 0;
			out->user[0] = '\0';
			return true;
		}
	*why_r = import_denies(out->user, out->user_len) ? IMPORT_DENIED
							 : IMPORT_BAD;
	return false;
}

static const char *const files[] = { "relayhosts", NULL };

const struct import_kind import_relayhosts = {
	.name = "relayhosts",
	.of = "a list of addresses such as /etc/relayhosts",
	.files = files,
	.lasts = 30 * IMPORT_MINUTE,
	.line = read_line,
};
