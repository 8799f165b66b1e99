/* SPDX-License-Identifier: ISC */
/*
 * conn - one client of a listener: reads, has its requests answered, writes.
 * The inner side of server.h; nobody else includes it.
 */
#ifndef LISTENER_CONN_H
#define LISTENER_CONN_H
#include <uv.h>

#include "flood.h"
#include "server.h"

enum {
	/* One read. A pipelining client is served this much a turn. */
	CONN_READ_SIZE = LISTENER_REQUEST_MAX,
	/* Answers of one client that may wait to be sent. */
	CONN_OUT_SIZE = 16384,
	/* All unfinished requests together, per process: 4096 clients that
	 * stop in the middle of a usual request fit. */
	CONN_HELD_MAX = 16 << 20
};

/* A ring of connections, the longest unchanged one first. */
struct conn_list {
	struct conn *first, *last;
};

/* A listening socket. */
struct port {
	uv_poll_t poll;
	struct server *server;
	struct listener *listener;
	struct server_listener given;
	struct listener_view views[2]; /* by show_user */
	size_t index;
	struct flood *flood; /* NULL: no limit */
	size_t open;
	bool accepting, paused;
	/* Busy ones are inside a request, or wait to write: request-timeout.
	 * The others are idle: idle-timeout, and the first makes room. */
	struct conn_list idle, busy;
};

struct conn {
	uv_poll_t poll;
	struct port *port;
	struct conn *before, *after;
	const struct listener_view *view;
	uint64_t since; /* loop time: of the last answer, or busy since */
	int fd;
	uid_t uid; /* unix */
	pid_t pid;
	struct addr addr; /* TCP */
	bool busy;
	bool blocked;   /* out has bytes; nothing is read */
	bool closing;   /* no more requests; closes when out is empty */
	bool lingering; /* what comes is thrown away until the client closes */
	char *in, *out; /* NULL mostly: an idle client costs no buffer */
	size_t in_len, in_size, out_len, out_sent;
};

struct server {
	uv_loop_t *loop;
	struct server_hooks hooks;
	uv_check_t check; /* ends a batch */
	uv_timer_t timer; /* runs while there is anything to sweep */
	bool in_batch, timing, closing;
	size_t handles; /* that libuv still holds */
	size_t open;
	size_t held; /* bytes in conn buffers */
	int spare;   /* given up to accept and close when out of fds */
	size_t port_count;
	struct port *ports;
	/* Shared by all: one client is served at a time. */
	struct question question;
	struct answer answer;
	char in[CONN_READ_SIZE];
	char out[CONN_OUT_SIZE];
};

/* Takes over fd. peer fields come filled in by conn_new()'s caller. */
void conn_start(struct conn *c);
/* Closes. reason NULL: in order; otherwise the client is counted as dropped and
 * the reason logged. */
void conn_close(struct conn *c, const char *reason);
/* Text for the log: "uid=0 pid=12" or an address. Returns out. */
const char *conn_peer(const struct conn *c, char *out, size_t size);
/* Takes out of its list, and puts in at the end. */
void conn_unlink(struct conn *c);
void conn_link(struct conn *c, bool busy);

/* turn.c: counted in a turn, added to the shared counters once. */
struct turn {
	uint64_t verdicts[VERDICT_TEMPFAIL + 1];
	uint64_t bad;
	size_t out_len; /* bytes in the server's out */
};
/* Answers the server's question behind what is in its out already; there must
 * be room for LISTENER_REPLY_MAX bytes. */
void turn_answer(
    struct port *port, const struct listener_view *view, struct turn *t);
/* The same for a request that is none. */
void turn_refuse(struct port *port, struct turn *t);
/* The same for a question beyond the rate limit: mostly nothing. */
void turn_over(struct port *port, struct turn *t);
void turn_count(struct port *port, const struct turn *t);

/* dgram.c: answers the datagrams that wait, a few of them. */
void dgram_serve(struct port *p);

/* server.c, for conn.c, turn.c and dgram.c */
void server_batch(struct server *s);
/* Ends it: what is answered next begins another. */
void server_settle(struct server *s);
void server_released(struct server *s);
#endif
