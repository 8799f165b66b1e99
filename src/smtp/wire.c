/* SPDX-License-Identifier: ISC */
/*
 * wire - poll before each read, and before each write that might block, so that
 * descriptors of others need not be changed.
 */
#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

enum { OWN_PIPE = 4 * SPP_WIRE_SIZE };

/* Until fd can be read or written, or other (NULL: nobody) be read. Who is
 * interrupted begins anew: no client can do that. */
static enum spp_wire_end wait_for(
    int fd, short events, struct spp_wire *other, int64_t limit)
{
	struct pollfd p[] = { { .fd = fd, .events = events },
		{ .fd = other ? other->in : -1, .events = POLLIN } };
	int n;

	if (fd < 0)
		return SPP_WIRE_GONE;
	do
		n = poll(p, other ? 2 : 1, (int)limit);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n == 0 ? SPP_WIRE_LATE : SPP_WIRE_GONE;
	if (other)
		other->quiet = !p[1].revents;
	return p[0].revents ? SPP_WIRE_GOOD : SPP_WIRE_OTHER;
}

void spp_wire_begin(struct spp_wire *w, int in, int out, int64_t limit)
{
	struct stat st;

	w->in = in;
	w->out = out;
	w->limit = limit;
	w->own = w->quiet = false;
	w->socket = fstat(out, &st) == 0 && S_ISSOCK(st.st_mode);
	w->from = w->to = w->waits = 0;
}

void spp_wire_own(struct spp_wire *w)
{
	int flags = fcntl(w->out, F_GETFL);

	w->own = flags >= 0 && fcntl(w->out, F_SETFL, flags | O_NONBLOCK) == 0;
	/* Fewer turns; where it is no pipe or too much, it stays as it is. */
	(void)fcntl(w->out, F_SETPIPE_SZ, OWN_PIPE);
}

void spp_wire_close(struct spp_wire *w)
{
	if (w->in >= 0)
		(void)close(w->in);
	if (w->out >= 0 && w->out != w->in)
		(void)close(w->out);
	w->in = w->out = -1;
}

void spp_wire_forget(struct spp_wire *w)
{
	w->from = w->to = 0;
}

/* Without waiting, if it was looked at or cannot block. */
static ssize_t write_now(
    const struct spp_wire *w, const char *bytes, size_t len)
{
	if (w->socket)
		return send(w->out, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	/* What a pipe that says POLLOUT takes without blocking. */
	if (!w->own && len > PIPE_BUF)
		len = PIPE_BUF;
	return write(w->out, bytes, len);
}

/* All of it. */
static enum spp_wire_end write_out(
    struct spp_wire *w, const char *bytes, size_t len)
{
	bool look = !w->own && !w->socket;

	w->quiet = false;
	while (len > 0) {
		enum spp_wire_end e = SPP_WIRE_GOOD;
		ssize_t n;

		if (look)
			e = wait_for(w->out, POLLOUT, NULL, w->limit);
		if (e != SPP_WIRE_GOOD)
			return e;
		n = write_now(w, bytes, len);
		look = n < 0 || (!w->own && !w->socket);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n <= 0)
			return SPP_WIRE_GONE;
		bytes += n;
		len -= (size_t)n;
	}
	return SPP_WIRE_GOOD;
}

enum spp_wire_end spp_wire_flush(struct spp_wire *w)
{
	size_t len = w->waits;

	w->waits = 0;
	return write_out(w, w->written, len);
}

enum spp_wire_end spp_wire_put(
    struct spp_wire *w, const char *bytes, size_t len)
{
	if (len > sizeof(w->written) - w->waits) {
		enum spp_wire_end e = spp_wire_flush(w);

		if (e != SPP_WIRE_GOOD)
			return e;
		/* A whole piece of a message need not be copied. */
		if (len >= sizeof(w->written) / 2)
			return write_out(w, bytes, len);
	}
	memcpy(w->written + w->waits, bytes, len);
	w->waits += len;
	return SPP_WIRE_GOOD;
}

enum spp_wire_end spp_wire_puts(struct spp_wire *w, const char *text)
{
	return spp_wire_put(w, text, strlen(text));
}

char *spp_wire_room(struct spp_wire *w, size_t len)
{
	if (len > sizeof(w->written) - w->waits &&
	    spp_wire_flush(w) != SPP_WIRE_GOOD)
		return NULL;
	return w->written + w->waits;
}

void spp_wire_wrote(struct spp_wire *w, size_t len)
{
	w->waits += len;
}

/* --- reading ---------------------------------------------------------------
 */

/* Reads once, behind what there is. */
static enum spp_wire_end read_in(struct spp_wire *w, struct spp_wire *other)
{
	enum spp_wire_end e = spp_wire_flush(w);
	ssize_t n;

	if (e != SPP_WIRE_GOOD)
		return e;
	if (w->from > 0) {
		memmove(w->read, w->read + w->from, w->to - w->from);
		w->to -= w->from;
		w->from = 0;
	}
	if (w->to == sizeof(w->read))
		return SPP_WIRE_LONG;
	do {
		e = wait_for(w->in, POLLIN, other, w->limit);
		if (e != SPP_WIRE_GOOD)
			return e;
		n = read(w->in, w->read + w->to, sizeof(w->read) - w->to);
	} while (n < 0 && (errno == EAGAIN || errno == EINTR));
	if (n <= 0)
		return SPP_WIRE_GONE;
	w->to += (size_t)n;
	return SPP_WIRE_GOOD;
}

/* Throws a line away, of which there is a part. */
static enum spp_wire_end pass_over(struct spp_wire *w)
{
	const char *lf;

	while (!(lf = memchr(w->read + w->from, '\n', w->to - w->from))) {
		enum spp_wire_end e;

		spp_wire_forget(w);
		e = read_in(w, NULL);
		if (e != SPP_WIRE_GOOD)
			return e;
	}
	w->from = (size_t)(lf - w->read) + 1;
	return SPP_WIRE_LONG;
}

enum spp_wire_end spp_wire_line(struct spp_wire *w, size_t max,
    struct spp_wire *other, const char **line, size_t *len)
{
	size_t seen = 0; /* of what waits, without LF */

	if (other)
		other->quiet = false;
	for (;;) {
		const char *start = w->read + w->from;
		const char *lf =
		    memchr(start + seen, '\n', w->to - w->from - seen);
		enum spp_wire_end e;

		if (lf) {
			size_t n = (size_t)(lf - start);

			w->from += n + 1;
			n -= n > 0 && start[n - 1] == '\r';
			*line = start;
			*len = n;
			return n > max ? SPP_WIRE_LONG : SPP_WIRE_GOOD;
		}
		seen = w->to - w->from;
		if (seen > max + 1)
			return pass_over(w);
		e = read_in(w, other);
		if (e != SPP_WIRE_GOOD)
			return e;
	}
}

enum spp_wire_end spp_wire_more(
    struct spp_wire *w, const char **bytes, size_t *len)
{
	enum spp_wire_end e = read_in(w, NULL);

	*bytes = w->read + w->from;
	*len = w->to - w->from;
	return e;
}

enum spp_wire_end spp_wire_some(
    struct spp_wire *w, const char **bytes, size_t *len)
{
	if (w->from == w->to)
		return spp_wire_more(w, bytes, len);
	*bytes = w->read + w->from;
	*len = w->to - w->from;
	return SPP_WIRE_GOOD;
}

void spp_wire_take(struct spp_wire *w, size_t len)
{
	w->from += len;
}

void spp_wire_end(struct spp_wire *w, int64_t limit)
{
	int64_t left = limit, end = 0;

	(void)spp_wire_flush(w);
	if (shutdown(w->out, SHUT_WR) < 0 && w->out != w->in) {
		(void)close(w->out);
		w->out = -1;
	}
	/* Mostly it says nothing, and the clock, which costs two page faults,
	 * need not be read. */
	while (left > 0 &&
	       wait_for(w->in, POLLIN, NULL, left) == SPP_WIRE_GOOD &&
	       read(w->in, w->read, sizeof(w->read)) > 0) {
		int64_t now = clock_now().boot;

		if (end == 0)
			end = now + limit;
		left = end - now;
	}
	spp_wire_close(w);
}
