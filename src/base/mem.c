/* SPDX-License-Identifier: ISC */
/*
 * mem - allocation that cannot fail, release at the end of a scope, must().
 * Called by everybody. Out of memory is not handled: the process ends and the
 * supervisor starts it again.
 */
#include "mem.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "err.h"

/* No stdio here: it may want memory itself. */
static _Noreturn void out_of_memory(void)
{
	static const char text[] = "relaypass: out of memory\n";

	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0) {
		/* there is nobody left to tell */
	}
	_exit(EXIT_AGAIN);
}

void *xmalloc(size_t size)
{
	void *p = malloc(size ? size : 1);

	if (!p)
		out_of_memory();
	return p;
}

void *xcalloc(size_t count, size_t size)
{
	void *p = calloc(count ? count : 1, size ? size : 1);

	if (!p)
		out_of_memory();
	return p;
}

void *xrealloc(void *p, size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes))
		out_of_memory();
	p = realloc(p, bytes ? bytes : 1);
	if (!p)
		out_of_memory();
	return p;
}

char *xstrdup(const char *text)
{
	return xstrndup(text, strlen(text));
}

char *xstrndup(const char *text, size_t len)
{
	size_t n = strnlen(text, len);
	char *copy = xmalloc(n + 1);

	memcpy(copy, text, n);
	copy[n] = '\0';
	return copy;
}

_Noreturn void must_failed(const char *truth, const char *file, int line)
{
	fprintf(stderr, "relaypass: %s:%d: this must hold: %s\n", file, line,
	    truth);
	abort();
}

void mem_free_cleanup(void *p)
{
	free(*(void **)p);
}

void mem_close_cleanup(const int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

void *take_ptr(void *pp)
{
	void **place = pp;
	void *taken = *place;

	*place = NULL;
	return taken;
}
