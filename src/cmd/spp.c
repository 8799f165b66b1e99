/* SPDX-License-Identifier: ISC */
/*
 * spp - `relaypass spp`: the same as relaypass-spp, which it becomes.
 */
#include "become.h"
#include "verb.h"

static int run(const struct verb_env *env, int argc, char **argv)
{
	(void)env;
	(void)argc;
	return become("relaypass-spp", argv);
}

const struct verb verb_spp = {
	.name = "spp",
	.usage = "spp [OPTION]... [--] PROGRAM [ARGUMENT]... | spp [OPTION]... "
		 "--connect HOST:PORT",
	.help = "Run SMTP plugins in front of an SMTP server (relaypass-spp).",
	.run = run,
};
