/* SPDX-License-Identifier: ISC */
/*
 * inlet_stream - one connection of an inlet. Each turn: one read, every whole
 * request in it handed to the protocol, one send. What is left over (half a
 * request, a request behind one whose reply is awaited, replies the client does
 * not take) is kept in buffers of its own, and a deadline runs from the moment
 * that began, however many small steps the client takes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "inlet_private.h"

enum {
	BUFFER_FIRST = 1024,
	SEND_FIRST = 16384 /* with so many replies, before the next request */
};

static void serve(struct inlet_stream *c, const uint8_t *in, size_t len);

/* --- lists and buffers -----------------------------------------------------
 */

static void leave(struct inlet_stream *c)
{
	struct inlet_list *list = c->busy ? &c->inlet->busy : &c->inlet->idle;

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

static void join(struct inlet_stream *c, bool busy)
{
	struct inlet_list *list = busy ? &c->inlet->busy : &c->inlet->idle;

	c->busy = busy;
	c->since = uv_now(c->inlet->loop);
	c->before = list->last;
	c->after = NULL;
	if (list->last)
		list->last->after = c;
	else
		list->first = c;
	list->last = c;
}

/* Who stays busy with the same thing keeps its place, and so its deadline. */
static void set_busy(struct inlet_stream *c, bool busy, bool progress)
{
	if (busy && c->busy && !progress)
		return;
	leave(c);
	join(c, busy);
}

static void release(struct inlet_stream *c, uint8_t **buffer, size_t *size)
{
	free(*buffer);
	*buffer = NULL;
	c->inlet->held -= *size;
	*size = 0;
}

/* Makes room for size bytes. False: all connections together hold too much. */
static bool reserve(
    struct inlet_stream *c, uint8_t **buffer, size_t *have, size_t size)
{
	size_t next = *have ? *have : BUFFER_FIRST;

	while (next < size)
		next *= 2;
	if (next <= *have)
		return true;
	if (c->inlet->held + next - *have > INLET_HELD_MAX)
		return false;
	*buffer = xrealloc(*buffer, next, 1);
	c->inlet->held += next - *have;
	*have = next;
	return true;
}

/* Keeps what is not done with. rest may lie inside the buffer itself. */
static bool keep(struct inlet_stream *c, const uint8_t *rest, size_t len)
{
	c->in_len = len;
	if (!len) {
		release(c, &c->in, &c->in_size);
		return true;
	}
	if (!c->in && !reserve(c, &c->in, &c->in_size, len))
		return false;
	must(rest != NULL && c->in_size >= len);
	memmove(c->in, rest, len);
	return true;
}

/* --- strangers -------------------------------------------------------------
 */

static void join_strangers(struct inlet_stream *c)
{
	struct inlet *i = c->inlet;

	must(i->stranger_count < INLET_STRANGERS);
	c->stranger = true;
	i->strangers[i->stranger_count++] = c;
}

static void leave_strangers(struct inlet_stream *c)
{
	struct inlet *i = c->inlet;
	size_t at = 0;

	if (!c->stranger)
		return;
	while (i->strangers[at] != c)
		at++;
	i->stranger_count--;
	memmove(&i->strangers[at], &i->strangers[at + 1],
	    (i->stranger_count - at) * sizeof(struct inlet_stream *));
}

/* --- the end ---------------------------------------------------------------
 */

static void on_closed(uv_handle_t *handle)
{
	struct inlet_stream *c = handle->data;

	c->inlet->handles--;
	free(c);
}

void inlet_stream_close(struct inlet_stream *c, const char *reason)
{
	struct inlet *i = c->inlet;
	size_t slot = c->id & INLET_SLOT_MASK;

	if (c->inside) {
		must(reason != NULL);
		c->doomed = reason;
		return;
	}
	if (reason)
		inlet_odd(i, reason, &c->peer);
	leave(c);
	leave_strangers(c);
	release(c, &c->in, &c->in_size);
	release(c, &c->out, &c->out_size);
	/* Stops the poll at once, so that the descriptor may go. */
	uv_close((uv_handle_t *)&c->poll, on_closed);
	(void)close(c->fd);
	i->streams[slot] = NULL;
	i->free_streams[i->max - i->open] = (uint32_t)slot;
	i->open--;
	if (i->protocol->gone)
		i->protocol->gone(i->ctx, c->id);
}

void inlet_stream_sweep(struct inlet *i, uint64_t now)
{
	const struct inlet_protocol *p = i->protocol;
	struct inlet_stream *c;

	/* Both lists are in order of time. */
	while ((c = i->busy.first) && now - c->since > p->request_ms)
		inlet_stream_close(c, c->lingering ? NULL
				      : c->out_len ? "does-not-read"
				      : c->waiting ? "unanswered"
						   : "too-slow");
	while ((c = i->idle.first) && p->idle_ms && now - c->since > p->idle_ms)
		inlet_stream_close(c, NULL);
}

/* --- writing ---------------------------------------------------------------
 */

static void on_ready(uv_poll_t *poll, int status, int events);

static void watch(struct inlet_stream *c, int events)
{
	if (c->events == events)
		return;
	c->events = events;
	if (events)
		must(uv_poll_start(&c->poll, events, on_ready) == 0);
	else
		(void)uv_poll_stop(&c->poll);
}

/* Sends what is kept. False: the client is gone. */
static bool send_out(struct inlet_stream *c)
{
	while (c->out_len) {
		ssize_t n =
		    send(c->fd, c->out + c->out_sent, c->out_len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == ENOBUFS))
			return true;
		if (n < 0)
			return false;
		c->out_sent += (size_t)n;
		c->out_len -= (size_t)n;
		c->spoke = true;
	}
	c->out_sent = 0;
	release(c, &c->out, &c->out_size);
	return true;
}

/* Keeps a reply until it can be sent. False: too much, this client does not
 * read. */
static bool add_out(struct inlet_stream *c, const void *bytes, size_t len)
{
	if (c->out_len + len > INLET_REPLY_MAX)
		return false;
	if (c->out_sent) {
		memmove(c->out, c->out + c->out_sent, c->out_len);
		c->out_sent = 0;
	}
	if (!reserve(c, &c->out, &c->out_size, c->out_len + len))
		return false;
	if (len)
		memcpy(c->out + c->out_len, bytes, len);
	c->out_len += len;
	return true;
}

/* Everything is said. A close with unread bytes resets a TCP connection, and
 * the client might never see what was said last. */
static void finish(struct inlet_stream *c)
{
	if (c->ended || !c->spoke) {
		inlet_stream_close(c, NULL);
		return;
	}
	if (c->lingering)
		return;
	c->lingering = true;
	(void)shutdown(c->fd, SHUT_WR);
	watch(c, UV_READABLE);
	set_busy(c, true, true);
}

/* Sends, and waits for what comes next. stuck: whole requests may be left, that
 * could not be handed over for all the replies before them. */
static void go_on(struct inlet_stream *c, bool progress, bool stuck)
{
	if (!send_out(c)) {
		inlet_stream_close(c, NULL);
		return;
	}
	if (c->closing && !c->out_len) {
		finish(c);
		return;
	}
	watch(c, c->out_len || stuck ? UV_WRITABLE
		 : c->waiting        ? 0
				     : UV_READABLE);
	set_busy(c, c->out_len || c->waiting || c->in_len, progress);
}

bool inlet_stream_reply(
    struct inlet_stream *c, const void *bytes, size_t len, bool last)
{
	c->waiting = false;
	c->replied = true;
	c->closing = c->closing || last;
	if (!add_out(c, bytes, len)) {
		inlet_stream_close(c, "does-not-read");
		return false;
	}
	if (c->inside)
		return true;
	/* Now it is the client's turn to be quick. */
	leave(c);
	join(c, true);
	serve(c, c->in, c->in_len);
	return true;
}

/* --- reading ---------------------------------------------------------------
 */

/* False: nothing more can be done with these bytes now. */
static bool hand_over(
    struct inlet_stream *c, const uint8_t *in, size_t len, size_t *used)
{
	const struct inlet_protocol *p = c->inlet->protocol;
	enum inlet_next next;

	*used = 0;
	c->replied = false;
	c->inside = true;
	next = p->data(c->inlet->ctx, c->id, &c->peer, in, len, c->ended, used);
	c->inside = false;
	inlet_tell_odd(c->inlet);
	must(*used <= len);
	switch (next) {
	case INLET_MORE:
		if (*used)
			return true;
		if (len < p->request_max)
			return false;
		break;
	case INLET_WAIT:
		c->waiting = !c->replied;
		return true;
	case INLET_CLOSE:
		c->closing = true;
		return true;
	case INLET_BAD:
		break;
	}
	c->closing = true;
	inlet_odd(c->inlet, "malformed", &c->peer);
	return true;
}

/* Whole requests, until there is none, or the client has to take its replies
 * first. Returns how many bytes are done with. */
static size_t hand_all(struct inlet_stream *c, const uint8_t *in, size_t len)
{
	size_t done = 0, used = 0;
	bool more = true;

	while (more && done < len && !c->waiting && !c->closing && !c->doomed) {
		if (c->out_len >= SEND_FIRST &&
		    (!send_out(c) || c->out_len >= SEND_FIRST))
			break;
		more = hand_over(c, in + done, len - done, &used);
		done += used;
	}
	return done;
}

/* Serves the len bytes at in: the inlet's buffer, or the client's own. */
static void serve(struct inlet_stream *c, const uint8_t *in, size_t len)
{
	size_t done = hand_all(c, in, len);
	bool stuck = c->out_len >= SEND_FIRST;

	if (c->doomed) {
		inlet_stream_close(c, c->doomed);
		return;
	}
	if (c->closing)
		done = len;
	if (!keep(c, done < len ? in + done : NULL, len - done)) {
		c->in_len = 0;
		inlet_stream_close(c, "full");
		return;
	}
	if (c->ended && !c->waiting && !c->closing && !stuck) {
		/* There will be no end to what was begun. */
		if (c->in_len)
			inlet_odd(c->inlet, "cut-off", &c->peer);
		(void)keep(c, NULL, 0);
		c->closing = true;
	}
	go_on(c, done > 0, stuck);
}

static void on_readable(struct inlet_stream *c)
{
	struct inlet *i = c->inlet;
	uint8_t *into = i->in;
	size_t room = sizeof(i->in);
	ssize_t n;

	if (c->in_len) {
		if (!reserve(c, &c->in, &c->in_size, c->in_len + 1)) {
			inlet_stream_close(c, "full");
			return;
		}
		into = c->in + c->in_len;
		room = c->in_size - c->in_len;
	}
	n = recv(c->fd, into, room, 0);
	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			inlet_stream_close(c, NULL);
		return;
	}
	if (n == 0)
		c->ended = true;
	if (c->lingering) {
		if (c->ended)
			inlet_stream_close(c, NULL);
		return;
	}
	if (into == i->in) {
		serve(c, i->in, (size_t)n);
		return;
	}
	c->in_len += (size_t)n;
	serve(c, c->in, c->in_len);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
	struct inlet_stream *c = poll->data;

	bool writable = events & UV_WRITABLE;

	if (status < 0 || (writable && !send_out(c)))
		inlet_stream_close(c, NULL);
	else if (!writable)
		on_readable(c);
	else if (!c->out_len)
		serve(c, c->in, c->in_len);
}

void inlet_stream_start(
    struct inlet *i, int fd, const struct inlet_peer *peer, bool stranger)
{
	struct inlet_stream *c = xcalloc(1, sizeof(*c));
	uint32_t slot;

	must(i->open < i->max);
	slot = i->free_streams[i->max - i->open - 1];
	c->inlet = i;
	c->fd = fd;
	c->peer = *peer;
	c->id = ++i->serial << (INLET_SLOT_BITS + 1) | slot;
	c->poll.data = c;
	must(uv_poll_init(i->loop, &c->poll, fd) == 0);
	i->handles++;
	i->open++;
	i->streams[slot] = c;
	join(c, false);
	if (stranger)
		join_strangers(c);
	watch(c, UV_READABLE);
	inlet_need_timer(i);
	/* Who connects speaks at once, and has mostly done so by now. */
	on_readable(c);
}
