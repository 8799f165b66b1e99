/* SPDX-License-Identifier: ISC */
/*
 * http_forward - asks another policy server (weakforced) the same question: a
 * small HTTP/1.1 client with a bounded pool of kept connections and a deadline
 * for each request. Called by: http.c.
 */
#ifndef SOURCE_HTTP_FORWARD_H
#define SOURCE_HTTP_FORWARD_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http_response.h"

typedef struct uv_loop_s uv_loop_t;
struct conf_section;
struct err;
struct forward;

/* Option rows. */
#define FORWARD_OPTIONS                                                        \
	{ "forward", OPTION_STRING, "", 0, 0, NULL,                            \
		"Another policy server that is asked, too: "                   \
		"\"http://ADDR:PORT/PATH\", a numeric address." },             \
	    { "forward-secret-file", OPTION_PATH, "", 0, 0, NULL,              \
		    "File with the secret that it wants." },                   \
	    { "forward-user", OPTION_STRING, "wforce", 0, 0, NULL,             \
		    "User of the Basic authentication that carries the "       \
		    "secret." },                                               \
	    { "forward-header", OPTION_STRING, "", 0, 0, NULL,                 \
		    "Header that carries the secret instead, such as "         \
		    "X-API-Key." },                                            \
	    { "forward-timeout", OPTION_DURATION, "1s", 1000, 10000, NULL,     \
		    "How long its answer is waited for; Dovecot waits 2s." },  \
	{                                                                      \
		"forward-fail", OPTION_CHOICE, "allow", 0, 0, "allow|refuse",  \
		    "What a question is answered when it does not answer."     \
	}

/* What became of a request: NULL when there was no answer in time. Called once
 * for each request with a token other than 0, maybe before forward_send() has
 * returned. */
typedef void forward_done_fn(
    void *ctx, uint64_t token, const struct http_response *answer);

/* Reads the secret, so call it before a lock-down. NULL and *err (EXIT_USER);
 * without the option `forward` NULL and err->code 0. */
struct forward *forward_new(const struct conf_section *conf,
    forward_done_fn *done, void *ctx, struct err *err);
void forward_start(struct forward *f, uv_loop_t *loop);
/* POSTs PATH?command=COMMAND; the body is copied. False: the queue is full, and
 * nobody will be called. */
bool forward_send(struct forward *f, uint64_t token, const char *command,
    const char *body, size_t len);
/* Requests that had no usable answer so far. */
uint64_t forward_failed(const struct forward *f);
/* Answers whoever waits; its handles are gone when the loop has run once more.
 */
void forward_stop(struct forward *f);
void forward_free(struct forward **f);
#endif
