/* SPDX-License-Identifier: ISC */
/*
 * http_pending - requests that wait: for the keeper, or for another policy
 * server. Each has a token that is never used again, so that a late word about
 * one cannot answer the next. Called by: http.c.
 */
#ifndef SOURCE_HTTP_PENDING_H
#define SOURCE_HTTP_PENDING_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http_notice.h"
#include "source.h"

struct http_request;

struct http_pending {
	struct http_request *request; /* NULL: the place is free */
	uint32_t use;
	uint8_t route; /* enum http_route; the caller's */
	bool array;    /* its body was one, and so is its answer */
	uint8_t count, left;
	uint8_t stored[HTTP_NOTICES_MAX]; /* an enum source_outcome */
	uint8_t judgements[HTTP_NOTICES_MAX];
};

struct http_waiting {
	struct http_pending *places;
	size_t max, next;
};

enum { HTTP_RESULTS_SIZE = HTTP_NOTICES_MAX * 96 + 2 };

void http_waiting_open(struct http_waiting *w, size_t max);
void http_waiting_close(struct http_waiting *w);
/* A free place: there must be one. The caller frees it by request = NULL. */
struct http_pending *http_waiting_add(
    struct http_waiting *w, struct http_request *r);
/* The token of its login 0, never 0; that of login i is token | i. */
uint64_t http_waiting_token(
    const struct http_waiting *w, const struct http_pending *p);
/* NULL: whoever waited is gone. *login: which one of it. */
struct http_pending *http_waiting_find(
    const struct http_waiting *w, uint64_t token, size_t *login);
/* Writes what became of its logins as JSON, without NUL; returns its length. */
size_t http_pending_print(
    const struct http_pending *p, char out[static HTTP_RESULTS_SIZE]);
#endif
