/* SPDX-License-Identifier: ISC */
/*
 * relay-ctrl-net - relay-ctrl-send and -udp, by the name it is called: a login
 * told to other machines, and heard by one that has no relaypassd.
 *
 *	-> 192.0.2.7		one datagram, no LF, to port 811
 *	<- 01			it is written down
 *
 * Called by:  the chain of a POP server (-send); a supervisor of services.
 * Not here:   the source kind "relay-ctrl" of relaypassd, which hears the same
 *             and the signed form too.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "base/endpoint.h"
#include "base/mem.h"
#include "base/netset.h"
#include "base/secret.h"
#include "relay-ctrl-env.h"
#include "relay-ctrl-file.h"
#include "source/relay_ctrl_packet.h"

enum {
	PORT_MAX = 65535,
	REMOTES_MAX = 32,
	TRIES = 5,
	TRIES_MAX = 100,
	TIMEOUT_S = 1,
	TIMEOUT_MAX_S = 60,
	MS = 1000,
	PIECE_SIZE = 1024, /* larger than any packet */
	SAY_EVERY_MS = 60 * MS
};

static uint16_t port_of_env(void)
{
	return (uint16_t)ctrl_number(
	    "RELAY_CTRL_PORT", RELAY_CTRL_PORT, PORT_MAX);
}

/* --- send -------------------------------------------------------------------
 */

struct remote {
	struct addr addr;
	int fd; /* connected: only its answers come in; -1: told, or given up */
};

struct message {
	struct remote remotes[REMOTES_MAX];
	size_t count;
	struct relay_ctrl_packet packet;
	char *key; /* NULL: the plain form */
	size_t key_len;
};

static void add_remote(struct message *m, const char *text, size_t len)
{
	struct remote *r = &m->remotes[m->count];

	if (m->count == REMOTES_MAX || !addr_parse(text, len, &r->addr)) {
		ctrl_say(
		    "RELAY_CTRL_REMOTES: \"%.*s\" is not used", (int)len, text);
		return;
	}
	r->fd = -1;
	m->count++;
}

static void read_remotes(struct message *m)
{
	const char *text = ctrl_text("RELAY_CTRL_REMOTES");

	if (!text)
		ctrl_say("RELAY_CTRL_REMOTES is not set, so nobody is told");
	while (text) {
		size_t len = strcspn(text, ",");
		add_remote(m, text, len);
		text = text[len] ? text + len + 1 : NULL;
	}
}

static void put_value(
    const char *name, char out[static RELAY_CTRL_VALUE_MAX + 1], uint8_t *len)
{
	const char *text = ctrl_text(name);
	size_t n = text ? strlen(text) : 0;

	/* Half a name would be another one. */
	*len = n <= RELAY_CTRL_VALUE_MAX - 2 ? (uint8_t)n : 0;
	if (*len)
		memcpy(out, text, *len);
	out[*len] = '\0';
}

/* False: it was to be signed, and cannot: then nothing is told. */
static bool prepare(struct message *m)
{
	const char *file = ctrl_text("RELAY_CTRL_KEY_FILE");
	struct err err = { 0 };

	m->packet.form = file ? RELAY_CTRL_REQUEST : RELAY_CTRL_PLAIN;
	put_value("USER", m->packet.user, &m->packet.user_len);
	put_value("DOMAIN", m->packet.domain, &m->packet.domain_len);
	if (!file)
		return true;
	if (secret_read(file, &m->key, &m->key_len, &err) < 0) {
		ctrl_say("%s", err.text);
		return false;
	}
	if (m->key_len >= RELAY_CTRL_KEY_MIN)
		return true;
	ctrl_say("%s: fewer than %d bytes", file, RELAY_CTRL_KEY_MIN);
	return false;
}

static void open_remotes(struct message *m)
{
	uint16_t port = port_of_env();

	for (size_t i = 0; i < m->count; i++) {
		struct remote *r = &m->remotes[i];
		struct sockaddr_storage to;
		const struct endpoint at = {
			.type = ENDPOINT_UDP, .addr = r->addr, .port = port
		};
		socklen_t len = endpoint_address(&at, &to);
		r->fd = socket(
		    to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (r->fd >= 0 &&
		    connect(r->fd, (struct sockaddr *)&to, len) == 0)
			continue;
		if (r->fd >= 0)
			(void)close(r->fd);
		r->fd = -1;
	}
}

static void hear(const struct message *m, struct remote *r)
{
	uint8_t bytes[PIECE_SIZE];
	ssize_t n = recv(r->fd, bytes, sizeof(bytes), 0);

	/* An error, such as nobody at that port, is worth another try. */
	if (n < 0 || !relay_ctrl_is_reply(
			 bytes, (size_t)n, &m->packet, m->key, m->key_len))
		return;
	(void)close(r->fd);
	r->fd = -1;
}

/* Waits for all that have not answered. False: there is nobody left. */
static bool hear_all(struct message *m, int64_t wait)
{
	int64_t end = clock_now().boot + wait;

	for (;;) {
		struct pollfd polled[REMOTES_MAX];
		size_t open = 0;
		for (size_t i = 0; i < m->count; i++) {
			polled[i] =
			    (struct pollfd){ m->remotes[i].fd, POLLIN, 0 };
			open += m->remotes[i].fd >= 0;
		}
		int64_t left = end - clock_now().boot;
		if (open == 0)
			return false;
		if (left <= 0 || poll(polled, m->count, (int)left) < 0)
			return true;
		for (size_t i = 0; i < m->count; i++)
			if (polled[i].revents)
				hear(m, &m->remotes[i]);
	}
}

static void tell_all(struct message *m)
{
	int64_t tries = ctrl_number("RELAY_CTRL_TRIES", TRIES, TRIES_MAX);
	int64_t wait =
	    ctrl_number("RELAY_CTRL_TIMEOUT", TIMEOUT_S, TIMEOUT_MAX_S) * MS;
	uint8_t bytes[RELAY_CTRL_PACKET_MAX];
	char text[ADDR_TEXT_SIZE];

	open_remotes(m);
	while (tries-- > 0) {
		/* Each one is signed anew: the same twice is a replay. */
		m->packet.time = clock_now().wall;
		size_t len =
		    relay_ctrl_encode(&m->packet, m->key, m->key_len, bytes);
		for (size_t i = 0; i < m->count; i++)
			if (m->remotes[i].fd >= 0 && len)
				(void)send(
				    m->remotes[i].fd, bytes, len, MSG_NOSIGNAL);
		if (!hear_all(m, wait))
			return;
	}
	for (size_t i = 0; i < m->count; i++) {
		if (m->remotes[i].fd < 0)
			continue;
		addr_print(&m->remotes[i].addr, text);
		syslog(LOG_MAIL | LOG_WARNING,
		    "relay-ctrl-send: no answer from %s", text);
	}
}

/* In a process of its own, which holds nothing of the mail client's: neither
 * its connection, nor the log, which others may wait for, nor a directory. */
static _Noreturn void in_background(struct message *m)
{
	int null = open("/dev/null", O_RDWR);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0 ||
	    dup2(null, STDOUT_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0 ||
	    close_range(STDERR_FILENO + 1, ~0U, 0) < 0 || chdir("/") < 0)
		_exit(CTRL_EXIT_FAILED);
	(void)setsid();
	tell_all(m);
	_exit(0);
}

/* The child ends at once, so that its child belongs to init, and the program
 * that this process becomes has none that it does not know. */
static void fork_twice(struct message *m)
{
	pid_t pid = fork();

	if (pid < 0)
		ctrl_say("cannot fork: %s", strerror(errno));
	if (pid == 0) {
		if (fork() == 0)
			in_background(m);
		_exit(0);
	}
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static int run_send(char **argv)
{
	static struct message m;

	if (ctrl_client(&m.packet.addr)) {
		read_remotes(&m);
		if (m.count && prepare(&m))
			fork_twice(&m);
		secret_free(&m.key, m.key_len);
	}
	return ctrl_exec(argv);
}

/* --- udp --------------------------------------------------------------------
 */

struct hearer {
	int fd;
	struct netset *peers;
	struct lease_dir dir;
	unsigned long refused; /* not yet said */
	int64_t said_at;
};

/* Who may tell: nobody, unless it is said. The port is open to the world, and
 * a datagram's sender is easily made up. */
static int read_peers(struct hearer *h)
{
	const char *text = ctrl_text("RELAY_CTRL_PEERS");
	struct net net;

	h->peers = netset_new();
	while (text) {
		size_t len = strcspn(text, ",");
		if (!net_parse(text, len, &net)) {
			ctrl_say("RELAY_CTRL_PEERS: \"%.*s\" is no network",
			    (int)len, text);
			return -1;
		}
		netset_add(h->peers, &net, 1);
		text = text[len] ? text + len + 1 : NULL;
	}
	if (netset_count(h->peers))
		return 0;
	ctrl_say("anybody could give leases: name the networks that may in "
		 "RELAY_CTRL_PEERS, such as 192.0.2.25,198.51.100.0/24");
	return -1;
}

/* Both families where there are both. */
static int open_port(uint16_t port)
{
	const int off = 0;
	struct sockaddr_in6 six = { .sin6_family = AF_INET6,
		.sin6_port = htons(port),
		.sin6_addr = IN6ADDR_ANY_INIT };
	struct sockaddr_in four = { .sin_family = AF_INET,
		.sin_port = htons(port) };
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) == 0 &&
	    bind(fd, (const struct sockaddr *)&six, sizeof(six)) == 0)
		return fd;
	if (fd >= 0)
		(void)close(fd);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 &&
	    bind(fd, (const struct sockaddr *)&four, sizeof(four)) < 0) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

/* At once for the first, then once a minute. */
static void refuse(struct hearer *h, const struct addr *peer)
{
	char text[ADDR_TEXT_SIZE];
	int64_t now = clock_now().boot;

	h->refused++;
	if (h->said_at && now - h->said_at < SAY_EVERY_MS)
		return;
	addr_print(peer, text);
	ctrl_say("%lu datagrams refused, the last from %s", h->refused, text);
	h->refused = 0;
	h->said_at = now;
}

static void hear_one(struct hearer *h)
{
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);
	uint8_t bytes[PIECE_SIZE];
	const uint8_t ack = RELAY_CTRL_ACK;
	struct relay_ctrl_packet packet;
	struct addr peer;
	uint16_t port;
	ssize_t n = recvfrom(h->fd, bytes, sizeof(bytes), 0,
	    (struct sockaddr *)&from, &from_len);

	if (n < 0 || !endpoint_peer(&from, &peer, &port))
		return;
	if (netset_find(h->peers, &peer) < 0 ||
	    !relay_ctrl_decode(bytes, (size_t)n, &packet) ||
	    packet.form != RELAY_CTRL_PLAIN) {
		refuse(h, &peer);
		return;
	}
	if (lease_file_touch(&h->dir, &packet.addr, clock_now()) < 0)
		ctrl_say("cannot write a file: %s", strerror(errno));
	else
		(void)sendto(h->fd, &ack, sizeof(ack), 0,
		    (struct sockaddr *)&from, from_len);
}

static int run_udp(char **argv)
{
	static struct hearer h;
	const char *what;

	(void)argv;
	if (read_peers(&h) < 0)
		return CTRL_EXIT_USAGE;
	if (lease_dir_open(&h.dir, &what) < 0) {
		ctrl_say("cannot open %s: %s", what ? what : "RELAY_CTRL_DIR",
		    what ? strerror(errno) : "it is not set");
		return CTRL_EXIT_USAGE;
	}
	/* -check reads them as another user. */
	h.dir.shared = true;
	h.fd = open_port(port_of_env());
	if (h.fd < 0) {
		ctrl_say("cannot listen: %s", strerror(errno));
		return CTRL_EXIT_FAILED;
	}
	for (;;)
		hear_one(&h);
}

int main(int argc, char **argv)
{
	static const struct ctrl_program programs[] = {
		{ "relay-ctrl-send", "PROGRAM [ARGUMENT]...", run_send, true },
		{ "relay-ctrl-udp", "", run_udp, false },
		{ 0 },
	};

	(void)argc;
	return ctrl_main(programs, argv);
}
