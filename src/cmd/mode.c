/* SPDX-License-Identifier: ISC */
/*
 * mode - `relaypass mode`: tells or changes whether leases count, without a
 * reload.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli.h"
#include "jsonl.h"

static bool is_mode(const char *word)
{
	static const char *const words[] = { "enforce", "observe", "off",
		"config" };

	for (size_t i = 0; i < COUNT_OF(words); i++) {
		if (strcmp(words[i], word) == 0)
			return true;
	}
	return false;
}

static void print_json(const struct reply *r)
{
	json_t *object = json_object();

	for (size_t i = 0; i < r->count; i++)
		jsonl_put(object, r->pairs[i].key, r->pairs[i].value);
	jsonl_print(object);
}

static void print_text(const struct reply *r)
{
	static const char *const keys[] = { "mode", "config", "set" };
	char shown[3][64];

	for (size_t i = 0; i < COUNT_OF(keys); i++) {
		const char *value = reply_value(r, keys[i]);
		value = value ? value : "unknown";
		cli_safe(value, strlen(value), shown[i], sizeof(shown[i]));
	}
	printf("%s (configuration: %s; set by hand: %s)\n", shown[0], shown[1],
	    shown[2]);
}

static int ask(const struct verb_env *env, const char *socket,
    const struct request *r, bool json)
{
	AUTO_FREE struct reply *reply = xcalloc(1, sizeof(*reply));
	struct err err = { 0 };
	int code = EXIT_YES;

	if (cli_ask_control(
		env, socket, r->line, r->used, NULL, NULL, reply, &err) < 0)
		code = cli_fail(&err);
	else if (json)
		print_json(reply);
	else
		print_text(reply);
	return code == EXIT_YES ? cli_done(code) : code;
}

extern const struct verb verb_mode;

static int run(const struct verb_env *env, int argc, char **argv)
{
	const char *word = NULL, *socket = NULL;
	bool json = env->json;
	const struct cli_option options[] = {
		{ "socket", 's', &socket, NULL },
		{ "json", 0, NULL, &json },
		{ 0 },
	};
	struct request r;
	struct err err = { 0 };
	int count = cli_options(argc, argv, options, &word, 1, &err);

	if (count > 0 && !is_mode(word))
		count = err_set(&err, EXIT_USER,
		    "a mode is enforce, observe, off, or config (what the "
		    "configuration says)");
	if (count < 0)
		return cli_usage(&verb_mode, &err);
	request_begin(&r, "mode");
	request_put(&r, "set", word);
	return ask(env, socket, &r, json);
}

const struct verb verb_mode = {
	.name = "mode",
	.usage = "mode [-s SOCKET] [--json] [enforce|observe|off|config]",
	.help = "Tell the mode, or change it until it is changed back by "
		"config.",
	.run = run,
};
