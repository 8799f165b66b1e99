/* SPDX-License-Identifier: ISC */
/*
 * session_tls - STARTTLS (RFC 3207): a program of its own, relaypass-spp-tls,
 * takes the client's descriptors and gives us what it deciphers, so that this
 * one needs no library and never holds the key.
 */
#include <errno.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "session_private.h"

enum { NUMBER_SIZE = 16 };

static int spawn_tls(const struct spp_session *s, int inner, pid_t *pid)
{
	char number[NUMBER_SIZE], limit[NUMBER_SIZE], program[SPP_BESIDE_SIZE];
	char *const argv[] = { program, number, (char *)s->options->certificate,
		(char *)(s->options->key ? s->options->key
					 : s->options->certificate),
		limit, NULL };
	posix_spawn_file_actions_t files;
	int error;

	(void)snprintf(number, sizeof(number), "%d", inner);
	(void)snprintf(limit, sizeof(limit), "%" PRId64, s->options->limit);
	spp_beside("relaypass-spp-tls", program);
	(void)posix_spawn_file_actions_init(&files);
	/* The same number: it stays open. */
	error = posix_spawn_file_actions_adddup2(&files, inner, inner);
	if (error == 0)
		error = posix_spawn(pid, program, &files, NULL, argv,
		    spp_vars_environ(s->vars));
	(void)posix_spawn_file_actions_destroy(&files);
	return error;
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
	return spp_server_ask(&s->server, "RSET") ? SPP_ON : SPP_END;
}

enum spp_next spp_do_starttls(
    struct spp_session *s, const struct spp_line *line)
{
	int pair[2];

	if (!s->options->certificate)
		return spp_say(s, "502 unimplemented (#5.5.1)");
	/* What the server knows of the user it cannot forget. */
	if (s->authenticated)
		return spp_say(s, "503 no STARTTLS after AUTH (#5.5.1)");
	if (s->tls || line->len > 0)
		return spp_say(
		    s, s->tls ? "503 TLS is on (#5.5.1)"
			      : "501 STARTTLS has no parameters (#5.5.4)");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 ||
	    spp_say(s, "220 ready for TLS") == SPP_END ||
	    spp_wire_flush(&s->client) != SPP_WIRE_GOOD)
		return SPP_END;
	/* Whoever put commands behind STARTTLS was not the client. */
	spp_wire_forget(&s->client);
	errno = spawn_tls(s, pair[1], &s->tls_pid);
	(void)close(pair[1]);
	if (errno != 0) {
		spp_log(s, "cannot run relaypass-spp-tls", strerror(errno));
		(void)close(pair[0]);
		return SPP_END;
	}
	/* Those are its own now. */
	spp_wire_close(&s->client);
	spp_wire_begin(&s->client, pair[0], pair[0], s->options->limit);
	spp_wire_own(&s->client);
	return begin_anew(s);
}
