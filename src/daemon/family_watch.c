/* SPDX-License-Identifier: ISC */
/*
 * family_watch - the supervisor's children: what they ask for, who died, who
 * shows no life, and ending them. Not here: starting them (family.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "family_private.h"
#include "opener.h"

enum {
	STOP_MS = 5000, /* in good order; then by force */
	STOP_STEP_MS = 20,
	SEND_MS = 200,
	BLIND_MS = 2000,
	GOOD_MS = 1000, /* who served so long had no bad start */
	STARTS_MAX = 6  /* in vain: a first start is given up */
};

/* --- messages --------------------------------------------------------------
 */

struct reply {
	struct member *m;
	int count;
	bool failed;
};

/*
 * Sends to a child, which may have been taken over: one that does not take its
 * messages must not hold up the others, and is ended.
 */
static int family_send(struct member *m, const struct wire_header *h, int fd)
{
	struct pollfd p = { .fd = m->control, .events = POLLOUT };

	if (wire_send(m->control, h, fd) == 0)
		return 0;
	if (errno == EAGAIN && poll(&p, 1, SEND_MS) == 1 &&
	    wire_send(m->control, h, fd) == 0)
		return 0;
	if (errno != EPIPE && errno != ECONNRESET)
		log_error(LOG_CHILD,
		    "role=%s name=%s pid=%d ended=takes-no-message",
		    role_name(m->role), m->name, m->pid);
	if (m->pid)
		(void)kill(m->pid, SIGKILL);
	return -1;
}

/* Hands one opened file to the reader that asked. */
static void send_file(void *ctx, struct source_file *file)
{
	struct reply *r = ctx;
	struct wire_path m = { .h = { .type = WIRE_FILE } };

	memcpy(m.path, file->path, sizeof(m.path));
	if (!r->failed && family_send(r->m, &m.h, file->fd) == 0)
		r->count++;
	else
		r->failed = true;
	(void)close(file->fd);
}

static void open_files(struct member *m, const struct wire_path *ask)
{
	struct reply r = { .m = m };
	struct wire_header done = { .type = WIRE_DONE };
	char path[SOURCE_KEY_MAX];

	memcpy(path, ask->path, sizeof(path));
	path[sizeof(path) - 1] = '\0';
	if (m->opener)
		(void)opener_run(m->opener, (enum source_open)ask->h.value,
		    path, send_file, &r);
	done.count = (uint16_t)r.count;
	if (!r.failed)
		(void)family_send(m, &done, -1);
}

/* Ends a member that the keeper found to hold an old snapshot. */
static void end_stale(struct family *f, int32_t pid)
{
	for (size_t i = 0; i < f->count; i++) {
		struct member *m = &f->members[i];
		if (m->pid != pid || m->role == ROLE_KEEPER)
			continue;
		log_error(LOG_CHILD, "role=%s pid=%d ended=stale-snapshot",
		    role_name(m->role), m->pid);
		(void)kill(m->pid, SIGKILL);
	}
}

/* A ledger that was set aside leaves the answerers with the old one. */
static void keeper_is_ready(struct family *f)
{
	struct stat st;
	char path[4096];
	uint64_t before = f->ledger_inode;

	(void)snprintf(path, sizeof(path), "%s/data.mdb",
	    conf_string(conf_at(f->conf, "relaypass", 0), "directory"));
	f->ledger_inode = stat(path, &st) == 0 ? st.st_ino : 0;
	for (size_t i = 0; before && before != f->ledger_inode && i < f->count;
	     i++) {
		if ((f->members[i].role == ROLE_ANSWERER ||
			f->members[i].listener) &&
		    f->members[i].pid)
			(void)kill(f->members[i].pid, SIGTERM);
	}
}

/* An answerer without a ledger says so quickly, which is better than no answer
 * at all; but while the keeper serves, the next one may have better luck. */
static void end_blind(const struct family *f, const struct member *m)
{
	if (!f->members[0].ready || !m->pid ||
	    uv_hrtime() - m->started < BLIND_MS * FAMILY_MS)
		return;
	log_error(LOG_CHILD, "role=%s name=%s pid=%d ended=no-ledger",
	    role_name(m->role), m->name, m->pid);
	(void)kill(m->pid, SIGTERM);
}

void family_message(struct family *f, struct member *m)
{
	static union wire_message message;
	int got = wire_receive(m->control, &message, NULL, false);

	if (got == 0) {
		/* It is dead, to be reaped soon; or it talks nonsense. */
		family_forget(m);
		if (m->pid)
			(void)kill(m->pid, SIGKILL);
		return;
	}
	if (got < 0)
		return;
	if (message.h.type == WIRE_READY) {
		m->ready = true;
		m->slot->down_since = 0;
		if (m->role == ROLE_KEEPER)
			keeper_is_ready(f);
	} else if (message.h.type == WIRE_OPEN) {
		open_files(m, &message.path);
	} else if (message.h.type == WIRE_STALE && m->role == ROLE_KEEPER) {
		end_stale(f, message.h.value);
	} else if (message.h.type == WIRE_BLIND &&
		   (m->role == ROLE_ANSWERER || m->listener)) {
		end_blind(f, m);
	} else if (message.h.type == WIRE_CHANNEL &&
		   (m->source || (m->listener && family_has_channel(m)))) {
		m->wants_channel = true;
	} else if (message.h.type == WIRE_ENDED && m->source &&
		   source_kind_find(conf_kind(m->source))->ends) {
		f->ended = true;
	}
}

void family_tell(struct family *f, const char *text, size_t len)
{
	const struct wire_header h = { .type = WIRE_CONFIG };
	const int sealed =
	    F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	AUTO_CLOSE int fd =
	    memfd_create("relaypass.conf", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	/* Several children get it: none may write into it for the others. */
	if (fd < 0 || write(fd, text, len) != (ssize_t)len ||
	    fcntl(fd, F_ADD_SEALS, sealed) < 0) {
		log_error(LOG_RELOAD, "memfd: %s", strerror(errno));
		return;
	}
	for (size_t i = 0; i < f->count; i++) {
		struct member *m = &f->members[i];
		if (m->role == ROLE_ANSWERER && m->control >= 0)
			(void)family_send(m, &h, fd);
	}
}

/* --- ending ----------------------------------------------------------------
 */

/* An export that cannot start is started again and again: told once. */
static bool is_told(const struct member *m, int code)
{
	return m->export && m->slot->down_since && m->slot->down_code == code;
}

static void note_down(struct member *m, int code)
{
	if (!m->slot->down_since)
		m->slot->down_since = uv_hrtime();
	m->slot->down_code = code;
}

static void member_died(struct family *f, struct member *m, int status)
{
	bool good = m->ready && uv_hrtime() - m->started >= GOOD_MS * FAMILY_MS;
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;

	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM)
		code = 0; /* ended by us before it had its handler */
	else if (WIFSIGNALED(status))
		log_error(LOG_CHILD, "role=%s name=%s pid=%d died=signal-%d",
		    role_name(m->role), m->name, m->pid, WTERMSIG(status));
	else if (code && !is_told(m, code))
		log_error(LOG_CHILD, "role=%s name=%s pid=%d died=exit-%d",
		    role_name(m->role), m->name, m->pid, code);
	m->fails = good ? 0 : m->fails + 1;
	/* An export whose target is not there must not cost the answers. */
	if (!m->ready && !m->export && !f->failed &&
	    (code == EXIT_USER || m->fails >= STARTS_MAX)) {
		f->failed = code ? code : EXIT_AGAIN;
		f->failed_member = m;
	}
	family_forget(m);
	note_down(m, code || !WIFSIGNALED(status) ? code : -WTERMSIG(status));
	m->pid = 0;
	m->slot->pid = 0;
	m->ready = false;
	m->slot->restarts++;
	for (size_t i = 0; i < BOARD_LISTENERS; i++)
		m->slot->listeners[i].open = 0;
	family_later(m);
}

void family_reap(struct family *f)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (size_t i = 0; i < f->count; i++) {
			if (f->members[i].pid == pid)
				member_died(f, &f->members[i], status);
		}
	}
}

void family_check(struct family *f, uint64_t timeout_ms)
{
	uint64_t now = uv_hrtime();

	for (size_t i = 0; i < f->count; i++) {
		struct member *m = &f->members[i];
		uint64_t beat = m->slot->beat;

		if (!m->pid || beat > now ||
		    now - beat < timeout_ms * FAMILY_MS)
			continue;
		/* A new ledger may take its time to open (a long walk). */
		if (!m->ready && now - beat < 10 * timeout_ms * FAMILY_MS)
			continue;
		log_error(LOG_CHILD, "role=%s name=%s pid=%d ended=no-life",
		    role_name(m->role), m->name, m->pid);
		(void)kill(m->pid, SIGKILL);
		m->slot->beat = now;
	}
}

static bool role_runs(const struct family *f, enum role role)
{
	for (size_t i = 0; i < f->count; i++) {
		if (f->members[i].role == role && f->members[i].pid)
			return true;
	}
	return false;
}

static void signal_role(const struct family *f, enum role role, int number)
{
	for (size_t i = 0; i < f->count; i++) {
		if (f->members[i].role == role && f->members[i].pid)
			(void)kill(f->members[i].pid, number);
	}
}

void family_stop(struct family *f, enum role role)
{
	uint64_t limit = uv_hrtime() + STOP_MS * FAMILY_MS;
	bool forced = false;

	signal_role(f, role, SIGTERM);
	while (role_runs(f, role)) {
		(void)poll(NULL, 0, STOP_STEP_MS);
		/* A reader may still be asking for its files. */
		for (size_t i = 0; i < f->count; i++) {
			if (f->members[i].control >= 0)
				family_message(f, &f->members[i]);
		}
		family_reap(f);
		if (!forced && uv_hrtime() > limit) {
			forced = true;
			signal_role(f, role, SIGKILL);
		}
	}
}

void family_stop_listeners(struct family *f)
{
	family_stop(f, ROLE_ANSWERER);
	family_stop(f, ROLE_GATEWAY);
}

void family_stop_exports(struct family *f)
{
	family_stop(f, ROLE_WRITER);
	family_stop(f, ROLE_CONNECTOR);
	family_stop(f, ROLE_FIREWALL);
}
