/* SPDX-License-Identifier: ISC */
/*
 * session - the frame: who the client is, how it begins, one command after the
 * other, how it ends. MAIL and RCPT are in session_mail.c, the message in
 * session_data.c, AUTH in session_auth.c, STARTTLS in session_tls.c.
 */
#include "session.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "run_ask.h"
#include "session_private.h"

enum { COMMAND_MAX = 2048, LAST_MS = 5000 };

/* --- the log ---------------------------------------------------------------
 */

/* Printable, and one line. */
static void put_clean(char *out, size_t size, const char *text)
{
	size_t n = strnlen(text, size - 1);

	for (size_t i = 0; i < n; i++)
		out[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
	out[n] = '\0';
}

void spp_log(const struct spp_session *s, const char *what, const char *about)
{
	char shown[COMMAND_MAX / 2];

	put_clean(shown, sizeof(shown), about);
	/* There is nobody to tell when stderr is gone. */
	(void)dprintf(STDERR_FILENO, "relaypass-spp[%d]: %s: %s%s%s\n",
	    (int)getpid(), s->address, what, *shown ? ": " : "", shown);
}

int spp_session_refuse(const char *why)
{
	(void)dprintf(
	    STDERR_FILENO, "relaypass-spp[%d]: %s\n", (int)getpid(), why);
	(void)dprintf(
	    STDOUT_FILENO, "421 unable to read controls (#4.3.0)\r\n");
	return EXIT_NO;
}

const char spp_no_room[] = "451 too much environment (#4.3.0)";

/* --- replies ---------------------------------------------------------------
 */

enum spp_next spp_say(struct spp_session *s, const char *text)
{
	if (spp_wire_puts(&s->client, text) != SPP_WIRE_GOOD ||
	    spp_wire_puts(&s->client, "\r\n") != SPP_WIRE_GOOD)
		return SPP_END;
	return SPP_ON;
}

enum spp_next spp_say_reply(struct spp_session *s)
{
	char *out = spp_wire_room(&s->client, SPP_OUT_MAX);

	if (!out)
		return SPP_END;
	spp_wire_wrote(&s->client,
	    spp_reply_print(s->server.reply, s->server.len, out, SPP_OUT_MAX));
	/* Nothing is heard from it after that. */
	return s->server.code == SPP_CLOSING ? SPP_END : SPP_ON;
}

enum spp_next spp_say_gone(struct spp_session *s)
{
	spp_log(s, "the server is gone, or silent", "");
	(void)spp_say(s, "421 the mail server is gone, try again (#4.3.0)");
	return SPP_END;
}

enum spp_next spp_pass_on(struct spp_session *s, const char *line)
{
	if (!spp_server_ask(&s->server, line))
		return spp_say_gone(s);
	return spp_say_reply(s);
}

static void say_line(void *ctx, const char *line, size_t len)
{
	struct spp_session *s = ctx;

	/* Who is gone is found out when the next command is read. */
	(void)spp_wire_put(&s->client, line, len);
}

static void log_plugin(void *ctx, const char *what, const char *plugin)
{
	spp_log(ctx, what, plugin);
}

enum spp_result spp_hook(struct spp_session *s, enum spp_section section,
    struct spp_address *address)
{
	/* That may take long. */
	if (s->env->plan && spp_plan_has(s->env->plan, section))
		s->server.wire.quiet = false;
	return spp_hooks_run(s->hooks, section, address);
}

bool spp_hook_stops(struct spp_session *s, enum spp_section section,
    struct spp_address *address, enum spp_result *r, enum spp_next *next)
{
	*r = spp_hook(s, section, address);
	*next = *r == SPP_LEAVE ? SPP_END : SPP_ON;
	return *r == SPP_LEAVE || *r == SPP_REFUSE;
}

/* --- who may relay ---------------------------------------------------------
 */

const char *spp_relayclient(const struct spp_session *s)
{
	/* A lease counts when it was asked for this mail. */
	if (s->options->no_relay || (s->granted && s->due))
		return NULL;
	return s->options->frozen_relayclient
		   ? s->frozen
		   : spp_vars_get(s->vars, "RELAYCLIENT");
}

/* Who may not ask has set something up wrongly; who runs no relaypassd may mean
 * it. */
static void tell_unasked(struct spp_session *s, const char *asked)
{
	char why[COMMAND_MAX];

	if (s->told || (errno != EACCES && !s->options->verbose))
		return;
	s->told = true;
	(void)snprintf(why, sizeof(why), "%s: %s%s", asked, strerror(errno),
	    errno == EACCES ? ", see the listener's group" : "");
	spp_log(s, "no lease, as relaypassd cannot be asked", why);
}

void spp_ask_lease(struct spp_session *s)
{
	bool frozen = s->options->frozen_relayclient;
	bool has = frozen ? s->frozen != NULL
			  : spp_vars_get(s->vars, "RELAYCLIENT") != NULL;
	const char *asked;
	int answer;

	if (!s->due)
		return;
	s->due = false;
	/* tcpserver's rules, AUTH and plugins know better. */
	if (!*s->address || has != s->granted ||
	    (!frozen && spp_hooks_relayclient_said(s->hooks)))
		return;
	/* That may take long, too. */
	s->server.wire.quiet = false;
	answer = run_ask_again(&s->way, s->options->socket, s->address, &asked);
	if (answer < 0)
		tell_unasked(s, asked);
	s->granted = answer > 0;
	if (s->granted == has)
		return;
	free(s->frozen);
	s->frozen = NULL;
	if (s->granted) {
		s->frozen = xstrdup(s->options->relayclient);
		(void)spp_vars_set(
		    s->vars, "RELAYCLIENT", s->options->relayclient);
	} else {
		spp_vars_unset(s->vars, "RELAYCLIENT");
	}
}

void spp_lease_is_due(struct spp_session *s)
{
	s->due = true;
	if (spp_has_plugins(s) || s->options->connect ||
	    *s->options->relayclient)
		spp_ask_lease(s);
}

/* --- commands --------------------------------------------------------------
 */

static enum spp_next say_offer(struct spp_session *s)
{
	const struct spp_offer offer = { .starttls =
					     s->options->certificate && !s->tls,
		.plain_and_login = s->tls || s->options->plain_without_tls };
	char *out = spp_wire_room(&s->client, SPP_OUT_MAX);

	if (!out)
		return SPP_END;
	spp_wire_wrote(
	    &s->client, spp_reply_offer(s->server.reply, s->server.len, offer,
			    &s->extensions, out, SPP_OUT_MAX));
	return SPP_ON;
}

enum spp_next spp_do_helo(struct spp_session *s, const struct spp_line *line)
{
	char said[COMMAND_MAX + sizeof("EHLO ")];
	const bool esmtp = line->command == SPP_C_EHLO;
	char *name = said + run_append(said, 0, esmtp ? "EHLO " : "HELO ");
	enum spp_result r;
	enum spp_next next;

	memcpy(name, line->arg, line->len);
	name[line->len] = '\0';
	if (s->watched && !spp_vars_set(s->vars, "SMTPHELOHOST", name))
		return spp_say(s, spp_no_room);
	if (spp_hook_stops(s, SPP_HELO, NULL, &r, &next))
		return next;
	if (!spp_server_ask(&s->server, said))
		return spp_say_gone(s);
	if (spp_server_class(&s->server) != 2)
		return spp_say_reply(s);
	s->mail = false;
	spp_remember(s, 0, said);
	s->hello_len = s->said_len;
	if (!esmtp)
		return spp_say_reply(s);
	return say_offer(s);
}

static enum spp_next do_rset(struct spp_session *s, const struct spp_line *line)
{
	(void)line;
	spp_hooks_reset(s->hooks);
	s->mail = false;
	return spp_pass_on(s, "RSET");
}

static enum spp_next do_noop(struct spp_session *s, const struct spp_line *line)
{
	(void)line;
	return spp_pass_on(s, "NOOP");
}

static enum spp_next do_help(struct spp_session *s, const struct spp_line *line)
{
	(void)line;
	return spp_pass_on(s, "HELP");
}

/* No address goes on that was not judged. */
static enum spp_next do_vrfy(struct spp_session *s, const struct spp_line *line)
{
	(void)line;
	return spp_say(s, "252 send some mail, it is tried then (#2.5.0)");
}

static enum spp_next do_quit(struct spp_session *s, const struct spp_line *line)
{
	(void)line;
	(void)spp_pass_on(s, "QUIT");
	return SPP_END;
}

static enum spp_next do_unknown(
    struct spp_session *s, const struct spp_line *line)
{
	(void)line;
	return spp_say(s, "502 unimplemented (#5.5.1)");
}

static spp_handler *const handlers[] = {
	[SPP_C_UNKNOWN] = do_unknown,
	[SPP_C_HELO] = spp_do_helo,
	[SPP_C_EHLO] = spp_do_helo,
	[SPP_C_MAIL] = spp_do_mail,
	[SPP_C_RCPT] = spp_do_rcpt,
	[SPP_C_DATA] = spp_do_data,
	[SPP_C_RSET] = do_rset,
	[SPP_C_NOOP] = do_noop,
	[SPP_C_QUIT] = do_quit,
	[SPP_C_VRFY] = do_vrfy,
	[SPP_C_HELP] = do_help,
	[SPP_C_AUTH] = spp_do_auth,
	[SPP_C_STARTTLS] = spp_do_starttls,
};

static enum spp_next obey(struct spp_session *s, const char *text, size_t len)
{
	struct spp_line line;

	if (!spp_line_is_clean(text, len))
		return spp_say(s, "500 a command is one line of text (#5.5.2)");
	spp_line_read(text, len, &line);
	if (len > COMMAND_MAX && line.command != SPP_C_AUTH)
		return spp_say(s, "500 that line is too long (#5.5.2)");
	return handlers[line.command](s, &line);
}

/* It speaks without being asked only when it ends the session. */
static enum spp_next hear_other(struct spp_session *s)
{
	if (spp_server_hear(&s->server) && s->server.code == SPP_CLOSING)
		return spp_say_reply(s);
	return spp_say_gone(s);
}

enum spp_next spp_no_line(struct spp_session *s, enum spp_wire_end end)
{
	switch (end) {
	case SPP_WIRE_LONG:
		return spp_say(s, "500 that line is too long (#5.5.2)");
	case SPP_WIRE_OTHER:
		return hear_other(s);
	case SPP_WIRE_LATE:
		(void)spp_say(s, "451 timeout (#4.4.2)");
		return SPP_END;
	case SPP_WIRE_GONE:
	case SPP_WIRE_GOOD:
		break;
	}
	return SPP_END;
}

static enum spp_next next_command(struct spp_session *s)
{
	const char *text;
	size_t len;
	enum spp_wire_end end = spp_wire_line(
	    &s->client, SPP_LINE_MAX, &s->server.wire, &text, &len);

	return end == SPP_WIRE_GOOD ? obey(s, text, len) : spp_no_line(s, end);
}

int spp_session_run(const struct spp_session_env *env)
{
	/* Two wires: too large for the stack, and mostly never touched. */
	static struct spp_session session;
	struct spp_session *s = &session;
	struct spp_hooks_env hooks = { .plan = env->plan,
		.limit = env->options->plugin_limit,
		.say = say_line,
		.log = log_plugin,
		.ctx = s };

	s->env = env;
	s->options = env->options;
	s->vars = env->vars;
	spp_find_watchers(s);
	hooks.vars = s->watched ? s->vars : NULL;
	s->hooks = spp_hooks_new(&hooks);
	spp_wire_begin(
	    &s->client, STDIN_FILENO, STDOUT_FILENO, s->options->limit);
	s->server.wire.in = s->server.wire.out = s->queue_fd = -1;
	(void)signal(SIGPIPE, SIG_IGN);
	/* Whoever started us may not care for his children; we do. */
	(void)signal(SIGCHLD, SIG_DFL);
	if (spp_begin(s) == SPP_ON)
		while (next_command(s) == SPP_ON)
			;
	spp_wire_close(&s->server.wire);
	spp_wire_end(&s->client, LAST_MS);
	spp_server_close(&s->server);
	spp_child_end(&s->tls_pid);
	if (s->queue_fd >= 0)
		(void)close(s->queue_fd);
	run_way_end(&s->way);
	spp_hooks_free(&s->hooks);
	free(s->frozen);
	return s->failed ? EXIT_NO : EXIT_YES;
}
