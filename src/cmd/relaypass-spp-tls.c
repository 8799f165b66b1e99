/* SPDX-License-Identifier: ISC */
/*
 * relaypass-spp-tls - TLS between an SMTP client and relaypass-spp.
 *
 *     relaypass-spp-tls FD CERTIFICATE KEY MILLISECONDS
 *
 * Called by:  relaypass-spp at STARTTLS; the client is on descriptors 0 and 1,
 *             relaypass-spp on FD. Ends when one of them does, or when neither
 *             moves for so long.
 * Calls:      GnuTLS.
 * Not here:   SMTP.
 */
#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"

enum {
	PIECE = 16384,
	HANDSHAKE_MS = 60000,
	LAST_MS = 10000,
	DECIMAL = 10,
	ARGS = 5
};

static gnutls_certificate_credentials_t credentials;
static gnutls_session_t session;
static int inner; /* relaypass-spp */

static int say(const char *what, const char *why)
{
	(void)dprintf(STDERR_FILENO, "relaypass-spp-tls: %s: %s\n", what, why);
	return EXIT_AGAIN;
}

static int begin(const char *certificate, const char *key)
{
	int e = gnutls_certificate_allocate_credentials(&credentials);

	if (e < 0)
		return e;
	e = gnutls_certificate_set_x509_key_file(
	    credentials, certificate, key, GNUTLS_X509_FMT_PEM);
	if (e < 0)
		return e;
	e = gnutls_init(&session, GNUTLS_SERVER | GNUTLS_NONBLOCK);
	if (e < 0)
		return e;
	e = gnutls_set_default_priority(session);
	if (e < 0)
		return e;
	e = gnutls_credentials_set(
	    session, GNUTLS_CRD_CERTIFICATE, credentials);
	gnutls_transport_set_int2(session, STDIN_FILENO, STDOUT_FILENO);
	return e;
}

/* --- the handshake ---------------------------------------------------------
 */

/* What GnuTLS waits for, at the client. */
static short wanted(void)
{
	return gnutls_record_get_direction(session) == 1 ? POLLOUT : POLLIN;
}

static int shake_hands(void)
{
	int64_t end = clock_now().boot + HANDSHAKE_MS;
	int e;

	while ((e = gnutls_handshake(session)) < 0) {
		/* Nothing comes from within but its end. */
		struct pollfd p[] = { { .events = wanted() },
			{ .fd = inner, .events = POLLIN } };
		int64_t left = end - clock_now().boot;

		if (gnutls_error_is_fatal(e))
			break;
		p[0].fd = p[0].events == POLLOUT ? STDOUT_FILENO : STDIN_FILENO;
		if (e == GNUTLS_E_AGAIN &&
		    (left <= 0 || poll(p, COUNT_OF(p), (int)left) <= 0 ||
			p[1].revents))
			return GNUTLS_E_TIMEDOUT;
	}
	return e;
}

/* --- both ways -------------------------------------------------------------
 * A piece each way: nothing more is read before it has gone on, and neither way
 * ever waits for the other.
 */

struct way {
	size_t from, to;
	bool over; /* nothing comes any more */
	char bytes[PIECE];
};

static struct way in, out; /* from the client, to the client */

static bool is_empty(const struct way *w)
{
	return w->from == w->to;
}

static void read_client(void)
{
	ssize_t n;

	if (in.over || !is_empty(&in))
		return;
	n = gnutls_record_recv(session, in.bytes, sizeof(in.bytes));
	in.over = n == 0 || (n < 0 && gnutls_error_is_fatal((int)n));
	in.from = 0;
	in.to = n > 0 ? (size_t)n : 0;
	if (in.over)
		/* relaypass-spp may still have something to say. */
		(void)shutdown(inner, SHUT_WR);
}

/* False, as of those below: broken. */
static bool write_inner(void)
{
	ssize_t n;

	if (is_empty(&in))
		return true;
	n = send(inner, in.bytes + in.from, in.to - in.from, MSG_NOSIGNAL);
	if (n > 0)
		in.from += (size_t)n;
	return n > 0 || errno == EAGAIN || errno == EINTR;
}

static bool read_inner(void)
{
	ssize_t n;

	if (out.over || !is_empty(&out))
		return true;
	n = recv(inner, out.bytes, sizeof(out.bytes), 0);
	out.over = n == 0;
	out.from = 0;
	out.to = n > 0 ? (size_t)n : 0;
	return n >= 0 || errno == EAGAIN || errno == EINTR;
}

static bool write_client(void)
{
	ssize_t n;

	if (is_empty(&out))
		return true;
	n = gnutls_record_send(
	    session, out.bytes + out.from, out.to - out.from);
	if (n > 0)
		out.from += (size_t)n;
	return n > 0 || !gnutls_error_is_fatal((int)n);
}

/* One step; false: it is over, or nobody moved within the limit. */
static bool step(int limit)
{
	struct pollfd p[] = { { .fd = STDIN_FILENO }, { .fd = STDOUT_FILENO },
		{ .fd = inner } };
	int n;

	if (out.over && is_empty(&out))
		return false;
	if (!in.over && is_empty(&in)) {
		/* A record that is here already makes no poll() return. */
		if (gnutls_record_check_pending(session) > 0)
			limit = 0;
		p[0].events = POLLIN;
	} else {
		p[0].fd = -1;
	}
	p[1].events = POLLOUT;
	if (is_empty(&out))
		p[1].fd = -1;
	p[2].events = (short)((is_empty(&in) ? 0 : POLLOUT) |
			      (is_empty(&out) ? POLLIN : 0));
	/* Its end is told again and again; nothing is asked of it now. */
	if (p[2].events == 0)
		p[2].fd = -1;
	n = poll(p, COUNT_OF(p), out.over && limit > LAST_MS ? LAST_MS : limit);
	if ((n == 0 && limit > 0) || (n < 0 && errno != EINTR))
		return false;
	read_client();
	return write_inner() && read_inner() && write_client();
}

static void set_non_blocking(int fd)
{
	(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

int main(int argc, char **argv)
{
	int limit, e;
	char go;

	if (argc != ARGS)
		return say("usage",
		    "relaypass-spp-tls FD CERTIFICATE KEY MILLISECONDS");
	inner = (int)strtol(argv[1], NULL, DECIMAL);
	limit = (int)strtol(argv[ARGS - 1], NULL, DECIMAL);
	e = begin(argv[2], argv[3]);
	if (e < 0)
		return say(argv[2], gnutls_strerror(e));
	/* relaypass-spp tells the client to begin, then us. */
	if (send(inner, "+", 1, MSG_NOSIGNAL) != 1 ||
	    recv(inner, &go, 1, 0) != 1)
		return EXIT_NO;
	(void)signal(SIGPIPE, SIG_IGN);
	set_non_blocking(STDIN_FILENO);
	set_non_blocking(STDOUT_FILENO);
	set_non_blocking(inner);
	e = shake_hands();
	if (e < 0)
		return say("the client's handshake failed", gnutls_strerror(e));
	while (step(limit))
		;
	(void)gnutls_bye(session, GNUTLS_SHUT_WR);
	gnutls_deinit(session);
	gnutls_certificate_free_credentials(credentials);
	return 0;
}
