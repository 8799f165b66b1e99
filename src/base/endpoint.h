/* SPDX-License-Identifier: ISC */
/*
 * endpoint - where something listens, as text and as an open socket. Called by:
 * the supervisor, while it still is root; listener/ and source/ for the texts.
 */
#ifndef BASE_ENDPOINT_H
#define BASE_ENDPOINT_H
#include <sys/socket.h>
#include <sys/types.h>

#include "addr.h"
#include "err.h"

enum endpoint_type {
	ENDPOINT_UNIX = 0, /* stream */
	ENDPOINT_UNIXGRAM,
	ENDPOINT_TCP,
	ENDPOINT_UDP
};
#define ENDPOINT_BIT(type) (1U << (type))

struct endpoint {
	enum endpoint_type type;
	char path[108]; /* unix: as much as the kernel takes */
	struct addr addr;
	uint16_t port;
};

/* Reads "unix:/path", "unixgram:/path", "tcp:192.0.2.1:9876", "udp:[::1]:811";
 * "inet:" is "tcp:". Pure. */
bool endpoint_parse(const char *text, struct endpoint *out);
/* Back to text ("inet:" for TCP); returns out. */
const char *endpoint_print(const struct endpoint *e, char *out, size_t size);
bool endpoint_is_local(const struct endpoint *e);
/* Whether only one of them can be open. */
bool endpoint_is_same(const struct endpoint *a, const struct endpoint *b);
/* As the kernel takes it, zeroed behind; returns its length. */
socklen_t endpoint_address(
    const struct endpoint *e, struct sockaddr_storage *out);
/* Options of unix sockets: an octal mode of at most 0777; a user, by name or
 * number, who is looked up. */
bool endpoint_parse_mode(const char *text, mode_t *out);
bool endpoint_parse_user(const char *text, uid_t *out);
/* Who is at the other end of a network socket. False: no such family. */
bool endpoint_peer(
    const struct sockaddr_storage *from, struct addr *addr, uint16_t *port);

/* Whether the group is there that a unix socket is to be given to: for who may
 * give it, root; others keep their own. -1 and *err (EXIT_USER), with the
 * option that names it. */
int endpoint_check_group(
    const char *group, const char *option, struct err *err);

struct endpoint_owner {
	const char *who; /* "listener postfix", for messages */
	mode_t mode;     /* of a unix socket */
	const char *group;
};
/*
 * Makes the socket, non-blocking, bound and (streams) listening; a unix one
 * with its directory, mode and group. Unix datagrams carry credentials, those
 * of UDP the address they came to. Removes a socket nobody answers on; never
 * anything else. -1 and *err: EXIT_USER, or EXIT_AGAIN when the place is taken.
 */
int endpoint_open(const struct endpoint *e, const struct endpoint_owner *owner,
    struct err *err);
#endif
