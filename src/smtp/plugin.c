/* SPDX-License-Identifier: ISC */
/*
 * plugin - see plugin.h. Started as posix_spawn(3) does it, with our memory and
 * a stack of its own (a copy of a page table costs more than the plugin's whole
 * start), but in one call that gives the descriptor to wait with, too.
 */
#include "plugin.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "order.h"

enum {
	STACK_SIZE = 16384, /* of a child, until it is the plugin */
	PIECE_SIZE = 4096,
	NO_EXEC = 120, /* exit code, as in qmail-spp */
	FDS_MAX = 1024,
	GRACE_MS = 1000 /* for one that was killed to be gone */
};

/* What the child needs, read there from our memory. */
struct start {
	const char *path;
	char *const *argv, *const *env;
	int out;
	int error; /* why it is not run */
};

/* One run of a plugin. */
struct run {
	pid_t pid;
	int pidfd, out; /* -1: closed, or out has ended */
	int error;      /* why it was not started, or is not the plugin */
	int64_t until;
	spp_line_fn *fn; /* NULL: one line has ended the reading */
	void *ctx;
	size_t total, used;
	char line[SPP_ORDER_MAX];
};

/* Not every C library has it, nor every kernel (before 5.9). */
static bool close_from(int first)
{
	if (syscall(SYS_close_range, first, ~0U, 0) == 0)
		return true;
	/* This process opens few. */
	for (int fd = first; fd < FDS_MAX; fd++)
		(void)close(fd);
	return true;
}

/* Runs in our memory while we wait: it calls nothing that changes more of it
 * than errno. */
static int child(void *arg)
{
	struct start *s = arg;

	/* In this order: 0 is free when /dev/null is opened, and gets it. A
	 * descriptor that dup2() leaves as it is would close at exec. */
	if (setpgid(0, 0) < 0 || dup2(s->out, STDOUT_FILENO) < 0 ||
	    fcntl(STDOUT_FILENO, F_SETFD, 0) < 0 || close(STDIN_FILENO) < 0 ||
	    open("/dev/null", O_RDONLY) != STDIN_FILENO || !close_from(3)) {
		s->error = errno;
		_exit(NO_EXEC);
	}
	(void)signal(SIGPIPE, SIG_DFL);
	(void)execve(s->path, s->argv, s->env);
	s->error = errno;
	_exit(NO_EXEC);
}

/* False: it could not be started. */
static bool start(struct run *r, const struct spp_plugin *p, char *const *env)
{
	_Alignas(16) char stack[STACK_SIZE];
	static char sh[] = "/bin/sh", c[] = "-c";
	char *command = (char *)p->command; /* only read */
	char *const by_shell[] = { sh, c, command, NULL };
	char *const alone[] = { command, NULL };
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0) {
		r->error = errno;
		return false;
	}
	struct start s = { .path = p->shell ? sh : command,
		.argv = p->shell ? by_shell : alone,
		.env = env,
		.out = ends[1] };
	r->pid = clone(child, stack + sizeof(stack),
	    CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &s, &r->pidfd);
	r->error = r->pid > 0 ? s.error : errno;
	close(ends[1]);
	r->out = ends[0];
	return r->pid > 0;
}

/* False: the plugin is to be killed. */
static bool give_line(struct run *r)
{
	enum spp_line_wish wish = r->fn(r->ctx, r->line, r->used);

	r->used = 0;
	if (wish == SPP_LINE_LAST)
		r->fn = NULL;
	return wish != SPP_LINE_BAD;
}

/* False: a line is too long. */
static bool keep(struct run *r, const char *bytes, size_t len)
{
	if (len > sizeof(r->line) - r->used)
		return false;
	memcpy(r->line + r->used, bytes, len);
	r->used += len;
	return true;
}

/* Cuts what was read into lines. False: the plugin is to be killed. */
static bool take(struct run *r, const char *bytes, size_t len)
{
	const char *end = bytes + len, *lf;

	while ((lf = memchr(bytes, '\n', (size_t)(end - bytes)))) {
		if (!keep(r, bytes, (size_t)(lf - bytes)) || !give_line(r))
			return false;
		if (!r->fn)
			return true;
		bytes = lf + 1;
	}
	return keep(r, bytes, (size_t)(end - bytes));
}

static void close_out(struct run *r)
{
	if (r->out >= 0)
		close(r->out);
	r->out = -1;
}

/* False: it is too much. */
static bool read_piece(struct run *r)
{
	char piece[PIECE_SIZE];
	ssize_t n = read(r->out, piece, sizeof(piece));

	if (n < 0 && errno == EINTR)
		return true;
	if (n <= 0) {
		close_out(r);
		return true;
	}
	if (!r->fn)
		return true;
	r->total += (size_t)n;
	return r->total <= SPP_OUTPUT_MAX && take(r, piece, (size_t)n);
}

static int64_t left(const struct run *r)
{
	int64_t ms = r->until - clock_now().boot;

	return ms > 0 ? ms : 0;
}

/* Until it is gone and all that it wrote was read. SPP_ENDED when it is so. */
static enum spp_end follow(struct run *r)
{
	for (;;) {
		struct pollfd p[] = { { .fd = r->pidfd, .events = POLLIN },
			{ .fd = r->out, .events = POLLIN } };
		int64_t ms = left(r);
		int n = poll(p, COUNT_OF(p), ms < INT32_MAX ? (int)ms : -1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 || ms == 0)
			return SPP_TOO_SLOW;
		if (p[1].revents & POLLIN) {
			if (!read_piece(r))
				return SPP_TOO_MUCH;
		} else if (p[0].revents) {
			return SPP_ENDED;
		} else {
			close_out(r); /* the end of its output */
		}
	}
}

static void kill_all(struct run *r)
{
	struct pollfd p = { .fd = r->pidfd, .events = POLLIN };

	(void)kill(-r->pid, SIGKILL);
	/* One that the kernel holds back must not hold us, too. */
	(void)poll(&p, 1, GRACE_MS);
	(void)waitpid(r->pid, NULL, WNOHANG);
}

static enum spp_end end_of(const struct run *r)
{
	int status;

	while (waitpid(r->pid, &status, 0) < 0)
		if (errno != EINTR)
			return SPP_CRASHED;
	if (!WIFEXITED(status))
		return SPP_CRASHED;
	return WEXITSTATUS(status) == NO_EXEC ? SPP_NOT_RUN : SPP_ENDED;
}

static void finish(struct run *r)
{
	if (r->pidfd >= 0)
		close(r->pidfd);
	close_out(r);
}

enum spp_end spp_plugin_run(const struct spp_plugin *p, char *const *env,
    int64_t limit, spp_line_fn *fn, void *ctx)
{
	struct run r;
	enum spp_end end = SPP_NOT_RUN;

	r.pidfd = r.out = -1;
	r.error = 0;
	r.fn = fn;
	r.ctx = ctx;
	r.total = r.used = 0;
	r.until = clock_now().boot + limit;
	if (start(&r, p, env)) {
		end = follow(&r);
		if (end == SPP_ENDED)
			end = end_of(&r);
		else
			kill_all(&r);
		if (end == SPP_ENDED && r.fn && r.used > 0 && !give_line(&r))
			end = SPP_TOO_MUCH;
	}
	finish(&r);
	errno = r.error;
	return end;
}

const char *spp_end_text(enum spp_end end)
{
	static const char *const texts[] = {
		[SPP_CRASHED] = "child crashed",
		[SPP_NOT_RUN] = "can't execute",
		[SPP_TOO_SLOW] = "took too long",
		[SPP_TOO_MUCH] = "wrote too much",
		[SPP_ENDED] = "ended well",
	};

	return texts[end];
}
