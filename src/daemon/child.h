/* SPDX-License-Identifier: ISC */
/*
 * child - what every role's process is given by the supervisor, and the few
 * things all of them do. A role's main never returns to the supervisor.
 */
#ifndef DAEMON_CHILD_H
#define DAEMON_CHILD_H
#include <uv.h>

#include "base/log.h"
#include "board.h"
#include "conf/conf.h"
#include "ledger/ledger.h"
#include "wire.h"

struct child_env {
	const struct conf *conf;
	struct board *board;
	struct board_mode *mode;
	void *ahead; /* LEDGER_AHEAD_SIZE bytes; the keeper's to write */
	struct board_slot *slot; /* this process's own */
	pid_t supervisor;
	int control; /* to the supervisor */
	/* Readers, receivers, exporters: channel to the keeper. Gateways that
	 * may change something: a connection such as one to its control socket;
	 * else -1. */
	int keeper;
	int inotify;                         /* readers: their watches */
	const struct conf_section *source;   /* readers, receivers */
	const struct conf_section *export;   /* writers, connectors, firewall */
	const struct conf_section *listener; /* gateways */
	size_t listener_index;               /* and its number */
	const int *source_fds; /* receivers: what their kind opened */
	size_t source_fd_count;
	int control_socket;    /* keeper: listening */
	const int *listen_fds; /* answerers, gateways: by the listener's number
				*/
};

typedef int role_main(const struct child_env *env); /* the exit code */
role_main keeper_main, answerer_main, reader_main, receiver_main, exporter_main,
    gateway_main;

/* The ledger's options, the file's out of the configuration. */
void child_ledger_options(
    const struct child_env *env, bool writer, struct ledger_options *out);
/* Logs an error, and returns its code for the exit. */
int child_fail(enum log_event event, const struct err *err);

/* One descriptor a connection: as many as the administrator allows. */
void child_raise_limit(void);
/* Leaves a busy processor to who answers, and to the servers that ask: a login
 * may wait some milliseconds more, an SMTP session should not. */
void child_stand_back(void);

/* Beats once a second on the loop, ends it on SIGTERM or SIGINT. */
struct child_loop {
	uv_loop_t loop;
	uv_timer_t beat;
	uv_signal_t term;
	struct board_slot *slot;
	unsigned beats;
	void (*stop)(void *ctx);   /* called once, at SIGTERM */
	void (*second)(void *ctx); /* NULL, or called once a second */
	void *ctx;
};
void child_loop_init(struct child_loop *c, struct board_slot *slot,
    void (*stop)(void *ctx), void *ctx);
/* Tells the supervisor that this process serves. */
void child_ready(const struct child_env *env);
/* What `status` says of an exporter or connector: whether it is in step with
 * its other end now, and how much waits; what is wrong, NULL: nothing. */
void child_step(struct board_slot *slot, bool in_step, uint64_t behind);
void child_trouble(struct board_slot *slot, const char *why);
/* True when the supervisor has died: nobody would start us again. */
bool child_is_orphan(const struct child_env *env);
#endif
