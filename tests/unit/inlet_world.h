/* SPDX-License-Identifier: ISC */
/*
 * inlet_world - sections of a source that listens, and an inlet on sockets of a
 * test; inlet and clients share one thread and one loop. Time is moved by
 * ageing connections and calling the sweep; nobody sleeps.
 */
#ifndef TESTS_UNIT_INLET_WORLD_H
#define TESTS_UNIT_INLET_WORLD_H
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
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "source/inlet_private.h"

enum { TURNS = 2000 };

/* --- configuration --- */

static const struct option inlet_rows[] = {
	PEERS_OPTIONS("", "root no-such-user-here"),
	OPTION_END,
};

/* One source "t"; format gives its options. */
__attribute__((format(printf, 1, 2))) static inline struct conf *inlet_conf(
    const char *format, ...)
{
	static const struct conf_kind kind = { "t", "A test.", inlet_rows };
	static const struct conf_kind *const kinds[] = { &kind, NULL };
	static const struct option none[] = { OPTION_END };
	static const struct conf_schema schema[] = {
		{ "source", "Where logins come from.", none, kinds },
		{ 0 },
	};
	const struct group *gr = getgrgid(getegid());
	struct err err = { 0 };
	char options[1024], text[1400];
	struct conf *conf;
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(options, sizeof(options), format, ap);
	va_end(ap);
	(void)snprintf(text, sizeof(text),
	    "source t { kind = \"t\" group = \"%s\" %s }\n",
	    gr ? gr->gr_name : "root", options);
	conf = conf_parse(text, strlen(text), "test", schema, &err);
	if (!conf)
		fail_msg("%s: %s", text, err.text);
	return conf;
}

/* --- the inlet --- */

/*
 * A protocol of lines: "wait" is replied later, "bad" is none, "bye" ends the
 * connection, "end" ends it by inlet_end(), "flood" is replied with more than
 * anybody takes, anything else is echoed. A datagram "wait..." is replied
 * later, "mute" never, any other at once.
 */
struct inlet_world {
	uv_loop_t loop;
	struct conf *conf;
	struct peers *peers;
	struct odd odd;
	struct inlet *inlet;
	int fds[2];
	size_t fd_count;
	char dir[64], path[96], gram[96];
	bool strange; /* who comes now is a stranger */
	/* what was heard */
	unsigned calls, gone;
	inlet_client last, waiting[8];
	size_t waiting_count;
	struct inlet_peer peer;
	char text[200];
	size_t len;
};

static inline enum inlet_next world_data(void *ctx, inlet_client c,
    const struct inlet_peer *peer, const uint8_t *bytes, size_t len, bool end,
    size_t *used)
{
	static const uint8_t flood[INLET_REPLY_MAX + 1];
	struct inlet_world *w = ctx;
	const uint8_t *lf = memchr(bytes, '\n', len);

	assert_true(len > 0);
	(void)end;
	w->calls++;
	w->last = c;
	w->peer = *peer;
	if (!lf)
		return INLET_MORE;
	*used = (size_t)(lf - bytes) + 1;
	if (memcmp(bytes, "wait", 4) == 0) {
		assert_true(w->waiting_count < COUNT_OF(w->waiting));
		w->waiting[w->waiting_count++] = c;
		return INLET_WAIT;
	}
	if (memcmp(bytes, "flood", 4) == 0) {
		assert_false(inlet_reply(w->inlet, c, flood, sizeof(flood)));
		assert_false(inlet_reply(w->inlet, c, "more\n", 5));
		return INLET_MORE;
	}
	if (memcmp(bytes, "end", 3) == 0) {
		inlet_end(w->inlet, c, "over\n", 5);
		return INLET_MORE;
	}
	assert_true(inlet_reply(w->inlet, c, bytes, *used));
	return memcmp(bytes, "bad", 3) == 0   ? INLET_BAD
	       : memcmp(bytes, "bye", 3) == 0 ? INLET_CLOSE
					      : INLET_MORE;
}

static inline bool world_datagram(void *ctx, inlet_client c,
    const struct inlet_peer *peer, const uint8_t *bytes, size_t len)
{
	struct inlet_world *w = ctx;

	w->calls++;
	w->last = c;
	w->peer = *peer;
	w->len = len < sizeof(w->text) ? len : sizeof(w->text);
	memcpy(w->text, bytes, w->len);
	if (len >= 4 && memcmp(bytes, "wait", 4) == 0)
		return true;
	if (len < 4 || memcmp(bytes, "mute", 4) != 0)
		(void)inlet_reply(w->inlet, c, bytes, len);
	return false;
}

static inline bool world_stranger(void *ctx, const struct inlet_peer *peer)
{
	const struct inlet_world *w = ctx;

	(void)peer;
	return w->strange;
}

static inline void world_gone(void *ctx, inlet_client c)
{
	struct inlet_world *w = ctx;

	assert_false(inlet_reply(w->inlet, c, "x", 1));
	w->gone++;
}

static const struct inlet_protocol world_protocol = {
	.request_max = 100,
	.request_ms = 10000,
	.idle_ms = 60000,
	.data = world_data,
	.datagram = world_datagram,
	.stranger = world_stranger,
	.gone = world_gone,
};

/* options: those of the section; without `listen`, a unix socket of each kind.
 * allow-uid is oneself if it is not given. */
static inline struct inlet_world *world_start(const char *options)
{
	const peers_types types = 15;
	struct inlet_world *w = xcalloc(1, sizeof(*w));
	const struct conf_section *s;
	struct err err = { 0 };
	char own[64], listen_at[256];
	int n;

	(void)snprintf(w->dir, sizeof(w->dir), "/tmp/test-inlet-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	(void)snprintf(w->path, sizeof(w->path), "%s/s", w->dir);
	(void)snprintf(w->gram, sizeof(w->gram), "%s/g", w->dir);
	(void)snprintf(own, sizeof(own), "allow-uid = \"%u\"", geteuid());
	(void)snprintf(listen_at, sizeof(listen_at),
	    "listen = {\"unix:%s\", \"unixgram:%s\"}", w->path, w->gram);
	w->conf =
	    inlet_conf("%s %s %s", strstr(options, "allow-uid") ? "" : own,
		strstr(options, "listen") ? "" : listen_at, options);
	s = conf_at(w->conf, "source", 0);
	w->peers = peers_new(s, &err);
	n = peers_sockets(s, types, w->fds, COUNT_OF(w->fds), &err);
	if (!w->peers || n < 0)
		fail_msg("%s", err.text);
	w->fd_count = (size_t)n;
	odd_init(&w->odd, "t");
	assert_int_equal(uv_loop_init(&w->loop), 0);
	w->inlet = inlet_new(
	    s, w->peers, &w->odd, w->fds, w->fd_count, &world_protocol, w);
	inlet_start(w->inlet, &w->loop);
	return w;
}

static inline void turn(struct inlet_world *w)
{
	(void)uv_run(&w->loop, UV_RUN_NOWAIT);
}

static inline void world_stop(struct inlet_world *w)
{
	inlet_stop(w->inlet);
	turn(w);
	inlet_free(&w->inlet);
	assert_null(w->inlet);
	assert_int_equal(uv_loop_close(&w->loop), 0);
	for (size_t i = 0; i < w->fd_count; i++)
		(void)close(w->fds[i]);
	peers_free(&w->peers);
	conf_free(&w->conf);
	(void)unlink(w->path);
	(void)unlink(w->gram);
	assert_int_equal(rmdir(w->dir), 0);
	free(w);
}

/* How often a reason was counted. */
static inline unsigned odd_times(const struct inlet_world *w, const char *what)
{
	for (size_t i = 0; i < ODD_REASONS && w->odd.reasons[i].what; i++)
		if (strcmp(w->odd.reasons[i].what, what) == 0)
			return (unsigned)w->odd.reasons[i].count;
	return 0;
}

/* --- clients that never block --- */

static inline int client_unix(const char *path, int type)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	memcpy(un.sun_path, path, strlen(path));
	assert_int_equal(connect(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	return fd;
}

static inline int client(struct inlet_world *w)
{
	size_t open = inlet_open(w->inlet);
	int fd = client_unix(w->path, SOCK_STREAM);

	for (int i = 0; i < TURNS && inlet_open(w->inlet) == open; i++)
		turn(w);
	assert_int_equal(inlet_open(w->inlet), open + 1);
	return fd;
}

/* One that can be replied to when it is named. */
static inline int sender(const struct inlet_world *w, bool named)
{
	static const struct sockaddr_un any = { .sun_family = AF_UNIX };
	int fd = client_unix(w->gram, SOCK_DGRAM);

	if (named)
		assert_int_equal(bind(fd, (const struct sockaddr *)&any,
				     sizeof(any.sun_family)),
		    0);
	return fd;
}

static inline void say(int fd, const char *text)
{
	size_t len = strlen(text);

	assert_int_equal(send(fd, text, len, MSG_NOSIGNAL), len);
}

/* Exactly this comes, and for now no more. */
static inline void hear(struct inlet_world *w, int fd, const char *want)
{
	char got[4096];
	size_t have = 0, len = strlen(want);

	for (int i = 0; i < TURNS && have < len; i++) {
		ssize_t n = recv(fd, got + have, sizeof(got) - have, 0);
		if (n == 0)
			break;
		if (n > 0)
			have += (size_t)n;
		turn(w);
	}
	assert_int_equal(have, len);
	assert_memory_equal(got, want, len);
}

/* The inlet has closed this one, with nothing more said. */
static inline bool closed(struct inlet_world *w, int fd)
{
	char byte;

	for (int i = 0; i < TURNS; i++) {
		ssize_t n = recv(fd, &byte, 1, 0);
		if (n == 0 || (n < 0 && errno == ECONNRESET))
			return true;
		if (n > 0)
			return false;
		turn(w);
	}
	return false;
}

static inline bool quiet(struct inlet_world *w, int fd)
{
	char byte;

	for (int i = 0; i < 20; i++)
		turn(w);
	return recv(fd, &byte, 1, 0) < 0 && errno == EAGAIN;
}

/* All that is open grows older by ms; then the timer's work is done. */
static inline void age(struct inlet_world *w, uint64_t ms)
{
	struct inlet *i = w->inlet;

	for (struct inlet_stream *c = i->busy.first; c; c = c->after)
		c->since -= ms;
	for (struct inlet_stream *c = i->idle.first; c; c = c->after)
		c->since -= ms;
	for (size_t k = 0; i->letters && k < INLET_LETTERS; k++)
		i->letters[k].since -= ms;
	i->timer.timer_cb(&i->timer);
}
#endif
