/* SPDX-License-Identifier: ISC */
/*
 * pipe_size - see the header.
 */
#include "pipe_size.h"

#include <fcntl.h>

int pipe_size_widen(int fd)
{
	int now = fcntl(fd, F_GETPIPE_SZ);

	if (now < 0)
		return 0;
	for (int size = PIPE_SIZE_MAX; size > now; size /= 2)
		if (fcntl(fd, F_SETPIPE_SZ, size) >= 0)
			return fcntl(fd, F_GETPIPE_SZ);
	return now;
}
