/* SPDX-License-Identifier: ISC */
/*
 * wire - messages between the supervisor and its children.
 */
#include "wire.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

int wire_pair(int fds[2])
{
	/* Room for several full batches: a reader should rarely wait. */
	int size = 1 << 20;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return -1;
	for (int i = 0; i < 2; i++)
		(void)setsockopt(
		    fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return 0;
}

int wire_pair_lines(int fds[2])
{
	return socketpair(
	    AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds);
}

size_t wire_size(const struct wire_header *h)
{
	static const size_t sizes[WIRE_TYPE_COUNT] = {
		[WIRE_READY] = sizeof(struct wire_header),
		[WIRE_OPEN] = sizeof(struct wire_path),
		[WIRE_FILE] = sizeof(struct wire_path),
		[WIRE_DONE] = sizeof(struct wire_header),
		[WIRE_CHANNEL] = sizeof(struct wire_path),
		[WIRE_CONFIG] = sizeof(struct wire_header),
		[WIRE_STALE] = sizeof(struct wire_header),
		[WIRE_BLIND] = sizeof(struct wire_header),
		[WIRE_CURSOR] = sizeof(struct wire_cursor),
		[WIRE_CURSORS_END] = sizeof(struct wire_path),
		[WIRE_LOGINS] = offsetof(struct wire_logins, logins),
		[WIRE_STORED] = sizeof(struct wire_stored),
		[WIRE_ASK] = sizeof(struct wire_ask),
		[WIRE_TOLD] = sizeof(struct wire_told),
		[WIRE_CHANGED] = sizeof(struct wire_header),
		[WIRE_ENDED] = sizeof(struct wire_header),
	};

	if (h->type >= WIRE_TYPE_COUNT)
		return 0;
	if (h->type != WIRE_LOGINS)
		return sizes[h->type];
	if (h->count > SOURCE_BATCH)
		return 0;
	return sizes[WIRE_LOGINS] + h->count * sizeof(struct login);
}

int wire_send(int channel, const struct wire_header *h, int fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec io = { .iov_base = (void *)(uintptr_t)h,
		.iov_len = wire_size(h) };
	struct msghdr msg = { .msg_iov = &io, .msg_iovlen = 1 };
	ssize_t n;

	must(io.iov_len > 0);
	if (fd >= 0) {
		struct cmsghdr *c;

		memset(&control, 0, sizeof(control));
		msg.msg_control = control.bytes;
		msg.msg_controllen = sizeof(control.bytes);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	do {
		n = sendmsg(channel, &msg, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -1 : 0;
}

/* Takes the descriptors out of a received message: how many there were, of
 * which *fd_r is one. A peer that is not to be trusted may send several, so
 * that the receiver runs out of them; all but that one are closed. */
static size_t passed_fds(struct msghdr *msg, int *fd_r)
{
	size_t count = 0;

	*fd_r = -1;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c;
	     c = CMSG_NXTHDR(msg, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		const unsigned char *data = CMSG_DATA(c);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			if (*fd_r >= 0)
				(void)close(*fd_r);
			memcpy(fd_r, data + i * sizeof(int), sizeof(int));
			count++;
		}
	}
	return count;
}

int wire_receive(int channel, union wire_message *m, int *fd_r, bool wait)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec io = { .iov_base = m, .iov_len = sizeof(*m) };
	struct msghdr msg = { .msg_iov = &io,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes) };
	ssize_t n;
	size_t fds;
	int fd;

	if (fd_r)
		*fd_r = -1;
	do {
		n = recvmsg(channel, &msg,
		    MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -1;
	fds = passed_fds(&msg, &fd);
	if (n < (ssize_t)sizeof(m->h) || (size_t)n != wire_size(&m->h) ||
	    (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) ||
	    fds > (fd_r ? 1 : 0)) {
		if (fd >= 0)
			(void)close(fd);
		return 0;
	}
	if (fd_r)
		*fd_r = fd;
	return 1;
}
