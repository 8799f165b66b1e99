/* SPDX-License-Identifier: ISC */
/*
 * server - the SMTP server behind: a program with a pipe on each side, or one
 * that is reached by TCP. What it says is a reply (reply.h).
 */
#ifndef SMTP_SERVER_H
#define SMTP_SERVER_H
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "reply.h"
#include "wire.h"

enum { SPP_CLOSING = 421 }; /* the code of a server's last words */

struct spp_server {
	pid_t pid;         /* 0: none */
	int code;          /* of the last reply, */
	const char *reply; /* and all its lines, until the next is heard */
	size_t len;
	struct spp_wire wire; /* last: it is large */
};

/* kept: a descriptor that it has, too, or -1. -1 and *err: it cannot be
 * started.
 */
int spp_server_start(struct spp_server *s, char *const *argv, char *const *env,
    int kept, int64_t limit, struct err *err);
/* Whether it is one that can be connected to. */
bool spp_server_is_place(const char *place);
/* place: "HOST:PORT" or "[ADDRESS]:PORT". */
int spp_server_connect(
    struct spp_server *s, const char *place, int64_t limit, struct err *err);
/* The next reply. False: there is none, in time; the wire is closed. */
bool spp_server_hear(struct spp_server *s);
/* Whether it has said something that nobody asked for. */
bool spp_server_has_more(const struct spp_server *s);
/* Says a line (without CRLF), and hears the reply; but when it has said
 * something already, that is heard instead: 421, or it is closed, as nobody
 * could tell any more which reply is whose. */
bool spp_server_ask(struct spp_server *s, const char *line);
/* 2: code 200 to 299, and so on. */
int spp_server_class(const struct spp_server *s);
bool spp_server_is_open(const struct spp_server *s);
/* Nothing more is said to it, whatever it is in the middle of; waits for its
 * end for a while, then ends it. */
void spp_server_close(struct spp_server *s);
/* Waits for a child for a while, then ends it. 0: there is none; *pid is 0
 * then.
 */
void spp_child_end(pid_t *pid);
#endif
