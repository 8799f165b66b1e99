/* SPDX-License-Identifier: ISC */
/*
 * import_open_smtp - vpopmail's open-smtp: lines of
 *     192.0.2.7:allow,RELAYCLIENT="",RBLSMTPD=""<TAB>1700000000
 * the rule for tcprules, and the time of the login. A line without a time is no
 * line of vpopmail's.
 */
#include <string.h>

#include "import.h"

static bool read_line(
    const char *line, size_t len, struct import_row *out, const char **why_r)
{
	const char *tab = memrchr(line, '\t', len);

	if (!len)
		return false;
	if (tab)
		out->login =
		    import_epoch(tab + 1, len - (size_t)(tab + 1 - line));
	if (!out->login) {
		*why_r = IMPORT_BAD;
		return false;
	}
	return import_rule(line, (size_t)(tab - line), out, why_r);
}

static const char *const files[] = { "open-smtp", NULL };

const struct import_kind import_open_smtp = {
	.name = "open-smtp",
	.of = "vpopmail's roaming users",
	.files = files,
	.lasts = 180 * IMPORT_MINUTE,
	.lock = ".lock",
	.line = read_line,
};
