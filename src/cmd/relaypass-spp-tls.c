/* SPDX-License-Identifier: ISC */
/*
 * relaypass-spp-tls - TLS between an SMTP client and relaypass-spp.
 *
 *     relaypass-spp-tls FD CERTIFICATE KEY
 *
 * Called by:  relaypass-spp at STARTTLS; the client is on descriptors 0 and 1,
 *             relaypass-spp on FD. Ends when one of them does.
 * Calls:      GnuTLS.
 * Not here:   SMTP.
 */
#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"

enum { PIECE = 16384, HANDSHAKE_MS = 60000, DECIMAL = 10, ARGS = 4 };

static gnutls_certificate_credentials_t credentials;
static gnutls_session_t session;

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

/* For what GnuTLS waits. */
static bool wait_client(int limit)
{
	bool writes = gnutls_record_get_direction(session) == 1;
	struct pollfd p = { .fd = writes ? STDOUT_FILENO : STDIN_FILENO,
		.events = writes ? POLLOUT : POLLIN };

	return poll(&p, 1, limit) > 0;
}

static int shake_hands(void)
{
	int e;

	do {
		e = gnutls_handshake(session);
		if (e == GNUTLS_E_AGAIN && !wait_client(HANDSHAKE_MS))
			return GNUTLS_E_TIMEDOUT;
	} while (e < 0 && !gnutls_error_is_fatal(e));
	return e;
}

/* All of it; false: the client is gone. */
static bool send_client(const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = gnutls_record_send(session, bytes, len);

		if (n == GNUTLS_E_AGAIN && !wait_client(-1))
			return false;
		if (n < 0 && gnutls_error_is_fatal((int)n))
			return false;
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		}
	}
	return true;
}

static bool write_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		bytes += n;
		len -= (size_t)n;
	}
	return true;
}

/* All that has come; false: nothing more will. */
static bool pass_in(int inner)
{
	char piece[PIECE];

	for (;;) {
		ssize_t n = gnutls_record_recv(session, piece, sizeof(piece));

		if (n == GNUTLS_E_AGAIN)
			return true;
		if (n == 0 || (n < 0 && gnutls_error_is_fatal((int)n)))
			return false;
		if (n > 0 && !write_all(inner, piece, (size_t)n))
			return false;
	}
}

static bool pass_out(int inner)
{
	char piece[PIECE];
	ssize_t n = recv(inner, piece, sizeof(piece), 0);

	if (n < 0 && errno == EINTR)
		return true;
	return n > 0 && send_client(piece, (size_t)n);
}

static void pass(int inner)
{
	struct pollfd p[] = { { .fd = inner, .events = POLLIN },
		{ .fd = STDIN_FILENO, .events = POLLIN } };

	while (poll(p, 2, -1) > 0 || errno == EINTR) {
		if (p[0].revents && !pass_out(inner))
			return;
		if (p[1].revents && !pass_in(inner)) {
			/* It still hears what is said to it. */
			(void)shutdown(inner, SHUT_WR);
			p[1].fd = -1;
		}
	}
}

int main(int argc, char **argv)
{
	int inner, e;

	if (argc != ARGS)
		return say("usage", "relaypass-spp-tls FD CERTIFICATE KEY");
	inner = (int)strtol(argv[1], NULL, DECIMAL);
	e = begin(argv[2], argv[3]);
	if (e < 0)
		return say(argv[2], gnutls_strerror(e));
	for (int fd = STDIN_FILENO; fd <= STDOUT_FILENO; fd++)
		(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	e = shake_hands();
	if (e < 0)
		return say("the client's handshake failed", gnutls_strerror(e));
	pass(inner);
	(void)gnutls_bye(session, GNUTLS_SHUT_WR);
	gnutls_deinit(session);
	gnutls_certificate_free_credentials(credentials);
	return 0;
}
