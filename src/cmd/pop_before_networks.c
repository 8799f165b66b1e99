/* SPDX-License-Identifier: ISC */
/*
 * pop_before_networks - Postfix' own networks, whose clients may relay anyway
 * and so never get a lease.
 */
#include "pop_before.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/mem.h"

enum {
	TEXT_MAX = 1 << 20,
	DEPTH_MAX = 4, /* files that name files */
	ITEM_SIZE = 256,
	IPV4_MORE = 96, /* bits of the 128-bit form before an IPv4 address */
	IPV4_BITS = 32,
	BITS = 128
};

struct networks {
	FILE *out;
	pop_tell_fn *fn;
	void *ctx;
	size_t count;
	int depth;
};

/* What a descriptor holds, with a NUL; NULL: nothing, or too much. */
static char *read_all(int fd)
{
	AUTO_FREE char *text = xmalloc(TEXT_MAX + 1);
	size_t used = 0;
	ssize_t n;

	while (used < TEXT_MAX &&
	       (n = read(fd, text + used, TEXT_MAX - used)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return NULL;
		used += (size_t)n;
	}
	text[used] = '\0';
	return used < TEXT_MAX ? take_ptr(&text) : NULL;
}

static void tell(const struct networks *n, const char *item, const char *what)
{
	char text[2 * ITEM_SIZE];

	(void)snprintf(text, sizeof(text), "mynetworks: \"%.*s\" %s",
	    ITEM_SIZE - 1, item, what);
	n->fn(n->ctx, 0, text);
}

/* "192.0.2.0/24", "[2001:db8::]/32", host bits or not. */
static bool read_network(const char *item, struct net *out)
{
	size_t open = item[0] == '[', len = strcspn(item, open ? "]" : "/");
	const char *rest = item + len;
	unsigned long bits = BITS;
	char *end;

	if (!addr_parse(item + open, len - open, &out->addr))
		return false;
	rest += open && *rest == ']';
	if (*rest == '/' && isdigit((unsigned char)rest[1])) {
		bits = strtoul(rest + 1, &end, 10);
		rest = end;
		/* A mapped address counts its bits in the long form. */
		if (addr_is_ipv4(&out->addr) && !memchr(item, ':', len))
			bits = bits <= IPV4_BITS ? bits + IPV4_MORE : BITS + 1;
	}
	if (*rest || bits > BITS)
		return false;
	out->bits = (uint8_t)bits;
	out->addr = addr_mask(&out->addr, out->bits);
	return true;
}

static void take_text(struct networks *n, char *text);

static void take_file(struct networks *n, const char *path)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	AUTO_FREE char *text = fd < 0 ? NULL : read_all(fd);

	if (!text || n->depth == DEPTH_MAX) {
		tell(n, path, "cannot be read");
		return;
	}
	for (char *c = text; (c = strchr(c, '#'));)
		while (*c && *c != '\n')
			*c++ = ' ';
	n->depth++;
	take_text(n, text);
	n->depth--;
}

static void take_item(struct networks *n, const char *item)
{
	char text[NET_TEXT_SIZE];
	struct net net;
	size_t letters = strspn(item, "abcdefghijklmnopqrstuvwxyz");

	if (item[0] == '/') {
		take_file(n, item);
	} else if (read_network(item, &net)) {
		(void)net_print(&net, text);
		(void)fprintf(n->out, "\"%s\", ", text);
		n->count++;
	} else if (!letters || item[letters] != ':') {
		/* But type:table is for Postfix alone. */
		tell(n, item, "is no network");
	}
}

static void take_text(struct networks *n, char *text)
{
	char *more = NULL;

	for (char *item = strtok_r(text, ", \t\r\n", &more); item;
	     item = strtok_r(NULL, ", \t\r\n", &more))
		take_item(n, item);
}

size_t pop_networks_print(
    const char *value, FILE *out, pop_tell_fn *fn, void *ctx)
{
	struct networks n = { .out = out, .fn = fn, .ctx = ctx };
	AUTO_FREE char *text = xstrdup(value);

	take_text(&n, text);
	return n.count;
}

/* In the child. A missing program is no mistake: Postfix may not be there. */
static _Noreturn void become_postconf(int out)
{
	int null = open("/dev/null", O_RDWR);

	(void)dup2(null, STDIN_FILENO);
	(void)dup2(out, STDOUT_FILENO);
	(void)dup2(null, STDERR_FILENO);
	(void)setenv("PATH",
	    "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin", 1);
	(void)execlp(
	    "postconf", "postconf", "-h", "-x", "mynetworks", (char *)NULL);
	_exit(EXIT_FAILURE);
}

char *pop_networks_ask(void)
{
	AUTO_FREE char *text = NULL;
	int fds[2], status = 0;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return NULL;
	pid = fork();
	if (pid == 0)
		become_postconf(fds[1]);
	(void)close(fds[1]);
	text = pid < 0 ? NULL : read_all(fds[0]);
	(void)close(fds[0]);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return pid > 0 && status == 0 ? take_ptr(&text) : NULL;
}
