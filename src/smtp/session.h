/* SPDX-License-Identifier: ISC */
/*
 * session - one SMTP session: every line of the client is read here, judged,
 * and said anew to the server; every reply goes back, one for each command, in
 * order. The server takes any recipient, so what is not allowed here never gets
 * there.
 */
#ifndef SMTP_SESSION_H
#define SMTP_SESSION_H
#include "hosts.h"
#include "options.h"
#include "plan.h"
#include "vars.h"

struct spp_session_env {
	const struct spp_options *options;
	const struct spp_plan *plan;   /* NULL: no plugins */
	const struct spp_hosts *hosts; /* domains that are taken from anybody */
	const struct spp_hosts *percent; /* NULL: none; qmail's percenthack */
	struct spp_vars *vars;
};

/* Runs to its end, with the client on descriptors 0 and 1. Returns the exit
 * code. */
int spp_session_run(const struct spp_session_env *env);
/* For a session that cannot begin: 421, and `why` to the log. Returns the exit
 * code. */
int spp_session_refuse(const char *why);
#endif
