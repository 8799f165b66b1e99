/* SPDX-License-Identifier: ISC */
/*
 * intake - see the header.
 *
 * One read a wake, so that what was found is on its way to the keeper before
 * the next.
 *
 * When more logins come in than the keeper takes, the writers wait: what they
 * wrote stays where it is for PATIENCE_MS. Then all is read, and what finds no
 * room is dropped, until there is room again.
 *
 * The mark is set before a read and put right behind it: a process that dies in
 * between is thought to have died inside a line. At worst one line is skipped
 * then, never half a one believed. Who stops in good order leaves the stream at
 * the beginning of a line, for there may be no mark left when relaypassd
 * itself starts again.
 */
#include "intake.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <uv.h>

#include "base/clock.h"
#include "base/line.h"
#include "base/log.h"
#include "base/mem.h"

enum {
	PATIENCE_MS = 500, /* no writer waits as long as a second */
	LOOK_MS = 2,       /* for room */
	LINE_LEAST = 64    /* no login is told in fewer bytes */
};

struct mark {
	_Atomic uint32_t place; /* enum feed_place */
};

struct source {
	struct source_env env;
	struct feed *feed;
	struct mark *mark;
	char *buffer; /* INTAKE_READ_SIZE */
	uv_loop_t *loop;
	uv_poll_t poll;
	uv_timer_t look;
	uint64_t waits_since; /* loop time, ms */
	bool impatient;       /* it has waited long enough */
	int handles;
	bool stopped, unwanted;
};

/* --- in the supervisor ------------------------------------------------------
 */

int intake_mark(enum feed_place place, struct err *err)
{
	struct mark mark = { place };
	AUTO_CLOSE int fd = memfd_create("relaypass-mark", MFD_CLOEXEC);

	if (fd < 0 || write(fd, &mark, sizeof(mark)) != sizeof(mark))
		return err_errno(err, EXIT_AGAIN, errno, "memfd");
	return take_fd(&fd);
}

/* --- in the child -----------------------------------------------------------
 */

struct source *intake_open(const struct source_env *env,
    const struct conf_section *conf, const struct source_cursor *cursors,
    size_t n, struct err *err)
{
	struct source *s;
	void *mark;

	(void)cursors;
	(void)n;
	must(env->fd_count == INTAKE_FDS);
	mark = mmap(NULL, sizeof(struct mark), PROT_READ | PROT_WRITE,
	    MAP_SHARED, env->fds[INTAKE_MARK], 0);
	if (mark == MAP_FAILED) {
		err_errno(err, EXIT_AGAIN, errno, "source %s: mmap", env->name);
		return NULL;
	}
	s = xcalloc(1, sizeof(*s));
	s->env = *env;
	s->mark = mark;
	s->buffer = xmalloc(INTAKE_READ_SIZE);
	s->feed = feed_new(env, conf);
	feed_begin(s->feed, (enum feed_place)s->mark->place);
	return s;
}

/* As read(2), with the mark. */
static ssize_t take(struct source *s, size_t size)
{
	uint32_t before = s->mark->place;
	ssize_t n;

	s->mark->place = FEED_INSIDE;
	n = read(s->env.fds[INTAKE_STREAM], s->buffer, size);
	if (n > 0)
		s->mark->place =
		    s->buffer[n - 1] == '\n' ? FEED_LINE : FEED_INSIDE;
	else
		s->mark->place = before;
	return n;
}

static void on_readable(uv_poll_t *poll, int status, int events);

static bool has_room(const struct source *s)
{
	return !s->env.room ||
	       s->env.room(s->env.live_ctx) >= INTAKE_READ_SIZE / LINE_LEAST;
}

static void on_look(uv_timer_t *timer)
{
	struct source *s = timer->data;
	bool room = has_room(s);

	if (!room && uv_now(s->loop) - s->waits_since < PATIENCE_MS)
		return;
	s->impatient = !room;
	(void)uv_timer_stop(&s->look);
	(void)uv_poll_start(&s->poll, UV_READABLE, on_readable);
}

/* Whether the writers are to wait; then it is looked at again. */
static bool wait_for_room(struct source *s)
{
	if (has_room(s)) {
		s->impatient = false;
		return false;
	}
	if (s->impatient)
		return false;
	s->waits_since = uv_now(s->loop);
	(void)uv_poll_stop(&s->poll);
	(void)uv_timer_start(&s->look, on_look, LOOK_MS, LOOK_MS);
	return true;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct source *s = poll->data;
	ssize_t n;

	if (wait_for_room(s))
		return;
	n = take(s, INTAKE_READ_SIZE);
	(void)status; /* read() says it, too */
	(void)events;
	if (n > 0) {
		feed_bytes(s->feed, s->buffer, (size_t)n, clock_now().wall);
	} else if (n == 0) {
		(void)uv_poll_stop(&s->poll);
		log_info(LOG_SOURCE_OPEN, "source=%s state=ended", s->env.name);
		s->env.ended(s->env.live_ctx);
	} else if (errno != EAGAIN && errno != EINTR) {
		log_error(LOG_SOURCE_ERROR, "source=%s error=\"%s\"",
		    s->env.name, strerror(errno));
		uv_stop(s->loop); /* and starts again */
	}
}

void intake_start(struct source *s, uv_loop_t *loop)
{
	s->loop = loop;
	s->handles = 2;
	must(uv_timer_init(loop, &s->look) == 0);
	s->look.data = s;
	must(uv_poll_init(loop, &s->poll, s->env.fds[INTAKE_STREAM]) == 0);
	s->poll.data = s;
	must(uv_poll_start(&s->poll, UV_READABLE, on_readable) == 0);
}

static void release(struct source *s)
{
	feed_free(&s->feed);
	(void)munmap(s->mark, sizeof(*s->mark));
	free(s->buffer);
	free(s);
}

/* The last of "its handles are closed" and "not wanted any more" releases. */
static void on_closed(uv_handle_t *handle)
{
	struct source *s = handle->data;

	if (--s->handles == 0 && s->unwanted)
		release(s);
}

void intake_stop(struct source *s)
{
	if (s->stopped)
		return;
	s->stopped = true;
	if (!s->handles)
		return;
	for (size_t i = 0; i < LINE_MAX_BYTES &&
			   s->mark->place == FEED_INSIDE && take(s, 1) == 1;
	     i++)
		feed_bytes(s->feed, s->buffer, 1, clock_now().wall);
	uv_close((uv_handle_t *)&s->poll, on_closed);
	uv_close((uv_handle_t *)&s->look, on_closed);
}

void intake_close(struct source **sp)
{
	struct source *s = *sp;

	*sp = NULL;
	if (!s)
		return;
	intake_stop(s);
	s->unwanted = true;
	if (!s->handles)
		release(s);
	else
		(void)uv_run(s->loop, UV_RUN_NOWAIT);
}

void intake_counts(const struct source *s, struct matcher_counts *out)
{
	feed_counts(s->feed, out);
}
