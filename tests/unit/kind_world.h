/* SPDX-License-Identifier: ISC */
/*
 * kind_world - one live source on sockets of a test at 127.0.0.1, with a keeper
 * that does what the test says. Source and clients share one thread and one
 * loop, and the time is the test's.
 */
#ifndef TESTS_UNIT_KIND_WORLD_H
#define TESTS_UNIT_KIND_WORLD_H
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>
#include <uv.h>

#include "base/clock_test.h"
#include "base/mem.h"
#include "source/source.h"

enum { WORLD_TURNS = 50, WORLD_HEARD = 64, WORLD_NOW = 1000000000 };

struct kind_world {
	const struct source_kind *kind;
	uv_loop_t loop;
	struct conf *conf;
	struct source *source;
	int fds[4];
	struct sockaddr_in at[4];
	size_t fd_count;
	/* What the keeper heard, and whether it has room. */
	bool full;
	size_t logins, asks;
	struct login login[WORLD_HEARD];
	struct addr asked[WORLD_HEARD];
	uint64_t login_token[WORLD_HEARD], ask_token[WORLD_HEARD];
};

static bool world_submit(void *ctx, uint64_t token, const struct login *login)
{
	struct kind_world *w = ctx;

	if (w->full)
		return false;
	assert_true(w->logins < WORLD_HEARD);
	w->login[w->logins] = *login;
	w->login_token[w->logins++] = token;
	return true;
}

static bool world_ask(void *ctx, uint64_t token, const struct addr *addr)
{
	struct kind_world *w = ctx;

	if (w->full)
		return false;
	assert_true(w->asks < WORLD_HEARD);
	w->asked[w->asks] = *addr;
	w->ask_token[w->asks++] = token;
	return true;
}

static struct conf *world_conf(
    const struct source_kind *kind, const char *options)
{
	static const struct option none[] = { OPTION_END };
	struct conf_kind row = { kind->name, "A test.", kind->options };
	static struct conf_kind kept;
	static const struct conf_kind *const kinds[] = { &kept, NULL };
	static const struct conf_schema schema[] = {
		{ "source", "Where logins come from.", none, kinds }, { 0 }
	};
	struct err err = { 0 };
	char text[2000];
	struct conf *conf;

	kept = row;
	(void)snprintf(text, sizeof(text), "source t { kind = \"%s\" %s }\n",
	    kind->name, options);
	conf = conf_parse(text, strlen(text), "test", schema, &err);
	if (!conf)
		fail_msg("%s: %s", text, err.text);
	return conf;
}

static void world_socket(struct kind_world *w, int type)
{
	struct sockaddr_in *at = &w->at[w->fd_count];
	socklen_t len = sizeof(*at);
	int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	*at = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	assert_int_equal(bind(fd, (struct sockaddr *)at, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)at, &len), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 16), 0);
	w->fds[w->fd_count++] = fd;
}

/* A port of 127.0.0.1 that nobody has now. */
__attribute__((unused)) static unsigned world_port(int type)
{
	struct kind_world w = { 0 };

	world_socket(&w, type);
	(void)close(w.fds[0]);
	return ntohs(w.at[0].sin_port);
}

/* Opens them by the kind's own sockets(). */
static void world_sockets(struct kind_world *w)
{
	struct err err = { 0 };
	int n = w->kind->sockets(
	    conf_at(w->conf, "source", 0), w->fds, COUNT_OF(w->fds), &err);

	if (n < 0)
		fail_msg("%s", err.text);
	w->fd_count = (size_t)n;
	for (size_t i = 0; i < w->fd_count; i++) {
		socklen_t len = sizeof(w->at[i]);
		assert_int_equal(
		    getsockname(w->fds[i], (struct sockaddr *)&w->at[i], &len),
		    0);
		w->at[i].sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	}
}

/* types: of the sockets that the test makes, ends with 0; NULL: as the options
 * say. */
static struct kind_world *world_start(
    const struct source_kind *kind, const int *types, const char *options)
{
	struct kind_world *w = xcalloc(1, sizeof(*w));
	struct err err = { 0 };
	struct source_env env = { .name = "t",
		.fds = w->fds,
		.submit = world_submit,
		.ask = world_ask,
		.live_ctx = w,
		.ttl = 1800000,
		.max_skew = 300000,
		.inotify_fd = -1 };

	clock_test_set((struct moment){ WORLD_NOW, WORLD_NOW }, NULL);
	w->kind = kind;
	w->conf = world_conf(kind, options);
	for (; types && *types; types++)
		world_socket(w, *types);
	if (!types)
		world_sockets(w);
	env.fd_count = w->fd_count;
	w->source =
	    kind->open(&env, conf_at(w->conf, "source", 0), NULL, 0, &err);
	if (!w->source)
		fail_msg("%s", err.text);
	assert_int_equal(uv_loop_init(&w->loop), 0);
	kind->start(w->source, &w->loop);
	return w;
}

static void world_turn(struct kind_world *w)
{
	for (int i = 0; i < WORLD_TURNS; i++)
		(void)uv_run(&w->loop, UV_RUN_NOWAIT);
}

static void world_end(struct kind_world *w)
{
	w->kind->stop(w->source);
	world_turn(w);
	w->kind->close(&w->source);
	assert_null(w->source);
	assert_int_equal(uv_loop_close(&w->loop), 0);
	for (size_t i = 0; i < w->fd_count; i++)
		(void)close(w->fds[i]);
	conf_free(&w->conf);
	free(w);
}

/* A client of the i-th socket. */
static int world_client(struct kind_world *w, size_t i, int type)
{
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	assert_int_equal(
	    connect(fd, (const struct sockaddr *)&w->at[i], sizeof(w->at[i])),
	    0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

static void world_send(
    struct kind_world *w, int fd, const void *bytes, size_t len)
{
	assert_int_equal(send(fd, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
	world_turn(w);
}

/* What came back: its length, 0 for the end of a stream, -1 for nothing. */
static ssize_t world_receive(
    struct kind_world *w, int fd, char *out, size_t size)
{
	ssize_t n;

	world_turn(w);
	n = recv(fd, out, size - 1, 0);
	out[n > 0 ? n : 0] = '\0';
	if (n < 0)
		assert_int_equal(errno, EAGAIN);
	return n;
}
#endif
