/* SPDX-License-Identifier: ISC */
/*
 * gateway - the process of one http listener. It reads the ledger and the board
 * itself. Only with change-token-file has it a connection to the keeper, on
 * which the keeper takes grants and revocations and nothing else.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "decide/explain.h"
#include "gateway_private.h"
#include "http/json.h"
#include "lockdown.h"

enum {
	ANSWER_MS = 30000, /* for a client to take a page of leases */
	ERROR_SIZE = 300
};

void gateway_refuse(struct http_request *r, unsigned status, const char *text)
{
	char body[ERROR_SIZE];
	int n = snprintf(body, sizeof(body), "{\"error\":\"%s\"}", text);

	http_reply(r, status, body, (size_t)n);
}

enum rules_mode gateway_mode(const struct gateway *g)
{
	int set =
	    atomic_load_explicit(&g->env->mode->set, memory_order_relaxed);

	return set ? (enum rules_mode)(set - 1) : rules_mode(g->rules);
}

/* --- clients ---------------------------------------------------------------
 */

static bool on_allows(void *ctx, const struct http_peer *peer)
{
	const struct gateway *g = ctx;

	return peer->local ? listener_lets_in(g->listener, peer->uid)
			   : listener_lets_net(g->listener, &peer->addr);
}

static void on_odd(void *ctx, const struct http_peer *peer, const char *what)
{
	struct gateway *g = ctx;
	char text[HTTP_PEER_TEXT];

	atomic_fetch_add_explicit(&g->counts->dropped, 1, memory_order_relaxed);
	log_info(LOG_LISTENER_CLIENT, "listener=%s peer=%s reason=%s", g->name,
	    http_peer_text(peer, text), what);
}

static void refuse_head(
    struct gateway *g, struct http_request *r, const struct http_refusal *no)
{
	char text[HTTP_PEER_TEXT], body[ERROR_SIZE];
	const struct http_answer a = { .status = no->status,
		.allow = g->ask.allow,
		.body = body,
		.len = (size_t)snprintf(
		    body, sizeof(body), "{\"error\":\"%s\"}", no->text) };

	atomic_fetch_add_explicit(&g->counts->bad, 1, memory_order_relaxed);
	log_info(LOG_LISTENER_CLIENT, "listener=%s peer=%s refused=%s", g->name,
	    http_peer_text(http_request_peer(r), text), no->reason);
	http_answer(r, &a);
}

static bool on_head(
    void *ctx, struct http_request *r, const struct http_head *head)
{
	struct gateway *g = ctx;
	const struct http_peer *peer = http_request_peer(r);
	struct http_refusal no = http_api_judge(&g->api, head,
	    peer->local && listener_shows(g->listener, peer->uid), &g->ask);

	atomic_fetch_add_explicit(
	    &g->counts->questions, 1, memory_order_relaxed);
	if (no.status) {
		refuse_head(g, r, &no);
		return false;
	}
	http_request_set(r, g->ask.call);
	if (g->ask.call == HTTP_API_GRANT || g->ask.call == HTTP_API_REVOKE)
		return true;
	gateway_read(g, r);
	return false;
}

static void on_body(
    void *ctx, struct http_request *r, const char *body, size_t len)
{
	gateway_change(
	    ctx, r, (enum http_api_call)http_request_get(r), body, len);
}

/* --- the process -----------------------------------------------------------
 */

static void on_control(uv_poll_t *poll, int status, int events)
{
	struct gateway *g = poll->data;
	union wire_message *m = xmalloc(sizeof(*m));
	int fd = -1;
	int got = status < 0 ? 0 : wire_receive(g->env->control, m, &fd, false);

	(void)events;
	if (got == 1 && m->h.type == WIRE_CHANNEL && fd >= 0 && g->changes)
		gateway_changes_connect(g->changes, fd);
	else if (fd >= 0)
		(void)close(fd);
	if (got == 0)
		uv_stop(&g->loop.loop); /* the supervisor is gone */
	free(m);
}

static void on_second(void *ctx)
{
	struct gateway *g = ctx;
	const struct wire_header blind = { .type = WIRE_BLIND };

	atomic_store_explicit(&g->counts->open,
	    http_server_connections(g->server), memory_order_relaxed);
	if (g->changes)
		gateway_changes_second(g->changes);
	/* As an answerer: only the next process can open it anew. */
	if (g->blind || !g->ledger)
		(void)wire_send(g->env->control, &blind, -1);
}

static void open_ledger(struct gateway *g)
{
	struct ledger_options o;
	struct err err = { 0 };

	child_ledger_options(g->env, false, &o);
	g->ledger = ledger_open(&o, clock_now(), &err);
	if (!g->ledger)
		log_error(LOG_LEDGER_ERROR, "%s", err.text);
}

static int open_server(struct gateway *g, struct err *err)
{
	const struct http_handler handler = { .ctx = g,
		.allows = on_allows,
		.head = on_head,
		.body = on_body,
		.odd = on_odd };
	const struct http_server_options o = { .trouble = LOG_LISTENER_ERROR,
		.what = "listener",
		.name = g->name,
		.max_connections = g->listener->max_connections,
		.first_ms = g->listener->request_timeout,
		.idle_ms = g->listener->idle_timeout,
		.request_ms = g->listener->request_timeout,
		.answer_ms = ANSWER_MS };

	g->server = http_server_new(
	    &o, &g->env->listen_fds[g->env->listener_index], 1, &handler, err);
	return g->server ? 0 : -1;
}

/* All that needs files, and users' names. */
static int open_all(struct gateway *g, struct err *err)
{
	const struct conf_section *conf = g->env->listener;

	http_json_init();
	g->listener = listener_new(conf, err);
	if (!g->listener || http_api_open(&g->api, conf, err) < 0)
		return -1;
	/* With a map that cannot be read it cannot tell, but is there. */
	if (listener_decide(conf, &g->options, err) < 0)
		log_error(LOG_LISTENER_ERROR, "%s", err->text);
	g->own_count = rules_own_addresses(g->own, GATEWAY_OWN_MAX);
	g->rules =
	    rules_new(conf_at(g->env->conf, "lease", 0), g->own, g->own_count);
	open_ledger(g);
	return open_server(g, err);
}

static int become_gateway(struct err *err)
{
	struct lockdown_user user;

	if (lockdown_user(ROLE_GATEWAY, &user, err) < 0 ||
	    lockdown_become(&user, err) < 0)
		return -1;
	return lockdown_enter(ROLE_GATEWAY, NULL, err);
}

static void start(struct gateway *g)
{
	if (g->env->keeper >= 0) {
		g->changes = gateway_changes_new(g);
		gateway_changes_connect(g->changes, g->env->keeper);
	}
	must(uv_poll_init(&g->loop.loop, &g->control, g->env->control) == 0);
	g->control.data = g;
	must(uv_poll_start(
		 &g->control, UV_READABLE | UV_DISCONNECT, on_control) == 0);
	http_server_start(g->server, &g->loop.loop);
}

/* The reverse of the start. */
static void stop(struct gateway *g)
{
	if (g->changes)
		gateway_changes_stop(g->changes);
	http_server_stop(g->server);
	(void)uv_run(&g->loop.loop, UV_RUN_NOWAIT);
	http_server_free(&g->server);
	gateway_changes_free(&g->changes);
	ledger_close(&g->ledger);
	rules_free(&g->rules);
	http_api_close(&g->api);
	listener_decide_free(&g->options);
	listener_free(&g->listener);
	free(g->explain);
	free(g);
}

int gateway_main(const struct child_env *env)
{
	struct gateway *g = xcalloc(1, sizeof(*g));
	struct err err = { 0 };

	g->env = env;
	g->name = conf_name(env->listener);
	g->counts = &env->slot->listeners[env->listener_index];
	g->explain = xcalloc(1, sizeof(*g->explain));
	child_raise_limit();
	child_loop_init(&g->loop, env->slot, NULL, g);
	g->loop.second = on_second;
	if (open_all(g, &err) < 0)
		return child_fail(LOG_START_ERROR, &err);
	if (become_gateway(&err) < 0)
		return child_fail(LOG_PRIVILEGE, &err);
	start(g);
	child_ready(env);
	(void)uv_run(&g->loop.loop, UV_RUN_DEFAULT);
	stop(g);
	log_flush();
	return EXIT_YES;
}
