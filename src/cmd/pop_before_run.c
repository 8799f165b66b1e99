/* SPDX-License-Identifier: ISC */
/*
 * pop_before_run - pop-before-smtp while it runs: relaypassd does the work,
 * this process stands for it under the old name, with its pid, its signals and
 * its own log, which it makes of what relaypassd tells those who watch.
 *
 * relaypassd leaves its starter. We stay the one who hears of its end, as the
 * subreaper of what it leaves behind.
 */
#include "pop_before.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "allowed.h"
#include "base/clock.h"
#include "base/mem.h"
#include "pop_before_private.h"
#include "pop_before_told.h"

/* relaypassd's default, which the generated configuration keeps. */
#define PID_FILE "/run/relaypass/relaypassd.pid"

enum {
	NAP_MS = 200,
	MS_PER_SECOND = 1000,
	NS_PER_MS = 1000000,
	LINE_SIZE = 512,
	PID_SIZE = 16,
	LOG_MODE = 0644
};

static volatile sig_atomic_t caught;  /* the signal that ends us */
static volatile sig_atomic_t daemon_; /* relaypassd's pid, or 0 */
static const char *log_path;          /* NULL: the log is no file */
static volatile sig_atomic_t log_fd = -1;

/* --- the log ----------------------------------------------------------------
 */

void pop_log(const struct pop_log *log, int64_t wall, const char *format, ...)
{
	char text[LINE_SIZE], stamp[32] = "";
	time_t seconds = (time_t)(wall / MS_PER_SECOND);
	struct tm tm;
	va_list args;

	if (log->fd < 0)
		return;
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (localtime_r(&seconds, &tm))
		(void)strftime(stamp, sizeof(stamp), "%b %e %T", &tm);
	(void)dprintf(log->fd, "%s %s\n", stamp, text);
}

static void log_now(const struct pop_log *log, const char *what,
    const char *about, const char *more)
{
	pop_log(log, clock_now().wall, "%s%s%s", what, about, more);
}

/* --- signals ----------------------------------------------------------------
 */

static void on_end(int number)
{
	caught = number;
	if (daemon_ > 0)
		(void)kill((pid_t)daemon_, SIGTERM);
}

/* Calls nothing that is not safe in a handler. */
static void on_hup(int number)
{
	int keep = errno;
	int fd = open(log_path, POP_LOG_FLAGS, LOG_MODE);

	(void)number;
	if (fd >= 0) {
		(void)dup3(fd, log_fd, O_CLOEXEC);
		(void)close(fd);
	}
	errno = keep;
}

static void handle(int number, void (*fn)(int))
{
	struct sigaction action = { .sa_handler = fn };

	(void)sigemptyset(&action.sa_mask);
	(void)sigaction(number, &action, NULL);
}

static void handle_signals(
    const struct pop_settings *s, const struct pop_log *log)
{
	const char *path = pop_text(s, POP_LOGTO);

	handle(SIGINT, on_end);
	handle(SIGTERM, on_end);
	/* Who reads our standard output may go away. */
	handle(SIGPIPE, SIG_IGN);
	if (log->fd < 0 || strcmp(path, "-") == 0)
		return;
	log_path = path;
	log_fd = log->fd;
	handle(SIGHUP, on_hup);
}

/* --- relaypassd -------------------------------------------------------------
 */

static pid_t read_pid(void)
{
	AUTO_CLOSE int fd = open(PID_FILE, O_RDONLY | O_CLOEXEC);
	char text[PID_SIZE] = "";
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	long pid = n > 0 ? strtol(text, NULL, 10) : 0;

	return pid > 1 && pid <= INT_MAX ? (pid_t)pid : -1;
}

/* Whose standard input is the log cannot leave the foreground. */
static pid_t start_on_stdin(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(dropin_become(&pop_dropin));
	return pid;
}

static pid_t start(const struct pop_settings *s)
{
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	if (strcmp(pop_text(s, POP_WATCHLOG), "-") == 0)
		return start_on_stdin();
	return dropin_start(&pop_dropin) == 0 ? read_pid() : -1;
}

/* True when relaypassd has ended; status as waitpid(2). A signal ends a wait.
 */
static bool has_ended(pid_t pid, int *status, bool wait)
{
	pid_t got = waitpid(pid, status, wait ? 0 : WNOHANG);

	return got == pid || (got < 0 && errno != EINTR);
}

/* --- what happens -----------------------------------------------------------
 */

/* Our log, and what it has said. */
struct diary {
	const struct pop_log *log;
	struct pop_told *told;
};

static const char *user_of(const struct reply *r)
{
	const char *user = reply_value(r, "user");

	return user ? user : "";
}

static void tell_added(const struct diary *d, const struct reply *r)
{
	char address[ALLOWED_TEXT_SIZE];

	if (pop_told_add(d->told, allowed_address(r, address), user_of(r)))
		log_now(d->log, "added ", address, " to DB");
}

static void tell_removed(void *ctx, const char *address)
{
	const struct diary *d = ctx;

	log_now(d->log, "removed ", address, " from DB");
}

static void tell_event(struct diary *d, const struct reply *r)
{
	const char *kind = reply_value(r, "kind");
	char address[ALLOWED_TEXT_SIZE];

	if (!kind)
		return;
	if (!strcmp(kind, "grant"))
		tell_added(d, r);
	else if (!strcmp(kind, "expire") || !strcmp(kind, "revoke"))
		pop_told_remove(d->told, allowed_address(r, address),
		    user_of(r), tell_removed, d);
}

static void tell_row(void *ctx, const struct reply *r)
{
	if (!strcmp(r->word, "lease"))
		tell_added(ctx, r);
}

/* What there is, and then what happens, until relaypassd hangs up. */
static void follow(struct diary *d)
{
	AUTO_FREE struct reply *r = xcalloc(1, sizeof(*r));
	struct client *events =
	    allowed_connect("watch", strlen("watch"), NULL, NULL, r, NULL);
	struct client *rows = NULL;
	char *line;
	size_t len;

	if (!events)
		return;
	rows = allowed_connect("list", strlen("list"), tell_row, d, r, NULL);
	client_close(&rows);
	client_wait_forever(events);
	while (client_receive(events, &line, &len, NULL) == 1)
		if (reply_parse(line, len, r) && !strcmp(r->word, "event"))
			tell_event(d, r);
	client_close(&events);
}

static int tell_end(
    const struct pop_settings *s, const struct pop_log *log, int status)
{
	bool input = !strcmp(pop_text(s, POP_WATCHLOG), "-") &&
		     WIFEXITED(status) && WEXITSTATUS(status) == 0;

	if (caught)
		log_now(log, "caught SIG", caught == SIGINT ? "INT" : "TERM",
		    " -- exiting");
	else if (input)
		log_now(log, "fatal error: EOF on stdin -- exiting", "", "");
	else
		log_now(log, "fatal error: relaypassd has ended", "",
		    "; see its own log");
	return EXIT_FAILURE;
}

static void nap(void)
{
	const struct timespec step = { .tv_nsec = (long)NAP_MS * NS_PER_MS };

	(void)nanosleep(&step, NULL);
}

/* Standard error stays until the start has succeeded or failed. */
static void tell_ready(int fd)
{
	AUTO_CLOSE int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	const char byte = EXIT_SUCCESS;

	(void)dup2(null, STDERR_FILENO);
	if (write(fd, &byte, 1) == 1)
		(void)close(fd);
}

int pop_run(
    const struct pop_settings *s, const struct pop_log *log, int ready_fd)
{
	struct diary diary = { log, NULL };
	int status = 0;
	pid_t pid;

	handle_signals(s, log);
	log_now(log, "starting up (v" POP_BEFORE_VERSION ", relaypass ",
	    RELAYPASS_VERSION, ")");
	pid = start(s);
	if (pid < 0) {
		log_now(log, "fatal error: relaypassd does not start", "",
		    "; see its own log");
		return EXIT_FAILURE;
	}
	daemon_ = pid;
	if (caught)
		on_end(caught);
	if (ready_fd >= 0)
		tell_ready(ready_fd);
	diary.told = pop_told_new();
	while (!has_ended(pid, &status, caught || log->fd < 0)) {
		if (log->fd >= 0)
			follow(&diary);
		nap();
	}
	pop_told_free(&diary.told);
	return tell_end(s, log, status);
}

/* --- --list -----------------------------------------------------------------
 */

int pop_list(void)
{
	struct allowed all;
	struct err err = { 0 };
	bool good;

	client_starter = POP_BEFORE_NAME;
	good = allowed_read(&all, &err) == 0;
	if (good)
		(void)printf("The database holds %zu IP%s%s\n", all.count,
		    all.count == 1 ? "" : "s", all.count ? ":" : ".");
	else
		(void)fprintf(stderr, POP_BEFORE_NAME ": %s\n", err.text);
	for (size_t i = 0; good && i < all.count; i++)
		(void)printf("\t%s\n", all.at[i]);
	allowed_free(&all);
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
