/* SPDX-License-Identifier: ISC */
/*
 * exporter - the process of one export: reads what changed in the ledger, has
 * its kind bring it to the target, and tells the keeper how far it has come. It
 * holds up nobody but itself. When the keeper ends, it ends, too, and is
 * started again with it: it reads the ledger that the next keeper opened.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "child.h"
#include "enter.h"
#include "export/follow.h"

enum {
	RETRY_FIRST_MS = 100,
	RETRY_MAX_MS = 30000,
	RETRY_CONNECTOR_MS = 2000, /* their targets come back at any time */
	LOOK_MS = 1000             /* even when nobody tells of changes */
};

struct exporter {
	const struct child_env *env;
	struct child_loop loop;
	const struct export_kind *kind;
	struct export *export;
	struct ledger *ledger;
	struct follow_journal *follow;
	struct export_slice *slice; /* too large for the stack */
	uv_poll_t channel;
	uv_timer_t again;
	uv_idle_t more; /* so that done() does not call itself by apply() */
	uint64_t wait;  /* ms after the last failure; 0: it was none */
	bool waiting;   /* for that time to be over */
	bool busy;      /* a slice is with the kind */
	bool cursor_due;
	struct wire_cursor cursor;
	union wire_message *message;
	uint8_t place[SOURCE_CURSOR_MAX]; /* as the keeper had it */
	size_t place_len;
};

static void on_again(uv_timer_t *timer);

static void tell_cursor(struct exporter *x)
{
	if (x->cursor_due && wire_send(x->env->keeper, &x->cursor.h, -1) == 0)
		x->cursor_due = false;
}

/* One slice, when there is one and the last is done. */
static void work(struct exporter *x)
{
	struct err err = { 0 };
	int got;

	(void)uv_idle_stop(&x->more);
	tell_cursor(x);
	if (x->busy || x->waiting)
		return;
	if (ledger_read_begin(x->ledger, &err) < 0) {
		log_error(LOG_LEDGER_ERROR, "%s", err.text);
		uv_stop(&x->loop.loop);
		return;
	}
	got = follow_next(x->follow, x->ledger, clock_now(), x->slice);
	child_step(x->env->slot, got == 0, follow_behind(x->follow, x->ledger));
	ledger_read_end(x->ledger);
	if (got < 0) {
		uv_stop(&x->loop.loop);
		return;
	}
	if (!got)
		return;
	x->busy = true;
	x->kind->apply(x->export, x->slice);
}

static void on_more(uv_idle_t *idle)
{
	work(idle->data);
}

/* The kind's answer to a slice. */
static void done(void *ctx, bool good)
{
	struct exporter *x = ctx;
	const uint64_t longest =
	    x->kind->role == ROLE_CONNECTOR ? RETRY_CONNECTOR_MS : RETRY_MAX_MS;

	must(x->busy);
	x->busy = false;
	if (!good) {
		follow_again(x->follow);
		x->wait = x->wait ? 2 * x->wait : RETRY_FIRST_MS;
		if (x->wait > longest)
			x->wait = longest;
		x->waiting = true;
		(void)uv_timer_start(&x->again, on_again, x->wait, 0);
		return;
	}
	x->wait = 0;
	if (follow_done(x->follow, x->cursor.cursor.bytes))
		x->cursor_due = true;
	atomic_fetch_add_explicit(
	    &x->env->slot->lines, x->slice->count, memory_order_relaxed);
	(void)uv_idle_start(&x->more, on_more);
}

static const char *source_kind_of(void *ctx, const struct lease *lease)
{
	const struct exporter *x = ctx;
	const char *name = ledger_name(x->ledger, lease->source);

	for (size_t i = 0; i < conf_count(x->env->conf, "source"); i++) {
		const struct conf_section *s =
		    conf_at(x->env->conf, "source", i);
		if (strcmp(conf_name(s), name) == 0)
			return conf_kind(s);
	}
	return "";
}

static void again(void *ctx)
{
	struct exporter *x = ctx;

	follow_restart(x->follow);
	if (!x->busy)
		(void)uv_idle_start(&x->more, on_more);
}

static void alive(void *ctx)
{
	const struct exporter *x = ctx;

	board_beat(x->env->slot);
}

static void trouble(void *ctx, const char *why)
{
	const struct exporter *x = ctx;

	child_trouble(x->env->slot, why);
}

static const char *server_of(void *ctx, const struct lease *lease)
{
	const struct exporter *x = ctx;

	return ledger_name(x->ledger, lease->server);
}

static void on_again(uv_timer_t *timer)
{
	struct exporter *x = timer->data;

	x->waiting = false;
	work(x);
}

static void on_channel(uv_poll_t *poll, int status, int events)
{
	struct exporter *x = poll->data;
	int got = status < 0 ? 0 : 1;

	(void)events;
	while (got == 1)
		got = wire_receive(x->env->keeper, x->message, NULL, false);
	if (got == 0)
		uv_stop(&x->loop.loop);
	else
		work(x);
}

/* While a target takes its time, too, `status` tells how much waits. */
static void measure(const struct exporter *x)
{
	struct err err;

	if (ledger_read_begin(x->ledger, &err) < 0)
		return;
	child_step(x->env->slot, false, follow_behind(x->follow, x->ledger));
	ledger_read_end(x->ledger);
}

static void on_second(void *ctx)
{
	struct exporter *x = ctx;

	if (x->busy || x->waiting)
		measure(x);
	work(x);
}

/* The keeper first tells how far it had come. */
static int receive_cursor(struct exporter *x)
{
	for (;;) {
		if (wire_receive(x->env->keeper, x->message, NULL, true) != 1)
			return -1;
		if (x->message->h.type == WIRE_CURSORS_END)
			return 0;
		if (x->message->h.type != WIRE_CURSOR ||
		    x->message->cursor.cursor.len > sizeof(x->place))
			return -1;
		x->place_len = x->message->cursor.cursor.len;
		memcpy(x->place, x->message->cursor.cursor.bytes, x->place_len);
	}
}

static int open_all(struct exporter *x, struct err *err)
{
	struct ledger_options o;
	struct export_env env = { .name = conf_name(x->env->export),
		.done = done,
		.source_kind = source_kind_of,
		.server = server_of,
		.again = again,
		.alive = alive,
		.trouble = trouble,
		.ctx = x,
		.ttl = conf_number(conf_at(x->env->conf, "lease", 0), "ttl") };
	uint64_t sequence;

	child_ledger_options(x->env, false, &o);
	x->ledger = ledger_open(&o, clock_now(), err);
	if (!x->ledger)
		return -1;
	if (receive_cursor(x) < 0)
		return err_set(err, EXIT_AGAIN, "the keeper has gone");
	if (x->kind->whole)
		x->place_len = 0;
	env.resumes = follow_sequence(
	    x->place, x->place_len, ledger_node(x->ledger), &sequence);
	(void)snprintf(
	    env.node, sizeof(env.node), "%s", ledger_node(x->ledger));
	x->follow = follow_new(
	    (struct follow_wants){ x->kind->by_user, x->kind->revocations },
	    x->place, x->place_len, env.node);
	x->cursor.h.type = WIRE_CURSOR;
	x->cursor.cursor.key_len = 1;
	x->cursor.cursor.key[0] = '/';
	x->cursor.cursor.len = FOLLOW_CURSOR_SIZE;
	x->export = x->kind->open(&env, x->env->export, err);
	return x->export ? 0 : -1;
}

static void start_handles(struct exporter *x)
{
	uv_loop_t *loop = &x->loop.loop;

	must(uv_timer_init(loop, &x->again) == 0);
	x->again.data = x;
	must(uv_idle_init(loop, &x->more) == 0);
	x->more.data = x;
	must(uv_poll_init(loop, &x->channel, x->env->keeper) == 0);
	x->channel.data = x;
	must(uv_poll_start(
		 &x->channel, UV_READABLE | UV_DISCONNECT, on_channel) == 0);
	(void)uv_idle_start(&x->more, on_more);
}

/* Logs what is wrong unless the one before us did; returns the exit code. */
static int fail(
    const struct child_env *env, enum log_event event, const struct err *err)
{
	if (strncmp(env->slot->said, err->text, sizeof(env->slot->said)) != 0)
		log_error(event, "export=%s error=\"%s\" next=\"tries again\"",
		    conf_name(env->export), err->text);
	(void)snprintf(
	    env->slot->said, sizeof(env->slot->said), "%s", err->text);
	log_flush();
	return err->code ? err->code : EXIT_BUG;
}

static void tell_good(const struct child_env *env)
{
	if (env->slot->said[0])
		log_info(LOG_EXPORT_STATE, "export=%s state=good",
		    conf_name(env->export));
	env->slot->said[0] = '\0';
}

int exporter_main(const struct child_env *env)
{
	struct exporter *x = xcalloc(1, sizeof(*x));
	struct err err = { 0 };

	x->env = env;
	x->kind = export_kind_find(conf_kind(env->export));
	x->message = xmalloc(sizeof(*x->message));
	x->slice = xmalloc(sizeof(*x->slice));
	child_stand_back();
	child_loop_init(&x->loop, env->slot, NULL, x);
	x->loop.second = on_second;
	if (open_all(x, &err) < 0)
		return fail(env, LOG_EXPORT_ERROR, &err);
	if (enter_export(env->export, &err) < 0)
		return fail(env, LOG_PRIVILEGE, &err);
	tell_good(env);
	start_handles(x);
	if (x->kind->start)
		x->kind->start(x->export, &x->loop.loop);
	child_ready(env);
	(void)uv_run(&x->loop.loop, UV_RUN_DEFAULT);
	tell_cursor(x);
	x->kind->close(&x->export);
	follow_free(&x->follow);
	ledger_close(&x->ledger);
	log_flush();
	return EXIT_YES;
}
