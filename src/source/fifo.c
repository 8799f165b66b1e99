/* SPDX-License-Identifier: ISC */
/*
 * fifo - the source kind "fifo": a named pipe that syslogd writes into. The
 * supervisor opens it, checks whose it is, and keeps it open for reading and
 * writing: no writer ever gets EPIPE, none waits at open(2), and what comes
 * while a child restarts waits in the pipe. Reading it is intake.c's.
 *
 * Whoever may write into it makes leases, so its type, owner and mode decide.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/endpoint.h"
#include "base/log.h"
#include "base/mem.h"
#include "intake.h"
#include "pipe_size.h"

extern const struct source_kind source_fifo;

static const struct option fifo_options[] = {
	{ "path", OPTION_PATH, NULL, 0, 0, NULL,
	    "Named pipe that syslogd writes into." },
	{ "owner", OPTION_LIST, "root syslog", 0, 0, NULL,
	    "Users who may own it, besides the one who starts relaypassd." },
	{ "group", OPTION_STRING, "", 0, 0, NULL,
	    "Group that may write into it; a pipe that any other group, or "
	    "everybody, may write into is refused." },
	{ "create", OPTION_BOOL, "no", 0, 0, NULL,
	    "Whether it is made when it is missing." },
	{ "mode", OPTION_STRING, "0600", 0, 0, NULL,
	    "Mode it is made with, in octal; \"0620\" lets the group write." },
	FEED_OPTIONS,
	{ "annotated", OPTION_BOOL, "no", 0, 0, NULL,
	    "Whether rsyslog writes with Annotate=\"on\": lines without that "
	    "suffix give nothing then." },
	OPTION_END
};

/* One section, read. */
struct place {
	const struct conf_section *conf;
	const char *path;
	bool has_group;
	gid_t group;
	mode_t mode;
};

static int wrong(const struct place *p, struct err *err, const char *why)
{
	return conf_wrong(p->conf, err, "path: \"%s\": %s", p->path, why);
}

static int failed(const struct place *p, struct err *err, const char *what)
{
	return err_errno(err, EXIT_USER, errno,
	    "source %s (line %d): path: \"%s\": %s", conf_name(p->conf),
	    conf_line(p->conf), p->path, what);
}

static int read_place(
    struct place *p, const struct conf_section *conf, struct err *err)
{
	const char *group = conf_string(conf, "group");
	const struct group *gr = group[0] ? getgrnam(group) : NULL;

	*p = (struct place){ .conf = conf, .path = conf_string(conf, "path") };
	if (group[0] && !gr)
		return conf_wrong(
		    conf, err, "group: there is no group \"%s\"", group);
	if (gr) {
		p->has_group = true;
		p->group = gr->gr_gid;
	}
	if (!endpoint_parse_mode(conf_string(conf, "mode"), &p->mode) ||
	    (p->mode & S_IRWXO) || ((p->mode & S_IRWXG) && !p->has_group))
		return conf_wrong(conf, err,
		    "mode: \"%s\": want an octal number "
		    "such as 0600 that gives nothing to others, and nothing to "
		    "a group that \"group\" does not name",
		    conf_string(conf, "mode"));
	return 0;
}

static bool is_owner(const struct conf_section *conf, uid_t uid)
{
	if (uid == geteuid())
		return true;
	for (size_t i = 0; i < conf_list_size(conf, "owner"); i++) {
		uid_t owner;
		/* "syslog" is not everywhere. */
		if (endpoint_parse_user(
			conf_list_at(conf, "owner", i), &owner) &&
		    owner == uid)
			return true;
	}
	return false;
}

/* NULL, or why it may not be read. */
static const char *refusal(const struct place *p, const struct stat *st)
{
	if (!S_ISFIFO(st->st_mode))
		return "this is not a named pipe (mkfifo makes one)";
	if (!is_owner(p->conf, st->st_uid))
		return "its owner is none of \"owner\"";
	if (st->st_mode & S_IWOTH)
		return "everybody may write into it; chmod o-w";
	if ((st->st_mode & S_IWGRP) &&
	    (!p->has_group || st->st_gid != p->group))
		return "its group may write into it and is not the one that "
		       "\"group\" names; chmod g-w";
	return NULL;
}

/* The name of what an O_PATH descriptor stands for, whatever has become of the
 * path since. */
struct self {
	char path[64];
};

static struct self self_of(int path_fd)
{
	struct self self;

	(void)snprintf(
	    self.path, sizeof(self.path), "/proc/self/fd/%d", path_fd);
	return self;
}

static int open_by(int path_fd, int flags)
{
	struct self self = self_of(path_fd);

	return open(self.path, flags | O_NONBLOCK | O_CLOEXEC);
}

/* Gives one that was just made its group and mode; narrow before, for whoever
 * opens it earlier keeps it. */
static int widen(const struct place *p, int path_fd, struct err *err)
{
	struct self self = self_of(path_fd);
	struct stat st;

	if (fstat(path_fd, &st) < 0 || !S_ISFIFO(st.st_mode) ||
	    st.st_uid != geteuid())
		return wrong(p, err, "somebody has replaced it");
	if ((p->has_group && chown(self.path, (uid_t)-1, p->group) < 0) ||
	    chmod(self.path, p->mode) < 0)
		return failed(p, err, "cannot give it its group and mode");
	return 0;
}

/*
 * Where the first line begins. While somebody else holds the pipe, another
 * reader may have had the beginning of a line that we shall see the end of.
 * Nobody does when the pipe is at its end at once: one who reads only, and does
 * not wait, is told so as long as it has no writer.
 */
static enum feed_place first_place(int path_fd)
{
	AUTO_CLOSE int fd = open_by(path_fd, O_RDONLY);
	int waiting = 0;
	ssize_t n;
	char byte;

	if (fd < 0 || ioctl(fd, FIONREAD, &waiting) < 0 || waiting > 0)
		return FEED_DOUBT;
	n = read(fd, &byte, 1);
	if (n > 0) /* written just now */
		return byte == '\n' ? FEED_LINE : FEED_INSIDE;
	return n == 0 ? FEED_LINE : FEED_DOUBT;
}

static void warn_of_readers(const struct place *p, const struct stat *st)
{
	if (st->st_mode & S_IROTH)
		log_warn(LOG_SOURCE_OPEN,
		    "source=%s why=\"everybody may read the pipe, and take "
		    "lines away\" next=\"chmod o-r\"",
		    conf_name(p->conf));
}

static int open_path(const struct place *p, bool create, struct err *err)
{
	bool made = create && mkfifo(p->path, S_IRUSR | S_IWUSR) == 0;
	AUTO_CLOSE int fd = -1;

	if (create && !made && errno != EEXIST)
		return failed(p, err, "cannot make it");
	/* Nothing happens to what is no pipe. */
	fd = open(p->path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return wrong(p, err,
		    "there is no such pipe; make it with \"mkfifo -m 0600\", "
		    "or say create = \"yes\"");
	if (fd < 0)
		return failed(p, err, "cannot open it");
	if (made && widen(p, fd, err) < 0)
		return -1;
	return take_fd(&fd);
}

static int open_checked(
    const struct place *p, int path_fd, enum feed_place *first, struct err *err)
{
	struct stat st;
	const char *why;
	int stream;

	if (fstat(path_fd, &st) < 0)
		return failed(p, err, "cannot open it");
	why = S_ISLNK(st.st_mode) ? "this is a symbolic link" : refusal(p, &st);
	if (why)
		return wrong(p, err, why);
	warn_of_readers(p, &st);
	*first = first_place(path_fd);
	stream = open_by(path_fd, O_RDWR);
	return stream < 0 ? failed(p, err, "cannot open it") : stream;
}

static int fifo_sockets(
    const struct conf_section *conf, int *fds, size_t max, struct err *err)
{
	struct place p;
	enum feed_place first = FEED_DOUBT;
	AUTO_CLOSE int path = -1;
	AUTO_CLOSE int stream = -1;
	int size;

	if (read_place(&p, conf, err) < 0)
		return -1;
	if (!fds)
		return 0;
	must(max >= INTAKE_FDS);
	path = open_path(&p, conf_number(conf, "create") != 0, err);
	stream = path < 0 ? -1 : open_checked(&p, path, &first, err);
	if (stream < 0)
		return -1;
	size = pipe_size_widen(stream);
	fds[INTAKE_MARK] = intake_mark(first, err);
	if (fds[INTAKE_MARK] < 0)
		return -1;
	fds[INTAKE_STREAM] = take_fd(&stream);
	log_info(LOG_SOURCE_OPEN, "source=%s kind=fifo path=%s size=%d",
	    conf_name(conf), p.path, size);
	return INTAKE_FDS;
}

const struct source_kind source_fifo = {
	.name = "fifo",
	.help = "Reads a named pipe that syslogd writes into.",
	.role = ROLE_READER,
	.options = fifo_options,
	.live = true,
	.lines = true,
	.sockets = fifo_sockets,
	.open = intake_open,
	.start = intake_start,
	.stop = intake_stop,
	.close = intake_close,
	.counts = intake_counts,
};
