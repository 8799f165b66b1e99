/* SPDX-License-Identifier: ISC */
/*
 * server_world - a real server on sockets of a test; server and clients share
 * one thread and one loop. Time is moved by ageing connections and calling the
 * sweep; nobody sleeps.
 */
#ifndef TESTS_UNIT_SERVER_WORLD_H
#define TESTS_UNIT_SERVER_WORLD_H
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "listener/conn.h"
#include "listener_conf.h"

#define ASK "check 192.0.2.1\n"
#define POLICY                                                                 \
	"request=smtpd_access_policy\nprotocol_state=RCPT\n"                   \
	"client_address=192.0.2.1\n\n"
#define OK "action=OK\n\n"

enum { TURNS = 2000 };

struct fixture {
	uv_loop_t loop;
	struct conf *conf;
	struct server *server;
	struct server_counts counts;
	int fd;
	char dir[64], path[96];
	unsigned begun, ended, answers;
	bool inside;
};

static inline void batch_begin(void *ctx)
{
	struct fixture *f = ctx;

	assert_false(f->inside);
	f->inside = true;
	f->begun++;
}

static inline void batch_end(void *ctx)
{
	struct fixture *f = ctx;

	assert_true(f->inside);
	f->inside = false;
	f->ended++;
}

/* 192.0.2.1 is allowed, 192.0.2.9 gives trouble, nobody else has a lease. */
static inline void answer(void *ctx, size_t index,
    const struct server_listener *l, const struct question *q,
    struct answer *out)
{
	struct fixture *f = ctx;

	assert_true(f->inside);
	assert_int_equal(index, 0);
	assert_int_equal(l->fd, f->fd);
	assert_int_equal(out->verdict, VERDICT_NONE);
	f->answers++;
	out->ttl = 60000;
	out->user_len = 2;
	memcpy(out->user, "jo", 3);
	if (q->asked && q->addr.bytes[15] == 1)
		out->verdict = VERDICT_ALLOW;
	else if (q->addr.bytes[15] == 9)
		out->verdict = VERDICT_TEMPFAIL;
}

static inline struct fixture *start(const char *kind, const char *options)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	const struct server_hooks hooks = { f, batch_begin, batch_end, answer };
	struct server_listener l = { .counts = &f->counts };
	const struct group *gr = getgrgid(getegid());
	struct err err = { 0 };
	char place[256];

	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/test-server-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	(void)snprintf(f->path, sizeof(f->path), "%s/s", f->dir);
	(void)snprintf(place, sizeof(place),
	    "listen = \"unix:%s\" group = \"%s\"", f->path,
	    gr ? gr->gr_name : "root");
	f->conf = listener_conf(kind, "%s %s %s",
	    strstr(options, "listen") ? "" : place,
	    strstr(options, "show-user") ? "" : "show-user = {}", options);
	l.conf = conf_at(f->conf, "listener", 0);
	l.kind = listener_kind_find(kind);
	l.fd = f->fd = listener_socket_open(l.conf, &err);
	if (f->fd < 0)
		fail_msg("%s", err.text);
	assert_int_equal(uv_loop_init(&f->loop), 0);
	f->server = server_new(&f->loop, &l, 1, &hooks);
	assert_non_null(f->server);
	return f;
}

static inline void turn(struct fixture *f)
{
	(void)uv_run(&f->loop, UV_RUN_NOWAIT);
}

static inline void stop(struct fixture *f)
{
	server_close(&f->server);
	assert_null(f->server);
	while (uv_run(&f->loop, UV_RUN_NOWAIT))
		;
	assert_int_equal(uv_loop_close(&f->loop), 0);
	assert_int_equal(f->begun, f->ended);
	assert_int_equal(f->counts.open, 0);
	(void)close(f->fd);
	conf_free(&f->conf);
	(void)unlink(f->path);
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
}

/* A client that never blocks. */
static inline int client_quiet(const struct fixture *f)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	memcpy(un.sun_path, f->path, strlen(f->path));
	assert_int_equal(connect(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	return fd;
}

static inline void wait_open(struct fixture *f, uint64_t want)
{
	for (int i = 0; i < TURNS && f->counts.open != want; i++)
		turn(f);
	assert_int_equal(f->counts.open, want);
}

static inline int client(struct fixture *f)
{
	uint64_t open = f->counts.open;
	int fd = client_quiet(f);

	wait_open(f, open + 1);
	return fd;
}

static inline void say(int fd, const char *text, size_t len)
{
	assert_int_equal(send(fd, text, len, MSG_NOSIGNAL), len);
}

/* Reads until want bytes or the end are there. Returns the bytes. */
static inline size_t hear(struct fixture *f, int fd, char *out, size_t want)
{
	size_t have = 0;

	for (int i = 0; i < TURNS && have < want; i++) {
		ssize_t n = recv(fd, out + have, want - have, 0);
		if (n == 0)
			break;
		if (n > 0)
			have += (size_t)n;
		turn(f);
	}
	return have;
}

static inline void hear_text(struct fixture *f, int fd, const char *want)
{
	char got[8192];
	size_t n = hear(f, fd, got, strlen(want));

	assert_int_equal(n, strlen(want));
	assert_memory_equal(got, want, n);
}

/* The server has closed this one, with nothing more said. */
static inline bool closed(struct fixture *f, int fd)
{
	char byte;

	for (int i = 0; i < TURNS; i++) {
		ssize_t n = recv(fd, &byte, 1, 0);
		if (n == 0 || (n < 0 && errno == ECONNRESET))
			return true;
		if (n > 0)
			return false;
		turn(f);
	}
	return false;
}

static inline bool still_open(struct fixture *f, int fd)
{
	char byte;

	for (int i = 0; i < 20; i++)
		turn(f);
	return recv(fd, &byte, 1, 0) < 0 && errno == EAGAIN;
}

/* All that is open grows older by ms; then the timer's work is done. */
static inline void age(struct fixture *f, uint64_t ms)
{
	struct port *p = &f->server->ports[0];

	for (struct conn *c = p->busy.first; c; c = c->after)
		c->since -= ms;
	for (struct conn *c = p->idle.first; c; c = c->after)
		c->since -= ms;
	f->server->timer.timer_cb(&f->server->timer);
}
#endif
