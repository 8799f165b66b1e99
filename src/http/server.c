/* SPDX-License-Identifier: ISC */
/*
 * server - libmicrohttpd without threads: it has an epoll descriptor of its
 * own, which libuv watches. Not here: connections (accept.c).
 *
 * A request that waits for its answer is suspended: nothing is read from its
 * connection meanwhile.
 */
#include "server.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/mem.h"
#include "json.h"
#include "server_private.h"

enum {
	MEMORY = 16 * 1024, /* of one connection: head, and the reply's head */
	BODY_FIRST = 1024
};

void http_request_odd(struct http_request *r, const char *what)
{
	http_accept_odd(r->server, &r->peer, what);
}

void http_request_set(struct http_request *r, unsigned number)
{
	r->number = number;
}

unsigned http_request_get(const struct http_request *r)
{
	return r->number;
}

const struct http_peer *http_request_peer(const struct http_request *r)
{
	return &r->peer;
}

size_t http_server_connections(const struct http_server *s)
{
	return s->open;
}

/* --- libmicrohttpd's turn --------------------------------------------------
 */

static void on_again(uv_timer_t *timer);

void http_server_turn(struct http_server *s)
{
	MHD_UNSIGNED_LONG_LONG ms;

	(void)MHD_run(s->mhd);
	if (MHD_get_timeout(s->mhd, &ms) == MHD_YES)
		(void)uv_timer_start(&s->again, on_again, ms, 0);
	else
		(void)uv_timer_stop(&s->again);
}

static void on_again(uv_timer_t *timer)
{
	http_server_turn(timer->data);
}

static void on_events(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	http_server_turn(poll->data);
}

/* --- requests --------------------------------------------------------------
 */

/* By its length, too: libmicrohttpd lets a NUL pass. */
static struct http_text *place_of(const struct http_server *s,
    struct http_head *h, const char *name, size_t len)
{
	const struct {
		const char *name;
		struct http_text *place;
	} rows[] = {
		{ "Host", &h->host },
		{ "Origin", &h->origin },
		{ "Content-Type", &h->type },
		{ "Content-Length", &h->length },
		{ "Transfer-Encoding", &h->coding },
		{ "Authorization", &h->authorization },
		{ s->o.header ? s->o.header : "", &h->key },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (strlen(rows[i].name) == len &&
		    strcasecmp(rows[i].name, name) == 0)
			return rows[i].place;
	return NULL;
}

struct head_reader {
	const struct http_server *server;
	struct http_head *head;
};

static enum MHD_Result on_value(void *cls, enum MHD_ValueKind kind,
    const char *name, size_t name_len, const char *value, size_t len)
{
	const struct head_reader *reader = cls;
	struct http_head *h = reader->head;
	struct http_text *place = NULL;

	if (kind == MHD_HEADER_KIND)
		place = place_of(reader->server, h, name, name_len);
	else if (name_len == strlen("command") && strcmp(name, "command") == 0)
		place = &h->command;
	if (!place)
		return MHD_YES;
	h->repeated |= place->text != NULL;
	*place = (struct http_text){ value ? value : "", value ? len : 0 };
	return MHD_YES;
}

static void read_head(struct http_request *r, const char *method,
    const char *path, struct http_head *h)
{
	struct head_reader reader = { r->server, h };
	const union MHD_ConnectionInfo *info;

	memset(h, 0, sizeof(*h));
	h->method = method;
	h->path = path;
	h->target = r->target;
	info = MHD_get_connection_info(
	    r->connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
	h->size = info ? info->header_size : 0;
	(void)MHD_get_connection_values_n(
	    r->connection, MHD_HEADER_KIND, on_value, &reader);
	(void)MHD_get_connection_values_n(
	    r->connection, MHD_GET_ARGUMENT_KIND, on_value, &reader);
}

static bool add_body(struct http_request *r, const char *bytes, size_t len)
{
	if (len > HTTP_BODY_MAX - r->body_len)
		return false;
	while (r->body_len + len > r->body_size) {
		r->body_size = r->body_size ? 2 * r->body_size : BODY_FIRST;
		r->body = xrealloc(r->body, r->body_size, 1);
	}
	memcpy(r->body + r->body_len, bytes, len);
	r->body_len += len;
	return true;
}

static enum MHD_Result send_answer(struct http_request *r)
{
	enum MHD_Result result =
	    MHD_queue_response(r->connection, r->status, r->response);

	MHD_destroy_response(r->response);
	r->response = NULL;
	r->state = SENT;
	r->since = uv_now(r->server->loop);
	return result;
}

static enum MHD_Result too_late(struct http_request *r)
{
	static const char body[] = "{\"error\":\"stopping\"}";

	r->state = BODY;
	http_reply(r, MHD_HTTP_SERVICE_UNAVAILABLE, body, strlen(body));
	return send_answer(r);
}

static enum MHD_Result begin(
    struct http_request *r, const char *method, const char *path)
{
	const struct http_handler *h = &r->server->handler;
	struct http_head head;

	if (r->server->stopping)
		return too_late(r);
	read_head(r, method, path, &head);
	r->state = BODY;
	if (h->head(h->ctx, r, &head))
		return MHD_YES;
	must(r->state == ANSWERED);
	return send_answer(r);
}

static enum MHD_Result finish(struct http_request *r)
{
	const struct http_handler *h = &r->server->handler;

	if (r->server->stopping)
		return too_late(r);
	r->state = WAITING;
	h->body(h->ctx, r, r->body ? r->body : "", r->body_len);
	if (r->state == ANSWERED)
		return send_answer(r);
	r->suspended = true;
	MHD_suspend_connection(r->connection);
	return MHD_YES;
}

/* Called once with the head, then with pieces of the body, then with none; and
 * again when a suspended request goes on. */
static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection,
    const char *path, const char *method, const char *version,
    const char *bytes, size_t *len, void **context)
{
	struct http_request *r = *context;
	size_t n = *len;

	(void)cls;
	(void)connection;
	(void)version;
	if (r->state == STARTED)
		return begin(r, method, path);
	if (r->state == ANSWERED)
		return send_answer(r);
	if (r->state != BODY)
		return MHD_YES;
	if (n == 0)
		return finish(r);
	*len = 0;
	if (add_body(r, bytes, n))
		return MHD_YES;
	/* Chunks without end: no answer can be sent before the last one. */
	http_request_odd(r, "too-large");
	return MHD_NO;
}

/* The request line is there. What is returned becomes the context above. */
static void *on_request_line(
    void *cls, const char *uri, struct MHD_Connection *connection)
{
	struct http_server *s = cls;
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
	    connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct http_request *r = info->socket_context;

	free(r->target);
	r->target = xstrdup(uri);
	r->served = true;
	r->state = STARTED;
	r->since = uv_now(s->loop);
	return r;
}

static void on_completed(void *cls, struct MHD_Connection *connection,
    void **context, enum MHD_RequestTerminationCode code)
{
	struct http_request *r = *context;

	(void)cls;
	(void)connection;
	(void)code;
	if (!r)
		return;
	free(r->body);
	free(r->target);
	r->body = r->target = NULL;
	r->body_len = r->body_size = 0;
	if (r->response)
		MHD_destroy_response(r->response);
	r->response = NULL;
	r->number = 0;
	http_accept_idle(r);
	*context = NULL;
}

static struct MHD_Response *make_response(const struct http_answer *a)
{
	struct MHD_Response *response =
	    MHD_create_response_from_buffer(a->len, (void *)(uintptr_t)a->body,
		a->fixed ? MHD_RESPMEM_PERSISTENT : MHD_RESPMEM_MUST_COPY);

	must(response != NULL);
	(void)MHD_add_response_header(
	    response, "Content-Type", a->type ? a->type : "application/json");
	(void)MHD_add_response_header(response, "Cache-Control", "no-store");
	if (a->status == MHD_HTTP_METHOD_NOT_ALLOWED)
		(void)MHD_add_response_header(
		    response, "Allow", a->allow ? a->allow : "POST");
	if (a->status == MHD_HTTP_UNAUTHORIZED)
		(void)MHD_add_response_header(
		    response, "WWW-Authenticate", "Bearer");
	return response;
}

void http_answer(struct http_request *r, const struct http_answer *a)
{
	must(r->state == BODY || r->state == WAITING);
	r->response = make_response(a);
	r->status = a->status;
	r->state = ANSWERED;
	if (r->suspended) {
		r->suspended = false;
		MHD_resume_connection(r->connection);
		/* Nothing else makes it look. */
		if (r->server->started)
			(void)uv_timer_start(&r->server->again, on_again, 0, 0);
	}
}

void http_reply(
    struct http_request *r, unsigned status, const char *body, size_t len)
{
	const struct http_answer a = {
		.status = status, .body = body, .len = len
	};

	http_answer(r, &a);
}

/* --- life ------------------------------------------------------------------
 */

/* Without locks, where it can tell: there is one thread. */
#if MHD_VERSION >= 0x00097707
#define ONE_THREAD MHD_USE_NO_THREAD_SAFETY
#else
#define ONE_THREAD 0
#endif

static struct MHD_Daemon *start_mhd(struct http_server *s)
{
	return MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME |
				    MHD_USE_NO_LISTEN_SOCKET | ONE_THREAD,
	    0, NULL, NULL, on_request, s, MHD_OPTION_CONNECTION_LIMIT,
	    (unsigned)(s->o.max_connections + ACCEPTS_A_TURN),
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY,
	    MHD_OPTION_CONNECTION_TIMEOUT, 0U, MHD_OPTION_STRICT_FOR_CLIENT, 1,
	    MHD_OPTION_NOTIFY_CONNECTION, http_accept_notify, s,
	    MHD_OPTION_NOTIFY_COMPLETED, on_completed, s,
	    MHD_OPTION_URI_LOG_CALLBACK, on_request_line, s, MHD_OPTION_END);
}

struct http_server *http_server_new(const struct http_server_options *o,
    const int *fds, size_t n, const struct http_handler *handler,
    struct err *err)
{
	struct http_server *s = xcalloc(1, sizeof(*s));

	must(n <= PORTS_MAX);
	/* The first Date would read the zone's file. */
	tzset();
	s->o = *o;
	s->handler = *handler;
	s->port_count = n;
	for (size_t i = 0; i < n; i++) {
		s->ports[i].server = s;
		s->ports[i].fd = fds[i];
	}
	s->mhd = start_mhd(s);
	if (s->mhd)
		return s;
	(void)err_set(err, EXIT_AGAIN, "%s %s: libmicrohttpd does not start",
	    o->what, o->name);
	free(s);
	return NULL;
}

void http_server_start(struct http_server *s, uv_loop_t *loop)
{
	const union MHD_DaemonInfo *info =
	    MHD_get_daemon_info(s->mhd, MHD_DAEMON_INFO_EPOLL_FD);

	s->loop = loop;
	s->started = true;
	must(info != NULL);
	must(uv_poll_init(loop, &s->events, info->epoll_fd) == 0);
	s->events.data = s;
	must(uv_poll_start(&s->events, UV_READABLE, on_events) == 0);
	must(uv_timer_init(loop, &s->again) == 0);
	s->again.data = s;
	http_accept_start(s);
}

void http_server_stop(struct http_server *s)
{
	if (!s->started)
		return;
	s->started = false;
	/* The last answers go out as far as their clients take them. What is
	 * read meanwhile must not wait: libmicrohttpd stops only when nothing
	 * is suspended, and aborts otherwise. */
	s->stopping = true;
	(void)MHD_run(s->mhd);
	(void)MHD_run(s->mhd);
	http_accept_stop(s);
	uv_close((uv_handle_t *)&s->events, NULL);
	uv_close((uv_handle_t *)&s->again, NULL);
	MHD_stop_daemon(s->mhd);
	s->mhd = NULL;
}

void http_server_free(struct http_server **sp)
{
	struct http_server *s = *sp;

	*sp = NULL;
	if (!s)
		return;
	must(!s->started);
	if (s->mhd)
		MHD_stop_daemon(s->mhd);
	free(s);
}
