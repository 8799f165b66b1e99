/* SPDX-License-Identifier: ISC */
/*
 * file - the source kind "file": follows log files through rotation. Runs in a
 * reader after its lock-down: it opens nothing itself, asks the supervisor
 * (env->opener) for files, and reads what it was given. Not here: which file
 * continues which (file_chase.c), one file's bytes (file_stream.c).
 *
 * Inotify events only wake it up. Each wake reads all followed files to their
 * ends, so a lost or merged event costs nothing; a slow timer does the same for
 * file systems that send none. Names coming and going make it ask the opener
 * what the paths name now.
 *
 * An older file stays open beside the new one until it has been quiet for a
 * while: writers notice a rotation late. Its last half line is dropped then.
 *
 * Logins go to the sink together with the cursor behind them, so a restart goes
 * on exactly there. What the matcher has half joined (a login told by two
 * lines) at a restart is lost; the client's next login brings it back.
 */
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/endpoint.h"
#include "base/log.h"
#include "base/mem.h"
#include "file_follow.h"

enum {
	TURN_SIZE = 1024 * 1024, /* then the loop gets its turn */
	BESIDE_LOOKS = 12,       /* of those; then for rotated files too */
	LOOK_TICKS_MS = 5000,    /* asks without any event */
	SOON_MS = 200,           /* after events about foreign names */
	QUIET_POLL_MS = 100,     /* looks at older files; they may be out of
				  * reach of the watches */
	EVENTS_SIZE = 64 * 1024
};

static const struct option file_options[] = {
	{ "path", OPTION_LIST, NULL, 0, 0, NULL,
	    "Log files to follow; * ? and [] match names." },
	{ "owner", OPTION_LIST, "root syslog relaypass", 0, 0, NULL,
	    "Users who may own a log file, or a symbolic link on the way to "
	    "it." },
	{ "poll", OPTION_DURATION, "1s", 50, 60000, NULL,
	    "How often files are looked at where the kernel does not tell." },
	{ "servers", OPTION_STRING, "", 0, 0, NULL,
	    "Servers that write into them, separated by commas; empty for "
	    "those of the section relaypass." },
	{ "annotated", OPTION_BOOL, "no", 0, 0, NULL,
	    "Whether rsyslog writes them with Annotate=\"on\": lines without "
	    "that suffix give nothing then." },
	OPTION_END
};

/* --- turns -----------------------------------------------------------------
 */

static void on_more(uv_idle_t *idle);
static void on_quiet(uv_timer_t *timer);

/* Older files that may still grow, and fast: they need a clock. */
static bool has_quiet(const struct source *s)
{
	uint64_t now = uv_hrtime();

	for (const struct follow *f = s->follows; f; f = f->next)
		for (const struct file_stream *i = f->streams; i && i->next;
		     i = i->next)
			if (now - i->grown_at <= QUIET_NS)
				return true;
	return false;
}

/* One turn: every path gets its share, beginning with another each time. */
static void turn(struct source *s)
{
	struct follow *f;
	bool more = false;
	int64_t allowed = TURN_SIZE;

	if (s->dead || s->stopped)
		return;
	if (s->look)
		look_now(s);
	f = s->next_turn ? s->next_turn : s->follows;
	for (size_t i = 0; i < s->follow_count && !s->dead; i++) {
		/* Even the last one in a turn gets a chunk. */
		int64_t share = allowed > READ_SIZE ? allowed : READ_SIZE;
		int64_t left = read_follow(s, f, share);
		more |= left <= 0;
		allowed -= share - (left > 0 ? left : 0);
		read_send_due(s, f);
		read_close_quiet(s, f);
		f = f->next ? f->next : s->follows;
	}
	s->next_turn = f ? f->next : NULL;
	if (s->dead)
		return;
	if (more)
		(void)uv_idle_start(&s->more, on_more);
	else
		(void)uv_idle_stop(&s->more);
	if (has_quiet(s) && !uv_is_active((uv_handle_t *)&s->quiet))
		(void)uv_timer_start(&s->quiet, on_quiet, QUIET_POLL_MS, 0);
}

static void on_more(uv_idle_t *idle)
{
	turn(idle->data);
}

static void on_quiet(uv_timer_t *timer)
{
	turn(timer->data);
}

static void on_soon(uv_timer_t *timer)
{
	struct source *s = timer->data;

	s->look = s->look_beside = true;
	turn(s);
}

static void on_tick(uv_timer_t *timer)
{
	struct source *s = timer->data;
	int64_t waited = (int64_t)++s->ticks * s->poll;

	if (s->env.inotify_fd < 0 || waited >= LOOK_TICKS_MS) {
		s->look = true;
		s->ticks = 0;
		s->look_beside |= ++s->looks % BESIDE_LOOKS == 0;
	}
	turn(s);
}

/* --- events ----------------------------------------------------------------
 */

/* Is this a name of ours, or of a rotated file beside it? */
static bool concerns_us(const struct source *s, const char *name)
{
	size_t globs = conf_list_size(s->conf, "path");

	for (size_t i = 0; i < globs; i++) {
		const char *glob = conf_list_at(s->conf, "path", i);
		const char *base = strrchr(glob, '/');
		if (fnmatch(base ? base + 1 : glob, name, FNM_PERIOD) == 0)
			return true;
	}
	return false;
}

static void take_event(struct source *s, const struct inotify_event *e)
{
	const uint32_t names =
	    IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB;
	const uint32_t lost =
	    IN_Q_OVERFLOW | IN_UNMOUNT | IN_DELETE_SELF | IN_MOVE_SELF;

	if (e->mask & lost)
		s->look_beside = true;
	if ((e->mask & lost) ||
	    ((e->mask & names) && e->len > 0 && concerns_us(s, e->name)))
		s->look = true;
	/* A link's target, or a directory on the way; and in a busy directory
	 * mostly nothing. */
	else if ((e->mask & names) && !uv_is_active((uv_handle_t *)&s->soon))
		(void)uv_timer_start(&s->soon, on_soon, SOON_MS, 0);
}

static void on_events(uv_poll_t *poll, int status, int events)
{
	struct source *s = poll->data;
	_Alignas(struct inotify_event) static char bytes[EVENTS_SIZE];
	ssize_t n;

	(void)events;
	if (status < 0) {
		/* The timer goes on. */
		log_error(LOG_SOURCE_ERROR, "source=%s error=\"inotify: %s\"",
		    s->env.name, uv_strerror(status));
		(void)uv_poll_stop(poll);
		s->env.inotify_fd = -1;
		return;
	}
	/* All of them first: what happens later than this wakes us again. */
	while ((n = read(s->env.inotify_fd, bytes, sizeof(bytes))) > 0) {
		for (ssize_t at = 0; at < n;) {
			const struct inotify_event *e = (void *)(bytes + at);
			take_event(s, e);
			at += (ssize_t)(sizeof(*e) + e->len);
		}
	}
	turn(s);
}

/* --- the kind --------------------------------------------------------------
 */

static int check_paths(const struct conf_section *conf, struct err *err)
{
	if (conf_list_size(conf, "path") == 0)
		return conf_wrong(conf, err, "path: no file is named");
	for (size_t i = 0; i < conf_list_size(conf, "path"); i++) {
		const char *path = conf_list_at(conf, "path", i);
		if (*path != '/')
			return conf_wrong(conf, err,
			    "path: \"%s\": expected an absolute path", path);
	}
	return 0;
}

static int file_check(const struct conf_section *conf, struct err *err)
{
	uid_t uid;

	if (check_paths(conf, err) < 0)
		return -1;
	/* Not every host has those of the default. */
	if (!conf_is_set(conf, "owner"))
		return 0;
	for (size_t i = 0; i < conf_list_size(conf, "owner"); i++) {
		const char *owner = conf_list_at(conf, "owner", i);
		if (!endpoint_parse_user(owner, &uid))
			return conf_wrong(conf, err,
			    "owner: \"%s\": there is no such user; expected a "
			    "name of this host or a number",
			    owner);
	}
	return 0;
}

static struct source *file_open(const struct source_env *env,
    const struct conf_section *conf, const struct source_cursor *cursors,
    size_t n, struct err *err)
{
	struct source *s;

	if (check_paths(conf, err) < 0)
		return NULL;
	s = xcalloc(1, sizeof(*s));
	s->env = *env;
	s->conf = conf;
	s->poll = conf_number(conf, "poll");
	s->matcher = matcher_new(env->patterns);
	matcher_annotated(s->matcher, conf_number(conf, "annotated") != 0);
	s->buffer = xmalloc(READ_SIZE);
	if (n > 0) {
		s->cursors = xcalloc(n, sizeof(*cursors));
		memcpy(s->cursors, cursors, n * sizeof(*cursors));
		s->cursor_count = n;
	}
	return s;
}

static void own(struct source *s, uv_handle_t *handle)
{
	handle->data = s;
	s->handles++;
}

static void file_start(struct source *s, uv_loop_t *loop)
{
	s->loop = loop;
	s->started = true;
	must(uv_timer_init(loop, &s->tick) == 0);
	own(s, (uv_handle_t *)&s->tick);
	must(uv_timer_init(loop, &s->soon) == 0);
	own(s, (uv_handle_t *)&s->soon);
	must(uv_timer_init(loop, &s->quiet) == 0);
	own(s, (uv_handle_t *)&s->quiet);
	must(uv_idle_init(loop, &s->more) == 0);
	own(s, (uv_handle_t *)&s->more);
	if (s->env.inotify_fd >= 0) {
		must(uv_poll_init(loop, &s->events, s->env.inotify_fd) == 0);
		own(s, (uv_handle_t *)&s->events);
		s->watching = true;
		must(uv_poll_start(&s->events, UV_READABLE, on_events) == 0);
	}
	(void)uv_timer_start(
	    &s->tick, on_tick, (uint64_t)s->poll, (uint64_t)s->poll);
	/* The first look is the loop's, so that start returns at once. */
	s->look = true;
	(void)uv_idle_start(&s->more, on_more);
}

static void release(struct source *s)
{
	while (s->follows)
		look_free(s, s->follows);
	matcher_free(&s->matcher);
	free(s->cursors);
	free(s->buffer);
	free(s);
}

/* The last of "all handles closed" and "not wanted any more" releases. */
static void on_closed(uv_handle_t *handle)
{
	struct source *s = handle->data;

	if (--s->handles == 0 && s->unwanted)
		release(s);
}

static void file_stop(struct source *s)
{
	if (s->stopped)
		return;
	for (struct follow *f = s->follows; f; f = f->next)
		if (f->dirty)
			read_send(s, f);
	s->stopped = true;
	if (!s->started)
		return;
	if (s->watching)
		uv_close((uv_handle_t *)&s->events, on_closed);
	uv_close((uv_handle_t *)&s->tick, on_closed);
	uv_close((uv_handle_t *)&s->soon, on_closed);
	uv_close((uv_handle_t *)&s->quiet, on_closed);
	uv_close((uv_handle_t *)&s->more, on_closed);
}

/* The loop may have ended already: it is turned once more, for the handles. */
static void file_close(struct source **sp)
{
	struct source *s = *sp;

	*sp = NULL;
	if (!s)
		return;
	file_stop(s);
	s->unwanted = true;
	if (s->handles == 0)
		release(s);
	else
		(void)uv_run(s->loop, UV_RUN_NOWAIT);
}

static void file_counts(const struct source *s, struct matcher_counts *out)
{
	*out = matcher_counts(s->matcher);
}

const struct source_kind source_file = {
	.name = "file",
	.help = "Follows log files.",
	.role = ROLE_READER,
	.files = true,
	.lines = true,
	.options = file_options,
	.check = file_check,
	.open = file_open,
	.start = file_start,
	.stop = file_stop,
	.close = file_close,
	.counts = file_counts,
};
