/* SPDX-License-Identifier: ISC */
/*
 * socket - where a listener listens, as text and as an open socket.
 * Called by: the supervisor, while it still is root; listener.c (texts).
 * Not here:  accepting (server.c).
 */
#include <errno.h>
#include <grp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "listener.h"

enum {
	BACKLOG = 1024,      /* the kernel cuts it to net.core.somaxconn */
	SEND_ROOM = 8 << 20, /* answers of datagrams that nobody has read yet */
	DIRECTORY_MODE = 0750,
	PORT_DIGITS = 5,
	PORT_MAX = 65535
};

_Static_assert(sizeof(((struct listener_endpoint *)0)->path) ==
		   sizeof(((struct sockaddr_un *)0)->sun_path),
    "a path must fit the kernel's");

/* --- text ------------------------------------------------------------------
 */

static bool parse_port(const char *text, uint16_t *out)
{
	size_t len = strlen(text);
	unsigned port = 0;

	if (len < 1 || len > PORT_DIGITS || text[0] == '0')
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		port = port * 10 + (unsigned)(text[i] - '0');
	}
	*out = (uint16_t)port;
	return port <= PORT_MAX;
}

static bool parse_inet(const char *text, struct listener_endpoint *out)
{
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : 0;
	bool six = *text == '[';

	if (len < 3 || six != (colon[-1] == ']'))
		return false;
	if (six) {
		text++;
		len -= 2;
	}
	/* A mapped address in brackets would become another one. */
	return addr_parse(text, len, &out->addr) &&
	       addr_is_ipv4(&out->addr) == !six &&
	       parse_port(colon + 1, &out->port);
}

static bool parse_unix(const char *text, struct listener_endpoint *out)
{
	size_t len = strlen(text);

	out->local = true;
	if (text[0] != '/' || len >= sizeof(out->path) || text[len - 1] == '/')
		return false;
	memcpy(out->path, text, len + 1);
	return true;
}

bool listener_parse_listen(const char *text, struct listener_endpoint *out)
{
	static const char local[] = "unix:", datagram[] = "unixgram:",
			  inet[] = "inet:";

	memset(out, 0, sizeof(*out));
	if (strncmp(text, datagram, sizeof(datagram) - 1) == 0) {
		out->datagram = true;
		return parse_unix(text + sizeof(datagram) - 1, out);
	}
	if (strncmp(text, local, sizeof(local) - 1) == 0)
		return parse_unix(text + sizeof(local) - 1, out);
	if (strncmp(text, inet, sizeof(inet) - 1) == 0)
		return parse_inet(text + sizeof(inet) - 1, out);
	return false;
}

const char *listener_print_listen(
    const struct listener_endpoint *e, char *out, size_t size)
{
	char addr[ADDR_TEXT_SIZE];

	if (e->local) {
		(void)snprintf(out, size, "%s:%s",
		    e->datagram ? "unixgram" : "unix", e->path);
		return out;
	}
	(void)addr_print(&e->addr, addr);
	(void)snprintf(out, size,
	    addr_is_ipv4(&e->addr) ? "inet:%s:%u" : "inet:[%s]:%u", addr,
	    (unsigned)e->port);
	return out;
}

/* --- unix ------------------------------------------------------------------
 */

/* Gives path to the listener's group. Who may not do that is not root and keeps
 * its own group: a trial run or a test. */
static int give_group(
    const struct listener *l, const char *path, struct err *err)
{
	const struct group *gr = getgrnam(l->group);

	if (!gr && geteuid() != 0)
		return 0;
	if (!gr)
		return err_set(err, EXIT_USER,
		    "listener %s: there is no group \"%s\"; make it "
		    "(groupadd --system %s) or set `group`",
		    l->name, l->group, l->group);
	if (lchown(path, (uid_t)-1, gr->gr_gid) == 0 ||
	    (errno == EPERM && geteuid() != 0))
		return 0;
	return err_errno(err, EXIT_USER, errno,
	    "listener %s: cannot give %s to group %s", l->name, path, l->group);
}

/* Makes the directory of the socket when it is missing; its parent must be
 * there, for a wrong path must not grow a tree. */
static int make_directory(const struct listener *l, struct err *err)
{
	const char *slash = strrchr(l->at.path, '/');
	AUTO_FREE char *dir =
	    xstrndup(l->at.path, (size_t)(slash - l->at.path));
	mode_t before;
	int made;
	int saved;

	if (!*dir)
		return 0;
	before = umask(0);
	made = mkdir(dir, DIRECTORY_MODE);
	saved = errno;
	(void)umask(before);
	if (made == 0)
		return give_group(l, dir, err);
	if (saved == EEXIST)
		return 0;
	return err_errno(err, EXIT_USER, saved,
	    "listener %s: cannot make the directory %s", l->name, dir);
}

static void unix_address(const struct listener *l, struct sockaddr_un *out)
{
	memset(out, 0, sizeof(*out));
	out->sun_family = AF_UNIX;
	memcpy(out->sun_path, l->at.path, sizeof(out->sun_path));
}

static int unix_socket(const struct listener *l)
{
	const int on = 1, room = SEND_ROOM;
	int type = l->at.datagram ? SOCK_DGRAM : SOCK_STREAM;
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || !l->at.datagram)
		return fd;
	/* Each datagram tells who sent it; unix(7). */
	(void)setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
	/* Answers that a client does not read take room of ours, not of its
	 * own, as long as it lives. */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)) < 0)
		(void)setsockopt(
		    fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	return fd;
}

/* Removes a socket that nobody answers on. */
static int remove_stale(const struct listener *l,
    const struct sockaddr_un *address, struct err *err)
{
	struct stat st;
	AUTO_CLOSE int fd = -1;

	if (lstat(l->at.path, &st) < 0)
		return errno == ENOENT
			   ? 0
			   : err_errno(err, EXIT_USER, errno, "listener %s: %s",
				 l->name, l->at.path);
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, EXIT_USER,
		    "listener %s: %s is there and is no socket; move it away "
		    "or set `listen`",
		    l->name, l->at.path);
	fd = unix_socket(l);
	if (fd < 0)
		return err_errno(err, EXIT_AGAIN, errno, "socket");
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) ==
		0 ||
	    errno == EAGAIN || errno == EPROTOTYPE)
		return err_set(err, EXIT_AGAIN,
		    "listener %s: another instance answers at %s; stop it "
		    "first",
		    l->name, l->at.path);
	if (errno == ENOENT)
		return 0;
	if (errno != ECONNREFUSED)
		return err_errno(err, EXIT_AGAIN, errno,
		    "listener %s: cannot tell whether another instance "
		    "answers at %s",
		    l->name, l->at.path);
	if (unlink(l->at.path) < 0 && errno != ENOENT)
		return err_errno(err, EXIT_USER, errno,
		    "listener %s: cannot remove the stale socket %s", l->name,
		    l->at.path);
	return 0;
}

static int open_unix(const struct listener *l, struct err *err)
{
	struct sockaddr_un address;
	AUTO_CLOSE int fd = -1;
	mode_t before;
	int bound;
	int saved;

	unix_address(l, &address);
	if (make_directory(l, err) < 0 || remove_stale(l, &address, err) < 0)
		return -1;
	fd = unix_socket(l);
	if (fd < 0)
		return err_errno(err, EXIT_AGAIN, errno, "socket");
	/* By umask, so that it is at no moment more open than it should be. */
	before = umask(~l->mode & 0777U);
	bound = bind(fd, (const struct sockaddr *)&address, sizeof(address));
	saved = errno;
	(void)umask(before);
	if (bound < 0)
		return err_errno(err, EXIT_USER, saved,
		    "listener %s: cannot make the socket %s", l->name,
		    l->at.path);
	if (give_group(l, l->at.path, err) < 0) {
		(void)unlink(l->at.path);
		return -1;
	}
	if (!l->at.datagram && listen(fd, BACKLOG) < 0)
		return err_errno(
		    err, EXIT_AGAIN, errno, "listener %s: listen", l->name);
	return take_fd(&fd);
}

/* --- TCP -------------------------------------------------------------------
 */

static socklen_t inet_address(
    const struct listener *l, struct sockaddr_storage *out)
{
	struct sockaddr_in *in4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof(*out));
	if (addr_is_ipv4(&l->at.addr)) {
		in4->sin_family = AF_INET;
		in4->sin_port = htons(l->at.port);
		memcpy(&in4->sin_addr, l->at.addr.bytes + 12, 4);
		return sizeof(*in4);
	}
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(l->at.port);
	memcpy(&in6->sin6_addr, l->at.addr.bytes, 16);
	return sizeof(*in6);
}

static int bind_failed(const struct listener *l, int error, struct err *err)
{
	char place[128];

	(void)listener_print_listen(&l->at, place, sizeof(place));
	switch (error) {
	case EADDRINUSE:
		return err_set(err, EXIT_AGAIN,
		    "listener %s: %s is taken by another program; stop that "
		    "or set another port in `listen`",
		    l->name, place);
	case EADDRNOTAVAIL:
		return err_set(err, EXIT_AGAIN,
		    "listener %s: %s is no address of this host (yet)", l->name,
		    place);
	case EACCES:
		return err_set(err, EXIT_USER,
		    "listener %s: %s: ports below 1024 are for root; set "
		    "another port in `listen`",
		    l->name, place);
	default:
		return err_errno(
		    err, EXIT_AGAIN, error, "listener %s: %s", l->name, place);
	}
}

static int open_inet(const struct listener *l, struct err *err)
{
	struct sockaddr_storage address;
	socklen_t len = inet_address(l, &address);
	const int on = 1;
	AUTO_CLOSE int fd = socket(
	    address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return err_errno(err, EXIT_AGAIN, errno, "socket");
	/* Accepted sockets inherit TCP_NODELAY: an answer is one send, and
	 * must not wait for the client's acknowledgement of the last one. */
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (address.ss_family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0)
		return err_errno(err, EXIT_AGAIN, errno, "IPV6_V6ONLY");
	if (bind(fd, (const struct sockaddr *)&address, len) < 0 ||
	    listen(fd, BACKLOG) < 0)
		return bind_failed(l, errno, err);
	return take_fd(&fd);
}

int listener_socket_open(const struct conf_section *conf, struct err *err)
{
	struct listener *l = listener_new(conf, err);
	int fd;

	if (!l)
		return -1;
	fd = l->at.local ? open_unix(l, err) : open_inet(l, err);
	listener_free(&l);
	return fd;
}
