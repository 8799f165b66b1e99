/* SPDX-License-Identifier: ISC */
/*
 * dropin - from a predecessor's options to a running relaypassd.
 */
#include "dropin.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "daemon/schema.h"

enum { SENTENCE_SIZE = 1024, MINUTES_MAX = 365 * 24 * 60 };

int dropin_fail(const struct dropin *d, const char *what)
{
	bool root = (errno == EPERM || errno == EACCES) && geteuid() != 0;

	(void)fprintf(stderr, "%s: %s: %s%s\n", d->name, what, strerror(errno),
	    root ? "; start it as root" : "");
	return d->failed;
}

void dropin_tell(const struct dropin *d, const char *format, ...)
{
	char text[SENTENCE_SIZE];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	(void)fprintf(stderr, "%s: %s\n", d->name, text);
	openlog(d->name, LOG_PID, LOG_MAIL);
	syslog(LOG_WARNING, "%s", text);
	closelog();
}

bool dropin_minutes(const char *text, long *out)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*out = strtol(text, &end, 10);
	return !errno && !*end && *out > 0 && *out <= MINUTES_MAX;
}

bool dropin_minutes_option(const struct dropin *d, const char *text, long *out)
{
	bool good = dropin_minutes(text, out);

	if (!good)
		(void)fprintf(stderr,
		    "%s: minutes must be a number above 0, and %d (a year) at "
		    "most\n",
		    d->name, MINUTES_MAX);
	return good;
}

bool dropin_help(int argc, char **argv, const char *usage)
{
	if (argc != 2 ||
	    (strcmp(argv[1], "-h") != 0 && strcmp(argv[1], "--help") != 0))
		return false;
	(void)fputs(usage, stdout);
	return true;
}

/* --- configuration ----------------------------------------------------------
 */

void dropin_quote(FILE *out, const char *text)
{
	(void)fputc('"', out);
	for (; *text; text++) {
		if (strchr("\"\\$", *text))
			(void)fputc('\\', out);
		(void)fputc(*text, out);
	}
	(void)fputc('"', out);
}

void dropin_put(FILE *out, const char *name, const char *value)
{
	(void)fprintf(out, "\t%s = ", name);
	dropin_quote(out, value);
	(void)fputc('\n', out);
}

static bool write_all(int fd, const char *text)
{
	size_t left = strlen(text);

	while (left > 0) {
		ssize_t n = write(fd, text, left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		text += n;
		left -= (size_t)n;
	}
	return true;
}

int dropin_write(const struct dropin *d, const char *text)
{
	AUTO_CLOSE int fd = -1;

	if (unlink(d->config) < 0 && errno != ENOENT)
		return dropin_fail(d, d->config);
	fd = open(d->config,
	    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || fchmod(fd, 0644) < 0 || !write_all(fd, text))
		return dropin_fail(d, d->config);
	return 0;
}

const char *dropin_ledger(struct conf **conf)
{
	*conf = conf_default(schema());
	return conf_string(conf_at(*conf, "relaypass", 0), "directory");
}

/* --- starting ---------------------------------------------------------------
 */

/* The relaypassd that was installed beside us. */
static bool find_relaypassd(char out[static PATH_MAX])
{
	static const char name[] = "relaypassd";
	ssize_t len = readlink("/proc/self/exe", out, PATH_MAX - 1);

	if (len <= 0)
		return false;
	out[len] = '\0';
	char *slash = strrchr(out, '/');
	if (!slash || (size_t)(slash + 1 - out) + sizeof(name) > PATH_MAX) {
		errno = ENAMETOOLONG;
		return false;
	}
	memcpy(slash + 1, name, sizeof(name));
	return true;
}

static int code_of(const struct dropin *d, int status)
{
	if (!WIFEXITED(status))
		return d->failed;
	switch (WEXITSTATUS(status)) {
	case EXIT_YES:
		return 0;
	case EXIT_AGAIN: /* the ledger, or its lock */
		return d->store;
	default:
		return d->failed;
	}
}

/* It leaves the terminal itself, and ends when it runs or has failed. */
int dropin_start(const struct dropin *d)
{
	char program[PATH_MAX];
	int status = 0;
	pid_t pid;

	if (!find_relaypassd(program))
		return dropin_fail(d, "relaypassd");
	pid = fork();
	if (pid < 0)
		return dropin_fail(d, "fork");
	if (pid == 0) {
		(void)execl(program, program, "-c", d->config, (char *)NULL);
		_exit(dropin_fail(d, program));
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return dropin_fail(d, "waitpid");
	return code_of(d, status);
}

int dropin_become(const struct dropin *d)
{
	char program[PATH_MAX];

	if (!find_relaypassd(program))
		return dropin_fail(d, "relaypassd");
	(void)execl(program, program, "-f", "-c", d->config, (char *)NULL);
	return dropin_fail(d, program);
}
