/* SPDX-License-Identifier: ISC */
/*
 * check - `relaypass check`: one question to an ask listener, the way scripts
 * put it. The answer is the exit code; the line is for people.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli.h"
#include "jsonl.h"

enum { WORDS_MAX = 8, PATIENCE_MS = 5000 };

/* "sender=jo@example.net" as it was typed; the value is coded by us. */
static void put_word(struct request *r, const char *word)
{
	static const char *const keys[] = { "sender", "recipient", "user" };
	char shown[80];

	for (size_t i = 0; i < COUNT_OF(keys); i++) {
		size_t len = strlen(keys[i]);
		if (strncmp(word, keys[i], len) == 0 && word[len] == '=') {
			request_put(r, keys[i], word + len + 1);
			return;
		}
	}
	if (!r->err.code)
		err_set(&r->err, EXIT_USER,
		    "\"%s\": wanted is sender=, recipient= or user=",
		    cli_safe(word, strlen(word), shown, sizeof(shown)));
}

static void build(struct request *r, const char *const *words, int count)
{
	request_begin(r, "check");
	request_put_addr(r, NULL, words[0]);
	for (int i = 1; i < count; i++)
		put_word(r, words[i]);
}

static void print_json(const struct reply *r)
{
	json_t *object = json_object();

	jsonl_put(object, "verdict", r->word);
	if (reply_value(r, "ttl"))
		jsonl_put_int(object, "ttl", reply_number(r, "ttl"));
	if (reply_value(r, "user"))
		jsonl_put(object, "user", reply_value(r, "user"));
	if (r->topic[0])
		jsonl_put(object, "reason", r->topic);
	jsonl_print(object);
}

static int print_answer(const char *line, size_t len, bool json)
{
	char text[CLIENT_LINE_MAX];
	AUTO_FREE struct reply *r = xcalloc(1, sizeof(*r));
	int code = EXIT_AGAIN;

	cli_safe(line, len, text, sizeof(text));
	if (strncmp(line, "error", 5) == 0) {
		fprintf(stderr, "relaypass: the listener says: %s\n", text);
	} else if (!reply_parse(line, len, r)) {
		fputs("relaypass: the listener's answer is not understood\n",
		    stderr);
	} else {
		code = cli_verdict(r->word);
		if (json)
			print_json(r);
		else
			printf("%s\n", text);
	}
	return cli_done(code);
}

/* Whatever keeps us from an answer is "cannot tell", but for a mistake in the
 * configuration. */
static int cannot_tell(const struct err *err)
{
	cli_fail(err);
	return EXIT_AGAIN;
}

static int ask(const struct endpoint *at, const struct request *r, bool json)
{
	struct err err = { 0 };
	struct client *c = client_open(at, PATIENCE_MS, true, &err);
	char *line = NULL;
	size_t len = 0;

	if (!c)
		return cannot_tell(&err);
	int n = client_send(c, r->line, r->used, &err);
	if (n == 0)
		n = client_receive(c, &line, &len, &err);
	if (n == 0)
		err_set(&err, EXIT_AGAIN,
		    "the listener closed the connection without an answer");
	int code =
	    n == 1 && line ? print_answer(line, len, json) : cannot_tell(&err);
	client_close(&c);
	return code;
}

extern const struct verb verb_check;

static int run(const struct verb_env *env, int argc, char **argv)
{
	const char *words[WORDS_MAX], *socket = NULL;
	bool json = env->json;
	const struct cli_option options[] = {
		{ "socket", 's', &socket, NULL },
		{ "json", 0, NULL, &json },
		{ 0 },
	};
	struct endpoint at;
	struct request r;
	struct err err = { 0 };
	int count = cli_options(argc, argv, options, words, WORDS_MAX, &err);

	if (count == 0)
		err_set(&err, EXIT_USER, "which address?");
	if (count <= 0)
		return cli_usage(&verb_check, &err);
	build(&r, words, count);
	if (r.err.code)
		return cli_usage(&verb_check, &r.err);
	if (cli_ask_at(env, socket, &at, &err) < 0)
		return cli_fail(&err);
	return ask(&at, &r, json);
}

const struct verb verb_check = {
	.name = "check",
	.usage = "check [-s SOCKET] [--json] ADDRESS [sender=A] [recipient=A] "
		 "[user=U]",
	.help = "Ask whether an address may relay: exit 0 yes, 1 no, 111 "
		"unknown.",
	.run = run,
};
