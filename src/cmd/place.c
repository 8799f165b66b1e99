/* SPDX-License-Identifier: ISC */
/*
 * place - where the daemon's sockets are, by the configuration; the second half
 * of cli.h. Called by the verbs.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli.h"
#include "conf/conf.h"
#include "daemon/schema.h"
#include "listener/listener.h"

struct conf *cli_conf(const struct verb_env *env, struct err *err)
{
	if (!env->config_given && access(env->config, F_OK) < 0 &&
	    errno == ENOENT)
		return conf_default(schema());
	return conf_load(env->config, schema(), err);
}

/* What client_open() can connect to. */
static bool is_stream(const struct endpoint *at)
{
	return at->type == ENDPOINT_UNIX || at->type == ENDPOINT_TCP;
}

/* A socket that the user named: a path, or as the option `listen` has it. */
static int given_at(const char *socket, struct endpoint *out, struct err *err)
{
	char text[200];
	int n = snprintf(text, sizeof(text), "%s%s",
	    socket[0] == '/' ? "unix:" : "", socket);

	if (n >= (int)sizeof(text) || !endpoint_parse(text, out) ||
	    !is_stream(out))
		return err_set(err, EXIT_USER,
		    "-s \"%s\": wanted is the path of a socket", socket);
	return 0;
}

int cli_control_at(const struct verb_env *env, const char *socket,
    struct endpoint *out, struct err *err)
{
	char path[sizeof(out->path) + 16];

	if (socket)
		return given_at(socket, out, err);
	struct conf *conf = cli_conf(env, err);
	if (!conf)
		return -1;
	int n = snprintf(path, sizeof(path), "unix:%s/control",
	    conf_string(conf_at(conf, "relaypass", 0), "run-directory"));
	conf_free(&conf);
	if (n >= (int)sizeof(path) || !endpoint_parse(path, out))
		return err_set(err, EXIT_USER,
		    "run-directory is too long for the path of a socket");
	return 0;
}

/* `listen` of a section, or its kind's default. False: no stream. */
static bool section_at(const struct conf_section *s, struct endpoint *out)
{
	const char *text = conf_string(s, "listen");

	if (!*text)
		text = listener_kind_find("ask")->listen;
	return endpoint_parse(text, out) && is_stream(out);
}

static int first_ask(
    const struct conf *conf, struct endpoint *out, struct err *err)
{
	size_t count = conf_count(conf, "listener");

	for (size_t i = 0; i < count; i++) {
		const struct conf_section *s = conf_at(conf, "listener", i);
		if (strcmp(conf_kind(s), "ask") == 0 && section_at(s, out))
			return 0;
	}
	if (count == 0)
		/* Perhaps no configuration of ours at all. */
		return given_at(listener_kind_find("ask")->listen, out, err);
	return err_set(err, EXIT_USER,
	    "the configuration has no listener of kind \"ask\": add one, or "
	    "name a socket with -s SOCKET");
}

int cli_ask_at(const struct verb_env *env, const char *socket,
    struct endpoint *out, struct err *err)
{
	if (socket)
		return given_at(socket, out, err);
	struct conf *conf = cli_conf(env, err);
	if (!conf)
		return -1;
	int result = first_ask(conf, out, err);
	conf_free(&conf);
	return result;
}

int cli_ask_control(const struct verb_env *env, const char *socket,
    const char *line, size_t len, client_row_fn *fn, void *ctx,
    struct reply *last, struct err *err)
{
	struct endpoint at;

	if (cli_control_at(env, socket, &at, err) < 0)
		return -1;
	struct client *c = client_open(&at, CLI_PATIENCE_MS, false, err);
	if (!c)
		return -1;
	int result = client_ask(c, line, len, fn, ctx, last, err);
	client_close(&c);
	return result;
}
