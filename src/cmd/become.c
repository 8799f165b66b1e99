/* SPDX-License-Identifier: ISC */
/*
 * become - see the header.
 */
#include "become.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/beside.h"
#include "base/err.h"

int become(const char *program, char **argv)
{
	char path[BESIDE_MAX];

	argv[0] = (char *)program;
	if (beside_path(program, path, sizeof(path)) == 0)
		execv(path, argv);
	execvp(program, argv);
	fprintf(
	    stderr, "relaypass: cannot run %s: %s\n", program, strerror(errno));
	return EXIT_AGAIN;
}
