/* SPDX-License-Identifier: ISC */
/*
 * shell - runs statements through a session, for the tests of the engines:
 *     sql-shell ENGINE KEY=VALUE...
 * with host, port, database, user, password, tls (off, on, verify), ca, create,
 * timeout (ms) and first (a statement of the hook). A line of JSON is a
 * command:
 *     {"run": "SELECT $1", "params": ["x", null]}
 * and each answer a line: {"fault": "none", "text": "", "rows": [["x"]],
 * "affected": 1}; {"event": "connected"}, {"event": "notified"} come between
 * them. At the end of its input it closes everything and exits.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/log.h"
#include "base/mem.h"
#include "daemon/lockdown.h"
#include "sql/session.h"

enum { READ_SIZE = 65536 };

static const char *const fault_names[] = { "none", "gone", "login", "no-table",
	"no-column", "denied", "duplicate", "full", "busy", "other" };

static struct shell {
	uv_loop_t loop;
	uv_pipe_t input;
	struct sql_session *session;
	const char *first, *locked;
	char *line;
	size_t len, size;
} shell;

static void say(json_t *answer)
{
	AUTO_FREE char *text = json_dumps(answer, JSON_COMPACT);

	must(text != NULL);
	(void)puts(text);
	(void)fflush(stdout);
	json_decref(answer);
}

static json_t *rows_of(const struct sql_result *r)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < r->rows; i++) {
		json_t *row = json_array();

		for (size_t k = 0; k < r->columns; k++) {
			struct sql_value v = sql_result_value(r, i, k);

			must(!v.text || v.text[v.len] == '\0');
			(void)json_array_append_new(row,
			    v.text ? json_stringn(v.text, v.len) : json_null());
		}
		(void)json_array_append_new(rows, row);
	}
	return rows;
}

static void on_done(void *ctx, const struct sql_result *r)
{
	bool good = r->fault == SQL_FAULT_NONE;

	(void)ctx;
	must(!strpbrk(r->text, "\r\n"));
	say(json_pack("{s:s, s:s, s:o, s:I}", "fault", fault_names[r->fault],
	    "text", r->text, "rows", good ? rows_of(r) : json_array(),
	    "affected", (json_int_t)r->affected));
}

static void on_connected(void *ctx)
{
	(void)ctx;
	say(json_pack("{s:s}", "event", "connected"));
	if (shell.first)
		sql_session_run(
		    shell.session, shell.first, NULL, 0, on_done, NULL);
}

static void on_notified(void *ctx)
{
	(void)ctx;
	say(json_pack("{s:s}", "event", "notified"));
}

static void run(const json_t *command)
{
	const json_t *params = json_object_get(command, "params");
	size_t count = json_array_size(params);
	AUTO_FREE struct sql_value *values =
	    xcalloc(count + 1, sizeof(*values));

	for (size_t i = 0; i < count; i++) {
		const json_t *value = json_array_get(params, i);

		values[i].text = json_string_value(value);
		values[i].len = json_string_length(value);
	}
	sql_session_run(shell.session,
	    json_string_value(json_object_get(command, "run")), values, count,
	    on_done, NULL);
}

static void obey(const char *line, size_t len)
{
	json_t *command = json_loadb(line, len, JSON_ALLOW_NUL, NULL);

	must(command != NULL);
	run(command);
	json_decref(command);
}

static void give_room(uv_handle_t *handle, size_t wanted, uv_buf_t *out)
{
	(void)handle;
	(void)wanted;
	if (shell.size - shell.len < READ_SIZE) {
		shell.size = 2 * shell.size + READ_SIZE;
		shell.line = xrealloc(shell.line, 1, shell.size);
	}
	*out = uv_buf_init(shell.line + shell.len, READ_SIZE);
}

static void on_input(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	char *line = shell.line, *end;

	(void)buf;
	if (n < 0) {
		uv_close((uv_handle_t *)stream, NULL);
		sql_session_close(&shell.session);
		return;
	}
	shell.len += (size_t)n;
	while ((end = memchr(line, '\n',
		    shell.len - (size_t)(line - shell.line))) != NULL) {
		obey(line, (size_t)(end - line));
		line = end + 1;
	}
	shell.len -= (size_t)(line - shell.line);
	memmove(shell.line, line, shell.len);
}

static enum sql_tls tls_of(const char *text)
{
	static const char *const names[] = { "off", "on", "verify" };
	unsigned i = 0;

	while (strcmp(text, names[i]) != 0)
		must(++i < COUNT_OF(names));
	return (enum sql_tls)i;
}

static void set(struct sql_place *place, struct sql_session_env *env,
    const char *key, const char *value)
{
	const struct {
		const char *key, **value;
	} texts[] = { { "host", &place->host },
		{ "database", &place->database }, { "user", &place->user },
		{ "password", &place->password }, { "ca", &place->ca },
		{ "first", &shell.first }, { "locked", &shell.locked } };

	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		if (strcmp(key, texts[i].key) == 0) {
			*texts[i].value = value;
			return;
		}
	}
	if (strcmp(key, "port") == 0)
		place->port = (uint16_t)strtoul(value, NULL, 10);
	else if (strcmp(key, "tls") == 0)
		place->tls = tls_of(value);
	else if (strcmp(key, "create") == 0)
		place->create = true;
	else {
		must(strcmp(key, "timeout") == 0);
		env->timeout = strtoll(value, NULL, 10);
	}
}

static enum sql_engine_id engine_of(const char *name)
{
	unsigned id = SQL_POSTGRESQL;

	while (id < SQL_SQLITE &&
	       strcmp(name, sql_engine_name((enum sql_engine_id)id)) != 0)
		id++;
	return (enum sql_engine_id)id;
}

static int refuse(const struct err *err)
{
	(void)fprintf(stderr, "%s\n", err->text);
	return err->code;
}

int main(int argc, char **argv)
{
	struct sql_place place = {
		.host = "", .database = "", .user = "", .password = "", .ca = ""
	};
	struct sql_session_env env = { "export", "shell", 5000, on_connected,
		on_notified, NULL };
	const struct sql_engine *engine;
	struct err err = { 0 };

	must(argc > 1);
	log_open(LOG_TO_STDERR, LOG_LEVEL_INFO, NULL);
	for (int i = 2; i < argc; i++) {
		char *value = strchr(argv[i], '=');

		must(value != NULL);
		*value = '\0';
		set(&place, &env, argv[i], value + 1);
	}
	if (shell.locked)
		lockdown_prepare();
	engine = sql_engine_load(engine_of(argv[1]), &err);
	if (!engine)
		return refuse(&err);
	shell.session = sql_session_new(&env, engine, &place, &err);
	if (!shell.session)
		return refuse(&err);
	must(uv_loop_init(&shell.loop) == 0);
	must(uv_pipe_init(&shell.loop, &shell.input, 0) == 0);
	must(uv_pipe_open(&shell.input, STDIN_FILENO) == 0);
	must(uv_read_start((uv_stream_t *)&shell.input, give_room, on_input) ==
	     0);
	if (shell.locked) {
		const struct lockdown_needs needs = { .write = { shell.locked },
			.source = { .connect = true } };

		if (lockdown_enter(ROLE_CONNECTOR, &needs, &err) < 0)
			return refuse(&err);
	}
	sql_session_start(shell.session, &shell.loop);
	(void)uv_run(&shell.loop, UV_RUN_DEFAULT);
	must(uv_loop_close(&shell.loop) == 0);
	free(shell.line);
	return EXIT_YES;
}
