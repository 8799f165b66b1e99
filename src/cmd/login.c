/* SPDX-License-Identifier: ISC */
/*
 * login - `relaypass login -- PROGRAM`: stands behind checkpassword or
 * Courier's login programs, tells relaypassd the login that has just succeeded,
 * and becomes the POP or IMAP server. Whatever goes wrong, the mailbox opens.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli.h"
#include "notice.h"

extern const struct verb verb_login;

struct chain {
	const char *socket, *server;
	bool open;
	char **program;
};

/* As root, before anybody has logged in: the line for the next one of us. */
static void open_line(const struct chain *c)
{
	enum notice_found found;
	struct addr client;
	struct err err = { 0 };

	found = notice_client(&client, &err);
	if (found == NOTICE_NOTHING)
		return;
	if (found == NOTICE_WRONG ||
	    notice_open(c->socket ? c->socket : NOTIFY_STREAM, &client, &err) <
		0)
		cli_fail(&err);
}

static void tell(const struct chain *c)
{
	AUTO_CLOSE int fd = notice_inherited();
	struct login l;
	struct err err = { 0 };
	enum notice_found found = notice_from_env(&l, &err);

	if (found == NOTICE_NOTHING)
		return;
	if (c->server || !l.server[0])
		(void)snprintf(l.server, sizeof(l.server), "%s",
		    c->server ? c->server : "qmail");
	notice_name_session(&l, c->program[0]);
	if (found == NOTICE_WRONG ||
	    notice_tell(c->socket ? c->socket : NOTIFY_SOCKET, fd, &l, &err) !=
		EXIT_YES)
		cli_fail(&err);
}

/* How many words stand before PROGRAM; options of PROGRAM are its own. */
static int words_before(int argc, char **argv)
{
	int i = 1;

	while (i < argc && argv[i][0] == '-' && strcmp(argv[i], "--") != 0)
		i += strcmp(argv[i], "--open") == 0 || strchr(argv[i], '=') ||
			     (argv[i][1] != '-' && argv[i][2])
			 ? 1
			 : 2;
	return i < argc ? i : argc;
}

static int run(const struct verb_env *env, int argc, char **argv)
{
	struct chain c = { 0 };
	const char *none;
	const struct cli_option options[] = {
		{ "socket", 's', &c.socket, NULL },
		{ "server", 0, &c.server, NULL },
		{ "open", 0, NULL, &c.open },
		{ 0 },
	};
	struct err err = { 0 };
	int n = words_before(argc, argv);

	(void)env;
	c.program = argv + n;
	if (*c.program && strcmp(*c.program, "--") == 0)
		c.program++;
	if (cli_options(n, argv, options, &none, 0, &err) < 0)
		return cli_usage(&verb_login, &err);
	if (c.server && !notify_is_server(c.server)) {
		(void)err_set(&err, EXIT_USER,
		    "--server: expected at most 23 of a-z, 0-9 and \"-\"");
		return cli_usage(&verb_login, &err);
	}
	if (!c.program[0]) {
		(void)err_set(&err, EXIT_USER, "which program?");
		return cli_usage(&verb_login, &err);
	}
	if (c.open)
		open_line(&c);
	else
		tell(&c);
	execvp(c.program[0], c.program);
	(void)err_errno(&err, EXIT_AGAIN, errno, "cannot run %s", c.program[0]);
	return cli_fail(&err);
}

const struct verb verb_login = {
	.name = "login",
	.usage = "login [-s SOCKET] [--open | --server S] [--] PROGRAM "
		 "[ARGUMENT]...",
	.help = "Tell the login that has just succeeded, then run PROGRAM.",
	.run = run,
};
