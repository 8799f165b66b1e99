/* SPDX-License-Identifier: ISC */
/*
 * server - the listening sockets of one answerer: who is let in, how many stay,
 * when the slow and the idle have to go. What a client says is conn.c's.
 * Called by: daemon/ (answerer), bench/.
 */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/endpoint.h"
#include "base/log.h"
#include "base/mem.h"
#include "conn.h"

enum {
	/* Few, so that answerers which share a socket share its clients, and
	 * a flood of new ones does not hold up the others. */
	ACCEPTS_A_TURN = 4,
	SWEEP_MS = 1000
};

/* --- memory and batches ----------------------------------------------------
 */

/* It is a copy of a listening socket, and would keep that one open. */
static void drop_spare(struct server *s)
{
	if (s->spare >= 0)
		(void)close(s->spare);
	s->spare = -1;
}

/* The last handle gone releases everything. */
void server_released(struct server *s)
{
	s->handles--;
	if (!s->closing || s->handles)
		return;
	for (size_t i = 0; i < s->port_count; i++) {
		listener_free(&s->ports[i].listener);
		flood_free(&s->ports[i].flood);
	}
	drop_spare(s);
	free(s->ports);
	free(s);
}

static void on_handle_closed(uv_handle_t *handle)
{
	server_released(handle->data);
}

void server_batch(struct server *s)
{
	if (s->in_batch)
		return;
	s->in_batch = true;
	if (s->hooks.batch_begin)
		s->hooks.batch_begin(s->hooks.ctx);
}

void server_settle(struct server *s)
{
	if (!s->in_batch)
		return;
	s->in_batch = false;
	if (s->hooks.batch_end)
		s->hooks.batch_end(s->hooks.ctx);
}

/* Requests are answered while the loop polls, so the check phase right behind
 * it is the earliest end of a batch, and always before the next wait. */
static void on_check(uv_check_t *check)
{
	server_settle(check->data);
}

/* --- deadlines -------------------------------------------------------------
 */

static void on_new_client(uv_poll_t *poll, int status, int events);

static void accept_on(struct port *p, bool on)
{
	if (p->accepting == on)
		return;
	p->accepting = on;
	if (on)
		must(uv_poll_start(&p->poll, UV_READABLE, on_new_client) == 0);
	else
		(void)uv_poll_stop(&p->poll);
}

/* Both lists are in order of time, so only those that are due are looked at. */
static void sweep(struct port *p, uint64_t now)
{
	const struct listener *l = p->listener;

	while (p->busy.first && now - p->busy.first->since > l->request_timeout)
		conn_close(p->busy.first,
		    p->busy.first->lingering ? NULL : "too-slow");
	while (p->idle.first && now - p->idle.first->since > l->idle_timeout)
		conn_close(p->idle.first, NULL);
}

static void on_timer(uv_timer_t *timer)
{
	struct server *s = timer->data;
	bool needed = false;

	for (size_t i = 0; i < s->port_count; i++) {
		struct port *p = &s->ports[i];
		sweep(p, uv_now(s->loop));
		if (p->paused)
			accept_on(p, true);
		p->paused = false;
		needed = needed || p->open;
	}
	if (needed)
		return;
	s->timing = false;
	(void)uv_timer_stop(timer);
}

/* Runs only while there are clients: an idle daemon does not wake up. */
static void need_timer(struct server *s)
{
	if (s->timing)
		return;
	s->timing = true;
	must(uv_timer_start(&s->timer, on_timer, SWEEP_MS, SWEEP_MS) == 0);
}

/* --- accepting -------------------------------------------------------------
 */

static bool take_peer_unix(struct conn *c)
{
	const struct listener *l = c->port->listener;
	struct ucred peer;
	socklen_t len = sizeof(peer);
	bool known =
	    getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0;

	c->uid = known ? peer.uid : (uid_t)-1;
	c->pid = known ? peer.pid : 0;
	c->view = &c->port->views[listener_shows(l, c->uid)];
	return listener_lets_in(l, c->uid);
}

static bool take_peer_inet(struct conn *c, const struct sockaddr_storage *from)
{
	const struct listener *l = c->port->listener;
	uint16_t port;

	c->uid = (uid_t)-1;
	c->view = &c->port->views[0];
	if (!endpoint_peer(from, &c->addr, &port))
		return false;
	return listener_lets_net(l, &c->addr);
}

static void turn_away(
    struct port *p, int fd, const char *peer, const char *reason)
{
	(void)close(fd);
	atomic_fetch_add_explicit(
	    &p->given.counts->dropped, 1, memory_order_relaxed);
	log_warn(LOG_LISTENER_CLIENT, "listener=%s peer=%s reason=%s",
	    p->listener->name, peer, reason);
}

/* Makes room by the longest idle client. False: all are inside a request. */
static bool make_room(struct port *p)
{
	if (!p->idle.first)
		return false;
	conn_close(p->idle.first, "idle-and-full");
	return true;
}

static void admit(struct port *p, int fd, const struct sockaddr_storage *from)
{
	struct conn *c = xcalloc(1, sizeof(*c));
	char peer[64];
	bool welcome;

	c->port = p;
	c->fd = fd;
	welcome = endpoint_is_local(&p->listener->at) ? take_peer_unix(c)
						      : take_peer_inet(c, from);
	if (welcome &&
	    (p->open < p->listener->max_connections || make_room(p))) {
		conn_start(c);
		need_timer(p->server);
		return;
	}
	turn_away(p, fd, conn_peer(c, peer, sizeof(peer)),
	    welcome ? "full" : "not-allowed");
	free(c);
}

/*
 * Out of descriptors. A client left in the queue would wake the loop again at
 * once and for ever, so each one is either served in place of an idle one or
 * taken with the spare descriptor and closed. If even that fails (the whole
 * system is out of files, or of memory), the socket is left alone for a second.
 */
static void out_of_files(struct port *p, int error)
{
	struct server *s = p->server;
	bool gone;
	int fd;

	log_error(LOG_LISTENER_ERROR, "listener=%s accept: %s",
	    p->listener->name, strerror(error));
	if (error == EMFILE && make_room(p))
		return; /* the next turn accepts */
	if (error == EMFILE && s->spare >= 0) {
		(void)close(s->spare);
		fd = accept4(p->given.fd, NULL, NULL, SOCK_CLOEXEC);
		gone = fd >= 0 || errno == EAGAIN;
		if (fd >= 0)
			turn_away(p, fd, "-", "no-descriptors");
		s->spare = fcntl(p->given.fd, F_DUPFD_CLOEXEC, 0);
		if (gone)
			return;
	}
	accept_on(p, false);
	p->paused = true;
	need_timer(s);
}

static bool accept_one(struct port *p)
{
	struct sockaddr_storage from = { 0 };
	socklen_t len = sizeof(from);
	int fd = accept4(p->given.fd, (struct sockaddr *)&from, &len,
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

static void on_new_client(uv_poll_t *poll, int status, int events)
{
	struct port *p = poll->data;
	int left = ACCEPTS_A_TURN;

	(void)events;
	if (status < 0) {
		/* libuv has stopped the handle; try again in a second. */
		p->accepting = false;
		p->paused = true;
		need_timer(p->server);
		log_error(LOG_LISTENER_ERROR, "listener=%s poll: %s",
		    p->listener->name, uv_strerror(status));
		return;
	}
	if (p->listener->view.datagram)
		dgram_serve(p);
	else
		/* The next may have come after the last one's answer: it is
		 * not answered by what was known then. */
		while (left-- > 0 && accept_one(p))
			server_settle(p->server);
}

/* --- life ------------------------------------------------------------------
 */

static void open_port(
    struct server *s, size_t i, const struct server_listener *given)
{
	struct port *p = &s->ports[s->port_count];
	char place[128];
	struct err err = { 0 };

	p->listener = listener_new(given->conf, &err);
	if (!p->listener) {
		log_error(LOG_LISTENER_ERROR, "%s", err.text);
		return;
	}
	p->server = s;
	p->given = *given;
	p->index = i;
	p->views[0] = p->views[1] = p->listener->view;
	p->views[1].show_user = true;
	p->flood =
	    flood_new(p->listener->view.spoofable ? p->listener->max_rate : 0);
	p->poll.data = p;
	s->port_count++;
	must(uv_poll_init(s->loop, &p->poll, given->fd) == 0);
	s->handles++;
	accept_on(p, true);
	log_debug(LOG_LISTENER_OPEN, "listener=%s kind=%s at=%s",
	    p->listener->name, given->kind->name,
	    endpoint_print(&p->listener->at, place, sizeof(place)));
}

struct server *server_new(uv_loop_t *loop,
    const struct server_listener *listeners, size_t count,
    const struct server_hooks *hooks)
{
	struct server *s = xcalloc(1, sizeof(*s));

	s->loop = loop;
	s->hooks = *hooks;
	s->check.data = s->timer.data = s;
	must(uv_check_init(loop, &s->check) == 0);
	must(uv_timer_init(loop, &s->timer) == 0);
	must(uv_check_start(&s->check, on_check) == 0);
	/* Only sockets keep a loop running. */
	uv_unref((uv_handle_t *)&s->check);
	uv_unref((uv_handle_t *)&s->timer);
	s->handles = 2;
	/* A copy of a socket: it needs no file system, and no right but one. */
	s->spare = count ? fcntl(listeners[0].fd, F_DUPFD_CLOEXEC, 0) : -1;
	s->ports = xcalloc(count ? count : 1, sizeof(*s->ports));
	for (size_t i = 0; i < count; i++)
		open_port(s, i, &listeners[i]);
	return s;
}

void server_stop_accepting(struct server *s)
{
	for (size_t i = 0; i < s->port_count; i++) {
		s->ports[i].paused = false;
		accept_on(&s->ports[i], false);
	}
	drop_spare(s);
}

static void on_port_closed(uv_handle_t *handle)
{
	const struct port *p = handle->data;

	server_released(p->server);
}

static void close_port(struct port *p)
{
	while (p->busy.first)
		conn_close(p->busy.first, NULL);
	while (p->idle.first)
		conn_close(p->idle.first, NULL);
	uv_close((uv_handle_t *)&p->poll, on_port_closed);
}

void server_close(struct server **sp)
{
	struct server *s = *sp;

	if (!s)
		return;
	*sp = NULL;
	server_settle(s);
	for (size_t i = 0; i < s->port_count; i++)
		close_port(&s->ports[i]);
	s->closing = true;
	uv_close((uv_handle_t *)&s->timer, on_handle_closed);
	uv_close((uv_handle_t *)&s->check, on_handle_closed);
}

size_t server_connections(const struct server *s)
{
	return s->open;
}
