/* SPDX-License-Identifier: ISC */
/*
 * revoke - `relaypass revoke`: ends leases now, and refuses the address or user
 * for a while.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli.h"

struct revoke {
	const char *address, *user, *refuse_for, *socket;
	bool now_only;
};

static int ask(
    const struct verb_env *env, const struct revoke *v, const struct request *r)
{
	AUTO_FREE struct reply *reply = xcalloc(1, sizeof(*reply));
	struct err err = { 0 };
	int code;

	if (cli_ask_control(env, v->socket, r->line, r->used, NULL, NULL, reply,
		&err) < 0) {
		code = cli_fail(&err);
	} else {
		long long count = reply_number(reply, "count");
		printf("%lld lease%s ended%s%s\n", count, count == 1 ? "" : "s",
		    v->now_only     ? "; a new login makes a new one"
		    : v->refuse_for ? "; refused for "
				    : "; refused for the time of one lease",
		    !v->now_only && v->refuse_for ? v->refuse_for : "");
		code = cli_done(EXIT_YES);
	}
	return code;
}

extern const struct verb verb_revoke;

static int run(const struct verb_env *env, int argc, char **argv)
{
	struct revoke v = { 0 };
	const struct cli_option options[] = {
		{ "user", 'u', &v.user, NULL },
		{ "for", 0, &v.refuse_for, NULL },
		{ "now-only", 0, NULL, &v.now_only },
		{ "socket", 's', &v.socket, NULL },
		{ 0 },
	};
	struct request r;
	struct err err = { 0 };
	int count = cli_options(argc, argv, options, &v.address, 1, &err);

	if (count == 0 && !v.user)
		count = err_set(&err, EXIT_USER, "which address or --user?");
	if (count >= 0 && v.now_only && v.refuse_for)
		count = err_set(&err, EXIT_USER,
		    "--now-only refuses nothing, so --for has no sense");
	if (count < 0)
		return cli_usage(&verb_revoke, &err);
	request_begin(&r, "revoke");
	request_put_addr(&r, "address", v.address);
	request_put_user(&r, v.user);
	request_put_duration(&r, "for", v.refuse_for);
	request_put(&r, "now-only", v.now_only ? "yes" : NULL);
	if (r.err.code)
		return cli_usage(&verb_revoke, &r.err);
	return ask(env, &v, &r);
}

const struct verb verb_revoke = {
	.name = "revoke",
	.usage = "revoke [-s SOCKET] [--for D | --now-only] [--user U] "
		 "[ADDRESS]",
	.help = "End leases of an address or user; refuse new ones a while.",
	.run = run,
};
