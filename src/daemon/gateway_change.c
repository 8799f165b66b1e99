/* SPDX-License-Identifier: ISC */
/*
 * gateway_change - grants and revocations of an http listener, passed on to the
 * keeper over a stream of lines. It answers them in order, so whoever waits
 * stands in a queue; one whose client was told to try later keeps its place.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "gateway_private.h"
#include "listener/http_change.h"

enum {
	STATUS_BAD = 400,
	STATUS_UNAVAILABLE = 503,
	WAITING_MAX = 64,
	WAIT_MS = 5000,
	LINE_MAX_BYTES = 4096,
	OUT_MAX = WAITING_MAX * HTTP_CHANGE_LINE,
	LOG_LINE = 2 * HTTP_CHANGE_LINE
};

struct waiting {
	struct http_request *request; /* NULL: its client has its answer */
	enum http_api_call call;
	uint64_t since; /* ms of the loop */
};

struct gateway_changes {
	struct gateway *gateway;
	uv_poll_t *poll; /* NULL: no keeper now */
	int fd;
	size_t first, count; /* of the ring */
	struct waiting waiting[WAITING_MAX];
	size_t in_used, out_used;
	char in[LINE_MAX_BYTES], out[OUT_MAX];
};

static struct waiting *nth(struct gateway_changes *c, size_t n)
{
	return &c->waiting[(c->first + n) % WAITING_MAX];
}

/* Whether it was stored is not known: a change made twice does no harm. */
static void give_up(struct waiting *w)
{
	struct http_request *r = w->request;

	w->request = NULL;
	if (r)
		gateway_refuse(r, STATUS_UNAVAILABLE,
		    "the keeper has not answered; try again");
}

/* --- the connection --------------------------------------------------------
 */

static void poll_closed(uv_handle_t *handle)
{
	free(handle);
}

static void disconnect(struct gateway_changes *c)
{
	if (!c->poll)
		return;
	(void)uv_poll_stop(c->poll);
	uv_close((uv_handle_t *)c->poll, poll_closed);
	c->poll = NULL;
	(void)close(c->fd);
	c->fd = -1;
	c->in_used = c->out_used = 0;
	for (; c->count > 0; c->count--) {
		give_up(nth(c, 0));
		c->first = (c->first + 1) % WAITING_MAX;
	}
}

/* The keeper has died, or dropped us: the supervisor will have another. */
static void lose(struct gateway_changes *c)
{
	const struct wire_path ask = { .h = { .type = WIRE_CHANNEL } };

	disconnect(c);
	if (wire_send(c->gateway->env->control, &ask.h, -1) < 0 &&
	    errno != EAGAIN)
		uv_stop(&c->gateway->loop.loop);
}

/* False: it has nobody to be for. */
static bool take_line(struct gateway_changes *c, const char *line, size_t len)
{
	char body[HTTP_CHANGE_ANSWER], quoted[LOG_LINE];
	struct waiting *w = nth(c, 0);
	struct http_request *r = w->request;
	unsigned status;

	if (c->count == 0)
		return false;
	c->first = (c->first + 1) % WAITING_MAX;
	c->count--;
	status = http_change_answer(w->call, line, len, body);
	if (status == STATUS_UNAVAILABLE) {
		(void)log_quote(line, len, quoted, sizeof(quoted));
		log_warn(LOG_LISTENER_ERROR, "listener=%s keeper=%s",
		    c->gateway->name, quoted);
	}
	w->request = NULL;
	if (r)
		http_reply(r, status, body, strlen(body));
	return true;
}

/* False: it is gone, or talks nonsense. */
static bool receive(struct gateway_changes *c)
{
	ssize_t n = recv(c->fd, c->in + c->in_used, sizeof(c->in) - c->in_used,
	    MSG_DONTWAIT);
	char *lf;

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0)
		return false;
	c->in_used += (size_t)n;
	while ((lf = memchr(c->in, '\n', c->in_used)) != NULL) {
		size_t len = (size_t)(lf - c->in);

		if (!take_line(c, c->in, len))
			return false;
		c->in_used -= len + 1;
		memmove(c->in, lf + 1, c->in_used);
	}
	return c->in_used < sizeof(c->in);
}

static void on_keeper(uv_poll_t *poll, int status, int events);

/* False: it is gone. */
static bool send_out(struct gateway_changes *c)
{
	ssize_t n = c->out_used ? send(c->fd, c->out, c->out_used,
				      MSG_NOSIGNAL | MSG_DONTWAIT)
				: 0;

	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return false;
	if (n > 0) {
		c->out_used -= (size_t)n;
		memmove(c->out, c->out + n, c->out_used);
	}
	return uv_poll_start(c->poll,
		   c->out_used ? UV_READABLE | UV_WRITABLE | UV_DISCONNECT
			       : UV_READABLE | UV_DISCONNECT,
		   on_keeper) == 0;
}

static void on_keeper(uv_poll_t *poll, int status, int events)
{
	struct gateway_changes *c = poll->data;

	(void)events;
	if (status < 0 || !receive(c) || !send_out(c))
		lose(c);
}

void gateway_changes_connect(struct gateway_changes *c, int fd)
{
	disconnect(c);
	c->fd = fd;
	c->poll = xcalloc(1, sizeof(*c->poll));
	must(uv_poll_init(&c->gateway->loop.loop, c->poll, fd) == 0);
	c->poll->data = c;
	if (!send_out(c))
		lose(c);
}

/* --- changes ---------------------------------------------------------------
 */

static void log_change(struct gateway *g, const struct http_request *r,
    const char *line, size_t len)
{
	char peer[HTTP_PEER_TEXT], quoted[LOG_LINE];

	(void)log_quote(line, len - 1, quoted, sizeof(quoted));
	log_info(LOG_CONTROL, "listener=%s peer=%s change=%s", g->name,
	    http_peer_text(http_request_peer(r), peer), quoted);
}

void gateway_change(struct gateway *g, struct http_request *r,
    enum http_api_call call, const char *body, size_t len)
{
	struct gateway_changes *c = g->changes;
	char line[HTTP_CHANGE_LINE];
	const char *why = NULL;
	size_t n = http_change_read(call, body, len, line, &why);

	if (n == 0) {
		atomic_fetch_add_explicit(
		    &g->counts->bad, 1, memory_order_relaxed);
		gateway_refuse(r, STATUS_BAD, why);
		return;
	}
	if (!c || !c->poll || c->count == WAITING_MAX ||
	    n > sizeof(c->out) - c->out_used) {
		gateway_refuse(r, STATUS_UNAVAILABLE,
		    "the keeper takes no changes now; try again");
		return;
	}
	log_change(g, r, line, n);
	*nth(c, c->count++) =
	    (struct waiting){ r, call, uv_now(&g->loop.loop) };
	memcpy(c->out + c->out_used, line, n);
	c->out_used += n;
	if (!send_out(c))
		lose(c);
}

void gateway_changes_second(struct gateway_changes *c)
{
	uint64_t now = uv_now(&c->gateway->loop.loop);

	for (size_t i = 0; i < c->count; i++) {
		struct waiting *w = nth(c, i);

		if (now - w->since >= WAIT_MS)
			give_up(w);
	}
}

/* --- life ------------------------------------------------------------------
 */

struct gateway_changes *gateway_changes_new(struct gateway *g)
{
	struct gateway_changes *c = xcalloc(1, sizeof(*c));

	c->gateway = g;
	c->fd = -1;
	return c;
}

void gateway_changes_stop(struct gateway_changes *c)
{
	disconnect(c);
}

void gateway_changes_free(struct gateway_changes **c)
{
	free(*c);
	*c = NULL;
}
