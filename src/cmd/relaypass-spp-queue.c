/* SPDX-License-Identifier: ISC */
/*
 * relaypass-spp-queue - see queue.h. Started by qmail-smtpd for each message,
 * in qmail's home, with the message on descriptor 0 and the envelope on 1.
 *
 * Calls:      smtp/queue; small and static, as it starts so often.
 * Not here:   the message: not one byte is read. Whatever goes wrong, it stays
 *             with the client, who tries again: without what plugins decided
 *             (such as another queue program) it must not go on.
 */
#include "smtp/queue.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "smtp/vars.h"

enum {
	/* Without asking for memory: entries of the environment, and bytes of
	 * changes. */
	USUAL_ENTRIES = 2048,
	USUAL_CHANGES = 16384,
	/* What a session may set, and what its server gets otherwise. */
	MORE_ENTRIES = SPP_VARS_COUNT + 4,
	NUMBER_MAX = 0x10000
};

extern char **environ;

/* The number of a descriptor above the standard ones; -1: it is none. */
static int descriptor(const char *text)
{
	char *end;
	long fd;

	if (!text || *text < '0' || *text > '9')
		return -1;
	fd = strtol(text, &end, 10);
	return *end == '\0' && fd > STDERR_FILENO && fd < NUMBER_MAX ? (int)fd
								     : -1;
}

/*
 * How much fd holds; 0: nothing to be used. Only memory has seals: whoever
 * stands between the two programs may have closed the descriptor, and a file
 * may have its number now. Nothing is lost with one that belongs to somebody
 * else.
 */
static size_t length_of(int fd)
{
	struct stat st;

	if (fd < 0 || fcntl(fd, F_GET_SEALS) < 0 || fstat(fd, &st) < 0 ||
	    st.st_size > SPP_CHANGES_MAX)
		return 0;
	return (size_t)st.st_size;
}

static bool read_all(int fd, char *bytes, size_t len)
{
	ssize_t n = 1;

	for (size_t at = 0; at < len && n > 0; at += (size_t)n)
		n = pread(fd, bytes + at, len - at, (off_t)at);
	return n > 0;
}

static struct spp_queue_env begin(char *const *list)
{
	static char *usual[USUAL_ENTRIES];
	struct spp_queue_env env = { usual, 0, USUAL_ENTRIES };

	while (list[env.count])
		env.count++;
	if (env.count + MORE_ENTRIES > env.room) {
		env.room = env.count + MORE_ENTRIES;
		env.list = calloc(env.room, sizeof(*env.list));
	}
	for (size_t i = 0; env.list && i < env.count; i++)
		env.list[i] = list[i];
	return env;
}

int main(void)
{
	static char usual[USUAL_CHANGES];
	struct spp_queue_env env = begin(environ);
	int fd = descriptor(getenv(SPP_QUEUE_FD));
	size_t len = length_of(fd);
	char *changes = len > sizeof(usual) ? malloc(len) : usual;

	if (len == 0 || !changes || !read_all(fd, changes, len) || !env.list ||
	    !spp_queue_apply(&env, changes, len))
		return SPP_QUEUE_UNREADABLE;
	close(fd);
	const char *program = spp_queue_get(&env, "QMAILQUEUE");
	char *argv[] = { (char *)(program ? program : SPP_QUEUE_DEFAULT),
		NULL };
	execve(argv[0], argv, env.list);
	return SPP_QUEUE_NOT_RUN;
}
