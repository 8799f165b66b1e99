/* SPDX-License-Identifier: ISC */
/*
 * socket - the socket of a listener, made by base/endpoint.
 * Called by: the supervisor, while it still is root.
 * Not here:  accepting (server.c).
 */
#include <stdio.h>

#include "listener.h"

int listener_socket_open(const struct conf_section *conf, struct err *err)
{
	struct listener *l =
	    listener_check(conf, err) < 0 ? NULL : listener_new(conf, err);
	char who[64];
	int fd;

	if (!l)
		return -1;
	const struct endpoint_owner owner = { who, l->mode, l->group };
	(void)snprintf(who, sizeof(who), "listener %s", l->name);
	fd = endpoint_open(&l->at, &owner, err);
	listener_free(&l);
	return fd;
}
