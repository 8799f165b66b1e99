/* SPDX-License-Identifier: ISC */
/*
 * session_tls - STARTTLS (RFC 3207): a program of its own, relaypass-spp-tls,
 * takes the client's descriptors and gives us what it deciphers, so that this
 * one needs no library and never holds the key.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/beside.h"
#include "session_private.h"

enum { NUMBER_SIZE = 16, READY_MS = 10000 };

static int spawn_tls(struct spp_session *s, int inner)
{
	char number[NUMBER_SIZE], limit[NUMBER_SIZE], program[BESIDE_MAX];
	char *const argv[] = { program, number, s->options->certificate_path,
		s->options->key_path, limit, NULL };
	posix_spawn_file_actions_t files;
	int error;

	if (beside_path("relaypass-spp-tls", program, sizeof(program)) < 0)
		return ENOENT;
	(void)snprintf(number, sizeof(number), "%d", inner);
	(void)snprintf(limit, sizeof(limit), "%" PRId64, s->options->limit);
	(void)posix_spawn_file_actions_init(&files);
	/* The same number: it stays open. */
	error = posix_spawn_file_actions_adddup2(&files, inner, inner);
	if (error == 0)
		error = posix_spawn(&s->tls_pid, program, &files, NULL, argv,
		    spp_vars_environ(s->vars));
	(void)posix_spawn_file_actions_destroy(&files);
	return error;
}

/* Its end of a pair of sockets, once it has read certificate and key; -1. */
static int start_tls(struct spp_session *s)
{
	struct pollfd p = { .events = POLLIN };
	int pair[2], error;
	char ready;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		spp_log(s, "no pair of sockets", strerror(errno));
		return -1;
	}
	error = spawn_tls(s, pair[1]);
	(void)close(pair[1]);
	p.fd = pair[0];
	if (error == 0 && poll(&p, 1, READY_MS) > 0 &&
	    recv(pair[0], &ready, 1, 0) == 1)
		return pair[0];
	spp_log(s, "TLS does not start, see --certificate and --key",
	    error ? strerror(error) : "");
	(void)close(pair[0]);
	spp_child_end(&s->tls_pid);
	return -1;
}

/* What was known of the client without TLS is forgotten, RFC 3207, 4.2. */
static enum spp_next begin_anew(struct spp_session *s)
{
	spp_vars_unset(s->vars, "SMTPHELOHOST");
	spp_hooks_reset(s->hooks);
	s->tls = true;
	s->hello_len = s->said_len = 0;
	if (!s->mail)
		return SPP_ON;
	s->mail = false;
	return spp_server_ask(&s->server, "RSET") ? SPP_ON : spp_say_gone(s);
}

enum spp_next spp_do_starttls(
    struct spp_session *s, const struct spp_line *line)
{
	int inner;

	if (!s->options->certificate)
		return spp_say(s, "502 unimplemented (#5.5.1)");
	/* What the server knows of the user it cannot forget. */
	if (s->authenticated)
		return spp_say(s, "503 no STARTTLS after AUTH (#5.5.1)");
	if (s->tls)
		return spp_say(s, "503 TLS is on (#5.5.1)");
	if (line->len > 0)
		return spp_say(s, "501 STARTTLS has no parameters (#5.5.4)");
	inner = start_tls(s);
	if (inner < 0)
		return spp_say(s, "454 TLS is not available now (#4.7.0)");
	if (spp_say(s, "220 ready for TLS") == SPP_END ||
	    spp_wire_flush(&s->client) != SPP_WIRE_GOOD ||
	    send(inner, "+", 1, MSG_NOSIGNAL) != 1) {
		(void)close(inner);
		return SPP_END;
	}
	/* Whoever put commands behind STARTTLS was not the client; the
	 * descriptors are the other program's now. */
	spp_wire_close(&s->client);
	spp_wire_begin(&s->client, inner, inner, s->options->limit);
	spp_wire_own(&s->client);
	return begin_anew(s);
}
