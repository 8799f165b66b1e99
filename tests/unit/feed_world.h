/* SPDX-License-Identifier: ISC */
/*
 * feed_world - a live source of log lines with the real patterns, and a queue
 * to the keeper that only remembers, and may be full.
 */
#ifndef TESTS_UNIT_FEED_WORLD_H
#define TESTS_UNIT_FEED_WORLD_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "base/mem.h"
#include "source/feed.h"
#include "source/intake.h"

enum {
	WORLD_LINE_SIZE = 400,
	WORLD_LOGINS = 4096,
	WORLD_LIMIT_MS = 10000,
	WORLD_NOW_SKEW = 5 * 60 * 1000
};

struct feed_world {
	char dir[64];
	struct patterns *patterns;
	struct conf *conf;
	uv_loop_t loop;
	bool looping;
	const struct source_kind *kind;
	struct source *source;
	struct source_env env;
	int fds[SOURCE_FDS_MAX];
	size_t count;
	char users[WORLD_LOGINS][32];
	size_t refused;
	size_t room; /* logins the queue takes */
	bool ended;
};

static inline bool world_submit(
    void *ctx, uint64_t token, const struct login *login)
{
	struct feed_world *w = ctx;

	assert_int_equal(token, 0);
	if (w->count >= w->room) {
		w->refused++;
		return false;
	}
	assert_int_equal(login->kind, LOGIN_IN);
	assert_true(login->user_len < sizeof(w->users[0]));
	memcpy(w->users[w->count++], login->user, login->user_len + 1U);
	return true;
}

static inline void world_ended(void *ctx)
{
	((struct feed_world *)ctx)->ended = true;
}

static inline int world_setup(void **state)
{
	const struct patterns_options o = { .servers = "dovecot" };
	struct feed_world *w = xcalloc(1, sizeof(*w));
	struct err err = { 0 };

	(void)snprintf(w->dir, sizeof(w->dir), "/tmp/relaypass-feed-XXXXXX");
	must(mkdtemp(w->dir) != NULL);
	w->patterns = patterns_open(&o, &err);
	must(w->patterns != NULL);
	w->room = WORLD_LOGINS;
	w->env = (struct source_env){
		.name = "lines",
		.fds = w->fds,
		.submit = world_submit,
		.ended = world_ended,
		.live_ctx = w,
		.patterns = w->patterns,
		.max_skew = WORLD_NOW_SKEW,
	};
	*state = w;
	return 0;
}

/* The n-th path below the world's directory. */
static inline const char *world_path(struct feed_world *w, const char *name)
{
	static char paths[4][200];
	static unsigned next;
	char *path = paths[next++ % 4];

	(void)snprintf(path, sizeof(paths[0]), "%s/%s", w->dir, name);
	return path;
}

/* Reads a configuration of one source, of any kind that is compiled in. */
static inline void world_configure(struct feed_world *w, const char *text)
{
	static struct conf_kind kinds[32];
	static const struct conf_kind *list[33];
	static const struct option none[] = { OPTION_END };
	static struct conf_schema schema[2];
	struct err err = { 0 };

	for (size_t i = 0; source_kinds[i]; i++) {
		must(i < 32);
		kinds[i].name = source_kinds[i]->name;
		kinds[i].help = source_kinds[i]->help;
		kinds[i].options = source_kinds[i]->options;
		list[i] = &kinds[i];
	}
	schema[0] = (struct conf_schema){ "source", "Where from.", none, list };
	conf_free(&w->conf);
	w->conf = conf_parse(text, strlen(text), "test", schema, &err);
	if (!w->conf)
		print_error("%s\n", err.text);
	must(w->conf != NULL);
	w->kind = source_kind_find(conf_kind(conf_at(w->conf, "source", 0)));
}

static inline const struct conf_section *world_section(struct feed_world *w)
{
	return conf_at(w->conf, "source", 0);
}

/* What the supervisor does. */
static inline int world_sockets(struct feed_world *w, struct err *err)
{
	int n = w->kind->sockets(world_section(w), w->fds, SOURCE_FDS_MAX, err);

	w->env.fd_count = n < 0 ? 0 : (size_t)n;
	return n;
}

/* What a child does. */
static inline void world_start(struct feed_world *w)
{
	struct err err = { 0 };

	must(uv_loop_init(&w->loop) == 0);
	w->source = w->kind->open(&w->env, world_section(w), NULL, 0, &err);
	must(w->source != NULL);
	w->kind->start(w->source, &w->loop);
	w->looping = true;
}

static inline void world_stop(struct feed_world *w)
{
	if (!w->looping)
		return;
	w->looping = false;
	w->kind->stop(w->source);
	w->kind->close(&w->source);
	(void)uv_run(&w->loop, UV_RUN_NOWAIT);
	must(uv_loop_close(&w->loop) == 0);
}

static inline int world_teardown(void **state)
{
	struct feed_world *w = *state;

	world_stop(w);
	for (size_t i = 0; i < w->env.fd_count; i++)
		(void)close(w->fds[i]);
	conf_free(&w->conf);
	patterns_close(&w->patterns);
	(void)unlink(world_path(w, "fifo"));
	(void)unlink(world_path(w, "other"));
	must(rmdir(w->dir) == 0);
	free(w);
	return 0;
}

/* A login of this moment, with its LF; returns its length. */
static inline size_t world_line(char out[WORLD_LINE_SIZE], const char *user)
{
	struct moment now = clock_now();
	char stamp[CLOCK_TEXT_SIZE];

	(void)clock_print(now.wall, stamp);
	return (size_t)snprintf(out, WORLD_LINE_SIZE,
	    "%s mx dovecot: imap-login: Login: user=<%s>, method=PLAIN, "
	    "rip=203.0.113.7, lip=198.51.100.1, mpid=7, TLS, session=<%s>\n",
	    stamp, user, user);
}

static inline void world_write(int fd, const char *user)
{
	char line[WORLD_LINE_SIZE];
	size_t n = world_line(line, user);

	must(write(fd, line, n) == (ssize_t)n);
}

static inline void world_tick(uv_timer_t *timer)
{
	(void)timer;
}

/* Turns the loop until so many logins are there, or `ended`, or the limit. */
static inline void world_wait(struct feed_world *w, size_t count, bool ended)
{
	uint64_t limit = uv_hrtime() + WORLD_LIMIT_MS * UINT64_C(1000000);
	uv_timer_t timer;

	must(uv_timer_init(&w->loop, &timer) == 0);
	(void)uv_timer_start(&timer, world_tick, 10, 10);
	while ((w->count < count || w->ended != ended) && uv_hrtime() < limit)
		(void)uv_run(&w->loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&timer, NULL);
	(void)uv_run(&w->loop, UV_RUN_NOWAIT);
}

/* Reads all that is there. */
static inline void world_settle(struct feed_world *w)
{
	int waiting = 1;

	while (ioctl(w->fds[INTAKE_STREAM], FIONREAD, &waiting) == 0 &&
	       waiting > 0)
		(void)uv_run(&w->loop, UV_RUN_NOWAIT);
	(void)uv_run(&w->loop, UV_RUN_NOWAIT);
}

static inline void world_expect(
    struct feed_world *w, const char *const *users, size_t n)
{
	for (size_t i = 0; i < n && i < w->count; i++)
		assert_string_equal(w->users[i], users[i]);
	assert_int_equal(w->count, n);
}
#define EXPECT(w, ...)                                                         \
	world_expect((w), (const char *const[]){ __VA_ARGS__ },                \
	    sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))
#endif
