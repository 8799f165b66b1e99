/* SPDX-License-Identifier: ISC */
/*
 * server_private - what server.c (requests, libmicrohttpd) and accept.c
 * (connections, deadlines) share.
 */
#ifndef HTTP_SERVER_PRIVATE_H
#define HTTP_SERVER_PRIVATE_H
#include <microhttpd.h>
#include <uv.h>

#include "server.h"

enum { ACCEPTS_A_TURN = 16, PORTS_MAX = 16 };

enum state {
	IDLE,     /* between requests */
	STARTED,  /* the request line is there */
	BODY,     /* its head was welcome */
	WAITING,  /* for the handler's answer */
	ANSWERED, /* the answer waits for libmicrohttpd */
	SENT
};

/* A connection and its request: there is one at a time. */
struct http_request {
	struct http_request *prev, *next; /* the longest idle first */
	struct http_server *server;
	struct MHD_Connection *connection;
	struct http_peer peer;
	int fd;
	uint64_t since; /* begin of the state IDLE or STARTED, loop ms */
	enum state state;
	bool served; /* a request line has come */
	bool suspended, ending;
	unsigned number;
	char *target; /* as the client wrote it */
	char *body;
	size_t body_len, body_size;
	struct MHD_Response *response;
	unsigned status;
};

struct port {
	uv_poll_t poll;
	struct http_server *server;
	int fd;
	bool watched;
};

struct http_server {
	struct http_server_options o;
	struct http_handler handler;
	struct MHD_Daemon *mhd;
	uv_loop_t *loop;
	uv_poll_t events;
	uv_timer_t again, sweep;
	struct port ports[PORTS_MAX];
	size_t port_count, open;
	struct http_request *first, *last;
	bool started, sweeping;
	bool stopping; /* no request reaches the handler any more */
};

/* Lets libmicrohttpd do what there is to do. */
void http_server_turn(struct http_server *s);

/* Accepts, and looks after deadlines, from now on. */
void http_accept_start(struct http_server *s);
void http_accept_stop(struct http_server *s);
void http_accept_odd(
    struct http_server *s, const struct http_peer *peer, const char *what);
/* libmicrohttpd's word that a connection begins or is over. */
void http_accept_notify(void *cls, struct MHD_Connection *connection,
    void **context, enum MHD_ConnectionNotificationCode code);
/* A request is over: its connection is idle, as the newest of all. */
void http_accept_idle(struct http_request *r);
#endif
