/* SPDX-License-Identifier: ISC */
/*
 * supervisor - starts, watches and stops the family; opens what only root may.
 * Not here: the children (family.c), and any foreign byte.
 */
#include "supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "family.h"
#include "lockdown.h"
#include "schema.h"
#include "sense.h"
#include "supervisor_private.h"

enum {
	TURN_MS = 250,
	RUN_MODE = 0755,
	LEDGER_MODE = 0700,
	PATH_SIZE = 4096,
	PLACE_SIZE = 160,
	ORPHANS_MS = 10000,
	ORPHANS_LOOK_MS = 20
};

/* --- what root prepares ----------------------------------------------------
 */

/* Makes a directory when it is missing, for that user when we are root. */
static int make_directory(
    const char *path, mode_t mode, enum role role, struct err *err)
{
	struct lockdown_user user;

	if (lockdown_user(role, &user, err) < 0)
		return -1;
	if (mkdir(path, mode) < 0)
		return errno == EEXIST
			   ? 0
			   : err_errno(err, EXIT_USER, errno,
				 "cannot make the directory %s", path);
	if (geteuid() == 0 && mode == LEDGER_MODE &&
	    chown(path, user.uid, user.gid) < 0)
		return err_errno(err, EXIT_USER, errno,
		    "cannot give %s to uid %u", path, user.uid);
	return 0;
}

static int orphans_stay(const char *path, struct err *err)
{
	return err_set(err, EXIT_AGAIN,
	    "processes of a relaypassd that was killed do not end; find them "
	    "with: fuser %s",
	    path);
}

static bool is_alive(const char *number)
{
	long pid = strtol(number, NULL, 10);

	/* None yet: somebody begins at this moment. */
	return pid <= 0 || pid > INT_MAX || kill((pid_t)pid, 0) == 0 ||
	       errno != ESRCH;
}

/*
 * The pid file stays locked while we live: the proof for a second instance. A
 * child has that lock, too, until it has closed what is not its own; so who was
 * killed while he forked leaves it for a moment.
 */
static int lock_pid_file(const char *run, struct err *err)
{
	char path[PATH_SIZE], text[32];
	AUTO_CLOSE int fd = -1;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "%s/relaypassd.pid", run);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return err_errno(err, EXIT_USER, errno,
		    "cannot write the pid file %s", path);
	for (int waited = 0; flock(fd, LOCK_EX | LOCK_NB) < 0;
	     waited += ORPHANS_LOOK_MS) {
		n = pread(fd, text, sizeof(text) - 1, 0);
		text[n > 0 ? n : 0] = '\0';
		text[strcspn(text, "\n")] = '\0';
		if (is_alive(text))
			return err_set(err, EXIT_AGAIN,
			    "another relaypassd (pid %s) runs with %s; stop it "
			    "first, or set another run-directory",
			    text, run);
		if (waited >= ORPHANS_MS)
			return orphans_stay(path, err);
		(void)poll(NULL, 0, ORPHANS_LOOK_MS);
	}
	return take_fd(&fd);
}

static int write_pid(int pid_file, const char *run, struct err *err)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "%d\n", (int)getpid());

	if (ftruncate(pid_file, 0) < 0 ||
	    pwrite(pid_file, text, (size_t)n, 0) != n)
		return err_errno(err, EXIT_AGAIN, errno,
		    "cannot write %s/relaypassd.pid", run);
	return 0;
}

/* 1: somebody holds the family's lock; 0: nobody; -1: it cannot be told. */
static int is_family_locked(int pid_file)
{
	/* Anew each time: it comes back as the other's lock, which is no
	 * question that fcntl(2) takes. */
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (fcntl(pid_file, F_OFD_GETLK, &lock) < 0)
		return -1;
	return lock.l_type != F_UNLCK;
}

/*
 * A supervisor that was killed leaves its children for a moment, with the
 * ledger and the sockets in their hands. Each holds this lock to its end: it is
 * inherited, by a descriptor that can only read.
 */
static int lock_family(int pid_file, const char *run, struct err *err)
{
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	char path[PATH_SIZE];
	AUTO_CLOSE int fd = -1;
	int locked;

	(void)snprintf(path, sizeof(path), "%s/relaypassd.pid", run);
	for (int waited = 0; (locked = is_family_locked(pid_file)) > 0;
	     waited += ORPHANS_LOOK_MS) {
		if (waited >= ORPHANS_MS)
			return orphans_stay(path, err);
		(void)poll(NULL, 0, ORPHANS_LOOK_MS);
	}
	if (locked == 0)
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fcntl(fd, F_OFD_SETLK, &lock) < 0)
		return err_errno(
		    err, EXIT_AGAIN, errno, "cannot lock %s", path);
	return take_fd(&fd);
}

/* The control socket is a listener like the others, but the keeper's. */
static int open_control(struct supervisor *s, struct err *err)
{
	const struct conf_section *main = conf_at(s->conf, "relaypass", 0);
	char text[PATH_SIZE];
	int n = snprintf(text, sizeof(text),
	    "listener control { kind = \"ask\"\n"
	    "listen = \"unix:%s/control\"\nmode = \"0660\"\n"
	    "group = \"%s\" }\n",
	    conf_string(main, "run-directory"),
	    conf_string(main, "control-group"));

	s->control_conf =
	    conf_parse(text, (size_t)n, "control socket", schema(), err);
	if (!s->control_conf)
		return -1;
	s->family.control_socket =
	    listener_socket_open(conf_at(s->control_conf, "listener", 0), err);
	return s->family.control_socket;
}

static void tell_listens(const struct conf_section *listener)
{
	char place[PLACE_SIZE];
	struct endpoint at;

	if (listener_place(listener, &at))
		log_info(LOG_LISTENER_OPEN, "listener=%s kind=%s listen=%s",
		    conf_name(listener), conf_kind(listener),
		    endpoint_print(&at, place, sizeof(place)));
}

static int open_listeners(struct supervisor *s, struct err *err)
{
	size_t n = conf_count(s->conf, "listener");

	for (size_t i = 0; i < n; i++) {
		const struct conf_section *c = conf_at(s->conf, "listener", i);
		int fd = listener_socket_open(c, err);

		if (fd < 0)
			return -1;
		s->family.listen_fds[i] = fd;
		tell_listens(c);
	}
	return 0;
}

static int open_signals(struct supervisor *s, struct err *err)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGHUP);
	(void)sigaddset(&set, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	s->family.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->family.signals < 0)
		return err_errno(err, EXIT_AGAIN, errno, "signalfd");
	return 0;
}

static int prepare(struct supervisor *s, struct err *err)
{
	const struct conf_section *main = conf_at(s->conf, "relaypass", 0);
	struct family *f = &s->family;
	const char *run = conf_string(main, "run-directory");
	struct lockdown_user user;

	f->stderr_log = s->o->stderr_log;
	f->self = getpid();
	f->ready_fd = s->o->ready_fd;
	f->board = board_map(sizeof(*f->board), &f->board_fd);
	f->mode = board_map(sizeof(*f->mode), &f->mode_fd);
	f->ahead = board_map(LEDGER_AHEAD_SIZE, &f->ahead_fd);
	f->pid_file = f->control_socket = f->signals = -1;
	for (size_t i = 0; i < BOARD_LISTENERS; i++)
		f->listen_fds[i] = -1;
	if (lockdown_user(ROLE_READER, &user, err) < 0 ||
	    (conf_count(s->conf, "export") > 0 &&
		lockdown_user(ROLE_WRITER, &user, err) < 0) ||
	    lockdown_user(ROLE_ANSWERER, &user, err) < 0 ||
	    sense_first(s->conf, s->o->config, err) < 0 ||
	    make_directory(run, RUN_MODE, ROLE_KEEPER, err) < 0 ||
	    make_directory(conf_string(main, "directory"), LEDGER_MODE,
		ROLE_KEEPER, err) < 0)
		return -1;
	f->pid_file = lock_pid_file(run, err);
	if (f->pid_file < 0)
		return -1;
	f->family_lock = lock_family(f->pid_file, run, err);
	if (f->family_lock < 0 || write_pid(f->pid_file, run, err) < 0 ||
	    family_plan(f, s->conf, err) < 0 || open_control(s, err) < 0 ||
	    open_listeners(s, err) < 0 ||
	    family_open_sources(s->conf, NULL, NULL, f->source_fds, err) < 0)
		return -1;
	return open_signals(s, err);
}

/* --- the loop --------------------------------------------------------------
 */

static void tell_ready(struct supervisor *s, int code)
{
	char byte = (char)code;
	AUTO_CLOSE int null = -1;

	if (s->told)
		return;
	s->told = true;
	if (s->family.ready_fd < 0)
		return;
	if (write(s->family.ready_fd, &byte, 1) < 0)
		log_error(LOG_START, "nobody waits");
	(void)close(s->family.ready_fd);
	s->family.ready_fd = -1;
	/* The terminal is told; it may go. */
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0)
		(void)dup2(null, STDERR_FILENO);
}

static void take_signals(struct supervisor *s)
{
	struct signalfd_siginfo info;

	while (read(s->family.signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			family_reap(&s->family);
		else if (info.ssi_signo == SIGHUP)
			supervisor_reload(s);
		else
			s->stop = true;
	}
}

static void turn(struct supervisor *s)
{
	struct family *f = &s->family;
	struct pollfd fds[BOARD_SLOTS + 1];
	struct member *who[BOARD_SLOTS + 1];
	nfds_t n = 0;

	fds[n++] = (struct pollfd){ .fd = s->family.signals, .events = POLLIN };
	for (size_t i = 0; i < f->count; i++) {
		if (f->members[i].control < 0)
			continue;
		who[n] = &f->members[i];
		fds[n++] = (struct pollfd){ .fd = f->members[i].control,
			.events = POLLIN };
	}
	if (poll(fds, n, TURN_MS) < 0)
		return;
	for (nfds_t i = 1; i < n; i++) {
		if (fds[i].revents)
			family_message(f, who[i]);
	}
	if (fds[0].revents)
		take_signals(s);
}

static void loop(struct supervisor *s)
{
	struct family *f = &s->family;

	while (!s->stop && !f->ended) {
		if (f->failed && !s->told) {
			/* A child has said what is wrong; it will not pass. */
			s->code = f->failed;
			return;
		}
		family_start(f);
		turn(s);
		supervisor_reload_turn(s);
		family_check(
		    f, (uint64_t)conf_number(
			   conf_at(s->conf, "relaypass", 0), "child-timeout"));
		if (!s->told && family_ready(f)) {
			log_info(LOG_START, "version=%s pid=%d",
			    RELAYPASS_VERSION, (int)getpid());
			tell_ready(s, EXIT_YES);
		}
	}
}

/* The last line says that this was the end, and whose. */
static void tell_failed_start(const struct supervisor *s)
{
	const struct member *m = s->family.failed_member;

	log_error(LOG_START_ERROR,
	    "role=%s name=%s error=\"does not start\" next=\"see the lines "
	    "before\"",
	    role_name(m->role), m->name);
	if (!s->o->stderr_log)
		(void)fputs("relaypassd: did not start; the mail log of syslog "
			    "tells why\n",
		    stderr);
}

static void remove_sockets(struct supervisor *s)
{
	char path[PATH_SIZE];

	(void)snprintf(path, sizeof(path), "%s/control",
	    conf_string(conf_at(s->conf, "relaypass", 0), "run-directory"));
	if (s->family.control_socket >= 0)
		(void)unlink(path);
	for (size_t i = 0; i < conf_count(s->conf, "listener"); i++) {
		if (i < BOARD_LISTENERS && s->family.listen_fds[i] >= 0)
			supervisor_unlink(conf_at(s->conf, "listener", i));
	}
	family_close_sources(s->conf, s->family.source_fds, NULL, 0);
	/* No number of ours stays behind for another process to have. */
	if (s->family.pid_file >= 0 && ftruncate(s->family.pid_file, 0) < 0)
		log_error(LOG_STOP, "pid file: %s", strerror(errno));
}

int supervisor_run(const struct supervisor_options *o, struct conf *conf)
{
	struct supervisor *s = xcalloc(1, sizeof(*s));
	struct err err = { 0 };
	int code;

	s->o = o;
	s->conf = conf;
	if (prepare(s, &err) < 0) {
		log_error(LOG_START_ERROR, "error=\"%s\"", err.text);
		if (!o->stderr_log) /* somebody waits at a terminal */
			(void)fprintf(stderr, "relaypassd: %s\n", err.text);
		s->code = err.code;
	} else {
		loop(s);
		if (s->code != EXIT_YES)
			tell_failed_start(s);
		/* The reverse of the start. */
		family_stop(&s->family, ROLE_READER);
		family_stop(&s->family, ROLE_RECEIVER);
		family_stop_listeners(&s->family);
		family_stop_exports(&s->family);
		family_stop(&s->family, ROLE_KEEPER);
	}
	supervisor_reload_drop(s);
	remove_sockets(s);
	tell_ready(s, s->code);
	if (s->code == EXIT_YES)
		log_info(LOG_STOP, "pid=%d", (int)getpid());
	log_flush();
	code = s->code;
	conf_free(&s->conf);
	conf_free(&s->control_conf);
	free(s);
	return code;
}
