/* SPDX-License-Identifier: ISC */
/*
 * source_patterns - which servers write what a source reads. Called by: the
 * processes that read it, and by who looks for a line afterwards.
 */
#include "source.h"

struct patterns *source_patterns(
    const struct conf *conf, const struct conf_section *source, struct err *err)
{
	const struct conf_section *main = conf_at(conf, "relaypass", 0);
	const char *dir = conf_string(main, "pattern-directory");
	const char *servers = conf_string(source, "servers");
	const struct patterns_options o = {
		.dir = *dir ? dir : NULL,
		.servers = *servers ? servers : conf_string(main, "servers"),
	};

	return patterns_open(&o, err);
}
