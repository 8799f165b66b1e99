/* SPDX-License-Identifier: ISC */
/*
 * inlet - the listening sockets of a live source: who is let in, how many stay,
 * when the slow and the idle have to go. Runs in a receiver, behind its
 * lock-down; it only accepts, receives, sends and closes.
 */
#include "inlet.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "inlet_private.h"

enum {
	/* Few, so that a flood of new clients does not hold up the others. */
	ACCEPTS_A_TURN = 16,
	SWEEP_MS = 1000
};

_Static_assert(INLET_LETTERS <= INLET_SLOT_MASK, "numbers hold the place");

const char *inlet_peer_text(
    const struct inlet_peer *peer, char *out, size_t size)
{
	char addr[ADDR_TEXT_SIZE];

	if (peer->local) {
		(void)snprintf(out, size, "uid:%ld/pid:%ld",
		    peer->uid == (uid_t)-1 ? -1L : (long)peer->uid,
		    (long)peer->pid);
		return out;
	}
	(void)addr_print(&peer->addr, addr);
	(void)snprintf(out, size, "%s", addr);
	return out;
}

void inlet_odd(struct inlet *i, const char *what, const struct inlet_peer *peer)
{
	char text[64];

	odd_count(i->odd, what, inlet_peer_text(peer, text, sizeof(text)),
	    uv_now(i->loop));
	inlet_tell_odd(i);
}

void inlet_tell_odd(struct inlet *i)
{
	if (odd_is_held(i->odd))
		inlet_need_timer(i);
}

/* --- deadlines -------------------------------------------------------------
 */

static void on_ready(uv_poll_t *poll, int status, int events);

static void watch(struct inlet_port *p, bool on)
{
	if (p->watched == on)
		return;
	p->watched = on;
	if (on)
		must(uv_poll_start(&p->poll, UV_READABLE, on_ready) == 0);
	else
		(void)uv_poll_stop(&p->poll);
}

static void on_timer(uv_timer_t *timer)
{
	struct inlet *i = timer->data;
	uint64_t now = uv_now(i->loop);

	for (size_t k = 0; k < i->port_count; k++) {
		if (i->ports[k].paused)
			watch(&i->ports[k], true);
		i->ports[k].paused = false;
	}
	inlet_stream_sweep(i, now);
	inlet_letter_sweep(i, now);
	odd_flush(i->odd, now);
	if (i->open || i->letters_out || odd_is_held(i->odd))
		return;
	i->timing = false;
	(void)uv_timer_stop(timer);
}

/* Runs only while it is needed: an idle daemon does not wake up. */
void inlet_need_timer(struct inlet *i)
{
	if (i->timing || i->stopped)
		return;
	i->timing = true;
	must(uv_timer_start(&i->timer, on_timer, SWEEP_MS, SWEEP_MS) == 0);
}

/* Whatever stands in the queue would wake the loop again at once. */
static void pause_port(struct inlet_port *p, const char *what, const char *why)
{
	log_error(LOG_SOURCE_ERROR, "source=%s error=\"%s: %s\"",
	    p->inlet->name, what, why);
	watch(p, false);
	p->paused = true;
	inlet_need_timer(p->inlet);
}

/* --- accepting -------------------------------------------------------------
 */

static bool know_peer(const struct inlet_port *p, int fd,
    const struct sockaddr_storage *from, struct inlet_peer *out)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	*out = (struct inlet_peer){ .local = p->local,
		.uid = (uid_t)-1,
		.gid = (gid_t)-1,
		.endpoint = p->index };
	if (!p->local)
		return endpoint_peer(from, &out->addr, &out->port) &&
		       peers_allow_addr(p->inlet->peers, &out->addr);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return false;
	out->uid = peer.uid;
	out->gid = peer.gid;
	out->pid = peer.pid;
	return peers_allow_uid(p->inlet->peers, out->uid);
}

static void push_stranger_out(struct inlet *i)
{
	struct inlet_stream *c = i->strangers[0];

	/* Who has heard it was counted by the protocol. */
	inlet_stream_close(c, c->spoke ? NULL : "not-allowed");
}

/* Makes room by the longest stranger, or the longest idle client. False: all
 * are inside a request. */
static bool make_room(struct inlet *i)
{
	if (i->stranger_count) {
		push_stranger_out(i);
		return true;
	}
	if (!i->idle.first)
		return false;
	inlet_stream_close(i->idle.first, "full");
	return true;
}

/* Whether there is a place. A stranger takes one of a few, and pushes nobody
 * else out. */
static bool has_place(struct inlet *i, bool stranger)
{
	if (!stranger)
		return i->open < i->max || make_room(i);
	if (i->stranger_count == INLET_STRANGERS ||
	    (i->open == i->max && i->stranger_count))
		push_stranger_out(i);
	return i->open < i->max;
}

static void admit(
    struct inlet_port *p, int fd, const struct sockaddr_storage *from)
{
	struct inlet *i = p->inlet;
	const int on = 1;
	struct inlet_peer peer;
	bool welcome = know_peer(p, fd, from, &peer);
	bool stranger = welcome && i->protocol->stranger &&
			i->protocol->stranger(i->ctx, &peer);

	if (welcome && has_place(i, stranger)) {
		/* A peer that lost its power must not keep its place. */
		if (!p->local)
			(void)setsockopt(
			    fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
		inlet_stream_start(i, fd, &peer, stranger);
		return;
	}
	(void)close(fd);
	inlet_odd(i, welcome ? "full" : "not-allowed", &peer);
}

/*
 * Out of descriptors: each client that waits is either served in place of an
 * idle one, or taken with the spare descriptor and closed. If even that fails
 * (the whole system is out of files, or of memory), the socket is left alone
 * for a second.
 */
static void out_of_files(struct inlet_port *p, int error)
{
	const struct inlet_peer nobody = {
		.local = true, .uid = (uid_t)-1, .endpoint = p->index
	};
	struct inlet *i = p->inlet;
	bool gone;
	int fd;

	if (error == EMFILE && make_room(i))
		return; /* the next turn accepts */
	if (error == EMFILE && i->spare >= 0) {
		(void)close(i->spare);
		fd = accept4(p->fd, NULL, NULL, SOCK_CLOEXEC);
		gone = fd >= 0 || errno == EAGAIN;
		if (fd >= 0) {
			(void)close(fd);
			inlet_odd(i, "no-descriptors", &nobody);
		}
		i->spare = fcntl(p->fd, F_DUPFD_CLOEXEC, 0);
		if (gone)
			return;
	}
	pause_port(p, "accept", strerror(error));
}

static bool accept_one(struct inlet_port *p)
{
	struct sockaddr_storage from = { 0 };
	socklen_t len = sizeof(from);
	int fd = accept4(p->fd, (struct sockaddr *)&from, &len,
	    SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0) {
		admit(p, fd, &from);
		return true;
	}
	/* These belong to one client that is gone already; accept(2). */
	if (errno == EINTR || errno == ECONNABORTED || errno == EPROTO ||
	    errno == EPERM)
		return true;
	if (errno != EAGAIN)
		out_of_files(p, errno);
	return false;
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
	struct inlet_port *p = poll->data;
	int left = ACCEPTS_A_TURN;

	(void)events;
	if (status < 0)
		pause_port(p, "poll", uv_strerror(status));
	else if (p->stream)
		while (left-- > 0 && accept_one(p))
			;
	else if (inlet_letter_take(p) < 0)
		pause_port(p, "receive", strerror(errno));
}

/* --- replies ---------------------------------------------------------------
 */

static struct inlet_stream *find_stream(const struct inlet *i, inlet_client id)
{
	size_t slot = id & INLET_SLOT_MASK;
	struct inlet_stream *c;

	if (id & INLET_LETTER_BIT || slot >= i->max)
		return NULL;
	c = i->streams[slot];
	return c && c->id == id && !c->doomed ? c : NULL;
}

static struct inlet_letter *find_letter(const struct inlet *i, inlet_client id)
{
	size_t slot = id & INLET_SLOT_MASK;

	if (!(id & INLET_LETTER_BIT) || slot >= INLET_LETTERS || !i->letters)
		return NULL;
	return i->letters[slot].id == id ? &i->letters[slot] : NULL;
}

static bool reply(
    struct inlet *i, inlet_client id, const void *bytes, size_t len, bool last)
{
	struct inlet_letter *letter = find_letter(i, id);
	struct inlet_stream *c = find_stream(i, id);

	if (letter)
		return inlet_letter_reply(i, letter, bytes, len);
	return c && !c->closing && inlet_stream_reply(c, bytes, len, last);
}

bool inlet_reply(
    struct inlet *i, inlet_client id, const void *bytes, size_t len)
{
	return reply(i, id, bytes, len, false);
}

void inlet_end(struct inlet *i, inlet_client id, const void *bytes, size_t len)
{
	(void)reply(i, id, bytes, len, true);
}

void *inlet_note(const struct inlet *i, inlet_client id)
{
	struct inlet_stream *c = find_stream(i, id);

	return c ? c->note : NULL;
}

/* --- life ------------------------------------------------------------------
 */

static int socket_option(int fd, int option)
{
	int value = 0;
	socklen_t len = sizeof(value);

	must(getsockopt(fd, SOL_SOCKET, option, &value, &len) == 0);
	return value;
}

struct inlet *inlet_new(const struct conf_section *conf,
    const struct peers *peers, struct odd *odd, const int *fds, size_t n,
    const struct inlet_protocol *protocol, void *ctx)
{
	struct inlet *i = xcalloc(1, sizeof(*i));

	i->name = conf_name(conf);
	i->peers = peers;
	i->odd = odd;
	i->protocol = protocol;
	i->ctx = ctx;
	i->spare = -1;
	i->max = (size_t)conf_number(conf, "max-connections");
	must(i->max <= INLET_SLOT_MASK);
	i->streams = xcalloc(i->max, sizeof(struct inlet_stream *));
	i->free_streams = xcalloc(i->max, sizeof(*i->free_streams));
	for (size_t k = 0; k < i->max; k++)
		i->free_streams[k] = (uint32_t)(i->max - 1 - k);
	i->port_count = n;
	i->ports = xcalloc(n ? n : 1, sizeof(*i->ports));
	for (size_t k = 0; k < n; k++) {
		struct inlet_port *p = &i->ports[k];
		p->inlet = i;
		p->fd = fds[k];
		p->index = k;
		p->local = socket_option(p->fd, SO_DOMAIN) == AF_UNIX;
		p->stream = socket_option(p->fd, SO_TYPE) == SOCK_STREAM;
		must(p->stream ? protocol->data != NULL
			       : protocol->datagram != NULL);
		/* A copy of a socket: it needs no file system. */
		if (p->stream && i->spare < 0)
			i->spare = fcntl(p->fd, F_DUPFD_CLOEXEC, 0);
	}
	return i;
}

void inlet_start(struct inlet *i, uv_loop_t *loop)
{
	i->loop = loop;
	i->started = true;
	i->timer.data = i;
	must(uv_timer_init(loop, &i->timer) == 0);
	/* Only sockets keep a loop running. */
	uv_unref((uv_handle_t *)&i->timer);
	i->handles = 1;
	for (size_t k = 0; k < i->port_count; k++) {
		struct inlet_port *p = &i->ports[k];
		p->poll.data = p;
		must(uv_poll_init(loop, &p->poll, p->fd) == 0);
		i->handles++;
		watch(p, true);
	}
}

size_t inlet_open(const struct inlet *i)
{
	return i->open;
}

void inlet_on_closed(uv_handle_t *handle)
{
	struct inlet *i = handle->data;

	i->handles--;
}

static void on_port_closed(uv_handle_t *handle)
{
	struct inlet_port *p = handle->data;

	p->inlet->handles--;
}

void inlet_stop(struct inlet *i)
{
	if (!i->started || i->stopped)
		return;
	i->stopped = true;
	while (i->busy.first)
		inlet_stream_close(i->busy.first, NULL);
	while (i->idle.first)
		inlet_stream_close(i->idle.first, NULL);
	inlet_letter_sweep(i, UINT64_MAX);
	for (size_t k = 0; k < i->port_count; k++)
		uv_close((uv_handle_t *)&i->ports[k].poll, on_port_closed);
	uv_close((uv_handle_t *)&i->timer, inlet_on_closed);
	if (i->spare >= 0)
		(void)close(i->spare);
	i->spare = -1;
	odd_flush(i->odd, UINT64_MAX);
}

void inlet_free(struct inlet **ip)
{
	struct inlet *i = *ip;

	*ip = NULL;
	if (!i)
		return;
	inlet_stop(i);
	if (i->handles)
		(void)uv_run(i->loop, UV_RUN_NOWAIT);
	must(i->handles == 0);
	if (i->spare >= 0)
		(void)close(i->spare);
	free(i->streams);
	free(i->free_streams);
	free(i->letters);
	free(i->free_letters);
	free(i->ports);
	free(i);
}
