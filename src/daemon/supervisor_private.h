/* SPDX-License-Identifier: ISC */
/*
 * supervisor_private - what supervisor.c and supervisor_reload.c share.
 */
#ifndef DAEMON_SUPERVISOR_PRIVATE_H
#define DAEMON_SUPERVISOR_PRIVATE_H
#include "family.h"
#include "supervisor.h"

enum { CONFIG_MAX = 1 << 20 };

struct supervisor {
	const struct supervisor_options *o;
	struct conf *conf;
	struct conf *control_conf;
	struct family family;
	struct reload *reload; /* under way, or NULL */
	bool told;             /* ready_fd has its answer */
	bool stop;
	int code;
};

/* Takes a good configuration, keeps the old when the new is bad; begins with it
 * anew when one is under way. Does not wait for databases: each turn of the
 * loop goes on with it. */
void supervisor_reload(struct supervisor *s);
void supervisor_reload_turn(struct supervisor *s);
void supervisor_reload_drop(struct supervisor *s);
/* Removes the socket file of a listener, when it has one. */
void supervisor_unlink(const struct conf_section *listener);
#endif
