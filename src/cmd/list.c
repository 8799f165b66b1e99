/* SPDX-License-Identifier: ISC */
/*
 * list - `relaypass list`: who may relay now, as a table or as one JSON object
 * a line.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cli.h"
#include "grid.h"
#include "jsonl.h"

static const char *const titles[] = { "ADDRESS", "USER", "LEFT", "LAST LOGIN",
	"SESSIONS", "TLS", "SOURCE", "SERVER" };

static const char *text_of(const struct reply *r, const char *key)
{
	const char *value = reply_value(r, key);

	return value ? value : "";
}

/* "192.0.2.1/32": the length alone; whole is that of one host. */
static long prefix_of(const char *net, long *whole_r)
{
	const char *slash = strchr(net, '/');

	*whole_r = strchr(net, ':') ? 128 : 32;
	return slash ? strtol(slash + 1, NULL, 10) : *whole_r;
}

static void print_row(void *ctx, const struct reply *r)
{
	struct grid *t = ctx;
	char address[ADDR_TEXT_SIZE + 8], span[CLI_SPAN_SIZE];
	char last[CLOCK_TEXT_SIZE];
	long whole;

	if (strcmp(r->word, "lease") != 0)
		return;
	snprintf(address, sizeof(address), "%s", text_of(r, "address"));
	if (prefix_of(address, &whole) == whole)
		address[strcspn(address, "/")] = '\0';
	clock_print(reply_number(r, "last"), last);
	grid_put(t, address);
	grid_put(t, text_of(r, "user"));
	grid_put(t, reply_number(r, "live")
			? cli_span(reply_number(r, "ttl"), span)
			: "over");
	grid_put(t, last);
	grid_put(t, text_of(r, "sessions"));
	grid_put(t, reply_number(r, "tls") ? "yes" : "no");
	grid_put(
	    t, reply_number(r, "by-hand") ? "by hand" : text_of(r, "source"));
	grid_put(t, text_of(r, "server"));
}

static void json_row(void *ctx, const struct reply *r)
{
	json_t *object;
	char address[ADDR_TEXT_SIZE + 8];
	long whole;

	(void)ctx;
	if (strcmp(r->word, "lease") != 0)
		return;
	object = json_object();
	snprintf(address, sizeof(address), "%s", text_of(r, "address"));
	long bits = prefix_of(address, &whole);
	address[strcspn(address, "/")] = '\0';
	jsonl_put(object, "address", address);
	jsonl_put_int(object, "bits", bits);
	jsonl_put(object, "user", text_of(r, "user"));
	jsonl_put_int(object, "ttl", reply_number(r, "ttl"));
	jsonl_put_time(object, "first", reply_number(r, "first"));
	jsonl_put_time(object, "last", reply_number(r, "last"));
	jsonl_put_time(object, "end", reply_number(r, "end"));
	jsonl_put_int(object, "sessions", reply_number(r, "sessions"));
	jsonl_put(object, "source", text_of(r, "source"));
	jsonl_put(object, "server", text_of(r, "server"));
	jsonl_put_bool(object, "tls", reply_number(r, "tls") != 0);
	jsonl_put_bool(object, "by_hand", reply_number(r, "by-hand") != 0);
	jsonl_put_bool(object, "live", reply_number(r, "live") != 0);
	jsonl_print(object);
}

static int list(const struct verb_env *env, const char *socket,
    const struct request *r, bool json)
{
	struct grid *t = grid_new(titles, COUNT_OF(titles), 0);
	AUTO_FREE struct reply *reply = xcalloc(1, sizeof(*reply));
	struct err err = { 0 };
	int got = cli_ask_control(env, socket, r->line, r->used,
	    json ? json_row : print_row, t, reply, &err);
	size_t rows = grid_end(&t);

	if (got < 0)
		return cli_fail(&err);
	if (!json && rows == 0)
		puts("no leases");
	return cli_done(EXIT_YES);
}

extern const struct verb verb_list;

static int run(const struct verb_env *env, int argc, char **argv)
{
	const char *address = NULL, *user = NULL, *socket = NULL;
	bool json = env->json, all = false;
	const struct cli_option options[] = {
		{ "user", 'u', &user, NULL },
		{ "all", 'a', NULL, &all },
		{ "json", 0, NULL, &json },
		{ "socket", 's', &socket, NULL },
		{ 0 },
	};
	struct request r;
	struct err err = { 0 };

	if (cli_options(argc, argv, options, &address, 1, &err) < 0)
		return cli_usage(&verb_list, &err);
	request_begin(&r, "list");
	request_put_addr(&r, "address", address);
	request_put_user(&r, user);
	request_put(&r, "all", all ? "yes" : NULL);
	if (r.err.code)
		return cli_usage(&verb_list, &r.err);
	return list(env, socket, &r, json);
}

const struct verb verb_list = {
	.name = "list",
	.usage = "list [-s SOCKET] [--json] [--all] [--user U] [ADDRESS]",
	.help = "Show the leases; --all shows also those that have run out.",
	.run = run,
};
