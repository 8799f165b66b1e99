/* SPDX-License-Identifier: ISC */
/*
 * listener - one side of bench/listeners.py: a closed loop of questions in the
 * shape of one kind of listener, each answer checked; or the yardstick, a bare
 * epoll loop that looks for the end of a request and says always the same.
 *
 *   bench-listener ask  SHAPE PLACE CONNECTIONS SECONDS LEASES
 *   bench-listener echo SHAPE PLACE
 *
 * PLACE: unix:/path, inet:PORT or udp:PORT (127.0.0.1). LEASES: as many
 * addresses from 45.0.0.0 on are leased, and half of the questions are about
 * them; 0: all answers are no. The one who asks never sleeps.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "shapes.h"

enum {
	CORE_SERVER = 0,
	CORE_CLIENT = 1,
	NICE = -15,
	BUFFER = 65536,
	EVENTS = 128,
	BACKLOG = 1024,
	CONNECTIONS_MAX = 1024,
	TICK_NS = 100, /* resolution of latencies */
	TICKS = 1000000,
	WARM_PART = 5, /* of the time, before anything is counted */
	FIRST = 0x2d000000,
	NOBODY_FROM = 0x800000
};

#define NS      1000000000U
#define SILENCE (5ULL * NS)

struct place {
	union {
		struct sockaddr any;
		struct sockaddr_un un;
		struct sockaddr_in in;
	} at;
	socklen_t len;
	int domain, type;
};

static _Noreturn void fail(const char *what)
{
	(void)fprintf(
	    stderr, "bench-listener: %s: %s\n", what, strerror(errno));
	exit(111);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS + (uint64_t)t.tv_nsec;
}

static void pin(size_t core)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(core, &set);
	(void)sched_setaffinity(0, sizeof(set), &set);
	/* Before whatever else the machine does; listeners.py does the same
	 * for the daemon. */
	(void)setpriority(PRIO_PROCESS, 0, NICE);
}

static struct place read_place(const char *text)
{
	struct place p = { .domain = AF_INET, .type = SOCK_STREAM };
	const char *rest = strchr(text, ':');

	if (!rest)
		fail(text);
	rest++;
	if (strncmp(text, "unix:", 5) == 0) {
		p.domain = AF_UNIX;
		p.at.un.sun_family = AF_UNIX;
		p.len = sizeof(p.at.un);
		(void)snprintf(
		    p.at.un.sun_path, sizeof(p.at.un.sun_path), "%s", rest);
		return p;
	}
	if (strncmp(text, "udp:", 4) == 0)
		p.type = SOCK_DGRAM;
	p.at.in.sin_family = AF_INET;
	p.at.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	p.at.in.sin_port = htons((uint16_t)strtoul(rest, NULL, 10));
	p.len = sizeof(p.at.in);
	return p;
}

static int make_socket(const struct place *p, int flags)
{
	const int on = 1;
	int fd = socket(p->domain, p->type | SOCK_CLOEXEC | flags, 0);

	if (fd < 0)
		fail("socket");
	if (p->domain == AF_INET)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (p->domain == AF_INET && p->type == SOCK_STREAM)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

/* --- the yardstick ---------------------------------------------------------
 */

static void watch(int epoll, int fd)
{
	struct epoll_event e = { .events = EPOLLIN, .data.fd = fd };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) < 0)
		fail("epoll_ctl");
}

/* One read, an answer for each request in it, one send. */
static void serve_stream(const struct shape *s, int fd)
{
	static char in[BUFFER], out[BUFFER];
	ssize_t n = recv(fd, in, sizeof(in), 0);
	size_t at = 0, used = 0, len;

	if (n <= 0) {
		(void)close(fd);
		return;
	}
	while ((len = s->whole(in + at, (size_t)n - at)) > 0) {
		at += len;
		memcpy(out + used, s->no, s->no_len);
		used += s->no_len;
	}
	if (send(fd, out, used, MSG_NOSIGNAL) < 0 || s->once)
		(void)close(fd);
}

static void serve_datagrams(const struct shape *s, int fd)
{
	static char in[BUFFER];
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	ssize_t n;

	while ((n = recvfrom(fd, in, sizeof(in), MSG_DONTWAIT,
		    (struct sockaddr *)&from, &len)) >= 0) {
		if (s->whole(in, (size_t)n))
			(void)sendto(fd, s->no, s->no_len, 0,
			    (struct sockaddr *)&from, len);
		len = sizeof(from);
	}
}

static _Noreturn void echo(const struct shape *s, const struct place *p)
{
	struct epoll_event events[EVENTS];
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	int door = make_socket(p, SOCK_NONBLOCK), fd;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	pin(CORE_SERVER);
	if (bind(door, &p->at.any, p->len) < 0)
		fail("bind");
	if (p->type == SOCK_STREAM && listen(door, BACKLOG) < 0)
		fail("listen");
	watch(epoll, door);
	for (;;) {
		int n = epoll_wait(epoll, events, EVENTS, -1);
		for (int i = 0; i < n; i++) {
			if (events[i].data.fd != door)
				serve_stream(s, events[i].data.fd);
			else if (p->type == SOCK_DGRAM)
				serve_datagrams(s, door);
			else
				while ((fd = accept4(door, NULL, NULL,
					    SOCK_CLOEXEC)) >= 0)
					watch(epoll, fd);
		}
	}
}

/* --- who asks --------------------------------------------------------------
 */

struct asker {
	int fd;
	bool leased;
	uint64_t sent;
};

struct client {
	const struct shape *shape;
	const struct place *place;
	struct asker askers[CONNECTIONS_MAX];
	size_t count;
	uint32_t leases;
	int epoll;
	bool counting;
	uint64_t random, answers, all;
	uint32_t ticks[TICKS];
};

/* xorshift64: the same questions in every run. */
static uint64_t next_random(struct client *c)
{
	c->random ^= c->random << 13;
	c->random ^= c->random >> 7;
	c->random ^= c->random << 17;
	return c->random;
}

static void join(struct client *c, struct asker *a)
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = a };

	a->fd = make_socket(c->place, 0);
	if (connect(a->fd, &c->place->at.any, c->place->len) < 0)
		fail("connect");
	if (epoll_ctl(c->epoll, EPOLL_CTL_ADD, a->fd, &e) < 0)
		fail("epoll_ctl");
}

static void ask(struct client *c, struct asker *a)
{
	char request[SHAPE_REQUEST_MAX];
	uint64_t r = next_random(c);
	uint32_t among = c->leases ? c->leases : NOBODY_FROM;
	size_t len;

	a->leased = c->leases && (r >> 40) % 2;
	len = c->shape->ask(
	    FIRST + (uint32_t)(r % among) + (a->leased ? 0 : NOBODY_FROM),
	    request);
	a->sent = now_ns();
	/* What ends with its answer has a new connection for each question,
	 * and that is part of the time. */
	if (c->shape->once)
		join(c, a);
	if (send(a->fd, request, len, MSG_NOSIGNAL) != (ssize_t)len)
		fail("send");
}

static void hear(struct client *c, struct asker *a)
{
	char got[SHAPE_REQUEST_MAX];
	ssize_t n = recv(a->fd, got, sizeof(got), 0);
	uint64_t took = (now_ns() - a->sent) / TICK_NS;
	size_t len = n > 0 ? (size_t)n : 0;

	if (!(a->leased ? c->shape->allows : c->shape->refuses)(got, len)) {
		errno = 0;
		fail("a wrong answer");
	}
	if (c->shape->once)
		(void)close(a->fd);
	c->all++;
	if (!c->counting)
		return;
	c->answers++;
	c->ticks[took < TICKS ? took : TICKS - 1]++;
}

static void turn(struct client *c)
{
	struct epoll_event events[EVENTS];
	uint64_t begun = now_ns();
	int n;

	do
		n = epoll_wait(c->epoll, events, EVENTS, 0);
	while (n == 0 && now_ns() - begun < SILENCE);
	if (n <= 0)
		fail("no answer within 5 s");
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

static void run(struct client *c, double seconds)
{
	uint64_t length = (uint64_t)(seconds * NS), begun, now;

	pin(CORE_CLIENT);
	c->epoll = epoll_create1(EPOLL_CLOEXEC);
	for (size_t i = 0; i < c->count; i++) {
		if (!c->shape->once)
			join(c, &c->askers[i]);
		ask(c, &c->askers[i]);
	}
	for (begun = now_ns(); now_ns() - begun < length / WARM_PART;)
		turn(c);
	c->counting = true;
	for (begun = now = now_ns(); now - begun < length; now = now_ns())
		turn(c);
	printf("rate=%.0f p50us=%.1f p99us=%.1f all=%llu\n",
	    (double)c->answers / ((double)(now - begun) / NS),
	    percentile(c, 0.5), percentile(c, 0.99),
	    (unsigned long long)c->all);
}

int main(int argc, char **argv)
{
	static struct client c = { .random = 0x9e3779b97f4a7c15U };
	static struct place place;

	if (argc < 4 || !(c.shape = shape_find(argv[2])) ||
	    (strcmp(argv[1], "ask") == 0 && argc != 7)) {
		(void)fprintf(stderr,
		    "usage: bench-listener ask SHAPE PLACE CONNECTIONS SECONDS "
		    "LEASES | echo SHAPE PLACE\n");
		return 100;
	}
	place = read_place(argv[3]);
	if (strcmp(argv[1], "echo") == 0)
		echo(c.shape, &place);
	c.place = &place;
	c.count = strtoul(argv[4], NULL, 10);
	c.leases = (uint32_t)strtoul(argv[6], NULL, 10);
	if (c.count < 1 || c.count > CONNECTIONS_MAX)
		fail("connections");
	run(&c, strtod(argv[5], NULL));
	return 0;
}
