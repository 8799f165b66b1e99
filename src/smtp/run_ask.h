/* SPDX-License-Identifier: ISC */
/*
 * run_ask - asks relaypassd, at its socket, whether an address may relay: for
 * the programs that stand before an SMTP server.
 */
#ifndef SMTP_RUN_ASK_H
#define SMTP_RUN_ASK_H
#include <stdbool.h>
#include <stddef.h>

/* Puts text and its NUL at to + at, where the caller knows that it fits.
 * Returns the length with it. */
size_t run_append(char *to, size_t at, const char *text);
/* Whether it could be one; relaypassd looks closer. It holds no blank and no
 * newline, whoever set it. */
bool run_is_address(const char *text);
/*
 * 1: it may relay. 0: the answer is something else. -1: there is none within
 * two seconds, errno tells why. socket: NULL for the usual two. *asked is the
 * one that was asked last.
 */
int run_ask(const char *socket, const char *address, const char **asked);

/* A way to relaypassd that is kept between questions; all zero: there is none.
 * It refers to `socket`, and its descriptor is closed by execve(2). */
struct run_way {
	bool open;
	int fd;
	const char *path;
};
/* The same for who asks again: of the way in *way, if relaypassd is still at
 * its other end. */
int run_ask_again(struct run_way *way, const char *socket, const char *address,
    const char **asked);
/* Closes it; errno stays. */
void run_way_end(struct run_way *way);
#endif
