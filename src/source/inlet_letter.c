/* SPDX-License-Identifier: ISC */
/*
 * inlet_letter - the datagrams of an inlet: who sent one, as the kernel says
 * it, and where its reply goes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "inlet_private.h"

/* Few, so that a flood does not hold up the others. */
enum { LETTERS_A_TURN = 32 };

/* What may come with a datagram. Of unix sockets it is exactly the credentials,
 * which come first: descriptors that a stranger sends along find no room. */
union control {
	struct cmsghdr align;
	char credentials[CMSG_SPACE(sizeof(struct ucred))];
	char address[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

/* --- receiving -------------------------------------------------------------
 */

static void note_control(
    struct msghdr *m, struct inlet_letter *l, struct inlet_peer *peer)
{
	struct ucred sender;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (peer->local && c->cmsg_level == SOL_SOCKET &&
		    c->cmsg_type == SCM_CREDENTIALS &&
		    c->cmsg_len == CMSG_LEN(sizeof(sender))) {
			memcpy(&sender, CMSG_DATA(c), sizeof(sender));
			peer->uid = sender.uid;
			peer->gid = sender.gid;
			peer->pid = sender.pid;
		} else if (c->cmsg_level == IPPROTO_IP &&
			   c->cmsg_type == IP_PKTINFO) {
			memcpy(&l->to.four, CMSG_DATA(c), sizeof(l->to.four));
			l->addressed = true;
		} else if (c->cmsg_level == IPPROTO_IPV6 &&
			   c->cmsg_type == IPV6_PKTINFO) {
			memcpy(&l->to.six, CMSG_DATA(c), sizeof(l->to.six));
			l->addressed = true;
		}
	}
}

/* -1: none; errno says why. */
static ssize_t receive(struct inlet_port *p, struct inlet_letter *l,
    struct inlet_peer *peer, bool *whole)
{
	union control control;
	struct iovec iov = { p->inlet->in, sizeof(p->inlet->in) };
	struct msghdr m = { .msg_name = &l->from,
		.msg_namelen = sizeof(l->from),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = p->local ? sizeof(control.credentials)
					   : sizeof(control.address) };
	ssize_t n;

	do
		n = recvmsg(p->fd, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return n;
	*peer = (struct inlet_peer){ .local = p->local,
		.datagram = true,
		.uid = (uid_t)-1,
		.gid = (gid_t)-1,
		.endpoint = p->index };
	l->from_len = m.msg_namelen;
	l->addressed = false;
	note_control(&m, l, peer);
	if (!p->local)
		(void)endpoint_peer(&l->from, &peer->addr, &peer->port);
	*whole = !(m.msg_flags & MSG_TRUNC);
	return n;
}

/* --- replying --------------------------------------------------------------
 */

static void release(struct inlet *i, struct inlet_letter *l)
{
	l->id = 0;
	i->free_letters[--i->letters_out] = (uint32_t)(l - i->letters);
}

/* From the address that was asked, whichever way the route would go. */
static void put_address(
    struct msghdr *m, union control *control, const struct inlet_letter *l)
{
	bool four = l->from.ss_family == AF_INET;
	struct in_pktinfo from4 = { .ipi_spec_dst = l->to.four.ipi_spec_dst };
	struct cmsghdr *c;

	memset(control, 0, sizeof(*control));
	m->msg_control = control;
	m->msg_controllen =
	    four ? CMSG_SPACE(sizeof(from4)) : CMSG_SPACE(sizeof(l->to.six));
	c = CMSG_FIRSTHDR(m);
	c->cmsg_level = four ? IPPROTO_IP : IPPROTO_IPV6;
	c->cmsg_type = four ? IP_PKTINFO : IPV6_PKTINFO;
	c->cmsg_len =
	    four ? CMSG_LEN(sizeof(from4)) : CMSG_LEN(sizeof(l->to.six));
	if (four)
		memcpy(CMSG_DATA(c), &from4, sizeof(from4));
	else
		memcpy(CMSG_DATA(c), &l->to.six, sizeof(l->to.six));
}

bool inlet_letter_reply(
    struct inlet *i, struct inlet_letter *l, const void *bytes, size_t len)
{
	union control control;
	struct iovec iov = { (void *)(uintptr_t)bytes, len };
	struct msghdr m = { .msg_name = &l->from,
		.msg_namelen = l->from_len,
		.msg_iov = &iov,
		.msg_iovlen = 1 };
	/* A unix socket that has no name cannot be replied to. */
	bool named = l->from_len > sizeof(sa_family_t);

	if (l->addressed)
		put_address(&m, &control, l);
	/* One that does not take it now does not get it. */
	if (named)
		named = sendmsg(i->ports[l->port].fd, &m,
			    MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
	release(i, l);
	return named;
}

void inlet_letter_sweep(struct inlet *i, uint64_t now)
{
	if (!i->letters_out)
		return;
	for (size_t k = 0; k < INLET_LETTERS; k++) {
		struct inlet_letter *l = &i->letters[k];
		if (l->id && now - l->since > INLET_LETTER_MS)
			release(i, l);
	}
}

/* --- taking ----------------------------------------------------------------
 */

static void make_room(struct inlet *i)
{
	if (i->letters)
		return;
	i->letters = xcalloc(INLET_LETTERS, sizeof(*i->letters));
	i->free_letters = xcalloc(INLET_LETTERS, sizeof(*i->free_letters));
	for (uint32_t k = 0; k < INLET_LETTERS; k++)
		i->free_letters[k] = k;
}

/* NULL: too many replies are awaited. */
static struct inlet_letter *file_letter(
    struct inlet *i, size_t port, const struct inlet_letter *from)
{
	struct inlet_letter *l;
	uint32_t slot;

	make_room(i);
	if (i->letters_out == INLET_LETTERS)
		return NULL;
	slot = i->free_letters[i->letters_out++];
	l = &i->letters[slot];
	*l = *from;
	l->port = port;
	l->since = uv_now(i->loop);
	l->id = ++i->serial << (INLET_SLOT_BITS + 1) | INLET_LETTER_BIT | slot;
	return l;
}

static bool may_speak(const struct inlet *i, const struct inlet_peer *peer)
{
	return peer->local ? peers_allow_uid(i->peers, peer->uid)
			   : peers_allow_addr(i->peers, &peer->addr);
}

static void deliver(struct inlet_port *p, const struct inlet_letter *from,
    const struct inlet_peer *peer, size_t len)
{
	struct inlet *i = p->inlet;
	struct inlet_letter *l = file_letter(i, p->index, from);
	inlet_client id;

	if (!l) {
		inlet_odd(i, "full", peer);
		return;
	}
	id = l->id;
	if (i->protocol->datagram(i->ctx, id, peer, i->in, len))
		inlet_need_timer(i);
	else if (l->id == id)
		release(i, l);
	inlet_tell_odd(i);
}

int inlet_letter_take(struct inlet_port *p)
{
	struct inlet_letter letter;
	struct inlet_peer peer;
	bool whole = false;

	for (int k = 0; k < LETTERS_A_TURN; k++) {
		ssize_t n = receive(p, &letter, &peer, &whole);
		if (n < 0)
			return errno == EAGAIN || errno == ECONNREFUSED ? 0
									: -1;
		if (!may_speak(p->inlet, &peer))
			inlet_odd(p->inlet, "not-allowed", &peer);
		else if (!whole)
			inlet_odd(p->inlet, "too-long", &peer);
		else
			deliver(p, &letter, &peer, (size_t)n);
	}
	return 0;
}
