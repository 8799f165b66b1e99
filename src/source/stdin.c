/* SPDX-License-Identifier: ISC */
/*
 * stdin - the source kind "stdin": syslogd starts relaypassd and pipes lines
 * into it, or a pipeline does. The end of the file is no error: everything that
 * was read is stored, and relaypassd stops in good order.
 *
 * The supervisor takes descriptor 0 away and leaves /dev/null in its place, so
 * that this source's process alone reads it.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "intake.h"
#include "pipe_size.h"

extern const struct source_kind source_stdin;

static const struct option stdin_options[] = { FEED_OPTIONS,
	{ "annotated", OPTION_BOOL, "no", 0, 0, NULL,
	    "Whether rsyslog writes with Annotate=\"on\": lines without that "
	    "suffix give nothing then." },
	OPTION_END };

/* NULL, or why it cannot be read. */
static const char *refusal(const struct stat *st)
{
	struct stat null;

	if (isatty(STDIN_FILENO))
		return "standard input is a terminal; something must write "
		       "lines into it: syslogd ... | relaypassd -f";
	if (S_ISCHR(st->st_mode) && stat("/dev/null", &null) == 0 &&
	    null.st_rdev == st->st_rdev)
		return "standard input is /dev/null; start relaypassd with -f, "
		       "by what writes lines into it, and name only one source "
		       "of this kind";
	if (!S_ISFIFO(st->st_mode) && !S_ISSOCK(st->st_mode))
		return "standard input is no pipe; for a file there is the "
		       "kind \"file\"";
	return NULL;
}

static int stdin_sockets(
    const struct conf_section *conf, int *fds, size_t max, struct err *err)
{
	AUTO_CLOSE int stream = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	AUTO_CLOSE int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct stat st;
	const char *why;

	if (!fds)
		return 0;
	must(max >= INTAKE_FDS);
	if (stream < 0 || null < 0 || fstat(stream, &st) < 0)
		return err_errno(err, EXIT_AGAIN, errno,
		    "source %s: standard input", conf_name(conf));
	why = refusal(&st);
	if (why)
		return conf_wrong(conf, err, "%s", why);
	fds[INTAKE_MARK] = intake_mark(FEED_LINE, err);
	if (fds[INTAKE_MARK] < 0)
		return -1;
	if (dup2(null, STDIN_FILENO) < 0)
		return err_errno(err, EXIT_AGAIN, errno,
		    "source %s: standard input", conf_name(conf));
	(void)pipe_size_widen(stream);
	fds[INTAKE_STREAM] = take_fd(&stream);
	log_info(LOG_SOURCE_OPEN, "source=%s kind=stdin", conf_name(conf));
	return INTAKE_FDS;
}

const struct source_kind source_stdin = {
	.name = "stdin",
	.help = "Reads lines that syslogd, or anything, pipes into relaypassd.",
	.role = ROLE_READER,
	.options = stdin_options,
	.live = true,
	.ends = true,
	.lines = true,
	.sockets = stdin_sockets,
	.open = intake_open,
	.start = intake_start,
	.stop = intake_stop,
	.close = intake_close,
	.counts = intake_counts,
};
