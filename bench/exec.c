/* SPDX-License-Identifier: ISC */
/*
 * exec - what relaypass-run adds to the start of an SMTP server: spawns, one
 * after the other and taking turns, of the bare target, of a static program
 * that only execs it, and of relaypass-run with a live ask socket.
 *
 *   bench-exec [-n ROUNDS] [-s SOCKET -a LEASED] RELAYPASS-RUN ONLY TARGET
 *
 * exec.py gives it a live relaypassd. Without -s a child of its own answers, in
 * the protocol's shape and at once.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 2000, ROUNDS_MAX = 1000000, ARGS = 8, ROWS_MAX = 8 };

struct row {
	const char *name;
	char *argv[ARGS];
	char *envp[4];
	int exit_code; /* what the target must end with */
	double *us;
};

static double now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static void fail(const char *what)
{
	fprintf(stderr, "exec: %s: %s\n", what, strerror(errno));
	exit(111);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double at(double *us, size_t n, double part)
{
	qsort(us, n, sizeof(*us), by_value);
	return us[(size_t)((double)(n - 1) * part)];
}

static int listen_on(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0 ||
	    listen(fd, 128) < 0)
		fail(path);
	return fd;
}

/* Answers everybody: the leased address "allow", others "none". */
static void serve(int listener, const char *leased)
{
	char line[256];
	size_t len = strlen(leased);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		ssize_t n = fd < 0 ? -1 : recv(fd, line, sizeof(line), 0);
		if (n > 7 && (size_t)n == 7 + len &&
		    !memcmp(line + 6, leased, len))
			send(fd, "allow ttl=1800\n", 15, MSG_NOSIGNAL);
		else if (n > 0)
			send(fd, "none\n", 5, MSG_NOSIGNAL);
		if (fd >= 0)
			close(fd);
	}
}

static double spawn_once(const struct row *row)
{
	double start = now_us();
	pid_t pid;
	int status;

	errno =
	    posix_spawn(&pid, row->argv[0], NULL, NULL, row->argv, row->envp);
	if (errno)
		fail(row->argv[0]);
	if (waitpid(pid, &status, 0) < 0)
		fail("waitpid");
	double us = now_us() - start;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != row->exit_code) {
		fprintf(stderr, "exec: row %s ended with status %#x\n",
		    row->name, (unsigned)status);
		exit(1);
	}
	return us;
}

/* Row 0 is the bare target, row 1 the yardstick. */
static void report(struct row *rows, size_t count, size_t n)
{
	double bare = at(rows[0].us, n, 0.5);
	double only = at(rows[1].us, n, 0.5) - bare;

	for (size_t i = 0; i < count; i++) {
		double p50 = at(rows[i].us, n, 0.5);
		printf("exec row=%s n=%zu p50_us=%.1f p99_us=%.1f"
		       " added_us=%.1f ratio=%.2f\n",
		    rows[i].name, n, p50, at(rows[i].us, n, 0.99), p50 - bare,
		    i == 0 ? 0.0 : (p50 - bare) / only);
	}
}

static void shuffle(size_t *order, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t j = (size_t)random() % (i + 1);
		order[i] = order[j];
		order[j] = i;
	}
}

static void run(struct row *rows, size_t count, size_t n)
{
	for (size_t i = 0; i < count; i++) {
		rows[i].us = calloc(n, sizeof(double));
		if (!rows[i].us)
			fail("calloc");
		for (int warm = 0; warm < 20; warm++)
			spawn_once(&rows[i]);
	}
	/* In a new order each time: the server's last steps fall to the next.
	 */
	for (size_t k = 0; k < n; k++) {
		size_t order[ROWS_MAX];
		shuffle(order, count);
		for (size_t i = 0; i < count; i++)
			rows[order[i]].us[k] = spawn_once(&rows[order[i]]);
	}
	report(rows, count, n);
	for (size_t i = 0; i < count; i++)
		free(rows[i].us);
}

static void bench(char *wrapper, char *only, char *target, char *path,
    const char *leased, size_t n)
{
	static char other[] = "TCPREMOTEIP=198.51.100.9";
	static char set[] = "RELAYCLIENT=", opt[] = "-s";
	static char nowhere[] = "/nonexistent/relaypass/ask";
	char known[128];

	snprintf(known, sizeof(known), "TCPREMOTEIP=%s", leased);
	struct row rows[] = {
		{ "bare", { target }, { other }, 1, NULL },
		{ "exec-only", { only, target }, { other }, 1, NULL },
		{ "none", { wrapper, opt, path, target }, { other }, 1, NULL },
		{ "allow", { wrapper, opt, path, target }, { known }, 0, NULL },
		{ "relayclient-set", { wrapper, opt, path, target },
		    { other, set }, 0, NULL },
		{ "no-daemon", { wrapper, opt, nowhere, target }, { known }, 1,
		    NULL },
	};
	run(rows, sizeof(rows) / sizeof(*rows), n);
}

static void bench_with_own_server(
    char *wrapper, char *only, char *target, const char *leased, size_t n)
{
	char dir[] = "/tmp/relaypass-bench-XXXXXX";
	char path[sizeof(dir) + 8];

	if (!mkdtemp(dir))
		fail("mkdtemp");
	snprintf(path, sizeof(path), "%s/ask", dir);
	int listener = listen_on(path);
	pid_t pid = fork();
	if (pid < 0)
		fail("fork");
	if (pid == 0)
		serve(listener, leased);
	close(listener);
	bench(wrapper, only, target, path, leased, n);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	unlink(path);
	rmdir(dir);
}

int main(int argc, char **argv)
{
	const char *leased = "192.0.2.1";
	char *path = NULL;
	long n = ROUNDS;
	int c;

	while ((c = getopt(argc, argv, "n:s:a:")) != -1) {
		if (c == 'n')
			n = strtol(optarg, NULL, 10);
		else if (c == 's')
			path = optarg;
		else if (c == 'a' && optarg)
			leased = optarg;
		else
			return 100;
	}
	if (argc - optind != 3 || n < 1 || n > ROUNDS_MAX) {
		fprintf(stderr, "usage: exec [-n ROUNDS] [-s SOCKET -a LEASED]"
				" RELAYPASS-RUN ONLY TARGET\n");
		return 100;
	}
	char **file = argv + optind;
	if (path)
		bench(file[0], file[1], file[2], path, leased, (size_t)n);
	else
		bench_with_own_server(
		    file[0], file[1], file[2], leased, (size_t)n);
	return 0;
}
