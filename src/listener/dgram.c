/* SPDX-License-Identifier: ISC */
/*
 * dgram - a unix socket on which each question is a datagram and is answered by
 * one: no connection to accept, watch and close, for clients that ask once and
 * are gone (relaypass-run). The kernel says who sent it; a client that has
 * given its socket no name cannot be answered.
 * Called by: server.c.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/log.h"
#include "conn.h"

/* Few, so that answerers which share a socket share its questions. */
enum { DATAGRAMS_A_TURN = 16 };

struct letter {
	struct sockaddr_un from;
	socklen_t from_len;
	struct ucred sender; /* uid -1: not known */
	size_t len;
	bool whole;
};

/* False: there is none. */
static bool receive(struct port *p, struct letter *l)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct iovec iov = { p->server->in, sizeof(p->server->in) };
	struct msghdr m = { .msg_name = &l->from,
		.msg_namelen = sizeof(l->from),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes) };
	ssize_t n = recvmsg(p->given.fd, &m, MSG_CMSG_CLOEXEC);
	const struct cmsghdr *c;

	if (n < 0)
		return false;
	l->from_len = m.msg_namelen;
	l->len = (size_t)n;
	l->whole = !(m.msg_flags & MSG_TRUNC);
	l->sender = (struct ucred){ 0, (uid_t)-1, (gid_t)-1 };
	c = CMSG_FIRSTHDR(&m);
	if (c && c->cmsg_level == SOL_SOCKET &&
	    c->cmsg_type == SCM_CREDENTIALS &&
	    c->cmsg_len == CMSG_LEN(sizeof(l->sender)))
		memcpy(&l->sender, CMSG_DATA(c), sizeof(l->sender));
	return true;
}

static void drop(struct port *p, const struct letter *l, const char *reason)
{
	atomic_fetch_add_explicit(
	    &p->given.counts->dropped, 1, memory_order_relaxed);
	log_warn(LOG_LISTENER_CLIENT,
	    "listener=%s peer=uid:%ld/pid:%ld "
	    "reason=%s",
	    p->listener->name, (long)l->sender.uid, (long)l->sender.pid,
	    reason);
}

/* One whole question, and nothing behind it. */
static bool is_question(
    struct port *p, const struct listener_view *view, const struct letter *l)
{
	struct server *s = p->server;
	size_t used = 0;

	return l->whole && l->len <= p->given.kind->request_max &&
	       p->given.kind->decode(view, s->in, l->len, &s->question,
		   &used) == DECODE_QUESTION &&
	       used == l->len;
}

static void serve(struct port *p, const struct letter *l)
{
	const struct listener_view *view =
	    &p->views[listener_shows(p->listener, l->sender.uid)];
	struct server *s = p->server;
	struct turn t = { 0 };

	if (!listener_lets_in(p->listener, l->sender.uid)) {
		drop(p, l, "not-allowed");
		return;
	}
	if (is_question(p, view, l)) {
		turn_answer(p, view, &t);
	} else {
		turn_refuse(p, &t);
		log_warn(LOG_LISTENER_CLIENT,
		    "listener=%s peer=uid:%ld/pid:%ld reason=bad-request",
		    p->listener->name, (long)l->sender.uid,
		    (long)l->sender.pid);
	}
	turn_count(p, &t);
	if (sendto(p->given.fd, s->out, t.out_len, MSG_NOSIGNAL | MSG_DONTWAIT,
		(const struct sockaddr *)&l->from, l->from_len) < 0)
		drop(p, l,
		    l->from_len > sizeof(sa_family_t) ? "lost" : "no-name");
}

void dgram_serve(struct port *p)
{
	struct letter l;

	/* Each may have come after the last one's answer. */
	for (int i = 0; i < DATAGRAMS_A_TURN && receive(p, &l); i++) {
		serve(p, &l);
		server_settle(p->server);
	}
}
