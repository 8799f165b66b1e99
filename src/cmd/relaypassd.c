/* SPDX-License-Identifier: ISC */
/*
 * relaypassd - the daemon: reads its options and its configuration, and becomes
 * the supervisor.
 */
#include "mistakes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "daemon/schema.h"
#include "daemon/supervisor.h"

static int usage(FILE *out)
{
	(void)fputs("usage: relaypassd [-fht] [-c FILE]\n"
		    "  -c FILE  configuration, default " DEFAULT_CONFIG "\n"
		    "  -f       stay in the foreground, log to standard error\n"
		    "  -h       print this\n"
		    "  -t       check the configuration and exit\n",
	    out);
	return out == stdout && fflush(out) == 0 ? EXIT_YES : EXIT_USER;
}

static bool is_help(int argc, char **argv)
{
	return argc == 2 &&
	       (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0);
}

/* The parent waits for the first good start, and reports how it went. */
static int wait_for_start(int fd)
{
	char code = EXIT_BUG;

	/* Who can still speak has told why. */
	if (read(fd, &code, 1) != 1)
		(void)fputs("relaypassd: did not start; the mail log of "
			    "syslog tells why\n",
		    stderr);
	return (unsigned char)code;
}

/* Leaves the terminal. Returns the descriptor to report on, in the child. */
static int leave(void)
{
	int fds[2];
	int null;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -1;
	switch (fork()) {
	case -1:
		return -1;
	case 0:
		break;
	default:
		(void)close(fds[1]);
		_exit(wait_for_start(fds[0]));
	}
	(void)close(fds[0]);
	(void)setsid();
	/* Standard error stays until the start has succeeded or failed. */
	null = open("/dev/null", O_RDWR);
	for (int fd = 0; null >= 0 && fd < STDERR_FILENO; fd++)
		(void)dup2(null, fd);
	if (null > 2)
		(void)close(null);
	return fds[1];
}

/* The configuration is read again after we left this directory. */
static char *absolute(const char *path)
{
	AUTO_FREE char *here = path[0] == '/' ? NULL : getcwd(NULL, 0);
	char *full = NULL;

	if (here && asprintf(&full, "%s/%s", here, path) > 0)
		return full;
	return xstrdup(path);
}

/* Descriptors 0 to 2 must be taken, or a socket of ours gets a log line. */
static void fill_standard(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= 2);
	if (fd > 2)
		(void)close(fd);
	/* What our starter left open is not for our children. */
	(void)close_range(STDERR_FILENO + 1, ~0U, 0);
}

int main(int argc, char **argv)
{
	struct supervisor_options o = { .config = DEFAULT_CONFIG,
		.ready_fd = -1 };
	AUTO_FREE char *config = NULL;
	bool check = false;
	struct err err = { 0 };
	struct conf *conf;
	int option;

	fill_standard();
	if (is_help(argc, argv))
		return usage(stdout);
	while ((option = getopt(argc, argv, "c:ft")) != -1) {
		if (option == 'c')
			o.config = optarg;
		else if (option == 'f')
			o.stderr_log = true;
		else if (option == 't')
			check = true;
		else
			return usage(stderr);
	}
	if (optind != argc)
		return usage(stderr);
	clock_init();
	config = absolute(o.config);
	o.config = config;
	conf = conf_load(o.config, schema(), &err);
	if (!conf) {
		bool none = access(o.config, F_OK) < 0 && errno == ENOENT;
		(void)fprintf(stderr, "relaypassd: %s%s\n", err.text,
		    none ? ": copy examples/relaypass.conf there, or name one "
			   "with -c"
			 : "");
		return err.code;
	}
	if (check) {
		size_t wrong = mistakes_print(conf, o.config);
		conf_free(&conf);
		return wrong ? EXIT_USER : EXIT_YES;
	}
	(void)umask(022);
	log_open(LOG_TO_STDERR, LOG_LEVEL_INFO, "");
	if (!o.stderr_log) {
		if (chdir("/") < 0)
			perror("relaypassd: chdir /");
		o.ready_fd = leave();
		if (o.ready_fd < 0) {
			perror("relaypassd: cannot leave the terminal");
			return EXIT_AGAIN;
		}
	}
	log_open(o.stderr_log ? LOG_TO_STDERR : LOG_TO_SYSLOG,
	    (enum log_level)conf_number(
		conf_at(conf, "relaypass", 0), "log-level"),
	    "");
	return supervisor_run(&o, conf);
}
