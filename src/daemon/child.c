/* SPDX-License-Identifier: ISC */
/*
 * child - the few things that every role's process does.
 */
#include "child.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "lockdown.h"

enum { BEAT_MS = 500, BEATS_A_SECOND = 2, BEATS_A_MINUTE = 120 };

void child_ledger_options(
    const struct child_env *env, bool writer, struct ledger_options *out)
{
	const struct conf *conf = env->conf;
	const struct conf_section *main = conf_at(conf, "relaypass", 0);
	const struct conf_section *lease = conf_at(conf, "lease", 0);
	struct lockdown_user keeper;
	struct err err;

	memset(out, 0, sizeof(*out));
	out->directory = conf_string(main, "directory");
	out->writer = writer;
	out->map_size = (size_t)conf_number(main, "map-size");
	out->journal =
	    conf_number(main, "journal") != 0 || conf_count(conf, "export") > 0;
	out->ipv6_prefix = (unsigned)conf_number(lease, "ipv6-prefix");
	out->ttl = conf_number(lease, "ttl");
	out->max_skew = conf_number(lease, "max-skew");
	clock_boot_id(out->boot_id);
	out->ahead = env->ahead;
	/* An answerer opens it as root, before it drops. */
	if (lockdown_user(ROLE_KEEPER, &keeper, &err) == 0)
		out->owner = keeper.uid;
}

int child_fail(enum log_event event, const struct err *err)
{
	log_error(event, "%s", err->text);
	log_flush();
	return err->code ? err->code : EXIT_BUG;
}

void child_raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

void child_stand_back(void)
{
	/* Enough to be preempted by who wakes, and still a tenth of a core
	 * beside a process that never sleeps. */
	enum { NICE = 10 };

	errno = 0;
	if (nice(NICE) < 0 && errno)
		log_info(LOG_START, "nice: %s", strerror(errno));
}

static void on_beat(uv_timer_t *timer)
{
	struct child_loop *c = timer->data;

	board_beat(c->slot);
	c->beats++;
	if (c->second && c->beats % BEATS_A_SECOND == 0)
		c->second(c->ctx);
	if (c->beats % BEATS_A_MINUTE == 0)
		log_flush();
}

static void on_term(uv_signal_t *signal, int number)
{
	struct child_loop *c = signal->data;

	(void)number;
	(void)uv_signal_stop(signal);
	if (c->stop)
		c->stop(c->ctx);
	else
		uv_stop(&c->loop);
}

void child_loop_init(struct child_loop *c, struct board_slot *slot,
    void (*stop)(void *ctx), void *ctx)
{
	memset(c, 0, sizeof(*c));
	c->slot = slot;
	c->stop = stop;
	c->ctx = ctx;
	must(uv_loop_init(&c->loop) == 0);
	must(uv_timer_init(&c->loop, &c->beat) == 0);
	c->beat.data = c;
	must(uv_timer_start(&c->beat, on_beat, 0, BEAT_MS) == 0);
	must(uv_signal_init(&c->loop, &c->term) == 0);
	c->term.data = c;
	must(uv_signal_start(&c->term, on_term, SIGTERM) == 0);
	board_beat(slot);
}

void child_step(struct board_slot *slot, bool in_step, uint64_t behind)
{
	if (in_step)
		atomic_store_explicit(
		    &slot->in_step, uv_hrtime(), memory_order_relaxed);
	atomic_store_explicit(&slot->behind, behind, memory_order_relaxed);
}

void child_trouble(struct board_slot *slot, const char *why)
{
	(void)snprintf(
	    slot->trouble, sizeof(slot->trouble), "%s", why ? why : "");
}

bool child_is_orphan(const struct child_env *env)
{
	return getppid() != env->supervisor;
}

void child_ready(const struct child_env *env)
{
	const struct wire_header ready = { .type = WIRE_READY };

	/* It may have died before the kernel was told to tell us (lockdown). */
	if (child_is_orphan(env))
		_exit(EXIT_AGAIN);
	(void)wire_send(env->control, &ready, -1);
}
