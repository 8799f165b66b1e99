/* SPDX-License-Identifier: ISC */
/*
 * http_client - Dovecot's auth policy client many times over: questions
 * ("allow") and, among them, reports of logins, over kept connections.
 *
 *   bench-http-client PORT SECRET RATE SECONDS EVERY
 *
 * RATE requests a second, or 0 for as many as the connections carry one by one.
 * Every EVERY-th is a report of a login from another address; 0: none. At a
 * rate, latencies count from when a request was due, so that a server that
 * stands still for a while does not look better for it.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "base/mem.h"

enum {
	CONNECTIONS = 100, /* as Dovecot's */
	REQUEST_SIZE = 1024,
	REPLY_SIZE = 4096,
	TICK_NS = 1000,
	TICKS = 1000000, /* longest: 1 s */
	ARGUMENTS = 6
};

struct latencies {
	uint32_t *ticks;
	uint64_t count, bad;
};

struct link {
	int fd;
	bool busy, report;
	uint64_t due; /* ns */
	size_t got;
	char reply[REPLY_SIZE];
};

static struct client {
	const char *secret;
	uint64_t rate, every, number, begin, end;
	int epoll;
	struct link links[CONNECTIONS];
	struct latencies allow, report;
} client;

static void connect_link(struct link *l, uint16_t port)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = l };
	const int on = 1;

	l->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must(l->fd >= 0);
	must(connect(l->fd, (struct sockaddr *)&at, sizeof(at)) == 0);
	must(setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0);
	must(epoll_ctl(client.epoll, EPOLL_CTL_ADD, l->fd, &event) == 0);
}

static void ask(struct link *l, uint64_t due)
{
	char body[REQUEST_SIZE / 2], request[REQUEST_SIZE];
	uint64_t i = client.number++;
	int n;

	l->report = client.every && i % client.every == 0;
	n = snprintf(body, sizeof(body),
	    "{\"device_id\":\"\",\"login\":\"user%u\",\"protocol\":\"imap\","
	    "\"pwhash\":\"0d52\",\"remote\":\"45.%u.%u.%u\",\"session_id\":"
	    "\"s%llu\"%s,\"tls\":false}",
	    (unsigned)(i % 1000), (unsigned)(i >> 16 & 255),
	    (unsigned)(i >> 8 & 255), (unsigned)(i & 255),
	    (unsigned long long)i,
	    l->report ? ",\"success\":true,\"policy_reject\":false" : "");
	n = snprintf(request, sizeof(request),
	    "POST /policy?command=%s HTTP/1.1\r\nHost: 127.0.0.1\r\n"
	    "User-Agent: dovecot/auth-policy-client\r\n"
	    "Content-Type: application/json\r\nX-Relaypass-Key: %s\r\n"
	    "Content-Length: %d\r\n\r\n%s",
	    l->report ? "report" : "allow", client.secret, n, body);
	must(n > 0 && n < REQUEST_SIZE);
	must(send(l->fd, request, (size_t)n, MSG_NOSIGNAL) == n);
	l->busy = true;
	l->due = due;
	l->got = 0;
}

static void count(struct latencies *s, uint64_t ns, bool good)
{
	uint64_t tick = ns / TICK_NS;

	s->count++;
	s->bad += !good;
	s->ticks[tick < TICKS ? tick : TICKS - 1]++;
}

/* Reads; true when the answer is whole. */
static bool heard(struct link *l)
{
	const char *body, *length;
	ssize_t n =
	    recv(l->fd, l->reply + l->got, sizeof(l->reply) - 1 - l->got, 0);

	must(n > 0 && l->busy);
	l->got += (size_t)n;
	l->reply[l->got] = '\0';
	body = strstr(l->reply, "\r\n\r\n");
	length = strcasestr(l->reply, "content-length:");
	return body && length &&
	       l->got >=
		   (size_t)(body + 4 - l->reply) +
		       strtoul(length + strlen("content-length:"), NULL, 10);
}

static void take(struct link *l)
{
	if (!heard(l))
		return;
	l->busy = false;
	count(l->report ? &client.report : &client.allow, uv_hrtime() - l->due,
	    strncmp(l->reply + 9, "200", 3) == 0);
}

/* Requests that are due, on connections that are free. */
static void send_due(uint64_t now)
{
	for (size_t i = 0; i < CONNECTIONS; i++) {
		struct link *l = &client.links[i];
		uint64_t due = now;

		if (l->busy)
			continue;
		if (client.rate)
			due = client.begin +
			      client.number * 1000000000ULL / client.rate;
		if (due > now)
			return;
		ask(l, due);
	}
}

static void run(void)
{
	struct epoll_event events[CONNECTIONS];
	uint64_t now;

	while ((now = uv_hrtime()) < client.end) {
		int n;

		send_due(now);
		n = epoll_wait(
		    client.epoll, events, CONNECTIONS, client.rate ? 1 : -1);
		for (int i = 0; i < n; i++)
			take(events[i].data.ptr);
	}
}

static double percentile(const struct latencies *s, double share)
{
	uint64_t want = (uint64_t)((double)s->count * share), seen = 0;
	size_t i = 0;

	while (i < TICKS - 1 && (seen += s->ticks[i]) <= want)
		i++;
	return (double)i * TICK_NS / 1e6;
}

static void print(const char *name, const struct latencies *s, double seconds)
{
	printf("what=%s count=%llu bad=%llu per_s=%.0f p50_ms=%.3f p99_ms=%.3f "
	       "p999_ms=%.3f\n",
	    name, (unsigned long long)s->count, (unsigned long long)s->bad,
	    (double)s->count / seconds, percentile(s, 0.5), percentile(s, 0.99),
	    percentile(s, 0.999));
}

int main(int argc, char **argv)
{
	double seconds;

	if (argc != ARGUMENTS)
		return 100;
	client.secret = argv[2];
	client.rate = strtoull(argv[3], NULL, 10);
	seconds = strtod(argv[4], NULL);
	client.every = strtoull(argv[5], NULL, 10);
	client.allow.ticks = xcalloc(TICKS, sizeof(uint32_t));
	client.report.ticks = xcalloc(TICKS, sizeof(uint32_t));
	client.epoll = epoll_create1(EPOLL_CLOEXEC);
	for (size_t i = 0; i < CONNECTIONS; i++)
		connect_link(
		    &client.links[i], (uint16_t)strtoul(argv[1], NULL, 10));
	client.begin = uv_hrtime();
	client.end = client.begin + (uint64_t)(seconds * 1e9);
	run();
	print("allow", &client.allow, seconds);
	if (client.every)
		print("report", &client.report, seconds);
	return 0;
}
