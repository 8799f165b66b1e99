/* SPDX-License-Identifier: ISC */
/*
 * reader - the process of one source that reads what lies somewhere: it turns
 * lines or rows into logins and sends them to the keeper. It has no ledger. Who
 * reads files has no network, and no file but those the supervisor hands it.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "child_source.h"
#include "login/rules.h"

enum { WAIT_MS = 500, CURSORS_MAX = 4096 };

struct reader {
	const struct child_env *env;
	struct child_loop loop;
	struct source *source;
	const struct source_kind *kind;
	uv_poll_t keeper_end;       /* the keeper never speaks now: EOF only */
	union wire_message message; /* one at a time, too large for the stack */
	struct source_cursor *cursors;
	size_t cursor_count;
	char node[LEDGER_NODE_SIZE];
};

static void stop_reader(void *ctx)
{
	struct reader *r = ctx;

	r->kind->stop(r->source);
	uv_stop(&r->loop.loop);
}

/* Sends to the keeper, waiting while it is busy, and beating meanwhile. */
static int send_waiting(struct reader *r, const struct wire_header *h)
{
	struct pollfd p = { .fd = r->env->keeper, .events = POLLOUT };

	while (wire_send(r->env->keeper, h, -1) < 0) {
		if (errno != EAGAIN && errno != ENOBUFS)
			return -1;
		board_beat(r->env->slot);
		if (child_is_orphan(r->env))
			return -1;
		(void)poll(&p, 1, WAIT_MS);
	}
	return 0;
}

static int sink(void *ctx, const struct source_cursor *cursor,
    const struct login *logins, size_t n)
{
	struct reader *r = ctx;
	struct wire_logins *w = &r->message.logins;

	must(n <= SOURCE_BATCH);
	w->h.type = WIRE_LOGINS;
	w->h.count = (uint16_t)n;
	w->h.value = 0;
	if (cursor)
		w->cursor = *cursor;
	else
		w->cursor.key_len = w->cursor.len = 0;
	memcpy(w->logins, logins, n * sizeof(*logins));
	/* Of lines the matcher's counts tell. */
	if (!r->kind->counts)
		atomic_fetch_add_explicit(
		    &r->env->slot->logins, n, memory_order_relaxed);
	return send_waiting(r, &w->h);
}

static int opener(void *ctx, enum source_open what, const char *path,
    source_file_fn *fn, void *fn_ctx)
{
	struct reader *r = ctx;
	struct wire_path ask = { .h = { .type = WIRE_OPEN, .value = what } };
	int files = 0;

	if (path)
		(void)snprintf(ask.path, sizeof(ask.path), "%s", path);
	if (wire_send(r->env->control, &ask.h, -1) < 0)
		return -1;
	for (;;) {
		struct source_file file;
		int fd = -1;

		if (wire_receive(r->env->control, &r->message, &fd, true) != 1)
			return -1;
		if (r->message.h.type == WIRE_DONE)
			return files;
		if (r->message.h.type != WIRE_FILE || fd < 0)
			return -1;
		memset(&file, 0, sizeof(file));
		file.fd = fd;
		memcpy(file.path, r->message.path.path, sizeof(file.path) - 1);
		if (fstat(fd, &file.st) < 0) {
			(void)close(fd);
			continue;
		}
		files++;
		fn(fn_ctx, &file);
	}
}

/* For `status`. */
static void on_second(void *ctx)
{
	const struct reader *r = ctx;

	if (r->source)
		child_count(r->env, r->source);
}

/* The keeper first tells how far this source had come. */
static int receive_cursors(struct reader *r)
{
	for (;;) {
		if (wire_receive(r->env->keeper, &r->message, NULL, true) != 1)
			return -1;
		if (r->message.h.type == WIRE_CURSORS_END) {
			(void)snprintf(r->node, sizeof(r->node), "%.*s",
			    LEDGER_NODE_SIZE - 1, r->message.path.path);
			return 0;
		}
		if (r->message.h.type != WIRE_CURSOR ||
		    r->cursor_count >= CURSORS_MAX)
			return -1;
		r->cursors = xrealloc(
		    r->cursors, r->cursor_count + 1, sizeof(*r->cursors));
		r->cursors[r->cursor_count++] = r->message.cursor.cursor;
	}
}

static void on_keeper_end(uv_poll_t *poll, int status, int events)
{
	struct reader *r = poll->data;

	(void)status;
	(void)events;
	/* Nothing is lost: the next reader goes on from the committed cursor.
	 */
	uv_stop(&r->loop.loop);
}

/* For `status`. */
static void step(void *ctx, bool in_step, uint64_t behind, const char *trouble)
{
	const struct reader *r = ctx;

	child_step(r->env->slot, in_step, behind);
	child_trouble(r->env->slot, trouble);
}

static int open_source(struct reader *r, struct patterns *patterns,
    const struct rules *rules, struct err *err)
{
	struct source_env env = {
		.name = conf_name(r->env->source),
		.patterns = patterns,
		.ttl = rules_ttl(rules),
		.max_skew = rules_max_skew(rules),
		.inotify_fd = r->env->inotify,
		.sink = sink,
		.sink_ctx = r,
		.opener = opener,
		.opener_ctx = r,
		.node = r->node,
		.step = step,
		.step_ctx = r,
	};

	r->source = r->kind->open(
	    &env, r->env->source, r->cursors, r->cursor_count, err);
	free(r->cursors);
	r->cursors = NULL;
	return r->source ? 0 : -1;
}

int reader_main(const struct child_env *env)
{
	struct reader r = { .env = env };
	struct err err = { 0 };
	struct patterns *patterns = NULL;
	struct rules *rules;
	bool early;

	r.kind = child_kind(env);
	rules = rules_new(conf_at(env->conf, "lease", 0), NULL, 0);
	if (r.kind->lines && !(patterns = child_patterns(env, &err)))
		return child_fail(LOG_PATTERN, &err);
	child_stand_back();
	child_loop_init(&r.loop, env->slot, stop_reader, &r);
	r.loop.second = on_second;
	if (receive_cursors(&r) < 0)
		return EXIT_AGAIN;
	early = r.kind->role == ROLE_CONNECTOR;
	if (early && open_source(&r, patterns, rules, &err) < 0)
		return child_fail(LOG_SOURCE_ERROR, &err);
	if (child_enter_source(env, &err) < 0)
		return child_fail(LOG_PRIVILEGE, &err);
	if (!early && open_source(&r, patterns, rules, &err) < 0)
		return child_fail(LOG_SOURCE_ERROR, &err);
	must(uv_poll_init(&r.loop.loop, &r.keeper_end, env->keeper) == 0);
	r.keeper_end.data = &r;
	must(uv_poll_start(&r.keeper_end, UV_READABLE | UV_DISCONNECT,
		 on_keeper_end) == 0);
	r.kind->start(r.source, &r.loop.loop);
	child_ready(env);
	(void)uv_run(&r.loop.loop, UV_RUN_DEFAULT);
	r.kind->close(&r.source);
	patterns_close(&patterns);
	rules_free(&rules);
	log_flush();
	return EXIT_YES;
}
