/* SPDX-License-Identifier: ISC */
/*
 * smtpd - an SMTP server on descriptors 0 and 1 that behaves as qmail-smtpd
 * does, for tests and measures: Debian has none. It takes RELAYCLIENT,
 * control/rcpthosts (whole names only), QMAILQUEUE (or bin/qmail-queue below
 * the current directory; with SMTPD_DISCARD nothing is queued), and, with
 * SMTPD_AUTH, AUTH: every password is "secret", of CRAM-MD5 any digest that
 * begins with "aa". SMTPD_GREETING is its greeting, and with SMTPD_DIES NOOP is
 * its end.
 */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BUFFER = 65536, LINE = 16384, LIST = 1048576, RETRY = 111 };

static char in[BUFFER], line[LINE], to[LIST], from[LINE];
static size_t in_from, in_to, to_len;
static bool seen_mail, authenticated;
static const char *relayclient;
static char out[BUFFER];
static size_t out_len;

static void flush(void)
{
	size_t at = 0;

	while (at < out_len) {
		ssize_t n = write(STDOUT_FILENO, out + at, out_len - at);

		if (n <= 0)
			_exit(1);
		at += (size_t)n;
	}
	out_len = 0;
}

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	out_len +=
	    (size_t)vsnprintf(out + out_len, sizeof(out) - out_len, format, ap);
	va_end(ap);
	out_len +=
	    (size_t)snprintf(out + out_len, sizeof(out) - out_len, "\r\n");
	if (out_len > sizeof(out) / 2)
		flush();
}

static int next(void)
{
	if (in_from == in_to) {
		ssize_t n;

		flush();
		n = read(STDIN_FILENO, in, sizeof(in));
		if (n <= 0)
			_exit(1);
		in_from = 0;
		in_to = (size_t)n;
	}
	return (unsigned char)in[in_from++];
}

/* Without its end. */
static void read_line(void)
{
	size_t n = 0;

	for (;;) {
		int c = next();

		if (c == '\n')
			break;
		if (n < sizeof(line) - 1)
			line[n++] = (char)c;
	}
	if (n > 0 && line[n - 1] == '\r')
		n--;
	line[n] = '\0';
}

/* --- addresses -------------------------------------------------------------
 */

/* As qmail-smtpd strips quotes, escapes and a source route. */
static bool read_address(const char *arg, char *address, size_t size)
{
	const char *p = strchr(arg, '<');
	bool quoted = false;
	size_t n = 0;

	if (!p)
		return false;
	p++;
	if (*p == '@') {
		p += strcspn(p, ":");
		p += *p == ':';
	}
	for (; *p && (quoted || *p != '>'); p++) {
		if (*p == '"') {
			quoted = !quoted;
			continue;
		}
		if (*p == '\\' && p[1])
			p++;
		if (n + 1 < size)
			address[n++] = *p;
	}
	address[n] = '\0';
	return true;
}

static bool is_listed(const char *address)
{
	const char *at = strrchr(address, '@');
	char host[LINE];
	bool found = false;
	FILE *f = fopen("control/rcpthosts", "re");

	if (!f || !at) {
		if (f)
			(void)fclose(f);
		return true;
	}
	while (!found && fgets(host, sizeof(host), f)) {
		host[strcspn(host, "\r\n \t")] = '\0';
		found = strcasecmp(host, at + 1) == 0;
	}
	(void)fclose(f);
	return found;
}

/* --- the message -----------------------------------------------------------
 */

struct queue {
	pid_t pid;
	FILE *message, *envelope;
};

/* qmail-queue(8): the message on 0, the envelope on 1. */
static bool queue_open(struct queue *q)
{
	int message[2], envelope[2];
	const char *program = getenv("QMAILQUEUE");

	q->pid = 0;
	if (getenv("SMTPD_DISCARD")) {
		q->message = fopen("/dev/null", "we");
		q->envelope = fopen("/dev/null", "we");
		return q->message && q->envelope;
	}
	if (pipe(message) < 0 || pipe(envelope) < 0)
		return false;
	q->pid = fork();
	if (q->pid < 0)
		return false;
	if (q->pid == 0) {
		(void)dup2(message[0], STDIN_FILENO);
		(void)dup2(envelope[0], STDOUT_FILENO);
		(void)close(message[0]);
		(void)close(message[1]);
		(void)close(envelope[0]);
		(void)close(envelope[1]);
		if (!program)
			program = "bin/qmail-queue";
		(void)execl(program, program, (char *)NULL);
		_exit(RETRY);
	}
	(void)close(message[0]);
	(void)close(envelope[0]);
	q->message = fdopen(message[1], "we");
	q->envelope = fdopen(envelope[1], "we");
	return q->message && q->envelope;
}

/* Its exit code. */
static int queue_close(struct queue *q)
{
	int status = 0;

	(void)fclose(q->message);
	(void)fprintf(q->envelope, "F%s", from);
	(void)putc('\0', q->envelope);
	(void)fwrite(to, 1, to_len, q->envelope);
	(void)putc('\0', q->envelope);
	(void)fclose(q->envelope);
	if (q->pid > 0 && waitpid(q->pid, &status, 0) < 0)
		return RETRY;
	return WIFEXITED(status) ? WEXITSTATUS(status) : RETRY;
}

static void stray_newline(void)
{
	say("451 See https://cr.yp.to/docs/smtplf.html.");
	flush();
	_exit(1);
}

/* Only CR LF . CR LF ends it; a bare LF ends the session. */
static void blast(FILE *f)
{
	bool start = true;

	for (;;) {
		int c = next();

		if (c == '\n')
			stray_newline();
		if (start && c == '.') {
			c = next();
			if (c == '\r') {
				c = next();
				if (c == '\n')
					return;
				(void)fputs(".\r", f);
			}
		}
		start = false;
		if (c == '\r') {
			int d = next();

			if (d == '\n') {
				(void)putc('\n', f);
				start = true;
				continue;
			}
			(void)putc(c, f);
			c = d;
		}
		(void)putc(c, f);
	}
}

/* --- commands --------------------------------------------------------------
 */

static void reset(void)
{
	seen_mail = false;
	to_len = 0;
}

static void do_helo(const char *arg)
{
	(void)arg;
	reset();
	say("250 mx.test.example");
}

static void do_ehlo(const char *arg)
{
	(void)arg;
	reset();
	say("250-mx.test.example");
	say("250-PIPELINING");
	say("250-8BITMIME");
	say("250-CHUNKING");
	if (getenv("SMTPD_AUTH"))
		say("250-AUTH PLAIN LOGIN CRAM-MD5 GSSAPI");
	say("250 SIZE 0");
}

static void do_mail(const char *arg)
{
	if (!read_address(arg, from, sizeof(from))) {
		say("555 syntax error (#5.5.4)");
		return;
	}
	reset();
	seen_mail = true;
	say("250 ok");
}

static void do_rcpt(const char *arg)
{
	char address[LINE];

	if (!seen_mail) {
		say("503 MAIL first (#5.5.1)");
		return;
	}
	if (!read_address(arg, address, sizeof(address))) {
		say("555 syntax error (#5.5.4)");
		return;
	}
	if (!relayclient && !authenticated && !is_listed(address)) {
		say("553 sorry, that domain isn't in my list of allowed "
		    "rcpthosts (#5.7.1)");
		return;
	}
	if (to_len + strlen(address) + LINE > sizeof(to)) {
		say("452 too many recipients");
		return;
	}
	to_len += (size_t)snprintf(to + to_len, sizeof(to) - to_len, "T%s%s",
		      address, relayclient ? relayclient : "") +
		  1;
	say("250 ok");
}

static void do_data(const char *arg)
{
	const char *ip = getenv("TCPREMOTEIP");
	struct queue q;
	int code;

	(void)arg;
	if (!seen_mail || to_len == 0) {
		say(seen_mail ? "503 RCPT first (#5.5.1)"
			      : "503 MAIL first (#5.5.1)");
		return;
	}
	if (!queue_open(&q)) {
		say("451 qqt failure (#4.3.0)");
		return;
	}
	say("354 go ahead");
	(void)fprintf(
	    q.message, "Received: from unknown (%s)\n", ip ? ip : "unknown");
	blast(q.message);
	code = queue_close(&q);
	if (code == 0)
		say("250 ok");
	else
		say("451 qq trouble %d (#4.3.0)", code);
	reset();
}

static void do_rset(const char *arg)
{
	(void)arg;
	reset();
	say("250 flushed");
}

static void do_noop(const char *arg)
{
	(void)arg;
	say("250 ok");
}

static void do_help(const char *arg)
{
	(void)arg;
	say("214 a server for tests");
}

static void do_die(const char *arg)
{
	(void)arg;
	flush();
	_exit(1);
}

/* base64 of a password "secret", alone or behind a NUL. */
static bool is_secret(const char *text)
{
	size_t len = strlen(text);

	/* The three ways that seven bytes, NUL first, can fall on fours. */
	return strcmp(text, "c2VjcmV0") == 0 ||
	       (len > 8 && (strcmp(text + len - 8, "c2VjcmV0") == 0 ||
			       strcmp(text + len - 8, "ZWNyZXQ=") == 0 ||
			       strcmp(text + len - 8, "Y3JldA==") == 0));
}

static bool answer_is(const char *question)
{
	if (*question)
		say("334 %s", question);
	flush();
	read_line();
	return strcmp(line, "*") != 0;
}

static void do_auth(const char *arg)
{
	char mechanism[LINE];
	const char *initial;

	(void)snprintf(mechanism, sizeof(mechanism), "%s", arg);
	mechanism[strcspn(mechanism, " ")] = '\0';
	initial = arg + strlen(mechanism);
	initial += *initial == ' ';
	if (!getenv("SMTPD_AUTH")) {
		say("502 unimplemented (#5.5.1)");
		return;
	}
	if (strcasecmp(mechanism, "PLAIN") == 0) {
		authenticated = *initial ? is_secret(initial)
					 : answer_is(" ") && is_secret(line);
	} else if (strcasecmp(mechanism, "LOGIN") == 0) {
		authenticated = (*initial || answer_is("VXNlcm5hbWU6")) &&
				answer_is("UGFzc3dvcmQ6") && is_secret(line);
	} else if (strcasecmp(mechanism, "CRAM-MD5") == 0) {
		/* "... aa": whatever the name is. */
		authenticated =
		    answer_is("PDFAbXg+") && strstr(line, "YWFh") != NULL;
	} else {
		say("504 auth type unimplemented (#5.5.1)");
		return;
	}
	if (strcmp(line, "*") == 0)
		say("501 auth exchange canceled (#5.0.0)");
	else if (authenticated)
		say("235 ok (#2.0.0)");
	else
		say("535 authentication failed (#5.7.1)");
}

static void do_quit(const char *arg)
{
	(void)arg;
	say("221 mx.test.example");
	flush();
	_exit(0);
}

static const struct command {
	const char *verb;
	void (*fn)(const char *arg);
} commands[] = {
	{ "HELO", do_helo },
	{ "EHLO", do_ehlo },
	{ "MAIL", do_mail },
	{ "RCPT", do_rcpt },
	{ "DATA", do_data },
	{ "RSET", do_rset },
	{ "NOOP", do_noop },
	{ "HELP", do_help },
	{ "AUTH", do_auth },
	{ "QUIT", do_quit },
};

/* NULL: unknown. */
static const struct command *find(const char *verb)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		if (strcasecmp(verb, commands[i].verb) == 0)
			return &commands[i];
	return NULL;
}

int main(void)
{
	relayclient = getenv("RELAYCLIENT");
	if (getenv("SMTPD_GREETING"))
		say("%s", getenv("SMTPD_GREETING"));
	else
		say("220 mx.test.example ESMTP");
	for (;;) {
		const struct command *command;
		char *arg;

		read_line();
		arg = line + strcspn(line, " ");
		if (*arg)
			*arg++ = '\0';
		if (getenv("SMTPD_DIES") && strcasecmp(line, "NOOP") == 0)
			do_die(arg);
		command = find(line);
		if (command)
			command->fn(arg);
		else
			say("502 unimplemented (#5.5.1)");
	}
}
