/* SPDX-License-Identifier: ISC */
/*
 * family - the supervisor's children: starting, watching, ending them.
 */
#include "family.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "export/export.h"
#include "family_private.h"
#include "fault.h"
#include "lockdown.h"
#include "opener.h"

enum {
	ANSWERERS_MAX = 64,
	BACKOFF_FIRST_MS = 100,
	CHANNEL_MS = 50,
	BACKOFF_MAX_MS = 30000
};

/* --- the plan --------------------------------------------------------------
 */

static struct member *add_member(struct family *f, enum role role,
    const struct conf_section *source, const char *name)
{
	struct member *m = &f->members[f->count];

	memset(m, 0, sizeof(*m));
	m->role = role;
	m->source = source;
	m->slot = &f->board->slots[f->count];
	m->control = m->inotify = -1;
	m->slot->role = (int32_t)role;
	(void)snprintf(m->name, sizeof(m->name), "%s", name);
	memcpy(m->slot->name, m->name, sizeof(m->name));
	f->count++;
	return m;
}

/* The listeners that have a process of their own, or the others. */
static size_t count_listeners(const struct conf *conf, bool gateways)
{
	size_t n = 0;

	for (size_t i = 0; i < conf_count(conf, "listener"); i++)
		n += gateways ==
		     listener_kind_find(conf_kind(conf_at(conf, "listener", i)))
			 ->gateway;
	return n;
}

static size_t answerers_wanted(const struct conf *conf)
{
	int64_t n = conf_number(conf_at(conf, "relaypass", 0), "answerers");
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	if (count_listeners(conf, false) == 0)
		return 0;
	if (n == 0)
		n = cores;
	return n < 1 ? 1 : n > ANSWERERS_MAX ? ANSWERERS_MAX : (size_t)n;
}

int family_fits(const struct conf *conf, struct err *err)
{
	if (conf_count(conf, "listener") <= BOARD_LISTENERS &&
	    1 + answerers_wanted(conf) + count_listeners(conf, true) +
		    conf_count(conf, "source") + conf_count(conf, "export") <=
		BOARD_SLOTS)
		return 0;
	return err_set(err, EXIT_USER,
	    "too many listeners (at most %d) or sources and exports with "
	    "answerers (at most %d together)",
	    BOARD_LISTENERS, BOARD_SLOTS - 1);
}

static void plan_gateways(struct family *f, const struct conf *conf)
{
	for (size_t i = 0; i < conf_count(conf, "listener"); i++) {
		const struct conf_section *s = conf_at(conf, "listener", i);
		struct member *m;

		if (!listener_kind_find(conf_kind(s))->gateway)
			continue;
		m = add_member(f, ROLE_GATEWAY, NULL, conf_name(s));
		m->listener = s;
		m->listener_index = i;
	}
}

int family_plan(struct family *f, const struct conf *conf, struct err *err)
{
	size_t sources = conf_count(conf, "source");
	size_t answerers = answerers_wanted(conf);

	if (family_fits(conf, err) < 0)
		return -1;
	f->conf = conf;
	f->count = 0;
	for (size_t i = 0; i < BOARD_SLOTS; i++) {
		f->board->slots[i].down_since = 0;
		f->board->slots[i].said[0] = '\0';
		f->board->slots[i].trouble[0] = '\0';
		f->board->slots[i].in_step = f->board->slots[i].behind = 0;
	}
	(void)add_member(f, ROLE_KEEPER, NULL, "");
	for (size_t i = 0; i < answerers; i++) {
		char name[24];

		(void)snprintf(name, sizeof(name), "%zu", i + 1);
		(void)add_member(f, ROLE_ANSWERER, NULL, name);
	}
	for (size_t i = 0; i < conf_count(conf, "export"); i++) {
		const struct conf_section *s = conf_at(conf, "export", i);
		add_member(
		    f, export_kind_find(conf_kind(s))->role, NULL, conf_name(s))
		    ->export = s;
	}
	for (size_t i = 0; i < sources; i++) {
		const struct conf_section *s = conf_at(conf, "source", i);
		add_member(
		    f, source_kind_find(conf_kind(s))->role, s, conf_name(s))
		    ->source_fds = &f->source_fds[i];
	}
	plan_gateways(f, conf);
	return 0;
}

/* --- starting --------------------------------------------------------------
 */

static void reset_signals(void)
{
	sigset_t none;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	/* Ctrl-C and SIGHUP are the supervisor's; it tells its children. */
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGPIPE, SIG_IGN);
}

/* What a child must not hold of its parent and its elders. */
static void close_others(struct family *f, const struct member *m)
{
	for (size_t i = 0; i < f->count; i++) {
		struct member *other = &f->members[i];
		if (other == m)
			continue;
		if (other->control >= 0)
			(void)close(other->control);
		if (other->inotify >= 0)
			(void)close(other->inotify);
	}
	(void)close(f->pid_file);
	(void)close(f->signals);
	if (f->ready_fd >= 0)
		(void)close(f->ready_fd);
	if (m->role != ROLE_KEEPER)
		(void)close(f->control_socket);
	for (size_t i = 0; i < conf_count(f->conf, "listener"); i++) {
		bool gateway = listener_kind_find(
		    conf_kind(conf_at(f->conf, "listener", i)))
				   ->gateway;
		if (m->role == ROLE_ANSWERER
			? gateway
			: !m->listener || m->listener_index != i)
			(void)close(f->listen_fds[i]);
	}
	for (size_t i = 0; i < BOARD_SLOTS; i++) {
		const struct family_fds *set = &f->source_fds[i];
		for (size_t j = 0; set != m->source_fds && j < set->count; j++)
			(void)close(set->fds[j]);
	}
}

/* The terminal that waits for the start is not theirs. */
static void leave_terminal(void)
{
	AUTO_CLOSE int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null >= 0)
		(void)dup2(null, STDERR_FILENO);
}

static int run_role(const struct member *m, const struct child_env *env)
{
	switch (m->role) {
	case ROLE_KEEPER:
		return keeper_main(env);
	case ROLE_ANSWERER:
		return answerer_main(env);
	case ROLE_READER:
	case ROLE_RECEIVER:
		return source_kind_find(conf_kind(m->source))->live
			   ? receiver_main(env)
			   : reader_main(env);
	case ROLE_CONNECTOR:
		return m->source ? reader_main(env) : exporter_main(env);
	case ROLE_WRITER:
	case ROLE_FIREWALL:
		return exporter_main(env);
	case ROLE_GATEWAY:
		return gateway_main(env);
	default:
		return EXIT_BUG;
	}
}

static _Noreturn void child_main(
    struct family *f, struct member *m, int control, int keeper)
{
	struct child_env env = { .conf = f->conf,
		.board = f->board,
		.mode = f->mode,
		.ahead = f->ahead,
		.slot = m->slot,
		.supervisor = f->self,
		.control = control,
		.keeper = keeper,
		.inotify = m->inotify,
		.source = m->source,
		.export = m->export,
		.listener = m->listener,
		.listener_index = m->listener_index,
		.source_fds = m->source_fds ? m->source_fds->fds : NULL,
		.source_fd_count = m->source_fds ? m->source_fds->count : 0,
		.control_socket = f->control_socket,
		.listen_fds = f->listen_fds };
	const char *name = m->name;
	char role[64];
	int code;

	reset_signals();
	close_others(f, m);
	if (!f->stderr_log)
		leave_terminal();
	(void)snprintf(role, sizeof(role), "%s%s%s", role_name(m->role),
	    *name ? " " : "", name);
	log_open(f->stderr_log ? LOG_TO_STDERR : LOG_TO_SYSLOG,
	    (enum log_level)conf_number(
		conf_at(f->conf, "relaypass", 0), "log-level"),
	    role);
	if (m->role != ROLE_KEEPER) {
		board_protect(f->mode, sizeof(*f->mode), f->mode_fd);
		board_protect(f->ahead, LEDGER_AHEAD_SIZE, f->ahead_fd);
	}
	/* Exports tell what is stored; readers have no ledger at all. */
	if (m->role != ROLE_KEEPER && m->role != ROLE_ANSWERER &&
	    m->role != ROLE_GATEWAY) {
		(void)munmap(f->ahead, LEDGER_AHEAD_SIZE);
		env.ahead = NULL;
	}
	(void)close(f->mode_fd);
	(void)close(f->ahead_fd);
	board_narrow(f->board, m->slot, f->board_fd);
	(void)close(f->board_fd);
	lockdown_prepare();
	code = run_role(m, &env);
	log_flush();
	_exit(code);
}

/* Gives the keeper its end of a reader's channel. */
static int introduce(struct family *f, const struct member *m, int fd)
{
	struct wire_path hello = { .h = { .type = WIRE_CHANNEL } };

	(void)snprintf(hello.path, sizeof(hello.path), "%s%s",
	    m->export     ? EXPORT_CHANNEL
	    : m->listener ? GATEWAY_CHANNEL
			  : "",
	    m->name);
	return wire_send(f->members[0].control, &hello.h, fd);
}

/* A gateway that changes nothing has no way to the keeper. */
bool family_has_channel(const struct member *m)
{
	if (m->listener)
		return listener_kind_find(conf_kind(m->listener))
		    ->changes(m->listener);
	return m->source || m->export;
}

static int make_channel(const struct member *m, int pair[2])
{
	return m->listener ? wire_pair_lines(pair) : wire_pair(pair);
}

void family_later(struct member *m)
{
	uint64_t most = fault_longest_wait(BACKOFF_MAX_MS);
	uint64_t wait = BACKOFF_FIRST_MS;

	for (unsigned i = 1; i < m->fails && wait < most; i++)
		wait *= 2;
	if (wait > most)
		wait = most;
	m->start_at = uv_hrtime() + (m->fails ? wait * FAMILY_MS : 0);
}

void family_forget(struct member *m)
{
	if (m->control >= 0)
		(void)close(m->control);
	if (m->inotify >= 0)
		(void)close(m->inotify);
	m->control = m->inotify = -1;
	opener_free(&m->opener);
}

static void start_member(struct family *f, struct member *m)
{
	int control[2] = { -1, -1 };
	AUTO_CLOSE int reader_end = -1;
	AUTO_CLOSE int keeper_end = -1;
	int pair[2];

	if (wire_pair(control) < 0) {
		log_error(LOG_CHILD, "socketpair: %s", strerror(errno));
		m->fails++;
		family_later(m);
		return;
	}
	if (family_has_channel(m) && make_channel(m, pair) == 0) {
		reader_end = pair[0];
		keeper_end = pair[1];
	}
	m->wants_channel = false;
	if (m->source && source_kind_find(conf_kind(m->source))->files) {
		m->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
		m->opener = opener_for(m->source, m->inotify);
	}
	m->slot->beat = m->slot->started = m->started = uv_hrtime();
	m->ready = false;
	m->pid = fork();
	if (m->pid == 0) {
		(void)close(control[0]);
		(void)close(keeper_end);
		m->control = -1;
		child_main(f, m, control[1], reader_end);
	}
	(void)close(control[1]);
	if (m->pid < 0) {
		log_error(LOG_CHILD, "fork: %s", strerror(errno));
		(void)close(control[0]);
		family_forget(m);
		m->pid = 0;
		m->fails++;
		family_later(m);
		return;
	}
	/* A child that does not read must not stop us. */
	(void)fcntl(control[0], F_SETFL, O_NONBLOCK);
	m->control = control[0];
	m->slot->pid = m->pid;
	if (family_has_channel(m) && introduce(f, m, keeper_end) < 0)
		(void)kill(m->pid, SIGTERM); /* with the keeper; starts again */
}

/* A receiver or gateway outlives the keeper, and speaks to the next one. */
static void connect_again(struct family *f, struct member *m)
{
	struct wire_path here = { .h = { .type = WIRE_CHANNEL } };
	int pair[2];

	/* A keeper that cannot write (a full disk) takes none. */
	m->channel_at = uv_hrtime() + CHANNEL_MS * FAMILY_MS;
	if (make_channel(m, pair) < 0) {
		log_error(LOG_CHILD, "socketpair: %s", strerror(errno));
		return;
	}
	if (introduce(f, m, pair[1]) == 0) {
		m->wants_channel = false;
		if (wire_send(m->control, &here.h, pair[0]) < 0)
			(void)kill(m->pid, SIGTERM);
	}
	(void)close(pair[0]);
	(void)close(pair[1]);
}

void family_start(struct family *f)
{
	uint64_t now = uv_hrtime();

	for (size_t i = 0; i < f->count; i++) {
		struct member *m = &f->members[i];
		if (m->pid == 0 && m->start_at <= now)
			start_member(f, m);
		/* Nobody has work before the ledger is there. */
		if (m->role == ROLE_KEEPER && (!m->ready || m->control < 0))
			return;
		if (m->pid && m->wants_channel && m->channel_at <= now)
			connect_again(f, m);
	}
}

bool family_ready(const struct family *f)
{
	for (size_t i = 0; i < f->count; i++) {
		if (!f->members[i].ready && !f->members[i].export)
			return false;
	}
	return true;
}
