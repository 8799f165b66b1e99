/* SPDX-License-Identifier: ISC */
/*
 * run_ask - is linked into programs that start for each connection: the C
 * library only, no table, no text that is not needed.
 */
#include "run_ask.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#ifndef RUN_SOCKET
#define RUN_SOCKET "/run/relaypass/run"
#endif
/* Asked when nobody listens at RUN_SOCKET, and no other was named. */
#ifndef RUN_SOCKET_ELSE
#define RUN_SOCKET_ELSE "/run/relaypass/ask"
#endif

#define ALLOW "allow "

enum {
	WAIT_MS = 2000, /* for everything together */
	RETRY_MS = 10,
	YIELDS = 100,      /* some 50 us */
	ADDRESS_MAX = 45,  /* INET6_ADDRSTRLEN without its NUL */
	ANSWER_MAX = 4096, /* DESIGN: one line of the ask protocol */
	PIECE_SIZE = 256,
};

size_t run_append(char *to, size_t at, const char *text)
{
	size_t len = strlen(text);

	memcpy(to + at, text, len + 1);
	return at + len;
}

bool run_is_address(const char *text)
{
	size_t len = strspn(text, "0123456789abcdefABCDEF.:");

	return text[len] == '\0' && len <= ADDRESS_MAX && strpbrk(text, ".:");
}

/* One question: the way it takes, and when it must be over, whichever ways it
 * took before. */
struct question {
	const char *address;
	struct run_way *way;
	int type; /* of the way's socket: SOCK_DGRAM or SOCK_STREAM */
	bool waited;
	long long deadline; /* ms; unset until the first wait */
};

/*
 * Waits for an answer, or a moment when p is NULL. The clock is read only now:
 * its first reading costs two page faults, more than all the steps before.
 */
static int wait_for(struct question *q, struct pollfd *p)
{
	struct timespec ts;
	long long left = WAIT_MS;

	if (clock_gettime(CLOCK_MONOTONIC, &ts) < 0)
		return -1;
	long long now = ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
	if (q->waited)
		left = q->deadline - now;
	else
		q->deadline = now + WAIT_MS;
	q->waited = true;
	errno = ETIMEDOUT;
	if (left <= 0)
		return -1;
	if (!p)
		return poll(NULL, 0, left < RETRY_MS ? (int)left : RETRY_MS);
	return poll(p, 1, (int)left) > 0 ? 0 : -1;
}

/* A full backlog (a stopped daemon) says EAGAIN and cannot be polled for. */
static int ask_connect(struct question *q)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	const char *path = q->way->path;

	if (strlen(path) >= sizeof(sun.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	(void)run_append(sun.sun_path, 0, path);
	while (connect(q->way->fd, (const struct sockaddr *)&sun, sizeof(sun)) <
	       0) {
		if (errno != EAGAIN && errno != EINTR)
			return -1;
		if (wait_for(q, NULL) < 0)
			return -1;
	}
	return 0;
}

static int ask_send(struct question *q)
{
	struct pollfd p = { .fd = q->way->fd, .events = POLLOUT };
	char line[sizeof("check \n") + ADDRESS_MAX];
	size_t len =
	    run_append(line, run_append(line, 0, "check "), q->address);

	len = run_append(line, len, "\n");
	/* On a connection there is always room for one short line; a socket
	 * of datagrams may be full of others'. */
	while (
	    send(p.fd, line, len, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)len)
		if (errno != EAGAIN || wait_for(q, &p) < 0)
			return -1;
	return 0;
}

/*
 * The answer takes a few microseconds, falling asleep and waking up takes ten
 * times that: so for a moment the CPU is only offered to others, which is all
 * that a daemon on this very CPU needs.
 */
static ssize_t receive(struct question *q, char *piece)
{
	ssize_t n = recv(q->way->fd, piece, PIECE_SIZE, MSG_DONTWAIT);

	for (int i = 0; i < YIELDS && !q->waited; i++) {
		if (n >= 0 || errno != EAGAIN)
			break;
		sched_yield();
		n = recv(q->way->fd, piece, PIECE_SIZE, MSG_DONTWAIT);
	}
	return n;
}

/*
 * 1: a whole line, or a datagram, that begins with ALLOW. 0: another one. -1:
 * errno. A datagram came whole, however much of it there was room for.
 */
static int ask_receive(struct question *q)
{
	char line[sizeof(ALLOW)], piece[PIECE_SIZE];
	size_t used = 0, total = 0;

	while (total < ANSWER_MAX) {
		ssize_t n = receive(q, piece);
		if (n == 0)
			errno = ECONNRESET;
		if (n <= 0) {
			struct pollfd p = { .fd = q->way->fd,
				.events = POLLIN };
			if (n == 0 || errno != EAGAIN || wait_for(q, &p) < 0)
				return -1;
			continue;
		}
		for (ssize_t i = 0; i < n && used < sizeof(ALLOW) - 1; i++)
			line[used++] = piece[i];
		if (q->type == SOCK_DGRAM || memchr(piece, '\n', (size_t)n))
			return used == sizeof(ALLOW) - 1 &&
			       !memcmp(line, ALLOW, used);
		total += (size_t)n;
	}
	errno = EMSGSIZE;
	return -1;
}

static int exchange(struct question *q)
{
	return ask_send(q) == 0 ? ask_receive(q) : -1;
}

/* relaypassd would have to keep a connection; a socket of datagrams is ours
 * alone. */
static int ask_by(struct question *q, int type, const char *path)
{
	static const struct sockaddr_un any = { .sun_family = AF_UNIX };
	/*
	 * Descriptors 0 to 2 may be closed and must stay so for whatever is
	 * executed: the socket may get such a number, but it ends there.
	 */
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int answer = -1;

	if (fd < 0)
		return -1;
	*q->way = (struct run_way){ true, fd, path };
	q->type = type;
	/* Without a name nobody could answer a datagram (unix(7), autobind).
	 * It comes last: from then on, nobody but the daemon reaches us. */
	if (ask_connect(q) == 0 &&
	    (type == SOCK_STREAM || bind(fd, (const struct sockaddr *)&any,
					sizeof(any.sun_family)) == 0))
		answer = exchange(q);
	if (answer < 0 || type == SOCK_STREAM)
		run_way_end(q->way);
	return answer;
}

/* 1: may relay. 0: the answer is something else. -1: no answer, errno set. */
static int ask(struct question *q, const char *path)
{
	/* The quicker way first: it says by itself that it is not there. */
	int answer = ask_by(q, SOCK_DGRAM, path);

	if (answer < 0 && errno == EPROTOTYPE)
		answer = ask_by(q, SOCK_STREAM, path);
	return answer;
}

static int ask_anew(struct question *q, const char *socket, const char **asked)
{
	int answer;

	*asked = socket ? socket : RUN_SOCKET;
	errno = EINVAL;
	if (!run_is_address(q->address))
		return -1;
	answer = ask(q, *asked);
	/* Who was killed leaves his socket behind. */
	if (answer < 0 && !socket &&
	    (errno == ENOENT || errno == ECONNREFUSED)) {
		*asked = RUN_SOCKET_ELSE;
		answer = ask(q, *asked);
	}
	return answer;
}

/*
 * -1: the way is none any more. An answer that came without a question, or
 * comes too late, would be taken for the next one's.
 */
static int ask_kept(struct question *q)
{
	char byte;
	int answer = -1;

	q->type = SOCK_DGRAM;
	if (recv(q->way->fd, &byte, sizeof(byte), MSG_DONTWAIT) >= 0)
		errno = EPROTO;
	else if (errno == EAGAIN)
		answer = exchange(q);
	if (answer < 0)
		run_way_end(q->way);
	return answer;
}

void run_way_end(struct run_way *way)
{
	int saved = errno;

	if (way->open)
		(void)close(way->fd);
	way->open = false;
	errno = saved;
}

int run_ask_again(struct run_way *way, const char *socket, const char *address,
    const char **asked)
{
	struct question q = { .address = address, .way = way };

	if (way->open && run_is_address(address)) {
		int answer = ask_kept(&q);

		*asked = way->path;
		/* Else relaypassd was started anew. */
		if (answer >= 0 || errno == ETIMEDOUT)
			return answer;
	}
	return ask_anew(&q, socket, asked);
}

int run_ask(const char *socket, const char *address, const char **asked)
{
	struct run_way way = { 0 };
	struct question q = { .address = address, .way = &way };
	int answer = ask_anew(&q, socket, asked);

	run_way_end(&way);
	return answer;
}
