/* SPDX-License-Identifier: ISC */
/*
 * receiver - the process of one live source: what is said to it once becomes
 * logins for the keeper, and the keeper's word goes back to who said it. It
 * never waits for anybody, and goes on while the keeper is away: then it
 * answers "not stored", and keeps what needs no answer as long as there is
 * room. Not here: the waiting logins (receiver_queue.c).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "child_source.h"
#include "login/rules.h"
#include "receiver_queue.h"
#include "source/odd.h"

enum { STOP_MS = 1000 }; /* the last logins' way to the keeper */

struct receiver {
	const struct child_env *env;
	struct child_loop loop;
	const struct source_kind *kind;
	struct source *source;
	struct queue *queue;
	int keeper;               /* -1: away */
	uv_poll_t *channel;       /* on it; NULL: away */
	uv_poll_t control;        /* a new channel comes here */
	uv_prepare_t before_wait; /* sends what a turn has submitted */
	uv_timer_t deadline;
	uint64_t dropped_told; /* of the slot's count, in the log */
	uint64_t submitted, logins, logouts;
	uint64_t stop_at; /* loop time, ms; 0: it is not to stop */
	bool ended;
	union wire_message *message;
};

/* --- the keeper ------------------------------------------------------------
 */

static void on_channel(uv_poll_t *poll, int status, int events);

static void channel_closed(uv_handle_t *handle)
{
	free(handle);
}

/* The keeper has died, or dropped us: the supervisor will have another. */
static void lose_channel(struct receiver *r)
{
	struct wire_path ask = { .h = { .type = WIRE_CHANNEL } };

	if (!r->channel)
		return;
	(void)uv_poll_stop(r->channel);
	uv_close((uv_handle_t *)r->channel, channel_closed);
	r->channel = NULL;
	(void)close(r->keeper);
	r->keeper = -1;
	if (wire_send(r->env->control, &ask.h, -1) < 0 && errno != EAGAIN)
		uv_stop(&r->loop.loop);
}

static int send_message(void *ctx, const struct wire_header *h)
{
	const struct receiver *r = ctx;

	return wire_send(r->keeper, h, -1);
}

/* Sends what there is; goes on when the keeper takes more. */
static void send_all(struct receiver *r)
{
	bool all;

	if (!r->channel)
		return;
	all = queue_send(r->queue, send_message, r);
	if (!all && errno != EAGAIN && errno != ENOBUFS) {
		lose_channel(r);
		return;
	}
	(void)uv_poll_start(r->channel,
	    UV_READABLE | UV_DISCONNECT | (all ? 0 : UV_WRITABLE), on_channel);
}

static void on_channel(uv_poll_t *poll, int status, int events)
{
	struct receiver *r = poll->data;
	int got = status < 0 ? 0 : 1;

	while (got == 1) {
		got = wire_receive(r->keeper, r->message, NULL, false);
		if (got == 1 && !queue_receive(r->queue, r->message))
			got = 0;
	}
	if (got == 0)
		lose_channel(r);
	else if (events & UV_WRITABLE)
		send_all(r);
}

static void take_channel(struct receiver *r, int fd)
{
	if (r->channel)
		lose_channel(r);
	r->channel = xcalloc(1, sizeof(*r->channel));
	r->keeper = fd;
	must(uv_poll_init(&r->loop.loop, r->channel, fd) == 0);
	r->channel->data = r;
	queue_rewind(r->queue);
	send_all(r);
}

static void on_control(uv_poll_t *poll, int status, int events)
{
	struct receiver *r = poll->data;
	int fd = -1;
	int got = status < 0
		      ? 0
		      : wire_receive(r->env->control, r->message, &fd, false);

	(void)events;
	if (got == 1 && r->message->h.type == WIRE_CHANNEL && fd >= 0)
		take_channel(r, fd);
	else if (fd >= 0)
		(void)close(fd);
	if (got == 0)
		uv_stop(&r->loop.loop); /* the supervisor is gone */
}

/* --- what the source calls -------------------------------------------------
 */

static void on_deadline(uv_timer_t *timer);

static void set_deadline(struct receiver *r)
{
	int64_t wait = queue_expire(r->queue, uv_now(&r->loop.loop));

	if (wait < 0)
		(void)uv_timer_stop(&r->deadline);
	else
		(void)uv_timer_start(
		    &r->deadline, on_deadline, (uint64_t)wait, 0);
}

static void on_deadline(uv_timer_t *timer)
{
	struct receiver *r = timer->data;

	if (!r->stop_at)
		set_deadline(r);
}

/* Its own time: the loop's is that of the turn's beginning, and a turn that
 * waited long for the processor must not cost a login its answer. */
static bool submit(void *ctx, uint64_t token, const struct login *login)
{
	struct receiver *r = ctx;

	r->submitted++;
	r->logins += login->kind == LOGIN_IN;
	r->logouts += login->kind == LOGIN_OUT || login->kind == LOGIN_END;
	if (!queue_submit(r->queue, token, login, uv_now(&r->loop.loop))) {
		atomic_fetch_add_explicit(
		    &r->env->slot->dropped, 1, memory_order_relaxed);
		return false;
	}
	if (token && !uv_is_active((uv_handle_t *)&r->deadline))
		(void)uv_timer_start(
		    &r->deadline, on_deadline, SOURCE_ANSWER_MS, 0);
	return true;
}

static bool ask(void *ctx, uint64_t token, const struct addr *addr)
{
	struct receiver *r = ctx;

	if (!queue_ask(r->queue, token, addr, uv_now(&r->loop.loop)))
		return false;
	if (!uv_is_active((uv_handle_t *)&r->deadline))
		(void)uv_timer_start(
		    &r->deadline, on_deadline, SOURCE_ANSWER_MS, 0);
	return true;
}

static size_t room(void *ctx)
{
	const struct receiver *r = ctx;

	return queue_room(r->queue);
}

static void ended(void *ctx)
{
	struct receiver *r = ctx;

	r->ended = true;
}

static void stored(
    void *ctx, uint64_t token, enum source_outcome outcome, uint8_t judgement)
{
	struct receiver *r = ctx;

	if (r->kind->stored && !r->stop_at)
		r->kind->stored(r->source, token, outcome, judgement);
}

static void told(void *ctx, uint64_t token, const struct source_told *t)
{
	struct receiver *r = ctx;

	if (r->kind->told && !r->stop_at)
		r->kind->told(r->source, token, t);
}

/* --- the loop --------------------------------------------------------------
 */

static void before_wait(uv_prepare_t *prepare)
{
	const struct wire_header end = { .type = WIRE_ENDED };
	struct receiver *r = prepare->data;

	send_all(r);
	if (r->stop_at && (queue_waiting(r->queue) == 0 ||
			      uv_now(&r->loop.loop) >= r->stop_at))
		uv_stop(&r->loop.loop);
	/* Its last logins first. */
	if (r->ended && queue_waiting(r->queue) == 0 &&
	    wire_send(r->env->control, &end, -1) == 0)
		r->ended = false;
}

/* For `status`, of kinds that do not count themselves. */
static void count_submitted(const struct receiver *r)
{
	struct board_slot *slot = r->env->slot;

	atomic_store_explicit(&slot->lines, r->submitted, memory_order_relaxed);
	atomic_store_explicit(&slot->logins, r->logins, memory_order_relaxed);
	atomic_store_explicit(&slot->logouts, r->logouts, memory_order_relaxed);
	atomic_store_explicit(&slot->odd, odd_all(), memory_order_relaxed);
}

static void on_second(void *ctx)
{
	struct receiver *r = ctx;
	uint64_t dropped = r->env->slot->dropped;

	if (r->kind->counts)
		child_count(r->env, r->source);
	else
		count_submitted(r);
	if (dropped == r->dropped_told)
		return;
	log_warn(LOG_SOURCE_ERROR,
	    "source=%s dropped=%llu error=\"the keeper takes no logins\"",
	    r->env->slot->name,
	    (unsigned long long)(dropped - r->dropped_told));
	r->dropped_told = dropped;
}

static void stop_receiver(void *ctx)
{
	struct receiver *r = ctx;

	/* What it has taken is to be stored, if the keeper is there; nobody is
	 * told of it any more. The timer wakes the loop for the end. */
	r->stop_at = uv_now(&r->loop.loop) + STOP_MS;
	r->kind->stop(r->source);
	(void)uv_timer_start(&r->deadline, on_deadline, STOP_MS, 0);
}

static int open_source(struct receiver *r, struct patterns *patterns,
    const struct rules *rules, struct err *err)
{
	struct source_env env = {
		.name = conf_name(r->env->source),
		.patterns = patterns,
		.ttl = rules_ttl(rules),
		.max_skew = rules_max_skew(rules),
		.inotify_fd = -1,
		.fds = r->env->source_fds,
		.fd_count = r->env->source_fd_count,
		.submit = submit,
		.ask = ask,
		.room = room,
		.ended = ended,
		.live_ctx = r,
	};

	r->source = r->kind->open(&env, r->env->source, NULL, 0, err);
	return r->source ? 0 : -1;
}

static void start_handles(struct receiver *r)
{
	uv_loop_t *loop = &r->loop.loop;

	must(uv_timer_init(loop, &r->deadline) == 0);
	r->deadline.data = r;
	must(uv_prepare_init(loop, &r->before_wait) == 0);
	r->before_wait.data = r;
	must(uv_prepare_start(&r->before_wait, before_wait) == 0);
	must(uv_poll_init(loop, &r->control, r->env->control) == 0);
	r->control.data = r;
	must(uv_poll_start(
		 &r->control, UV_READABLE | UV_DISCONNECT, on_control) == 0);
	take_channel(r, r->env->keeper);
}

int receiver_main(const struct child_env *env)
{
	struct receiver r = { .env = env, .keeper = -1 };
	const struct queue_hooks hooks = {
		.ctx = &r, .stored = stored, .told = told
	};
	struct err err = { 0 };
	struct patterns *patterns = NULL;
	struct rules *rules;

	r.kind = child_kind(env);
	r.message = xmalloc(sizeof(*r.message));
	r.queue = queue_new(&hooks);
	rules = rules_new(conf_at(env->conf, "lease", 0), NULL, 0);
	if (r.kind->lines && !(patterns = child_patterns(env, &err)))
		return child_fail(LOG_PATTERN, &err);
	child_raise_limit();
	child_loop_init(&r.loop, env->slot, stop_receiver, &r);
	r.loop.second = on_second;
	if (open_source(&r, patterns, rules, &err) < 0)
		return child_fail(LOG_SOURCE_ERROR, &err);
	if (child_enter_source(env, &err) < 0)
		return child_fail(LOG_PRIVILEGE, &err);
	start_handles(&r);
	r.kind->start(r.source, &r.loop.loop);
	child_ready(env);
	(void)uv_run(&r.loop.loop, UV_RUN_DEFAULT);
	r.kind->close(&r.source);
	queue_free(&r.queue);
	patterns_close(&patterns);
	rules_free(&rules);
	free(r.message);
	log_flush();
	return EXIT_YES;
}
