/* SPDX-License-Identifier: ISC */
/*
 * endpoint - the places of listeners and live sources: their texts, and the
 * sockets made of them. Not here: accepting, receiving, who may speak.
 */
#include "endpoint.h"

#include <errno.h>
#include <grp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "mem.h"

enum {
	BACKLOG = 1024,      /* the kernel cuts it to net.core.somaxconn */
	SEND_ROOM = 8 << 20, /* answers of datagrams that nobody has read yet */
	DIRECTORY_MODE = 0750,
	MODE_ALL = 0777,
	RECEIVE_ROOM = 4 << 20, /* datagrams while a child restarts */
	PORT_DIGITS = 5,
	PORT_MAX = 65535
};

_Static_assert(sizeof(((struct endpoint *)0)->path) ==
		   sizeof(((struct sockaddr_un *)0)->sun_path),
    "a path must fit the kernel's");

/* What is opened, and for whom. */
struct place {
	const struct endpoint *at;
	const struct endpoint_owner *owner;
};

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

static bool parse_inet(const char *text, struct endpoint *out)
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

static bool parse_unix(const char *text, struct endpoint *out)
{
	size_t len = strlen(text);

	if (text[0] != '/' || len >= sizeof(out->path) || text[len - 1] == '/')
		return false;
	memcpy(out->path, text, len + 1);
	return true;
}

/* The first word of a type is the one that is printed. */
static const struct word {
	const char *text;
	enum endpoint_type type;
} words[] = {
	{ "unix:", ENDPOINT_UNIX },
	{ "unixgram:", ENDPOINT_UNIXGRAM },
	{ "inet:", ENDPOINT_TCP },
	{ "udp:", ENDPOINT_UDP },
	{ "tcp:", ENDPOINT_TCP },
};

bool endpoint_is_local(const struct endpoint *e)
{
	return e->type == ENDPOINT_UNIX || e->type == ENDPOINT_UNIXGRAM;
}

bool endpoint_is_same(const struct endpoint *a, const struct endpoint *b)
{
	/* Unix sockets of different types cannot have one path either. */
	if (endpoint_is_local(a) || endpoint_is_local(b))
		return endpoint_is_local(a) && endpoint_is_local(b) &&
		       strcmp(a->path, b->path) == 0;
	return a->type == b->type && a->port == b->port &&
	       addr_equal(&a->addr, &b->addr);
}

bool endpoint_parse(const char *text, struct endpoint *out)
{
	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < COUNT_OF(words); i++) {
		size_t n = strlen(words[i].text);
		if (strncmp(text, words[i].text, n) != 0)
			continue;
		out->type = words[i].type;
		return endpoint_is_local(out) ? parse_unix(text + n, out)
					      : parse_inet(text + n, out);
	}
	return false;
}

const char *endpoint_print(const struct endpoint *e, char *out, size_t size)
{
	const struct word *w = words;
	char addr[ADDR_TEXT_SIZE];

	while (w->type != e->type)
		w++;
	if (endpoint_is_local(e)) {
		(void)snprintf(out, size, "%s%s", w->text, e->path);
		return out;
	}
	(void)addr_print(&e->addr, addr);
	(void)snprintf(out, size,
	    addr_is_ipv4(&e->addr) ? "%s%s:%u" : "%s[%s]:%u", w->text, addr,
	    (unsigned)e->port);
	return out;
}

bool endpoint_parse_mode(const char *text, mode_t *out)
{
	char *end;
	unsigned long mode;

	if (*text < '0' || *text > '7')
		return false;
	mode = strtoul(text, &end, 8);
	*out = (mode_t)mode;
	return !*end && mode <= MODE_ALL;
}

bool endpoint_parse_user(const char *text, uid_t *out)
{
	size_t digits = strspn(text, "0123456789");
	const struct passwd *pw;
	unsigned long long uid;

	if (digits && !text[digits]) {
		/* -1 is no uid, and too much is more than that. */
		uid = strtoull(text, NULL, 10);
		*out = (uid_t)uid;
		return uid < UINT32_MAX;
	}
	pw = getpwnam(text);
	if (pw)
		*out = pw->pw_uid;
	return pw != NULL;
}

socklen_t endpoint_address(
    const struct endpoint *e, struct sockaddr_storage *out)
{
	struct sockaddr_un *un = (struct sockaddr_un *)out;
	struct sockaddr_in *in4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof(*out));
	if (endpoint_is_local(e)) {
		un->sun_family = AF_UNIX;
		memcpy(un->sun_path, e->path, sizeof(un->sun_path));
		return sizeof(*un);
	}
	if (addr_is_ipv4(&e->addr)) {
		in4->sin_family = AF_INET;
		in4->sin_port = htons(e->port);
		memcpy(&in4->sin_addr, e->addr.bytes + 12, 4);
		return sizeof(*in4);
	}
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(e->port);
	memcpy(&in6->sin6_addr, e->addr.bytes, 16);
	return sizeof(*in6);
}

bool endpoint_peer(
    const struct sockaddr_storage *from, struct addr *addr, uint16_t *port)
{
	const struct sockaddr_in *in4 = (const struct sockaddr_in *)from;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)from;

	memset(addr, 0, sizeof(*addr));
	*port = 0;
	if (from->ss_family == AF_INET) {
		memset(addr->bytes + 10, 0xff, 2);
		memcpy(addr->bytes + 12, &in4->sin_addr, 4);
		*port = ntohs(in4->sin_port);
	} else if (from->ss_family == AF_INET6) {
		memcpy(addr->bytes, &in6->sin6_addr, 16);
		*port = ntohs(in6->sin6_port);
	} else {
		return false;
	}
	return true;
}

/* --- unix ------------------------------------------------------------------
 */

static bool takes_datagrams(const struct place *p)
{
	return p->at->type == ENDPOINT_UNIXGRAM || p->at->type == ENDPOINT_UDP;
}

int endpoint_check_group(const char *group, const char *option, struct err *err)
{
	if (getgrnam(group) || geteuid() != 0)
		return 0;
	return err_set(err, EXIT_USER,
	    "%s: there is no group \"%s\"; make it (groupadd --system %s) or "
	    "set `%s`",
	    option, group, group, option);
}

/* Gives path to the owner's group. Who may not do that is not root and keeps
 * its own group: a trial run or a test. */
static int give_group(const struct place *p, const char *path, struct err *err)
{
	const struct group *gr = getgrnam(p->owner->group);
	struct err why = { 0 };

	if (endpoint_check_group(p->owner->group, "group", &why) < 0)
		return err_set(
		    err, EXIT_USER, "%s: %s", p->owner->who, why.text);
	if (!gr)
		return 0;
	if (lchown(path, (uid_t)-1, gr->gr_gid) == 0 ||
	    (errno == EPERM && geteuid() != 0))
		return 0;
	return err_errno(err, EXIT_USER, errno,
	    "%s: cannot give %s to group %s", p->owner->who, path,
	    p->owner->group);
}

/* Makes the directory of the socket when it is missing; its parent must be
 * there, for a wrong path must not grow a tree. */
static int make_directory(const struct place *p, struct err *err)
{
	const char *slash = strrchr(p->at->path, '/');
	AUTO_FREE char *dir =
	    xstrndup(p->at->path, (size_t)(slash - p->at->path));
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
		return give_group(p, dir, err);
	if (saved == EEXIST)
		return 0;
	return err_errno(err, EXIT_USER, saved,
	    "%s: cannot make the directory %s", p->owner->who, dir);
}

static int unix_socket(const struct place *p)
{
	const int on = 1, room = SEND_ROOM;
	int type = takes_datagrams(p) ? SOCK_DGRAM : SOCK_STREAM;
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || !takes_datagrams(p))
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
static int remove_stale(const struct place *p, const struct sockaddr *address,
    socklen_t len, struct err *err)
{
	struct stat st;
	AUTO_CLOSE int fd = -1;

	if (lstat(p->at->path, &st) < 0)
		return errno == ENOENT
			   ? 0
			   : err_errno(err, EXIT_USER, errno, "%s: %s",
				 p->owner->who, p->at->path);
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, EXIT_USER,
		    "%s: %s is there and is no socket; move it away "
		    "or set `listen`",
		    p->owner->who, p->at->path);
	fd = unix_socket(p);
	if (fd < 0)
		return err_errno(err, EXIT_AGAIN, errno, "socket");
	if (connect(fd, address, len) == 0 || errno == EAGAIN ||
	    errno == EPROTOTYPE)
		return err_set(err, EXIT_AGAIN,
		    "%s: another instance answers at %s; stop it "
		    "first",
		    p->owner->who, p->at->path);
	if (errno == ENOENT)
		return 0;
	if (errno != ECONNREFUSED)
		return err_errno(err, EXIT_AGAIN, errno,
		    "%s: cannot tell whether another instance "
		    "answers at %s",
		    p->owner->who, p->at->path);
	if (unlink(p->at->path) < 0 && errno != ENOENT)
		return err_errno(err, EXIT_USER, errno,
		    "%s: cannot remove the stale socket %s", p->owner->who,
		    p->at->path);
	return 0;
}

static int open_unix(const struct place *p, struct err *err)
{
	struct sockaddr_storage address;
	socklen_t len = endpoint_address(p->at, &address);
	AUTO_CLOSE int fd = -1;
	mode_t before;
	int bound;
	int saved;

	if (make_directory(p, err) < 0 ||
	    remove_stale(p, (const struct sockaddr *)&address, len, err) < 0)
		return -1;
	fd = unix_socket(p);
	if (fd < 0)
		return err_errno(err, EXIT_AGAIN, errno, "socket");
	/* By umask, so that it is at no moment more open than it should be. */
	before = umask(~p->owner->mode & 0777U);
	bound = bind(fd, (const struct sockaddr *)&address, len);
	saved = errno;
	(void)umask(before);
	if (bound < 0)
		return err_errno(err, EXIT_USER, saved,
		    "%s: cannot make the socket %s", p->owner->who,
		    p->at->path);
	if (give_group(p, p->at->path, err) < 0) {
		(void)unlink(p->at->path);
		return -1;
	}
	if (!takes_datagrams(p) && listen(fd, BACKLOG) < 0)
		return err_errno(
		    err, EXIT_AGAIN, errno, "%s: listen", p->owner->who);
	return take_fd(&fd);
}

/* --- network---------------------------------------------------------------
 */

static int bind_failed(const struct place *p, int error, struct err *err)
{
	char place[128];

	(void)endpoint_print(p->at, place, sizeof(place));
	switch (error) {
	case EADDRINUSE:
		return err_set(err, EXIT_AGAIN,
		    "%s: %s is taken by another program; stop that "
		    "or set another port in `listen`",
		    p->owner->who, place);
	case EADDRNOTAVAIL:
		return err_set(err, EXIT_AGAIN,
		    "%s: %s is no address of this host (yet)", p->owner->who,
		    place);
	case EACCES:
		return err_set(err, EXIT_USER,
		    "%s: %s: ports below 1024 are for root; set "
		    "another port in `listen`",
		    p->owner->who, place);
	default:
		return err_errno(
		    err, EXIT_AGAIN, error, "%s: %s", p->owner->who, place);
	}
}

static void set_stream(int fd)
{
	const int on = 1;

	/* Accepted sockets inherit TCP_NODELAY: an answer is one send, and
	 * must not wait for the client's acknowledgement of the last one. */
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

/* Without SO_REUSEADDR, which would let another program take the port over. */
static void set_datagram(int fd, int family)
{
	const int on = 1, room = RECEIVE_ROOM;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) < 0)
		(void)setsockopt(
		    fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	/* An answer must leave from the address that was asked. */
	if (family == AF_INET)
		(void)setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on));
	else
		(void)setsockopt(
		    fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on));
}

static int open_inet(const struct place *p, struct err *err)
{
	struct sockaddr_storage address;
	socklen_t len = endpoint_address(p->at, &address);
	const int on = 1;
	int type = takes_datagrams(p) ? SOCK_DGRAM : SOCK_STREAM;
	AUTO_CLOSE int fd =
	    socket(address.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return err_errno(err, EXIT_AGAIN, errno, "socket");
	if (type == SOCK_STREAM)
		set_stream(fd);
	else
		set_datagram(fd, address.ss_family);
	if (address.ss_family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0)
		return err_errno(err, EXIT_AGAIN, errno, "IPV6_V6ONLY");
	if (bind(fd, (const struct sockaddr *)&address, len) < 0 ||
	    (type == SOCK_STREAM && listen(fd, BACKLOG) < 0))
		return bind_failed(p, errno, err);
	return take_fd(&fd);
}

int endpoint_open(const struct endpoint *e, const struct endpoint_owner *owner,
    struct err *err)
{
	const struct place p = { e, owner };

	return endpoint_is_local(e) ? open_unix(&p, err) : open_inet(&p, err);
}
