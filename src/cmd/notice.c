/* SPDX-License-Identifier: ISC */
/*
 * notice - one datagram to relaypassd and one back. It stands in the way of a
 * login, so every wait counts against one limit; a stream serves where the
 * configuration has one in the place of datagrams.
 */
#include "notice.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/special.h"

enum {
	RETRY_MS = 5,
	FD_FIRST = 10, /* out of the way: checkpassword reads 3 */
	FD_LAST = 1 << 20
};

/* --- the environment --------------------------------------------------------
 */

/* The first of these variables that is not empty, or NULL. */
static const char *first_of(const char *const *names)
{
	for (; *names; names++) {
		const char *text = getenv(*names);
		if (text && *text)
			return text;
	}
	return NULL;
}

static bool has(const char *name)
{
	return getenv(name) != NULL;
}

static int read_user(const char *text, struct login *out, struct err *err)
{
	size_t len = strlen(text);

	if (len > LOGIN_USER_MAX)
		return err_set(err, EXIT_USER,
		    "the user's name has more than %d bytes", LOGIN_USER_MAX);
	memcpy(out->user, text, len);
	out->user_len = (uint8_t)len;
	return 0;
}

enum notice_found notice_client(struct addr *out, struct err *err)
{
	static const char *const names[] = { "IP", "TCPREMOTEIP", "REMOTE_HOST",
		NULL };
	const char *text = first_of(names);

	if (!text)
		(void)err_set(err, EXIT_USER,
		    "none of IP, TCPREMOTEIP and REMOTE_HOST is set");
	else if (!addr_parse(text, strlen(text), out))
		(void)err_set(
		    err, EXIT_USER, "\"%s\" is not an IP address", text);
	else
		return special_find(out, NULL) == SPECIAL_NEVER ? NOTICE_NOTHING
								: NOTICE_LOGIN;
	return NOTICE_WRONG;
}

enum notice_found notice_from_env(struct login *out, struct err *err)
{
	static const char *const users[] = { "AUTHENTICATED", "USER", "LOGNAME",
		NULL };
	const char *authenticated = getenv("AUTHENTICATED");
	const char *user = first_of(users);
	bool courier = has("AUTHUSER") && has("AUTHARGV0");
	const char *server = "";
	enum notice_found found;

	memset(out, 0, sizeof(*out));
	out->kind = LOGIN_IN;
	if (courier && !(authenticated && *authenticated))
		return NOTICE_NOTHING;
	found = notice_client(&out->addr, err);
	if (found == NOTICE_WRONG)
		return NOTICE_WRONG;
	if (!user) {
		(void)err_set(err, EXIT_USER,
		    "none of AUTHENTICATED, USER and LOGNAME is set");
		return NOTICE_WRONG;
	}
	if (read_user(user, out, err) < 0)
		return NOTICE_WRONG;
	if (found == NOTICE_NOTHING)
		return NOTICE_NOTHING;
	if (courier || has("AUTHADDR"))
		server = "courier";
	else if (has("IP") && has("USERDB_KEYS"))
		server = "dovecot";
	memcpy(out->server, server, strlen(server) + 1);
	return NOTICE_LOGIN;
}

/* A process number comes round again, one with a time does not. */
void notice_name_session(struct login *l, const char *program)
{
	const char *slash = strrchr(program, '/');
	int n;

	/* What exec will do, for who looks before it: the daemon wants the name
	 * of a mail server. */
	(void)prctl(PR_SET_NAME, slash ? slash + 1 : program);
	l->mpid = (uint32_t)getpid();
	n = snprintf(l->session, sizeof(l->session), "%" PRIu32 ".%" PRId64,
	    l->mpid, clock_now().wall);
	l->session_len = (uint8_t)n;
}

/* --- telling ----------------------------------------------------------------
 */

struct talk {
	int fd;
	int64_t give_up; /* boot clock */
};

/* Waits for the socket, or (events 0) a moment. */
static int wait_for(const struct talk *t, short events)
{
	struct pollfd p = { .fd = t->fd, .events = events };
	int64_t left = t->give_up - clock_now().boot;

	if (left <= 0) {
		errno = ETIMEDOUT;
		return -1;
	}
	if (!events)
		return poll(NULL, 0, left < RETRY_MS ? (int)left : RETRY_MS);
	(void)poll(&p, 1, (int)left);
	return 0;
}

/* A full backlog says EAGAIN and cannot be polled for. */
static int talk_connect(const struct talk *t, const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(un.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(un.sun_path, path, strlen(path) + 1);
	while (connect(t->fd, (const struct sockaddr *)&un, sizeof(un)) < 0)
		if ((errno != EAGAIN && errno != EINTR) || wait_for(t, 0) < 0)
			return -1;
	return 0;
}

static int talk_send(const struct talk *t, const char *line, size_t len)
{
	/* One line always fits into an empty stream, and a datagram goes whole.
	 */
	while (
	    send(t->fd, line, len, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)len)
		if ((errno != EAGAIN && errno != EINTR) ||
		    wait_for(t, POLLOUT) < 0)
			return -1;
	return 0;
}

static ssize_t talk_receive(const struct talk *t, char *out, size_t size)
{
	size_t used = 0;

	while (used < size && !memchr(out, '\n', used)) {
		ssize_t n = recv(t->fd, out + used, size - used, MSG_DONTWAIT);
		if (n == 0)
			errno = ECONNRESET;
		if (n > 0)
			used += (size_t)n;
		else if (n == 0 || (errno != EAGAIN && errno != EINTR) ||
			 wait_for(t, POLLIN) < 0)
			return -1;
	}
	return (ssize_t)used;
}

static ssize_t talk_over(
    int fd, const char *line, size_t len, char *out, size_t size)
{
	struct talk t = { fd, clock_now().boot + NOTIFY_WAIT_MS };

	return talk_send(&t, line, len) < 0 ? -1 : talk_receive(&t, out, size);
}

/* A new connection; -1: errno. */
static int talk_open(int type, const char *path)
{
	static const struct sockaddr_un any = { .sun_family = AF_UNIX };
	AUTO_CLOSE int fd =
	    socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct talk t = { fd, clock_now().boot + NOTIFY_WAIT_MS };

	if (fd < 0 || talk_connect(&t, path) < 0)
		return -1;
	/* Without a name nobody could answer a datagram (unix(7), autobind). */
	if (type == SOCK_DGRAM &&
	    bind(fd, (const struct sockaddr *)&any, sizeof(any.sun_family)) < 0)
		return -1;
	return take_fd(&fd);
}

static void explain(const char *path, int errno_value, struct err *err)
{
	switch (errno_value) {
	case ENOENT:
	case ENOTDIR:
	case ECONNREFUSED:
		(void)err_set(err, EXIT_AGAIN,
		    "nobody listens at %s: relaypassd is not running, or does "
		    "not listen there",
		    path);
		break;
	case EACCES:
	case EPERM:
		(void)err_set(err, EXIT_USER,
		    "no permission to speak at %s: see the option mode of its "
		    "source",
		    path);
		break;
	case EAGAIN:
	case ETIMEDOUT:
	case ECONNRESET:
		(void)err_set(err, EXIT_AGAIN,
		    "no answer from %s within %d ms: relaypassd is busy, or "
		    "its source does not allow uid %u",
		    path, NOTIFY_WAIT_MS, (unsigned)geteuid());
		break;
	default:
		(void)err_errno(
		    err, EXIT_AGAIN, errno_value, "cannot speak at %s", path);
		break;
	}
}

static int judge(
    const struct login *l, const struct notify_answer *answer, struct err *err)
{
	static const enum exit_code codes[] = {
		[NOTIFY_NOT_STORED] = EXIT_AGAIN,
		[NOTIFY_STORED] = EXIT_YES,
		[NOTIFY_BOUND] = EXIT_AGAIN, /* not to a login */
		[NOTIFY_NONE] = EXIT_NO,
		[NOTIFY_ERROR] = EXIT_USER,
	};
	char ip[ADDR_TEXT_SIZE];

	if (answer->word == NOTIFY_STORED)
		return EXIT_YES;
	addr_print(&l->addr, ip);
	(void)err_set(
	    err, codes[answer->word], "no lease for %s: %s", ip, answer->text);
	return err->code;
}

ssize_t notice_line(const char *path, const char *line, size_t len, char *out,
    size_t size, struct err *err)
{
	AUTO_CLOSE int fd = talk_open(SOCK_DGRAM, path);
	ssize_t n = -1;

	if (fd < 0 && errno == EPROTOTYPE)
		fd = talk_open(SOCK_STREAM, path);
	if (fd >= 0)
		n = talk_over(fd, line, len, out, size);
	if (n < 0)
		explain(path, errno, err);
	return n;
}

int notice_tell(
    const char *path, int fd, const struct login *l, struct err *err)
{
	char line[NOTIFY_MAX + 1], text[NOTIFY_ANSWER_MAX];
	size_t len = notify_print(l, NULL, line);
	struct notify_answer answer;
	ssize_t n;

	if (len == 0) {
		(void)err_set(err, EXIT_USER,
		    "a name is too long, or holds a control character");
		return EXIT_USER;
	}
	if (fd < 0)
		n = notice_line(path, line, len, text, sizeof(text), err);
	else if ((n = talk_over(fd, line, len, text, sizeof(text))) < 0)
		explain(NOTICE_FD, errno, err);
	if (n < 0)
		return err->code;
	if (notify_answer_parse(text, (size_t)n, &answer))
		return judge(l, &answer, err);
	(void)err_set(err, EXIT_AGAIN,
	    "what answers at %s does not speak the notify protocol", path);
	return EXIT_AGAIN;
}

/* --- a connection handed down -----------------------------------------------
 */

static int bind_line(
    const char *path, int fd, const struct addr *client, struct err *err)
{
	char line[NOTIFY_MAX + 1], text[NOTIFY_ANSWER_MAX];
	size_t len = notify_bind_print(client, line);
	ssize_t n = talk_over(fd, line, len, text, sizeof(text));
	struct notify_answer answer;

	if (n < 0)
		explain(path, errno, err);
	else if (!notify_answer_parse(text, (size_t)n, &answer) ||
		 answer.word != NOTIFY_BOUND)
		(void)err_set(err, EXIT_AGAIN,
		    "what answers at %s does not bind a connection", path);
	else
		return 0;
	return -1;
}

int notice_open(const char *path, const struct addr *client, struct err *err)
{
	AUTO_CLOSE int fd = talk_open(SOCK_STREAM, path);
	char text[sizeof("4294967295")];
	int kept;

	if (fd < 0) {
		explain(path, errno, err);
		return -1;
	}
	if (bind_line(path, fd, client, err) < 0)
		return -1;
	kept = fcntl(fd, F_DUPFD, FD_FIRST);
	if (kept < 0)
		return err_errno(
		    err, EXIT_AGAIN, errno, "no descriptor for " NOTICE_FD);
	(void)snprintf(text, sizeof(text), "%d", kept);
	if (setenv(NOTICE_FD, text, 1) == 0)
		return 0;
	(void)close(kept);
	return err_set(err, EXIT_AGAIN, "no room for " NOTICE_FD);
}

/* A stream to somebody on this host, whoever has set the variable. */
static bool is_line(int fd)
{
	int domain = -1, type = -1;
	socklen_t len = sizeof(int);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 &&
	       getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
	       domain == AF_UNIX && type == SOCK_STREAM;
}

int notice_inherited(void)
{
	const char *text = getenv(NOTICE_FD);
	char *end;
	long fd;

	if (!text)
		return -1;
	errno = 0;
	fd = strtol(text, &end, 10);
	if (errno || *end || fd < FD_FIRST || fd > FD_LAST || !is_line((int)fd))
		fd = -1;
	(void)unsetenv(NOTICE_FD);
	if (fd >= 0 && fcntl((int)fd, F_SETFD, FD_CLOEXEC) < 0)
		fd = -1;
	return (int)fd;
}
