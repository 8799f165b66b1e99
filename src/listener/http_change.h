/* SPDX-License-Identifier: ISC */
/*
 * http_change - what the http listener changes: a body of JSON to a line of the
 * control socket's protocol, and the keeper's line back to an answer. Pure.
 * Called by: daemon/gateway_change.c.
 */
#ifndef LISTENER_HTTP_CHANGE_H
#define LISTENER_HTTP_CHANGE_H
#include "http_api.h"

enum {
	HTTP_CHANGE_LINE = 1200,         /* with its LF and a NUL */
	HTTP_CHANGE_SECONDS = 315360000, /* ten years, as the keeper takes */
	HTTP_CHANGE_ANSWER = 600
};

/* call: GRANT or REVOKE. Writes the line, with its LF; returns its length. 0:
 * it is no such body, and *why says what was expected. */
size_t http_change_read(enum http_api_call call, const char *body, size_t len,
    char out[static HTTP_CHANGE_LINE], const char **why);

/* The keeper's line, without its LF. Writes JSON, returns the status. */
unsigned http_change_answer(enum http_api_call call, const char *line,
    size_t len, char out[static HTTP_CHANGE_ANSWER]);
#endif
