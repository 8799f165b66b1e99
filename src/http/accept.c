/* SPDX-License-Identifier: ISC */
/*
 * accept - the connections of the HTTP server: who is let in, how many
 * stay, when the slow and the idle have to go. They are accepted here and
 * handed to libmicrohttpd, which closes them; a stranger's bytes never reach
 * it.
 *
 * Deadlines: up to the first request line first_ms, from one answer to the next
 * one idle_ms, from there to the end of the body request_ms, however busily a
 * client sends. Whoever misses one is shut down, and libmicrohttpd sees the end
 * of the stream.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/endpoint.h"
#include "base/log.h"
#include "base/mem.h"
#include "server_private.h"

enum { SWEEP_MS = 500 };

static void need_sweep(struct http_server *s);

const char *http_peer_text(
    const struct http_peer *peer, char out[static HTTP_PEER_TEXT])
{
	if (!peer->local) {
		(void)addr_print(&peer->addr, out);
		return out;
	}
	(void)snprintf(out, HTTP_PEER_TEXT, "uid:%ld/pid:%ld",
	    peer->uid == (uid_t)-1 ? -1L : (long)peer->uid, (long)peer->pid);
	return out;
}

void http_accept_odd(
    struct http_server *s, const struct http_peer *peer, const char *what)
{
	s->handler.odd(s->handler.ctx, peer, what);
	need_sweep(s);
}

/* --- the list of connections -----------------------------------------------
 */

static void list_add(struct http_server *s, struct http_request *r)
{
	r->next = NULL;
	r->prev = s->last;
	*(s->last ? &s->last->next : &s->first) = r;
	s->last = r;
}

static void list_remove(struct http_server *s, struct http_request *r)
{
	*(r->prev ? &r->prev->next : &s->first) = r->next;
	*(r->next ? &r->next->prev : &s->last) = r->prev;
}

/* Its client hears the end, and so does libmicrohttpd. */
static void end(struct http_request *r, const char *what)
{
	if (r->ending)
		return;
	r->ending = true;
	if (what)
		http_accept_odd(r->server, &r->peer, what);
	(void)shutdown(r->fd, SHUT_RDWR);
}

static bool make_room(struct http_server *s)
{
	for (struct http_request *r = s->first; r; r = r->next) {
		if (r->state != IDLE || r->ending)
			continue;
		end(r, NULL);
		return true;
	}
	return false;
}

/* --- deadlines -------------------------------------------------------------
 */

static void on_port(uv_poll_t *poll, int status, int events);

static void watch(struct port *p, bool on)
{
	if (p->watched == on)
		return;
	p->watched = on;
	if (on)
		must(uv_poll_start(&p->poll, UV_READABLE, on_port) == 0);
	else
		(void)uv_poll_stop(&p->poll);
}

static void look_at(struct http_request *r, uint64_t now)
{
	const struct http_server_options *o = &r->server->o;
	uint64_t spent = now > r->since ? now - r->since : 0;

	if (r->state == IDLE && spent >= (r->served ? o->idle_ms : o->first_ms))
		end(r, NULL);
	else if ((r->state == STARTED || r->state == BODY) &&
		 spent >= o->request_ms)
		end(r, "too-slow");
	else if (r->state == SENT && spent >= o->answer_ms)
		end(r, "does-not-read");
}

static void on_sweep(uv_timer_t *timer)
{
	struct http_server *s = timer->data;
	uint64_t now = uv_now(s->loop);
	bool paused = false, more;

	for (size_t i = 0; i < s->port_count; i++) {
		paused |= !s->ports[i].watched;
		watch(&s->ports[i], true);
	}
	for (struct http_request *r = s->first; r; r = r->next)
		look_at(r, now);
	more = s->handler.sweep && s->handler.sweep(s->handler.ctx, now);
	if (s->open || paused || more)
		return;
	s->sweeping = false;
	(void)uv_timer_stop(timer);
}

/* Runs only while it is needed: an idle daemon does not wake up. */
static void need_sweep(struct http_server *s)
{
	if (s->sweeping || !s->started)
		return;
	s->sweeping = true;
	must(uv_timer_start(&s->sweep, on_sweep, SWEEP_MS, SWEEP_MS) == 0);
}

/* --- accepting -------------------------------------------------------------
 */

static bool know_peer(
    int fd, const struct sockaddr_storage *from, struct http_peer *out)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	*out = (struct http_peer){ .local = from->ss_family == AF_UNIX,
		.uid = (uid_t)-1 };
	if (!out->local)
		return endpoint_peer(from, &out->addr, &out->port);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return false;
	out->uid = peer.uid;
	out->pid = peer.pid;
	return true;
}

static void admit(
    struct port *p, int fd, const struct sockaddr_storage *from, socklen_t len)
{
	struct http_server *s = p->server;
	struct http_peer peer;
	bool welcome = know_peer(fd, from, &peer) &&
		       s->handler.allows(s->handler.ctx, &peer);

	if (!welcome || (s->open >= s->o.max_connections && !make_room(s))) {
		http_accept_odd(s, &peer, welcome ? "full" : "not-allowed");
		(void)close(fd);
		return;
	}
	/* Closes it when it fails; begins it now or, if it locks, when its turn
	 * comes. */
	if (MHD_add_connection(
		s->mhd, fd, (const struct sockaddr *)from, len) != MHD_YES)
		http_accept_odd(s, &peer, "full");
}

static void on_port(uv_poll_t *poll, int status, int events)
{
	struct port *p = poll->data;
	struct http_server *s = p->server;

	(void)status;
	(void)events;
	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		struct sockaddr_storage from = { 0 };
		socklen_t len = sizeof(from);
		int fd = accept4(p->fd, (struct sockaddr *)&from, &len,
		    SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			admit(p, fd, &from, len);
			continue;
		}
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		if (errno == EAGAIN)
			break;
		log_error(s->o.trouble, "%s=%s error=\"accept: %s\"", s->o.what,
		    s->o.name, strerror(errno));
		if (make_room(s)) {
			/* It closes what was shut down. */
			http_server_turn(s);
			continue;
		}
		/* What waits would wake us again at once. */
		watch(p, false);
		break;
	}
	need_sweep(s);
	http_server_turn(s);
}

void http_accept_notify(void *cls, struct MHD_Connection *connection,
    void **context, enum MHD_ConnectionNotificationCode code)
{
	struct http_server *s = cls;
	struct http_request *r = *context;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		r = xcalloc(1, sizeof(*r));
		r->server = s;
		r->connection = connection;
		r->fd = MHD_get_connection_info(
		    connection, MHD_CONNECTION_INFO_CONNECTION_FD)
			    ->connect_fd;
		/* It was known when it was let in. */
		(void)know_peer(r->fd,
		    (const struct sockaddr_storage *)MHD_get_connection_info(
			connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)
			->client_addr,
		    &r->peer);
		r->since = uv_now(s->loop);
		*context = r;
		list_add(s, r);
		s->open++;
		return;
	}
	list_remove(s, r);
	s->open--;
	free(r->body);
	free(r->target);
	free(r);
	*context = NULL;
}

void http_accept_idle(struct http_request *r)
{
	struct http_server *s = r->server;

	r->state = IDLE;
	r->since = uv_now(s->loop);
	list_remove(s, r);
	list_add(s, r);
}

void http_accept_start(struct http_server *s)
{
	must(uv_timer_init(s->loop, &s->sweep) == 0);
	s->sweep.data = s;
	for (size_t i = 0; i < s->port_count; i++) {
		struct port *p = &s->ports[i];

		must(uv_poll_init(s->loop, &p->poll, p->fd) == 0);
		p->poll.data = p;
		watch(p, true);
	}
}

void http_accept_stop(struct http_server *s)
{
	for (size_t i = 0; i < s->port_count; i++)
		uv_close((uv_handle_t *)&s->ports[i].poll, NULL);
	uv_close((uv_handle_t *)&s->sweep, NULL);
}
