/* SPDX-License-Identifier: ISC */
/*
 * run - `relaypass run`: the same as relaypass-run, which it becomes. A chain
 * that starts often names relaypass-run itself; this one is for a quick try.
 */
#include "verb.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"

#define PROGRAM "relaypass-run"

enum { PATH_SIZE = 4096 };

/* The program that was installed, or built, together with this one. */
static int beside_us(char path[static PATH_SIZE])
{
	ssize_t n = readlink("/proc/self/exe", path, PATH_SIZE);

	if (n <= 0 || n >= PATH_SIZE)
		return -1;
	path[n] = '\0';
	char *slash = strrchr(path, '/');
	if (!slash || slash + sizeof("/" PROGRAM) > path + PATH_SIZE)
		return -1;
	memcpy(slash + 1, PROGRAM, sizeof(PROGRAM));
	return 0;
}

static int run(const struct verb_env *env, int argc, char **argv)
{
	char path[PATH_SIZE], name[] = PROGRAM;

	(void)env;
	(void)argc;
	argv[0] = name;
	if (beside_us(path) == 0)
		execv(path, argv);
	execvp(PROGRAM, argv);
	fprintf(
	    stderr, "relaypass: cannot run %s: %s\n", PROGRAM, strerror(errno));
	return EXIT_AGAIN;
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
