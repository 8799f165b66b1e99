/* SPDX-License-Identifier: ISC */
/*
 * http_target - where another policy server is and how relaypass proves itself
 * there, out of a section with FORWARD_OPTIONS. Called by: http_forward.c.
 */
#ifndef SOURCE_HTTP_TARGET_H
#define SOURCE_HTTP_TARGET_H
#include <sys/socket.h>

#include "base/addr.h"

struct conf_section;
struct err;

enum {
	HTTP_PATH_MAX = 512,
	HTTP_FIELD_MAX = 1024 /* "Authorization: Basic ..." */
};

struct http_target {
	struct sockaddr_storage to;
	char host[ADDR_TEXT_SIZE + 8]; /* "[2001:db8::1]:8084" */
	char path[HTTP_PATH_MAX];
	char field[HTTP_FIELD_MAX]; /* the secret's header, CR LF, or "" */
};

/* Reads the secret's file. -1 and *err (EXIT_USER). Wipe *out when done. */
int http_target_read(
    struct http_target *out, const struct conf_section *conf, struct err *err);
#endif
