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

extern const struct verb verb_grant;

enum { LOGIN_PATIENCE_MS = 200 };

struct grant {
	const char *address, *user, *ttl, *socket;
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

/* What Dovecot, Courier and tcpserver call the client. */
static const char *address_from_env(void)
{
	static const char *const names[] = { "IP", "TCPREMOTEIP",
		"REMOTE_HOST" };

	for (size_t i = 0; i < COUNT_OF(names); i++) {
		const char *text = getenv(names[i]);
		if (text && *text)
			return text;
	}
	return NULL;
}

/* stdout belongs to the mail client here, so nothing is printed there, and the
 * login goes on whatever happens. */
static int grant_from_env(const struct verb_env *env, struct grant *g)
{
	AUTO_FREE struct reply *reply = xcalloc(1, sizeof(*reply));
	struct listener_endpoint at;
	struct client *c = NULL;
	struct request r;
	struct err err = { 0 };

	g->address = address_from_env();
	if (!g->user)
		g->user = getenv("USER");
	build(&r, g);
	if (!g->address)
		err_set(&err, EXIT_USER,
		    "none of IP, TCPREMOTEIP and REMOTE_HOST is set");
	else if (r.err.code)
		err = r.err;
	else if (cli_control_at(env, g->socket, &at, &err) == 0)
		c = client_open(&at, LOGIN_PATIENCE_MS, true, &err);
	if (c)
		client_ask(c, r.line, r.used, NULL, NULL, reply, &err);
	if (err.code)
		cli_fail(&err);
	else if (strcmp(reply->word, "no") == 0)
		refused(g, reply);
	client_close(&c);
	return EXIT_YES;
}

static int run(const struct verb_env *env, int argc, char **argv)
{
	struct grant g = { 0 };
	bool from_env = false;
	const struct cli_option options[] = {
		{ "user", 'u', &g.user, NULL },
		{ "ttl", 't', &g.ttl, NULL },
		{ "socket", 's', &g.socket, NULL },
		{ "from-env", 0, NULL, &from_env },
		{ 0 },
	};
	struct err err = { 0 };
	int count = cli_options(argc, argv, options, &g.address, 1, &err);

	/* Not even a mistake in its arguments fails a login. */
	if (from_env && count >= 0)
		return grant_from_env(env, &g);
	if (count == 0)
		err_set(&err, EXIT_USER, "which address?");
	if (count <= 0) {
		cli_usage(&verb_grant, &err);
		return from_env ? EXIT_YES : EXIT_USER;
	}
	return grant_by_hand(env, &g);
}

const struct verb verb_grant = {
	.name = "grant",
	.usage = "grant [-s SOCKET] [--user U] [--ttl D] ADDRESS | --from-env",
	.help = "Give an address a lease by hand, or from a post-login script.",
	.run = run,
};
