/* SPDX-License-Identifier: ISC */
/*
 * http_server - libmicrohttpd on a libuv loop: connections, deadlines, limits,
 * bodies, and answers that may come later. Who may speak is decided by peers.
 * Called by: http.c. Not here: what a request means.
 */
#ifndef SOURCE_HTTP_SERVER_H
#define SOURCE_HTTP_SERVER_H
#include "http_guard.h"
#include "odd.h"
#include "peers.h"

typedef struct uv_loop_s uv_loop_t;

struct http_server;
struct http_request; /* valid until it is answered */

struct http_handler {
	void *ctx;
	/* The head is there. To refuse it: http_reply(). True: it is welcome,
	 * and body() is called with its whole body, of at most HTTP_BODY_MAX
	 * bytes, which must lead to one http_reply(), then or later. */
	bool (*head)(
	    void *ctx, struct http_request *r, const struct http_head *head);
	void (*body)(
	    void *ctx, struct http_request *r, const char *body, size_t len);
};

/*
 * fds stay the caller's. header: the name of the header that becomes head->key.
 * All is borrowed but the handler. Call before the lock-down: it opens what
 * libmicrohttpd waits with. NULL and *err: it could not.
 */
struct http_server *http_server_new(const struct conf_section *conf,
    const struct peers *peers, struct odd *odd, const int *fds, size_t n,
    const char *header, const struct http_handler *handler, struct err *err);
void http_server_start(struct http_server *s, uv_loop_t *loop);
/* The handler can keep a number of its own with a request; 0 at first. */
void http_request_set(struct http_request *r, unsigned number);
unsigned http_request_get(const struct http_request *r);
/* Counts wrong input of its client. */
void http_request_odd(struct http_request *r, const char *what);
/* Answers; body is JSON and is copied. The request is gone then. */
void http_reply(
    struct http_request *r, unsigned status, const char *body, size_t len);
/* Closes all; requests that wait must have been answered. Its handles are gone
 * when the loop has run once more. */
void http_server_stop(struct http_server *s);
/* After http_server_stop() and that turn of the loop, or without a start. */
void http_server_free(struct http_server **s);
#endif
