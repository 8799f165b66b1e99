/* SPDX-License-Identifier: ISC */
/*
 * allowed - who may relay now, as the relaypassd at the default places says.
 * Called by: programs with a predecessor's name.
 */
#ifndef CMD_ALLOWED_H
#define CMD_ALLOWED_H
#include <stddef.h>

#include "client.h"

enum { ALLOWED_TEXT_SIZE = 64 };

/* Sends a request to the control socket, as client_ask(), and leaves it open.
 * NULL and *err (which may be NULL): nobody answers. */
struct client *allowed_connect(const char *request, size_t len,
    client_row_fn *fn, void *ctx, struct reply *last, struct err *err);
/* The address of a row or an event: a host without its length, a network with
 * it. Returns out. */
const char *allowed_address(
    const struct reply *r, char out[static ALLOWED_TEXT_SIZE]);

struct allowed {
	char **at; /* sorted as text */
	size_t count;
};

/* 0, or -1 and *err. Release with allowed_free() in both cases. */
int allowed_read(struct allowed *out, struct err *err);
void allowed_free(struct allowed *a);
#endif
