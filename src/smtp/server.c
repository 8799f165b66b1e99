/* SPDX-License-Identifier: ISC */
/*
 * server - a reply is taken whole or not at all; who breaks the rules is
 * closed.
 */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"

enum {
	END_MS = 10000, /* for a server whose input has ended */
	PLACE_SIZE = 300,
	HUNDRED = 100
};

/* --- a program -------------------------------------------------------------
 */

static int spawn(
    pid_t *pid, int in, int out, int kept, char *const *argv, char *const *env)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, usual;
	int error;

	(void)sigemptyset(&none);
	(void)sigemptyset(&usual);
	(void)sigaddset(&usual, SIGPIPE);
	(void)posix_spawnattr_init(&attr);
	(void)posix_spawnattr_setsigdefault(&attr, &usual);
	(void)posix_spawnattr_setsigmask(&attr, &none);
	(void)posix_spawnattr_setflags(
	    &attr, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
	(void)posix_spawn_file_actions_init(&files);
	error = posix_spawn_file_actions_adddup2(&files, in, STDIN_FILENO);
	if (error == 0)
		error = posix_spawn_file_actions_adddup2(
		    &files, out, STDOUT_FILENO);
	/* The same number: it stays open. */
	if (error == 0 && kept >= 0)
		error = posix_spawn_file_actions_adddup2(&files, kept, kept);
	if (error == 0)
		error = posix_spawnp(pid, argv[0], &files, &attr, argv, env);
	(void)posix_spawn_file_actions_destroy(&files);
	(void)posix_spawnattr_destroy(&attr);
	return error;
}

int spp_server_start(struct spp_server *s, char *const *argv, char *const *env,
    int kept, int64_t limit, struct err *err)
{
	int to[2], from[2], error;

	if (pipe2(to, O_CLOEXEC) < 0)
		return err_errno(err, EXIT_AGAIN, errno, "pipe");
	if (pipe2(from, O_CLOEXEC) < 0) {
		error = errno;
		(void)close(to[0]);
		(void)close(to[1]);
		return err_errno(err, EXIT_AGAIN, error, "pipe");
	}
	error = spawn(&s->pid, to[0], from[1], kept, argv, env);
	(void)close(to[0]);
	(void)close(from[1]);
	spp_wire_begin(&s->wire, from[0], to[1], limit);
	spp_wire_own(&s->wire);
	if (error == 0)
		return 0;
	s->pid = 0;
	spp_wire_close(&s->wire);
	return err_errno(err, EXIT_AGAIN, error, "cannot run %s", argv[0]);
}

/* True: it has ended. */
static bool has_ended(pid_t pid, int limit)
{
	struct pollfd p = { .events = POLLIN };

	if (waitpid(pid, NULL, WNOHANG) != 0)
		return true;
	p.fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (p.fd >= 0) {
		(void)poll(&p, 1, limit);
		(void)close(p.fd);
	}
	return waitpid(pid, NULL, WNOHANG) != 0;
}

void spp_child_end(pid_t *pid)
{
	if (*pid > 0 && !has_ended(*pid, END_MS)) {
		(void)kill(*pid, SIGTERM);
		if (!has_ended(*pid, END_MS))
			(void)kill(*pid, SIGKILL);
	}
	*pid = 0;
}

void spp_server_close(struct spp_server *s)
{
	spp_wire_close(&s->wire);
	spp_child_end(&s->pid);
}

/* --- by TCP ----------------------------------------------------------------
 */

/* "HOST:PORT" into both. */
static bool split(
    const char *place, char host[static PLACE_SIZE], const char **port)
{
	const char *colon = strrchr(place, ':');
	size_t len = colon ? (size_t)(colon - place) : 0;
	bool bracket = len > 2 && place[0] == '[' && place[len - 1] == ']';

	if (bracket) {
		place++;
		len -= 2;
	}
	if (len == 0 || len >= PLACE_SIZE || !colon[1] ||
	    (!bracket && memchr(place, ':', len)))
		return false;
	memcpy(host, place, len);
	host[len] = '\0';
	*port = colon + 1;
	return true;
}

bool spp_server_is_place(const char *place)
{
	char host[PLACE_SIZE];
	const char *port;

	return split(place, host, &port);
}

static int connect_to(const struct addrinfo *a, int64_t limit)
{
	AUTO_CLOSE int fd =
	    socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	int error = ETIMEDOUT;
	socklen_t size = sizeof(error);

	if (fd < 0)
		return -1;
	if (connect(fd, a->ai_addr, a->ai_addrlen) == 0)
		return take_fd(&fd);
	if (errno != EINPROGRESS)
		return -1;
	if (poll(&p, 1, (int)limit) > 0 &&
	    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 &&
	    error == 0)
		return take_fd(&fd);
	errno = error;
	return -1;
}

int spp_server_connect(
    struct spp_server *s, const char *place, int64_t limit, struct err *err)
{
	const struct addrinfo want = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;
	char host[PLACE_SIZE];
	const char *port;
	int fd = -1, error;

	s->pid = 0;
	if (!split(place, host, &port))
		return err_set(err, EXIT_USER,
		    "%s: expected HOST:PORT or [ADDRESS]:PORT", place);
	error = getaddrinfo(host, port, &want, &found);
	if (error != 0)
		return err_set(
		    err, EXIT_AGAIN, "%s: %s", place, gai_strerror(error));
	errno = ECONNREFUSED;
	for (const struct addrinfo *a = found; a && fd < 0; a = a->ai_next)
		fd = connect_to(a, limit);
	freeaddrinfo(found);
	if (fd < 0)
		return err_errno(
		    err, EXIT_AGAIN, errno, "cannot connect to %s", place);
	spp_wire_begin(&s->wire, fd, fd, limit);
	spp_wire_own(&s->wire);
	return 0;
}

/* --- talking ---------------------------------------------------------------
 */

bool spp_server_hear(struct spp_server *s)
{
	struct spp_wire *w = &s->wire;
	enum spp_reply_state state = SPP_REPLY_MORE;
	const char *bytes = w->read + w->from;
	size_t len = w->to - w->from, used = 0;

	s->code = 0;
	s->len = 0;
	if (!spp_server_is_open(s))
		return false;
	if (len > 0)
		state = spp_reply_read(bytes, len, &s->code, &used);
	while (state == SPP_REPLY_MORE &&
	       spp_wire_more(w, &bytes, &len) == SPP_WIRE_GOOD)
		state = spp_reply_read(bytes, len, &s->code, &used);
	if (state != SPP_REPLY_WHOLE) {
		spp_wire_close(&s->wire);
		return false;
	}
	s->reply = bytes;
	s->len = used;
	spp_wire_take(w, used);
	return true;
}

bool spp_server_has_more(const struct spp_server *s)
{
	struct pollfd p = { .fd = s->wire.in, .events = POLLIN };

	return s->wire.from < s->wire.to ||
	       (!s->wire.quiet && poll(&p, 1, 0) > 0);
}

/* What it said before, or why it does not listen: 421 only. */
static bool hear_last(struct spp_server *s)
{
	if (spp_server_hear(s) && s->code == SPP_CLOSING)
		return true;
	spp_wire_close(&s->wire);
	return false;
}

bool spp_server_ask(struct spp_server *s, const char *line)
{
	if (!spp_server_is_open(s))
		return false;
	if (spp_server_has_more(s) ||
	    spp_wire_puts(&s->wire, line) != SPP_WIRE_GOOD ||
	    spp_wire_puts(&s->wire, "\r\n") != SPP_WIRE_GOOD ||
	    spp_wire_flush(&s->wire) != SPP_WIRE_GOOD)
		return hear_last(s);
	return spp_server_hear(s);
}

int spp_server_class(const struct spp_server *s)
{
	return s->code / HUNDRED;
}

bool spp_server_is_open(const struct spp_server *s)
{
	return s->wire.in >= 0;
}
