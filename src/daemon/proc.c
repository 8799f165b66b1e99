/* SPDX-License-Identifier: ISC */
/*
 * proc - when a process began, from /proc/PID/stat.
 */
#include "proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

enum { START_FIELD = 22, STAT_SIZE = 1024 };

struct proc {
	int directory;
	long ticks; /* a second */
};

struct proc *proc_open(void)
{
	struct proc *p = xcalloc(1, sizeof(*p));

	p->directory = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	p->ticks = sysconf(_SC_CLK_TCK);
	return p;
}

void proc_close(struct proc **p)
{
	if (!*p)
		return;
	if ((*p)->directory >= 0)
		(void)close((*p)->directory);
	free(*p);
	*p = NULL;
}

uint64_t proc_parse_start(const char *text, size_t len)
{
	const char *at = memrchr(text, ')', len);
	const char *end = text + len;
	uint64_t value = 0;

	/* Dead, and only not collected yet. */
	if (at && end - at > 2 && (at[2] == 'Z' || at[2] == 'X'))
		return 0;

	/* Behind the last ')' stands field 3, a blank in front of each. */
	for (int field = 2; at && field < START_FIELD; field++) {
		at = memchr(at, ' ', (size_t)(end - at));
		if (at)
			at++;
	}
	if (!at || at == end)
		return 0;
	for (; at < end && *at >= '0' && *at <= '9'; at++)
		value = value * 10 + (uint64_t)(*at - '0');
	return at < end && *at == ' ' ? value : 0;
}

bool proc_is_mail(const char *text, size_t len)
{
	const char *name = memchr(text, '(', len);
	const char *end = memrchr(text, ')', len);

	if (!name || end < name)
		return false;
	len = (size_t)(end - name);
	return memmem(name, len, "imap", strlen("imap")) ||
	       memmem(name, len, "pop3", strlen("pop3"));
}

uint64_t proc_start(void *proc, uint32_t pid, int64_t *began)
{
	const struct proc *p = proc;
	char path[32], text[STAT_SIZE];
	struct moment now;
	ssize_t len;
	uint64_t start;
	AUTO_CLOSE int fd = -1;

	if (p->directory < 0 || p->ticks <= 0)
		return 0;
	/* Most are gone by now, and this is ten times as fast as a name that
	 * is not there. */
	if (getpgid((pid_t)pid) < 0 && errno == ESRCH)
		return 0;
	(void)snprintf(path, sizeof(path), "%u/stat", pid);
	fd = openat(p->directory, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	len = read(fd, text, sizeof(text));
	start = len > 0 && proc_is_mail(text, (size_t)len)
		    ? proc_parse_start(text, (size_t)len)
		    : 0;
	if (!start)
		return 0;
	/* start counts ticks since boot, with suspended time (proc(5)). */
	now = clock_now();
	*began = now.wall -
		 (now.boot - (int64_t)(start * 1000 / (uint64_t)p->ticks));
	return start;
}
