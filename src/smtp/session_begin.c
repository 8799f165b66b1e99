/* SPDX-License-Identifier: ISC */
/*
 * session_begin - the client's address, the server, what it must be told of the
 * client, the plugins of [connection], and the greeting.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "queue.h"
#include "session_private.h"

enum { SAID_SIZE = 512, NUMBER_SIZE = 16 };

/* As inet_ntop() writes it; "": tcpserver told none that is one. */
static void find_address(struct spp_session *s)
{
	const char *text = spp_vars_get(s->vars, "TCPREMOTEIP");
	struct in6_addr a;

	if (!text)
		text = spp_vars_get(s->vars, "TCP6REMOTEIP");
	if (text && inet_pton(AF_INET, text, &a) == 1)
		(void)inet_ntop(AF_INET, &a, s->address, sizeof(s->address));
	else if (text && inet_pton(AF_INET6, text, &a) == 1)
		(void)inet_ntop(AF_INET6, &a, s->address, sizeof(s->address));
}

/* --- a program -------------------------------------------------------------
 * It takes every recipient. What plugins put into the environment later is read
 * by its queue program, from a file that has no name.
 */

void spp_beside(const char *name, char out[static SPP_BESIDE_SIZE])
{
	char us[SPP_BESIDE_SIZE / 2];
	ssize_t len = readlink("/proc/self/exe", us, sizeof(us) - 1);
	const char *slash;

	us[len < 0 ? 0 : len] = '\0';
	slash = strrchr(us, '/');
	(void)snprintf(out, SPP_BESIDE_SIZE, "%.*s/%s",
	    slash ? (int)(slash - us) : 0, us, name);
}

/* False: it is not whole. */
static bool queue_prepare(struct spp_session *s, struct spp_vars *vars)
{
	char number[NUMBER_SIZE], program[SPP_BESIDE_SIZE];
	const char *queue = spp_vars_get(vars, "QMAILQUEUE");

	s->queue_fd = memfd_create("relaypass-spp", MFD_CLOEXEC);
	if (s->queue_fd < 0)
		return false;
	(void)snprintf(number, sizeof(number), "%d", s->queue_fd);
	spp_beside("relaypass-spp-queue", program);
	/* What is set for the server alone. */
	spp_vars_mark(s->vars, "RELAYCLIENT");
	return spp_vars_set(vars, SPP_QUEUE_FD, number) &&
	       (!queue || spp_vars_set(vars, SPP_QUEUE_PROGRAM, queue)) &&
	       spp_vars_set(vars, "QMAILQUEUE", program);
}

static enum spp_next start(struct spp_session *s)
{
	struct spp_vars *vars = spp_vars_new(spp_vars_environ(s->vars));
	struct err err = { 0 };
	bool good = spp_vars_set(vars, "RELAYCLIENT", "");

	if (good)
		good = queue_prepare(s, vars);
	if (!good)
		(void)err_set(&err, EXIT_AGAIN, "no room for its environment");
	good = good && spp_server_start(&s->server, s->options->program,
			   spp_vars_environ(vars), s->queue_fd,
			   s->options->limit, &err) == 0;
	spp_vars_free(&vars);
	if (good)
		return SPP_ON;
	spp_log(s, err.text, "");
	(void)spp_say(s, "421 the mail server does not start (#4.3.0)");
	return SPP_END;
}

bool spp_queue_tell(struct spp_session *s)
{
	AUTO_FREE char *changes = NULL;
	size_t len;

	if (s->queue_fd < 0)
		return true;
	len = spp_vars_changes(s->vars, &changes);
	return len <= SPP_CHANGES_MAX && ftruncate(s->queue_fd, 0) == 0 &&
	       pwrite(s->queue_fd, changes, len, 0) == (ssize_t)len;
}

/* --- by TCP ----------------------------------------------------------------
 * Postfix' XCLIENT (XCLIENT_README): without it, the server would take every
 * client for this machine.
 */

static const char not_ready[] =
    "421 the mail server is not ready, try again (#4.3.0)";

static enum spp_next not_trusted(struct spp_session *s, const char *why)
{
	spp_log(s, why, s->options->connect);
	(void)spp_say(s, not_ready);
	return SPP_END;
}

static bool may_say(const struct spp_session *s, const char *word)
{
	const char *words = s->extensions.xclient_words;
	size_t len = strlen(word);

	for (const char *at = words; (at = strstr(at, word)) != NULL; at += len)
		if ((at == words || at[-1] == ' ') &&
		    (at[len] == ' ' || at[len] == '\0'))
			return true;
	return false;
}

/* What the server can do; the client's list comes later. */
static bool say_hello(struct spp_session *s)
{
	char out[2 * SPP_REPLY_MAX];

	if (!spp_server_ask(&s->server, "EHLO relaypass-spp.invalid") ||
	    spp_server_class(&s->server) != 2)
		return false;
	(void)spp_reply_offer(s->server.reply, s->server.len,
	    (struct spp_offer){ 0 }, &s->extensions, out, sizeof(out));
	return true;
}

static enum spp_next introduce(struct spp_session *s, const char *login)
{
	const char *port = spp_vars_get(s->vars, "TCPREMOTEPORT");
	char said[SAID_SIZE];
	int len;

	if (!say_hello(s) || !s->extensions.xclient || !may_say(s, "ADDR"))
		return not_trusted(
		    s, "the server does not take XCLIENT ADDR from us");
	len = snprintf(said, sizeof(said), "XCLIENT ADDR=%s%s NAME=%s",
	    strchr(s->address, ':') ? "IPV6:" : "", s->address,
	    "[UNAVAILABLE]");
	if (port && *port && strspn(port, "0123456789") == strlen(port) &&
	    strlen(port) < NUMBER_SIZE && may_say(s, "PORT"))
		len += snprintf(
		    said + len, sizeof(said) - (size_t)len, " PORT=%s", port);
	if (login && !may_say(s, "LOGIN"))
		return not_trusted(
		    s, "the server does not take XCLIENT LOGIN from us");
	if (login)
		len += snprintf(
		    said + len, sizeof(said) - (size_t)len, " LOGIN=%s", login);
	must((size_t)len < sizeof(said));
	if (!spp_server_ask(&s->server, said) ||
	    spp_server_class(&s->server) != 2)
		return not_trusted(s, "the server refused XCLIENT");
	return SPP_ON;
}

static enum spp_next reach(struct spp_session *s)
{
	struct err err = { 0 };

	if (!*s->address)
		return not_trusted(s, "no TCPREMOTEIP to tell to");
	if (spp_server_connect(
		&s->server, s->options->connect, s->options->limit, &err) < 0) {
		spp_log(s, err.text, "");
		(void)spp_say(s, not_ready);
		return SPP_END;
	}
	if (!spp_server_hear(&s->server))
		return spp_say_gone(s);
	if (spp_server_class(&s->server) != 2)
		return SPP_ON; /* the greeting says no: the caller looks */
	return introduce(s, s->logged_in ? s->options->relay_login : NULL);
}

void spp_remember(struct spp_session *s, size_t from, const char *line)
{
	size_t len = strlen(line) + 1;

	s->said_len = from;
	if (len > sizeof(s->said) - from)
		return;
	memcpy(s->said + from, line, len);
	s->said_len += len;
}

/* It takes XCLIENT once a connection: it is said all again in another one. */
enum spp_next spp_log_in(struct spp_session *s)
{
	bool auth = s->extensions.auth;

	if (!s->options->connect || s->logged_in || s->authenticated)
		return SPP_ON;
	spp_server_close(&s->server);
	s->logged_in = true;
	if (reach(s) == SPP_END)
		return SPP_END;
	if (spp_server_class(&s->server) != 2)
		return not_trusted(s, "the server does not greet us again");
	s->extensions.auth = auth;
	for (size_t at = 0; at < s->said_len; at += strlen(s->said + at) + 1)
		if (!spp_server_ask(&s->server, s->said + at) ||
		    spp_server_class(&s->server) != 2)
			return not_trusted(
			    s, "the server did not take again what it took");
	return SPP_ON;
}

enum spp_next spp_begin(struct spp_session *s)
{
	enum spp_result r;
	const char *value;

	find_address(s);
	value = spp_vars_get(s->vars, "RELAYCLIENT");
	s->frozen = value ? xstrdup(value) : NULL;
	spp_ask_lease(s);
	s->logged_in = s->options->connect && spp_relayclient(s);
	if ((s->options->connect ? reach(s) : start(s)) == SPP_END)
		return SPP_END;
	/* From here on everything but the server is below home. */
	if (s->env->plan && s->env->plan->count > 0 &&
	    chdir(s->options->home) < 0) {
		spp_log(
		    s, "cannot go to the home of plugins", s->options->home);
		(void)spp_say(s, not_ready);
		return SPP_END;
	}
	r = spp_hook(s, SPP_CONNECTION, NULL);
	if (r == SPP_LEAVE)
		return SPP_END;
	if (!s->options->connect && !spp_server_hear(&s->server))
		return spp_say_gone(s);
	/* E stands for the greeting; but not for one that says no. */
	if (r == SPP_REFUSE && spp_server_class(&s->server) == 2)
		return SPP_ON;
	if (spp_say_reply(s) == SPP_END)
		return SPP_END;
	return spp_server_class(&s->server) == 2 ? SPP_ON : SPP_END;
}
