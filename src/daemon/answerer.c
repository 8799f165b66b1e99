/* SPDX-License-Identifier: ISC */
/*
 * answerer - the process that answers questions: listeners in front, the ledger
 * (read only) behind. It never waits for another process: a ledger snapshot is
 * taken when a batch of questions begins and given back before the loop sleeps.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "answer_log.h"
#include "base/log.h"
#include "base/mem.h"
#include "child.h"
#include "lockdown.h"
#include "schema.h"

enum { CONFIG_MAX = 1 << 20, OWN_MAX = 256 };

struct answerer {
	const struct child_env *env;
	struct child_loop loop;
	struct server *server;
	struct ledger *ledger; /* NULL: cannot be opened; answers tempfail */
	struct conf *reloaded; /* owns the newest configuration, or NULL */
	struct rules *rules;
	enum rules_mode mode;
	struct moment now; /* of this batch */
	bool reading;
	bool blind; /* the last batch could not read the ledger */
	uv_poll_t control;
	struct addr own[OWN_MAX];
	size_t own_count;
	struct decide_options options[BOARD_LISTENERS]; /* by section */
	size_t sections[BOARD_LISTENERS]; /* of the server's listeners */
};

/* --- one batch of questions ------------------------------------------------
 */

static void batch_begin(void *ctx)
{
	struct answerer *a = ctx;
	int set =
	    atomic_load_explicit(&a->env->mode->set, memory_order_relaxed);
	struct err err;

	a->now = clock_now();
	a->mode = set ? (enum rules_mode)(set - 1) : rules_mode(a->rules);
	a->reading = a->ledger && ledger_read_begin(a->ledger, &err) == 0;
	a->blind = !a->reading;
	if (a->ledger && !a->reading)
		log_error(LOG_LEDGER_ERROR, "%s", err.text);
}

static void batch_end(void *ctx)
{
	struct answerer *a = ctx;

	if (a->reading)
		ledger_read_end(a->ledger);
	a->reading = false;
}

static void answer_one(void *ctx, size_t index, const struct server_listener *l,
    const struct question *q, struct answer *out)
{
	struct answerer *a = ctx;

	decide(a->reading ? a->ledger : NULL, a->rules, a->mode,
	    &a->options[a->sections[index]], q, a->now, out);
	answer_log(conf_name(l->conf), q, out);
}

/* --- configuration ---------------------------------------------------------
 */

/* The supervisor saw that all is well. Where that is no longer so, the others
 * still answer, and that one says that it cannot tell. */
static void read_options(struct answerer *a, const struct conf *conf)
{
	size_t n = conf_count(conf, "listener");

	for (size_t i = 0; i < n && i < BOARD_LISTENERS; i++) {
		struct err err = { 0 };

		if (listener_decide(
			conf_at(conf, "listener", i), &a->options[i], &err) < 0)
			log_error(LOG_LISTENER_ERROR, "%s", err.text);
	}
}

static void free_options(struct answerer *a)
{
	for (size_t i = 0; i < BOARD_LISTENERS; i++)
		listener_decide_free(&a->options[i]);
}

/* Takes a new configuration whose listeners are the same. */
static void reload(struct answerer *a, int fd)
{
	struct err err = { 0 };
	AUTO_FREE char *text = xmalloc(CONFIG_MAX);
	ssize_t len = pread(fd, text, CONFIG_MAX, 0);
	struct conf *conf =
	    len < 0 ? NULL
		    : conf_parse(text, (size_t)len, "reload", schema(), &err);
	struct rules *rules;

	if (!conf) {
		log_error(LOG_RELOAD, "%s", err.text);
		return;
	}
	rules = rules_new(conf_at(conf, "lease", 0), a->own, a->own_count);
	rules_free(&a->rules);
	a->rules = rules;
	/* The server and the options keep the old listener sections. */
	conf_free(&conf);
}

static void on_control(uv_poll_t *poll, int status, int events)
{
	struct answerer *a = poll->data;
	union wire_message *m = xmalloc(sizeof(*m));
	int fd = -1;
	int got = status < 0 ? 0 : wire_receive(a->env->control, m, &fd, false);

	(void)events;
	if (got == 1 && m->h.type == WIRE_CONFIG && fd >= 0)
		reload(a, fd);
	if (fd >= 0)
		(void)close(fd);
	if (got == 0)
		uv_stop(&a->loop.loop); /* the supervisor is gone */
	free(m);
}

/* --- the process -----------------------------------------------------------
 */

/* After the lock-down nothing can be opened: only the next process may see a
 * ledger that was made, set aside or repaired since. */
static void on_second(void *ctx)
{
	const struct answerer *a = ctx;
	const struct wire_header blind = { .type = WIRE_BLIND };

	if (a->blind || !a->ledger)
		(void)wire_send(a->env->control, &blind, -1);
}

static void open_ledger(struct answerer *a)
{
	struct ledger_options o;
	struct err err = { 0 };

	child_ledger_options(a->env, false, &o);
	a->ledger = ledger_open(&o, clock_now(), &err);
	if (!a->ledger)
		log_error(LOG_LEDGER_ERROR, "%s", err.text);
}

static void open_server(struct answerer *a)
{
	const struct conf *conf = a->env->conf;
	size_t n = 0;
	struct server_listener listeners[BOARD_LISTENERS] = { 0 };
	const struct server_hooks hooks = { .answer = answer_one,
		.batch_begin = batch_begin,
		.batch_end = batch_end,
		.ctx = a };

	for (size_t i = 0; i < conf_count(conf, "listener"); i++) {
		const struct conf_section *s = conf_at(conf, "listener", i);
		struct server_listener *l = &listeners[n];

		l->kind = listener_kind_find(conf_kind(s));
		l->conf = s;
		l->fd = a->env->listen_fds[i];
		l->counts = &a->env->slot->listeners[i];
		if (!l->kind->gateway)
			a->sections[n++] = i;
	}
	a->server = server_new(&a->loop.loop, listeners, n, &hooks);
}

static int become_answerer(struct err *err)
{
	struct lockdown_user user;

	if (lockdown_user(ROLE_ANSWERER, &user, err) < 0 ||
	    lockdown_become(&user, err) < 0)
		return -1;
	return lockdown_enter(ROLE_ANSWERER, NULL, err);
}

int answerer_main(const struct child_env *env)
{
	struct answerer *a = xcalloc(1, sizeof(*a));
	struct err err = { 0 };

	a->env = env;
	child_raise_limit();
	a->own_count = rules_own_addresses(a->own, OWN_MAX);
	a->rules =
	    rules_new(conf_at(env->conf, "lease", 0), a->own, a->own_count);
	read_options(a, env->conf);
	open_ledger(a);
	child_loop_init(&a->loop, env->slot, NULL, a);
	a->loop.second = on_second;
	open_server(a);
	if (become_answerer(&err) < 0)
		return child_fail(LOG_PRIVILEGE, &err);
	must(uv_poll_init(&a->loop.loop, &a->control, env->control) == 0);
	a->control.data = a;
	must(uv_poll_start(
		 &a->control, UV_READABLE | UV_DISCONNECT, on_control) == 0);
	child_ready(env);
	(void)uv_run(&a->loop.loop, UV_RUN_DEFAULT);
	server_close(&a->server);
	ledger_close(&a->ledger);
	rules_free(&a->rules);
	free_options(a);
	log_flush();
	return EXIT_YES;
}
