/* SPDX-License-Identifier: ISC */
/*
 * opensmtpd_table - the program relaypass-table: a table of OpenSMTPD 7 that
 * asks relaypassd whether a client may relay.
 *
 *	ln -s /usr/bin/relaypass-table /usr/libexec/opensmtpd/table-relaypass
 *	table relaypass relaypass:/run/relaypass/ask
 *
 * Called by: smtpd, which waits for each answer. So no question takes longer
 * than WAIT_MS; while relaypassd does not answer, it is asked once in a while
 * only. Whatever goes wrong: not found, and mail flows.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "client.h"
#include "table_codec.h"

enum { WAIT_MS = 500, PAUSE_MS = 2000, READ_BYTES = 4096 };

struct table {
	struct endpoint at;
	bool ready;    /* the handshake is over */
	bool protocol; /* and its version is ours */
	bool away;     /* relaypassd is, and the log knows */
	int64_t next;  /* boot clock: when to ask again */
	size_t used;
	bool cut;
	char line[TABLE_LINE_MAX];
};

/* smtpd puts nothing of a table into its log, and stderr is /dev/null unless it
 * runs in the foreground. */
static void say(const char *text)
{
	(void)fprintf(stderr, "relaypass-table: %s\n", text);
	log_to_syslog("relaypass-table", LOG_LEVEL_WARN, text);
}

/* 1: may relay; 0: may not, or there is no such answer; -1: *err. */
static int ask(
    const struct endpoint *at, const struct addr *addr, struct err *err)
{
	char line[sizeof("check ") + ADDR_TEXT_SIZE] = "check ", *answer;
	size_t used = strlen(line), len;
	struct client *c = client_open(at, WAIT_MS, true, err);
	int got;

	if (!c)
		return -1;
	used += addr_print(addr, line + used);
	if (client_send(c, line, used, err) < 0)
		got = -1;
	else if ((got = client_receive(c, &answer, &len, err)) == 0)
		got = err_set(err, EXIT_AGAIN, "relaypassd hung up");
	else if (got == 1)
		got = strncmp(answer, "allow ", strlen("allow ")) == 0;
	client_close(&c);
	return got;
}

static bool may_relay(struct table *t, const struct addr *addr)
{
	struct err err = { 0 };
	int got;

	if (t->away && clock_now().boot < t->next)
		return false;
	got = ask(&t->at, addr, &err);
	if (got < 0 && !t->away)
		say(err.text);
	if (got < 0)
		t->next = clock_now().boot + PAUSE_MS;
	t->away = got < 0;
	return got == 1;
}

static int write_all(const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(STDOUT_FILENO, bytes, len);

		if (n < 0 && errno != EINTR)
			return -1;
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

static int fail(enum exit_code code, const char *text)
{
	say(text);
	return code;
}

/* EXIT_YES: go on. */
static int on_line(struct table *t)
{
	char reply[TABLE_REPLY_MAX];
	struct table_request r;
	bool found;
	size_t len;

	table_parse(t->line, t->used, t->cut, &r);
	if (r.word == TABLE_OTHER_PROTOCOL)
		return fail(EXIT_USER,
		    "smtpd speaks another version of the table protocol than "
		    "0.1");
	if (r.word == TABLE_PROTOCOL)
		t->protocol = true;
	if (r.word == TABLE_READY && !t->protocol)
		return fail(EXIT_USER, "smtpd names no protocol");
	if (r.word == TABLE_READY)
		t->ready = true;
	else if (r.word == TABLE_BAD || t->ready != (r.word >= TABLE_CHECK))
		return fail(EXIT_USER, "a line that is no request of smtpd");
	found = r.has_addr && may_relay(t, &r.addr);
	len = table_print(&r, found, reply);
	if (len && write_all(reply, len) < 0)
		return fail(EXIT_AGAIN, "smtpd does not take the answer");
	return EXIT_YES;
}

static int on_bytes(struct table *t, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		int code;

		if (bytes[i] != '\n') {
			if (t->used < sizeof(t->line))
				t->line[t->used++] = bytes[i];
			else
				t->cut = true;
			continue;
		}
		code = on_line(t);
		t->used = 0;
		t->cut = false;
		if (code != EXIT_YES)
			return code;
	}
	return EXIT_YES;
}

static int serve(struct table *t)
{
	char bytes[READ_BYTES];
	int code = EXIT_YES;

	while (code == EXIT_YES) {
		ssize_t n = read(STDIN_FILENO, bytes, sizeof(bytes));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(
			    EXIT_AGAIN, "standard input cannot be read");
		if (n == 0) /* smtpd has ended */
			return EXIT_YES;
		code = on_bytes(t, bytes, (size_t)n);
	}
	return code;
}

int main(int argc, char **argv)
{
	static struct table t;
	const char *place = argc > 1 ? argv[1] : "/run/relaypass/ask";
	char text[sizeof("unix:") + sizeof(t.at.path)];

	if (*place == '/') {
		(void)snprintf(text, sizeof(text), "unix:%s", place);
		place = text;
	}
	if (argc > 2 || !endpoint_parse(place, &t.at)) {
		(void)fputs("usage: relaypass-table [SOCKET]\n"
			    "SOCKET is where an ask listener is: /path, "
			    "unix:/path or inet:ADDRESS:PORT.\n",
		    stderr);
		return EXIT_USER;
	}
	return serve(&t);
}
