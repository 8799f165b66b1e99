/* SPDX-License-Identifier: ISC */
/*
 * spp - what relaypass-spp costs in front of a server, against the same server
 * without it, and a plugin's run against posix_spawn of the same program.
 *
 *     bench-spp SERVER RELAYPASS-SPP HOME ROUNDS SOCKET LEASED
 *     bench-spp -s ROUNDS SERVER [ARGUMENTS] -- WRAPPER [ARGUMENTS]
 *
 * Sessions come from several clients at once and are queued by HOME's
 * bin/qmail-queue, which syncs as qmail's does, and is taken for it. They come
 * from a stranger, for a domain that is listed; "leased" ones from LEASED, an
 * address with a lease at the relaypassd of SOCKET, for one that is not. For
 * "told" ones the queue program is a QMAILQUEUE, which must hear of what
 * plugins did; "alone" comes from one client, and "unqueued" ones are thrown
 * away, so that nothing but SMTP is left. Bare and wrapped take turns, so that
 * both meet the same noise. Prints "NAME VALUE" lines; ratios are medians of
 * the turns' ratios. The second form is for any server: sessions only.
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "smtp/plugin.h"

enum {
	SESSIONS = 25, /* of a client, a turn; four times as many alone */
	CLIENTS = 8,
	MANY = 64, /* Exim waits 0.2 s at QUIT, with whatever is on its pipe */
	FEW = 5,
	MESSAGES = 5, /* a session */
	COMMANDS = 5000,
	RUNS = 300,
	BIG = 50000000,
	PIECE = 1 << 18,
	LINE = 78,
	ROUNDS_MAX = 101,
	REPLY = 4096,
	NS = 1000000000
};

extern char **environ;

static const char rcpt_here[] = "RCPT TO:<bob@test.example>\r\n";
static const char rcpt_there[] = "RCPT TO:<bob@foreign.example>\r\n";
static const char *rcpt = rcpt_here;

struct peer {
	pid_t pid;
	int fd;
};

static double now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / NS;
}

static struct peer begin(char *const *argv)
{
	posix_spawn_file_actions_t files;
	struct peer p;
	int pair[2];

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	(void)posix_spawn_file_actions_init(&files);
	(void)posix_spawn_file_actions_adddup2(&files, pair[1], STDIN_FILENO);
	(void)posix_spawn_file_actions_adddup2(&files, pair[1], STDOUT_FILENO);
	must(posix_spawn(&p.pid, argv[0], &files, NULL, argv, environ) == 0);
	(void)posix_spawn_file_actions_destroy(&files);
	(void)close(pair[1]);
	p.fd = pair[0];
	return p;
}

/* One whole reply of one line. */
static void hear(struct peer p, char code)
{
	char reply[REPLY];
	size_t n = 0;

	do {
		ssize_t got = read(p.fd, reply + n, sizeof(reply) - n);

		must(got > 0);
		n += (size_t)got;
	} while (reply[n - 1] != '\n');
	must(reply[0] == code);
}

static void say(struct peer p, const char *text, char code)
{
	size_t len = strlen(text);

	must(write(p.fd, text, len) == (ssize_t)len);
	hear(p, code);
}

static double end(struct peer p)
{
	struct rusage used;

	say(p, "QUIT\r\n", '2');
	(void)close(p.fd);
	must(wait4(p.pid, NULL, 0, &used) == p.pid);
	return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
	       (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static void envelope(struct peer p)
{
	say(p, "MAIL FROM:<alice@test.example>\r\n", '2');
	say(p, rcpt, '2');
	say(p, "DATA\r\n", '3');
}

static void be_client(char *const *argv, int count)
{
	for (int i = 0; i < count; i++) {
		struct peer p = begin(argv);

		hear(p, '2');
		say(p, "HELO client.example\r\n", '2');
		for (int k = 0; k < MESSAGES; k++) {
			envelope(p);
			say(p, "Subject: hello\r\n\r\nhello\r\n.\r\n", '2');
		}
		(void)end(p);
	}
}

/* Seconds until each client had so many. */
static double turn(char *const *argv, int clients, int count)
{
	double start = now();
	int status;

	for (int i = 0; i < clients; i++) {
		pid_t pid = fork();

		must(pid >= 0);
		if (pid == 0) {
			be_client(argv, count);
			_exit(0);
		}
	}
	for (int i = 0; i < clients; i++)
		must(wait(&status) > 0 && status == 0);
	return now() - start;
}

static double sessions(char *const *argv, int clients)
{
	return turn(argv, clients, clients == 1 ? 4 * SESSIONS : SESSIONS);
}

/* Seconds a command. */
static double commands(char *const *argv)
{
	struct peer p = begin(argv);
	double start;

	hear(p, '2');
	say(p, "HELO client.example\r\n", '2');
	say(p, "MAIL FROM:<alice@test.example>\r\n", '2');
	start = now();
	for (int i = 0; i < COMMANDS; i++)
		say(p, rcpt, '2');
	start = now() - start;
	(void)end(p);
	return start / COMMANDS;
}

/* Seconds of CPU, of the server and what stands before it. */
static double big(char *const *argv)
{
	static char piece[PIECE / LINE * LINE];
	struct peer p = begin(argv);

	for (size_t i = 0; i < sizeof(piece); i++)
		piece[i] = i % LINE == LINE - 2   ? '\r'
			   : i % LINE == LINE - 1 ? '\n'
						  : 'x';
	hear(p, '2');
	say(p, "HELO client.example\r\n", '2');
	envelope(p);
	for (size_t sent = 0; sent < BIG; sent += sizeof(piece))
		for (size_t at = 0; at < sizeof(piece);) {
			ssize_t n = write(p.fd, piece + at, sizeof(piece) - at);

			must(n > 0);
			at += (size_t)n;
		}
	say(p, ".\r\n", '2');
	return end(p);
}

/* --- plugins ---------------------------------------------------------------
 */

static enum spp_line_wish no_line(void *ctx, const char *line, size_t len)
{
	(void)ctx;
	(void)line;
	(void)len;
	return SPP_LINE_MORE;
}

static double plugins(const char *program)
{
	const struct spp_plugin plugin = { .command = program };
	double start = now();

	for (int i = 0; i < RUNS; i++)
		must(spp_plugin_run(&plugin, environ, 30000, no_line, NULL) ==
		     SPP_ENDED);
	return now() - start;
}

/* The same, as short as it can be. */
static double spawns(const char *program)
{
	char *const argv[] = { (char *)program, NULL };
	double start = now();

	for (int i = 0; i < RUNS; i++) {
		posix_spawn_file_actions_t files;
		char byte;
		pid_t pid;
		int ends[2];

		must(pipe2(ends, O_CLOEXEC) == 0);
		(void)posix_spawn_file_actions_init(&files);
		(void)posix_spawn_file_actions_adddup2(
		    &files, ends[1], STDOUT_FILENO);
		must(posix_spawn(&pid, program, &files, NULL, argv, environ) ==
		     0);
		(void)posix_spawn_file_actions_destroy(&files);
		(void)close(ends[1]);
		must(read(ends[0], &byte, 1) == 0);
		(void)close(ends[0]);
		must(waitpid(pid, NULL, 0) == pid);
	}
	return now() - start;
}

/* --- all -------------------------------------------------------------------
 */

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double median(double *values, int n)
{
	qsort(values, (size_t)n, sizeof(*values), compare);
	return values[n / 2];
}

static int usage(void)
{
	fprintf(stderr,
	    "usage: bench-spp SERVER RELAYPASS-SPP HOME ROUNDS SOCKET LEASED\n"
	    "       bench-spp -s ROUNDS SERVER [ARGUMENTS] -- WRAPPER "
	    "[ARGUMENTS]\n");
	return 100;
}

static int rounds_of(const char *text)
{
	long rounds = strtol(text, NULL, 10);

	return rounds > 0 && rounds <= ROUNDS_MAX ? (int)rounds : 0;
}

static const char stranger[] = "192.0.2.1";

static void set_environment(void)
{
	(void)unsetenv("QMAILQUEUE");
	(void)unsetenv("RELAYCLIENT");
	(void)setenv("TCPREMOTEIP", stranger, 1);
}

/* The arguments from SERVER on. */
static int compare_sessions(int rounds, char **bare)
{
	char **wrapped = bare;
	double q[ROUNDS_MAX];

	while (*wrapped && strcmp(*wrapped, "--") != 0)
		wrapped++;
	if (rounds == 0 || wrapped == bare || !*wrapped || !wrapped[1])
		return usage();
	*wrapped++ = NULL;
	set_environment();
	for (int i = 0; i < rounds; i++) {
		double one = turn(bare, MANY, FEW);

		q[i] = one / turn(wrapped, MANY, FEW);
	}
	printf("session-throughput %.3f\n", median(q, rounds));
	return 0;
}

int main(int argc, char **argv)
{
	char home[REPLY], socket[REPLY];
	double q[ROUNDS_MAX], o[ROUNDS_MAX], t[ROUNDS_MAX], a[ROUNDS_MAX],
	    b[ROUNDS_MAX], c[ROUNDS_MAX], d[ROUNDS_MAX], l[ROUNDS_MAX];
	int rounds;

	if (argc > 3 && strcmp(argv[1], "-s") == 0)
		return compare_sessions(rounds_of(argv[2]), argv + 3);
	rounds = argc == 7 ? rounds_of(argv[4]) : 0;
	if (rounds == 0)
		return usage();
	char *const bare[] = { argv[1], NULL };
	char *const wrapped[] = { argv[2], home, socket, argv[1], NULL };

	(void)snprintf(socket, sizeof(socket), "--socket=%s", argv[5]);
	(void)snprintf(home, sizeof(home), "--home=%s", argv[3]);
	must(chdir(argv[3]) == 0);
	set_environment();
	for (int i = 0; i < rounds; i++) {
		double one;

		(void)unsetenv("SMTPD_DISCARD");
		one = sessions(bare, CLIENTS);
		q[i] = one / sessions(wrapped, CLIENTS);
		one = sessions(bare, 1);
		o[i] = one / sessions(wrapped, 1);
		rcpt = rcpt_there;
		(void)setenv("TCPREMOTEIP", argv[6], 1);
		(void)setenv("RELAYCLIENT", "", 1);
		one = sessions(bare, CLIENTS);
		(void)unsetenv("RELAYCLIENT");
		l[i] = one / sessions(wrapped, CLIENTS);
		(void)setenv("TCPREMOTEIP", stranger, 1);
		rcpt = rcpt_here;
		(void)setenv("QMAILQUEUE", "bin/qmail-queue", 1);
		one = sessions(bare, CLIENTS);
		t[i] = one / sessions(wrapped, CLIENTS);
		(void)unsetenv("QMAILQUEUE");
		(void)setenv("SMTPD_DISCARD", "1", 1);
		one = sessions(bare, CLIENTS);
		a[i] = one / sessions(wrapped, CLIENTS);
		one = commands(bare);
		b[i] = commands(wrapped) - one;
		one = big(bare);
		c[i] = BIG / 1e6 / (big(wrapped) - one);
		one = spawns("/bin/true");
		d[i] = plugins("/bin/true") / one;
	}
	printf("session-throughput %.3f\n", median(q, rounds));
	printf("session-throughput-alone %.3f\n", median(o, rounds));
	printf("session-throughput-leased %.3f\n", median(l, rounds));
	printf("session-throughput-told %.3f\n", median(t, rounds));
	printf("session-throughput-unqueued %.3f\n", median(a, rounds));
	printf("added-us-a-command %.1f\n", median(b, rounds) * 1e6);
	printf("message-MB-a-cpu-second %.0f\n", median(c, rounds));
	printf("plugin-to-posix-spawn %.2f\n", median(d, rounds));
	return 0;
}
