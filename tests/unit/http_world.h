/* SPDX-License-Identifier: ISC */
/*
 * http_world - an http source on a unix socket of its own, a keeper that only
 * remembers, and a client; all in one loop.
 */
#ifndef TESTS_UNIT_HTTP_WORLD_H
#define TESTS_UNIT_HTTP_WORLD_H
#include <errno.h>
#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>

#include "base/mem.h"
#include "source/source.h"

enum { WORLD_LIMIT_MS = 10000, WORLD_LOGINS = 256, WORLD_REPLY = 65536 };

#define WORLD_SECRET "0123456789abcdef"
#define WORLD_TOKEN  "fedcba9876543210"

struct world {
	char dir[64], path[96], text[2000];
	struct conf *conf;
	uv_loop_t loop;
	const struct source_kind *kind;
	struct source *source;
	int fds[SOURCE_FDS_MAX], fd_count;
	unsigned uid; /* that is let in */
	bool full;    /* the queue to the keeper */
	struct login logins[WORLD_LOGINS];
	uint64_t tokens[WORLD_LOGINS];
	size_t login_count;
	char reply[WORLD_REPLY];
};

static inline bool world_submit(
    void *ctx, uint64_t token, const struct login *login)
{
	struct world *w = ctx;

	if (w->full)
		return false;
	must(w->login_count < WORLD_LOGINS);
	w->tokens[w->login_count] = token;
	w->logins[w->login_count++] = *login;
	return true;
}

static inline void world_secret(
    const struct world *w, const char *name, const char *text)
{
	char path[128];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", w->dir, name);
	f = fopen(path, "w");
	must(f && fprintf(f, "%s\n", text) > 0 && fclose(f) == 0);
	must(chmod(path, 0600) == 0);
}

static inline int world_setup(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));

	(void)snprintf(w->dir, sizeof(w->dir), "/tmp/test-http-XXXXXX");
	must(mkdtemp(w->dir) != NULL);
	(void)snprintf(w->path, sizeof(w->path), "%s/sock", w->dir);
	world_secret(w, "secret", WORLD_SECRET);
	world_secret(w, "token", WORLD_TOKEN);
	must(uv_loop_init(&w->loop) == 0);
	w->uid = getuid();
	w->kind = source_kind_find("http");
	must(w->kind != NULL);
	*state = w;
	return 0;
}

static inline void world_stop(struct world *w)
{
	if (!w->source)
		return;
	w->kind->stop(w->source);
	w->kind->close(&w->source);
	while (w->fd_count > 0)
		(void)close(w->fds[--w->fd_count]);
}

static inline int world_teardown(void **state)
{
	struct world *w = *state;
	char path[128];

	world_stop(w);
	/* Nothing of it is left in the loop. */
	must(uv_loop_close(&w->loop) == 0);
	conf_free(&w->conf);
	(void)unlink(w->path);
	(void)snprintf(path, sizeof(path), "%s/secret", w->dir);
	(void)unlink(path);
	(void)snprintf(path, sizeof(path), "%s/token", w->dir);
	(void)unlink(path);
	(void)rmdir(w->dir);
	free(w);
	return 0;
}

/* Starts the source; more: further lines of its section. */
static inline void world_start(struct world *w, const char *more)
{
	static struct conf_kind kind;
	static const struct conf_kind *const kinds[] = { &kind, NULL };
	static const struct option none[] = { OPTION_END };
	static const struct conf_schema schema[] = {
		{ "source", "Where logins come from.", none, kinds }, { 0 }
	};
	struct source_env env = {
		.name = "web", .submit = world_submit, .live_ctx = w
	};
	const struct conf_section *section;
	const struct group *group = getgrgid(getgid());
	struct err err = { 0 };

	must(group != NULL);
	kind = (struct conf_kind){ w->kind->name, w->kind->help,
		w->kind->options };
	(void)snprintf(w->text, sizeof(w->text),
	    "source web { kind = \"http\" listen = \"unix:%s\" group = \"%s\"\n"
	    "allow-uid = \"%u\" secret-file = \"%s/secret\"\n"
	    "token-file = \"%s/token\" events = yes\n%s }\n",
	    w->path, group->gr_name, w->uid, w->dir, w->dir, more);
	w->conf = conf_parse(w->text, strlen(w->text), "test", schema, &err);
	if (!w->conf)
		fail_msg("%s", err.text);
	section = conf_at(w->conf, "source", 0);
	w->fd_count = w->kind->sockets(section, w->fds, SOURCE_FDS_MAX, &err);
	if (w->fd_count < 0)
		fail_msg("%s", err.text);
	env.fds = w->fds;
	env.fd_count = (size_t)w->fd_count;
	w->source = w->kind->open(&env, section, NULL, 0, &err);
	if (!w->source)
		fail_msg("%s", err.text);
	w->kind->start(w->source, &w->loop);
}

/* One turn of the loop, at most ms long. */
static inline void world_tick(uv_timer_t *timer)
{
	(void)timer;
}

static inline void world_turn(struct world *w)
{
	uv_timer_t timer;

	must(uv_timer_init(&w->loop, &timer) == 0);
	must(uv_timer_start(&timer, world_tick, 1, 0) == 0);
	(void)uv_run(&w->loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&timer, NULL);
	(void)uv_run(&w->loop, UV_RUN_NOWAIT);
}

/* Until the condition holds. */
#define WORLD_WAIT(w, condition)                                               \
	do {                                                                   \
		uint64_t end_ = uv_hrtime() + WORLD_LIMIT_MS * 1000000ULL;     \
		while (!(condition)) {                                         \
			if (uv_hrtime() > end_)                                \
				fail_msg("not in time: %s", #condition);       \
			world_turn(w);                                         \
		}                                                              \
	} while (0)

/* --- a client --- */

static inline int world_connect(const struct world *w)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	must(fd >= 0);
	(void)snprintf(at.sun_path, sizeof(at.sun_path), "%s", w->path);
	must(connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0);
	return fd;
}

static inline void world_send(int fd, const char *text, size_t len)
{
	must(send(fd, text, len, MSG_NOSIGNAL) == (ssize_t)len);
}

#define JSON_HEAD   "Host: localhost\r\nContent-Type: application/json\r\n"
#define KEY_HEAD    "X-Relaypass-Key: " WORLD_SECRET "\r\n"
#define BEARER_HEAD "Authorization: Bearer " WORLD_TOKEN "\r\n"

static inline void world_post(
    int fd, const char *target, const char *heads, const char *body)
{
	char text[8192];
	int n = snprintf(text, sizeof(text),
	    "POST %s HTTP/1.1\r\n" JSON_HEAD "%sContent-Length: %zu\r\n\r\n%s",
	    target, heads, strlen(body), body);

	must(n > 0 && n < (int)sizeof(text));
	world_send(fd, text, (size_t)n);
}

/* Bytes of w->reply that are a whole response with a length; 0: not yet. */
static inline size_t world_whole(const struct world *w, size_t got)
{
	const char *body = memmem(w->reply, got, "\r\n\r\n", 4);
	const char *length =
	    body ? strcasestr(w->reply, "content-length:") : NULL;
	size_t len;

	if (!body || !length)
		return 0;
	len = strtoul(length + strlen("content-length:"), NULL, 10);
	len += (size_t)(body + 4 - w->reply);
	return got >= len ? len : 0;
}

/* The next response; its status, or 0: the connection was closed. Its text is
 * in w->reply. */
static inline unsigned world_reply(struct world *w, int fd)
{
	uint64_t end = uv_hrtime() + WORLD_LIMIT_MS * 1000000ULL;
	size_t got = 0, whole;

	memset(w->reply, 0, sizeof(w->reply));
	for (;;) {
		/* Pipelined ones stay in the socket. */
		ssize_t n = recv(fd, w->reply, sizeof(w->reply) - 1, MSG_PEEK);
		if (n == 0)
			return 0;
		if (n > 0) {
			got = (size_t)n;
			w->reply[got] = '\0';
		}
		whole = world_whole(w, got);
		if (whole) {
			must(recv(fd, w->reply, whole, 0) == (ssize_t)whole);
			w->reply[whole] = '\0';
			return (unsigned)strtoul(w->reply + 9, NULL, 10);
		}
		if (n < 0 && errno != EAGAIN)
			return 0;
		if (uv_hrtime() > end)
			fail_msg("no answer: \"%s\"", w->reply);
		world_turn(w);
	}
}

/* What the keeper made of a login. */
static inline void world_stored(struct world *w, size_t login,
    enum source_outcome outcome, uint8_t judgement)
{
	assert_true(login < w->login_count);
	w->kind->stored(w->source, w->tokens[login], outcome, judgement);
}
#endif
