/* SPDX-License-Identifier: ISC */
/*
 * fuzz_http_request - any bytes on a connection of the whole http source,
 * libmicrohttpd included. A login comes only of a request that holds a secret
 * and the word POST; and each is answered once.
 *
 * So that the fuzzer need not guess them, the bytes 0xf0 and 0xf1 stand for the
 * secret and the token.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include "base/log.h"
#include "base/mem.h"
#include "source/source.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SECRET "k7Q2xV9sLm4TzR1a"
#define TOKEN  "p0Wn8Yc3HdE6uJ5b"

enum {
	TOKENS_MAX = 4096,
	INPUT_MAX = 40000,
	TURNS_MAX = 200,
	QUIET = 3,
	BACKLOG = 8
};

static struct fuzz_world {
	char dir[64];
	struct sockaddr_un at; /* abstract: nothing of it is left behind */
	socklen_t at_len;
	uv_loop_t loop;
	struct source *source;
	uint64_t tokens[TOKENS_MAX];
	size_t token_count;
	bool welcome; /* this input holds a secret */
} world;

/* Some are taken, some find the queue full. */
static bool submit(void *ctx, uint64_t token, const struct login *login)
{
	must(world.welcome && token != 0);
	must(login->kind != LOGIN_NOTHING && login->user_len > 0);
	(void)ctx;
	if (login->user_len % 4 == 3 || world.token_count == TOKENS_MAX)
		return false;
	world.tokens[world.token_count++] = token;
	return true;
}

static void put(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", world.dir, name);
	f = fopen(path, "w");
	must(f && fputs(text, f) >= 0 && fclose(f) == 0);
	must(chmod(path, 0600) == 0);
}

static struct conf_section *configure(void)
{
	static struct conf_kind kind;
	static const struct conf_kind *const kinds[] = { &kind, NULL };
	static const struct option none[] = { OPTION_END };
	static const struct conf_schema schema[] = {
		{ "source", "Where logins come from.", none, kinds }, { 0 }
	};
	static struct conf *conf;
	const struct source_kind *http = source_kind_find("http");
	struct err err = { 0 };
	char text[1000];

	must(http != NULL);
	kind = (struct conf_kind){ http->name, http->help, http->options };
	(void)snprintf(text, sizeof(text),
	    "source web { kind = \"http\" listen = \"unix:/unused\" "
	    "allow-uid = \"%u\" secret-file = \"%s/secret\" "
	    "token-file = \"%s/token\" events = yes }",
	    (unsigned)getuid(), world.dir, world.dir);
	conf = conf_parse(text, strlen(text), "fuzz", schema, &err);
	must(conf != NULL);
	return (struct conf_section *)conf_at(conf, "source", 0);
}

static void drop(const char *name)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", world.dir, name);
	must(unlink(path) == 0);
}

static int listen_somewhere(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	world.at.sun_family = AF_UNIX;
	must(fd >= 0);
	must(bind(fd, (struct sockaddr *)&world.at, sizeof(sa_family_t)) == 0);
	world.at_len = sizeof(world.at);
	must(getsockname(fd, (struct sockaddr *)&world.at, &world.at_len) == 0);
	must(listen(fd, BACKLOG) == 0);
	return fd;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static struct source_env env = { .name = "web", .submit = submit };
	static int fd;
	const struct source_kind *http = source_kind_find("http");
	const struct conf_section *section;
	struct err err = { 0 };

	(void)argc;
	(void)argv;
	log_open(LOG_TO_STDERR, LOG_LEVEL_ERROR, "fuzz");
	(void)snprintf(world.dir, sizeof(world.dir), "/tmp/fuzz-http-XXXXXX");
	must(mkdtemp(world.dir) != NULL);
	put("secret", SECRET "\n");
	put("token", TOKEN "\n");
	section = configure();
	fd = listen_somewhere();
	env.fds = &fd;
	env.fd_count = 1;
	must(uv_loop_init(&world.loop) == 0);
	world.source = http->open(&env, section, NULL, 0, &err);
	must(world.source != NULL);
	drop("secret");
	drop("token");
	must(rmdir(world.dir) == 0);
	http->start(world.source, &world.loop);
	return 0;
}

/* The input with its two secrets put in. */
static size_t expand(const uint8_t *data, size_t size, char *out)
{
	const size_t len = sizeof(SECRET) - 1;
	size_t n = 0;

	world.welcome = false;
	for (size_t i = 0; i < size && n + len <= INPUT_MAX; i++) {
		if (data[i] != 0xf0 && data[i] != 0xf1) {
			out[n++] = (char)data[i];
			continue;
		}
		memcpy(out + n, data[i] == 0xf0 ? SECRET : TOKEN, len);
		n += len;
		world.welcome |= memmem(data, size, "POST", 4) != NULL;
	}
	return n;
}

static int connect_client(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	must(fd >= 0);
	must(connect(fd, (struct sockaddr *)&world.at, world.at_len) == 0);
	return fd;
}

/* Runs until nothing happens any more; answers what was submitted. */
static void settle(int fd)
{
	const struct source_kind *http = source_kind_find("http");
	char reply[4096];
	int quiet = 0;

	for (int i = 0; i < TURNS_MAX && quiet < QUIET; i++) {
		(void)uv_run(&world.loop, UV_RUN_NOWAIT);
		quiet++;
		while (world.token_count > 0) {
			uint64_t token = world.tokens[--world.token_count];

			http->stored(world.source, token,
			    token >> 32 & 1 ? SOURCE_STORED : SOURCE_NOT_STORED,
			    1);
			quiet = 0;
		}
		if (fd >= 0 && recv(fd, reply, sizeof(reply), 0) > 0)
			quiet = 0;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char bytes[INPUT_MAX];
	size_t len = expand(data, size, bytes);
	int fd = connect_client();

	(void)send(fd, bytes, len, MSG_NOSIGNAL);
	settle(fd);
	must(close(fd) == 0);
	settle(-1);
	must(world.token_count == 0);
	return 0;
}
