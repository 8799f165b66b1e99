/* SPDX-License-Identifier: ISC */
/*
 * supervisor - the small process that keeps its rights: it opens what only root
 * may open, starts the children, and starts them again when they die. It reads
 * no foreign byte.
 */
#ifndef DAEMON_SUPERVISOR_H
#define DAEMON_SUPERVISOR_H
#include "conf/conf.h"

struct supervisor_options {
	const char *config; /* path, read again at SIGHUP */
	bool stderr_log;
	int ready_fd; /* gets one byte, the exit code, when all serve or
		       * the start has failed; -1: nobody waits */
};

/* Runs until SIGTERM or SIGINT. Takes conf. Returns the exit code. */
int supervisor_run(const struct supervisor_options *o, struct conf *conf);
#endif
