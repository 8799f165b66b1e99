/* SPDX-License-Identifier: ISC */
/*
 * policy_client - a closed loop of questions as Postfix asks them: each
 * connection sends the next when it has the answer, which is checked.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include "base/mem.h"
#include "policy.h"

enum {
	REQUEST_SIZE = 600,
	TICK_NS = 100,   /* resolution of latencies */
	TICKS = 1000000, /* longest: 100 ms */
	EVENTS = 128,
	SILENCE_MS = 5000
};

/* All but the address, which comes last so that it may have any length. */
static const char head[] =
    "request=smtpd_access_policy\nprotocol_state=RCPT\n"
    "protocol_name=ESMTP\nclient_name=unknown\nclient_port=40522\n"
    "reverse_client_name=unknown\nserver_address=203.0.113.1\n"
    "server_port=25\nhelo_name=pc.example.org\nsender=jo@example.org\n"
    "recipient=someone@example.net\nrecipient_count=0\nqueue_id=\n"
    "instance=123.5f2b3c4d.a1b2c.0\nsize=0\netrn_domain=\nstress=\n"
    "sasl_method=\nsasl_username=\nsasl_sender=\nccert_subject=\n"
    "ccert_issuer=\nccert_fingerprint=\nccert_pubkey_fingerprint=\n"
    "encryption_protocol=\nencryption_cipher=\nencryption_keysize=0\n"
    "policy_context=\nclient_address=";

struct asker {
	int fd;
	bool hit;
	uint64_t sent; /* ns */
};

struct client {
	const struct target *target;
	const struct load *load;
	int epoll;
	struct asker *askers;
	uint64_t random, answers;
	uint32_t *ticks;
	bool counting;
	char request[REQUEST_SIZE];
};

/* xorshift64: the same questions in every run. */
static uint64_t next_random(struct client *c)
{
	c->random ^= c->random << 13;
	c->random ^= c->random >> 7;
	c->random ^= c->random << 17;
	return c->random;
}

static void ask(struct client *c, struct asker *a)
{
	const struct load *l = c->load;
	uint64_t r = next_random(c);
	size_t len = sizeof(head) - 1;
	struct addr addr;

	a->hit = (r >> 40) % 100 < l->hit;
	addr = policy_address(r % l->leases + (a->hit ? 0 : l->leases));
	len += addr_print(&addr, c->request + len);
	memcpy(c->request + len, "\n\n", 2);
	len += 2;
	a->sent = uv_hrtime();
	if (send(a->fd, c->request, len, MSG_NOSIGNAL) != (ssize_t)len)
		policy_fail("send");
}

static void hear(struct client *c, struct asker *a)
{
	static const char ok[] = "action=OK\n\n", dunno[] = "action=DUNNO\n\n";
	char got[64];
	ssize_t n = recv(a->fd, got, sizeof(got), 0);
	uint64_t took = (uv_hrtime() - a->sent) / TICK_NS;
	bool allowed = n == sizeof(ok) - 1 && memcmp(got, ok, (size_t)n) == 0;
	bool expected = a->hit && c->target->leases > 0;

	if (!allowed &&
	    !(n == sizeof(dunno) - 1 && memcmp(got, dunno, (size_t)n) == 0))
		policy_fail("answer");
	if (allowed != expected) {
		errno = 0;
		policy_fail("a wrong answer");
	}
	if (!c->counting)
		return;
	c->answers++;
	c->ticks[took < TICKS ? took : TICKS - 1]++;
}

static int connect_to(const struct target *t, bool tcp)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_port = htons(t->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const int on = 1;
	int fd = socket(tcp ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int failed;

	memcpy(un.sun_path, t->path, strlen(t->path));
	failed = tcp ? connect(fd, (struct sockaddr *)&in, sizeof(in))
		     : connect(fd, (struct sockaddr *)&un, sizeof(un));
	if (failed)
		policy_fail("connect");
	if (tcp)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

static void open_all(struct client *c)
{
	c->epoll = epoll_create1(EPOLL_CLOEXEC);
	c->askers = xcalloc(c->load->connections, sizeof(*c->askers));
	for (unsigned i = 0; i < c->load->connections; i++) {
		struct epoll_event e = { .events = EPOLLIN };
		e.data.ptr = &c->askers[i];
		c->askers[i].fd = connect_to(c->target, c->load->tcp);
		if (epoll_ctl(c->epoll, EPOLL_CTL_ADD, c->askers[i].fd, &e) < 0)
			policy_fail("epoll_ctl");
		ask(c, &c->askers[i]);
	}
}

static void turn(struct client *c)
{
	struct epoll_event events[EVENTS];
	uint64_t begun = uv_hrtime();
	int n;

	do
		n = epoll_wait(
		    c->epoll, events, EVENTS, c->load->waits ? SILENCE_MS : 0);
	while (n == 0 && uv_hrtime() - begun < SILENCE_MS * (uint64_t)1000000);
	if (n <= 0)
		policy_fail("no answer within 5 s");
	for (int i = 0; i < n; i++) {
		hear(c, events[i].data.ptr);
		ask(c, events[i].data.ptr);
	}
}

/* The latency that the given part of all answers does not exceed, us. */
static double percentile(const struct client *c, double part)
{
	uint64_t want = (uint64_t)((double)c->answers * part), seen = 0;

	for (unsigned i = 0; i < TICKS; i++) {
		seen += c->ticks[i];
		if (seen > want)
			return (i + 1) * (TICK_NS / 1000.0);
	}
	return TICKS * (TICK_NS / 1000.0);
}

struct result client_run(const struct target *t, const struct load *l)
{
	struct client c = {
		.target = t, .load = l, .random = 0x9e3779b97f4a7c15U
	};
	struct result r;
	uint64_t begun, now, cpu;
	uint64_t length = (uint64_t)(l->seconds * 1e9);

	memcpy(c.request, head, sizeof(head));
	c.ticks = xcalloc(TICKS, sizeof(*c.ticks));
	open_all(&c);
	for (begun = uv_hrtime(); uv_hrtime() - begun < length / 5;)
		turn(&c);
	c.counting = true;
	cpu = target_cpu(t);
	for (begun = now = uv_hrtime(); now - begun < length; now = uv_hrtime())
		turn(&c);
	r.rate = (double)c.answers / ((double)(now - begun) / 1e9);
	r.cpu = (double)(target_cpu(t) - cpu) / 1e3 / (double)c.answers;
	r.p50 = percentile(&c, 0.5);
	r.p99 = percentile(&c, 0.99);
	c.counting = false;
	for (unsigned i = 0; i < l->connections; i++) {
		hear(&c, &c.askers[i]);
		(void)close(c.askers[i].fd);
	}
	(void)close(c.epoll);
	free(c.askers);
	free(c.ticks);
	return r;
}
