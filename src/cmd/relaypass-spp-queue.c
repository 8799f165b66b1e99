/* SPDX-License-Identifier: ISC */
/*
 * relaypass-spp-queue - see queue.h. Started by qmail-smtpd for each message,
 * in qmail's home, with the message on descriptor 0 and the envelope on 1.
 *
 * Calls:      vars; small and static, as it starts so often.
 * Not here:   the message: not one byte is read. Whatever goes wrong, it stays
 *             with the client, who tries again: without what plugins decided
 *             (such as another queue program) it must not go on.
 */
#include "smtp/queue.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "smtp/vars.h"

extern char **environ;

/* The number of a descriptor above the standard ones; -1: it is none. */
static int descriptor(const char *text)
{
	char *end;
	long fd;

	if (!text || *text < '0' || *text > '9')
		return -1;
	fd = strtol(text, &end, 10);
	return *end == '\0' && fd > STDERR_FILENO && fd < 0x10000 ? (int)fd
								  : -1;
}

/*
 * Applies what fd holds. Only memory has seals: whoever stands between the two
 * programs may have closed the descriptor, and a file may have its number now.
 * Nothing is lost with a descriptor that belongs to somebody else.
 */
static bool apply_changes(struct spp_vars *vars, int fd)
{
	struct stat st;

	if (fd < 0 || fcntl(fd, F_GET_SEALS) < 0 || fstat(fd, &st) < 0 ||
	    st.st_size == 0 || st.st_size > SPP_CHANGES_MAX)
		return false;
	size_t len = (size_t)st.st_size, at = 0;
	AUTO_FREE char *bytes = xmalloc(len);
	while (at < len) {
		ssize_t n = pread(fd, bytes + at, len - at, (off_t)at);
		if (n <= 0)
			return false;
		at += (size_t)n;
	}
	return spp_vars_apply(vars, bytes, len);
}

/* QMAILQUEUE as it was before, unless a plugin has another opinion later. */
static bool restore(struct spp_vars *vars)
{
	const char *program = spp_vars_get(vars, SPP_QUEUE_PROGRAM);

	if (program)
		return spp_vars_set(vars, "QMAILQUEUE", program);
	spp_vars_unset(vars, "QMAILQUEUE");
	return true;
}

int main(void)
{
	struct spp_vars *vars = spp_vars_new(environ);
	int fd = descriptor(spp_vars_get(vars, SPP_QUEUE_FD));

	if (!restore(vars) || !apply_changes(vars, fd))
		return SPP_QUEUE_UNREADABLE;
	spp_vars_unset(vars, SPP_QUEUE_FD);
	spp_vars_unset(vars, SPP_QUEUE_PROGRAM);
	close(fd);
	const char *program = spp_vars_get(vars, "QMAILQUEUE");
	char *argv[] = { (char *)(program ? program : SPP_QUEUE_DEFAULT),
		NULL };
	execve(argv[0], argv, spp_vars_environ(vars));
	return SPP_QUEUE_NOT_RUN;
}
