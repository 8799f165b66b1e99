/* SPDX-License-Identifier: ISC */
/*
 * control - the keeper's control socket, for `relaypass list grant revoke watch
 * status mode`. One line of words and key=value pairs (base/kv.h) asks; lines
 * answer, and the last one begins with ok, no or error:
 *   > revoke address=192.0.2.7 for=600
 *   < ok count=1
 * Not here: the verbs (control_verbs.c, control_list.c).
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "base/log.h"
#include "base/mem.h"
#include "control_private.h"

enum {
	CLIENTS_MAX = 64,
	OUT_MAX =
	    1024 * 1024, /* one who watches and does not read is dropped */
	IDLE_MS = 60000,
	AGAIN_MS = 1000
};

static void client_update(struct client *c);

/* --- output ----------------------------------------------------------------
 */

void client_put(struct client *c, const char *text, size_t len)
{
	if (c->closing || c->out_used + len > OUT_MAX) {
		c->closing = true;
		return;
	}
	if (c->out_used + len > c->out_size) {
		c->out_size = c->out_used + len + LINE_SIZE;
		c->out = xrealloc(c->out, c->out_size, 1);
	}
	memcpy(c->out + c->out_used, text, len);
	c->out_used += len;
}

void client_say(struct client *c, const char *format, ...)
{
	char line[LINE_SIZE];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(line, sizeof(line) - 1, format, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(line) - 1)
		n = (int)strlen(line);
	line[n] = '\n';
	client_put(c, line, (size_t)n + 1);
}

/* --- clients ---------------------------------------------------------------
 */

static void handle_closed(uv_handle_t *handle)
{
	struct client *c = handle->data;

	if (--c->handles > 0)
		return;
	(void)close(c->fd);
	client_import_end(c);
	free(c->out);
	free(c);
}

static void client_drop(struct client *c)
{
	struct client **at = &c->control->clients;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	c->control->count--;
	if (c->watching)
		c->control->watchers--;
	(void)uv_poll_stop(&c->poll);
	uv_close((uv_handle_t *)&c->poll, handle_closed);
	uv_close((uv_handle_t *)&c->idle, handle_closed);
}

/* Sends what waits, and lists on. False: the client is gone. */
static bool client_send(struct client *c)
{
	if (c->out_sent == c->out_used && c->listing)
		client_list_on(c);
	while (c->out_sent < c->out_used) {
		ssize_t n = send(c->fd, c->out + c->out_sent,
		    c->out_used - c->out_sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		c->out_sent += (size_t)n;
	}
	c->out_sent = c->out_used = 0;
	return true;
}

/* Obeys every whole line, up to one whose answer takes longer. */
static void obey_all(struct client *c)
{
	char *lf;

	while (!c->listing && !c->closing &&
	       (lf = memchr(c->in, '\n', c->in_used)) != NULL) {
		size_t len = (size_t)(lf - c->in);

		client_obey(c, c->in, len);
		c->in_used -= len + 1;
		memmove(c->in, lf + 1, c->in_used);
	}
}

/* False: the client is gone or talks too long. */
static bool client_read(struct client *c)
{
	size_t room = sizeof(c->in) - c->in_used;
	ssize_t n;

	if (c->ended || !room)
		return true; /* has_more() decides */
	n = recv(c->fd, c->in + c->in_used, room, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0)
		c->ended = true;
	c->in_used += (size_t)n;
	return true;
}

/* False: it has all it asked for, or what it says is no line. */
static bool has_more(const struct client *c)
{
	if (c->closing)
		return false;
	if (c->listing || c->out_used)
		return true;
	return !c->ended && c->in_used < sizeof(c->in);
}

static void on_client(uv_poll_t *poll, int status, int events)
{
	struct client *c = poll->data;
	bool alive = status >= 0;

	if (alive && (events & (UV_READABLE | UV_DISCONNECT)))
		alive = client_read(c);
	if (alive) {
		obey_all(c);
		alive = client_send(c);
	}
	/* A `list` may have ended before lines that wait. */
	if (alive)
		obey_all(c);
	if (alive && has_more(c))
		client_update(c);
	else
		client_drop(c);
}

static void on_idle(uv_timer_t *timer)
{
	client_drop(timer->data);
}

static void client_update(struct client *c)
{
	bool full = c->in_used == sizeof(c->in);
	int events = c->listing || c->ended || full ? 0 : UV_READABLE;

	if (c->out_used || c->listing)
		events |= UV_WRITABLE;
	/* Told once that it says nothing more; the rest shows when we write. */
	if (!c->ended && !full)
		events |= UV_DISCONNECT;
	(void)uv_poll_start(&c->poll, events, on_client);
	if (c->closing)
		(void)uv_timer_start(&c->idle, on_idle, 0, 0);
	else if (c->watching || c->adopted)
		(void)uv_timer_stop(&c->idle);
	else
		(void)uv_timer_start(&c->idle, on_idle, IDLE_MS, 0);
}

static void client_new(struct control *k, int fd, bool adopted)
{
	struct client *c = xcalloc(1, sizeof(*c));

	c->control = k;
	c->fd = fd;
	c->adopted = adopted;
	c->handles = 2;
	c->next = k->clients;
	k->clients = c;
	k->count++;
	must(uv_poll_init(k->loop, &c->poll, fd) == 0);
	must(uv_timer_init(k->loop, &c->idle) == 0);
	c->poll.data = c->idle.data = c;
	client_update(c);
}

static void on_listening(uv_poll_t *poll, int status, int events);

static void on_again(uv_timer_t *timer)
{
	struct control *k = timer->data;

	(void)uv_poll_start(&k->listening, UV_READABLE, on_listening);
}

static void on_listening(uv_poll_t *poll, int status, int events)
{
	struct control *k = poll->data;
	int fd = accept4(k->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd >= 0 && k->count < CLIENTS_MAX) {
		client_new(k, fd, false);
	} else if (fd >= 0) {
		(void)close(fd);
		log_warn(LOG_CONTROL, "refused=too-many-clients");
	} else if (status < 0 || errno == EMFILE || errno == ENFILE ||
		   errno == ENOBUFS || errno == ENOMEM) {
		/* Who waits there would wake us again at once. */
		log_warn(LOG_CONTROL, "accept=\"%s\"", strerror(errno));
		(void)uv_poll_stop(poll);
		(void)uv_timer_start(&k->again, on_again, AGAIN_MS, 0);
	}
}

void control_adopt(struct control *k, int fd)
{
	if (k)
		client_new(k, fd, true);
	else
		(void)close(fd);
}

bool control_is_watched(const struct control *c)
{
	return c && c->watchers > 0;
}

void control_broadcast(struct control *k, const char *line, size_t len)
{
	for (struct client *c = k->clients; c; c = c->next) {
		if (!c->watching)
			continue;
		client_put(c, line, len);
		client_update(c);
	}
}

struct control *control_new(struct keeper *k, uv_loop_t *loop, int listening)
{
	struct control *c = xcalloc(1, sizeof(*c));

	c->keeper = k;
	c->loop = loop;
	c->fd = listening;
	must(uv_timer_init(loop, &c->again) == 0);
	c->again.data = c;
	must(uv_poll_init(loop, &c->listening, listening) == 0);
	c->listening.data = c;
	must(uv_poll_start(&c->listening, UV_READABLE, on_listening) == 0);
	return c;
}

void control_free(struct control **c)
{
	if (!*c)
		return;
	while ((*c)->clients)
		client_drop((*c)->clients);
	uv_close((uv_handle_t *)&(*c)->listening, NULL);
	uv_close((uv_handle_t *)&(*c)->again, NULL);
	(void)uv_run((*c)->loop, UV_RUN_NOWAIT); /* the close callbacks */
	free(*c);
	*c = NULL;
}
