/* SPDX-License-Identifier: ISC */
/*
 * explain - `relaypass explain`: why an address may or may not relay, from
 * which log line or notice, by which rule, until when.
 */
#include <string.h>

#include "base/mem.h"
#include "cli.h"
#include "explain.h"

enum { WORDS_MAX = 8 };

struct words {
	const char *address, *sender, *recipient, *user, *listener;
};

/* "sender=jo@example.net" as it was typed. */
static int take_word(struct words *w, const char *word, struct err *err)
{
	const struct {
		const char *key, **value;
	} keys[] = { { "sender=", &w->sender }, { "recipient=", &w->recipient },
		{ "user=", &w->user }, { "listener=", &w->listener } };
	char shown[80];

	for (size_t i = 0; i < COUNT_OF(keys); i++) {
		size_t len = strlen(keys[i].key);
		if (strncmp(word, keys[i].key, len) != 0)
			continue;
		if (*keys[i].value)
			return err_set(
			    err, EXIT_USER, "%s stands twice", keys[i].key);
		*keys[i].value = word + len;
		return 0;
	}
	return err_set(err, EXIT_USER,
	    "\"%s\": wanted is sender=, recipient=, user= or listener=",
	    cli_safe(word, strlen(word), shown, sizeof(shown)));
}

static int take_words(
    struct words *w, const char *const *words, int count, struct err *err)
{
	if (count == 0)
		return err_set(err, EXIT_USER, "which address?");
	w->address = words[0];
	for (int i = 1; i < count; i++)
		if (take_word(w, words[i], err) < 0)
			return -1;
	return 0;
}

static void build(struct request *r, const struct words *w)
{
	request_begin(r, "explain");
	request_put_addr(r, "address", w->address);
	request_put(r, "sender", w->sender);
	request_put(r, "recipient", w->recipient);
	request_put_user(r, w->user);
	request_put(r, "listener", w->listener);
}

static void on_row(void *ctx, const struct reply *r)
{
	told_row(ctx, r);
}

static int ask(const struct verb_env *env, const char *socket,
    const struct request *r, struct told *t, bool json)
{
	AUTO_FREE struct reply *reply = xcalloc(1, sizeof(*reply));
	struct endpoint at;
	struct err err = { 0 };
	struct conf *conf;

	if (cli_control_at(env, socket, &at, &err) < 0)
		return cli_fail(&err);
	/* As check: whatever else keeps us from an answer is "cannot tell". */
	if (cli_ask_control(
		env, socket, r->line, r->used, on_row, t, reply, &err) < 0) {
		(void)cli_fail(&err);
		return EXIT_AGAIN;
	}
	if (strcmp(reply->word, "ok") != 0) {
		(void)err_set(&err, EXIT_USER,
		    "relaypassd has no listener of this name; see relaypass "
		    "status");
		return cli_fail(&err);
	}
	/* Without a configuration, what the daemon says is still worth much. */
	conf = cli_conf(env, &err);
	if (conf)
		origin_find(t, conf);
	conf_free(&conf);
	if (json)
		explain_json(t);
	else
		explain_print(t);
	return cli_done(cli_verdict(t->verdict));
}

extern const struct verb verb_explain;

static int run(const struct verb_env *env, int argc, char **argv)
{
	const char *words[WORDS_MAX], *socket = NULL;
	bool json = env->json;
	const struct cli_option options[] = {
		{ "socket", 's', &socket, NULL },
		{ "json", 0, NULL, &json },
		{ 0 },
	};
	AUTO_FREE struct told *t = xcalloc(1, sizeof(*t));
	struct words w = { 0 };
	struct request r;
	struct err err = { 0 };
	int count = cli_options(argc, argv, options, words, WORDS_MAX, &err);
	int code;

	if (count < 0 || take_words(&w, words, count, &err) < 0)
		return cli_usage(&verb_explain, &err);
	build(&r, &w);
	if (r.err.code)
		return cli_usage(&verb_explain, &r.err);
	t->sender = w.sender;
	t->asked_user = w.user;
	t->listener = w.listener;
	code = ask(env, socket, &r, t, json);
	told_free(t);
	return code;
}

const struct verb verb_explain = {
	.name = "explain",
	.usage = "explain [-s SOCKET] [--json] ADDRESS [sender=A] "
		 "[recipient=A] [user=U] [listener=NAME]",
	.help = "Say why an address may relay or not: by which login and rule, "
		"until when.",
	.run = run,
};
