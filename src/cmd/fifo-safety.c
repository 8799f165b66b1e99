/* SPDX-License-Identifier: ISC */
/*
 * fifo-safety - keeps writers of a named pipe from waiting when nobody reads
 * it. syslogd waits for a full pipe, and who logs waits for syslogd: login(1),
 * and so the administrator. This program stays beside relaypassd, takes nothing
 * while anybody reads (fifo_stall.c says how it knows), and throws away what is
 * too much when nobody does.
 *
 * It must not wait for anything itself: it writes no log but to standard error,
 * and not there when that would wait. No part of relaypassd is needed for it.
 */
#include "fifo_stall.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "source/pipe_size.h"

enum {
	CHUNK = 64 * 1024,
	PATIENCE_MS = 700, /* and a look every eighth: less than a second */
	PATIENCE_MIN = 80,
	PATIENCE_MAX = 3600 * 1000,
	LOOKS = 8,
	PERCENT = 50,
	PERCENT_MAX = 90
};

struct safety {
	const char *path, *user;
	unsigned percent, patience;
	int fd, peek[2];
	ino_t inode;
	struct stall stall;
	uint64_t lines, bytes; /* thrown away since nobody reads */
};

static volatile sig_atomic_t ended;

static void on_term(int number)
{
	(void)number;
	ended = 1;
}

/* One line, or none: whoever reads them may hang on the pipe, too. */
static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
	struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };
	char line[512];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (n >= (int)sizeof(line))
		n = (int)sizeof(line) - 1;
	if (n > 0 && poll(&p, 1, 0) == 1 && (p.revents & POLLOUT) &&
	    write(STDERR_FILENO, line, (size_t)n) < 0)
		return; /* nobody is left to be told */
}

static int usage(void)
{
	say("usage: fifo-safety [-l PERCENT] [-t MS] [-u USER] FIFO\n"
	    "  -l PERCENT  how full the pipe may stay when nobody reads it, "
	    "default %d\n"
	    "  -t MS       how long nobody reads before anything is thrown "
	    "away, default %d\n"
	    "  -u USER     account to become when started as root, default "
	    "relaypass-read\n",
	    PERCENT, PATIENCE_MS);
	return EXIT_USER;
}

static int fail(enum exit_code code, const char *path, const char *why)
{
	say("fifo-safety: %s: %s\n", path, why);
	return code;
}

/* --- start ------------------------------------------------------------------
 */

static int open_pipe(struct safety *s)
{
	struct stat st;

	if (lstat(s->path, &st) < 0)
		return fail(EXIT_USER, s->path, strerror(errno));
	if (!S_ISFIFO(st.st_mode))
		return fail(EXIT_USER, s->path,
		    "this is not a named pipe (mkfifo makes one)");
	s->fd = open(s->path, O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	if (s->fd < 0)
		return fail(
		    errno == EMFILE || errno == ENFILE ? EXIT_AGAIN : EXIT_USER,
		    s->path, strerror(errno));
	if (fstat(s->fd, &st) < 0 || !S_ISFIFO(st.st_mode))
		return fail(EXIT_USER, s->path, "this is not a named pipe");
	if (pipe2(s->peek, O_NONBLOCK | O_CLOEXEC) < 0)
		return fail(EXIT_AGAIN, "pipe", strerror(errno));
	s->inode = st.st_ino;
	stall_init(
	    &s->stall, (size_t)pipe_size_widen(s->fd), s->percent, LOOKS);
	return EXIT_YES;
}

static int give_up_root(const char *user)
{
	const struct passwd *pw;

	if (geteuid() == 0) {
		pw = getpwnam(user);
		if (!pw)
			return fail(EXIT_USER, user,
			    "there is no such user; tools/make-accounts makes "
			    "relaypassd's, -u names another");
		if (setgroups(0, NULL) < 0 ||
		    setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) < 0 ||
		    setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) < 0)
			return fail(EXIT_AGAIN, user, strerror(errno));
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return fail(EXIT_AGAIN, "prctl", strerror(errno));
	return EXIT_YES;
}

/* --- work -------------------------------------------------------------------
 */

static ssize_t take(struct safety *s, char *buffer, size_t size)
{
	ssize_t n = read(s->fd, buffer, size);

	for (ssize_t i = 0; i < n; i++)
		s->lines += buffer[i] == '\n';
	s->bytes += n > 0 ? (uint64_t)n : 0;
	return n;
}

/* The oldest lines, and those whole: the next reader begins with one. */
static void throw_away(struct safety *s, size_t much)
{
	static char buffer[CHUNK];
	char last = '\n';

	while (much > 0) {
		size_t want = much < sizeof(buffer) ? much : sizeof(buffer);
		ssize_t n = take(s, buffer, want);

		if (n <= 0)
			return;
		much -= (size_t)n;
		last = buffer[n - 1];
	}
	while (last != '\n' && take(s, &last, 1) == 1)
		continue;
}

static bool look(struct safety *s)
{
	static struct stall_sample sample;
	bool alone = s->stall.alone;
	size_t much;

	if (!stall_sample(s->fd, s->peek, &sample))
		return false;
	much = stall_judge(&s->stall, &sample);
	if (much > 0) {
		throw_away(s, much);
		if (!stall_sample(s->fd, s->peek, &sample))
			return false;
		stall_took(&s->stall, &sample);
	}
	if (!alone && s->stall.alone)
		say("fifo-safety: %s: nobody reads it; throwing lines away\n",
		    s->path);
	if (alone && !s->stall.alone) {
		say("fifo-safety: %s: somebody reads it again; thrown away: "
		    "%llu lines, %llu bytes\n",
		    s->path, (unsigned long long)s->lines,
		    (unsigned long long)s->bytes);
		s->lines = s->bytes = 0;
	}
	return true;
}

/* A new pipe of this name is not ours, and may need root to open. */
static bool is_replaced(const struct safety *s)
{
	struct stat st;

	/* Whoever gave up root may not be let look. */
	if (lstat(s->path, &st) < 0)
		return errno == ENOENT;
	return st.st_ino != s->inode;
}

static int work(struct safety *s)
{
	int interval = (int)(s->patience / LOOKS);

	while (!ended) {
		if (!look(s))
			return fail(EXIT_AGAIN, s->path, strerror(errno));
		if (is_replaced(s))
			return fail(EXIT_AGAIN, s->path,
			    "another pipe has this name, or none; start me "
			    "again");
		(void)poll(NULL, 0, interval);
	}
	return EXIT_YES;
}

/* Digits only, between min and max; 0: not so. */
static unsigned number(const char *text, unsigned long min, unsigned long max)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	return text[0] >= '0' && text[0] <= '9' && *end == '\0' && n >= min &&
		       n <= max
		   ? (unsigned)n
		   : 0;
}

int main(int argc, char **argv)
{
	struct safety s = { .user = "relaypass-read",
		.percent = PERCENT,
		.patience = PATIENCE_MS };
	struct sigaction term = { .sa_handler = on_term };
	int option, code;

	while ((option = getopt(argc, argv, "l:t:u:")) != -1) {
		if (option == 'l')
			s.percent = number(optarg, 1, PERCENT_MAX);
		else if (option == 't')
			s.patience = number(optarg, PATIENCE_MIN, PATIENCE_MAX);
		else if (option == 'u')
			s.user = optarg;
		else
			return usage();
	}
	if (optind + 1 != argc || !s.percent || !s.patience)
		return usage();
	s.path = argv[optind];
	(void)signal(SIGPIPE, SIG_IGN);
	(void)sigaction(SIGTERM, &term, NULL);
	(void)sigaction(SIGINT, &term, NULL);
	code = open_pipe(&s);
	if (code == EXIT_YES)
		code = give_up_root(s.user);
	if (code == EXIT_YES)
		say("fifo-safety: %s: watching, at most %zu bytes\n", s.path,
		    s.stall.high);
	return code == EXIT_YES ? work(&s) : code;
}
