/* SPDX-License-Identifier: ISC */
/*
 * conn - one client of a listener. Each turn: one read, every whole request in
 * it answered, one send. What is left over (half a request, answers the client
 * does not take) is kept in buffers of its own, and a deadline runs from the
 * moment that began, however many small steps the client takes.
 *
 * Called by: server.c.  Calls: the kind's codec, the server's hooks.
 */
#include "conn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

enum { BUFFER_FIRST = 1024 };

static void on_ready(uv_poll_t *poll, int status, int events);

/* --- lists and buffers -----------------------------------------------------
 */

void conn_unlink(struct conn *c)
{
	struct conn_list *list = c->busy ? &c->port->busy : &c->port->idle;

	if (c->before)
		c->before->after = c->after;
	else
		list->first = c->after;
	if (c->after)
		c->after->before = c->before;
	else
		list->last = c->before;
	c->before = c->after = NULL;
}

void conn_link(struct conn *c, bool busy)
{
	struct conn_list *list = busy ? &c->port->busy : &c->port->idle;

	c->busy = busy;
	c->since = uv_now(c->port->server->loop);
	c->before = list->last;
	c->after = NULL;
	if (list->last)
		list->last->after = c;
	else
		list->first = c;
	list->last = c;
}

/* Moves to the end of the right list. A client that stays busy with the same
 * thing keeps its place, and so its deadline. */
static void set_busy(struct conn *c, bool busy, bool progress)
{
	if (busy && c->busy && !progress)
		return;
	conn_unlink(c);
	conn_link(c, busy);
}

static void release(struct conn *c, char **buffer, size_t size)
{
	if (!*buffer)
		return;
	free(*buffer);
	*buffer = NULL;
	c->port->server->held -= size;
}

static void release_in(struct conn *c)
{
	release(c, &c->in, c->in_size);
	c->in_len = c->in_size = 0;
}

/* Makes room for at least size bytes of input. False: all clients together
 * hold too much. */
static bool reserve_in(struct conn *c, size_t size)
{
	struct server *s = c->port->server;
	size_t next = c->in_size ? c->in_size : BUFFER_FIRST;

	while (next < size)
		next *= 2;
	if (next <= c->in_size)
		return true;
	if (s->held + next - c->in_size > CONN_HELD_MAX)
		return false;
	c->in = xrealloc(c->in, next, 1);
	s->held += next - c->in_size;
	c->in_size = next;
	return true;
}

/* Keeps what is not answered yet. rest may lie inside the buffer itself. */
static bool keep_in(struct conn *c, const char *rest, size_t len)
{
	if (!len) {
		release_in(c);
		return true;
	}
	if (!c->in && !reserve_in(c, len))
		return false;
	must(rest != NULL);
	memmove(c->in, rest, len);
	c->in_len = len;
	return true;
}

/* --- the end ---------------------------------------------------------------
 */

const char *conn_peer(const struct conn *c, char *out, size_t size)
{
	char addr[ADDR_TEXT_SIZE];

	if (endpoint_is_local(&c->port->listener->at)) {
		(void)snprintf(
		    out, size, "uid:%ld/pid:%ld", (long)c->uid, (long)c->pid);
		return out;
	}
	(void)addr_print(&c->addr, addr);
	(void)snprintf(out, size, "%s", addr);
	return out;
}

static void on_closed(uv_handle_t *handle)
{
	struct conn *c = handle->data;
	struct server *s = c->port->server;

	free(c);
	server_released(s);
}

void conn_close(struct conn *c, const char *reason)
{
	struct port *port = c->port;
	struct server_counts *counts = port->given.counts;
	char peer[64];

	if (reason) {
		atomic_fetch_add_explicit(
		    &counts->dropped, 1, memory_order_relaxed);
		log_warn(LOG_LISTENER_CLIENT, "listener=%s peer=%s reason=%s",
		    port->listener->name, conn_peer(c, peer, sizeof(peer)),
		    reason);
	}
	conn_unlink(c);
	release_in(c);
	release(c, &c->out, CONN_OUT_SIZE);
	/* Stops the poll at once, so that the descriptor may go. */
	uv_close((uv_handle_t *)&c->poll, on_closed);
	(void)close(c->fd);
	port->open--;
	port->server->open--;
	atomic_fetch_sub_explicit(&counts->open, 1, memory_order_relaxed);
}

/* --- writing ---------------------------------------------------------------
 */

static void watch(struct conn *c, int events)
{
	must(uv_poll_start(&c->poll, events, on_ready) == 0);
}

/* Sends; -1 when the client is gone, else how much of it went. */
static ssize_t send_some(const struct conn *c, const char *from, size_t len)
{
	ssize_t n;

	do
		n = send(c->fd, from, len, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == ENOBUFS))
		return 0;
	return n;
}

/* Sends the answers of this turn. False: the client is gone. */
static bool flush(struct conn *c, struct turn *t)
{
	struct server *s = c->port->server;
	ssize_t n = t->out_len ? send_some(c, s->out, t->out_len) : 0;

	if (n < 0)
		return false;
	if ((size_t)n < t->out_len) {
		c->out = xmalloc(CONN_OUT_SIZE);
		s->held += CONN_OUT_SIZE;
		c->out_len = t->out_len - (size_t)n;
		c->out_sent = 0;
		memcpy(c->out, s->out + n, c->out_len);
		c->blocked = true;
		watch(c, UV_WRITABLE);
	}
	t->out_len = 0;
	return true;
}

/* Writes on. True when everything is out. */
static bool write_on(struct conn *c)
{
	ssize_t n =
	    send_some(c, c->out + c->out_sent, c->out_len - c->out_sent);

	if (n < 0) {
		conn_close(c, "lost");
		return false;
	}
	c->out_sent += (size_t)n;
	if (c->out_sent < c->out_len)
		return false;
	release(c, &c->out, CONN_OUT_SIZE);
	c->out_len = c->out_sent = 0;
	c->blocked = false;
	watch(c, UV_READABLE);
	return true;
}

/* --- answering -------------------------------------------------------------
 */

/* The rest of what this client says is not looked at. */
static void refuse(struct conn *c, struct turn *t)
{
	char peer[64];

	turn_refuse(c->port, t);
	c->closing = true;
	/* A close with unread bytes resets a TCP connection, and the client
	 * might never see what we said. */
	c->lingering = t->out_len > 0;
	log_warn(LOG_LISTENER_CLIENT, "listener=%s peer=%s reason=bad-request",
	    c->port->listener->name, conn_peer(c, peer, sizeof(peer)));
}

/* Answers whole requests until there is none, or no room for another answer.
 * Returns how many bytes are done with. */
static size_t answer_all(
    struct conn *c, const char *in, size_t len, struct turn *t)
{
	struct server *s = c->port->server;
	const struct listener_kind *kind = c->port->given.kind;
	size_t done = 0;

	while (done < len && !c->closing) {
		size_t used = 0;
		enum decode d;
		if (sizeof(s->out) - t->out_len < LISTENER_REPLY_MAX)
			break;
		d = kind->decode(
		    c->view, in + done, len - done, &s->question, &used);
		if (d == DECODE_MORE && len - done < kind->request_max)
			break;
		if (d == DECODE_QUESTION) {
			turn_answer(c->port, c->view, t);
			done += used;
		} else if (d == DECODE_LAST) {
			turn_answer(c->port, c->view, t);
			done = len;
			c->closing = c->lingering = true;
		} else {
			refuse(c, t);
			done = len;
		}
	}
	return done;
}

/* Closes once everything is said. */
static void finish(struct conn *c)
{
	if (!c->lingering) {
		conn_close(c, NULL);
		return;
	}
	(void)shutdown(c->fd, SHUT_WR);
	set_busy(c, true, true);
}

/* True when there may be another whole request in what is left. */
static bool more_to_do(
    const struct conn *c, size_t done, size_t len, const struct turn *t)
{
	return !c->blocked && !c->closing && done < len &&
	       sizeof(c->port->server->out) - t->out_len < LISTENER_REPLY_MAX;
}

/* Serves the len bytes at in: the server's buffer, or the client's own. */
static void serve(struct conn *c, const char *in, size_t len)
{
	struct turn t = { 0 };
	size_t done = 0;
	bool full;

	do {
		done += answer_all(c, in + done, len - done, &t);
		full = more_to_do(c, done, len, &t);
		if (!flush(c, &t)) {
			turn_count(c->port, &t);
			conn_close(c, "lost");
			return;
		}
	} while (full && !c->blocked);
	turn_count(c->port, &t);
	if (!keep_in(c, in + done, len - done)) {
		conn_close(c, "too-many-unfinished-requests");
		return;
	}
	if (c->closing && !c->blocked) {
		finish(c);
		return;
	}
	set_busy(c, c->blocked || c->in_len > 0, done > 0);
}

/* --- reading ---------------------------------------------------------------
 */

/* The client has said all it wants to say. */
static void on_end(struct conn *c)
{
	if (c->in_len && !c->lingering)
		log_debug(LOG_LISTENER_CLIENT,
		    "listener=%s reason=ended-inside-request",
		    c->port->listener->name);
	conn_close(c, NULL);
}

static void on_readable(struct conn *c)
{
	struct server *s = c->port->server;
	char *into = s->in;
	size_t room = sizeof(s->in);
	ssize_t n;

	if (c->in_len) {
		if (!reserve_in(c, c->in_len + 1)) {
			conn_close(c, "too-many-unfinished-requests");
			return;
		}
		into = c->in + c->in_len;
		room = c->in_size - c->in_len;
	}
	n = recv(c->fd, into, room, 0);
	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			conn_close(c, "lost");
		return;
	}
	if (n == 0) {
		on_end(c);
	} else if (!c->lingering && c->in_len) {
		c->in_len += (size_t)n;
		serve(c, c->in, c->in_len);
	} else if (!c->lingering) {
		serve(c, s->in, (size_t)n);
	}
}

static void on_writable(struct conn *c)
{
	if (!write_on(c))
		return;
	if (c->closing) {
		finish(c);
		return;
	}
	set_busy(c, c->in_len > 0, true);
	if (c->in_len)
		serve(c, c->in, c->in_len);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
	struct conn *c = poll->data;

	if (status < 0)
		conn_close(c, "lost");
	else if (events & UV_WRITABLE)
		on_writable(c);
	else if (events & UV_READABLE)
		on_readable(c);
}

void conn_start(struct conn *c)
{
	struct port *port = c->port;

	c->poll.data = c;
	must(uv_poll_init(port->server->loop, &c->poll, c->fd) == 0);
	port->server->handles++;
	port->server->open++;
	port->open++;
	atomic_fetch_add_explicit(
	    &port->given.counts->open, 1, memory_order_relaxed);
	conn_link(c, false);
	watch(c, UV_READABLE);
	/* Who connects asks at once, and is mostly done by now. */
	on_readable(c);
}
