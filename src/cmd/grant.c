/* SPDX-License-Identifier: ISC */
/*
 * grant - `relaypass grant`: a lease by hand, or from a post-login script,
 * which must never fail or slow a login.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "base/mem.h"
#include "cli.h"
#include "notice.h"

extern const struct verb verb_grant;

struct grant {
	const char *address, *user, *ttl, *socket, *server;
	bool from_env, strict;
};

static const struct hint {
	const char *reason, *text;
} hints[] = {
	{ "special-address", "no customer can have it" },
	{ "private-address", "name its network in the option private" },
	{ "own-address", "it is this host's own" },
	{ "proxy", "the option proxy names it" },
	{ "never", "the option never names it" },
	{ "no-user", "name one with --user" },
	{ "revoked", "a revocation is in force" },
	{ "too-many-users", "max-users-per-address is reached" },
	{ "too-many-addresses", "max-addresses-per-user is reached" },
	{ "mode-off", "relaypass mode enforce switches leases on" },
};

static int refused(const struct grant *g, const struct reply *r)
{
	const char *reason = reply_value(r, "reason");
	char shown[80];

	reason = reason ? reason : "unknown";
	fprintf(stderr, "relaypass: no lease for %s: %s", g->address,
	    cli_safe(reason, strlen(reason), shown, sizeof(shown)));
	for (size_t i = 0; i < COUNT_OF(hints); i++) {
		if (strcmp(hints[i].reason, reason) == 0)
			fprintf(stderr, " (%s)", hints[i].text);
	}
	fputc('\n', stderr);
	return EXIT_NO;
}

static int granted(const struct grant *g, const struct reply *r)
{
	char span[DURATION_TEXT_SIZE], shown[300];

	duration_print(reply_number(r, "ttl") * 1000, span);
	printf("granted %s", g->address);
	if (g->user)
		printf(" user %s",
		    cli_safe(g->user, strlen(g->user), shown, sizeof(shown)));
	printf(" for %s\n", span);
	return cli_done(EXIT_YES);
}

static void build(struct request *r, const struct grant *g)
{
	request_begin(r, "grant");
	request_put_addr(r, "address", g->address);
	request_put_user(r, g->user ? g->user : "");
	request_put_duration(r, "ttl", g->ttl);
}

static int grant_by_hand(const struct verb_env *env, const struct grant *g)
{
	AUTO_FREE struct reply *reply = xcalloc(1, sizeof(*reply));
	struct request r;
	struct err err = { 0 };
	int code;

	build(&r, g);
	if (r.err.code)
		code = cli_usage(&verb_grant, &r.err);
	else if (cli_ask_control(env, g->socket, r.line, r.used, NULL, NULL,
		     reply, &err) < 0)
		code = cli_fail(&err);
	else if (strcmp(reply->word, "ok") == 0)
		code = granted(g, reply);
	else
		code = refused(g, reply);
	return code;
}

/* What was given stands before what the environment has. */
static int fill(const struct grant *g, struct login *l, struct err *err)
{
	const char *server = g->server ? g->server : l->server;

	server = *server ? server : "other";
	if (!notify_is_server(server))
		return err_set(err, EXIT_USER,
		    "--server: expected at most 23 of a-z, 0-9 and \"-\"");
	memcpy(l->server, server, strlen(server) + 1);
	return 0;
}

/* stdout belongs to the mail client here, so nothing is printed there. */
static int tell(const struct grant *g)
{
	struct login l;
	struct err err = { 0 };
	int code;

	/* The environment's own user counts for nothing then. */
	if (g->user && setenv("AUTHENTICATED", g->user, 1) < 0)
		return EXIT_AGAIN;
	switch (notice_from_env(&l, &err)) {
	case NOTICE_NOTHING:
		return EXIT_NO;
	case NOTICE_LOGIN:
		if (fill(g, &l, &err) == 0)
			break;
		return cli_fail(&err);
	case NOTICE_WRONG:
	default:
		return cli_fail(&err);
	}
	code = notice_tell(g->socket ? g->socket : NOTIFY_SOCKET, -1, &l, &err);
	return code == EXIT_YES ? EXIT_YES : cli_fail(&err);
}

static int check_usage(const struct grant *g, int count, struct err *err)
{
	if (count < 0)
		return -1;
	if (!g->from_env && count == 0)
		return err_set(err, EXIT_USER, "which address?");
	if (g->from_env && (count > 0 || g->ttl))
		return err_set(err, EXIT_USER,
		    "--from-env takes neither an address nor --ttl");
	if (!g->from_env && (g->server || g->strict))
		return err_set(err, EXIT_USER,
		    "--server and --strict belong to --from-env");
	return 0;
}

static int run(const struct verb_env *env, int argc, char **argv)
{
	struct grant g = { 0 };
	const struct cli_option options[] = {
		{ "user", 'u', &g.user, NULL },
		{ "ttl", 't', &g.ttl, NULL },
		{ "socket", 's', &g.socket, NULL },
		{ "server", 0, &g.server, NULL },
		{ "from-env", 0, NULL, &g.from_env },
		{ "strict", 0, NULL, &g.strict },
		{ 0 },
	};
	struct err err = { 0 };
	int count = cli_options(argc, argv, options, &g.address, 1, &err);
	int code;

	if (check_usage(&g, count, &err) < 0)
		code = cli_usage(&verb_grant, &err);
	else
		code = g.from_env ? tell(&g) : grant_by_hand(env, &g);
	/* Not even a mistake in its arguments fails a login. */
	return g.from_env && !g.strict ? EXIT_YES : code;
}

const struct verb verb_grant = {
	.name = "grant",
	.usage = "grant [-s SOCKET] [--user U] [--ttl D] ADDRESS | --from-env "
		 "[--server S] [--strict]",
	.help = "Give an address a lease by hand, or from a post-login script.",
	.run = run,
};
