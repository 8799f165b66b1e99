/* SPDX-License-Identifier: ISC */
/*
 * watch - `relaypass watch`: logins, and what happens to leases, as it happens,
 * until Ctrl-C. A login that makes no lease is shown with the reason.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cli.h"
#include "jsonl.h"
#include "reasons.h"

static void leave(int signal)
{
	(void)signal;
	_exit(EXIT_YES);
}

/* A revocation of a user speaks of no address, which is sent as "::". */
static bool is_nowhere(const struct reply_pair *p)
{
	return strcmp(p->key, "address") == 0 && strcmp(p->value, "::") == 0;
}

/* Why a login made no lease; NULL: it did, or nobody knows. */
static const char *sentence_of(const struct reply *r)
{
	const char *reason = reply_value(r, "reason");

	return reason ? reason_sentence(reason) : NULL;
}

static void print_json(const struct reply *r)
{
	json_t *object = json_object();
	const char *sentence = sentence_of(r);

	for (size_t i = 0; i < r->count; i++) {
		const char *key = r->pairs[i].key;
		if (is_nowhere(&r->pairs[i]))
			json_object_set_new(object, key, json_null());
		else if (strcmp(key, "time") == 0)
			jsonl_put_time(object, key, reply_number(r, key));
		else if (strcmp(key, "ttl") == 0)
			jsonl_put_int(object, key, reply_number(r, key));
		else
			jsonl_put(object, key, r->pairs[i].value);
	}
	if (sentence)
		jsonl_put(object, "why", sentence);
	jsonl_print(object);
}

/* One "key value" behind the columns, when there is a value. */
static void print_pair(const struct reply *r, const char *key)
{
	const char *value = reply_value(r, key);
	char shown[300];

	if (value && *value)
		printf(" %s=%s", key,
		    cli_safe(value, strlen(value), shown, sizeof(shown)));
}

static void print_text(const struct reply *r)
{
	static const char *const keys[] = { "user", "source", "server",
		"reason" };
	const char *kind = reply_value(r, "kind");
	const char *address = reply_value(r, "address");
	char when[CLOCK_TEXT_SIZE], span[CLI_SPAN_SIZE];
	char shown_kind[24], shown_address[64];

	kind = kind ? kind : "?";
	address = address && strcmp(address, "::") != 0 ? address : "-";
	clock_print(reply_number(r, "time"), when);
	cli_safe(kind, strlen(kind), shown_kind, sizeof(shown_kind));
	cli_safe(
	    address, strlen(address), shown_address, sizeof(shown_address));
	printf("%s %-7s %s", when, shown_kind, shown_address);
	for (size_t i = 0; i < COUNT_OF(keys); i++)
		print_pair(r, keys[i]);
	if (sentence_of(r))
		printf(" (%s)", sentence_of(r));
	if (reply_number(r, "ttl") > 0)
		printf(" ttl=%s", cli_span(reply_number(r, "ttl"), span));
	putchar('\n');
}

static int follow(struct client *c, bool json, struct err *err)
{
	AUTO_FREE struct reply *r = xcalloc(1, sizeof(*r));
	char *line;
	size_t len;
	int n;

	client_wait_forever(c);
	while ((n = client_receive(c, &line, &len, err)) == 1) {
		if (!reply_parse(line, len, r) || strcmp(r->word, "event") != 0)
			continue;
		if (json)
			print_json(r);
		else
			print_text(r);
		if (fflush(stdout) != 0)
			break;
	}
	if (n == 0)
		err_set(err, EXIT_AGAIN,
		    "relaypassd closed the connection: it has stopped, or we "
		    "were too slow");
	return n == 1 ? cli_done(EXIT_YES) : cli_fail(err);
}

static int watch(const struct endpoint *at, bool json)
{
	static const char request[] = "watch";
	AUTO_FREE struct reply *r = xcalloc(1, sizeof(*r));
	struct err err = { 0 };
	struct client *c = client_open(at, CLI_PATIENCE_MS, false, &err);
	int code;

	if (!c || client_ask(
		      c, request, sizeof(request) - 1, NULL, NULL, r, &err) < 0)
		code = cli_fail(&err);
	else
		code = follow(c, json, &err);
	client_close(&c);
	return code;
}

extern const struct verb verb_watch;

static int run(const struct verb_env *env, int argc, char **argv)
{
	const char *socket = NULL;
	bool json = env->json;
	const struct cli_option options[] = {
		{ "json", 0, NULL, &json },
		{ "socket", 's', &socket, NULL },
		{ 0 },
	};
	struct endpoint at;
	struct err err = { 0 };

	if (cli_options(argc, argv, options, NULL, 0, &err) < 0)
		return cli_usage(&verb_watch, &err);
	if (cli_control_at(env, socket, &at, &err) < 0)
		return cli_fail(&err);
	signal(SIGINT, leave);
	signal(SIGTERM, leave);
	return watch(&at, json);
}

const struct verb verb_watch = {
	.name = "watch",
	.usage = "watch [-s SOCKET] [--json]",
	.help = "Show logins and leases as they come and go, until Ctrl-C.",
	.run = run,
};
