/* SPDX-License-Identifier: ISC */
/*
 * http - the source kind "http": Dovecot's auth policy reports, Dovecot's
 * exported events, and our own JSON, all over HTTP/1.1 POST. Runs in a
 * receiver. Not here: HTTP itself (http/server.c), who may have an effect
 * (http_guard.c), bodies (http_policy.c, http_event.c, http_notice.c), the
 * other policy server (http_forward.c).
 *
 * A request that brings logins is answered after their commit with 200, or with
 * 503 when it is not stored in time; Dovecot goes on either way. A policy
 * question is answered at once, or after another policy server has spoken; it
 * never makes a login, whatever it says.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/mem.h"
#include "http/server.h"
#include "http_event.h"
#include "http_forward.h"
#include "http_guard.h"
#include "http_pending.h"
#include "http_policy.h"
#include "odd.h"
#include "peers.h"
#include "source.h"

enum {
	STATUS_OK = 200,
	STATUS_BAD = 400,
	STATUS_UNAVAILABLE = 503,
	/* Dovecot keeps a connection for 10 s, and must be who closes it. */
	IDLE_MS = 15000,
	REQUEST_MS = 5000,
	/* Connections that make room are still there for a moment. */
	SPARE_PLACES = 64
};

static const char go_on[] = "{\"status\":0,\"msg\":\"\"}";
static const char refused[] =
    "{\"status\":-1,\"msg\":\"policy server unavailable\"}";
static const char busy[] = "{\"error\":\"not stored\"}";

static const struct option http_options[] = {
	PEERS_OPTIONS("tcp:127.0.0.1:11080", "root"),
	{ "secret-file", OPTION_PATH, "", 0, 0, NULL,
	    "File with the secret that Dovecot must send in the header; "
	    "without it /policy and /event are not served." },
	{ "header", OPTION_STRING, "X-Relaypass-Key", 0, 0, NULL,
	    "Name of the header that carries the secret." },
	{ "token-file", OPTION_PATH, "", 0, 0, NULL,
	    "File with the bearer token for POST /login; without it /login is "
	    "not served." },
	{ "events", OPTION_BOOL, "no", 0, 0, NULL,
	    "Whether Dovecot's event exporter may post to /event/SECRET: it "
	    "can send no header." },
	{ "protocols", OPTION_LIST, "imap pop3", 0, 0, NULL,
	    "Dovecot's protocols whose logins count." },
	{ "hosts", OPTION_LIST, "localhost 127.0.0.1 ::1", 0, 0, NULL,
	    "Names that a request's Host header may have, besides the "
	    "addresses it listens at." },
	FORWARD_OPTIONS, OPTION_END
};

struct source {
	struct source_env env;
	struct peers *peers;
	struct http_guard guard;
	struct http_words protocols;
	struct http_server *server;
	struct forward *forward;
	bool forward_refuses;
	struct odd odd;
	struct matcher_counts counts;
	struct http_waiting waiting; /* a place for each connection */
	struct http_notices notices;
	uv_loop_t *loop; /* NULL: not started */
	bool stopped;
};

/* --- requests that wait ----------------------------------------------------
 */

static void answer(
    struct http_pending *p, unsigned status, const char *body, size_t len)
{
	struct http_request *r = p->request;

	p->request = NULL;
	http_reply(r, status, body, len);
}

static void answer_all(struct http_pending *p)
{
	char out[HTTP_RESULTS_SIZE];
	bool all = true;

	for (size_t i = 0; i < p->count; i++)
		all &= p->stored[i] == SOURCE_STORED;
	if (!all)
		http_request_odd(p->request, "not-stored");
	if (p->route == HTTP_NOTICE)
		answer(p, all ? STATUS_OK : STATUS_UNAVAILABLE, out,
		    http_pending_print(p, out));
	else if (all)
		answer(p, STATUS_OK, go_on, strlen(go_on));
	else
		answer(p, STATUS_UNAVAILABLE, busy, strlen(busy));
}

static void http_stored(struct source *s, uint64_t token,
    enum source_outcome outcome, uint8_t judgement)
{
	size_t i;
	struct http_pending *p = http_waiting_find(&s->waiting, token, &i);

	if (!p || i >= p->count || p->left == 0)
		return;
	p->stored[i] = (uint8_t)outcome;
	p->judgements[i] = judgement;
	if (--p->left == 0)
		answer_all(p);
}

static void count_login(struct source *s, const struct login *l)
{
	if (l->kind == LOGIN_OUT)
		s->counts.logouts++;
	else
		s->counts.logins++;
}

static void submit(struct source *s, struct http_request *r,
    enum http_route route, const struct login *logins, size_t n, bool array)
{
	struct http_pending *p = http_waiting_add(&s->waiting, r);
	uint64_t token = http_waiting_token(&s->waiting, p);

	p->route = (uint8_t)route;
	p->array = array;
	p->count = (uint8_t)n;
	for (size_t i = 0; i < n; i++) {
		count_login(s, &logins[i]);
		p->left +=
		    s->env.submit(s->env.live_ctx, token | i, &logins[i]);
	}
	if (p->left == 0)
		answer_all(p);
}

/* --- the other policy server -----------------------------------------------
 */

/* What Dovecot can take: an object with a status. */
static bool is_policy(const struct http_response *r)
{
	json_t *json = http_json_load(r->body, r->body_len);
	bool good = json_is_integer(json_object_get(json, "status"));

	json_decref(json);
	return good;
}

/* It has not answered, or nothing that makes sense. */
static void answer_without(const struct source *s, struct http_pending *p)
{
	const char *text = s->forward_refuses ? refused : go_on;

	answer(p, STATUS_OK, text, strlen(text));
}

static void on_forwarded(
    void *ctx, uint64_t token, const struct http_response *r)
{
	struct source *s = ctx;
	size_t unused;
	struct http_pending *p = http_waiting_find(&s->waiting, token, &unused);

	if (!p)
		return;
	if (r && r->status == STATUS_OK && is_policy(r)) {
		answer(p, STATUS_OK, r->body, r->body_len);
		return;
	}
	if (r)
		http_request_odd(p->request, "bad-forward");
	answer_without(s, p);
}

static void ask_other(
    struct source *s, struct http_request *r, const char *body, size_t len)
{
	struct http_pending *p = http_waiting_add(&s->waiting, r);
	uint64_t token = http_waiting_token(&s->waiting, p);

	if (!forward_send(s->forward, token, "allow", body, len))
		answer_without(s, p);
}

/* --- requests --------------------------------------------------------------
 */

static void reply_error(
    struct http_request *r, unsigned status, const char *why)
{
	char text[200];
	int n = snprintf(text, sizeof(text), "{\"error\":\"%s\"}", why);

	http_reply(r, status, text, (size_t)n);
}

static bool on_head(
    void *ctx, struct http_request *r, const struct http_head *head)
{
	struct source *s = ctx;
	struct http_refusal why;
	enum http_route route = http_guard_judge(&s->guard, head, &why);

	s->counts.lines++;
	if (route != HTTP_REFUSED) {
		http_request_set(r, route);
		return true;
	}
	http_request_odd(r, why.reason);
	reply_error(r, why.status, why.text);
	return false;
}

/* A body of Dovecot's: a login, a logout, or nothing for us. */
static void take_dovecot(struct source *s, struct http_request *r,
    enum http_route route, const char *body, size_t len)
{
	int64_t now = clock_now().wall;
	struct login l;
	enum http_told told =
	    route == HTTP_REPORT
		? http_policy_read(body, len, &s->protocols, now, &l)
		: http_event_read(body, len, &s->protocols, now, &l);

	if (told == HTTP_TOLD_BAD) {
		s->counts.odd++;
		http_request_odd(r, "malformed");
		reply_error(r, STATUS_BAD, "malformed JSON");
		return;
	}
	if (route == HTTP_REPORT && s->forward)
		(void)forward_send(s->forward, 0, "report", body, len);
	if (told == HTTP_TOLD_LOGIN)
		submit(s, r, route, &l, 1, false);
	else
		http_reply(r, STATUS_OK, go_on, sizeof(go_on) - 1);
}

static void take_notices(
    struct source *s, struct http_request *r, const char *body, size_t len)
{
	const char *why;

	if (http_notice_read(body, len, clock_now().wall, &s->notices, &why)) {
		submit(s, r, HTTP_NOTICE, s->notices.logins, s->notices.count,
		    s->notices.array);
		return;
	}
	s->counts.odd++;
	http_request_odd(r, "malformed");
	reply_error(r, STATUS_BAD, why);
}

static void on_body(
    void *ctx, struct http_request *r, const char *body, size_t len)
{
	struct source *s = ctx;
	enum http_route route = http_request_get(r);

	if (route == HTTP_ALLOW && s->forward)
		ask_other(s, r, body, len);
	else if (route == HTTP_ALLOW)
		http_reply(r, STATUS_OK, go_on, sizeof(go_on) - 1);
	else if (route == HTTP_NOTICE)
		take_notices(s, r, body, len);
	else
		take_dovecot(s, r, route, body, len);
}

/* --- clients ---------------------------------------------------------------
 */

static bool on_allows(void *ctx, const struct http_peer *peer)
{
	const struct source *s = ctx;

	return peer->local ? peers_allow_uid(s->peers, peer->uid)
			   : peers_allow_addr(s->peers, &peer->addr);
}

static void on_odd(void *ctx, const struct http_peer *peer, const char *what)
{
	struct source *s = ctx;
	char text[HTTP_PEER_TEXT];

	odd_count(&s->odd, what, http_peer_text(peer, text), uv_now(s->loop));
}

static bool on_sweep(void *ctx, uint64_t now)
{
	struct source *s = ctx;

	odd_flush(&s->odd, now);
	return odd_is_held(&s->odd);
}

static struct http_server *make_server(struct source *s,
    const struct conf_section *conf, const struct source_env *env,
    struct err *err)
{
	const struct http_handler handler = { .ctx = s,
		.allows = on_allows,
		.head = on_head,
		.body = on_body,
		.odd = on_odd,
		.sweep = on_sweep };
	const struct http_server_options options = {
		.trouble = LOG_SOURCE_ERROR,
		.what = "source",
		.name = env->name,
		.header = s->guard.header,
		.max_connections = (size_t)conf_number(conf, "max-connections"),
		.first_ms = IDLE_MS,
		.idle_ms = IDLE_MS,
		.request_ms = REQUEST_MS,
		.answer_ms = IDLE_MS,
	};

	return http_server_new(
	    &options, env->fds, env->fd_count, &handler, err);
}

/* --- the kind --------------------------------------------------------------
 */

static int read_words(
    struct http_words *w, const struct conf_section *conf, struct err *err)
{
	w->count = conf_list_size(conf, "protocols");
	if (w->count == 0 || w->count > HTTP_WORDS_MAX)
		return conf_wrong(conf, err,
		    "protocols: name 1 to %d protocols", HTTP_WORDS_MAX);
	for (size_t i = 0; i < w->count; i++)
		w->words[i] = conf_list_at(conf, "protocols", i);
	return 0;
}

/* Everything that can be wrong is told before relaypassd starts. */
static int check(const struct conf_section *conf, struct err *err)
{
	struct http_guard guard;
	struct http_words words;
	struct forward *forward;

	if (read_words(&words, conf, err) < 0 ||
	    http_guard_open(&guard, conf, err) < 0)
		return -1;
	http_guard_close(&guard);
	forward = forward_new(conf, NULL, NULL, err);
	if (!forward && err->code)
		return -1;
	forward_free(&forward);
	return 0;
}

static int http_sockets(
    const struct conf_section *conf, int *fds, size_t max, struct err *err)
{
	if (check(conf, err) < 0)
		return -1;
	return peers_sockets(conf,
	    ENDPOINT_BIT(ENDPOINT_UNIX) | ENDPOINT_BIT(ENDPOINT_TCP), fds, max,
	    err);
}

static void http_needs(
    const struct conf_section *conf, struct source_needs *out)
{
	out->connect = conf_string(conf, "forward")[0] != '\0';
}

static void http_close(struct source **sp);

static struct source *http_open(const struct source_env *env,
    const struct conf_section *conf, const struct source_cursor *cursors,
    size_t n, struct err *err)
{
	struct source *s = xcalloc(1, sizeof(*s));

	(void)cursors;
	(void)n;
	err->code = 0;
	s->env = *env;
	s->forward_refuses = conf_number(conf, "forward-fail") != 0;
	http_waiting_open(&s->waiting,
	    (size_t)conf_number(conf, "max-connections") + SPARE_PLACES);
	odd_init(&s->odd, env->name);
	http_json_init();
	if (read_words(&s->protocols, conf, err) == 0 &&
	    (s->peers = peers_new(conf, err)) != NULL &&
	    http_guard_open(&s->guard, conf, err) == 0 &&
	    ((s->forward = forward_new(conf, on_forwarded, s, err)) != NULL ||
		!err->code))
		s->server = make_server(s, conf, env, err);
	if (!s->server)
		http_close(&s);
	return s;
}

static void http_start(struct source *s, uv_loop_t *loop)
{
	s->loop = loop;
	if (s->forward)
		forward_start(s->forward, loop);
	http_server_start(s->server, loop);
}

static void http_stop(struct source *s)
{
	if (!s->loop || s->stopped)
		return;
	if (s->forward)
		forward_stop(s->forward);
	for (size_t i = 0; i < s->waiting.max; i++)
		if (s->waiting.places[i].request)
			answer(&s->waiting.places[i], STATUS_UNAVAILABLE, busy,
			    strlen(busy));
	http_server_stop(s->server);
	odd_flush(&s->odd, UINT64_MAX);
	s->stopped = true;
}

static void http_close(struct source **sp)
{
	struct source *s = *sp;

	*sp = NULL;
	if (!s)
		return;
	http_stop(s);
	/* The loop may have ended already: once more, for the handles. */
	if (s->loop)
		(void)uv_run(s->loop, UV_RUN_NOWAIT);
	http_server_free(&s->server);
	forward_free(&s->forward);
	http_guard_close(&s->guard);
	peers_free(&s->peers);
	http_waiting_close(&s->waiting);
	free(s);
}

static void http_counts(const struct source *s, struct matcher_counts *out)
{
	*out = s->counts;
	out->refused = s->odd.total - s->counts.odd;
}

const struct source_kind source_http = {
	.name = "http",
	.help = "Takes logins over HTTP: Dovecot's auth policy reports and "
		"events, and JSON of other programs.",
	.role = ROLE_RECEIVER,
	.options = http_options,
	.live = true,
	.tells_life = true,
	.sockets = http_sockets,
	.needs = http_needs,
	.open = http_open,
	.start = http_start,
	.stop = http_stop,
	.close = http_close,
	.counts = http_counts,
	.stored = http_stored,
};
