/* SPDX-License-Identifier: ISC */
/*
 * beside - see the header.
 */
#include "beside.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"

enum { PATH_SIZE = 4096 };

static int beside_us(const char *program, char path[static PATH_SIZE])
{
	ssize_t n = readlink("/proc/self/exe", path, PATH_SIZE);

	if (n <= 0 || n >= PATH_SIZE)
		return -1;
	path[n] = '\0';
	char *slash = strrchr(path, '/');
	size_t size = strlen(program) + 1;
	if (!slash || slash + 1 + size > path + PATH_SIZE)
		return -1;
	memcpy(slash + 1, program, size);
	return 0;
}

int beside_exec(const char *program, char **argv)
{
	char path[PATH_SIZE];

	argv[0] = (char *)program;
	if (beside_us(program, path) == 0)
		execv(path, argv);
	execvp(program, argv);
	fprintf(
	    stderr, "relaypass: cannot run %s: %s\n", program, strerror(errno));
	return EXIT_AGAIN;
}
