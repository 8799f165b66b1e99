/* SPDX-License-Identifier: ISC */
/*
 * doctor_run - asks another program for its settings, without trusting it to
 * end: no shell, no input, an empty environment, a deadline.
 * Called by: doctor_look.c, through doctor_where.run.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "doctor.h"

enum { CHILD_FAILED = 127 };

/* Whoever may replace it may as well be root. */
static bool is_roots(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == 0 &&
	       !(st.st_mode & (S_IWGRP | S_IWOTH)) && access(path, X_OK) == 0;
}

/* keep: the standard output or error that somebody reads; the other one goes
 * nowhere. */
static _Noreturn void become(const char *const argv[], int out, int keep)
{
	static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	static char locale[] = "LC_ALL=C";
	char *const environment[] = { path, locale, NULL };
	int null = open("/dev/null", O_RDWR);
	int drop = keep == STDOUT_FILENO ? STDERR_FILENO : STDOUT_FILENO;

	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, drop) < 0 ||
	    dup2(out, keep) < 0)
		_exit(CHILD_FAILED);
	/* execve() changes none of them; its type is older than const. */
	(void)execve(argv[0], (char *const *)(uintptr_t)argv, environment);
	_exit(CHILD_FAILED);
}

/* What comes before the end of the output and the deadline. False: late. */
static bool read_output(int fd, char out[static DOCTOR_OUTPUT_SIZE])
{
	int64_t end = clock_now().boot + DOCTOR_RUN_MS;
	size_t used = 0;

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int64_t left = end - clock_now().boot;
		char rest[512];
		bool full = used == DOCTOR_OUTPUT_SIZE - 1;

		if (left <= 0)
			return false;
		if (poll(&p, 1, (int)left) < 0 && errno != EINTR)
			return false;
		if (!p.revents)
			continue;
		/* What does not fit is read all the same, so that it ends. */
		ssize_t n = read(fd, full ? rest : out + used,
		    full ? sizeof(rest) : DOCTOR_OUTPUT_SIZE - 1 - used);
		if (n <= 0)
			return n == 0;
		if (full)
			continue;
		used += (size_t)n;
		out[used] = '\0';
	}
}

static int run(
    const char *const argv[], int keep, char out[static DOCTOR_OUTPUT_SIZE])
{
	int ends[2], status = 0;
	bool done = false;
	pid_t pid;

	out[0] = '\0';
	if (!is_roots(argv[0]) || pipe2(ends, O_CLOEXEC) < 0)
		return DOCTOR_ABSENT;
	pid = fork();
	if (pid == 0)
		become(argv, ends[1], keep);
	(void)close(ends[1]);
	if (pid > 0) {
		done = read_output(ends[0], out);
		if (!done)
			(void)kill(pid, SIGKILL);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	}
	(void)close(ends[0]);
	if (pid > 0 && !done)
		return DOCTOR_LATE;
	return pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status)
					    : CHILD_FAILED;
}

bool doctor_run(const char *const argv[], char out[static DOCTOR_OUTPUT_SIZE])
{
	if (run(argv, STDOUT_FILENO, out) == 0)
		return true;
	out[0] = '\0';
	return false;
}

int doctor_try(
    const char *const argv[], char complaint[static DOCTOR_OUTPUT_SIZE])
{
	return run(argv, STDERR_FILENO, complaint);
}

bool doctor_setting(
    const char *text, const char *name, char *value, size_t size)
{
	size_t len = strlen(name);

	for (const char *p = text; *p;) {
		size_t line = strcspn(p, "\n");
		if (line > len && strncmp(p, name, len) == 0 &&
		    strncmp(p + len, " =", 2) == 0) {
			const char *from = p + len + 2;
			size_t n = line - len - 2;
			if (n && *from == ' ')
				from++, n--;
			if (n >= size)
				n = size - 1;
			memcpy(value, from, n);
			value[n] = '\0';
			return true;
		}
		p += line + (p[line] == '\n');
	}
	if (size)
		value[0] = '\0';
	return false;
}
