/* SPDX-License-Identifier: ISC */
/*
 * session_begin - the client's address, the server, what it must be told of the
 * client, the plugins of [connection], and the greeting.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/beside.h"
#include "base/mem.h"
#include "queue.h"
#include "run_ask.h"
#include "session_private.h"

enum {
	SAID_SIZE = 512,
	NUMBER_SIZE = 16,
	BEGIN_MS =
	    60000 /* that the server has for each step until its greeting */
};

/* As inet_ntop() writes it; "": tcpserver told none that is one. */
static void find_address(struct spp_session *s)
{
	const char *text = spp_vars_get(s->vars, "TCPREMOTEIP");
	struct in6_addr a;

	if (!text)
		text = spp_vars_get(s->vars, "TCP6REMOTEIP");
	/* Of IPv4 there is one way to write it that inet_pton() takes. */
	if (text && inet_pton(AF_INET, text, &a) == 1)
		(void)run_append(s->address, 0, text);
	else if (text && inet_pton(AF_INET6, text, &a) == 1)
		(void)inet_ntop(AF_INET6, &a, s->address, sizeof(s->address));
}

static enum spp_next fail(
    struct spp_session *s, const char *why, const char *about)
{
	spp_log(s, why, about);
	(void)spp_say(
	    s, "421 the mail server is not ready, try again (#4.3.0)");
	s->failed = true;
	return SPP_END;
}

/* --- a program -------------------------------------------------------------
 * It takes every recipient. What plugins put into the environment later is read
 * by its queue program, from a file that has no name.
 */

bool spp_has_plugins(const struct spp_session *s)
{
	return s->env->plan && s->env->plan->count > 0;
}

/* A program more for each message is a twentieth of a session (docs/speed.md).
 * Sendmail and Exim know no QMAILQUEUE; qmail's own sendmail -bs does. */
static bool queue_is_told(const struct spp_session *s)
{
	if (s->options->connect)
		return false;
	if (spp_vars_get(s->vars, "QMAILQUEUE"))
		return true;
	AUTO_FREE char *program = spp_in_home(s->options, SPP_QUEUE_DEFAULT);
	AUTO_FREE char *queue = spp_in_home(s->options, SPP_QUEUE_DIRECTORY);

	if (s->options->friends && access(program, F_OK) < 0 && errno == ENOENT)
		return false;
	return spp_has_plugins(s) || !spp_queue_is_qmails(program, queue);
}

void spp_find_watchers(struct spp_session *s)
{
	s->queue_told = queue_is_told(s);
	s->watched = s->queue_told || spp_has_plugins(s);
}

/* Its buffers are no part of a session that has nothing to prepare. */
static __attribute__((noinline)) int queue_prepare(
    struct spp_session *s, struct spp_vars *vars, struct err *err)
{
	char number[NUMBER_SIZE], program[BESIDE_MAX];

	if (beside_path("relaypass-spp-queue", program, sizeof(program)) < 0 ||
	    access(program, X_OK) < 0)
		return err_set(err, EXIT_AGAIN,
		    "relaypass-spp-queue must stand beside relaypass-spp");
	s->queue_fd = memfd_create("relaypass-spp", MFD_CLOEXEC);
	if (s->queue_fd < 0)
		return err_errno(err, EXIT_AGAIN, errno, "memfd_create");
	(void)snprintf(number, sizeof(number), "%d", s->queue_fd);
	/* What is set for the server alone. */
	spp_vars_mark(s->vars, SPP_QUEUE_FD);
	spp_vars_mark(s->vars, "QMAILQUEUE");
	spp_vars_mark(s->vars, "RELAYCLIENT");
	if (spp_vars_set(vars, SPP_QUEUE_FD, number) &&
	    spp_vars_set(vars, "QMAILQUEUE", program))
		return 0;
	return err_set(err, EXIT_AGAIN, "its environment is too large");
}

static enum spp_next start(struct spp_session *s)
{
	struct spp_vars *vars = spp_vars_new(spp_vars_environ(s->vars));
	struct err err = { 0 };
	bool good;

	/* The first that is set: there is room. */
	must(spp_vars_set(vars, "RELAYCLIENT", ""));
	good = (!s->queue_told || queue_prepare(s, vars, &err) == 0) &&
	       spp_server_start(&s->server, s->options->program,
		   spp_vars_environ(vars), s->queue_fd, BEGIN_MS, &err) == 0;

	spp_vars_free(&vars);
	return good ? SPP_ON : fail(s, err.text, "");
}

bool spp_queue_tell(struct spp_session *s)
{
	AUTO_FREE char *changes = NULL;
	size_t len;

	if (s->queue_fd < 0)
		return true;
	spp_ask_lease(s);
	len = spp_vars_changes(s->vars, &changes);
	/* Cut last: an empty file gives its page back, and takes it anew. */
	return len <= SPP_CHANGES_MAX &&
	       pwrite(s->queue_fd, changes, len, 0) == (ssize_t)len &&
	       ftruncate(s->queue_fd, (off_t)len) == 0;
}

/* --- by TCP ----------------------------------------------------------------
 * Postfix' XCLIENT (XCLIENT_README): without it, the server would take every
 * client for this machine.
 */

static enum spp_next not_trusted(struct spp_session *s, const char *why)
{
	return fail(s, why, s->options->connect);
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
	static char list[SPP_OUT_MAX];

	if (!spp_server_ask(&s->server, "EHLO relaypass-spp.invalid") ||
	    spp_server_class(&s->server) != 2)
		return false;
	(void)spp_reply_offer(s->server.reply, s->server.len,
	    (struct spp_offer){ 0 }, &s->extensions, list, sizeof(list));
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
	len =
	    snprintf(said, sizeof(said), "XCLIENT ADDR=%s%s NAME=[UNAVAILABLE]",
		strchr(s->address, ':') ? "IPV6:" : "", s->address);
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
		return not_trusted(
		    s, "TCPREMOTEIP is not set: start this from tcpserver");
	if (spp_server_connect(
		&s->server, s->options->connect, BEGIN_MS, &err) < 0)
		return fail(s, err.text, "");
	if (!spp_server_hear(&s->server))
		return not_trusted(s, "the server said nothing");
	if (spp_server_class(&s->server) != 2)
		return SPP_ON; /* the greeting says no: the caller looks */
	return introduce(s, s->logged_in ? s->options->relay_login : NULL);
}

void spp_remember(struct spp_session *s, size_t from, const char *line)
{
	size_t len = strlen(line) + 1;

	if (!s->options->connect)
		return;
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
	s->server.wire.limit = s->options->limit;
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
	spp_lease_is_due(s);
	s->logged_in = s->options->connect && spp_relayclient(s);
	if ((s->options->connect ? reach(s) : start(s)) == SPP_END)
		return SPP_END;
	/* From here on everything but the server is below home. */
	if (spp_has_plugins(s) && chdir(s->options->home) < 0)
		return fail(
		    s, "cannot go to the home of plugins", s->options->home);
	r = spp_hook(s, SPP_CONNECTION, NULL);
	if (r == SPP_LEAVE)
		return SPP_END;
	if (!s->options->connect && !spp_server_hear(&s->server))
		return fail(
		    s, "the server said nothing", s->options->program[0]);
	s->server.wire.limit = s->options->limit;
	/* E stands for the greeting; but not for one that says no. */
	if (r == SPP_REFUSE && spp_server_class(&s->server) == 2)
		return SPP_ON;
	if (spp_say_reply(s) == SPP_END)
		return SPP_END;
	return spp_server_class(&s->server) == 2 ? SPP_ON : SPP_END;
}
