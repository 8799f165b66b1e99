/* SPDX-License-Identifier: ISC */
/*
 * dgram - a socket on which each question is a datagram and is answered by one:
 * no connection to accept, watch and close, for clients that ask once and are
 * gone (relaypass-run) or seldom (relaypass-spp), and for protocols that are
 * spoken over UDP.
 *
 * On a unix socket the kernel says who sent it; a client that has given its
 * socket no name cannot be answered. Over UDP anybody can write any sender on a
 * datagram: what is no question is not answered (two servers would talk to each
 * other for ever), and the rest only as often as flood.c lets it.
 * Called by: server.c.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/log.h"
#include "conn.h"

/* Few, so that answerers which share a socket share its questions. */
enum {
	DATAGRAMS_A_TURN = 16,
	PEER_TEXT_SIZE = 64,
	/* What may come with a datagram: of unix sockets exactly the
	 * credentials, which come first, so that descriptors which a stranger
	 * sends along find no room; of UDP the address it was sent to. */
	CREDENTIALS_SIZE = CMSG_SPACE(sizeof(struct ucred)),
	ADDRESS_SIZE = CMSG_SPACE(sizeof(struct in6_pktinfo))
};

_Static_assert(CREDENTIALS_SIZE <= ADDRESS_SIZE, "one room for both");

struct letter {
	struct sockaddr_storage from;
	socklen_t from_len;
	struct ucred sender; /* unix; uid -1: not known */
	struct addr addr;    /* UDP */
	size_t len;
	bool whole;
	/* UDP: the address it was sent to, which the answer leaves from. */
	_Alignas(struct cmsghdr) char to[ADDRESS_SIZE];
	size_t to_len;
};

/* --- receiving -------------------------------------------------------------
 */

static void note_sender(struct msghdr *m, struct letter *l)
{
	const struct cmsghdr *c = CMSG_FIRSTHDR(m);

	l->sender = (struct ucred){ 0, (uid_t)-1, (gid_t)-1 };
	if (c && c->cmsg_level == SOL_SOCKET &&
	    c->cmsg_type == SCM_CREDENTIALS &&
	    c->cmsg_len == CMSG_LEN(sizeof(l->sender)))
		memcpy(&l->sender, CMSG_DATA(c), sizeof(l->sender));
}

/* The answer leaves from the address that was asked, whichever way the route
 * would go; ip(7), ipv6(7). */
static void note_address(struct msghdr *m, struct letter *l)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(m);
	struct in_pktinfo four;
	uint16_t port;

	l->to_len = 0;
	(void)endpoint_peer(&l->from, &l->addr, &port);
	if (c && c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO &&
	    c->cmsg_len == CMSG_LEN(sizeof(four))) {
		memcpy(&four, CMSG_DATA(c), sizeof(four));
		four.ipi_ifindex = 0;
		memcpy(CMSG_DATA(c), &four, sizeof(four));
		l->to_len = CMSG_SPACE(sizeof(four));
	} else if (c && c->cmsg_level == IPPROTO_IPV6 &&
		   c->cmsg_type == IPV6_PKTINFO &&
		   c->cmsg_len == CMSG_LEN(sizeof(struct in6_pktinfo))) {
		l->to_len = CMSG_SPACE(sizeof(struct in6_pktinfo));
	}
}

/* False: there is none. */
static bool receive(struct port *p, struct letter *l)
{
	struct iovec iov = { p->server->in, sizeof(p->server->in) };
	struct msghdr m = { .msg_name = &l->from,
		.msg_namelen = sizeof(l->from),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = l->to,
		.msg_controllen = p->listener->view.spoofable
				      ? (size_t)ADDRESS_SIZE
				      : (size_t)CREDENTIALS_SIZE };
	ssize_t n = recvmsg(p->given.fd, &m, MSG_CMSG_CLOEXEC);

	if (n < 0)
		return false;
	l->from_len = m.msg_namelen;
	l->len = (size_t)n;
	l->whole = !(m.msg_flags & MSG_TRUNC);
	if (p->listener->view.spoofable)
		note_address(&m, l);
	else
		note_sender(&m, l);
	return true;
}

/* --- answering -------------------------------------------------------------
 */

static void tell(
    const struct port *p, const struct letter *l, const char *reason)
{
	char peer[PEER_TEXT_SIZE];

	if (p->listener->view.spoofable)
		(void)addr_print(&l->addr, peer);
	else
		(void)snprintf(peer, sizeof(peer), "uid:%ld/pid:%ld",
		    (long)l->sender.uid, (long)l->sender.pid);
	log_warn(LOG_LISTENER_CLIENT, "listener=%s peer=%s reason=%s",
	    p->listener->name, peer, reason);
}

static void drop(struct port *p, const struct letter *l, const char *reason)
{
	atomic_fetch_add_explicit(
	    &p->given.counts->dropped, 1, memory_order_relaxed);
	tell(p, l, reason);
}

static bool send_answer(struct port *p, struct letter *l, size_t len)
{
	struct iovec iov = { p->server->out, len };
	struct msghdr m = { .msg_name = &l->from,
		.msg_namelen = l->from_len,
		.msg_iov = &iov,
		.msg_iovlen = 1 };

	if (!p->listener->view.spoofable)
		return sendto(p->given.fd, p->server->out, len,
			   MSG_NOSIGNAL | MSG_DONTWAIT,
			   (const struct sockaddr *)&l->from, l->from_len) >= 0;
	m.msg_control = l->to_len ? l->to : NULL;
	m.msg_controllen = l->to_len;
	return sendmsg(p->given.fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

static bool lets_in(const struct port *p, const struct letter *l)
{
	return p->listener->view.spoofable
		   ? listener_lets_net(p->listener, &l->addr)
		   : listener_lets_in(p->listener, l->sender.uid);
}

static const struct listener_view *view_of(
    const struct port *p, const struct letter *l)
{
	return &p->views[!p->listener->view.spoofable &&
			 listener_shows(p->listener, l->sender.uid)];
}

/* One whole question, and nothing behind it. */
static bool is_question(
    struct port *p, const struct listener_view *view, const struct letter *l)
{
	struct server *s = p->server;
	enum decode d = DECODE_BAD;
	size_t used = 0;

	if (l->whole && l->len <= p->given.kind->request_max)
		d = p->given.kind->decode(
		    view, s->in, l->len, &s->question, &used);
	return (d == DECODE_QUESTION || d == DECODE_LAST) && used == l->len;
}

static void serve(struct port *p, struct letter *l)
{
	const struct listener_view *view = view_of(p, l);
	struct turn t = { 0 };

	if (!lets_in(p, l)) {
		drop(p, l, "not-allowed");
		return;
	}
	if (!is_question(p, view, l)) {
		turn_refuse(p, &t);
		tell(p, l, "bad-request");
		t.out_len = view->spoofable ? 0 : t.out_len;
	} else if (!flood_take(p->flood, &l->addr, uv_now(p->server->loop))) {
		drop(p, l, "rate");
		turn_over(p, &t);
	} else {
		turn_answer(p, view, &t);
	}
	turn_count(p, &t);
	if ((t.out_len || !view->spoofable) && !send_answer(p, l, t.out_len))
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
