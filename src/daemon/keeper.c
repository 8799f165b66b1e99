/* SPDX-License-Identifier: ISC */
/*
 * keeper - the only process that writes the ledger: it takes logins from the
 * readers, applies the lease rules, and commits logins, leases and cursors in
 * one transaction; it ends what has run out. Not here: the readers' channels
 * (keeper_channel.c), log lines (keeper_tell.c), the control protocol.
 *
 * Group commit: what has arrived is shown to the answerers and committed at
 * once when the last commit is some milliseconds ago; otherwise it is shown at
 * once, and committed with what comes in meanwhile. The slower the disk, the
 * longer, but no longer than COMMIT_MS_MOST; a login storm shares one sync
 * among thousands. What somebody waits for is acknowledged behind its commit. A
 * commit that fails (full disk) keeps its logins and stops taking more, so that
 * they wait in the log files; nothing is lost.
 */
#include "keeper.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "fault.h"
#include "keeper_private.h"
#include "listener/listener.h"
#include "lockdown.h"
#include "proc.h"

enum {
	RETRY_MS = 1000,  /* after a commit that failed */
	COMMIT_TRIES = 4, /* while the map grows under it */
	NS_PER_MS = 1000000,
	TICK_MS = 200,   /* leases end within a second (DESIGN) */
	WALK_MS = 60000, /* one round of the walk */
	WALK_LEAST = 64,
	DUE_LIMIT = 2000, /* so that no transaction is long */
	HOLD_MS = 10000,  /* from the begin of a pass to the next, at most */
	HOLD_LIMIT = 512, /* sessions a tick */
	READERS_MS = 5000,
	STALE_COMMITS = 20000,
	OWN_MAX = 256,
};

struct ledger *keeper_ledger(struct keeper *k)
{
	return k->ledger;
}

struct apply *keeper_apply(struct keeper *k)
{
	return k->apply;
}

const struct rules *keeper_rules(struct keeper *k)
{
	return k->rules;
}

const struct child_env *keeper_env(struct keeper *k)
{
	return k->env;
}

/* --- commits ---------------------------------------------------------------
 */

static struct applied *next_applied(struct keeper *k)
{
	if (k->applied_count == k->applied_size) {
		k->applied_size = k->applied_size ? 2 * k->applied_size : 64;
		k->applied =
		    xrealloc(k->applied, k->applied_size, sizeof(*k->applied));
	}
	return &k->applied[k->applied_count++];
}

static void put_cursor(struct keeper *k, const struct pending *p)
{
	struct ledger_cursor c = { .len = p->cursor.len };
	size_t name = strlen(p->name) + 1; /* its NUL parts name and path */

	if (!p->cursor.key_len)
		return;
	must(name + p->cursor.key_len <= sizeof(c.key));
	must(p->cursor.len <= sizeof(c.bytes));
	memcpy(c.key, p->name, name);
	memcpy(c.key + name, p->cursor.key, p->cursor.key_len);
	c.key_len = (uint16_t)(name + p->cursor.key_len);
	memcpy(c.bytes, p->cursor.bytes, p->cursor.len);
	ledger_cursor_put(k->ledger, &c);
}

static void put_cursors(struct keeper *k, struct moment now, void *ctx)
{
	(void)now;
	(void)ctx;
	for (size_t i = 0; i < k->pending_count; i++)
		put_cursor(k, &k->pending[i]);
}

/* Told when it is stored, or a full disk would have it told again and again. */
static void note_ended(void *ctx, const struct lease *lease)
{
	struct keeper *k = ctx;

	if (k->ended_count == k->ended_size) {
		k->ended_size = k->ended_size ? 2 * k->ended_size : 64;
		k->ended = xrealloc(k->ended, k->ended_size, sizeof(*k->ended));
	}
	k->ended[k->ended_count++] = *lease;
}

static void tell_all_ended(struct keeper *k)
{
	enum { KEEP = 256 };

	for (size_t i = 0; i < k->ended_count; i++)
		tell_ended(k, &k->ended[i]);
	k->ended_count = 0;
	if (k->ended_size <= KEEP)
		return;
	free(k->ended);
	k->ended = NULL;
	k->ended_size = 0;
}

static void apply_pending(
    struct keeper *k, const struct pending *p, struct moment now)
{
	for (size_t i = 0; i < p->count; i++)
		apply_login(
		    k->apply, &p->logins[i], p->source, now, next_applied(k));
	put_cursor(k, p);
}

/* A process that met damage, be it this one or an answerer, has left a mark.
 * The next start sets the ledger aside; what waits is in the log files. */
static void end_if_damaged(struct keeper *k, const struct err *err)
{
	if (!ledger_damaged(k->ledger))
		return;
	log_error(
	    LOG_LEDGER_ERROR, "next=\"start again\" error=\"%s\"", err->text);
	log_flush();
	_exit(EXIT_AGAIN);
}

/* Begins a transaction, when none is open; what one that failed had brought is
 * to be brought again. */
static int open_transaction(
    struct keeper *k, struct moment now, struct err *err)
{
	if (k->open)
		return 0;
	if (ledger_begin(k->ledger, now, err) < 0)
		return -1;
	k->open = true;
	k->brought = k->applied_count = k->ended_count = 0;
	return 0;
}

/* One durable transaction; repeated while the map grows under it. */
static int transact(struct keeper *k,
    void (*fn)(struct keeper *k, struct moment now, void *ctx), void *ctx,
    struct err *err)
{
	struct moment now = clock_now();

	for (int i = 0; i < COMMIT_TRIES; i++) {
		*err = (struct err){ 0 };
		if (open_transaction(k, now, err) < 0)
			break;
		fn(k, now, ctx);
		k->open = false;
		if (ledger_commit(k->ledger, err) == 0)
			return 0;
		if (err->code != EXIT_AGAIN)
			break;
	}
	end_if_damaged(k, err);
	return -1;
}

/* Brings what waits into the open transaction, and lets the answerers see it.
 * False: not all of it, and the transaction is to be committed. */
static bool bring(struct keeper *k, struct moment now)
{
	while (k->brought < k->pending_count)
		apply_pending(k, &k->pending[k->brought++], now);
	return ledger_show(k->ledger);
}

/* Before it is durable. */
static bool show(struct keeper *k)
{
	struct moment now = clock_now();
	struct err err;

	return !fault_cursor_apart() && open_transaction(k, now, &err) == 0 &&
	       bring(k, now);
}

static void bring_all(struct keeper *k, struct moment now, void *ctx)
{
	(void)ctx;
	(void)bring(k, now);
	if (fault_no_commit())
		_exit(EXIT_AGAIN);
}

static void on_commit_timer(uv_timer_t *timer);

/* Tells what the commit did, in the order of apply_pending(). */
static void tell_pending(struct keeper *k)
{
	const struct applied *a = k->applied;
	const struct lease *ended = k->ended;

	for (size_t i = 0; i < k->pending_count; i++) {
		const struct pending *p = &k->pending[i];
		channel_acknowledge(p, a);
		for (size_t j = 0; j < p->count; j++, a++) {
			tell_applied(k, p->name, &p->logins[j], a);
			for (size_t n = a->ended; n; n--)
				tell_ended(k, ended++);
		}
	}
	k->ended_count = 0;
}

static void set_pause(struct keeper *k, uint64_t began)
{
	uint64_t ms = (uv_hrtime() - began) * COMMIT_SHARE / NS_PER_MS;

	k->pause = ms < COMMIT_MS_LEAST  ? COMMIT_MS_LEAST
		   : ms > COMMIT_MS_MOST ? COMMIT_MS_MOST
					 : ms;
	k->last_commit = uv_now(&k->loop.loop);
}

/* Commits what waits. 0, or -1: it waits on, and a retry is set. */
static int flush(struct keeper *k)
{
	uint64_t began = uv_hrtime();
	struct err err;

	if (!k->pending_count)
		return 0;
	(void)uv_timer_stop(&k->commit_timer);
	if (fault_cursor_apart()) {
		(void)transact(k, put_cursors, NULL, &err);
		fault_linger();
	}
	if (transact(k, bring_all, NULL, &err) < 0) {
		log_error(LOG_LEDGER_ERROR, "waiting=%zu error=\"%s\"",
		    k->pending_logins, err.text);
		k->stuck = true;
		k->stuck_error = err;
		channels_listen(k, false);
		(void)uv_timer_start(
		    &k->commit_timer, on_commit_timer, RETRY_MS, 0);
		return -1;
	}
	atomic_fetch_add_explicit(
	    &k->env->slot->commits, 1, memory_order_relaxed);
	tell_pending(k);
	pending_clear(k);
	if (keeper_journal_grew(k))
		channels_changed(k);
	set_pause(k, began);
	if (k->stuck) {
		log_info(LOG_LEDGER_ERROR, "over=yes");
		k->stuck = false;
		channels_listen(k, true);
	}
	return 0;
}

static void on_commit_timer(uv_timer_t *timer)
{
	struct keeper *k = timer->data;

	uv_update_time(&k->loop.loop);
	(void)flush(k);
}

/* Commits now, or shows it now and commits it soon, together with what comes in
 * meanwhile. */
void keeper_schedule(struct keeper *k)
{
	uint64_t pause = k->pending_waits ? COMMIT_MS_LEAST : k->pause;
	uint64_t since;

	uv_update_time(&k->loop.loop);
	since = uv_now(&k->loop.loop) - k->last_commit;
	if (k->pending_logins >= COMMIT_LOGINS || since >= pause || !show(k))
		(void)flush(k);
	else
		(void)uv_timer_start(
		    &k->commit_timer, on_commit_timer, pause - since, 0);
}

void keeper_settle(struct keeper *k)
{
	if (!k->stuck)
		(void)flush(k);
}

int keeper_transaction(struct keeper *k,
    void (*fn)(struct keeper *k, struct moment now, void *ctx), void *ctx,
    struct err *err)
{
	if (flush(k) < 0)
		return err_set(err, EXIT_AGAIN,
		    "the ledger cannot be written now; see the log");
	return transact(k, fn, ctx, err);
}

/* --- the supervisor --------------------------------------------------------
 */

static bool is_gateway(const char *channel)
{
	return strncmp(channel, GATEWAY_CHANNEL, sizeof(GATEWAY_CHANNEL) - 1) ==
	       0;
}

static void on_supervisor(uv_poll_t *poll, int status, int events)
{
	struct keeper *k = poll->data;
	int fd = -1;
	int got = status < 0
		      ? 0
		      : wire_receive(k->env->control, k->message, &fd, false);

	(void)events;
	if (got == 1 && k->message->h.type == WIRE_CHANNEL && fd >= 0 &&
	    is_gateway(k->message->path.path))
		control_adopt(k->control, fd);
	else if (got == 1 && k->message->h.type == WIRE_CHANNEL && fd >= 0)
		channel_add(k, k->message->path.path, fd);
	else if (fd >= 0)
		(void)close(fd);
	if (got == 0)
		uv_stop(&k->loop.loop);
}

/* --- what time ends --------------------------------------------------------
 */

/* Several times in a lease's life, however short that is. */
static uint64_t hold_period(const struct keeper *k)
{
	enum { IN_A_LIFE = 4 };
	uint64_t ttl = (uint64_t)rules_ttl(k->rules);

	return ttl / IN_A_LIFE < HOLD_MS ? ttl / IN_A_LIFE : HOLD_MS;
}

static void work_of_tick(struct keeper *k, struct moment now, void *ctx)
{
	uint64_t at = uv_now(&k->loop.loop);
	size_t rows = ledger_rows(k->ledger);

	(void)ctx;
	k->ended_count = 0;
	(void)apply_due(k->apply, now, DUE_LIMIT, note_ended, k);
	/* A pass over the sessions goes on tick by tick. */
	if (apply_holding(k->apply) || at - k->last_hold >= hold_period(k)) {
		if (!apply_holding(k->apply))
			k->last_hold = at;
		(void)apply_hold(k->apply, now, HOLD_LIMIT);
	}
	keeper_trim(k, now);
	(void)apply_walk(k->apply, now, WALK_LEAST + rows / (WALK_MS / TICK_MS),
	    note_ended, k);
}

static void check_readers(struct keeper *k)
{
	struct wire_header stale = { .type = WIRE_STALE };

	(void)ledger_reader_check(k->ledger);
	stale.value = ledger_stale_reader(k->ledger, STALE_COMMITS);
	if (stale.value > 0)
		(void)wire_send(k->env->control, &stale, -1);
}

static void on_tick(uv_timer_t *timer)
{
	struct keeper *k = timer->data;
	uint64_t at = uv_now(&k->loop.loop);
	struct err err;

	if (k->stuck || at < k->next_tick_work)
		return;
	if (keeper_transaction(k, work_of_tick, NULL, &err) < 0) {
		log_error(LOG_LEDGER_ERROR, "%s", err.text);
		k->next_tick_work = at + RETRY_MS;
	} else {
		tell_all_ended(k);
		if (keeper_journal_grew(k))
			channels_changed(k);
	}
	if (at - k->last_readers >= READERS_MS) {
		k->last_readers = at;
		check_readers(k);
	}
}

/* --- the process -----------------------------------------------------------
 */

/* Takes what the readers had sent before they stopped, and commits it. */
static void stop_keeper(void *ctx)
{
	struct keeper *k = ctx;

	channels_drain(k);
	(void)flush(k);
	uv_stop(&k->loop.loop);
}

static int become_keeper(struct keeper *k, struct err *err)
{
	struct ledger_options o;
	struct lockdown_user user;
	struct lockdown_needs needs = { 0 };

	/* The ledger belongs to the keeper's account: drop first, then open. */
	if (lockdown_user(ROLE_KEEPER, &user, err) < 0 ||
	    lockdown_become(&user, err) < 0)
		return -1;
	child_ledger_options(k->env, true, &o);
	k->ledger = ledger_open(&o, clock_now(), err);
	if (!k->ledger)
		return -1;
	needs.write[0] = o.directory;
	return lockdown_enter(ROLE_KEEPER, &needs, err);
}

static void start_timers(struct keeper *k)
{
	uv_loop_t *loop = &k->loop.loop;

	must(uv_timer_init(loop, &k->commit_timer) == 0);
	k->commit_timer.data = k;
	must(uv_timer_init(loop, &k->tick) == 0);
	k->tick.data = k;
	must(uv_timer_start(&k->tick, on_tick, TICK_MS, TICK_MS) == 0);
	must(uv_poll_init(loop, &k->supervisor, k->env->control) == 0);
	k->supervisor.data = k;
	must(uv_poll_start(&k->supervisor, UV_READABLE | UV_DISCONNECT,
		 on_supervisor) == 0);
}

int keeper_main(const struct child_env *env)
{
	struct keeper *k = xcalloc(1, sizeof(*k));
	struct addr own[OWN_MAX];
	struct err err = { 0 };
	int code = EXIT_YES;

	k->env = env;
	k->message = xmalloc(sizeof(*k->message));
	k->rules = rules_new(conf_at(env->conf, "lease", 0), own,
	    rules_own_addresses(own, OWN_MAX));
	keeper_read_listeners(k);
	k->proc = proc_open();
	child_stand_back();
	child_loop_init(&k->loop, env->slot, stop_keeper, k);
	if (become_keeper(k, &err) < 0)
		return child_fail(LOG_LEDGER_ERROR, &err);
	atomic_store(&env->mode->set, ledger_mode(k->ledger));
	k->apply = apply_new(k->ledger, k->rules, proc_start, k->proc);
	apply_tell_ends(k->apply, note_ended, k);
	apply_expect_signs(k->apply, keeper_expects_signs(k));
	k->control = control_new(k, &k->loop.loop, env->control_socket);
	start_timers(k);
	child_ready(env);
	(void)uv_run(&k->loop.loop, UV_RUN_DEFAULT);
	if (k->pending_count)
		code = EXIT_AGAIN; /* it waits in the log files */
	control_free(&k->control);
	apply_free(&k->apply);
	ledger_close(&k->ledger);
	rules_free(&k->rules);
	for (size_t i = 0; i < BOARD_LISTENERS; i++)
		listener_decide_free(&k->listeners[i]);
	log_flush();
	return code;
}
