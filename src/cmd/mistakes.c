/* SPDX-License-Identifier: ISC */
/*
 * mistakes - checks of a configuration that parse what its options mean.
 * Called by config and reload.
 */
#include "mistakes.h"

#include "cli.h"
#include "conf/conf.h"
#include "listener/listener.h"
#include "pattern/pattern.h"
#include "source/source.h"

static size_t check_listeners(const struct conf *conf)
{
	size_t wrong = 0;

	for (size_t i = 0; i < conf_count(conf, "listener"); i++) {
		struct err err = { 0 };
		struct listener *l =
		    listener_new(conf_at(conf, "listener", i), &err);
		if (!l) {
			cli_fail(&err);
			wrong++;
		}
		listener_free(&l);
	}
	return wrong;
}

static size_t check_sources(const struct conf *conf)
{
	size_t wrong = 0;

	for (size_t i = 0; i < conf_count(conf, "source"); i++) {
		struct err err = { 0 };
		if (source_check(conf_at(conf, "source", i), &err) < 0) {
			cli_fail(&err);
			wrong++;
		}
	}
	return wrong;
}

static size_t check_patterns(const struct conf *conf)
{
	const struct conf_section *s = conf_at(conf, "relaypass", 0);
	const char *dir = conf_string(s, "pattern-directory");
	const struct patterns_options options = {
		.dir = *dir ? dir : NULL,
		.servers = conf_string(s, "servers"),
	};
	struct err err = { 0 };
	struct patterns *p = patterns_open(&options, &err);

	if (!p)
		cli_fail(&err);
	size_t wrong = p ? 0 : 1;
	patterns_close(&p);
	return wrong;
}

size_t mistakes_print(const struct conf *conf)
{
	return check_listeners(conf) + check_sources(conf) +
	       check_patterns(conf);
}
