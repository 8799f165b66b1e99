/* SPDX-License-Identifier: ISC */
/*
 * http_forward - a small HTTP/1.1 client. Plain sockets and uv_poll: libuv's
 * own streams open a file at their first use, which is after the lock-down.
 *
 * Every request waits in one list, oldest first, until its answer or its
 * deadline; as all have the same time, the list is in the order of deadlines,
 * and one timer serves it. A connection carries one request at a time. One that
 * was kept may have been closed meanwhile by the other side: then, and only
 * then, its request is sent once more on a new one.
 */
#include "http_forward.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "http_target.h"

enum { LINKS_MAX = 32, QUEUE_MAX = 1024, HEAD_SIZE = 2048 };

struct link;

struct request {
	struct request *prev, *next;
	struct link *link; /* NULL: waits for one */
	uint64_t token, deadline;
	bool again; /* it was sent once before */
	size_t len; /* of head and body */
	char bytes[];
};

/* A connection to the other server. */
struct link {
	uv_poll_t poll;
	int fd;
	struct forward *forward;
	struct request *request; /* NULL: free */
	bool connected, used;    /* used: an answer came over it */
	size_t sent, got;        /* bytes of the request, of the answer */
	char bytes[HTTP_RESPONSE_MAX];
};

struct forward {
	const char *name;
	struct http_target target;
	uint64_t timeout;
	forward_done_fn *done;
	void *ctx;
	uv_loop_t *loop;
	uv_timer_t timer;
	struct link *links[LINKS_MAX]; /* NULL: none there */
	struct request *first, *last;
	size_t count;
	uint64_t failed;
	bool started, stopped, serving;
	struct http_response response;
};

struct forward *forward_new(const struct conf_section *conf,
    forward_done_fn *done, void *ctx, struct err *err)
{
	struct forward *f;

	if (!conf_string(conf, "forward")[0])
		return NULL;
	f = xcalloc(1, sizeof(*f));
	f->name = conf_name(conf);
	f->done = done;
	f->ctx = ctx;
	f->timeout = (uint64_t)conf_number(conf, "forward-timeout");
	if (http_target_read(&f->target, conf, err) < 0)
		forward_free(&f);
	return f;
}

uint64_t forward_failed(const struct forward *f)
{
	return f->failed;
}

/* --- requests --------------------------------------------------------------
 */

static void list_add(struct forward *f, struct request *r)
{
	r->next = NULL;
	r->prev = f->last;
	*(f->last ? &f->last->next : &f->first) = r;
	f->last = r;
	f->count++;
}

static void list_remove(struct forward *f, struct request *r)
{
	if (r == f->first)
		f->first = r->next;
	else
		r->prev->next = r->next;
	if (r == f->last)
		f->last = r->prev;
	else
		r->next->prev = r->prev;
	f->count--;
}

/* The answer, or NULL, to whoever waits for it. */
static void finish(
    struct forward *f, struct request *r, const struct http_response *answer)
{
	uint64_t token = r->token;

	list_remove(f, r);
	if (r->link)
		r->link->request = NULL;
	explicit_bzero(r->bytes, r->len);
	free(r);
	if (!answer)
		f->failed++;
	if (token)
		f->done(f->ctx, token, answer);
}

/* --- connections -----------------------------------------------------------
 */

static void serve(struct forward *f);

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

/* Ends a connection; what it carried is the caller's. */
static void drop(struct link *l)
{
	struct forward *f = l->forward;

	for (size_t i = 0; i < LINKS_MAX; i++)
		if (f->links[i] == l)
			f->links[i] = NULL;
	if (l->request)
		l->request->link = NULL;
	l->request = NULL;
	uv_close((uv_handle_t *)&l->poll, on_closed);
	(void)close(l->fd);
}

static void fail(struct forward *f, struct request *r, const char *error)
{
	log_warn(LOG_SOURCE_ERROR, "source=%s forward=%s error=\"%s\"", f->name,
	    f->target.host, error);
	finish(f, r, NULL);
}

/* The connection is no good. */
static void lose(struct link *l, const char *error)
{
	struct forward *f = l->forward;
	struct request *r = l->request;
	bool retry = r && l->used && l->got == 0 && !r->again;

	drop(l);
	if (retry)
		r->again = true;
	else if (r)
		fail(f, r, error);
	serve(f);
}

static void on_event(uv_poll_t *poll, int status, int events);

/* Room for the rest of the request is waited for only while there is one. */
static void wait_for(struct link *l, bool room)
{
	(void)uv_poll_start(
	    &l->poll, UV_READABLE | (room ? UV_WRITABLE : 0), on_event);
}

/* False: the connection is gone. */
static bool put(struct link *l)
{
	const struct request *r = l->request;
	ssize_t n = send(l->fd, r->bytes + l->sent, r->len - l->sent,
	    MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		lose(l, strerror(errno));
		return false;
	}
	if (n > 0)
		l->sent += (size_t)n;
	wait_for(l, l->sent < r->len);
	return true;
}

/* What has come so far. end: no more will. */
static void look_at(struct link *l, bool end)
{
	struct forward *f = l->forward;
	struct request *r = l->request;
	enum http_parse got;

	if (!r) {
		/* Nobody asked, or it closes what is kept. */
		drop(l);
		return;
	}
	if (end && l->got == 0) {
		lose(l, "it closed early");
		return;
	}
	got = http_response_parse(l->bytes, l->got, end, &f->response);
	if (got == HTTP_PARSE_MORE)
		return;
	if (got == HTTP_PARSE_BAD) {
		lose(l, "its answer is no HTTP");
		return;
	}
	/* An answer before the question is out leaves bytes on their way. */
	if (!f->response.keep || l->sent < r->len)
		drop(l);
	l->got = 0;
	l->used = true;
	finish(f, r, &f->response);
	serve(f);
}

static void take(struct link *l)
{
	/* A whole buffer has been parsed: there is room. */
	ssize_t n = recv(
	    l->fd, l->bytes + l->got, sizeof(l->bytes) - l->got, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		lose(l, strerror(errno));
		return;
	}
	l->got += (size_t)n;
	look_at(l, n == 0);
}

/* What became of connect(2); 0: it is there. */
static int connect_error(const struct link *l)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return errno;
	return error;
}

static void on_event(uv_poll_t *poll, int status, int events)
{
	struct link *l = poll->data;

	if (!l->connected) {
		int error = connect_error(l);

		if (error || status < 0) {
			lose(l, error ? strerror(error) : uv_strerror(status));
			return;
		}
		l->connected = true;
		wait_for(l, l->request != NULL);
	}
	if (status < 0) {
		lose(l, uv_strerror(status));
		return;
	}
	if ((events & UV_WRITABLE) && l->request && l->sent < l->request->len &&
	    !put(l))
		return;
	if (events & UV_READABLE)
		take(l);
}

/* Begins to connect. NULL: errno says why not. */
static struct link *make_link(struct forward *f, size_t at)
{
	const int on = 1;
	AUTO_CLOSE int fd = socket(f->target.to.ss_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct link *l;

	if (fd < 0)
		return NULL;
	if (connect(fd, (const struct sockaddr *)&f->target.to,
		sizeof(f->target.to)) < 0 &&
	    errno != EINPROGRESS)
		return NULL;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	l = xcalloc(1, sizeof(*l));
	l->forward = f;
	l->fd = take_fd(&fd);
	must(uv_poll_init(f->loop, &l->poll, l->fd) == 0);
	l->poll.data = l;
	f->links[at] = l;
	wait_for(l, true);
	return l;
}

/* A free connection, or a new one; NULL: all are busy, or *error says why. */
static struct link *find_link(struct forward *f, int *error)
{
	size_t gap = LINKS_MAX;
	struct link *l;

	*error = 0;
	for (size_t i = 0; i < LINKS_MAX; i++) {
		l = f->links[i];
		if (!l)
			gap = i < gap ? i : gap;
		else if (!l->request && l->connected)
			return l;
	}
	if (gap == LINKS_MAX)
		return NULL;
	l = make_link(f, gap);
	*error = l ? 0 : errno;
	return l;
}

static struct request *find_waiting(const struct forward *f)
{
	struct request *r = f->first;

	while (r && r->link)
		r = r->next;
	return r;
}

/* Gives requests that wait to connections. What fails meanwhile comes here
 * again, and is left to the one that runs already. */
static void serve(struct forward *f)
{
	struct request *r;
	int error = 0;

	if (f->serving)
		return;
	f->serving = true;
	while (!f->stopped && (r = find_waiting(f)) != NULL) {
		struct link *l = find_link(f, &error);

		if (!l && !error)
			break;
		if (!l) {
			fail(f, r, strerror(error));
			continue;
		}
		l->request = r;
		l->sent = 0;
		r->link = l;
		if (l->connected)
			(void)put(l);
	}
	f->serving = false;
}

/* --- deadlines -------------------------------------------------------------
 */

static void on_timer(uv_timer_t *timer)
{
	struct forward *f = timer->data;
	uint64_t now = uv_now(f->loop);
	size_t late = 0;

	while (f->first && f->first->deadline <= now) {
		struct request *r = f->first;

		if (r->link)
			drop(r->link);
		finish(f, r, NULL);
		late++;
	}
	if (late)
		log_warn(LOG_SOURCE_ERROR,
		    "source=%s forward=%s error=\"no answer in time\" "
		    "requests=%zu",
		    f->name, f->target.host, late);
	serve(f);
	if (f->first)
		(void)uv_timer_start(
		    timer, on_timer, f->first->deadline - now, 0);
}

bool forward_send(struct forward *f, uint64_t token, const char *command,
    const char *body, size_t len)
{
	struct request *r;
	char head[HEAD_SIZE];
	int n;

	if (f->stopped || f->count >= QUEUE_MAX)
		return false;
	n = snprintf(head, sizeof(head),
	    "POST %s?command=%s HTTP/1.1\r\nHost: %s\r\n%s"
	    "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
	    f->target.path, command, f->target.host, f->target.field, len);
	must(n > 0 && n < (int)sizeof(head));
	r = xmalloc(sizeof(*r) + (size_t)n + len);
	memset(r, 0, sizeof(*r));
	r->token = token;
	r->deadline = uv_now(f->loop) + f->timeout;
	r->len = (size_t)n + len;
	memcpy(r->bytes, head, (size_t)n);
	memcpy(r->bytes + n, body, len);
	explicit_bzero(head, sizeof(head));
	list_add(f, r);
	if (!uv_is_active((uv_handle_t *)&f->timer))
		(void)uv_timer_start(&f->timer, on_timer, f->timeout, 0);
	serve(f);
	return true;
}

/* --- life ------------------------------------------------------------------
 */

void forward_start(struct forward *f, uv_loop_t *loop)
{
	f->loop = loop;
	f->started = true;
	must(uv_timer_init(loop, &f->timer) == 0);
	f->timer.data = f;
}

void forward_stop(struct forward *f)
{
	if (f->stopped)
		return;
	f->stopped = true;
	for (size_t i = 0; i < LINKS_MAX; i++)
		if (f->links[i])
			drop(f->links[i]);
	while (f->first)
		finish(f, f->first, NULL);
	if (f->started)
		uv_close((uv_handle_t *)&f->timer, NULL);
}

void forward_free(struct forward **fp)
{
	struct forward *f = *fp;

	*fp = NULL;
	if (!f)
		return;
	must(!f->first);
	explicit_bzero(f->target.field, sizeof(f->target.field));
	free(f);
}
