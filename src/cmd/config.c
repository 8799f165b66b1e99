/* SPDX-License-Identifier: ISC */
/*
 * config - `relaypass config`: prints the configuration as it counts, defaults
 * included, or only checks it.
 */
#include <stdio.h>

#include "cli.h"
#include "conf/conf.h"
#include "daemon/schema.h"
#include "mistakes.h"

static void put(void *ctx, const char *text)
{
	(void)ctx;
	fputs(text, stdout);
}

extern const struct verb verb_config;

static int run(const struct verb_env *env, int argc, char **argv)
{
	bool defaults = false, check = false;
	const struct cli_option options[] = {
		{ "defaults", 0, NULL, &defaults },
		{ "check", 0, NULL, &check },
		{ 0 },
	};
	struct err err = { 0 };
	struct conf *conf;
	int code = EXIT_YES;

	if (cli_options(argc, argv, options, NULL, 0, &err) < 0)
		return cli_usage(&verb_config, &err);
	conf = defaults ? conf_default(schema()) : cli_conf(env, &err);
	if (!conf)
		return cli_fail(&err);
	if (check)
		code = mistakes_print(conf, env->config) ? EXIT_USER : EXIT_YES;
	else
		conf_print(conf, defaults, put, NULL);
	conf_free(&conf);
	return code == EXIT_YES ? cli_done(code) : code;
}

const struct verb verb_config = {
	.name = "config",
	.usage = "config [--defaults | --check]",
	.help = "Print the configuration with its defaults, or check it.",
	.run = run,
};
