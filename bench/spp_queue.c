/* SPDX-License-Identifier: ISC */
/*
 * spp_queue - does what qmail-queue does to a disk: the message and the
 * envelope in a file each, both synced, then gone again. For bench/spp.
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { PIECE = 65536, RETRY = 53, NAME = 64 };

static int take(int from, const char *what)
{
	static char piece[PIECE];
	char name[NAME];
	ssize_t n;
	int fd;

	(void)snprintf(name, sizeof(name), "queue/%s.%d", what, (int)getpid());
	fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd < 0)
		return RETRY;
	while ((n = read(from, piece, sizeof(piece))) > 0)
		if (write(fd, piece, (size_t)n) != n)
			return RETRY;
	if (n < 0 || fsync(fd) < 0 || close(fd) < 0 || unlink(name) < 0)
		return RETRY;
	return 0;
}

int main(void)
{
	int code = take(STDIN_FILENO, "mess");

	return code ? code : take(STDOUT_FILENO, "intd");
}
