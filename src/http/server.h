/* SPDX-License-Identifier: ISC */
/*
 * server - libmicrohttpd on a libuv loop: connections, deadlines, limits,
 * bodies, and answers that may come later.
 * Called by: source/http.c, daemon/gateway.c. Not here: what a request means,
 * and who may speak.
 */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H
#include <sys/types.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/log.h"
#include "guard.h"

typedef struct uv_loop_s uv_loop_t;

struct http_server;
struct http_request; /* valid until it is answered */

/* Who speaks. uid -1 over the network. */
struct http_peer {
	bool local;
	uid_t uid;
	pid_t pid;
	struct addr addr; /* network */
	uint16_t port;
};
enum { HTTP_PEER_TEXT = 64 };
/* "uid:33/pid:812" or an address; returns out. */
const char *http_peer_text(
    const struct http_peer *peer, char out[static HTTP_PEER_TEXT]);

struct http_handler {
	void *ctx;
	/* May it connect? A stranger's bytes never reach the server. */
	bool (*allows)(void *ctx, const struct http_peer *peer);
	/* The head is there. To refuse it: http_reply(). True: it is welcome,
	 * and body() is called with its whole body, of at most HTTP_BODY_MAX
	 * bytes, which must lead to one http_reply(), then or later. */
	bool (*head)(
	    void *ctx, struct http_request *r, const struct http_head *head);
	void (*body)(
	    void *ctx, struct http_request *r, const char *body, size_t len);
	/* A client that was refused, or did what it must not: a word such as
	 * "too-slow". */
	void (*odd)(void *ctx, const struct http_peer *peer, const char *what);
	/* NULL, or called from time to time while there are clients, and as
	 * long as it returns true. now: ms of the loop. */
	bool (*sweep)(void *ctx, uint64_t now);
};

struct http_server_options {
	enum log_event trouble;  /* for the log: SOURCE_ERROR ... */
	const char *what, *name; /* and "source", "web"; borrowed */
	const char *header;      /* whose value becomes head->key; NULL: none */
	size_t max_connections;  /* the longest idle one makes room */
	/* From the begin of a connection to its first request line; from an
	 * answer to the next; from there to the end of the body; for the
	 * client to take its answer. */
	uint64_t first_ms, idle_ms, request_ms, answer_ms;
};

/*
 * fds stay the caller's; the options and the handler are copied. Call before
 * the lock-down: it opens what libmicrohttpd waits with. NULL and *err: it
 * could not.
 */
struct http_server *http_server_new(const struct http_server_options *o,
    const int *fds, size_t n, const struct http_handler *handler,
    struct err *err);
void http_server_start(struct http_server *s, uv_loop_t *loop);
size_t http_server_connections(const struct http_server *s);
/* The handler can keep a number of its own with a request; 0 at first. */
void http_request_set(struct http_request *r, unsigned number);
unsigned http_request_get(const struct http_request *r);
const struct http_peer *http_request_peer(const struct http_request *r);
/* Tells the handler's odd() of its client. */
void http_request_odd(struct http_request *r, const char *what);

struct http_answer {
	unsigned status;
	const char *type;  /* NULL: application/json */
	const char *allow; /* with 405; NULL: POST */
	const char *body;
	size_t len;
	bool fixed; /* the body is there for ever; else it is copied */
};
/* Answers. The request is gone then. */
void http_answer(struct http_request *r, const struct http_answer *a);
/* The same with JSON. */
void http_reply(
    struct http_request *r, unsigned status, const char *body, size_t len);
/* Closes all; requests that wait must have been answered. Its handles are gone
 * when the loop has run once more. */
void http_server_stop(struct http_server *s);
/* After http_server_stop() and that turn of the loop, or without a start. */
void http_server_free(struct http_server **s);
#endif
