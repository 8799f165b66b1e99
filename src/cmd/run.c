/* SPDX-License-Identifier: ISC */
/*
 * run - `relaypass run`: the same as relaypass-run, which it becomes. A chain
 * that starts often names relaypass-run itself; this one is for a quick try.
 */
#include "become.h"
#include "verb.h"

static int run(const struct verb_env *env, int argc, char **argv)
{
	(void)env;
	(void)argc;
	return become("relaypass-run", argv);
}

const struct verb verb_run = {
	.name = "run",
	.usage =
	    "run [-v] [-s SOCKET] [-r RELAYCLIENT] [--env NAME[=VALUE]]... "
	    "[--] PROGRAM [ARGUMENT]...",
	.help = "Ask whether $TCPREMOTEIP may relay, then run PROGRAM "
		"(relaypass-run).",
	.run = run,
};
